//! DUMP and RESTORE.

use crate::harness::check;

#[test]
fn dump() {
    check(
        r#"
        > SET n 12
        OK
        > DUMP n
        "\x00\xc0\x0c\n\x00<*\xf8Q\\\x04\xbc\xd5"
        > SET s hello
        OK
        > DUMP s
        "\x00\x05hello\n\x00cr\xdfve4 \n"
        > DUMP nothing
        (nil)
        > SET e ""
        OK
        > DUMP e
        "\x00\x00\n\x00]\x9b\\@\x0f\x7f\xa2\xda"
        > SET b -200
        OK
        > DUMP b
        "\x00\xc18\xff\n\x00\";\x8f\xbb\xe8\xf4a\xf3"
        > SET c 70000
        OK
        > DUMP c
        "\x00\xc2p\x11\x01\x00\n\x00\x01\xa4\x08\xfe\x950\x95\xa5"
        > SET d 10000000000
        OK
        > DUMP d
        "\x00\x0b10000000000\n\x00\x95\xc1\x0e{\x88\xa0V\xc0"
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
        (like) "\x00\xc3\t@d\x01aa\xe0W\x00\x01aa\n\x00*"
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
        > RESTORE n 0 "\x00\xc0\x0c\x0b\x00U\xf5E\"\xa1\x9bU\\"
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
        # Without a checksum; what is in it is looked at all the same.
        > RESTORE x 0 "\x00\x05hello\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        OK
        > GET x
        "hello"
        > RESTORE y 0 "\x00\x81\xff\xff\xff\xff\xff\xff\xff\xf7\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        (error) ERR Bad data format
        "#,
    );
}

#[test]
fn collections_are_written_plainly() {
    check(
        r#"
        > RPUSH l a 17 ""
        (integer) 3
        > DUMP l
        "\x01\x03\x01a\xc0\x11\x00\n\x00\xba\xe5L-l\xeb\xd3\x1b"
        > SADD s x 3
        (integer) 2
        > DUMP s
        "\x02\x02\x01x\xc0\x03\n\x00\x01\x18\xbb\x8bT\xb8\x9c*"
        > HSET h f 1 g x
        (integer) 2
        > HPEXPIREAT h 4102444800000 FIELDS 1 g
        1) (integer) 1
        > DUMP h
        "\x18\x00\xd8\xc3,\xbb\x03\x00\x00\x02\x00\x01f\xc0\x01\x01\x01g\x01x\x0c\x00\xc3\xf1K1\xe3\xfe3\x98"
        > RESTORE h2 0 "\x18\x00\xd8\xc3,\xbb\x03\x00\x00\x02\x00\x01f\xc0\x01\x01\x01g\x01x\x0c\x00\xc3\xf1K1\xe3\xfe3\x98"
        OK
        > HPEXPIRETIME h2 FIELDS 2 f g
        1) (integer) -1
        2) (integer) 4102444800000
        > HGETALL h2
        1# "f" => "1"
        2# "g" => "x"
        "#,
    );
}

/// What a `redis-server` 7.0.15 has dumped.
#[test]
fn packed_collections_of_another_server() {
    check(
        r#"
        > RESTORE l 0 "\x12\x01\x02\x0e\x0e\x00\x00\x00\x03\x00\x81a\x02\x11\x01\x80\x01\xff\n\x00U|\xfd\xc3F\xae]\x11"
        OK
        > LRANGE l 0 -1
        1) "a"
        2) "17"
        3) ""
        > OBJECT ENCODING l
        "listpack"
        > RESTORE s 0 "\x0b\x0e\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x02\x00,\x01\n\x00\xe5\x10\xb2\x8e{\x95)\xaa"
        OK
        > OBJECT ENCODING s
        "intset"
        > SMISMEMBER s 1 2 300 3
        1) (integer) 1
        2) (integer) 1
        3) (integer) 1
        4) (integer) 0
        > RESTORE z 0 "\x11\x1d\x1d\x00\x00\x00\x06\x00\x81b\x02\x84-inf\x05\x81a\x02\x831.5\x04\x81c\x02\a\x01\xff\n\x00Q\x04^\xe1\xe3p\xef\xe5"
        OK
        > ZRANGEBYSCORE z -inf 2
        1) "b"
        2) "a"
        > ZCARD z
        (integer) 3
        > CONFIG SET hash-max-listpack-entries 1
        OK
        > RESTORE h 5000 "\x10\x12\x12\x00\x00\x00\x04\x00\x81f\x02\x01\x01\x81g\x02\x81x\x02\xff\n\x00\xf2\xc5\xd7;[\x9b\xc3Z"
        OK
        > OBJECT ENCODING h
        "hashtable"
        > HMGET h f g
        1) "1"
        2) "x"
        > PTTL h
        (integer) 5000
        > RESTORE h 0 "\x10\x12\x12\x00\x00\x00\x04\x00\x81f\x02\x01\x01\x81g\x02\x81x\x02\xff\n\x00\xf2\xc5\xd7;[\x9b\xc3Z"
        (error) BUSYKEY Target key name already exists.
        > RESTORE h 0 "\x10\x13\x12\x00\x00\x00\x04\x00\x81f\x02\x01\x01\x81g\x02\x81x\x02\xff\n\x00\xf2\xc5\xd7;[\x9b\xc3Z" REPLACE
        (error) ERR DUMP payload version or checksum are wrong
        > HLEN h
        (integer) 2
        "#,
    );
}

#[test]
fn digests_tell_values_apart() {
    check(
        r#"
        ~only served
        > RPUSH l a b
        (integer) 2
        > RPUSH m b a
        (integer) 2
        > COPY l n
        (integer) 1
        > DEBUG DIGEST-VALUE absent
        1) 0000000000000000000000000000000000000000
        > DEBUG STRINGMATCH-LEN 5 a*a
        (integer) 1
        > SADD s 1 2
        (integer) 2
        > HSET h a 1
        (integer) 1
        > ZADD z 1 a
        (integer) 1
        > DEBUG RELOAD
        OK
        > LRANGE l 0 -1
        1) "a"
        2) "b"
        > SCARD s
        (integer) 2
        > DEBUG RELOAD NOSAVE
        OK
        > ZCARD z
        (integer) 1
        > DEBUG RELOAD SIDEWAYS
        (error) ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.
        "#,
    );
}
