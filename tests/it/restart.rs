//! Stopping and starting again: the real program by its signals, and images that did not survive whole.

use crate::{
    client::{Client, request},
    instance::{Instance, options},
    process::Process,
    tree::Tree,
};
use flagstone::{
    keyspace::{Keyspace, Ttl, Value},
    snapshot::{self, Image},
};
use rustix::process::Signal;
use std::{fs, net::TcpStream, path::Path, process::Command};

fn ok() -> Tree {
    Tree::Simple("OK".into())
}

#[test]
fn what_was_there_before_sigterm_is_there_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let large = vec![b'x'; 3_000_000];
    let before = Process::start(dir.path(), &[]);
    let mut client = before.connect();
    assert_eq!(client.line("SET greeting hello"), ok());
    assert_eq!(client.line("SET session 1 EX 10000"), ok());
    assert_eq!(client.line("INCRBY visits 10"), Tree::Integer(10));
    assert_eq!(client.call(&[&b"SET"[..], b"large", &large]), ok());
    client.line("SELECT 5");
    assert_eq!(client.line("SET elsewhere 1 PX 1"), ok());
    assert_eq!(client.line("SET elsewhere too"), ok());
    before.signal(Signal::TERM);
    assert!(before.wait().0.success());

    let after = Process::start(dir.path(), &[]);
    let mut client = after.connect();
    assert_eq!(client.line("GET greeting"), Tree::Bulk(b"hello".to_vec()));
    assert_eq!(client.line("INCR visits"), Tree::Integer(11));
    assert!(Tree::IntegerIn(1, 10_000).matches(&client.line("TTL session")));
    assert_eq!(client.line("GET large"), Tree::Bulk(large));
    assert_eq!(client.line("DBSIZE"), Tree::Integer(4));
    client.line("SELECT 5");
    assert_eq!(client.line("GET elsewhere"), Tree::Bulk(b"too".to_vec()));
    assert!(client.line("INFO persistence").to_string().contains("rdb_last_load_keys_loaded:5"));
    after.signal(Signal::INT);
    assert!(after.wait().0.success());
}

#[test]
fn a_signal_is_taken_back_by_shutdown_abort() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client) = Process::start(dir.path(), &["--enable-debug-command", "yes"]).connected();
    let none = Tree::Error("ERR No shutdown in progress.".into());
    assert_eq!(client.line("SHUTDOWN ABORT"), none);
    // What happens by itself is held, and the signal's work with it.
    assert_eq!(client.line("DEBUG PAUSE-CRON 1"), ok());
    process.signal(Signal::TERM);
    while client.line("SHUTDOWN ABORT") != ok() {}
    assert_eq!(client.line("SET goes on"), ok());
    assert_eq!(client.line("DEBUG PAUSE-CRON 0"), ok());
    // The signal may still be on its way out of the aborted shutdown; none is under way then.
    while client.line("SHUTDOWN ABORT") != none {}
    assert_eq!(client.line("GET goes"), Tree::Bulk(b"on".to_vec()));
    client.send(&["SHUTDOWN"]);
    assert!(process.wait().0.success());
}

#[test]
fn a_shutdown_that_cannot_save_goes_on_serving() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client) = Process::start(dir.path(), &["--dbfilename", "taken.flag"]).connected();
    assert_eq!(client.line("SET a 1"), ok());
    fs::create_dir(dir.path().join("taken.flag")).expect("a folder in the way");
    assert_eq!(client.line("SHUTDOWN"), Tree::Error("ERR Errors trying to SHUTDOWN. Check logs.".into()));
    // Whoever asked has been told: only a failure in the background refuses writes.
    assert_eq!(client.line("PING"), Tree::Simple("PONG".into()));
    assert_eq!(client.line("SET a 2"), ok());
    client.send(&["SHUTDOWN", "NOSAVE"]);
    assert!(process.wait().0.success());
}

