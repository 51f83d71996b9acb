//! After a restart: bringing pages from the image before somebody needs them.
//!
//! Whoever comes to a page that is still in the image only has to wait for the disk, and with it all who wait for its
//! shard. So what a command will look up is found out first, without loading anything ([`Keyspace::absent`]), and brought
//! by a thread that may wait ([`Keyspace::bring`]); and one thread brings everything, the most useful first
//! ([`Keyspace::load_all`]). Only what the command comes to beyond that (the middle of a large list, say) is read as it
//! comes to it.

use super::Keyspace;
use crate::{
    arena::{Kind, PageId, PageMeta, class_size},
    types,
};

/// Pages that are asked of the disk at once while all are loaded in turn.
const AHEAD: u32 = 16;
/// Buckets of an index looked at under one hold of its shard's lock.
const BUCKETS: usize = 256;

/// What a command will look up: a key, and what may be elements of the collection there.
pub struct Lookup {
    pub db: usize,
    pub hash: u64,
    pub elements: Vec<Box<[u8]>>,
}

impl Keyspace {
    /// The first page on the way that is not resident.
    pub fn absent(&self, lookup: &Lookup) -> Option<PageId> {
        let shard = self.shards.get(self.shard_of(lookup.hash))?.0.lock();
        let index = shard.indexes.get(lookup.db)?;
        shard.heap.look();
        // All that the index cannot tell from the key are looked at, as a lookup may.
        index.find(&shard.heap, lookup.hash, |at| {
            if let Some(view) = shard.view_at(at) {
                types::go_ahead(&view, &lookup.elements);
            }
            false
        });
        shard.heap.looked()
    }

    /// Makes resident what is to be looked up. It may wait for the disk, but holds no lock meanwhile.
    pub fn bring(&self, lookup: &Lookup) {
        while let Some(page) = self.absent(lookup) {
            self.load_page(page);
        }
    }

    /// Brings every page of the image into memory: the indexes, what was used last, the rest; then lets go of the file
    /// and counts the keys that its tables do not. Run by a thread of its own; `go_on` is asked between pages.
    pub fn load_all(&self, go_on: &mut dyn FnMut() -> bool) {
        // Segments are the chunks of 2 to 5 KiB.
        let is_index = |meta: PageMeta| meta.kind() == Kind::Slab && (2048..8192).contains(&class_size(meta.class()));
        let pages = || (1..self.arena.frontier().0).map(PageId);
        let is_done = self.load_pages(pages().filter(|page| is_index(self.arena.page(*page))), go_on)
            && self.load_pages(self.used_pages(go_on).into_iter(), go_on)
            && self.load_pages(pages().inspect(|page| self.expect_from(*page)), go_on);
        if is_done {
            self.arena.loaded();
            self.count_sizes(go_on);
        }
    }

    fn load_pages(&self, mut pages: impl Iterator<Item = PageId>, go_on: &mut dyn FnMut() -> bool) -> bool {
        pages.all(|page| {
            self.load_page(page);
            go_on()
        })
    }

    fn expect_from(&self, page: PageId) {
        if page.0.is_multiple_of(AHEAD) {
            self.arena.expect(page, AHEAD);
        }
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
