//! Arrays, packed and as trees. What is answered here, a `redis-server` 8.8 has answered.

use crate::harness::check;

#[test]
fn set_and_get() {
    check(
        r#"
        > ARSET a 0 zero one 2
        (integer) 3
        > ARSET a 1 uno
        (integer) 0
        > ARGET a 0
        "zero"
        > ARGET a 1
        "uno"
        > ARGET a 2
        "2"
        > ARGET a 3
        (nil)
        > ARGET none 0
        (nil)
        > ARMSET a 7 seven 5 five 7 sept
        (integer) 2
        > ARMGET a 7 6 5 0
        1) "sept"
        2) (nil)
        3) "five"
        4) "zero"
        > ARMGET none 1 2
        1) (nil)
        2) (nil)
        > ARLEN a
        (integer) 8
        > ARCOUNT a
        (integer) 5
        > ARLEN none
        (integer) 0
        > ARCOUNT none
        (integer) 0
        > ARGETRANGE a 0 3
        1) "zero"
        2) "uno"
        3) "2"
        4) (nil)
        > ARGETRANGE a 7 4
        1) "sept"
        2) (nil)
        3) "five"
        4) (nil)
        > ARGETRANGE none 1 0
        1) (nil)
        2) (nil)
        > TYPE a
        array
        > OBJECT ENCODING a
        "sliced-array"
        "#,
    );
}

#[test]
fn values_come_back_as_they_were() {
    check(
        r#"
        > ARSET a 0 1 1.0 007 -0 "" 9223372036854775808 3.14
        (integer) 7
        > ARGETRANGE a 0 6
        1) "1"
        2) "1.0"
        3) "007"
        4) "-0"
        5) ""
        6) "9223372036854775808"
        7) "3.14"
        "#,
    );
}

#[test]
fn indexes_have_64_bits() {
    check(
        r#"
        > ARSET a 18446744073709551614 last
        (integer) 1
        > ARSET a 9223372036854775808 middle
        (integer) 1
        > ARLEN a
        (big number) 18446744073709551615
        > ARGET a 18446744073709551614
        "last"
        > ARGET a 9223372036854775808
        "middle"
        > ARSCAN a 18446744073709551614 0
        1) 1) (big number) 18446744073709551614
           2) "last"
        2) 1) (big number) 9223372036854775808
           2) "middle"
        > ARSET a 18446744073709551615 x
        (error) ERR invalid array index
        > ARSET a 18446744073709551614 x y
        (error) ERR array index overflow
        > ARSET a 18446744073709551616 x
        (error) ERR invalid array index
        > ARSET a -1 x
        (error) ERR invalid array index
        > ARSET a 1.5 x
        (error) ERR invalid array index
        > ARGET a x
        (error) ERR invalid array index
        > ARGET none x
        (error) ERR invalid array index
        > ARMGET a 0 x
        (error) ERR invalid array index
        > ARSET a +5 plus
        (integer) 1
        > ARGET a 005
        "plus"
        "#,
    );
}

#[test]
fn removal() {
    check(
        r#"
        > ARSET a 0 a b c d e f
        > ARDEL a 1 1 9
        (integer) 1
        > ARDEL a 1
        (integer) 0
        > ARDEL a 2 x
        (error) ERR invalid array index
        > ARGETRANGE a 0 5
        1) "a"
        2) (nil)
        3) "c"
        4) "d"
        5) "e"
        6) "f"
        > ARDELRANGE a 4 3
        (integer) 2
        > ARDELRANGE a 100 18446744073709551614
        (integer) 0
        > ARDELRANGE a 0 0 2 3
        (integer) 2
        > ARCOUNT a
        (integer) 1
        > ARDEL a 5
        (integer) 1
        > EXISTS a
        (integer) 0
        > ARDEL a 5
        (integer) 0
        > ARDELRANGE a 0 9
        (integer) 0
        > ARDELRANGE a 0 9 1
        (error) ERR wrong number of arguments for 'ardelrange' command
        > ARDELRANGE a x 9
        (error) ERR invalid array index
        "#,
    );
}

