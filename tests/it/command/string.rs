//! Strings.

use crate::harness::check;

#[test]
fn get_of_nothing() {
    check(
        r#"
        > GET k
        (nil)
        > EXISTS k
        (integer) 0
        "#,
    );
}

#[test]
fn set_and_get() {
    check(
        r#"
        > SET k v
        OK
        > GET k
        "v"
        > SET k ""
        OK
        > GET k
        ""
        > SET k "a\r\nb\x00c"
        OK
        > GET k
        "a\r\nb\x00c"
        > STRLEN k
        (integer) 6
        > GET
        (error) ERR wrong number of arguments for 'get' command
        > GET a b
        (error) ERR wrong number of arguments for 'get' command
        > SET k
        (error) ERR wrong number of arguments for 'set' command
        "#,
    );
}

#[test]
fn set_if_absent_or_present() {
    check(
        r#"
        > SET k 1 XX
        (nil)
        > GET k
        (nil)
        > SET k 1 NX
        OK
        > SET k 2 NX
        (nil)
        > SET k 3 XX
        OK
        > GET k
        "3"
        > SET k 4 NX XX
        (error) ERR syntax error
        > SET k 4 nx
        (nil)
        > SET k 4 xx
        OK
        "#,
    );
}

#[test]
fn set_returns_the_old_value() {
    check(
        r#"
        > SET k a GET
        (nil)
        > SET k b GET
        "a"
        > SET k c XX GET
        "b"
        > SET k d NX GET
        "c"
        > GET k
        "c"
        > SET new e NX GET
        (nil)
        > GET new
        "e"
        > SET absent e XX GET
        (nil)
        > EXISTS absent
        (integer) 0
        "#,
    );
}

#[test]
fn set_with_a_time_to_live() {
    check(
        r#"
        > SET k v EX 100
        OK
        > TTL k
        (integer) 100
        > SET k v PX 100500
        OK
        > PTTL k
        (integer) 100500
        > SET k v KEEPTTL
        OK
        > PTTL k
        (integer) 100500
        > SET k v
        OK
        > TTL k
        (integer) -1
        > SET k v EXAT 4102444800
        OK
        > EXPIRETIME k
        (integer) 4102444800
        > SET k v PXAT 4102444800123
        OK
        > PEXPIRETIME k
        (integer) 4102444800123
        > SET k v PXAT 1
        OK
        > EXISTS k
        (integer) 0
        "#,
    );
}

#[test]
fn set_refuses_bad_times() {
    check(
        r#"
        > SET k v EX 0
        (error) ERR invalid expire time in 'set' command
        > SET k v EX -1
        (error) ERR invalid expire time in 'set' command
        > SET k v PX 0
        (error) ERR invalid expire time in 'set' command
        > SET k v EX notanumber
        (error) ERR value is not an integer or out of range
        > SET k v EX 9223372036854775807
        (error) ERR invalid expire time in 'set' command
        > SET k v PX 9223372036854775807
        (error) ERR invalid expire time in 'set' command
        > SET k v EXAT 0
        (error) ERR invalid expire time in 'set' command
        > SET k v EX
        (error) ERR syntax error
        > SET k v EX 10 PX 10
        (error) ERR syntax error
        > SET k v EX 10 KEEPTTL
        (error) ERR syntax error
        > SET k v KEEPTTL EX 10
        (error) ERR syntax error
        > SET k v FOO
        (error) ERR syntax error
        > EXISTS k
        (integer) 0
        "#,
    );
}

#[test]
fn set_expires() {
    check(
        r#"
        > SET k v PX 1000
        OK
        ~advance 900ms
        > GET k
        "v"
        ~advance 200ms
        > GET k
        (nil)
        > SET k v KEEPTTL
        OK
        > TTL k
        (integer) -1
        "#,
    );
}

