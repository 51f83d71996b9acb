//! The server's CPU time per operation, against every peer that is installed.
//!
//! ```text
//! cargo bench --bench end_to_end                           all tables
//! cargo bench --bench end_to_end -- --table keys           GET and SET at all depths
//! cargo bench --bench end_to_end -- --table collections    commands on collections at depth 16
//! cargo bench --bench end_to_end -- --table scripts        a rate limiter by EVALSHA at depth 16
//! cargo bench --bench end_to_end -- --rounds 5 --peer valkey=/path/to/valkey-server
//! ```
//!
//! Each round starts every server once (so they are interleaved), pinned to a core of its own while the load is pinned
//! to another, fills it with a million keys of 64 bytes and lets `redis-benchmark` ask for them at random. What counts
//! is user and system time of the server process by `/proc`, not requests per second: the load generator cannot blur it.
//! The table shows medians over the rounds and each peer's ratio to it (below 1: ours needs less).

mod commands;
mod running;

use running::{Cost, Running};
use std::{collections::BTreeMap, env, path::PathBuf, process::ExitCode};

const OURS: &str = "flagstone";
const KEYS: u32 = 1_000_000;
const VALUE_BYTES: u32 = 64;
const CLIENTS: u32 = 50;
/// Pipeline depths, and how many operations are measured at each.
const DEPTHS: [(u32, u32); 3] = [(1, 200_000), (16, 2_000_000), (64, 4_000_000)];
const COMMANDS: [&str; 2] = ["set", "get"];

struct Peer {
    name: String,
    program: PathBuf,
}

fn main() -> ExitCode {
    let (mut rounds, mut table) = (3, None);
    let mut peers = vec![Peer { name: OURS.into(), program: env!("CARGO_BIN_EXE_flagstone").into() }];
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()) {
            ("--rounds", Some(n)) => rounds = n.parse().expect("--rounds <n>"),
            ("--table", Some(name)) => table = Some(name),
            ("--peer", Some(peer)) => {
                let (name, program) = peer.split_once('=').expect("--peer name=program");
                peers.push(Peer { name: name.into(), program: program.into() });
            }
            // What `cargo bench` adds, and names of other benches.
            _ => {}
        }
    }
    for name in ["redis-server", "valkey-server"] {
        peers.extend(installed(name).map(|program| Peer { name: name.into(), program }));
    }
    if installed("redis-benchmark").is_none() || installed("taskset").is_none() {
        eprintln!(
            "SKIPPED: redis-benchmark and taskset are needed to make the load (packages redis-tools, util-linux)"
        );
        return ExitCode::SUCCESS;
    }
    if peers.len() == 1 {
        eprintln!("no peer is installed (redis-server, valkey-server): there is nothing to compare with");
    }
    let wanted = |name: &str| table.as_deref().is_none_or(|table| table == name);
    if wanted("keys") {
        keys(&peers, rounds);
    }
    if wanted("collections") {
        commands::compare(&peers, rounds, commands::COLLECTIONS);
    }
    if wanted("scripts") {
        commands::compare(&peers, rounds, commands::SCRIPTS);
    }
    ExitCode::SUCCESS
}

/// GET and SET at all depths.
fn keys(peers: &[Peer], rounds: usize) {
    let mut costs: BTreeMap<(&str, u32), BTreeMap<&str, Vec<Cost>>> = BTreeMap::new();
    for round in 1..=rounds {
        for peer in peers {
            eprintln!("round {round} of {rounds}: {}", peer.name);
            let server = Running::start(peer);
            server.load(&["-t", "set"], 64, 3 * KEYS);
            for command in COMMANDS {
                for (depth, operations) in DEPTHS {
                    let cost = server.measure(&["-t", command], depth, operations);
                    costs.entry((command, depth)).or_default().entry(&peer.name).or_default().push(cost);
                }
            }
        }
    }
    print_table(peers, &costs);
}

fn print_table(peers: &[Peer], costs: &BTreeMap<(&str, u32), BTreeMap<&str, Vec<Cost>>>) {
    println!("\nserver CPU per operation, {KEYS} keys of {VALUE_BYTES} B, {CLIENTS} clients, medians\n");
    println!("{:8} {:>5}  {:20} {:>9} {:>9} {:>12}", "command", "depth", "server", "us", "user us", "ours/theirs");
    for ((command, depth), by_peer) in costs {
        let median = |name: &str, part: fn(&Cost) -> f64| running::median(&by_peer[name], part);
        let ours = median(OURS, |cost| cost.total);
        for peer in peers {
            let (total, user) = (median(&peer.name, |cost| cost.total), median(&peer.name, |cost| cost.user));
            let ratio = if peer.name == OURS { String::new() } else { format!("{:.2}", ours / total) };
            println!("{command:8} {depth:>5}  {:20} {total:>9.3} {user:>9.3} {ratio:>12}", peer.name);
        }
    }
}

fn installed(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}
