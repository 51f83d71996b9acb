//! The connection itself.

use crate::harness::check;

#[test]
fn ping_and_echo() {
    check(
        r#"
        > PING
        PONG
        > PING hello
        "hello"
        > PING a b
        (error) ERR wrong number of arguments for 'ping' command
        > ECHO hello
        "hello"
        > ECHO
        (error) ERR wrong number of arguments for 'echo' command
        > ECHO a b
        (error) ERR wrong number of arguments for 'echo' command
        "#,
    );
}

#[test]
fn an_unknown_command() {
    check(
        r#"
        > NOSUCH
        (error) ERR unknown command 'NOSUCH', with args beginning with: 
        > NOSUCH a b c
        (error) ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' 'c' 
        > nosuch "a\r\nb"
        (error) ERR unknown command 'nosuch', with args beginning with: 'a  b' 
        > aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb c
        (error) ERR unknown command 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', with args beginning with: 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb' 
        > ""
        (error) ERR unknown command '', with args beginning with: 
        > CONFIG NOSUCH
        (error) ERR unknown subcommand 'NOSUCH'. Try CONFIG HELP.
        > CLIENT NOSUCH
        (error) ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.
        > CLIENT
        (error) ERR wrong number of arguments for 'client' command
        > OBJECT NOSUCH a
        (error) ERR unknown subcommand 'NOSUCH'. Try OBJECT HELP.
        "#,
    );
}

#[test]
fn any_case() {
    check(
        r#"
        > ping
        PONG
        > PiNg
        PONG
        > client GETNAME
        (nil)
        "#,
    );
}

#[test]
fn select() {
    check(
        r#"
        > SELECT 3
        OK
        > SET k v
        OK
        > SELECT 0
        OK
        > GET k
        (nil)
        > SELECT 3
        OK
        > GET k
        "v"
        > SELECT
        (error) ERR wrong number of arguments for 'select' command
        "#,
    );
}

#[test]
fn names() {
    check(
        r#"
        > CLIENT GETNAME
        (nil)
        > CLIENT SETNAME me
        OK
        > CLIENT GETNAME
        "me"
        > CLIENT SETNAME "a b"
        (error) ERR Client names cannot contain spaces, newlines or special characters.
        > CLIENT SETNAME "a\nb"
        (error) ERR Client names cannot contain spaces, newlines or special characters.
        > CLIENT SETNAME ""
        OK
        > CLIENT GETNAME
        (nil)
        > CLIENT SETNAME
        (error) ERR wrong number of arguments for 'client|setname' command
        > CLIENT GETNAME x
        (error) ERR wrong number of arguments for 'client|getname' command
        "#,
    );
}

#[test]
fn hello() {
    check(
        r#"
        > HELLO 4
        (error) NOPROTO unsupported protocol version
        > HELLO 1
        (error) NOPROTO unsupported protocol version
        > HELLO abc
        (error) ERR Protocol version is not an integer or out of range
        > HELLO 3 FOO
        (error) ERR Syntax error in HELLO option 'FOO'
        > HELLO 3 SETNAME
        (error) ERR Syntax error in HELLO option 'SETNAME'
        > HELLO 3 AUTH a
        (error) ERR Syntax error in HELLO option 'AUTH'
        > HELLO 3 SETNAME "a b"
        (error) ERR Client names cannot contain spaces, newlines or special characters.
        > CLIENT GETNAME
        (nil)
        "#,
    );
}

#[test]
fn hello_sets_a_name() {
    check(
        r#"
        ~only resp3
        > HELLO 3 SETNAME me
        (any)
        > CLIENT GETNAME
        "me"
        "#,
    );
}

#[test]
fn passwords() {
    check(
        r#"
        # A client of RESP3 cannot even say HELLO without the password; see below.
        ~only resp2
        > AUTH x
        (error) ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?
        > AUTH default x
        OK
        > AUTH a b
        (error) WRONGPASS invalid username-password pair or user is disabled.
        > AUTH
        (error) ERR wrong number of arguments for 'auth' command
        > AUTH a b c
        (error) ERR syntax error
        > CONFIG SET requirepass secret
        OK
        > PING
        PONG
        other> PING
        (error) NOAUTH Authentication required.
        other> NOSUCH
        (error) ERR unknown command 'NOSUCH', with args beginning with: 
        other> GET
        (error) ERR wrong number of arguments for 'get' command
        other> AUTH wrong
        (error) WRONGPASS invalid username-password pair or user is disabled.
        other> AUTH default wrong
        (error) WRONGPASS invalid username-password pair or user is disabled.
        other> AUTH nobody secret
        (error) WRONGPASS invalid username-password pair or user is disabled.
        other> AUTH secret
        OK
        other> PING
        PONG
        third> AUTH default secret
        OK
        third> PING
        PONG
        > CONFIG SET requirepass ""
        OK
        > AUTH x
        (error) ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?
        "#,
    );
}

