//! Sorted sets, packed and as trees.

use crate::harness::check;

/// Holds a transcript for packed sorted sets and for trees.
fn check_both(transcript: &str) {
    check(transcript);
    check(&format!("        > CONFIG SET zset-max-listpack-entries 0\n        OK\n{transcript}"));
}

#[test]
fn scores_are_set_and_read() {
    check_both(
        r#"
        > ZADD z 1 one 2 two 3 three
        (integer) 3
        > ZADD z 1.5 one 4 four
        (integer) 1
        > ZADD z CH 2.5 one 5 five
        (integer) 2
        > ZCARD z
        (integer) 5
        > TYPE z
        zset
        > ZSCORE z one
        (double) 2.5
        > ZSCORE z none
        (nil)
        > ZSCORE none one
        (nil)
        > ZMSCORE z one none five
        1) (double) 2.5
        2) (nil)
        3) (double) 5
        > ZMSCORE none a
        1) (nil)
        > ZRANK z one
        (integer) 1
        > ZREVRANK z one
        (integer) 3
        > ZRANK z one WITHSCORE
        1) (integer) 1
        2) (double) 2.5
        > ZRANK z none WITHSCORE
        (nil array)
        > ZREVRANK z none
        (nil)
        > ZRANK z one withscores
        (error) ERR syntax error
        > ZRANK z one withscore more
        (error) ERR wrong number of arguments for 'zrank' command
        > ZINCRBY z 1.5 one
        (double) 4
        > ZINCRBY z inf new
        (double) inf
        > ZINCRBY z -inf new
        (error) ERR resulting score is not a number (NaN)
        > ZINCRBY z x new
        (error) ERR value is not a valid float
        > ZRANGE z 0 -1
        1) "two"
        2) "three"
        3) "four"
        4) "one"
        5) "five"
        6) "new"
        > ZREM z two three none
        (integer) 2
        > ZREM none a
        (integer) 0
        > ZREM z one four five new
        (integer) 4
        > EXISTS z
        (integer) 0
        "#,
    );
}

#[test]
fn scores_are_exact_doubles() {
    check_both(
        r#"
        ~only resp3
        > ZADD z 0.1 a 9007199254740993 b -0 c 1e300 d -inf e +inf f 3.0e-10 g 0x10 h
        (integer) 8
        > ZRANGE z 0 -1
        1) "e"
        2) "c"
        3) "g"
        4) "a"
        5) "h"
        6) "b"
        7) "d"
        8) "f"
        > ZMSCORE z a b c d e f g h
        1) (double) 0.1
        2) (double) 9007199254740992
        3) (double) -0
        4) (double) 1e+300
        5) (double) -inf
        6) (double) inf
        7) (double) 3e-10
        8) (double) 16
        > ZADD z 0 c
        (integer) 0
        > ZCOUNT z 0 0
        (integer) 1
        > ZADD z nan x
        (error) ERR value is not a valid float
        > ZADD z 1 a two b
        (error) ERR value is not a valid float
        > ZSCORE z a
        (double) 0.1
        "#,
    );
}

#[test]
fn zadd_options() {
    check_both(
        r#"
        > ZADD z XX 1 a
        (integer) 0
        > EXISTS z
        (integer) 0
        > ZADD z 10 a 20 b
        (integer) 2
        > ZADD z NX 11 a 30 c
        (integer) 1
        > ZADD z XX CH 11 a 40 d
        (integer) 1
        > ZADD z GT CH 5 a 50 b
        (integer) 1
        > ZADD z LT CH 5 a 60 b
        (integer) 1
        > ZRANGE z 0 -1
        1) "a"
        2) "c"
        3) "b"
        > ZMSCORE z a c b
        1) (double) 5
        2) (double) 30
        3) (double) 50
        > ZADD z INCR 1 a
        (double) 6
        > ZADD z NX INCR 1 a
        (nil)
        > ZADD z XX INCR 1 absent
        (nil)
        > ZADD z GT INCR -1 a
        (nil)
        > ZADD absent XX INCR 1 a
        (nil)
        > ZADD z NX XX 1 a
        (error) ERR XX and NX options at the same time are not compatible
        > ZADD z GT LT 1 a
        (error) ERR GT, LT, and/or NX options at the same time are not compatible
        > ZADD z NX GT 1 a
        (error) ERR GT, LT, and/or NX options at the same time are not compatible
        > ZADD z INCR 1 a 2 b
        (error) ERR INCR option supports a single increment-element pair
        > ZADD z 1 a 2
        (error) ERR syntax error
        > ZADD z NX CH
        (error) ERR syntax error
        > SET s x
        OK
        > ZADD s 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZADD s x a
        (error) ERR value is not a valid float
        "#,
    );
}

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

