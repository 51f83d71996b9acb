//! Lua scripts: what is known of them (here), the interpreter of each thread (`engine`), what scripts call (`host`,
//! `prelude.lua`, `libraries`), and how replies become values and values replies (`convert`).

pub mod busy;
mod convert;
mod engine;
pub mod functions;
mod host;
pub mod keeping;
mod libraries;
pub mod library_file;
pub mod queue;
mod reading;
mod registration;

pub use engine::{Named, call_function, check, evaluate, load_library, manners};

use super::{Args, Error, Shared};
use crate::{stats::SharedCounter, util::words};
use busy::Busy;
use parking_lot::RwLock;
use queue::Queue;
use sha1::{Digest as _, Sha1};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
};

/// Scripts that were only evaluated, never loaded, are forgotten beyond so many.
const EVALUATED_MAX: usize = 500;

pub type Digest = [u8; 20];

bitflags::bitflags! {
    /// What a script says of itself in its first line.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct ScriptFlags: u8 {
        const NO_WRITES = 1 << 0;
        const ALLOW_OOM = 1 << 1;
        const ALLOW_STALE = 1 << 2;
        const NO_CLUSTER = 1 << 3;
        const ALLOW_CROSS_SLOT_KEYS = 1 << 4;
        /// It says nothing: it is judged by what it does.
        const SILENT = 1 << 5;
    }
}

impl ScriptFlags {
    pub const NAMES: [(&'static str, ScriptFlags); 5] = [
        ("no-writes", ScriptFlags::NO_WRITES),
        ("allow-oom", ScriptFlags::ALLOW_OOM),
        ("allow-stale", ScriptFlags::ALLOW_STALE),
        ("no-cluster", ScriptFlags::NO_CLUSTER),
        ("allow-cross-slot-keys", ScriptFlags::ALLOW_CROSS_SLOT_KEYS),
    ];

    pub fn of_name(name: &[u8]) -> Option<ScriptFlags> {
        Self::NAMES.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, flag)| *flag)
    }
}

/// Whether a script touches keys that it did not declare.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
pub enum Manners {
    /// It may: every shard is locked, to be on the safe side.
    Unknown,
    /// By its text it does not: only the shards of its keys are locked.
    Declares,
    /// It has: every shard is locked for it from now on.
    Strays,
}

/// A script that the server knows.
pub struct Script {
    pub digest: Digest,
    /// As it came, with its first line.
    pub body: Box<[u8]>,
    pub flags: ScriptFlags,
    /// SCRIPT LOAD: it stays until SCRIPT FLUSH.
    loaded: AtomicBool,
    /// When it was last used, in new scripts: so many had come by then.
    used: AtomicU64,
    manners: AtomicU8,
    /// It has proved to be short.
    is_short: AtomicBool,
}

impl Script {
    fn new(digest: Digest, body: &[u8], loaded: bool) -> Result<Script, Error> {
        let flags = shebang(body)?.unwrap_or(ScriptFlags::SILENT);
        let manners = Manners::judged(reading::declares(body));
        Ok(Script {
            digest,
            body: body.into(),
            flags,
            loaded: AtomicBool::new(loaded),
            used: AtomicU64::new(0),
            manners: AtomicU8::new(manners as u8),
            is_short: AtomicBool::new(false),
        })
    }

    /// What the interpreter is given: the first line without its words, so that lines keep their numbers.
    pub fn code(&self) -> &[u8] {
        if self.flags.contains(ScriptFlags::SILENT) { &self.body } else { after_shebang(&self.body) }
    }

    pub fn name(&self) -> String {
        hex(&self.digest)
    }
}

impl Manners {
    /// Of a script by its text.
    fn judged(declares: bool) -> Manners {
        if declares { Manners::Declares } else { Manners::Unknown }
    }

    fn of(code: u8) -> Manners {
        match code {
            0 => Manners::Unknown,
            1 => Manners::Declares,
            _ => Manners::Strays,
        }
    }
}

/// What follows the first line, its line end included.
pub fn after_shebang(body: &[u8]) -> &[u8] {
    memchr::memchr(b'\n', body).map_or(&[], |end| &body[end..])
}

pub fn digest(body: &[u8]) -> Digest {
    Sha1::digest(body).into()
}

pub fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A digest as clients write it.
pub fn parse_digest(text: &[u8]) -> Option<Digest> {
    let mut digest = [0; 20];
    if text.len() != 40 {
        return None;
    }
    let nibble = |byte: u8| (byte as char).to_digit(16);
    for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        *byte = (nibble(pair[0])? << 4 | nibble(pair[1])?) as u8;
    }
    Some(digest)
}

