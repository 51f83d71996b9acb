//! Commands that work on keys of any type.

use crate::harness::check;

#[test]
fn del_unlink_exists_touch() {
    check(
        r#"
        > MSET a 1 b 2 c 3 d 4
        OK
        > EXISTS a b nothing a
        (integer) 3
        > TOUCH a b nothing
        (integer) 2
        > DEL a b nothing
        (integer) 2
        > DEL a
        (integer) 0
        > UNLINK c c nothing
        (integer) 1
        > EXISTS a b c d
        (integer) 1
        > DEL
        (error) ERR wrong number of arguments for 'del' command
        > UNLINK
        (error) ERR wrong number of arguments for 'unlink' command
        > EXISTS
        (error) ERR wrong number of arguments for 'exists' command
        > TOUCH
        (error) ERR wrong number of arguments for 'touch' command
        "#,
    );
}

#[test]
fn type_of_a_value() {
    check(
        r#"
        > SET k v
        OK
        > TYPE k
        string
        > TYPE nothing
        none
        > SETBIT b 1 1
        (integer) 0
        > TYPE b
        string
        > PFADD h a
        (integer) 1
        > TYPE h
        string
        "#,
    );
}

#[test]
fn rename() {
    check(
        r#"
        > SET a 1 EX 100
        OK
        > SET b 2
        OK
        > RENAME a b
        OK
        > GET b
        "1"
        > TTL b
        (integer) 100
        > EXISTS a
        (integer) 0
        > RENAME a b
        (error) ERR no such key
        > RENAME b b
        OK
        > GET b
        "1"
        > RENAMENX b c
        (integer) 1
        > SET d 4
        OK
        > RENAMENX c d
        (integer) 0
        > RENAMENX nothing d
        (error) ERR no such key
        > RENAMENX d d
        (integer) 0
        > RENAMENX nothing nothing
        (error) ERR no such key
        > RENAME b
        (error) ERR wrong number of arguments for 'rename' command
        "#,
    );
}

#[test]
fn copy() {
    check(
        r#"
        > SET a 1 EX 100
        OK
        > COPY a b
        (integer) 1
        > GET b
        "1"
        > TTL b
        (integer) 100
        > COPY a b
        (integer) 0
        > SET a 2
        OK
        > COPY a b REPLACE
        (integer) 1
        > GET b
        "2"
        > TTL b
        (integer) -1
        other> PSUBSCRIBE __keyevent@0__:keymiss
        1> "psubscribe"
        2> "__keyevent@0__:keymiss"
        3> (integer) 1
        > CONFIG SET notify-keyspace-events Em
        OK
        > COPY nothing x
        (integer) 0
        other<
        1> "pmessage"
        2> "__keyevent@0__:keymiss"
        3> "__keyevent@0__:keymiss"
        4> "nothing"
        > CONFIG SET notify-keyspace-events ""
        OK
        > COPY a a
        (error) ERR source and destination objects are the same
        > COPY a a DB 0
        (error) ERR source and destination objects are the same
        > COPY a a DB 1
        (integer) 1
        > COPY a c DB 1
        (integer) 1
        > COPY a c DB 1
        (integer) 0
        > COPY a c DB 1 REPLACE
        (integer) 1
        > SELECT 1
        OK
        > GET c
        "2"
        > GET a
        "2"
        > SELECT 0
        OK
        > COPY a b DB 16
        (error) ERR DB index is out of range
        > COPY a b DB -1
        (error) ERR DB index is out of range
        > COPY a b DB abc
        (error) ERR value is not an integer or out of range
        > COPY a b FOO
        (error) ERR syntax error
        > COPY a
        (error) ERR wrong number of arguments for 'copy' command
        > FLUSHALL
        OK
        "#,
    );
}

#[test]
fn move_to_another_database() {
    check(
        r#"
        > SET a 1 EX 100
        OK
        > MOVE a 1
        (integer) 1
        > EXISTS a
        (integer) 0
        > SELECT 1
        OK
        > GET a
        "1"
        > TTL a
        (integer) 100
        > MOVE a 1
        (error) ERR source and destination objects are the same
        > MOVE a 0
        (integer) 1
        > MOVE a 0
        (integer) 0
        > SET a 2
        OK
        > MOVE a 0
        (integer) 0
        > GET a
        "2"
        > MOVE a 16
        (error) ERR DB index is out of range
        > MOVE a -1
        (error) ERR DB index is out of range
        > MOVE a abc
        (error) ERR value is not an integer or out of range
        > FLUSHALL
        OK
        "#,
    );
}

