//! When keys were last used, for OBJECT IDLETIME and OBJECT FREQ.
//!
//! The index keeps 3 bits of age and 2 of frequency per key, which is what eviction needs. This
//! table answers in seconds for the keys used last: it is small, of fixed size, and forgets by
//! overwriting, so that a read costs one store and no key pays for it.

use crate::util::clock::UnixMillis;

const ENTRIES: usize = 1024;

/// `fingerprint 24 | LFU counter 8 | seconds 32`
pub(super) struct Recency(Box<[u64; ENTRIES]>);

impl Default for Recency {
    fn default() -> Self {
        Recency(Box::new([0; ENTRIES]))
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

impl Recency {
    fn place(hash: u64) -> (usize, u64) {
        // Other bits than those that lead to the shard and the bucket.
        (hash as usize % ENTRIES, (hash >> 10 & 0xFF_FFFF).max(1))
    }

    #[inline]
    pub fn note(&mut self, hash: u64, now: UnixMillis) {
        let (index, print) = Self::place(hash);
        let word = self.0[index];
        let seconds = (now / 1000) as u32 as u64;
        let frequency = if word >> 40 == print { word >> 32 & 0xFF } else { FREQUENCY_NEW as u64 };
        self.0[index] = print << 40 | frequency << 32 | seconds;
    }

    pub fn get(&self, hash: u64) -> Option<LastUse> {
        let (index, print) = Self::place(hash);
        let word = self.0[index];
        (word >> 40 == print).then_some(LastUse { seconds: word as u32, frequency: (word >> 32) as u8 })
    }

    pub fn set(&mut self, hash: u64, last: LastUse) {
        let (index, print) = Self::place(hash);
        self.0[index] = print << 40 | (last.frequency as u64) << 32 | last.seconds as u64;
    }
}
