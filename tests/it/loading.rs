//! While a snapshot is loaded: who needs what is not there yet waits for the disk, and nobody else does.

use crate::{
    client::Client,
    differential::{collections, grammar},
    harness::Session,
    instance::{Instance, Local, START, Server, options},
    tree::{Tree, quote, split_words},
};
use flagstone::{
    arena::PageId,
    command::{Protocol, handle::State},
    config::Policy,
    keyspace::{Keyspace, Options},
    snapshot::{self, Image},
    types::Ahead,
    util::disk::{Disk, DiskFile, System},
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::Path,
    sync::{
        Arc, Condvar, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};
use tempfile::TempDir;

/// The real disk, of which nothing is read while it is shut.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<Shut>, Condvar, AtomicUsize)>);

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Shut {
    #[default]
    No,
    /// To the one that brings everything in turn.
    ToLoader,
    ToAll,
}

struct Gated(Arc<dyn DiskFile>, Gate);

impl Gate {
    /// Shuts it until the answer is dropped.
    fn shut(&self, shut: Shut) -> Opener<'_> {
        self.set(shut);
        Opener(self)
    }

    fn set(&self, shut: Shut) {
        *self.0.0.lock().unwrap() = shut;
        self.0.1.notify_all();
    }

    /// How often a thread that serves connections has read.
    fn read_by_workers(&self) -> usize {
        self.0.2.load(Relaxed)
    }

    fn pass(&self) {
        let thread = thread::current();
        let name = thread.name().unwrap_or_default();
        if name.starts_with("worker-") {
            self.0.2.fetch_add(1, Relaxed);
        }
        let is_kept_out = |shut: &mut Shut| *shut == Shut::ToAll || *shut == Shut::ToLoader && name == "loader";
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), is_kept_out).unwrap());
    }
}

/// Opens it whatever happens, so that the server can end.
impl Drop for Opener<'_> {
    fn drop(&mut self) {
        self.0.set(Shut::No);
    }
}

struct Opener<'g>(&'g Gate);

impl Disk for Gate {
    fn open_to_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(Gated(System.open_to_read(path)?, self.clone())))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        System.open(path)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        System.create(path)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        System.remove(path)
    }
    fn exchange(&self, new: &Path, path: &Path) -> io::Result<()> {
        System.exchange(new, path)
    }
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        System.sync_directory(directory)
    }
    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        System.create_directory(directory)
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        System.list(directory)
    }
}

