//! Storing all keys of one keyspace anew in another: after a restart on a processor on which the
//! hash function answers otherwise.

use super::{Keyspace, OutOfMemory, item};
use crate::{
    types::{self, tree::Heaps},
    util::clock::UnixMillis,
};

impl Keyspace {
    /// Stores every key of `old` here, shard by shard, and gives up what was read: the two never hold much more than one
    /// of them alone. The old indexes tell which database a key is in, but cannot be searched. Only one thread may
    /// use either meanwhile. Answers how many keys were damaged and are lost.
    pub fn move_from(&self, old: &Keyspace, now: UnixMillis) -> Result<u64, OutOfMemory> {
        let keys = |keyspace: &Keyspace| (0..old.databases).map(|db| keyspace.db_stats(db).keys).sum::<u64>();
        let before = keys(old);
        for place in &old.shards {
            let mut from = place.0.lock();
            let found = from.survey();
            for at in &found.items {
                let chunk = from.heap.chunk(*at);
                let (Some(key), Some(item)) = (item::key_of(chunk), item::read(chunk)) else { continue };
                let (Some((db, _)), Some(view)) = (found.home(*at, None), from.view_at(*at)) else { continue };
                if !from.is_whole(*at) {
                    continue;
                }
                let hash = self.hash(key);
                let mut to = self.shards[self.shard_of(hash)].0.lock();
                let epoch = self.arena.epoch();
                to.enter(epoch);
                let (heap, hasher) = to.heap_and_hasher();
                let heaps = Heaps::Two { from: &from.heap, to: heap };
                let value = types::rehash(&view, heaps, hasher, hash).map_err(|_| OutOfMemory)?;
                let found = to.find(db, hash, key, now);
                to.put_value(db, hash, key, (view.kind, view.encoding), &value, item.expiry, found, now)?;
            }
            from.heap.retire_all();
            drop(from);
            old.arena.release_retired(usize::MAX);
        }
        Ok(before.saturating_sub(keys(self)))
    }
}
