//! Pending entries that are given back (XNACK), and claimed by reading (XREADGROUP CLAIM).

use crate::harness::check;

#[test]
fn entries_given_back() {
    check(
        r#"
        > XADD s 1-0 a 1
        > XADD s 2-0 a 2
        > XADD s 3-0 a 3
        > XGROUP CREATE s g 0
        > XREADGROUP GROUP g alice COUNT 2 STREAMS s >
        > XREADGROUP GROUP g alice STREAMS s 0
        > XNACK s g SILENT IDS 1 1-0
        (integer) 1
        > XNACK s g FAIL IDS 3 2-0 3-0 9-0
        (integer) 1
        > XPENDING s g - + 10
        1) 1) "1-0"
           2) ""
           3) (integer) -1
           4) (integer) 1
        2) 1) "2-0"
           2) ""
           3) (integer) -1
           4) (integer) 2
        > XPENDING s g
        1) (integer) 2
        2) "1-0"
        3) "2-0"
        4) (empty array)
        > XREADGROUP GROUP g alice STREAMS s 0
        > XNACK s g FATAL IDS 1 2-0
        (integer) 1
        > XNACK s g SILENT IDS 1 1-0 RETRYCOUNT 7
        (integer) 1
        > XNACK s g SILENT FORCE IDS 2 3-0 9-0
        (integer) 1
        > XPENDING s g - + 10
        1) 1) "1-0"
           2) ""
           3) (integer) -1
           4) (integer) 7
        2) 1) "2-0"
           2) ""
           3) (integer) -1
           4) (integer) 9223372036854775807
        3) 1) "3-0"
           2) ""
           3) (integer) -1
           4) (integer) 0
        # Anybody may have them.
        > XCLAIM s g bob 1000 1-0 JUSTID
        1) "1-0"
        > XACK s g 2-0
        (integer) 1
        > XAUTOCLAIM s g bob 1000 - JUSTID
        1) "0-0"
        2) 1) "3-0"
        3) (empty array)
        > XPENDING s g
        1) (integer) 2
        2) "1-0"
        3) "3-0"
        4) 1) 1) "bob"
              2) "2"
        > XNACK s g FAIL IDS 1 3-0
        (integer) 1
        > XGROUP DELCONSUMER s g bob
        (integer) 1
        > XPENDING s g
        1) (integer) 1
        2) "3-0"
        3) "3-0"
        4) (empty array)
        > XDEL s 3-0
        (integer) 1
        > XCLAIM s g bob 0 3-0
        (empty array)
        > XPENDING s g
        1) (integer) 0
        2) (nil)
        3) (nil)
        4) (nil array)
        "#,
    );
}

#[test]
fn what_is_claimed_first() {
    check(
        r#"
        ~only resp2
        > XADD s 1-0 a 1
        > XADD s 2-0 a 2
        > XADD s 3-0 a 3
        > XADD s 4-0 a 4
        > XGROUP CREATE s g 0
        > XREADGROUP GROUP g alice COUNT 1 STREAMS s >
        ~advance 5ms
        > XREADGROUP GROUP g alice COUNT 2 CLAIM 100 STREAMS s >
        1) 1) "s"
           2) 1) 1) "2-0"
                 2) 1) "a"
                    2) "2"
                 3) (integer) 0
                 4) (integer) 0
              2) 1) "3-0"
                 2) 1) "a"
                    2) "3"
                 3) (integer) 0
                 4) (integer) 0
        ~advance 95ms
        > XNACK s g FAIL IDS 2 3-0 2-0
        (integer) 2
        # What was given back, in that order, what was delivered the longest ago, and what is new.
        > XREADGROUP GROUP g bob CLAIM 100 COUNT 1 STREAMS s >
        1) 1) "s"
           2) 1) 1) "3-0"
                 2) 1) "a"
                    2) "3"
                 3) (integer) 1700000000100
                 4) (integer) 1
        > XREADGROUP GROUP g bob CLAIM 100 STREAMS s >
        1) 1) "s"
           2) 1) 1) "2-0"
                 2) 1) "a"
                    2) "2"
                 3) (integer) 1700000000100
                 4) (integer) 1
              2) 1) "1-0"
                 2) 1) "a"
                    2) "1"
                 3) (integer) 100
                 4) (integer) 1
              3) 1) "4-0"
                 2) 1) "a"
                    2) "4"
                 3) (integer) 0
                 4) (integer) 0
        > XREADGROUP GROUP g carol CLAIM 100 STREAMS s >
        (nil array)
        > XPENDING s g
        1) (integer) 4
        2) "1-0"
        3) "4-0"
        4) 1) 1) "bob"
              2) "4"
        # One given back again comes after those before it.
        > XNACK s g FAIL IDS 3 1-0 2-0 3-0
        (integer) 3
        > XNACK s g FAIL IDS 1 1-0
        (integer) 1
        > XREADGROUP GROUP g carol CLAIM 1000 COUNT 1 STREAMS s >
        > XPENDING s g - + 10 carol
        1) 1) "2-0"
           2) "carol"
           3) (integer) 0
           4) (integer) 3
        # What is no longer in the stream is left alone.
        > XDEL s 3-0
        (integer) 1
        > XREADGROUP GROUP g carol CLAIM 1000 STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-0"
                 2) 1) "a"
                    2) "1"
                 3) (integer) 1700000000100
                 4) (integer) 2
        # A consumer's own history is read as ever.
        > XREADGROUP GROUP g carol CLAIM 1000 COUNT 1 STREAMS s 0
        1) 1) "s"
           2) 1) 1) "1-0"
                 2) 1) "a"
                    2) "1"
        "#,
    );
}

