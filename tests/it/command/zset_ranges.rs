//! Ranges of sorted sets, packed and as trees.

use super::zset::check_both;

#[test]
fn ranges_by_rank() {
    check_both(
        r#"
        > ZADD z 1 a 2 b 3 c 4 d
        (integer) 4
        > ZRANGE z 0 -1
        1) "a"
        2) "b"
        3) "c"
        4) "d"
        > ZRANGE z 1 2
        1) "b"
        2) "c"
        > ZRANGE z -2 -1
        1) "c"
        2) "d"
        > ZRANGE z -100 1
        1) "a"
        2) "b"
        > ZRANGE z 2 100
        1) "c"
        2) "d"
        > ZRANGE z 3 1
        (empty array)
        > ZRANGE z 4 5
        (empty array)
        > ZRANGE z -1 -5
        (empty array)
        > ZRANGE z 0 1 REV
        1) "d"
        2) "c"
        > ZREVRANGE z 0 -1
        1) "d"
        2) "c"
        3) "b"
        4) "a"
        > ZREVRANGE z -2 -1
        1) "b"
        2) "a"
        > ZREVRANGE z 9223372036854775807 9223372036854775807
        (empty array)
        > ZRANGE z -9223372036854775808 9223372036854775807
        1) "a"
        2) "b"
        3) "c"
        4) "d"
        > ZRANGE none 0 -1
        (empty array)
        > ZRANGE z a 1
        (error) ERR value is not an integer or out of range
        > ZRANGE z 0 1 LIMIT 0 1
        (error) ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
        > ZRANGE z 0 1 LIMIT 0 -1
        1) "a"
        2) "b"
        > ZRANGE z 0 1 WITHSCORES x
        (error) ERR syntax error
        > ZREVRANGE z 0 1 REV
        (error) ERR syntax error
        > SET s x
        OK
        > ZRANGE s 0 -1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANGE s 0 x
        (error) ERR value is not an integer or out of range
        "#,
    );
}

#[test]
fn ranges_by_score() {
    check_both(
        r#"
        > ZADD z -inf a 1 b 2 c 3 d 4 e 5 f +inf g
        (integer) 7
        > ZRANGEBYSCORE z -inf 2
        1) "a"
        2) "b"
        3) "c"
        > ZRANGEBYSCORE z (1 (4
        1) "c"
        2) "d"
        > ZRANGEBYSCORE z 2 +inf LIMIT 1 2
        1) "d"
        2) "e"
        > ZRANGEBYSCORE z 2 +inf LIMIT 1 -1
        1) "d"
        2) "e"
        3) "f"
        4) "g"
        > ZRANGEBYSCORE z 2 +inf LIMIT -1 10
        (empty array)
        > ZRANGEBYSCORE z 2 +inf LIMIT 100 10
        (empty array)
        > ZRANGEBYSCORE z 3 1
        (empty array)
        > ZRANGEBYSCORE z (-inf (inf
        1) "b"
        2) "c"
        3) "d"
        4) "e"
        5) "f"
        > ZREVRANGEBYSCORE z +inf (2
        1) "g"
        2) "f"
        3) "e"
        4) "d"
        > ZREVRANGEBYSCORE z 4 1 LIMIT 1 2
        1) "d"
        2) "c"
        > ZREVRANGEBYSCORE z 1 4
        (empty array)
        > ZRANGE z 1 3 BYSCORE
        1) "b"
        2) "c"
        3) "d"
        > ZRANGE z 3 1 BYSCORE REV
        1) "d"
        2) "c"
        3) "b"
        > ZRANGE z (3 (1 BYSCORE REV LIMIT 0 1
        1) "c"
        > ZCOUNT z -inf +inf
        (integer) 7
        > ZCOUNT z (1 3
        (integer) 2
        > ZCOUNT z (1 (1
        (integer) 0
        > ZCOUNT none 0 1
        (integer) 0
        > ZCOUNT z 1 x
        (error) ERR min or max is not a float
        > ZRANGEBYSCORE z x 1
        (error) ERR min or max is not a float
        > ZRANGEBYSCORE z 1 (nan
        (error) ERR min or max is not a float
        > ZRANGEBYSCORE z 1 2 LIMIT 1
        (error) ERR syntax error
        > ZRANGEBYSCORE z 1 2 LIMIT a 1
        (error) ERR value is not an integer or out of range
        > ZRANGEBYSCORE z 1 2 BYSCORE
        (error) ERR syntax error
        > ZREMRANGEBYSCORE z (1 3
        (integer) 2
        > ZREMRANGEBYSCORE z x 3
        (error) ERR min or max is not a float
        > ZREMRANGEBYSCORE none 1 3
        (integer) 0
        > ZRANGE z 0 -1
        1) "a"
        2) "b"
        3) "e"
        4) "f"
        5) "g"
        > ZREMRANGEBYSCORE z -inf inf
        (integer) 5
        > EXISTS z
        (integer) 0
        "#,
    );
}

