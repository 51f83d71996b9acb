//! The program is killed or shut down amid whatever moves keys about at once: RENAME, COPY, MOVE, SWAPDB, FLUSHALL, groups
//! of streams, times to live of fields, libraries of functions, transactions; while snapshots are taken and the log is turned
//! off and on. A model in this process does the same. What a start finds is what the model had after a command that was
//! acknowledged, or sent and not yet answered; and each reply until then was the model's.

use super::seeds;
use crate::{
    client::{Client, request},
    harness::Session,
    instance::{Instance, Local},
    process::Process,
    tree::{Tree, split_words},
};
use flagstone::command::Protocol;
use rustix::process::Signal;
use std::{collections::BTreeMap, path::Path, thread, time::Duration};

/// Ends of a program in one folder.
const ROUNDS: usize = 8;
const OPTIONS: &[&str] =
    &["--appendonly", "yes", "--appendfsync", "always", "--databases", "4", "--save", "", "--shutdown-timeout", "2"];
/// Far in the future.
const LATER: u64 = 4_000_000_000_000;

type Contents = BTreeMap<String, String>;
/// Commands, each with the round whose connection sent it.
type History = Vec<(usize, Vec<Vec<u8>>)>;

fn key(random: &mut fastrand::Rng, kinds: &[u8]) -> String {
    format!("{}{}", char::from(kinds[random.usize(0..kinds.len())]), random.u8(0..3))
}

/// A command, as a line. `next` numbers the entries of streams.
fn command(random: &mut fastrand::Rng, next: &mut u64) -> String {
    *next += 1;
    let number = *next;
    let n = random.u8(0..8);
    let any = |random: &mut fastrand::Rng| key(random, b"slhztx");
    let member = format!("m{}", random.u16(0..300));
    let filler = "v".repeat(random.usize(0..200));
    let (hash, stream, db) = (key(random, b"h"), key(random, b"x"), random.u8(0..4));
    match random.u8(0..40) {
        0..=2 => format!("SET {} {number}:{filler}", key(random, b"s")),
        3 => format!("APPEND {} {n}", key(random, b"s")),
        4 => format!("RPUSH {} {number} {filler}.", key(random, b"l")),
        5 => format!("LPOP {} {n}", key(random, b"l")),
        6 => format!("LMOVE {} {} LEFT RIGHT", key(random, b"l"), key(random, b"l")),
        7..=9 => format!("HSET {hash} {member} {number}:{filler}"),
        10 | 11 => format!("HPEXPIREAT {hash} {} FIELDS 2 {member} m{n}", LATER + number),
        // It has passed.
        12 => format!("HPEXPIREAT {hash} 1 FIELDS 1 {member}"),
        13 => format!("HPERSIST {hash} FIELDS 1 {member}"),
        14 => format!("ZADD {} {n}.5 {member}", key(random, b"z")),
        15 => format!("ZUNIONSTORE {} 2 {} {}", key(random, b"z"), key(random, b"z"), key(random, b"t")),
        16 => format!("SADD {} {member} {number}", key(random, b"t")),
        17 | 18 => format!("XADD {stream} {number}-1 f {filler}."),
        19 => format!("XGROUP CREATE {stream} g{} {} MKSTREAM", n % 2, ["0", "$"][random.usize(0..2)]),
        20 => match n {
            0 => format!("XGROUP DESTROY {stream} g1"),
            1 => format!("XGROUP SETID {stream} g0 0"),
            2 | 3 => format!("XGROUP DELCONSUMER {stream} g0 c{}", n % 2),
            _ => format!("XGROUP CREATECONSUMER {stream} g{} c{n}", n % 2),
        },
        21..=23 => format!("XREADGROUP GROUP g{} c{n} COUNT {} STREAMS {stream} >", n % 2, n + 1),
        24 => format!("XACK {stream} g{} {}-1 {}-1", n % 2, number / 2, number - 3),
        25 => format!("XAUTOCLAIM {stream} g{} c{n} 0 0 COUNT 3", n % 2),
        26 => format!("XTRIM {stream} MAXLEN {}", u16::from(n) * 4),
        27 | 28 => format!("RENAME {} {}", any(random), any(random)),
        29 => format!("RENAMENX {} {}", any(random), any(random)),
        30 | 31 => format!("COPY {} {} DB {db} REPLACE", any(random), any(random)),
        32 => format!("MOVE {} {db}", any(random)),
        33 => format!("SWAPDB {db} {}", random.u8(0..4)),
        34 => format!("SELECT {db}"),
        35 => format!("PEXPIREAT {} {}", any(random), LATER + number),
        36 => match n {
            0 => "FLUSHALL".into(),
            1 => "FLUSHDB".into(),
            _ => format!("DEL {} {}", any(random), any(random)),
        },
        37 => match n {
            0 => "FUNCTION FLUSH".into(),
            1 => "FUNCTION DELETE lib1".into(),
            _ => {
                let code =
                    format!("#!lua name=lib{n}\\nredis.register_function('f{n}', function() return {number} end)");
                format!("FUNCTION LOAD REPLACE \"{code}\"")
            }
        },
        38 => format!("MULTI;RENAME {} {};SWAPDB {db} 0;SET s0 {number};EXEC", any(random), any(random)),
        _ => ["SAVE", "BGSAVE", "BGREWRITEAOF"][random.usize(0..3)].into(),
    }
}

