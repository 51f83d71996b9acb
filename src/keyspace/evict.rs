//! Eviction: a hand walks the index in hash order and judges small groups of keys by the bits in
//! their slots, without touching an item.
//!
//! For the `s3fifo` policies this is S3-FIFO (Yang et al., SOSP 2023) without its queues: a new
//! key is on probation (`main` = 0) unless the ghost table remembers that it was evicted lately; a
//! hit raises `freq`; a key on probation that was hit moves to `main` when the hand passes, one
//! that was not is the first to go. `lru` evicts by age, `ttl` by expiry, `random` at random, each
//! among the group under the hand; `lfu` by frequency, to which the use before an eviction belongs,
//! then by age.
//!
//! Other than in S3-FIFO, the ghost table remembers what goes from `main`, too: that is as likely to
//! come back, and fewer requests missed in the traces that were run with and without
//! (`benches/hit_ratio`, docs/benchmarks.md).

use super::shard::{Found, Shard};
use crate::{
    arena::Offset,
    config::Policy,
    index::{Place, Slot},
    keyspace::item::Header,
    types,
    util::clock::UnixMillis,
};

/// Keys judged at a time.
const GROUP: usize = 32;
/// Of which at most so many go.
pub(super) const VICTIMS: usize = 4;

/// A shard's state of eviction.
pub(super) struct Evictor {
    hands: Vec<u64>,
    /// Counts uses in coarse steps; its low three bits stamp the slots.
    age: u32,
    /// When the last eight ages began, each at its low three bits.
    began: [UnixMillis; 8],
    admitted: u64,
    ghost: Option<Ghost>,
    /// Which database the hand moves in next.
    turn: usize,
}

impl Evictor {
    pub fn new(databases: usize) -> Evictor {
        Evictor { hands: vec![0; databases], age: 0, began: [0; 8], admitted: 0, ghost: None, turn: 0 }
    }

    #[inline]
    pub fn age(&self) -> u8 {
        self.age as u8 & 7
    }

    /// The time that a slot's age stands for: it began then, and the next one then.
    pub fn span(&self, age: u8, now: UnixMillis) -> (UnixMillis, UnixMillis) {
        let from = self.began[usize::from(age & 7)];
        let to = if age == self.age() { now } else { self.began[usize::from(age.wrapping_add(1) & 7)] };
        // After a restart nobody knows.
        if from == 0 || to < from { (now, now) } else { (from, to) }
    }

    /// A new key comes in: its slot's first bits. An age is an eighth of the keys' number of
    /// admissions, so that seven ages span about the time that a key stays.
    pub fn admit(&mut self, hash: u64, slot: Slot, len: u64, now: UnixMillis) -> Slot {
        self.admitted += 1;
        if self.admitted >= (len / 8).max(64) {
            self.admitted = 0;
            self.age = self.age.wrapping_add(1);
            self.began[self.age() as usize] = now;
        } else if self.began[self.age() as usize] == 0 {
            self.began[self.age() as usize] = now;
        }
        let remembered = self.ghost.as_mut().is_some_and(|ghost| ghost.take(hash));
        slot.with_age(self.age()).with_main(remembered).with_freq(remembered.into())
    }

    /// A key is evicted that would be welcome back.
    fn remember(&mut self, hash: u64, keys: u64) {
        match &mut self.ghost {
            Some(ghost) if !ghost.is_small_for(keys) => ghost.add(hash),
            ghost => ghost.insert(Ghost::new(keys)).add(hash),
        }
    }
}

/// Fingerprints of evicted keys: 16 bits each, four to a bucket, the oldest overwritten.
struct Ghost {
    buckets: Vec<[u16; 4]>,
}

impl Ghost {
    fn new(keys: u64) -> Ghost {
        Ghost { buckets: vec![[0; 4]; Ghost::buckets_for(keys)] }
    }

    /// A fingerprint for each of so many keys.
    fn buckets_for(keys: u64) -> usize {
        (keys / 4).next_power_of_two().clamp(64, 1 << 18) as usize
    }

    /// Whether there are far more keys than when it was made: `maxmemory` has been raised.
    fn is_small_for(&self, keys: u64) -> bool {
        self.buckets.len() * 4 < Ghost::buckets_for(keys)
    }

    fn place(&self, hash: u64) -> (usize, u16) {
        (((hash >> 16) as usize) & (self.buckets.len() - 1), (hash as u16).max(1))
    }

    fn add(&mut self, hash: u64) {
        let (index, print) = self.place(hash);
        let bucket = &mut self.buckets[index];
        bucket.rotate_right(1);
        bucket[0] = print;
    }

    fn take(&mut self, hash: u64) -> bool {
        let (index, print) = self.place(hash);
        match self.buckets[index].iter_mut().find(|entry| **entry == print) {
            Some(entry) => {
                *entry = 0;
                true
            }
            None => false,
        }
    }
}

impl Shard {
    /// Evicts a few keys under the hand, at most `most`; answers how many. 0 means that a whole round found none
    /// that the policy lets go.
    pub fn evict(&mut self, policy: Policy, most: usize) -> usize {
        if policy == Policy::NoEviction {
            return 0;
        }
        let databases = self.indexes.len();
        for _ in 0..databases {
            let db = self.evictor.turn % databases;
            let index = &self.indexes[db];
            let candidates = if policy.is_volatile() { index.expires() } else { index.len() };
            let gone = if candidates == 0 { 0 } else { self.evict_in(db, policy, most) };
            // A database keeps its turn in proportion to its keys.
            if gone == 0
                || fastrand::u64(..self.indexes.iter().map(|index| index.len()).sum::<u64>().max(1))
                    >= index_len(self, db)
            {
                self.evictor.turn = self.evictor.turn.wrapping_add(1);
            }
            if gone > 0 {
                return gone;
            }
        }
        0
    }

