//! ACL: users and what they may do, and what else a client asks about a server before it begins.

use crate::harness::check;

#[test]
fn one_user_who_may_do_everything() {
    check(
        r#"
        > ACL WHOAMI
        "default"
        > ACL USERS
        1) "default"
        > ACL LIST
        1) "user default on nopass sanitize-payload ~* &* +@all"
        > ACL GETUSER default
        1# "flags" =>
           1~ "on"
           2~ "nopass"
           3~ "sanitize-payload"
        2# "passwords" => (empty array)
        3# "commands" => "+@all"
        4# "keys" => "~*"
        5# "channels" => "&*"
        6# "selectors" => (empty array)
        > ACL GETUSER nobody
        (nil)
        > ACL DELUSER alice bob
        (integer) 0
        > ACL DELUSER alice default
        (error) ERR The 'default' user cannot be removed
        > ACL LOAD
        (error) ERR This instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a configuration file set) in order to store users in the configuration.
        > ACL NOPE
        (error) ERR unknown subcommand 'NOPE'. Try ACL HELP.
        "#,
    );
}

#[test]
fn a_password_is_shown_as_its_digest() {
    check(
        r#"
        > CONFIG SET requirepass foo
        OK
        > ACL LIST
        1) "user default on sanitize-payload #2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae ~* &* +@all"
        > ACL GETUSER default
        1# "flags" =>
           1~ "on"
           2~ "sanitize-payload"
        2# "passwords" =>
           1) "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
        3# "commands" => "+@all"
        4# "keys" => "~*"
        5# "channels" => "&*"
        6# "selectors" => (empty array)
        > CONFIG SET requirepass ""
        OK
        "#,
    );
}

#[test]
fn categories_and_dry_runs() {
    check(
        r#"
        > ACL CAT hyperloglog
        1) "pfadd"
        2) "pfcount"
        3) "pfmerge"
        4) "pfdebug"
        5) "pfselftest"
        > ACL CAT nope
        (error) ERR Unknown category 'nope'
        > ACL CAT a b
        (error) ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.
        > ACL DRYRUN default get a
        OK
        > ACL DRYRUN default get
        (error) ERR wrong number of arguments for 'get' command
        > ACL DRYRUN default nope
        (error) ERR Command 'nope' not found
        > ACL DRYRUN alice get a
        (error) ERR User 'alice' not found
        > ACL LOG
        (empty array)
        > ACL LOG RESET
        OK
        > ACL LOG x
        (error) ERR value is not an integer or out of range
        "#,
    );
}

#[test]
fn passwords_have_a_digit_for_every_four_bits() {
    check(
        r#"
        > ACL GENPASS 0
        (error) ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096
        > ACL GENPASS 4097
        (error) ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096
        > ACL GENPASS x
        (error) ERR value is not an integer or out of range
        > ACL GENPASS
        (any)
        > ACL GENPASS 5
        (any)
        "#,
    );
}

#[test]
fn cluster_mode_is_off() {
    check(
        r#"
        > CLUSTER INFO
        (error) ERR This instance has cluster support disabled
        > CLUSTER KEYSLOT
        (error) ERR wrong number of arguments for 'cluster|keyslot' command
        > CLUSTER NOPE
        (error) ERR unknown subcommand 'NOPE'. Try CLUSTER HELP.
        > READONLY
        (error) ERR This instance has cluster support disabled
        > READWRITE
        (error) ERR This instance has cluster support disabled
        > ASKING
        (error) ERR This instance has cluster support disabled
        "#,
    );
}

#[test]
fn there_are_no_modules() {
    check(
        r#"
        > MODULE LIST
        (empty array)
        > MODULE LOAD /tmp/x.so
        (error) ERR Error loading the extension. This server has no modules.
        > MODULE UNLOAD x
        (error) ERR Error unloading module: no such module with that name
        "#,
    );
}

#[test]
fn there_are_no_replicas() {
    check(
        r#"
        > ROLE
        1) "master"
        2) (integer) 0
        3) (empty array)
        > REPLICAOF no one
        OK
        > SLAVEOF NO ONE
        OK
        > REPLICAOF localhost 99999
        (error) ERR Invalid master port
        > REPLICAOF localhost 6379
        (error) ERR REPLICAOF <host> <port> is refused: there is no replication yet
        > FAILOVER
        (error) ERR FAILOVER requires connected replicas.
        > FAILOVER TO a 1 FORCE TIMEOUT 5
        (error) ERR FAILOVER requires connected replicas.
        > FAILOVER ABORT
        (error) ERR No failover in progress.
        > FAILOVER ABORT FORCE
        (error) ERR syntax error
        > FAILOVER TIMEOUT 0
        (error) ERR FAILOVER timeout must be greater than 0
        > WAIT 1 0
        (integer) 0
        "#,
    );
}

