//! How a command steers the server around it: SHUTDOWN sets the mark here that the thread which
//! started the server waits for; DEBUG holds the cron.

use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[derive(Default)]
pub struct Lifecycle {
    state: Mutex<State>,
    changed: Condvar,
    cron_held: AtomicBool,
}

#[derive(Default)]
struct State {
    stopping: bool,
    /// Shutdowns under way: they may be asked for from several sides.
    attempts: usize,
    /// SHUTDOWN ABORT has ended those.
    aborted: bool,
}

/// SHUTDOWN ABORT came before the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Aborted;

impl Lifecycle {
    /// A shutdown begins. Until `finish` it may be aborted.
    pub fn begin_shutdown(&self) -> Attempt<'_> {
        let mut state = self.state.lock();
        if state.attempts == 0 {
            state.aborted = false;
        }
        state.attempts += 1;
        Attempt(self)
    }

    /// Ends the shutdowns under way; false: there are none.
    pub fn abort_shutdown(&self) -> bool {
        let mut state = self.state.lock();
        if state.attempts == 0 || state.stopping {
            return false;
        }
        state.aborted = true;
        self.changed.notify_all();
        true
    }

    pub fn is_stopping(&self) -> bool {
        self.state.lock().stopping
    }

    /// Waits until a shutdown is finished.
    pub fn wait(&self) {
        let mut state = self.state.lock();
        while !state.stopping {
            self.changed.wait(&mut state);
        }
    }

    /// DEBUG PAUSE-CRON: holds what happens by itself, or lets it go on.
    pub fn hold_cron(&self, held: bool) {
        let _state = self.state.lock();
        self.cron_held.store(held, Relaxed);
        self.changed.notify_all();
    }

    pub fn is_cron_held(&self) -> bool {
        self.cron_held.load(Relaxed)
    }
}

/// A shutdown that is under way.
pub struct Attempt<'l>(&'l Lifecycle);

impl Attempt<'_> {
    /// Waits while the cron is held, or until the abort.
    pub fn wait_for_cron(&self) {
        let mut state = self.0.state.lock();
        while self.0.is_cron_held() && !state.aborted {
            self.0.changed.wait(&mut state);
        }
    }

    pub fn is_aborted(&self) -> bool {
        self.0.state.lock().aborted
    }

    /// Everything that is to be saved has been: the server ends, unless that was aborted.
    pub fn finish(self) -> Result<(), Aborted> {
        let mut state = self.0.state.lock();
        if state.aborted {
            return Err(Aborted);
        }
        state.stopping = true;
        self.0.changed.notify_all();
        Ok(())
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.state.lock().attempts -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aborted_shutdown_does_not_end_the_server_and_the_next_one_does() {
        let lifecycle = Lifecycle::default();
        assert!(!lifecycle.abort_shutdown());
        lifecycle.hold_cron(true);
        let attempt = lifecycle.begin_shutdown();
        std::thread::scope(|scope| {
            scope.spawn(|| attempt.wait_for_cron());
            assert!(lifecycle.abort_shutdown());
        });
        assert!(attempt.is_aborted());
        assert_eq!(attempt.finish(), Err(Aborted));
        assert!(!lifecycle.is_stopping() && !lifecycle.abort_shutdown());
        lifecycle.hold_cron(false);
        let attempt = lifecycle.begin_shutdown();
        attempt.wait_for_cron();
        assert_eq!(attempt.finish(), Ok(()));
        assert!(lifecycle.is_stopping() && !lifecycle.abort_shutdown());
    }
}