#[test]
fn scores_come_flat_in_resp2() {
    check_both(
        r#"
        ~only resp2
        > ZADD z 1 a 2.5 b -inf c
        (integer) 3
        > ZRANGE z 0 -1 WITHSCORES
        1) "c"
        2) "-inf"
        3) "a"
        4) "1"
        5) "b"
        6) "2.5"
        > ZREVRANGEBYSCORE z 2 (-inf WITHSCORES
        1) "a"
        2) "1"
        > ZPOPMIN z
        1) "c"
        2) "-inf"
        > ZPOPMAX z 5
        1) "b"
        2) "2.5"
        3) "a"
        4) "1"
        > ZADD z 1 a
        (integer) 1
        > ZADD y 3 a 4 b
        (integer) 2
        > ZUNION 2 z y WITHSCORES
        1) "a"
        2) "4"
        3) "b"
        4) "4"
        > ZINTER 2 z y WITHSCORES
        1) "a"
        2) "4"
        > ZDIFF 2 y z WITHSCORES
        1) "b"
        2) "4"
        > ZRANDMEMBER z 3 WITHSCORES
        1) "a"
        2) "1"
        > ZRANDMEMBER z -2 WITHSCORES
        1) "a"
        2) "1"
        3) "a"
        4) "1"
        "#,
    );
}

#[test]
fn scores_come_in_pairs_in_resp3() {
    check_both(
        r#"
        ~only resp3
        > ZADD z 1 a 2.5 b -inf c
        (integer) 3
        > ZRANGE z 0 -1 WITHSCORES
        1) 1) "c"
           2) (double) -inf
        2) 1) "a"
           2) (double) 1
        3) 1) "b"
           2) (double) 2.5
        > ZREVRANGEBYSCORE z 2 (-inf WITHSCORES
        1) 1) "a"
           2) (double) 1
        > ZPOPMIN z
        1) "c"
        2) (double) -inf
        > ZPOPMAX z 5
        1) 1) "b"
           2) (double) 2.5
        2) 1) "a"
           2) (double) 1
        > ZADD z 1 a
        (integer) 1
        > ZADD y 3 a 4 b
        (integer) 2
        > ZUNION 2 z y WITHSCORES
        1) 1) "a"
           2) (double) 4
        2) 1) "b"
           2) (double) 4
        > ZINTER 2 z y WITHSCORES
        1) 1) "a"
           2) (double) 4
        > ZDIFF 2 y z WITHSCORES
        1) 1) "b"
           2) (double) 4
        > ZRANDMEMBER z 3 WITHSCORES
        1) 1) "a"
           2) (double) 1
        > ZRANDMEMBER z -2 WITHSCORES
        1) 1) "a"
           2) (double) 1
        2) 1) "a"
           2) (double) 1
        "#,
    );
}

