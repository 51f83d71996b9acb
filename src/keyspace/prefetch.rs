//! Having the processor fetch what commands will touch, before they run.
//!
//! A lookup waits twice for memory: for its bucket, then for the item that the bucket leads to. For many keys at
//! once the waits overlap: all buckets are asked for, then all items. Where they lie is found out under the shards'
//! locks, one after the other; asking comes after that, since taking or leaving a lock would wait for what was asked for.
//! A shard that somebody else holds is left out: nothing else waits here.

use super::{Keyspace, ShardSet, shard::Shard};
use crate::{
    arena::Offset,
    index::Index,
    types::{self, tree::Probe},
};
use smallvec::SmallVec;

/// Elements of a collection that is hardly in the processor's caches; to look for those of a smaller one twice costs more
/// than it saves.
const LARGE: u64 = 1 << 18;
/// Keys whose memory is fetched together: more than the processor can wait for at a time.
const TOGETHER: usize = 32;

impl Keyspace {
    /// Asks for what lookups of keys with these hashes will touch. `element` answers what may be looked up in the
    /// collection at the key of a number.
    pub fn fetch<'a>(&self, db: usize, hashes: &[u64], element: impl Fn(usize) -> Option<&'a [u8]>) {
        if self.arena.is_loading() {
            // It is no hint then: what is looked for would have to be read from the disk. See [`super::loading`].
            return;
        }
        for (hashes, first) in hashes.chunks(TOGETHER).zip((0..).step_by(TOGETHER)) {
            // In order, those of a shard are together; and a pipeline may well be about one key.
            let mut keys: SmallVec<[u64; TOGETHER]> = hashes.into();
            keys.sort_unstable();
            keys.dedup();
            let buckets = self.places(db, &keys, |shard, index, hash| index.bucket_of(&shard.heap, hash));
            buckets.into_iter().for_each(|at| self.arena.prefetch(at));
            let items = self.places(db, &keys, |shard, index, hash| {
                // It may be in the stash, of which the segment's header knows.
                index.candidate(&shard.heap, hash).unwrap_or_else(|| index.segment_of(&shard.heap, hash))
            });
            items.into_iter().for_each(|at| self.arena.prefetch_chunk(at));
            self.fetch_elements(db, hashes, |number| element(first + number));
        }
    }

    /// Asks for elements of large collections, for which one waits several times more. Commands that come together are
    /// of a kind: if neither the first nor the last of a shard looks one up, the others are not looked at.
    fn fetch_elements<'a>(&self, db: usize, hashes: &[u64], element: impl Fn(usize) -> Option<&'a [u8]>) {
        for shard in self.shards_of(hashes.iter().copied()).iter() {
            let own = (0..hashes.len()).filter(|number| self.shard_of(hashes[*number]) == shard);
            let ends = [own.clone().next(), own.clone().next_back()];
            if ends.into_iter().flatten().all(|number| element(number).is_none()) {
                continue;
            }
            if let Some(shard) = self.shards[shard].0.try_lock()
                && let Some(index) = shard.indexes.get(db)
            {
                let probe = |number: usize| {
                    let value = shard.view_at(index.candidate(&shard.heap, hashes[number])?)?;
                    types::probe(&value, element(number)?, LARGE)
                };
                if ends.into_iter().flatten().all(|number| probe(number).is_none()) {
                    continue;
                }
                let mut probes: SmallVec<[Probe; TOGETHER]> = own.filter_map(probe).collect();
                while !probes.is_empty() {
                    probes.retain(|probe| probe.step(&shard.heap));
                }
            }
        }
    }

    fn shards_of(&self, hashes: impl Iterator<Item = u64>) -> ShardSet {
        ShardSet(hashes.fold(0, |set, hash| set | 1 << self.shard_of(hash)))
    }

    /// Where something lies for each key, whose hashes are in order. Each shard is locked once for all its keys.
    #[inline]
    fn places(
        &self,
        db: usize,
        hashes: &[u64],
        place: impl Fn(&Shard, &Index, u64) -> Offset,
    ) -> SmallVec<[Offset; TOGETHER]> {
        let mut places = SmallVec::new();
        for own in hashes.chunk_by(|a, b| self.shard_of(*a) == self.shard_of(*b)) {
            if let Some(shard) = self.shards[self.shard_of(own[0])].0.try_lock()
                && let Some(index) = shard.indexes.get(db)
            {
                places.extend(own.iter().map(|hash| place(&shard, index, *hash)));
            }
        }
        places
    }
}
