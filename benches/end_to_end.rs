//! The server's CPU time per operation, against every peer that is installed.
//!
//! ```text
//! cargo bench --bench end_to_end                    all depths, GET and SET
//! cargo bench --bench end_to_end -- --rounds 5 --peer valkey=/path/to/valkey-server
//! ```
//!
//! Each round starts every server once (so they are interleaved), pinned to a core of its own while the load is pinned
//! to another, fills it with a million keys of 64 bytes and lets `redis-benchmark` ask for them at random. What counts
//! is user and system time of the server process by `/proc`, not requests per second: the load generator cannot blur it.
//! The table shows medians over the rounds and each peer's ratio to it (below 1: ours needs less).

use std::{
    collections::BTreeMap,
    env, fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

const OURS: &str = "flagstone";
const KEYS: u32 = 1_000_000;
const VALUE_BYTES: u32 = 64;
const CLIENTS: u32 = 50;
/// Pipeline depths, and how many operations are measured at each.
const DEPTHS: [(u32, u32); 3] = [(1, 200_000), (16, 2_000_000), (64, 4_000_000)];
const COMMANDS: [&str; 2] = ["set", "get"];
const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

struct Peer {
    name: String,
    program: PathBuf,
}

/// CPU microseconds per operation.
#[derive(Clone, Copy)]
struct Cost {
    total: f64,
    user: f64,
}

fn main() -> ExitCode {
    let mut rounds = 3;
    let mut peers = vec![Peer { name: OURS.into(), program: env!("CARGO_BIN_EXE_flagstone").into() }];
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()) {
            ("--rounds", Some(n)) => rounds = n.parse().expect("--rounds <n>"),
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
    let mut costs: BTreeMap<(&str, u32), BTreeMap<&str, Vec<Cost>>> = BTreeMap::new();
    for round in 1..=rounds {
        for peer in &peers {
            eprintln!("round {round} of {rounds}: {}", peer.name);
            let server = Running::start(peer);
            for command in COMMANDS {
                for (depth, operations) in DEPTHS {
                    let cost = server.measure(command, depth, operations);
                    costs.entry((command, depth)).or_default().entry(&peer.name).or_default().push(cost);
                }
            }
        }
    }
    print_table(&peers, &costs);
    ExitCode::SUCCESS
}

fn print_table(peers: &[Peer], costs: &BTreeMap<(&str, u32), BTreeMap<&str, Vec<Cost>>>) {
    println!("\nserver CPU per operation, {KEYS} keys of {VALUE_BYTES} B, {CLIENTS} clients, medians\n");
    println!("{:8} {:>5}  {:20} {:>9} {:>9} {:>12}", "command", "depth", "server", "us", "user us", "ours/theirs");
    for ((command, depth), by_peer) in costs {
        let median = |name: &str, part: fn(&Cost) -> f64| {
            let mut values: Vec<f64> = by_peer[name].iter().map(part).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
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

/// A server under measurement; ended when dropped.
struct Running {
    process: Child,
    address: SocketAddr,
}

impl Running {
    fn start(peer: &Peer) -> Running {
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        let mut command = Command::new("taskset");
        command.args(["-c", SERVER_CORE]).arg(&peer.program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp"]);
        if peer.name == OURS {
            command.args(["--server-threads", "1"]);
        }
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the server starts");
        let running = Running { process, address: (Ipv4Addr::LOCALHOST, port).into() };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !running.answers() {
            assert!(Instant::now() < deadline, "{} does not answer", peer.name);
            thread::sleep(Duration::from_millis(20));
        }
        running.load("set", 64, 3 * KEYS);
        running
    }

    fn answers(&self) -> bool {
        let mut reply = [0; 7];
        TcpStream::connect(self.address)
            .and_then(|mut stream| stream.write_all(b"PING\r\n").and_then(|()| stream.read_exact(&mut reply)))
            .is_ok_and(|()| &reply == b"+PONG\r\n")
    }

    fn load(&self, command: &str, depth: u32, operations: u32) {
        let port = self.address.port().to_string();
        let status = Command::new("taskset")
            .args(["-c", LOAD_CORE, "redis-benchmark", "-q", "-p", &port, "-t", command])
            .args(["-n", &operations.to_string(), "-P", &depth.to_string(), "-c", &CLIENTS.to_string()])
            .args(["-r", &KEYS.to_string(), "-d", &VALUE_BYTES.to_string()])
            .stdout(Stdio::null())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "redis-benchmark failed");
    }

    fn measure(&self, command: &str, depth: u32, operations: u32) -> Cost {
        let before = self.cpu_ticks();
        self.load(command, depth, operations);
        let after = self.cpu_ticks();
        // A tick is 10 ms on every Linux that matters.
        let per_operation = |ticks: u64| ticks as f64 * 10_000.0 / f64::from(operations);
        Cost { total: per_operation(after.0 + after.1 - before.0 - before.1), user: per_operation(after.0 - before.0) }
    }

    /// User and system time of the process so far.
    fn cpu_ticks(&self) -> (u64, u64) {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("the server lives");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        (fields[11].parse().expect("utime"), fields[12].parse().expect("stime"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