#[test]
fn elements_are_popped() {
    check_both(
        r#"
        > ZADD z 1 a 2 b 3 c 4 d 5 e
        (integer) 5
        > ZPOPMIN z
        1) "a"
        2) (double) 1
        > ZPOPMAX z
        1) "e"
        2) (double) 5
        > ZPOPMIN z 0
        (empty array)
        > ZPOPMIN none
        (empty array)
        > ZPOPMIN none 3
        (empty array)
        > ZPOPMIN z -1
        (error) ERR value is out of range, must be positive
        > ZPOPMIN z a
        (error) ERR value is out of range, must be positive
        > ZPOPMIN z 1 2
        (error) ERR syntax error
        > ZMPOP 2 none z MIN
        1) "z"
        2) 1) 1) "b"
              2) (double) 2
        > ZMPOP 2 none z MAX COUNT 10
        1) "z"
        2) 1) 1) "d"
              2) (double) 4
           2) 1) "c"
              2) (double) 3
        > ZMPOP 2 none z MAX COUNT 10
        (nil array)
        > EXISTS z
        (integer) 0
        > ZADD z 1 a
        (integer) 1
        > ZMPOP 0 z MIN
        (error) ERR numkeys should be greater than 0
        > ZMPOP a z MIN
        (error) ERR numkeys should be greater than 0
        > ZMPOP 2 z MIN
        (error) ERR syntax error
        > ZMPOP 1 z MID
        (error) ERR syntax error
        > ZMPOP 1 z MIN COUNT 0
        (error) ERR count should be greater than 0
        > ZMPOP 1 z MIN COUNT
        (error) ERR syntax error
        > ZMPOP 1 z MIN COUNT 1 COUNT 2
        (error) ERR syntax error
        > SET s x
        OK
        > ZPOPMIN s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZMPOP 2 z s MIN
        1) "z"
        2) 1) 1) "a"
              2) (double) 1
        > ZMPOP 2 z s MIN
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn members_are_chosen_at_random() {
    check_both(
        r#"
        > ZADD z 1 a 2 b
        (integer) 2
        > ZRANDMEMBER none
        (nil)
        > ZRANDMEMBER none 5
        (empty array)
        > ZRANDMEMBER z 5
        (in any order)
        1) "b"
        2) "a"
        > ZRANDMEMBER z 0
        (empty array)
        > ZRANDMEMBER z a
        (error) ERR value is not an integer or out of range
        > ZRANDMEMBER z -9223372036854775808
        (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > ZRANDMEMBER z -9223372036854775807 WITHSCORES
        (error) ERR value is out of range
        > ZRANDMEMBER z 1 x
        (error) ERR syntax error
        > ZRANDMEMBER z 1 WITHSCORES x
        (error) ERR syntax error
        > ZREM z b
        (integer) 1
        > ZRANDMEMBER z
        "a"
        > ZRANDMEMBER z -3
        1) "a"
        2) "a"
        3) "a"
        "#,
    );
}

