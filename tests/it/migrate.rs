//! MIGRATE between two servers.

use crate::{client::Client, instance::Server, tree::Tree};
use flagstone::command::Protocol;
use std::net::TcpListener;

fn ok() -> Tree {
    Tree::Simple("OK".into())
}

/// Sends MIGRATE to the server `to`, with the rest of its words.
fn migrate(client: &mut Client, to: &Server, rest: &[&str]) -> Tree {
    let port = to.address().port().to_string();
    client.call(&[&["MIGRATE", "127.0.0.1", &port], rest].concat())
}

#[test]
fn keys_move_with_their_values_and_times_to_live() {
    let (from, to) = (Server::start(), Server::start());
    let (mut here, mut there) = (from.connect(Protocol::Resp2), to.connect(Protocol::Resp2));
    for line in ["SET s text", "RPUSH l a b", "HSET h f v", "XADD x 1-1 f v", "PEXPIRE l 100000"] {
        here.line(line);
    }
    assert_eq!(migrate(&mut here, &to, &["s", "1", "5000"]), ok());
    assert_eq!(migrate(&mut here, &to, &["", "1", "5000", "KEYS", "l", "nothing", "h", "x"]), ok());
    assert_eq!(here.line("DBSIZE"), Tree::Integer(0));
    assert_eq!(there.line("SELECT 1"), ok());
    assert_eq!(there.line("GET s"), Tree::Bulk(b"text".to_vec()));
    assert_eq!(there.line("LLEN l"), Tree::Integer(2));
    assert_eq!(there.line("XLEN x"), Tree::Integer(1));
    assert_eq!(there.line("HGET h f"), Tree::Bulk(b"v".to_vec()));
    assert!(matches!(there.line("PTTL l"), Tree::Integer(1..=100_000)));
    assert_eq!(there.line("PTTL s"), Tree::Integer(-1));
    assert_eq!(migrate(&mut here, &to, &["s", "1", "5000"]), Tree::Simple("NOKEY".into()));
}

#[test]
fn what_is_there_is_replaced_only_when_told_so() {
    let (from, to) = (Server::start(), Server::start());
    let (mut here, mut there) = (from.connect(Protocol::Resp2), to.connect(Protocol::Resp2));
    assert_eq!(here.line("MSET a 1 b 1"), ok());
    assert_eq!(there.line("SET a 2"), ok());
    let refused = "ERR Target instance replied with error: BUSYKEY Target key name already exists.";
    assert_eq!(migrate(&mut here, &to, &["", "0", "5000", "KEYS", "a", "b"]), Tree::Error(refused.into()));
    // What has arrived is gone here.
    assert_eq!(here.line("EXISTS a b"), Tree::Integer(1));
    assert_eq!(migrate(&mut here, &to, &["a", "0", "5000", "COPY", "REPLACE"]), ok());
    assert_eq!(here.line("GET a"), Tree::Bulk(b"1".to_vec()));
    assert_eq!(there.line("MGET a b").to_string(), "1) \"1\"\n2) \"1\"");
}

#[test]
fn a_password_is_sent_and_a_wrong_one_moves_nothing() {
    let (from, to) = (Server::start(), Server::start());
    let (mut here, mut there) = (from.connect(Protocol::Resp2), to.connect(Protocol::Resp2));
    assert_eq!(here.line("SET a 1"), ok());
    assert_eq!(there.line("CONFIG SET requirepass secret"), ok());
    for words in [&["a", "0", "5000"][..], &["a", "0", "5000", "AUTH", "wrong"]] {
        assert!(migrate(&mut here, &to, words).to_string().contains("Target instance replied with error"), "{words:?}");
        assert_eq!(here.line("EXISTS a"), Tree::Integer(1));
    }
    assert_eq!(migrate(&mut here, &to, &["a", "0", "5000", "AUTH2", "default", "secret"]), ok());
    assert_eq!(here.line("EXISTS a"), Tree::Integer(0));
}

