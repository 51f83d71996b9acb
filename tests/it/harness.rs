//! Transcripts: a test is what a user would see in `redis-cli`, and [`check`] holds it in every way a command can be reached.
//!
//! ```text
//! # a comment
//! > SET k v PX 1000         a command of the main client; words are split and quoted as in redis-cli
//! OK                        its reply, in the notation of `tree.rs`
//! ~advance 1500ms           moves the time of the instance; nothing sleeps
//! > GET k
//! (nil)
//! other> SUBSCRIBE news     a command of another client, which connects when first named
//! 1> "subscribe"
//! 2> "news"
//! 3> (integer) 1
//! other<                    waits for one more message to that client (`<` for the main one)
//! 1> "message"
//! ...
//! ~only resp2               at the head: this transcript makes sense for one protocol alone (or: resp3)
//! ~only served              at the head: it needs a server around the commands (CLIENT PAUSE, timeouts)
//! ```
//!
//! `(closed)` stands for the end of the connection, `(no reply)` for a command that is not answered (at once): nothing is
//! read after it. A command without a reply below it has its reply read and not
//! looked at.
//!
//! Each transcript runs
//! - in process, through `command::dispatch`, as a client of either protocol;
//! - over TCP, as a client of either protocol, against a server inside this process;
//! - what it leaves behind in the first case must be a keyspace in order (`Keyspace::check`);
//! - across a restart: what it leaves behind is saved, loaded by a new instance, and must be the same keys with the same
//!   values, encodings and times to live in every database.

use crate::{
    instance::{Instance, Local, Served},
    tree::{Tree, dedent, split_words},
};
use flagstone::command::Protocol;
use std::{collections::HashMap, time::Duration};

/// One way to reach an instance: clients by name, a time to move.
pub trait Session {
    fn protocol(&self) -> Protocol;
    /// Sends a command and answers its reply, [`Tree::Closed`] when the connection ended instead.
    fn call(&mut self, client: &str, args: &[Vec<u8>]) -> Tree;
    /// Sends a command and reads nothing.
    fn send(&mut self, client: &str, args: &[Vec<u8>]);
    /// The next message to `client`.
    fn next(&mut self, client: &str) -> Tree;
    fn advance(&mut self, time: Duration);
}

enum Action {
    Call(String, Vec<Vec<u8>>),
    Next(String),
    Advance(Duration),
}

struct Step {
    /// The line as written, for the report of a failure.
    text: String,
    action: Action,
    want: Option<Tree>,
}

#[derive(Default)]
struct Transcript {
    steps: Vec<Step>,
    only: Option<String>,
}

/// Holds a transcript in every way; see the head of this file.
pub fn check(transcript: &str) {
    let transcript = Transcript::parse(transcript);
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        if transcript.is_for(protocol) {
            if transcript.only.as_deref() != Some("served") {
                let instance = Instance::new();
                instance.keep_log();
                transcript.run(&mut Local::new(&instance, protocol), "in process");
                assert_eq!(instance.shared().keyspace.check(), Ok(()));
                instance.check_log();
                instance.check_restart();
            }
            transcript.run(&mut Served::new(protocol), "over TCP");
        }
    }
}

impl Transcript {
    fn parse(text: &str) -> Transcript {
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let lines = dedent(&lines);
        let mut transcript = Transcript::default();
        let mut at = 0;
        while at < lines.len() {
            let line = lines[at].as_str();
            at += 1;
            if line.starts_with('#') {
                continue;
            }
            if let Some(only) = line.strip_prefix("~only ") {
                assert!(["resp2", "resp3", "served"].contains(&only), "unknown: {line}");
                transcript.only = Some(only.to_string());
                continue;
            }
            let action = Action::parse(line).unwrap_or_else(|| panic!("neither a command nor a reply to one: {line}"));
            let reply: Vec<&str> =
                lines[at..].iter().map(String::as_str).take_while(|line| !begins_step(line)).collect();
            at += reply.len();
            let want = (!reply.is_empty()).then(|| Tree::parse(&reply));
            transcript.steps.push(Step { text: line.to_string(), action, want });
        }
        assert!(!transcript.steps.is_empty(), "an empty transcript");
        transcript
    }

    fn is_for(&self, protocol: Protocol) -> bool {
        match self.only.as_deref() {
            Some("resp2") => protocol == Protocol::Resp2,
            Some("resp3") => protocol == Protocol::Resp3,
            _ => true,
        }
    }

    fn run(&self, session: &mut dyn Session, way: &str) {
        let mut done = String::new();
        for step in &self.steps {
            let got = match &step.action {
                Action::Call(client, args) if step.want == Some(Tree::NoReply) => {
                    session.send(client, args);
                    Tree::NoReply
                }
                Action::Call(client, args) => session.call(client, args),
                Action::Next(client) => session.next(client),
                Action::Advance(time) => {
                    session.advance(*time);
                    continue;
                }
            };
            let protocol = session.protocol();
            let Some(want) = step.want.clone().map(|want| want.seen_by(protocol)) else { continue };
            assert!(
                want.matches(&got),
                "{way}, {protocol:?}, after\n{done}\n{}\nexpected\n{want}\nbut got\n{got}\n",
                step.text
            );
            done.push_str(&format!("  {}\n", step.text));
        }
    }
}

fn begins_step(line: &str) -> bool {
    line.starts_with(['#', '~']) || Action::parse(line).is_some()
}

impl Action {
    fn parse(line: &str) -> Option<Action> {
        if let Some(time) = line.strip_prefix("~advance ") {
            let ms = time.strip_suffix("ms").and_then(|ms| ms.parse().ok()).expect("~advance <n>ms");
            return Some(Action::Advance(Duration::from_millis(ms)));
        }
        let name_end = line.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(line.len());
        let (name, rest) = line.split_at(name_end);
        match rest {
            "<" => Some(Action::Next(name.to_string())),
            _ => Some(Action::Call(name.to_string(), split_words(rest.strip_prefix("> ")?))),
        }
    }
}

/// The clients of a session, made when first named.
pub struct ByName<C>(HashMap<String, C>);

impl<C> Default for ByName<C> {
    fn default() -> Self {
        ByName(HashMap::new())
    }
}

impl<C> ByName<C> {
    pub fn get(&mut self, name: &str, make: impl FnOnce() -> C) -> &mut C {
        self.0.entry(name.to_string()).or_insert_with(make)
    }
}

/// The protocol in which a client is answered once it has sent `args`.
pub fn protocol_after(args: &[Vec<u8>], before: Protocol) -> Protocol {
    match args {
        [name, ..] if name.eq_ignore_ascii_case(b"reset") => Protocol::Resp2,
        [name, version, ..] if name.eq_ignore_ascii_case(b"hello") => match &version[..] {
            b"2" => Protocol::Resp2,
            b"3" => Protocol::Resp3,
            _ => before,
        },
        _ => before,
    }
}
