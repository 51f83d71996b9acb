//! `oom-score-adj`: how gladly the kernel ends this process when memory runs out.

use crate::config::{Config, OomScoreAdj, SetError, Settings};
use parking_lot::Mutex;
use std::{fs, io, sync::Arc};

const FILE: &str = "/proc/self/oom_score_adj";
/// What the kernel takes.
const BOUND: i32 = 1000;

/// The adjustment that the process had before it was changed here; `None` while it is not.
type Before = Mutex<Option<i32>>;

/// Adjusts the process, now and when the settings change.
pub fn follow(config: &Config) {
    let before = Arc::new(Before::default());
    if let Err(error) = adjust(&config.current(), &before) {
        tracing::warn!(%error, "oom-score-adj could not be set");
    }
    config.on_change(Box::new(move |was, is| {
        if (was.oom_score_adj, was.oom_score_adj_values) == (is.oom_score_adj, is.oom_score_adj_values) {
            return Ok(());
        }
        adjust(is, &before).map_err(|error| {
            tracing::warn!(%error, "oom-score-adj could not be set");
            SetError::failed("oom-score-adj", "Failed to set current oom_score_adj. Check server logs.")
        })
    }));
}

fn adjust(settings: &Settings, before: &Before) -> io::Result<()> {
    let mut before = before.lock();
    let [own, ..] = settings.oom_score_adj_values.0;
    let value = match (settings.oom_score_adj, *before) {
        (OomScoreAdj::No, None) => return Ok(()),
        (OomScoreAdj::No, Some(restored)) => restored,
        (mode, known) => {
            let base = match known {
                Some(base) => base,
                None => fs::read_to_string(FILE)?.trim().parse().map_err(io::Error::other)?,
            };
            *before = Some(base);
            if mode == OomScoreAdj::Absolute { own } else { base.saturating_add(own) }
        }
    };
    let result = fs::write(FILE, value.clamp(-BOUND, BOUND).to_string());
    if result.is_err() || settings.oom_score_adj == OomScoreAdj::No {
        *before = None;
    }
    result
}
