//! Copy before write: what a shard keeps for a running snapshot.
//!
//! The cut at epoch C holds every write of operations that began before C and none of the later
//! ones. The sweep takes each page under its owner's lock. Until it has, a later operation that
//! writes to a block last written before C copies the old block here first; a page that is given
//! back is remembered with what it was. The sweep takes copies early when there are many
//! ([`ShardHeap::take_early`]). When those of all shards together reach the pool's bound all the same,
//! the changer hands the old block to the [`CutSink`] (which writes it to the image) itself: it never
//! waits for the sweep, which may want its lock.
//!
//! The image that is written over may hold a block already as it is to be: then nobody copies or writes it.
//!
//! What a shard gives up as a whole is not copied at all: the pages stay as they are, nobody's, until they are taken.

use super::{Arena, BLOCK, BLOCKS_PER_PAGE, Kind, PageId, PageMeta, ShardHeap};
use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, atomic::Ordering::*},
};

/// The bytes of a block.
pub type Block = [u8; BLOCK];

/// Where old blocks go when the pool is full, and where the bound is kept.
pub trait CutSink: Send + Sync {
    /// A place of the pool for one more copied block, whatever is in it; `None`: the pool is full.
    fn reserve(&self) -> Option<Box<Block>>;
    /// Takes a place back.
    fn give_back(&self, place: Box<Block>);
    /// Writes one block of the image at once. Errors are the sink's to remember: the snapshot
    /// fails, the change goes on.
    fn spill(&self, block: u64, written: u32, bytes: &Block);
    /// Whether the image that is written over holds this block, last written in epoch `written`, as it is to be.
    fn holds(&self, _block: u64, _written: u32) -> bool {
        false
    }
}

/// A block as it was at the cut.
pub enum Taken<'a> {
    /// The image that is written over holds it.
    Held,
    /// Its bytes, and the epoch in which they were last written.
    Bytes(u32, &'a [u8]),
}