#[test]
fn scan() {
    check(
        r#"
        > ARMSET a 1 one 5 five 9 nine 100 hundred
        > ARSCAN a 0 9
        1) 1) (integer) 1
           2) "one"
        2) 1) (integer) 5
           2) "five"
        3) 1) (integer) 9
           2) "nine"
        > ARSCAN a 9 2
        1) 1) (integer) 9
           2) "nine"
        2) 1) (integer) 5
           2) "five"
        > ARSCAN a 0 1000 LIMIT 1
        1) 1) (integer) 1
           2) "one"
        > ARSCAN a 1000 0 limit 2
        1) 1) (integer) 100
           2) "hundred"
        2) 1) (integer) 9
           2) "nine"
        > ARSCAN a 2 4
        (empty array)
        > ARSCAN none 0 9
        (empty array)
        > ARSCAN a 0 9 LIMIT 0
        (error) ERR LIMIT must be positive
        > ARSCAN a 0 9 LIMIT x
        (error) ERR value is not an integer or out of range
        > ARSCAN a 0 9 FOO 1
        (error) ERR syntax error
        > ARSCAN a 0 9 LIMIT
        (error) ERR wrong number of arguments for 'arscan' command
        "#,
    );
}

#[test]
fn a_range_has_a_bound() {
    check(
        r#"
        > ARSET a 0 x
        > ARGETRANGE a 0 1000000
        (error) ERR range exceeds maximum of 1000000 items
        > ARGETRANGE none 18446744073709551614 0
        (error) ERR range exceeds maximum of 1000000 items
        > ARGETRANGE a 0 x
        (error) ERR invalid array index
        "#,
    );
}

#[test]
fn insertion() {
    check(
        r#"
        > ARNEXT a
        (integer) 0
        > ARINSERT a zero
        (integer) 0
        > ARINSERT a one two
        (integer) 2
        > ARNEXT a
        (integer) 3
        > ARSEEK a 10
        (integer) 1
        > ARINSERT a ten
        (integer) 10
        > ARGETRANGE a 0 11
        1) "zero"
        2) "one"
        3) "two"
        4) (nil)
        5) (nil)
        6) (nil)
        7) (nil)
        8) (nil)
        9) (nil)
        10) (nil)
        11) "ten"
        12) (nil)
        > ARSET a 50 fifty
        > ARNEXT a
        (integer) 11
        > ARSEEK none 3
        (integer) 0
        > ARSEEK a x
        (error) ERR invalid array index
        > ARSEEK a 18446744073709551615
        (integer) 1
        > ARNEXT a
        (nil)
        > ARINSERT a x
        (error) ERR insert index overflow
        > ARSEEK a 18446744073709551613
        (integer) 1
        > ARINSERT a x y
        (big number) 18446744073709551614
        > ARINSERT a x
        (error) ERR insert index overflow
        > ARNEXT a
        (nil)
        > ARSEEK a 0
        (integer) 1
        > ARNEXT a
        (integer) 0
        # What is there stays, and what is removed does not move it.
        > ARINSERT a nought
        (integer) 0
        > ARGET a 0
        "nought"
        > ARDEL a 0
        > ARNEXT a
        (integer) 1
        "#,
    );
}

