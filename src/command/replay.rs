//! Running what the append-only files hold, at the start.

use super::{Client, Protocol, Shared, dispatch};
use crate::aof::{self, Next, Reader};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What the files held.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Replayed {
    pub files: u64,
    pub commands: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// The number of the newest file there is.
    pub newest: u64,
}

/// Why the files cannot be used. Names the file.
#[derive(Debug)]
pub enum ReplayError {
    Io(PathBuf, io::Error),
    /// The record at the offset is damaged, and was on the disk.
    Damaged(PathBuf, u64),
    /// The record at the offset is torn, and `aof-load-truncated` is no.
    Torn(PathBuf, u64),
    /// A file ends early although what goes on from it in another was on the disk.
    Gap(PathBuf, u64),
    /// There are files that another program wrote.
    Foreign(PathBuf),
    /// A command is answered with an error.
    Refused(PathBuf, u64, String),
    /// Keys that the log has changed were on damaged pages of the snapshot: what it did to them would be done to nothing.
    Lost(PathBuf, u64),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, reason) = match self {
            ReplayError::Io(path, error) => (path, error.to_string()),
            ReplayError::Damaged(path, at) => (
                path,
                format!(
                    "the record at offset {at} is damaged, and it was on the disk. To start without all that came after \
                     that record, cut the file off there: truncate -s {at}"
                ),
            ),
            ReplayError::Torn(path, at) => {
                (path, format!("the last record, at offset {at}, is torn, and aof-load-truncated is no"))
            }
            ReplayError::Gap(path, at) => (
                path,
                format!("it ends with a torn record at offset {at}, but a file that goes on from it was on the disk"),
            ),
            ReplayError::Foreign(path) => (
                path,
                "this is the append-only file of a Redis server, which can't be read: bring its data over with a \
                 dump.rdb, and start with another appenddirname"
                    .into(),
            ),
            ReplayError::Refused(path, at, answer) => {
                (path, format!("the record before offset {at} can't be carried out: {answer}"))
            }
            ReplayError::Lost(path, keys) => (
                path,
                format!(
                    "the snapshot that it goes on from has damaged pages, and {keys} keys are lost. To start without them \
                     and without what came after the snapshot, set appendonly to no"
                ),
            ),
        };
        write!(f, "the append-only file {} can't be used: {reason}", path.display())
    }
}

impl std::error::Error for ReplayError {}

/// Carries out what the files in `directory` hold from number `first` on, which goes on from the image that was loaded.
/// A torn last record is left out, and cut off.
///
/// # Errors
/// When a file is not what it should be; the keyspace holds what came before.
pub fn replay(shared: &Arc<Shared>, directory: &Path, name: &str, first: u64) -> Result<Replayed, ReplayError> {
    let (replayed, torn) = carry_out(shared, directory, name, first)?;
    if let Some((path, at)) = torn.first()
        && !shared.config.current().aof_load_truncated
    {
        return Err(ReplayError::Torn(path.clone(), *at));
    }
    // The last first: what goes on from a torn record is not there without it.
    for (path, at) in torn.into_iter().rev() {
        tracing::warn!(
            path = %path.display(),
            offset = at,
            "a record is torn that was not known to be on the disk: it and what follows it are left out and cut off"
        );
        let cut = shared.keyspace.log().disk().open(&path).and_then(|file| {
            file.set_len(at)?;
            file.sync()
        });
        cut.map_err(|error| ReplayError::Io(path, error))?;
    }
    Ok(replayed)
}

/// As [`replay`], of files that another server may be writing: they are left as they are.
///
/// # Errors
/// As [`replay`].
pub fn replay_beside(shared: &Arc<Shared>, directory: &Path, name: &str, first: u64) -> Result<Replayed, ReplayError> {
    carry_out(shared, directory, name, first).map(|(replayed, _)| replayed)
}

