//! Values beyond the largest class: a run of pages of their own, of which only the blocks in use
//! are resident. A run that grows takes up the address space reserved behind it first.

use super::{ArenaFull, BLOCK, BLOCKS_PER_PAGE, MAX_SLAB, Offset, PAGE, PageId, ShardHeap, pages::PageMeta};
use std::sync::atomic::Ordering;

/// Blocks that are given back to the system while the shard is locked; it takes a tenth of a microsecond for each.
const AT_ONCE: u32 = 1024;

impl ShardHeap {
    /// Allocates a run for `bytes`, with address space for `reserve` bytes.
    pub(super) fn alloc_large(&mut self, bytes: usize, reserve: usize) -> Result<Offset, ArenaFull> {
        let blocks = u32::try_from(bytes.div_ceil(BLOCK)).map_err(|_| ArenaFull)?;
        let pages = u32::try_from(bytes.max(reserve).div_ceil(PAGE)).map_err(|_| ArenaFull)?;
        let page = PageId(self.arena.take_pages(pages)?);
        self.own_run(page, pages, blocks);
        Ok(page.start())
    }

    /// Makes a run of pages that are nobody's a chunk of this shard, which holds so many blocks.
    pub(super) fn own_run(&mut self, page: PageId, pages: u32, blocks: u32) {
        for tail in page.0..page.0 + pages {
            let entry = self.entry(PageId(tail));
            entry.set_born(self.epoch);
            entry.set_meta(PageMeta::tail(self.shard));
        }
        self.entry(page).set_meta(PageMeta::large(self.shard, pages));
        self.set_run_blocks(page, pages, blocks);
        self.arena.count_blocks(blocks);
        self.large_blocks.set(self.large_blocks.get() + u64::from(blocks));
    }

    /// Stamps all that a run holds.
    pub(super) fn stamp_run(&mut self, page: PageId, pages: u32) {
        for page in (page.0..page.0 + pages).map(PageId) {
            self.begin_blocks(page, 0..self.entry(page).blocks_in_use());
        }
    }

    pub(super) fn free_large(&mut self, at: Offset) {
        let page = at.page();
        if self.span(at) == 0 {
            return;
        }
        let (run, blocks) = (self.entry(page).meta().run(), self.entry(page).large_blocks());
        self.large_blocks.set(self.large_blocks.get() - u64::from(blocks));
        match blocks > AT_ONCE || self.is_pinned(at) {
            true => self.retire_pages(page.0..page.0 + run),
            false => self.release_pages(page, run, blocks),
        }
    }

    /// Frees a chunk in whose place another comes. The pages of a large one may hold the next that comes there.
    pub fn free_for(&mut self, at: Offset, next: Offset) {
        let (page, blocks) = (at.page(), (self.span(at) / BLOCK) as u32);
        let are_large = blocks as usize >= BLOCKS_PER_PAGE && self.span(next) > MAX_SLAB;
        let run = self.owned(page).map_or(0, PageMeta::run);
        if !are_large || self.is_pinned(at) || (page.0..page.0 + run).any(|page| self.cut_needs(PageId(page))) {
            return self.free(at);
        }
        self.large_blocks.set(self.large_blocks.get() - u64::from(blocks));
        (page.0..page.0 + run).for_each(|page| self.entry(PageId(page)).set_meta(PageMeta::FREE));
        self.arena.spare(page, run, blocks);
    }

    /// Makes a large chunk span at least `bytes` (and no more than the blocks for that) without
    /// moving it; false when it is none or pinned, or its address space does not reach. New bytes are zero.
    pub fn resize_large(&mut self, at: Offset, bytes: usize) -> bool {
        let page = at.page();
        let span = self.span(at);
        let Some(meta) = self.owned(page).filter(|meta| meta.run() > 0 && span > 0) else { return false };
        let blocks = bytes.div_ceil(BLOCK);
        if bytes <= super::MAX_SLAB || blocks > meta.run() as usize * BLOCKS_PER_PAGE || self.is_pinned(at) {
            return false;
        }
        let old = self.entry(page).large_blocks();
        let new = blocks as u32;
        // A running cut must find the run as it was, and much memory goes back in steps: a shrunk value moves instead.
        if new < old && (self.cut_needs(page) || old - new > AT_ONCE) {
            return false;
        }
        if new < old {
            // SAFETY: the blocks are this shard's and beyond the chunk's new end; `&mut self`
            // means that no slice into them is lent.
            unsafe { self.arena.mapping.release(at.byte() + blocks * BLOCK, (old - new) as usize * BLOCK) };
            self.arena.not_huge(page, meta.run());
            self.arena.uncount_blocks(old - new);
            self.large_blocks.set(self.large_blocks.get() - u64::from(old - new));
        } else {
            // They are zeros, whatever an image says of an earlier use.
            for block in page.first_block() + old as usize..page.first_block() + new as usize {
                self.arena.stamps[block].store(self.epoch, Ordering::Relaxed);
            }
            self.arena.count_blocks(new - old);
            self.large_blocks.set(self.large_blocks.get() + u64::from(new - old));
        }
        self.set_run_blocks(page, meta.run(), new);
        true
    }

    /// Allocates a run for `bytes` with address space to grow to twice that: address space costs
    /// nothing, so that appending is amortised.
    pub fn alloc_growing(&mut self, bytes: usize) -> Result<Offset, ArenaFull> {
        self.alloc_large(bytes, bytes.saturating_mul(2).min(bytes.saturating_add(1 << 30)))
    }

    /// Copies `len` bytes from byte `from_byte` of one chunk to byte `to_byte` of another, as far
    /// as both reach.
    pub fn copy(&mut self, from: Offset, from_byte: usize, to: Offset, to_byte: usize, len: usize) {
        let len = len.min(self.span(from).saturating_sub(from_byte)).min(self.span(to).saturating_sub(to_byte));
        if from == to || len == 0 {
            return;
        }
        let (source, target) = (from.byte() + from_byte, to.byte() + to_byte);
        if self.holds_still(target..target + len) {
            return;
        }
        self.stamp(target..target + len);
        // SAFETY: both ranges lie within resident chunks of this shard; distinct chunks do not
        // overlap; no pin covers any of the target; `&mut self` makes the access exclusive.
        unsafe {
            let bytes = self.arena.mapping.slice(source, len);
            self.arena.mapping.slice_mut(target, len).copy_from_slice(bytes);
        }
    }

    /// Notes on each page of a run how many of its blocks are in use.
    fn set_run_blocks(&mut self, page: PageId, pages: u32, blocks: u32) {
        let per_page = BLOCKS_PER_PAGE as u32;
        for tail in 1..pages {
            self.entry(PageId(page.0 + tail)).set_large_blocks(blocks.saturating_sub(tail * per_page).min(per_page));
        }
        self.entry(page).set_large_blocks(blocks);
    }
}