#[test]
fn nobody_listens_when_connections_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client) = Process::start(dir.path(), &[]).connected();
    client.write(&[request(&["SHUTDOWN", "NOSAVE"]), request(&["PING"])].concat()).expect("taken");
    assert_eq!(client.receive_until_closed(), []);
    assert!(TcpStream::connect(("127.0.0.1", process.port())).is_err(), "another server can have the port");
    assert!(process.wait().0.success());
}

/// A snapshot that takes ten seconds for each key.
const SLOWLY: [&str; 2] = ["--rdb-key-save-delay", "10000000"];

fn is_saving(client: &mut Client) -> bool {
    match client.line("INFO persistence") {
        Tree::Bulk(text) => String::from_utf8_lossy(&text).contains("rdb_bgsave_in_progress:1"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_slow_snapshot_ends_when_its_keys_do() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client) = Process::start(dir.path(), &SLOWLY).connected();
    assert_eq!(client.line("SET a 1"), ok());
    client.line("BGSAVE");
    while !is_saving(&mut client) {}
    assert_eq!(client.line("BGSAVE"), Tree::Error("ERR Background save already in progress".into()));
    assert!(is_saving(&mut client));
    assert_eq!(client.line("FLUSHDB"), ok());
    while is_saving(&mut client) {}
    client.send(&["SHUTDOWN"]);
    assert!(process.wait().0.success());
}

/// With save rules, FLUSHALL saves that nothing is left, and a snapshot of what was there is not wanted any more.
#[test]
fn flushall_takes_the_place_of_a_snapshot_that_is_written() {
    for lines in [&["FLUSHALL"][..], &["MULTI", "FLUSHALL", "EXEC"]] {
        let dir = tempfile::tempdir().expect("a folder");
        let options = [&SLOWLY[..], &["--save", "3600 1000000"]].concat();
        let (_process, mut client) = Process::start(dir.path(), &options).connected();
        assert_eq!(client.line("SET a 1"), ok());
        client.line("BGSAVE");
        while !is_saving(&mut client) {}
        for line in lines {
            client.line(line);
        }
        let persistence = client.line("INFO persistence").to_string();
        for line in ["rdb_changes_since_last_save:0", "rdb_saves:1", "rdb_last_bgsave_status:ok"] {
            assert!(persistence.contains(line), "{persistence}");
        }
    }
}

#[test]
fn a_snapshot_is_cancelled_and_has_not_failed() {
    let dir = tempfile::tempdir().expect("a folder");
    let (_process, mut client) = Process::start(dir.path(), &SLOWLY).connected();
    let nothing = "ERR Background saving is currently not in progress or scheduled";
    assert_eq!(client.line("BGSAVE CANCEL"), Tree::Error(nothing.into()));
    assert_eq!(client.line("SET a 1"), ok());
    client.line("BGSAVE");
    while !is_saving(&mut client) {}
    assert_eq!(client.line("BGSAVE CANCEL"), Tree::Simple("Background saving cancelled".into()));
    while is_saving(&mut client) {}
    let persistence = client.line("INFO persistence").to_string();
    assert!(persistence.contains("rdb_last_bgsave_status:ok") && persistence.contains("rdb_saves:0"), "{persistence}");
}

#[test]
fn a_second_signal_ends_the_server_at_once_and_leaves_nothing_half_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client) = Process::start(dir.path(), &SLOWLY).connected();
    assert_eq!(client.line("SET a 1"), ok());
    let files = || fs::read_dir(dir.path()).expect("a folder").count();
    process.signal(Signal::TERM);
    while files() == 0 {}
    process.signal(Signal::TERM);
    assert!(!process.wait().0.success());
    assert_eq!(files(), 0);
}

#[test]
fn sigkill_leaves_the_last_snapshot() {
    let dir = tempfile::tempdir().expect("a folder");
    let before = Process::start(dir.path(), &[]);
    let mut client = before.connect();
    assert_eq!(client.line("SET saved yes"), ok());
    assert_eq!(client.line("SAVE"), ok());
    assert_eq!(client.line("SET late yes"), ok());
    before.signal(Signal::KILL);
    assert!(!before.wait().0.success());

    let mut client = Process::start(dir.path(), &[]).connected();
    assert_eq!(client.1.line("GET saved"), Tree::Bulk(b"yes".to_vec()));
    assert_eq!(client.1.line("GET late"), Tree::Null);
}

