//! What cannot be written or used: it is said which and why, serving goes on, and nothing that was whole is harmed.

use crate::{
    client::Client,
    instance::{Instance, START, Server, options},
    process::Process,
    tree::{Tree, split_words},
};
use flagstone::{
    command::Protocol,
    snapshot::{self, Image},
};
use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit},
};
use std::{fs, os::unix::fs::FileExt};

fn ok() -> Tree {
    Tree::Simple("OK".into())
}

fn field(client: &mut Client, name: &str) -> String {
    let Tree::Bulk(info) = client.line("INFO persistence") else { panic!("INFO answers a text") };
    let info = String::from_utf8(info).expect("text");
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{name} in {info}")).to_owned()
}

/// Takes a snapshot in the background and waits until it has ended so.
fn snapshot_in_background(client: &mut Client, outcome: &str) {
    client.line("BGSAVE");
    while field(client, "rdb_last_bgsave_status") != outcome || field(client, "rdb_bgsave_in_progress") == "1" {}
}

/// An image of another kind of machine, or of a later version, is named by what is different about it.
#[test]
fn images_that_cannot_be_used_say_what_was_found_and_expected() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("image.flag");
    let instance = Instance::new();
    snapshot::save(&instance.shared().keyspace, &path, instance.now()).expect("written");
    let whole = fs::read(&path).expect("the image");
    let word = |n: u32| n.to_le_bytes();
    for (at, bytes, said) in [
        (0, *b"REDI", "magic: found"),
        (8, word(99), "version: found 99, expected "),
        (12, word(0x0403_0201), "byte order: found the opposite"),
        (12, word(7), "byte order mark: found 7"),
        (16, word(4096), "page size: found 4096, expected 65536"),
        (20, word(512), "block size: found 512, expected 4096"),
        (24, word(1), "size classes: found 1"),
        (28, word(3), "shards: found 3"),
        (32, word(0), "databases: found 0"),
        (104, word(u32::MAX), "page table: "),
    ] {
        let mut other = whole.clone();
        other[at..at + 4].copy_from_slice(&bytes);
        let sum = crc32c::crc32c(&other[..252]);
        other[252..256].copy_from_slice(&sum.to_le_bytes());
        fs::write(&path, &other).expect("written");
        let Err(error) = Image::open(&path) else { panic!("{said}: it was opened") };
        let error = error.to_string();
        assert!(error.contains(said) && error.contains("image.flag"), "{error}");
    }
}

#[test]
fn a_snapshot_that_fails_in_the_background_refuses_writes_until_one_succeeds() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    fs::create_dir(&data).expect("a folder");
    let options = ["--save", "3600 1000000", "--enable-debug-command", "yes"];
    let (process, mut client) = Process::start(&data, &options).connected();
    assert_eq!(client.line("SET k 1"), ok());
    assert_eq!(client.line("SAVE"), ok());
    assert_eq!(field(&mut client, "rdb_last_bgsave_status"), "ok");
    // The folder goes away under the running server.
    fs::rename(&data, dir.path().join("elsewhere")).expect("renamed");
    snapshot_in_background(&mut client, "err");
    let Tree::Error(refusal) = client.line("SET k 2") else { panic!("the write is refused") };
    assert!(refusal.starts_with("MISCONF"), "{refusal}");
    assert!(matches!(client.line("PING"), Tree::Error(_)), "a health check hears of it");
    assert_eq!(client.line("GET k"), Tree::Bulk(b"1".to_vec()));
    assert_eq!(client.line("CONFIG SET stop-writes-on-bgsave-error no"), ok());
    assert_eq!(client.line("SET k 2"), ok());
    assert_eq!(client.line("CONFIG SET stop-writes-on-bgsave-error yes"), ok());
    fs::rename(dir.path().join("elsewhere"), &data).expect("renamed");
    snapshot_in_background(&mut client, "ok");
    assert_eq!(client.line("SET k 3"), ok());
    client.send(&["SHUTDOWN"]);
    let (status, lines) = process.wait();
    assert!(status.success());
    let failed: Vec<&String> = lines.iter().filter(|line| line.contains("background saving failed")).collect();
    assert!(failed.len() == 1 && failed[0].contains("dump.flag") && failed[0].contains("No such file"), "{failed:?}");
    let (_again, mut client) = Process::start(&data, &[]).connected();
    assert_eq!(client.line("GET k"), Tree::Bulk(b"3".to_vec()));
}

/// From now on no file of the process may be longer; `None`: as long as there is room. What the system says is an error of
/// its own, beneath all that is ours.
fn limit_files(process: &Process, bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let limit = Rlimit { current: bytes.or(maximum), maximum };
    prlimit(Some(Pid::from_child(&process.child)), Resource::Fsize, limit).expect("it is ours");
}

