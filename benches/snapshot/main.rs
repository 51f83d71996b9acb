//! What a snapshot and a restart cost those who are served meanwhile, beside `redis-server` where one is installed.
//!
//! ```text
//! cargo bench --bench snapshot -- during [GB [rounds]]   latency, throughput and memory while an image is written
//! cargo bench --bench snapshot -- storm [GB]             memory while everything is written over during a snapshot
//! cargo bench --bench snapshot -- increment [GB]         bytes written after 1 % of the keys have changed
//! cargo bench --bench snapshot -- restart GB ...         from the start to the first GET, and until all is resident
//! ```
//!
//! Values have 1000 bytes. Latency is that of one client that asks one thing at a time; throughput that of one connection at
//! depth 16. Both servers get the same, on the same machine, one after the other.

#[allow(dead_code, reason = "other benches need more of it")]
#[path = "../guarantees/client.rs"]
mod client;
#[allow(dead_code, reason = "other benches need more of it")]
#[path = "../guarantees/server.rs"]
mod server;
#[path = "../guarantees/tools.rs"]
mod tools;

use client::{Client, Reply};
use server::Server;
use std::{
    env, fs,
    net::TcpStream,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use tools::{FILLER, Folder, Random, key};

const VALUE: usize = 1000;
const MB: f64 = (1 << 20) as f64;

fn main() {
    let args: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let numbers: Vec<f64> = args.iter().skip(1).map(|arg| arg.parse().expect("a number")).collect();
    let number = |at: usize, default: f64| numbers.get(at).copied().unwrap_or(default);
    match args.first().map(String::as_str) {
        Some("during") => {
            programs().iter().for_each(|(name, path)| during(name, path, keys(number(0, 1.0)), number(1, 3.0) as usize))
        }
        Some("storm") => programs().iter().for_each(|(name, path)| storm(name, path, keys(number(0, 1.0)))),
        Some("increment") => increment(keys(number(0, 1.0))),
        Some("restart") => {
            for gigabytes in &numbers {
                programs().iter().for_each(|(name, path)| restart(name, path, *gigabytes));
            }
        }
        _ => eprintln!("which? during storm increment restart"),
    }
}

/// How many keys make so many GB of values.
fn keys(gigabytes: f64) -> u64 {
    (gigabytes * 1024.0 * MB / VALUE as f64) as u64
}

/// Ours, and a redis-server of the PATH unless `ALONE` is set.
fn programs() -> Vec<(&'static str, PathBuf)> {
    let mut found = vec![("flagstone", PathBuf::from(env!("CARGO_BIN_EXE_flagstone")))];
    let path = env::var("PATH").unwrap_or_default();
    let other = path.split(':').map(|folder| Path::new(folder).join("redis-server")).find(|path| path.exists());
    if env::var_os("ALONE").is_none() {
        found.extend(other.map(|path| ("redis-server", path)));
    }
    found
}

fn arguments(folder: &Folder) -> [&str; 4] {
    ["--save", "", "--dir", folder.0.to_str().expect("a plain path")]
}

fn fill(client: &mut Client, keys: u64) {
    (0..keys).for_each(|n| client.send(&[b"SET", &key(n), &FILLER[..VALUE]]));
    client.finish();
}

fn is_saving(client: &mut Client) -> bool {
    client.info("rdb_bgsave_in_progress:").as_deref() == Some("1")
}

/// Times of requests, by kind.
#[derive(Default)]
struct Times {
    get: Vec<Duration>,
    set: Vec<Duration>,
    /// Operations a second of the other connection.
    throughput: Vec<f64>,
}

impl Times {
    fn print(&mut self, name: &str, when: &str) {
        for (kind, times) in [("GET", &mut self.get), ("SET", &mut self.set)] {
            times.sort_unstable();
            let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
            println!(
                "{name:14} {when:14} {kind}  p50 {:7.0}  p99 {:7.0}  p99.9 {:7.0}  max {:8.0} us  ({} requests)",
                at(0.5),
                at(0.99),
                at(0.999),
                at(1.0),
                times.len()
            );
        }
        let mean = self.throughput.iter().sum::<f64>() / self.throughput.len().max(1) as f64;
        println!("{name:14} {when:14} {mean:9.0} operations/s at depth 16, half of them GETs");
    }

    fn p999(&self) -> [f64; 2] {
        [&self.get, &self.set].map(|times| times[((times.len() - 1) as f64 * 0.999) as usize].as_secs_f64())
    }
}

/// One thing at a time for `long`; then many at once for a fifth of that.
fn ask(client: &mut Client, random: &mut Random, keys: u64, long: Duration, times: &mut Times) {
    let until = Instant::now() + long;
    while Instant::now() < until {
        let name = key(random.below(keys));
        let began = Instant::now();
        client.call(&[b"GET", &name]);
        times.get.push(began.elapsed());
        let began = Instant::now();
        client.call(&[b"SET", &name, &FILLER[..VALUE]]);
        times.set.push(began.elapsed());
    }
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < long / 5 {
        for _ in 0..8 {
            let name = key(random.below(keys));
            client.push(&[b"GET", &name]);
            client.push(&[b"SET", &name, &FILLER[..VALUE]]);
        }
        client.write_out();
        client.read_in();
        count += 16;
    }
    times.throughput.push(f64::from(count) / began.elapsed().as_secs_f64());
}

fn during(name: &str, program: &Path, keys: u64, rounds: usize) {
    let folder = Folder::new("during");
    let server = Server::start_program(program, &arguments(&folder));
    let (mut client, mut other) = (server.client(), server.client());
    fill(&mut client, keys);
    thread::sleep(Duration::from_secs(1));
    let (before, watch) = (server.rss(), server.watch_rss());
    let (mut random, mut quiet, mut saving) = (Random(7), Times::default(), Times::default());
    let mut took = Vec::new();
    for _ in 0..rounds {
        client.call(&[b"BGSAVE"]);
        let began = Instant::now();
        while is_saving(&mut other) {
            ask(&mut client, &mut random, keys, Duration::from_millis(150), &mut saving);
        }
        let long = began.elapsed();
        took.push(long);
        // Until the kernel has written what the other server's child left to it.
        thread::sleep(Duration::from_secs(3));
        let until = Instant::now() + long;
        while Instant::now() < until {
            ask(&mut client, &mut random, keys, Duration::from_millis(150), &mut quiet);
        }
    }
    let highest = watch.end();
    quiet.print(name, "without");
    saving.print(name, "during BGSAVE");
    let ([get, set], [quiet_get, quiet_set]) = (saving.p999(), quiet.p999());
    println!(
        "{name:14} p99.9 during BGSAVE, of that without: GET {:.2}x, SET {:.2}x",
        get / quiet_get,
        set / quiet_set
    );
    let copied = other.info("rdb_last_cow_size:").and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    println!(
        "{name:14} snapshots took {took:.1?}; RSS {:.0} MB, grew by {:.0} MB at most; a child's own memory: {:.0} MB",
        before as f64 / MB,
        (highest as f64 - before as f64) / MB,
        copied / MB
    );
}

/// Everything is written over while a snapshot runs, as fast as a client can.
fn storm(name: &str, program: &Path, keys: u64) {
    let folder = Folder::new("storm");
    let server = Server::start_program(program, &arguments(&folder));
    let (mut client, mut other) = (server.client(), server.client());
    fill(&mut client, keys);
    thread::sleep(Duration::from_secs(1));
    for round in ["full", "second", "over the first"] {
        let (before, watch) = (server.rss(), server.watch_rss());
        other.call(&[b"BGSAVE"]);
        let (mut random, mut writes) = (Random(3), 0u64);
        while is_saving(&mut other) {
            for _ in 0..20_000 {
                client.send(&[b"SET", &key(random.below(keys)), &FILLER[..VALUE]]);
            }
            client.finish();
            writes += 20_000;
        }
        let grown = (watch.end() as f64 - before as f64) / MB;
        let bound = before as f64 / MB * 0.05 + 64.0;
        let copied = other.info("rdb_last_cow_size:").and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        println!(
            "{name:14} {round:15} {writes} writes; RSS {:.0} MB grew by {grown:.0} MB (bound {bound:.0}); a child's own: {:.0} MB",
            before as f64 / MB,
            copied / MB
        );
    }
}

/// What an increment writes after one key in a hundred has changed, neighbours or any.
fn increment(keys: u64) {
    let folder = Folder::new("increment");
    let server = Server::start(&arguments(&folder));
    let mut client = server.client();
    fill(&mut client, keys);
    let number = |client: &mut Client, field: &str| {
        client.info(field).and_then(|text| text.trim().parse::<f64>().ok()).unwrap_or(0.0)
    };
    let save = |client: &mut Client, what: &str| {
        let began = Instant::now();
        client.call(&[b"SAVE"]);
        let (all, written) = (number(client, "snapshot_bytes:"), number(client, "snapshot_last_bytes_written:"));
        let share = written / all * 100.0;
        println!(
            "{what:36} {:8.1} MB of {:8.1} written ({share:5.2} %) in {:.2?}",
            written / MB,
            all / MB,
            began.elapsed()
        );
    };
    save(&mut client, "full, first image");
    save(&mut client, "full, second image");
    save(&mut client, "nothing changed");
    let (mut random, part) = (Random(5), keys / 100);
    for round in 0..2 {
        // In the order of their coming: neighbours in memory.
        (0..part).for_each(|n| client.send(&[b"SET", &key(n), &FILLER[..VALUE]]));
        client.finish();
        save(&mut client, ["1 % changed, neighbours", "the same again"][round]);
    }
    for round in 0..2 {
        (0..part).for_each(|_| client.send(&[b"SET", &key(random.below(keys)), &FILLER[..VALUE]]));
        client.finish();
        save(&mut client, ["1 % changed, at random (and above)", "other 1 %, at random (and above)"][round]);
    }
}

fn restart(name: &str, program: &Path, gigabytes: f64) {
    let folder = Folder::new("restart");
    let (keys, arguments) = (keys(gigabytes), arguments(&folder));
    let server = Server::start_program(program, &arguments);
    let mut client = server.client();
    fill(&mut client, keys);
    let began = Instant::now();
    client.call(&[b"SAVE"]);
    println!("{name:14} {gigabytes} GB saved in {:.1?}", began.elapsed());
    drop((client, server));
    for cold in [false, true] {
        if cold && !forget(&folder.0) {
            continue;
        }
        let began = Instant::now();
        let server = Server::spawn_program(program, &arguments);
        let mut client = loop {
            match TcpStream::connect(server.address) {
                Ok(stream) => break Client::new(stream),
                Err(_) => thread::sleep(Duration::from_micros(200)),
            }
        };
        // A server that loads says so until it has.
        let found = loop {
            match client.try_call(&[b"GET", &key(keys / 2)]) {
                Ok(reply) => break reply,
                Err(_) => thread::sleep(Duration::from_micros(500)),
            }
        };
        assert!(found == Reply::Bulk(FILLER[..VALUE].to_vec()), "the value is there again");
        let first = began.elapsed();
        let (mut slowest, mut random, mut asked) = (Duration::ZERO, Random(11), 0);
        let beside = Beside::start(&server);
        let resident = loop {
            for _ in 0..200 {
                let began = Instant::now();
                client.call(&[b"GET", &key(random.below(keys))]);
                slowest = slowest.max(began.elapsed());
            }
            asked += 200;
            if client.info("async_loading:").as_deref() != Some("1") {
                break began.elapsed();
            }
        };
        let (pings, slowest_ping) = beside.end();
        let files = if cold { "files not in the system's memory" } else { "files as the save left them" };
        println!(
            "{name:14} {gigabytes} GB, {files}: first GET after {:.1} ms, all resident after {:.1} s, the slowest of {asked} GETs meanwhile {:.1} ms, of {pings} PINGs beside them {:.1} ms",
            first.as_secs_f64() * 1e3,
            resident.as_secs_f64(),
            slowest.as_secs_f64() * 1e3,
            slowest_ping.as_secs_f64() * 1e3
        );
    }
}

/// Clients that need nothing of the disk, as many as the server may have threads; one asks after the other.
struct Beside {
    done: Arc<AtomicBool>,
    thread: thread::JoinHandle<(usize, Duration)>,
}

impl Beside {
    fn start(server: &Server) -> Beside {
        let done = Arc::new(AtomicBool::new(false));
        let (is_done, mut clients) = (Arc::clone(&done), [server.client(), server.client()]);
        let thread = thread::spawn(move || {
            let (mut asked, mut slowest) = (0, Duration::ZERO);
            while !is_done.load(Relaxed) {
                for client in &mut clients {
                    let began = Instant::now();
                    let _ = client.try_call(&[b"PING"]);
                    slowest = slowest.max(began.elapsed());
                    asked += 1;
                }
                thread::sleep(Duration::from_micros(200));
            }
            (asked, slowest)
        });
        Beside { done, thread }
    }

    /// How many were asked, and how long the slowest took.
    fn end(self) -> (usize, Duration) {
        self.done.store(true, Relaxed);
        self.thread.join().expect("it asks and measures")
    }
}

/// Asks the system to keep nothing of the files in its memory.
fn forget(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries
            .flatten()
            .filter_map(|entry| fs::File::open(entry.path()).ok())
            .all(|file| rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).is_ok())
    })
}
