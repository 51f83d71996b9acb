//! Snapshots in the server's life: loading at the start, the thread that writes them, the rules
//! that ask for them.

use super::{damaged::open_image, redis_file};
use crate::{
    aof,
    command::{Shared, redis_file::is_redis_file, replay::replay},
    config::{AppendFsync, Settings},
    keyspace::{Keyspace, Options},
    snapshot::{LoadError, Scrub, Scrubbed, step_back},
    util::clock::UnixMillis,
};
use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long a failed snapshot of a rule is not tried again.
const RETRY_MS: i64 = 5000;

/// Bytes a second that a disk is taken to write until it has shown how many it does.
const UNKNOWN_SPEED: u64 = 100 << 20;

/// How often the log hears how far loading has come.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// How often is looked whether there is a new image to be scrubbed, and after how long one is scrubbed again.
const SCRUB_IDLE: Duration = Duration::from_secs(1);
const SCRUB_AGAIN: Duration = Duration::from_secs(60 * 60);
/// How long it takes at most for another rate to be heard of.
const SCRUB_REST: Duration = Duration::from_secs(60);

/// What a start begins with.
pub struct Opened {
    pub keyspace: Keyspace,
    /// The number of the append-only file that goes on from there.
    pub log: u64,
    /// The codes of libraries of functions, to be loaded.
    pub libraries: Vec<Vec<u8>>,
}

/// Makes the keyspace: of the snapshot when there is one, else of the Redis file that lies in its place or that the
/// settings name, else empty.
///
/// # Errors
/// When there is a file that cannot be used.
pub fn open_keyspace(settings: &Settings, maxmemory: u64, now: UnixMillis) -> Result<Opened, Box<dyn Error>> {
    let path = settings.snapshot_path();
    let options = Options::new(settings.databases as usize, settings.threads(), maxmemory, settings.maxmemory_policy);
    let empty = || Keyspace::new(&options).map_err(|error| LoadError::Io { path: path.clone(), error });
    if is_redis_file(&path) {
        let keyspace = empty()?;
        let libraries = redis_file::bring_in(&keyspace, settings, &path, now)?;
        return Ok(Opened { keyspace, log: 0, libraries });
    }
    let import = settings.import_path();
    match open_image(settings, &path, now)? {
        Some(image) => {
            let (bytes, saved_at_ms, log) = (image.bytes(), image.saved_at_ms(), image.log());
            let keyspace = image.into_keyspace(&options, now)?;
            let keys: u64 = (0..keyspace.databases()).map(|db| keyspace.db_stats(db).keys).sum();
            tracing::info!(path = %path.display(), keys, bytes, saved_at_ms, "snapshot mapped; its pages load in the background");
            if let Some(import) = import {
                tracing::info!(path = %import.display(), "there is a snapshot: import-rdb is left out");
            }
            Ok(Opened { keyspace, log, libraries: Vec::new() })
        }
        None => {
            let keyspace = empty()?;
            tracing::info!(path = %path.display(), "no snapshot yet; it will be written here");
            let libraries = match import {
                Some(import) => redis_file::bring_in(&keyspace, settings, &import, now)?,
                None => Vec::new(),
            };
            Ok(Opened { keyspace, log: 0, libraries })
        }
    }
}

/// Brings what the append-only files hold since the image that names file `first`, and goes on keeping changes. With
/// `appendonly no` the files are left alone.
///
/// # Errors
/// When the files cannot be used, or none can be written.
pub fn open_log(shared: &Arc<Shared>, first: u64) -> Result<(), Box<dyn Error>> {
    let settings = shared.config.current();
    let (directory, name) = (settings.append_directory(), &settings.append_filename);
    let log = shared.keyspace.log();
    if !settings.append_only {
        let newest = aof::files(&directory, name).ok().and_then(|files| files.last().map(|(number, _)| *number));
        if newest.is_some_and(|newest| newest >= first) {
            tracing::warn!(
                directory = %directory.display(),
                "there are append-only files with changes since the snapshot, but appendonly is no: they are left out"
            );
        }
        log.place(&directory, name, newest.unwrap_or(0).max(first));
        return Ok(());
    }
    let began = Instant::now();
    let replayed = replay(shared, &directory, name, first)?;
    log.place(&directory, name, replayed.newest.max(first));
    log.open(true, replayed.bytes)
        .map_err(|error| format!("can't open the append-only file in {}: {error}", directory.display()))?;
    shared.saver.forget_changes(&shared.keyspace);
    tracing::info!(
        directory = %directory.display(),
        files = replayed.files,
        commands = replayed.commands,
        bytes = replayed.bytes,
        ms = began.elapsed().as_millis(),
        "append-only file loaded"
    );
    Ok(())
}

