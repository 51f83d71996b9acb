//! A shard's share of the arena: the one way to read and write chunks.
//!
//! A `ShardHeap` lives inside its shard's mutex. `&self` lends chunks for reading, `&mut self` for
//! writing; since a page belongs to one shard, the borrow checker's rules for one heap are enough
//! to rule out aliasing in the whole mapping.

use super::{
    Arena, BLOCK, CLASSES, Kind, MAX_SLAB, Offset, PAGE, PageId, class_size,
    cut::Cut,
    pages::{PageEntry, PageMeta},
};
use std::{
    cell::{Cell, RefCell},
    ops::Range,
    sync::{Arc, atomic::Ordering::*},
};

/// What a shard's heap holds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct HeapStats {
    /// Bytes of slab pages that are resident.
    pub slab_bytes: u64,
    /// Bytes of live chunks in them.
    pub chunk_bytes: u64,
    /// Bytes of large runs that are resident.
    pub large_bytes: u64,
}

impl HeapStats {
    pub fn resident_bytes(&self) -> u64 {
        self.slab_bytes + self.large_bytes
    }
}

pub struct ShardHeap {
    pub(super) arena: Arc<Arena>,
    pub(super) shard: u8,
    /// See [`PageMeta::guard`].
    guard: u64,
    /// The epoch that the running operation writes in.
    pub(super) epoch: u32,
    pub(super) cut: Cut,
    /// Per class, the first page with room; 0 for none. (Cells, because a read may make a page
    /// resident and so put it on its list.)
    pub(super) rooms: [Cell<u32>; CLASSES],
    /// And the last.
    pub(super) last_rooms: [Cell<u32>; CLASSES],
    /// Per class, the chunks that can be had without a fresh page.
    pub(super) free_chunks: [Cell<u32>; CLASSES],
    /// Per class, those of them that were used before, and so are resident.
    pub(super) holes: [Cell<u32>; CLASSES],
    /// The page that is being shortened, 0 for none, and the byte where it is to end.
    pub(super) shortened: u32,
    pub(super) shortened_to: usize,
    pub(super) slab_blocks: Cell<u64>,
    pub(super) chunk_bytes: Cell<u64>,
    pub(super) large_blocks: Cell<u64>,
    doomed: Offset,
    /// Pages that are not resident read as empty and are noted.
    pub(super) looks: Cell<bool>,
    pub(super) noted: RefCell<Vec<PageId>>,
    /// Whether part of what lay here is lost, and something may refer to it still.
    pub(super) is_damaged: Cell<bool>,
}

impl ShardHeap {
    pub fn new(arena: &Arc<Arena>, shard: u8) -> ShardHeap {
        ShardHeap {
            arena: Arc::clone(arena),
            shard,
            guard: PageMeta::guard(shard),
            epoch: arena.epoch(),
            cut: Cut::default(),
            rooms: std::array::from_fn(|_| Cell::new(0)),
            last_rooms: std::array::from_fn(|_| Cell::new(0)),
            free_chunks: std::array::from_fn(|_| Cell::new(0)),
            holes: std::array::from_fn(|_| Cell::new(0)),
            shortened: 0,
            shortened_to: 0,
            slab_blocks: Cell::new(0),
            chunk_bytes: Cell::new(0),
            large_blocks: Cell::new(0),
            doomed: Offset::NULL,
            looks: Cell::default(),
            noted: RefCell::default(),
            is_damaged: Cell::new(false),
        }
    }

    /// The head of a chain of chunks that are referred to by nothing else and are to be freed bit
    /// by bit; null when there is none. Who makes the chain keeps it.
    pub fn doomed(&self) -> Offset {
        self.doomed
    }

    pub fn set_doomed(&mut self, head: Offset) {
        self.doomed = head;
    }

    pub fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    pub fn shard(&self) -> u8 {
        self.shard
    }

