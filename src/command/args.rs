//! Arguments as numbers and times.

use super::Error;
use crate::util::{clock::UnixMillis, number};

/// An integer argument.
pub fn integer(arg: &[u8]) -> Result<i64, Error> {
    number::parse_i64(arg).ok_or(Error::NOT_INTEGER)
}

/// Whether an argument is the given word, whatever its case.
pub fn is_word(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// How an option gives a time to live: EX, PX, EXAT, PXAT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeUnit {
    pub milliseconds: bool,
    /// A point in time rather than a span.
    pub absolute: bool,
}

impl TimeUnit {
    pub const EX: TimeUnit = TimeUnit { milliseconds: false, absolute: false };
    pub const PX: TimeUnit = TimeUnit { milliseconds: true, absolute: false };
    pub const EXAT: TimeUnit = TimeUnit { milliseconds: false, absolute: true };
    pub const PXAT: TimeUnit = TimeUnit { milliseconds: true, absolute: true };

    /// The unit an option's word means.
    pub fn of_word(word: &[u8]) -> Option<TimeUnit> {
        [("ex", Self::EX), ("px", Self::PX), ("exat", Self::EXAT), ("pxat", Self::PXAT)]
            .into_iter()
            .find_map(|(name, unit)| is_word(word, name).then_some(unit))
    }

    /// The moment that `arg` means in this unit; it must be positive and representable.
    pub fn moment(self, arg: &[u8], now: UnixMillis, command: &str) -> Result<UnixMillis, Error> {
        let amount = integer(arg)?;
        Some(amount)
            .filter(|&amount| amount > 0)
            .and_then(|amount| if self.milliseconds { Some(amount) } else { amount.checked_mul(1000) })
            .and_then(|amount| if self.absolute { Some(amount) } else { amount.checked_add(now) })
            .ok_or_else(|| Error::invalid_expire(command))
    }
}