#[test]
fn shutdown_saves_or_does_not_as_it_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let (process, mut client) = Process::start(dir.path(), &[]).connected();
    client.line("SET k kept");
    client.send(&["SHUTDOWN"]);
    assert!(client.is_closed());
    assert!(process.wait().0.success());

    let (process, mut client) = Process::start(dir.path(), &["--save", ""]).connected();
    assert_eq!(client.line("GET k"), Tree::Bulk(b"kept".to_vec()));
    client.line("SET k lost");
    client.send(&["SHUTDOWN", "NOSAVE"]);
    assert!(client.is_closed());
    assert!(process.wait().0.success());

    // Without rules to save by, SHUTDOWN alone does not save either, but SHUTDOWN SAVE does.
    let (process, mut client) = Process::start(dir.path(), &["--save", ""]).connected();
    client.line("SET k lost again");
    client.send(&["SHUTDOWN"]);
    assert!(client.is_closed());
    assert!(process.wait().0.success());

    let (process, mut client) = Process::start(dir.path(), &["--save", ""]).connected();
    assert_eq!(client.line("GET k"), Tree::Bulk(b"kept".to_vec()));
    client.line("SET k new");
    client.send(&["SHUTDOWN", "SAVE"]);
    assert!(client.is_closed());
    assert!(process.wait().0.success());

    let (_process, mut client) = Process::start(dir.path(), &[]).connected();
    assert_eq!(client.line("GET k"), Tree::Bulk(b"new".to_vec()));
}

#[test]
fn a_damaged_image_stops_the_start_with_a_reason() {
    let dir = tempfile::tempdir().expect("a folder");
    let before = Process::start(dir.path(), &[]);
    before.connect().line("SET k v");
    before.signal(Signal::TERM);
    assert!(before.wait().0.success());
    let image = fs::read_dir(dir.path())
        .expect("the folder")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "flag"))
        .expect("an image");
    let mut bytes = fs::read(&image).expect("the image");
    bytes[40] ^= 1;
    fs::write(&image, &bytes).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .args(["--port", "0", "--dir"])
        .arg(dir.path())
        .output()
        .expect("the program can be run");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&*image.to_string_lossy()) && said.contains("checksum"), "it said: {said}");
    assert_eq!(fs::read(&image).expect("the image"), bytes, "the image is left as it was");
}

/// The last snapshot takes too long for a signal's grace period: the one before it stays, and the server ends.
#[test]
fn a_snapshot_that_is_too_slow_for_the_end_is_given_up() {
    let dir = tempfile::tempdir().expect("a folder");
    let (before, mut client) = Process::start(dir.path(), &["--shutdown-timeout", "1"]).connected();
    client.line("SET k first");
    assert_eq!(client.line("SAVE"), ok());
    assert_eq!(client.line("CONFIG SET rdb-key-save-delay 1000000000"), ok());
    client.line("SET k second");
    before.signal(Signal::TERM);
    assert!(before.wait().0.success());
    let (after, mut client) = Process::start(dir.path(), &[]).connected();
    assert_eq!(client.line("GET k"), Tree::Bulk(b"first".to_vec()));
    client.send(&["SHUTDOWN", "NOSAVE"]);
    assert!(after.wait().0.success());
}

