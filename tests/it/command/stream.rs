//! Streams.

use crate::harness::check;

#[test]
fn entries_are_added_read_and_deleted() {
    check(
        r#"
        > XADD s 1-1 a 1 b 2
        "1-1"
        > XADD s 1-2 a 3 b -4
        "1-2"
        > XADD s 5 other x
        "5-0"
        > XADD s 3 c x
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD s 5-0 c x
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD s 5-* c x
        "5-1"
        > XADD s 7-* c x
        "7-0"
        > XADD s 6-* c x
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD s abc c x
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s 8-1x c x
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s -1 c x
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s 0-0 a 1
        (error) ERR The ID specified in XADD must be greater than 0-0
        > XADD none 0-0 a 1
        (error) ERR The ID specified in XADD must be greater than 0-0
        > XADD none 0-* a 1
        "0-1"
        > XADD none NOMKSTREAM 0-2 a 2
        "0-2"
        > XADD none2 NOMKSTREAM * a 1
        (nil)
        > EXISTS none2
        (integer) 0
        > XADD s * a
        (error) ERR wrong number of arguments for 'xadd' command
        > XADD s * a 1 b
        (error) ERR wrong number of arguments for 'xadd' command
        > XLEN s
        (integer) 5
        > XLEN none2
        (integer) 0
        > TYPE s
        stream
        > OBJECT ENCODING s
        "stream"
        > XRANGE s - +
        1) 1) "1-1"
           2) 1) "a"
              2) "1"
              3) "b"
              4) "2"
        2) 1) "1-2"
           2) 1) "a"
              2) "3"
              3) "b"
              4) "-4"
        3) 1) "5-0"
           2) 1) "other"
              2) "x"
        4) 1) "5-1"
           2) 1) "c"
              2) "x"
        5) 1) "7-0"
           2) 1) "c"
              2) "x"
        > XRANGE s (1-1 + COUNT 1
        1) 1) "1-2"
           2) 1) "a"
              2) "3"
              3) "b"
              4) "-4"
        > XRANGE s 1 1
        1) 1) "1-1"
           2) 1) "a"
              2) "1"
              3) "b"
              4) "2"
        2) 1) "1-2"
           2) 1) "a"
              2) "3"
              3) "b"
              4) "-4"
        > XRANGE s 5 +
        1) 1) "5-0"
           2) 1) "other"
              2) "x"
        2) 1) "5-1"
           2) 1) "c"
              2) "x"
        3) 1) "7-0"
           2) 1) "c"
              2) "x"
        > XRANGE s 6 4
        (empty array)
        > XRANGE s - + COUNT 0
        (nil array)
        > XRANGE s - + COUNT -1
        (nil array)
        > XRANGE s - + COUNT x
        (error) ERR value is not an integer or out of range
        > XRANGE s - + LIMIT 1
        (error) ERR syntax error
        > XRANGE s - + COUNT
        (error) ERR syntax error
        > XRANGE s x +
        (error) ERR Invalid stream ID specified as stream command argument
        > XRANGE s (- +
        (error) ERR Invalid stream ID specified as stream command argument
        > XRANGE s (18446744073709551615-18446744073709551615 +
        (error) ERR invalid start ID for the interval
        > XRANGE s - (0-0
        (error) ERR invalid end ID for the interval
        > XREVRANGE s + - COUNT 2
        1) 1) "7-0"
           2) 1) "c"
              2) "x"
        2) 1) "5-1"
           2) 1) "c"
              2) "x"
        > XREVRANGE s 1-2 1-1
        1) 1) "1-2"
           2) 1) "a"
              2) "3"
              3) "b"
              4) "-4"
        2) 1) "1-1"
           2) 1) "a"
              2) "1"
              3) "b"
              4) "2"
        > XREVRANGE s (5-0 (1-1
        1) 1) "1-2"
           2) 1) "a"
              2) "3"
              3) "b"
              4) "-4"
        > XREVRANGE none2 + -
        (empty array)
        > XDEL s 1-2 9-9
        (integer) 1
        > XDEL s 1-2
        (integer) 0
        > XDEL none2 1-1
        (integer) 0
        > XDEL s x
        (error) ERR Invalid stream ID specified as stream command argument
        > XLEN s
        (integer) 4
        > XINFO STREAM s
        1# "length" => (integer) 4
        2# "radix-tree-keys" => (integer) 1
        3# "radix-tree-nodes" => (integer) 2
        4# "last-generated-id" => "7-0"
        5# "max-deleted-entry-id" => "1-2"
        6# "entries-added" => (integer) 5
        7# "recorded-first-entry-id" => "1-1"
        8# "idmp-duration" => (integer) 100
        9# "idmp-maxsize" => (integer) 100
        10# "pids-tracked" => (integer) 0
        11# "iids-tracked" => (integer) 0
        12# "iids-added" => (integer) 0
        13# "iids-duplicates" => (integer) 0
        14# "groups" => (integer) 0
        15# "first-entry" =>
            1) "1-1"
            2) 1) "a"
               2) "1"
               3) "b"
               4) "2"
        16# "last-entry" =>
            1) "7-0"
            2) 1) "c"
               2) "x"
        > SET str v
        OK
        > XADD str * a b
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XLEN str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XRANGE str - +
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XDEL str 1-1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XADD top 18446744073709551615-18446744073709551615 a b
        "18446744073709551615-18446744073709551615"
        > XADD top * a b
        (error) ERR The stream has exhausted the last possible ID, unable to add more items
        > XADD top 18446744073709551615-* a b
        (error) ERR The stream has exhausted the last possible ID, unable to add more items
        "#,
    );
}