/// Answers where a torn last record begins, too, and the beginnings of the files that go on from it.
fn carry_out(
    shared: &Arc<Shared>,
    directory: &Path,
    name: &str,
    first: u64,
) -> Result<(Replayed, Vec<(PathBuf, u64)>), ReplayError> {
    let manifest = directory.join(format!("{name}.manifest"));
    if manifest.exists() {
        return Err(ReplayError::Foreign(manifest));
    }
    let disk = shared.keyspace.log().disk();
    let files = aof::files_on(&*disk, directory, name).map_err(|error| ReplayError::Io(directory.to_owned(), error))?;
    let newest = files.last().map_or(0, |(number, _)| *number);
    let mut replayed = Replayed { newest, ..Replayed::default() };
    let mut torn: Vec<(PathBuf, u64)> = Vec::new();
    for (number, path) in files.into_iter().filter(|(number, _)| *number >= first) {
        let failed = |error| ReplayError::Io(path.clone(), error);
        let Some(mut reader) = Reader::open(&*disk, &path).map_err(failed)? else {
            tracing::warn!(path = %path.display(), "this append-only file ends before its first record");
            continue;
        };
        if !reader.header.anchored && number != first {
            tracing::warn!(
                path = %path.display(),
                "this append-only file was begun while the server ran, and the snapshot it needed was not finished: it is \
                 left out"
            );
            // What another start has begun after it goes on from what is there without it.
            continue;
        }
        if let Some((torn_path, at)) = torn.first() {
            // A sync brings the file before to the disk first: if this one was there, that one was.
            let (begin, was_on_disk) = (reader.offset(), reader.has_mark().map_err(failed)?);
            let is_empty = !matches!(reader.read().map_err(failed)?, Next::Record(_) | Next::Damaged(_));
            if was_on_disk || !is_empty && !reader.header.has_marks {
                return Err(ReplayError::Gap(torn_path.clone(), *at));
            }
            torn.push((path, begin));
            continue;
        }
        // The image has what was done before its cut.
        let epoch = if number == first { reader.header.epoch } else { 0 };
        torn.extend(run(shared, &mut reader, &path, epoch, &mut replayed)?.map(|at| (path, at)));
        replayed.files += 1;
    }
    // Whoever locks a shard in which damage was found mends it.
    drop(shared.keyspace.lock(shared.keyspace.all_shards(), shared.clock.now()));
    let lost = shared.keyspace.stats().lost;
    if replayed.commands > 0 && lost > 0 {
        return Err(ReplayError::Lost(directory.to_owned(), lost));
    }
    Ok((replayed, torn))
}

/// Runs one file; answers where a torn record begins.
fn run(
    shared: &Arc<Shared>,
    reader: &mut Reader,
    path: &Path,
    epoch: u32,
    replayed: &mut Replayed,
) -> Result<Option<u64>, ReplayError> {
    let mut client = Client::of_log(shared);
    let mut reply = (shared.encoder)(Protocol::Resp2);
    loop {
        let record = match reader.read().map_err(|error| ReplayError::Io(path.to_owned(), error))? {
            Next::Record(record) => record,
            Next::End => break,
            Next::Torn(at) => {
                replayed.bytes += at;
                return Ok(Some(at));
            }
            Next::Damaged(at) => return Err(ReplayError::Damaged(path.to_owned(), at)),
        };
        if record.epoch < epoch {
            continue;
        }
        let mut refused = None;
        record.for_each(&mut |db, words| {
            client.db = db;
            let result = if db < shared.keyspace.databases() {
                dispatch::replay(shared, &mut client, words, &mut *reply, record.now)
            } else {
                Err(super::Error::new("ERR DB index is out of range"))
            };
            drop(reply.take());
            replayed.commands += 1;
            if let Err(error) = result {
                refused.get_or_insert_with(|| String::from_utf8_lossy(&error.0).into_owned());
            }
        });
        if let Some(answer) = refused {
            return Err(ReplayError::Refused(path.to_owned(), reader.offset(), answer));
        }
    }
    replayed.bytes += reader.offset();
    Ok(None)
}