#[test]
fn sorted_sets_are_combined() {
    check_both(
        r#"
        > ZADD a 1 x 2 y 3 z
        (integer) 3
        > ZADD b 10 y 20 z 30 w
        (integer) 3
        > ZUNION 2 a b
        1) "x"
        2) "y"
        3) "z"
        4) "w"
        > ZINTER 2 a b
        1) "y"
        2) "z"
        > ZDIFF 2 a b
        1) "x"
        > ZUNION 1 a
        1) "x"
        2) "y"
        3) "z"
        > ZUNIONSTORE d 2 a b
        (integer) 4
        > ZRANGE d 0 -1
        1) "x"
        2) "y"
        3) "z"
        4) "w"
        > ZMSCORE d x y z w
        1) (double) 1
        2) (double) 12
        3) (double) 23
        4) (double) 30
        > ZUNIONSTORE d 2 a b WEIGHTS 2 0.5 AGGREGATE MAX
        (integer) 4
        > ZMSCORE d x y z w
        1) (double) 2
        2) (double) 5
        3) (double) 10
        4) (double) 15
        > ZINTERSTORE d 2 a b WEIGHTS -1 1 AGGREGATE MIN
        (integer) 2
        > ZMSCORE d y z
        1) (double) -2
        2) (double) -3
        > ZINTERSTORE d 2 a b
        (integer) 2
        > ZMSCORE d y z
        1) (double) 12
        2) (double) 23
        > ZDIFFSTORE d 2 a b
        (integer) 1
        > ZMSCORE d x
        1) (double) 1
        > ZINTERCARD 2 a b
        (integer) 2
        > ZINTERCARD 2 a b LIMIT 1
        (integer) 1
        > ZINTERCARD 2 a b LIMIT 0
        (integer) 2
        > ZINTERCARD 2 a none
        (integer) 0
        > ZINTERSTORE d 2 a none
        (integer) 0
        > EXISTS d
        (integer) 0
        > ZADD p inf i
        (integer) 1
        > ZADD m -inf i
        (integer) 1
        > ZUNIONSTORE d 2 p m
        (integer) 1
        > ZSCORE d i
        (double) 0
        > ZUNIONSTORE d 1 p WEIGHTS 0
        (integer) 1
        > ZSCORE d i
        (double) 0
        > ZUNIONSTORE a 2 a a
        (integer) 3
        > ZMSCORE a x y z
        1) (double) 2
        2) (double) 4
        3) (double) 6
        > ZDIFFSTORE a 2 a a
        (integer) 0
        > EXISTS a
        (integer) 0
        > ZUNION 0 a
        (error) ERR at least 1 input key is needed for 'zunion' command
        > ZUNIONSTORE d 0 a
        (error) ERR at least 1 input key is needed for 'zunionstore' command
        > ZINTERCARD 0 a
        (error) ERR at least 1 input key is needed for 'zintercard' command
        > ZUNION a b
        (error) ERR value is not an integer or out of range
        > ZUNION 3 a b
        (error) ERR syntax error
        > ZUNION 1 b WEIGHTS
        (error) ERR syntax error
        > ZUNION 1 b WEIGHTS x
        (error) ERR weight value is not a float
        > ZUNION 1 b AGGREGATE avg
        (error) ERR syntax error
        > ZUNION 1 b LIMIT 1
        (error) ERR syntax error
        > ZUNIONSTORE d 1 b WITHSCORES
        (error) ERR syntax error
        > ZDIFF 1 b WEIGHTS 1
        (error) ERR syntax error
        > ZINTERCARD 1 b LIMIT -1
        (error) ERR LIMIT can't be negative
        > ZINTERCARD 1 b WITHSCORES
        (error) ERR syntax error
        > SET s x
        OK
        > ZUNION 2 b s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZUNION 2 s b BOGUS
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn encodings_follow_the_settings() {
    check(
        r#"
        > ZADD z 1 a
        (integer) 1
        > OBJECT ENCODING z
        "listpack"
        > ZADD z 2 0123456789012345678901234567890123456789012345678901234567890123
        (integer) 1
        > OBJECT ENCODING z
        "listpack"
        > ZADD z 3 01234567890123456789012345678901234567890123456789012345678901234
        (integer) 1
        > OBJECT ENCODING z
        "skiplist"
        > ZREM z 01234567890123456789012345678901234567890123456789012345678901234
        (integer) 1
        > OBJECT ENCODING z
        "skiplist"
        > ZRANGE z 0 -1
        1) "a"
        2) "0123456789012345678901234567890123456789012345678901234567890123"
        > CONFIG SET zset-max-listpack-entries 3
        OK
        > ZADD y 1 a 2 b 3 c
        (integer) 3
        > OBJECT ENCODING y
        "listpack"
        > ZUNIONSTORE x 1 y
        (integer) 3
        > OBJECT ENCODING x
        "listpack"
        > ZUNIONSTORE x 2 y z
        (integer) 4
        > OBJECT ENCODING x
        "skiplist"
        > ZADD y 1 c
        (integer) 0
        > OBJECT ENCODING y
        "listpack"
        > ZADD y 4 d
        (integer) 1
        > OBJECT ENCODING y
        "skiplist"
        > ZRANGE y 0 -1
        1) "a"
        2) "c"
        3) "b"
        4) "d"
        > COPY y w
        (integer) 1
        > ZINCRBY y 10 a
        (double) 11
        > ZRANK y a
        (integer) 3
        > RENAME y v
        OK
        > ZSCORE v a
        (double) 11
        > ZSCORE w a
        (double) 1
        > DEL v
        (integer) 1
        "#,
    );
}

#[test]
fn scans() {
    check_both(
        r#"
        > ZADD z 1 a 2.5 b
        (integer) 2
        > ZSCAN z 0
        1) "0"
        2) 1) "a"
           2) "1"
           3) "b"
           4) "2.5"
        > ZSCAN z 0 MATCH b*
        1) "0"
        2) 1) "b"
           2) "2.5"
        > ZSCAN z 0 COUNT 100 NOSCORES
        1) "0"
        2) 1) "a"
           2) "b"
        > ZSCAN none 0
        1) "0"
        2) (empty array)
        > ZSCAN z x
        (error) ERR invalid cursor
        > ZSCAN z 0 COUNT 0
        (error) ERR syntax error
        > ZSCAN z 0 COUNT x
        (error) ERR value is not an integer or out of range
        > ZSCAN z 0 BOGUS
        (error) ERR syntax error
        "#,
    );
}
