//! Producers that name what they send: XADD IDMP and IDMPAUTO, XCFGSET, XIDMPRECORD.

use crate::harness::check;

#[test]
fn an_entry_sent_twice_is_added_once() {
    check(
        r#"
        > XADD s NOMKSTREAM IDMP p i * a 1
        (nil)
        > XADD s IDMP p i * a 1
        "1700000000000-0"
        > XADD s IDMP p i * b 2
        "1700000000000-0"
        > XADD s IDMP p j * b 2
        "1700000000000-1"
        # Another producer has names of its own.
        > XADD s IDMP q i * b 2
        "1700000000000-2"
        > XADD s IDMP p i MAXLEN = 2 * c 3
        "1700000000000-0"
        > XLEN s
        (integer) 3
        > XADD s IDMP p k MAXLEN = 2 * c 3
        "1700000000000-3"
        > XLEN s
        (integer) 2
        # What was trimmed is remembered.
        > XADD s IDMP p i * a 1
        "1700000000000-0"
        ~advance 99999ms
        > XADD s IDMP p i * a 1
        "1700000000000-0"
        ~advance 1ms
        > XADD s IDMP p i * a 1
        "1700000100000-0"
        "#,
    );
}

#[test]
fn the_name_that_fields_come_to() {
    check(
        r#"
        > XADD s IDMPAUTO p * a 1 b 2
        "1700000000000-0"
        > XADD s IDMPAUTO p * a 1 b 2
        "1700000000000-0"
        # In whatever order they stand.
        > XADD s IDMPAUTO p * b 2 a 1
        "1700000000000-0"
        > XADD s IDMPAUTO p * a 2 b 1
        "1700000000000-1"
        > XADD s IDMPAUTO p * a1 "" b 2
        "1700000000000-2"
        > XADD s IDMPAUTO p * ab 1 c 2
        "1700000000000-3"
        > XADD s IDMPAUTO p * a b1 c 2
        "1700000000000-4"
        > XLEN s
        (integer) 5
        "#,
    );
}

#[test]
fn what_it_counts() {
    check(
        r#"
        ~only resp3
        > XADD s IDMP p i * a 1
        > XADD s IDMP p i * a 1
        > XADD s IDMP q i * a 1
        > XINFO STREAM s
        1# "length" => (integer) 2
        2# "radix-tree-keys" => (integer) 1
        3# "radix-tree-nodes" => (integer) 2
        4# "last-generated-id" => "1700000000000-1"
        5# "max-deleted-entry-id" => "0-0"
        6# "entries-added" => (integer) 2
        7# "recorded-first-entry-id" => "1700000000000-0"
        8# "idmp-duration" => (integer) 100
        9# "idmp-maxsize" => (integer) 100
        10# "pids-tracked" => (integer) 2
        11# "iids-tracked" => (integer) 2
        12# "iids-added" => (integer) 2
        13# "iids-duplicates" => (integer) 1
        14# "groups" => (integer) 0
        15# "first-entry" =>
            1) "1700000000000-0"
            2) 1) "a"
               2) "1"
        16# "last-entry" =>
            1) "1700000000000-1"
            2) 1) "a"
               2) "1"
        "#,
    );
}

#[test]
fn how_much_is_remembered() {
    check(
        r#"
        > XADD s IDMP p i * a 1
        "1700000000000-0"
        > XCFGSET s IDMP-MAXSIZE 100 IDMP-DURATION 100
        OK
        > XADD s IDMP p i * a 1
        "1700000000000-0"
        # What was remembered is forgotten with a change.
        > XCFGSET s IDMP-MAXSIZE 2
        OK
        > XADD s IDMP p i * a 1
        "1700000000000-1"
        > XADD s IDMP p j * a 1
        "1700000000000-2"
        > XADD s IDMP q j * a 1
        "1700000000000-3"
        > XADD s IDMP p k * a 1
        "1700000000000-4"
        > XADD s IDMP p j * a 1
        "1700000000000-2"
        > XADD s IDMP p i * a 1
        "1700000000000-5"
        > XCFGSET s IDMP-DURATION 1
        OK
        > XADD s IDMP p i * a 1
        "1700000000000-6"
        ~advance 1000ms
        > XADD s IDMP p i * a 1
        "1700000001000-0"
        > COPY s t
        (integer) 1
        > XADD t IDMP p i * a 1
        "1700000001000-0"
        > CONFIG SET stream-idmp-maxsize 1
        OK
        > XADD u IDMP p i * a 1
        "1700000001000-0"
        > XADD u IDMP p j * a 1
        "1700000001000-1"
        > XADD u IDMP p i * a 1
        "1700000001000-2"
        > CONFIG SET stream-idmp-maxsize 0
        (error) ERR CONFIG SET failed (possibly related to argument 'stream-idmp-maxsize') - argument must be between 1 and 10000 inclusive
        "#,
    );
}

