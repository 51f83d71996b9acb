//! MULTI, EXEC, DISCARD, WATCH.

use crate::harness::check;

#[test]
fn queue_and_run() {
    check(
        r#"
        > MULTI
        OK
        > SET a 1
        QUEUED
        > INCR a
        QUEUED
        > GET a
        QUEUED
        > EXEC
        1) OK
        2) (integer) 2
        3) "2"
        > GET a
        "2"
        "#,
    );
}

#[test]
fn an_empty_transaction() {
    check(
        r#"
        > MULTI
        OK
        > EXEC
        (empty array)
        "#,
    );
}

#[test]
fn discard() {
    check(
        r#"
        > SET a 1
        OK
        > MULTI
        OK
        > SET a 2
        QUEUED
        > DISCARD
        OK
        > GET a
        "1"
        > EXEC
        (error) ERR EXEC without MULTI
        > DISCARD
        (error) ERR DISCARD without MULTI
        "#,
    );
}

#[test]
fn nesting() {
    check(
        r#"
        > MULTI
        OK
        > MULTI
        (error) ERR MULTI calls can not be nested
        > SET a 1
        QUEUED
        > EXEC
        1) OK
        "#,
    );
}

#[test]
fn an_error_while_queueing_aborts() {
    check(
        r#"
        > MULTI
        OK
        > SET a
        (error) ERR wrong number of arguments for 'set' command
        > SET b 1
        QUEUED
        > EXEC
        (error) EXECABORT Transaction discarded because of previous errors.
        > EXISTS b
        (integer) 0
        > MULTI
        OK
        > NOSUCHCOMMAND
        (error) ERR unknown command 'NOSUCHCOMMAND', with args beginning with: 
        > EXEC
        (error) EXECABORT Transaction discarded because of previous errors.
        "#,
    );
}

#[test]
fn an_error_while_running_does_not() {
    check(
        r#"
        > SET s abc
        OK
        > MULTI
        OK
        > INCR s
        QUEUED
        > SET t 1
        QUEUED
        > EXEC
        1) (error) ERR value is not an integer or out of range
        2) OK
        > GET t
        "1"
        "#,
    );
}

#[test]
fn watch() {
    check(
        r#"
        > SET a 1
        OK
        > WATCH a
        OK
        > MULTI
        OK
        > SET a 2
        QUEUED
        > EXEC
        1) OK
        > WATCH a
        OK
        other> SET a 3
        OK
        > MULTI
        OK
        > SET a 4
        QUEUED
        > EXEC
        (nil array)
        > GET a
        "3"
        > MULTI
        OK
        > GET a
        QUEUED
        > EXEC
        1) "3"
        "#,
    );
}

#[test]
fn watch_counts_the_own_writes_too() {
    check(
        r#"
        > WATCH a
        OK
        > SET a 1
        OK
        > MULTI
        OK
        > PING
        QUEUED
        > EXEC
        (nil array)
        "#,
    );
}

#[test]
fn unwatch_and_discard_forget() {
    check(
        r#"
        > WATCH a
        OK
        other> SET a 1
        OK
        > UNWATCH
        OK
        > MULTI
        OK
        > PING
        QUEUED
        > EXEC
        1) PONG
        > WATCH a
        OK
        other> SET a 1
        OK
        > MULTI
        OK
        > DISCARD
        OK
        > MULTI
        OK
        > PING
        QUEUED
        > EXEC
        1) PONG
        "#,
    );
}

#[test]
fn watching_what_is_absent() {
    check(
        r#"
        > WATCH a b
        OK
        other> SET c 1
        OK
        > MULTI
        OK
        > EXEC
        (empty array)
        > WATCH a b
        OK
        other> SET b 1
        OK
        > MULTI
        OK
        > EXEC
        (nil array)
        "#,
    );
}

