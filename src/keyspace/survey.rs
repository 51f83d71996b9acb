//! Figures over all shards, for INFO and its kin.
//!
//! A command asks its [`Locked`]: inside EXEC the shards may be held already, and asking for their
//! locks once more would wait for ever. Others ask the [`Keyspace`].

use super::{Keyspace, Locked, item::Header};
use std::ops::AddAssign;

/// Keys per shard that the mean time to live is taken from.
const TTL_SAMPLES: usize = 32;

/// Counters of a shard, or their sums over all, for INFO.
#[derive(Clone, Copy, Default, Debug)]
pub struct KeyspaceStats {
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    /// Keys that active expiry removed (the rest of `expired` was found by a lookup).
    pub expired_active: u64,
    /// Fields of hashes.
    pub expired_fields: u64,
    /// Those that active expiry removed.
    pub expired_fields_active: u64,
    pub evicted: u64,
    /// Values that were too large to be freed at once and went in steps; those that still go.
    pub lazily_freed: u64,
    pub pending_free: u64,
    /// Keys that were lost with damaged pages.
    pub lost: u64,
    /// Changes since the start; INFO shows the difference to the last save.
    pub dirty: u64,
}

impl AddAssign for KeyspaceStats {
    fn add_assign(&mut self, more: KeyspaceStats) {
        self.hits += more.hits;
        self.misses += more.misses;
        self.expired += more.expired;
        self.expired_active += more.expired_active;
        self.expired_fields += more.expired_fields;
        self.expired_fields_active += more.expired_fields_active;
        self.evicted += more.evicted;
        self.lazily_freed += more.lazily_freed;
        self.pending_free += more.pending_free;
        self.lost += more.lost;
        self.dirty += more.dirty;
    }
}

/// Per database, for INFO keyspace and DBSIZE.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct DbStats {
    pub keys: u64,
    pub expires: u64,
}

/// What an index takes, over all shards.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct IndexStats {
    pub bytes: u64,
    /// Places for keys.
    pub slots: u64,
}

/// What the arena's memory holds, over all shards.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct MemoryStats {
    /// Live chunks, of whatever kind.
    pub live: u64,
    /// Those of them that are the indexes'.
    pub index: u64,
}

impl MemoryStats {
    /// Keys and values.
    pub fn dataset(&self) -> u64 {
        self.live.saturating_sub(self.index)
    }
}

impl Locked<'_> {
    pub fn stats(&mut self) -> KeyspaceStats {
        let mut sum = KeyspaceStats::default();
        self.each_shard(|shard| sum += shard.counters);
        sum
    }

    /// CONFIG RESETSTAT.
    pub fn reset_stats(&mut self) {
        self.each_shard(|shard| {
            let KeyspaceStats { dirty, lost, pending_free, .. } = shard.counters;
            shard.counters = KeyspaceStats { dirty, lost, pending_free, ..KeyspaceStats::default() };
        });
    }

    /// Keys and times to live of a database.
    pub fn db_stats(&mut self, db: usize) -> DbStats {
        let mut sum = DbStats::default();
        self.each_shard(|shard| {
            if let Some(index) = shard.indexes.get(db) {
                sum.keys += index.len();
                // A hash of which only fields expire is found by the same sweep.
                sum.expires += index.expires().saturating_sub(shard.sizes.only_fields(db));
            }
        });
        sum
    }

    /// What an index takes. The time it needs grows with the number of its segments, of some 300 keys each.
    pub fn index_stats(&mut self, db: usize) -> IndexStats {
        let mut sum = IndexStats::default();
        self.each_shard(|shard| {
            let (bytes, slots) = shard.indexes.get(db).map_or((0, 0), |index| index.size(&shard.heap));
            sum.bytes += bytes;
            sum.slots += slots;
        });
        sum
    }

    /// What of [`Keyspace::used_memory`] is used for what.
    pub fn memory_stats(&mut self) -> MemoryStats {
        let mut sum = MemoryStats::default();
        self.each_shard(|shard| {
            let stats = shard.heap.stats();
            sum.live += stats.chunk_bytes + stats.large_bytes;
            sum.index += shard.indexes.iter().map(|index| index.size(&shard.heap).0).sum::<u64>();
        });
        sum
    }

    /// The mean time to live of a sample of a database's keys that have one.
    pub fn mean_ttl_ms(&mut self, db: usize) -> i64 {
        let now = self.now;
        let (mut sum, mut count) = (0i128, 0);
        self.each_shard(|shard| {
            let Some(index) = shard.indexes.get(db).filter(|index| index.expires() > 0) else { return };
            let (mut taken, mut position) = (0, Some(fastrand::u64(..)));
            // From somewhere on to the end, which may be near.
            for _ in 0..2 {
                position = index.walk(&shard.heap, position.unwrap_or(0), TTL_SAMPLES, |_, slot| {
                    if slot.has_expiry() && taken < TTL_SAMPLES {
                        let expiry = Header::read(shard.heap.chunk(slot.location())).and_then(|header| header.expiry);
                        if let Some(expiry) = expiry {
                            (sum, count, taken) = (sum + i128::from((expiry - now).max(0)), count + 1, taken + 1);
                        }
                    }
                });
            }
        });
        if count == 0 { 0 } else { (sum / count) as i64 }
    }

    /// Keys that someone watches.
    pub fn watched_keys(&mut self) -> usize {
        let mut sum = 0;
        self.each_shard(|shard| sum += shard.watchers.len());
        sum
    }
}

/// Each locks one shard at a time; never to be called by a command.
impl Keyspace {
    pub fn stats(&self) -> KeyspaceStats {
        self.unlocked(0).stats()
    }

    pub fn db_stats(&self, db: usize) -> DbStats {
        self.unlocked(0).db_stats(db)
    }

    pub fn memory_stats(&self) -> MemoryStats {
        self.unlocked(0).memory_stats()
    }
}
