//! What a connection may take of the server, and what becomes of one that takes more, waits, or goes.

use crate::{
    client::{Client, request},
    instance::Server,
    process::Process,
    tree::Tree,
};
use flagstone::command::Protocol;
use std::{path::Path, time::Duration};

fn ok() -> Tree {
    Tree::Simple("OK".into())
}

fn text(tree: Tree) -> String {
    match tree {
        Tree::Bulk(bytes) | Tree::Verbatim(_, bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => panic!("no text: {other}"),
    }
}

/// Asks for the client list until it is as wanted.
fn wait_for_clients(admin: &mut Client, wanted: impl Fn(&str) -> bool) {
    for _ in 0..1_000_000 {
        if wanted(&text(admin.line("CLIENT LIST"))) {
            return;
        }
    }
    panic!("the clients did not become as wanted: {}", text(admin.line("CLIENT LIST")));
}

#[test]
fn one_client_too_many() {
    let server = Server::start();
    let mut admin = server.connect(Protocol::Resp2);
    let mut second = server.connect(Protocol::Resp2);
    assert_eq!(second.line("PING"), Tree::Simple("PONG".into()));
    assert_eq!(admin.line("CONFIG SET maxclients 2"), ok());
    let mut third = server.connect(Protocol::Resp2);
    assert_eq!(third.receive_until_closed(), [Tree::Error("ERR max number of clients reached".into())]);
    drop(second);
    wait_for_clients(&mut admin, |list| list.lines().count() == 1);
    assert_eq!(server.connect(Protocol::Resp2).line("PING"), Tree::Simple("PONG".into()));
}

#[test]
fn a_request_beyond_the_query_buffer() {
    let server = Server::start();
    let mut admin = server.connect(Protocol::Resp2);
    assert_eq!(admin.line("CONFIG SET client-query-buffer-limit 1mb"), ok());
    let mut client = server.connect(Protocol::Resp2);
    let _ = client.write(&request(&[&b"SET"[..], b"k", &vec![b'x'; 3 * 1024 * 1024]]));
    assert_eq!(client.receive_until_closed(), []);
    assert_eq!(admin.line("GET k"), Tree::Null);
}

#[test]
fn subscriptions_are_held_to_maxmemory() {
    let server = Server::start();
    let mut admin = server.connect(Protocol::Resp3);
    admin.line("SET k v");
    assert_eq!(admin.line("CONFIG SET maxmemory 2mb"), ok());
    let refused = Tree::Error("OOM command not allowed when used memory > 'maxmemory'.".into());
    for policy in ["noeviction", "allkeys-lru"] {
        assert_eq!(admin.line(&format!("CONFIG SET maxmemory-policy {policy}")), ok());
        for command in ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"] {
            let mut client = server.connect(Protocol::Resp3);
            let mut subscribe = |letter: &str| {
                client.send(&[command, &letter.repeat(1_200_000)]);
                client.receive()
            };
            assert!(matches!(subscribe("a"), Tree::Push(_)), "{command}");
            assert_eq!(subscribe("b"), refused, "{command}");
            client.line(&command.replace("SUBSCRIBE", "UNSUBSCRIBE"));
        }
    }
    // No key has given way.
    assert_eq!(admin.line("GET k"), Tree::Bulk(b"v".to_vec()));
}

