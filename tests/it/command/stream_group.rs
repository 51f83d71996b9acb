//! Consumer groups.

use crate::harness::check;

#[test]
fn groups_and_consumers() {
    check(
        r#"
        ~only resp2
        > XADD s 1-0 a 1
        > XADD s 2-0 a 2
        > XADD s 3-0 a 3
        > XGROUP CREATE s g 0
        OK
        > XGROUP CREATE s g 0
        (error) BUSYGROUP Consumer Group name already exists
        > XGROUP CREATE none g 0
        (error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > XGROUP CREATE none g $ MKSTREAM
        OK
        > XGROUP CREATE s h $ ENTRIESREAD 2
        OK
        > XGROUP CREATE s i 1 ENTRIESREAD -2
        (error) ERR value for ENTRIESREAD must be positive or -1
        > XGROUP CREATE s i x
        (error) ERR Invalid stream ID specified as stream command argument
        > XGROUP CREATE s i 1 FOO
        (error) ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.
        > TYPE none
        stream
        > XINFO STREAM none
        1) "length"
        2) (integer) 0
        3) "radix-tree-keys"
        4) (integer) 0
        5) "radix-tree-nodes"
        6) (integer) 1
        7) "last-generated-id"
        8) "0-0"
        9) "max-deleted-entry-id"
        10) "0-0"
        11) "entries-added"
        12) (integer) 0
        13) "recorded-first-entry-id"
        14) "0-0"
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
        28) (integer) 1
        29) "first-entry"
        30) (nil)
        31) "last-entry"
        32) (nil)
        > XINFO GROUPS s
        1) 1) "name"
           2) "g"
           3) "consumers"
           4) (integer) 0
           5) "pending"
           6) (integer) 0
           7) "last-delivered-id"
           8) "0-0"
           9) "entries-read"
           10) (nil)
           11) "lag"
           12) (integer) 3
        2) 1) "name"
           2) "h"
           3) "consumers"
           4) (integer) 0
           5) "pending"
           6) (integer) 0
           7) "last-delivered-id"
           8) "3-0"
           9) "entries-read"
           10) (integer) 2
           11) "lag"
           12) (integer) 1
        > XINFO GROUPS none2
        (error) ERR no such key
        > XREADGROUP GROUP g alice COUNT 1 STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-0"
                 2) 1) "a"
                    2) "1"
        > XREADGROUP GROUP g bob STREAMS s >
        1) 1) "s"
           2) 1) 1) "2-0"
                 2) 1) "a"
                    2) "2"
              2) 1) "3-0"
                 2) 1) "a"
                    2) "3"
        > XREADGROUP GROUP g bob STREAMS s >
        (nil array)
        > XREADGROUP GROUP g bob STREAMS s 0
        1) 1) "s"
           2) 1) 1) "2-0"
                 2) 1) "a"
                    2) "2"
              2) 1) "3-0"
                 2) 1) "a"
                    2) "3"
        > XREADGROUP GROUP g bob COUNT 1 STREAMS s 2-0
        1) 1) "s"
           2) 1) 1) "3-0"
                 2) 1) "a"
                    2) "3"
        > XREADGROUP GROUP g carl STREAMS s 0
        1) 1) "s"
           2) (empty array)
        > XREADGROUP GROUP nog carl STREAMS s >
        (error) NOGROUP No such key 's' or consumer group 'nog' in XREADGROUP with GROUP option
        > XREADGROUP GROUP g carl STREAMS none2 >
        (error) NOGROUP No such key 'none2' or consumer group 'g' in XREADGROUP with GROUP option
        > XREADGROUP GROUP g carl STREAMS s $
        (error) ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.
        > XREADGROUP GROUP g carl STREAMS s +
        (error) ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.
        > XREADGROUP GROUP g carl STREAMS s x
        (error) ERR Invalid stream ID specified as stream command argument
        > XINFO GROUPS s
        1) 1) "name"
           2) "g"
           3) "consumers"
           4) (integer) 3
           5) "pending"
           6) (integer) 3
           7) "last-delivered-id"
           8) "3-0"
           9) "entries-read"
           10) (integer) 3
           11) "lag"
           12) (integer) 0
        2) 1) "name"
           2) "h"
           3) "consumers"
           4) (integer) 0
           5) "pending"
           6) (integer) 0
           7) "last-delivered-id"
           8) "3-0"
           9) "entries-read"
           10) (integer) 2
           11) "lag"
           12) (integer) 1
        > XPENDING s g
        1) (integer) 3
        2) "1-0"
        3) "3-0"
        4) 1) 1) "alice"
              2) "1"
           2) 1) "bob"
              2) "2"
        > XPENDING s g - + 10
        1) 1) "1-0"
           2) "alice"
           3) (any)
           4) (integer) 1
        2) 1) "2-0"
           2) "bob"
           3) (any)
           4) (integer) 2
        3) 1) "3-0"
           2) "bob"
           3) (any)
           4) (integer) 3
        > XPENDING s g - + 10 bob
        1) 1) "2-0"
           2) "bob"
           3) (any)
           4) (integer) 2
        2) 1) "3-0"
           2) "bob"
           3) (any)
           4) (integer) 3
        > XPENDING s g (2-0 + 10
        1) 1) "3-0"
           2) "bob"
           3) (any)
           4) (integer) 3
        > XPENDING s g - + 0
        (empty array)
        > XPENDING s g - + 10 zed
        (empty array)
        > XPENDING s g IDLE 100000 - + 10
        (empty array)
        > XPENDING s g - +
        (error) ERR syntax error
        > XPENDING s g IDLE 5
        (error) ERR syntax error
        > XPENDING s g - + x
        (error) ERR value is not an integer or out of range
        > XPENDING s nog
        (error) NOGROUP No such key 's' or consumer group 'nog'
        > XPENDING none2 g
        (error) NOGROUP No such key 'none2' or consumer group 'g'
        > XPENDING none g
        1) (integer) 0
        2) (nil)
        3) (nil)
        4) (nil array)
        > XACK s g 1-0 9-0
        (integer) 1
        > XACK s g 1-0
        (integer) 0
        > XACK s nog 1-0
        (integer) 0
        > XACK none2 g 1-0
        (integer) 0
        > XACK s g x
        (error) ERR Invalid stream ID specified as stream command argument
        > XPENDING s g
        1) (integer) 2
        2) "2-0"
        3) "3-0"
        4) 1) 1) "bob"
              2) "2"
        > XINFO CONSUMERS s g
        1) 1) "name"
           2) "alice"
           3) "pending"
           4) (integer) 0
           5) "idle"
           6) (any)
           7) "inactive"
           8) (any)
        2) 1) "name"
           2) "bob"
           3) "pending"
           4) (integer) 2
           5) "idle"
           6) (any)
           7) "inactive"
           8) (any)
        3) 1) "name"
           2) "carl"
           3) "pending"
           4) (integer) 0
           5) "idle"
           6) (any)
           7) "inactive"
           8) (integer) -1
        > XINFO CONSUMERS s nog
        (error) NOGROUP No such consumer group 'nog' for key name 's'
        > XINFO CONSUMERS none2 g
        (error) ERR no such key
        > XDEL s 2-0
        (integer) 1
        > XREADGROUP GROUP g bob STREAMS s 0
        1) 1) "s"
           2) 1) 1) "2-0"
                 2) (nil array)
              2) 1) "3-0"
                 2) 1) "a"
                    2) "3"
        > XINFO STREAM s FULL
        1) "length"
        2) (integer) 2
        3) "radix-tree-keys"
        4) (integer) 1
        5) "radix-tree-nodes"
        6) (integer) 2
        7) "last-generated-id"
        8) "3-0"
        9) "max-deleted-entry-id"
        10) "2-0"
        11) "entries-added"
        12) (integer) 3
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
        27) "entries"
        28) 1) 1) "1-0"
               2) 1) "a"
                  2) "1"
            2) 1) "3-0"
               2) 1) "a"
                  2) "3"
        29) "groups"
        30) 1) 1) "name"
               2) "g"
               3) "last-delivered-id"
               4) "3-0"
               5) "entries-read"
               6) (integer) 3
               7) "lag"
               8) (integer) 0
               9) "pel-count"
               10) (integer) 2
               11) "nacked-count"
               12) (integer) 0
               13) "pending"
               14) 1) 1) "2-0"
                      2) "bob"
                      3) (any)
                      4) (integer) 2
                   2) 1) "3-0"
                      2) "bob"
                      3) (any)
                      4) (integer) 4
               15) "consumers"
               16) 1) 1) "name"
                      2) "alice"
                      3) "seen-time"
                      4) (any)
                      5) "active-time"
                      6) (any)
                      7) "pel-count"
                      8) (integer) 0
                      9) "pending"
                      10) (empty array)
                   2) 1) "name"
                      2) "bob"
                      3) "seen-time"
                      4) (any)
                      5) "active-time"
                      6) (any)
                      7) "pel-count"
                      8) (integer) 2
                      9) "pending"
                      10) 1) 1) "2-0"
                             2) (any)
                             3) (integer) 2
                          2) 1) "3-0"
                             2) (any)
                             3) (integer) 4
                   3) 1) "name"
                      2) "carl"
                      3) "seen-time"
                      4) (any)
                      5) "active-time"
                      6) (integer) -1
                      7) "pel-count"
                      8) (integer) 0
                      9) "pending"
                      10) (empty array)
            2) 1) "name"
               2) "h"
               3) "last-delivered-id"
               4) "3-0"
               5) "entries-read"
               6) (integer) 2
               7) "lag"
               8) (integer) 1
               9) "pel-count"
               10) (integer) 0
               11) "nacked-count"
               12) (integer) 0
               13) "pending"
               14) (empty array)
               15) "consumers"
               16) (empty array)
        > XINFO STREAM s FULL COUNT 1
        1) "length"
        2) (integer) 2
        3) "radix-tree-keys"
        4) (integer) 1
        5) "radix-tree-nodes"
        6) (integer) 2
        7) "last-generated-id"
        8) "3-0"
        9) "max-deleted-entry-id"
        10) "2-0"
        11) "entries-added"
        12) (integer) 3
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
        27) "entries"
        28) 1) 1) "1-0"
               2) 1) "a"
                  2) "1"
        29) "groups"
        30) 1) 1) "name"
               2) "g"
               3) "last-delivered-id"
               4) "3-0"
               5) "entries-read"
               6) (integer) 3
               7) "lag"
               8) (integer) 0
               9) "pel-count"
               10) (integer) 2
               11) "nacked-count"
               12) (integer) 0
               13) "pending"
               14) 1) 1) "2-0"
                      2) "bob"
                      3) (any)
                      4) (integer) 2
               15) "consumers"
               16) 1) 1) "name"
                      2) "alice"
                      3) "seen-time"
                      4) (any)
                      5) "active-time"
                      6) (any)
                      7) "pel-count"
                      8) (integer) 0
                      9) "pending"
                      10) (empty array)
                   2) 1) "name"
                      2) "bob"
                      3) "seen-time"
                      4) (any)
                      5) "active-time"
                      6) (any)
                      7) "pel-count"
                      8) (integer) 2
                      9) "pending"
                      10) 1) 1) "2-0"
                             2) (any)
                             3) (integer) 2
                   3) 1) "name"
                      2) "carl"
                      3) "seen-time"
                      4) (any)
                      5) "active-time"
                      6) (integer) -1
                      7) "pel-count"
                      8) (integer) 0
                      9) "pending"
                      10) (empty array)
            2) 1) "name"
               2) "h"
               3) "last-delivered-id"
               4) "3-0"
               5) "entries-read"
               6) (integer) 2
               7) "lag"
               8) (integer) 1
               9) "pel-count"
               10) (integer) 0
               11) "nacked-count"
               12) (integer) 0
               13) "pending"
               14) (empty array)
               15) "consumers"
               16) (empty array)
        > XINFO STREAM s FOO
        (error) ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
        > XGROUP CREATECONSUMER s g dan
        (integer) 1
        > XGROUP CREATECONSUMER s g dan
        (integer) 0
        > XGROUP CREATECONSUMER s nog dan
        (error) NOGROUP No such consumer group 'nog' for key name 's'
        > XGROUP DELCONSUMER s g bob
        (integer) 2
        > XGROUP DELCONSUMER s g bob
        (integer) 0
        > XGROUP DELCONSUMER s nog bob
        (error) NOGROUP No such consumer group 'nog' for key name 's'
        > XPENDING s g
        1) (integer) 0
        2) (nil)
        3) (nil)
        4) (nil array)
        > XGROUP SETID s g 0 ENTRIESREAD 1
        OK
        > XGROUP SETID s g $
        OK
        > XGROUP SETID s nog 0
        (error) NOGROUP No such consumer group 'nog' for key name 's'
        > XGROUP SETID none2 g 0
        (error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > XINFO GROUPS s
        1) 1) "name"
           2) "g"
           3) "consumers"
           4) (integer) 3
           5) "pending"
           6) (integer) 0
           7) "last-delivered-id"
           8) "3-0"
           9) "entries-read"
           10) (nil)
           11) "lag"
           12) (integer) 0
        2) 1) "name"
           2) "h"
           3) "consumers"
           4) (integer) 0
           5) "pending"
           6) (integer) 0
           7) "last-delivered-id"
           8) "3-0"
           9) "entries-read"
           10) (integer) 2
           11) "lag"
           12) (integer) 1
        > XGROUP DESTROY s g
        (integer) 1
        > XGROUP DESTROY s g
        (integer) 0
        > XGROUP DESTROY none2 g
        (error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > XINFO GROUPS s
        1) 1) "name"
           2) "h"
           3) "consumers"
           4) (integer) 0
           5) "pending"
           6) (integer) 0
           7) "last-delivered-id"
           8) "3-0"
           9) "entries-read"
           10) (integer) 2
           11) "lag"
           12) (integer) 1
        > XREADGROUP GROUP h alice NOACK STREAMS s >
        (nil array)
        > XGROUP SETID s h 0
        OK
        > XREADGROUP GROUP h alice NOACK COUNT 1 STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-0"
                 2) 1) "a"
                    2) "1"
        > XPENDING s h
        1) (integer) 0
        2) (nil)
        3) (nil)
        4) (nil array)
        > XINFO GROUPS s
        1) 1) "name"
           2) "h"
           3) "consumers"
           4) (integer) 1
           5) "pending"
           6) (integer) 0
           7) "last-delivered-id"
           8) "1-0"
           9) "entries-read"
           10) (nil)
           11) "lag"
           12) (nil)
        "#,
    );
}

