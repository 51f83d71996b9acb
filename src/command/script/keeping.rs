//! How far the function libraries are on the disk.
//!
//! They are one file, and a sync takes the disk's time: so a thread of its own writes it, once for all changes that have come
//! by then. Who has made a change gets his reply when it is written ([`Keeping::has`]); his thread serves others meanwhile.

use crate::command::ClientHandle;
use parking_lot::{Condvar, Mutex};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::*},
};

#[derive(Default)]
pub struct Keeping {
    state: Mutex<State>,
    changed: Condvar,
    /// The generation of the libraries that has been written.
    kept: AtomicU64,
}

#[derive(Default)]
struct State {
    /// There is a thread that writes.
    is_open: bool,
    wanted: u64,
    /// Whose replies wait.
    waiting: Vec<Arc<ClientHandle>>,
}

impl Keeping {
    pub fn open(&self) {
        self.state.lock().is_open = true;
    }

    /// Nothing more is asked for; what has been is still written.
    pub fn close(&self) {
        self.state.lock().is_open = false;
        self.changed.notify_all();
    }

    /// Asks for the libraries of this generation to be written, and the client to be woken then. False: there is no thread.
    pub fn ask(&self, generation: u64, client: &Arc<ClientHandle>) -> bool {
        let mut state = self.state.lock();
        if !state.is_open {
            return false;
        }
        state.wanted = state.wanted.max(generation);
        if !state.waiting.last().is_some_and(|last| Arc::ptr_eq(last, client)) {
            state.waiting.push(Arc::clone(client));
        }
        self.changed.notify_one();
        true
    }

    /// Whether they have been written.
    pub fn has(&self, generation: u64) -> bool {
        self.kept.load(Acquire) >= generation
    }

    /// For the thread: waits until there is something to write; false when nothing more comes.
    pub fn wait(&self) -> bool {
        let mut state = self.state.lock();
        while self.has(state.wanted) {
            if !state.is_open {
                return false;
            }
            self.changed.wait(&mut state);
        }
        true
    }

    /// The libraries of this generation have been written, or cannot be.
    pub fn done(&self, generation: u64) {
        let mut state = self.state.lock();
        self.kept.fetch_max(generation, Release);
        state.waiting.iter().for_each(|client| client.note_kept());
        if self.has(state.wanted) {
            state.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_has_come_is_written_at_once() {
        let (keeping, clients) = (Keeping::default(), [1, 2].map(|id| Arc::new(ClientHandle::new(id))));
        assert!(!keeping.ask(1, &clients[0]));
        keeping.open();
        for generation in 1..=1000 {
            assert!(keeping.ask(generation, &clients[generation as usize % 2]));
        }
        assert!(keeping.wait() && !keeping.has(1));
        keeping.done(700);
        assert!(keeping.has(700) && !keeping.has(701));
        assert!(clients.iter().all(|client| client.take_kept()));
        assert!(keeping.wait());
        keeping.done(1000);
        assert!(clients.iter().all(|client| client.take_kept()));
        keeping.ask(1001, &clients[0]);
        keeping.close();
        assert!(keeping.wait());
        keeping.done(1001);
        assert!(!keeping.wait());
    }
}
