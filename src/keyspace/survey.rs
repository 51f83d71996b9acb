//! Figures over all shards, for INFO and its kin.
//!
//! A command asks its [`Locked`]: inside EXEC the shards may be held already, and asking for their
//! locks once more would wait for ever. Others ask the [`Keyspace`].

use super::{DbStats, Keyspace, KeyspaceStats, Locked, ShardSet, shard::Counters};

impl Locked<'_> {
    pub fn stats(&mut self) -> KeyspaceStats {
        let mut sum = KeyspaceStats::default();
        self.each_shard(|shard| {
            let counters = &shard.counters;
            sum.hits += counters.hits;
            sum.misses += counters.misses;
            sum.expired += counters.expired;
            sum.expired_active += counters.expired_active;
            sum.expired_fields += counters.expired_fields;
            sum.evicted += counters.evicted;
            sum.dirty += counters.dirty;
        });
        sum
    }

    /// CONFIG RESETSTAT.
    pub fn reset_stats(&mut self) {
        self.each_shard(|shard| {
            shard.counters = Counters { dirty: shard.counters.dirty, ..Counters::default() };
        });
    }

    /// Keys and times to live of a database.
    pub fn db_stats(&mut self, db: usize) -> DbStats {
        let mut sum = DbStats::default();
        self.each_shard(|shard| {
            if let Some(index) = shard.indexes.get(db) {
                sum.keys += index.len();
                sum.expires += index.expires();
            }
        });
        sum
    }

    /// Bytes of live chunks: what is used of [`Keyspace::used_memory`].
    pub fn dataset_bytes(&mut self) -> u64 {
        let mut sum = 0;
        self.each_shard(|shard| {
            let stats = shard.heap.stats();
            sum += stats.chunk_bytes + stats.large_bytes;
        });
        sum
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
    fn unlocked(&self) -> Locked<'_> {
        self.lock(ShardSet::NONE, 0)
    }

    pub fn stats(&self) -> KeyspaceStats {
        self.unlocked().stats()
    }

    pub fn db_stats(&self, db: usize) -> DbStats {
        self.unlocked().db_stats(db)
    }

    pub fn dataset_bytes(&self) -> u64 {
        self.unlocked().dataset_bytes()
    }
}
