//! Large values: sent from where they lie, whatever happens to their keys meanwhile.

use crate::{
    client::{Client, request},
    instance::Server,
    tree::Tree,
};
use flagstone::command::Protocol;
use std::time::Duration;

/// More than a socket takes that nobody reads from.
const LEN: usize = 24 << 20;
const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

fn value(byte: u8) -> Vec<u8> {
    let mut bytes = vec![0; LEN];
    for (at, part) in bytes.chunks_mut(1000).enumerate() {
        part.fill(byte.wrapping_add(at as u8));
    }
    bytes
}

fn set(client: &mut Client, key: &str, value: &[u8]) {
    client.write(&request(&[b"SET", key.as_bytes(), value])).expect("taken");
    assert_eq!(client.receive(), Tree::Simple("OK".into()));
}

fn pinned(server: &Server) -> u64 {
    server.shared().keyspace.arena().pinned_bytes()
}

fn wait_until(holds: impl Fn() -> bool) {
    while !holds() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A client that has asked for the value and does not read, while `change` is made.
fn is_sent_as_it_was(server: &Server, ask: &[&[u8]], expected: &Tree, change: impl FnOnce(&mut Client)) {
    let mut writer = server.connect(Protocol::Resp2);
    set(&mut writer, "large", &value(1));
    outlives(server, ask, expected, change);
}

/// The same of what has been stored.
fn outlives(server: &Server, ask: &[&[u8]], expected: &Tree, change: impl FnOnce(&mut Client)) {
    let mut reader = server.connect(Protocol::Resp2);
    let mut writer = server.connect(Protocol::Resp2);
    reader.write(&request(ask)).expect("taken");
    wait_until(|| pinned(server) > 0);
    change(&mut writer);
    // Memory is given back to the system, and to others, who write there.
    server.shared().keyspace.arena().release_retired(usize::MAX);
    set(&mut writer, "other", &value(77));
    assert!(reader.receive() == *expected);
    wait_until(|| pinned(server) == 0);
    server.shared().keyspace.check().expect("in order");
    assert_eq!(writer.line("FLUSHALL"), Tree::Simple("OK".into()));
    server.shared().keyspace.arena().release_retired(usize::MAX);
    wait_until(|| server.shared().keyspace.used_memory() < 1 << 20);
}

#[test]
fn what_is_being_sent_outlives_its_key() {
    let server = Server::start();
    let whole = Tree::Bulk(value(1));
    for change in ["DEL large", "FLUSHALL", "RENAME large small", "EXPIRE large 100", "PEXPIREAT large 1"] {
        is_sent_as_it_was(&server, &[b"GET", b"large"], &whole, |writer| drop(writer.line(change)));
    }
    is_sent_as_it_was(&server, &[b"GET", b"large"], &whole, |writer| set(writer, "large", &value(2)));
    is_sent_as_it_was(&server, &[b"GETDEL", b"large"], &whole, |_| ());
    is_sent_as_it_was(&server, &[b"SET", b"large", b"small", b"GET"], &whole, |_| ());
}

#[test]
fn what_is_being_sent_is_not_changed_in_place() {
    let server = Server::start();
    let whole = Tree::Bulk(value(1));
    for change in
        ["APPEND large tail", "SETRANGE large 20000000 middle", "SETBIT large 7 1", "SETRANGE large 30000000 x"]
    {
        is_sent_as_it_was(&server, &[b"GET", b"large"], &whole, |writer| {
            assert!(matches!(writer.line(change), Tree::Integer(_)));
        });
    }
    let part = Tree::Bulk(value(1)[1000..LEN - 999].to_vec());
    is_sent_as_it_was(&server, &[b"GETRANGE", b"large", b"1000", b"-1000"], &part, |writer| {
        assert!(matches!(writer.line("SETRANGE large 10000 middle"), Tree::Integer(_)));
        assert_eq!(writer.line("GETRANGE large 10000 10005"), Tree::Bulk(b"middle".to_vec()));
    });
}

#[test]
fn large_and_small_replies_keep_their_order() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    for (key, byte) in [("a", 1), ("b", 2), ("c", 3)] {
        set(&mut client, key, &value(byte)[..100_000 * usize::from(byte)]);
    }
    set(&mut client, "small", b"little");
    let line = b"GET small\r\nMGET a small b c none a\r\nMULTI\r\nGET c\r\nGET small\r\nEXEC\r\nGET b\r\nPING\r\n";
    client.write(&line.repeat(20)).expect("taken");
    let bulk = |byte: u8| Tree::Bulk(value(byte)[..100_000 * usize::from(byte)].to_vec());
    let (small, simple) = (|| Tree::Bulk(b"little".to_vec()), |text: &str| Tree::Simple(text.into()));
    for _ in 0..20 {
        assert!(client.receive() == small());
        assert!(client.receive() == Tree::Array(vec![bulk(1), small(), bulk(2), bulk(3), Tree::Null, bulk(1)]));
        assert!(client.receive() == simple("OK"));
        assert!(client.receive() == simple("QUEUED") && client.receive() == simple("QUEUED"));
        assert!(client.receive() == Tree::Array(vec![bulk(3), small()]));
        assert!(client.receive() == bulk(2));
        assert!(client.receive() == simple("PONG"));
    }
}