#[test]
fn claims() {
    check(
        r#"
        > XADD s 1-0 a 1
        > XADD s 2-0 a 2
        > XADD s 3-0 a 3
        > XADD s 4-0 a 4
        > XGROUP CREATE s g 0
        > XREADGROUP GROUP g alice STREAMS s >
        > XCLAIM s g bob 0 1-0
        1) 1) "1-0"
           2) 1) "a"
              2) "1"
        > XCLAIM s g bob 0 2-0 JUSTID
        1) "2-0"
        > XCLAIM s g bob 100000 3-0
        (empty array)
        > XCLAIM s g bob 0 3-0 RETRYCOUNT 7 IDLE 0
        1) 1) "3-0"
           2) 1) "a"
              2) "3"
        > XCLAIM s g bob 0 9-0 FORCE
        (empty array)
        > XCLAIM s g bob 0 4-0 TIME 1000 JUSTID
        1) "4-0"
        > XPENDING s g - + 10
        1) 1) "1-0"
           2) "bob"
           3) (any)
           4) (integer) 2
        2) 1) "2-0"
           2) "bob"
           3) (any)
           4) (integer) 1
        3) 1) "3-0"
           2) "bob"
           3) (any)
           4) (integer) 7
        4) 1) "4-0"
           2) "bob"
           3) (any)
           4) (integer) 1
        > XPENDING s g IDLE 1000000 - + 10
        1) 1) "4-0"
           2) "bob"
           3) (any)
           4) (integer) 1
        > XCLAIM s g bob 0 4-0 FOO
        (error) ERR Unrecognized XCLAIM option 'FOO'
        > XCLAIM s g bob 0 4-0 IDLE
        (error) ERR Unrecognized XCLAIM option 'IDLE'
        > XCLAIM s g bob 0 4-0 IDLE x
        (error) ERR Invalid IDLE option argument for XCLAIM
        > XCLAIM s g bob 0 4-0 RETRYCOUNT x
        (error) ERR Invalid RETRYCOUNT option argument for XCLAIM
        > XCLAIM s g bob x 4-0
        (error) ERR Invalid min-idle-time argument for XCLAIM
        > XCLAIM s nog bob 0 4-0
        (error) NOGROUP No such key 's' or consumer group 'nog'
        > XCLAIM s g bob 0 4-0 LASTID x
        (error) ERR Invalid stream ID specified as stream command argument
        > XACK s g 4-0
        (integer) 1
        > XCLAIM s g carl 0 4-0
        (empty array)
        > XCLAIM s g carl 0 4-0 FORCE JUSTID LASTID 9-0
        1) "4-0"
        > XINFO GROUPS s
        1) 1# "name" => "g"
           2# "consumers" => (integer) 3
           3# "pending" => (integer) 4
           4# "last-delivered-id" => "9-0"
           5# "entries-read" => (integer) 4
           6# "lag" => (integer) 0
        > XDEL s 2-0
        (integer) 1
        > XCLAIM s g carl 0 2-0
        (empty array)
        > XPENDING s g - + 10
        1) 1) "1-0"
           2) "bob"
           3) (any)
           4) (integer) 2
        2) 1) "3-0"
           2) "bob"
           3) (any)
           4) (integer) 7
        3) 1) "4-0"
           2) "carl"
           3) (any)
           4) (integer) 1
        > XAUTOCLAIM s g dan 0 - COUNT 1
        1) "3-0"
        2) 1) 1) "1-0"
              2) 1) "a"
                 2) "1"
        3) (empty array)
        > XAUTOCLAIM s g dan 0 2-0 JUSTID
        1) "0-0"
        2) 1) "3-0"
           2) "4-0"
        3) (empty array)
        > XDEL s 3-0
        (integer) 1
        > XAUTOCLAIM s g eve 0 0
        1) "0-0"
        2) 1) 1) "1-0"
              2) 1) "a"
                 2) "1"
           2) 1) "4-0"
              2) 1) "a"
                 2) "4"
        3) 1) "3-0"
        > XAUTOCLAIM s g eve 1000000 0
        1) "0-0"
        2) (empty array)
        3) (empty array)
        > XAUTOCLAIM s g eve 0 0 COUNT 0
        (error) ERR COUNT must be > 0
        > XAUTOCLAIM s g eve 0 0 COUNT
        (error) ERR syntax error
        > XAUTOCLAIM s g eve x 0
        (error) ERR Invalid min-idle-time argument for XAUTOCLAIM
        > XAUTOCLAIM s g eve 0 x
        (error) ERR Invalid stream ID specified as stream command argument
        > XAUTOCLAIM s nog eve 0 0
        (error) NOGROUP No such key 's' or consumer group 'nog'
        > XPENDING s g
        1) (integer) 2
        2) "1-0"
        3) "4-0"
        4) 1) 1) "eve"
              2) "2"
        > XINFO CONSUMERS s g
        1) 1# "name" => "alice"
           2# "pending" => (integer) 0
           3# "idle" => (any)
           4# "inactive" => (any)
        2) 1# "name" => "bob"
           2# "pending" => (integer) 0
           3# "idle" => (any)
           4# "inactive" => (any)
        3) 1# "name" => "carl"
           2# "pending" => (integer) 0
           3# "idle" => (any)
           4# "inactive" => (any)
        4) 1# "name" => "dan"
           2# "pending" => (integer) 0
           3# "idle" => (any)
           4# "inactive" => (any)
        5) 1# "name" => "eve"
           2# "pending" => (integer) 2
           3# "idle" => (any)
           4# "inactive" => (any)
        "#,
    );
}

