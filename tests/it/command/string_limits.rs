//! Strings that change only within bounds, or only if they are what they are thought to be.

use crate::harness::check;

#[test]
fn counting_within_bounds() {
    check(
        r#"
        > INCREX n
        1) (integer) 1
        2) (integer) 1
        > INCREX n BYINT 5 UBOUND 10 EX 100
        1) (integer) 6
        2) (integer) 5
        > TTL n
        (integer) 100
        > INCREX n BYINT 5 UBOUND 10
        1) (integer) 6
        2) (integer) 0
        > INCREX n BYINT 5 UBOUND 10 SATURATE EX 200 ENX
        1) (integer) 10
        2) (integer) 4
        > TTL n
        (integer) 100
        > INCREX n BYINT -50 LBOUND 0 SATURATE PERSIST
        1) (integer) 0
        2) (integer) -10
        > TTL n
        (integer) -1
        > INCREX n BYINT 1 PX 5000 ENX
        1) (integer) 1
        2) (integer) 1
        > PTTL n
        (integer) 5000
        > INCREX n EXAT 1
        1) (integer) 2
        2) (integer) 1
        > EXISTS n
        (integer) 0
        > SET n 9223372036854775807
        OK
        > INCREX n
        1) (integer) 9223372036854775807
        2) (integer) 0
        > INCREX n BYINT 1 SATURATE
        1) (integer) 9223372036854775807
        2) (integer) 0
        > INCREX n BYINT -1 UBOUND -9223372036854775808 SATURATE
        (error) ERR applied increment would overflow
        > INCREX n LBOUND 2 UBOUND 1
        (error) ERR LBOUND can't be greater than UBOUND
        > INCREX n UBOUND x
        (error) ERR UBOUND is not an integer or out of range
        > INCREX n BYINT x
        (error) ERR Increment is not an integer or out of range
        > INCREX n ENX
        (error) ERR ENX flag requires an expiration
        > INCREX n PERSIST ENX
        (error) ERR syntax error
        > INCREX n EX 1 PX 1
        (error) ERR syntax error
        > INCREX n EX 0
        (error) ERR invalid expire time in 'increx' command
        > INCREX n BYINT 1 BYFLOAT 1
        (error) ERR syntax error
        > INCREX n BYINT
        (error) ERR syntax error
        > SET t text
        OK
        > INCREX t
        (error) ERR value is not an integer or out of range
        > RPUSH l a
        (integer) 1
        > INCREX l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn counting_fractions_within_bounds() {
    check(
        r#"
        ~only resp2
        > INCREX f BYFLOAT 1.5
        1) "1.5"
        2) "1.5"
        > INCREX f BYFLOAT 0.25 UBOUND 1.6
        1) "1.5"
        2) "0"
        > INCREX f BYFLOAT 0.25 UBOUND 1.75 LBOUND -inf
        1) "1.75"
        2) "0.25"
        > INCREX f BYFLOAT 10 UBOUND 2 SATURATE EX 10
        1) "2"
        2) "0.25"
        > GET f
        "2"
        > TTL f
        (integer) 10
        > INCREX f BYFLOAT inf
        (error) ERR BYFLOAT increment cannot be Infinity
        > INCREX f BYFLOAT x
        (error) ERR Increment is not a valid float
        > INCREX f BYFLOAT 1 LBOUND x
        (error) ERR LBOUND is not a valid float
        > SET f inf
        OK
        > INCREX f BYFLOAT 1
        (error) ERR value cannot be Infinity
        "#,
    );
}

#[test]
fn counting_fractions_answers_doubles() {
    check(
        r#"
        ~only resp3
        > INCREX f BYFLOAT 1.5
        1) (double) 1.5
        2) (double) 1.5
        "#,
    );
}

#[test]
fn conditions_on_the_value() {
    check(
        r#"
        > SET k v1
        OK
        > SET k v2 IFEQ other
        (nil)
        > SET k v2 IFEQ v1
        OK
        > SET k v3 IFEQ v2 GET
        "v2"
        > SET k v4 IFEQ v2 GET
        "v3"
        > SET k v5 IFNE v3
        (nil)
        > SET k v5 IFNE v4 EX 100
        OK
        > TTL k
        (integer) 100
        > SET absent v IFEQ v
        (nil)
        > SET absent v IFNE v
        OK
        > DIGEST k
        "83f88d2dfb36bc4a"
        > DIGEST none
        (nil)
        > SET k v6 IFDEQ 83f88d2dfb36bc4a
        OK
        > SET k v7 IFDNE 83f88d2dfb36bc4a
        OK
        > SET k v8 IFDEQ short
        (error) ERR must be exactly 16 hexadecimal characters
        > SET k v8 IFEQ v7 NX
        (error) ERR syntax error
        > SET k v8 IFEQ
        (error) ERR syntax error
        > RPUSH list a
        (integer) 1
        > SET list v IFEQ a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn deletions_on_a_condition() {
    check(
        r#"
        > MSET a 1 b 2 c 3 d 4
        OK
        > DELIFEQ a 2
        (integer) 0
        > DELIFEQ a 1
        (integer) 1
        > DELIFEQ a 1
        (integer) 0
        > DELEX b IFNE 2
        (integer) 0
        > DELEX b IFEQ 2
        (integer) 1
        > DELEX c IFEQ
        (error) ERR wrong number of arguments for 'delex' command
        > DELEX c IFXX 3
        (error) ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE
        > DELEX c
        (integer) 1
        > RPUSH list a
        (integer) 1
        > DELIFEQ list a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > DELEX list IFEQ a
        (error) ERR Key should be of string type if conditions are specified
        > DELEX list
        (integer) 1
        > KEYS *
        1) "d"
        "#,
    );
}

#[test]
fn several_at_once_with_options() {
    check(
        r#"
        > MSETEX 2 a 1 b 2 EX 100
        (integer) 1
        > TTL b
        (integer) 100
        > MSETEX 2 b 3 c 3 NX
        (integer) 0
        > EXISTS c
        (integer) 0
        > MSETEX 2 a 4 b 4 XX KEEPTTL
        (integer) 1
        > MGET a b
        1) "4"
        2) "4"
        > TTL a
        (integer) 100
        > MSETEX 1 a 5
        (integer) 1
        > TTL a
        (integer) -1
        > MSETEX 3 a 1 b 2
        (error) ERR wrong number of key-value pairs
        > MSETEX 0 a 1
        (error) ERR invalid numkeys value
        > MSETEX x a 1
        (error) ERR invalid numkeys value
        > MSETEX 1 a 1 GET
        (error) ERR syntax error
        > MSETEX 1 a 1 EX 0
        (error) ERR invalid expire time in 'msetex' command
        > COMMAND GETKEYS MSETEX 2 a 1 b 2
        1) "a"
        2) "b"
        "#,
    );
}
