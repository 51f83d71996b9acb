//! What the server promises of its memory, time and restarts, measured on the real process.
//!
//! ```text
//! cargo bench --bench guarantees -- memory [keys ...]      RSS per key beyond key and value (1M and 10M keys)
//! cargo bench --bench guarantees -- adapt                  128 MB of small values, then large ones
//! cargo bench --bench guarantees -- churn [seconds]        random sizes, deletes, times to live in 128 MB
//! cargo bench --bench guarantees -- give-back              2 GB, of which 90 % are deleted
//! cargo bench --bench guarantees -- expire                 keys that expire, alone and a million at once
//! cargo bench --bench guarantees -- flush [keys]           how long FLUSHALL keeps others waiting
//! cargo bench --bench guarantees -- restart [MB [bytes ...]]  the first GET after a start
//! cargo bench --bench guarantees -- snapshot [rounds]      latency and memory while an image is written
//! cargo bench --bench guarantees -- elements               RSS per element of collections, beside other servers
//! cargo bench --bench guarantees -- cores [rounds]         CPU per operation with two threads; one hot key
//! ```
//!
//! Each line gives a figure, its bound, and whether it holds. Memory is the process's RSS, time its CPU time, both by
//! `/proc`. What depends on the machine is compared with itself: the halves of a comparison take turns.
//!
//! `elements` judges nothing: it prints a table of server and case. Other servers are `redis-server`, when the PATH has
//! it, and those of the environment: `PEERS="name=/path/to/server,name2=/path"`.

mod client;
mod elements;
mod programs;
mod server;
mod tools;