#[test]
fn without_an_append_only_file() {
    check(
        r#"
        ~only served
        > WAITAOF 0 0 0
        1) (integer) 0
        2) (integer) 0
        > WAITAOF 1 0 0
        (error) ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.
        > WAITAOF 2 0 0
        (error) ERR value is out of range, value must between 0 and 1
        > WAITAOF 0 -1 0
        (error) ERR value is out of range, must be positive
        > WAITAOF 0 0 -1
        (error) ERR timeout is negative
        "#,
    );
}

#[test]
fn users_are_made_of_rules() {
    check(
        r#"
        > ACL SETUSER alice
        OK
        > ACL SETUSER alice on >pass ~a* %R~b* &c +@read -get +config|get +select|0 (+set ~k)
        OK
        > ACL GETUSER alice
        1# "flags" =>
           1~ "on"
           2~ "sanitize-payload"
        2# "passwords" =>
           1) "d74ff0ee8da3b9806b18c877dbf29bbde50b5bd8e4dad7a3a725000feb82e8f1"
        3# "commands" => "-@all +@read -get +config|get +select|0"
        4# "keys" => "~a* %R~b*"
        5# "channels" => "&c"
        6# "selectors" =>
           1) 1# "commands" => "-@all +set"
              2# "keys" => "~k"
              3# "channels" => ""
        > ACL USERS
        1) "alice"
        2) "default"
        > ACL SETUSER alice +get
        OK
        > ACL LIST
        1) "user alice on sanitize-payload #d74ff0ee8da3b9806b18c877dbf29bbde50b5bd8e4dad7a3a725000feb82e8f1 ~a* %R~b* resetchannels &c -@all +@read +config|get +select|0 +get (~k resetchannels -@all +set)"
        2) "user default on nopass sanitize-payload ~* &* +@all"
        > ACL SETUSER alice +nope
        (error) ERR Error in ACL SETUSER modifier '+nope': Unknown command or category name in ACL
        > ACL SETUSER alice -@all +get|
        (error) ERR Error in ACL SETUSER modifier '+get|': Syntax error
        > ACL SETUSER alice +config|get|x
        (error) ERR Error in ACL SETUSER modifier '+config|get|x': Allowing first-arg of a subcommand is not supported
        > ACL SETUSER alice %X~a
        (error) ERR Error in ACL SETUSER modifier '%X~a': Syntax error
        > ACL SETUSER alice <none
        (error) ERR Error in ACL SETUSER modifier '<none': The password you are trying to remove from the user does not exist
        > ACL SETUSER alice (+get
        (error) ERR Unmatched parenthesis in acl selector starting at '(+get'.
        > ACL SETUSER "a b"
        (error) ERR Usernames can't contain spaces or null characters
        > ACL SETUSER alice ~* ~a
        (error) ERR Error in ACL SETUSER modifier '~a': Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns
        > ACL SETUSER alice ~* %X~a
        (error) ERR Error in ACL SETUSER modifier '%X~a': Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns
        > ACL SETUSER alice reset
        OK
        > ACL LIST
        1) "user alice off sanitize-payload resetchannels -@all"
        2) "user default on nopass sanitize-payload ~* &* +@all"
        > ACL DELUSER alice
        (integer) 1
        "#,
    );
}

