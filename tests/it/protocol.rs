//! Bytes that no well-meaning client sends. Whatever they are: the sender gets the known error or is cut off, memory is
//! not taken on a mere announcement, and another client is served as if nothing had happened.

use crate::{
    client::{Client, request},
    instance::Server,
    tree::Tree,
};
use flagstone::command::Protocol;

/// Runs `abuse` on a connection of its own, then looks whether others are still served.
fn others_are_served(server: &Server, abuse: impl FnOnce(&mut Client)) {
    let mut bystander = server.connect(Protocol::Resp2);
    assert_eq!(bystander.line("SET bystander alive"), Tree::Simple("OK".into()));
    abuse(&mut server.connect(Protocol::Resp2));
    assert_eq!(bystander.line("GET bystander"), Tree::Bulk(b"alive".to_vec()));
    assert_eq!(server.connect(Protocol::Resp3).line("GET bystander"), Tree::Bulk(b"alive".to_vec()));
}

/// Sends `bytes` and expects one error with `text`, after which the server closes.
fn is_refused(server: &Server, bytes: &[u8], text: &str) {
    others_are_served(server, |client| {
        // The server may close while the rest is still being sent.
        let _ = client.write(bytes);
        let replies = client.receive_until_closed();
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert_eq!(replies, [Tree::Error(text.into())], "after {shown:?}");
    });
}