#[test]
fn keys() {
    check(
        r#"
        > MSET one 1 two 2 three 3 four 4
        OK
        > KEYS *o*
        (in any order)
        1) "one"
        2) "two"
        3) "four"
        > KEYS t??
        1) "two"
        > KEYS nothing*
        (empty array)
        > KEYS [a-f]*
        1) "four"
        > KEYS [^a-o]w?
        1) "two"
        > KEYS "t\\wo"
        1) "two"
        > KEYS *
        (in any order)
        1) "one"
        2) "two"
        3) "three"
        4) "four"
        > SELECT 1
        OK
        > KEYS *
        (empty array)
        > KEYS
        (error) ERR wrong number of arguments for 'keys' command
        "#,
    );
}

#[test]
fn random_key() {
    check(
        r#"
        > RANDOMKEY
        (nil)
        > SET a 1
        OK
        > RANDOMKEY
        "a"
        > SET b 1 PX 1
        OK
        > DEL a
        (integer) 1
        ~advance 100ms
        > RANDOMKEY
        (nil)
        "#,
    );
}

#[test]
fn scan_small() {
    check(
        r#"
        > SCAN 0
        1) "0"
        2) (empty array)
        > SET a 1
        OK
        > SCAN 0
        1) "0"
        2) 1) "a"
        > SCAN 0 MATCH b*
        1) "0"
        2) (empty array)
        > SCAN 0 MATCH a* COUNT 100 TYPE string
        1) "0"
        2) 1) "a"
        > SCAN 0 TYPE list
        1) "0"
        2) (empty array)
        > SCAN 0 COUNT 0
        (error) ERR syntax error
        > SCAN 0 COUNT -1
        (error) ERR syntax error
        > SCAN 0 COUNT abc
        (error) ERR value is not an integer or out of range
        > SCAN 0 FOO
        (error) ERR syntax error
        > SCAN 0 MATCH
        (error) ERR syntax error
        > SCAN abc
        (error) ERR invalid cursor
        > SCAN -1
        (error) ERR invalid cursor
        > SCAN 18446744073709551616
        (error) ERR invalid cursor
        > SCAN 99999999999
        (any)
        > SCAN
        (error) ERR wrong number of arguments for 'scan' command
        "#,
    );
}

#[test]
fn the_empty_name_is_matched_by_the_star_alone() {
    check(
        r#"
        > SET "" 1
        OK
        > KEYS *
        1) ""
        > SCAN 0 MATCH *
        1) "0"
        2) 1) ""
        > KEYS **
        (empty array)
        > SCAN 0 MATCH **
        1) "0"
        2) (empty array)
        > KEYS ""
        1) ""
        "#,
    );
}

#[test]
fn scan_skips_expired_keys() {
    check(
        r#"
        > SET a 1 PX 100
        OK
        > SET b 1
        OK
        ~advance 200ms
        > SCAN 0 COUNT 100
        1) "0"
        2) 1) "b"
        "#,
    );
}

#[test]
fn how_often_a_key_was_used() {
    check(
        r#"
        ~only served
        > CONFIG SET maxmemory-policy allkeys-lfu
        OK
        > SET n abc
        OK
        > OBJECT FREQ n
        (integer) 5
        > APPEND n d
        (integer) 4
        > OBJECT FREQ n
        (integer 6..7)
        # A key that is new counts as every new one.
        > DEL n
        (integer) 1
        > SET n abc
        OK
        > OBJECT FREQ n
        (integer) 5
        "#,
    );
}

#[test]
fn object() {
    check(
        r#"
        > SET n 12
        OK
        > OBJECT ENCODING n
        "int"
        > SET n abc
        OK
        > OBJECT ENCODING n
        "embstr"
        > OBJECT ENCODING nothing
        (nil)
        > OBJECT REFCOUNT n
        (integer) 1
        > OBJECT REFCOUNT nothing
        (nil)
        > OBJECT IDLETIME n
        (integer 0..1)
        > OBJECT IDLETIME nothing
        (nil)
        > OBJECT FREQ n
        (error) ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.
        > OBJECT FREQ nothing
        (nil)
        > OBJECT FOO n
        (error) ERR unknown subcommand 'FOO'. Try OBJECT HELP.
        > OBJECT
        (error) ERR wrong number of arguments for 'object' command
        > OBJECT ENCODING
        (error) ERR wrong number of arguments for 'object|encoding' command
        > OBJECT ENCODING a b
        (error) ERR wrong number of arguments for 'object|encoding' command
        > OBJECT HELP
        (any)
        "#,
    );
}

#[test]
fn idle_time() {
    check(
        r#"
        > SET n 12
        OK
        ~advance 3000ms
        > OBJECT IDLETIME n
        (integer 2..4)
        > GET n
        "12"
        > OBJECT IDLETIME n
        (integer 0..1)
        "#,
    );
}

