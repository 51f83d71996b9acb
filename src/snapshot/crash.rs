//! Power is lost at each write and each sync of a series of snapshots: whatever of the unsynced writes has come to the
//! disk, in part, or not at all, what is loaded is one of the states that were saved, and none older than the last
//! that was acknowledged; and snapshots go on from there.
//!
//! `FLAGSTONE_LONG=1` runs 100,000 seeds.

use super::{
    Image, Unpaced,
    disk::{Disk, DiskFile},
    save::save_on,
    tests::{Contents, NOW, contents, options},
};
use crate::keyspace::{Keyspace, Ttl};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What was asked of the disk, in order.
#[derive(Clone)]
enum Step {
    Write(usize, u64, Vec<u8>),
    SetLen(usize, u64),
    Sync(usize),
    Name(Names),
    SyncNames,
    /// A snapshot was acknowledged.
    Saved,
}

type Names = BTreeMap<PathBuf, usize>;

/// A disk that remembers every step.
#[derive(Default)]
struct State {
    files: Vec<Vec<u8>>,
    names: Names,
    steps: Vec<Step>,
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<State>>);

struct RecordedFile(Recorder, usize);

fn apply(file: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let end = at as usize + bytes.len();
    file.resize(file.len().max(end), 0);
    file[at as usize..end].copy_from_slice(bytes);
}

impl DiskFile for RecordedFile {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut state = self.0.0.lock();
        apply(&mut state.files[self.1], at, bytes);
        state.steps.push(Step::Write(self.1, at, bytes.to_vec()));
        Ok(())
    }
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        let state = self.0.0.lock();
        let bytes = state.files[self.1].get(at as usize..at as usize + into.len());
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.0.lock().files[self.1].len() as u64)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.0.lock();
        state.files[self.1].resize(len as usize, 0);
        state.steps.push(Step::SetLen(self.1, len));
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        self.0.0.lock().steps.push(Step::Sync(self.1));
        Ok(())
    }
    fn punch(&self, at: u64, len: u64) {
        let end = (self.0.0.lock().files[self.1].len() as u64).min(at + len);
        let _ = self.write_at(&vec![0; end.saturating_sub(at) as usize], at);
    }
}

impl Disk for Recorder {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.0.lock().names.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(RecordedFile(self.clone(), file)))
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.0.lock();
        let file = state.files.len();
        state.files.push(Vec::new());
        state.names.insert(path.into(), file);
        state.note_names();
        Ok(Arc::new(RecordedFile(self.clone(), file)))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.names.remove(path);
        state.note_names();
        Ok(())
    }
    fn exchange(&self, new: &Path, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let file = state.names.remove(new).ok_or(io::ErrorKind::NotFound)?;
        if let Some(old) = state.names.insert(path.into(), file) {
            state.names.insert(new.into(), old);
        }
        state.note_names();
        Ok(())
    }
    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        self.0.lock().steps.push(Step::SyncNames);
        Ok(())
    }
}

impl State {
    fn note_names(&mut self) {
        let names = self.names.clone();
        self.steps.push(Step::Name(names));
    }

