//! Letting memory come while other connections are served.
//!
//! A pipeline's later commands have their memory fetched while the first ones run. A single command
//! has no others to hide behind, but its thread has other connections: so a connection that has read
//! a few commands asks for their buckets and lets the others read theirs; asks for the items that
//! the buckets lead to and lets the others do that; and runs its commands then, when all is here.
//!
//! Meanwhile it holds on to the buffer it has read into, so only so many of a thread do this at a time.

use std::cell::Cell;

/// More commands than these hide each other's memory.
pub const COMMANDS_MAX: usize = 4;
/// Connections of a thread that wait for memory.
const CONNECTIONS_MAX: usize = 64;

thread_local! {
    static WARMING: Cell<usize> = const { Cell::new(0) };
}

/// A connection that waits for memory.
pub struct Warming {
    /// Whether the items have been asked for.
    items: bool,
}

impl Warming {
    /// `None` when enough others of the thread do so.
    pub fn begin() -> Option<Warming> {
        WARMING.with(|count| {
            (count.get() < CONNECTIONS_MAX).then(|| {
                count.set(count.get() + 1);
                Warming { items: false }
            })
        })
    }

    /// The others had their turn. Whether the items are to be asked for now; otherwise the commands may run.
    pub fn goes_on(&mut self) -> bool {
        // Nobody to wait with.
        let alone = WARMING.with(Cell::get) == 1;
        !std::mem::replace(&mut self.items, true) && !alone
    }
}

impl Drop for Warming {
    fn drop(&mut self) {
        WARMING.with(|count| count.set(count.get() - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_turns_are_waited_and_one_alone() {
        let mut first = Warming::begin().expect("room");
        let second = Warming::begin();
        assert!(first.goes_on());
        assert!(!first.goes_on());
        drop((first, second));
        assert!(!Warming::begin().expect("room").goes_on());
    }

    #[test]
    fn only_so_many_wait() {
        let all: Vec<_> = std::iter::repeat_with(Warming::begin).take_while(Option::is_some).collect();
        assert_eq!(all.len(), CONNECTIONS_MAX);
        drop(all);
        assert!(Warming::begin().is_some());
    }
}