#[test]
fn last_items() {
    check(
        r#"
        > ARLASTITEMS a 3
        (empty array)
        > ARINSERT a a b c d
        > ARLASTITEMS a 2
        1) "c"
        2) "d"
        > ARLASTITEMS a 2 REV
        1) "d"
        2) "c"
        > ARLASTITEMS a 100
        1) "a"
        2) "b"
        3) "c"
        4) "d"
        > ARSEEK a 2
        > ARLASTITEMS a 3
        1) "d"
        2) "a"
        3) "b"
        > ARSEEK a 0
        > ARLASTITEMS a 1
        1) "d"
        > ARSEEK a 20
        > ARLASTITEMS a 2
        1) (nil)
        2) (nil)
        > ARLASTITEMS a 0
        (empty array)
        > ARLASTITEMS a -1 FOO
        (empty array)
        > ARLASTITEMS a x
        (error) ERR invalid COUNT
        > ARLASTITEMS a 1 FOO
        (error) ERR syntax error
        > ARLASTITEMS a 1 REV REV
        (error) ERR wrong number of arguments for 'arlastitems' command
        "#,
    );
}

#[test]
fn a_ring() {
    check(
        r#"
        > ARRING r 3 a b
        (integer) 1
        > ARRING r 3 c d
        (integer) 0
        > ARGETRANGE r 0 2
        1) "d"
        2) "b"
        3) "c"
        > ARLASTITEMS r 3
        1) "b"
        2) "c"
        3) "d"
        > ARNEXT r
        (integer) 1
        # It goes on where it was, in order, when it gets larger.
        > ARRING r 5 e
        (integer) 3
        > ARGETRANGE r 0 4
        1) "b"
        2) "c"
        3) "d"
        4) "e"
        5) (nil)
        > ARRING r 2 f
        (integer) 0
        > ARGETRANGE r 0 4
        1) "f"
        2) "e"
        3) (nil)
        4) (nil)
        5) (nil)
        > ARLASTITEMS r 9
        1) "e"
        2) "f"
        > ARRING r 1 a b c
        (integer) 0
        > ARGETRANGE r 0 4
        1) "c"
        2) (nil)
        3) (nil)
        4) (nil)
        5) (nil)
        > ARRING r 0 x
        (error) ERR size must be positive
        > ARRING r -1 x
        (error) ERR size must be positive
        > ARRING r x x
        (error) ERR invalid size
        "#,
    );
}

#[test]
fn a_gap_ends_what_a_ring_keeps() {
    check(
        r#"
        > ARRING r 5 a b c d e
        > ARDEL r 2
        > ARRING r 4 f
        (integer) 2
        > ARGETRANGE r 0 4
        1) "d"
        2) "e"
        3) "f"
        4) (nil)
        5) (nil)
        "#,
    );
}

#[test]
fn numbers() {
    check(
        r#"
        > ARSET a 0 10 -3 2.5 text 1e2 "" inf
        > AROP a 0 2 SUM
        "9.5"
        > AROP a 0 4 sum
        "109.5"
        > AROP a 0 5 MIN
        "-3"
        > AROP a 0 5 MAX
        "100"
        > AROP a 0 6 MAX
        "inf"
        > AROP a 3 3 SUM
        (nil)
        > AROP a 3 3 AND
        (nil)
        > AROP a 0 9 USED
        (integer) 7
        > AROP a 0 9 MATCH text
        (integer) 1
        > AROP none 0 9 SUM
        (nil)
        > AROP none 0 9 USED
        (integer) 0
        > AROP none 0 9 MATCH x
        (integer) 0
        # As Redis keeps them: some decimals as doubles, all others with more digits.
        > ARSET a 0 0.1 0.2 0.28
        > AROP a 0 1 SUM
        "0.3"
        > AROP a 2 2 SUM
        "0.28000000000000003"
        > ARSET a 0 9223372036854775807 1
        > AROP a 0 1 SUM
        "9.2233720368547758e+18"
        > AROP a 0 0 MAX
        "9.2233720368547758e+18"
        > AROP a 0 9 FOO
        (error) ERR unknown operation
        > AROP a 0 9 MATCH
        (error) ERR MATCH requires a value argument
        > AROP a 0 9 SUM x
        (error) ERR wrong number of arguments for 'arop' command
        > AROP a x 9 SUM
        (error) ERR invalid array index
        > AROP none 0 9 FOO
        (error) ERR unknown operation
        "#,
    );
}

