//! Storing all keys of one keyspace anew in another: after a restart on a processor on which the
//! hash function answers otherwise.

use super::{Keyspace, OutOfMemory, item};
use crate::{
    types::{self, tree::Heaps},
    util::clock::UnixMillis,
};

/// Slots walked between two looks at the other keyspace.
const STEP: usize = 1000;

impl Keyspace {
    /// Stores every key of `old` here. Only one thread may use either meanwhile.
    pub fn copy_from(&self, old: &Keyspace, now: UnixMillis) -> Result<(), OutOfMemory> {
        for (shard, db) in (0..old.shards.len()).flat_map(|shard| (0..old.databases).map(move |db| (shard, db))) {
            let from = old.shards[shard].0.lock();
            let (mut position, mut locations) = (Some(0), Vec::new());
            while let Some(at) = position {
                locations.clear();
                position = from.indexes[db].walk(&from.heap, at, STEP, |_, slot| locations.push(slot.location()));
                for at in &locations {
                    let chunk = from.heap.chunk(*at);
                    let (Some(key), Some(item)) = (item::key_of(chunk), item::read(chunk)) else { continue };
                    let Some(view) = from.view_at(*at) else { continue };
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
            }
        }
        Ok(())
    }
}