#[test]
fn a_user_does_what_he_may() {
    check(
        r#"
        > ACL SETUSER bob on >p +@all -@dangerous -set +select|0 ~a* %R~r* %W~w* &news.*
        OK
        > ACL DRYRUN bob get rx
        OK
        > ACL DRYRUN bob getset rx 1
        "User bob has no permissions to access the 'rx' key"
        > ACL DRYRUN bob copy rx wx
        OK
        > ACL DRYRUN bob copy wx rx
        "User bob has no permissions to access the 'wx' key"
        # Who may only write learns nothing of what is there.
        > ACL DRYRUN bob ttl wx
        "User bob has no permissions to access the 'wx' key"
        > ACL DRYRUN bob pexpiretime wx
        "User bob has no permissions to access the 'wx' key"
        > ACL DRYRUN bob digest wx
        "User bob has no permissions to access the 'wx' key"
        > ACL DRYRUN bob smismember wx a
        "User bob has no permissions to access the 'wx' key"
        # With Redis, to claim is to write.
        > ACL DRYRUN bob xautoclaim wx g c 0 0
        OK
        > ACL DRYRUN bob xautoclaim rx g c 0 0
        "User bob has no permissions to access the 'rx' key"
        > ACL DRYRUN bob publish other x
        "User bob has no permissions to access the 'other' channel"
        b> AUTH bob wrong
        (error) WRONGPASS invalid username-password pair or user is disabled.
        b> AUTH bob p
        OK
        b> ACL WHOAMI
        "bob"
        b> GET a1
        (nil)
        b> GET x
        (error) NOPERM No permissions to access a key
        b> MGET a1 x
        (error) NOPERM No permissions to access a key
        b> SET a1 x
        (error) NOPERM User bob has no permissions to run the 'set' command
        b> FLUSHALL
        (error) NOPERM User bob has no permissions to run the 'flushall' command
        b> CONFIG GET port
        (error) NOPERM User bob has no permissions to run the 'config|get' command
        b> PUBLISH news.a x
        (integer) 0
        b> PUBLISH olds x
        (error) NOPERM No permissions to access a channel
        b> PSUBSCRIBE news.a*
        (error) NOPERM No permissions to access a channel
        b> MULTI
        OK
        b> INCR a1
        QUEUED
        b> GET x
        (error) NOPERM No permissions to access a key
        b> EXEC
        (error) EXECABORT Transaction discarded because of previous errors.
        b> MULTI
        OK
        b> INCR a1
        QUEUED
        > ACL SETUSER bob -incr
        OK
        b> EXEC
        1) (error) NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to execute the command or subcommand
        > ACL SETUSER bob +set (+get ~second)
        OK
        b> SET a1 x
        OK
        b> GET second
        (nil)
        b> SET second x
        (error) NOPERM No permissions to access a key
        b> SORT a1 BY w_*
        (error) NOPERM User bob has no permissions to run the 'sort' command
        > ACL DELUSER bob
        (integer) 1
        "#,
    );
}

#[test]
fn first_arguments_and_whole_containers() {
    check(
        r#"
        > ACL SETUSER u nopass on +select|0 +client -client|kill +debug|object
        OK
        u> AUTH u x
        OK
        u> SELECT 0
        OK
        u> SELECT 1
        (error) NOPERM User u has no permissions to run the 'select' command
        u> CLIENT GETNAME
        (nil)
        u> CLIENT KILL 127.0.0.1:1
        (error) NOPERM User u has no permissions to run the 'client|kill' command
        > ACL SETUSER u -select +client
        OK
        > ACL GETUSER u
        1# "flags" =>
           1~ "on"
           2~ "nopass"
           3~ "sanitize-payload"
        2# "passwords" => (empty array)
        3# "commands" => "-@all +debug|object -select +client"
        4# "keys" => ""
        5# "channels" => ""
        6# "selectors" => (empty array)
        u> SELECT 0
        (error) NOPERM User u has no permissions to run the 'select' command
        u> CLIENT KILL 127.0.0.1:1
        (error) ERR No such client
        > ACL DELUSER u
        (integer) 1
        "#,
    );
}

#[test]
fn who_loses_a_user_or_a_channel_loses_the_connection() {
    check(
        r#"
        ~only served
        > ACL SETUSER u on nopass +@all ~* resetchannels &a* &b
        OK
        u> AUTH u x
        OK
        u> SUBSCRIBE a1
        1> "subscribe"
        2> "a1"
        3> (integer) 1
        > ACL SETUSER u resetchannels &a1
        OK
        > PUBLISH a1 still
        (integer) 1
        u<
        1> "message"
        2> "a1"
        3> "still"
        > ACL SETUSER u resetchannels
        OK
        u> PING
        (closed)
        v> AUTH u x
        OK
        > ACL DELUSER u
        (integer) 1
        v> PING
        (closed)
        "#,
    );
}

#[test]
fn a_user_may_delete_himself() {
    check(
        r#"
        ~only served
        > ACL SETUSER u on nopass +@all ~* &*
        OK
        u> AUTH u x
        OK
        u> ACL DELUSER u
        (integer) 1
        u> PING
        (closed)
        "#,
    );
}

#[test]
fn an_empty_rule_is_none() {
    check(
        r#"
        > ACL SETUSER u "" on ""
        OK
        > ACL DRYRUN u GET k
        (like) "User u has no permissions*"
        "#,
    );
}