#[test]
fn flush_swap_size() {
    check(
        r#"
        > MSET a 1 b 2
        OK
        > DBSIZE
        (integer) 2
        > SELECT 1
        OK
        > SET c 3
        OK
        > DBSIZE
        (integer) 1
        > SWAPDB 0 1
        OK
        > DBSIZE
        (integer) 2
        > EXISTS a
        (integer) 1
        > SELECT 0
        OK
        > GET c
        "3"
        > SWAPDB 0 0
        OK
        > SWAPDB 0 16
        (error) ERR DB index is out of range
        > SWAPDB a 1
        (error) ERR invalid first DB index
        > SWAPDB 0 b
        (error) ERR invalid second DB index
        > SWAPDB -1 0
        (error) ERR DB index is out of range
        > FLUSHDB
        OK
        > DBSIZE
        (integer) 0
        > SELECT 1
        OK
        > DBSIZE
        (integer) 2
        > FLUSHALL
        OK
        > DBSIZE
        (integer) 0
        > SET a 1
        OK
        > FLUSHDB ASYNC
        OK
        > DBSIZE
        (integer) 0
        > SET a 1
        OK
        > FLUSHALL SYNC
        OK
        > DBSIZE
        (integer) 0
        > FLUSHALL FOO
        (error) ERR syntax error
        > FLUSHDB a b
        (error) ERR syntax error
        > SELECT 16
        (error) ERR DB index is out of range
        > SELECT -1
        (error) ERR DB index is out of range
        > SELECT abc
        (error) ERR value is not an integer or out of range
        > DBSIZE x
        (error) ERR wrong number of arguments for 'dbsize' command
        "#,
    );
}

#[test]
fn restore_checks_what_it_is_given() {
    check(
        r#"
        > RESTORE k 0 abc
        (error) ERR DUMP payload version or checksum are wrong
        > RESTORE k 0 ""
        (error) ERR DUMP payload version or checksum are wrong
        > RESTORE k -1 abc
        (error) ERR Invalid TTL value, must be >= 0
        > RESTORE k abc abc
        (error) ERR value is not an integer or out of range
        > RESTORE k 0 abc FOO
        (error) ERR syntax error
        > RESTORE k 0 abc IDLETIME -1
        (error) ERR Invalid IDLETIME value, must be >= 0
        > RESTORE k 0 abc FREQ 256
        (error) ERR Invalid FREQ value, must be >= 0 and <= 255
        > RESTORE k 0 abc IDLETIME 1 FREQ 1
        (error) ERR syntax error
        > RESTORE k 0
        (error) ERR wrong number of arguments for 'restore' command
        "#,
    );
}

#[test]
fn wait() {
    check(
        r#"
        > WAIT 0 0
        (integer) 0
        > WAIT 0 -1
        (error) ERR timeout is negative
        > WAIT 1 9223372036854775807
        (error) ERR timeout is out of range
        > WAIT abc 0
        (error) ERR value is not an integer or out of range
        "#,
    );
}

/// As in Redis, a pattern beyond a thousand stars matches nothing.
#[test]
fn patterns_of_countless_stars_match_nothing() {
    let (key, pattern) = ("a".repeat(2000), "*?".repeat(1001));
    check(&format!(
        r#"
        > SET {key} 1
        OK
        > KEYS {pattern}
        (empty array)
        > KEYS {}
        1) "{key}"
        "#,
        &pattern[..2000]
    ));
}

#[test]
fn scan_removes_what_has_passed() {
    check(
        r#"
        > DEBUG SET-ACTIVE-EXPIRE 0
        OK
        > MSET a 1 b 2
        OK
        > SET c 3 PX 10
        OK
        ~advance 20ms
        > DBSIZE
        (integer) 3
        > SCAN 0 COUNT 100
        > DBSIZE
        (integer) 2
        "#,
    );
}

/// An expired key of another type is none of its business.
#[test]
fn scan_of_a_type_removes_what_has_expired_of_it() {
    check(
        r#"
        > DEBUG SET-ACTIVE-EXPIRE 0
        OK
        > SET a 1 PX 10
        OK
        > HSET h f v
        (integer) 1
        > PEXPIRE h 10
        (integer) 1
        ~advance 20ms
        > SCAN 0 TYPE string COUNT 1000
        1) "0"
        2) (empty array)
        > DBSIZE
        (integer) 1
        > DEBUG SET-ACTIVE-EXPIRE 1
        OK
        > DEL h
        (integer) 0
        "#,
    );
}

#[test]
fn scan_of_a_type_that_is_none_removes_what_has_expired() {
    check(
        r#"
        > SET a 1 PX 5
        OK
        > SET b 2
        OK
        > RPUSH l x
        (integer) 1
        > PEXPIRE l 5
        (integer) 1
        ~advance 10ms
        > SCAN 0 COUNT 100 TYPE other
        1) "0"
        2) (empty array)
        > DBSIZE
        (integer) 1
        "#,
    );
}

#[test]
fn what_stands_around_a_word() {
    check(
        r#"
        > SCAN " 0" COUNT 10
        1) "0"
        2) (empty array)
        > EXPIRE k 100 "nonsense\r\n"
        (error) ERR Unsupported option nonsense
        "#,
    );
}