#[test]
fn consumers_that_wait() {
    check(
        r#"
        ~only resp2
        > XGROUP CREATE s g $ MKSTREAM
        OK
        one> XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        (no reply)
        two> XREADGROUP GROUP g bob BLOCK 0 STREAMS s >
        (no reply)
        > XADD s 1-0 a 1
        "1-0"
        one<
        1) 1) "s"
           2) 1) 1) "1-0"
                 2) 1) "a"
                    2) "1"
        > XPENDING s g
        1) (integer) 1
        2) "1-0"
        3) "1-0"
        4) 1) 1) "alice"
              2) "1"
        # What ends the group ends the waiting.
        > XGROUP DESTROY s g
        (integer) 1
        two<
        (error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        > XGROUP CREATE s g $
        OK
        two> XREADGROUP GROUP g bob BLOCK 0 STREAMS s >
        (no reply)
        > DEL s
        (integer) 1
        two<
        (error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        > XGROUP CREATE s g $ MKSTREAM
        OK
        two> XREADGROUP GROUP g bob BLOCK 0 STREAMS s >
        (no reply)
        > SET s v
        OK
        two<
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn what_a_group_has_still_to_be_given() {
    check(
        r#"
        ~only resp3
        > XGROUP CREATE s g $ MKSTREAM
        > XADD s 1-0 a 1
        > XADD s 2-0 a 2
        > XADD s 3-0 a 3
        > XADD s 4-0 a 4
        > XREADGROUP GROUP g alice COUNT 1 STREAMS s >
        > XTRIM s MAXLEN 2
        (integer) 2
        # All that is there is still to come.
        > XINFO GROUPS s
        1) 1# "name" => "g"
           2# "consumers" => (integer) 1
           3# "pending" => (integer) 1
           4# "last-delivered-id" => "1-0"
           5# "entries-read" => (integer) 1
           6# "lag" => (integer) 2
        > XREADGROUP GROUP g alice COUNT 1 STREAMS s >
        > XINFO GROUPS s
        1) 1# "name" => "g"
           2# "consumers" => (integer) 1
           3# "pending" => (integer) 2
           4# "last-delivered-id" => "3-0"
           5# "entries-read" => (integer) 3
           6# "lag" => (integer) 1
        # What was deleted after the last that was given cannot be told from what was given.
        > XADD s 5-0 a 5
        > XDEL s 4-0
        (integer) 1
        > XINFO GROUPS s
        1) 1# "name" => "g"
           2# "consumers" => (integer) 1
           3# "pending" => (integer) 2
           4# "last-delivered-id" => "3-0"
           5# "entries-read" => (integer) 3
           6# "lag" => (nil)
        > XDEL s 3-0
        (integer) 1
        > XREADGROUP GROUP g alice STREAMS s >
        > XINFO GROUPS s
        1) 1# "name" => "g"
           2# "consumers" => (integer) 1
           3# "pending" => (integer) 3
           4# "last-delivered-id" => "5-0"
           5# "entries-read" => (integer) 5
           6# "lag" => (integer) 0
        > XTRIM s MAXLEN 0
        (integer) 1
        > XADD s 6-0 a 6
        > XINFO GROUPS s
        1) 1# "name" => "g"
           2# "consumers" => (integer) 1
           3# "pending" => (integer) 3
           4# "last-delivered-id" => "5-0"
           5# "entries-read" => (integer) 5
           6# "lag" => (integer) 1
        "#,
    );
}