/// The threads that write snapshots and bring the pages of the last one; dropping it ends them.
pub struct Persistence {
    shared: Arc<Shared>,
    ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Persistence {
    pub fn start(shared: &Arc<Shared>) -> io::Result<Persistence> {
        let ending = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        let writer = Arc::clone(shared);
        threads.push(std::thread::Builder::new().name("snapshot".to_owned()).spawn(move || {
            while writer.saver.wait_for_request() {
                write(&writer);
            }
        })?);
        let keeper = Arc::clone(shared);
        threads.push(std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            keeper.keyspace.log().run(&|| keeper.config.current().append_fsync != AppendFsync::No);
        })?);
        if shared.keyspace.arena().is_loading() {
            let (loader, stop) = (Arc::clone(shared), Arc::clone(&ending));
            threads.push(std::thread::Builder::new().name("loader".to_owned()).spawn(move || {
                step_back();
                let mut told = Instant::now();
                loader.keyspace.load_all(&mut || {
                    if told.elapsed() >= TOLD_EVERY {
                        told = Instant::now();
                        tell_progress(&loader);
                    }
                    !stop.load(Relaxed)
                });
                if !loader.keyspace.arena().is_loading() {
                    let damaged = loader.keyspace.arena().damaged_pages();
                    let ms = loader.clock.now() - loader.started_ms;
                    tracing::info!(damaged_pages = damaged, ms, "the snapshot is loaded");
                }
            })?);
        }
        let (scrubber, stop) = (Arc::clone(shared), Arc::clone(&ending));
        threads.push(std::thread::Builder::new().name("scrub".to_owned()).spawn(move || {
            step_back();
            scrub(&scrubber, &stop);
        })?);
        Ok(Persistence { shared: Arc::clone(shared), ending, threads })
    }
}

impl Drop for Persistence {
    fn drop(&mut self) {
        self.ending.store(true, Relaxed);
        self.shared.saver.stop();
        self.shared.keyspace.log().stop();
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("a persistence thread panicked");
            }
        }
    }
}

fn tell_progress(shared: &Shared) {
    let (percent, eta_seconds) = shared.loading_progress(shared.clock.now());
    tracing::info!("loading the snapshot: {percent:.1} % is resident, about {eta_seconds} s are left");
}

fn write(shared: &Shared) {
    let settings = shared.config.current();
    let path = settings.snapshot_path();
    tracing::info!(path = %path.display(), "background saving started");
    shared.functions.keep_beside_snapshot(&settings);
    match shared.saver.save_in_background(&shared.keyspace, &path, &|| shared.clock.now()) {
        Ok(report) => {
            tracing::info!(path = %path.display(), bytes = report.bytes, "background saving terminated with success")
        }
        Err(error) => tracing::error!(path = %path.display(), %error, "background saving failed"),
    }
}

/// Looks at the images on the disk for bit rot, at the rate that the settings say.
fn scrub(shared: &Shared, ending: &AtomicBool) {
    let (mut scrub, mut began) = (Scrub::default(), Instant::now());
    while !ending.load(Relaxed) {
        let settings = shared.config.current();
        let rate = settings.snapshot_scrub_bandwidth;
        let mut found = Scrubbed::default();
        if rate > 0 && !shared.keyspace.arena().is_loading() {
            found = shared.saver.scrub(&mut scrub, &shared.keyspace, &settings.snapshot_path());
            if found.bytes == 0 && began.elapsed() >= SCRUB_AGAIN {
                scrub.again();
                began = Instant::now();
            }
        }
        if found.is_newest && (!settings.save.is_empty() || shared.keyspace.log().is_on()) && shared.saver.request() {
            tracing::info!("taking a snapshot, since the last one is damaged on the disk");
        }
        let rest = match found.bytes {
            0 => SCRUB_IDLE,
            bytes => Duration::from_secs_f64(bytes as f64 / rate as f64).min(SCRUB_REST),
        };
        std::thread::park_timeout(rest);
    }
}

/// Asks for a snapshot when one of the `save` rules says so, or the append-only file has grown. Called by the cron.
pub fn apply_save_rules(shared: &Shared, now: UnixMillis) {
    let settings = shared.config.current();
    let status = shared.saver.status();
    if status.in_progress || !status.last_ok && now - status.last_attempt_ms < RETRY_MS {
        return;
    }
    if log_wants_image(shared, &settings, status.last_bytes) && shared.saver.request_rewrite() {
        tracing::info!("taking a snapshot, which takes the place of the append-only file");
        return;
    }
    if settings.save.is_empty() {
        return;
    }
    if is_too_much_for_the_end(shared, &settings, status.speed) && shared.saver.request() {
        tracing::info!("taking a snapshot, so that the last one fits shutdown-timeout");
        return;
    }
    let changes = shared.saver.changes(&shared.keyspace);
    let age_ms = now - status.last_save_ms;
    let due = settings.save.iter().find(|rule| changes >= rule.changes && age_ms / 1000 >= rule.seconds as i64);
    if let Some(rule) = due
        && shared.saver.request()
    {
        tracing::info!("{} changes in {} seconds. Saving...", rule.changes, rule.seconds);
    }
}

/// Whether a snapshot of what has changed would take more than half of the time that there is at the end.
fn is_too_much_for_the_end(shared: &Shared, settings: &Settings, speed: u64) -> bool {
    let speed = if speed == 0 { UNKNOWN_SPEED } else { speed };
    let fits = speed.saturating_mul(u64::from(settings.shutdown_timeout_seconds)) / 2;
    let [total, since_last] = shared.keyspace.arena().changed_bytes();
    // What only the last snapshot has is written twice, whatever is done; a new one must be worth while.
    fits > 0 && total > fits && since_last > fits / 4
}

/// Whether the append-only file has outgrown the image, or cannot go on without a new one.
fn log_wants_image(shared: &Shared, settings: &Settings, image_bytes: u64) -> bool {
    let log = shared.keyspace.log();
    if !log.is_on() {
        return false;
    }
    if log.needs_image() {
        return true;
    }
    let percentage = u64::from(settings.auto_aof_rewrite_percentage);
    let share = (image_bytes / 100).saturating_mul(percentage);
    percentage != 0 && log.status().size > settings.auto_aof_rewrite_min_size.max(share)
}