#[test]
fn trimming() {
    check(
        &r#"
        > XADD s 1-0 n 1
        > XADD s 2-0 n 2
        > XADD s 3-0 n 3
        > XADD s 4-0 n 4
        > XADD s 5-0 n 5
        > XTRIM s MAXLEN 4
        (integer) 1
        > XTRIM s MAXLEN = 4
        (integer) 0
        > XTRIM s MINID 3
        (integer) 1
        > XRANGE s - +
        1) 1) "3-0"
           2) 1) "n"
              2) "3"
        2) 1) "4-0"
           2) 1) "n"
              2) "4"
        3) 1) "5-0"
           2) 1) "n"
              2) "5"
        > XADD s MAXLEN 2 6-0 n 6
        "6-0"
        > XADD s MINID = 6 7-0 n 7
        "7-0"
        > XRANGE s - +
        1) 1) "6-0"
           2) 1) "n"
              2) "6"
        2) 1) "7-0"
           2) 1) "n"
              2) "7"
        > XTRIM s MAXLEN -1
        (error) ERR The MAXLEN argument must be >= 0.
        > XTRIM s MAXLEN x
        (error) ERR value is not an integer or out of range
        > XTRIM s MAXLEN
        (error) ERR wrong number of arguments for 'xtrim' command
        > XTRIM s MINID x
        (error) ERR Invalid stream ID specified as stream command argument
        > XTRIM s MAXLEN 1 MINID 1
        (error) ERR syntax error, MAXLEN and MINID options at the same time are not compatible
        > XTRIM s LIMIT 1
        (error) ERR syntax error, LIMIT cannot be used without specifying a trimming strategy
        > XTRIM s MAXLEN 1 LIMIT 1
        (error) ERR syntax error, LIMIT cannot be used without the special ~ option
        > XTRIM s MAXLEN = 1 LIMIT 1
        (error) ERR syntax error, LIMIT cannot be used without the special ~ option
        > XTRIM s MAXLEN ~ 1 LIMIT -1
        (error) ERR The LIMIT argument must be >= 0.
        > XTRIM s MAXLEN ~ 1 LIMIT 1
        (integer) 0
        > XTRIM s FOO 1
        (error) ERR syntax error
        > XTRIM none MAXLEN 1
        (integer) 0
        > XADD s LIMIT 5 * a b
        (error) ERR syntax error, LIMIT cannot be used without specifying a trimming strategy
        > XADD s MAXLEN 1 LIMIT 5 * a b
        (error) ERR syntax error, LIMIT cannot be used without the special ~ option
        > XTRIM s MAXLEN 0
        (integer) 2
        > XLEN s
        (integer) 0
        > EXISTS s
        (integer) 1
        > XINFO STREAM s
        1# "length" => (integer) 0
        2# "radix-tree-keys" => (integer) 0
        3# "radix-tree-nodes" => (integer) 1
        4# "last-generated-id" => "7-0"
        5# "max-deleted-entry-id" => "0-0"
        6# "entries-added" => (integer) 7
        7# "recorded-first-entry-id" => "0-0"
        8# "idmp-duration" => (integer) 100
        9# "idmp-maxsize" => (integer) 100
        10# "pids-tracked" => (integer) 0
        11# "iids-tracked" => (integer) 0
        12# "iids-added" => (integer) 0
        13# "iids-duplicates" => (integer) 0
        14# "groups" => (integer) 0
        15# "first-entry" => (nil)
        16# "last-entry" => (nil)
        > XADD s 7-0 again x
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD s 8-0 again x
        "8-0"
        # by about: whole nodes
        > CONFIG SET stream-node-max-entries 10
        OK
        > XADD t 1-0 n 1
        > XADD t 2-0 n 1
        > XADD t 3-0 n 1
        > XADD t 4-0 n 1
        > XADD t 5-0 n 1
        > XADD t 6-0 n 1
        > XADD t 7-0 n 1
        > XADD t 8-0 n 1
        > XADD t 9-0 n 1
        > XADD t 10-0 n 1
        > XADD t 11-0 n 1
        > XADD t 12-0 n 1
        > XTRIM t MAXLEN ~ 5
        (integer) 0
        > XTRIM t MAXLEN ~ 2
        (integer) 10
        > XLEN t
        (integer) 2
        > XTRIM t MAXLEN ~ 0
        (integer) 2
        > XLEN t
        (integer) 0
        > XADD u 1-0 n 1
        > XADD u 2-0 n 1
        > XADD u 3-0 n 1
        > XADD u 4-0 n 1
        > XADD u 5-0 n 1
        > XADD u 6-0 n 1
        > XADD u 7-0 n 1
        > XADD u 8-0 n 1
        > XADD u 9-0 n 1
        > XADD u 10-0 n 1
        > XADD u 11-0 n 1
        > XTRIM u MAXLEN 8
        (integer) 3
        > XTRIM u MAXLEN ~ 1
        (integer) 7
        > XTRIM u MINID ~ 20-0 LIMIT 1
        (integer) 1
        > XTRIM u MINID ~ 20-0 LIMIT 0
        (integer) 0
        > CONFIG SET stream-node-max-entries 100
        OK
        # a node of long entries has fewer
        > CONFIG SET stream-node-max-bytes 200
        OK
        > XADD v 1-0 n "${x}"
        > XADD v 2-0 n "${x}"
        > XADD v 3-0 n "${x}"
        > XADD v 4-0 n "${x}"
        > XADD v MAXLEN ~ 2 5-0 n "${x}"
        > XLEN v
        (integer) 2
        > CONFIG SET stream-node-max-bytes 0
        OK
        > XADD y 1-0 n "${x}"
        > XADD y 2-0 n "${x}"
        > XTRIM y MAXLEN ~ 1
        (integer) 0
        > CONFIG SET stream-node-max-bytes 4096
        OK
        > CONFIG SET stream-node-max-entries 0
        OK
        > XADD w 1-0 n 1
        > XADD w 2-0 n 1
        > XTRIM w MAXLEN ~ 1
        (integer) 0
        > CONFIG SET stream-node-max-entries 100
        OK
        "#
        .replace("${x}", &"x".repeat(150)),
    );
}

