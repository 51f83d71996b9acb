//! The program is killed under load, again and again in the same folder: what it finds when it starts is a prefix of
//! each client's writes, none shorter than what was acknowledged, and kept.

use super::seeds;
use crate::{
    client::{Client, request},
    process::Process,
    tree::Tree,
};
use rustix::process::Signal;
use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
};

/// Keys of each client, over which its numbered writes go round.
const KEYS: u64 = 40;
const CLIENTS: usize = 2;
/// Writes that are under way at once.
const DEPTH: u64 = 12;
/// Kills in one folder.
const ROUNDS: u64 = 20;

/// How far a client has come: the last write that was sent, and that was acknowledged.
#[derive(Default)]
struct Progress {
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

/// What is written with each number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    /// The number.
    Small,
    /// The number again and again, mostly so often that it is received where it stays, by several commands.
    Large,
}

impl Values {
    fn of(self, number: u64) -> Vec<u8> {
        match self {
            Values::Small => number.to_string().into_bytes(),
            Values::Large => {
                let times = [1, 8_192, 9_000, 40_000, 8_191][number as usize % 5];
                format!("{number:08}").repeat(times).into_bytes()
            }
        }
    }

    /// The number with which a value was written, if it is whole.
    fn number(self, value: &[u8]) -> Result<u64, String> {
        let text = String::from_utf8_lossy(&value[..value.len().min(8)]).into_owned();
        let number = text.parse().map_err(|error| format!("{text}: {error}"))?;
        let whole = self.of(number);
        if value == whole {
            return Ok(number);
        }
        let wrong = whole.iter().zip(value).position(|(byte, found)| byte != found);
        Err(format!("write {number}: {} bytes of {}, wrong at {wrong:?}", value.len(), whole.len()))
    }

    /// A command that is answered by OK.
    fn command(self, client: usize, number: u64) -> Vec<u8> {
        let (key, value) = (format!("{client}:{}", number % KEYS), self.of(number));
        let (key, value) = (key.as_bytes(), &value[..]);
        match number % 7 {
            0 if self == Values::Large => request(&[b"MSET", key, value]),
            1 if self == Values::Large => request(&[b"SETEX", key, b"100000", value]),
            _ => request(&[b"SET", key, value]),
        }
    }

    /// Writes that there may be before a kill.
    fn most(self) -> u64 {
        match self {
            Values::Small => 600,
            Values::Large => 100,
        }
    }
}

/// Writes numbers, the next after `from`, until the connection breaks.
fn write(port: u16, client: usize, from: u64, values: Values, progress: &Progress) {
    progress.sent.store(from, SeqCst);
    progress.acknowledged.store(from, SeqCst);
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return };
    let (mut number, mut replies, mut half) = (from, [0; 512], 0);
    loop {
        let mut commands = Vec::new();
        while number < progress.acknowledged.load(SeqCst) + DEPTH {
            number += 1;
            commands.extend(values.command(client, number));
        }
        // Said before it is done: what comes to the server at all counts as sent.
        progress.sent.store(number, SeqCst);
        if stream.write_all(&commands).is_err() {
            return;
        }
        match stream.read(&mut replies) {
            Ok(count @ 1..) => {
                half += count as u64;
                progress.acknowledged.fetch_add(half / 5, SeqCst);
                half %= 5;
            }
            _ => return,
        }
    }
}

/// Reads what is written meanwhile, until the connection breaks: no value is ever another than one that was written.
fn read(mut connection: Client, values: Values) {
    for number in 0.. {
        let key = format!("{}:{}", number % CLIENTS, number as u64 % KEYS);
        if connection.write(&request(&[b"GET", key.as_bytes()])).is_err() {
            return;
        }
        match connection.try_receive() {
            Ok(Tree::Bulk(value)) => drop(values.number(&value).unwrap_or_else(|error| panic!("{key}: {error}"))),
            Ok(reply) => assert_eq!(reply, Tree::Null, "{key}"),
            Err(_) => return,
        }
    }
}