/// What changes no key is not the model's.
fn is_of_the_office(words: &[Vec<u8>]) -> bool {
    ["SAVE", "BGSAVE", "BGREWRITEAOF", "CONFIG"].iter().any(|name| words[0] == name.as_bytes())
}

fn is_of_functions(words: &[Vec<u8>]) -> bool {
    words[0] == b"FUNCTION"
}

/// All keys of all databases, and what is in them; in the order of names, where there is none.
fn keys(call: &mut dyn FnMut(&str) -> Tree) -> Contents {
    let mut contents = Contents::new();
    let items = |tree: Tree| if let Tree::Array(items) = tree { items } else { Vec::new() };
    let text = |tree: &Tree| tree.to_string().trim_matches('"').to_owned();
    let sorted = |tree: Tree, by: usize| {
        let items: Vec<_> = items(tree).iter().map(Tree::to_string).collect();
        let mut groups: Vec<_> = items.chunks(by).map(<[String]>::to_vec).collect();
        groups.sort();
        format!("{groups:?}")
    };
    for db in 0..4 {
        call(&format!("SELECT {db}"));
        for key in items(call("KEYS *")).iter().map(text) {
            let kind = text(&call(&format!("TYPE {key}")));
            let mut shown = format!("{kind} {}", call(&format!("PEXPIRETIME {key}")));
            shown += &match kind.as_str() {
                "string" => call(&format!("GET {key}")).to_string(),
                "list" => call(&format!("LRANGE {key} 0 -1")).to_string(),
                "set" => sorted(call(&format!("SMEMBERS {key}")), 1),
                "zset" => call(&format!("ZRANGE {key} 0 -1 WITHSCORES")).to_string(),
                "hash" => {
                    let fields: Vec<_> = items(call(&format!("HKEYS {key}"))).iter().map(text).collect();
                    let mut fields: Vec<_> = fields
                        .iter()
                        .map(|field| {
                            let expiry = call(&format!("HPEXPIRETIME {key} FIELDS 1 {field}"));
                            format!("{field}={}@{expiry}", call(&format!("HGET {key} {field}")))
                        })
                        .collect();
                    fields.sort();
                    fields.concat()
                }
                _ => groups(&key, call),
            };
            contents.insert(format!("{db} {key}"), shown);
        }
    }
    contents
}