    /// What a disk that began as `start` holds when power is lost before step `end`.
    fn lose_power(&self, start: &State, end: usize, random: &mut fastrand::Rng) -> State {
        let steps = &self.steps[..end];
        let mut files = start.files.clone();
        files.resize(self.files.len(), Vec::new());
        for (number, file) in files.iter_mut().enumerate() {
            let of_file = |step: &&Step| match step {
                Step::Write(of, ..) | Step::SetLen(of, _) | Step::Sync(of) => *of == number,
                _ => false,
            };
            let steps: Vec<&Step> = steps.iter().filter(of_file).collect();
            let synced = steps.iter().rposition(|step| matches!(step, Step::Sync(_))).map_or(0, |at| at + 1);
            for step in &steps[..synced] {
                step.carry_out(file);
            }
            // Of the others any, in any order; all of them now and then.
            let mut rest = steps[synced..].to_vec();
            match random.u8(0..5) {
                0 => {}
                1 => rest.clear(),
                2 => random.shuffle(&mut rest),
                // The first is the one that the others rely on.
                3 => drop(rest.drain(..rest.len().min(1))),
                _ => {
                    random.shuffle(&mut rest);
                    rest.truncate(random.usize(0..=rest.len()));
                }
            }
            for step in rest {
                match step {
                    Step::Write(_, at, bytes) if random.u8(0..3) == 0 => {
                        // Torn: only some of its sectors.
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
        let synced = steps.iter().rposition(|step| matches!(step, Step::SyncNames)).unwrap_or(0);
        let named = |steps: &[Step]| steps.iter().filter(|step| matches!(step, Step::Name(_))).count();
        let kept = named(&steps[..synced]) + random.usize(0..=named(&steps[synced..]));
        let mut names = steps.iter().filter_map(|step| match step {
            Step::Name(names) => Some(names),
            _ => None,
        });
        let names = if kept == 0 { start.names.clone() } else { names.nth(kept - 1).cloned().unwrap_or_default() };
        State { files, names, steps: Vec::new() }
    }

    fn put_into(&self, directory: &Path) {
        for name in std::fs::read_dir(directory).unwrap() {
            std::fs::remove_file(name.unwrap().path()).unwrap();
        }
        for (name, file) in &self.names {
            std::fs::write(directory.join(name), &self.files[*file]).unwrap();
        }
    }

    fn copy(&self) -> State {
        State { files: self.files.clone(), names: self.names.clone(), steps: Vec::new() }
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

fn change(keyspace: &Keyspace, random: &mut fastrand::Rng) {
    for _ in 0..random.usize(1..12) {
        let key = format!("key:{}", random.u8(0..40));
        let mut locked = keyspace.lock(keyspace.shard_set(std::iter::once(key.as_bytes())), NOW);
        if random.u8(0..3) == 0 {
            locked.db(0).remove(key.as_bytes());
        } else {
            let len = [3, 700, 3000, 30_000, 90_000][random.usize(0..5)];
            locked.db(0).set(key.as_bytes(), &vec![random.u8(..); len], Ttl::Clear).unwrap();
        }
    }
}

/// Changes and saves; what was there at each save.
fn live(keyspace: &Keyspace, disk: &Recorder, saves: usize, random: &mut fastrand::Rng) -> Vec<Contents> {
    let mut states = vec![contents(keyspace)];
    for _ in 0..saves {
        change(keyspace, random);
        states.push(contents(keyspace));
        save_on(disk, keyspace, Path::new("dump.flag"), NOW, &Unpaced).unwrap();
        disk.0.lock().steps.push(Step::Saved);
    }
    states
}

fn load(directory: &Path) -> Keyspace {
    let mut small = options();
    (small.shards, small.databases) = (2, 1);
    match Image::open(&directory.join("dump.flag")).unwrap() {
        Some(image) => image.into_keyspace(&small, NOW).unwrap(),
        None => Keyspace::new(&small).unwrap(),
    }
}

/// From `start`, a life of some snapshots; power is lost before every step that `at` picks. `lives` more follow, each of
/// which ends so, too. Answers how many crashes were looked at.
fn crash(start: &State, keyspace: &Keyspace, lives: u32, random: &mut fastrand::Rng, directory: &Path) -> u64 {
    let disk = Recorder(Arc::new(Mutex::new(start.copy())));
    let states = live(keyspace, &disk, 4, random);
    let state = disk.0.lock();
    let mut crashes = 0;
    // The first life's crashes are at every step; those of the following ones at a few.
    let every = if lives > 0 { 1 } else { 17 };
    for end in (random.usize(0..every)..=state.steps.len()).step_by(every) {
        let after = state.lose_power(start, end, random);
        after.put_into(directory);
        let acknowledged = state.steps[..end].iter().filter(|step| matches!(step, Step::Saved)).count();
        let again = load(directory);
        let found = contents(&again);
        let allowed = &states[acknowledged..states.len().min(acknowledged + 2)];
        assert!(allowed.contains(&found), "power lost before step {end}: not a state that was saved");
        assert_eq!(again.arena().damaged_pages(), 0);
        crashes += 1;
        if lives > 0 && random.u8(0..3) == 0 {
            crashes += crash(&after, &load(directory), lives - 1, random, directory);
        }
    }
    crashes
}

#[test]
fn power_is_lost_at_every_step() {
    let directory = tempfile::tempdir().unwrap();
    let seeds = if std::env::var_os("FLAGSTONE_LONG").is_some() { 100_000 } else { 8 };
    let mut crashes = 0;
    for seed in 0..seeds {
        let mut random = fastrand::Rng::with_seed(seed);
        for file in std::fs::read_dir(directory.path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        crashes += crash(&State::default(), &load(directory.path()), 1, &mut random, directory.path());
    }
    println!("{crashes} losses of power");
    assert!(crashes > 100 * seeds, "{crashes}");
}
