//! When snapshots are taken and how the last one went: behind SAVE, BGSAVE, LASTSAVE, the `save`
//! rules and INFO persistence.

use super::{
    save::{self, Pace, Report},
    scrub::{Scrub, Scrubbed},
};
use crate::{
    keyspace::Keyspace,
    util::{clock::UnixMillis, disk::System},
};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{
    io,
    path::Path,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// A moment's view of the saver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SaverStatus {
    pub in_progress: bool,
    /// Unix milliseconds of the last snapshot that succeeded, or of the start.
    pub last_save_ms: UnixMillis,
    /// Whether the last snapshot in the background succeeded, or any other since.
    pub last_ok: bool,
    /// Of the last snapshot, whether it succeeded or not; -1 when there was none.
    pub last_duration_ms: i64,
    pub last_attempt_ms: UnixMillis,
    /// When the running one began.
    pub started_ms: UnixMillis,
    pub saves: u64,
    /// In the background, since the last one that succeeded.
    pub failures: u64,
    /// How many have taken the place of the append-only file.
    pub rewrites_done: u64,
    pub last_bytes: u64,
    /// Bytes a second, of the last one that was long enough to tell and was not held back; 0: not known.
    pub speed: u64,
    /// What the last one wrote, and whether over an older image.
    pub last_written: u64,
    pub last_incremental: bool,
    /// Bytes of images that were read again to see whether they are as they were written, and blocks that were not.
    pub scrubbed: u64,
    pub rotten: u64,
    dirty_at_last: u64,
    requested: bool,
    /// The snapshot thread has taken up a request and is not done with it.
    in_background: bool,
    /// The one that is requested, and the one that runs, are to take the place of the append-only file (BGREWRITEAOF).
    rewrite_requested: bool,
    rewrites: bool,
    /// Nobody needs the one that runs to take its time.
    hurries: bool,
    stop: bool,
}

impl SaverStatus {
    /// Whether one is written that takes the place of the append-only file.
    pub fn is_rewriting(&self) -> bool {
        self.in_progress && self.rewrites || self.rewrite_requested && !self.in_progress
    }

    /// Whether such a one waits for another snapshot to end.
    pub fn is_rewrite_scheduled(&self) -> bool {
        self.rewrite_requested && self.in_progress
    }

    /// Changes since the last snapshot that succeeded, of so many since the start.
    pub fn changes_since(&self, dirty: u64) -> u64 {
        dirty.saturating_sub(self.dirty_at_last)
    }
}

/// Who may begin a snapshot: one at a time.
pub struct Saver {
    status: Mutex<SaverStatus>,
    changed: Condvar,
    /// Held for as long as a snapshot is written.
    writing: Mutex<()>,
    /// Held by whoever writes or looks at the images. Who only looks does so for a moment, and keeps nobody from a snapshot.
    files: Mutex<()>,
    /// `!last_ok`, for writes to look at: they take no lock for it.
    failing: AtomicBool,
    /// Who wants to write a snapshot after the one that is being written.
    waiting: AtomicUsize,
    /// `rdb-key-save-delay`.
    delay_us_per_key: AtomicU64,
    /// `snapshot-max-bandwidth`, bytes per second; 0: as fast as it goes.
    bandwidth: AtomicU64,
    /// The server ends: when a snapshot has to be done, ms since the epoch. 0: it does not end.
    due: AtomicI64,
    /// The one in the background is not wanted any more.
    cancelled: AtomicBool,
}

/// What BGSAVE CANCEL has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cancelled {
    Running,
    Scheduled,
}

/// Tells the time, to more than one thread.
type Clock<'a> = dyn Fn() -> UnixMillis + Sync + 'a;

/// How much less urgent the threads of snapshots are than those of clients (`nice`).
const NICE: i32 = 10;

/// Clients come before what this thread does. Not for one that others wait for while it holds a lock.
pub fn step_back() {
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
}

/// From how many bytes on a snapshot tells how fast the disk is.
const MEASURED: u64 = 16 << 20;
/// The shortest time the system lets a thread sleep, which is some 50 microseconds: yielding would do with less, but would
/// leave next to nothing to the snapshot where all processors are busy.
const REST: Duration = Duration::from_micros(1);
/// How often a delayed snapshot looks whether it may end.
const SLICE: Duration = Duration::from_millis(10);

