//! Room for a write: what `maxmemory` means.
//!
//! The bound is on what is resident, counted in 4 KiB blocks, so it is the process's real memory
//! that is bounded. Before a command that may use memory, and with no lock held, its shards are
//! asked for room: a free chunk of the right class, or blocks below the bound. When there is
//! neither, keys are evicted and sparse pages emptied until there is. So memory that one size
//! class no longer needs moves to another at the moment of need.

use super::{Keyspace, OutOfMemory, ShardSet, evict::VICTIMS, shard::Shard};
use crate::{
    arena::{BLOCK, MAX_SLAB},
    config::Policy,
    types::tree,
    util::clock::UnixMillis,
};
use parking_lot::MutexGuard;
use std::sync::atomic::Ordering::Relaxed;

/// Rounds of eviction in one shard for one command, each of a few keys.
const ROUNDS: usize = 512;
/// Retired pages that are called in at a time.
const RETIRED: usize = 64;
/// What an item takes beyond key and value, generously.
const ITEM_OVERHEAD: usize = 32;
/// What a write may touch beyond its item, so that it does not pass the bound: fresh blocks for a segment of the index, or for
/// its first one and the directory.
const HEADROOM: u64 = 2 * BLOCK as u64;

/// So little above the bound is a matter of single keys.
const NEAR: u64 = 1 << 20;
/// Evictions in one shard before the next has its turn.
const TRIES: usize = 16;

/// How a search for room in one shard has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Made,
    /// Not yet enough, and there may be more.
    Some,
    /// Not enough, and nothing is left to give.
    None,
}

/// Of which shards keys go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The writer's, unless it is poor; a free chunk in it will do. Otherwise only memory given back counts.
    Own,
    OfTheRich,
    OfAll,
}

impl Keyspace {
    /// Makes room for a command on `set` that may store `bytes`. An error means that memory is
    /// above `maxmemory` and the policy lets nothing go.
    #[inline]
    pub fn make_room(&self, set: ShardSet, bytes: usize, now: UnixMillis) -> Result<(), OutOfMemory> {
        let limit = self.maxmemory();
        if limit == 0 || self.arena.resident() + (bytes + ITEM_OVERHEAD + BLOCK) as u64 + HEADROOM <= limit {
            return Ok(());
        }
        if self.importing.load(Relaxed) {
            return if self.arena.resident() > limit { Err(OutOfMemory) } else { Ok(()) };
        }
        if self.held_until.load(Relaxed) > now {
            return Ok(());
        }
        self.make_room_slow(set, bytes + ITEM_OVERHEAD)
    }

    #[cold]
    fn make_room_slow(&self, set: ShardSet, bytes: usize) -> Result<(), OutOfMemory> {
        while !self.fits(bytes) && self.arena.release_retired(RETIRED) > 0 {}
        let policy = self.policy();
        if policy == Policy::NoEviction {
            // A limit of less than a block has no room for anything.
            let nothing = self.maxmemory() < BLOCK as u64;
            return if nothing || self.arena.resident() > self.maxmemory() || bytes > MAX_SLAB && !self.fits(bytes) {
                Err(OutOfMemory)
            } else {
                Ok(())
            };
        }
        if bytes > MAX_SLAB && bytes as u64 > self.maxmemory() {
            // Not with everything else gone either.
            return Err(OutOfMemory);
        }
        let mut satisfied = true;
        for shard in set.iter() {
            satisfied &= self.make_room_in(shard, bytes, policy, Whose::Own) == Room::Made;
        }
        if satisfied {
            return Ok(());
        }
        // The command's own shards have not enough to give: all of them, in turn, for as long as one gives something. A
        // large value may take the place of very many small ones.
        let first = self.next_shard.fetch_add(1, Relaxed) as usize;
        for whose in [Whose::OfTheRich, Whose::OfAll] {
            loop {
                let mut spent = true;
                for step in 0..self.shards() {
                    match self.make_room_in((first + step) % self.shards(), bytes, policy, whose) {
                        Room::Made => return Ok(()),
                        Room::Some => spent = false,
                        Room::None => {}
                    }
                }
                if spent {
                    break;
                }
            }
        }
        // Nothing is left to give: then it may be tight. Never refused for fragmentation alone, only when memory is really
        // above the bound.
        let fits = if bytes <= MAX_SLAB { self.arena.resident() <= self.maxmemory() } else { self.fits(bytes) };
        if fits { Ok(()) } else { Err(OutOfMemory) }
    }

