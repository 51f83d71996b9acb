//! Letting memory come for several connections at once.
//!
//! A pipeline's commands have their memory fetched together, before the first one runs. A single command has no others
//! to wait with, but its thread has other connections. So one that has read a few commands lets the others read theirs;
//! whoever comes to run first has the memory of all that wait fetched together.
//!
//! Meanwhile they hold on to the buffers they have read into, so only so many of a thread wait at a time.

use smallvec::SmallVec;
use std::cell::{Cell, RefCell};

/// More commands than these are worth fetching for by themselves.
pub const COMMANDS_MAX: usize = 4;
/// Connections of a thread that wait for memory.
const CONNECTIONS_MAX: usize = 64;

thread_local! {
    static WAITING: Cell<usize> = const { Cell::new(0) };
    /// What is still to be fetched: the databases and hashes of keys.
    static KEYS: RefCell<Vec<(usize, u64)>> = const { RefCell::new(Vec::new()) };
}

/// A connection that waits for memory.
pub struct Warming(());

impl Warming {
    /// Begins to wait for keys with these hashes; `None` when enough others of the thread do so.
    pub fn begin(db: usize, hashes: &[u64]) -> Option<Warming> {
        if WAITING.get() >= CONNECTIONS_MAX {
            return None;
        }
        WAITING.set(WAITING.get() + 1);
        KEYS.with_borrow_mut(|keys| keys.extend(hashes.iter().map(|hash| (db, *hash))));
        Some(Warming(()))
    }

    /// The commands are about to run: has fetched what all wait for, if nobody has yet; those of a database together.
    pub fn end(self, mut fetch: impl FnMut(usize, &[u64])) {
        KEYS.with_borrow_mut(|keys| {
            for run in keys.chunk_by(|one, next| one.0 == next.0) {
                let hashes: SmallVec<[u64; CONNECTIONS_MAX]> = run.iter().map(|(_, hash)| *hash).collect();
                fetch(run[0].0, &hashes);
            }
            keys.clear();
        });
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
        first.end(|db, hashes| asked.push((db, hashes.to_vec())));
        second.end(|db, hashes| asked.push((db, hashes.to_vec())));
        assert_eq!(asked, [(0, vec![1, 2]), (3, vec![4])]);
    }

    #[test]
    fn only_so_many_wait() {
        let all: Vec<_> = std::iter::repeat_with(|| Warming::begin(0, &[])).take_while(Option::is_some).collect();
        assert_eq!(all.len(), CONNECTIONS_MAX);
        drop(all);
        assert!(Warming::begin(0, &[]).is_some());
    }
}
