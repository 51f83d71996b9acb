//! The append-only log: every change since the last image, so that a restart finds it.
//!
//! ```text
//! command, its shards locked --> append: a record in the buffer    in the order in which the shards changed
//! connection, before a reply --> commit: the buffer to the file    one write for all that have waited
//!            `appendfsync always`         ... and the file to the disk
//! log thread, every second   --> sync: the file to the disk
//! snapshot,   before its cut --> rotate: a new file                the image names it
//! snapshot,   when it stands --> retire: the files before it go
//! CONFIG SET dir             --> move_to: a new file there, which needs an image beside it
//! ```
//!
//! What a sync has brought to the disk, a mark in the log says; so a start can tell what was damaged there from what
//! never came there before the power went.
//!
//! So nothing is ever rewritten: an image takes the place of all that came before it. A file is named by its
//! sequence number. What belongs to an image is told by epochs, as for pages: a record carries the epoch of
//! its operation, and a file says in which epoch the cut was.

mod record;

pub use record::{Commands, Header, Next, Reader, Record};

use crate::util::{
    clock::UnixMillis,
    disk::{Disk, DiskFile, System, directory_of},
};
use parking_lot::{Condvar, Mutex};
use record::HEADER;
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::*},
    },
    time::Duration,
};

/// The log of a keyspace; off until it is opened.
#[derive(Default)]
pub struct Log {
    on: AtomicBool,
    inner: Mutex<Inner>,
    /// Held while the file goes to the disk: those who come meanwhile find it done.
    syncing: Mutex<()>,
    /// Held while a file is begun: one at a time.
    beginning: Mutex<()>,
    /// Bytes of records since the start: made, given to the system, on the disk.
    appended: AtomicU64,
    written: AtomicU64,
    synced: AtomicU64,
    failing: AtomicBool,
    stop: Mutex<bool>,
    stopped: Condvar,
}

struct Inner {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    name: String,
    /// The sequence number of the newest file, or of the last there would have been.
    sequence: u64,
    file: Option<Arc<dyn DiskFile>>,
    /// The file before it, if that may hold what is not on the disk yet.
    previous: Option<Arc<dyn DiskFile>>,
    /// Bytes of the file that are whole records.
    len: u64,
    /// How much of it is on the disk, and how much a mark says is.
    on_disk: u64,
    marked: u64,
    /// Bytes of all files since the last image.
    size: u64,
    anchored: bool,
    /// The file with which an unanchored log began: only an image that names a later one anchors it.
    began: u64,
    buffer: Vec<u8>,
    /// The newest of the files that refused to go to the disk: what they hold there is not known, they are not asked
    /// again, and only an image that names a later one makes good for them.
    lost: Option<u64>,
    error: String,
}

impl Default for Inner {
    fn default() -> Inner {
        Inner {
            disk: Arc::new(System),
            directory: PathBuf::new(),
            name: String::new(),
            sequence: 0,
            file: None,
            previous: None,
            len: 0,
            on_disk: 0,
            marked: 0,
            size: 0,
            anchored: false,
            began: 0,
            buffer: Vec::new(),
            lost: None,
            error: String::new(),
        }
    }
}

/// What INFO tells.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct LogStatus {
    pub on: bool,
    /// Bytes of all files since the last image.
    pub size: u64,
    /// Bytes that wait to be written.
    pub buffered: u64,
    /// Bytes that are written and not yet on the disk.
    pub unsynced: u64,
    pub anchored: bool,
    /// Why the last write or sync failed; empty when it did not.
    pub error: String,
}