impl Saver {
    pub fn new(now: UnixMillis) -> Saver {
        Saver {
            status: Mutex::new(SaverStatus {
                in_progress: false,
                last_save_ms: now,
                last_ok: true,
                last_duration_ms: -1,
                last_attempt_ms: 0,
                started_ms: 0,
                saves: 0,
                failures: 0,
                rewrites_done: 0,
                last_bytes: 0,
                speed: 0,
                last_written: 0,
                last_incremental: false,
                scrubbed: 0,
                rotten: 0,
                dirty_at_last: 0,
                requested: false,
                in_background: false,
                rewrite_requested: false,
                rewrites: false,
                hurries: false,
                stop: false,
            }),
            changed: Condvar::new(),
            writing: Mutex::new(()),
            files: Mutex::new(()),
            failing: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            delay_us_per_key: AtomicU64::new(0),
            bandwidth: AtomicU64::new(0),
            due: AtomicI64::new(0),
            cancelled: AtomicBool::new(false),
        }
    }

    pub fn status(&self) -> SaverStatus {
        self.status.lock().clone()
    }

    /// Whether the last snapshot in the background could not be written.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Relaxed)
    }

    /// Changes since the last snapshot that succeeded.
    pub fn changes(&self, keyspace: &Keyspace) -> u64 {
        keyspace.stats().dirty.saturating_sub(self.status.lock().dirty_at_last)
    }

    /// DEBUG RELOAD, FLUSHALL and a start: what is there now counts as saved.
    pub fn forget_changes(&self, keyspace: &Keyspace) {
        self.status.lock().dirty_at_last = keyspace.stats().dirty;
    }

    /// Asks the snapshot thread for a snapshot; false when one runs or is asked for already.
    pub fn request(&self) -> bool {
        let mut status = self.status.lock();
        if status.in_progress || status.requested {
            return false;
        }
        status.requested = true;
        self.changed.notify_all();
        true
    }

    /// BGREWRITEAOF: now, or after the snapshot that is being written. False when a rewrite is under way.
    pub fn request_rewrite(&self) -> bool {
        let mut status = self.status.lock();
        if status.is_rewriting() {
            return false;
        }
        (status.requested, status.rewrite_requested) = (true, true);
        self.changed.notify_all();
        true
    }

    /// The append-only file has been closed: a rewrite that is delayed ends, one that is scheduled is not begun.
    pub fn hurry_rewrite(&self) {
        let mut status = self.status.lock();
        if status.is_rewriting() {
            tracing::info!("Killing AOF child: the append-only file has been turned off");
            status.hurries = status.in_progress;
        }
        if std::mem::take(&mut status.rewrite_requested) {
            status.requested = false;
        }
        self.changed.notify_all();
    }

    /// Does something while no snapshot is written.
    pub fn while_idle<R>(&self, act: impl FnOnce() -> R) -> R {
        let _writing = self.writing.lock();
        let _files = self.files.lock();
        act()
    }

    /// Looks at a little of the images on the disk, unless one is being written.
    pub fn scrub(&self, scrub: &mut Scrub, keyspace: &Keyspace, path: &Path) -> Scrubbed {
        let Some(_files) = self.files.try_lock() else { return Scrubbed::default() };
        let found = scrub.step(&System, path, keyspace.arena());
        let mut status = self.status.lock();
        status.scrubbed += found.bytes;
        status.rotten += found.damaged;
        found
    }

    /// BGSAVE SCHEDULE: after the running one, if one runs.
    pub fn schedule(&self) {
        self.status.lock().requested = true;
        self.changed.notify_all();
    }

    /// BGSAVE CANCEL: ends the snapshot that is under way, or forgets the one that is to come; `None` if there is neither.
    pub fn cancel(&self) -> Option<Cancelled> {
        let mut status = self.status.lock();
        if status.in_background && !status.rewrites {
            self.cancelled.store(true, Relaxed);
            self.changed.notify_all();
            return Some(Cancelled::Running);
        }
        if status.requested && !status.rewrite_requested {
            status.requested = false;
            return Some(Cancelled::Scheduled);
        }
        None
    }

    /// The snapshot thread waits here for its next task; false: the server stops.
    pub fn wait_for_request(&self) -> bool {
        let mut status = self.status.lock();
        while !status.requested && !status.stop {
            self.changed.wait(&mut status);
        }
        if std::mem::take(&mut status.stop) || !std::mem::take(&mut status.requested) {
            return false;
        }
        // From the request on, there is no moment at which nothing seems to be under way.
        (status.in_progress, status.in_background) = (true, true);
        self.cancelled.store(false, Relaxed);
        status.rewrites = std::mem::take(&mut status.rewrite_requested);
        true
    }

    /// Ends the snapshot thread.
    pub fn stop(&self) {
        self.status.lock().stop = true;
        self.changed.notify_all();
    }

    /// Writes a snapshot now, on this thread, after a running one is done.
    ///
    /// # Errors
    /// What the file system says. Whoever asked for the snapshot hears of it, so the status does not.
    pub fn save(&self, keyspace: &Keyspace, path: &Path, clock: &Clock<'_>) -> io::Result<Report> {
        let _writing = self.take_turn();
        self.write(keyspace, path, clock, false)
    }

    /// Waits until a running snapshot is done, which need not take its time.
    fn take_turn(&self) -> MutexGuard<'_, ()> {
        self.waiting.fetch_add(1, Relaxed);
        let writing = self.writing.lock();
        self.waiting.fetch_sub(1, Relaxed);
        writing
    }

    /// As [`Self::save`], but the status keeps that it failed: nobody waits for the outcome.
    pub fn save_in_background(&self, keyspace: &Keyspace, path: &Path, clock: &Clock<'_>) -> io::Result<Report> {
        let _writing = self.take_turn();
        let result = self.write(keyspace, path, clock, true);
        let mut status = self.status.lock();
        status.in_background = false;
        // One that was cancelled has not failed.
        if !self.cancelled.swap(false, Relaxed) || result.is_ok() {
            status.last_ok = result.is_ok();
            status.failures = if status.last_ok { 0 } else { status.failures + 1 };
            self.failing.store(result.is_err(), Relaxed);
        }
        result
    }

    /// As [`Self::save`], but `None` when another snapshot is being written.
    pub fn try_save(&self, keyspace: &Keyspace, path: &Path, clock: &Clock<'_>) -> Option<io::Result<Report>> {
        let _writing: MutexGuard<'_, ()> = self.writing.try_lock()?;
        Some(self.write(keyspace, path, clock, false))
    }

    /// As [`Self::try_save`], but one that is being written, or to come, ends unless it is a rewrite: nobody wants it any more.
    pub fn supersede(&self, keyspace: &Keyspace, path: &Path, clock: &Clock<'_>) -> Option<io::Result<Report>> {
        match self.cancel() {
            Some(Cancelled::Running) => Some(self.save(keyspace, path, clock)),
            _ => self.try_save(keyspace, path, clock),
        }
    }

    /// From now on a snapshot takes so long for each key: tests want to meet one while it runs.
    pub fn set_delay_per_key(&self, us: u64) {
        self.delay_us_per_key.store(us, Relaxed);
    }

    /// `snapshot-max-bandwidth`: of the running snapshot too.
    pub fn set_bandwidth(&self, bytes_per_second: u64) {
        self.bandwidth.store(bytes_per_second, Relaxed);
        self.changed.notify_all();
    }

    /// The server is about to end: what is written has to be done by `due` and takes no heed of the bandwidth. `None`: it
    /// does not end after all.
    pub fn set_due(&self, due: Option<UnixMillis>) {
        self.due.store(due.unwrap_or(0), Relaxed);
        self.changed.notify_all();
    }

    fn is_overdue(&self, now: UnixMillis) -> bool {
        let due = self.due.load(Relaxed);
        due != 0 && now >= due
    }

    /// Waits as long as writing so many bytes may take, unless somebody waits for the end.
    fn keep_bandwidth(&self, bytes: u64) {
        let mut waited = Duration::ZERO;
        loop {
            let bandwidth = self.bandwidth.load(Relaxed);
            let whole = Duration::from_nanos(
                (u128::from(bytes) * 1_000_000_000).checked_div(bandwidth.into()).unwrap_or(0) as u64,
            );
            let mut status = self.status.lock();
            let ends = status.stop || self.cancelled.load(Relaxed);
            if waited >= whole || ends || self.waiting.load(Relaxed) > 0 || self.due.load(Relaxed) != 0 {
                return;
            }
            let slice = SLICE.min(whole - waited);
            self.changed.wait_for(&mut status, slice);
            waited += slice;
        }
    }

    /// Waits as the delay says, while there are keys and nobody waits for the end.
    fn linger(&self, keyspace: &Keyspace, clock: &Clock<'_>) {
        let mut waited = Duration::ZERO;
        loop {
            let us_per_key = self.delay_us_per_key.load(Relaxed);
            if us_per_key == 0 || self.waiting.load(Relaxed) > 0 || self.is_overdue(clock()) {
                return;
            }
            let keys: u64 = (0..keyspace.databases()).map(|db| keyspace.db_stats(db).keys).sum();
            let mut status = self.status.lock();
            let ends = status.stop || status.hurries || self.cancelled.load(Relaxed);
            if ends || waited >= Duration::from_micros(us_per_key.saturating_mul(keys)) {
                return;
            }
            self.changed.wait_for(&mut status, SLICE);
            waited += SLICE;
        }
    }

    /// `behind`: clients come before it.
    fn write(&self, keyspace: &Keyspace, path: &Path, clock: &Clock<'_>, behind: bool) -> io::Result<Report> {
        let _files = self.files.lock();
        let started = clock();
        {
            let mut status = self.status.lock();
            (status.in_progress, status.started_ms, status.last_attempt_ms) = (true, started, started);
        }
        let result = save::save_paced(keyspace, path, started, &Running { saver: self, keyspace, clock, behind });
        let ended = clock();
        let mut status = self.status.lock();
        let rewrites = std::mem::take(&mut status.rewrites);
        (status.in_progress, status.hurries) = (false, false);
        status.last_duration_ms = ended - started;
        if let Ok(report) = &result {
            status.last_ok = true;
            self.failing.store(false, Relaxed);
            status.last_save_ms = ended;
            status.dirty_at_last = report.dirty;
            status.last_bytes = report.bytes;
            (status.last_written, status.last_incremental) = (report.written, report.incremental);
            status.saves += 1;
            status.failures = 0;
            status.rewrites_done += u64::from(rewrites);
            let took = (ended - started).max(1) as u64;
            if report.written >= MEASURED && self.bandwidth.load(Relaxed) == 0 {
                status.speed = report.written.saturating_mul(1000) / took;
            }
        }
        result
    }
}

