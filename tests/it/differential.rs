//! Random commands, sent to a real `redis-server` and to ours: the replies must be the same to the byte.
//!
//! Runs wherever a `redis-server` is installed, with the same commands each time. `FLAGSTONE_SEED=<n>` draws others instead,
//! `FLAGSTONE_COMMANDS=<n>` more of them.

pub mod collections;
mod documented;
mod excuses;
pub mod grammar;
mod offices;
mod scenes;
mod several;
pub mod words;

use crate::{
    client::{Client, request},
    instance::Server,
    tree::{Tree, quote},
};
use fastrand::Rng;
use flagstone::command::Protocol;
use std::{
    env,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// A `redis-server` on a free port of loopback that keeps nothing on disk; ended when dropped.
struct Peer {
    process: Child,
    address: SocketAddr,
    /// What it may be told to save stays in here.
    _dir: TempDir,
}

impl Peer {
    /// None when there is none on this machine.
    fn start() -> Option<Peer> {
        // Another process may take the port in between; then this one says so and ends, and we try another.
        for _ in 0..20 {
            let mut peer = Peer::launch()?;
            if peer.is_ready() {
                return Some(peer);
            }
        }
        panic!("redis-server does not start");
    }

    fn launch() -> Option<Peer> {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).ok()?;
        let dir = TempDir::new().ok()?;
        let program = env::var("FLAGSTONE_PEER").unwrap_or("redis-server".into());
        let process = Command::new(program)
            .args([
                "--port",
                &address.port().to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--daemonize",
                "no",
                "--dir",
            ])
            .arg(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        Some(Peer { process, address, _dir: dir })
    }

    /// The process is not ours, so its readiness can only be asked for: false when it has ended instead.
    fn is_ready(&mut self) -> bool {
        while self.process.try_wait().is_ok_and(|status| status.is_none()) {
            // A connection to a free port may be one to itself.
            let is_other = |stream: TcpStream| stream.local_addr().is_ok_and(|own| own != self.address);
            if TcpStream::connect(self.address).is_ok_and(is_other) {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        false
    }

    fn connect(&self, protocol: Protocol) -> Client {
        Client::connect_as(self.address, protocol)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub type Words = Vec<Vec<u8>>;

fn words(random: &mut Rng, pattern: &str) -> Words {
    pattern.split(' ').map(|word| word_for(random, word)).collect()
}

/// A word of a pattern: a placeholder gets a value, anything else stands for itself in any case.
fn word_for(random: &mut Rng, word: &str) -> Vec<u8> {
    match word {
        "key" => format!("k{}", random.u8(..12)).into_bytes(),
        "value" => value(random),
        "int" => integer(random).into_bytes(),
        "float" => float(random).into_bytes(),
        "index" => random.i32(-20..40).to_string().into_bytes(),
        "offset" => {
            if random.u8(..) < 4 {
                integer(random).into_bytes()
            } else {
                random.u32(..400).to_string().into_bytes()
            }
        }
        "bit" => {
            if random.u8(..) < 8 {
                integer(random).into_bytes()
            } else {
                random.u8(..2).to_string().into_bytes()
            }
        }
        "field" => {
            let sign = if random.bool() { 'i' } else { 'u' };
            format!("{sign}{}", random.u8(..66)).into_bytes()
        }
        "slot" => format!("{}{}", if random.bool() { "#" } else { "" }, random.u8(..100)).into_bytes(),
        "element" => format!("e{}", random.u32(..5000)).into_bytes(),
        "ttl" => time(random, 1_000_000),
        "at" => time(random, 4_000_000_000),
        "ms-at" => time(random, 4_000_000_000_000),
        "database" => random.u8(..3).to_string().into_bytes(),
        _ if random.u8(..) < 128 => word.to_lowercase().into_bytes(),
        _ => word.as_bytes().to_vec(),
    }
}

fn value(random: &mut Rng) -> Vec<u8> {
    match random.u8(..8) {
        0 | 1 => integer(random).into_bytes(),
        2 => float(random).into_bytes(),
        3 => Vec::new(),
        4 => vec![random.u8(..); random.usize(..200)],
        _ => (0..random.usize(..60)).map(|_| random.u8(..)).collect(),
    }
}

fn integer(random: &mut Rng) -> String {
    match random.u8(..12) {
        0 => i64::MAX.to_string(),
        1 => i64::MIN.to_string(),
        2 => "9223372036854775808".into(),
        3 => format!("0{}", random.u8(..)),
        4 => "".into(),
        5 => format!("+{}", random.u8(..)),
        6 => "4294967296".into(),
        7 => "abc".into(),
        _ => random.i32(-1000..1000).to_string(),
    }
}

/// A time so far away that the two servers cannot disagree on whether it has passed; now and then none at all.
fn time(random: &mut Rng, from: u64) -> Vec<u8> {
    const BAD: [&str; 8] =
        ["0", "-1", "", "abc", "+7", "9223372036854775807", "-9223372036854775808", "9223372036854775808"];
    match random.usize(..80) {
        bad @ 0..8 => BAD[bad].into(),
        _ => (from + random.u64(..1000)).to_string().into_bytes(),
    }
}

fn float(random: &mut Rng) -> String {
    match random.u8(..10) {
        0 => "inf".into(),
        1 => "1e17".into(),
        2 => "-0.0".into(),
        3 => "0x1p3".into(),
        4 => "abc".into(),
        5 => "1e-7".into(),
        _ => format!("{:.1$}", random.f64() * 1000.0 - 500.0, random.usize(..9)),
    }
}

/// What is drawn from; the weights are repetitions. Left out is what may differ by right: orders, ages, memory, time now.
const PATTERNS: &[&str] = &[
    "GET key",
    "GET key",
    "GET key",
    "SET key value",
    "SET key value",
    "SET key value",
    "SET key int",
    "SET key value NX",
    "SET key value XX",
    "SET key value GET",
    "SET key value NX GET",
    "SET key value XX KEEPTTL",
    "SET key value EXAT at",
    "SET key value KEEPTTL",
    "SET key value PXAT ms-at GET",
    "SET key value EX ttl",
    "SET key value KEEPTTL EXAT at",
    "SETNX key value",
    "SETEX key ttl value",
    "PSETEX key ttl value",
    "GETSET key value",
    "GETDEL key",
    "GETEX key",
    "GETEX key EXAT at",
    "GETEX key PERSIST",
    "GETEX key EX ttl",
    "MGET key key key",
    "MSET key value key value",
    "MSETNX key value key value",
    "MSET key value key",
    "APPEND key value",
    "APPEND key value",
    "STRLEN key",
    "SETRANGE key offset value",
    "GETRANGE key index index",
    "GETRANGE key int int",
    "SUBSTR key index index",
    "INCR key",
    "DECR key",
    "INCRBY key int",
    "DECRBY key int",
    "INCRBYFLOAT key float",
    "INCRBYFLOAT key float",
    "LCS key key",
    "LCS key key LEN",
    "LCS key key IDX",
    "LCS key key IDX MINMATCHLEN index WITHMATCHLEN",
    "SETBIT key offset bit",
    "SETBIT key offset bit",
    "GETBIT key offset",
    "BITCOUNT key",
    "BITCOUNT key index index",
    "BITCOUNT key index index BIT",
    "BITCOUNT key index index BYTE",
    "BITPOS key bit",
    "BITPOS key bit index",
    "BITPOS key bit index index",
    "BITPOS key bit index index BIT",
    "BITOP AND key key key",
    "BITOP OR key key key",
    "BITOP XOR key key key key",
    "BITOP NOT key key",
    "BITFIELD key GET field slot",
    "BITFIELD key SET field slot int",
    "BITFIELD key OVERFLOW SAT INCRBY field slot int",
    "BITFIELD key OVERFLOW FAIL INCRBY field slot int GET field slot",
    "BITFIELD key INCRBY field slot int SET field slot int",
    "BITFIELD_RO key GET field slot",
    "PFADD key element element",
    "PFADD key element",
    "PFCOUNT key",
    "PFCOUNT key key",
    "PFMERGE key key key",
    "DEL key",
    "DEL key key",
    "UNLINK key",
    "EXISTS key key",
    "TYPE key",
    "TOUCH key key",
    "RENAME key key",
    "RENAMENX key key",
    "COPY key key",
    "COPY key key REPLACE",
    "COPY key key DB database",
    "MOVE key database",
    "EXPIREAT key at",
    "EXPIREAT key at NX",
    "EXPIREAT key at XX",
    "EXPIREAT key at GT",
    "PEXPIREAT key ms-at LT",
    "PEXPIREAT key at LT",
    "EXPIRETIME key",
    "PEXPIRETIME key",
    "PERSIST key",
    "EXPIRE key ttl",
    "PEXPIRE key ttl XX",
    "OBJECT ENCODING key",
    "OBJECT REFCOUNT key",
    "SELECT database",
    "DBSIZE",
    "SWAPDB database database",
    "ECHO value",
    "PING",
    "MULTI",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH key",
    "UNWATCH",
    "FLUSHDB",
    "GET",
    "SET key",
    "NOSUCH key value",
    "OBJECT NOSUCH key",
    "PUBLISH key value",
    "TTL key int",
];

fn command(random: &mut Rng) -> Words {
    let pattern = PATTERNS[random.usize(..PATTERNS.len())];
    let mut words = words(random, pattern);
    // These quote a bad word when they run; within EXEC the decoder of the replies wants text there.
    let odd = |random: &mut Rng| if pattern.contains("EXPIRE") { integer(random).into_bytes() } else { value(random) };
    // Now and then a word too many, too few, or in another's place.
    match random.u8(..) {
        0..4 => words.push(odd(random)),
        4..8 if words.len() > 1 => drop(words.pop()),
        8..12 if words.len() > 2 => {
            let at = random.usize(1..words.len());
            // Not a time: a near one would pass at another moment here than there.
            if !["ttl", "at", "ms-at"].contains(&pattern.split(' ').nth(at).unwrap_or_default()) {
                words[at] = odd(random);
            }
        }
        _ => {}
    }
    words
}

/// Whether a reply may differ from that of the real server, a 7.0: later versions answer otherwise, and ours with them.
fn is_excused(words: &[Vec<u8>], theirs: &Tree, ours: &Tree) -> bool {
    let name = words[0].to_ascii_lowercase();
    let subcommand = words.get(1).map(|word| word.to_ascii_lowercase()).unwrap_or_default();
    match (name.as_slice(), subcommand.as_slice(), theirs, ours) {
        // A range may lack its end now.
        (b"bitcount", _, Tree::Error(_), _) => words.len() == 3,
        // Bad arguments are refused now even when the key is absent.
        (b"bitcount" | b"bitpos", _, Tree::Integer(_), Tree::Error(_)) => true,
        // Small integers are shared there.
        (b"object", b"refcount", Tree::Integer(_), Tree::Integer(_)) => true,
        // What was changed in place stays raw there; ours is told by the value alone.
        (b"object", b"encoding", Tree::Bulk(theirs), Tree::Bulk(ours)) => {
            theirs == b"raw" && (ours == b"embstr" || ours == b"int")
        }
        // A relative time was added to two clocks, moments apart.
        (b"expiretime", _, Tree::Integer(theirs), Tree::Integer(ours)) => theirs.abs_diff(*ours) <= APART_S_MAX,
        (b"pexpiretime", _, Tree::Integer(theirs), Tree::Integer(ours)) => theirs.abs_diff(*ours) <= APART_S_MAX * 1000,
        _ => false,
    }
}

/// How much later than the other a server on a busy machine may run the same command.
const APART_S_MAX: u64 = 60;

/// Whether each reply of an EXEC is the same or excused.
fn is_excused_in_exec(queued: &[Words], theirs: &Tree, ours: &Tree) -> bool {
    let (Tree::Array(theirs), Tree::Array(ours)) = (theirs, ours) else { return false };
    theirs.len() == queued.len()
        && ours.len() == queued.len()
        && (queued.iter().zip(theirs).zip(ours))
            .all(|((words, theirs), ours)| theirs == ours || is_excused(words, theirs, ours))
}

/// The second and third have found what the first did not.
const SEEDS: [u64; 3] = [20_250_701, 8, 78];

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

fn seeds() -> Vec<u64> {
    setting("FLAGSTONE_SEED").map_or(SEEDS.to_vec(), |seed| vec![seed])
}

/// Random commands, the same for the same `FLAGSTONE_SEED`, to a real server and to ours.
#[test]
fn replies_are_those_of_a_real_server() {
    let Some(peer) = Peer::start() else {
        println!("SKIPPED: no redis-server is installed, so nothing was compared");
        return;
    };
    let commands = setting("FLAGSTONE_COMMANDS").unwrap_or(10_000);
    for seed in seeds() {
        println!("FLAGSTONE_SEED={seed}");
        compare(&peer, seed, commands);
    }
}

fn compare(peer: &Peer, seed: u64, commands: u64) {
    let server = Server::start_on_the_wall_clock();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut random = Rng::with_seed(seed);
        let mut theirs = peer.connect(protocol);
        let mut ours = server.connect(protocol);
        for client in [&mut theirs, &mut ours] {
            client.line("FLUSHALL");
        }
        let (mut recent, mut transaction, mut watches) = (Vec::<String>::new(), None::<Vec<Words>>, false);
        for n in 0..commands {
            let words = command(&mut random);
            let name = words[0].to_ascii_lowercase();
            // Whether these spoil the transaction they stand in differs between versions.
            if transaction.is_some() && matches!(name.as_slice(), b"multi" | b"watch") {
                continue;
            }
            // A field that overflows may have made its key, or made it longer: there no WATCH hears of that.
            if watches && transaction.is_none() && words.iter().any(|word| word.eq_ignore_ascii_case(b"fail")) {
                continue;
            }
            recent.push(words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "));
            let bytes = request(&words);
            for client in [&mut theirs, &mut ours] {
                client.write(&bytes).expect("taken");
            }
            let (their_reply, our_reply) = (theirs.receive(), ours.receive());
            let mut queued = None;
            match (name.as_slice(), &mut transaction) {
                (b"multi", None) if their_reply == Tree::Simple("OK".into()) => transaction = Some(Vec::new()),
                // With a word too many it stays open.
                (b"watch", None) if their_reply == Tree::Simple("OK".into()) => watches = true,
                (b"unwatch", None) if words.len() == 1 => watches = false,
                (b"exec" | b"discard", Some(_)) if words.len() == 1 => (queued, watches) = (transaction.take(), false),
                (_, Some(queue)) if their_reply == Tree::Simple("QUEUED".into()) => queue.push(words.clone()),
                _ => {}
            }
            if theirs.replies.last_raw == ours.replies.last_raw
                || is_excused(&words, &their_reply, &our_reply)
                || queued.is_some_and(|queued| is_excused_in_exec(&queued, &their_reply, &our_reply))
            {
                continue;
            }
            let before = recent[recent.len().saturating_sub(80)..].join("\n  ");
            panic!(
                "FLAGSTONE_SEED={seed} {protocol:?}, command {n}; the last of\n  {before}\nwas answered by redis-server with\
                 \n{their_reply}\nand by ours with\n{our_reply}\n"
            );
        }
    }
}
