//! Time is passed in: everything below `net` takes `now` as an argument.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// Milliseconds since the Unix epoch, as Redis's commands count them.
pub type UnixMillis = i64;

/// Reads the wall clock. Only `net`, `server` and tests call this.
pub fn unix_millis() -> UnixMillis {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as UnixMillis)
}

/// Where a server instance takes the time from: the wall, or a hand that a test moves.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    Wall,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    pub fn manual(start: UnixMillis) -> Clock {
        Clock::Manual(Arc::new(AtomicI64::new(start)))
    }

    pub fn now(&self) -> UnixMillis {
        match self {
            Clock::Wall => unix_millis(),
            Clock::Manual(now) => now.load(Ordering::Relaxed),
        }
    }

    /// The time `elapsed` after `now` answered `base`, without reading the wall clock again.
    pub fn after(&self, base: UnixMillis, elapsed: std::time::Duration) -> UnixMillis {
        match self {
            Clock::Wall => base.saturating_add(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)),
            Clock::Manual(_) => self.now(),
        }
    }

    /// Moves a manual clock; the wall's cannot be moved.
    pub fn advance(&self, ms: i64) {
        if let Clock::Manual(now) = self {
            now.fetch_add(ms, Ordering::Relaxed);
        }
    }
}