#[test]
fn setnx_setex_psetex() {
    check(
        r#"
        > SETNX k a
        (integer) 1
        > SETNX k b
        (integer) 0
        > GET k
        "a"
        > SETEX k 10 c
        OK
        > TTL k
        (integer) 10
        > PSETEX k 10500 d
        OK
        > PTTL k
        (integer) 10500
        > SETEX k 0 x
        (error) ERR invalid expire time in 'setex' command
        > SETEX k -5 x
        (error) ERR invalid expire time in 'setex' command
        > PSETEX k 0 x
        (error) ERR invalid expire time in 'psetex' command
        > SETEX k abc x
        (error) ERR value is not an integer or out of range
        > SETEX k 9223372036854775807 x
        (error) ERR invalid expire time in 'setex' command
        > PSETEX k 9223372036854775807 x
        (error) ERR invalid expire time in 'psetex' command
        > GET k
        "d"
        "#,
    );
}

#[test]
fn getset_and_getdel() {
    check(
        r#"
        > GETSET k a
        (nil)
        > GETSET k b
        "a"
        > EXPIRE k 100
        (integer) 1
        > GETSET k c
        "b"
        > TTL k
        (integer) -1
        > GETDEL k
        "c"
        > GETDEL k
        (nil)
        > EXISTS k
        (integer) 0
        "#,
    );
}

#[test]
fn getex() {
    check(
        r#"
        > SET k v
        OK
        > GETEX k
        "v"
        > TTL k
        (integer) -1
        > GETEX k EX 100
        "v"
        > TTL k
        (integer) 100
        > GETEX k PX 100500
        "v"
        > PTTL k
        (integer) 100500
        > GETEX k EXAT 4102444800
        "v"
        > EXPIRETIME k
        (integer) 4102444800
        > GETEX k PXAT 4102444800001
        "v"
        > PEXPIRETIME k
        (integer) 4102444800001
        > GETEX k PERSIST
        "v"
        > TTL k
        (integer) -1
        > GETEX k PXAT 1
        "v"
        > GETEX k
        (nil)
        > GETEX absent EX 10
        (nil)
        > SET k v
        OK
        > GETEX k EX 0
        (error) ERR invalid expire time in 'getex' command
        > GETEX k EX 10 PERSIST
        (error) ERR syntax error
        > GETEX k PERSIST PERSIST
        "v"
        > GETEX k EX 10 EX 20
        "v"
        > TTL k
        (integer) 20
        > GETEX k EX 10 PX 20
        (error) ERR syntax error
        > GETEX k PERSIST EX 10
        (error) ERR syntax error
        > GETEX k KEEPTTL
        (error) ERR syntax error
        > GETEX k FOO
        (error) ERR syntax error
        > GETEX k EX
        (error) ERR syntax error
        > GETEX k EX abc
        (error) ERR value is not an integer or out of range
        "#,
    );
}

#[test]
fn many_at_once() {
    check(
        r#"
        > MSET a 1 b 2 c 3
        OK
        > MGET a b nothing c
        1) "1"
        2) "2"
        3) (nil)
        4) "3"
        > MSET a 10 a 11
        OK
        > GET a
        "11"
        > MSET a
        (error) ERR wrong number of arguments for 'mset' command
        > MSET a 1 b
        (error) ERR wrong number of arguments for 'mset' command
        > MSETNX d 4 e 5
        (integer) 1
        > MSETNX e 6 f 7
        (integer) 0
        > MGET d e f
        1) "4"
        2) "5"
        3) (nil)
        > MSETNX g 1 g 2
        (integer) 1
        > GET g
        "2"
        > MSETNX a
        (error) ERR wrong number of arguments for 'msetnx' command
        > MGET
        (error) ERR wrong number of arguments for 'mget' command
        "#,
    );
}

#[test]
fn mset_drops_the_time_to_live() {
    check(
        r#"
        > SET a 1 EX 100
        OK
        > MSET a 2
        OK
        > TTL a
        (integer) -1
        "#,
    );
}

