//! HyperLogLog.

use crate::harness::check;

#[test]
fn counting() {
    check(
        r#"
        > PFADD h a b c d e f g
        (integer) 1
        > PFCOUNT h
        (integer) 7
        > PFADD h a
        (integer) 0
        > PFADD h z
        (integer) 1
        > PFCOUNT h
        (integer) 8
        > PFADD e
        (integer) 1
        > PFADD e
        (integer) 0
        > PFCOUNT e
        (integer) 0
        > PFCOUNT nothing
        (integer) 0
        > PFADD
        (error) ERR wrong number of arguments for 'pfadd' command
        > PFCOUNT
        (error) ERR wrong number of arguments for 'pfcount' command
        "#,
    );
}

#[test]
fn merging() {
    check(
        r#"
        > PFADD a foo bar zap a
        (integer) 1
        > PFADD b a b c foo
        (integer) 1
        > PFCOUNT a b
        (integer) 6
        > PFCOUNT a nothing
        (integer) 4
        > PFMERGE c a b
        OK
        > PFCOUNT c
        (integer) 6
        > PFMERGE d
        OK
        > PFCOUNT d
        (integer) 0
        > PFMERGE a b
        OK
        > PFCOUNT a
        (integer) 6
        > PFMERGE
        (error) ERR wrong number of arguments for 'pfmerge' command
        "#,
    );
}

#[test]
fn a_stored_value_has_the_known_layout() {
    check(
        r#"
        > PFADD h a b c
        (integer) 1
        > GET h
        "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80`\xf3\x80P\xb1\x84K\xfb\x80BZ"
        > TYPE h
        string
        > STRLEN h
        (integer) 27
        > PFCOUNT h
        (integer) 3
        > GET h
        "HYLL\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00`\xf3\x80P\xb1\x84K\xfb\x80BZ"
        "#,
    );
}

#[test]
fn values_of_another_layout() {
    check(
        r#"
        > SET s hello
        OK
        > PFADD s a
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > PFCOUNT s
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > PFMERGE s a
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > PFMERGE d s
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > SET s "HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        OK
        > PFCOUNT s
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > SET s "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x00"
        OK
        > PFADD s a
        (error) INVALIDOBJ Corrupted HLL object detected
        > PFCOUNT s
        (error) INVALIDOBJ Corrupted HLL object detected
        > SET s "HYLL\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x00"
        OK
        > PFCOUNT s
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > SET n 5
        OK
        > PFADD n a
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        "#,
    );
}

#[test]
fn a_cached_count_in_a_value_is_used() {
    check(
        r#"
        > SET h "HYLL\x01\x00\x00\x00\x2a\x00\x00\x00\x00\x00\x00\x00\x7f\xff"
        OK
        > PFCOUNT h
        (integer) 42
        "#,
    );
}

#[test]
fn debug_and_selftest() {
    check(
        r#"
        > PFADD h a b
        (integer) 1
        > PFDEBUG ENCODING h
        sparse
        > PFDEBUG DECODE h
        "Z:12711 v:2,1 Z:3068 v:1,1 Z:603"
        > PFDEBUG TODENSE h
        (integer) 1
        > PFDEBUG ENCODING h
        dense
        > PFDEBUG TODENSE h
        (integer) 0
        > PFDEBUG DECODE h
        (error) ERR HLL encoding is not sparse
        > PFDEBUG FOO h
        (error) ERR Unknown PFDEBUG subcommand 'FOO'
        > PFDEBUG ENCODING nothing
        (error) ERR The specified key does not exist
        "#,
    );
}