    /// The epoch of the operation that goes on.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    pub fn stats(&self) -> HeapStats {
        HeapStats {
            slab_bytes: self.slab_blocks.get() * BLOCK as u64,
            chunk_bytes: self.chunk_bytes.get(),
            large_bytes: self.large_blocks.get() * BLOCK as u64,
        }
    }

    /// Allocates a chunk of at least `bytes`. Its content is arbitrary but for its first byte,
    /// which the caller must make its own tag before anything else allocates.
    pub fn alloc(&mut self, bytes: usize) -> Result<Offset, super::ArenaFull> {
        match super::class_of(bytes) {
            Some(class) => self.alloc_slab(class),
            None => self.alloc_large(bytes, 0),
        }
    }

    /// Frees a chunk.
    pub fn free(&mut self, at: Offset) {
        let Some(meta) = self.owned(at.page()) else { return };
        match meta.kind() {
            Kind::Slab => self.free_slab(at, meta.class()),
            Kind::Large => self.free_large(at),
            _ => {}
        }
    }

    /// The whole chunk at `at`, for reading; empty when there is none of this shard.
    #[inline]
    pub fn chunk(&self, at: Offset) -> &[u8] {
        let Some(len) = self.slab_span(at) else { return self.chunk_slow(at) };
        // SAFETY: these bytes lie within a resident page that this shard owns, and every page of the table within the
        // mapping; writes to them need `&mut self`.
        unsafe { self.arena.mapping.slice_within(at.byte(), len) }
    }

    /// As [`Self::chunk`], of one that is not in a resident slab page.
    #[cold]
    fn chunk_slow(&self, at: Offset) -> &[u8] {
        let len = self.span_slow(at);
        // SAFETY: `span_slow` answers more than 0 only for bytes within a resident page (or run) that
        // this shard owns; writes to those need `&mut self`.
        unsafe { self.arena.mapping.slice(at.byte(), len) }
    }

    /// The whole chunk for writing. Its blocks are stamped, and copied first if a snapshot needs
    /// them. For a large chunk prefer [`Self::range_mut`].
    #[inline]
    pub fn chunk_mut(&mut self, at: Offset) -> &mut [u8] {
        self.range_mut(at, 0..self.span(at))
    }

    /// The part `range` of the chunk at `at` for writing; empty when it is not within the chunk, or pinned.
    #[inline]
    pub fn range_mut(&mut self, at: Offset, range: Range<usize>) -> &mut [u8] {
        let Some(span) = self.slab_span(at) else { return self.range_mut_slow(at, range) };
        if range.start >= range.end || range.end > span {
            return self.range_mut_slow(at, range);
        }
        let (start, end) = (at.byte() + range.start, at.byte() + range.end);
        let (first, last) = (start / BLOCK, (end - 1) / BLOCK);
        if !self.is_stamped(first) || last != first && (last > first + 1 || !self.is_stamped(last)) {
            return self.range_mut_slow(at, range);
        }
        // SAFETY: as in `chunk`, and `range` is within the chunk, which in a slab page is never pinned; `&mut self` makes it
        // exclusive.
        unsafe { self.arena.mapping.slice_mut_within(start, end - start) }
    }

    /// As [`Self::range_mut`], of a large chunk, or where blocks are to be stamped.
    #[inline(never)]
    fn range_mut_slow(&mut self, at: Offset, range: Range<usize>) -> &mut [u8] {
        let span = self.span(at);
        if range.start > range.end || range.end > span {
            return &mut [];
        }
        let (start, len) = (at.byte() + range.start, range.end - range.start);
        if span > MAX_SLAB && self.holds_still(start..start + len) {
            return &mut [];
        }
        self.stamp(start..start + len);
        // SAFETY: as in `chunk_slow`, and `range` is within the chunk; no pin covers any of it; `&mut self` makes it
        // exclusive.
        unsafe { self.arena.mapping.slice_mut(start, len) }
    }

    /// Reads the word at byte `index` of the chunk; 0 when outside of it.
    #[inline]
    pub fn word(&self, at: Offset, index: usize) -> u64 {
        self.chunk(at).get(index..index + 8).map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap_or_default()))
    }

    /// Writes a word without stamping its block: for access bits, which an image may or may not
    /// contain.
    #[inline]
    pub fn poke(&mut self, at: Offset, index: usize, word: u64) {
        let (span, start) = (self.span(at), at.byte() + index);
        if index + 8 <= span && !(span > MAX_SLAB && self.holds_still(start..start + 8)) {
            // SAFETY: within a resident chunk of this shard, and not pinned; `&mut self` makes it exclusive.
            unsafe { self.arena.mapping.slice_mut(start, 8) }.copy_from_slice(&word.to_le_bytes());
        }
    }

    /// Bytes of the chunk at `at` (its class's size, or a large run's blocks); 0 when there is
    /// none of this shard.
    #[inline]
    pub fn span(&self, at: Offset) -> usize {
        self.slab_span(at).unwrap_or_else(|| self.span_slow(at))
    }

    /// The same if it is a whole chunk's worth within a resident slab page.
    #[inline]
    fn slab_span(&self, at: Offset) -> Option<usize> {
        let meta = self.arena.pages.get(at.page().0 as usize)?.meta();
        let size = meta.chunk_bytes();
        (meta.guards(self.guard) && at.in_page() + size <= PAGE).then_some(size)
    }

    #[cold]
    fn span_slow(&self, at: Offset) -> usize {
        let Some(meta) = self.owned(at.page()) else { return 0 };
        if !meta.is_resident() && !self.comes_to(at.page()) {
            return 0;
        }
        match meta.kind() {
            Kind::Slab => {
                let size = class_size(meta.class());
                if at.in_page() + size <= PAGE { size } else { 0 }
            }
            Kind::Large if at.in_page() == 0 => {
                if self.arena.is_loading() && !self.comes_to_run(at.page(), meta.run()) {
                    return 0;
                }
                self.entry(at.page()).large_blocks() as usize * BLOCK
            }
            _ => 0,
        }
    }

    #[inline]
    fn is_stamped(&self, block: usize) -> bool {
        self.arena.stamps.get(block).is_some_and(|stamp| stamp.load(Relaxed) == self.epoch)
    }

    /// Stamps the blocks of `bytes` with this operation's epoch.
    #[inline]
    pub(super) fn stamp(&mut self, bytes: Range<usize>) {
        if bytes.is_empty() {
            return;
        }
        let (mut block, last) = (bytes.start / BLOCK, (bytes.end - 1) / BLOCK);
        loop {
            if !self.is_stamped(block) {
                self.stamp_slow(block);
            }
            if block == last {
                return;
            }
            block += 1;
        }
    }

    pub(super) fn entry(&self, page: PageId) -> &PageEntry {
        &self.arena.pages[page.0 as usize]
    }

    /// The page's word if this shard owns it.
    pub(super) fn owned(&self, page: PageId) -> Option<PageMeta> {
        let meta = self.arena.pages.get(page.0 as usize)?.meta();
        (meta.kind() != Kind::Free && meta.shard() == self.shard).then_some(meta)
    }

    /// Gives `pages` pages back, of which `blocks` blocks are resident, and forgets them.
    pub(super) fn release_pages(&mut self, page: PageId, pages: u32, blocks: u32) {
        for page in page.0..page.0 + pages {
            self.save_before_release(PageId(page));
            self.entry(PageId(page)).set_meta(PageMeta::FREE);
        }
        // SAFETY: the pages were this shard's and hold no live chunk; `&mut self` means that no
        // slice into them is lent.
        unsafe {
            self.arena.mapping.release(page.start().byte(), (blocks as usize * BLOCK).min(pages as usize * PAGE))
        };
        self.arena.not_huge(page, pages);
        self.arena.uncount_blocks(blocks);
        self.arena.pool.lock().give(page.0, pages);
    }
}
