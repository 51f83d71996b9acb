//! Sets: sorted integers, packed, and as trees.

use crate::harness::check;

#[test]
fn members() {
    check(
        r#"
        > SADD s 3 1 2
        (integer) 3
        > SMEMBERS s
        1~ "1"
        2~ "2"
        3~ "3"
        > OBJECT ENCODING s
        "intset"
        > SADD s 2 -7
        (integer) 1
        > SADD s word
        (integer) 1
        > OBJECT ENCODING s
        "listpack"
        > SCARD s
        (integer) 5
        > SISMEMBER s word
        (integer) 1
        > SISMEMBER s 9
        (integer) 0
        > SMISMEMBER s 1 9 word
        1) (integer) 1
        2) (integer) 0
        3) (integer) 1
        > SMISMEMBER none a
        1) (integer) 0
        > SREM s 1 2 3 nothing
        (integer) 3
        > SMOVE s t word
        (integer) 1
        > SMOVE s t word
        (integer) 0
        > SMOVE s s -7
        (integer) 1
        > SREM s -7
        (integer) 1
        > EXISTS s
        (integer) 0
        > SPOP t
        "word"
        > SPOP t
        (nil)
        > SPOP t -1
        (error) ERR value is out of range, must be positive
        > SRANDMEMBER t 5
        (empty array)
        > SET str x
        OK
        > SADD str a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SMOVE t str a
        (integer) 0
        > SINTER str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn encodings_follow_the_limits() {
    check(
        r#"
        > CONFIG SET set-max-intset-entries 2 set-max-listpack-entries 3 set-max-listpack-value 5
        OK
        > SADD s 1 2
        (integer) 2
        > OBJECT ENCODING s
        "intset"
        > SADD s 3
        (integer) 1
        > OBJECT ENCODING s
        "hashtable"
        > SADD t a b c
        (integer) 3
        > OBJECT ENCODING t
        "listpack"
        > SADD t d
        (integer) 1
        > OBJECT ENCODING t
        "hashtable"
        > SADD u longer
        (integer) 1
        > OBJECT ENCODING u
        "hashtable"
        > SISMEMBER t a
        (integer) 1
        > SREM t a b c
        (integer) 3
        > SMEMBERS t
        1~ "d"
        > SCARD s
        (integer) 3
        "#,
    );
}

#[test]
fn combining() {
    check(
        r#"
        > SADD a 1 2 3 4
        (integer) 4
        > SADD b 3 4 5
        (integer) 3
        > SADD c 4
        (integer) 1
        > SINTER a b
        1~ "3"
        2~ "4"
        > SINTER a b none
        (empty set)
        > SINTERCARD 3 a b c
        (integer) 1
        > SINTERCARD 2 a b LIMIT 1
        (integer) 1
        > SINTERCARD 0 a
        (error) ERR numkeys should be greater than 0
        > SINTERCARD 5 a
        (error) ERR Number of keys can't be greater than number of args
        > SINTERCARD 1 a LIMIT -1
        (error) ERR LIMIT can't be negative
        > SUNION a b none
        1~ "1"
        2~ "2"
        3~ "3"
        4~ "4"
        5~ "5"
        > SDIFF a b
        1~ "1"
        2~ "2"
        > SDIFF none a
        (empty set)
        > SDIFFSTORE a a b
        (integer) 2
        > SMEMBERS a
        1~ "1"
        2~ "2"
        > SUNIONSTORE u a b c
        (integer) 5
        > OBJECT ENCODING u
        "intset"
        > SINTERSTORE u a none
        (integer) 0
        > EXISTS u
        (integer) 0
        "#,
    );
}

#[test]
fn random_members_and_walks() {
    check(
        r#"
        > SADD s a
        (integer) 1
        > SRANDMEMBER s
        "a"
        > SRANDMEMBER s -3
        1) "a"
        2) "a"
        3) "a"
        > SRANDMEMBER s 10
        1) "a"
        > SRANDMEMBER s -9223372036854775808
        (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > SSCAN s 0
        1) "0"
        2) 1) "a"
        > SSCAN s 0 MATCH b*
        1) "0"
        2) (empty array)
        > SSCAN none 0
        1) "0"
        2) (empty array)
        > SSCAN s x
        (error) ERR invalid cursor
        > SSCAN s 0 COUNT 0
        (error) ERR syntax error
        > SPOP s 10
        1~ "a"
        > EXISTS s
        (integer) 0
        "#,
    );
}

#[test]
fn the_last_limit_counts() {
    check(
        r#"
        > SADD t a b c
        (integer) 3
        > SINTERCARD 1 t LIMIT 1 LIMIT 2
        (integer) 2
        > SINTERCARD 1 t LIMIT LIMIT 2
        (error) ERR LIMIT can't be negative
        > SINTERCARD 1 t LIMIT
        (error) ERR syntax error
        "#,
    );
}
