//! Lists, packed and as trees.

use crate::harness::check;

#[test]
fn push_and_read() {
    check(
        r#"
        > RPUSH l b c
        (integer) 2
        > LPUSH l a 0
        (integer) 4
        > LRANGE l 0 -1
        1) "0"
        2) "a"
        3) "b"
        4) "c"
        > LRANGE l -2 100
        1) "b"
        2) "c"
        > LRANGE l 3 1
        (empty array)
        > LRANGE l 4 9
        (empty array)
        > LRANGE l -100 0
        1) "0"
        > LRANGE l 0 9223372036854775807
        1) "0"
        2) "a"
        3) "b"
        4) "c"
        > LRANGE l -9223372036854775808 -9223372036854775808
        (empty array)
        > LRANGE l x 1
        (error) ERR value is not an integer or out of range
        > LRANGE none 0 1
        (empty array)
        > LLEN l
        (integer) 4
        > LLEN none
        (integer) 0
        > LINDEX l 0
        "0"
        > LINDEX l -1
        "c"
        > LINDEX l 4
        (nil)
        > LINDEX l -5
        (nil)
        > LINDEX l x
        (error) ERR value is not an integer or out of range
        > LINDEX none x
        (nil)
        > LPUSHX l z
        (integer) 5
        > RPUSHX none z
        (integer) 0
        > EXISTS none
        (integer) 0
        > TYPE l
        list
        > SET s string
        OK
        > RPUSH s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LPUSHX s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LLEN s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LRANGE s 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GET l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > RPUSH l
        (error) ERR wrong number of arguments for 'rpush' command
        "#,
    );
}

#[test]
fn pop() {
    check(
        r#"
        > RPUSH l a b c d e f
        (integer) 6
        > LPOP l
        "a"
        > RPOP l
        "f"
        > LPOP l 2
        1) "b"
        2) "c"
        > LPOP l 0
        (empty array)
        > RPOP l 5
        1) "e"
        2) "d"
        > EXISTS l
        (integer) 0
        > LPOP l
        (nil)
        > LPOP l 1
        (nil array)
        > RPOP l 0
        (nil array)
        > LPOP l -1
        (error) ERR value is out of range, must be positive
        > LPOP l x
        (error) ERR value is out of range, must be positive
        > LPOP l 1 2
        (error) ERR wrong number of arguments for 'lpop' command
        > SET s string
        OK
        > RPOP s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > RPOP s 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn change() {
    check(
        r#"
        > RPUSH l a b c b a
        (integer) 5
        > LSET l 1 B
        OK
        > LSET l -1 12345
        OK
        > LSET l 5 x
        (error) ERR index out of range
        > LSET l -6 x
        (error) ERR index out of range
        > LSET l x x
        (error) ERR value is not an integer or out of range
        > LSET none 0 x
        (error) ERR no such key
        > LINSERT l BEFORE c x
        (integer) 6
        > LINSERT l after 12345 end
        (integer) 7
        > LINSERT l AFTER none x
        (integer) -1
        > LINSERT none AFTER a x
        (integer) 0
        > LINSERT l BESIDE a x
        (error) ERR syntax error
        > LRANGE l 0 -1
        1) "a"
        2) "B"
        3) "x"
        4) "c"
        5) "b"
        6) "12345"
        7) "end"
        > LTRIM l 1 -2
        OK
        > LRANGE l 0 -1
        1) "B"
        2) "x"
        3) "c"
        4) "b"
        5) "12345"
        > LTRIM l 0 99
        OK
        > LLEN l
        (integer) 5
        > LTRIM l 3 1
        OK
        > EXISTS l
        (integer) 0
        > LTRIM none 0 1
        OK
        > LTRIM none x 1
        (error) ERR value is not an integer or out of range
        "#,
    );
}

#[test]
fn remove_and_find() {
    check(
        r#"
        > RPUSH l a b a c a b a
        (integer) 7
        > LREM l 1 a
        (integer) 1
        > LREM l -2 a
        (integer) 2
        > LRANGE l 0 -1
        1) "b"
        2) "a"
        3) "c"
        4) "b"
        > LREM l 0 b
        (integer) 2
        > LREM l 0 none
        (integer) 0
        > LREM l x none
        (error) ERR value is not an integer or out of range
        > LREM none 0 a
        (integer) 0
        > LREM l 5 a
        (integer) 1
        > LREM l -5 c
        (integer) 1
        > EXISTS l
        (integer) 0
        > RPUSH l a b c 1 2 3 c c
        (integer) 8
        > LPOS l c
        (integer) 2
        > LPOS l c RANK 2
        (integer) 6
        > LPOS l c RANK -1
        (integer) 7
        > LPOS l c RANK 4
        (nil)
        > LPOS l c COUNT 2
        1) (integer) 2
        2) (integer) 6
        > LPOS l c COUNT 0
        1) (integer) 2
        2) (integer) 6
        3) (integer) 7
        > LPOS l c COUNT 2 RANK -2
        1) (integer) 6
        2) (integer) 2
        > LPOS l c COUNT 0 MAXLEN 7
        1) (integer) 2
        2) (integer) 6
        > LPOS l c MAXLEN 2
        (nil)
        > LPOS l none COUNT 3
        (empty array)
        > LPOS none c
        (nil)
        > LPOS none c COUNT 1
        (empty array)
        > LPOS l c RANK 0
        (error) ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list
        > LPOS l c COUNT -1
        (error) ERR COUNT can't be negative
        > LPOS l c MAXLEN -1
        (error) ERR MAXLEN can't be negative
        > LPOS l c RANK
        (error) ERR syntax error
        > LPOS l c FIRST 1
        (error) ERR syntax error
        > LPOS l c RANK -9223372036854775808
        (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > LREM l -9223372036854775808 c
        (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        "#,
    );
}