#[test]
fn a_snapshot_that_the_file_system_refuses_leaves_the_last_one_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client) = Process::start(dir.path(), &["--save", "3600 1000000"]).connected();
    client.line("SET k 1");
    assert_eq!(client.line("SAVE"), ok());
    let image = dir.path().join("dump.flag");
    let last = fs::read(&image).expect("the image");
    limit_files(&process, Some(last.len() as u64));
    assert_eq!(client.call(&[&b"SET"[..], b"large", &[b'x'; 1 << 20]]), ok());
    snapshot_in_background(&mut client, "err");
    let Tree::Error(refusal) = client.line("SET k 2") else { panic!("the write is refused") };
    assert!(refusal.starts_with("MISCONF"), "{refusal}");
    assert_eq!(client.line("GET k"), Tree::Bulk(b"1".to_vec()));
    assert!(fs::read(&image).expect("the image") == last);
    limit_files(&process, None);
    snapshot_in_background(&mut client, "ok");
    assert_eq!(client.line("SET k 2"), ok());
    assert_eq!(client.line("SAVE"), ok());
    process.signal(Signal::KILL);
    let (_, lines) = process.wait();
    let failed = lines.iter().find(|line| line.contains("background saving failed")).expect("it is said");
    assert!(failed.contains("dump.flag") && failed.contains("File too large"), "{failed}");
    let (_again, mut client) = Process::start(dir.path(), &[]).connected();
    assert_eq!(client.line("GET k"), Tree::Bulk(b"2".to_vec()));
    assert_eq!(client.line("STRLEN large"), Tree::Integer(1 << 20));
}

/// A log that cannot grow: nothing is acknowledged that is not kept, those who read are served, and it goes on by itself.
#[test]
fn a_log_that_the_file_system_refuses_keeps_what_it_has_acknowledged() {
    for policy in ["always", "everysec"] {
        let dir = tempfile::tempdir().expect("a folder");
        let options = ["--save", "", "--appendonly", "yes", "--appendfsync", policy];
        let (process, mut client) = Process::start(dir.path(), &options).connected();
        assert_eq!(client.line("SET k 1"), ok());
        limit_files(&process, Some(1 << 10));
        let mut writer = process.connect();
        writer.send(&[&b"SET"[..], b"large", &[b'x'; 1 << 12]]);
        match policy {
            "always" => assert!(writer.try_receive().is_err(), "it is not acknowledged"),
            _ => assert_eq!(writer.receive(), ok()),
        }
        assert_eq!(client.line("GET k"), Tree::Bulk(b"1".to_vec()), "{policy}");
        let Tree::Error(refusal) = client.line("SET k 2") else { panic!("{policy}: the write is refused") };
        assert!(refusal.starts_with("MISCONF Errors writing to the AOF file: File too large"), "{refusal}");
        assert_eq!(field(&mut client, "aof_last_write_status"), "err");
        limit_files(&process, None);
        while client.line("SET k 3") != ok() {}
        assert_eq!(field(&mut client, "aof_last_write_status"), "ok");
        process.signal(Signal::KILL);
        process.wait();
        let (_again, mut client) = Process::start(dir.path(), &options).connected();
        assert_eq!(client.line("GET k"), Tree::Bulk(b"3".to_vec()), "{policy}");
        assert_eq!(client.line("STRLEN large"), Tree::Integer(1 << 12), "{policy}");
    }
}

/// The server itself comes upon what has rotted on the disk, and has both images whole again.
#[test]
fn bit_rot_in_the_files_of_a_running_server_is_found_and_mended() {
    let dir = tempfile::tempdir().expect("a folder");
    let unscrubbed = ["--save", "3600 1000000", "--snapshot-scrub-bandwidth", "0"];
    let (process, mut client) = Process::start(dir.path(), &unscrubbed).connected();
    let value = "rots-here".repeat(1000);
    assert_eq!(client.line(&format!("SET k {value}")), ok());
    assert_eq!(client.line("SAVE"), ok());
    let image = dir.path().join("dump.flag");
    let whole = fs::read(&image).expect("the image");
    let at = whole.windows(9).position(|bytes| bytes == b"rots-here").expect("the value");
    let file = fs::OpenOptions::new().write(true).open(&image).expect("the image");
    file.write_at(b"X", at as u64).expect("written");
    assert_eq!(field(&mut client, "snapshot_scrub_damaged_blocks"), "0");
    assert_eq!(client.line("CONFIG SET snapshot-scrub-bandwidth 1gb"), ok());
    // Of its own accord, since the newest is damaged.
    while field(&mut client, "rdb_saves") == "1" {}
    assert_eq!(field(&mut client, "snapshot_scrub_damaged_blocks"), "1");
    assert_ne!(field(&mut client, "snapshot_scrubbed_bytes"), "0");
    // The damaged one is the older by now, and the next that is written over.
    assert_eq!(client.line("SAVE"), ok());
    process.signal(Signal::KILL);
    let (_, lines) = process.wait();
    let said = |what: &str| lines.iter().any(|line| line.contains(what));
    assert!(said("a block of a snapshot is damaged on the disk"), "{lines:?}");
    assert!(said("taking a snapshot, since the last one is damaged"), "{lines:?}");
    for image in [snapshot::older_of(&image), image] {
        let found = Image::open(&image).expect("whole").expect("a file").into_keyspace(&options(), START);
        let keyspace = found.expect("whole");
        keyspace.load_all(&mut || true);
        assert_eq!(keyspace.arena().damaged_pages(), 0, "{}", image.display());
    }
}

