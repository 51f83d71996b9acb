//! After a restart: bringing pages from the image before somebody needs them.
//!
//! Whoever comes to a page that is still in the image only has to wait for the disk, and with it all who wait for its
//! shard. So what a command will come to is found out first, without loading anything ([`Locked::look`]), and brought by a
//! thread that holds no lock ([`Keyspace::bring`]); and one thread brings everything, the most useful first
//! ([`Keyspace::load_all`]).

use super::{Keyspace, Locked, shard::Shard};
use crate::{
    arena::{Kind, PageId, PageMeta, class_size},
    types::{self, Ahead},
};
use smallvec::SmallVec;
use std::cell::Cell;

/// Pages that are asked of the disk at once while all are loaded in turn: whoever waits for one that he needs waits for
/// these, too.
const AHEAD: usize = 16;
/// Buckets of an index looked at under one hold of its shard's lock.
const BUCKETS: usize = 256;

/// A look at what is there.
pub(super) struct Look {
    /// Hits and misses of each locked shard until then.
    counted: Vec<(u64, u64)>,
    /// Pages that were not there, of shards that are locked no more.
    pub absent: Vec<PageId>,
}

impl Locked<'_> {
    /// From here on nothing is loaded: what is not there reads as empty, and is noted. Nothing may be changed meanwhile that
    /// depends on it.
    pub fn look(&mut self) {
        let counted = self.guards.iter().map(|shard| (shard.counters.hits, shard.counters.misses)).collect();
        self.look = Some(Box::new(Look { counted, absent: Vec::new() }));
        self.guards.iter().for_each(|shard| shard.heap.look());
    }

    /// Whether this is such a look.
    pub fn is_looking(&self) -> bool {
        self.look.is_some()
    }

    /// Ends [`Self::look`]; answers the pages that were not there.
    pub fn looked(&mut self) -> Vec<PageId> {
        let Some(look) = self.look.take() else { return Vec::new() };
        let Look { counted, mut absent } = *look;
        self.guards.iter().for_each(|shard| absent.append(&mut shard.heap.looked()));
        if !absent.is_empty() {
            // It was no access yet.
            for (shard, (hits, misses)) in self.guards.iter_mut().zip(counted) {
                (shard.counters.hits, shard.counters.misses) = (hits, misses);
            }
        }
        absent
    }

    /// Goes the way to a key, and in the collection there to what a command may come to.
    pub fn go_ahead(&mut self, db: usize, key: &[u8], ahead: Ahead<'_>) {
        let hash = self.keyspace.hash(key);
        let number = self.keyspace.shard_of(hash);
        if self.guards.is_empty() || self.set.contains(number) {
            self.with_shard(number, |shard| shard.go_ahead(db, hash, ahead));
        }
    }
}

impl Shard {
    fn go_ahead(&self, db: usize, hash: u64, ahead: Ahead<'_>) {
        let Some(index) = self.indexes.get(db) else { return };
        // All that the index cannot tell from the key are looked at, as a lookup may.
        let is_there = Cell::new(false);
        index.find(&self.heap, hash, |at| {
            if let Some(view) = self.view_at(at) {
                is_there.set(true);
                types::go_ahead(&view, ahead);
            }
            false
        });
        if ahead.adds > 0 && !is_there.get() {
            index.read_to_insert(&self.heap, hash, ahead.adds, |at| {
                self.heap.chunk(at);
            });
        }
    }
}

impl Keyspace {
    /// Makes pages resident. It may wait for the disk, but holds no lock meanwhile.
    pub fn bring(&self, pages: &[PageId]) {
        pages.iter().for_each(|page| self.load_page(*page));
    }

    /// Brings every page of the image into memory: the indexes, what was used last, the rest; then lets go of the file
    /// and counts the keys that its tables do not. Run by a thread of its own; `go_on` is asked between pages.
    pub fn load_all(&self, go_on: &mut dyn FnMut() -> bool) {
        // Segments are the chunks of 2 to 5 KiB.
        let is_index = |meta: PageMeta| meta.kind() == Kind::Slab && (2048..8192).contains(&class_size(meta.class()));
        let pages = || (1..self.arena.frontier().0).map(PageId);
        let is_done = self.load_pages(pages().filter(|page| is_index(self.arena.page(*page))), go_on)
            && self.load_pages(self.used_pages(go_on).into_iter(), go_on)
            && self.load_pages(pages(), go_on);
        if is_done {
            self.arena.loaded();
            self.count_sizes(go_on);
        }
    }

    /// Brings these pages, in order. While some are taken, the disk reads the next.
    fn load_pages(&self, pages: impl Iterator<Item = PageId>, go_on: &mut dyn FnMut() -> bool) -> bool {
        let mut absent = pages.filter(|page| self.arena.lacks(*page));
        let mut expect = || {
            let next: SmallVec<[PageId; AHEAD]> = absent.by_ref().take(AHEAD).collect();
            self.arena.expect(&next);
            next
        };
        let mut next = expect();
        while !next.is_empty() {
            let here = std::mem::replace(&mut next, expect());
            for page in &here {
                self.load_page(*page);
                if !go_on() {
                    return false;
                }
            }
            self.arena.forget(&here);
        }
        true
    }

    /// The pages of items that were used more than once, as the indexes remember it, in order of place.
    fn used_pages(&self, go_on: &mut dyn FnMut() -> bool) -> Vec<PageId> {
        let mut used = vec![0u64; (self.arena.frontier().0 as usize).div_ceil(64)];
        for (shard, db) in (0..self.shards()).flat_map(|shard| (0..self.databases).map(move |db| (shard, db))) {
            let mut cursor = Some(0);
            while let Some(from) = cursor.filter(|_| go_on()) {
                let shard = self.shards[shard].0.lock();
                let Some(index) = shard.indexes.get(db) else { break };
                cursor = index.walk(&shard.heap, from, BUCKETS, |_, slot| {
                    let page = slot.location().page().0;
                    if (slot.main() || slot.freq() > 0)
                        && let Some(pages) = used.get_mut(page as usize / 64)
                    {
                        *pages |= 1 << (page % 64);
                    }
                });
            }
        }
        let pages = used.iter().enumerate().filter(|(_, pages)| **pages != 0);
        pages
            .flat_map(|(word, pages)| {
                (0..64).filter(move |bit| pages >> bit & 1 == 1).map(move |bit| (word * 64 + bit) as u32)
            })
            .map(PageId)
            .collect()
    }

    /// Makes one page resident, if it is in the image only.
    fn load_page(&self, page: PageId) {
        let Some(loaded) = self.arena.read(page) else { return };
        let Some(shard) = self.shards.get(self.arena.page(page).shard() as usize) else { return };
        let mut shard = shard.0.lock();
        shard.heap.install(loaded);
        if shard.heap.is_damaged() {
            let epoch = self.arena.epoch();
            shard.enter(epoch);
        }
    }
}
