//! DUMP and RESTORE.

use crate::harness::check;

#[test]
fn dump() {
    check(
        r#"
        > SET n 12
        OK
        > DUMP n
        "\x00\xc0\x0c\x0b\x00U\xf5E\"\xa1\x9bU\\"
        > SET s hello
        OK
        > DUMP s
        "\x00\x05hello\x0b\x00\n\xadb\x05\x98\xab\xc9\x83"
        > DUMP nothing
        (nil)
        > SET e ""
        OK
        > DUMP e
        "\x00\x00\x0b\x004D\xe13\xf2\xe0KS"
        > SET b -200
        OK
        > DUMP b
        "\x00\xc18\xff\x0b\x00K\xe42\xc8\x15k\x88z"
        > SET c 70000
        OK
        > DUMP c
        "\x00\xc2p\x11\x01\x00\x0b\x00h{\xb5\x8dh\xaf|,"
        > SET d 10000000000
        OK
        > DUMP d
        "\x00\x0b10000000000\x0b\x00\xfc\x1e\xb3\x08u?\xbfI"
        "#,
    );
}

/// What repeats is compressed, in the bytes that Redis would choose.
#[test]
fn dump_compresses() {
    check(
        r#"
        > SET repeats aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        OK
        > DUMP repeats
        (like) "\x00\xc3\t@d\x01aa\xe0W\x00\x01aa\x0b\x00*"
        > CONFIG SET rdbcompression no
        OK
        > DUMP repeats
        (like) "\x00@daaaaaaaaaaaaaaaaaaaa*"
        > CONFIG SET rdbcompression yes
        OK
        "#,
    );
}

#[test]
fn restore_of_a_version_to_come() {
    check(
        r#"
        > RESTORE foo 0 "\x00\x03bar\xde\x00\x0fYUza\xd3\xec\xe0"
        (error) ERR DUMP payload version or checksum are wrong
        > CONFIG SET rdb-version-check relaxed
        OK
        > RESTORE foo 0 "\x00\x03bar\xde\x00\x0fYUza\xd3\xec\xe0"
        OK
        > GET foo
        "bar"
        > CONFIG SET rdb-version-check strict
        OK
        "#,
    );
}

#[test]
fn restore() {
    check(
        r#"
        > RESTORE n 0 "\x00\xc0\x0c\n\x00<*\xf8Q\\\x04\xbc\xd5"
        OK
        > GET n
        "12"
        > OBJECT ENCODING n
        "int"
        > RESTORE n 0 "\x00\xc0\x0c\x0b\x00U\xf5E\"\xa1\x9bU\\"
        (error) BUSYKEY Target key name already exists.
        > RESTORE n 100000 "\x00\x05hello\x0b\x00\n\xadb\x05\x98\xab\xc9\x83" REPLACE
        OK
        > GET n
        "hello"
        > PTTL n
        (integer) 100000
        > RESTORE abs 4102444800000 "\x00\xc18\xff\n\x00\";\x8f\xbb\xe8\xf4a\xf3" ABSTTL
        OK
        > GET abs
        "-200"
        > PEXPIRETIME abs
        (integer) 4102444800000
        > RESTORE past 1 "\x00\xc18\xff\n\x00\";\x8f\xbb\xe8\xf4a\xf3" ABSTTL
        OK
        > EXISTS past
        (integer) 0
        > RESTORE long 0 "\x00\xc3\t@d\x01aa\xe0W\x00\x01aa\n\x00\xe8\xa3\xb5\x07\xb0m\xf2q"
        OK
        > STRLEN long
        (integer) 100
        > RESTORE idle 0 "\x00\x00\n\x00]\x9b\\@\x0f\x7f\xa2\xda" IDLETIME 1000
        OK
        > OBJECT IDLETIME idle
        (integer 999..1001)
        > RESTORE used 0 "\x00\x00\n\x00]\x9b\\@\x0f\x7f\xa2\xda" FREQ 10
        OK
        > GET used
        ""
        # One bit wrong in the body, then in the checksum; a version from the future; a truncated payload.
        > RESTORE x 0 "\x00\x05hellp\x0b\x00\n\xadb\x05\x98\xab\xc9\x83"
        (error) ERR DUMP payload version or checksum are wrong
        > RESTORE x 0 "\x00\x05hello\x0b\x00\n\xadb\x05\x98\xab\xc9\x82"
        (error) ERR DUMP payload version or checksum are wrong
        > RESTORE x 0 "\x00\x05hello\xff\x00\n\xadb\x05\x98\xab\xc9\x83"
        (error) ERR DUMP payload version or checksum are wrong
        > RESTORE x 0 "\x00\x05hell"
        (error) ERR DUMP payload version or checksum are wrong
        > EXISTS x
        (integer) 0
        "#,
    );
}
