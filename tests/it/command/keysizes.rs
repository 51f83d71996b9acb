//! INFO keysizes, and `subexpiry` in INFO keyspace.

use crate::harness::check;

#[test]
fn strings_by_the_length_of_their_text() {
    check(
        r##"
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\n"
        > MSET empty "" one a three abc number 12345678 negative -10
        OK
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_strings_sizes:0=1,1=1,2=2,8=1\r\n"
        # A number that loses a digit, one that becomes text, and what is written into.
        > DECRBY number 12345000
        (integer) 678
        > APPEND negative abcdefghij
        (integer) 13
        > SETRANGE three 2047 x
        (integer) 2048
        > SETBIT one 31 1
        (integer) 0
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_strings_sizes:0=1,2=1,4=1,8=1,2K=1\r\n"
        > SETRANGE large 1048576 x
        (integer) 1048577
        > DEL empty three negative one
        (integer) 4
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_strings_sizes:2=1,1M=1\r\n"
        # What another type is written over, and what expires.
        > SET large short
        OK
        > DEL number
        (integer) 1
        > RPUSH number a b
        (integer) 2
        > SET number 1 PX 5
        OK
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_strings_sizes:1=1,4=1\r\n"
        ~advance 10ms
        > EXISTS number
        (integer) 0
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_strings_sizes:4=1\r\n"
        > FLUSHDB
        OK
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\n"
        "##,
    );
}

#[test]
fn collections_by_their_elements() {
    check(
        r##"
        > RPUSH l 1 2 3 4 5
        (integer) 5
        > SADD ints 1 2 3
        (integer) 3
        > SADD names a b c d
        (integer) 4
        > ZADD z 1 a 2 b
        (integer) 2
        > HSET h f v
        (integer) 1
        # Streams are not counted.
        > XADD s 1-1 a b
        "1-1"
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_lists_items:4=1\r\ndb0_distrib_sets_items:2=1,4=1\r\ndb0_distrib_zsets_items:2=1\r\ndb0_distrib_hashes_items:1=1\r\n"
        > LPOP l 2
        1) "1"
        2) "2"
        > SREM names a
        (integer) 1
        > ZPOPMIN z
        1) "a"
        2) (double) 1
        > HSET h g 1 i 2 j 3
        (integer) 3
        > SMOVE ints names 3
        (integer) 1
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_lists_items:2=1\r\ndb0_distrib_sets_items:2=1,4=1\r\ndb0_distrib_zsets_items:1=1\r\ndb0_distrib_hashes_items:4=1\r\n"
        > SINTERSTORE names ints names
        (integer) 0
        > ZREM z b
        (integer) 1
        > LTRIM l 1 0
        OK
        > HDEL h f g i
        (integer) 3
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_sets_items:2=1\r\ndb0_distrib_hashes_items:1=1\r\n"
        "##,
    );
}

#[test]
fn keys_that_move() {
    check(
        r##"
        > RPUSH l 1 2 3 4
        (integer) 4
        > RENAME l list
        OK
        > COPY list copy
        (integer) 1
        > MOVE copy 1
        (integer) 1
        > SET s abc
        OK
        > COPY s s2 DB 1
        (integer) 1
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_strings_sizes:2=1\r\ndb0_distrib_lists_items:4=1\r\ndb1_distrib_strings_sizes:2=1\r\ndb1_distrib_lists_items:4=1\r\n"
        > DEL s
        (integer) 1
        > SWAPDB 0 1
        OK
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_strings_sizes:2=1\r\ndb0_distrib_lists_items:4=1\r\ndb1_distrib_lists_items:4=1\r\n"
        > RENAME copy s2
        OK
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_lists_items:4=1\r\ndb1_distrib_lists_items:4=1\r\n"
        > FLUSHDB
        OK
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb1_distrib_lists_items:4=1\r\n"
        > FLUSHALL
        OK
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\n"
        "##,
    );
}

