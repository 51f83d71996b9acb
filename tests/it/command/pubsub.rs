//! Publish and subscribe.

use crate::harness::check;

#[test]
fn a_message() {
    check(
        r#"
        sub> SUBSCRIBE news
        1> "subscribe"
        2> "news"
        3> (integer) 1
        > PUBLISH news hello
        (integer) 1
        sub<
        1> "message"
        2> "news"
        3> "hello"
        > PUBLISH other hello
        (integer) 0
        sub> UNSUBSCRIBE news
        1> "unsubscribe"
        2> "news"
        3> (integer) 0
        > PUBLISH news hello
        (integer) 0
        "#,
    );
}

#[test]
fn several_channels() {
    check(
        r#"
        sub> SUBSCRIBE a b
        1> "subscribe"
        2> "a"
        3> (integer) 1
        sub<
        1> "subscribe"
        2> "b"
        3> (integer) 2
        sub> SUBSCRIBE a
        1> "subscribe"
        2> "a"
        3> (integer) 2
        > PUBLISH b 1
        (integer) 1
        sub<
        1> "message"
        2> "b"
        3> "1"
        sub> UNSUBSCRIBE
        (in any order)
        1> "unsubscribe"
        2> (like) "*"
        3> (integer) 1
        sub<
        (in any order)
        1> "unsubscribe"
        2> (like) "*"
        3> (integer) 0
        "#,
    );
}

#[test]
fn unsubscribing_from_nothing() {
    check(
        r#"
        > UNSUBSCRIBE
        1> "unsubscribe"
        2> (nil)
        3> (integer) 0
        > PUNSUBSCRIBE
        1> "punsubscribe"
        2> (nil)
        3> (integer) 0
        > SUNSUBSCRIBE
        1> "sunsubscribe"
        2> (nil)
        3> (integer) 0
        > UNSUBSCRIBE a b
        1> "unsubscribe"
        2> "a"
        3> (integer) 0
        <
        1> "unsubscribe"
        2> "b"
        3> (integer) 0
        > PUNSUBSCRIBE a*
        1> "punsubscribe"
        2> "a*"
        3> (integer) 0
        > SUNSUBSCRIBE a
        1> "sunsubscribe"
        2> "a"
        3> (integer) 0
        "#,
    );
}

#[test]
fn patterns() {
    check(
        r#"
        sub> PSUBSCRIBE n* *s
        1> "psubscribe"
        2> "n*"
        3> (integer) 1
        sub<
        1> "psubscribe"
        2> "*s"
        3> (integer) 2
        > PUBLISH bus hello
        (integer) 1
        sub<
        1> "pmessage"
        2> "*s"
        3> "bus"
        4> "hello"
        > PUBLISH nothing hello
        (integer) 1
        sub<
        1> "pmessage"
        2> "n*"
        3> "nothing"
        4> "hello"
        sub> SUBSCRIBE new
        1> "subscribe"
        2> "new"
        3> (integer) 3
        > PUBLISH new x
        (integer) 2
        sub<
        1> "message"
        2> "new"
        3> "x"
        sub<
        1> "pmessage"
        2> "n*"
        3> "new"
        4> "x"
        sub> PUNSUBSCRIBE n*
        1> "punsubscribe"
        2> "n*"
        3> (integer) 2
        sub> PUNSUBSCRIBE
        1> "punsubscribe"
        2> "*s"
        3> (integer) 1
        sub> UNSUBSCRIBE
        1> "unsubscribe"
        2> "new"
        3> (integer) 0
        "#,
    );
}

#[test]
fn shards() {
    check(
        r#"
        sub> SSUBSCRIBE s
        1> "ssubscribe"
        2> "s"
        3> (integer) 1
        > SPUBLISH s hello
        (integer) 1
        sub<
        1> "smessage"
        2> "s"
        3> "hello"
        > PUBLISH s hello
        (integer) 0
        > SPUBLISH t hello
        (integer) 0
        sub> SUNSUBSCRIBE s
        1> "sunsubscribe"
        2> "s"
        3> (integer) 0
        > SPUBLISH s hello
        (integer) 0
        "#,
    );
}