#[test]
fn malformed_requests() {
    let server = Server::start();
    for (bytes, text) in [
        (&b"*abc\r\n"[..], "ERR Protocol error: invalid multibulk length"),
        (b"*2147483648\r\n", "ERR Protocol error: invalid multibulk length"),
        (b"*99999999999999999999\r\n", "ERR Protocol error: invalid multibulk length"),
        (b"*1048577\r\n", "ERR Protocol error: invalid multibulk length"),
        (b"*1x\r\n", "ERR Protocol error: invalid multibulk length"),
        (b"*1\r\n:1\r\n", "ERR Protocol error: expected '$', got ':'"),
        (b"*1\r\nfoo\r\n", "ERR Protocol error: expected '$', got 'f'"),
        (b"*2\r\n$4\r\nPING\r\n*1\r\n", "ERR Protocol error: expected '$', got '*'"),
        (b"*1\r\n$abc\r\n", "ERR Protocol error: invalid bulk length"),
        (b"*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length"),
        (b"*1\r\n$-2147483649\r\n", "ERR Protocol error: invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "ERR Protocol error: invalid bulk length"),
        (b"*1\r\n$9223372036854775808\r\n", "ERR Protocol error: invalid bulk length"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2000000000\r\n", "ERR Protocol error: invalid bulk length"),
        (b"PING \"abc\r\n", "ERR Protocol error: unbalanced quotes in request"),
        (b"SET a 'b\r\n", "ERR Protocol error: unbalanced quotes in request"),
        (b"SET a \"b\"c\r\n", "ERR Protocol error: unbalanced quotes in request"),
    ] {
        is_refused(&server, bytes, text);
    }
}

#[test]
fn what_is_announced_and_never_comes() {
    let server = Server::start();
    let endless = vec![b'1'; 70_000];
    is_refused(&server, &[b"*", &endless[..]].concat(), "ERR Protocol error: too big mbulk count string");
    is_refused(&server, &[b"*1\r\n$", &endless[..]].concat(), "ERR Protocol error: too big bulk count string");
    is_refused(&server, &vec![b'a'; 70_000], "ERR Protocol error: too big inline request");
    server.connect(Protocol::Resp2).line("CONFIG SET proto-inline-max-size 2kb");
    is_refused(&server, &[b'a'; 3000], "ERR Protocol error: too big inline request");
    is_refused(&server, &[b"*", &endless[..3000]].concat(), "ERR Protocol error: too big mbulk count string");
}

#[test]
fn nothing_to_do_is_no_error() {
    let server = Server::start();
    others_are_served(&server, |client| {
        client.write(b"*0\r\n*-1\r\n*-100\r\n\r\n   \r\n*0\r\nPING\r\n").expect("taken");
        assert_eq!(client.receive(), Tree::Simple("PONG".into()));
    });
}

#[test]
fn inline_requests() {
    let server = Server::start();
    others_are_served(&server, |client| {
        client.write(b"  SET  a   \"x\\x41\\n\" \r\nGET a\nECHO 'it\\'s'\r\nECHO \"\"\r\n").expect("taken");
        assert_eq!(client.receive(), Tree::Simple("OK".into()));
        assert_eq!(client.receive(), Tree::Bulk(b"xA\n".to_vec()));
        assert_eq!(client.receive(), Tree::Bulk(b"it's".to_vec()));
        assert_eq!(client.receive(), Tree::Bulk(Vec::new()));
    });
}

#[test]
fn nesting_does_not_deepen_anything() {
    let server = Server::start();
    is_refused(&server, &b"*1\r\n".repeat(100_000), "ERR Protocol error: expected '$', got '*'");
}

#[test]
fn a_request_of_single_bytes() {
    let server = Server::start();
    others_are_served(&server, |client| {
        for byte in request(&["SET", "slow", "a\r\nb"]).into_iter().chain(*b"GET slow\r\n") {
            client.write(&[byte]).expect("taken");
        }
        assert_eq!(client.receive(), Tree::Simple("OK".into()));
        assert_eq!(client.receive(), Tree::Bulk(b"a\r\nb".to_vec()));
    });
}

#[test]
fn a_command_of_very_many_arguments() {
    let server = Server::start();
    others_are_served(&server, |client| {
        let mut args = vec!["EXISTS"; 1];
        args.resize(1024 * 1024, "k");
        client.send(&args);
        assert_eq!(client.receive(), Tree::Integer(0));
        args[0] = "MGET";
        client.line("SET k v");
        args.truncate(100_001);
        let Tree::Array(values) = client.call(&args) else { panic!("an array") };
        assert_eq!(values.len(), 100_000);
        assert!(values.iter().all(|value| *value == Tree::Bulk(b"v".to_vec())));
    });
}

#[test]
fn a_deep_pipeline() {
    let server = Server::start();
    others_are_served(&server, |client| {
        const DEPTH: usize = 10_000;
        let mut bytes = Vec::new();
        for n in 0..DEPTH {
            bytes.extend_from_slice(&request(&["SET", &format!("key:{n}"), &n.to_string()]));
            bytes.extend_from_slice(&request(&["GET", &format!("key:{n}")]));
        }
        client.write(&bytes).expect("taken");
        for n in 0..DEPTH {
            assert_eq!(client.receive(), Tree::Simple("OK".into()));
            assert_eq!(client.receive(), Tree::Bulk(n.to_string().into_bytes()));
        }
    });
}

#[test]
fn an_error_after_good_commands_spares_their_replies() {
    let server = Server::start();
    others_are_served(&server, |client| {
        client.write(b"*1\r\n$4\r\nPING\r\nSET a b\r\n*1\r\n$-5\r\n*1\r\n$4\r\nPING\r\n").expect("taken");
        assert_eq!(
            client.receive_until_closed(),
            [
                Tree::Simple("PONG".into()),
                Tree::Simple("OK".into()),
                Tree::Error("ERR Protocol error: invalid bulk length".into())
            ]
        );
    });
}

#[test]
fn a_client_that_leaves_in_the_middle() {
    let server = Server::start();
    let whole = request(&["SET", "left", "value"]);
    for cut in 1..whole.len() {
        others_are_served(&server, |client| client.write(&whole[..cut]).expect("taken"));
    }
    assert_eq!(server.connect(Protocol::Resp2).line("EXISTS left"), Tree::Integer(0));
}

#[test]
fn a_client_that_stops_sending_still_gets_its_replies() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    client.write(b"PING\r\nECHO bye\r\n").expect("taken");
    client.finish_sending();
    assert_eq!(client.receive_until_closed(), [Tree::Simple("PONG".into()), Tree::Bulk(b"bye".to_vec())]);
}

#[test]
fn quit_answers_and_closes() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    client.write(b"QUIT\r\nPING\r\n").expect("taken");
    assert_eq!(client.receive_until_closed(), [Tree::Simple("OK".into())]);
}

