//! After a restart: pages that are still only in the image, and how they come.
//!
//! A page comes at its first touch, or before that: read and verified by a thread that holds no lock ([`Arena::read`]),
//! and then handed to its owner ([`ShardHeap::install`]). What an operation will touch is found out by going its way
//! without loading ([`ShardHeap::look`]).

use super::pages::Fill;
use super::{
    Arena, ArenaFull, BLOCK, BLOCKS_PER_PAGE, Damage, Kind, Offset, PAGE, PageId, PageMeta, ShardHeap, class_size,
};
use std::sync::{Arc, atomic::Ordering::*};

/// Where the bytes of a page come from that is not resident yet.
pub trait PageSource: Send + Sync {
    /// Fills `into` (zeroed before) with the page's bytes. An error names the blocks that cannot be had, which are
    /// left zeroed: what lay there is gone, and the damage is counted.
    fn load(&self, page: PageId, into: &mut [u8]) -> Result<(), Damage>;

    /// Pages that will be loaded next, one after the other.
    fn expect(&self, _first: PageId, _pages: u32) {}

    /// Pages that have been loaded.
    fn forget(&self, _first: PageId, _pages: u32) {}
}

/// A page's bytes, away from the page.
pub struct Loaded {
    page: PageId,
    bytes: Vec<u8>,
    damage: Option<Damage>,
}

/// Pages noted in one look: beyond that, what was noted is worth bringing first.
const NOTED_MAX: usize = 1 << 16;

impl Arena {
    /// Pages that came with an image, and how many of them are still only there (or were given up unseen).
    pub fn progress(&self) -> (u64, u64) {
        (self.attached.load(Relaxed), if self.is_loading() { self.absent.load(Relaxed) } else { 0 })
    }

    /// Whether some page may still be only in the snapshot file.
    #[inline]
    pub fn is_loading(&self) -> bool {
        self.loading.load(Relaxed)
    }

    /// Takes over the pages of an image of the cut `epoch`. `pages` are (page, meta, blocks in use), each to be
    /// loaded from `source` at its first touch; `written` says of blocks in which epoch they were last written.
    /// The arena must be fresh.
    pub fn attach(
        &self,
        epoch: u32,
        pages: &[(PageId, PageMeta, u32)],
        written: impl Iterator<Item = (u32, u32)>,
        source: Arc<dyn PageSource>,
    ) -> Result<(), ArenaFull> {
        let frontier = pages.iter().map(|(page, ..)| page.0 + 1).max().unwrap_or(1);
        self.pool.lock().rebuild(frontier, pages.iter().map(|(page, ..)| page.0))?;
        for (page, meta, blocks) in pages {
            let entry = &self.pages[page.0 as usize];
            entry.set_large_blocks(*blocks);
            entry.set_meta(meta.not_resident());
            // Blocks that the image lacks are zeros since nobody knows when.
            for block in page.first_block()..page.first_block() + BLOCKS_PER_PAGE {
                self.stamps[block].store(epoch, Relaxed);
            }
        }
        for (block, written) in written {
            if let Some(stamp) = self.stamps.get(block as usize) {
                stamp.store(written, Relaxed);
            }
        }
        // What happens from now on comes after the image's cut.
        self.epoch.fetch_max(epoch, SeqCst);
        self.attached.store(pages.len() as u64, Relaxed);
        self.absent.store(pages.len() as u64, Relaxed);
        *self.source.write() = Some(source);
        self.loading.store(true, Release);
        Ok(())
    }

    /// Whether a page is still in the image only.
    pub fn lacks(&self, page: PageId) -> bool {
        let meta = self.page(page);
        meta.kind() != Kind::Free && !meta.is_resident()
    }

    /// Says to the source which pages, in order, will be read next.
    pub fn expect(&self, pages: &[PageId]) {
        self.tell_source(pages, |source, first, pages| source.expect(first, pages));
    }

    /// Says to the source which pages, in order, are here now.
    pub fn forget(&self, pages: &[PageId]) {
        self.tell_source(pages, |source, first, pages| source.forget(first, pages));
    }

    fn tell_source(&self, pages: &[PageId], tell: impl Fn(&dyn PageSource, PageId, u32)) {
        let Some(source) = self.source.read().clone() else { return };
        pages.chunk_by(|a, b| a.0 + 1 == b.0).for_each(|run| tell(&*source, run[0], run.len() as u32));
    }

    /// Reads and verifies a page of the image, which takes the disk's time: to be called with no lock held. `None` when it
    /// is not one that is only there.
    pub fn read(&self, page: PageId) -> Option<Loaded> {
        let source = self.source.read().clone().filter(|_| self.lacks(page))?;
        let mut bytes = vec![0; PAGE];
        let damage = source.load(page, &mut bytes).err();
        Some(Loaded { page, bytes, damage })
    }

    /// All pages are resident: the source is dropped.
    pub fn loaded(&self) {
        self.loading.store(false, Release);
        if let Some(source) = self.source.write().take() {
            source.forget(PageId(0), self.frontier().0);
        }
    }
}

impl ShardHeap {
    /// From here on a page that is not resident reads as empty, and is noted: to find out what an operation will touch,
    /// without any wait.
    pub fn look(&self) {
        self.looks.set(true);
    }

    /// Ends [`Self::look`]; answers the pages that were not resident.
    pub fn looked(&self) -> Vec<PageId> {
        self.looks.set(false);
        let mut noted = self.noted.take();
        noted.sort_unstable();
        noted.dedup();
        noted
    }