/// A stream, but for how long ago something was.
fn groups(key: &str, call: &mut dyn FnMut(&str) -> Tree) -> String {
    let items = |tree: Tree| if let Tree::Array(items) = tree { items } else { Vec::new() };
    let mut shown = call(&format!("XRANGE {key} - +")).to_string();
    for group in items(call(&format!("XINFO GROUPS {key}"))) {
        shown += &group.to_string();
        let name = items(group).get(1).map(|name| name.to_string().trim_matches('"').to_owned()).unwrap_or_default();
        for consumer in items(call(&format!("XINFO CONSUMERS {key} {name}"))) {
            shown += &Tree::Array(items(consumer).into_iter().take(4).collect()).to_string();
        }
        for pending in items(call(&format!("XPENDING {key} {name} - + 100000"))) {
            let mut pending = items(pending);
            pending.remove(2);
            shown += &Tree::Array(pending).to_string();
        }
    }
    shown
}

fn functions(call: &mut dyn FnMut(&str) -> Tree) -> Contents {
    let Tree::Array(libraries) = call("FUNCTION LIST WITHCODE") else { return Contents::new() };
    let code = |library: &Tree| library.to_string().lines().last().unwrap_or_default().to_owned();
    libraries.iter().map(|library| (code(library), String::new())).collect()
}

/// What ought to be there.
struct Model {
    instance: Instance,
    session: Local,
    history: History,
    /// What was there after each of the last commands: keys, libraries, and how long the history was then. The first is
    /// from before what may be lost.
    states: Vec<(Contents, Contents, usize)>,
}

impl Model {
    fn new(history: History) -> Model {
        let instance = Instance::new();
        let session = Local::new(&instance, Protocol::Resp2);
        let mut model = Model { instance, session, history: Vec::new(), states: Vec::new() };
        history.into_iter().for_each(|(round, words)| drop(model.call(round, words)));
        model.keep();
        model
    }

    fn call(&mut self, round: usize, words: Vec<Vec<u8>>) -> Tree {
        // Libraries may be kept of which the transaction before them is not.
        let reply = self.session.call(&format!("{round} {}", is_of_functions(&words)), &words);
        self.history.push((round, words));
        reply
    }

    /// All until now is acknowledged, and kept.
    fn keep(&mut self) {
        self.states.clear();
        self.note();
    }

    fn note(&mut self) {
        let mut look = Local::new(&self.instance, Protocol::Resp2);
        let mut call = |line: &str| look.call("", &split_words(line));
        self.states.push((keys(&mut call), functions(&mut call), self.history.len()));
    }

    /// The history that leads to what was found: the latest that it may be.
    fn explain(&self, found: &(Contents, Contents), least_functions: usize) -> Result<History, String> {
        let keys = self.states.iter().rev().find(|(keys, ..)| *keys == found.0);
        let Some((_, _, keys)) = keys else {
            let (nearest, ..) = self.states.last().expect("one at least");
            let wrong = found.0.iter().filter(|(key, shown)| nearest.get(*key) != Some(*shown));
            let lacks = nearest.keys().filter(|key| !found.0.contains_key(*key)).collect::<Vec<_>>();
            let wrong = wrong.map(|(key, shown)| format!("{key}: {shown}\n    not {:?}", nearest.get(key)));
            return Err(format!("no state that was there: {}\nlacks {lacks:?}", wrong.collect::<Vec<_>>().join("\n")));
        };
        let libraries =
            self.states.iter().rev().find(|(_, functions, len)| *functions == found.1 && *len >= least_functions);
        let Some((.., libraries)) = libraries else {
            let there: Vec<_> = self.states.iter().map(|(_, functions, len)| (functions.keys(), len)).collect();
            return Err(format!(
                "libraries that were not there: {:?}, of {there:?}, {least_functions}",
                found.1.keys()
            ));
        };
        let kept = self.history.iter().enumerate();
        let kept = kept.filter(|(at, (_, words))| at < if is_of_functions(words) { libraries } else { keys });
        Ok(kept.map(|(_, step)| step.clone()).collect())
    }
}