#[test]
fn who_has_not_logged_in_holds_no_more_than_a_small_buffer() {
    let server = Server::start();
    let mut admin = server.connect(Protocol::Resp2);
    assert_eq!(admin.line("CONFIG SET requirepass secret"), ok());
    // As much of a request as it may send, without its end.
    let mut slow = server.connect(Protocol::Resp2);
    let argument = [b"$16384\r\n", &[b'x'; 16384][..], b"\r\n"].concat();
    slow.write(&[b"*10\r\n", &argument.repeat(9)[..]].concat()).expect("taken");
    wait_for_clients(&mut admin, |list| {
        let held = |line: &str| line.split("tot-mem=").nth(1)?.split(' ').next()?.parse::<u64>().ok();
        let all: Vec<u64> = list.lines().filter_map(held).collect();
        all.len() == 2 && all.iter().any(|held| (150_000..1_000_000).contains(held))
    });
    // Requests without end, and replies that nobody reads.
    let mut deaf = server.connect(Protocol::Resp2);
    let requests = b"PING\r\n".repeat(10_000);
    assert!((0..2_000).any(|_| deaf.write(&requests).is_err()), "it was served for ever");
    let Tree::Bulk(info) = admin.line("INFO stats") else { panic!("no text") };
    let info = String::from_utf8_lossy(&info).into_owned();
    assert!(info.contains("client_output_buffer_limit_disconnections:1"), "{info}");
}

#[test]
fn a_subscriber_that_does_not_read_is_given_up() {
    let server = Server::start();
    let mut publisher = server.connect(Protocol::Resp2);
    publisher.line("CONFIG SET client-output-buffer-limit \"pubsub 1mb 0 0\"");
    let mut subscriber = server.connect(Protocol::Resp2);
    subscriber.line("SUBSCRIBE news");
    let message = vec![b'm'; 100_000];
    // What the sockets hold counts for neither side, so how many it takes is open.
    let given_up = (0..1000).any(|_| publisher.call(&[&b"PUBLISH"[..], b"news", &message]) == Tree::Integer(0));
    assert!(given_up);
    assert!(subscriber.receive_until_closed().len() < 1000);
}

#[test]
fn a_soft_limit_counts_the_time() {
    let server = Server::start();
    let mut publisher = server.connect(Protocol::Resp2);
    publisher.line("CONFIG SET client-output-buffer-limit \"pubsub 0 64kb 10\"");
    let mut subscriber = server.connect(Protocol::Resp2);
    subscriber.line("SUBSCRIBE news");
    let message = vec![b'm'; 1_000_000];
    for _ in 0..30 {
        assert_eq!(publisher.call(&[&b"PUBLISH"[..], b"news", &message]), Tree::Integer(1));
    }
    wait_for_clients(&mut publisher, |list| {
        list.lines().any(|line| line.contains("sub=1") && !line.contains("omem=0 "))
    });
    server.shared().clock.advance(9_000);
    assert_eq!(publisher.call(&["PUBLISH", "news", "m"]), Tree::Integer(1));
    server.shared().clock.advance(2_000);
    publisher.call(&["PUBLISH", "news", "m"]);
    wait_for_clients(&mut publisher, |list| list.lines().count() == 1);
}

#[test]
fn a_pause_holds_a_pipeline_in_order() {
    let server = Server::start();
    let mut admin = server.connect(Protocol::Resp2);
    assert_eq!(admin.line("CLIENT PAUSE 100000 WRITE"), ok());
    let mut client = server.connect(Protocol::Resp2);
    client.write(b"GET k\r\nSET k 1\r\nGET k\r\nSET k 2\r\nGET k\r\n").expect("taken");
    assert_eq!(client.receive(), Tree::Null);
    wait_for_clients(&mut admin, |list| list.contains(" flags=b "));
    assert_eq!(admin.line("GET k"), Tree::Null);
    assert_eq!(admin.line("CLIENT UNPAUSE"), ok());
    let expected = [ok(), Tree::Bulk(b"1".to_vec()), ok(), Tree::Bulk(b"2".to_vec())];
    assert_eq!([(); 4].map(|()| client.receive()), expected);
}

#[test]
fn a_waiting_client_that_leaves_is_noticed() {
    let server = Server::start();
    let mut admin = server.connect(Protocol::Resp2);
    admin.line("CLIENT PAUSE 100000 WRITE");
    let mut client = server.connect(Protocol::Resp2);
    client.write(b"SET k 1\r\n").expect("taken");
    wait_for_clients(&mut admin, |list| list.contains(" flags=b "));
    drop(client);
    wait_for_clients(&mut admin, |list| list.lines().count() == 1);
    admin.line("CLIENT UNPAUSE");
    assert_eq!(admin.line("GET k"), Tree::Null);
}

