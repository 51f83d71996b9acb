//! Putting a shard in order after pages of it were found damaged.
//!
//! A page that is lost may have held items, of which nobody speaks any more; a part of the index, which hides keys that
//! are whole; or a node of a collection, without which that is none. So all pages of the shard are read, whatever refers
//! to what lies there, and the indexes are made anew from the items.
//!
//! An item does not say which database it is in. What is left of the old index says it of most. Of the others, it is the
//! one database that lacks keys; if there are several, the one of which no whole segment covers the key's hash. Where
//! that leaves a choice the key is given up, like those on the lost pages: a key never turns up in another database.

use super::{cron::first_expiry, item, shard::Shard};
use crate::{
    arena::{Offset, ShardHeap},
    index::{Index, Salvaged, Slot, TAG_DIRECTORY, TAG_SEGMENT},
    types::{self, tree},
};

/// What lies in a shard's pages.
pub(super) struct Findings {
    pub items: Vec<Offset>,
    pub nodes: Vec<Offset>,
    /// Chunks of the indexes, and runs in which nothing lies any more.
    rest: Vec<Offset>,
    /// By location: database and slot, as whole segments have them.
    known: Vec<(Offset, u8, Slot)>,
    /// Per database, the hash positions that whole segments cover, in order.
    covered: Vec<Vec<(u64, u64)>>,
    /// Databases of which keys are missing in whole segments.
    incomplete: Vec<u8>,
}

impl Findings {
    /// The database of an item and its slot, if that is known. `position`: of its key's hash, if that is still the one
    /// that placed it.
    pub fn home(&self, at: Offset, position: Option<u64>) -> Option<(usize, Option<Slot>)> {
        if let Ok(index) = self.known.binary_search_by_key(&at, |known| known.0) {
            let (_, database, slot) = self.known[index];
            return Some((database.into(), Some(slot)));
        }
        let mut possible = self.incomplete.iter().filter(|database| {
            let covered = &self.covered[usize::from(**database)];
            let before = |position: u64| covered.partition_point(|(first, _)| *first <= position).checked_sub(1);
            let is_open = |position: u64| before(position).is_none_or(|at| covered[at].1 < position);
            self.incomplete.len() == 1 || position.is_none_or(is_open)
        });
        let database = possible.next()?;
        possible.next().is_none().then_some((usize::from(*database), None))
    }
}

impl Shard {
    /// Reads all pages of the shard, with no regard to its indexes.
    pub(super) fn survey(&mut self) -> Findings {
        self.heap.load_own();
        let databases = self.indexes.len();
        let mut found = Findings {
            items: Vec::new(),
            nodes: Vec::new(),
            rest: Vec::new(),
            known: Vec::new(),
            covered: vec![Vec::new(); databases],
            incomplete: Vec::new(),
        };
        self.heap.for_each_chunk(&mut |at, chunk| match chunk.first() {
            Some(&(tree::TAG_LEAF | tree::TAG_INNER)) => found.nodes.push(at),
            Some(&TAG_SEGMENT) => {
                found.rest.push(at);
                if let Some(segment) = Salvaged::read(chunk).filter(|segment| usize::from(segment.database) < databases)
                {
                    let slots = segment.slots.iter().map(|slot| (slot.location(), segment.database, *slot));
                    found.known.extend(slots);
                    found.covered[usize::from(segment.database)].extend(segment.range());
                }
            }
            Some(&TAG_DIRECTORY) => found.rest.push(at),
            _ if item::Header::read(chunk).is_some() => found.items.push(at),
            _ => found.rest.push(at),
        });
        found.known.sort_unstable_by_key(|known| known.0);
        found.covered.iter_mut().for_each(|covered| covered.sort_unstable());
        for (database, index) in self.indexes.iter().enumerate() {
            let known = found.known.iter().filter(|known| usize::from(known.1) == database).count();
            if (known as u64) < index.len() {
                found.incomplete.push(database as u8);
            }
        }
        found
    }

    /// Whether every tree that the item refers to is whole.
    pub(super) fn is_whole(&self, at: Offset) -> bool {
        self.view_at(at).is_some_and(|view| {
            let whole = |root| tree::check(&self.heap, root, &mut |_| Ok(())).is_ok();
            types::roots(view.encoding, view.value).all(whole)
        })
    }

    /// Makes the indexes anew from what is whole, and gives the rest up.
    #[cold]
    pub(super) fn mend(&mut self) {
        let found = self.survey();
        let count = |shard: &Shard| shard.indexes.iter().map(Index::len).sum::<u64>();
        let before = count(self);
        found.rest.iter().for_each(|at| self.heap.free(*at));
        for (database, index) in self.indexes.iter_mut().enumerate() {
            *index = Index::new(database as u8, self.shard_bits);
        }
        self.wheels.iter_mut().for_each(|wheel| *wheel = Default::default());
        let mut nodes = Vec::new();
        for at in &found.items {
            if !self.mend_item(&found, *at) {
                self.heap.free(*at);
                continue;
            }
            if let Some(view) = self.view_at(*at) {
                types::roots(view.encoding, view.value).for_each(|root| tree::nodes(&self.heap, root.node, &mut nodes));
            }
        }
        // Whatever no value refers to: of collections that are not whole, and of those that were being freed.
        nodes.sort_unstable();
        self.heap.set_doomed(Offset::NULL);
        self.counters.lazily_freed += std::mem::take(&mut self.counters.pending_free);
        for at in found.nodes.iter().filter(|at| nodes.binary_search(at).is_err()) {
            self.heap.free(*at);
        }
        self.heap.forget_damage();
        self.recount();
        let lost = before.saturating_sub(count(self));
        self.counters.lost += lost;
        self.counters.dirty += lost;
        self.changes.flushed |= self.effects.tracks();
        self.tell_of_lost();
        tracing::error!(
            shard = self.heap.shard(),
            keys = count(self),
            lost,
            "a shard had damaged pages; its index was made anew from the others"
        );
    }

    /// Puts an item back into the index of its database; false when that is not known, or the value is not whole.
    fn mend_item(&mut self, found: &Findings, at: Offset) -> bool {
        let Some(key) = item::key_of(self.heap.chunk(at)).map(<[u8]>::to_vec) else { return false };
        let hash = self.hasher().hash_one(&key[..]);
        let Some((db, slot)) = found.home(at, Some(hash << self.shard_bits)) else { return false };
        if !self.is_whole(at) || self.find_any(db, hash, &key).is_some() {
            return false;
        }
        let slot = slot.unwrap_or_else(|| {
            // Any code will do: the next sweep is a first one, which looks at all and gives them the right ones.
            let expires = first_expiry(&self.heap, self.hasher(), at).is_some();
            Slot::new(at).with_expiry(expires.into())
        });
        let state = self.hasher().clone();
        let hash_of = |heap: &ShardHeap, at| item::key_of(heap.chunk(at)).map(|key| state.hash_one(key));
        self.indexes[db].insert(&mut self.heap, hash, slot, &hash_of).is_ok()
    }

    /// Watched keys that are not there, though they may have been.
    fn tell_of_lost(&mut self) {
        for db in 0..self.indexes.len() {
            for key in self.watchers.watched(db) {
                let hash = self.hasher().hash_one(&key[..]);
                if self.find_any(db, hash, &key).is_none() {
                    self.watchers.changed(db, &key);
                }
            }
        }
    }
}
