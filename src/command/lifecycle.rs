//! How a command steers the server around it: SHUTDOWN sets the mark here that the thread which
//! started the server waits for; DEBUG holds the cron.

use parking_lot::{Condvar, Mutex};
use std::sync::atomic::AtomicBool;

#[derive(Default)]
pub struct Lifecycle {
    stopping: Mutex<bool>,
    changed: Condvar,
    /// DEBUG PAUSE-CRON.
    pub cron_paused: AtomicBool,
}

impl Lifecycle {
    /// Everything that is to be saved has been: the server ends.
    pub fn stop(&self) {
        *self.stopping.lock() = true;
        self.changed.notify_all();
    }

    pub fn is_stopping(&self) -> bool {
        *self.stopping.lock()
    }

    /// Waits until `stop` is called.
    pub fn wait(&self) {
        let mut stopping = self.stopping.lock();
        while !*stopping {
            self.changed.wait(&mut stopping);
        }
    }
}