#[test]
fn idle_clients_are_closed_after_the_timeout() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    let mut subscriber = server.connect(Protocol::Resp2);
    subscriber.line("SUBSCRIBE news");
    assert_eq!(client.line("CONFIG SET timeout 10"), ok());
    server.shared().clock.advance(Duration::from_secs(11).as_millis() as i64);
    assert!(client.is_closed());
    let mut publisher = server.connect(Protocol::Resp2);
    assert_eq!(publisher.line("PUBLISH news m"), Tree::Integer(1));
}

#[test]
fn an_idle_client_holds_no_buffers() {
    let server = Server::start();
    let mut idle = server.connect(Protocol::Resp2);
    for _ in 0..10 {
        assert_eq!(idle.call(&[&b"SET"[..], b"k", &[b'x'; 1000]]), ok());
    }
    let mut admin = server.connect(Protocol::Resp2);
    wait_for_clients(&mut admin, |list| {
        list.lines().next().is_some_and(|line| line.contains(" qbuf=0 qbuf-free=0 ") && line.contains(" omem=0 "))
    });
}

#[test]
fn a_client_in_the_middle_of_a_request_is_idle_too() {
    let server = Server::start();
    let mut half = client_that_holds(&server, 1000);
    let mut admin = server.connect(Protocol::Resp2);
    let room = |list: &str| -> Option<u64> {
        let half = list.lines().find(|line| line.contains(" cmd=NULL "))?;
        let word = half.split(' ').find_map(|word| word.strip_prefix("qbuf-free="))?;
        word.parse().ok()
    };
    // The last argument waits; the name of the command does not any more.
    wait_for_clients(&mut admin, |list| {
        room(list).is_some_and(|free| free > 1_000_000) && list.contains(" qbuf=1000 ") && list.contains(" argv-mem=4 ")
    });
    server.shared().clock.advance(Duration::from_secs(11).as_millis() as i64);
    // What was made ready for the rest of it goes back.
    wait_for_clients(&mut admin, |list| list.contains(" idle=11 ") && room(list).is_some_and(|free| free < 100_000));
    assert_eq!(admin.line("CONFIG SET timeout 10"), ok());
    assert!(half.is_closed());
}

/// A client whose request of so many bytes has arrived but for its end.
fn client_that_holds(server: &Server, bytes: usize) -> Client {
    let mut client = server.connect(Protocol::Resp2);
    let _ = client.write(format!("*2\r\n$4\r\nECHO\r\n${}\r\n", 8 << 20).as_bytes());
    let _ = client.write(&vec![b'x'; bytes]);
    client
}

#[test]
fn clients_that_hold_most_go_when_all_hold_too_much() {
    let server = Server::start();
    let mut admin = server.connect(Protocol::Resp2);
    assert_eq!(admin.line("CONFIG SET maxmemory-clients 4mb"), ok());
    let mut small = client_that_holds(&server, 512 << 10);
    let mut large = client_that_holds(&server, 5 << 20);
    assert_eq!(large.receive_until_closed(), []);
    wait_for_clients(&mut admin, |list| list.lines().count() == 2);
    // Spared, it counts all the same: another goes in its place.
    let mut spared = server.connect(Protocol::Resp2);
    assert_eq!(admin.line("CLIENT NO-EVICT ON"), ok());
    assert_eq!(spared.line("CLIENT NO-EVICT ON"), ok());
    let _ = spared.write(format!("*2\r\n$4\r\nECHO\r\n${}\r\n", 8 << 20).as_bytes());
    let _ = spared.write(&vec![b'x'; 5 << 20]);
    assert_eq!(small.receive_until_closed(), []);
    wait_for_clients(&mut admin, |list| list.lines().count() == 2);
    assert!(text(admin.line("INFO stats")).contains("evicted_clients:2\r\n"));
    assert_eq!(admin.line("CONFIG SET maxmemory-clients 5%"), ok());
    assert_eq!(
        admin.line("CONFIG GET maxmemory-clients"),
        Tree::Array(vec![Tree::Bulk("maxmemory-clients".into()), Tree::Bulk("5%".into())])
    );
}