#[test]
fn bits() {
    check(
        r#"
        > ARSET a 0 12 10 7.9 -1 1e30 text
        > AROP a 0 2 AND
        (integer) 0
        > AROP a 0 2 OR
        (integer) 15
        > AROP a 0 2 XOR
        (integer) 1
        > AROP a 0 9 OR
        (integer) -1
        > AROP a 4 5 OR
        (nil)
        "#,
    );
}

#[test]
fn grep() {
    check(
        r#"
        > ARSET a 0 RedisArray redis-match array-only plain 123 Foo777
        > ARGREP a - + MATCH redis
        1) (integer) 1
        > ARGREP a - + MATCH redis NOCASE
        1) (integer) 0
        2) (integer) 1
        > ARGREP a + - MATCH a WITHVALUES LIMIT 2
        1) 1) (integer) 3
           2) "plain"
        2) 1) (integer) 2
           2) "array-only"
        > ARGREP a 1 3 EXACT plain
        1) (integer) 3
        > ARGREP a 0 9 EXACT PLAIN nocase
        1) (integer) 3
        > ARGREP a - + GLOB *-* OR EXACT 123
        1) (integer) 1
        2) (integer) 2
        3) (integer) 4
        > ARGREP a - + MATCH redis GLOB *array* AND NOCASE
        1) (integer) 0
        > ARGREP a - + RE "^[A-Z][a-z]+[0-9]{3}$"
        1) (integer) 5
        > ARGREP a - + RE "^(foo|plain)" NOCASE
        1) (integer) 3
        2) (integer) 5
        > ARGREP a - + MATCH ""
        1) (integer) 0
        2) (integer) 1
        3) (integer) 2
        4) (integer) 3
        5) (integer) 4
        6) (integer) 5
        > ARGREP a - + MATCH none
        (empty array)
        > ARGREP none - + MATCH x
        (empty array)
        > ARGREP a - + LIMIT 1
        (error) ERR syntax error
        > ARGREP a - + MATCH x LIMIT
        (error) ERR syntax error
        > ARGREP a - + MATCH x LIMIT 0
        (error) ERR LIMIT must be positive
        > ARGREP a - + FOO x
        (error) ERR syntax error
        > ARGREP a x + MATCH x
        (error) ERR invalid array index
        > ARGREP a - + RE ""
        (error) ERR regular expression is empty
        > ARGREP a - + RE (
        (error) ERR invalid regular expression: Missing ')'
        > ARGREP a - + RE [a
        (error) ERR invalid regular expression: Missing ']'
        > ARGREP a - + RE a{256}
        (error) ERR invalid regular expression: Maximum repetition in {} larger than 255
        > ARGREP a - + RE a**
        (error) ERR invalid regular expression: Invalid use of repetition operators
        > ARGREP a - + RE [[:nope:]]
        (error) ERR invalid regular expression: Unknown character class name
        "#,
    );
}

#[test]
fn info() {
    check(
        r#"
        > ARMSET a 0 x 1 y 5000 z
        > ARINFO a
        1# "count" => (integer) 3
        2# "len" => (integer) 5001
        3# "next-insert-index" => (integer) 0
        4# "slices" => (integer) 2
        5# "directory-size" => (integer) 2
        6# "super-dir-entries" => (integer) 0
        7# "slice-size" => (integer) 4096
        > ARINFO a FULL
        1# "count" => (integer) 3
        2# "len" => (integer) 5001
        3# "next-insert-index" => (integer) 0
        4# "slices" => (integer) 2
        5# "directory-size" => (integer) 2
        6# "super-dir-entries" => (integer) 0
        7# "slice-size" => (integer) 4096
        8# "dense-slices" => (integer) 0
        9# "sparse-slices" => (integer) 2
        10# "avg-dense-size" => (double) 0
        11# "avg-dense-fill" => (double) 0
        12# "avg-sparse-size" => (double) 4
        > ARSET b 8388608 x
        > ARINSERT b y
        > ARINFO b
        1# "count" => (integer) 2
        2# "len" => (integer) 8388609
        3# "next-insert-index" => (integer) 1
        4# "slices" => (integer) 2
        5# "directory-size" => (integer) 4
        6# "super-dir-entries" => (integer) 2
        7# "slice-size" => (integer) 4096
        > ARINFO none
        (error) ERR no such key
        > ARINFO a FOO
        (error) ERR syntax error
        > ARINFO a FULL x
        (error) ERR syntax error
        "#,
    );
}

