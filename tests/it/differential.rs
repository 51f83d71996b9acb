//! Random commands, sent to a real `redis-server` and to ours: the replies must be the same to the byte.
//!
//! `FLAGSTONE_SEED=<n>` repeats a run, `FLAGSTONE_COMMANDS=<n>` makes it longer.

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

/// A `redis-server` on a free port of loopback that keeps nothing on disk; ended when dropped.
struct Peer {
    process: Child,
    address: SocketAddr,
}

impl Peer {
    /// None when there is none on this machine.
    fn start() -> Option<Peer> {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).ok()?;
        let process = Command::new("redis-server")
            .args(["--port", &address.port().to_string(), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let peer = Peer { process, address };
        // The process is not ours, so its readiness can only be asked for.
        for _ in 0..2_000 {
            if TcpStream::connect(address).is_ok() {
                return Some(peer);
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("redis-server does not listen on {address}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

type Words = Vec<Vec<u8>>;

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
        // Seconds far enough away that the two servers cannot disagree on whether they have passed.
        "at" => match random.u8(..8) {
            0 => integer(random).into_bytes(),
            _ => (4_000_000_000_u64 + random.u64(..1000)).to_string().into_bytes(),
        },
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
    "SET key value PXAT at GET",
    "SET key value EX int",
    "SET key value KEEPTTL EXAT at",
    "SETNX key value",
    "SETEX key int value",
    "PSETEX key int value",
    "GETSET key value",
    "GETDEL key",
    "GETEX key",
    "GETEX key EXAT at",
    "GETEX key PERSIST",
    "GETEX key EX int",
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
    "PEXPIREAT key at LT",
    "EXPIRETIME key",
    "PEXPIRETIME key",
    "PERSIST key",
    "EXPIRE key int",
    "PEXPIRE key int GT XX",
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
    // Now and then a word too many, too few, or in another's place.
    match random.u8(..) {
        0..4 => words.push(value(random)),
        4..8 if words.len() > 1 => drop(words.pop()),
        8..12 if words.len() > 2 => {
            let at = random.usize(1..words.len());
            words[at] = value(random);
        }
        _ => {}
    }
    words
}

/// Replies that differ for a reason: later versions answer otherwise, and ours with them.
fn is_excused(words: &[Vec<u8>], theirs: &[u8]) -> bool {
    let is = |n: usize, text: &str| words.get(n).is_some_and(|word| word.eq_ignore_ascii_case(text.as_bytes()));
    // A range without an end, and bad arguments for a key that is absent.
    is(0, "bitcount")
        || is(0, "bitpos") && !theirs.starts_with(b"-")
        // The number of references of a small integer is a matter of sharing.
        || is(0, "object") && is(1, "refcount")
        || is(0, "object") && is(1, "encoding") && theirs.starts_with(b"$3")
}

/// Random commands, the same for the same `FLAGSTONE_SEED`, to a real server and to ours.
#[test]
fn replies_are_those_of_a_real_server() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    // Replies that depend on when an expired key is met, or that differ between versions inside EXEC, are not all told
    // apart yet: so this is a tool to look with, not yet a gate.
    let Some(seed) = number("FLAGSTONE_SEED") else {
        println!("SKIPPED: FLAGSTONE_SEED is not set, so nothing was compared with a real server");
        return;
    };
    let Some(peer) = Peer::start() else {
        println!("SKIPPED: no redis-server is installed, so nothing was compared");
        return;
    };
    let commands = number("FLAGSTONE_COMMANDS").unwrap_or(40_000);
    let server = Server::start_on_the_wall_clock();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut random = Rng::with_seed(seed);
        let mut theirs = Client::connect_as(peer.address, protocol);
        let mut ours = server.connect(protocol);
        for client in [&mut theirs, &mut ours] {
            client.line("FLUSHALL");
        }
        let (mut recent, mut queueing) = (Vec::<String>::new(), false);
        for n in 0..commands {
            let words = command(&mut random);
            // Whether these spoil the transaction they stand in differs between versions.
            if queueing && ["multi", "watch"].iter().any(|name| words[0].eq_ignore_ascii_case(name.as_bytes())) {
                continue;
            }
            let shown = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
            recent.push(shown);
            let bytes = request(&words);
            for client in [&mut theirs, &mut ours] {
                client.write(&bytes).expect("taken");
            }
            let (their_reply, our_reply) = (theirs.receive(), ours.receive());
            match words[0].to_ascii_lowercase().as_slice() {
                b"multi" => queueing = their_reply == Tree::Simple("OK".into()),
                b"exec" | b"discard" => queueing = false,
                _ => {}
            }
            let (their_raw, our_raw) = (&theirs.replies.last_raw, &ours.replies.last_raw);
            // What an unknown command was called with is quoted up to a NUL or 128 bytes, raw there, as text here.
            let unknown = b"-ERR unknown command";
            let same_error = their_raw.starts_with(unknown) && our_raw.starts_with(unknown)
                || their_raw.starts_with(b"-")
                    && String::from_utf8_lossy(their_raw) == String::from_utf8_lossy(our_raw);
            if their_raw == our_raw || same_error || is_excused(&words, their_raw) {
                continue;
            }
            let before = recent[recent.len().saturating_sub(30)..].join("\n  ");
            panic!(
                "FLAGSTONE_SEED={seed} {protocol:?}, command {n}; the last of\n  {before}\nwas answered by redis-server with\
                 \n{their_reply}\nand by ours with\n{our_reply}\n"
            );
        }
    }
}