/// The scripts that EVALSHA finds.
#[derive(Default)]
pub struct Scripts {
    known: RwLock<Known>,
    /// Counts SCRIPT FLUSH and what was forgotten: a thread that has seen another number asks anew.
    generation: AtomicU64,
    /// Counts the scripts that came without being loaded.
    age: AtomicU64,
    /// Those of them that were forgotten because there were too many.
    pub evicted: SharedCounter,
    /// Those that have been running for a while.
    pub busy: Busy,
    pub queue: Queue,
    /// DEBUG SET-DISABLE-DENY-SCRIPTS: scripts may call what they otherwise may not.
    pub deny_nothing: AtomicBool,
}

#[derive(Default)]
struct Known {
    scripts: HashMap<Digest, Arc<Script>>,
    /// Those that were not loaded, by the last use known here: what was used since is found out when it is its turn.
    evaluated: BTreeSet<(u64, Digest)>,
    bytes: usize,
}

impl Scripts {
    pub fn get(&self, digest: &Digest) -> Option<Arc<Script>> {
        self.known.read().scripts.get(digest).cloned()
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// Keeps a script; `loaded` for good.
    pub fn add(&self, digest: Digest, body: &[u8], loaded: bool) -> Result<Arc<Script>, Error> {
        if let Some(script) = self.get(&digest) {
            script.loaded.fetch_or(loaded, Relaxed);
            return Ok(script);
        }
        let script = Arc::new(Script::new(digest, body, loaded)?);
        let mut known = self.known.write();
        known.bytes += body.len();
        known.scripts.insert(digest, Arc::clone(&script));
        if !loaded {
            let age = self.age.fetch_add(1, Relaxed) + 1;
            script.used.store(age, Relaxed);
            known.evaluated.insert((age, digest));
            if known.evaluated.len() > EVALUATED_MAX && known.forget_one() {
                self.evicted.add(1);
                self.generation.fetch_add(1, Relaxed);
            }
        }
        Ok(script)
    }

    /// Notes that a script is used.
    fn mark_used(&self, script: &Script) {
        script.used.store(self.age.load(Relaxed), Relaxed);
    }

    /// SCRIPT FLUSH.
    pub fn flush(&self) {
        *self.known.write() = Known::default();
        self.generation.fetch_add(1, Relaxed);
    }

    /// Forgets one that turned out to be none.
    fn forget(&self, digest: &Digest) {
        let mut known = self.known.write();
        if let Some(script) = known.scripts.remove(digest) {
            known.bytes -= script.body.len();
        }
    }

    /// How many there are, and the bytes of their text.
    pub fn figures(&self) -> (usize, usize) {
        let known = self.known.read();
        (known.scripts.len(), known.bytes)
    }
}

impl Known {
    /// Forgets the one that was not used for longest; false when there are not too many after all, since some were loaded
    /// in the meantime.
    fn forget_one(&mut self) -> bool {
        while let Some((seen, digest)) = self.evaluated.pop_first() {
            let script = self.scripts.get(&digest).filter(|script| !script.loaded.load(Relaxed));
            let Some(script) = script else { return false };
            let used = script.used.load(Relaxed);
            if used > seen {
                self.evaluated.insert((used, digest));
                continue;
            }
            self.bytes -= script.body.len();
            self.scripts.remove(&digest);
            return true;
        }
        false
    }
}

/// Whether a script says of itself that it writes nothing. The second word of a request is a digest, a script, or a
/// function's name.
pub fn only_reads(shared: &Shared, args: &Args<'_>) -> bool {
    let Some(word) = args.get(1).copied() else { return false };
    let known = parse_digest(word).and_then(|digest| shared.scripts.get(&digest)).map(|script| script.flags);
    let flags = known.or_else(|| shared.functions.flags_of(word)).or_else(|| shebang(word).ok().flatten());
    flags.is_some_and(|flags| flags.contains(ScriptFlags::NO_WRITES))
}

/// What a script's first line asks for, if it is one such as `#!lua flags=no-writes,allow-oom`.
fn shebang(body: &[u8]) -> Result<Option<ScriptFlags>, Error> {
    const INVALID: Error = Error::new("ERR Invalid script shebang");
    let Some(text) = body.strip_prefix(b"#!") else { return Ok(None) };
    let end = memchr::memchr(b'\n', text).ok_or(INVALID)?;
    let mut words = words::split(&text[..end]).ok_or(INVALID)?.into_iter();
    let engine = words.next().unwrap_or_default();
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(Error::quoting("ERR Unexpected engine in script shebang: #!", &engine, ""));
    }
    let mut asked = ScriptFlags::empty();
    for word in words {
        let Some(flags) = word.strip_prefix(b"flags=") else {
            return Err(Error::quoting("ERR Unknown lua shebang option: ", &word, ""));
        };
        for name in flags.split(|byte| *byte == b',').filter(|name| !name.is_empty()) {
            asked |= ScriptFlags::of_name(name)
                .ok_or_else(|| Error::quoting("ERR Unexpected flag in script shebang: ", name, ""))?;
        }
    }
    Ok(Some(asked))
}
