//! The append-only file in the life of the real program: what was acknowledged is there again after the process was
//! killed, whenever that was.

use crate::{client::Client, process::Process, tree::Tree};
use rustix::process::Signal;
use std::{
    fs::{self, OpenOptions},
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const ON: [&str; 4] = ["--appendonly", "yes", "--save", ""];

fn ok() -> Tree {
    Tree::Simple("OK".into())
}

fn bulk(text: &str) -> Tree {
    Tree::Bulk(text.as_bytes().to_vec())
}

/// The files, in order.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir.join("appendonlydir"))
        .expect("the folder of the files")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort_by_key(|path| path.extension().and_then(|number| number.to_str()?.parse::<u64>().ok()));
    files
}

fn field(client: &mut Client, name: &str) -> String {
    let Tree::Bulk(info) = client.line("INFO persistence") else { panic!("INFO answers a text") };
    let info = String::from_utf8(info).expect("text");
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{name} in {info}")).to_owned()
}

/// Takes a snapshot in the background and waits for its end.
fn snapshot(client: &mut Client) {
    let before: u64 = field(client, "rdb_saves").parse().expect("a number");
    client.line("BGREWRITEAOF");
    while field(client, "rdb_saves").parse::<u64>().expect("a number") == before {}
}

#[test]
fn sigkill_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client) = Process::start(dir.path(), &ON).connected();
    assert_eq!(client.line("SET a 1"), ok());
    assert_eq!(client.line("RPUSH l x y z"), Tree::Integer(3));
    assert_eq!(client.line("SADD s 1 2 3 4 5 6 7 8"), Tree::Integer(8));
    let Tree::Array(taken) = client.line("SPOP s 3") else { panic!("SPOP answers members") };
    assert_eq!(taken.len(), 3);
    client.line("SELECT 3");
    assert_eq!(client.line("SET gone 1 PX 1"), ok());
    assert_eq!(client.line("SET stays 1 EX 1000"), ok());
    assert_eq!(client.line("MULTI"), ok());
    client.line("INCR n");
    client.line("LPOP l");
    client.line("EXEC");
    drop(process);

    let (process, mut client) = Process::start(dir.path(), &ON).connected();
    assert_eq!(client.line("GET a"), bulk("1"));
    assert_eq!(client.line("LRANGE l 0 -1"), Tree::Array(vec![bulk("x"), bulk("y"), bulk("z")]));
    assert_eq!(client.line("SCARD s"), Tree::Integer(5));
    for member in taken {
        let Tree::Bulk(member) = member else { panic!("a member is a string") };
        assert_eq!(client.call(&[b"SISMEMBER", &b"s"[..], &member]), Tree::Integer(0));
    }
    client.line("SELECT 3");
    assert_eq!(client.line("GET gone"), Tree::Null);
    assert_eq!(client.line("GET n"), bulk("1"));
    assert!(Tree::IntegerIn(900, 1000).matches(&client.line("TTL stays")));
    // A snapshot takes the place of what was kept; more is kept behind it.
    snapshot(&mut client);
    assert_eq!(files(dir.path()).len(), 1);
    assert_eq!(client.line("INCR n"), Tree::Integer(2));
    drop(process);

    let (_process, mut client) = Process::start(dir.path(), &ON).connected();
    assert_eq!(client.line("GET a"), bulk("1"));
    client.line("SELECT 3");
    assert_eq!(client.line("GET n"), bulk("2"));
}

/// Transfers between accounts in all shards while snapshots are taken, each with `appendfsync` as given.
fn transfers(fsync: &str, rounds: usize) {
    const ACCOUNTS: u64 = 50;
    let dir = tempfile::tempdir().expect("a folder");
    let options = ["--appendonly", "yes", "--save", "", "--appendfsync", fsync];
    let mut acknowledged = 0i64;
    for round in 0..rounds {
        let (process, mut client) = Process::start(dir.path(), &options).connected();
        let mut sum = 0;
        for account in 0..ACCOUNTS {
            match client.line(&format!("GET account:{account}")) {
                Tree::Bulk(text) => sum += String::from_utf8(text).unwrap().parse::<i64>().unwrap(),
                // Not yet used.
                other => assert_eq!(other, Tree::Null),
            }
        }
        assert_eq!(sum, 0, "round {round}: the accounts balance");
        let Tree::Integer(done) = client.line("INCRBY done 0") else { panic!("a number") };
        assert!(done >= acknowledged, "round {round}: {acknowledged} transfers were acknowledged, {done} are there");
        assert!(done <= acknowledged + 1, "round {round}: {done} are there of {acknowledged} and one on its way");
        acknowledged = done;
        for step in 0..60 + 13 * round as u64 {
            let (from, to) = (fastrand::u64(..ACCOUNTS), fastrand::u64(..ACCOUNTS));
            client.line("MULTI");
            client.line(&format!("DECRBY account:{from} {step}"));
            client.line(&format!("INCRBY account:{to} {step}"));
            client.line("INCR done");
            assert!(matches!(client.line("EXEC"), Tree::Array(_)));
            acknowledged += 1;
            if step == 30 {
                client.line("BGREWRITEAOF");
            }
        }
        // The next one may or may not have happened.
        client.line("MULTI");
        client.line("DECRBY account:1 1000");
        client.line("INCRBY account:2 1000");
        client.line("INCR done");
        client.send(&["EXEC"]);
        drop(process);
    }
}