#[test]
fn a_lower_limit_for_all_clients_holds_at_once() {
    let server = Server::start();
    let mut admin = server.connect(Protocol::Resp2);
    let _clients = [client_that_holds(&server, 2 << 20), client_that_holds(&server, 2 << 20)];
    let memory = |line: &str| -> Option<u64> { line.split("tot-mem=").nth(1)?.split(' ').next()?.parse().ok() };
    let is_large = |line: &&str| memory(line).is_some_and(|bytes| bytes >= 2 << 20);
    wait_for_clients(&mut admin, |list| list.lines().filter(is_large).count() == 2);
    // What they hold now is not too much.
    let held: u64 = text(admin.line("CLIENT LIST")).lines().filter_map(memory).sum();
    assert_eq!(admin.line(&format!("CONFIG SET maxmemory-clients {held}")), ok());
    assert_eq!(text(admin.line("CLIENT LIST")).lines().filter(is_large).count(), 2);
    assert_eq!(admin.line("CONFIG SET maxmemory-clients 4mb"), ok());
    assert_eq!(text(admin.line("CLIENT LIST")).lines().filter(is_large).count(), 1);
}

#[test]
fn a_tracking_table_that_has_to_be_smaller_gives_up_keys() {
    let server = Server::start();
    let mut admin = server.connect(Protocol::Resp2);
    let mut client = server.connect(Protocol::Resp3);
    assert_eq!(client.line("CLIENT TRACKING ON"), ok());
    for key in ["a", "b", "c"] {
        client.line(&format!("GET {key}"));
    }
    assert_eq!(admin.line("CONFIG SET tracking-table-max-keys 1"), ok());
    let told = [client.receive(), client.receive()];
    assert!(told.iter().all(|push| push.to_string().contains("invalidate")), "{told:?}");
}

#[test]
fn a_script_that_was_short_before_and_lingers_keeps_nobody_waiting() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = ["--server-threads", "1", "--busy-reply-threshold", "20"];
    let (process, mut admin) = Process::start(dir.path(), &options).connected();
    let mut client = process.connect();
    let script = "if redis.call('get', KEYS[1]) then while true do end end return 1";
    let eval = ["EVAL", script, "1", "k"];
    for _ in 0..3 {
        assert_eq!(client.call(&eval), Tree::Integer(1));
    }
    assert_eq!(client.line("SET k v"), ok());
    client.send(&eval);
    while admin.line("SCRIPT KILL") != ok() {}
    assert!(client.receive().to_string().contains("Script killed by user with SCRIPT KILL"));
    assert_eq!(client.line("PING"), Tree::Simple("PONG".into()));
}

/// A script that was short until now, with a client that it will hold up on the only thread.
fn held_up(dir: &Path, end: &str) -> (Process, Client, Client) {
    let (process, mut other) =
        Process::start(dir, &["--server-threads", "1", "--busy-reply-threshold", "20"]).connected();
    let mut client = process.connect();
    let script = format!("redis.call('incr', KEYS[1]) if ARGV[1] then {end} end return 1");
    for _ in 0..3 {
        assert_eq!(client.call(&["EVAL", &script, "1", "k"]), Tree::Integer(1));
    }
    assert_eq!(other.line("PING"), Tree::Simple("PONG".into()));
    client.send(&["EVAL", &script, "1", "k", "on"]);
    (process, client, other)
}

fn is_busy(reply: &Tree) -> bool {
    reply.to_string().contains("BUSY Redis is busy")
}

#[test]
fn a_script_that_has_written_and_never_ends_holds_up_nobody() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut process, _client, mut other) = held_up(dir.path(), "while true do end");
    while !is_busy(&other.line("GET k")) {}
    let mut late = process.connect();
    assert!(is_busy(&late.line("SET other v")));
    assert!(late.line("SCRIPT KILL").to_string().contains("UNKILLABLE"));
    other.write(b"SHUTDOWN NOSAVE\r\n").expect("taken");
    assert!(process.child.wait().expect("it has ended").success());
}