#[test]
fn what_is_being_sent_counts_for_its_client_and_goes_with_it() {
    let server = Server::start();
    let mut writer = server.connect(Protocol::Resp2);
    set(&mut writer, "large", &value(1));
    let mut reader = server.connect(Protocol::Resp2);
    reader.write(b"CLIENT SETNAME reader\r\nGET large\r\n").expect("taken");
    wait_until(|| pinned(&server) > 0);
    wait_until(|| {
        let list = server.shared().clients.all();
        list.iter().any(|client| client.memory() > LEN as u64 / 2 && client.memory() < 2 * LEN as u64)
    });
    // It takes the memory of the value and no other.
    assert!(server.shared().keyspace.used_memory() < LEN as u64 * 11 / 10);
    drop(reader);
    wait_until(|| pinned(&server) == 0);
    // What passes the limit of a client is cut off, as it would be in a buffer.
    let mut reader = server.connect(Protocol::Resp2);
    writer.line("CONFIG SET client-output-buffer-limit \"normal 1mb 0 0\"");
    reader.write(b"GET large\r\n").expect("taken");
    wait_until(|| server.shared().stats.output_limit_closes.get() == 1);
    wait_until(|| pinned(&server) == 0);
}

#[test]
fn what_is_large_is_stored_however_it_comes() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    for len in [65_535, 65_536, 100_000, (1 << 20) + 4076, 3 << 20] {
        let (one, other) = (&value(1)[..len], &value(2)[..len]);
        set(&mut client, "k", one);
        let requests: &[(&[&[u8]], Tree)] = &[
            (&[b"SET", b"k", other, b"GET", b"EX", b"100"], Tree::Bulk(one.to_vec())),
            (&[b"TTL", b"k"], Tree::Integer(100)),
            (&[b"SET", b"k", one, b"NX"], Tree::Null),
            (&[b"SET", b"k", one, b"NONSENSE"], Tree::Error("ERR syntax error".into())),
            (&[b"PERSIST", b"k"], Tree::Integer(1)),
            (&[b"SETEX", b"k", b"50", one], Tree::Simple("OK".into())),
            (&[b"TTL", b"k"], Tree::Integer(50)),
            (&[b"MSET", b"k", other, b"little", b"value", b"other key", one], Tree::Simple("OK".into())),
            (&[b"MGET", b"k", b"other key"], Tree::Array([other, one].map(|value| Tree::Bulk(value.to_vec())).into())),
            (&[b"APPEND", b"k", one], Tree::Integer(2 * len as i64)),
            (&[b"DEL", b"k"], Tree::Integer(1)),
            (&[b"APPEND", b"k", one], Tree::Integer(len as i64)),
            (&[b"RPUSH", b"list", one], Tree::Integer(1)),
            (&[b"SET", b"list", other, b"GET"], Tree::Error(WRONG_TYPE.into())),
            (&[b"GETSET", b"k", other], Tree::Bulk(one.to_vec())),
            (&[b"MULTI"], Tree::Simple("OK".into())),
            (&[b"SET", b"k", one], Tree::Simple("QUEUED".into())),
            (&[b"EXEC"], Tree::Array(vec![Tree::Simple("OK".into())])),
            (&[b"GETDEL", b"k"], Tree::Bulk(one.to_vec())),
            (&[b"FLUSHALL"], Tree::Simple("OK".into())),
        ];
        // One after the other, and all at once.
        for (request_words, reply) in requests {
            client.write(&request(request_words)).expect("taken");
            assert!(client.receive() == *reply, "{:?} of {len}", request_words[0].escape_ascii().to_string());
        }
        set(&mut client, "k", one);
        let together: Vec<u8> = requests.iter().flat_map(|(words, _)| request(words)).collect();
        client.write(&together).expect("taken");
        for (words, reply) in requests {
            assert!(client.receive() == *reply, "{:?} of {len}, in a row", words[0].escape_ascii().to_string());
        }
        server.shared().keyspace.check().expect("in order");
    }
}