#[test]
fn who_listens() {
    check(
        r#"
        one> SUBSCRIBE a b
        1> "subscribe"
        2> "a"
        3> (integer) 1
        one<
        1> "subscribe"
        2> "b"
        3> (integer) 2
        two> SUBSCRIBE a
        1> "subscribe"
        2> "a"
        3> (integer) 1
        two> PSUBSCRIBE p* q*
        1> "psubscribe"
        2> "p*"
        3> (integer) 2
        two<
        1> "psubscribe"
        2> "q*"
        3> (integer) 3
        > PUBSUB CHANNELS
        (in any order)
        1) "a"
        2) "b"
        > PUBSUB CHANNELS a*
        1) "a"
        > PUBSUB CHANNELS x*
        (empty array)
        > PUBSUB NUMSUB a b c
        1) "a"
        2) (integer) 2
        3) "b"
        4) (integer) 1
        5) "c"
        6) (integer) 0
        > PUBSUB NUMSUB
        (empty array)
        > PUBSUB NUMPAT
        (integer) 2
        three> SSUBSCRIBE s
        1> "ssubscribe"
        2> "s"
        3> (integer) 1
        > PUBSUB SHARDCHANNELS
        1) "s"
        > PUBSUB SHARDCHANNELS x*
        (empty array)
        > PUBSUB SHARDNUMSUB s t
        1) "s"
        2) (integer) 1
        3) "t"
        4) (integer) 0
        > PUBSUB SHARDNUMSUB
        (empty array)
        > PUBSUB FOO
        (error) ERR unknown subcommand 'FOO'. Try PUBSUB HELP.
        > PUBSUB NUMPAT x
        (error) ERR wrong number of arguments for 'pubsub|numpat' command
        > PUBSUB
        (error) ERR wrong number of arguments for 'pubsub' command
        > PUBSUB CHANNELS a b
        (error) ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.
        "#,
    );
}

#[test]
fn arity() {
    check(
        r#"
        > SUBSCRIBE
        (error) ERR wrong number of arguments for 'subscribe' command
        > PSUBSCRIBE
        (error) ERR wrong number of arguments for 'psubscribe' command
        > PUBLISH a
        (error) ERR wrong number of arguments for 'publish' command
        > SPUBLISH a
        (error) ERR wrong number of arguments for 'spublish' command
        > SSUBSCRIBE
        (error) ERR wrong number of arguments for 'ssubscribe' command
        "#,
    );
}

#[test]
fn a_subscribed_client_of_the_old_protocol_may_do_little() {
    check(
        r#"
        ~only resp2
        > SUBSCRIBE a
        1) "subscribe"
        2) "a"
        3) (integer) 1
        > PING
        1) "pong"
        2) ""
        > PING x
        1) "pong"
        2) "x"
        > GET a
        (error) ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
        > SET a b
        (error) ERR Can't execute 'set': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
        > ECHO x
        (error) ERR Can't execute 'echo': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
        > MULTI
        (error) ERR Can't execute 'multi': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
        > RESET
        RESET
        > GET a
        (nil)
        "#,
    );
}

#[test]
fn a_subscribed_client_of_the_new_protocol_may_do_all() {
    check(
        r#"
        ~only resp3
        > SUBSCRIBE a
        1> "subscribe"
        2> "a"
        3> (integer) 1
        > PING
        PONG
        > PING x
        "x"
        > SET a b
        OK
        > GET a
        "b"
        > PUBLISH a m
        (integer) 1
        <
        1> "message"
        2> "a"
        3> "m"
        "#,
    );
}

#[test]
fn leaving_the_mode() {
    check(
        r#"
        ~only resp2
        > SUBSCRIBE a
        1) "subscribe"
        2) "a"
        3) (integer) 1
        > UNSUBSCRIBE a
        1) "unsubscribe"
        2) "a"
        3) (integer) 0
        > GET a
        (nil)
        "#,
    );
}

#[test]
fn a_subscription_made_inside_a_transaction() {
    check(
        r#"
        sub> MULTI
        OK
        sub> SUBSCRIBE a
        QUEUED
        sub> EXEC
        (any)
        "#,
    );
}

#[test]
fn no_messages_to_the_one_who_left() {
    check(
        r#"
        sub> SUBSCRIBE a
        1> "subscribe"
        2> "a"
        3> (integer) 1
        sub> RESET
        RESET
        > PUBLISH a x
        (integer) 0
        > PUBSUB NUMSUB a
        1) "a"
        2) (integer) 0
        "#,
    );
}

#[test]
fn events_of_keys_that_are_new_or_missed_come_in_their_order() {
    check(
        r#"
        > CONFIG SET notify-keyspace-events E$mn
        OK
        > SET a 1
        OK
        sub> PSUBSCRIBE *
        1> "psubscribe"
        2> "*"
        3> (integer) 1
        > MSET a 2 b 3
        OK
        sub<
        1> "pmessage"
        2> "*"
        3> "__keyevent@0__:set"
        4> "a"
        sub<
        1> "pmessage"
        2> "*"
        3> "__keyevent@0__:new"
        4> "b"
        sub<
        1> "pmessage"
        2> "*"
        3> "__keyevent@0__:set"
        4> "b"
        > TTL none
        (integer) -2
        sub<
        1> "pmessage"
        2> "*"
        3> "__keyevent@0__:keymiss"
        4> "none"
        > TYPE nothing
        none
        sub<
        1> "pmessage"
        2> "*"
        3> "__keyevent@0__:keymiss"
        4> "nothing"
        > CONFIG SET notify-keyspace-events ""
        OK
        "#,
    );
}

