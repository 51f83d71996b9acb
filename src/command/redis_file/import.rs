//! Bringing in a file of Redis or Valkey. It is read in a window that holds one part at a time: memory is needed for the
//! largest value of the file, not for the file.

use crate::{
    command::family::keys::dump::store,
    config::Settings,
    keyspace::Keyspace,
    types::rdb::{
        self, Input,
        file::{self, Part, PartError, Record},
    },
    util::clock::UnixMillis,
};
use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// So much is read at once.
const WINDOW: usize = 1 << 20;

/// How far it has come.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Progress {
    pub keys: u64,
    pub bytes: u64,
    /// Bytes of the whole file.
    pub of: u64,
}

/// What the file held.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Imported {
    pub keys: u64,
    /// Keys that had expired before.
    pub expired: u64,
    /// Collections without elements, which are left out.
    pub empty: u64,
    /// The codes of its libraries of functions.
    pub libraries: Vec<Vec<u8>>,
    pub bytes: u64,
}

/// Why a file cannot be brought in. Names the file.
#[derive(Debug)]
pub struct ImportError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Io(io::Error),
    NotOne,
    Version(u32),
    /// What is at the offset is damaged, or of a kind that is not known.
    Damaged(u64, PartError),
    Truncated(u64),
    Checksum {
        found: u64,
        expected: u64,
    },
    Database(u64, usize),
    Memory(String),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the Redis file {} can't be brought in: ", self.path.display())?;
        match &self.reason {
            Reason::Io(error) => write!(f, "{error}"),
            Reason::NotOne => write!(f, "it does not begin as a Redis or Valkey file does"),
            Reason::Version(version) => write!(f, "its version {version} is not known"),
            Reason::Damaged(at, PartError { key: None, .. }) => write!(f, "what is at offset {at} is damaged"),
            Reason::Damaged(at, PartError { key: Some(key), unknown: None }) => {
                write!(f, "the value of the key \"{}\" at offset {at} is damaged", shown(key))
            }
            Reason::Damaged(at, PartError { key: Some(key), unknown: Some(code) }) => write!(
                f,
                "the key \"{}\" at offset {at} is of a type that is not known ({code}), such as a module's",
                shown(key)
            ),
            Reason::Truncated(at) => write!(f, "it ends at offset {at}, in the middle"),
            Reason::Checksum { found, expected } => {
                write!(f, "checksum: found {found:#018x}, expected {expected:#018x}")
            }
            Reason::Database(db, databases) => {
                write!(f, "it has keys in database {db}, and there are {databases} databases: set 'databases'")
            }
            Reason::Memory(reason) => write!(f, "{reason}"),
        }
    }
}

impl std::error::Error for ImportError {}

/// As much of a key as a message has room for.
fn shown(key: &[u8]) -> std::slice::EscapeAscii<'_> {
    key[..key.len().min(128)].escape_ascii()
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Reason {
        Reason::Io(error)
    }
}

/// Whether the file begins as Redis's and Valkey's do.
pub fn is_redis_file(path: &Path) -> bool {
    let mut header = [0; file::HEADER];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && file::version(&header).is_some()
}

/// Stores everything that the file holds, over what is there. `progress` is called every now and then.
///
/// # Errors
/// When the file is not whole; the keyspace then holds what came before.
pub fn import(
    keyspace: &Keyspace,
    settings: &Settings,
    path: &Path,
    now: UnixMillis,
    progress: &mut dyn FnMut(Progress),
) -> Result<Imported, ImportError> {
    run(keyspace, settings, path, now, progress).map_err(|reason| ImportError { path: path.to_owned(), reason })
}

