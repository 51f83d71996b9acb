//! What happens without a command: active expiry, and giving sparse pages back.

use super::{
    Keyspace, Type,
    item::Header,
    shard::{Found, Shard},
};
use crate::{
    arena::{Offset, ShardHeap},
    index::{Slot, expiry_code},
    types::{hash::expiry, home::View},
    util::clock::UnixMillis,
};
use ahash::RandomState;
use std::sync::atomic::Ordering::Relaxed;

/// Segments looked at under one hold of a shard's lock.
const SEGMENTS: usize = 64;
/// Keys that are enough for one hold: how long it lasts is what a client may have to wait, and what the cron's share of
/// time can be overdrawn by.
const KEYS: usize = 256;
/// Retired pages that are given back in one step.
const PAGES: usize = 64;
/// Regions made huge pages in one run: each copies 2 MiB, and whoever touches it meanwhile waits.
const REGIONS: usize = 2;
/// A shard moves chunks to give pages back when so much of its slab memory is free chunks (in
/// percent), and then only from pages filled to at most so much: the more is free, the more
/// moving is worth.
const WORTH: [(u64, usize); 3] = [(20, 90), (8, 75), (1, 60)];

/// What one run of the cron did.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct CronReport {
    pub expired: u64,
    pub pages_emptied: u64,
    /// Whether every shard's due keys were seen; otherwise the next run goes on.
    pub complete: bool,
}

impl Keyspace {
    /// Removes keys whose time has passed and empties sparse pages, shard by shard, for as long as
    /// `go_on` says (asked between short holds of a lock). The next run goes on where this one
    /// stopped.
    pub fn cron(&self, now: UnixMillis, go_on: &mut dyn FnMut() -> bool) -> CronReport {
        let mut report = CronReport { complete: true, ..CronReport::default() };
        if self.held_until.load(Relaxed) <= now {
            // Above the bound only when `maxmemory` was made smaller.
            while self.is_above_bound() && go_on() && self.evict_somewhere() {}
        }
        self.arena.age_spares();
        while go_on() && self.arena.release_unspared(PAGES) > 0 {}
        let first = self.next_shard.load(Relaxed) as usize;
        for step in 0..self.shards() {
            let shard = &self.shards[(first + step) % self.shards()].0;
            if self.active_expire.load(Relaxed) && self.held_until.load(Relaxed) <= now {
                for db in 0..self.databases {
                    while go_on() {
                        let mut shard = shard.lock();
                        let epoch = self.arena.epoch();
                        shard.enter(epoch);
                        let (expired, complete) = shard.expire_due(db, now);
                        report.expired += expired;
                        if complete {
                            break;
                        }
                    }
                }
            }
            while go_on() {
                let mut shard = shard.lock();
                let epoch = self.arena.epoch();
                shard.enter(epoch);
                if !shard.free_some() {
                    break;
                }
            }
            while go_on() {
                let mut shard = shard.lock();
                let epoch = self.arena.epoch();
                shard.enter(epoch);
                if !shard.worth_emptying().is_some_and(|most_percent| shard.empty_a_page(most_percent)) {
                    break;
                }
                report.pages_emptied += 1;
            }
            while go_on() {
                let mut shard = shard.lock();
                let epoch = self.arena.epoch();
                shard.enter(epoch);
                if !(shard.is_worth_shortening() && shard.shorten_a_page()) {
                    break;
                }
            }
            let mut shard = shard.lock();
            shard.seen_changes = shard.counters.dirty;
            drop(shard);
            if !go_on() {
                report.complete = false;
                self.next_shard.fetch_add(step as u64, Relaxed);
                break;
            }
        }
        // Not while pages come in: each touch of new memory would wait for it. And a snapshot is work enough.
        if go_on() && !self.arena.is_loading() && !self.arena.is_cut() {
            self.arena.collapse_full_regions(REGIONS);
        }
        report
    }
}

/// When an item expires, or the first part of it.
pub(super) fn first_expiry(heap: &ShardHeap, hasher: &RandomState, at: Offset) -> Option<UnixMillis> {
    let chunk = heap.chunk(at);
    let Header { kind, encoding, expiry, value_at, end, .. } = Header::read(chunk)?;
    let fields = match kind {
        Type::Hash => expiry::due(kind, &View { heap, hasher, kind, encoding, value: chunk.get(value_at..end)? }),
        _ => None,
    };
    expiry.into_iter().chain(fields).min()
}

impl Shard {
    /// Removes due keys of some segments; answers how many, and whether the sweep is complete.
    fn expire_due(&mut self, db: usize, now: UnixMillis) -> (u64, bool) {
        if let Some((db, at)) = self.rounds.pop() {
            // (It may have gone, and something else lie there.)
            let is_due = |first: UnixMillis| first <= now;
            if first_expiry(&self.heap, self.hasher(), at).is_some_and(is_due)
                && let Some((hash, found)) = self.find_at(db, at)
            {
                self.go_round(db, hash, found, now);
            }
            return (0, false);
        }
        let mut due = Vec::new();
        let hasher = self.hasher().clone();
        let mut visit = |heap: &ShardHeap, slot: Slot| {
            let first = first_expiry(heap, &hasher, slot.location());
            first.filter(|first| *first > now).map(|first| expiry_code(first, now))
        };
        let complete =
            self.wheels[db].sweep(&self.indexes[db], &mut self.heap, now, (SEGMENTS, KEYS), &mut visit, &mut due);
        let mut expired = 0;
        for (_, slot) in due {
            // A slot moves when another of its bucket goes: found again by its location.
            if let Some((hash, found)) = self.find_at(db, slot.location()) {
                if self.has_expired(found.at(), now) {
                    self.expire(db, hash, found, true);
                    expired += 1;
                } else {
                    self.go_round(db, hash, found, now);
                }
            }
        }
        (expired, complete && self.rounds.is_empty())
    }

    /// Removes due fields of a hash, of a large one some: the rest comes next.
    fn go_round(&mut self, db: usize, hash: u64, found: Found, now: UnixMillis) {
        let (removed, more) = self.expire_fields(db, hash, found, now);
        self.counters.expired_fields_active += removed;
        if let Some(at) = more.filter(|at| !self.rounds.contains(&(db, *at))) {
            self.rounds.push((db, at));
        }
    }

    /// Whether single blocks are given back: more is free than in use, so that a shard of a few keys becomes small again; or
    /// nothing has changed since the last look, and what is left of growing will hardly be needed soon.
    fn is_worth_shortening(&self) -> bool {
        let stats = self.heap.stats();
        let free = stats.slab_bytes.saturating_sub(stats.chunk_bytes);
        free > stats.chunk_bytes || self.counters.dirty == self.seen_changes && free * 100 >= stats.slab_bytes
    }

    /// How full a page may be that is emptied now; `None` when too little is free.
    fn worth_emptying(&self) -> Option<usize> {
        let stats = self.heap.stats();
        let free = stats.slab_bytes.saturating_sub(stats.chunk_bytes);
        if free < 4 * crate::arena::PAGE as u64 {
            return None;
        }
        WORTH.iter().find(|(percent, _)| free * 100 >= stats.slab_bytes * percent).map(|(_, most)| *most)
    }
}
