//! Operations on the keys of one database, under the locks of their shards.

use super::{
    EffectKind, Encoding, Item, Locked, OutOfMemory, Ttl,
    recency::{FREQUENCY_NEW, LastUse},
    shard::{Content, Found, Shard},
};
use crate::{
    config::Policy,
    types::{self, tree},
    util::{clock::UnixMillis, number},
};
use std::ops::Range;

/// One database within the locked shards. Expired keys are absent for every method and are
/// removed when met.
pub struct Db<'l, 'k> {
    pub(super) locked: &'l mut Locked<'k>,
    pub(super) db: usize,
}

/// The longest string that is stored as `embstr`.
const EMBSTR_MAX: usize = 44;
/// A change that needs more than this is refused when it would pass `maxmemory`; smaller ones are
/// what the room made before each command is for.
const CHECKED_GROWTH: usize = 64 << 10;
/// How far such a change may pass `maxmemory` when others wrote since its room was made.
const TAKEN_BY_OTHERS: u64 = 8 << 20;

/// A slot of the index with its share of buckets that are not full.
const SLOT_BYTES: u64 = 10;

impl<'k> Db<'_, 'k> {
    fn now(&self) -> UnixMillis {
        self.locked.now
    }

    /// The time by which keys are judged to have expired.
    pub fn judged_at(&self) -> UnixMillis {
        self.locked.judged_at
    }

    #[inline]
    pub(super) fn shard(&mut self, key: &[u8]) -> (&mut Shard, u64) {
        let hash = self.locked.hash(key);
        (self.locked.shard(hash), hash)
    }

    #[inline]
    fn find(&mut self, key: &[u8]) -> Option<(&mut Shard, u64, Found)> {
        let (db, judged_at) = (self.db, self.judged_at());
        let (shard, hash) = self.shard(key);
        let found = shard.find(db, hash, key, judged_at)?;
        Some((shard, hash, found))
    }

    /// A read on behalf of a client: counts a hit or miss and marks the key as used.
    #[inline]
    pub fn read(&mut self, key: &[u8]) -> Option<Item<'_>> {
        let (shard, found) = self.seen(key)?;
        shard.item(&found)
    }

    /// Finds a key for [`Self::read`].
    #[inline]
    pub(super) fn seen(&mut self, key: &[u8]) -> Option<(&mut Shard, Found)> {
        let (db, now, trace) = (self.db, self.now(), !self.locked.no_touch);
        let judged_at = self.judged_at();
        let (shard, hash) = self.shard(key);
        let Some(found) = shard.find_to_read(db, hash, key, judged_at) else {
            shard.counters.misses += 1;
            shard.note_absent(EffectKind::Missed, db, key);
            return None;
        };
        shard.counters.hits += 1;
        if trace {
            shard.mark_used(db, hash, &found, now);
        }
        Some((shard, found))
    }

    /// A look that leaves no trace (writes looking at the old value, OBJECT).
    pub fn peek(&mut self, key: &[u8]) -> Option<Item<'_>> {
        let (db, judged_at) = (self.db, self.judged_at());
        let (shard, hash) = self.shard(key);
        let found = shard.find_to_read(db, hash, key, judged_at)?;
        shard.item(&found)
    }

    /// Marks the key as used (TOUCH); false when absent.
    pub fn touch(&mut self, key: &[u8]) -> bool {
        self.read(key).is_some()
    }

    /// Stores `value` whole, over whatever was there; picks the encoding as Redis does
    /// (integer text of up to 20 bytes: Int, up to 44 bytes: EmbStr, else Raw).
    #[inline]
    pub fn set(&mut self, key: &[u8], value: &[u8], ttl: Ttl) -> Result<(), OutOfMemory> {
        let content = if value.len() <= 20
            && let Some(n) = number::parse_i64(value)
        {
            Content::Int(n)
        } else {
            text(value)
        };
        self.put(key, content, value.len(), ttl)
    }

    /// As [`Self::set`], but a number's text stays text (INCRBYFLOAT).
    pub fn set_text(&mut self, key: &[u8], value: &[u8], ttl: Ttl) -> Result<(), OutOfMemory> {
        self.put(key, text(value), value.len(), ttl)
    }

    /// Stores `value` as a raw string, which is meant to be changed in place (BITOP).
    pub fn set_raw(&mut self, key: &[u8], value: &[u8], ttl: Ttl) -> Result<(), OutOfMemory> {
        self.put(key, Content::Bytes(Encoding::Raw, value), value.len(), ttl)
    }

    /// Stores an integer.
    pub fn set_int(&mut self, key: &[u8], value: i64, ttl: Ttl) -> Result<(), OutOfMemory> {
        self.put(key, Content::Int(value), 8, ttl)
    }

    /// Stores the integer that `change` makes of what is there, whose time to live stays, and answers it.
    pub fn update_int<E: From<OutOfMemory>>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(Option<Item<'_>>) -> Result<i64, E>,
    ) -> Result<i64, E> {
        let (db, now, judged_at) = (self.db, self.now(), self.judged_at());
        let (shard, hash) = self.shard(key);
        let found = shard.find(db, hash, key, judged_at);
        let item = found.as_ref().and_then(|found| shard.item(found));
        let expiry = item.and_then(|item| item.expiry);
        let value = change(item)?;
        shard.put(db, hash, key, Content::Int(value), expiry, found, now)?;
        Ok(value)
    }

    #[inline]
    fn put(&mut self, key: &[u8], content: Content<'_>, len: usize, ttl: Ttl) -> Result<(), OutOfMemory> {
        let (db, now) = (self.db, self.now());
        self.check_growth(len)?;
        let judged_at = self.judged_at();
        let (shard, hash) = self.shard(key);
        let found = shard.find(db, hash, key, judged_at);
        let expiry = match ttl {
            Ttl::Clear => None,
            Ttl::At(at) => Some(at),
            Ttl::Keep => found.and_then(|found| shard.item(&found)).and_then(|item| item.expiry),
        };
        shard.put(db, hash, key, content, expiry, found, now)
    }

    /// Makes the value a Raw string of exactly `len` bytes and lends it: old bytes kept up to
    /// `len`, new ones zero; created when absent; TTL kept. Growth is amortised.
    /// Counts as one change. The caller has checked the type and the length limit.
    pub fn string_mut(&mut self, key: &[u8], len: usize) -> Result<&mut [u8], OutOfMemory> {
        self.string_range_mut(key, len, 0..len)
    }

    /// As [`Self::string_mut`], but lends only `range` of the value: a change of a few bytes in a
    /// large value then costs in proportion to those.
    pub fn string_range_mut(&mut self, key: &[u8], len: usize, range: Range<usize>) -> Result<&mut [u8], OutOfMemory> {
        let (db, now) = (self.db, self.now());
        let old = self.peek(key).map_or(0, |item| match item.value {
            super::Value::Bytes(bytes) => bytes.len(),
            super::Value::Int(_) => 0,
        });
        self.check_growth(len.saturating_sub(old))?;
        let judged_at = self.judged_at();
        let (shard, hash) = self.shard(key);
        let found = shard.find(db, hash, key, judged_at);
        let (at, value_at) = shard.resize_string(db, hash, key, len, found, now)?;
        let end = range.end.min(len);
        Ok(shard.heap.range_mut(at, value_at + range.start.min(end)..value_at + end))
    }

    fn check_growth(&self, more: usize) -> Result<(), OutOfMemory> {
        if more <= CHECKED_GROWTH {
            return Ok(());
        }
        let keyspace = self.locked.keyspace;
        let limit = keyspace.maxmemory();
        // Others may have taken a part of the room that was made; what that comes to is evicted with the next write.
        let taken = if keyspace.policy() == Policy::NoEviction { 0 } else { (limit / 16).min(TAKEN_BY_OTHERS) };
        if limit != 0 && keyspace.used_memory() + more as u64 > limit + taken { Err(OutOfMemory) } else { Ok(()) }
    }

    /// The last change of the key was part of another change, which counts for both.
    pub fn count_one_less(&mut self, key: &[u8]) {
        let (shard, _) = self.shard(key);
        shard.counters.dirty = shard.counters.dirty.saturating_sub(1);
    }

    /// Removes the key; false when absent.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let db = self.db;
        let Some((shard, hash, found)) = self.find(key) else { return false };
        shard.remove(db, hash, found);
        shard.counters.dirty += 1;
        true
    }

    /// Removes the key for a value that takes its place at once, and is none that was not there before.
    pub fn vacate(&mut self, key: &[u8]) -> bool {
        let is_there = self.remove(key);
        self.shard(key).0.is_vacated = is_there;
        is_there
    }

    /// Removes the key because it, or what was to take its place, was given a time that has passed: that counts as expired,
    /// whether something was there or not. Answers whether it was.
    pub fn expire(&mut self, key: &[u8]) -> bool {
        self.shard(key).0.counters.expired += 1;
        self.remove(key)
    }

    /// Sets (`Some`) or removes (`None`) the time to live; false when the key is absent.
    pub fn set_expiry(&mut self, key: &[u8], at: Option<UnixMillis>) -> Result<bool, OutOfMemory> {
        let (db, now) = (self.db, self.now());
        match self.find(key) {
            Some((shard, hash, found)) => shard.set_expiry(db, (key, hash), found, at, now).map(|()| true),
            None => Ok(false),
        }
    }

    /// Moves the value, with its TTL and encoding, to `to` in database `to_db`, over whatever is
    /// there; false when `from` is absent. The shards of both keys must be locked. `keep` leaves
    /// the source in place (COPY). A collection's trees stay where they are unless they are copied
    /// or the keys lie in different shards.
    pub fn transfer(&mut self, from: &[u8], to_db: usize, to: &[u8], keep: bool) -> Result<bool, OutOfMemory> {
        let (now, db) = (self.now(), self.db);
        let Some(expiry) = self.peek(from).map(|item| item.expiry) else { return Ok(false) };
        let Some(view) = self.view_any(from) else { return Ok(false) };
        let (kind, encoding, mut value) = (view.kind, view.encoding, view.value.to_vec());
        if keep {
            self.check_growth(value.len())?;
        }
        let (source, target) = (self.locked.hash(from), self.locked.hash(to));
        let copies = keep || self.locked.keyspace.shard_of(source) != self.locked.keyspace.shard_of(target);
        if copies && encoding.trees() > 0 {
            let mut heaps = self.locked.heaps(source, target);
            value = types::map_roots(encoding, &value, |root| tree::copy(&mut heaps, root, target))
                .map_err(|_| OutOfMemory)?;
        }
        if !keep {
            // First, so that a large value is not there twice.
            if copies {
                self.remove(from);
            } else if let Some((shard, hash, found)) = self.find(from) {
                shard.detach(db, hash, from, found);
            }
        }
        let judged_at = self.judged_at();
        let (shard, hash) = self.shard(to);
        let found = shard.find(to_db, hash, to, judged_at);
        shard.put_value(to_db, hash, to, (kind, encoding), &value, expiry, found, now)?;
        Ok(true)
    }

    /// Bytes the key takes with its index slot, for MEMORY USAGE. Of a large collection, `samples`
    /// leaves are measured and the others are taken to be like them.
    pub fn memory_usage(&mut self, key: &[u8], samples: usize) -> Option<u64> {
        let (shard, _, found) = self.find(key)?;
        let view = shard.view(&found)?;
        let trees: u64 =
            types::roots(view.encoding, view.value).map(|root| tree::memory(&shard.heap, root, samples)).sum();
        Some(shard.heap.span(found.at()) as u64 + SLOT_BYTES + trees)
    }

    /// Seconds since the last use, for OBJECT IDLETIME. Exact for keys used lately; of others the slot has an age, and the
    /// answer is the middle of the time that it stands for.
    pub fn idle_seconds(&mut self, key: &[u8]) -> Option<u64> {
        let now = self.now();
        let (shard, hash, found) = self.find(key)?;
        Some(match shard.recency.get(hash) {
            Some(last) => (now / 1000 - i64::from(last.seconds)).max(0) as u64,
            None => {
                let (from, to) = shard.evictor.span(found.slot.age(), now);
                ((now - from + now - to) / 2000).max(0) as u64
            }
        })
    }

    /// The LFU counter (0-255) for OBJECT FREQ of a key used lately; else from the two bits of the slot, which count to three.
    pub fn frequency(&mut self, key: &[u8]) -> Option<u8> {
        let now = self.now();
        let (shard, hash, found) = self.find(key)?;
        Some(shard.recency.get(hash).map_or(FREQUENCY_NEW + found.slot.freq(), |last| last.frequency_at(now)))
    }

    /// RESTORE's IDLETIME.
    pub fn set_idle_seconds(&mut self, key: &[u8], seconds: u64) {
        let now = self.now();
        if let Some((shard, hash, _)) = self.find(key) {
            let frequency = shard.recency.get(hash).map_or(FREQUENCY_NEW, |last| last.frequency);
            let seconds = (now / 1000).saturating_sub_unsigned(seconds).max(0) as u32;
            shard.recency.set(hash, LastUse { seconds, frequency });
        }
    }

    /// RESTORE's FREQ.
    pub fn set_frequency(&mut self, key: &[u8], frequency: u8) {
        let (db, now) = (self.db, self.now());
        if let Some((shard, hash, found)) = self.find(key) {
            shard.recency.set(hash, LastUse { seconds: (now / 1000) as u32, frequency });
            let slot = found.slot.with_freq((frequency / 64).min(crate::index::Slot::FREQ_MAX));
            shard.indexes[db].poke(&mut shard.heap, found.place, slot);
        }
    }

    /// Whether the key is stored but its time has passed (so a command can tell "expired now").
    pub fn is_expired(&mut self, key: &[u8]) -> bool {
        let (db, now) = (self.db, self.now());
        let (shard, hash) = self.shard(key);
        shard.find_any(db, hash, key).is_some_and(|found| shard.has_expired(found.at(), now))
    }
}

fn text(value: &[u8]) -> Content<'_> {
    let encoding = if value.len() <= EMBSTR_MAX { Encoding::EmbStr } else { Encoding::Raw };
    Content::Bytes(encoding, value)
}