impl DiskFile for Gated {
    fn read_some(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.1.pass();
        self.0.read_some(into, at)
    }
    fn write_some(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        self.0.write_some(bytes, at)
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

const KEYS: usize = 2000;

/// A snapshot of many strings, a large value, and a large collection of each type.
static SNAPSHOT: LazyLock<TempDir> = LazyLock::new(|| {
    let server = Server::of(Keyspace::new(&options()).unwrap());
    let mut client = server.connect(Protocol::Resp2);
    for i in 0..KEYS {
        client.call(&["SET", &format!("key:{i}"), &"v".repeat(1000)]);
        client.call(&["SADD", "set", &format!("member:{i}:{}", "m".repeat(100))]);
        client.call(&["HSET", "hash", &format!("field:{i}"), &"v".repeat(100)]);
        client.call(&["ZADD", "zset", &i.to_string(), &format!("member:{i}:{}", "m".repeat(100))]);
        client.call(&["RPUSH", "list", &format!("element:{i}:{}", "e".repeat(100))]);
        client.call(&["XADD", "stream", &format!("{}-0", i + 1), "field", &"v".repeat(100)]);
    }
    client.call(&["SET", "large", &"v".repeat(1_000_000)]);
    let dir = tempfile::tempdir().unwrap();
    snapshot::save(&server.shared().keyspace, &dir.path().join("loading.flag"), START).unwrap();
    dir
});

/// The snapshot, loaded from a disk with a gate.
fn loading(gate: &Gate) -> Keyspace {
    loading_from(gate, SNAPSHOT.path())
}

fn loading_from(gate: &Gate, folder: &Path) -> Keyspace {
    let path = folder.join("loading.flag");
    let options = Options { reserve: 1 << 28, ..options() };
    Image::open_on(gate, &path).unwrap().unwrap().into_keyspace(&options, START).unwrap()
}

/// What is not there of what a lookup comes to.
fn absent(keyspace: &Keyspace, key: &str, element: &str) -> Vec<PageId> {
    let mut locked = keyspace.lock(keyspace.shard_set(std::iter::once(key.as_bytes())), START);
    locked.look();
    locked.go_ahead(0, key.as_bytes(), Ahead { words: &[element.as_bytes()], ..Ahead::default() });
    locked.looked()
}

fn bring(keyspace: &Keyspace, key: &str, element: &str) {
    while let pages = absent(keyspace, key, element)
        && !pages.is_empty()
    {
        keyspace.bring(&pages);
    }
}

#[test]
fn what_is_brought_need_not_be_read_again() {
    let gate = Gate::default();
    let keyspace = loading(&gate);
    let wanted =
        [("key:7", ""), ("large", ""), ("set", "member:7"), ("hash", "field:77"), ("zset", "member:3"), ("list", "")];
    assert!(!absent(&keyspace, "key:7", "").is_empty(), "nothing has been read yet");
    for (key, element) in wanted {
        bring(&keyspace, key, element);
        assert_eq!(absent(&keyspace, key, element), []);
    }
    let (pages, left) = keyspace.arena().progress();
    assert!(left > pages / 2, "{left} of {pages} pages are left");
    let server = Server::of(keyspace);
    let mut client = server.connect(Protocol::Resp2);
    for (line, reply) in [
        ("STRLEN key:7", "(integer) 1000"),
        ("STRLEN large", "(integer) 1000000"),
        ("SISMEMBER set nobody", "(integer) 0"),
        ("HSTRLEN hash field:77", "(integer) 100"),
        ("LLEN list", "(integer) 2000"),
    ] {
        assert_eq!(client.line(line).to_string(), reply, "{line}");
    }
}

/// Brings four keys and what shows that one is absent, then shuts the gate.
fn shut<'g>(gate: &'g Gate, keyspace: &Keyspace) -> Opener<'g> {
    for key in ["key:0", "key:1", "key:2", "key:3", "absent"] {
        bring(keyspace, key, "");
    }
    gate.shut(Shut::ToAll)
}

/// More clients than there are threads need nothing of the disk.
fn others_are_served(server: &Server) {
    for _ in 0..4 {
        let mut client = server.connect(Protocol::Resp2);
        for i in 0..4 {
            assert_eq!(client.line(&format!("STRLEN key:{i}")).to_string(), "(integer) 1000");
            assert_eq!(client.line(&format!("SET key:{i} w")).to_string(), "OK");
            assert_eq!(client.line(&format!("SET key:{i} {}", "v".repeat(1000))).to_string(), "OK");
        }
        assert_eq!(client.line("GET absent").to_string(), "(nil)");
    }
}

#[test]
fn only_who_needs_the_disk_waits_for_it() {
    let gate = Gate::default();
    let keyspace = loading(&gate);
    let shut = shut(&gate, &keyspace);
    let cold: Vec<_> =
        (0..KEYS).map(|i| format!("key:{i}")).filter(|key| !absent(&keyspace, key, "").is_empty()).collect();
    assert!(cold.len() > KEYS / 2);
    let server = Server::of(keyspace);
    // More than there are threads, in all shards; and behind what each waits for, something else.
    let mut waiting: Vec<_> = cold.iter().take(32).map(|key| (server.connect(Protocol::Resp2), key)).collect();
    for (client, key) in &mut waiting {
        client.send(&["GET", "key:0"]);
        client.send(&["STRLEN", key]);
        client.send(&["ECHO", "behind"]);
        assert!(client.receive().to_string().starts_with("\"vvv"), "what was before it is answered");
    }
    others_are_served(&server);
    drop(shut);
    for (client, _) in &mut waiting {
        assert_eq!(client.receive().to_string(), "(integer) 1000");
        assert_eq!(client.receive().to_string(), "\"behind\"");
    }
}