#[test]
fn who_went_to_another_thread_beside_a_long_script_goes_on_there() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client, mut other) =
        held_up(dir.path(), "local s = os.clock() while os.clock() - s < 0.5 do end");
    let mut waiter = process.connect();
    waiter.write(b"PING\r\n*2\r\n$3\r\nGET\r\n$1").expect("taken");
    while !is_busy(&other.line("GET k")) {}
    assert_eq!(client.receive(), Tree::Integer(1));
    // A request in part has gone with its client.
    waiter.write(b"\r\nk\r\n").expect("taken");
    let first = waiter.receive();
    assert!(first == Tree::Simple("PONG".into()) || is_busy(&first), "{first:?}");
    assert_eq!(waiter.receive(), Tree::Bulk(b"4".to_vec()));
    for client in [&mut client, &mut other, &mut process.connect()] {
        assert_eq!(client.line("GET k"), Tree::Bulk(b"4".to_vec()));
    }
}

#[test]
fn a_script_in_a_transaction_holds_up_nobody() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = ["--server-threads", "1", "--busy-reply-threshold", "20"];
    let (process, mut other) = Process::start(dir.path(), &options).connected();
    let mut client = process.connect();
    client.write(b"MULTI\r\nEVAL \"while true do end\" 0\r\nEXEC\r\n").expect("taken");
    while other.line("SCRIPT KILL") != ok() {}
    assert_eq!((client.receive(), client.receive()), (ok(), Tree::Simple("QUEUED".into())));
    assert!(client.receive().to_string().contains("Script killed by user"));
}

/// The disk takes its time: a file that is not read blocks who writes it.
#[test]
fn who_loads_a_library_waits_for_the_disk_and_nobody_else_does() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = ["--server-threads", "1", "--dbfilename", "image"];
    let (process, mut other) = Process::start(dir.path(), &options).connected();
    let pipe = dir.path().join("image.unfinished");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let mut client = process.connect();
    let code = |n| format!("#!lua name=l{n}\nredis.register_function('f{n}', function() return {n} end)");
    for n in 0..100 {
        client.send(&["FUNCTION", "LOAD", &code(n)]);
    }
    // Its libraries are there, but it is not told.
    while other.line("FCALL f99 0") != Tree::Integer(99) {}
    assert!(!client.has_reply());
    std::thread::spawn(move || while std::fs::read(&pipe).is_ok() {});
    for n in 0..100 {
        assert_eq!(client.receive(), Tree::Bulk(format!("l{n}").into_bytes()));
    }
    assert_eq!(client.line("PING"), Tree::Simple("PONG".into()));
}

#[test]
fn what_a_script_or_a_library_may_hold_is_limited() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    let doubling = "local s = 'x' for i = 1, 40 do s = s .. s end";
    let library = format!("#!lua name=l\n{doubling} redis.register_function('f', function() return 1 end)");
    for request in [&["EVAL", doubling, "0"][..], &["FUNCTION", "LOAD", &library]] {
        assert!(matches!(client.call(request), Tree::Error(_)), "{request:?}");
        assert_eq!(client.call(&["EVAL", "return 1", "0"]), Tree::Integer(1));
    }
}

/// A collection that is only written to is in use like one that is read; by a policy of changes, what is only read is not.
#[test]
fn what_is_changed_counts_as_used() {
    for (policy, read_stays) in [("allkeys-lru", true), ("allkeys-s3fifo", true), ("allkeys-lrm", false)] {
        let server = Server::start();
        let mut client = server.connect(Protocol::Resp2);
        assert_eq!(client.line("CONFIG SET maxmemory 8mb"), ok());
        assert_eq!(client.line(&format!("CONFIG SET maxmemory-policy {policy}")), ok());
        client.line("RPUSH queue 0 1 2");
        client.line("SET read only");
        let value = "x".repeat(1000);
        for n in 0..40_000 {
            client.call(&["SET", &format!("passing:{n}"), &value]);
            if n % 20 == 0 {
                client.line("RPUSH queue 1");
                client.line("LPOP queue");
                client.line("GET read");
            }
        }
        assert_eq!(client.line("LLEN queue"), Tree::Integer(3), "{policy}");
        assert_eq!(client.line("EXISTS read"), Tree::Integer(read_stays.into()), "{policy}");
    }
}