/// Whatever one reading does is one change.
#[test]
fn changes_of_reading() {
    check(
        r#"
        ~only resp2
        > XADD s 1-0 a 1
        > XADD s 2-0 a 2
        > XADD s 3-0 a 3
        > XGROUP CREATE s g 0
        > XGROUP CREATECONSUMER s g alice
        ~advance 10ms
        > EVAL "local before = redis.call('INFO', 'persistence'):match('rdb_changes_since_last_save:(%d+)'); redis.call('XREADGROUP', 'GROUP', 'g', 'alice', 'COUNT', '2', 'STREAMS', 's', '>'); return redis.call('INFO', 'persistence'):match('rdb_changes_since_last_save:(%d+)') - before" 1 s
        (integer) 1
        "#,
    );
}

#[test]
fn entries_that_groups_refer_to() {
    check(
        r#"
        > XADD s 1-0 a 1
        "1-0"
        > XADD s 2-0 a 2
        "2-0"
        > XADD s 3-0 a 3
        "3-0"
        > XADD s 4-0 a 4
        "4-0"
        > XGROUP CREATE s g 0
        OK
        > XGROUP CREATE s h 0
        OK
        > XREADGROUP GROUP g alice COUNT 3 STREAMS s >
        > XREADGROUP GROUP h bob COUNT 2 STREAMS s >
        > XACK s g 1-0
        (integer) 1
        > XDELEX s ACKED IDS 2 1-0 9-0
        1) (integer) 2
        2) (integer) 2
        > XACKDEL s h ACKED IDS 3 1-0 2-0 3-0
        1) (integer) 1
        2) (integer) 2
        3) (integer) -1
        > XRANGE s - + COUNT 1
        1) 1) "2-0"
           2) 1) "a"
              2) "2"
        > XDELEX s DELREF IDS 1 2-0
        1) (integer) 1
        > XPENDING s g
        1) (integer) 1
        2) "3-0"
        3) "3-0"
        4) 1) 1) "alice"
              2) "1"
        > XDELEX s IDS 2 3-0 3-0
        1) (integer) 1
        2) (integer) -1
        > XACKDEL s g IDS 1 3-0
        1) (integer) 1
        > XDELEX none IDS 1 1-0
        1) (integer) -1
        > XACKDEL s none IDS 1 1-0
        1) (integer) -1
        > XDELEX s IDS 0 1-0
        (error) ERR Number of IDs must be a positive integer
        > XDELEX s IDS 2 1-0
        (error) ERR The `numids` parameter must match the number of arguments
        > XDELEX s ACKED KEEPREF IDS 1 1-0
        (error) ERR syntax error
        > XDELEX s KEEPREF 1 1-0
        (error) ERR syntax error
        > XACKDEL s g IDS 1 x
        (error) ERR Invalid stream ID specified as stream command argument
        # Trimming as far as groups allow.
        > XADD t 1-0 a 1
        "1-0"
        > XADD t 2-0 a 2
        "2-0"
        > XADD t 3-0 a 3
        "3-0"
        > XGROUP CREATE t g 0
        OK
        > XREADGROUP GROUP g alice COUNT 2 STREAMS t >
        > XACK t g 2-0
        (integer) 1
        > XTRIM t MAXLEN 0 ACKED
        (integer) 1
        > XLEN t
        (integer) 2
        > XTRIM t MAXLEN 0 DELREF
        (integer) 2
        > XPENDING t g
        1) (integer) 0
        2) (nil)
        3) (nil)
        4) (nil array)
        "#,
    );
}

#[test]
fn a_group_has_read_no_more_than_was_added() {
    check(
        r#"
        ~only resp2
        > XADD s 1-0 a 1
        "1-0"
        > XGROUP CREATE s g $ ENTRIESREAD 9999
        OK
        > XGROUP CREATE s h 0
        OK
        > XGROUP SETID s h $ ENTRIESREAD 9999
        OK
        > XINFO GROUPS s
        1) 1) "name"
           2) "g"
           3) "consumers"
           4) (integer) 0
           5) "pending"
           6) (integer) 0
           7) "last-delivered-id"
           8) "1-0"
           9) "entries-read"
           10) (integer) 1
           11) "lag"
           12) (integer) 0
        2) 1) "name"
           2) "h"
           3) "consumers"
           4) (integer) 0
           5) "pending"
           6) (integer) 0
           7) "last-delivered-id"
           8) "1-0"
           9) "entries-read"
           10) (integer) 1
           11) "lag"
           12) (integer) 0
    "#,
    );
}
