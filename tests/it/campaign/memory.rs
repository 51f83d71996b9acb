//! A disk in memory that remembers every step, so that power can be lost before any of them; and of which any step can
//! fail.

use flagstone::util::disk::{Disk, DiskFile, directory_of};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

type Names = BTreeMap<PathBuf, usize>;

/// What was asked of the disk, in order.
#[derive(Clone)]
enum Step {
    Write(usize, u64, Vec<u8>),
    SetLen(usize, u64),
    Sync(usize),
    /// What a directory holds from here on.
    Names(PathBuf, Names),
    SyncNames(PathBuf),
    Mark(Mark),
}

/// How far the acknowledged and the newest state were.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Mark {
    pub acknowledged: usize,
    pub newest: usize,
}

/// How a step fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    Io,
    Full,
    /// Full, and so is every later one.
    StaysFull,
    Interrupted,
    /// Half of what was to be written or read.
    Short,
}

/// A sync, by what it is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sync {
    /// That the older file is no image any more.
    Wipe,
    /// Blocks and tables.
    Data,
    Superblock,
    ImageName,
    LogHeader,
    LogRecords,
    LogName,
}

impl Sync {
    pub const ALL: [Sync; 7] =
        [Sync::Wipe, Sync::Data, Sync::Superblock, Sync::ImageName, Sync::LogHeader, Sync::LogRecords, Sync::LogName];

    /// What the last write to a file has asked for.
    fn of(file: &[u8], at: u64, bytes: &[u8]) -> Sync {
        match (file.starts_with(b"FLAGSLOG"), at) {
            (true, 0) => Sync::LogHeader,
            (true, _) => Sync::LogRecords,
            (false, 0) if bytes.iter().all(|byte| *byte == 0) => Sync::Wipe,
            (false, 0) => Sync::Superblock,
            (false, _) => Sync::Data,
        }
    }
}

#[derive(Default)]
struct State {
    files: Vec<Vec<u8>>,
    names: Names,
    steps: Vec<Step>,
    /// What has been asked so far, reads too.
    asked: u64,
    fault: Option<(u64, Fault)>,
    /// What is said to be synced and is not.
    lie: Option<Sync>,
    /// Files that could not be synced.
    unsyncable: BTreeSet<usize>,
}

#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<State>>);

struct MemoryFile(Memory, usize);

/// What a step asks for, which decides what can become of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Transfer,
    Allocate,
    Other,
}

fn apply(file: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let end = at as usize + bytes.len();
    file.resize(file.len().max(end), 0);
    file[at as usize..end].copy_from_slice(bytes);
}

impl State {
    /// Counts a step; of a transfer of `len` bytes, how many are done.
    fn ask(&mut self, ask: Ask, writes: bool, len: usize) -> io::Result<usize> {
        self.asked += 1;
        let Some((at, fault)) = self.fault else { return Ok(len) };
        let hit = self.asked == at;
        let errno = |error: rustix::io::Errno| Err(error.into());
        match fault {
            Fault::Io if hit => errno(rustix::io::Errno::IO),
            Fault::Full if hit && (writes || ask == Ask::Allocate) => errno(rustix::io::Errno::NOSPC),
            Fault::StaysFull if self.asked >= at && (writes || ask == Ask::Allocate) => errno(rustix::io::Errno::NOSPC),
            Fault::Interrupted if hit && ask == Ask::Transfer => errno(rustix::io::Errno::INTR),
            Fault::Short if hit && ask == Ask::Transfer => Ok(len.div_ceil(2)),
            _ => Ok(len),
        }
    }

    fn note_names(&mut self, directory: &Path) {
        let names = self.names.iter().filter(|(name, _)| directory_of(name) == directory);
        let names = names.map(|(name, file)| (name.clone(), *file)).collect();
        self.steps.push(Step::Names(directory.to_owned(), names));
    }
}

impl DiskFile for MemoryFile {
    fn write_some(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        let mut state = self.0.0.lock();
        let count = state.ask(Ask::Transfer, true, bytes.len())?;
        apply(&mut state.files[self.1], at, &bytes[..count]);
        state.steps.push(Step::Write(self.1, at, bytes[..count].to_vec()));
        Ok(count)
    }

