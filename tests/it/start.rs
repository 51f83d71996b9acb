//! What the process does as its configuration says, apart from serving.

use crate::{client::Client, process::Process, tree::Tree};
use rustix::process::Signal;
use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

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

/// Lines that only the commands can judge are refused like any others: with file, line and reason, and no password.
#[test]
fn a_wrong_user_or_name_of_a_command_stops_the_start() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("test.conf");
    for (line, shown, reason) in [
        ("user bob on >secret +get +@nosuch", "user bob", "'+@nosuch': Unknown command or category name in ACL"),
        ("user bob >secret (+get", "user bob", "Unmatched parenthesis"),
        ("user bob >secret %", "user bob", "Syntax error"),
        ("user default on\nuser default >secret", "user default", "Duplicate user found"),
        ("rename-command nosuch x", "rename-command nosuch x", "No such command in rename-command"),
        ("rename-command get set", "rename-command get set", "Target command name already exists"),
    ] {
        fs::write(&file, format!("port 0\n{line}\n")).expect("room");
        let program = Command::new(env!("CARGO_BIN_EXE_flagstone")).arg(&file).arg("--dir").arg(dir.path()).output();
        let output = program.expect("the program can be run");
        assert!(!output.status.success(), "{line}");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let number = 1 + line.lines().count();
        let place = format!("Reading the configuration file {}, at line {number}\n>>> '{shown}'\n", file.display());
        assert!(said.contains(&place) && said.contains(reason) && !said.contains("secret"), "{line}: {said}");
    }
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

/// It can be read but once, and the process that goes to the background has not read it.
#[test]
fn a_configuration_from_standard_input_goes_along_to_the_background() {
    let dir = tempfile::tempdir().expect("a folder");
    let socket = dir.path().join("socket");
    let (long, dir, path) = ("x".repeat(100_000), dir.path().display(), socket.display());
    let text = format!("# {long}\ndaemonize yes\nport 0\nunixsocket {path}\ndir {dir}\nsave \"\"\nmaxclients 77\n");
    let mut program = Command::new(env!("CARGO_BIN_EXE_flagstone"));
    let mut front =
        program.arg("-").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program can be run");
    front.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    assert!(front.wait().expect("it can be waited for").success());
    let connected = (0..6000).find_map(|_| {
        thread::sleep(Duration::from_millis(10));
        UnixStream::connect(&socket).ok()
    });
    let mut client = connected.expect("it serves in the background");
    client.write_all(b"CONFIG GET maxclients\r\nSHUTDOWN NOSAVE\r\n").expect("it reads");
    let mut said = String::new();
    client.read_to_string(&mut said).expect("it answers and ends");
    assert!(said.ends_with("\r\n77\r\n"), "{said}");
}
