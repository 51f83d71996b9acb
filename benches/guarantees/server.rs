//! The process under measurement: its start and end, its memory and CPU time by `/proc`.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    client::Client,
    tools::{FILLER, Random, key},
};

/// A server under measurement; ended when dropped.
pub struct Server {
    process: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Ours, when it answers.
    pub fn start(arguments: &[&str]) -> Server {
        Server::spawn(arguments).answering()
    }

    /// Any server that takes its port by `--port`, when it answers.
    pub fn start_program(program: &Path, arguments: &[&str]) -> Server {
        Server::spawn_program(program, arguments).answering()
    }

    fn answering(self) -> Server {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < deadline, "the server does not answer");
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(200));
        self
    }

    pub fn spawn(arguments: &[&str]) -> Server {
        Server::spawn_program(env!("CARGO_BIN_EXE_flagstone").as_ref(), arguments)
    }

    pub fn spawn_program(program: &Path, arguments: &[&str]) -> Server {
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        let process = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        Server { process, address: (Ipv4Addr::LOCALHOST, port).into() }
    }

    pub fn client(&self) -> Client {
        Client::new(TcpStream::connect(self.address).expect("a connection"))
    }

    pub fn rss(&self) -> u64 {
        rss_of(self.process.id())
    }

    /// Samples the RSS until asked for the highest.
    pub fn watch_rss(&self) -> Watch {
        let (stop, highest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (pid, stopped, seen) = (self.process.id(), Arc::clone(&stop), Arc::clone(&highest));
        let thread = thread::spawn(move || {
            while !stopped.load(Relaxed) {
                seen.fetch_max(rss_of(pid), Relaxed);
                thread::sleep(Duration::from_millis(200));
            }
        });
        Watch { stop, highest, thread }
    }

    /// User and system time so far, in steps of 10 ms.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("the server lives");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<u64>().expect("ticks");
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }

    /// CPU microseconds per operation of 32 connections at depth 16, from two threads.
    pub fn cost(&self, write: bool, keys: u64) -> f64 {
        const CONNECTIONS: usize = 16;
        const DEPTH: usize = 16;
        const TURNS: usize = 2_000;
        let before = self.cpu();
        thread::scope(|scope| {
            for seed in 0..2 {
                scope.spawn(move || {
                    let mut random = Random(seed);
                    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| self.client()).collect();
                    for _ in 0..TURNS {
                        for client in &mut clients {
                            for _ in 0..DEPTH {
                                let name = key(random.below(keys));
                                match write {
                                    true => client.push(&[b"SET", &name, &FILLER[..64]]),
                                    false => client.push(&[b"GET", &name]),
                                }
                            }
                            client.write_out();
                        }
                        clients.iter_mut().for_each(Client::read_in);
                    }
                });
            }
        });
        (self.cpu() - before).as_secs_f64() * 1e6 / (2 * CONNECTIONS * DEPTH * TURNS) as f64
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn rss_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}

pub struct Watch {
    stop: Arc<AtomicBool>,
    highest: Arc<AtomicU64>,
    thread: thread::JoinHandle<()>,
}

impl Watch {
    pub fn end(self) -> u64 {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("the sampler ends");
        self.highest.load(Relaxed)
    }
}
