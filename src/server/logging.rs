//! Where log lines go and which are written.

use crate::config::{Config, LogFormat, LogLevel, SetError, Settings};
use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
};
use tracing_subscriber::{
    Registry, filter::LevelFilter, fmt, fmt::writer::BoxMakeWriter, layer::SubscriberExt, reload,
    util::SubscriberInitExt,
};

/// Lets CONFIG SET change the level.
pub struct Logging {
    level: reload::Handle<LevelFilter, Registry>,
}

/// Redis's levels in tracing's: an operator's event is `info`, a client's `debug`.
fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::TRACE,
        LogLevel::Verbose => LevelFilter::DEBUG,
        LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Nothing => LevelFilter::OFF,
    }
}

/// Starts logging as configured, once per process.
pub fn start(settings: &Settings) -> io::Result<Logging> {
    let writer = match settings.logfile_path() {
        None => BoxMakeWriter::new(io::stdout),
        Some(path) => BoxMakeWriter::new(Arc::new(open(&path)?)),
    };
    let (level, handle) = reload::Layer::new(filter(settings.loglevel));
    let registry = tracing_subscriber::registry().with(level);
    let lines = fmt::layer().with_writer(writer).with_ansi(false).with_target(false);
    match settings.log_format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    }
    .map_err(io::Error::other)?;
    Ok(Logging { level: handle })
}

fn open(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| io::Error::new(error.kind(), format!("log file {}: {error}", path.display())))
}

impl Logging {
    /// Follows CONFIG SET loglevel.
    pub fn follow(self, config: &Config) {
        config.on_change(Box::new(move |before, after| {
            if before.loglevel == after.loglevel {
                return Ok(());
            }
            self.level.reload(filter(after.loglevel)).map_err(|error| SetError::failed("loglevel", error.to_string()))
        }));
    }
}