#[test]
fn reading_after_an_id() {
    check(
        r#"
        ~only resp2
        > XADD s 1-0 a 1
        > XADD s 2-0 a 2
        > XADD t 9-0 b 9
        > XREAD STREAMS s 0
        1) 1) "s"
           2) 1) 1) "1-0"
                 2) 1) "a"
                    2) "1"
              2) 1) "2-0"
                 2) 1) "a"
                    2) "2"
        > XREAD COUNT 1 STREAMS s t none 0 0 0
        1) 1) "s"
           2) 1) 1) "1-0"
                 2) 1) "a"
                    2) "1"
        2) 1) "t"
           2) 1) 1) "9-0"
                 2) 1) "b"
                    2) "9"
        > XREAD STREAMS s 2-0
        (nil array)
        > XREAD STREAMS s $
        (nil array)
        > XREAD STREAMS s +
        1) 1) "s"
           2) 1) 1) "2-0"
                 2) 1) "a"
                    2) "2"
        > XREAD COUNT 0 STREAMS t +
        1) 1) "t"
           2) 1) 1) "9-0"
                 2) 1) "b"
                    2) "9"
        > XREAD COUNT -3 STREAMS t 8
        1) 1) "t"
           2) 1) 1) "9-0"
                 2) 1) "b"
                    2) "9"
        > XREAD BLOCK 1 COUNT 1 STREAMS s 1
        1) 1) "s"
           2) 1) 1) "2-0"
                 2) 1) "a"
                    2) "2"
        > XREAD STREAMS s t 0
        (error) ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.
        > XREAD STREAMS s >
        (error) ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.
        > XREAD STREAMS
        (error) ERR wrong number of arguments for 'xread' command
        > XREAD COUNT 1 s 0
        (error) ERR syntax error
        > XREAD COUNT x STREAMS s 0
        (error) ERR value is not an integer or out of range
        > XREAD BLOCK -1 STREAMS s 0
        (error) ERR timeout is negative
        > XREAD BLOCK x STREAMS s 0
        (error) ERR timeout is not an integer or out of range
        > XREAD GROUP g c STREAMS s 0
        (error) ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.
        > XREAD NOACK STREAMS s 0
        (error) ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.
        > XREAD STREAMS s x
        (error) ERR Invalid stream ID specified as stream command argument
        > XREADGROUP COUNT 1 BLOCK 1 STREAMS s >
        (error) ERR Missing GROUP option for XREADGROUP
        > SET str v
        OK
        > XREAD STREAMS str 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XREAD STREAMS none 0
        (nil array)
        > XSETID s 1-0
        (error) ERR The ID specified in XSETID is smaller than the target stream top item
        > XSETID s 10-0 ENTRIESADDED 1
        (error) ERR The entries_added specified in XSETID is smaller than the target stream length
        > XSETID s 10-0 ENTRIESADDED -1
        (error) ERR entries_added must be positive
        > XSETID s 10-0 ENTRIESADDED 20 MAXDELETEDID 11-0
        (error) ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id
        > XSETID s 10-0 ENTRIESADDED 20 MAXDELETEDID 7-0
        OK
        > XSETID s 6-0
        (error) ERR The ID specified in XSETID is smaller than current max_deleted_entry_id
        > XSETID s 10-0 FOO 1
        (error) ERR syntax error
        > XSETID none 1-0
        (error) ERR no such key
        > XINFO STREAM s
        1) "length"
        2) (integer) 2
        3) "radix-tree-keys"
        4) (integer) 1
        5) "radix-tree-nodes"
        6) (integer) 2
        7) "last-generated-id"
        8) "10-0"
        9) "max-deleted-entry-id"
        10) "7-0"
        11) "entries-added"
        12) (integer) 20
        13) "recorded-first-entry-id"
        14) "1-0"
        15) "idmp-duration"
        16) (integer) 100
        17) "idmp-maxsize"
        18) (integer) 100
        19) "pids-tracked"
        20) (integer) 0
        21) "iids-tracked"
        22) (integer) 0
        23) "iids-added"
        24) (integer) 0
        25) "iids-duplicates"
        26) (integer) 0
        27) "groups"
        28) (integer) 0
        29) "first-entry"
        30) 1) "1-0"
            2) 1) "a"
               2) "1"
        31) "last-entry"
        32) 1) "2-0"
            2) 1) "a"
               2) "2"
        > XADD s 10-0 a b
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        "#,
    );
}