use std::{
    env,
    net::TcpStream,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use client::{Client, Reply};
use server::Server;
use tools::{FILLER, Folder, Random, key};

const MB: u64 = 1 << 20;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let numbers: Vec<u64> = args.iter().skip(1).map(|arg| arg.parse().expect("a number")).collect();
    let first = |default| numbers.first().copied().unwrap_or(default);
    let mut report = Report { met: true };
    match args.first().map(String::as_str) {
        Some("memory") if numbers.is_empty() => memory(&mut report, &[1_000_000, 10_000_000]),
        Some("memory") => memory(&mut report, &numbers),
        Some("adapt") => adapt(&mut report),
        Some("churn") => churn(&mut report, first(600)),
        Some("give-back") => give_back(&mut report),
        Some("expire") => expire(&mut report),
        Some("flush") => flush(&mut report, first(5_000_000)),
        Some("restart") => {
            let sizes = if numbers.len() > 1 { &numbers[1..] } else { &[1_000, 64_000][..] };
            sizes.iter().for_each(|bytes| restart(&mut report, first(4_096), *bytes));
        }
        Some("snapshot") => snapshot(&mut report, first(6)),
        Some("elements") => elements::elements(),
        Some("cores") => cores(&mut report, first(5)),
        _ => eprintln!("which? memory adapt churn give-back expire flush restart snapshot elements cores"),
    }
    if report.met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Report {
    met: bool,
}

impl Report {
    fn line(&mut self, what: &str, figure: f64, unit: &str, at_most: f64) {
        self.judge(what, figure, unit, "<=", at_most, figure <= at_most);
    }

    fn at_least(&mut self, what: &str, figure: f64, unit: &str, bound: f64) {
        self.judge(what, figure, unit, ">=", bound, figure >= bound);
    }

    fn judge(&mut self, what: &str, figure: f64, unit: &str, sign: &str, bound: f64, met: bool) {
        self.met &= met;
        println!("{what:62} {figure:>10.2} {unit:5} {sign} {bound:>8.2}  {}", if met { "ok" } else { "NOT MET" });
    }
}

fn memory(report: &mut Report, counts: &[u64]) {
    for &count in counts {
        for (name, bytes, ttl, bound) in [
            ("32 B", 32, false, 20.0),
            ("100 B", 100, false, 20.0),
            ("32 B with TTL", 32, true, 27.0),
            ("100 B with TTL", 100, true, 27.0),
            ("integers", 0, false, 20.0),
            ("integers with TTL", 0, true, 27.0),
        ] {
            let server = Server::start(&["--save", ""]);
            let before = server.rss();
            let mut client = server.client();
            let mut random = Random(1);
            let mut payload = 0;
            for n in 0..count {
                let integer = random.next().to_string();
                let value =
                    if bytes == 0 { integer[..10].trim_start_matches('0').as_bytes() } else { &FILLER[..bytes] };
                payload += 16 + value.len() as u64;
                match ttl {
                    true => client.send(&[b"SET", &key(n), value, b"EX", b"100000"]),
                    false => client.send(&[b"SET", &key(n), value]),
                }
            }
            client.finish();
            // The connection gives its buffers back when it has been idle for a while.
            thread::sleep(Duration::from_secs(4));
            let overhead = (server.rss() - before) as f64 - payload as f64;
            report.line(&format!("overhead per key, {count} keys, {name}"), overhead / count as f64, "B", bound);
        }
    }
}

const SMALL_ARENA: [&str; 6] = ["--save", "", "--maxmemory", "128mb", "--maxmemory-policy", "allkeys-s3fifo"];

fn adapt(report: &mut Report) {
    const NEW: u64 = 30_000;
    let server = Server::start(&SMALL_ARENA);
    let watch = server.watch_rss();
    let mut client = server.client();
    (0..1_000_000).for_each(|n| client.send(&[b"SET", &key(n), &FILLER[..100]]));
    client.finish();
    let before = client.integer(&[b"DBSIZE"]);
    let began = Instant::now();
    (0..NEW).for_each(|n| client.send(&[b"SET", &key(1_000_000 + n), &FILLER[..2000]]));
    client.finish();
    let took = began.elapsed();
    let alive: i64 = (0..NEW).map(|n| client.integer(&[b"EXISTS", &key(1_000_000 + n)])).sum();
    println!("{before} of 1000000 small values were held; {NEW} large ones took {} ms", took.as_millis());
    report.at_least("large values alive at once", alive as f64 * 100.0 / NEW as f64, "%", 95.0);
    report.line("highest RSS", watch.end() as f64 / MB as f64, "MB", 160.0);
}

fn churn(report: &mut Report, seconds: u64) {
    const KEYS: u64 = 200_000;
    let server = Server::start(&SMALL_ARENA);
    let watch = server.watch_rss();
    let mut client = server.client();
    let mut random = Random(seconds);
    let (began, mut storm, mut operations) = (Instant::now(), Instant::now(), 0u64);
    let large: Vec<u8> = FILLER.repeat(500);
    while began.elapsed() < Duration::from_secs(seconds) {
        let name = key(random.below(KEYS));
        // As many of each magnitude between 10 B and 1 MB, weighted so that bytes are spread too.
        let magnitude = random.below(1 << 20) as f64 / (1u64 << 20) as f64;
        let bytes = (10.0 * 1e5_f64.powf(magnitude * magnitude)) as usize;
        match random.below(10) {
            0..5 => client.send(&[b"SET", &name, &large[..bytes]]),
            5 | 6 => {
                let ttl = random.below(3000) + 1;
                client.send(&[b"SET", &name, &large[..bytes], b"PX", ttl.to_string().as_bytes()]);
            }
            _ => client.send(&[b"DEL", &name]),
        }
        operations += 1;
        // Every 15 s many keys of one size that all end together.
        if storm.elapsed() > Duration::from_secs(15) {
            storm = Instant::now();
            let bytes = [50, 500, 5_000][random.below(3) as usize];
            let count = 60 * MB / (bytes as u64 + 30);
            (0..count).for_each(|n| client.send(&[b"SET", &key(KEYS + n), &large[..bytes], b"PX", b"1500"]));
            operations += count;
        }
    }
    client.finish();
    println!("{operations} operations, {} keys at the end", client.integer(&[b"DBSIZE"]));
    report.line(&format!("highest RSS in {seconds} s"), watch.end() as f64 / MB as f64, "MB", 160.0);
}

fn give_back(report: &mut Report) {
    for (name, least, most) in [("50 to 150 B", 50, 150), ("50 to 4000 B", 50, 4_000), ("1 to 100 KB", 1_000, 100_000)]
    {
        let server = Server::start(&["--save", ""]);
        let empty = server.rss();
        let mut client = server.client();
        let mut random = Random(4);
        let large = FILLER.repeat(50);
        let (mut bytes, mut count) = (0, 0);
        while bytes < 2048 * MB {
            let len = least + random.below(most - least);
            client.send(&[b"SET", &key(count), &large[..len as usize]]);
            (bytes, count) = (bytes + len, count + 1);
        }
        client.finish();
        let full = server.rss() - empty;
        (0..count).filter(|_| random.below(10) != 0).for_each(|n| client.send(&[b"DEL", &key(n)]));
        client.finish();
        let returned = |server: &Server| 100.0 - (server.rss().saturating_sub(empty)) as f64 * 100.0 / full as f64;
        let (at_once, began) = (returned(&server), Instant::now());
        while returned(&server) < 80.0 && began.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(100));
        }
        println!("{count} keys, {} MB; {at_once:.0} % back at once, the bound after {:?}", full / MB, began.elapsed());
        thread::sleep(Duration::from_secs(3));
        report.at_least(&format!("memory back with the system, values of {name}"), returned(&server), "%", 80.0);
    }
}

