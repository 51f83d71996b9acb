//! Ending the server in order: hold writes, save, then stop. Behind SHUTDOWN and the signals.

use super::{
    Shared,
    lifecycle::{Aborted, Attempt},
    pause::Paused,
};
use crate::config::ShutdownOn;

/// Why the server goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotEnded {
    /// The last snapshot could not be written.
    SaveFailed,
    Aborted,
}

impl From<Aborted> for NotEnded {
    fn from(_: Aborted) -> Self {
        NotEnded::Aborted
    }
}

/// Longer than any snapshot takes.
const PAUSE_MS: i64 = 24 * 3600 * 1000;

/// Saves as `how` says (empty: if there are save rules) and lets the server end. When the snapshot
/// fails and `how` lacks FORCE, or on SHUTDOWN ABORT, everything goes on as before.
pub fn shut_down(shared: &Shared, how: ShutdownOn) -> Result<(), NotEnded> {
    end(shared, how, shared.lifecycle.begin_shutdown())
}

/// As [`shut_down`]; a signal is heeded by what happens by itself, so it waits while that is held.
pub fn shut_down_on_signal(shared: &Shared, how: ShutdownOn) -> Result<(), NotEnded> {
    let attempt = shared.lifecycle.begin_shutdown();
    attempt.wait_for_cron();
    if attempt.is_aborted() {
        return Err(NotEnded::Aborted);
    }
    end(shared, how, attempt)
}

/// SHUTDOWN ABORT; false: no shutdown is under way.
pub fn abort(shared: &Shared) -> bool {
    let aborted = shared.lifecycle.abort_shutdown();
    if aborted {
        tracing::warn!("Shutdown manually aborted");
        shared.unpause();
    }
    aborted
}

fn end(shared: &Shared, how: ShutdownOn, attempt: Attempt<'_>) -> Result<(), NotEnded> {
    let settings = shared.config.current();
    let wanted = how.contains(ShutdownOn::SAVE) || !how.contains(ShutdownOn::NOSAVE) && !settings.save.is_empty();
    // What is acknowledged from here on might not be in the snapshot: writes wait.
    let now = shared.clock.now();
    shared.pause.begin(Paused::Writes, now.saturating_add(PAUSE_MS), now);
    let saved = !wanted || save_last(shared, &attempt) || how.contains(ShutdownOn::FORCE);
    let ended = match saved {
        true => attempt.finish().map_err(NotEnded::from),
        false => {
            tracing::error!("Error trying to save the DB, can't exit");
            Err(NotEnded::SaveFailed)
        }
    };
    if ended.is_err() {
        shared.unpause();
    }
    ended
}

/// A snapshot that holds everything that was acknowledged; writes wait meanwhile.
fn save_last(shared: &Shared, attempt: &Attempt<'_>) -> bool {
    let path = shared.config.current().snapshot_path();
    let clock = || shared.clock.now();
    tracing::info!(path = %path.display(), "saving the final snapshot before exiting");
    // A write that was past the pause when it began is caught by a second round.
    for _ in 0..3 {
        match shared.saver.save(&shared.keyspace, &path, &clock) {
            Ok(report) => {
                tracing::info!(path = %path.display(), bytes = report.bytes, "snapshot saved on disk");
                if shared.saver.changes(&shared.keyspace) == 0 || attempt.is_aborted() {
                    return true;
                }
            }
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "saving the snapshot failed");
                return false;
            }
        }
    }
    true
}
