//! Ending the server in order: hold writes, save, then stop. Behind SHUTDOWN and the signals.

use super::{
    Shared,
    lifecycle::{Aborted, Attempt},
    pause::Paused,
};
use crate::{config::ShutdownOn, util::clock::UnixMillis};
use std::io::ErrorKind;

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

/// Who asks by a command waits as long as it takes.
const NEVER: UnixMillis = UnixMillis::MAX;
/// Longer than any snapshot takes.
const PAUSE_MS: i64 = 24 * 3600 * 1000;

/// Saves as `how` says (empty: if there are save rules) and lets the server end. When the snapshot
/// fails and `how` lacks FORCE, or on SHUTDOWN ABORT, everything goes on as before.
pub fn shut_down(shared: &Shared, how: ShutdownOn) -> Result<(), NotEnded> {
    end(shared, how, shared.lifecycle.begin_shutdown(), NEVER)
}

/// As [`shut_down`]; a signal is heeded by what happens by itself, so it waits while that is held.
pub fn shut_down_on_signal(shared: &Shared, how: ShutdownOn) -> Result<(), NotEnded> {
    let attempt = shared.lifecycle.begin_shutdown();
    attempt.wait_for_cron();
    if attempt.is_aborted() {
        return Err(NotEnded::Aborted);
    }
    let seconds = i64::from(shared.config.current().shutdown_timeout_seconds);
    end(shared, how, attempt, if seconds == 0 { NEVER } else { shared.clock.now() + seconds * 1000 })
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

fn end(shared: &Shared, how: ShutdownOn, attempt: Attempt<'_>, due: UnixMillis) -> Result<(), NotEnded> {
    let settings = shared.config.current();
    let wanted = how.contains(ShutdownOn::SAVE) || !how.contains(ShutdownOn::NOSAVE) && !settings.save.is_empty();
    // What is acknowledged from here on might not be in the snapshot: writes wait.
    let now = shared.clock.now();
    shared.pause.begin(Paused::Writes, now.saturating_add(PAUSE_MS), now);
    shared.saver.set_due(Some(due));
    let saved = !wanted || save_last(shared, &attempt) || how.contains(ShutdownOn::FORCE);
    let ended = match saved {
        true => attempt.finish().map_err(NotEnded::from),
        false => {
            tracing::error!("Error trying to save the DB, can't exit");
            Err(NotEnded::SaveFailed)
        }
    };
    match ended {
        // Nobody is answered any more. Connections end when the process listens no longer: who sees his closed may start
        // another one.
        Ok(()) => {
            shared.pause.begin(Paused::All, now.saturating_add(PAUSE_MS), now);
        }
        Err(_) => {
            shared.saver.set_due(None);
            shared.unpause();
        }
    }
    ended
}

/// A snapshot that holds everything that was acknowledged; writes wait meanwhile.
fn save_last(shared: &Shared, attempt: &Attempt<'_>) -> bool {
    let settings = shared.config.current();
    let path = settings.snapshot_path();
    let clock = || shared.clock.now();
    shared.functions.keep_beside_snapshot(&settings);
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
            // Whoever sent the signal is about to end the process; this way it says what is lost.
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                let status = shared.saver.status();
                tracing::error!(
                    path = %path.display(),
                    taken_ms = status.last_save_ms,
                    changes = shared.saver.changes(&shared.keyspace),
                    "the final snapshot did not fit shutdown-timeout: the one before it stays; without an append-only file, changes since then are lost"
                );
                return true;
            }
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "saving the snapshot failed");
                return false;
            }
        }
    }
    true
}