#[test]
fn transactions_are_kept_whole_whenever_the_end_comes() {
    transfers("everysec", 6);
}

#[test]
fn with_fsync_before_every_reply() {
    transfers("always", 3);
}

#[test]
fn a_torn_record_at_the_end_is_cut_off() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client) = Process::start(dir.path(), &ON).connected();
    assert_eq!(client.line("SET a 1"), ok());
    assert_eq!(client.line("SET b 2"), ok());
    drop(process);
    let path = files(dir.path()).pop().expect("a file");
    let len = path.metadata().expect("its length").len();
    OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(len - 3)).expect("the file is cut");

    let (process, mut client) = Process::start(dir.path(), &ON).connected();
    assert_eq!(client.line("GET a"), bulk("1"));
    assert_eq!(client.line("GET b"), Tree::Null);
    assert_eq!(client.line("SET c 3"), ok());
    drop(process);
    let (_process, mut client) = Process::start(dir.path(), &ON).connected();
    assert_eq!(client.line("MGET a b c"), Tree::Array(vec![bulk("1"), Tree::Null, bulk("3")]));
}

/// Has two keys set, and damages the record of the first; answers the file.
fn damage_the_first_of_two(dir: &Path, append_fsync: &str) -> PathBuf {
    let (process, mut client) = Process::start(dir, &[&ON[..], &["--appendfsync", append_fsync]].concat()).connected();
    assert_eq!(client.line("SET first 1"), ok());
    assert_eq!(client.line("SET second 2"), ok());
    drop(process);
    let path = files(dir).pop().expect("a file");
    let mut bytes = fs::read(&path).expect("the file");
    let at = bytes.windows(5).position(|window| window == b"first").expect("the first record");
    bytes[at] ^= 1;
    fs::write(&path, bytes).expect("the file is written");
    path
}

/// As if the second record had come to the disk before the first when the power went.
#[test]
fn damage_to_what_was_never_synced_is_cut_off() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = damage_the_first_of_two(dir.path(), "no");
    for _ in 0..2 {
        let (_process, mut client) = Process::start(dir.path(), &ON).connected();
        assert_eq!(client.line("MGET first second"), Tree::Array(vec![Tree::Null, Tree::Null]));
        assert_eq!(fs::metadata(&path).expect("the file").len(), 32);
    }
}

#[test]
fn damage_before_the_end_stops_the_start_and_names_the_offset() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = damage_the_first_of_two(dir.path(), "always");
    let mut child = Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .args(["--port", "0", "--dir"])
        .arg(dir.path())
        .args(ON)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be run");
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    assert!(!child.wait().expect("it ends").success());
    assert!(said.contains("the record at offset 32 is damaged") && said.contains(&*path.to_string_lossy()), "{said}");
}

#[test]
fn it_can_be_turned_on_and_off_while_the_server_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let debugging = ["--save", "", "--enable-debug-command", "yes"];
    let (process, mut client) = Process::start(dir.path(), &debugging).connected();
    assert_eq!(client.line("SET before 1"), ok());
    assert_eq!(client.line("CONFIG SET appendonly yes"), ok());
    while field(&mut client, "aof_rewrite_in_progress") == "1" {}
    assert_eq!(client.line("SET after 2"), ok());
    assert_eq!(client.line("DEBUG LOADAOF"), ok());
    assert_eq!(client.line("MGET before after"), Tree::Array(vec![bulk("1"), bulk("2")]));
    drop(process);
    let (process, mut client) = Process::start(dir.path(), &ON).connected();
    assert_eq!(client.line("MGET before after"), Tree::Array(vec![bulk("1"), bulk("2")]));
    assert_eq!(client.line("CONFIG SET appendonly no"), ok());
    assert_eq!(client.line("SET unkept 3"), ok());
    drop(process);
    let (_process, mut client) = Process::start(dir.path(), &ON).connected();
    assert_eq!(client.line("MGET before after unkept"), Tree::Array(vec![bulk("1"), bulk("2"), Tree::Null]));
}