#[test]
fn collections_on_both_sides_of_the_border() {
    check(
        r##"
        > CONFIG SET list-max-listpack-size 4 hash-max-listpack-entries 4 set-max-listpack-entries 4 set-max-intset-entries 4 zset-max-listpack-entries 4
        OK
        > RPUSH l 1 2 3 4 5 6 7 8
        (integer) 8
        > SADD ints 1 2 3 4 5
        (integer) 5
        > ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h
        (integer) 8
        > HSET h a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8
        (integer) 8
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_lists_items:8=1\r\ndb0_distrib_sets_items:4=1\r\ndb0_distrib_zsets_items:8=1\r\ndb0_distrib_hashes_items:8=1\r\n"
        > LTRIM l 0 1
        OK
        > SPOP ints 4
        > ZREMRANGEBYRANK z 0 4
        (integer) 5
        > HDEL h a b c d e f
        (integer) 6
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_lists_items:2=1\r\ndb0_distrib_sets_items:1=1\r\ndb0_distrib_zsets_items:2=1\r\ndb0_distrib_hashes_items:2=1\r\n"
        > SORT l BY nosort STORE l2
        (integer) 2
        > DEBUG KEYSIZES-HIST-ASSERT 1
        OK
        "##,
    );
}

#[test]
fn hashes_of_which_fields_expire() {
    check(
        r##"
        > HSET h f v g w
        (integer) 2
        > INFO keyspace
        (verbatim txt) "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0,subexpiry=0\r\n"
        > HPEXPIRE h 100 FIELDS 1 f
        1) (integer) 1
        > HSET other a b
        (integer) 1
        > HPEXPIRE other 100000 FIELDS 1 a
        1) (integer) 1
        > INFO keyspace
        (verbatim txt) "# Keyspace\r\ndb0:keys=2,expires=0,avg_ttl=0,subexpiry=2\r\n"
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_hashes_items:1=1,2=1\r\n"
        ~advance 200ms
        > HGET h f
        (nil)
        > INFO keysizes
        (verbatim txt) "# Keysizes\r\ndb0_distrib_hashes_items:1=2\r\n"
        > HDEL other a
        (integer) 1
        > INFO keyspace
        (verbatim txt) "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0,subexpiry=0\r\n"
        # A key that expires itself counts for both.
        > HPEXPIRE h 100000 FIELDS 1 g
        1) (integer) 1
        > PEXPIRE h 100000
        (integer) 1
        > INFO keyspace
        (verbatim txt) "# Keyspace\r\ndb0:keys=1,expires=1,avg_ttl=100000,subexpiry=1\r\n"
        > PERSIST h
        (integer) 1
        > INFO keyspace
        (verbatim txt) "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0,subexpiry=1\r\n"
        "##,
    );
}

/// Those in a tree know how many of their fields expire.
#[test]
fn trees_of_which_fields_expire() {
    check(
        r##"
        > CONFIG SET hash-max-listpack-entries 2
        OK
        > HSET h a 1 b 2 c 3
        (integer) 3
        > HPEXPIRE h 100000 FIELDS 2 a b
        1) (integer) 1
        2) (integer) 1
        > INFO keyspace
        (verbatim txt) "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0,subexpiry=1\r\n"
        > HDEL h a
        (integer) 1
        > INFO keyspace
        (verbatim txt) "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0,subexpiry=1\r\n"
        > HPERSIST h FIELDS 1 b
        1) (integer) 1
        > INFO keyspace
        (verbatim txt) "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0,subexpiry=0\r\n"
        > HPEXPIRE h 100000 FIELDS 1 c
        1) (integer) 1
        > HSET h c 4
        (integer) 0
        > INFO keyspace
        (verbatim txt) "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0,subexpiry=0\r\n"
        "##,
    );
}

#[test]
fn sort_removes_fields_that_it_finds_expired() {
    check(
        r##"
        > RPUSH ids 1 2
        (integer) 2
        > HSET user:1 name Alice score 50
        (integer) 2
        > HSETEX user:2 PX 1 FIELDS 2 name Bob score 70
        (integer) 1
        ~advance 5ms
        > SORT ids BY user:*->score GET user:*->name
        1) (nil)
        2) "Alice"
        > EXISTS user:2
        (integer) 0
        "##,
    );
}