#[test]
fn reading_in_resp3() {
    check(
        r#"
        ~only resp3
        > XADD s 1-0 a 1
        > XADD s 2-0 a 2
        > XADD t 9-0 b 9
        > XREAD COUNT 1 STREAMS s t none 0 0 0
        1# "s" =>
           1) 1) "1-0"
              2) 1) "a"
                 2) "1"
        2# "t" =>
           1) 1) "9-0"
              2) 1) "b"
                 2) "9"
        > XREAD STREAMS s 5
        (nil)
        > XGROUP CREATE s g 0
        > XGROUP CREATE t g 0
        > XREADGROUP GROUP g alice COUNT 1 STREAMS t s > >
        1# "t" =>
           1) 1) "9-0"
              2) 1) "b"
                 2) "9"
        2# "s" =>
           1) 1) "1-0"
              2) 1) "a"
                 2) "1"
        > XREADGROUP GROUP g alice STREAMS t > 
        (nil)
        > XREADGROUP GROUP g alice STREAMS s 0
        1# "s" =>
           1) 1) "1-0"
              2) 1) "a"
                 2) "1"
        > XDEL s 1-0
        > XREADGROUP GROUP g alice STREAMS s 0
        1# "s" =>
           1) 1) "1-0"
              2) (nil)
        > XINFO STREAM s FULL
        1# "length" => (integer) 1
        2# "radix-tree-keys" => (integer) 1
        3# "radix-tree-nodes" => (integer) 2
        4# "last-generated-id" => "2-0"
        5# "max-deleted-entry-id" => "1-0"
        6# "entries-added" => (integer) 2
        7# "recorded-first-entry-id" => "2-0"
        8# "idmp-duration" => (integer) 100
        9# "idmp-maxsize" => (integer) 100
        10# "pids-tracked" => (integer) 0
        11# "iids-tracked" => (integer) 0
        12# "iids-added" => (integer) 0
        13# "iids-duplicates" => (integer) 0
        14# "entries" =>
            1) 1) "2-0"
               2) 1) "a"
                  2) "2"
        15# "groups" =>
            1) 1# "name" => "g"
               2# "last-delivered-id" => "1-0"
               3# "entries-read" => (integer) 1
               4# "lag" => (integer) 1
               5# "pel-count" => (integer) 1
               6# "nacked-count" => (integer) 0
               7# "pending" =>
                  1) 1) "1-0"
                     2) "alice"
                     3) (any)
                     4) (integer) 2
               8# "consumers" =>
                  1) 1# "name" => "alice"
                     2# "seen-time" => (any)
                     3# "active-time" => (any)
                     4# "pel-count" => (integer) 1
                     5# "pending" =>
                        1) 1) "1-0"
                           2) (any)
                           3) (integer) 2
        > XINFO GROUPS s
        1) 1# "name" => "g"
           2# "consumers" => (integer) 1
           3# "pending" => (integer) 1
           4# "last-delivered-id" => "1-0"
           5# "entries-read" => (integer) 1
           6# "lag" => (integer) 1
        > XINFO CONSUMERS s g
        1) 1# "name" => "alice"
           2# "pending" => (integer) 1
           3# "idle" => (any)
           4# "inactive" => (any)
        > XPENDING s g
        1) (integer) 1
        2) "1-0"
        3) "1-0"
        4) 1) 1) "alice"
              2) "1"
        "#,
    );
}