    /// What must not rely on empty pages loads them for as long as this; answers what is to be said then to go on as before.
    pub fn set_looks(&self, looks: bool) -> bool {
        self.looks.replace(looks)
    }

    /// Whether a chunk is still in the snapshot only.
    pub fn is_absent(&self, at: Offset) -> bool {
        self.arena.is_loading() && self.owned(at.page()).is_some_and(|meta| !meta.is_resident())
    }

    /// A page that is not resident is come to: whether its bytes can be read now.
    pub(super) fn comes_to(&self, page: PageId) -> bool {
        if !self.looks.get() {
            self.make_resident(page);
            return true;
        }
        let mut noted = self.noted.borrow_mut();
        if noted.last() != Some(&page) && noted.len() < NOTED_MAX {
            noted.push(page);
        }
        false
    }

    /// The same for a large run, of which some pages may not be resident.
    pub(super) fn comes_to_run(&self, page: PageId, run: u32) -> bool {
        let pages = (self.entry(page).large_blocks() as usize * BLOCK).div_ceil(PAGE) as u32;
        let mut all = true;
        for page in (page.0..page.0 + pages.min(run)).map(PageId) {
            if self.owned(page).is_some_and(|meta| !meta.is_resident()) {
                all &= self.comes_to(page);
            }
        }
        all
    }

    /// Brings a page of this shard from the snapshot file, if it is still there only.
    #[cold]
    pub fn make_resident(&self, page: PageId) {
        self.bring_in(page, |bytes| {
            let source = self.arena.source.read().clone();
            source.and_then(|source| source.load(page, bytes).err())
        });
    }

    /// Takes a page that was read before, if it is still in the snapshot file only.
    pub fn install(&self, loaded: Loaded) {
        let Loaded { page, bytes, damage } = loaded;
        self.bring_in(page, |into| {
            for (block, from) in into.chunks_exact_mut(BLOCK).zip(bytes.chunks_exact(BLOCK)) {
                // What is not in use takes no memory.
                if from.iter().any(|byte| *byte != 0) {
                    block.copy_from_slice(from);
                }
            }
            damage
        });
    }

    /// Makes a page resident with what `fill` makes of its zeroed bytes. What is damaged is gone.
    fn bring_in(&self, page: PageId, fill: impl FnOnce(&mut [u8]) -> Option<Damage>) {
        let Some(meta) = self.owned(page).filter(|meta| !meta.is_resident()) else { return };
        self.arena.absent.fetch_sub(1, Relaxed);
        // SAFETY: the page is this shard's, whose lock is held, and it is not resident: no slice
        // into it was ever lent, because every access compares the resident bit first.
        let bytes = unsafe { self.arena.mapping.slice_mut(page.start().byte(), PAGE) };
        let damage = fill(bytes);
        if let Some(damage) = &damage {
            if meta.kind() == Kind::Slab {
                damage.mark_chunks(bytes, class_size(meta.class()));
            }
            self.note_damage(page, damage);
        }
        let entry = self.entry(page);
        if meta.kind() != Kind::Slab {
            let blocks = entry.blocks_in_use() as u32;
            self.large_blocks.set(self.large_blocks.get() + u64::from(blocks));
            self.arena.count_blocks(blocks);
            entry.set_meta(meta.resident());
            if damage.is_some() {
                self.forget_run(page);
            }
            return;
        }
        let class = meta.class();
        let fill = Fill::of_loaded(bytes, class_size(class));
        entry.set_fill(fill);
        self.count_free(class, (PAGE / class_size(class)) as i32 - i32::from(fill.used));
        self.count_holes(class, i32::from(fill.bump) - i32::from(fill.used));
        self.slab_blocks.set(self.slab_blocks.get() + u64::from(fill.blocks));
        self.chunk_bytes.set(self.chunk_bytes.get() + fill.used as u64 * class_size(class) as u64);
        self.arena.count_blocks(fill.blocks.into());
        entry.set_meta(PageMeta::slab(self.shard, class));
        if fill.has_room(class) {
            self.list(page, class);
        }
    }

    fn note_damage(&self, page: PageId, damage: &Damage) {
        self.arena.damaged_pages.fetch_add(1, Relaxed);
        self.is_damaged.set(true);
        // It is not as any image has it. (A loader has begun no operation, so the epoch is the arena's.)
        for block in page.first_block()..page.first_block() + BLOCKS_PER_PAGE {
            self.arena.stamps[block].store(self.arena.epoch(), Relaxed);
        }
        tracing::error!(
            page = page.0,
            blocks = damage.blocks.count_ones(),
            reason = damage.reason,
            "a page of the snapshot is damaged: what lay in its damaged blocks is gone"
        );
    }

    /// A large value of which a page is damaged is gone as a whole: its head says so.
    fn forget_run(&self, page: PageId) {
        let head =
            (1..=page.0).rev().map(PageId).find(|page| self.owned(*page).is_none_or(|meta| meta.kind() != Kind::Tail));
        if let Some(head) = head.filter(|head| self.owned(*head).is_some_and(|meta| meta.kind() == Kind::Large)) {
            self.make_resident(head);
            // SAFETY: the head is this shard's and resident; a slice into a run is only lent after
            // all its pages are resident, which this one was not yet.
            unsafe { self.arena.mapping.slice_mut(head.start().byte(), 16) }.fill(0);
            // It is not as any image has it, either.
            self.arena.stamps[head.first_block()].store(self.arena.epoch(), Relaxed);
        }
    }
}