    fn read_some(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let mut state = self.0.0.lock();
        let file = &state.files[self.1];
        let left = file.len().saturating_sub(at as usize).min(into.len());
        let count = state.ask(Ask::Transfer, false, left)?;
        into[..count].copy_from_slice(&state.files[self.1][at as usize..at as usize + count]);
        Ok(count)
    }

    fn size(&self) -> io::Result<u64> {
        let mut state = self.0.0.lock();
        state.ask(Ask::Other, false, 0)?;
        Ok(state.files[self.1].len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.0.lock();
        state.ask(Ask::Other, false, 0)?;
        state.files[self.1].resize(len as usize, 0);
        state.steps.push(Step::SetLen(self.1, len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.0.lock();
        assert!(!state.unsyncable.contains(&self.1), "a file that could not be synced is asked again");
        if let Err(error) = state.ask(Ask::Allocate, false, 0) {
            state.unsyncable.insert(self.1);
            return Err(error);
        }
        let last = state.steps.iter().rev().find_map(|step| match step {
            Step::Write(of, at, bytes) if *of == self.1 => Some(Sync::of(&state.files[*of], *at, bytes)),
            _ => None,
        });
        if state.lie.is_none() || state.lie != last {
            state.steps.push(Step::Sync(self.1));
        }
        Ok(())
    }

    fn punch(&self, at: u64, len: u64) {
        let mut state = self.0.0.lock();
        let end = (state.files[self.1].len() as u64).min(at + len);
        let zeros = vec![0; end.saturating_sub(at) as usize];
        apply(&mut state.files[self.1], at.min(end), &zeros);
        state.steps.push(Step::Write(self.1, at.min(end), zeros));
    }
}

impl Disk for Memory {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.0.lock();
        state.ask(Ask::Other, false, 0)?;
        let file = state.names.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(MemoryFile(self.clone(), file)))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.0.lock();
        state.ask(Ask::Allocate, false, 0)?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = state.files.len();
        state.files.push(Vec::new());
        state.names.insert(path.into(), file);
        state.note_names(directory_of(path));
        Ok(Arc::new(MemoryFile(self.clone(), file)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.ask(Ask::Other, false, 0)?;
        state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.note_names(directory_of(path));
        Ok(())
    }

    fn exchange(&self, new: &Path, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.ask(Ask::Other, false, 0)?;
        let file = state.names.remove(new).ok_or(io::ErrorKind::NotFound)?;
        if let Some(old) = state.names.insert(path.into(), file) {
            state.names.insert(new.into(), old);
        }
        state.note_names(directory_of(path));
        Ok(())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.ask(Ask::Allocate, false, 0)?;
        let what = if directory.ends_with("log") { Sync::LogName } else { Sync::ImageName };
        if state.lie != Some(what) {
            state.steps.push(Step::SyncNames(directory.to_owned()));
        }
        Ok(())
    }

    fn create_directory(&self, _: &Path) -> io::Result<()> {
        self.0.lock().ask(Ask::Allocate, false, 0).map(drop)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let mut state = self.0.lock();
        state.ask(Ask::Other, false, 0)?;
        let names = state.names.keys().filter(|name| directory_of(name) == directory);
        Ok(names.filter_map(|name| name.file_name().map(Into::into)).collect())
    }
}

impl Memory {
    /// The step of this number, counted from now on, fails.
    pub fn fail(&self, step: u64, fault: Fault) {
        let mut state = self.0.lock();
        state.asked = 0;
        state.fault = Some((step, fault));
    }

    /// From now on nothing fails. Answers how many steps there were since [`Self::fail`].
    pub fn heal(&self) -> u64 {
        let mut state = self.0.lock();
        state.fault = None;
        state.unsyncable.clear();
        state.asked
    }

    pub fn mark(&self, mark: Mark) {
        self.0.lock().steps.push(Step::Mark(mark));
    }

    /// How many steps are remembered.
    pub fn steps(&self) -> usize {
        self.0.lock().steps.len()
    }

    /// The last mark before step `end`.
    pub fn mark_before(&self, end: usize) -> Mark {
        let state = self.0.lock();
        let mark = state.steps[..end].iter().rev().find_map(|step| match step {
            Step::Mark(mark) => Some(*mark),
            _ => None,
        });
        mark.unwrap_or_default()
    }

    /// The same files, and nothing remembered of how they came to be.
    pub fn copy(&self) -> Memory {
        let state = self.0.lock();
        let (files, names) = (state.files.clone(), state.names.clone());
        Memory(Arc::new(Mutex::new(State { files, names, lie: state.lie, ..State::default() })))
    }

    /// An empty one that leaves out every sync of a kind.
    pub fn lying(lie: Sync) -> Memory {
        Memory(Arc::new(Mutex::new(State { lie: Some(lie), ..State::default() })))
    }

    /// What a disk that began as `start` holds when power is lost before step `end`. Of what was not synced, any part may
    /// have come to it, in any order.
    pub fn lose_power(&self, start: &Memory, end: usize, random: &mut fastrand::Rng) -> Memory {
        let (state, start) = (self.0.lock(), start.0.lock());
        let steps = &state.steps[..end];
        let mut files = start.files.clone();
        files.resize(state.files.len(), Vec::new());
        let way = random.u8(0..6);
        for (number, file) in files.iter_mut().enumerate() {
            let of_file = |step: &&Step| match step {
                Step::Write(of, ..) | Step::SetLen(of, _) | Step::Sync(of) => *of == number,
                _ => false,
            };
            let steps: Vec<&Step> = steps.iter().filter(of_file).collect();
            let synced = steps.iter().rposition(|step| matches!(step, Step::Sync(_))).map_or(0, |at| at + 1);
            steps[..synced].iter().for_each(|step| step.carry_out(file));
            let mut rest = steps[synced..].to_vec();
            match way {
                0 => {}
                1 => rest.clear(),
                2 => random.shuffle(&mut rest),
                // The first is the one that the others rely on, the last the one that relies on them.
                3 => drop(rest.drain(..rest.len().min(1))),
                4 => drop(rest.drain(..rest.len().saturating_sub(1))),
                _ => {
                    random.shuffle(&mut rest);
                    rest.truncate(random.usize(0..=rest.len()));
                }
            }
            for step in rest {
                match step {
                    // Torn: only some of its sectors.
                    Step::Write(_, at, bytes) if way > 1 && random.u8(0..4) == 0 => {
                        let sector = if random.bool() { 512 } else { 4096 };
                        for (n, part) in bytes.chunks(sector).enumerate().filter(|_| random.bool()) {
                            apply(file, at + (n * sector) as u64, part);
                        }
                    }
                    step => step.carry_out(file),
                }
            }
        }
        // Names change in order, but how many of the changes have come to the disk is open.
        let directories: BTreeSet<&Path> =
            state.names.keys().chain(start.names.keys()).map(|name| directory_of(name)).collect();
        let mut names = Names::new();
        for directory in directories {
            let of = |step: &&Step| matches!(step, Step::Names(of, _) | Step::SyncNames(of) if of == directory);
            let steps: Vec<&Step> = steps.iter().filter(of).collect();
            let synced = steps.iter().rposition(|step| matches!(step, Step::SyncNames(_))).unwrap_or(0);
            let named = |steps: &[&Step]| steps.iter().filter(|step| matches!(step, Step::Names(..))).count();
            let kept = named(&steps[..synced]) + random.usize(0..=named(&steps[synced..]));
            let all: Vec<&Names> = steps
                .iter()
                .filter_map(|step| if let Step::Names(_, names) = step { Some(names) } else { None })
                .collect();
            match kept.checked_sub(1).and_then(|last| all.get(last)) {
                Some(kept) => names.extend(kept.iter().map(|(name, file)| (name.clone(), *file))),
                None => names.extend(
                    start
                        .names
                        .iter()
                        .filter(|(name, _)| directory_of(name) == directory)
                        .map(|(name, file)| (name.clone(), *file)),
                ),
            }
        }
        Memory(Arc::new(Mutex::new(State { files, names, lie: state.lie, ..State::default() })))
    }
}

impl Step {
    fn carry_out(&self, file: &mut Vec<u8>) {
        match self {
            Step::Write(_, at, bytes) => apply(file, *at, bytes),
            Step::SetLen(_, len) => file.resize(*len as usize, 0),
            _ => {}
        }
    }
}
