//! CLIENT TRACKING: whoever has read a key is told when it changes.

use crate::harness::check;

#[test]
fn a_reader_is_told_once() {
    check(
        r#"
        ~only resp3
        > CLIENT TRACKING ON
        OK
        > MGET a b
        1) (nil)
        2) (nil)
        other> SET a 1
        OK
        <
        1> "invalidate"
        2> 1) "a"
        other> SET a 2
        OK
        other> DEL b
        (integer) 0
        # One's own change is told after its reply.
        > GET a
        "2"
        > SET a 3
        OK
        <
        1> "invalidate"
        2> 1) "a"
        > GET a
        "3"
        other> FLUSHALL
        OK
        <
        1> "invalidate"
        2> (nil)
        > CLIENT TRACKING OFF
        OK
        > GET a
        (nil)
        other> SET a 1
        OK
        > PING
        PONG
        "#,
    );
}

#[test]
fn expired_keys_are_told_and_noloop_keeps_quiet() {
    check(
        r#"
        ~only resp3
        > CLIENT TRACKING ON NOLOOP
        OK
        > SET k v PX 1000
        OK
        > GET k
        "v"
        > SET k w PX 1000
        OK
        > GET k
        "w"
        ~advance 2000ms
        other> GET k
        (nil)
        <
        1> "invalidate"
        2> 1) "k"
        "#,
    );
}

#[test]
fn broadcast_by_prefix() {
    check(
        r#"
        ~only resp3
        > CLIENT TRACKING ON BCAST PREFIX a PREFIX b
        OK
        > CLIENT TRACKING ON BCAST PREFIX ab
        (error) ERR Prefix 'ab' overlaps with an existing prefix 'a'. Prefixes for a single client must not overlap.
        > CLIENT TRACKING ON BCAST PREFIX c PREFIX cd
        (error) ERR Prefix 'c' overlaps with another provided prefix 'cd'. Prefixes for a single client must not overlap.
        other> MSET a1 x a2 x c x
        OK
        <
        1> "invalidate"
        2> 1) "a1"
           2) "a2"
        other> MULTI
        OK
        other> SET b1 x
        QUEUED
        other> INCR b2
        QUEUED
        other> EXEC
        1) OK
        2) (integer) 1
        <
        1> "invalidate"
        2> 1) "b1"
           2) "b2"
        > CLIENT TRACKINGINFO
        1# "flags" =>
           1~ "on"
           2~ "bcast"
        2# "redirect" => (integer) 0
        3# "prefixes" =>
           1) "a"
           2) "b"
        > CLIENT TRACKING ON BCAST
        OK
        > CLIENT TRACKING ON BCAST PREFIX d
        (error) ERR Prefix 'd' overlaps with an existing prefix ''. Prefixes for a single client must not overlap.
        other> SET d1 x
        OK
        <
        1> "invalidate"
        2> 1) "d1"
        other> SET a1 x
        OK
        <
        1> "invalidate"
        2> 1) "a1"
        <
        1> "invalidate"
        2> 1) "a1"
        "#,
    );
}

#[test]
fn opting_in_and_out() {
    check(
        r#"
        ~only resp3
        > CLIENT CACHING YES
        (error) ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled
        > CLIENT TRACKING ON OPTIN
        OK
        > CLIENT TRACKING ON OPTOUT
        (error) ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.
        > CLIENT CACHING NO
        (error) ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.
        > GET a
        (nil)
        > CLIENT CACHING YES
        OK
        > GET b
        (nil)
        > GET c
        (nil)
        other> MSET a 1 b 1 c 1
        OK
        <
        1> "invalidate"
        2> 1) "b"
        > CLIENT CACHING YES
        OK
        > MULTI
        OK
        > GET a
        QUEUED
        > EXEC
        1) "1"
        other> MSET a 1 b 1
        OK
        <
        1> "invalidate"
        2> 1) "a"
        > CLIENT TRACKING OFF
        OK
        > CLIENT TRACKING ON OPTOUT
        OK
        > CLIENT CACHING NO
        OK
        > GET a
        "1"
        > GET b
        "1"
        other> MSET a 1 b 1
        OK
        <
        1> "invalidate"
        2> 1) "b"
        > CLIENT TRACKING OFF
        OK
        > CLIENT TRACKING ON OPTIN
        OK
        > CLIENT CACHING YES
        OK
        > MULTI and more
        (error) ERR wrong number of arguments for 'multi' command
        > GET asked-for-too-late
        (nil)
        other> SET asked-for-too-late x
        OK
        > PING
        PONG
        "#,
    );
}

