//! Sorted sets, packed and as trees.

use crate::harness::check;

/// Holds a transcript for packed sorted sets and for trees.
pub fn check_both(transcript: &str) {
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

#[test]
fn clients_wait_for_sorted_sets() {
    check(
        r#"
        > ZADD b 1 x 2 y
        (integer) 2
        > BZPOPMIN a b 0
        1) "b"
        2) "x"
        3) (double) 1
        > BZPOPMAX a b 0
        1) "b"
        2) "y"
        3) (double) 2
        > BZPOPMIN a b 0
        (no reply)
        other> ZADD b 3 z 4 w
        (integer) 2
        <
        1) "b"
        2) "z"
        3) (double) 3
        > BZMPOP 0 2 a c MAX COUNT 5
        (no reply)
        other> RENAME b c
        OK
        <
        1) "c"
        2) 1) 1) "w"
              2) (double) 4
        > BZPOPMAX a 1
        (no reply)
        ~advance 1000ms
        <
        (nil array)
        > BZMPOP 1 1 a MIN
        (no reply)
        other> MULTI
        other> ZADD a 1 x
        other> DEL a
        other> EXEC
        1) (integer) 1
        2) (integer) 1
        other> ZADD a 2 y
        (integer) 1
        <
        1) "a"
        2) 1) 1) "y"
              2) (double) 2
        > SET a x
        OK
        > BZPOPMIN a 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BZPOPMIN b x
        (error) ERR timeout is not a float or out of range
        > BZMPOP 0 0 b MIN
        (error) ERR numkeys should be greater than 0
        > MULTI
        OK
        > BZPOPMIN b 0
        QUEUED
        > EXEC
        1) (nil array)
        "#,
    );
}

#[test]
fn sets_take_part_with_scores_of_one() {
    check(
        r#"
        > SADD s a b 7
        (integer) 3
        > SADD n 7 8
        (integer) 2
        > ZADD z 5 b 6 7
        (integer) 2
        > ZUNION 3 s n z
        1) "8"
        2) "a"
        3) "b"
        4) "7"
        > ZINTERSTORE d 3 s n z WEIGHTS 10 100 1
        (integer) 1
        > ZSCORE d 7
        (double) 116
        > ZDIFF 2 s z
        1) "a"
        > CONFIG SET set-max-listpack-entries 0 set-max-intset-entries 0
        OK
        > SADD h a b
        (integer) 2
        > ZINTER 2 h s
        1) "a"
        2) "b"
        > ZINTERCARD 2 z h
        (integer) 1
        "#,
    );
}

#[test]
fn aggregate_count() {
    check(
        r#"
        ~only resp2
        > ZADD a 1 x 2 y
        (integer) 2
        > ZADD b 5 y 6 z
        (integer) 2
        > ZUNION 2 a b AGGREGATE COUNT WITHSCORES
        1) "x"
        2) "1"
        3) "z"
        4) "1"
        5) "y"
        6) "2"
        > ZINTER 2 a b WEIGHTS 2 3 AGGREGATE count WITHSCORES
        1) "y"
        2) "5"
        > ZUNIONSTORE c 2 a b AGGREGATE AVERAGE
        (error) ERR syntax error
        "#,
    );
}
