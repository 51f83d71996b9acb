//! Commands that wait for a list.

use crate::{harness::check, instance::Server, tree::Tree};
use flagstone::command::Protocol;

#[test]
fn what_is_there_is_taken_at_once() {
    check(
        r#"
        > RPUSH b 1 2 3 4 5
        (integer) 5
        > BLPOP a b 0
        1) "b"
        2) "1"
        > BRPOP a b 1.5
        1) "b"
        2) "5"
        > BLMPOP 0 2 a b LEFT COUNT 2
        1) "b"
        2) 1) "2"
           2) "3"
        > BRPOPLPUSH b c 0
        "4"
        > BLMOVE c d LEFT RIGHT 0
        "4"
        > EXISTS b c d
        (integer) 1
        "#,
    );
}

#[test]
fn times() {
    check(
        r#"
        > BLPOP a x
        (error) ERR timeout is not a float or out of range
        > BLPOP a -1
        (error) ERR timeout is negative
        > BLPOP a 9223372036854775807
        (error) ERR timeout is out of range
        > BLPOP a inf
        (error) ERR timeout is out of range
        > BLPOP a -inf
        (error) ERR timeout is negative
        > BLMOVE a b LEFT LEFT nan
        (error) ERR timeout is not a float or out of range
        > BLMPOP -1 1 a LEFT
        (error) ERR timeout is negative
        > BLMPOP 1 0 a LEFT
        (error) ERR numkeys should be greater than 0
        > BRPOPLPUSH a b 9999999999999999999999999999999999999999
        (error) ERR timeout is out of range
        one> BLPOP a 1.5
        (no reply)
        two> BLMOVE a b LEFT LEFT 2
        (no reply)
        three> BLMPOP 0.001 1 a LEFT
        (no reply)
        ~advance 1ms
        three<
        (nil array)
        ~advance 1499ms
        one<
        (nil array)
        ~advance 499ms
        > RPUSH a x
        (integer) 1
        two<
        "x"
        two> BRPOPLPUSH a b 2
        (no reply)
        ~advance 2000ms
        two<
        (nil array)
        "#,
    );
}

#[test]
fn who_waited_first_is_served_first() {
    check(
        r#"
        one> BLPOP k 0
        (no reply)
        two> BRPOP other k 0
        (no reply)
        three> BLPOP k 0
        (no reply)
        > RPUSH k a b
        (integer) 2
        > LLEN k
        (integer) 0
        one<
        1) "k"
        2) "a"
        two<
        1) "k"
        2) "b"
        > RPUSH other x
        (integer) 1
        > LLEN other
        (integer) 1
        > RPUSH k c d
        (integer) 2
        three<
        1) "k"
        2) "c"
        > LRANGE k 0 -1
        1) "d"
        "#,
    );
}

#[test]
fn a_transaction_is_over_first() {
    check(
        r#"
        one> BLPOP k 0
        (no reply)
        > MULTI
        OK
        > RPUSH k a
        QUEUED
        > LPUSH k b
        QUEUED
        > LLEN k
        QUEUED
        > EXEC
        1) (integer) 1
        2) (integer) 2
        3) (integer) 2
        one<
        1) "k"
        2) "b"
        one> BLPOP k m 0
        1) "k"
        2) "a"
        one> BLPOP k 0
        (no reply)
        > MULTI
        OK
        > RPUSH k a
        QUEUED
        > DEL k
        QUEUED
        > EXEC
        1) (integer) 1
        2) (integer) 1
        > MULTI
        OK
        > RPUSH k a
        QUEUED
        > DEL k
        QUEUED
        > SET k string
        QUEUED
        > EXEC
        1) (integer) 1
        2) (integer) 1
        3) OK
        > DEL k
        (integer) 1
        > RPUSH k z
        (integer) 1
        one<
        1) "k"
        2) "z"
        "#,
    );
}

#[test]
fn nothing_waits_in_a_transaction() {
    check(
        r#"
        > MULTI
        OK
        > BLPOP k 0
        QUEUED
        > BRPOPLPUSH k m 0
        QUEUED
        > BLMOVE k m LEFT LEFT 0
        QUEUED
        > BLMPOP 0 1 k LEFT
        QUEUED
        > RPUSH k a
        QUEUED
        > BLPOP k 0
        QUEUED
        > EXEC
        1) (nil array)
        2) (nil)
        3) (nil)
        4) (nil array)
        5) (integer) 1
        6) 1) "k"
           2) "a"
        "#,
    );
}

#[test]
fn one_served_serves_the_next() {
    check(
        r#"
        one> BLMOVE a b LEFT RIGHT 0
        (no reply)
        two> BRPOPLPUSH b c 0
        (no reply)
        three> BLPOP c 0
        (no reply)
        > RPUSH a x
        (integer) 1
        > EXISTS a b c
        (integer) 0
        one<
        "x"
        two<
        "x"
        three<
        1) "c"
        2) "x"
        "#,
    );
}

#[test]
fn a_list_may_come_in_other_ways() {
    check(
        r#"
        one> BLPOP k 0
        (no reply)
        > SET k string
        OK
        > HSET h f v
        (integer) 1
        > RENAME h k
        OK
        > RPUSH src a b
        (integer) 2
        > COPY src k REPLACE
        (integer) 1
        one<
        1) "k"
        2) "a"
        > DEL k
        (integer) 1
        one> BLPOP k 0
        (no reply)
        > RENAME src k
        OK
        one<
        1) "k"
        2) "a"
        > DEL k
        (integer) 1
        one> BLPOP k 0
        (no reply)
        > SELECT 1
        OK
        > RPUSH k moved
        (integer) 1
        > MOVE k 0
        (integer) 1
        one<
        1) "k"
        2) "moved"
        one> BLPOP k 0
        (no reply)
        > RPUSH k swapped
        (integer) 1
        > SWAPDB 0 1
        OK
        one<
        1) "k"
        2) "swapped"
        "#,
    );
}