#[test]
fn who_waits_is_given_what_comes() {
    check(
        r#"
        ~only resp2
        > XADD s 1-0 a 1
        "1-0"
        one> XREAD BLOCK 0 STREAMS none s $ $
        (no reply)
        two> XREAD BLOCK 0 COUNT 1 STREAMS s 5-0
        (no reply)
        > XADD s 2-0 a 2
        "2-0"
        one<
        1) 1) "s"
           2) 1) 1) "2-0"
                 2) 1) "a"
                    2) "2"
        > XADD s 6-0 a 6
        "6-0"
        two<
        1) 1) "s"
           2) 1) 1) "6-0"
                 2) 1) "a"
                    2) "6"
        one> XREAD BLOCK 1000 STREAMS s $
        (no reply)
        ~advance 1001ms
        one<
        (nil array)
        # Nobody waits inside a transaction.
        > MULTI
        OK
        > XREAD BLOCK 0 STREAMS s $
        QUEUED
        > EXEC
        1) (nil array)
        # A deleted entry wakes nobody, nor does another type.
        one> XREAD BLOCK 1000 STREAMS s $
        (no reply)
        > XDEL s 6-0
        (integer) 1
        > DEL s
        (integer) 1
        > SET s v
        OK
        > DEL s
        (integer) 1
        > XADD s 7-0 a 7
        "7-0"
        one<
        1) 1) "s"
           2) 1) 1) "7-0"
                 2) 1) "a"
                    2) "7"
        "#,
    );
}