    fn evict_in(&mut self, db: usize, policy: Policy, most: usize) -> usize {
        let mut group: Vec<(Place, Slot)> = Vec::with_capacity(GROUP * 2);
        let mut wrapped = false;
        loop {
            group.clear();
            // What is in the snapshot's file only is not read for that: it would give no memory back.
            self.heap.look();
            let next = self.indexes[db].walk(&self.heap, self.evictor.hands[db], GROUP, |place, slot| {
                // A hash of which only fields expire has a code too.
                let expires = || Header::read(self.heap.chunk(slot.location())).is_some_and(|it| it.expiry.is_some());
                if !policy.is_volatile() || slot.has_expiry() && expires() {
                    group.push((place, slot));
                }
            });
            if !self.heap.looked().is_empty() || self.heap.arena().is_loading() {
                group.retain(|(_, slot)| self.is_here(slot.location()));
            }
            self.evictor.hands[db] = next.unwrap_or(0);
            if !group.is_empty() {
                let gone = self.judge(db, policy, &mut group, most);
                if gone > 0 {
                    return gone;
                }
            }
            // At the end once more from the start: the hand may have begun in the middle.
            if next.is_none() && std::mem::replace(&mut wrapped, true) {
                return 0;
            }
        }
    }

    /// Whether an item can go without a look at the snapshot's file.
    fn is_here(&self, at: Offset) -> bool {
        self.heap.look();
        let roots_are_here = self
            .view_at(at)
            .is_some_and(|view| types::roots(view.encoding, view.value).all(|root| !self.heap.is_absent(root.node)));
        self.heap.looked().is_empty() && roots_are_here
    }

    /// Lets the least worthy of the group go and ages the others.
    fn judge(&mut self, db: usize, policy: Policy, group: &mut [(Place, Slot)], most: usize) -> usize {
        let age = self.evictor.age();
        let staleness = |slot: Slot| (age.wrapping_sub(slot.age()) & 7) as i64;
        let worth = |heap: &crate::arena::ShardHeap, slot: Slot| -> i64 {
            match policy {
                Policy::AllkeysS3Fifo | Policy::VolatileS3Fifo => {
                    let hit = if slot.freq() > 0 { 64 } else { 0 };
                    hit + if slot.main() { 16 } else { 0 } + slot.freq() as i64 * 8 - staleness(slot)
                }
                Policy::AllkeysLru | Policy::VolatileLru | Policy::AllkeysLrm | Policy::VolatileLrm => -staleness(slot),
                Policy::AllkeysLfu | Policy::VolatileLfu => {
                    slot.freq() as i64 * 16 + if slot.main() { 8 } else { 0 } - staleness(slot)
                }
                Policy::VolatileTtl => {
                    Header::read(heap.chunk(slot.location())).and_then(|header| header.expiry).unwrap_or(i64::MAX)
                }
                Policy::AllkeysRandom | Policy::VolatileRandom | Policy::NoEviction => fastrand::i64(..),
            }
        };
        group.sort_by_cached_key(|(_, slot)| worth(&self.heap, *slot));
        let victims = (group.len() / 8).clamp(1, most);
        // Others first, while their places are still true.
        for (place, slot) in &group[victims..] {
            let aged = self.pass(policy, *slot);
            if aged != *slot {
                self.indexes[db].poke(&mut self.heap, *place, aged);
            }
        }
        let mut gone = 0;
        for (_, slot) in &group[..victims] {
            let Some((hash, found)) = self.find_at(db, slot.location()) else { continue };
            if policy.remembers() {
                self.evictor.remember(hash, self.indexes[db].len());
            }
            self.evict_one(db, hash, found);
            gone += 1;
        }
        gone
    }

    /// The slot of a key that the hand has passed over.
    fn pass(&self, policy: Policy, slot: Slot) -> Slot {
        let slot = match policy {
            Policy::AllkeysS3Fifo | Policy::VolatileS3Fifo => match (slot.main(), slot.freq()) {
                (_, 0) => slot,
                (false, _) => slot.with_main(true).with_freq(0),
                (true, freq) => slot.with_freq(freq - 1),
            },
            Policy::AllkeysLfu | Policy::VolatileLfu if (self.evictor.age().wrapping_sub(slot.age()) & 7) >= 6 => {
                slot.with_freq(slot.freq().saturating_sub(1))
            }
            _ => slot,
        };
        // Three bits wrap: what is oldest stays oldest.
        if self.evictor.age().wrapping_sub(slot.age()) & 7 == 7 {
            slot.with_age(self.evictor.age().wrapping_sub(6) & 7)
        } else {
            slot
        }
    }

    fn evict_one(&mut self, db: usize, hash: u64, found: Found) {
        self.note_effect(super::EffectKind::Evicted, db, &found);
        self.keep_removal(db, &found);
        self.remove(db, hash, found);
        self.counters.evicted += 1;
        self.counters.dirty += 1;
    }
}

fn index_len(shard: &Shard, db: usize) -> u64 {
    shard.indexes[db].len()
}