#[test]
fn what_has_come_in_part_is_its_senders_and_goes_with_it() {
    let server = Server::start();
    let mut sender = server.connect(Protocol::Resp2);
    let request = request(&[&b"SET"[..], b"large", &value(1)]);
    sender.write(&request[..LEN / 2]).expect("taken");
    wait_until(|| server.shared().clients.all().iter().any(|client| client.memory() > LEN as u64 / 3));
    // It makes nobody's key go.
    assert_eq!(server.shared().keyspace.used_memory(), 0);
    // An image that is made meanwhile knows nothing of it, one that is made then has it.
    let mut other = server.connect(Protocol::Resp2);
    assert_eq!(other.line("SAVE"), Tree::Simple("OK".into()));
    sender.write(&request[LEN / 2..]).expect("taken");
    assert_eq!(sender.receive(), Tree::Simple("OK".into()));
    assert_eq!(other.line("DEBUG RELOAD"), Tree::Simple("OK".into()));
    other.write(b"GET large\r\n").expect("taken");
    assert!(other.receive() == Tree::Bulk(value(1)));
    assert_eq!(other.line("FLUSHALL"), Tree::Simple("OK".into()));
    sender.write(&request[..LEN / 2]).expect("taken");
    wait_until(|| server.shared().clients.all().iter().any(|client| client.memory() > LEN as u64 / 3));
    drop(sender);
    wait_until(|| server.shared().clients.all().len() == 1);
    wait_until(|| {
        server.shared().keyspace.arena().release_retired(usize::MAX);
        server.shared().keyspace.used_memory() < 1 << 20
    });
}

/// Each way of storing elements of which one is large, what is asked for, and what changes there meanwhile.
#[test]
fn a_large_element_is_sent_as_it_was() {
    let server = Server::start();
    let (one, other) = (value(1), value(2));
    let (x, y): (&[u8], &[u8]) = (&one, &other);
    type Words<'a> = &'a [&'a [u8]];
    let bulk = |bytes: &[u8]| Tree::Bulk(bytes.to_vec());
    let cases: &[(Words<'_>, Words<'_>, &[Words<'_>])] = &[
        (
            &[b"RPUSH", b"k", b"a", x, b"c"],
            &[b"LINDEX", b"k", b"1"],
            &[
                &[b"LSET", b"k", b"1", y],
                &[b"LSET", b"k", b"1", b"b"],
                &[b"LSET", b"k", b"0", b"A"],
                &[b"RPUSH", b"k", b"d"],
                &[b"LPOP", b"k"],
                &[b"LREM", b"k", b"0", b"a"],
            ],
        ),
        (
            &[b"HSET", b"k", b"f", x, b"g", b"1"],
            &[b"HGET", b"k", b"f"],
            &[
                &[b"HSET", b"k", b"f", y],
                &[b"HSET", b"k", b"f", b"small"],
                &[b"HSET", b"k", b"g", b"2"],
                &[b"HDEL", b"k", b"f"],
                &[b"HEXPIRE", b"k", b"100", b"FIELDS", b"1", b"f"],
            ],
        ),
        (&[b"SADD", b"k", x], &[b"SRANDMEMBER", b"k"], &[&[b"SREM", b"k", x], &[b"SADD", b"k", b"more"]]),
        (
            &[b"ZADD", b"k", b"1", b"a", b"2", x, b"3", b"c"],
            &[b"ZRANGE", b"k", b"1", b"1"],
            &[&[b"ZADD", b"k", b"5", x], &[b"ZINCRBY", b"k", b"4", b"a"], &[b"ZREM", b"k", x]],
        ),
    ];
    // In trees, and packed in the item.
    for longest in ["64", "100000000"] {
        let mut client = server.connect(Protocol::Resp2);
        client.line(&format!("CONFIG SET hash-max-listpack-value {longest}"));
        client.line(&format!("CONFIG SET set-max-listpack-value {longest} zset-max-listpack-value {longest}"));
        client.line(&format!("CONFIG SET list-max-listpack-size {longest}"));
        for (store, ask, changes) in cases {
            for change in *changes {
                client.write(&request(store)).expect("taken");
                assert!(matches!(client.receive(), Tree::Integer(_)));
                let expected = match ask[0] {
                    b"ZRANGE" => Tree::Array(vec![bulk(x)]),
                    _ => bulk(x),
                };
                outlives(&server, ask, &expected, |writer| {
                    writer.write(&request(change)).expect("taken");
                    let reply = writer.receive();
                    let name = change[0].escape_ascii();
                    assert!(!matches!(reply, Tree::Error(_)), "{name}: {reply}");
                    server.shared().keyspace.check().expect("in order");
                });
            }
        }
        // What was changed beside it is as it was meant to be.
        client.write(&request(&[&b"HSET"[..], b"k", b"f", x, b"g", b"1"])).expect("taken");
        client.receive();
        outlives(&server, &[b"HGET", b"k", b"f"], &bulk(x), |writer| {
            for (field, value) in [(&b"f"[..], y), (b"g", b"2"), (b"h", b"3")] {
                writer.write(&request(&[&b"HSET"[..], b"k", field, value])).expect("taken");
                writer.receive();
            }
            writer.write(&request(&[&b"HMGET"[..], b"k", b"f", b"g", b"h"])).expect("taken");
            assert!(writer.receive() == Tree::Array(vec![bulk(y), bulk(b"2"), bulk(b"3")]));
        });
    }
}
