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

#[test]
fn the_rest_of_the_family() {
    check(
        r#"
        > HMSET h a 1 b text c 2.5
        OK
        > HMSET h a
        (error) ERR wrong number of arguments for 'hmset' command
        > HMSET h a 1 b
        (error) ERR wrong number of arguments for 'hmset' command
        > HSETNX h a 9
        (integer) 0
        > HSETNX h d 9
        (integer) 1
        > HMGET h a none d
        1) "1"
        2) (nil)
        3) "9"
        > HMGET none a
        1) (nil)
        > HKEYS h
        1) "a"
        2) "b"
        3) "c"
        4) "d"
        > HVALS h
        1) "1"
        2) "text"
        3) "2.5"
        4) "9"
        > HEXISTS h a
        (integer) 1
        > HEXISTS h z
        (integer) 0
        > HSTRLEN h b
        (integer) 4
        > HSTRLEN h z
        (integer) 0
        > HINCRBY h a 5
        (integer) 6
        > HINCRBY h new -5
        (integer) -5
        > HINCRBY h b 1
        (error) ERR hash value is not an integer
        > HINCRBY h a x
        (error) ERR value is not an integer or out of range
        > HSET h big 9223372036854775807
        (integer) 1
        > HINCRBY h big 1
        (error) ERR increment or decrement would overflow
        > HINCRBYFLOAT h c 0.1
        "2.6"
        > HINCRBYFLOAT h b 1
        (error) ERR hash value is not a float
        > HINCRBYFLOAT h c inf
        (error) ERR value is NaN or Infinity
        > HSCAN one 0
        1) "0"
        2) (empty array)
        > HSET one f v
        (integer) 1
        > HSCAN one 0
        1) "0"
        2) 1) "f"
           2) "v"
        > HSCAN one 0 NOVALUES
        1) "0"
        2) 1) "f"
        > HRANDFIELD one
        "f"
        > HRANDFIELD one 5
        1) "f"
        > HRANDFIELD one -2
        1) "f"
        2) "f"
        > HRANDFIELD none
        (nil)
        > HRANDFIELD none 2
        (empty array)
        > HRANDFIELD one -9223372036854775808
        (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > HRANDFIELD one 1 values
        (error) ERR syntax error
        "#,
    );
}
