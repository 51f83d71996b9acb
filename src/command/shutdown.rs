//! Ending the server in order: hold writes, save, then stop. Behind SHUTDOWN and the signals.

use super::{Shared, pause::Paused};
use crate::config::ShutdownOn;

/// The last snapshot could not be written, so the server goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SaveFailed;

/// Longer than any snapshot takes.
const PAUSE_MS: i64 = 24 * 3600 * 1000;

/// Saves as `how` says (empty: if there are save rules) and lets the server end. When the snapshot
/// fails and `how` lacks FORCE, everything goes on as before.
pub fn shut_down(shared: &Shared, how: ShutdownOn) -> Result<(), SaveFailed> {
    let settings = shared.config.current();
    let wanted = how.contains(ShutdownOn::SAVE) || !how.contains(ShutdownOn::NOSAVE) && !settings.save.is_empty();
    // What is acknowledged from here on might not be in the snapshot: writes wait.
    let now = shared.clock.now();
    shared.pause.begin(Paused::Writes, now.saturating_add(PAUSE_MS), now);
    if wanted && !save_last(shared) && !how.contains(ShutdownOn::FORCE) {
        shared.unpause();
        tracing::error!("the last snapshot failed, so the server does not end");
        return Err(SaveFailed);
    }
    shared.lifecycle.stop();
    Ok(())
}

/// A snapshot that holds everything that was acknowledged; writes wait meanwhile.
fn save_last(shared: &Shared) -> bool {
    let path = shared.config.current().snapshot_path();
    let clock = || shared.clock.now();
    tracing::info!(path = %path.display(), "saving the final snapshot before exiting");
    // A write that was past the pause when it began is caught by a second round.
    for _ in 0..3 {
        match shared.saver.save(&shared.keyspace, &path, &clock) {
            Ok(report) => {
                tracing::info!(path = %path.display(), bytes = report.bytes, "snapshot saved on disk");
                if shared.saver.changes(&shared.keyspace) == 0 {
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
