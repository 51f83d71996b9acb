//! Hashes, packed and as trees.

use crate::harness::check;

#[test]
fn fields() {
    check(
        r#"
        > HSET h name flagstone year 2026
        (integer) 2
        > HSET h year 2027 x ""
        (integer) 1
        > HGET h year
        "2027"
        > HGET h none
        (nil)
        > HLEN h
        (integer) 3
        > OBJECT ENCODING h
        "listpack"
        > TYPE h
        hash
        > HDEL h name nothing
        (integer) 1
        > RENAME h other
        OK
        > COPY other h
        (integer) 1
        > HGET h x
        ""
        > HDEL h x year
        (integer) 2
        > EXISTS h other
        (integer) 1
        > SET s string
        OK
        > HSET s a b
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HSET h a
        (error) ERR wrong number of arguments for 'hset' command
        > GET other
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn a_large_one_becomes_a_tree() {
    check(
        r#"
        > CONFIG SET hash-max-listpack-entries 2
        OK
        > HSET h a 1 b 2
        (integer) 2
        > OBJECT ENCODING h
        "listpack"
        > HSET h c 3
        (integer) 1
        > OBJECT ENCODING h
        "hashtable"
        > HGET h b
        "2"
        > HSET h b twenty
        (integer) 0
        > HGET h b
        "twenty"
        > RENAME h renamed
        OK
        > COPY renamed copied
        (integer) 1
        > HDEL renamed a
        (integer) 1
        > HLEN copied
        (integer) 3
        > HGET copied a
        "1"
        > DEL renamed
        (integer) 1
        "#,
    );
}