/// Who is closed for what it leaves unread holds nothing that others would have to give way to.
#[test]
fn a_client_beyond_its_output_limit_costs_no_other_its_place() {
    let server = Server::start();
    let mut admin = server.connect(Protocol::Resp2);
    assert_eq!(admin.line("CONFIG SET client-output-buffer-limit 'normal 3mb 0 0'"), ok());
    assert_eq!(admin.line("SETRANGE k 4194304 v"), Tree::Integer(4_194_305));
    let holder = client_that_holds(&server, 3 << 20);
    wait_for_clients(&mut admin, |list| list.contains(&format!(" qbuf={} ", 3 << 20)));
    let memory = |line: &str| -> Option<u64> { line.split("tot-mem=").nth(1)?.split(' ').next()?.parse().ok() };
    let held: u64 = text(admin.line("CLIENT LIST")).lines().filter_map(memory).sum();
    assert_eq!(admin.line(&format!("CONFIG SET maxmemory-clients {}", held + (1 << 20))), ok());
    let mut greedy = server.connect(Protocol::Resp2);
    greedy.send(&["GET", "k"]);
    assert_eq!(greedy.receive_until_closed(), []);
    wait_for_clients(&mut admin, |list| list.lines().count() == 2);
    assert!(text(admin.line("INFO stats")).contains("evicted_clients:0\r\n"));
    drop(holder);
}

/// A reply as long as the client says is refused, unless an output limit ends it.
#[test]
fn choices_without_end_end_with_the_output_limit() {
    let server = Server::start();
    let mut admin = server.connect(Protocol::Resp2);
    for (fill, request) in [
        ("HSET h f v", "HRANDFIELD h -999999999"),
        ("HSET h f v", "HRANDFIELD h -999999999 WITHVALUES"),
        ("SADD s m", "SRANDMEMBER s -999999999"),
        ("ZADD z 1 m", "ZRANDMEMBER z -999999999 WITHSCORES"),
    ] {
        admin.line(fill);
        let refused = Tree::Error("ERR value is out of range".into());
        assert_eq!(admin.line("CONFIG SET client-output-buffer-limit 'normal 0 0 0'"), ok());
        assert_eq!(server.connect(Protocol::Resp2).line(request), refused, "{request}");
        assert_eq!(admin.line("CONFIG SET client-output-buffer-limit 'normal 1mb 0 0'"), ok());
        let mut greedy = server.connect(Protocol::Resp2);
        assert_eq!(greedy.line("PING"), Tree::Simple("PONG".into()));
        // A script's reply is nobody's output yet.
        let words: Vec<String> = request.split(' ').map(|word| format!("'{word}'")).collect();
        let script = format!("return redis.pcall({}).err", words.join(","));
        assert_eq!(
            greedy.call(&["EVAL", &script, "0"]),
            Tree::Bulk(b"ERR value is out of range".to_vec()),
            "{request}"
        );
        // Neither is what nobody hears.
        greedy.send(&["CLIENT", "REPLY", "OFF"]);
        greedy.send(&request.split(' ').collect::<Vec<_>>());
        assert_eq!(greedy.line("CLIENT REPLY ON"), ok());
        greedy.line(&request.replace("-999999999", "-10"));
        greedy.send(&request.split(' ').collect::<Vec<_>>());
        assert!(greedy.receive_until_closed().is_empty(), "{request}");
    }
    assert_eq!(server.shared().stats.output_limit_closes.get(), 4);
}