#[test]
fn move_between() {
    check(
        r#"
        > RPUSH l a b c
        (integer) 3
        > RPOPLPUSH l m
        "c"
        > LMOVE l m LEFT RIGHT
        "a"
        > LRANGE m 0 -1
        1) "c"
        2) "a"
        > LMOVE m m left right
        "c"
        > LRANGE m 0 -1
        1) "a"
        2) "c"
        > LMOVE l l RIGHT LEFT
        "b"
        > LMOVE l m RIGHT RIGHT
        "b"
        > EXISTS l
        (integer) 0
        > RPOPLPUSH l m
        (nil)
        > LMOVE m l UP DOWN
        (error) ERR syntax error
        > SET s string
        OK
        > LMOVE m s LEFT LEFT
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > RPOPLPUSH s m
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > RPOPLPUSH l s
        (nil)
        > LLEN m
        (integer) 3
        "#,
    );
}

#[test]
fn pop_of_the_first_there_is() {
    check(
        r#"
        > RPUSH b 1 2 3
        (integer) 3
        > LMPOP 2 a b LEFT
        1) "b"
        2) 1) "1"
        > LMPOP 2 a b RIGHT COUNT 10
        1) "b"
        2) 1) "3"
           2) "2"
        > LMPOP 2 a b RIGHT COUNT 10
        (nil array)
        > LMPOP 0 a LEFT
        (error) ERR numkeys should be greater than 0
        > LMPOP x a LEFT
        (error) ERR numkeys should be greater than 0
        > LMPOP 2 a LEFT
        (error) ERR syntax error
        > LMPOP 9223372036854775807 a LEFT
        (error) ERR syntax error
        > LMPOP 1 a UP
        (error) ERR syntax error
        > LMPOP 1 a LEFT COUNT 0
        (error) ERR count should be greater than 0
        > LMPOP 1 a LEFT COUNT 1 COUNT 1
        (error) ERR syntax error
        > LMPOP 1 a LEFT COUNT
        (error) ERR syntax error
        > SET s string
        OK
        > LMPOP 2 s b LEFT
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn a_large_one_becomes_a_tree_and_back() {
    check(
        r#"
        > CONFIG SET list-max-listpack-size 4
        OK
        > RPUSH l a b c d
        (integer) 4
        > OBJECT ENCODING l
        "listpack"
        > RPUSH l e
        (integer) 5
        > OBJECT ENCODING l
        "quicklist"
        > LINSERT l BEFORE c x
        (integer) 6
        > COPY l copied
        (integer) 1
        > RENAME copied renamed
        OK
        > LREM l 0 x
        (integer) 1
        > LPOP l 2
        1) "a"
        2) "b"
        > OBJECT ENCODING l
        "quicklist"
        > LPOP l
        "c"
        > OBJECT ENCODING l
        "listpack"
        > LRANGE l 0 -1
        1) "d"
        2) "e"
        > LRANGE renamed 1 3
        1) "b"
        2) "x"
        3) "c"
        > LPOS renamed e
        (integer) 5
        > LTRIM renamed 0 0
        OK
        > OBJECT ENCODING renamed
        "listpack"
        "#,
    );
}

#[test]
fn events() {
    check(
        r#"
        > CONFIG SET notify-keyspace-events El
        OK
        > CONFIG SET notify-keyspace-events Elg
        OK
        other> SUBSCRIBE __keyevent@0__:lpush __keyevent@0__:rpush __keyevent@0__:lpop __keyevent@0__:rpop __keyevent@0__:del
        1> "subscribe"
        2> "__keyevent@0__:lpush"
        3> (integer) 1
        other<
        other<
        other<
        other<
        > RPUSH l a
        (integer) 1
        other<
        1> "message"
        2> "__keyevent@0__:rpush"
        3> "l"
        > LMOVE l m RIGHT LEFT
        "a"
        other<
        1> "message"
        2> "__keyevent@0__:lpush"
        3> "m"
        other<
        1> "message"
        2> "__keyevent@0__:rpop"
        3> "l"
        other<
        1> "message"
        2> "__keyevent@0__:del"
        3> "l"
        "#,
    );
}
