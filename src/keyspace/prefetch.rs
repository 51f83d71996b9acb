//! Having the processor fetch what commands will touch, while others run.
//!
//! A lookup waits twice for memory: for its bucket, then for the item that the bucket leads to. Both
//! are asked for ahead, the bucket first; when the command runs they have arrived. A shard that
//! somebody else holds is left out: nothing waits here.

use super::{Keyspace, shard::Shard};
use crate::index::Index;

impl Keyspace {
    /// Asks for the buckets of keys with these hashes.
    pub fn fetch_buckets(&self, db: usize, hashes: &[u64]) {
        for hash in hashes {
            self.look(db, *hash, |shard, index| self.arena.prefetch(index.bucket_of(&shard.heap, *hash)));
        }
    }

    /// Asks for the items of keys with these hashes, whose buckets have arrived.
    pub fn fetch_items(&self, db: usize, hashes: &[u64]) {
        for hash in hashes {
            self.look(db, *hash, |shard, index| match index.candidate(&shard.heap, *hash) {
                Some(at) => self.arena.prefetch_chunk(at),
                // It may be in the stash, of which the segment's header knows.
                None => self.arena.prefetch(index.segment_of(&shard.heap, *hash)),
            });
        }
    }

    #[inline]
    fn look(&self, db: usize, hash: u64, act: impl FnOnce(&Shard, &Index)) {
        if let Some(shard) = self.shards[self.shard_of(hash)].0.try_lock()
            && let Some(index) = shard.indexes.get(db)
        {
            act(&shard, index);
        }
    }
}
