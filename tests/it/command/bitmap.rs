//! Bitmaps.

use crate::harness::check;

#[test]
fn setbit_and_getbit() {
    check(
        r#"
        > SETBIT k 7 1
        (integer) 0
        > GET k
        "\x01"
        > SETBIT k 7 0
        (integer) 1
        > SETBIT k 0 1
        (integer) 0
        > GET k
        "\x80"
        > GETBIT k 0
        (integer) 1
        > GETBIT k 1
        (integer) 0
        > GETBIT k 1000000
        (integer) 0
        > GETBIT nothing 5
        (integer) 0
        > SETBIT k 20 1
        (integer) 0
        > STRLEN k
        (integer) 3
        > SETBIT k -1 1
        (error) ERR bit offset is not an integer or out of range
        > SETBIT k 4294967296 1
        (error) ERR bit offset is not an integer or out of range
        > SETBIT k abc 1
        (error) ERR bit offset is not an integer or out of range
        > SETBIT k 1 2
        (error) ERR bit is not an integer or out of range
        > SETBIT k 1 x
        (error) ERR bit is not an integer or out of range
        > GETBIT k -1
        (error) ERR bit offset is not an integer or out of range
        > GETBIT k abc
        (error) ERR bit offset is not an integer or out of range
        > GETBIT k 4294967296
        (error) ERR bit offset is not an integer or out of range
        > SET n 1
        OK
        > SETBIT n 6 1
        (integer) 0
        > GET n
        "3"
        > GETBIT n 7
        (integer) 1
        "#,
    );
}

#[test]
fn bitcount() {
    check(
        r#"
        > BITCOUNT nothing
        (integer) 0
        > SET k foobar
        OK
        > BITCOUNT k
        (integer) 26
        > BITCOUNT k 0 0
        (integer) 4
        > BITCOUNT k 1 1
        (integer) 6
        > BITCOUNT k 0 -5
        (integer) 10
        > BITCOUNT k -2 -1
        (integer) 7
        > BITCOUNT k 5 2
        (integer) 0
        > BITCOUNT k 5 30 BIT
        (integer) 17
        > BITCOUNT k 0 -1 BYTE
        (integer) 26
        > BITCOUNT k 0 -1 BIT
        (integer) 26
        > BITCOUNT k -9 -2 BIT
        (integer) 5
        > BITCOUNT k 0
        (integer) 26
        > BITCOUNT k 0 1 FOO
        (error) ERR syntax error
        > BITCOUNT k a b
        (error) ERR value is not an integer or out of range
        > BITCOUNT k 100 200
        (integer) 0
        > BITCOUNT nothing 0 a
        (error) ERR value is not an integer or out of range
        > SET n 12
        OK
        > BITCOUNT n
        (integer) 6
        "#,
    );
}

#[test]
fn bitpos() {
    check(
        r#"
        > SET k "\xff\xf0\x00"
        OK
        > BITPOS k 0
        (integer) 12
        > BITPOS k 1
        (integer) 0
        > BITPOS k 1 2
        (integer) -1
        > BITPOS k 0 0 0
        (integer) -1
        > BITPOS k 0 0 -1
        (integer) 12
        > BITPOS k 1 7 15 BIT
        (integer) 7
        > BITPOS k 0 7 15 BIT
        (integer) 12
        > BITPOS k 1 -1 -1 BIT
        (integer) -1
        > SET f "\xff\xff"
        OK
        > BITPOS f 0
        (integer) 16
        > BITPOS f 0 0 1
        (integer) -1
        > BITPOS f 0 0
        (integer) 16
        > BITPOS f 1 5
        (integer) -1
        > BITPOS nothing 0
        (integer) 0
        > BITPOS nothing 1
        (integer) -1
        > BITPOS k 2
        (error) ERR The bit argument must be 1 or 0.
        > BITPOS k x
        (error) ERR value is not an integer or out of range
        > BITPOS k 1 a
        (error) ERR value is not an integer or out of range
        > BITPOS k 1 0 1 FOO
        (error) ERR syntax error
        > SET e ""
        OK
        > BITPOS e 0
        (integer) -1
        > BITPOS e 1
        (integer) -1
        "#,
    );
}