#[test]
fn append() {
    check(
        r#"
        > APPEND k Hello
        (integer) 5
        > APPEND k " World"
        (integer) 11
        > GET k
        "Hello World"
        > APPEND k ""
        (integer) 11
        > SET n 12
        OK
        > APPEND n 34
        (integer) 4
        > GET n
        "1234"
        > OBJECT ENCODING n
        "raw"
        > EXPIRE n 100
        (integer) 1
        > APPEND n 5
        (integer) 5
        > TTL n
        (integer) 100
        "#,
    );
}

#[test]
fn strlen() {
    check(
        r#"
        > STRLEN absent
        (integer) 0
        > SET n -1234
        OK
        > STRLEN n
        (integer) 5
        "#,
    );
}

#[test]
fn setrange() {
    check(
        r#"
        > SETRANGE k 0 ""
        (integer) 0
        > EXISTS k
        (integer) 0
        > SETRANGE k 5 abc
        (integer) 8
        > GET k
        "\x00\x00\x00\x00\x00abc"
        > SETRANGE k 0 XY
        (integer) 8
        > GET k
        "XY\x00\x00\x00abc"
        > SETRANGE k -1 a
        (error) ERR offset is out of range
        > SETRANGE k 536870912 a
        (error) ERR string exceeds maximum allowed size (proto-max-bulk-len)
        > SETRANGE k 536870911 ""
        (integer) 8
        > SETRANGE k 9223372036854775807 a
        (error) ERR string exceeds maximum allowed size (proto-max-bulk-len)
        > SETRANGE k abc a
        (error) ERR value is not an integer or out of range
        > SET n 1234
        OK
        > SETRANGE n 1 x
        (integer) 4
        > GET n
        "1x34"
        > SETRANGE n 4 ""
        (integer) 4
        "#,
    );
}

#[test]
fn getrange_and_substr() {
    check(
        r#"
        > SET k "This is a string"
        OK
        > GETRANGE k 0 3
        "This"
        > GETRANGE k -3 -1
        "ing"
        > GETRANGE k 0 -1
        "This is a string"
        > GETRANGE k 10 100
        "string"
        > GETRANGE k 5 2
        ""
        > GETRANGE k 100 200
        ""
        > GETRANGE k -100 3
        "This"
        > GETRANGE k -100 -50
        "T"
        > GETRANGE absent 0 -1
        ""
        > SUBSTR k 0 3
        "This"
        > GETRANGE k a b
        (error) ERR value is not an integer or out of range
        > SET n 12345
        OK
        > GETRANGE n 1 -2
        "234"
        > GETRANGE k 0 9223372036854775807
        "This is a string"
        > GETRANGE k -9223372036854775808 9223372036854775807
        "This is a string"
        "#,
    );
}

#[test]
fn counting() {
    check(
        r#"
        > INCR n
        (integer) 1
        > INCR n
        (integer) 2
        > DECR n
        (integer) 1
        > INCRBY n 40
        (integer) 41
        > DECRBY n 50
        (integer) -9
        > GET n
        "-9"
        > OBJECT ENCODING n
        "int"
        > SET n 9223372036854775807
        OK
        > INCR n
        (error) ERR increment or decrement would overflow
        > INCRBY n 1
        (error) ERR increment or decrement would overflow
        > DECRBY n -1
        (error) ERR increment or decrement would overflow
        > SET n -9223372036854775808
        OK
        > DECR n
        (error) ERR increment or decrement would overflow
        > DECRBY n 1
        (error) ERR increment or decrement would overflow
        > DECRBY n -9223372036854775808
        (error) ERR decrement would overflow
        > INCRBY n abc
        (error) ERR value is not an integer or out of range
        > DECRBY n 1.5
        (error) ERR value is not an integer or out of range
        > SET s abc
        OK
        > INCR s
        (error) ERR value is not an integer or out of range
        > SET s " 12"
        OK
        > INCR s
        (error) ERR value is not an integer or out of range
        > SET s "12 "
        OK
        > INCR s
        (error) ERR value is not an integer or out of range
        > SET s ""
        OK
        > INCR s
        (error) ERR value is not an integer or out of range
        > SET s 012
        OK
        > INCR s
        (error) ERR value is not an integer or out of range
        > SET s +1
        OK
        > INCR s
        (error) ERR value is not an integer or out of range
        > SET s -0
        OK
        > INCR s
        (error) ERR value is not an integer or out of range
        > SET s 18446744073709551615
        OK
        > INCR s
        (error) ERR value is not an integer or out of range
        "#,
    );
}

