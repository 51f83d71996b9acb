//! Snapshots in the server's life: loading at the start, the thread that writes them, the rules
//! that ask for them.

use crate::{
    command::Shared,
    config::Settings,
    keyspace::{Keyspace, Options},
    snapshot::{Image, LoadError},
    util::clock::UnixMillis,
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
};

/// How long a failed snapshot of a rule is not tried again.
const RETRY_MS: i64 = 5000;

/// Makes the keyspace: of the snapshot when there is one, else empty.
pub fn open_keyspace(settings: &Settings, maxmemory: u64, now: UnixMillis) -> Result<Keyspace, LoadError> {
    let path = settings.snapshot_path();
    let options = Options::new(settings.databases as usize, settings.threads(), maxmemory, settings.maxmemory_policy);
    match Image::open(&path)? {
        Some(image) => {
            let (bytes, saved_at_ms) = (image.bytes(), image.saved_at_ms());
            let keyspace = image.into_keyspace(&options, now)?;
            let keys: u64 = (0..keyspace.databases()).map(|db| keyspace.db_stats(db).keys).sum();
            tracing::info!(path = %path.display(), keys, bytes, saved_at_ms, "snapshot mapped; its pages load in the background");
            Ok(keyspace)
        }
        None => {
            tracing::info!(path = %path.display(), "no snapshot yet; it will be written here");
            Keyspace::new(&options).map_err(|error| LoadError::Io { path, error })
        }
    }
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
        if shared.keyspace.arena().is_loading() {
            let (loader, stop) = (Arc::clone(shared), Arc::clone(&ending));
            threads.push(std::thread::Builder::new().name("loader".to_owned()).spawn(move || {
                loader.keyspace.load_all(&mut || !stop.load(Relaxed));
                if !loader.keyspace.arena().is_loading() {
                    let damaged = loader.keyspace.arena().damaged_pages();
                    tracing::info!(damaged_pages = damaged, "the snapshot is loaded");
                }
            })?);
        }
        Ok(Persistence { shared: Arc::clone(shared), ending, threads })
    }
}

impl Drop for Persistence {
    fn drop(&mut self) {
        self.ending.store(true, Relaxed);
        self.shared.saver.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a persistence thread panicked");
            }
        }
    }
}

fn write(shared: &Shared) {
    let path = shared.config.current().snapshot_path();
    tracing::info!(path = %path.display(), "background saving started");
    match shared.saver.save_in_background(&shared.keyspace, &path, &|| shared.clock.now()) {
        Ok(report) => {
            tracing::info!(path = %path.display(), bytes = report.bytes, "background saving terminated with success")
        }
        Err(error) => tracing::error!(path = %path.display(), %error, "background saving failed"),
    }
}

/// Asks for a snapshot when one of the `save` rules says so. Called by the cron.
pub fn apply_save_rules(shared: &Shared, now: UnixMillis) {
    let settings = shared.config.current();
    if settings.save.is_empty() {
        return;
    }
    let status = shared.saver.status();
    if status.in_progress || !status.last_ok && now - status.last_attempt_ms < RETRY_MS {
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