#[test]
fn options_that_disagree() {
    check(
        r#"
        > CLIENT TRACKING ON PREFIX a
        (error) ERR PREFIX option requires BCAST mode to be enabled
        > CLIENT TRACKING ON BCAST OPTIN
        (error) ERR OPTIN and OPTOUT are not compatible with BCAST
        > CLIENT TRACKING ON OPTIN OPTOUT
        (error) ERR You can't specify both OPTIN mode and OPTOUT mode
        > CLIENT TRACKING ON REDIRECT 99999
        (error) ERR The client ID you want redirect to does not exist
        > CLIENT TRACKING maybe
        (error) ERR syntax error
        > CLIENT GETREDIR
        (integer) -1
        > CLIENT TRACKING ON
        OK
        > CLIENT TRACKING ON BCAST
        (error) ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.
        > CLIENT GETREDIR
        (integer) 0
        > CLIENT TRACKING OFF
        OK
        > CLIENT TRACKINGINFO
        1# "flags" =>
           1~ "off"
        2# "redirect" => (integer) -1
        3# "prefixes" => (empty array)
        "#,
    );
}

#[test]
fn the_table_is_bounded() {
    check(
        r#"
        ~only resp3
        > CONFIG SET tracking-table-max-keys 2
        OK
        > CLIENT TRACKING ON
        OK
        > MGET a b
        1) (nil)
        2) (nil)
        # The oldest is given up.
        > GET c
        (nil)
        <
        1> "invalidate"
        2> 1) "a"
        > GET d
        (nil)
        <
        1> "invalidate"
        2> 1) "b"
        > GET e
        (nil)
        <
        1> "invalidate"
        2> 1) "c"
        > CONFIG SET tracking-table-max-keys 1000000
        OK
        > CLIENT TRACKING OFF
        OK
        "#,
    );
}

#[test]
fn what_a_transaction_changes_before_it_reads_is_not_told() {
    check(
        r#"
        ~only resp3
        > CLIENT TRACKING ON
        OK
        > MULTI
        OK
        > SET a 1
        QUEUED
        > GET a
        QUEUED
        > EXEC
        1) OK
        2) "1"
        > PING
        PONG
        other> SET a 2
        OK
        <
        1> "invalidate"
        2> 1) "a"
        "#,
    );
}

#[test]
fn a_key_that_has_expired_is_told_behind_the_reply_that_finds_it_so() {
    check(
        r#"
        ~only resp3
        > CLIENT TRACKING ON
        OK
        > MULTI
        OK
        > SET a 1 PX 100
        QUEUED
        > GET a
        QUEUED
        > EXEC
        1) OK
        2) "1"
        ~advance 200ms
        > MGET a b
        1) (nil)
        2) (nil)
        <
        1> "invalidate"
        2> 1) "a"
        "#,
    );
}

#[test]
fn what_a_script_reads_is_tracked_and_nothing_else() {
    check(
        r#"
        ~only resp3
        > CLIENT TRACKING ON
        OK
        > EVAL "return redis.call('set', KEYS[1], 1)" 2 a b
        OK
        > EVAL_RO "return redis.call('get', KEYS[2])" 2 a b
        (nil)
        other> MSET a 1 c 1
        OK
        other> SET b 1
        OK
        <
        1> "invalidate"
        2> 1) "b"
        "#,
    );
}

#[test]
fn one_message_tells_of_a_change_and_of_who_waited_for_it() {
    check(
        r#"
        ~only resp3
        > CLIENT TRACKING ON BCAST
        OK
        loud> CLIENT TRACKING ON BCAST NOLOOP
        OK
        waiter> BZMPOP 0 1 z MIN
        (no reply)
        loud> ZADD z 1 a
        (integer) 1
        <
        1> "invalidate"
        2> 1) "z"
        # The last to change it was somebody else.
        loud<
        1> "invalidate"
        2> 1) "z"
        waiter<
        1) "z"
        2) 1) 1) "a"
              2) (double) 1
        waiter> BLMOVE l m LEFT LEFT 0
        (no reply)
        loud> MULTI
        OK
        loud> SET k 1
        QUEUED
        loud> LPUSH l a
        QUEUED
        loud> EXEC
        1) OK
        2) (integer) 1
        <
        1> "invalidate"
        2> 1) "k"
           2) "l"
           3) "m"
        loud<
        1> "invalidate"
        2> 1) "l"
           2) "m"
        > CLIENT TRACKING OFF
        OK
        > PING
        PONG
        loud> PING
        PONG
        "#,
    );
}