#[test]
fn libraries_of_functions_outlive_the_server() {
    let dir = tempfile::tempdir().expect("a folder");
    let (before, mut client) = Process::start(dir.path(), &[]).connected();
    for answer in 1..=20 {
        let code = format!("#!lua name=lib\nredis.register_function('f', function() return {answer} end)");
        assert_eq!(client.call(&["FUNCTION", "LOAD", "REPLACE", &code]), Tree::Bulk(b"lib".to_vec()));
    }
    client.send(&["SHUTDOWN", "NOSAVE"]);
    assert!(before.wait().0.success());
    let (after, mut client) = Process::start(dir.path(), &[]).connected();
    assert_eq!(client.line("FCALL f 0"), Tree::Integer(20));
    assert_eq!(client.line("FUNCTION FLUSH"), ok());
    client.send(&["SHUTDOWN", "NOSAVE"]);
    assert!(after.wait().0.success());
    let (third, mut client) = Process::start(dir.path(), &[]).connected();
    assert_eq!(client.line("FUNCTION LIST"), Tree::Array(Vec::new()));
    client.send(&["SHUTDOWN", "NOSAVE"]);
    assert!(third.wait().0.success());
}

/// A small image of each version of the format.
const IMAGES: [&[u8]; 6] = [
    include_bytes!("../images/image-1.bin"),
    include_bytes!("../images/image-2.bin"),
    include_bytes!("../images/image-3.bin"),
    include_bytes!("../images/image-4.bin"),
    include_bytes!("../images/image-5.bin"),
    include_bytes!("../images/image-6.bin"),
];

#[test]
fn an_image_of_every_version_is_loaded() {
    for (image, version) in IMAGES.into_iter().zip(1..) {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("dump.flag"), image).expect("written");
        // The second start is from what the first one made of it.
        for start in [1, 2] {
            let options = ["--enable-debug-command", "yes"];
            let (process, mut client) = Process::start(dir.path(), &options).connected();
            // The older ones say nothing of lengths: these are counted once all keys are there.
            let mut looks = 0..if start == 1 { 10_000 } else { 1 };
            assert!(looks.any(|_| client.line("DEBUG KEYSIZES-HIST-ASSERT 1") == ok()));
            let tree = |number| Tree::Bulk(format!("{number}").into_bytes());
            let has_arrays = version >= 4;
            assert_eq!(client.line("DBSIZE"), Tree::Integer(if has_arrays { 13 } else { 11 }));
            assert_eq!(client.line("GET greeting"), Tree::Bulk(b"hello".to_vec()));
            assert_eq!(client.line("GET number"), tree(42));
            assert_eq!(client.line("PEXPIRETIME session"), Tree::Integer(4_102_444_800_000));
            assert_eq!(client.line("LINDEX list 2"), Tree::Bulk(b"c".to_vec()));
            assert_eq!(client.line("HGET hash g"), tree(1));
            assert_eq!(client.line("SISMEMBER set 3"), Tree::Integer(1));
            assert_eq!(client.line("SISMEMBER names bo"), Tree::Integer(1));
            assert_eq!(client.line("ZSCORE zset b"), Tree::Bulk(b"2.5".to_vec()));
            assert_eq!(client.line("LINDEX tree 299"), tree(300));
            assert_eq!(client.line("XLEN stream"), Tree::Integer(1));
            assert_eq!(client.line("STRLEN large"), Tree::Integer(100_000));
            // Before version 6 there is no room in it for a time to live.
            let before = client.line("GET large");
            assert_eq!(client.line("PEXPIREAT large 4102444800000"), Tree::Integer(1));
            assert_eq!(client.line("GET large"), before);
            assert_eq!(client.line("PEXPIRETIME large"), Tree::Integer(4_102_444_800_000));
            assert_eq!(client.line("PERSIST large"), Tree::Integer(1));
            assert_eq!(client.line("GET large"), before);
            if has_arrays {
                assert_eq!(client.line("ARGET array 3"), Tree::Bulk(b"three".to_vec()));
                assert_eq!(client.line("ARNEXT array"), Tree::Integer(9));
                assert_eq!(client.line("ARGET slices 2990"), tree(299));
            }
            client.send(&["SHUTDOWN"]);
            assert!(process.wait().0.success());
        }
    }
}

/// A file of libraries of each version of its format; the first had no header.
const LIBRARIES: [&[u8]; 2] =
    [include_bytes!("../images/libraries-0.bin"), include_bytes!("../images/libraries-1.bin")];