/// Sends commands and reads their replies, of which the model has the same. False when the program is at its end.
fn burst(
    client: &mut Client,
    model: &mut Model,
    lines: &[String],
    round: usize,
    notes: bool,
    acknowledged: &mut usize,
    end: impl FnOnce(),
) -> Result<bool, String> {
    let commands: Vec<_> = lines.iter().flat_map(|line| line.split(';')).map(split_words).collect();
    let bytes: Vec<u8> = commands.iter().flat_map(|words| request(words)).collect();
    let mut sent = client.write(&bytes).is_ok();
    end();
    for words in commands {
        let (office, name) = (is_of_the_office(&words), String::from_utf8_lossy(&words[0]).into_owned());
        let expected = (!office).then(|| model.call(round, words));
        if notes && expected.is_some() {
            model.note();
        }
        let Some(reply) = sent.then(|| client.try_receive().ok()).flatten().filter(|reply| *reply != Tree::Closed)
        else {
            sent = false;
            continue;
        };
        if expected.as_ref().is_some_and(|expected| *expected != reply) {
            return Err(format!("{name}: {reply}, not {}", expected.expect("one")));
        }
        *acknowledged = model.history.len();
    }
    Ok(sent)
}

/// A program's life until it is ended, in some way.
fn live(
    dir: &Path,
    model: &mut Model,
    round: usize,
    next: &mut u64,
    random: &mut fastrand::Rng,
) -> Result<usize, String> {
    let process = Process::start(dir, OPTIONS);
    let mut client = process.connect();
    let mut logged = true;
    let mut acknowledged = model.history.len();
    for _ in 0..random.u8(0..25) {
        let lines: Vec<_> = (0..random.u8(1..8)).map(|_| command(random, next)).collect();
        if !burst(&mut client, model, &lines, round, !logged, &mut acknowledged, || {})? {
            return Err("it has ended by itself".into());
        }
        match random.u8(0..12) {
            0 if logged => {
                model.keep();
                logged = client.line("CONFIG SET appendonly no") != Tree::Simple("OK".into());
            }
            1 | 2 if !logged => {
                if client.line("CONFIG SET appendonly yes") != Tree::Simple("OK".into()) {
                    return Err("the log is not turned on".into());
                }
                // It stands on the next image, and what was before that is lost with it.
                if random.bool() {
                    while client.line("SAVE") != Tree::Simple("OK".into()) {
                        thread::yield_now();
                    }
                    model.keep();
                    logged = true;
                }
            }
            _ => {}
        }
    }
    if logged {
        model.keep();
    }
    let lines: Vec<_> = (0..random.u8(1..8)).map(|_| command(random, next)).collect();
    let (how, after) = (random.u8(0..10), Duration::from_micros(random.u64(0..2500)));
    let end = || {
        thread::sleep(after);
        process.signal(if how < 7 { Signal::KILL } else { Signal::TERM });
    };
    burst(&mut client, model, &lines, round, true, &mut acknowledged, end)?;
    let (status, log) = process.wait();
    if how >= 7 && !status.success() {
        return Err(format!("the shutdown has failed: {status}: {log:#?}"));
    }
    // With the log off, only what is kept apart from it.
    if logged {
        model.states.retain(|(.., len)| *len >= acknowledged);
    }
    Ok(if logged { acknowledged } else { 0 })
}

#[test]
fn ended_amid_whatever_moves_keys_about() {
    let (mut ends, mut commands) = (0, 0);
    for folder in seeds(5) {
        let dir = tempfile::tempdir().expect("a folder");
        let mut random = fastrand::Rng::with_seed(folder);
        let (mut model, mut next) = (Model::new(Vec::new()), 10);
        for round in 0..ROUNDS {
            let what = format!("folder {folder}, end {round}");
            let acknowledged = live(dir.path(), &mut model, round, &mut next, &mut random)
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            let process = Process::start(dir.path(), OPTIONS);
            let mut client = process.connect();
            let mut call = |line: &str| client.line(line);
            let found = (keys(&mut call), functions(&mut call));
            let history = model.explain(&found, acknowledged).unwrap_or_else(|error| panic!("{what}: {error}"));
            process.signal(Signal::KILL);
            process.wait();
            (ends, commands) = (ends + 1, commands + history.len());
            model = Model::new(history);
        }
    }
    println!("{ends} ends, {commands} commands in what they left");
    assert!(commands > 0);
}