#[test]
fn a_monitor_that_quits_is_not_shown_that() {
    let server = Server::start();
    let mut others = server.connect(Protocol::Resp2);
    others.line("MONITOR");
    let mut client = server.connect(Protocol::Resp2);
    client.write(b"MONITOR\r\nQUIT\r\n").expect("taken");
    assert_eq!(client.receive_until_closed(), [Tree::Simple("OK".into()), Tree::Simple("OK".into())]);
    assert!(matches!(others.receive(), Tree::Simple(line) if line.ends_with("\"QUIT\"")));
}

#[test]
fn a_stranger_may_announce_little() {
    let server = Server::start();
    server.connect(Protocol::Resp2).line("CONFIG SET requirepass secret");
    for (bytes, text) in [
        (&b"*11\r\n"[..], "ERR Protocol error: unauthenticated multibulk length"),
        (b"*1\r\n$16385\r\n", "ERR Protocol error: unauthenticated bulk length"),
    ] {
        let mut stranger = server.connect(Protocol::Resp2);
        stranger.write(bytes).expect("taken");
        assert_eq!(stranger.receive_until_closed(), [Tree::Error(text.into())]);
    }
    let mut friend = server.connect(Protocol::Resp2);
    assert_eq!(friend.line("AUTH secret"), Tree::Simple("OK".into()));
    let mut args = vec!["EXISTS"; 1];
    args.resize(100, "k");
    assert_eq!(friend.call(&args), Tree::Integer(0));
}

#[test]
fn an_http_client_is_cut_off() {
    let server = Server::start();
    for bytes in [&b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], b"GET / HTTP/1.1\r\nHost: localhost:6379\r\n\r\n"]
    {
        others_are_served(&server, |client| {
            client.write(bytes).expect("taken");
            // The request line may be answered as a command; what follows it is not.
            client.receive_until_closed();
        });
    }
}

#[test]
fn a_large_value_and_its_limit() {
    let server = Server::start();
    others_are_served(&server, |client| {
        let value = vec![b'x'; 20 * 1024 * 1024];
        assert_eq!(client.call(&[&b"SET"[..], b"large", &value]), Tree::Simple("OK".into()));
        assert_eq!(client.call(&["GETRANGE", "large", "0", "2"]), Tree::Bulk(b"xxx".to_vec()));
        assert_eq!(client.call(&["GET", "large"]), Tree::Bulk(value));
        client.line("CONFIG SET proto-max-bulk-len 2mb");
        client.write(b"*2\r\n$4\r\nECHO\r\n$2097153\r\n").expect("taken");
        assert_eq!(client.receive(), Tree::Error("ERR Protocol error: invalid bulk length".into()));
        assert!(client.is_closed());
    });
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    let server = Server::start();
    let mut admin = server.connect(Protocol::Resp2);
    admin.line("CONFIG SET client-output-buffer-limit \"normal 1mb 0 0\"");
    admin.call(&[&b"SET"[..], b"large", &vec![b'x'; 100_000]]);
    others_are_served(&server, |client| {
        let bytes = request(&["GET", "large"]).repeat(1000);
        let _ = client.write(&bytes);
        // About 100 MB of replies are not waited for; the connection ends within them.
        let replies = client.receive_until_closed();
        assert!(replies.len() < 1000, "all replies came: {}", replies.len());
    });
}

/// Random bytes around the grammar: the server may answer or close, and lives.
#[test]
fn random_bytes() {
    let server = Server::start();
    let mut random = fastrand::Rng::with_seed(7);
    let pieces: [&[u8]; 14] =
        [b"*", b"$", b"\r\n", b"\n", b"-1", b"0", b"1", b"3", b"PING", b"SET", b"\"", b"'", b"\0\xff", b" "];
    others_are_served(&server, |_| {
        for _ in 0..200 {
            let mut client = server.connect(Protocol::Resp2);
            let bytes: Vec<u8> =
                (0..random.usize(1..60)).flat_map(|_| pieces[random.usize(..pieces.len())].to_vec()).collect();
            let _ = client.write(&bytes);
            client.finish_sending();
            client.drain();
        }
    });
}
