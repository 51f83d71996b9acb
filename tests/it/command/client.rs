//! CLIENT and what it does to connections.

use crate::harness::check;

#[test]
fn reply_off() {
    check(
        r#"
        > CLIENT REPLY OFF
        (no reply)
        > SET a 1
        (no reply)
        > NOSUCH
        (no reply)
        > CLIENT REPLY ON
        OK
        > GET a
        "1"
        "#,
    );
}

#[test]
fn reply_skip() {
    check(
        r#"
        > CLIENT REPLY SKIP
        (no reply)
        > SET a 1
        (no reply)
        > GET a
        "1"
        > CLIENT REPLY SKIP
        (no reply)
        > CLIENT REPLY SKIP
        (no reply)
        > SET a 2
        (no reply)
        > GET a
        "2"
        "#,
    );
}

#[test]
fn pause_of_writes() {
    check(
        r#"
        > SET a 1
        OK
        other> PING
        PONG
        > CLIENT PAUSE 100000 WRITE
        OK
        other> GET a
        "1"
        other> SET a 2
        (no reply)
        > GET a
        "1"
        > CLIENT UNPAUSE
        OK
        other<
        OK
        > GET a
        "2"
        "#,
    );
}

#[test]
fn pause_of_everything() {
    check(
        r#"
        other> PING
        PONG
        > CLIENT PAUSE 50
        OK
        other> PING
        (no reply)
        ~advance 60ms
        other<
        PONG
        "#,
    );
}

#[test]
fn pause_holds_back_what_is_queued() {
    check(
        r#"
        other> PING
        PONG
        > CLIENT PAUSE 100000 WRITE
        OK
        other> MULTI
        OK
        other> SET a 1
        (no reply)
        > CLIENT UNPAUSE
        OK
        other<
        QUEUED
        other> EXEC
        1) OK
        "#,
    );
}

#[test]
fn pause_holds_back_a_transaction_with_writes() {
    check(
        r#"
        other> MULTI
        OK
        other> SET a 1
        QUEUED
        > CLIENT PAUSE 100000 WRITE
        OK
        other> EXEC
        (no reply)
        > GET a
        (nil)
        > CLIENT UNPAUSE
        OK
        other<
        1) OK
        > GET a
        "1"
        "#,
    );
}

#[test]
fn a_read_only_transaction_is_not_held_back() {
    check(
        r#"
        other> PING
        PONG
        > CLIENT PAUSE 100000 WRITE
        OK
        other> MULTI
        OK
        other> GET a
        QUEUED
        other> EXEC
        1) (nil)
        > CLIENT UNPAUSE
        OK
        "#,
    );
}

#[test]
fn a_random_key_may_have_expired_while_nothing_can_expire() {
    check(
        r#"
        > SET k v PX 10
        OK
        > CLIENT PAUSE 100000 WRITE
        OK
        ~advance 20ms
        > RANDOMKEY
        "k"
        > GET k
        (nil)
        > CLIENT UNPAUSE
        OK
        > RANDOMKEY
        (nil)
        "#,
    );
}

#[test]
fn kill_by_name_and_by_filter() {
    check(
        r#"
        other> CLIENT SETNAME other
        OK
        > CLIENT KILL TYPE pubsub
        (integer) 0
        > CLIENT KILL TYPE normal SKIPME yes
        (integer 1..9)
        other<
        (closed)
        "#,
    );
}

#[test]
fn kill_oneself() {
    check(
        r#"
        > CLIENT KILL TYPE normal SKIPME no
        (any)
        <
        (closed)
        "#,
    );
}

#[test]
fn monitor() {
    check(
        r#"
        > PING
        PONG
        mon> MONITOR
        OK
        > SET a "x y"
        OK
        mon<
        (like) "* [0 127.0.0.1:*] \"SET\" \"a\" \"x y\""
        > SELECT 3
        OK
        mon<
        (like) "* [3 127.0.0.1:*] \"SELECT\" \"3\""
        > GET "\x00\n\""
        (nil)
        mon<
        (like) "* [3 127.0.0.1:*] \"GET\" \"\\x00\\n\\\"\""
        > AUTH secret
        (error) ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?
        mon<
        (like) "* [3 127.0.0.1:*] \"AUTH\" \"(redacted)\""
        > HELLO 2 AUTH nobody secret SETNAME me
        (error) WRONGPASS invalid username-password pair or user is disabled.
        mon<
        (like) "* [3 127.0.0.1:*] \"HELLO\" \"2\" \"AUTH\" \"(redacted)\" \"(redacted)\" \"SETNAME\" \"me\""
        # Commands for administrators are not shown.
        > CONFIG GET maxmemory
        (any)
        > PING
        PONG
        mon<
        (like) "* [3 127.0.0.1:*] \"PING\""
        mon> RESET
        RESET
        "#,
    );
}

#[test]
fn a_transaction_in_a_monitor() {
    check(
        r#"
        > PING
        PONG
        mon> MONITOR
        OK
        > MULTI
        OK
        mon<
        (like) "* [0 127.0.0.1:*] \"MULTI\""
        > SET a 1
        QUEUED
        > EXEC
        1) OK
        mon<
        (like) "* [0 127.0.0.1:*] \"SET\" \"a\" \"1\""
        mon<
        (like) "* [0 127.0.0.1:*] \"EXEC\""
        "#,
    );
}

#[test]
fn quit() {
    check(
        r#"
        > SET a 1
        OK
        > QUIT
        OK
        <
        (closed)
        "#,
    );
}

#[test]
fn what_a_client_can_do_and_imports() {
    check(
        r#"
        ~only served
        > CLIENT CAPA redirect
        OK
        > CLIENT CAPA redirect unheard-of
        OK
        > CLIENT CAPA
        (error) ERR wrong number of arguments for 'client|capa' command
        > CLIENT IMPORT-SOURCE ON
        (error) ERR Server is not in import mode
        > CLIENT IMPORT-SOURCE OFF
        OK
        > CONFIG SET import-mode yes
        OK
        > CLIENT IMPORT-SOURCE ON
        OK
        > CLIENT IMPORT-SOURCE maybe
        (error) ERR syntax error
        > SET k v PX 1
        OK
        ~advance 5ms
        > GET k
        "v"
        other> GET k
        (nil)
        > DBSIZE
        (integer) 1
        > CLIENT IMPORT-SOURCE OFF
        OK
        > CONFIG SET import-mode no
        OK
        > GET k
        (nil)
        > DBSIZE
        (integer) 0
        "#,
    );
}