#[test]
fn the_last_entry_is_the_last_that_is_left() {
    check(
        r#"
        ~only resp2
        > XADD s 1-0 a 1
        "1-0"
        > XADD s 2-0 a 2
        "2-0"
        > XDEL s 2-0
        (integer) 1
        > XREAD STREAMS s +
        1) 1) "s"
           2) 1) 1) "1-0"
                 2) 1) "a"
                    2) "1"
        > XDEL s 1-0
        (integer) 1
        > XREAD STREAMS s +
        (nil array)
    "#,
    );
}

/// Blanks and a sign before a number are no fault.
#[test]
fn ids_are_read_as_by_c() {
    check(
        r#"
        > XADD x " 1-+2" f v
        "1-2"
        > XRANGE x " 1" +
        1) 1) "1-2"
           2) 1) "f"
              2) "v"
        > XADD x "2 -1" f v
        (error) ERR Invalid stream ID specified as stream command argument
        > XDELEX nothing IDS 2 - $
        1) (integer) -1
        2) (integer) -1
        > XDELEX x IDS 1 -
        (error) ERR Invalid stream ID specified as stream command argument
        > SET s 1
        OK
        > XDELEX s IDS nonsense 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XGROUP CREATE x g 0 nonsense
        (error) ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.
        > xgroup create x g 0 nonsense
        (error) ERR unknown subcommand or wrong number of arguments for 'create'. Try XGROUP HELP.
        "#,
    );
}

/// Whoever asks becomes a consumer, whether there is anything for it or not; so the log says, and so does a script.
#[test]
fn xreadgroup_makes_a_consumer_of_who_gets_nothing() {
    check(
        r#"
        > XGROUP CREATE s g $ MKSTREAM
        OK
        > XREADGROUP GROUP g alice STREAMS s >
        (nil array)
        > EVAL "redis.call('XREADGROUP', 'GROUP', 'g', 'bob', 'STREAMS', 's', '>') return redis.call('XGROUP', 'DELCONSUMER', 's', 'g', 'nobody')" 1 s
        (integer) 0
        > XGROUP CREATECONSUMER s g alice
        (integer) 0
        > XGROUP CREATECONSUMER s g bob
        (integer) 0
        "#,
    );
}