#[test]
fn hello_with_a_password() {
    check(
        r#"
        ~only resp2
        > CONFIG SET requirepass secret
        OK
        other> HELLO 3
        (error) NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time
        other> HELLO 3 AUTH default wrong
        (error) WRONGPASS invalid username-password pair or user is disabled.
        other> HELLO 3 AUTH default secret SETNAME other
        (any)
        other> CLIENT GETNAME
        "other"
        > CONFIG SET requirepass ""
        OK
        "#,
    );
}

#[test]
fn reset() {
    check(
        r#"
        > CLIENT SETNAME me
        OK
        > SELECT 3
        OK
        > MULTI
        OK
        > RESET
        RESET
        > CLIENT GETNAME
        (nil)
        > EXEC
        (error) ERR EXEC without MULTI
        "#,
    );
}

#[test]
fn client_id_and_info() {
    check(
        r#"
        > CLIENT ID
        (integer 1..1000000)
        > CLIENT GETREDIR
        (integer) -1
        > CLIENT ID x
        (error) ERR wrong number of arguments for 'client|id' command
        > CLIENT UNBLOCK 99999999
        (integer) 0
        > CLIENT UNBLOCK abc
        (error) ERR value is not an integer or out of range
        > CLIENT UNBLOCK 1 FOO
        (error) ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR
        > CLIENT NO-EVICT on
        OK
        > CLIENT NO-EVICT off
        OK
        > CLIENT NO-EVICT foo
        (error) ERR syntax error
        > CLIENT KILL 1.2.3.4:5
        (error) ERR No such client
        > CLIENT KILL ID 99999999
        (integer) 0
        > CLIENT KILL ID abc
        (error) ERR syntax error
        > CLIENT KILL ID 0
        (error) ERR client-id should be greater than 0
        > CLIENT KILL TYPE foo
        (error) ERR Unknown client type 'foo'
        > CLIENT KILL FOO bar
        (error) ERR syntax error
        > CLIENT KILL USER nobody
        (error) ERR No such user 'nobody'
        > CLIENT KILL
        (error) ERR wrong number of arguments for 'client|kill' command
        > CLIENT LIST TYPE foo
        (error) ERR Unknown client type 'foo'
        > CLIENT LIST ID 99999999
        (verbatim txt) ""
        > CLIENT LIST ID abc
        (error) ERR syntax error
        > CLIENT LIST FOO
        (error) ERR syntax error
        > CLIENT LIST TYPE master
        (verbatim txt) ""
        > CLIENT PAUSE abc
        (error) ERR timeout is not an integer or out of range
        > CLIENT PAUSE -1
        (error) ERR timeout is negative
        > CLIENT PAUSE 1 FOO
        (error) ERR CLIENT PAUSE mode must be WRITE or ALL
        > CLIENT UNPAUSE
        OK
        > CLIENT REPLY FOO
        (error) ERR syntax error
        > CLIENT TRACKINGINFO
        (any)
        > CLIENT REPLY on
        OK
        "#,
    );
}

#[test]
fn library() {
    check(
        r#"
        > CLIENT NO-EVICT
        (error) ERR wrong number of arguments for 'client|no-evict' command
        > CLIENT SETNAME a b
        (error) ERR wrong number of arguments for 'client|setname' command
        "#,
    );
}

#[test]
fn reply_off_and_skip() {
    check(
        r#"
        > CLIENT REPLY ON
        OK
        > CLIENT REPLY FOO
        (error) ERR syntax error
        "#,
    );
}

#[test]
fn hello_tells_where_the_server_stands() {
    check(
        r#"
        ~only resp3
        > CONFIG SET availability-zone here
        OK
        > HELLO 3
        1# "server" => "redis"
        2# "version" => "7.4.0"
        3# "proto" => (integer) 3
        4# "id" => (any)
        5# "mode" => "standalone"
        6# "role" => "master"
        7# "modules" => (empty array)
        8# "availability_zone" => "here"
        "#,
    );
}

#[test]
fn clients_are_probed_no_later_than_the_system_can() {
    check(
        r#"
        ~only served
        > CONFIG SET tcp-keepalive 2147483647
        OK
        other> PING
        PONG
        > CONFIG SET tcp-keepalive 300
        OK
        "#,
    );
}