fn run(
    keyspace: &Keyspace,
    settings: &Settings,
    path: &Path,
    now: UnixMillis,
    progress: &mut dyn FnMut(Progress),
) -> Result<Imported, Reason> {
    let mut window = Window::open(path, settings.proto_max_bulk_len)?;
    let header = window.take(file::HEADER)?;
    let version = file::version(&header).ok_or(Reason::NotOne)?;
    if !file::is_known(version) {
        return Err(Reason::Version(version));
    }
    let mut imported = Imported::default();
    let (mut db, mut read) = (0, window.end);
    loop {
        match window.part(version)? {
            Part::Select(number) => {
                db = usize::try_from(number)
                    .ok()
                    .filter(|db| *db < keyspace.databases())
                    .ok_or(Reason::Database(number, keyspace.databases()))?;
            }
            Part::Key(record) => match record.expiry {
                Some(at) if at <= now => imported.expired += 1,
                _ => {
                    put(keyspace, settings, db, &record, now)?;
                    imported.keys += 1;
                }
            },
            Part::Function(code) => imported.libraries.push(code),
            Part::Empty => imported.empty += 1,
            Part::Note | Part::Resize(..) => {}
            Part::End => break,
        }
        if window.end != read {
            read = window.end;
            progress(Progress { keys: imported.keys, bytes: window.offset(), of: window.len });
        }
    }
    if version >= file::VERSION_WITH_CHECKSUM {
        let found = window.sum.clone().finalize();
        let bytes = window.take(8)?;
        let expected = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        if expected != 0 && found != expected {
            return Err(Reason::Checksum { found, expected });
        }
    }
    imported.bytes = window.offset();
    Ok(imported)
}

fn put(keyspace: &Keyspace, settings: &Settings, db: usize, record: &Record, now: UnixMillis) -> Result<(), Reason> {
    let key = &record.key[..];
    let no_room = |_| Reason::Memory("there is no memory for all of it: raise 'maxmemory'".to_owned());
    let shards = keyspace.shard_set([key].into_iter());
    keyspace.make_room(shards, key.len() + record.value.len(), now).map_err(no_room)?;
    let mut keys = keyspace.lock(shards, now);
    let mut db = keys.db(db);
    store(&mut db, key, &record.value, record.expiry, settings, now)
        .map_err(|error| Reason::Memory(String::from_utf8_lossy(&error.0).into_owned()))?;
    if let Some(seconds) = record.idle_seconds {
        db.set_idle_seconds(key, seconds);
    }
    if let Some(frequency) = record.frequency {
        db.set_frequency(key, frequency);
    }
    Ok(())
}

/// The part of the file that is in memory.
struct Window {
    file: File,
    len: u64,
    bytes: Vec<u8>,
    /// What of `bytes` has been used, and where in the file they end.
    used: usize,
    end: u64,
    /// Bytes of the longest string that may come: compressed ones are longer than they look.
    longest: u64,
    /// The checksum of all that was used.
    sum: rdb::Checksum,
}

impl Window {
    fn open(path: &Path, longest: u64) -> io::Result<Window> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Window { file, len, bytes: Vec::new(), used: 0, end: 0, longest, sum: rdb::checksum() })
    }

    /// Where in the file the next part begins.
    fn offset(&self) -> u64 {
        self.end - (self.bytes.len() - self.used) as u64
    }

    /// Reads on, at least `lacks` bytes and as much as there is already: so a large part is looked at a few times only.
    fn read_on(&mut self, lacks: usize) -> Result<(), Reason> {
        if lacks as u64 > self.len.saturating_sub(self.end) {
            return Err(Reason::Truncated(self.len));
        }
        self.bytes.drain(..self.used);
        self.used = 0;
        let more = lacks.max(self.bytes.len()).max(WINDOW);
        let read = (&mut self.file).take(more as u64).read_to_end(&mut self.bytes)?;
        self.end += read as u64;
        if read < lacks { Err(Reason::Truncated(self.end)) } else { Ok(()) }
    }

    fn advance(&mut self, by: usize) {
        self.sum.update(&self.bytes[self.used..self.used + by]);
        self.used += by;
    }

    fn take(&mut self, len: usize) -> Result<Vec<u8>, Reason> {
        let there = self.bytes.len() - self.used;
        if there < len {
            self.read_on(len - there)?;
        }
        let bytes = self.bytes[self.used..self.used + len].to_vec();
        self.advance(len);
        Ok(bytes)
    }

    fn part(&mut self, version: u32) -> Result<Part, Reason> {
        let longest = usize::try_from(self.longest).unwrap_or(usize::MAX);
        loop {
            let left = &self.bytes[self.used..];
            let mut input = Input::new(left, longest);
            let read = file::read_part(version, &mut input);
            let (used, lacks) = (left.len() - input.len(), input.lacks());
            match read {
                Ok(part) => {
                    self.advance(used);
                    return Ok(part);
                }
                Err(_) if lacks > 0 => self.read_on(lacks)?,
                Err(error) => return Err(Reason::Damaged(self.offset(), error)),
            }
        }
    }
}