/// The last write of a client that is there, if the keys hold what a prefix of its writes leaves.
fn prefix(process: &Process, client: usize, values: Values) -> Result<u64, String> {
    let mut connection = process.connect();
    let mut found = Vec::new();
    for key in 0..KEYS {
        found.push(match connection.line(&format!("GET {client}:{key}")) {
            Tree::Bulk(value) => values.number(&value)?,
            Tree::Null => 0,
            other => return Err(format!("{other:?}")),
        });
    }
    let last = found.iter().copied().max().unwrap_or(0);
    for (key, value) in found.iter().enumerate() {
        // The greatest number up to the last that has this key; none below 1.
        let key = key as u64;
        let expected = last.saturating_sub((last + KEYS - key) % KEYS);
        if *value != expected {
            return Err(format!("after {last} writes, key {key} is from write {value}, not {expected}"));
        }
    }
    Ok(last)
}

/// Kills a program in `dir` after a moment; answers what each client had sent, and what must be there.
fn kill(dir: &Path, options: &[&str], values: Values, from: &[u64], random: &mut fastrand::Rng) -> Vec<(u64, u64)> {
    let process = Process::start(dir, options);
    let progress: [Progress; CLIENTS] = Default::default();
    // As far as each had come when the last snapshot that was acknowledged began.
    let saved: [AtomicU64; CLIENTS] = std::array::from_fn(|client| AtomicU64::new(from[client]));
    thread::scope(|scope| {
        for (client, progress) in progress.iter().enumerate() {
            let port = process.port();
            scope.spawn(move || write(port, client, from[client], values, progress));
        }
        if values == Values::Large {
            let connection = process.connect();
            scope.spawn(move || read(connection, values));
        }
        let mut connection = process.connect();
        let (progress, saved) = (&progress, &saved);
        scope.spawn(move || {
            loop {
                let before = progress.each_ref().map(|progress| progress.acknowledged.load(SeqCst));
                if connection.write(b"SAVE\r\n").is_err() {
                    return;
                }
                if !connection.try_receive().is_ok_and(|reply| reply == Tree::Simple("OK".into())) {
                    return;
                }
                before.iter().zip(saved).for_each(|(before, saved)| saved.store(*before, SeqCst));
            }
        });
        // Somewhere in the middle of it, however fast the machine is.
        let enough = random.u64(0..values.most()) + from.iter().sum::<u64>();
        while progress.iter().map(|progress| progress.acknowledged.load(SeqCst)).sum::<u64>() < enough {
            thread::yield_now();
        }
        process.signal(Signal::KILL);
    });
    assert!(!process.wait().0.success());
    let kept = |client: usize| match options.contains(&"--appendonly") {
        true => progress[client].acknowledged.load(SeqCst),
        false => saved[client].load(SeqCst),
    };
    (0..CLIENTS).map(|client| (progress[client].sent.load(SeqCst), kept(client))).collect()
}

fn campaign(policies: &[&[&str]], values: Values) {
    let (mut writes, mut kills) = (0, 0);
    for folder in seeds(100 / ROUNDS) {
        let options = policies[folder as usize % policies.len()];
        let dir = tempfile::tempdir().expect("a folder");
        let mut random = fastrand::Rng::with_seed(folder);
        let mut from = vec![0; CLIENTS];
        for round in 0..ROUNDS {
            let bounds = kill(dir.path(), options, values, &from, &mut random);
            let process = Process::start(dir.path(), options);
            for (client, (sent, kept)) in bounds.into_iter().enumerate() {
                let what = format!("{options:?}, folder {folder}, kill {round}, client {client}");
                let found = prefix(&process, client, values).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!((kept..=sent).contains(&found), "{what}: found {found}, acknowledged {kept}, sent {sent}");
                writes += found - from[client].min(found);
                from[client] = found;
            }
            kills += 1;
            process.signal(Signal::KILL);
            process.wait();
        }
    }
    println!("{policies:?}: {kills} kills, {writes} writes survived");
    assert!(writes > 0);
}

const SNAPSHOTS: &[&str] = &["--save", ""];
const EVERY_SECOND: &[&str] = &["--appendonly", "yes", "--appendfsync", "everysec"];
const ALWAYS: &[&str] = &["--appendonly", "yes", "--appendfsync", "always"];

#[test]
fn killed_with_snapshots_only() {
    campaign(&[SNAPSHOTS], Values::Small);
}

#[test]
fn killed_with_a_log_synced_every_second() {
    campaign(&[EVERY_SECOND], Values::Small);
}

#[test]
fn killed_with_a_log_synced_always() {
    campaign(&[ALWAYS], Values::Small);
}

/// Values that are received where they stay, while snapshots begin and end and the log grows.
#[test]
fn killed_with_large_values() {
    campaign(&[SNAPSHOTS, EVERY_SECOND, ALWAYS], Values::Large);
}