/// The pace of a snapshot that this saver has begun.
struct Running<'a> {
    saver: &'a Saver,
    keyspace: &'a Keyspace,
    clock: &'a Clock<'a>,
    behind: bool,
}

impl Pace for Running<'_> {
    fn step_back(&self) {
        if self.behind {
            step_back();
        }
    }

    fn wrote(&self, bytes: u64) {
        self.saver.keep_bandwidth(bytes);
    }

    fn rest(&self) {
        let hurries = self.saver.waiting.load(Relaxed) > 0 || self.saver.due.load(Relaxed) != 0;
        if !hurries {
            std::thread::sleep(REST);
        }
    }

    fn linger(&self) {
        self.saver.linger(self.keyspace, self.clock);
    }

    fn gives_up(&self) -> bool {
        self.behind && self.saver.cancelled.load(Relaxed) || self.saver.is_overdue((self.clock)())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Policy, keyspace::Options};

    /// One that takes the place of another may be written before the other's thread has begun to, or has seen that it ends.
    #[test]
    fn what_takes_the_place_of_a_snapshot_is_not_cancelled_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let keyspace = Keyspace::new(&Options::new(1, 1, 0, Policy::NoEviction)).unwrap();
        let (saver, path) = (Saver::new(0), dir.path().join("image.flag"));
        assert!(saver.request() && saver.wait_for_request());
        let superseding = saver.supersede(&keyspace, &path, &|| 1);
        assert!(superseding.is_some_and(|result| result.is_ok()));
        assert!(saver.save_in_background(&keyspace, &path, &|| 2).is_err());
        let status = saver.status();
        assert_eq!((status.saves, status.last_save_ms, status.last_ok), (1, 1, true));
        assert!(!saver.is_failing() && !status.in_progress);
        // There is nothing left to cancel, and the next one is written.
        assert!(saver.cancel().is_none());
        assert!(saver.request() && saver.wait_for_request());
        assert!(saver.save_in_background(&keyspace, &path, &|| 3).is_ok());
        assert_eq!(saver.status().saves, 2);
    }

    #[test]
    fn who_only_looks_at_the_images_keeps_nobody_from_a_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        let keyspace = Keyspace::new(&Options::new(1, 1, 0, Policy::NoEviction)).unwrap();
        let (saver, path) = (Saver::new(0), dir.path().join("image.flag"));
        let looking = saver.files.lock();
        std::thread::scope(|scope| {
            let saving = scope.spawn(|| saver.try_save(&keyspace, &path, &|| 1));
            while !saver.writing.is_locked() && !saving.is_finished() {
                std::thread::yield_now();
            }
            drop(looking);
            assert!(saving.join().unwrap().is_some_and(|result| result.is_ok()));
        });
    }
}