/// Commands that come to more than their keys, and to the middle of collections.
#[test]
fn whatever_a_command_comes_to_is_waited_for_by_nobody_else() {
    let pushed = "EVAL \"return #redis.call('LRANGE', 'list', 900, 1100) + redis.call('RPUSH', 'list', 'x')\" 0";
    let lines = [
        "SCAN 0 COUNT 500",
        "RANDOMKEY",
        "SRANDMEMBER set 5",
        "HRANDFIELD hash",
        "KEYS key:19*",
        "HSCAN hash 0 COUNT 1000",
        "SSCAN set 0 COUNT 1000",
        "ZSCAN zset 0 COUNT 1000",
        "LINDEX list 1000",
        "LRANGE list 900 1100",
        "LPOS list nothing",
        "ZRANGE zset 900 1100",
        "ZRANGEBYSCORE zset 900 1100",
        "ZRANK zset member:1000:",
        "ZCOUNT zset 500 1500",
        "HGETALL hash",
        "SMEMBERS set",
        "SINTER set set",
        "SORT_RO list ALPHA LIMIT 5 5",
        "XRANGE stream 1000 1100",
        "DUMP zset",
        "LSET list 1000 other",
        "ZADD zset 1000.5 new",
        "ZADD zset 3 member:1000:",
        "ZREM zset member:500:",
        "XDEL stream 1000-0",
        "LINSERT list BEFORE nothing other",
        "LREM list 0 nothing",
        "ZREMRANGEBYRANK zset 900 1100",
        "SUNIONSTORE other set set",
        "EVAL \"return redis.call('GET', 'key:1' .. '7')\" 0",
        "EVAL \"return redis.pcall('HGET', 'hash', 'field:1' .. '7')\" 0",
        "EVAL \"return redis.call('HSET', 'hash', 'field:1' .. '7', 'x')\" 0",
        pushed,
        "LTRIM list 5 1500",
    ];
    let warm = loading(&Gate::default());
    warm.load_all(&mut || true);
    let warm = Server::of(warm);
    let mut expected = warm.connect(Protocol::Resp2);
    for line in lines {
        let gate = Gate::default();
        let keyspace = loading(&gate);
        let shut = shut(&gate, &keyspace);
        let server = Server::of(keyspace);
        let mut client = server.connect(Protocol::Resp2);
        client.send(&split_words(line));
        others_are_served(&server);
        drop(shut);
        // (Others that have changed something come in between.)
        match line.contains("RAND") {
            true => assert!(!matches!(client.receive(), Tree::Null | Tree::Error(_)), "{line}"),
            false => assert_eq!(client.receive(), expected.call(&split_words(line)), "{line}"),
        }
        warm.shared().keyspace.check().unwrap();
        server.shared().keyspace.check().unwrap();
    }
}

/// Of collections of thousands, what lies in the middle.
const MIDDLE: &[&str] = &[
    "LINDEX key rank",
    "LRANGE key rank rank",
    "LSET key rank member",
    "LTRIM key 5 rank",
    "LPOS key element RANK -1",
    "LREM key 1 element",
    "LINSERT key AFTER element member",
    "ZRANGE key rank rank",
    "ZREVRANGE key rank rank WITHSCORES",
    "ZRANGEBYSCORE key rank rank LIMIT 10 20",
    "ZCOUNT key rank rank",
    "ZRANK key element",
    "ZADD key rank element",
    "ZINCRBY key rank element",
    "ZREM key element",
    "ZREMRANGEBYSCORE key rank rank",
    "ZREMRANGEBYRANK key -5 -3",
    "HGET key element",
    "HDEL key element",
    "HGETALL key",
    "SISMEMBER key element",
    "SREM key element",
    "SMOVE key key element",
    "SUNIONSTORE key key key",
    "XRANGE key rank rank",
    "XDEL key rank-0",
    "XTRIM key MAXLEN ~ rank",
    "SORT key BY nosort LIMIT rank 5",
    "COPY key key REPLACE",
];

