//! Copy before write: what a shard keeps for a running snapshot.
//!
//! The cut at epoch C holds every write of operations that began before C and none of the later
//! ones. The sweep takes each page under its owner's lock. Until it has, a later operation that
//! writes to a block last written before C copies the old block here first; a page that is given
//! back is remembered with what it was. When the copies of all shards together reach the pool's
//! bound, the changer hands the old block to the [`CutSink`] (which writes it to the image) itself:
//! it never waits for the sweep, which may want its lock.
//!
//! The image that is written over may hold a block already as it is to be: then nobody copies or writes it.

use super::{Arena, BLOCK, BLOCKS_PER_PAGE, Kind, PageId, PageMeta, ShardHeap};
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::*},
};

/// The bytes of a block.
pub type Block = [u8; BLOCK];

/// Where old blocks go when the pool is full, and where the bound is kept.
pub trait CutSink: Send + Sync {
    /// Asks for room for one more copied block in the pool.
    fn reserve(&self) -> bool;
    /// Copied blocks have left the pool.
    fn unreserve(&self, blocks: usize);
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

/// What became of a block that changed before the sweep came to it.
enum Old {
    Copied(u32, Box<Block>),
    Spilled,
    Held,
}

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
    saved: HashMap<usize, Old, ahash::RandomState>,
    gone: Vec<SavedPage>,
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
        let pooled = self.cut.saved.values().filter(|old| matches!(old, Old::Copied(..))).count();
        if let Some(sink) = self.cut.sink.take() {
            sink.unreserve(pooled);
        }
        self.cut.saved = HashMap::default();
        self.cut.gone = Vec::new();
        self.cut.epoch = 0;
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

    fn save_block(&mut self, block: usize) {
        let written = self.written(block);
        if self.cut.sink.as_ref().is_some_and(|sink| sink.holds(block as u64, written)) {
            self.cut.saved.insert(block, Old::Held);
            return;
        }
        let mut copy = Box::new([0; BLOCK]);
        // SAFETY: the block belongs to a page of this shard, whose lock is held; `&mut self` means
        // that no slice into it is lent.
        copy.copy_from_slice(unsafe { self.arena.mapping.slice(block * BLOCK, BLOCK) });
        let old = match &self.cut.sink {
            Some(sink) if !sink.reserve() => {
                sink.spill(block as u64, written, &copy);
                Old::Spilled
            }
            _ => Old::Copied(written, copy),
        };
        self.cut.saved.insert(block, old);
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
            self.make_run_resident(page, entry.meta().run());
        }
        let entry = &self.arena.pages[page.0 as usize];
        let saved = SavedPage { page, meta: entry.meta(), blocks: entry.blocks() };
        let in_use = entry.blocks_in_use();
        entry.set_taken(cut);
        for block in page.first_block()..page.first_block() + BLOCKS_PER_PAGE {
            if let Some(old) = self.cut.saved.remove(&block) {
                self.hand_over(block, old, each);
            } else if block < page.first_block() + in_use && self.arena.stamps[block].load(Relaxed) < cut {
                let written = self.written(block);
                if self.cut.sink.as_ref().is_some_and(|sink| sink.holds(block as u64, written)) {
                    each(block as u64, Taken::Held);
                    continue;
                }
                // SAFETY: the page is this shard's and `&mut self` holds it.
                each(block as u64, Taken::Bytes(written, unsafe { self.arena.mapping.slice(block * BLOCK, BLOCK) }));
            }
        }
        Some(saved)
    }

    /// After all pages: those that were given back since the cut.
    pub fn take_gone(&mut self, each: Take) -> Vec<SavedPage> {
        let gone = std::mem::take(&mut self.cut.gone);
        for page in &gone {
            for block in page.page.first_block()..page.page.first_block() + BLOCKS_PER_PAGE {
                if let Some(old) = self.cut.saved.remove(&block) {
                    self.hand_over(block, old, each);
                }
            }
        }
        gone
    }

    fn hand_over(&self, block: usize, old: Old, each: Take) {
        match old {
            Old::Copied(written, bytes) => {
                each(block as u64, Taken::Bytes(written, &bytes[..]));
                if let Some(sink) = &self.cut.sink {
                    sink.unreserve(1);
                }
            }
            Old::Held => each(block as u64, Taken::Held),
            Old::Spilled => {}
        }
    }
}