#[test]
fn counting_keeps_the_time_to_live() {
    check(
        r#"
        > SET n 1 EX 100
        OK
        > INCR n
        (integer) 2
        > TTL n
        (integer) 100
        > INCRBYFLOAT n 0.5
        "2.5"
        > TTL n
        (integer) 100
        "#,
    );
}

#[test]
fn incrbyfloat() {
    check(
        r#"
        > INCRBYFLOAT k 10.50
        "10.5"
        > INCRBYFLOAT k 0.1
        "10.6"
        > INCRBYFLOAT k -5
        "5.6"
        > SET k 5.0e3
        OK
        > INCRBYFLOAT k 2.0e2
        "5200"
        > SET k 3.0
        OK
        > INCRBYFLOAT k 1.0000000000
        "4"
        > INCRBYFLOAT k 1e-10
        "4.0000000001"
        > INCRBYFLOAT k inf
        (error) ERR increment would produce NaN or Infinity
        > INCRBYFLOAT k nan
        (error) ERR value is not a valid float
        > INCRBYFLOAT k abc
        (error) ERR value is not a valid float
        > INCRBYFLOAT k " 1"
        (error) ERR value is not a valid float
        > INCRBYFLOAT k "1 "
        (error) ERR value is not a valid float
        > SET s abc
        OK
        > INCRBYFLOAT s 1
        (error) ERR value is not a valid float
        > SET s " 1"
        OK
        > INCRBYFLOAT s 1
        (error) ERR value is not a valid float
        > SET n 1
        OK
        > INCRBYFLOAT n 1
        "2"
        > OBJECT ENCODING n
        "embstr"
        > SET n 17179869184
        OK
        > INCRBYFLOAT n 1.5
        "17179869185.5"
        > SET big 1e300
        OK
        > INCRBYFLOAT big 1
        "1000000000000000000008997324079559193870523944273290747938260082321265646596180935755849152083750497190350372508614274835903592556184672983913096260520748646287327135641843653294084255107606016789726652932370030551382947620994540294772781889620606179267611627097410650567187386105690089424915104006144"
        > SET k 1
        OK
        > INCRBYFLOAT k 0x10
        "17"
        > SET k 3
        OK
        > INCRBYFLOAT k 1.1
        "4.1"
        > INCRBYFLOAT k -1.1
        "3"
        > SET k 0.1
        OK
        > INCRBYFLOAT k 0.2
        "0.3"
        "#,
    );
}

#[test]
fn encodings() {
    check(
        r#"
        > SET k 12345
        OK
        > OBJECT ENCODING k
        "int"
        > SET k -9223372036854775808
        OK
        > OBJECT ENCODING k
        "int"
        > SET k 9223372036854775808
        OK
        > OBJECT ENCODING k
        "embstr"
        > SET k 01
        OK
        > OBJECT ENCODING k
        "embstr"
        > SET k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        OK
        > OBJECT ENCODING k
        "embstr"
        > SET k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        OK
        > OBJECT ENCODING k
        "raw"
        > APPEND s abc
        (integer) 3
        > OBJECT ENCODING s
        "embstr"
        > APPEND s def
        (integer) 6
        > OBJECT ENCODING s
        "raw"
        > SETRANGE r 2 x
        (integer) 3
        > OBJECT ENCODING r
        "raw"
        > INCR n
        (integer) 1
        > OBJECT ENCODING n
        "int"
        > INCRBYFLOAT f 1.5
        "1.5"
        > OBJECT ENCODING f
        "embstr"
        > GETSET g 5
        (nil)
        > OBJECT ENCODING g
        "int"
        "#,
    );
}

