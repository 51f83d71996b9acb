//! Redis's files at the start: bringing one in with a bar or lines that tell how far it is, and writing one instead of
//! serving.

use super::{logging, persistence, run::load_functions};
use crate::{
    command::{
        Shared,
        redis_file::{self, Progress, Wanted, beside, load_libraries},
        replay::replay_beside,
    },
    config::{Config, Loaded, Settings},
    keyspace::Keyspace,
    resp::Encoder,
    util::clock::{Clock, UnixMillis},
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    error::Error,
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

/// How often the log hears how far it has come, when there is no terminal to draw on.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// Brings a file in, and answers the codes of its libraries of functions. The next snapshot will take the place of one that lies at the snapshot's path, so that one is kept
/// under a second name.
///
/// # Errors
/// When the file cannot be brought in as a whole, or not kept.
pub fn bring_in(
    keyspace: &Keyspace,
    settings: &Settings,
    path: &Path,
    now: UnixMillis,
) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let began = Instant::now();
    let mut teller = Teller::new(path);
    let imported = redis_file::import(keyspace, settings, path, now, &mut |progress| teller.tell(progress));
    teller.end();
    let imported = imported?;
    if path == settings.snapshot_path() {
        keep(path)?;
    }
    let stored: u64 = (0..keyspace.databases()).map(|db| keyspace.db_stats(db).keys).sum();
    tracing::info!(
        path = %path.display(),
        keys = imported.keys,
        expired = imported.expired,
        bytes = imported.bytes,
        ms = began.elapsed().as_millis(),
        "Redis file brought in"
    );
    if imported.empty > 0 {
        tracing::warn!(keys = imported.empty, "collections without elements are left out, as Redis leaves them out");
    }
    if stored < imported.keys {
        tracing::warn!(evicted = imported.keys - stored, "not all of its keys fit into 'maxmemory': some were evicted");
    }
    Ok(imported.libraries)
}

/// Where a Redis file that the first snapshot replaces is kept.
fn kept(path: &Path) -> PathBuf {
    beside(path, ".redis")
}

/// A copy, not a second link: snapshots write into the files that they find at their place.
fn keep(path: &Path) -> Result<(), String> {
    let kept = kept(path);
    let failed = |error: io::Error| format!("can't keep {} as {}: {error}", path.display(), kept.display());
    let len = |path: &Path| fs::metadata(path).map(|metadata| metadata.len());
    match len(&kept) {
        // An earlier start has kept it.
        Ok(there) if there == len(path).map_err(failed)? => Ok(()),
        Ok(_) => Err(format!(
            "{} is a Redis file, which snapshots would replace; it can't be kept as {}, which is there already: move one \
             of them away",
            path.display(),
            kept.display()
        )),
        Err(_) => {
            let unfinished = beside(&kept, ".unfinished");
            fs::copy(path, &unfinished).and_then(|_| fs::rename(&unfinished, &kept)).map_err(failed)?;
            tracing::info!(path = %kept.display(), "the Redis file is kept under this name");
            Ok(())
        }
    }
}

/// Tells how far an import has come.
enum Teller {
    Bar(ProgressBar),
    Lines { path: PathBuf, told: Instant },
}

impl Teller {
    fn new(path: &Path) -> Teller {
        if !io::stderr().is_terminal() {
            return Teller::Lines { path: path.to_owned(), told: Instant::now() };
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}% of {total_bytes}, {msg} keys, {eta} left")
        {
            bar.set_style(style);
        }
        Teller::Bar(bar)
    }

    fn tell(&mut self, progress: Progress) {
        match self {
            Teller::Bar(bar) => {
                bar.set_length(progress.of);
                bar.set_position(progress.bytes);
                bar.set_message(progress.keys.to_string());
            }
            Teller::Lines { path, told } if told.elapsed() >= TOLD_EVERY => {
                *told = Instant::now();
                let percent = progress.bytes.saturating_mul(100) / progress.of.max(1);
                tracing::info!(keys = progress.keys, percent, "bringing in {}", path.display());
            }
            Teller::Lines { .. } => {}
        }
    }

    fn end(self) {
        if let Teller::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// Writes the snapshot, and what the append-only file has after it, as a Redis file and ends.
pub fn export(loaded: Loaded, path: &Path) -> ExitCode {
    match run(loaded, path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flagstone: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(loaded: Loaded, path: &Path) -> Result<(), Box<dyn Error>> {
    let config = Config::new(loaded);
    let settings = config.current();
    // The log stays what it is: only the last line is for the terminal.
    logging::start(&settings)?;
    let now = Clock::Wall.now();
    if !settings.snapshot_path().exists() && !settings.append_only {
        return Err(format!("there is no snapshot at {}", settings.snapshot_path().display()).into());
    }
    let persistence::Opened { keyspace, log, libraries } = persistence::open_keyspace(&settings, 0, now)?;
    let shared = Arc::new(Shared::new(config, keyspace, Encoder::boxed, Clock::Wall));
    load_libraries(&shared, &libraries)?;
    load_functions(&shared)?;
    if settings.append_only {
        // Another server may be at work on them: nothing of it is changed here.
        let (directory, name) = (settings.append_directory(), &settings.append_filename);
        let replayed = replay_beside(&shared, &directory, name, log)?;
        tracing::info!(commands = replayed.commands, "what the append-only file holds is part of it");
    }
    let libraries: Vec<Vec<u8>> = shared.functions.all().values().map(|library| library.code.to_vec()).collect();
    let keyspace = Arc::into_inner(shared).ok_or("the keyspace is still in use")?.keyspace;
    let wanted =
        Wanted { compress: settings.rdb_compression, libraries: libraries.iter().map(|code| &code[..]).collect(), now };
    let exported = redis_file::export(keyspace, path, &wanted)
        .map_err(|error| format!("can't write {}: {error}", path.display()))?;
    println!("{} keys, {} bytes: {}", exported.keys, exported.bytes, path.display());
    Ok(())
}