/// What takes blocks from the sweep: by number.
pub type Take<'a> = &'a mut dyn FnMut(u64, Taken<'_>);

/// Which blocks of a page need no copy although the sweep has not come to it: `cut 32 | held 16 | in the image 16`.
#[derive(Clone, Copy)]
struct Settled(u64);

impl Settled {
    const IN_IMAGE: u64 = 1;
    /// By the image that is written over.
    const HELD: u64 = 1 << 16;

    fn has(self, what: u64, index: usize) -> bool {
        self.0 & what << index != 0
    }
}

/// Pages that are taken, and copies, under one hold of a shard's lock.
const PAGES_AT_ONCE: usize = 4;
const GONE_AT_ONCE: usize = 256;
const COPIES_AT_ONCE: usize = 64;

/// A page as it was at the cut.
pub struct SavedPage {
    pub page: PageId,
    pub meta: PageMeta,
    /// Blocks in use; of the whole run for the first page of a large one.
    pub blocks: u32,
}

/// A shard's part of the running cut.
#[derive(Default)]
pub(super) struct Cut {
    /// 0: none.
    pub epoch: u32,
    /// Blocks that changed before the sweep came to them, with the epoch of their last write before.
    copies: HashMap<usize, (u32, Box<Block>), ahash::RandomState>,
    gone: Vec<SavedPage>,
    /// Given up as they were, with the blocks of each that are resident.
    pub kept: Vec<(SavedPage, u32)>,
    sink: Option<Arc<dyn CutSink>>,
}

impl Arena {
    /// Begins a cut: one atomic increment. Answers its epoch. One cut runs at a time.
    pub fn begin_cut(&self, sink: Arc<dyn CutSink>) -> u32 {
        *self.sink.write() = Some(sink);
        let epoch = self.epoch.load(Relaxed) + 1;
        self.changed[1].store(self.changed[0].swap(0, Relaxed), Relaxed);
        // The cut's epoch is visible before any operation can begin in it.
        self.cut.store(epoch, SeqCst);
        self.epoch.store(epoch, SeqCst);
        epoch
    }

    /// Whether a cut is under way.
    pub fn is_cut(&self) -> bool {
        self.cut_epoch() != 0
    }

    /// Ends the cut; every shard must have been taken (or the snapshot is given up).
    pub fn end_cut(&self) {
        self.cut.store(0, SeqCst);
        *self.sink.write() = None;
    }
}

impl ShardHeap {
    /// The operation that holds the lock works in `epoch` (read after its last lock was taken).
    /// True when this is the first in a new cut, so that the caller captures its roots.
    #[inline]
    pub fn enter(&mut self, epoch: u32) -> bool {
        if self.epoch == epoch {
            return false;
        }
        self.enter_slow(epoch)
    }

    #[cold]
    fn enter_slow(&mut self, epoch: u32) -> bool {
        self.epoch = epoch;
        let cut = self.arena.cut_epoch();
        if cut == 0 || epoch < cut || self.cut.epoch == cut {
            return false;
        }
        self.leave_cut();
        self.cut.epoch = cut;
        self.cut.sink = self.arena.sink.read().clone();
        true
    }

    /// Forgets what was kept for a cut.
    pub fn leave_cut(&mut self) {
        if let Some(sink) = self.cut.sink.take() {
            self.cut.copies.drain().for_each(|(_, (_, copy))| sink.give_back(copy));
        }
        let kept = std::mem::take(&mut self.cut.kept);
        self.arena.retire(kept.into_iter().map(|(saved, resident)| (saved.page, resident)));
        self.cut = Cut::default();
    }

    /// Stamps a block that this operation is about to write.
    #[cold]
    pub(super) fn stamp_slow(&mut self, block: usize) {
        let page = PageId((block / BLOCKS_PER_PAGE) as u32);
        if self.cut_needs(page) && self.arena.stamps[block].load(Relaxed) < self.cut.epoch {
            self.save_block(block);
        }
        self.arena.stamps[block].store(self.epoch, Relaxed);
        self.arena.changed[0].fetch_add(1, Relaxed);
    }

    /// Blocks that held nothing until now come into use: whatever the running cut needs, it is not these.
    pub(super) fn begin_blocks(&self, page: PageId, blocks: Range<usize>) {
        let mut fresh = 0;
        for stamp in blocks.map(|index| &self.arena.stamps[page.first_block() + index]) {
            if stamp.load(Relaxed) != self.epoch {
                stamp.store(self.epoch, Relaxed);
                fresh += 1;
            }
        }
        self.arena.changed[0].fetch_add(fresh, Relaxed);
    }

    fn save_block(&mut self, block: usize) {
        let Some(sink) = &self.cut.sink else { return };
        let written = self.written(block);
        if sink.holds(block as u64, written) {
            return self.settle(block, Settled::HELD);
        }
        // SAFETY: the block belongs to a page of this shard, whose lock is held; `&mut self` means
        // that no slice into it is lent.
        let bytes = unsafe { self.arena.mapping.slice(block * BLOCK, BLOCK) };
        if let Some(mut copy) = sink.reserve() {
            copy.copy_from_slice(bytes);
            self.cut.copies.insert(block, (written, copy));
        } else if let Some(bytes) = bytes.first_chunk() {
            sink.spill(block as u64, written, bytes);
            self.settle(block, Settled::IN_IMAGE);
        }
    }

    fn settled(&self, page: PageId) -> Settled {
        let (word, epoch) = (self.arena.settled[page.0 as usize].load(Relaxed), u64::from(self.cut.epoch));
        Settled(if word >> 32 == epoch { word } else { epoch << 32 })
    }

    fn settle(&self, block: usize, how: u64) {
        let page = block / BLOCKS_PER_PAGE;
        let Settled(word) = self.settled(PageId(page as u32));
        self.arena.settled[page].store(word | how << (block % BLOCKS_PER_PAGE), Relaxed);
    }

    /// The epoch that the block's bytes are from: of a page that was allocated anew, none are older than that.
    fn written(&self, block: usize) -> u32 {
        let page = PageId((block / BLOCKS_PER_PAGE) as u32);
        self.arena.stamps[block].load(Relaxed).max(self.entry(page).born())
    }

    /// A page is about to be given back: what the running cut needs of it is kept.
    pub(super) fn save_before_release(&mut self, page: PageId) {
        if self.cut_needs(page) {
            let arena = Arc::clone(&self.arena);
            let entry = &arena.pages[page.0 as usize];
            let (meta, blocks) = (entry.meta(), entry.blocks());
            for block in page.first_block()..page.first_block() + entry.blocks_in_use() {
                if self.arena.stamps[block].load(Relaxed) < self.cut.epoch {
                    self.save_block(block);
                    self.arena.stamps[block].store(self.epoch, Relaxed);
                }
            }
            self.cut.gone.push(SavedPage { page, meta, blocks });
        }
    }

    /// Whether the running cut still has to take the page as it was.
    pub(super) fn cut_needs(&self, page: PageId) -> bool {
        let (cut, entry) = (self.cut.epoch, &self.arena.pages[page.0 as usize]);
        cut != 0 && self.arena.cut_epoch() == cut && entry.born() < cut && entry.taken() != cut
    }

    /// The sweep takes a page as it was at the cut: `each(block number, bytes)` for every block
    /// that held something then and was not spilled. False when the page is not this shard's or
    /// was allocated after the cut.
    pub fn take_page(&mut self, page: PageId, each: Take) -> Option<SavedPage> {
        let cut = self.cut.epoch;
        let entry = self.arena.pages.get(page.0 as usize)?;
        if cut == 0
            || entry.meta().kind() == Kind::Free
            || entry.meta().shard() != self.shard
            || entry.born() >= cut
            || entry.taken() == cut
        {
            return None;
        }
        if !entry.meta().is_resident() {
            self.make_resident(page);
        }
        // Whether a value is whole must be known before its first page is taken.
        if self.arena.is_loading() && entry.meta().kind() == Kind::Large {
            self.comes_to_run(page, entry.meta().run());
        }
        let entry = &self.arena.pages[page.0 as usize];
        let saved = SavedPage { page, meta: entry.meta(), blocks: entry.blocks() };
        entry.set_taken(cut);
        self.hand_over(page, 0..entry.blocks_in_use(), each);
        Some(saved)
    }

    /// Some of what need not wait for the sweep: pages that were given up as they were, and with `copies` some of
    /// those. Answers whether there may be more.
    pub fn take_early(&mut self, copies: bool, gone: &mut Vec<SavedPage>, each: Take) -> bool {
        let first = self.cut.kept.len().saturating_sub(PAGES_AT_ONCE);
        let pages = self.cut.kept.split_off(first);
        for (saved, resident) in pages {
            let entry = &self.arena.pages[saved.page.0 as usize];
            entry.set_taken(self.cut.epoch);
            self.hand_over(saved.page, 0..(saved.blocks as usize).min(BLOCKS_PER_PAGE), each);
            self.arena.retire([(saved.page, resident)].into_iter());
            gone.push(saved);
        }
        if copies {
            let some: Vec<usize> = self.cut.copies.keys().copied().take(COPIES_AT_ONCE).collect();
            for block in some {
                self.hand_over_copy(block, each);
                self.settle(block, Settled::IN_IMAGE);
            }
        }
        !self.cut.kept.is_empty() || copies && !self.cut.copies.is_empty()
    }

    /// After all pages: some of those that were given back since the cut. Answers whether there are more.
    pub fn take_gone(&mut self, taken: &mut Vec<SavedPage>, each: Take) -> bool {
        let more = self.take_early(false, taken, each);
        let first = self.cut.gone.len().saturating_sub(GONE_AT_ONCE);
        for page in self.cut.gone.split_off(first) {
            self.hand_over(page.page, 0..0, each);
            taken.push(page);
        }
        more || !self.cut.gone.is_empty()
    }

    /// Hands over what a page held at the cut, of which the blocks `here` may still lie where they were.
    fn hand_over(&mut self, page: PageId, here: Range<usize>, each: Take) {
        let settled = self.settled(page);
        for index in 0..BLOCKS_PER_PAGE {
            let block = page.first_block() + index;
            if settled.has(Settled::HELD, index) {
                each(block as u64, Taken::Held);
            } else if !settled.has(Settled::IN_IMAGE, index)
                && !self.hand_over_copy(block, each)
                && here.contains(&index)
                && self.arena.stamps[block].load(Relaxed) < self.cut.epoch
            {
                let written = self.written(block);
                if self.cut.sink.as_ref().is_some_and(|sink| sink.holds(block as u64, written)) {
                    each(block as u64, Taken::Held);
                    continue;
                }
                // SAFETY: the page is this shard's, or was and is nobody's yet, and `&mut self` holds it.
                each(block as u64, Taken::Bytes(written, unsafe { self.arena.mapping.slice(block * BLOCK, BLOCK) }));
            }
        }
    }

    /// Hands over the copy of a block, if there is one.
    fn hand_over_copy(&mut self, block: usize, each: Take) -> bool {
        if self.cut.copies.is_empty() {
            return false;
        }
        let Some((written, copy)) = self.cut.copies.remove(&block) else { return false };
        each(block as u64, Taken::Bytes(written, &copy[..]));
        if let Some(sink) = &self.cut.sink {
            sink.give_back(copy);
        }
        true
    }
}
