//! Redis's files: those of real servers are brought in whole, those we write are read by a real server, and damaged ones
//! end in an error that says where. `tests/data/keys.txt` has the commands whose outcome the files there hold.

use crate::{client::Client, instance::options, process::Process, tree::Tree};
use flagstone::{
    command::{
        Protocol,
        redis_file::{Imported, import},
    },
    config::{Policy, Settings},
    keyspace::{Keyspace, Ttl},
};
use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// What the files hold, as commands.
const KEYS: &str = include_str!("../data/keys.txt");
const NOW: i64 = 1_800_000_000_000;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn files() -> Vec<PathBuf> {
    ["redis-7.0.rdb", "redis-7.0-plain.rdb", "valkey-8.1.rdb"].map(data).to_vec()
}

fn start(dir: &Path, options: &[&str]) -> (Process, Client) {
    let options = [&["--enable-debug-command", "yes", "--save", ""], options].concat();
    Process::start(dir, &options).connected()
}

/// The arguments as they are written on a command line.
fn text(path: &Path) -> &str {
    path.to_str().expect("a name in UTF-8")
}

fn run_keys(client: &mut Client) {
    for line in KEYS.lines() {
        let reply = client.line(line);
        assert!(!matches!(reply, Tree::Error(_)), "{line}: {reply:?}");
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The digest of what the commands make.
fn expected() -> Tree {
    let dir = folder();
    let (_process, mut client) = start(dir.path(), &[]);
    run_keys(&mut client);
    client.line("DEBUG DIGEST")
}

/// Has our program write its snapshot as a Redis file.
fn export(dir: &Path, to: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .args(["--dir", text(dir), "--export-rdb", text(to)])
        .output()
        .expect("the program can be run");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn files_of_real_servers_are_brought_in() {
    let expected = expected();
    for file in files() {
        let dir = folder();
        let (_process, mut client) = start(dir.path(), &["--import-rdb", text(&file)]);
        assert_eq!(client.line("DEBUG DIGEST"), expected, "{}", file.display());
        assert_eq!(client.line("DBSIZE"), Tree::Integer(17));
        assert_eq!(client.line("FCALL f 0"), Tree::Integer(1));
        assert_eq!(client.line("PEXPIRETIME fields"), Tree::Integer(32_503_680_000_001));
    }
}

#[test]
fn arrays_of_a_real_server_are_brought_in() {
    let dir = folder();
    let file = data("redis-8.8-arrays.rdb");
    let (_process, mut client) = start(dir.path(), &["--import-rdb", text(&file)]);
    let bulk = |text: &str| Tree::Bulk(text.as_bytes().to_vec());
    assert_eq!(client.line("DBSIZE"), Tree::Integer(3));
    let small = ["one", "2", "2.5", "longer than that"].map(bulk).to_vec();
    assert_eq!(client.line("ARGETRANGE small 0 3"), Tree::Array(small));
    assert_eq!(client.line("ARGET small 18446744073709551614"), bulk("last"));
    assert_eq!(client.line("ARCOUNT large"), Tree::Integer(300));
    assert_eq!(client.line("ARGET large 2990"), bulk("value 299"));
    assert_eq!(client.line("ARNEXT large"), Tree::Integer(5));
    let ring = ["v28", "v29", "v30"].map(bulk).to_vec();
    assert_eq!(client.line("ARLASTITEMS ring 3"), Tree::Array(ring));
}

#[test]
fn a_file_in_the_snapshot_s_place_is_brought_in_and_kept() {
    let dir = folder();
    let path = dir.path().join("dump.rdb");
    fs::copy(data("redis-7.0.rdb"), &path).expect("copied");
    let options = ["--dbfilename", "dump.rdb"];
    let (process, mut client) = start(dir.path(), &options);
    assert_eq!(client.line("GET text"), Tree::Bulk(b"hello".to_vec()));
    assert_eq!(client.line("SET text changed"), Tree::Simple("OK".into()));
    // The second one writes into what the first one found at its place.
    assert_eq!(client.line("SAVE"), Tree::Simple("OK".into()));
    assert_eq!(client.line("SET more 1"), Tree::Simple("OK".into()));
    assert_eq!(client.line("SAVE"), Tree::Simple("OK".into()));
    drop((process, client));
    let kept = fs::read(dir.path().join("dump.rdb.redis")).expect("it is kept");
    assert_eq!(kept, fs::read(data("redis-7.0.rdb")).expect("the original"));
    let (_process, mut client) = start(dir.path(), &options);
    assert_eq!(client.line("GET text"), Tree::Bulk(b"changed".to_vec()));
}

#[test]
fn debug_reload_brings_in_what_a_restart_would() {
    let dir = folder();
    let (_process, mut client) = start(dir.path(), &["--dbfilename", "dump.rdb"]);
    client.line("SET other 1");
    client.send(&["FUNCTION", "LOAD", "#!lua name=other\nredis.register_function('g', function() return 2 end)"]);
    client.receive();
    fs::copy(data("redis-7.0.rdb"), dir.path().join("dump.rdb")).expect("copied");
    assert_eq!(client.line("DEBUG RELOAD NOSAVE"), Tree::Simple("OK".into()));
    assert_eq!(client.line("DBSIZE"), Tree::Integer(17));
    assert_eq!(client.line("GET other"), Tree::Null);
    assert_eq!(client.line("FCALL f 0"), Tree::Integer(1));
    assert_eq!(client.line("FCALL g 0"), Tree::Error("ERR Function not found".into()));
}

#[test]
fn a_snapshot_counts_before_the_file_to_bring_in() {
    let dir = folder();
    let file = data("redis-7.0.rdb");
    let options = ["--import-rdb", text(&file)];
    let (process, mut client) = start(dir.path(), &options);
    assert_eq!(client.line("SET text changed"), Tree::Simple("OK".into()));
    assert_eq!(client.line("SAVE"), Tree::Simple("OK".into()));
    drop((process, client));
    let (_process, mut client) = start(dir.path(), &options);
    assert_eq!(client.line("GET text"), Tree::Bulk(b"changed".to_vec()));
}

#[test]
fn what_is_written_comes_back() {
    let (dir, out) = (folder(), folder());
    let file = out.path().join("out.rdb");
    let (process, mut client) = start(dir.path(), &[]);
    run_keys(&mut client);
    let expire =
        ["HPEXPIREAT many-fields 32503680000000 FIELDS 2 f1 f2", "HPEXPIREAT many-fields 32503680000005 FIELDS 1 f3"];
    let newer: [(&[&str], _); 3] =
        [(&[], b"REDIS0010"), (&expire, b"REDIS0012"), (&["ARINSERT array a 1 2.5"], b"REDIS0014")];
    for (lines, header) in newer {
        for line in lines {
            client.line(line);
        }
        let digest = client.line("DEBUG DIGEST");
        assert_eq!(client.line("SAVE"), Tree::Simple("OK".into()));
        export(dir.path(), &file);
        assert_eq!(fs::read(&file).expect("written").first_chunk(), Some(header));
        let dir = folder();
        let (_other, mut other) = start(dir.path(), &["--import-rdb", text(&file)]);
        assert_eq!(other.line("DEBUG DIGEST"), digest);
    }
    drop((process, client));
}

/// What only the append-only file has, and libraries of functions, are part of what is written; of a running server, too.
#[test]
fn what_is_written_has_the_log_s_changes_and_the_functions() {
    let (dir, out) = (folder(), folder());
    let file = out.path().join("out.rdb");
    let log = ["--appendonly", "yes"];
    let (process, mut client) = start(dir.path(), &log);
    let library = "#!lua name=lib\nredis.register_function{function_name='f', callback=function() return 7 end}";
    assert_eq!(client.call(&["FUNCTION", "LOAD", library]), Tree::Bulk(b"lib".to_vec()));
    client.line("SET saved 1");
    assert_eq!(client.line("SAVE"), Tree::Simple("OK".into()));
    client.line("RPUSH only-in-the-log a b c");
    client.line("INCR saved");
    let digest = client.line("DEBUG DIGEST");
    let output = Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .args([&["--dir", text(dir.path()), "--export-rdb", text(&file)], &log[..]].concat())
        .output()
        .expect("the program can be run");
    assert!(output.status.success(), "{output:?}");
    let other = folder();
    let (_other, mut other) = start(other.path(), &["--import-rdb", text(&file)]);
    assert_eq!(other.line("DEBUG DIGEST"), digest);
    assert_eq!(other.line("FCALL f 0"), Tree::Integer(7));
    // The server that was running goes on.
    assert_eq!(client.line("INCR saved"), Tree::Integer(3));
    drop((process, client));
}

/// A `redis-server` on a free port of loopback, ended when dropped.
struct Redis {
    process: Child,
    client: Option<Client>,
}

impl Redis {
    fn start(dir: &Path) -> Redis {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dbfilename", "out.rdb"])
            .args(["--enable-debug-command", "yes", "--dir", text(dir)])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server runs");
        let client = || Client::connect_as(([127, 0, 0, 1], port).into(), Protocol::Resp2);
        let mut redis = Redis { process, client: None };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                redis.client = Some(client());
                return redis;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("redis-server does not listen");
    }
}

impl Redis {
    fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("it is connected")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_real_server_reads_what_is_written() {
    let runs = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
    if !runs.is_ok_and(|status| status.success()) {
        println!("SKIPPED: no redis-server is installed");
        return;
    }
    let (dir, out, empty) = (folder(), folder(), folder());
    let file = out.path().join("out.rdb");
    let (process, mut client) = start(dir.path(), &[]);
    run_keys(&mut client);
    assert_eq!(client.line("SAVE"), Tree::Simple("OK".into()));
    drop((process, client));
    export(dir.path(), &file);
    let check = Command::new("redis-check-rdb").arg(&file).output().expect("redis-check-rdb runs");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    let mut by_commands = Redis::start(empty.path());
    run_keys(by_commands.client());
    let mut by_file = Redis::start(out.path());
    assert_eq!(by_file.client().line("DEBUG DIGEST"), by_commands.client().line("DEBUG DIGEST"));
    assert_eq!(by_file.client().line("XINFO STREAM stream"), by_commands.client().line("XINFO STREAM stream"));
}

#[test]
fn redis_cli_is_sent_a_file() {
    let runs = Command::new("redis-cli").arg("--version").stdout(Stdio::null()).status();
    if !runs.is_ok_and(|status| status.success()) {
        println!("SKIPPED: no redis-cli is installed");
        return;
    }
    let (dir, out) = (folder(), folder());
    let (process, mut client) = start(dir.path(), &["--appendonly", "yes"]);
    run_keys(&mut client);
    client.call(&[&b"FUNCTION"[..], b"LOAD", b"#!lua name=lib\nredis.register_function('f', function() return 7 end)"]);
    let ask = |option: &str, to: &Path| {
        let output = Command::new("redis-cli")
            .args(["-p", &process.port().to_string(), option, text(to)])
            .output()
            .expect("redis-cli runs");
        assert!(output.status.success(), "{output:?}");
    };
    let (all, functions) = (out.path().join("all.rdb"), out.path().join("functions.rdb"));
    ask("--rdb", &all);
    ask("--functions-rdb", &functions);
    let digest = client.line("DEBUG DIGEST");
    for (file, digest) in [(all, Some(digest)), (functions, None)] {
        let dir = folder();
        let (_other, mut other) = start(dir.path(), &["--import-rdb", text(&file)]);
        assert_eq!(other.line("FCALL f 0"), Tree::Integer(7));
        match digest {
            Some(digest) => assert_eq!(other.line("DEBUG DIGEST"), digest),
            None => assert_eq!(other.line("DBSIZE"), Tree::Integer(0)),
        }
    }
    // The snapshots that were written aside have left nothing behind, and the append-only file goes on.
    let left: Vec<_> =
        fs::read_dir(dir.path()).expect("a folder").map(|entry| entry.expect("a name").file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("temp-")), "{left:?}");
    let digest = client.line("DEBUG DIGEST");
    drop((process, client));
    let (_process, mut client) = start(dir.path(), &["--appendonly", "yes"]);
    assert_eq!(client.line("DEBUG DIGEST"), digest);
}

#[test]
fn a_replica_is_refused() {
    let dir = folder();
    let (_process, mut client) = start(dir.path(), &[]);
    let refused = Tree::Error("ERR a replica is refused: there is no replication yet".into());
    assert_eq!(client.line("REPLCONF listening-port 1"), Tree::Simple("OK".into()));
    assert_eq!(client.line("REPLCONF capa eof capa psync2"), Tree::Simple("OK".into()));
    assert_eq!(client.line("PSYNC ? -1"), refused);
    assert_eq!(client.line("SYNC"), refused);
    assert_eq!(
        client.line("REPLCONF rdb-only 2"),
        Tree::Error("ERR value is out of range, must be between 0 and 1".into())
    );
    assert_eq!(client.line("REPLCONF odd 1"), Tree::Error("ERR Unrecognized REPLCONF option: odd".into()));
    assert_eq!(
        client.line("REPLCONF rdb-filter-only keys"),
        Tree::Error("ERR Unsupported rdb-filter-only option: keys".into())
    );
}

fn bring_in(bytes: &[u8], keyspace: &Keyspace) -> Result<Imported, String> {
    let dir = folder();
    let path = dir.path().join("in.rdb");
    fs::write(&path, bytes).expect("written");
    import(keyspace, &Settings::default(), &path, NOW, &mut |_| ()).map_err(|error| {
        let message = error.to_string();
        message.split_once(": ").map_or(message.clone(), |(_, reason)| reason.to_owned())
    })
}

fn empty() -> Keyspace {
    Keyspace::new(&options()).expect("an arena can be reserved")
}

#[test]
fn a_file_that_is_cut_off_says_where_it_ends() {
    let keyspace = empty();
    for (file, step) in [("small.rdb", 1), ("redis-7.0.rdb", 41), ("redis-7.0-plain.rdb", 101), ("valkey-8.1.rdb", 43)]
    {
        let bytes = fs::read(data(file)).expect("a file");
        for len in (0..bytes.len()).step_by(step) {
            let outcome = bring_in(&bytes[..len], &keyspace);
            assert_eq!(outcome, Err(format!("it ends at offset {len}, in the middle")), "{file}");
        }
    }
}

#[test]
fn whatever_byte_is_wrong_the_checksum_or_an_error_tells() {
    let keyspace = empty();
    let bytes = fs::read(data("small.rdb")).expect("a file");
    let whole = bring_in(&bytes, &keyspace).expect("it is whole");
    assert_eq!((whole.keys, whole.expired, whole.libraries.len()), (13, 1, 1));
    assert_eq!(whole.bytes, bytes.len() as u64);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        for bit in 0..8 {
            damaged[at] = bytes[at] ^ 1 << bit;
            let outcome = bring_in(&damaged, &keyspace);
            assert!(outcome.is_err(), "byte {at}: {outcome:?}");
        }
    }
}

#[test]
fn errors_name_what_is_wrong() {
    for (bytes, expected) in [
        (&b""[..], "it ends at offset 0, in the middle"),
        (b"FLAGSTONE", "it does not begin as a Redis or Valkey file does"),
        (b"REDIS0050", "its version 50 is not known"),
        (
            b"REDIS0003\x00\x01k\x01v\x07\x05bloom",
            "the key \"bloom\" at offset 14 is of a type that is not known (7), such as a module's",
        ),
        (b"REDIS0003\x00\x01k\x01v\x63", "it ends at offset 15, in the middle"),
        (
            b"REDIS0003\xfe\x10\x00\x01k\x01v\xff",
            "it has keys in database 16, and there are 16 databases: set 'databases'",
        ),
        (b"REDIS0003\x01\x04list\x02\x01a\xc4", "the value of the key \"list\" at offset 9 is damaged"),
        (b"REDIS0003\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff", "what is at offset 9 is damaged"),
        (b"REDIS0003\x01\x01k\x81\xff\xff\xff\xff\xff\xff\xff\xff", "it ends at offset 21, in the middle"),
        (b"REDIS0005\x00\x01k\x01v\xff12345678", "checksum: found 0xf86d5a746986cd70, expected 0x3837363534333231"),
    ] {
        assert_eq!(bring_in(bytes, &empty()), Err(expected.to_owned()), "{}", bytes.escape_ascii());
    }
}

#[test]
fn fields_expire_as_redis_and_as_valkey_write_them() {
    let far = 1_900_000_000_000_i64.to_le_bytes();
    let never = (-1_i64).to_le_bytes();
    let redis = [b"REDIS0012\x18\x01h", &far[..], b"\x02\x01\x01f\x01v\x00\x01g\x01w\xff", &[0; 8]].concat();
    let valkey = [b"VALKEY080\x16\x01h\x02\x01f\x01v", &far[..], b"\x01g\x01w", &never, b"\xff", &[0; 8]].concat();
    for bytes in [redis, valkey] {
        let dir = folder();
        let file = dir.path().join("in.rdb");
        fs::write(&file, bytes).expect("written");
        let (_process, mut client) = start(dir.path(), &["--import-rdb", text(&file)]);
        let expiries = client.line("HPEXPIRETIME h FIELDS 2 f g");
        assert_eq!(expiries, Tree::Array(vec![Tree::Integer(1_900_000_000_000), Tree::Integer(-1)]));
    }
}

#[test]
fn old_files_have_no_checksum_and_collections_without_elements_count_for_nothing() {
    let keyspace = empty();
    let outcome = bring_in(b"REDIS0003\x01\x01l\x00\x00\x01k\x01v\xfd\x01\x00\x00\x00\x00\x01o\x01v\xff", &keyspace)
        .expect("read");
    assert_eq!((outcome.keys, outcome.empty, outcome.expired), (1, 1, 1));
    assert_eq!(keyspace.db_stats(0).keys, 1);
}

#[test]
fn memory_is_bounded_while_a_file_is_brought_in() {
    let mut options = options();
    options.maxmemory = 3 << 20;
    let mut bytes = b"REDIS0003".to_vec();
    for n in 0..2000_u32 {
        bytes.extend(b"\x00\x04");
        bytes.extend(n.to_be_bytes());
        bytes.extend(b"\x50\x00");
        bytes.extend([b'x'; 0x1000]);
    }
    bytes.push(0xFF);
    let keyspace = Keyspace::new(&options).expect("an arena can be reserved");
    assert_eq!(bring_in(&bytes, &keyspace), Err("there is no memory for all of it: raise 'maxmemory'".to_owned()));
    options.policy = Policy::AllkeysLru;
    let keyspace = Keyspace::new(&options).expect("an arena can be reserved");
    assert_eq!(bring_in(&bytes, &keyspace).map(|imported| imported.keys), Ok(2000));
    assert!(keyspace.db_stats(0).keys < 1000, "{:?}", keyspace.db_stats(0));
}

#[test]
fn what_is_there_already_is_replaced() {
    let keyspace = empty();
    let mut keys = keyspace.lock(keyspace.all_shards(), NOW);
    keys.db(0).set(b"text", b"before", Ttl::Clear).expect("room");
    keys.db(0).set(b"stays", b"here", Ttl::Clear).expect("room");
    drop(keys);
    bring_in(&fs::read(data("redis-7.0.rdb")).expect("a file"), &keyspace).expect("it is whole");
    assert_eq!(keyspace.db_stats(0).keys, 18);
}