fn expire(report: &mut Report) {
    const OTHERS: i64 = 1_000_000;
    let server = Server::start(&["--save", ""]);
    let mut client = server.client();
    (0..OTHERS as u64).for_each(|n| client.send(&[b"SET", &key(n), &FILLER[..32]]));
    client.finish();
    (0..1000).for_each(|n| client.send(&[b"SET", &key(2_000_000 + n), b"x", b"EX", b"1"]));
    client.finish();
    thread::sleep(Duration::from_secs(2));
    report.line("of 1000 keys with EX 1 held after 2 s", (client.integer(&[b"DBSIZE"]) - OTHERS) as f64, "", 0.0);
    let (cpu, began) = (server.cpu(), Instant::now());
    thread::sleep(Duration::from_secs(3));
    let share = (server.cpu() - cpu).as_secs_f64() / began.elapsed().as_secs_f64();
    report.line("CPU when nothing is due", share * 100.0, "%", 5.0);

    let full = server.rss();
    let end = (Instant::now() + Duration::from_secs(10), unix_millis() + 10_000);
    let at = end.1.to_string();
    (0..1_000_000).for_each(|n| client.send(&[b"SET", &key(3_000_000 + n), &FILLER[..100], b"PXAT", at.as_bytes()]));
    client.finish();
    let held = server.rss();
    thread::sleep(end.0.saturating_duration_since(Instant::now()));
    let (cpu, began) = (server.cpu(), Instant::now());
    while client.integer(&[b"DBSIZE"]) > OTHERS && began.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(50));
    }
    let (used, took) = (server.cpu() - cpu, began.elapsed());
    println!(
        "a million keys that expire at once: gone after {took:?}, {used:?} of CPU; RSS {} MB, with them {} MB, after {} MB",
        full / MB,
        held / MB,
        server.rss() / MB
    );
    report.line("CPU while a million keys expire", used.as_secs_f64() * 100.0 / took.as_secs_f64(), "%", 7.0);
}

fn flush(report: &mut Report, count: u64) {
    let server = Server::start(&["--save", ""]);
    let empty = server.rss();
    let mut client = server.client();
    (0..count).for_each(|n| client.send(&[b"SET", &key(n), &FILLER[..100]]));
    client.finish();
    let full = server.rss();
    let began = Instant::now();
    client.call(&[b"FLUSHALL"]);
    report.line(&format!("FLUSHALL of {count} keys"), began.elapsed().as_secs_f64() * 1e3, "ms", 50.0);
    thread::sleep(Duration::from_secs(2));
    let returned = 100.0 - server.rss().saturating_sub(empty) as f64 * 100.0 / (full - empty) as f64;
    report.at_least("memory back with the system 2 s later", returned, "%", 95.0);
}

fn restart(report: &mut Report, megabytes: u64, bytes: u64) {
    let folder = Folder::new("restart");
    let arguments = ["--save", "", "--dir", folder.0.to_str().expect("a plain path")];
    let count = megabytes * MB / bytes;
    let value = FILLER.repeat(bytes as usize / FILLER.len() + 1);
    let value = &value[..bytes as usize];
    let server = Server::start(&arguments);
    let mut client = server.client();
    (0..count).for_each(|n| client.send(&[b"SET", &key(n), value]));
    client.finish();
    let began = Instant::now();
    client.call(&[b"SAVE"]);
    println!("{count} values of {bytes} B saved in {:?}", began.elapsed());
    drop((client, server));
    for _ in 0..3 {
        let began = Instant::now();
        let server = Server::spawn(&arguments);
        let mut client = loop {
            match TcpStream::connect(server.address) {
                Ok(stream) => break Client::new(stream),
                Err(_) => thread::sleep(Duration::from_micros(200)),
            }
        };
        let found = client.call(&[b"GET", &key(count / 2)]) == Reply::Bulk(value.to_vec());
        assert!(found, "the value is there again");
        let took = began.elapsed().as_secs_f64() * 1e3;
        report.line(&format!("first GET after a start, {megabytes} MB, values of {bytes} B"), took, "ms", 100.0);
        let began = Instant::now();
        let slowest = (0..1000u64)
            .map(|n| {
                let began = Instant::now();
                let reply = client.call(&[b"GET", &key(n * 7919 % count)]);
                assert!(reply == Reply::Bulk(value.to_vec()), "the value is there again");
                began.elapsed()
            })
            .max()
            .unwrap_or_default();
        println!("  1000 further GETs in {:?}, the slowest {slowest:?}", began.elapsed());
    }
}

