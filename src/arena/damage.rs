//! Blocks that were found damaged, and what lies in a shard's pages whatever refers to it: what the keyspace mends a
//! shard with.

use super::{BLOCK, BLOCKS_PER_PAGE, Kind, Offset, PageId, ShardHeap, TAG_FREE, TAG_UNUSED, class_size};
use std::sync::atomic::Ordering::Relaxed;

/// The first byte of a chunk of which some bytes are lost. No item, node or part of an index begins so; it counts as
/// used, so that what still refers to it finds nothing there, until it is freed.
const TAG_DAMAGED: u8 = 0x02;

/// What cannot be had of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// One bit per block.
    pub blocks: u16,
    /// What is wrong with the first of them.
    pub reason: String,
}

impl Damage {
    pub(super) fn has(&self, block: usize) -> bool {
        block < BLOCKS_PER_PAGE && self.blocks >> block & 1 == 1
    }

    /// Marks the chunks of a slab page that reach into a damaged block.
    pub(super) fn mark_chunks(&self, page: &mut [u8], size: usize) {
        for (index, chunk) in page.chunks_exact_mut(size).enumerate() {
            let at = index * size;
            if (at / BLOCK..=(at + size - 1) / BLOCK).any(|block| self.has(block)) {
                chunk.fill(0);
                chunk[0] = TAG_DAMAGED;
            }
        }
    }
}

impl ShardHeap {
    /// Whether a page was found damaged since [`Self::forget_damage`].
    #[inline]
    pub fn is_damaged(&self) -> bool {
        self.is_damaged.get()
    }

    /// A chunk that is free already is to be freed: two places refer to it, or to where it was. An image can say so whose
    /// checksums are right; the shard is to be put in order then.
    #[cold]
    pub(super) fn note_freed_twice(&mut self, at: Offset) {
        debug_assert!(self.arena.progress().0 > 0, "{at:?} is freed twice, and no image was read");
        self.arena.damaged_pages.fetch_add(1, Relaxed);
        self.is_damaged.set(true);
        tracing::error!(
            page = at.page().0,
            chunk = at.in_page(),
            "two places of the snapshot refer to one chunk: what relies on it is gone"
        );
    }

    /// Nothing refers to what was damaged any more.
    pub fn forget_damage(&mut self) {
        self.is_damaged.set(false);
    }

    /// Brings every page of this shard that is not resident.
    pub fn load_own(&mut self) {
        (1..self.arena.frontier().0).for_each(|page| self.make_resident(PageId(page)));
    }

    /// Every chunk in use, and of every large run its start even if nothing lies there any more. All pages must be
    /// resident.
    pub fn for_each_chunk(&self, each: &mut dyn FnMut(Offset, &[u8])) {
        for page in (1..self.arena.frontier().0).map(PageId) {
            let Some(meta) = self.owned(page) else { continue };
            match meta.kind() {
                Kind::Slab => {
                    let (size, chunks) = (class_size(meta.class()), self.entry(page).fill().bump as usize);
                    for at in (0..chunks).map(|index| page.at(index * size)) {
                        let chunk = self.chunk(at);
                        if chunk.first().is_some_and(|tag| ![TAG_FREE, TAG_UNUSED].contains(tag)) {
                            each(at, chunk);
                        }
                    }
                }
                Kind::Large => each(page.start(), self.chunk(page.start())),
                Kind::Free | Kind::Tail => {}
            }
        }
    }
}
