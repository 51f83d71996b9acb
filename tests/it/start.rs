//! What the process does as its configuration says, apart from serving.

use crate::{client::Client, process::Process, tree::Tree};
use rustix::process::Signal;
use std::fs;

fn ok() -> Tree {
    Tree::Simple("OK".into())
}

#[test]
fn commands_are_called_otherwise() {
    let dir = tempfile::tempdir().expect("a folder");
    let renamed = [("GET", "fetch"), ("SET", "store"), ("FLUSHALL", ""), ("PING", "held"), ("held", "VPING")];
    let options: Vec<&str> = renamed.iter().flat_map(|(from, to)| ["--rename-command", from, to]).collect();
    let (_process, mut client) = Process::start(dir.path(), &options).connected();
    assert_eq!(client.line("STORE k v"), ok());
    assert_eq!(client.line("Fetch k"), Tree::Bulk(b"v".to_vec()));
    for gone in ["GET k", "SET k v", "FLUSHALL", "PING", "HELD"] {
        assert!(client.line(gone).to_string().contains("unknown command"), "{gone}");
    }
    assert_eq!(client.line("VPING"), Tree::Simple("PONG".into()));
    // Scripts use the new names, users' rules the old ones.
    assert_eq!(client.line("EVAL \"return redis.call('fetch', KEYS[1])\" 1 k"), Tree::Bulk(b"v".to_vec()));
    assert_eq!(client.line("ACL SETUSER u on nopass ~* +@all -get"), ok());
    assert_eq!(client.line("AUTH u x"), ok());
    assert!(client.line("FETCH k").to_string().contains("NOPERM"));
}

#[test]
fn the_kernel_is_told_how_gladly_to_end_the_process() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client) = Process::start(dir.path(), &[]).connected();
    let file = format!("/proc/{}/oom_score_adj", process.child.id());
    let score = || fs::read_to_string(&file).expect("it runs").trim().parse::<i32>().expect("a number");
    let set = |client: &mut Client, mode: &str, value: i32| {
        client.call(&["CONFIG", "SET", "oom-score-adj", mode, "oom-score-adj-values", &format!("{value} 200 800")])
    };
    let base = score();
    assert_eq!(set(&mut client, "no", 9), ok());
    assert_eq!(score(), base);
    assert_eq!(set(&mut client, "yes", 9), ok());
    assert_eq!(score(), (base + 9).min(1000));
    assert_eq!(set(&mut client, "absolute", 1000), ok());
    assert_eq!(score(), 1000);
    assert!(set(&mut client, "yes", 2001).to_string().contains("must be between -2000 and 2000"));
    assert_eq!(client.line("CONFIG SET oom-score-adj no"), ok());
    assert_eq!(score(), base);
}

#[test]
fn whoever_leaves_the_door_open_is_told() {
    for (options, warned) in [
        (&["--bind", "*", "--protected-mode", "no"][..], true),
        (&["--bind", "*", "--protected-mode", "yes"], false),
        (&["--bind", "*", "--protected-mode", "no", "--requirepass", "secret"], false),
        (&["--protected-mode", "no"], false),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let process = Process::start(dir.path(), options);
        process.signal(Signal::TERM);
        let (_, lines) = process.wait();
        assert_eq!(lines.iter().any(|line| line.contains("asks for no password")), warned, "{options:?}: {lines:?}");
    }
}
