//! Time is passed in: everything below `net` takes `now` as an argument.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Milliseconds since the Unix epoch, as Redis's commands count them.
pub type UnixMillis = i64;

/// Reads the wall clock. Only `net`, `server` and tests call this.
pub fn unix_millis() -> UnixMillis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_millis() as UnixMillis)
}

/// A step of the wall's clock is seen after so long.
const LOOK_AFTER_NANOS: u64 = 50_000_000;

thread_local! {
    /// When this thread looked at the wall, and what it showed, in nanoseconds.
    static WALL: std::cell::Cell<(Moment, u64)> = const { std::cell::Cell::new((Moment(0), 0)) };
}

/// A reading of the steady clock, cheaper to take and to compare than `std`'s.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Moment(u64);

impl Moment {
    #[inline]
    pub fn now() -> Moment {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Moment((time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64))
    }

    /// Nanoseconds from `earlier` to this moment.
    #[inline]
    pub fn since(self, earlier: Moment) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
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

    /// Microseconds since the Unix epoch.
    pub fn micros(&self) -> i64 {
        match self {
            Clock::Wall => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_micros() as i64),
            Clock::Manual(now) => now.load(Ordering::Relaxed) * 1000,
        }
    }

    /// The time at a moment that has just been read. The wall itself is looked at seldom: between two
    /// looks the steady clock tells how far it has moved.
    #[inline]
    pub fn at(&self, moment: Moment) -> UnixMillis {
        match self {
            Clock::Wall => WALL.with(|seen| {
                let (base, mut nanos) = seen.get();
                let since = moment.0.wrapping_sub(base.0);
                if since < LOOK_AFTER_NANOS {
                    nanos += since;
                } else {
                    nanos = std::time::SystemTime::now()
                        .duration_since(std::time::UNIX_EPOCH)
                        .map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(0));
                    seen.set((moment, nanos));
                }
                (nanos / 1_000_000) as UnixMillis
            }),
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