#[test]
fn longest_common_subsequence() {
    check(
        r#"
        > SET a ohmytext
        OK
        > SET b mynewtext
        OK
        > LCS a b
        "mytext"
        > LCS a b LEN
        (integer) 6
        > LCS a b IDX
        1# "matches" =>
           1) 1) 1) (integer) 4
                 2) (integer) 7
              2) 1) (integer) 5
                 2) (integer) 8
           2) 1) 1) (integer) 2
                 2) (integer) 3
              2) 1) (integer) 0
                 2) (integer) 1
        2# "len" => (integer) 6
        > LCS a b IDX MINMATCHLEN 4
        1# "matches" =>
           1) 1) 1) (integer) 4
                 2) (integer) 7
              2) 1) (integer) 5
                 2) (integer) 8
        2# "len" => (integer) 6
        > LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN
        1# "matches" =>
           1) 1) 1) (integer) 4
                 2) (integer) 7
              2) 1) (integer) 5
                 2) (integer) 8
              3) (integer) 4
        2# "len" => (integer) 6
        > LCS a b IDX WITHMATCHLEN
        1# "matches" =>
           1) 1) 1) (integer) 4
                 2) (integer) 7
              2) 1) (integer) 5
                 2) (integer) 8
              3) (integer) 4
           2) 1) 1) (integer) 2
                 2) (integer) 3
              2) 1) (integer) 0
                 2) (integer) 1
              3) (integer) 2
        2# "len" => (integer) 6
        > LCS a b LEN IDX
        (error) ERR If you want both the length and indexes, please just use IDX.
        > LCS a b FOO
        (error) ERR syntax error
        > LCS a absent
        ""
        > LCS a absent LEN
        (integer) 0
        > LCS a absent IDX
        1# "matches" => (empty array)
        2# "len" => (integer) 0
        > LCS a
        (error) ERR wrong number of arguments for 'lcs' command
        > LCS a b IDX MINMATCHLEN
        (error) ERR syntax error
        > LCS a b IDX MINMATCHLEN -5
        1# "matches" =>
           1) 1) 1) (integer) 4
                 2) (integer) 7
              2) 1) (integer) 5
                 2) (integer) 8
           2) 1) 1) (integer) 2
                 2) (integer) 3
              2) 1) (integer) 0
                 2) (integer) 1
        2# "len" => (integer) 6
        > LCS a b IDX MINMATCHLEN x
        (error) ERR value is not an integer or out of range
        "#,
    );
}

#[test]
fn arity() {
    check(
        r#"
        > SETNX k
        (error) ERR wrong number of arguments for 'setnx' command
        > SETEX k 1
        (error) ERR wrong number of arguments for 'setex' command
        > GETDEL
        (error) ERR wrong number of arguments for 'getdel' command
        > APPEND k
        (error) ERR wrong number of arguments for 'append' command
        > INCR
        (error) ERR wrong number of arguments for 'incr' command
        > INCR a b
        (error) ERR wrong number of arguments for 'incr' command
        > INCRBY a
        (error) ERR wrong number of arguments for 'incrby' command
        > INCRBYFLOAT a
        (error) ERR wrong number of arguments for 'incrbyfloat' command
        > STRLEN
        (error) ERR wrong number of arguments for 'strlen' command
        > SETRANGE k 1
        (error) ERR wrong number of arguments for 'setrange' command
        > GETRANGE k 1
        (error) ERR wrong number of arguments for 'getrange' command
        > GETEX
        (error) ERR wrong number of arguments for 'getex' command
        > LCS
        (error) ERR wrong number of arguments for 'lcs' command
        > MSETNX
        (error) ERR wrong number of arguments for 'msetnx' command
        "#,
    );
}

#[test]
fn a_condition_that_cannot_be_read_is_the_only_reply() {
    check(
        r#"
        > SET s old
        OK
        > SET s new IFDNE short GET
        (error) ERR must be exactly 16 hexadecimal characters
        > SET s new IFNE old GET
        "old"
        > SET s new IFEQ old GET
        "old"
        > GET s
        "new"
        "#,
    );
}