/// One that is restarted again and again, and looks before it reads, answers as one that is not.
#[test]
fn a_restart_in_between_changes_no_reply() {
    for seed in 0..2 {
        let mut random = fastrand::Rng::with_seed(seed);
        let warm = Instance::new();
        let alike = Options { hash_keys: warm.shared().keyspace.hash_keys(), ..options() };
        let mut cold = Instance::with(Keyspace::new(&alike).unwrap(), START);
        let mut expected = Local::new(&warm, Protocol::Resp2);
        let mut other = Local::new(&cold, Protocol::Resp2);
        let add = ["RPUSH", "SADD", "HSET", "ZADD", "XADD"];
        for i in 0..1500 {
            let element = format!("element:{i}:{}", "e".repeat(60));
            for key in 0..10 {
                let number = format!("{}{}", i + 1, if key % 5 == 4 { "-0" } else { "" });
                let words = match add[key % 5] {
                    add @ ("RPUSH" | "SADD") => vec![add, &element],
                    "HSET" => vec!["HSET", &element, &number],
                    add => vec![add, &number, &element],
                };
                let mut words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
                words.insert(1, format!("k{key}").into_bytes());
                if add[key % 5] == "XADD" {
                    words.push(b"value".to_vec());
                }
                expected.call("", &words);
                other.call("", &words);
            }
        }
        for n in 0..90 {
            if n % 3 == 0 {
                cold = cold.restarted();
            }
            let mut client = Local::new(&cold, Protocol::Resp2);
            let words = collections::command_from(&mut random, if n % 4 == 0 { collections::PATTERNS } else { MIDDLE });
            let line = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
            let name = String::from_utf8_lossy(&words[0]).to_ascii_lowercase();
            // What waits has no reply, and what is drawn by lot no certain one.
            if name.starts_with('b')
                || name.contains("rand")
                || name == "spop"
                || name.starts_with('x') && name.contains("read")
            {
                continue;
            }
            let (found, wanted) = (client.call("", &words), expected.call("", &words));
            let is_same = collections::is_same(&wanted, &found, collections::is_ordered(&name));
            assert!(is_same, "seed {seed}, command {n}: {line}\n{found:.2000}\n{wanted:.2000}");
            cold.shared().keyspace.check().unwrap_or_else(|wrong| panic!("seed {seed}, command {n}: {line}: {wrong}"));
        }
    }
}

/// What the whole table of commands works on, each value large: under the names of [`words::key`].
static OF_EVERY_KIND: LazyLock<TempDir> = LazyLock::new(|| {
    const ELEMENTS: usize = 700;
    let server = Server::of(Keyspace::new(&options()).unwrap());
    let mut client = server.connect(Protocol::Resp2);
    let mut calls = 0;
    let mut send = |client: &mut Client, words: &[&str]| {
        client.send(words);
        calls += 1;
        // Not more than the sockets hold.
        if calls % 100 == 0 {
            (0..100).for_each(|_| assert!(!matches!(client.receive(), Tree::Error(_)), "after {words:?}"));
        }
    };
    for (key, i) in (0..3).flat_map(|key| (0..ELEMENTS).map(move |i| (key, i))) {
        let (member, number) = (format!("m{i}"), i.to_string());
        let filler = "f".repeat(150);
        let long = format!("m{i}:{filler}");
        for words in [
            ["RPUSH", "l", &member, &long].as_slice(),
            &["SADD", "t", &member, &long],
            &["HSET", "h", &member, &filler],
            &["ZADD", "z", &number, &member, "7", &long],
            &["GEOADD", "g", &format!("{}", i as f64 / 10.0), "45", &member],
            &["XADD", "x", &format!("{i}-1"), "field", &filler],
            &["ARSET", "a", &(i * 3).to_string(), &filler],
            &["SET", "s", &filler],
            &["SET", "b", &filler.repeat(100)],
            &["PFADD", "p", &member, &long],
        ] {
            let name = format!("{}{key}", words[1]);
            send(&mut client, &[&[words[0], &name], &words[2..]].concat());
        }
        send(&mut client, &["SET", &format!("other:{key}:{i}"), &filler.repeat(4)]);
    }
    for key in ["x0", "x1", "x2"] {
        send(&mut client, &["XGROUP", "CREATE", key, "g1", "0"]);
        send(&mut client, &["XREADGROUP", "GROUP", "g1", "c1", "COUNT", "350", "STREAMS", key, ">"]);
    }
    (0..calls % 100).for_each(|_| drop(client.receive()));
    let dir = tempfile::tempdir().unwrap();
    snapshot::save(&server.shared().keyspace, &dir.path().join("loading.flag"), START).unwrap();
    dir
});