/// What INFO says of connections that are kept for the next MIGRATE.
fn kept(client: &mut Client) -> String {
    let info = client.line("INFO stats").to_string();
    info.split("\\r\\n").find_map(|line| line.strip_prefix("migrate_cached_sockets:")).expect("a figure").to_owned()
}

#[test]
fn a_connection_is_kept_for_the_next_key_and_made_anew_when_it_has_ended() {
    let (from, to) = (Server::start(), Server::start());
    let (mut here, mut there) = (from.connect(Protocol::Resp2), to.connect(Protocol::Resp2));
    assert_eq!(here.line("MSET a 1 b 2 c 3 d 4"), ok());
    assert_eq!(kept(&mut here), "0");
    assert_eq!(migrate(&mut here, &to, &["a", "0", "5000"]), ok());
    assert_eq!(migrate(&mut here, &to, &["b", "0", "5000"]), ok());
    assert_eq!(kept(&mut here), "1");
    // Both came on one connection.
    assert_eq!(there.line("CLIENT KILL TYPE normal SKIPME yes"), Tree::Integer(1));
    assert_eq!(migrate(&mut here, &to, &["c", "0", "5000"]), ok());
    // A refusal ends it.
    assert_eq!(there.line("SET d x"), ok());
    assert!(migrate(&mut here, &to, &["d", "0", "5000"]).to_string().contains("BUSYKEY"));
    assert_eq!(kept(&mut here), "0");
    assert_eq!(there.line("MGET a b c").to_string(), "1) \"1\"\n2) \"2\"\n3) \"3\"");
}

#[test]
fn nobody_waits_for_a_server_that_does_not_answer() {
    let (server, silent) = (Server::start(), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let (mut client, mut other) = (server.connect(Protocol::Resp2), server.connect(Protocol::Resp2));
    assert_eq!(client.line("SET a 1"), ok());
    let port = silent.local_addr().expect("bound").port().to_string();
    client.send(&["MIGRATE", "127.0.0.1", &port, "a", "0", "300"]);
    // It has connected: the key can be used meanwhile, and stays.
    let _waiting = silent.accept().expect("a connection");
    assert_eq!(other.line("INCR a"), Tree::Integer(2));
    let failed = "IOERR error or timeout reading from target instance";
    assert_eq!(client.receive(), Tree::Error(failed.into()));
    assert_eq!(client.line("GET a"), Tree::Bulk(b"2".to_vec()));
    drop(silent);
    let failed = "IOERR error or timeout writing to target instance";
    assert_eq!(client.call(&["MIGRATE", "127.0.0.1", &port, "a", "0", "300"]), Tree::Error(failed.into()));
    let failed = "IOERR error or timeout connecting to the client";
    assert_eq!(client.call(&["MIGRATE", "no such host", &port, "a", "0", "300"]), Tree::Error(failed.into()));
}

#[test]
fn a_server_is_no_stranger_to_itself_and_a_transaction_waits_for_nobody() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    assert_eq!(client.line("SET a 1"), ok());
    assert_eq!(migrate(&mut client, &server, &["a", "1", "5000"]), ok());
    assert_eq!(client.line("SELECT 1"), ok());
    assert_eq!(client.line("GET a"), Tree::Bulk(b"1".to_vec()));
    assert_eq!(client.line("MULTI"), ok());
    assert_eq!(migrate(&mut client, &server, &["a", "0", "5000"]), Tree::Simple("QUEUED".into()));
    assert!(client.line("EXEC").to_string().contains("nothing in a transaction or script may wait"));
    for (words, error) in [
        (&["a", "0", "5000", "KEYS", "b"][..], "the key argument must be set to the empty string"),
        (&["a", "0", "x"], "not an integer"),
        (&["a", "0", "1", "AUTH"], "syntax error"),
    ] {
        assert!(migrate(&mut client, &server, words).to_string().contains(error), "{words:?}");
    }
    let keys = "COMMAND GETKEYS MIGRATE h 1 \"\" 0 1 AUTH2 keys KEYS KEYS a keys";
    assert_eq!(client.line(keys).to_string(), "1) \"a\"\n2) \"keys\"");
}