fn snapshot(report: &mut Report, rounds: u64) {
    const KEYS: u64 = 1_200_000;
    let folder = Folder::new("snapshot");
    let server = Server::start(&["--save", "", "--dir", folder.0.to_str().expect("a plain path")]);
    let mut client = server.client();
    (0..KEYS).for_each(|n| client.send(&[b"SET", &key(n), &FILLER[..1000]]));
    client.finish();
    thread::sleep(Duration::from_secs(1));
    let before = server.rss();
    let mut random = Random(7);
    // [without, during][GET, SET]
    let mut times: [[Vec<Duration>; 2]; 2] = Default::default();
    let watch = server.watch_rss();
    for _ in 0..rounds {
        client.call(&[b"BGSAVE"]);
        let began = Instant::now();
        let mut other = server.client();
        while other.info("rdb_bgsave_in_progress:").as_deref() == Some("1") {
            ask(&mut client, &mut random, KEYS, Duration::from_millis(200), &mut times[1]);
        }
        let during = began.elapsed();
        // Until the kernel has written the image, the disk and a core are not the server's.
        thread::sleep(Duration::from_secs(2));
        ask(&mut client, &mut random, KEYS, during, &mut times[0]);
    }
    let highest = watch.end();
    for (kind, name) in ["GET", "SET"].into_iter().enumerate() {
        let mut point = |during: usize, share: f64| {
            let sorted = &mut times[during][kind];
            sorted.sort_unstable();
            sorted[(sorted.len() as f64 * share) as usize].as_secs_f64() * 1e6
        };
        for share in [0.5, 0.99, 0.999] {
            println!("  {name} p{}: {:.0} us, during BGSAVE {:.0} us", share * 100.0, point(0, share), point(1, share));
        }
        let ratio = point(1, 0.999) / point(0, 0.999);
        report.line(&format!("p99.9 of {name} during BGSAVE, of that without"), ratio, "x", 1.5);
    }
    println!("  {} GETs without, {} during", times[0][0].len(), times[1][0].len());
    report.line("RSS growth during BGSAVE", (highest as f64 / before as f64 - 1.0) * 100.0, "%", 10.0);
}

/// GET and SET in turn on random keys, one at a time, with a pause that leaves the server most of its time.
fn ask(client: &mut Client, random: &mut Random, keys: u64, long: Duration, times: &mut [Vec<Duration>; 2]) {
    let until = Instant::now() + long;
    while Instant::now() < until {
        let name = key(random.below(keys));
        let commands: [&[&[u8]]; 2] = [&[b"GET", &name], &[b"SET", &name, &FILLER[..1000]]];
        for (kind, command) in commands.into_iter().enumerate() {
            let began = Instant::now();
            client.call(command);
            times[kind].push(began.elapsed());
        }
    }
}

fn cores(report: &mut Report, rounds: u64) {
    let servers = ["1", "2"].map(|threads| {
        let server = Server::start(&["--save", "", "--server-threads", threads]);
        let mut client = server.client();
        (0..1_000_000).for_each(|n| client.send(&[b"SET", &key(n), &FILLER[..64]]));
        client.finish();
        server
    });
    let mut costs: [Vec<f64>; 5] = Default::default();
    for _ in 0..rounds {
        for (n, server, write, keys) in [
            (0, 0, false, 1_000_000),
            (1, 1, false, 1_000_000),
            (2, 0, true, 1_000_000),
            (3, 1, true, 1_000_000),
            (4, 1, false, 1),
        ] {
            costs[n].push(servers[server].cost(write, keys));
        }
    }
    let [get_1, get_2, set_1, set_2, hot] = costs.map(|mut costs| {
        costs.sort_by(f64::total_cmp);
        costs[costs.len() / 2]
    });
    println!("us per operation: GET {get_1:.3} on one thread, {get_2:.3} on two, {hot:.3} of one hot key");
    println!("                  SET {set_1:.3} on one thread, {set_2:.3} on two");
    report.line("CPU per GET at depth 16 on two threads, of that on one", get_2 / get_1, "x", 1.15);
    report.line("CPU per SET at depth 16 on two threads, of that on one", set_2 / set_1, "x", 1.15);
    report.line("CPU per GET of one hot key, of that of spread keys", hot / get_2, "x", 1.3);
}

fn unix_millis() -> u128 {
    std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_millis()
}