/// Its directory is removed, or another is set: the next snapshot has all, and the log goes on from it there.
#[test]
fn it_goes_on_in_a_directory_made_anew_and_in_another() {
    let (dir, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let options = [&ON[..], &["--appendfsync", "always", "--enable-protected-configs", "yes"]].concat();
    let (process, mut client) = Process::start(dir.path(), &options).connected();
    assert_eq!(client.line("SET k 1"), ok());
    fs::remove_dir_all(dir.path().join("appendonlydir")).expect("removed");
    snapshot(&mut client);
    assert_eq!(client.line("SET k 2"), ok());
    let Tree::Error(refusal) = client.line("CONFIG SET dir /proc") else { panic!("no log can be there") };
    assert!(refusal.contains("the append-only file can't be moved"), "{refusal}");
    assert_eq!(client.line("SET k 3"), ok());
    assert_eq!(client.line(&format!("CONFIG SET dir {}", other.path().display())), ok());
    assert_eq!(client.line("SET k 4"), ok());
    while !other.path().join("dump.flag").exists() || field(&mut client, "aof_rewrite_in_progress") == "1" {}
    assert_eq!(client.line("SET k 5"), ok());
    process.signal(Signal::KILL);
    process.wait();
    for (dir, value) in [(&dir, "3"), (&other, "5")] {
        let (_again, mut client) = Process::start(dir.path(), &options).connected();
        assert_eq!(client.line("GET k"), bulk(value));
    }
}

#[test]
fn what_is_evicted_stays_away() {
    let dir = tempfile::tempdir().expect("a folder");
    let limited = [&ON[..], &["--maxmemory", "4mb", "--maxmemory-policy", "allkeys-random"]].concat();
    let (process, mut client) = Process::start(dir.path(), &limited).connected();
    let value = "x".repeat(1000);
    for n in 0..6000 {
        assert_eq!(client.line(&format!("SET {n} {value}")), ok());
    }
    let Tree::Integer(keys) = client.line("DBSIZE") else { panic!("a number") };
    assert!(keys < 5000, "{keys}");
    drop(process);
    let (_process, mut client) = Process::start(dir.path(), &ON).connected();
    assert_eq!(client.line("DBSIZE"), Tree::Integer(keys));
}

/// The end came while a snapshot had begun the next file, and nothing was in that yet.
#[test]
fn a_torn_record_before_a_file_that_was_only_begun_is_cut_off() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client) = Process::start(dir.path(), &ON).connected();
    assert_eq!(client.line("SET a 1"), ok());
    assert_eq!(client.line("SET b 2"), ok());
    drop((process, client));
    let last = files(dir.path()).pop().expect("a file");
    let file = OpenOptions::new().write(true).open(&last).expect("the file");
    file.set_len(file.metadata().expect("its length").len() - 3).expect("cut");
    let number = last.extension().and_then(|number| number.to_str()?.parse::<u64>().ok()).expect("a number") + 1;
    let header = flagstone::aof::Header { sequence: number, epoch: 9, anchored: true, has_marks: true };
    fs::write(last.with_extension(number.to_string()), header.encode()).expect("written");
    for _ in 0..2 {
        let (_process, mut client) = Process::start(dir.path(), &ON).connected();
        assert_eq!(client.line("GET a"), bulk("1"));
        assert_eq!(client.line("GET b"), Tree::Null);
    }
}

/// The log was turned on while the server ran, and the end came before the snapshot that it needed: what later starts keep does
/// not hang on that.
#[test]
fn a_file_that_has_no_snapshot_is_left_out_and_none_that_comes_after_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client) = Process::start(dir.path(), &ON).connected();
    assert_eq!(client.line("SET a 1"), ok());
    drop((process, client));
    let last = files(dir.path()).pop().expect("a file");
    let number = last.extension().and_then(|number| number.to_str()?.parse::<u64>().ok()).expect("a number") + 1;
    let header = flagstone::aof::Header { sequence: number, epoch: 0, anchored: false, has_marks: true };
    fs::write(last.with_extension(number.to_string()), header.encode()).expect("written");
    for n in 0..3 {
        let (_process, mut client) = Process::start(dir.path(), &ON).connected();
        assert_eq!(client.line("GET a"), bulk("1"));
        assert_eq!(client.line("INCR starts"), Tree::Integer(n + 1));
    }
}