#[test]
fn what_is_overwritten() {
    check(
        r#"
        ~only resp3
        > CONFIG SET notify-keyspace-events Egnoc
        OK
        > CONFIG GET notify-keyspace-events
        1# "notify-keyspace-events" => "gnocE"
        listener> PSUBSCRIBE __keyevent@*
        > SET k v
        OK
        listener<
        1> "pmessage"
        2> "__keyevent@*"
        3> "__keyevent@0__:new"
        4> "k"
        > SET k w
        OK
        listener<
        1> "pmessage"
        2> "__keyevent@*"
        3> "__keyevent@0__:overwritten"
        4> "k"
        > SADD s a
        (integer) 1
        listener<
        1> "pmessage"
        2> "__keyevent@*"
        3> "__keyevent@0__:new"
        4> "s"
        # A value takes another's place: it is not new.
        > SUNIONSTORE k s
        (integer) 1
        listener<
        1> "pmessage"
        2> "__keyevent@*"
        3> "__keyevent@0__:overwritten"
        4> "k"
        listener<
        1> "pmessage"
        2> "__keyevent@*"
        3> "__keyevent@0__:type_changed"
        4> "k"
        > SORT s BY nosort STORE k
        (integer) 1
        listener<
        1> "pmessage"
        2> "__keyevent@*"
        3> "__keyevent@0__:overwritten"
        4> "k"
        listener<
        1> "pmessage"
        2> "__keyevent@*"
        3> "__keyevent@0__:type_changed"
        4> "k"
        # What was there goes before the name does.
        > RENAME k s
        OK
        listener<
        1> "pmessage"
        2> "__keyevent@*"
        3> "__keyevent@0__:rename_from"
        4> "k"
        listener<
        1> "pmessage"
        2> "__keyevent@*"
        3> "__keyevent@0__:rename_to"
        4> "s"
        listener<
        1> "pmessage"
        2> "__keyevent@*"
        3> "__keyevent@0__:overwritten"
        4> "s"
        listener<
        1> "pmessage"
        2> "__keyevent@*"
        3> "__keyevent@0__:type_changed"
        4> "s"
        > CONFIG SET notify-keyspace-events ""
        OK
        "#,
    );
}

#[test]
fn events_of_fields() {
    check(
        r#"
        ~only resp3
        > CONFIG SET notify-keyspace-events STIVh
        OK
        listener> PSUBSCRIBE __sub*
        > HSET h f 1 g 2
        (integer) 2
        listener<
        1> "pmessage"
        2> "__sub*"
        3> "__subkeyspace@0__:h"
        4> "hset|1:f,1:g"
        listener<
        1> "pmessage"
        2> "__sub*"
        3> "__subkeyevent@0__:hset"
        4> "1:h|1:f,1:g"
        listener<
        1> "pmessage"
        2> "__sub*"
        3> "__subkeyspaceitem@0__:h\nf"
        4> "hset"
        listener<
        1> "pmessage"
        2> "__sub*"
        3> "__subkeyspaceitem@0__:h\ng"
        4> "hset"
        listener<
        1> "pmessage"
        2> "__sub*"
        3> "__subkeyspaceevent@0__:hset|h"
        4> "1:f,1:g"
        > CONFIG SET notify-keyspace-events Sh
        OK
        > HDEL h g x
        (integer) 1
        listener<
        1> "pmessage"
        2> "__sub*"
        3> "__subkeyspace@0__:h"
        4> "hdel|1:g"
        > HINCRBY h counter 2
        (integer) 2
        listener<
        1> "pmessage"
        2> "__sub*"
        3> "__subkeyspace@0__:h"
        4> "hincrby|7:counter"
        > HPEXPIRE h 100 FIELDS 2 f 7
        1) (integer) 1
        2) (integer) -2
        listener<
        1> "pmessage"
        2> "__sub*"
        3> "__subkeyspace@0__:h"
        4> "hexpire|1:f"
        ~advance 200ms
        > HGET h f
        (nil)
        listener<
        1> "pmessage"
        2> "__sub*"
        3> "__subkeyspace@0__:h"
        4> "hexpired|1:f"
        > CONFIG SET notify-keyspace-events ""
        OK
        "#,
    );
}

#[test]
fn who_comes_to_write_misses_no_key() {
    check(
        r#"
        > CONFIG SET notify-keyspace-events Em
        OK
        sub> PSUBSCRIBE *
        1> "psubscribe"
        2> "*"
        3> (integer) 1
        > HSETNX h f 1
        (integer) 1
        > HINCRBY counts f 1
        (integer) 1
        > HINCRBYFLOAT sums f 1
        "1"
        > SMOVE absent there m
        (integer) 0
        > SADD t m
        (integer) 1
        > SMOVE t there m
        (integer) 1
        > GET none
        (nil)
        sub<
        1> "pmessage"
        2> "*"
        3> "__keyevent@0__:keymiss"
        4> "none"
        > CONFIG SET notify-keyspace-events ""
        OK
        "#,
    );
}