#[test]
fn of_another_type() {
    check(
        r#"
        > SET s x
        > ARGET s 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARGET s x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARSET s 0 x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARMSET s 0 x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARINSERT s x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARRING s 1 x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARDEL s 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARDELRANGE s 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARSEEK s 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARNEXT s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARLEN s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARSCAN s 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARGREP s - + MATCH x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > AROP s 0 1 SUM
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARLASTITEMS s 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARINFO s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ARSET a 0 x
        > GET a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LPUSH a x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn mistakes() {
    check(
        r#"
        > ARSET a 0
        (error) ERR wrong number of arguments for 'arset' command
        > ARMSET a 0 x 1
        (error) ERR wrong number of arguments for 'armset' command
        > ARDELRANGE a 0
        (error) ERR wrong number of arguments for 'ardelrange' command
        > ARMSET a 0 x -1 y
        (error) ERR invalid array index
        > EXISTS a
        (integer) 0
        "#,
    );
}

#[test]
fn payloads_are_those_of_redis() {
    check(
        r#"
        > ARSET a 0 a 5 2.5 "longer than that" 2305843009213693952
        > ARSET a 18446744073709551614 z
        > ARSEEK a 7
        > DUMP a
        "\x1c\x06\x01\x06\x00\x03\x01a\x01\x01\x05\x00\x00\x00\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x00\x00\x04@\x03\x00\x10longer than that\x04\x00\x132305843009213693952\x81\xff\xff\xff\xff\xff\xff\xff\xfe\x03\x01z\x0e\x00X(5\x142\xfc\xea\xae"
        > COPY a b
        > DEL a
        > RENAME b c
        OK
        > RESTORE d 0 "\x1c\x06\x01\x06\x00\x03\x01a\x01\x01\x05\x00\x00\x00\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x00\x00\x04@\x03\x00\x10longer than that\x04\x00\x132305843009213693952\x81\xff\xff\xff\xff\xff\xff\xff\xfe\x03\x01z\x0e\x00X(5\x142\xfc\xea\xae"
        OK
        > ARSCAN d 0 18446744073709551614
        1) 1) (integer) 0
           2) "a"
        2) 1) (integer) 1
           2) "5"
        3) 1) (integer) 2
           2) "2.5"
        4) 1) (integer) 3
           2) "longer than that"
        5) 1) (integer) 4
           2) "2305843009213693952"
        6) 1) (big number) 18446744073709551614
           2) "z"
        > ARNEXT d
        (integer) 7
        > ARNEXT c
        (integer) 7
        > ARGETRANGE c 0 4
        1) "a"
        2) "5"
        3) "2.5"
        4) "longer than that"
        5) "2305843009213693952"
        "#,
    );
}