/// Who has locked the older of the two files keeps it; the snapshot goes to a new one.
#[test]
fn a_file_that_another_process_holds_is_not_written_over() {
    let instance = Instance::new();
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("image.flag");
    let save = || snapshot::save(&instance.shared().keyspace, &path, instance.now()).expect("written");
    save();
    save();
    assert!(save().incremental);
    let older = fs::File::open(snapshot::older_of(&path)).expect("the older image");
    flock(&older, FlockOperation::NonBlockingLockShared).expect("nobody else holds it");
    let held = fs::read(snapshot::older_of(&path)).expect("the older image");
    assert!(!save().incremental);
    let mut still = Vec::new();
    std::io::Read::read_to_end(&mut &older, &mut still).expect("it is open");
    assert_eq!(still, held);
    assert!(Image::open(&path).expect("whole").expect("a file").into_keyspace(&options(), instance.now()).is_ok());
}

/// What has changed is written early enough, without any rule that says so, that the last snapshot fits.
#[test]
fn so_much_that_the_end_would_be_too_slow_is_saved_before() {
    let value = vec![b'x'; 1 << 20];
    let dir = tempfile::tempdir().expect("a folder");
    let options = ["--save", "3600 1000000", "--shutdown-timeout", "1"];
    let (process, mut client) = Process::start(dir.path(), &options).connected();
    // As long as a disk's speed is not known, it is taken for 100 MB a second.
    for n in 0..80 {
        assert_eq!(client.call(&[b"SET", format!("key:{n}").as_bytes(), &value]), ok());
    }
    while field(&mut client, "rdb_saves") == "0" {}
    client.send(&["SHUTDOWN", "NOSAVE"]);
    let (status, lines) = process.wait();
    assert!(status.success());
    assert!(lines.iter().any(|line| line.contains("so that the last one fits shutdown-timeout")), "{lines:?}");
}

/// `--health` says that all is there, or how far it has come.
#[test]
fn the_health_check_tells_of_loading() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client) = Process::start(dir.path(), &[]).connected();
    client.line("SET k v");
    client.line("SAVE");
    let port = process.port().to_string();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .args(["--health", "--port", &port])
        .output()
        .expect("the program can be run");
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.starts_with("serving"), "{said}");
}

/// A defect in a command ends the connection that has sent it, and nothing else.
#[test]
fn who_is_served_beside_a_command_that_panics() {
    let server = Server::start();
    let connect = || server.connect(Protocol::Resp2);
    let mut before: Vec<_> = (0..4).map(|_| connect()).collect();
    let mut waiting = connect();
    waiting.send(&["BLPOP", "queue", "0"]);
    before[0].line("DEBUG SET-DISABLE-DENY-SCRIPTS 1");
    let in_script = "redis.call('SET', 'k', 'v') return redis.call('DEBUG', 'PANIC')";
    // On every thread that serves, and on that for scripts, each with all locks held.
    for n in 0..12 {
        let mut client = connect();
        match n % 3 {
            0 => client.send(&["DEBUG", "PANIC"]),
            1 => {
                for line in ["MULTI", "SET a 1", "DEBUG PANIC", "EXEC"] {
                    client.send(&split_words(line));
                }
            }
            _ => client.send(&["EVAL", &format!("{in_script} -- {n}"), "0"]),
        }
        // Replies that were not sent yet go with it.
        assert!(client.receive_until_closed().iter().all(|reply| matches!(reply, Tree::Simple(_))), "{n}");
    }
    for (n, client) in before.iter_mut().enumerate() {
        for key in (0..32).map(|key| format!("key:{n}:{key}")) {
            assert_eq!(client.call(&["SET", &key, "value"]), Tree::Simple("OK".into()));
            assert_eq!(client.call(&["GET", &key]), Tree::Bulk("value".into()));
        }
        assert_eq!(
            client.line(&format!("EVAL \"return redis.call('GET', 'k') .. '{n}'\" 0")).to_string(),
            format!("\"v{n}\"")
        );
        assert_eq!(client.line("DBSIZE").to_string(), format!("(integer) {}", 2 + 32 * (n + 1)));
    }
    assert_eq!(before[1].line("RPUSH queue x").to_string(), "(integer) 1");
    assert!(matches!(waiting.receive(), Tree::Array(_)));
    assert_eq!(before[2].line("SAVE").to_string(), "OK");
    server.shared().keyspace.check().unwrap();
    // None of the connections that have ended is left.
    while server.shared().clients.all().len() > before.len() + 1 {
        std::thread::yield_now();
    }
}
