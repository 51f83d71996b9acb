//! Fields that expire, packed and in trees.

use crate::harness::check;

/// Runs the transcript on a packed hash and on a tree.
fn check_both(script: &str) {
    check(script);
    check(&format!("\n        > CONFIG SET hash-max-listpack-entries 0\n        OK{script}"));
}

#[test]
fn fields_expire_one_by_one() {
    check_both(
        r#"
        > HSET h a 1 b 2 c 3
        (integer) 3
        > HPEXPIRE h 100 FIELDS 2 a none
        1) (integer) 1
        2) (integer) -2
        > HPEXPIRE h 300 FIELDS 1 b
        1) (integer) 1
        > HPTTL h FIELDS 3 a b c
        1) (integer) 100
        2) (integer) 300
        3) (integer) -1
        > HTTL h FIELDS 2 a none
        1) (integer) 1
        2) (integer) -2
        > TTL h
        (integer) -1
        ~advance 100ms
        > HGET h a
        (nil)
        > HMGET h a b
        1) (nil)
        2) "2"
        > HEXISTS h a
        (integer) 0
        > HLEN h
        (integer) 2
        > HTTL h FIELDS 1 a
        1) (integer) -2
        ~advance 200ms
        > HKEYS h
        1) "c"
        > HVALS h
        1) "3"
        > HRANDFIELD h 10
        1) "c"
        > HSCAN h 0
        1) "0"
        2) 1) "c"
           2) "3"
        > HPEXPIRE h 1 FIELDS 1 c
        1) (integer) 1
        ~advance 1ms
        > HMGET h b c
        1) (nil)
        2) (nil)
        > EXISTS h
        (integer) 0
        "#,
    );
}

#[test]
fn conditions_and_the_end_of_an_expiry() {
    check_both(
        r#"
        > HSET h a 1 b 2
        (integer) 2
        > HEXPIRE h 100 XX FIELDS 1 a
        1) (integer) 0
        > HEXPIRE h 100 GT FIELDS 1 a
        1) (integer) 0
        > HEXPIRE h 100 LT FIELDS 1 a
        1) (integer) 1
        > HEXPIRE h 100 NX FIELDS 2 a b
        1) (integer) 0
        2) (integer) 1
        > HEXPIRE h 50 GT FIELDS 1 a
        1) (integer) 0
        > HEXPIRE h 200 FIELDS 1 a GT
        1) (integer) 1
        > HTTL h FIELDS 2 a b
        1) (integer) 200
        2) (integer) 100
        > HPERSIST h FIELDS 3 a a none
        1) (integer) 1
        2) (integer) -1
        3) (integer) -2
        > HINCRBY h b 5
        (integer) 7
        > HTTL h FIELDS 1 b
        1) (integer) 100
        > HSET h b 9
        (integer) 0
        > HTTL h FIELDS 1 b
        1) (integer) -1
        > HEXPIREAT h 1 FIELDS 1 b
        1) (integer) 2
        > HPEXPIREAT h 4102444800000 FIELDS 1 a
        1) (integer) 1
        > HEXPIRETIME h FIELDS 1 a
        1) (integer) 4102444800
        > HPEXPIRETIME h FIELDS 1 a
        1) (integer) 4102444800000
        > RENAME h moved
        OK
        > COPY moved copied
        (integer) 1
        > HPEXPIRETIME copied FIELDS 1 a
        1) (integer) 4102444800000
        > HEXPIRE moved 0 FIELDS 1 a
        1) (integer) 2
        > EXISTS moved
        (integer) 0
        "#,
    );
}

#[test]
fn values_with_expiries() {
    check_both(
        r#"
        > HSETEX h EX 10 FIELDS 2 a 1 b 2
        (integer) 1
        > HTTL h FIELDS 2 a b
        1) (integer) 10
        2) (integer) 10
        > HSETEX h FNX FIELDS 2 a 9 c 9
        (integer) 0
        > HSETEX h FXX KEEPTTL FIELDS 1 a 9
        (integer) 1
        > HTTL h FIELDS 1 a
        1) (integer) 10
        > HSETEX h FXX FIELDS 2 a 9 c 9
        (integer) 0
        > HSETEX h FIELDS 1 a 8
        (integer) 1
        > HTTL h FIELDS 1 a
        1) (integer) -1
        > HGETEX h PX 500 FIELDS 2 a none
        1) "8"
        2) (nil)
        > HPTTL h FIELDS 1 a
        1) (integer) 500
        > HGETEX h PERSIST FIELDS 1 a
        1) "8"
        > HPTTL h FIELDS 1 a
        1) (integer) -1
        > HGETDEL h FIELDS 2 a none
        1) "8"
        2) (nil)
        > HGETEX h EXAT 1 FIELDS 1 b
        1) "2"
        > EXISTS h
        (integer) 0
        > HSETEX h PXAT 1 FIELDS 1 b 2
        (integer) 1
        > EXISTS h
        (integer) 0
        > HGETDEL h FIELDS 1 a
        1) (nil)
        "#,
    );
}

