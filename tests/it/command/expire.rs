//! Times to live.

use crate::harness::check;

#[test]
fn expire_and_persist() {
    check(
        r#"
        > SET k v
        OK
        > TTL k
        (integer) -1
        > PTTL k
        (integer) -1
        > EXPIRE k 100
        (integer) 1
        > TTL k
        (integer) 100
        > PEXPIRE k 50500
        (integer) 1
        > TTL k
        (integer) 51
        > PTTL k
        (integer) 50500
        > PERSIST k
        (integer) 1
        > PERSIST k
        (integer) 0
        > TTL k
        (integer) -1
        > TTL nothing
        (integer) -2
        > PTTL nothing
        (integer) -2
        > EXPIRE nothing 10
        (integer) 0
        > PERSIST nothing
        (integer) 0
        > EXPIRETIME k
        (integer) -1
        > EXPIRETIME nothing
        (integer) -2
        > PEXPIRETIME nothing
        (integer) -2
        "#,
    );
}

#[test]
fn absolute_times() {
    check(
        r#"
        > SET k v
        OK
        > EXPIREAT k 4102444800
        (integer) 1
        > EXPIRETIME k
        (integer) 4102444800
        > PEXPIRETIME k
        (integer) 4102444800000
        > PEXPIREAT k 4102444800999
        (integer) 1
        > EXPIRETIME k
        (integer) 4102444801
        > PEXPIRETIME k
        (integer) 4102444800999
        "#,
    );
}

#[test]
fn a_time_in_the_past_deletes() {
    check(
        r#"
        > SET k v
        OK
        > EXPIRE k 0
        (integer) 1
        > EXISTS k
        (integer) 0
        > SET k v
        OK
        > EXPIRE k -1
        (integer) 1
        > EXISTS k
        (integer) 0
        > SET k v
        OK
        > EXPIREAT k 1
        (integer) 1
        > EXISTS k
        (integer) 0
        > SET k v
        OK
        > PEXPIREAT k 1
        (integer) 1
        > EXISTS k
        (integer) 0
        > SET k v
        OK
        > PEXPIRE k -9223372036854775808
        (integer) 1
        > EXISTS k
        (integer) 0
        "#,
    );
}

#[test]
fn conditions() {
    check(
        r#"
        > SET k v
        OK
        > EXPIRE k 100 XX
        (integer) 0
        > EXPIRE k 100 GT
        (integer) 0
        > EXPIRE k 100 NX
        (integer) 1
        > EXPIRE k 200 NX
        (integer) 0
        > EXPIRE k 50 GT
        (integer) 0
        > EXPIRE k 200 GT
        (integer) 1
        > TTL k
        (integer) 200
        > EXPIRE k 300 LT
        (integer) 0
        > EXPIRE k 150 LT
        (integer) 1
        > TTL k
        (integer) 150
        > EXPIRE k 120 XX GT
        (integer) 0
        > EXPIRE k 120 XX LT
        (integer) 1
        > PERSIST k
        (integer) 1
        > EXPIRE k 100 LT
        (integer) 1
        > EXPIRE k 100 NX XX
        (error) ERR NX and XX, GT or LT options at the same time are not compatible
        > EXPIRE k 100 NX GT
        (error) ERR NX and XX, GT or LT options at the same time are not compatible
        > EXPIRE k 100 NX LT
        (error) ERR NX and XX, GT or LT options at the same time are not compatible
        > EXPIRE k 100 GT LT
        (error) ERR GT and LT options at the same time are not compatible
        > EXPIRE k 100 FOO
        (error) ERR Unsupported option FOO
        > EXPIRE k 100 NX FOO
        (error) ERR Unsupported option FOO
        > EXPIRE nothing 100 GT
        (integer) 0
        > EXPIRE k -1 GT
        (integer) 0
        > EXPIRE k -1 LT
        (integer) 1
        > EXISTS k
        (integer) 0
        "#,
    );
}

#[test]
fn bad_times() {
    check(
        r#"
        > SET k v
        OK
        > EXPIRE k abc
        (error) ERR value is not an integer or out of range
        > EXPIRE k 9223372036854775807
        (error) ERR invalid expire time in 'expire' command
        > EXPIRE k -9223372036854775808
        (error) ERR invalid expire time in 'expire' command
        > PEXPIRE k 9223372036854775807
        (error) ERR invalid expire time in 'pexpire' command
        > EXPIREAT k 9223372036854775807
        (error) ERR invalid expire time in 'expireat' command
        > PEXPIREAT k 9223372036854775807
        (integer) 1
        > TTL k
        (any)
        > EXPIRE k
        (error) ERR wrong number of arguments for 'expire' command
        > PEXPIRE k 1.5
        (error) ERR value is not an integer or out of range
        "#,
    );
}

