//! When keys were last used, for OBJECT IDLETIME and OBJECT FREQ.
//!
//! The index keeps 3 bits of age and 2 of frequency per key, which is what eviction needs. This
//! table answers in seconds for the keys used last: it is small, of fixed size, and forgets by
//! overwriting, so that a read costs one store and no key pays for it.

use crate::util::clock::UnixMillis;

const ENTRIES: usize = 1024;

pub(super) struct Recency {
    /// `fingerprint 24 | LFU counter 8 | seconds 32`
    entries: Box<[u64; ENTRIES]>,
    /// A number drawn at each use.
    lot: u64,
}

impl Default for Recency {
    fn default() -> Self {
        Recency { entries: Box::new([0; ENTRIES]), lot: 0 }
    }
}

/// What the table knows of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LastUse {
    pub seconds: u32,
    pub frequency: u8,
}

/// The counter of a new key, as in Redis.
pub(super) const FREQUENCY_NEW: u8 = 5;
/// How much rarer each step of the counter is than the one before: `lfu-log-factor`, as it is by default.
const LOG_FACTOR: u64 = 10;
/// The counter loses one each time that a key is not used for so long: `lfu-decay-time`, as it is by default.
const DECAY_SECONDS: u64 = 60;

impl LastUse {
    /// The counter as it is later.
    pub fn frequency_at(self, now: UnixMillis) -> u8 {
        decayed(self.frequency.into(), self.seconds.into(), (now / 1000) as u32 as u64) as u8
    }
}

fn decayed(frequency: u64, since: u64, seconds: u64) -> u64 {
    frequency.saturating_sub(seconds.saturating_sub(since) / DECAY_SECONDS)
}

impl Recency {
    fn place(hash: u64) -> (usize, u64) {
        // Other bits than those that lead to the shard and the bucket.
        (hash as usize % ENTRIES, (hash >> 10 & 0xFF_FFFF).max(1))
    }

    #[inline]
    pub fn note(&mut self, hash: u64, now: UnixMillis) {
        let (index, print) = Self::place(hash);
        let word = self.entries[index];
        let seconds = (now / 1000) as u32 as u64;
        let frequency = match word >> 40 == print {
            true => self.counted(decayed(word >> 32 & 0xFF, word & 0xFFFF_FFFF, seconds)),
            false => FREQUENCY_NEW as u64,
        };
        self.entries[index] = print << 40 | frequency << 32 | seconds;
    }

    /// Notes a key that is new: how often another one of its name was used is none of its own.
    pub fn begin(&mut self, hash: u64, now: UnixMillis) {
        self.set(hash, LastUse { seconds: (now / 1000) as u32, frequency: FREQUENCY_NEW });
    }

    /// The counter after one more use: it grows as the logarithm of the uses, by lot.
    #[inline]
    fn counted(&mut self, frequency: u64) -> u64 {
        self.lot = self.lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let chances = frequency.saturating_sub(FREQUENCY_NEW as u64) * LOG_FACTOR + 1;
        let drawn = ((self.lot >> 32) * chances) >> 32;
        frequency + u64::from(drawn == 0 && frequency < 0xFF)
    }

    pub fn get(&self, hash: u64) -> Option<LastUse> {
        let (index, print) = Self::place(hash);
        let word = self.entries[index];
        (word >> 40 == print).then_some(LastUse { seconds: word as u32, frequency: (word >> 32) as u8 })
    }

    pub fn set(&mut self, hash: u64, last: LastUse) {
        let (index, print) = Self::place(hash);
        self.entries[index] = print << 40 | (last.frequency as u64) << 32 | last.seconds as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "arithmetic alone")]
    fn the_counter_grows_as_the_logarithm_of_the_uses_and_decays() {
        let mut recency = Recency::default();
        let (hot, warm) = (7, 8);
        recency.note(warm, 0);
        for _ in 0..100_000 {
            recency.note(hot, 0);
        }
        let counter = |recency: &Recency, hash, now| recency.get(hash).map(|last| last.frequency_at(now));
        assert_eq!(counter(&recency, warm, 0), Some(FREQUENCY_NEW));
        // Redis's documentation has 142 for 100,000 uses.
        let after = counter(&recency, hot, 0).expect("noted");
        assert!((120..165).contains(&after), "{after}");
        assert_eq!(counter(&recency, hot, 10 * 60_000), Some(after - 10));
        recency.note(hot, 10 * 60_000);
        assert!(counter(&recency, hot, 10 * 60_000).is_some_and(|later| later <= after - 9));
    }
}