#[test]
fn what_is_refused() {
    check(
        r#"
        > HSET h a 1
        (integer) 1
        > OBJECT ENCODING h
        "listpack"
        > HEXPIRE h x FIELDS 1 a
        (error) ERR value is not an integer or out of range
        > HEXPIRE h -1 FIELDS 1 a
        (error) ERR invalid expire time, must be >= 0
        > HEXPIRE h 9223372036854775807 FIELDS 1 a
        (error) ERR invalid expire time in 'hexpire' command
        > HPEXPIREAT h 70368744177664 FIELDS 1 a
        (error) ERR invalid expire time in 'hpexpireat' command
        > HEXPIRE h 1 FIELDS 0 a
        (error) ERR Parameter `numFields` should be greater than 0
        > HEXPIRE h 1 FIELDS 9999999999999 a
        (error) ERR Parameter `numFields` should be greater than 0
        > HEXPIRE h 1 FIELDS 2 a
        (error) ERR wrong number of arguments
        > HEXPIRE h 1 NX GT FIELDS 1 a
        (error) ERR Multiple condition flags specified
        > HEXPIRE h 1 FIELDS 1 a YY
        (error) ERR unknown argument: YY
        > HEXPIRE h 1 NX NX NX
        (error) ERR missing FIELDS argument
        > HTTL h FIELD 1 a
        (error) ERR Mandatory argument FIELDS is missing or not at the right position
        > HTTL h FIELDS 0 a
        (error) ERR Number of fields must be a positive integer
        > HTTL h FIELDS 2 a
        (error) ERR The `numfields` parameter must match the number of arguments
        > HGETEX h EX 1 PX 1 FIELDS 1 a
        (error) ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified
        > HSETEX h KEEPTTL EX 1 FIELDS 1 a 1
        (error) ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified
        > HSETEX h FNX FXX FIELDS 1 a 1
        (error) ERR Only one of FXX or FNX arguments can be specified
        > HSETEX h FIELDS 2147483647 a 1 b
        (error) ERR wrong number of arguments
        > HEXPIRE h 5 FIELDS 1 a
        1) (integer) 1
        > OBJECT ENCODING h
        "listpackex"
        > SET s x
        OK
        > HTTL s FIELDS 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HEXPIRE s 1 FIELDS 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HEXPIRE none 1 FIELDS 2 a b
        1) (integer) -2
        2) (integer) -2
        > EXISTS none
        (integer) 0
        "#,
    );
}

#[test]
fn what_is_met_after_its_time_goes_and_is_counted() {
    check_both(
        r#"
        > DEBUG SET-ACTIVE-EXPIRE 0
        OK
        > HSET h a 1
        (integer) 1
        > HPEXPIRE h 1 FIELDS 1 a
        1) (integer) 1
        ~advance 5ms
        > HSETEX h FXX FIELDS 1 a 2
        (integer) 0
        > EXISTS h
        (integer) 0
        > HSET h a 1 b 2 c 3
        (integer) 3
        > HPEXPIRE h 1 FIELDS 2 a b
        1) (integer) 1
        2) (integer) 1
        ~advance 5ms
        > HRANDFIELD h 5
        1) "c"
        > HLEN h
        (integer) 1
        > HPEXPIRE h 1 FIELDS 1 c
        1) (integer) 1
        ~advance 5ms
        > HRANDFIELD h 5
        (empty array)
        > EXISTS h
        (integer) 0
    "#,
    );
}

#[test]
fn expired_fields_and_keys_are_shown_when_debug_says_so() {
    check(
        r#"
        > HSET h f 1
        (integer) 1
        > HPEXPIRE h 1 FIELDS 1 f
        1) (integer) 1
        > SET k v PX 1
        OK
        > DEBUG SET-ALLOW-ACCESS-EXPIRED 1
        OK
        ~advance 5ms
        > HGETALL h
        1# "f" => "1"
        > GET k
        "v"
        > DEBUG SET-ALLOW-ACCESS-EXPIRED 0
        OK
        > HGETALL h
        (empty map)
        > GET k
        (nil)
        "#,
    );
}

/// A reader that finds fields expired tells of each, but of the last one by the end of the key alone, as Redis does.
#[test]
fn events_of_fields_that_are_found_expired() {
    check(
        r#"
        ~only resp3
        > CONFIG SET notify-keyspace-events Kgh
        OK
        > HSET h a 1 b 2
        (integer) 2
        > HPEXPIRE h 10 FIELDS 2 a b
        1) (integer) 1
        2) (integer) 1
        listener> PSUBSCRIBE __key*
        > DEBUG SET-ACTIVE-EXPIRE 0
        OK
        ~advance 20ms
        > HMGET h a b
        1) (nil)
        2) (nil)
        listener<
        1> "pmessage"
        2> "__key*"
        3> "__keyspace@0__:h"
        4> "hexpired"
        listener<
        1> "pmessage"
        2> "__key*"
        3> "__keyspace@0__:h"
        4> "del"
        > HSETEX h PX 10 FIELDS 1 a 1
        (integer) 1
        listener<
        1> "pmessage"
        2> "__key*"
        3> "__keyspace@0__:h"
        4> "hset"
        listener<
        1> "pmessage"
        2> "__key*"
        3> "__keyspace@0__:h"
        4> "hexpire"
        ~advance 20ms
        > HSETEX h FNX FIELDS 1 a 1
        (integer) 1
        listener<
        1> "pmessage"
        2> "__key*"
        3> "__keyspace@0__:h"
        4> "hexpired"
        listener<
        1> "pmessage"
        2> "__key*"
        3> "__keyspace@0__:h"
        4> "hset"
        > DEBUG SET-ACTIVE-EXPIRE 1
        OK
        > CONFIG SET notify-keyspace-events ""
        OK
        "#,
    );
}

#[test]
fn a_number_of_fields_may_be_any_that_is_positive() {
    check(
        r#"
        > HTTL h FIELDS 4294967296 f
        (error) ERR The `numfields` parameter must match the number of arguments
        > HTTL h FIELDS 0 f
        (error) ERR Number of fields must be a positive integer
        > HTTL h FIELDS 9223372036854775808 f
        (error) ERR Number of fields must be a positive integer
        "#,
    );
}
