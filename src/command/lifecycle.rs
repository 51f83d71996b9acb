//! How a command ends the server: SHUTDOWN sets the mark here, the thread that started the server
//! waits for it.

use parking_lot::{Condvar, Mutex};

#[derive(Default)]
pub struct Lifecycle {
    stopping: Mutex<bool>,
    changed: Condvar,
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