#[test]
fn keys_vanish_at_their_time() {
    check(
        r#"
        > SET k v
        OK
        > PEXPIRE k 1000
        (integer) 1
        ~advance 999ms
        > EXISTS k
        (integer) 1
        ~advance 1ms
        > EXISTS k
        (integer) 0
        > GET k
        (nil)
        > TTL k
        (integer) -2
        > TYPE k
        none
        > DBSIZE
        (integer) 0
        > RENAME k l
        (error) ERR no such key
        > STRLEN k
        (integer) 0
        > APPEND k x
        (integer) 1
        > TTL k
        (integer) -1
        "#,
    );
}

#[test]
fn writes_start_over_after_expiry() {
    check(
        r#"
        > SET n 41 PX 100
        OK
        ~advance 200ms
        > INCR n
        (integer) 1
        > TTL n
        (integer) -1
        > SET k v PX 100
        OK
        ~advance 200ms
        > SETNX k w
        (integer) 1
        > SET k x XX GET
        "w"
        > DEL k
        (integer) 1
        > SET k v PX 100
        OK
        ~advance 200ms
        > DEL k
        (integer) 0
        "#,
    );
}

#[test]
fn ttl_rounds() {
    check(
        r#"
        > SET k v PX 1500
        OK
        > TTL k
        (integer) 2
        > SET k v PX 1499
        OK
        > TTL k
        (integer) 1
        > SET k v PX 400
        OK
        > TTL k
        (integer) 0
        "#,
    );
}

#[test]
fn what_keeps_the_time_to_live_and_what_does_not() {
    check(
        r#"
        > SET k 1 EX 100
        OK
        > INCR k
        (integer) 2
        > APPEND k 0
        (integer) 2
        > SETRANGE k 0 9
        (integer) 2
        > SETBIT k 0 0
        (integer) 0
        > TTL k
        (integer) 100
        > GETSET k 1
        "90"
        > TTL k
        (integer) -1
        > SET k v EX 100
        OK
        > RENAME k l
        OK
        > TTL l
        (integer) 100
        > SET m v
        OK
        > RENAME m l
        OK
        > TTL l
        (integer) -1
        "#,
    );
}

/// A time that has passed when it is set is an expiry, for those who count and those who are told.
#[test]
fn what_is_set_to_expire_in_the_past_has_expired() {
    check(
        r#"
        > CONFIG RESETSTAT
        OK
        > CONFIG SET notify-keyspace-events KEA
        OK
        listener> PSUBSCRIBE __keyevent@0__:*
        1> "psubscribe"
        2> "__keyevent@0__:*"
        3> (integer) 1
        > MSET a 1 b 2 c 3
        OK
        listener<
        listener<
        listener<
        > EXPIRE a -1
        (integer) 1
        listener<
        1> "pmessage"
        2> "__keyevent@0__:*"
        3> "__keyevent@0__:expired"
        4> "a"
        > GETEX b PXAT 1
        "2"
        listener<
        1> "pmessage"
        2> "__keyevent@0__:*"
        3> "__keyevent@0__:expired"
        4> "b"
        > SET c 4 PXAT 1 GET
        "3"
        listener<
        1> "pmessage"
        2> "__keyevent@0__:*"
        3> "__keyevent@0__:expired"
        4> "c"
        > SET d 5 EXAT 1
        OK
        > DBSIZE
        (integer) 0
        > INFO stats
        (like) "*expired_keys:4\r*"
        "#,
    );
}

/// While keys are imported they stay, whatever their time; only their source still sees them.
#[test]
fn import_mode() {
    check(
        r#"
        ~only served
        source> CLIENT IMPORT-SOURCE ON
        (error) ERR Server is not in import mode
        source> CLIENT IMPORT-SOURCE OFF
        OK
        > CONFIG SET import-mode yes
        OK
        source> CLIENT IMPORT-SOURCE maybe
        (error) ERR syntax error
        source> CLIENT IMPORT-SOURCE ON
        OK
        source> CLIENT LIST ID 2
        source> SET k 1 PX 10
        OK
        ~advance 1000ms
        > GET k
        (nil)
        > TTL k
        (integer) -2
        > KEYS *
        (empty array)
        > DBSIZE
        (integer) 1
        source> TTL k
        (integer) 0
        source> INCR k
        (integer) 2
        source> RANDOMKEY
        "k"
        source> SCAN 0
        1) "0"
        2) 1) "k"
        source> SET past 1 PXAT 1
        OK
        source> EXPIRE k -1
        (integer) 1
        source> MGET k past
        1) "2"
        2) "1"
        source> CLIENT IMPORT-SOURCE OFF
        OK
        source> GET k
        (nil)
        # A write by anyone else does away with what has expired.
        > APPEND k x
        (integer) 1
        > CONFIG SET import-mode no
        OK
        > GET past
        (nil)
        > DBSIZE
        (integer) 1
        "#,
    );
}