#[test]
fn who_waits_for_what_may_be_claimed() {
    check(
        r#"
        ~only resp2
        > XADD s 1-0 a 1
        > XGROUP CREATE s g 0
        > XREADGROUP GROUP g alice STREAMS s >
        one> XREADGROUP GROUP g bob BLOCK 0 CLAIM 1000 STREAMS s >
        (no reply)
        > XNACK s g SILENT IDS 1 1-0
        (integer) 1
        one<
        1) 1) "s"
           2) 1) 1) "1-0"
                 2) 1) "a"
                    2) "1"
                 3) (integer) 1700000000000
                 4) (integer) 0
        one> XREADGROUP GROUP g bob BLOCK 0 CLAIM 1000 STREAMS s >
        (no reply)
        > XADD s 2-0 a 2
        "2-0"
        one<
        1) 1) "s"
           2) 1) 1) "2-0"
                 2) 1) "a"
                    2) "2"
                 3) (integer) 0
                 4) (integer) 0
        # With time alone.
        one> XREADGROUP GROUP g bob BLOCK 0 CLAIM 1000 STREAMS s >
        (no reply)
        ~advance 1001ms
        one<
        1) 1) "s"
           2) 1) 1) "1-0"
                 2) 1) "a"
                    2) "1"
                 3) (integer) 1001
                 4) (integer) 1
              2) 1) "2-0"
                 2) 1) "a"
                    2) "2"
                 3) (integer) 1001
                 4) (integer) 1
        # Nothing may be claimed before the time is up.
        one> XREADGROUP GROUP g bob BLOCK 500 CLAIM 1000 STREAMS s >
        (no reply)
        ~advance 501ms
        one<
        (nil array)
        "#,
    );
}

#[test]
fn mistakes() {
    check(
        r#"
        > XADD s 1-0 a 1
        > XGROUP CREATE s g 0
        > XNACK s g
        (error) ERR wrong number of arguments for 'xnack' command
        > XNACK s g FOO IDS 1 1-0
        (error) ERR mode must be SILENT, FAIL, or FATAL
        > XNACK none g SILENT IDS 1 1-0
        (error) NOGROUP No such key 'none' or consumer group 'g'
        > XNACK s none SILENT IDS 1 1-0
        (error) NOGROUP No such key 's' or consumer group 'none'
        > XNACK s g SILENT IDS 0 1-0
        (error) ERR numids must be a positive integer
        > XNACK s g SILENT IDS 9223372036854775807 1-0
        (error) ERR numids must be a positive integer
        > XNACK s g SILENT IDS 2 1-0
        (error) ERR number of IDs doesn't match numids
        > XNACK s g SILENT IDS 1 x
        (error) ERR Invalid stream ID specified as stream command argument
        > XNACK s g SILENT IDS 1 1-0 BAR
        (error) ERR Unrecognized XNACK option 'BAR'
        > XNACK s g SILENT IDS 1 1-0 RETRYCOUNT -1
        (error) ERR Invalid RETRYCOUNT value, must be >= 0
        > XNACK s g SILENT IDS 1 1-0 RETRYCOUNT x
        (error) ERR value is not an integer or out of range
        > XNACK s g SILENT FORCE RETRYCOUNT 3
        (error) ERR syntax error, expected IDS keyword
        > XREADGROUP GROUP g bob CLAIM x STREAMS s >
        (error) ERR min-idle-time is not an integer or out of range
        > XREADGROUP GROUP g bob CLAIM -1 STREAMS s >
        (error) ERR min-idle-time must be a positive integer
        > XREAD CLAIM 5 STREAMS s 0
        (error) ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.
        "#,
    );
}