#[test]
fn a_large_array_is_a_tree() {
    check(
        r#"
        > EVAL "for i = 0, 999 do redis.call('ARSET', KEYS[1], i * 3, 'value ' .. i) end" 1 a
        (nil)
        > ARCOUNT a
        (integer) 1000
        > ARLEN a
        (integer) 2998
        > ARGETRANGE a 1499 1502
        1) (nil)
        2) "value 500"
        3) (nil)
        4) (nil)
        > ARSET a 1498 x y z
        (integer) 2
        > ARGETRANGE a 1500 1497
        1) "z"
        2) "y"
        3) "x"
        4) "value 499"
        > AROP a 0 9999 USED
        (integer) 1002
        > ARGREP a + - MATCH "99" LIMIT 2
        1) (integer) 2997
        2) (integer) 2994
        > ARSEEK a 7
        (integer) 1
        > COPY a b
        (integer) 1
        > RENAME b c
        OK
        > ARCOUNT c
        (integer) 1002
        > ARGET c 2997
        "value 999"
        > ARNEXT c
        (integer) 7
        > ARDELRANGE a 10 2990
        (integer) 995
        > ARSCAN a 9 2995
        1) 1) (integer) 9
           2) "value 3"
        2) 1) (integer) 2991
           2) "value 997"
        3) 1) (integer) 2994
           2) "value 998"
        > ARDELRANGE a 0 18446744073709551614
        (integer) 7
        > EXISTS a
        (integer) 0
        "#,
    );
}

#[test]
fn events() {
    check(
        r#"
        > CONFIG SET notify-keyspace-events Ka
        OK
        > CONFIG GET notify-keyspace-events
        1# "notify-keyspace-events" => "aK"
        > CONFIG SET notify-keyspace-events Kag
        OK
        other> SUBSCRIBE __keyspace@0__:a
        1> "subscribe"
        2> "__keyspace@0__:a"
        3> (integer) 1
        > ARSET a 0 x y
        (integer) 2
        other<
        1> "message"
        2> "__keyspace@0__:a"
        3> "arset"
        > ARDEL a 7
        (integer) 0
        > ARINSERT a z
        (integer) 0
        other<
        1> "message"
        2> "__keyspace@0__:a"
        3> "arinsert"
        > ARDELRANGE a 0 9
        (integer) 2
        other<
        1> "message"
        2> "__keyspace@0__:a"
        3> "ardelrange"
        other<
        1> "message"
        2> "__keyspace@0__:a"
        3> "del"
        "#,
    );
}

#[test]
fn what_the_server_tells_of_arrays() {
    check(
        r#"
        > ARSET a 0 x
        (integer) 1
        > SCAN 0 TYPE array
        1) "0"
        2) 1) "a"
        > ACL CAT array
        (in any order)
        1) "arcount"
        2) "ardel"
        3) "ardelrange"
        4) "arget"
        5) "argetrange"
        6) "argrep"
        7) "arinfo"
        8) "arinsert"
        9) "arlastitems"
        10) "arlen"
        11) "armget"
        12) "armset"
        13) "arnext"
        14) "arop"
        15) "arring"
        16) "arscan"
        17) "arseek"
        18) "arset"
        > CONFIG SET array-slice-size 5000
        (error) ERR CONFIG SET failed (possibly related to argument 'array-slice-size') - array-slice-size must be a power of two
        > CONFIG SET array-sparse-kmax 5
        (error) ERR CONFIG SET failed (possibly related to argument 'array-sparse-kmax') - array-sparse-kmax must be greater than array-sparse-kmin when non-zero
        > CONFIG SET array-sparse-kmin 10
        (error) ERR CONFIG SET failed (possibly related to argument 'array-sparse-kmin') - array-sparse-kmin must be less than array-sparse-kmax
        > CONFIG SET array-sparse-kmax 0
        OK
        > ARINFO a FULL
        1# "count" => (integer) 1
        2# "len" => (integer) 1
        3# "next-insert-index" => (integer) 0
        4# "slices" => (integer) 1
        5# "directory-size" => (integer) 1
        6# "super-dir-entries" => (integer) 0
        7# "slice-size" => (integer) 4096
        8# "dense-slices" => (integer) 1
        9# "sparse-slices" => (integer) 0
        10# "avg-dense-size" => (double) 8
        11# "avg-dense-fill" => (double) 0.125
        12# "avg-sparse-size" => (double) 0
        "#,
    );
}
