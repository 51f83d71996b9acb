//! SORT and SORT_RO.

use crate::harness::check;

#[test]
fn numbers_and_texts() {
    check(
        r#"
        > SORT absent
        (empty array)
        > RPUSH l 10 9 -3.5 1e2 "" 2
        (integer) 6
        > SORT l
        1) "-3.5"
        2) ""
        3) "2"
        4) "9"
        5) "10"
        6) "1e2"
        > SORT l DESC LIMIT 1 2
        1) "10"
        2) "9"
        > SORT l ALPHA
        1) ""
        2) "-3.5"
        3) "10"
        4) "1e2"
        5) "2"
        6) "9"
        > SORT_RO l ALPHA DESC LIMIT 4 100
        1) "-3.5"
        2) ""
        > SORT l LIMIT 6 1
        (empty array)
        > SORT l LIMIT -5 1
        1) "-3.5"
        > SORT l LIMIT 0 -1 ASC
        1) "-3.5"
        2) ""
        3) "2"
        4) "9"
        5) "10"
        6) "1e2"
        > SADD s 3 1 2
        (integer) 3
        > SORT s DESC
        1) "3"
        2) "2"
        3) "1"
        > ZADD z 1 c 2 b 3 a
        (integer) 3
        > SORT z ALPHA
        1) "a"
        2) "b"
        3) "c"
        "#,
    );
}

#[test]
fn by_and_get() {
    check(
        r#"
        > RPUSH l 1 2 3
        (integer) 3
        > MSET weight:1 30 weight:2 20 weight:3 10 name:1 one name:3 three
        OK
        > HSET h:1 f b
        (integer) 1
        > HSET h:2 f a
        (integer) 1
        > SORT l BY weight:*
        1) "3"
        2) "2"
        3) "1"
        > SORT l BY weight:* GET name:* GET #
        1) "three"
        2) "3"
        3) (nil)
        4) "2"
        5) "one"
        6) "1"
        > SORT l BY h:*->f ALPHA
        1) "3"
        2) "2"
        3) "1"
        > SORT l BY h:*->f ALPHA DESC GET h:*->f GET h:*->
        1) "b"
        2) (nil)
        3) "a"
        4) (nil)
        5) (nil)
        6) (nil)
        > SORT l BY absent:*
        1) "1"
        2) "2"
        3) "3"
        > SORT l BY nosort DESC
        1) "1"
        2) "2"
        3) "3"
        > SORT l BY nosort LIMIT 1 1 GET nothing
        1) (nil)
        > ZADD z 1 c 2 b 3 a
        (integer) 3
        > SORT z BY nosort
        1) "c"
        2) "b"
        3) "a"
        > SORT z BY nosort DESC LIMIT 0 2
        1) "a"
        2) "b"
        > SORT l BY h:*
        1) "1"
        2) "2"
        3) "3"
        "#,
    );
}

#[test]
fn stored() {
    check(
        r#"
        > SADD s c a b
        (integer) 3
        > SORT s BY nosort STORE out
        (integer) 3
        > LRANGE out 0 -1
        1) "a"
        2) "b"
        3) "c"
        > SORT s ALPHA DESC GET # GET absent:* STORE out
        (integer) 6
        > LRANGE out 0 -1
        1) "c"
        2) ""
        3) "b"
        4) ""
        5) "a"
        6) ""
        > OBJECT ENCODING out
        "listpack"
        > SORT absent STORE out
        (integer) 0
        > EXISTS out
        (integer) 0
        > SORT s ALPHA STORE s
        (integer) 3
        > TYPE s
        list
        > COMMAND GETKEYS SORT abc STORE def
        1) "abc"
        2) "def"
        "#,
    );
}

#[test]
fn refused() {
    check(
        r#"
        > SET k v
        OK
        > SORT k
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > RPUSH l a
        (integer) 1
        > SORT l
        (error) ERR One or more scores can't be converted into double
        > SORT l BY k*
        1) "a"
        > SORT l LIMIT 0
        (error) ERR syntax error
        > SORT l LIMIT a 1
        (error) ERR value is not an integer or out of range
        > SORT l GET
        (error) ERR syntax error
        > SORT l SIDEWAYS
        (error) ERR syntax error
        > SORT_RO l STORE x
        (error) ERR syntax error
        > RPUSH n 1 nan
        (integer) 2
        > SORT n
        (error) ERR One or more scores can't be converted into double
        > SORT
        (error) ERR wrong number of arguments for 'sort' command
        "#,
    );
}

#[test]
fn the_key_it_stores_at() {
    check(
        r#"
        > COMMAND GETKEYS SORT list STORE a STORE b
        1) "list"
        2) "b"
        > COMMAND GETKEYS SORT list BY store GET store STORE b
        1) "list"
        2) "b"
        > RPUSH mine:list 2 1
        (integer) 2
        > ACL SETUSER u on nopass ~mine:* +@all
        OK
        other> AUTH u none
        OK
        other> SORT mine:list GET store STORE theirs
        (error) NOPERM No permissions to access a key
        other> SORT mine:list STORE mine:a STORE theirs
        (error) NOPERM No permissions to access a key
        other> SORT mine:list STORE mine:a
        (integer) 2
        "#,
    );
}

#[test]
fn a_weight_without_a_star_leaves_the_order() {
    check(
        r#"
        > RPUSH l c a b
        (integer) 3
        > SORT l BY # DESC
        1) "c"
        2) "a"
        3) "b"
        "#,
    );
}
