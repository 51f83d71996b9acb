//! The program is killed under load, again and again in the same folder: what it finds when it starts is a prefix of
//! each client's writes, none shorter than what was acknowledged, and kept.

use super::seeds;
use crate::{process::Process, tree::Tree};
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

/// Writes numbers, the next after `from`, until the connection breaks.
fn write(port: u16, client: usize, from: u64, progress: &Progress) {
    progress.sent.store(from, SeqCst);
    progress.acknowledged.store(from, SeqCst);
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return };
    let (mut number, mut replies, mut half) = (from, [0; 512], 0);
    loop {
        let mut lines = String::new();
        while number < progress.acknowledged.load(SeqCst) + DEPTH {
            number += 1;
            lines.push_str(&format!("SET {client}:{} {number}\r\n", number % KEYS));
        }
        // Said before it is done: what comes to the server at all counts as sent.
        progress.sent.store(number, SeqCst);
        if stream.write_all(lines.as_bytes()).is_err() {
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

/// The last write of a client that is there, if the keys hold what a prefix of its writes leaves.
fn prefix(process: &Process, client: usize) -> Result<u64, String> {
    let mut connection = process.connect();
    let mut values = Vec::new();
    for key in 0..KEYS {
        values.push(match connection.line(&format!("GET {client}:{key}")) {
            Tree::Bulk(text) => String::from_utf8_lossy(&text).parse::<u64>().map_err(|error| error.to_string())?,
            Tree::Null => 0,
            other => return Err(format!("{other:?}")),
        });
    }
    let last = values.iter().copied().max().unwrap_or(0);
    for (key, value) in values.iter().enumerate() {
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
fn kill(dir: &Path, options: &[&str], saves: bool, from: &[u64], random: &mut fastrand::Rng) -> Vec<(u64, u64)> {
    let process = Process::start(dir, options);
    let progress: [Progress; CLIENTS] = Default::default();
    // As far as each had come when the last snapshot that was acknowledged began.
    let saved: [AtomicU64; CLIENTS] = std::array::from_fn(|client| AtomicU64::new(from[client]));
    thread::scope(|scope| {
        for (client, progress) in progress.iter().enumerate() {
            let port = process.port();
            scope.spawn(move || write(port, client, from[client], progress));
        }
        if saves {
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
        }
        // Somewhere in the middle of it, however fast the machine is.
        let enough = random.u64(0..600) + from.iter().sum::<u64>();
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

fn campaign(options: &[&str], saves: bool) {
    let (mut writes, mut kills) = (0, 0);
    for folder in seeds(100 / ROUNDS) {
        let dir = tempfile::tempdir().expect("a folder");
        let mut random = fastrand::Rng::with_seed(folder);
        let mut from = vec![0; CLIENTS];
        for round in 0..ROUNDS {
            let bounds = kill(dir.path(), options, saves, &from, &mut random);
            let process = Process::start(dir.path(), options);
            for (client, (sent, kept)) in bounds.into_iter().enumerate() {
                let what = format!("{options:?}, folder {folder}, kill {round}, client {client}");
                let found = prefix(&process, client).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!((kept..=sent).contains(&found), "{what}: found {found}, acknowledged {kept}, sent {sent}");
                writes += found - from[client].min(found);
                from[client] = found;
            }
            kills += 1;
            process.signal(Signal::KILL);
            process.wait();
        }
    }
    println!("{options:?}: {kills} kills, {writes} writes survived");
    assert!(writes > 0);
}

#[test]
fn killed_with_snapshots_only() {
    campaign(&["--save", ""], true);
}

#[test]
fn killed_with_a_log_synced_every_second() {
    campaign(&["--appendonly", "yes", "--appendfsync", "everysec"], true);
}

#[test]
fn killed_with_a_log_synced_always() {
    campaign(&["--appendonly", "yes", "--appendfsync", "always"], true);
}