impl Log {
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// Whether writes are to be refused, because they could not be kept.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Relaxed)
    }

    pub fn status(&self) -> LogStatus {
        let inner = self.inner.lock();
        LogStatus {
            on: self.is_on(),
            size: inner.size + inner.buffer.len() as u64,
            buffered: inner.buffer.len() as u64,
            unsynced: self.written.load(Relaxed).saturating_sub(self.synced.load(Relaxed)),
            anchored: inner.anchored,
            error: inner.error.clone(),
        }
    }

    /// Where files are, and the number of the newest there is or was: without a word of them, nothing is kept.
    pub fn place(&self, directory: &Path, name: &str, sequence: u64) {
        self.place_on(Arc::new(System), directory, name, sequence);
    }

    /// As [`Self::place`], on another disk than the system's.
    pub fn place_on(&self, disk: Arc<dyn Disk>, directory: &Path, name: &str, sequence: u64) {
        let mut inner = self.inner.lock();
        inner.disk = disk;
        (inner.directory, inner.name) = (directory.to_owned(), name.to_owned());
        inner.sequence = inner.sequence.max(sequence);
    }

    /// Begins a file and keeps what changes from now on. `anchored`: the image and the files before it have all
    /// that has changed until now; `size`: bytes of those files.
    ///
    /// # Errors
    /// What the file system says; the log is then as it was.
    pub fn open(&self, anchored: bool, size: u64) -> io::Result<()> {
        let _beginning = self.beginning.lock();
        self.open_first(anchored, size)
    }

    fn open_first(&self, anchored: bool, size: u64) -> io::Result<()> {
        let (disk, directory) = {
            let inner = self.inner.lock();
            (Arc::clone(&inner.disk), inner.directory.clone())
        };
        make_directory(&*disk, &directory)?;
        let file = self.begin(0, Some(anchored))?;
        let mut inner = self.inner.lock();
        inner.began = if anchored { 0 } else { file.0.sequence };
        inner.go_on_in(file);
        inner.size += size;
        self.on.store(true, SeqCst);
        Ok(())
    }

    /// From now on files are in another directory. A log that is on begins one there, which needs an image; the ones in the
    /// old directory stay, with the image that they go on from.
    ///
    /// # Errors
    /// What the file system says; the log is then as it was.
    pub fn move_to(&self, directory: &Path) -> io::Result<()> {
        if self.is_on()
            && let Err(error) = self.settle()
        {
            tracing::warn!(%error, "the append-only file is behind; it is left so, and goes on in another directory");
        }
        let _beginning = self.beginning.lock();
        let (old, sequence) = {
            let mut inner = self.inner.lock();
            let files = files_on(&*inner.disk, directory, &inner.name).unwrap_or_default();
            let before = inner.sequence;
            inner.sequence = before.max(files.last().map_or(0, |(number, _)| *number));
            (std::mem::replace(&mut inner.directory, directory.to_owned()), before)
        };
        let moved = if self.is_on() { self.open_first(false, 0) } else { Ok(()) };
        if moved.is_err() {
            let mut inner = self.inner.lock();
            (inner.directory, inner.sequence) = (old, sequence);
        }
        moved
    }

    /// Keeps nothing from now on. What was kept is on the disk then.
    pub fn close(&self) -> io::Result<()> {
        if !self.on.swap(false, SeqCst) {
            return Ok(());
        }
        let result = self.settle();
        let mut inner = self.inner.lock();
        (inner.file, inner.previous) = (None, None);
        (inner.lost, inner.error) = (None, String::new());
        inner.buffer.clear();
        self.failing.store(false, Relaxed);
        result
    }

    /// Keeps what one operation has changed. Called while its shards are locked, so that the order of records is that
    /// of the changes to each key.
    pub fn append(&self, epoch: u32, now: UnixMillis, commands: &Commands) {
        self.append_record(|buffer| record::encode_all(buffer, epoch, now, commands));
    }

    /// The same of an operation that is one command.
    pub fn append_one(&self, epoch: u32, now: UnixMillis, db: usize, words: &[&[u8]]) {
        self.append_record(|buffer| record::encode_one(buffer, epoch, now, db, words));
    }

    fn append_record(&self, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut inner = self.inner.lock();
        if !self.is_on() {
            return;
        }
        let before = inner.buffer.len();
        encode(&mut inner.buffer);
        self.appended.fetch_add((inner.buffer.len() - before) as u64, Relaxed);
    }

    /// Gives what was appended to the system, and with `to_disk` waits until it is on the disk.
    ///
    /// # Errors
    /// The file system's. Nothing is lost: what could not be written is tried again with the next commit.
    #[inline]
    pub fn commit(&self, to_disk: bool) -> io::Result<()> {
        let appended = self.appended.load(Relaxed);
        if appended == if to_disk { self.synced.load(Relaxed) } else { self.written.load(Relaxed) } {
            return Ok(());
        }
        self.commit_slow(to_disk)
    }

    #[cold]
    fn commit_slow(&self, to_disk: bool) -> io::Result<()> {
        self.write_out()?;
        if to_disk { self.sync() } else { Ok(()) }
    }

    /// The file is about to be left. What is in it goes to the disk, also if no more can be written to it: so there is never
    /// more than one file before the newest that may hold what is not there.
    fn settle(&self) -> io::Result<()> {
        let written = self.write_out();
        written.and(self.sync())
    }

    fn write_out(&self) -> io::Result<()> {
        let mut inner = self.inner.lock();
        let result = inner.write_out();
        match &result {
            Ok(count) => {
                self.written.fetch_add(*count, Relaxed);
                if inner.lost.is_none() {
                    self.failing.store(false, Relaxed);
                    inner.error.clear();
                }
            }
            Err(error) => self.fail(&mut inner, "write", error),
        }
        result.map(drop)
    }

    fn fail(&self, inner: &mut Inner, what: &str, error: &io::Error) {
        if !self.failing.swap(true, Relaxed) {
            tracing::error!(%error, "the append-only file refuses a {what}: commands that change keys are refused");
        }
        inner.error = error.to_string();
    }

    /// Waits until all that was written is on the disk.
    ///
    /// # Errors
    /// The file system's; the file is then given up, since what it has on the disk is not known, and the next image takes
    /// its place.
    fn sync(&self) -> io::Result<()> {
        let _syncing = self.syncing.lock();
        let (previous, file, written, sequence, len) = {
            let mut inner = self.inner.lock();
            if inner.lost.is_some() {
                return Err(io::Error::other(inner.error.clone()));
            }
            (inner.previous.take(), inner.file.clone(), self.written.load(Relaxed), inner.sequence, inner.len)
        };
        if written == self.synced.load(Relaxed) {
            return Ok(());
        }
        let synced = previous.into_iter().chain(file).try_for_each(|file| file.sync());
        if let Err(error) = &synced {
            let mut inner = self.inner.lock();
            inner.lost = Some(sequence);
            self.fail(&mut inner, "sync", error);
            return synced;
        }
        self.synced.store(written, Relaxed);
        let mut inner = self.inner.lock();
        if inner.sequence == sequence {
            inner.on_disk = inner.on_disk.max(len);
        }
        Ok(())
    }

    /// Says in the file what of it is on the disk, should nothing else be written soon.
    fn mark(&self) {
        let mut inner = self.inner.lock();
        if inner.on_disk > inner.marked && inner.lost.is_none() && inner.buffer.is_empty() {
            let mut mark = Vec::new();
            record::encode_mark(&mut mark, inner.on_disk);
            if inner.write_at_end(&mark).is_ok() {
                inner.marked = inner.on_disk;
            }
        }
    }

    /// The cut of a snapshot is about to be made, in `epoch`: begins the file that goes on from the image. Answers
    /// its number, which the image keeps.
    ///
    /// # Errors
    /// The file system's; the log goes on as it was.
    pub fn rotate(&self, epoch: u32) -> io::Result<u64> {
        // So that little is left to do later. What the old file refuses is in the image, which has the log go on.
        if self.is_on()
            && let Err(error) = self.settle()
        {
            tracing::warn!(%error, "the append-only file is behind; the snapshot takes its place");
        }
        let _beginning = self.beginning.lock();
        if !self.is_on() {
            let mut inner = self.inner.lock();
            inner.sequence += 1;
            return Ok(inner.sequence);
        }
        // With no lock on what is appended meanwhile: that may be in the old file by then, or come to the new one, of which
        // the image's readers leave out what the image has.
        let file = self.begin(epoch, None)?;
        let mut inner = self.inner.lock();
        inner.go_on_in(file);
        Ok(inner.sequence)
    }

    /// Begins the file after the newest. `anchored`: as it is, when it is not said.
    fn begin(&self, epoch: u32, anchored: Option<bool>) -> io::Result<(Header, Arc<dyn DiskFile>)> {
        let (disk, directory, path, header) = {
            let inner = self.inner.lock();
            let anchored = anchored.unwrap_or(inner.anchored);
            let header = Header { sequence: inner.sequence + 1, epoch, anchored, has_marks: true };
            let path = path_of(&inner.directory, &inner.name, header.sequence);
            (Arc::clone(&inner.disk), inner.directory.clone(), path, header)
        };
        let failed = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let file = match disk.create(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Somebody has removed the directory.
                make_directory(&*disk, &directory).and_then(|()| disk.create(&path))
            }
            file => file,
        };
        let file = file.map_err(failed)?;
        // The name has to be there as well.
        let result = file.write_at(&header.encode(), 0).and_then(|()| file.sync());
        if let Err(error) = result.and_then(|()| disk.sync_directory(&directory)) {
            let _ = disk.remove(&path);
            return Err(failed(error));
        }
        Ok((header, file))
    }

    /// The image that names file `sequence` is in its place: the files before it have had their day. One that is in another
    /// directory than the log has, since that has moved meanwhile, takes the place of none.
    pub fn retire(&self, sequence: u64, image: &Path) {
        let mut inner = self.inner.lock();
        if directory_of(image) != directory_of(&inner.directory) {
            return;
        }
        for (number, path) in files_on(&*inner.disk, &inner.directory, &inner.name).unwrap_or_default() {
            if number < sequence
                && let Err(error) = inner.disk.remove(&path)
            {
                tracing::warn!(path = %path.display(), %error, "could not remove an old append-only file");
            }
        }
        // Not one whose cut was before what it would have to stand for.
        if self.is_on() && sequence > inner.began {
            inner.anchored = true;
            inner.previous = None;
            inner.size = inner.len;
            if inner.lost.take_if(|lost| *lost < sequence).is_some() {
                inner.error.clear();
                self.failing.store(false, Relaxed);
            }
        }
    }

    /// The disk on which the files are.
    pub fn disk(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.inner.lock().disk)
    }

    /// Whether the file was lost and an image is needed to go on.
    pub fn needs_image(&self) -> bool {
        self.is_on() && {
            let inner = self.inner.lock();
            inner.lost.is_some() || !inner.anchored
        }
    }

    /// For the log's thread: once a second, until [`Self::stop`]. `always`: nothing is left to be synced.
    pub fn run(&self, syncs: &dyn Fn() -> bool) {
        let mut stop = self.stop.lock();
        while !*stop {
            self.stopped.wait_for(&mut stop, Duration::from_secs(1));
            // Errors are kept for INFO and for those who write.
            let _ = self.commit(false);
            if syncs() {
                let _ = self.commit(true);
            }
            self.mark();
        }
    }

    pub fn stop(&self) {
        *self.stop.lock() = true;
        self.stopped.notify_all();
    }
}