    /// Whether keys ought to be evicted, whoever writes next.
    pub fn is_above_bound(&self) -> bool {
        let limit = self.maxmemory();
        limit != 0 && self.arena.resident() > limit && self.policy() != Policy::NoEviction
    }

    /// Evicts from each shard until it gives something back; false when there is nothing left to evict.
    pub(super) fn evict_somewhere(&self) -> bool {
        let (policy, limit) = (self.policy(), self.maxmemory());
        let mut evicted = 0;
        for shard in &self.shards {
            let mut shard = shard.0.lock();
            let epoch = self.arena.epoch();
            shard.enter(epoch);
            // What has gone is given back before more goes.
            if self.is_settled(&mut shard) {
                return true;
            }
            let before = self.arena.resident();
            // Near the bound one at a time: what a shard has evicted beyond a block is for nothing.
            let most = if before.saturating_sub(limit) < NEAR { 1 } else { VICTIMS };
            for _ in 0..TRIES {
                let gone = shard.evict(policy, most);
                evicted += gone;
                if self.is_settled(&mut shard) {
                    return true;
                }
                if gone == 0 || self.arena.resident() < before {
                    break;
                }
            }
        }
        evicted > 0
    }

    /// Has a shard give back what it can, as long as memory is above the bound; answers whether it is not any more.
    fn is_settled(&self, shard: &mut MutexGuard<'_, Shard>) -> bool {
        while self.is_above_bound() {
            if !shard.give_back() {
                return false;
            }
            self.let_others_in(shard);
        }
        true
    }

    /// Room may be many steps away: those who wait for the shard need not wait for all of them.
    fn let_others_in(&self, shard: &mut MutexGuard<'_, Shard>) {
        MutexGuard::bump(shard);
        shard.enter(self.arena.epoch());
    }

    /// Whether a shard holds less than half of what shards hold on average. Of one that is written to more often than
    /// others, hardly a key would be left if it alone had to make room for that.
    fn is_poor(&self, shard: &Shard) -> bool {
        let (stats, average) = (shard.heap.stats(), self.arena.resident() / self.shards() as u64);
        stats.slab_bytes + stats.large_bytes < average / 2
    }

    fn fits(&self, bytes: usize) -> bool {
        self.arena.resident() + (bytes + BLOCK) as u64 <= self.maxmemory()
    }

    fn make_room_in(&self, shard: usize, bytes: usize, policy: Policy, whose: Whose) -> Room {
        let mut shard = self.shards[shard].0.lock();
        let epoch = self.arena.epoch();
        shard.enter(epoch);
        for _ in 0..ROUNDS {
            let fresh = if whose == Whose::Own { shard.heap.fresh_bytes(bytes) } else { bytes + BLOCK } as u64;
            let resident = self.arena.resident();
            if resident + fresh + HEADROOM <= self.maxmemory() {
                return Room::Made;
            }
            let spared = whose != Whose::OfAll && self.is_poor(&shard);
            if !(shard.give_back() || !spared && shard.evict(policy, VICTIMS) > 0 || shard.empty_a_page(100)) {
                return Room::None;
            }
            self.let_others_in(&mut shard);
        }
        // Small items have made do with less: what was evicted for them leaves free chunks somewhere.
        if bytes <= MAX_SLAB && self.arena.resident() <= self.maxmemory() { Room::Made } else { Room::Some }
    }
}

impl Shard {
    /// Gives back some of what is free but resident; false when that is no more than fragments.
    fn give_back(&mut self) -> bool {
        if self.heap.arena().release_retired(RETIRED) > 0 {
            return true;
        }
        if tree::has_freeable(&self.heap) {
            // Nodes that lie scattered leave no page empty for long, but holes at once.
            self.free_some();
            self.shorten_a_page();
            return true;
        }
        self.pays_to_empty() && self.empty_a_page(100) || self.shorten_a_page()
    }

    /// Whether the free chunks of this shard are more than a sparse page's worth, so that emptying
    /// one gives back more than it moves.
    fn pays_to_empty(&self) -> bool {
        let stats = self.heap.stats();
        let free = stats.slab_bytes.saturating_sub(stats.chunk_bytes);
        free > (stats.slab_bytes / 64).max(2 * crate::arena::PAGE as u64)
    }
}
