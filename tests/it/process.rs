//! The real program, started in a folder of its own and ended with it.

use crate::client::Client;
use flagstone::command::Protocol;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

/// The program itself, started in a folder of its own.
pub struct Process {
    pub child: Child,
    port: u16,
    pub lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Process {
    pub fn start(dir: &Path, options: &[&str]) -> Process {
        // Another process may take the port in between; then this one says so and ends, and we try another.
        for _ in 0..20 {
            if let Some(process) = Process::try_start(dir, options) {
                return process;
            }
        }
        panic!("the program does not start");
    }

    fn try_start(dir: &Path, options: &[&str]) -> Option<Process> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).ok()?.port();
        let mut child = Command::new(env!("CARGO_BIN_EXE_flagstone"))
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--server-threads", "2", "--dir"])
            .arg(dir)
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program can be run");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        if lines.any(|line| line.is_ok_and(|line| line.contains("Ready to accept connections"))) {
            return Some(Process { child, port, lines });
        }
        let _ = child.wait();
        None
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn connect(&self) -> Client {
        Client::connect_as(([127, 0, 0, 1], self.port).into(), Protocol::Resp2)
    }

    /// With a client.
    pub fn connected(self) -> (Process, Client) {
        let client = self.connect();
        (self, client)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program runs");
    }

    /// Waits for the end; the log lines that came before it.
    pub fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let lines = self.lines.by_ref().map_while(Result::ok).collect();
        (self.child.wait().expect("the program can be waited for"), lines)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