impl Inner {
    /// What comes from now on goes to this file.
    fn go_on_in(&mut self, (header, file): (Header, Arc<dyn DiskFile>)) {
        // One that could not be synced is not asked again.
        self.previous = self.file.replace(file).filter(|_| self.lost.is_none());
        self.sequence = header.sequence;
        self.anchored = header.anchored;
        self.len = HEADER as u64;
        (self.on_disk, self.marked) = (self.len, self.len);
        self.size += HEADER as u64;
    }

    /// Writes the buffer, after a mark if there is something to be said; answers its length.
    fn write_out(&mut self) -> io::Result<u64> {
        let count = self.buffer.len() as u64;
        if count == 0 || self.file.is_none() {
            return Ok(0);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = if self.on_disk > self.marked {
            // In one write with what it stands before, which costs no more than that.
            let mut marked = Vec::with_capacity(buffer.len() + 64);
            record::encode_mark(&mut marked, self.on_disk);
            marked.extend_from_slice(&buffer);
            self.write_at_end(&marked).map(|()| self.marked = self.on_disk)
        } else {
            self.write_at_end(&buffer)
        };
        if result.is_ok() {
            buffer.clear();
            buffer.shrink_to(1 << 20);
        }
        self.buffer = buffer;
        result.map(|()| count)
    }

    /// After a failure the file ends where it ended before.
    fn write_at_end(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if let Err(error) = file.write_at(bytes, self.len) {
            if let Err(error) = file.set_len(self.len) {
                tracing::error!(%error, "the append-only file could not be cut back to its last whole record");
                self.lost = Some(self.sequence);
            }
            return Err(error);
        }
        (self.len, self.size) = (self.len + bytes.len() as u64, self.size + bytes.len() as u64);
        Ok(())
    }
}

/// The directory of the files, and its name on the disk.
fn make_directory(disk: &dyn Disk, directory: &Path) -> io::Result<()> {
    disk.create_directory(directory)?;
    disk.sync_directory(directory_of(directory))
}

fn path_of(directory: &Path, name: &str, sequence: u64) -> PathBuf {
    directory.join(format!("{name}.{sequence}"))
}

/// The files of a log, in order.
///
/// # Errors
/// The file system's; that there is no such directory is none.
pub fn files(directory: &Path, name: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    files_on(&System, directory, name)
}

/// As [`files`], on another disk than the system's.
///
/// # Errors
/// As [`files`].
pub fn files_on(disk: &dyn Disk, directory: &Path, name: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let names = match disk.list(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names?,
    };
    let mut files = Vec::new();
    for file_name in names {
        let rest = file_name.to_str().and_then(|file_name| file_name.strip_prefix(name)?.strip_prefix('.'));
        if let Some(number) = rest.and_then(|rest| rest.parse().ok()) {
            files.push((number, directory.join(&file_name)));
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image beside the log.
    fn image(directory: &Path) -> PathBuf {
        directory.with_file_name("image")
    }

    fn commands(word: &str) -> Commands {
        let mut commands = Commands::default();
        commands.push(0, &[b"set", b"k", word.as_bytes()]);
        commands
    }

    /// What the files hold: number, whether anchored, and how many records.
    fn seen(directory: &Path) -> Vec<(u64, bool, usize)> {
        files(directory, "log")
            .unwrap()
            .into_iter()
            .map(|(number, path)| {
                let mut reader = Reader::open(&System, &path).unwrap().unwrap();
                assert_eq!(reader.header.sequence, number);
                let mut count = 0;
                while let Next::Record(_) = reader.read().unwrap() {
                    count += 1;
                }
                (number, reader.header.anchored, count)
            })
            .collect()
    }

    #[test]
    fn an_image_takes_the_place_of_what_came_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::default();
        log.place(directory.path(), "log", 4);
        log.append(1, 1, &commands("lost: the log is off"));
        log.open(true, 0).unwrap();
        log.append(1, 1, &commands("a"));
        log.append(1, 1, &commands("b"));
        assert_eq!(seen(directory.path()), [(5, true, 0)]);
        log.commit(false).unwrap();
        assert_eq!(seen(directory.path()), [(5, true, 2)]);
        log.append(1, 1, &commands("c"));
        assert_eq!(log.rotate(2).unwrap(), 6);
        log.append(2, 1, &commands("d"));
        log.commit(true).unwrap();
        assert_eq!(seen(directory.path()), [(5, true, 3), (6, true, 1)]);
        assert_eq!(log.status().unsynced, 0);
        log.retire(6, &image(directory.path()));
        assert_eq!(seen(directory.path()), [(6, true, 1)]);
        log.close().unwrap();
        assert!(!log.status().on);
    }

    #[test]
    fn a_log_that_begins_while_the_server_runs_stands_on_the_next_image() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::default();
        log.place(directory.path(), "log", 0);
        log.open(false, 0).unwrap();
        assert!(log.needs_image());
        let sequence = log.rotate(2).unwrap();
        assert_eq!(seen(directory.path()), [(1, false, 0), (2, false, 0)]);
        log.retire(sequence, &image(directory.path()));
        assert!(!log.needs_image());
        log.rotate(3).unwrap();
        assert_eq!(seen(directory.path()), [(2, false, 0), (3, true, 0)]);
    }

    #[test]
    fn an_image_whose_cut_was_before_a_log_began_does_not_anchor_it() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::default();
        log.place(directory.path(), "log", 0);
        let cut_before = log.rotate(2).unwrap();
        log.open(false, 0).unwrap();
        log.retire(cut_before, &image(directory.path()));
        assert!(log.needs_image());
        let sequence = log.rotate(3).unwrap();
        log.retire(sequence, &image(directory.path()));
        assert!(!log.needs_image());
    }

