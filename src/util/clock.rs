//! Time is passed in: everything below `net` takes `now` as an argument.

use std::{
    sync::{
        Arc, LazyLock,
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

/// In a millisecond.
const NANOS: u64 = 1_000_000;
/// A step of the wall's clock is seen after so long.
const LOOK_AFTER_NANOS: u64 = 50_000_000;

thread_local! {
    /// When this thread looked at the wall, and what it showed, in nanoseconds.
    static WALL: std::cell::Cell<(Moment, u64)> = const { std::cell::Cell::new((Moment(0), 0)) };
}

/// The processor's own counter where it is a clock (else the system's steady clock): it is read after each command, and
/// to ask the system takes two and a half times as long.
static COUNTER: LazyLock<quanta::Clock> = LazyLock::new(quanta::Clock::new);

/// How many of the counter's units 2^20 nanoseconds are, about a millisecond.
static UNITS: LazyLock<u64> = LazyLock::new(|| (1 << 52) / COUNTER.delta_as_nanos(0, 1 << 32).max(1));

/// A reading of a steady clock, in its own unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Moment(u64);

impl Moment {
    #[inline]
    pub fn now() -> Moment {
        Moment(COUNTER.raw())
    }

    /// Nanoseconds from `earlier` to this moment; 0 if it was not earlier.
    #[inline]
    pub fn since(self, earlier: Moment) -> u64 {
        COUNTER.delta_as_nanos(earlier.0, self.0)
    }

    /// The moment so many nanoseconds, a few seconds at most, after this one.
    #[inline]
    pub fn after(self, nanos: u64) -> Moment {
        Moment(self.0.saturating_add(nanos.saturating_mul(*UNITS) >> 20))
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

    /// The time at a moment that has just been read, and for how many nanoseconds it stays so. The wall itself is looked at
    /// seldom: between two looks the steady clock tells how far it has moved.
    pub fn at(&self, moment: Moment) -> (UnixMillis, u64) {
        match self {
            Clock::Wall => WALL.with(|seen| {
                let (base, mut nanos) = seen.get();
                let since = moment.since(base);
                // Not even the counter of another processor can lead far astray.
                if moment >= base && since < LOOK_AFTER_NANOS {
                    nanos += since;
                } else {
                    nanos = std::time::SystemTime::now()
                        .duration_since(std::time::UNIX_EPOCH)
                        .map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(0));
                    seen.set((moment, nanos));
                }
                ((nanos / NANOS) as UnixMillis, NANOS - nanos % NANOS)
            }),
            // Its hand may be moved at any time.
            Clock::Manual(_) => (self.now(), 0),
        }
    }

    /// Moves a manual clock; the wall's cannot be moved.
    pub fn advance(&self, ms: i64) {
        if let Clock::Manual(now) = self {
            now.fetch_add(ms, Ordering::Relaxed);
        }
    }
}
