//! The share of requests that a bounded cache cannot answer, beside other servers with the same `maxmemory`.
//!
//! ```text
//! cargo bench --bench hit_ratio                          made-up traces
//! cargo bench --bench hit_ratio -- OLTP.lis P6.lis ...   traces from files
//! ```
//!
//! Each request is a GET; a key that is not there is SET, with a value of 400 to 599 bytes that is the same each time. The
//! bound is a share of what all keys and values of the trace come to. Servers: ours, `redis-server` of the PATH, and those
//! of the environment: `PEERS="name=/path/to/server,..."`.
//!
//! A file has lines `start count ...` (the format of the ARC traces: so many keys in a row), or one key alone per line.

#[allow(dead_code, reason = "other benches need more of it")]
#[path = "../guarantees/client.rs"]
mod client;
#[path = "../guarantees/programs.rs"]
mod programs;
#[allow(dead_code, reason = "other benches need more of it")]
#[path = "../guarantees/server.rs"]
mod server;
#[allow(dead_code, reason = "other benches need more of it")]
#[path = "../guarantees/tools.rs"]
mod tools;
mod traces;

use client::{Client, Reply};
use server::Server;
use std::{collections::HashSet, env, path::Path};
use tools::FILLER;
use traces::Trace;

/// Of what the trace comes to, in hundredths.
const SHARES: [u64; 3] = [2, 8, 30];
const POLICIES: [&str; 3] = ["allkeys-s3fifo", "allkeys-lru", "allkeys-lfu"];
/// Requests that are under way at once, each of another key.
const AHEAD: usize = 32;

fn main() {
    let files: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let traces: Vec<Trace> = if files.is_empty() {
        traces::made_up()
    } else {
        files.iter().map(|file| Trace::read(file.as_ref())).collect()
    };
    for trace in &traces {
        let distinct: HashSet<u64> = trace.keys.iter().copied().collect();
        let bytes: u64 = distinct.iter().map(|key| (name(*key).len() + value(*key).len()) as u64).sum();
        println!("\n{}: {} requests of {} keys, {} MB", trace.name, trace.keys.len(), distinct.len(), bytes >> 20);
        println!("misses in % at a maxmemory of    {}", SHARES.map(|share| format!("{share:>7} %")).join(" "));
        for (server, program) in programs::all() {
            for policy in POLICIES {
                let cells = SHARES.map(|share| misses(&program, policy, bytes * share / 100, &trace.keys));
                if cells.iter().any(Result::is_ok) {
                    let cells = cells.map(|cell| cell.map_or("-".to_owned(), |misses| format!("{misses:.2}")));
                    println!("{server:16} {policy:14}   {}", cells.map(|cell| format!("{cell:>9}")).join(" "));
                }
            }
        }
    }
}

fn name(key: u64) -> String {
    format!("object:{key:09}")
}

fn value(key: u64) -> &'static [u8] {
    &FILLER[..400 + (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % 200]
}

/// The share of requests that found nothing, or why the server does not take part: it does not know the policy, or has no
/// room for a key.
fn misses(program: &Path, policy: &str, bytes: u64, trace: &[u64]) -> Result<f64, String> {
    let bytes = bytes.to_string();
    let server = Server::start_program(program, &["--save", "", "--maxmemory", &bytes]);
    let mut client = server.client();
    client.try_call(&[b"CONFIG", b"SET", b"maxmemory-policy", policy.as_bytes()])?;
    client.try_call(&[b"SET", b"k", b"v"])?;
    let (mut missed, mut from) = (0, 0);
    while from < trace.len() {
        let mut under_way = HashSet::new();
        let ahead = trace[from..].iter().take(AHEAD).take_while(|key| under_way.insert(**key)).count();
        let asked = &trace[from..from + ahead];
        let found = ask(&mut client, asked);
        for (key, found) in asked.iter().zip(found) {
            if !found {
                missed += 1;
                client.send(&[b"SET", name(*key).as_bytes(), value(*key)]);
            }
        }
        from += ahead;
    }
    client.finish();
    Ok(missed as f64 * 100.0 / trace.len() as f64)
}

/// Which of these keys are there.
fn ask(client: &mut Client, keys: &[u64]) -> Vec<bool> {
    client.finish();
    keys.iter().for_each(|key| client.push(&[b"GET", name(*key).as_bytes()]));
    client.write_out();
    client.answers().map(|reply| reply != Reply::Nil).collect()
}