#[test]
fn watch_and_a_write_that_changes_nothing() {
    check(
        r#"
        > SET a 1
        OK
        > WATCH a nothing
        OK
        other> DEL nothing
        (integer) 0
        other> SETNX a 5
        (integer) 0
        other> GET a
        "1"
        > MULTI
        OK
        > EXEC
        (empty array)
        "#,
    );
}

#[test]
fn watch_and_deletion_flush_swap() {
    check(
        r#"
        > SET a 1
        OK
        > WATCH a
        OK
        other> DEL a
        (integer) 1
        > MULTI
        OK
        > EXEC
        (nil array)
        > SET a 1
        OK
        > WATCH a
        OK
        other> FLUSHALL
        OK
        > MULTI
        OK
        > EXEC
        (nil array)
        > WATCH a
        OK
        other> FLUSHDB
        OK
        > MULTI
        OK
        > EXEC
        (empty array)
        > SET a 1
        OK
        > WATCH a
        OK
        other> SWAPDB 0 1
        OK
        > MULTI
        OK
        > EXEC
        (nil array)
        other> SWAPDB 0 1
        OK
        > WATCH a
        OK
        other> EXPIRE a 100
        (integer) 1
        > MULTI
        OK
        > EXEC
        (nil array)
        > WATCH a
        OK
        other> PERSIST a
        (integer) 1
        > MULTI
        OK
        > EXEC
        (nil array)
        > WATCH a
        OK
        other> RENAME a b
        OK
        > MULTI
        OK
        > EXEC
        (nil array)
        "#,
    );
}

#[test]
fn watch_by_database() {
    check(
        r#"
        > WATCH a
        OK
        other> SELECT 1
        OK
        other> SET a 1
        OK
        > MULTI
        OK
        > EXEC
        (empty array)
        "#,
    );
}

#[test]
fn watch_and_expiry() {
    check(
        r#"
        > SET a 1 PX 100
        OK
        > WATCH a
        OK
        ~advance 200ms
        > MULTI
        OK
        > PING
        QUEUED
        > EXEC
        (nil array)
        "#,
    );
}

#[test]
fn watch_a_key_that_had_expired_already() {
    check(
        r#"
        > SET a 1 PX 100
        OK
        ~advance 200ms
        > WATCH a
        OK
        > MULTI
        OK
        > PING
        QUEUED
        > EXEC
        1) PONG
        "#,
    );
}

#[test]
fn not_inside() {
    check(
        r#"
        > MULTI
        OK
        > WATCH a
        (error) ERR WATCH inside MULTI is not allowed
        > UNWATCH
        QUEUED
        > EXEC
        1) OK
        > WATCH
        (error) ERR wrong number of arguments for 'watch' command
        > MULTI x
        (error) ERR wrong number of arguments for 'multi' command
        > EXEC
        (error) ERR EXEC without MULTI
        > EXEC x
        (error) EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command
        > DISCARD x
        (error) ERR wrong number of arguments for 'discard' command
        "#,
    );
}

#[test]
fn select_inside() {
    check(
        r#"
        > MULTI
        OK
        > SELECT 1
        QUEUED
        > SET a 1
        QUEUED
        > EXEC
        1) OK
        2) OK
        > GET a
        "1"
        > SELECT 0
        OK
        > GET a
        (nil)
        "#,
    );
}

#[test]
fn replies_of_every_shape() {
    check(
        r#"
        > SET k v
        OK
        > MULTI
        OK
        > GET nothing
        QUEUED
        > MGET k nothing
        QUEUED
        > PING
        QUEUED
        > PING hello
        QUEUED
        > EXISTS k
        QUEUED
        > COMMAND COUNT x
        (error) ERR wrong number of arguments for 'command|count' command
        > LCS k k IDX
        QUEUED
        > EXEC
        (error) EXECABORT Transaction discarded because of previous errors.
        "#,
    );
}

#[test]
fn pubsub_inside() {
    check(
        r#"
        > MULTI
        OK
        > PUBLISH c m
        QUEUED
        > EXEC
        1) (integer) 0
        "#,
    );
}