/// What ends a server or a connection, holds it up by its nature, or answers more or less than once.
const NOT_ASKED: &[&str] = &[
    "client|kill",
    "client|pause",
    "client|reply",
    "debug",
    "exec",
    "failover",
    "hello",
    "migrate",
    "monitor",
    "multi",
    "psubscribe",
    "psync",
    "punsubscribe",
    "quit",
    "replconf",
    "replicaof",
    "reset",
    "save",
    "shutdown",
    "slaveof",
    "ssubscribe",
    "subscribe",
    "sunsubscribe",
    "sync",
    "unsubscribe",
    "wait",
    "waitaof",
];

/// Every command as it is documented, alone, in a transaction, and in a script that has written: nobody who serves others
/// reads from the disk.
#[test]
fn no_command_reads_on_a_thread_that_serves() {
    let warm = Server::start_on_the_wall_clock();
    let documented = grammar::of(&mut warm.connect(Protocol::Resp2));
    let mut random = fastrand::Rng::with_seed(std::env::var("FLAGSTONE_SEED").map_or(1, |seed| seed.parse().unwrap()));
    let times = std::env::var("CAMPAIGN_TIMES").map_or(1, |times| times.parse().unwrap());
    let mut wrong = BTreeMap::new();
    for command in documented.iter().filter(|command| !NOT_ASKED.contains(&command.name.as_str())) {
        for _ in 0..2 * times {
            let n = random.u8(..4);
            let gate = Gate::default();
            let server = Server::of_on_the_wall_clock(loading_from(&gate, OF_EVERY_KIND.path()));
            let _opener = gate.shut(Shut::ToLoader);
            let mut client = server.connect(Protocol::Resp2);
            let words = command.draw(&mut random);
            match n {
                0 | 1 => client.send(&words),
                2 => {
                    client.send(&["MULTI"]);
                    client.send(&words);
                    client.send(&["EXEC"]);
                    client.receive();
                    client.receive();
                }
                _ => {
                    let script = "redis.call('SET', 'other:0:7', 'x') return {pcall(redis.call, unpack(ARGV))}";
                    let eval = ["EVAL", script, "0"].map(|word| word.as_bytes().to_vec());
                    client.send(&[&eval[..], &words].concat());
                }
            }
            let _ = client.try_receive();
            if gate.read_by_workers() > 0 {
                let line = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
                wrong.entry(command.name.clone()).or_insert(format!("{line} ({n}: {})", gate.read_by_workers()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whoever changes a key serves those who wait for it; what these come to besides is not read there.
#[test]
fn who_waits_for_a_key_has_what_it_needs_brought() {
    for (wait, push) in [
        ("BLMOVE new l0 LEFT LEFT 0", "RPUSH new x"),
        ("BRPOPLPUSH new l1 0", "LPUSH new x"),
        ("BLMPOP 0 2 new l9 LEFT COUNT 5", "RENAME l2 new"),
        ("XREADGROUP GROUP g1 c1 BLOCK 0 STREAMS x1 >", "XADD x1 9999-1 field value"),
    ] {
        let gate = Gate::default();
        let server = Server::of(loading_from(&gate, OF_EVERY_KIND.path()));
        let _opener = gate.shut(Shut::ToLoader);
        let mut waiter = server.connect(Protocol::Resp2);
        let mut other = server.connect(Protocol::Resp2);
        if wait.starts_with("XREADGROUP") {
            other.line("XGROUP SETID x1 g1 $");
        }
        waiter.send(&split_words(wait));
        while !server.shared().clients.all().iter().any(|client| client.state().contains(State::BLOCKED)) {
            thread::yield_now();
        }
        assert!(!matches!(other.line(push), Tree::Error(_)), "{push}");
        assert!(!matches!(waiter.receive(), Tree::Error(_) | Tree::Null), "{wait}");
        assert_eq!(gate.read_by_workers(), 0, "{wait}");
    }
}

/// Much in each: two databases, a list and a stream of more than is read at once.
static MUCH: LazyLock<TempDir> = LazyLock::new(|| {
    let server = Server::of(Keyspace::new(&options()).unwrap());
    let mut client = server.connect(Protocol::Resp2);
    let mut send = |words: &[&str]| assert!(!matches!(client.call(words), Tree::Error(_)), "{words:?}");
    for db in ["3", "0"] {
        send(&["SELECT", db]);
        (0..2 * KEYS).for_each(|i| send(&["SET", &format!("key:{i}"), &"v".repeat(300)]));
    }
    for from in (0..260_000).step_by(1000) {
        let elements: Vec<_> = (from..from + 1000).map(|i| format!("element:{i}")).collect();
        let words: Vec<_> = ["RPUSH", "list"].into_iter().chain(elements.iter().map(String::as_str)).collect();
        send(&words);
    }
    (1..=3500).for_each(|i| send(&["XADD", "stream", &format!("{i}-1"), "field", &"v".repeat(900)]));
    send(&["XGROUP", "CREATE", "stream", "group", "0"]);
    send(&["XREADGROUP", "GROUP", "group", "one", "COUNT", "1300", "STREAMS", "stream", ">"]);
    let dir = tempfile::tempdir().unwrap();
    snapshot::save(&server.shared().keyspace, &dir.path().join("loading.flag"), START).unwrap();
    dir
});

/// What many come to at once, what another database has, and what a script in a transaction comes to.
#[test]
fn much_at_once_is_brought_as_well() {
    let new: Vec<_> = (0..1000).map(|i| format!("new:{i} x")).collect();
    let script = "\"redis.call('SET', KEYS[1], 'x') return #redis.call('LRANGE', KEYS[2], 0, -1)\"";
    let mut wrong = Vec::new();
    for line in [
        "LPOP list 180000",
        "XREADGROUP GROUP group two STREAMS stream >",
        "XREADGROUP GROUP group one STREAMS stream 0",
        "XREADGROUP GROUP group two CLAIM 0 STREAMS stream >",
        "XAUTOCLAIM stream group two 0 0 COUNT 900",
        "COPY key:7 key:8 DB 3 REPLACE",
        "MOVE key:9 3",
        "MOVE list 5",
        &format!("MSET {}", new.join(" ")),
        &format!("EXEC SET {}", new.join("\nSET ")),
        &format!("EXEC EVAL {script} 2 key:11 list"),
    ] {
        let gate = Gate::default();
        let server = Server::of(loading_from(&gate, MUCH.path()));
        let _opener = gate.shut(Shut::ToLoader);
        let mut client = server.connect(Protocol::Resp2);
        let reply = match line.strip_prefix("EXEC ") {
            Some(lines) => {
                client.line("MULTI");
                lines.lines().for_each(|line| drop(client.line(line)));
                client.line("EXEC")
            }
            None => client.line(line),
        };
        assert!(!reply.to_string().contains("(error)"), "{line:.60}: {reply:.200}");
        if gate.read_by_workers() > 0 {
            wrong.push(format!("{line:.60}: {}", gate.read_by_workers()));
        }
        server.shared().keyspace.check().unwrap();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Keys that are still in the snapshot only take no memory: none of them is read to be evicted.
#[test]
fn what_is_evicted_is_in_memory() {
    for policy in [Policy::AllkeysLru, Policy::VolatileTtl, Policy::AllkeysS3Fifo] {
        let gate = Gate::default();
        let keyspace = loading_from(&gate, MUCH.path());
        keyspace.set_policy(policy);
        keyspace.set_maxmemory(keyspace.arena().resident() + (3 << 20));
        let server = Server::of(keyspace);
        let _opener = gate.shut(Shut::ToLoader);
        let mut client = server.connect(Protocol::Resp2);
        for i in 0..6000 {
            let reply = client.call(&["SET", &format!("new:{i}"), &"v".repeat(1000), "EX", "1000"]);
            assert_eq!(reply.to_string(), "OK", "{policy:?}: {i}");
        }
        assert!(server.shared().keyspace.stats().evicted > 0, "{policy:?}");
        assert_eq!(gate.read_by_workers(), 0, "{policy:?}");
    }
}