#[test]
fn a_destination_of_another_type() {
    check(
        r#"
        > SET s string
        OK
        one> BLMOVE k s LEFT LEFT 0
        (no reply)
        two> BLPOP k 0
        (no reply)
        > RPUSH k a
        (integer) 1
        one<
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        two<
        1) "k"
        2) "a"
        > BLMOVE none s LEFT LEFT 0.01
        (no reply)
        "#,
    );
}

#[test]
fn unblock() {
    check(
        r#"
        > CLIENT ID
        (integer) 1
        one> CLIENT ID
        (integer) 2
        two> CLIENT ID
        (integer) 3
        one> CLIENT SETNAME one
        OK
        > CLIENT UNBLOCK 99999
        (integer) 0
        one> BLPOP k 0
        (no reply)
        > CLIENT LIST
        (like) "*name=one*flags=b*cmd=blpop*"
        > INFO clients
        (like) "*blocked_clients:1*clients_in_timeout_table:0*total_blocking_keys:1*"
        two> BLMOVE k m LEFT LEFT 1000
        (no reply)
        > INFO clients
        (like) "*blocked_clients:2*clients_in_timeout_table:1*"
        > CLIENT UNBLOCK 2
        (integer) 1
        > CLIENT UNBLOCK 2
        (integer) 0
        one<
        (nil array)
        > CLIENT UNBLOCK 3 ERROR
        (integer) 1
        two<
        (error) UNBLOCKED client unblocked via CLIENT UNBLOCK
        > CLIENT UNBLOCK 3 TIMEOUT
        (integer) 0
        one> BLPOP k 0
        (no reply)
        > MULTI
        OK
        > CLIENT UNBLOCK 2 TIMEOUT
        QUEUED
        > RPUSH k a
        QUEUED
        > EXEC
        1) (integer) 1
        2) (integer) 1
        one<
        (nil array)
        one> LLEN k
        (integer) 1
        > INFO clients
        (like) "*blocked_clients:0*total_blocking_keys:0*"
        "#,
    );
}

#[test]
fn what_is_behind_waits_as_well() {
    check(
        r#"
        one> BLPOP k 0
        (no reply)
        > RPUSH k a
        (integer) 1
        > INFO clients
        (like) "*blocked_clients:0*total_blocking_keys:0*"
        one<
        1) "k"
        2) "a"
        one> LLEN k
        (integer) 0
        one> SELECT 2
        OK
        one> BLPOP k 0
        (no reply)
        > RPUSH k zero
        (integer) 1
        > SELECT 2
        OK
        > RPUSH k two
        (integer) 1
        one<
        1) "k"
        2) "two"
        "#,
    );
}

/// Several producers and consumers at once: every element arrives, once, and nobody waits for ever.
#[test]
fn nothing_is_lost_between_threads() {
    const CONSUMERS: usize = 4;
    const EACH: usize = 400;
    let server = Server::start();
    let words = |line: &str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
    let mut taken: Vec<usize> = std::thread::scope(|scope| {
        let consumers: Vec<_> = (0..CONSUMERS)
            .map(|number| {
                let mut client = server.connect(Protocol::Resp2);
                scope.spawn(move || {
                    let mut taken = Vec::new();
                    loop {
                        client.send(&words(if number % 2 == 0 { "BLPOP a b c 0" } else { "BLPOP c b a 0" }));
                        match client.try_receive().expect("a reply") {
                            Tree::Array(items) => match &items[..] {
                                [_, Tree::Bulk(value)] if value == b"end" => return taken,
                                [_, Tree::Bulk(value)] => {
                                    taken.push(String::from_utf8_lossy(value).parse().expect("a number"));
                                }
                                other => panic!("{other:?}"),
                            },
                            other => panic!("{other:?}"),
                        }
                    }
                })
            })
            .collect();
        let mut mover = server.connect(Protocol::Resp3);
        let moves = scope.spawn(move || {
            for _ in 0..EACH {
                mover.send(&words("BLMOVE source a LEFT RIGHT 0"));
                assert!(matches!(mover.try_receive().expect("a reply"), Tree::Bulk(_)));
            }
        });
        let producers: Vec<_> = ["b", "c", "source"]
            .into_iter()
            .enumerate()
            .map(|(number, key)| {
                let mut client = server.connect(Protocol::Resp2);
                scope.spawn(move || {
                    for n in 0..EACH {
                        client.send(&words(&format!("RPUSH {key} {}", number * EACH + n)));
                        client.try_receive().expect("a reply");
                    }
                })
            })
            .collect();
        producers.into_iter().for_each(|producer| producer.join().expect("a producer"));
        moves.join().expect("the mover");
        let mut last = server.connect(Protocol::Resp2);
        for _ in 0..CONSUMERS {
            last.send(&words("RPUSH a end"));
            last.try_receive().expect("a reply");
        }
        consumers.into_iter().flat_map(|consumer| consumer.join().expect("a consumer")).collect()
    });
    taken.sort_unstable();
    // Every second consumer looks at c and b before it finds an end in a.
    let mut rest = server.connect(Protocol::Resp2);
    for key in ["a", "b", "c"] {
        rest.send(&words(&format!("LRANGE {key} 0 -1")));
        let Tree::Array(items) = rest.try_receive().expect("a reply") else { panic!("an array") };
        assert_eq!(items, [], "{key}");
    }
    assert!(taken.into_iter().eq(0..3 * EACH));
}
