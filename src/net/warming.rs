//! Letting memory come while other connections are served.
//!
//! A pipeline's later commands have their memory fetched while the first ones run. A single command
//! has no others to hide behind, but its thread has other connections. So a connection that has read
//! a few commands asks for their buckets and lets the others read theirs; whoever runs first asks for
//! the items of all that wait, and each finds its own when its turn comes.
//!
//! Meanwhile they hold on to the buffers they have read into, so only so many of a thread wait at a time.

use std::cell::{Cell, RefCell};

/// More commands than these hide each other's memory.
pub const COMMANDS_MAX: usize = 4;
/// Connections of a thread that wait for memory.
const CONNECTIONS_MAX: usize = 64;

thread_local! {
    static WAITING: Cell<usize> = const { Cell::new(0) };
    /// Whose items are still to be asked for: database and hash.
    static KEYS: RefCell<Vec<(usize, u64)>> = const { RefCell::new(Vec::new()) };
}

/// A connection that waits for memory.
pub struct Warming(());

impl Warming {
    /// Begins to wait for the items of keys with these hashes; `None` when enough others of the thread do so.
    pub fn begin(db: usize, hashes: &[u64]) -> Option<Warming> {
        if WAITING.get() >= CONNECTIONS_MAX {
            return None;
        }
        WAITING.set(WAITING.get() + 1);
        KEYS.with_borrow_mut(|keys| keys.extend(hashes.iter().map(|hash| (db, *hash))));
        Some(Warming(()))
    }

    /// The commands are about to run: asks for what all wait for, if nobody has yet.
    pub fn end(self, mut fetch: impl FnMut(usize, u64)) {
        KEYS.with_borrow_mut(|keys| keys.drain(..).for_each(|(db, hash)| fetch(db, hash)));
    }
}

impl Drop for Warming {
    fn drop(&mut self) {
        WAITING.set(WAITING.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_first_asks_for_all() {
        let (first, second) = (Warming::begin(0, &[1, 2]).expect("room"), Warming::begin(3, &[4]).expect("room"));
        let mut asked = Vec::new();
        first.end(|db, hash| asked.push((db, hash)));
        second.end(|db, hash| asked.push((db, hash)));
        assert_eq!(asked, [(0, 1), (0, 2), (3, 4)]);
    }

    #[test]
    fn only_so_many_wait() {
        let all: Vec<_> = std::iter::repeat_with(|| Warming::begin(0, &[])).take_while(Option::is_some).collect();
        assert_eq!(all.len(), CONNECTIONS_MAX);
        drop(all);
        assert!(Warming::begin(0, &[]).is_some());
    }
}