#[test]
fn bitop() {
    check(
        r#"
        > SET a "abc"
        OK
        > SET b "\xff\x0f"
        OK
        > BITOP AND d a b
        (integer) 3
        > GET d
        "a\x02\x00"
        > BITOP OR d a b
        (integer) 3
        > GET d
        "\xffoc"
        > BITOP XOR d a b
        (integer) 3
        > GET d
        "\x9emc"
        > BITOP NOT d a
        (integer) 3
        > GET d
        "\x9e\x9d\x9c"
        > BITOP NOT d a b
        (error) ERR BITOP NOT must be called with a single source key.
        > BITOP FOO d a
        (error) ERR syntax error
        > BITOP AND d nothing nobody
        (integer) 0
        > EXISTS d
        (integer) 0
        > BITOP OR d a nothing
        (integer) 3
        > GET d
        "abc"
        > BITOP AND d a nothing
        (integer) 3
        > GET d
        "\x00\x00\x00"
        > BITOP NOT d nothing
        (integer) 0
        > EXISTS d
        (integer) 0
        > BITOP AND d
        (error) ERR wrong number of arguments for 'bitop' command
        > SET n 12
        OK
        > BITOP NOT d n
        (integer) 2
        > GET d
        "\xce\xcd"
        > EXPIRE d 100
        (integer) 1
        > BITOP OR d a
        (integer) 3
        > TTL d
        (integer) -1
        "#,
    );
}

#[test]
fn bitfield() {
    check(
        r#"
        > BITFIELD k SET u8 0 255
        1) (integer) 0
        > BITFIELD k GET u8 0 GET i8 0 GET u4 4 GET i4 2
        1) (integer) 255
        2) (integer) -1
        3) (integer) 15
        4) (integer) -1
        > BITFIELD k INCRBY u8 0 1
        1) (integer) 0
        > BITFIELD k SET i5 100 -7 GET i5 100 INCRBY i5 100 20
        1) (integer) 0
        2) (integer) -7
        3) (integer) 13
        > BITFIELD k GET u8 #0 GET u8 #1 SET u8 #2 65
        1) (integer) 0
        2) (integer) 0
        3) (integer) 0
        > GET k
        "\x00\x00A\x00\x00\x00\x00\x00\x00\x00\x00\x00\x06\x80"
        > BITFIELD k OVERFLOW SAT INCRBY u2 102 1 INCRBY u2 102 5 OVERFLOW FAIL INCRBY u2 102 1 OVERFLOW WRAP INCRBY u2 102 1
        1) (integer) 3
        2) (integer) 3
        3) (nil)
        4) (integer) 0
        > BITFIELD k OVERFLOW FAIL SET u8 0 256
        1) (nil)
        > BITFIELD k OVERFLOW SAT SET i8 0 1000 GET i8 0
        1) (integer) 0
        2) (integer) 127
        > BITFIELD k OVERFLOW SAT INCRBY i64 200 9223372036854775807 INCRBY i64 200 1 INCRBY i64 200 -9223372036854775808
        1) (integer) 9223372036854775807
        2) (integer) 9223372036854775807
        3) (integer) -1
        > BITFIELD k OVERFLOW WRAP INCRBY i64 200 -9223372036854775808
        1) (integer) 9223372036854775807
        > BITFIELD k GET u64 0
        (error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        > BITFIELD k GET i64 0
        1) (integer) 9151385911072653312
        > BITFIELD k GET i65 0
        (error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        > BITFIELD k GET u0 0
        (error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        > BITFIELD k GET x8 0
        (error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        > BITFIELD k GET u8 -1
        (error) ERR bit offset is not an integer or out of range
        > BITFIELD k GET u8 abc
        (error) ERR bit offset is not an integer or out of range
        > BITFIELD k GET u8 #-1
        (error) ERR bit offset is not an integer or out of range
        > BITFIELD k GET u8 4294967295
        1) (integer) 0
        > BITFIELD k SET u8 0 abc
        (error) ERR value is not an integer or out of range
        > BITFIELD k OVERFLOW FOO
        (error) ERR Invalid OVERFLOW type specified
        > BITFIELD k FOO u8 0
        (error) ERR syntax error
        > BITFIELD k GET u8
        (error) ERR syntax error
        > BITFIELD k
        (empty array)
        > BITFIELD nothing GET u8 0
        1) (integer) 0
        > EXISTS nothing
        (integer) 0
        > BITFIELD nothing OVERFLOW FAIL INCRBY u8 0 256
        1) (nil)
        > EXISTS nothing
        (integer) 1
        "#,
    );
}

#[test]
fn bitfield_ro() {
    check(
        r#"
        > SET k "\x80"
        OK
        > BITFIELD_RO k GET u8 0 GET i8 0
        1) (integer) 128
        2) (integer) -128
        > BITFIELD_RO k SET u8 0 1
        (error) ERR BITFIELD_RO only supports the GET subcommand
        > BITFIELD_RO k INCRBY u8 0 1
        (error) ERR BITFIELD_RO only supports the GET subcommand
        > BITFIELD_RO k OVERFLOW SAT GET u8 0
        1) (integer) 128
        > BITFIELD_RO nothing GET u8 0
        1) (integer) 0
        > BITFIELD_RO k
        (empty array)
        "#,
    );
}