    #[test]
    fn a_log_moves_to_another_directory_and_leaves_what_it_has_where_it_is() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let log = Log::default();
        log.place(old.path(), "log", 0);
        log.open(true, 0).unwrap();
        log.append(1, 1, &commands("a"));
        let under_way = log.rotate(2).unwrap();
        // There was a log before.
        std::fs::write(
            path_of(new.path(), "log", 7),
            Header { sequence: 7, epoch: 0, anchored: true, has_marks: true }.encode(),
        )
        .unwrap();
        log.move_to(new.path()).unwrap();
        log.append(2, 1, &commands("b"));
        log.commit(true).unwrap();
        assert_eq!(
            (seen(old.path()), seen(new.path())),
            (vec![(1, true, 1), (2, true, 0)], vec![(7, true, 0), (8, false, 1)])
        );
        log.retire(under_way, &image(old.path()));
        assert!(log.needs_image() && seen(old.path()).len() == 2);
        let sequence = log.rotate(3).unwrap();
        log.retire(sequence, &image(new.path()));
        assert!(!log.needs_image());
        assert_eq!((seen(old.path()).len(), seen(new.path())), (2, vec![(9, false, 0)]));
        let elsewhere = log.rotate(4).unwrap();
        log.retire(elsewhere, Path::new("/elsewhere/image"));
        assert_eq!(seen(new.path()).len(), 2);
        // Where there is no place for it, it stays.
        assert!(log.move_to(&new.path().join("none/log")).is_err());
        log.append(3, 1, &commands("c"));
        log.commit(true).unwrap();
        assert_eq!(seen(new.path()), [(9, false, 0), (10, true, 1)]);
    }

    #[test]
    fn a_directory_that_has_been_removed_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let files = directory.path().join("files");
        let log = Log::default();
        log.place(&files, "log", 0);
        log.open(true, 0).unwrap();
        std::fs::remove_dir_all(&files).unwrap();
        let sequence = log.rotate(2).unwrap();
        log.retire(sequence, &image(&files));
        assert_eq!(seen(&files), [(2, true, 0)]);
        // No more than its own.
        std::fs::remove_dir_all(directory.path()).unwrap();
        let error = log.rotate(3).unwrap_err().to_string();
        assert!(error.contains("log.3: No such file"), "{error}");
    }
}
