//! ACL with its one user, and what else a client asks about a server before it begins.

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
        1) "user default on nopass ~* &* +@all"
        > ACL GETUSER default
        1# "flags" =>
           1~ "on"
           2~ "nopass"
        2# "passwords" => (empty array)
        3# "commands" => "+@all"
        4# "keys" => "~*"
        5# "channels" => "&*"
        6# "selectors" => (empty array)
        > ACL GETUSER nobody
        (nil)
        > ACL SETUSER alice on
        (error) ERR ACL SETUSER is refused: there are no users yet, 'requirepass' sets the one password
        > ACL DELUSER alice bob
        (integer) 0
        > ACL DELUSER alice default
        (error) ERR The 'default' user cannot be removed
        > ACL LOAD
        (error) ERR This instance is not configured to use an ACL file: there are no users yet but 'default'
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
        1) "user default on #2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae ~* &* +@all"
        > ACL GETUSER default
        1# "flags" =>
           1~ "on"
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