#[test]
fn libraries_of_every_version_are_loaded() {
    for libraries in LIBRARIES {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("dump.flag.functions"), libraries).expect("written");
        for _ in 0..2 {
            let (process, mut client) = Process::start(dir.path(), &[]).connected();
            assert_eq!(client.line("FCALL greet 0 you"), Tree::Bulk(b"hello you".to_vec()));
            assert!(matches!(client.line("FCALL leave 0"), Tree::Error(_)));
            // Others are added to it.
            client.line(
                "FUNCTION LOAD REPLACE \"#!lua name=another\nredis.register_function('f', function() return 1 end)\"",
            );
            client.send(&["SHUTDOWN"]);
            assert!(process.wait().0.success());
        }
    }
}

/// What `on-corrupt` says becomes of an image whose superblock is damaged: the one before it, or nothing at all.
#[test]
fn a_damaged_image_is_put_aside_when_told_so() {
    for (answer, found) in [("quarantine", Some(&b"first"[..])), ("empty", None)] {
        let dir = tempfile::tempdir().expect("a folder");
        let (before, mut client) = Process::start(dir.path(), &[]).connected();
        for value in ["first", "second"] {
            client.line(&format!("SET k {value}"));
            assert_eq!(client.line("SAVE"), ok());
        }
        client.send(&["SHUTDOWN", "NOSAVE"]);
        assert!(before.wait().0.success());
        let image = dir.path().join("dump.flag");
        let mut bytes = fs::read(&image).expect("the image");
        bytes[40] ^= 1;
        fs::write(&image, &bytes).expect("written");
        let (after, mut client) = Process::start(dir.path(), &["--on-corrupt", answer]).connected();
        let expected = found.map_or(Tree::Null, |value| Tree::Bulk(value.to_vec()));
        assert_eq!(client.line("GET k"), expected, "{answer}");
        assert_eq!(client.line("SET k third"), ok());
        assert_eq!(client.line("SAVE"), ok());
        client.send(&["SHUTDOWN", "NOSAVE"]);
        assert!(after.wait().0.success());
        let kept = fs::read_dir(dir.path()).expect("the folder").flatten().map(|entry| entry.path());
        let kept = kept.filter(|path| path.to_string_lossy().contains("corrupt")).collect::<Vec<_>>();
        assert_eq!(kept.len(), 1);
        assert_eq!(fs::read(&kept[0]).expect("the damaged image"), bytes);
        let (last, mut client) = Process::start(dir.path(), &[]).connected();
        assert_eq!(client.line("GET k"), Tree::Bulk(b"third".to_vec()));
        client.send(&["SHUTDOWN", "NOSAVE"]);
        assert!(last.wait().0.success());
    }
}

/// A keyspace with keys of many sizes, each value a repetition of one byte.
fn filled() -> Instance {
    let instance = Instance::new();
    let keyspace = &instance.shared().keyspace;
    let mut locked = keyspace.lock(keyspace.all_shards(), instance.now());
    for n in 0..2_000_u32 {
        let (key, len) = (format!("key:{n}"), if n.is_multiple_of(400) { 200_000 } else { 1 + n as usize % 500 });
        let ttl = if n.is_multiple_of(3) { Ttl::At(instance.now() + 100_000) } else { Ttl::Clear };
        locked.db(n as usize % 3).set(key.as_bytes(), &vec![b'a' + (n % 26) as u8; len], ttl).expect("room");
    }
    drop(locked);
    instance
}

/// Every key that is found has its own value whole.
fn check_values(keyspace: &Keyspace, now: i64) -> usize {
    let mut found = 0;
    let mut locked = keyspace.lock(keyspace.all_shards(), now);
    for n in 0..2_000_u32 {
        let (key, len) = (format!("key:{n}"), if n.is_multiple_of(400) { 200_000 } else { 1 + n as usize % 500 });
        let mut db = locked.db(n as usize % 3);
        let Some(item) = db.peek(key.as_bytes()) else { continue };
        let Value::Bytes(bytes) = item.value else { panic!("{key} is not a number") };
        assert!(
            bytes.len() == len && bytes.iter().all(|byte| *byte == b'a' + (n % 26) as u8),
            "{key} has another value"
        );
        found += 1;
    }
    found
}

