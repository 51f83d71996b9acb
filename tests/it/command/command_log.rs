//! Transcripts of COMMANDLOG and SLOWLOG.

use crate::harness::check;

#[test]
fn slowlog() {
    check(
        r#"
        > CONFIG SET slowlog-log-slower-than -1
        OK
        > SLOWLOG RESET
        OK
        > SLOWLOG LEN
        (integer) 0
        > SLOWLOG GET
        (empty array)
        > SLOWLOG GET 10
        (empty array)
        > SLOWLOG GET -1
        (empty array)
        > SLOWLOG GET -2
        (error) ERR count should be greater than or equal to -1
        > SLOWLOG GET abc
        (error) ERR count should be greater than or equal to -1
        > SLOWLOG FOO
        (error) ERR unknown subcommand 'FOO'. Try SLOWLOG HELP.
        > CONFIG SET slowlog-log-slower-than 10000
        OK
        "#,
    );
}

#[test]
fn commandlog_has_a_log_for_each_reason() {
    check(
        r#"
        > CONFIG SET commandlog-execution-slower-than -1 commandlog-request-larger-than 1024 commandlog-reply-larger-than 1024
        OK
        > COMMANDLOG LEN large-request
        (integer) 0
        > CLIENT SETNAME me
        OK
        > SETRANGE k 1099 x
        (integer) 1100
        > COMMANDLOG LEN large-request
        (integer) 0
        > COMMANDLOG LEN large-reply
        (integer) 0
        > GET k
        > COMMANDLOG GET -1 large-reply
        1) 1) (integer) 0
           2) (any)
           3) (integer 1108..1110)
           4) 1) "GET"
              2) "k"
           5) (any)
           6) "me"
        > COMMANDLOG LEN slow
        (integer) 0
        > COMMANDLOG RESET large-reply
        OK
        > COMMANDLOG GET 10 LARGE-REPLY
        (empty array)
        > DEL k
        (integer) 1
        "#,
    );
}

#[test]
fn commandlog_keeps_large_requests() {
    let value = "v".repeat(1025);
    check(&format!(
        r#"
        > CONFIG SET commandlog-request-larger-than 1025
        OK
        > SET k {value}
        OK
        > COMMANDLOG GET -1 large-request
        1) 1) (integer) 0
           2) (any)
           3) (integer) 1054
           4) 1) "SET"
              2) "k"
              3) "{}... (897 more bytes)"
           5) (any)
           6) ""
        > COMMANDLOG RESET large-request
        OK
        > CONFIG SET commandlog-request-larger-than -1
        OK
        > SET k {value}
        OK
        > COMMANDLOG LEN large-request
        (integer) 0
        "#,
        &value[..128]
    ));
}

/// What CONFIG SET changes holds for its own entry; a log of no length keeps and counts nothing.
#[test]
fn commandlog_thresholds() {
    check(
        r#"
        > CONFIG SET commandlog-execution-slower-than 0 commandlog-slow-execution-max-len 0
        OK
        > PING
        PONG
        > COMMANDLOG LEN slow
        (integer) 0
        > CONFIG SET slowlog-max-len 2
        OK
        > SLOWLOG GET
        1) 1) (integer) 0
           2) (any)
           3) (any)
           4) 1) "CONFIG"
              2) "SET"
              3) "slowlog-max-len"
              4) "2"
           5) (any)
           6) ""
        > PING
        PONG
        > COMMANDLOG LEN slow
        (integer) 2
        > CONFIG SET slowlog-log-slower-than -1
        OK
        > COMMANDLOG GET 1 slow
        1) 1) (integer) 3
           2) (any)
           3) (any)
           4) 1) "COMMANDLOG"
              2) "LEN"
              3) "slow"
           5) (any)
           6) ""
        "#,
    );
}

#[test]
fn commandlog_errors() {
    check(
        r#"
        > COMMANDLOG LEN
        (error) ERR wrong number of arguments for 'commandlog|len' command
        > COMMANDLOG LEN fast
        (error) ERR type should be one of the following: slow, large-request, large-reply
        > COMMANDLOG RESET fast
        (error) ERR type should be one of the following: slow, large-request, large-reply
        > COMMANDLOG GET 1 fast
        (error) ERR type should be one of the following: slow, large-request, large-reply
        > COMMANDLOG GET -2 fast
        (error) ERR count should be greater than or equal to -1
        > COMMANDLOG GET x slow
        (error) ERR count should be greater than or equal to -1
        > COMMANDLOG GET 1
        (error) ERR wrong number of arguments for 'commandlog|get' command
        > COMMANDLOG FOO
        (error) ERR unknown subcommand 'FOO'. Try COMMANDLOG HELP.
        "#,
    );
}