#[test]
fn ranges_by_member() {
    check_both(
        r#"
        > ZADD z 0 alpha 0 bar 0 cool 0 down 0 elephant 0 foo 0 12 0 ""
        (integer) 8
        > ZRANGEBYLEX z - +
        1) ""
        2) "12"
        3) "alpha"
        4) "bar"
        5) "cool"
        6) "down"
        7) "elephant"
        8) "foo"
        > ZRANGEBYLEX z [bar [down
        1) "bar"
        2) "cool"
        3) "down"
        > ZRANGEBYLEX z (bar (down
        1) "cool"
        > ZRANGEBYLEX z [a [c
        1) "alpha"
        2) "bar"
        > ZRANGEBYLEX z + -
        (empty array)
        > ZRANGEBYLEX z [ (13
        1) ""
        2) "12"
        > ZRANGEBYLEX z - + LIMIT 1 2
        1) "12"
        2) "alpha"
        > ZREVRANGEBYLEX z + -
        1) "foo"
        2) "elephant"
        3) "down"
        4) "cool"
        5) "bar"
        6) "alpha"
        7) "12"
        8) ""
        > ZREVRANGEBYLEX z (foo [cool
        1) "elephant"
        2) "down"
        3) "cool"
        > ZREVRANGEBYLEX z [zzz (a LIMIT 2 2
        1) "down"
        2) "cool"
        > ZRANGE z [b + BYLEX LIMIT 0 2
        1) "bar"
        2) "cool"
        > ZRANGE z + [b BYLEX REV LIMIT 0 2
        1) "foo"
        2) "elephant"
        > ZLEXCOUNT z - +
        (integer) 8
        > ZLEXCOUNT z (bar [foo
        (integer) 4
        > ZLEXCOUNT none - +
        (integer) 0
        > ZLEXCOUNT z a b
        (error) ERR min or max not valid string range item
        > ZRANGEBYLEX z [a b
        (error) ERR min or max not valid string range item
        > ZRANGEBYLEX z -x +
        (error) ERR min or max not valid string range item
        > ZRANGEBYLEX z - + WITHSCORES
        (error) ERR syntax error, WITHSCORES not supported in combination with BYLEX
        > ZRANGE z - + BYLEX WITHSCORES
        (error) ERR syntax error, WITHSCORES not supported in combination with BYLEX
        > ZREMRANGEBYLEX z (alpha [cool
        (integer) 2
        > ZREMRANGEBYLEX z x +
        (error) ERR min or max not valid string range item
        > ZREMRANGEBYLEX z [x +
        (integer) 0
        > ZRANGE z 0 -1
        1) ""
        2) "12"
        3) "alpha"
        4) "down"
        5) "elephant"
        6) "foo"
        "#,
    );
}

#[test]
fn ranges_by_rank_are_removed() {
    check_both(
        r#"
        > ZADD z 1 a 2 b 3 c 4 d 5 e
        (integer) 5
        > ZREMRANGEBYRANK z 1 2
        (integer) 2
        > ZRANGE z 0 -1
        1) "a"
        2) "d"
        3) "e"
        > ZREMRANGEBYRANK z -1 -1
        (integer) 1
        > ZREMRANGEBYRANK z 5 6
        (integer) 0
        > ZREMRANGEBYRANK z a 6
        (error) ERR value is not an integer or out of range
        > ZREMRANGEBYRANK none 0 1
        (integer) 0
        > ZREMRANGEBYRANK z 0 -1
        (integer) 2
        > EXISTS z
        (integer) 0
        "#,
    );
}

#[test]
fn ranges_are_stored() {
    check_both(
        r#"
        > ZADD src 1 a 2 b 3 c 4 d
        (integer) 4
        > ZRANGESTORE dst src 1 2
        (integer) 2
        > ZRANGE dst 0 -1
        1) "b"
        2) "c"
        > ZSCORE dst b
        (double) 2
        > ZRANGESTORE dst src 0 1 REV
        (integer) 2
        > ZRANGE dst 0 -1
        1) "c"
        2) "d"
        > ZRANGESTORE dst src (1 3 BYSCORE LIMIT 1 5
        (integer) 1
        > ZRANGE dst 0 -1
        1) "c"
        > ZRANGESTORE dst src [b + BYLEX
        (integer) 3
        > ZRANGESTORE dst none 0 -1
        (integer) 0
        > EXISTS dst
        (integer) 0
        > SET dst x
        OK
        > ZRANGESTORE dst src 5 6
        (integer) 0
        > EXISTS dst
        (integer) 0
        > ZRANGESTORE src src 0 1
        (integer) 2
        > ZRANGE src 0 -1
        1) "a"
        2) "b"
        > ZRANGESTORE dst src 0 1 WITHSCORES
        (error) ERR syntax error
        > ZRANGESTORE dst src 0 1 LIMIT 1 1
        (error) ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
        > SET s x
        OK
        > ZRANGESTORE dst s 0 -1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

/// Blanks before a number are no fault, and a NUL ends it.
#[test]
fn bounds_are_read_as_by_c() {
    check_both(
        r#"
        > ZADD z 1 a 2 b 3 c
        (integer) 3
        > ZCOUNT z " 2" "( 3"
        (integer) 1
        > ZCOUNT z "2\x00x" +inf
        (integer) 2
        > ZCOUNT z "2 " +inf
        (error) ERR min or max is not a float
        "#,
    );
}