/// Whichever bits of an image are wrong: it is refused, or what cannot be trusted is absent. No value is ever wrong, and
/// the server can go on writing.
#[test]
fn flipped_bits_never_become_values() {
    let instance = filled();
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("image.flag");
    snapshot::save(&instance.shared().keyspace, &path, instance.now()).expect("written");
    let whole = fs::read(&path).expect("the image");
    let mut random = fastrand::Rng::with_seed(11);
    let (mut refused, mut partial) = (0, 0);
    for _ in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            bytes[at] ^= 1 << random.u32(..8);
        }
        if random.u8(..) < 30 {
            bytes.truncate(random.usize(..whole.len()));
        }
        fs::write(&path, &bytes).expect("written");
        let opened =
            Image::open(&path).and_then(|image| image.expect("a file").into_keyspace(&options(), instance.now()));
        let Ok(keyspace) = opened else {
            refused += 1;
            continue;
        };
        let found = check_values(&keyspace, instance.now());
        partial += usize::from(found < 2_000);
        keyspace.load_all(&mut || true);
        let mut locked = keyspace.lock(keyspace.all_shards(), instance.now());
        for n in 0..500 {
            locked.db(0).set(format!("new:{n}").as_bytes(), b"value", Ttl::Clear).expect("room");
        }
        drop(locked);
        check_values(&keyspace, instance.now());
    }
    assert!(refused > 0 && partial > 0, "{refused} refused, {partial} partial: the damage was not seen");
}

#[test]
fn what_expires_while_the_server_is_down_is_gone() {
    let instance = filled();
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("image.flag");
    snapshot::save(&instance.shared().keyspace, &path, instance.now()).expect("written");
    let later = instance.now() + 200_000;
    let image = Image::open(&path).expect("whole").expect("a file");
    let keyspace = image.into_keyspace(&options(), later).expect("fits");
    assert_eq!(check_values(&keyspace, later), 2_000 - 2_000_usize.div_ceil(3));
}

#[test]
fn a_snapshot_that_cannot_be_written_harms_nothing() {
    let instance = filled();
    let error = snapshot::save(&instance.shared().keyspace, Path::new("/proc/no/such/image.flag"), instance.now());
    assert!(error.is_err());
    assert_eq!(check_values(&instance.shared().keyspace, instance.now()), 2_000);
    assert_eq!(check_values(&instance.restarted().shared().keyspace, instance.now()), 2_000);
}

#[test]
fn libraries_go_with_a_snapshot_that_is_asked_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let code = "#!lua name=lib\nredis.register_function('f', function() return 7 end)";
    for ask in ["SAVE", "SHUTDOWN SAVE", "CONFIG SET appendonly yes"] {
        let (process, mut client) = Process::start(dir.path(), &["--save", ""]).connected();
        client.line("FUNCTION FLUSH");
        assert_eq!(client.call(&["FUNCTION", "LOAD", code]), Tree::Bulk(b"lib".to_vec()));
        client.send(&ask.split(' ').collect::<Vec<_>>());
        if ask.starts_with("CONFIG") {
            assert_eq!(client.receive(), ok());
            // The log stands on a snapshot.
            while client.line("SAVE") != ok() {}
        } else {
            let _ = client.try_receive();
        }
        process.signal(Signal::KILL);
        process.wait();
        let (process, mut client) = Process::start(dir.path(), &["--save", ""]).connected();
        assert_eq!(client.line("FCALL f 0"), Tree::Integer(7), "{ask}");
        client.line("FUNCTION FLUSH");
        assert_eq!(client.line("SAVE"), ok());
        process.signal(Signal::KILL);
        process.wait();
    }
}