#[test]
fn what_is_recorded_of_an_entry() {
    check(
        r#"
        > XADD s 1700000000000-1 a 1
        > XADD s 1700000000000-2 a 1
        > XIDMPRECORD s p i 1700000000000-1
        OK
        > XIDMPRECORD s p i 1700000000000-1
        OK
        > XIDMPRECORD s p j 1700000000000-1
        OK
        > XIDMPRECORD s p i 1700000000000-2
        (error) ERR IID already exists for this producer with a different stream ID
        > XIDMPRECORD s p i 1700000000000-3
        (error) ERR No such message in stream
        > XADD s IDMP p i * a 1
        "1700000000000-1"
        > XADD s IDMP p j * a 1
        "1700000000000-1"
        > XIDMPRECORD s "" i 1-0
        (error) ERR producer ID must be non-empty
        > XIDMPRECORD s p "" 1-0
        (error) ERR idempotent ID must be non-empty
        > XIDMPRECORD s p i x
        (error) ERR Invalid stream ID specified as stream command argument
        > XIDMPRECORD none p i 1-0
        (error) ERR no such key
        > SET k v
        > XIDMPRECORD k p i 1-0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn mistakes() {
    check(
        r#"
        > XADD s IDMP p i 1000-0 a 1
        (error) ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs
        > XADD s IDMP p i 1000-* a 1
        (error) ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs
        > XADD s IDMP p i x a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s IDMP p i IDMPAUTO q * a 1
        (error) ERR syntax error, IDMP/IDMPAUTO specified multiple times
        > XADD s IDMP "" i * a 1
        (error) ERR syntax error, IDMP requires a non-empty producer ID
        > XADD s IDMP p "" * a 1
        (error) ERR syntax error, IDMP requires a non-empty idempotent ID
        > XADD s IDMPAUTO "" * a 1
        (error) ERR syntax error, IDMPAUTO requires a non-empty producer ID
        > XADD s IDMP p * a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XTRIM s IDMP p i MAXLEN 1
        (error) ERR syntax error
        > EXISTS s
        (integer) 0
        > XCFGSET s IDMP-DURATION 5
        (error) ERR no such key
        > XADD s * a 1
        > XCFGSET s
        (error) ERR At least one parameter must be specified
        > XCFGSET s IDMP-DURATION
        (error) ERR syntax error
        > XCFGSET s FOO 5
        (error) ERR syntax error
        > XCFGSET s IDMP-DURATION 0
        (error) ERR IDMP-DURATION must be between 1 and 86400 seconds
        > XCFGSET s IDMP-DURATION 86401
        (error) ERR IDMP-DURATION must be between 1 and 86400 seconds
        > XCFGSET s IDMP-DURATION x
        (error) ERR value is not an integer or out of range
        > XCFGSET s IDMP-MAXSIZE 10001
        (error) ERR IDMP-MAXSIZE must be between 1 and 10000 entries
        > XCFGSET s IDMP-MAXSIZE 5 IDMP-MAXSIZE 5
        (error) ERR IDMP-MAXSIZE specified multiple times
        "#,
    );
}

/// A payload of Redis 8.8 is read, and one of our own says as much.
#[test]
fn it_survives_dump_and_restore() {
    check(
        r#"
        > RESTORE s 0 "\x1b\x01\x10\x00\x00\x01\xa2 g\xde\x85\x00\x00\x00\x00\x00\x00\x00\x00\xc3@H@b\x11b\x00\x00\x00+\x00\x06\x01\x00\x01\x01\x01\x81a\x02\x00\x01\x02 \n@\x0c\x00\x04 \t\x00\x01 \t\x00\x02 \t@\x0f\x00\x01 \t  \a\x03\x01\x81b\x02\x04\x01\b \r@\x11\xc0'\x00\x03 \x0f\x80'@7\xe0\x02'\x01\x01\xff\x06\x81\x00\x00\x01\xa2 g\xde\x86\x04\x81\x00\x00\x01\xa2 g\xde\x85\x00\x00\x00\x06\x01\x01g\x81\x00\x00\x01\xa2 g\xde\x86\x02\x04\x04\x00\x00\x01\xa2 g\xde\x85\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x01\xa2 g\xde\x86\x00\x00\x00\x00\x00\x00\x00\x00\x86\xdeg \xa2\x01\x00\x00\x01\x00\x00\x01\xa2 g\xde\x86\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x01\xa2 g\xde\x86\x00\x00\x00\x00\x00\x00\x00\x02\x86\xdeg \xa2\x01\x00\x00\x01\x01\x05alice\x86\xdeg \xa2\x01\x00\x00\x86\xdeg \xa2\x01\x00\x00\x02\x00\x00\x01\xa2 g\xde\x86\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xa2 g\xde\x86\x00\x00\x00\x00\x00\x00\x00\x02\x02\x00\x00\x01\xa2 g\xde\x86\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x01\xa2 g\xde\x85\x00\x00\x00\x00\x00\x00\x00\x00\x80\x00\x01Q\x80@d\x02\x01p\x01\x01i\x81\x00\x00\x01\xa2 g\xde\x86\x02\x01q\x02\x01j\x81\x00\x00\x01\xa2 g\xde\x86\x03\x10\xfb\xa8#K\x94\x93e\xb7\xd1\x8a\x0eZ\xa0\x904\xce\x81\x00\x00\x01\xa2 g\xde\x86\x04\x06\x01\x0e\x00\x14\xe4\xa2\xc7\xbc\x05\r="
        OK
        > XADD s IDMP p i * c 3
        "1795840007814-2"
        > XADD s IDMP q j * c 3
        "1795840007814-3"
        > XADD s IDMPAUTO q * b 4 a 3
        "1795840007814-4"
        > XLEN s
        (integer) 6
        # The next two are what was given back, in that order.
        > XREADGROUP GROUP g bob COUNT 1 CLAIM 2000000000 STREAMS s >
        > XPENDING s g - + 10 bob
        1) 1) "1795840007814-1"
           2) "bob"
           3) (integer) 0
           4) (integer) 2
        > XREADGROUP GROUP g bob COUNT 1 CLAIM 2000000000 STREAMS s >
        > XPENDING s g - 1795840007813 10 bob
        1) 1) "1795840007813-0"
           2) "bob"
           3) (integer) 0
           4) (integer) 2
        "#,
    );
}
