//! SCAN and RANDOMKEY: walks over a database in hash order.

use super::{Item, Locked, Type, item, shard::Shard};
use crate::util::clock::UnixMillis;

/// A cursor is the hash's top 48 bits of where to go on. That is finer than any bucket, and small
/// enough for clients that read cursors as signed or floating numbers.
const CURSOR_SHIFT: u32 = 16;
/// Keys among which RANDOMKEY chooses.
const NEAR: usize = 16;

impl Locked<'_> {
    /// One step of SCAN: calls `visit(key, item)` for about `count` keys that are not expired,
    /// answers the next cursor (0: done). Every key that is there from the first step to the
    /// last is visited, whatever else comes, goes or moves. Locks one shard at a time
    /// if none is held.
    pub fn scan(&mut self, db: usize, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8], Item<'_>)) -> u64 {
        self.scan_for(db, cursor, count, &|_| true, visit)
    }

    /// The same, but that of the expired keys only those of types `of_interest` go.
    pub fn scan_for(
        &mut self,
        db: usize,
        cursor: u64,
        count: usize,
        of_interest: &dyn Fn(Type) -> bool,
        visit: &mut dyn FnMut(&[u8], Item<'_>),
    ) -> u64 {
        let bits = u32::from(self.keyspace.shard_bits);
        // A cursor that no step gave is past the end or somewhere in the middle: either is fine.
        let Some(hash) = cursor.checked_mul(1 << CURSOR_SHIFT) else { return 0 };
        let judged_at = self.judged_at;
        let (mut shard, mut position) = (self.keyspace.shard_of(hash), hash << bits);
        let mut seen = 0;
        // Empty shards are passed over, but not all of a large number in one step.
        for _ in 0..self.keyspace.shards() {
            let next = self.with_shard(shard, |shard| {
                shard.scan(db, position, count - seen, judged_at, of_interest, &mut |key, item| {
                    seen += 1;
                    visit(key, item);
                })
            });
            match next {
                Some(next) => return ((shard as u64) << (64 - bits).min(63) | next >> bits) >> CURSOR_SHIFT,
                None => (shard, position) = (shard + 1, 0),
            }
            if shard == self.keyspace.shards() {
                return 0;
            }
            if seen >= count {
                break;
            }
        }
        ((shard as u64) << (64 - bits)) >> CURSOR_SHIFT
    }

    /// One step through a single shard: calls `visit(key)` for about `count` keys that are not expired, and answers where
    /// the next step goes on.
    pub fn scan_shard(
        &mut self,
        shard: usize,
        db: usize,
        position: u64,
        count: usize,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Option<u64> {
        let judged_at = self.judged_at;
        self.with_shard(shard, |shard| shard.scan(db, position, count, judged_at, &|_| true, &mut |key, _| visit(key)))
    }

    /// A key chosen at random among those not expired, copied into `out`; false when there is
    /// none.
    pub fn random_key(&mut self, db: usize, out: &mut Vec<u8>) -> bool {
        let (shards, judged_at) = (self.keyspace.shards(), self.judged_at);
        let is_held = self.keyspace.holds_removals(self.now);
        let counts: Vec<u64> = (0..shards)
            .map(|shard| self.with_shard(shard, |shard| shard.indexes.get(db).map_or(0, |index| index.len())))
            .collect();
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return false;
        }
        // Shards in proportion to their keys, within one a random place; then, if only expired
        // keys were met, whatever is left from the start on.
        for _ in 0..32 {
            let mut pick = fastrand::u64(..total);
            let shard = counts.iter().position(|count| {
                let here = pick < *count;
                pick = pick.saturating_sub(*count);
                here
            });
            if self.with_shard(shard.unwrap_or(0), |shard| shard.pick(db, fastrand::u64(..), judged_at, out)) {
                return true;
            }
        }
        let mut first =
            |judged_at| (0..shards).any(|shard| self.with_shard(shard, |shard| shard.pick(db, 0, judged_at, out)));
        // While nothing may expire, what should have is better than nothing.
        first(judged_at) || is_held && first(UnixMillis::MIN)
    }

    /// Runs `act` on every shard in turn; all of them are held, or none.
    pub(super) fn each_shard(&mut self, mut act: impl FnMut(&mut Shard)) {
        for number in 0..self.keyspace.shards() {
            self.with_shard(number, |shard| act(shard));
        }
    }

    /// Runs `act` on a shard: the held one, or one locked for this alone when none is held.
    pub(super) fn with_shard<R>(&mut self, number: usize, act: impl FnOnce(&mut Shard) -> R) -> R {
        if self.set.contains(number) {
            let rank = (self.set.0 & ((1 << number) - 1)).count_ones() as usize;
            return act(&mut self.guards[rank]);
        }
        assert!(self.guards.is_empty(), "a walk over all shards needs either all of them locked or none");
        let mut shard = self.keyspace.shards[number].0.lock();
        let epoch = self.keyspace.arena.epoch();
        shard.enter(epoch);
        let Some(look) = &mut self.look else { return act(&mut shard) };
        shard.heap.look();
        let result = act(&mut shard);
        look.absent.append(&mut shard.heap.looked());
        result
    }
}

impl Shard {
    fn scan(
        &mut self,
        db: usize,
        from: u64,
        count: usize,
        now: UnixMillis,
        of_interest: &dyn Fn(Type) -> bool,
        visit: &mut dyn FnMut(&[u8], Item<'_>),
    ) -> Option<u64> {
        if self.heap.arena().is_loading() {
            // What lies there comes first, so that damage is found before anything is told.
            self.indexes.get(db)?.walk(&self.heap, from, count.max(1), |_, slot| {
                self.heap.chunk(slot.location());
            });
            if self.heap.is_damaged() {
                self.mend();
            }
        }
        let heap = &self.heap;
        let mut passed = Vec::new();
        let next = self.indexes.get(db)?.walk(heap, from, count.max(1), |_, slot| {
            let chunk = heap.chunk(slot.location());
            if let (Some(key), Some(item)) = (item::key_of(chunk), item::read(chunk)) {
                if item.expiry.is_none_or(|expiry| expiry > now) {
                    visit(key, item);
                } else if of_interest(item.kind) {
                    passed.push(slot.location());
                }
            }
        });
        // As any look at a key whose time has passed, this one removes it.
        if !self.holds_removals(now) {
            for at in passed {
                if let Some((hash, found)) = self.find_at(db, at) {
                    self.expire(db, hash, found, false);
                }
            }
        }
        next
    }

    /// One of the unexpired keys near a random position. What is near goes round the end, or the first key after a long gap
    /// would be chosen all the time.
    fn pick(&mut self, db: usize, from: u64, now: UnixMillis, out: &mut Vec<u8>) -> bool {
        let mut met: Vec<Vec<u8>> = Vec::new();
        let mut position = Some(from);
        let mut round = false;
        while met.len() < NEAR {
            let Some(at) = position.or_else(|| (!round && from > 0).then_some(0)) else { break };
            round |= position.is_none();
            position = self.scan(db, at, NEAR - met.len(), now, &|_| true, &mut |key, _| {
                if !met.iter().any(|other| other == key) {
                    met.push(key.to_vec());
                }
            });
            // Empty places only, or what was met before: this is where the round began.
            if round && position.is_some_and(|position| position >= from) {
                break;
            }
        }
        match fastrand::choice(met) {
            Some(key) => {
                *out = key;
                true
            }
            None => false,
        }
    }
}
