//! A server of either kind at work, and the load on it.

use crate::{CLIENTS, KEYS, OURS, Peer, VALUE_BYTES};
use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// CPU microseconds per operation.
#[derive(Clone, Copy)]
pub struct Cost {
    pub total: f64,
    pub user: f64,
}

pub fn median(costs: &[Cost], part: fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<f64> = costs.iter().map(part).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A server under measurement; ended when dropped.
pub struct Running {
    process: Child,
    address: SocketAddr,
}

impl Running {
    pub fn start(peer: &Peer) -> Running {
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
        running
    }

    fn answers(&self) -> bool {
        let mut reply = [0; 7];
        TcpStream::connect(self.address)
            .and_then(|mut stream| stream.write_all(b"PING\r\n").and_then(|()| stream.read_exact(&mut reply)))
            .is_ok_and(|()| &reply == b"+PONG\r\n")
    }

    /// Sends so many operations of `redis-benchmark`: `what` are its tests (`-t lpush`), or a command of its own.
    pub fn load(&self, what: &[&str], depth: u32, operations: u32) {
        let random = ["-r", &KEYS.to_string(), "-d", &VALUE_BYTES.to_string()].map(str::to_owned);
        self.run(&random, what, depth, operations);
    }

    /// As [`Self::load`], of the benchmark as it is without options: each test has one key, one element.
    pub fn load_plain(&self, what: &[&str], depth: u32, operations: u32) {
        self.run(&[], what, depth, operations);
    }

    fn run(&self, options: &[String], what: &[&str], depth: u32, operations: u32) {
        let port = self.address.port().to_string();
        let status = Command::new("taskset")
            .args(["-c", LOAD_CORE, "redis-benchmark", "-q", "-p", &port])
            .args(["-n", &operations.to_string(), "-P", &depth.to_string(), "-c", &CLIENTS.to_string()])
            .args(options)
            .args(what)
            .stdout(Stdio::null())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "redis-benchmark failed");
    }

    /// What each operation of [`Self::load`] costs the server.
    pub fn measure(&self, what: &[&str], depth: u32, operations: u32) -> Cost {
        self.cost(operations, || self.load(what, depth, operations))
    }

    /// What each of so many operations costs the server.
    pub fn cost(&self, operations: u32, run: impl FnOnce()) -> Cost {
        let before = self.cpu_ticks();
        run();
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
