//! The arena: one large anonymous mapping in which every value lives, and the only `unsafe` code.
//!
//! ```text
//! mapping   | page 0: superblock | page 1 | page 2 | ...           64 KiB each, up to 512 GiB
//! page      a slab of equal chunks (one shard, one size class), or part of a large run
//! block     4 KiB: what is stamped with an epoch when written, and what a checksum covers
//! chunk     what is allocated; its first byte is its tag: 0x00 never used, 0xFF freed
//! ```
//!
//! Virtual space is free: the reservation is far larger than `maxmemory`, so a value that must be
//! contiguous takes fresh addresses and nothing is ever compacted to make room for it. Memory that
//! empties goes back to the operating system page by page and is counted out at once.
//!
//! **Ownership.** A page belongs to one shard from its allocation to its release, and is touched
//! only through that shard's [`ShardHeap`], which lives inside the shard's mutex. One word per
//! page says who owns it, what it is, and whether its bytes are resident; every access compares
//! that word once, so a foreign, free or not yet loaded page cannot be read by accident.
//!
//! **Cut.** A snapshot begins by adding one to the arena's epoch. A write stamps its blocks with
//! the epoch its operation began in; a block that is older than the running cut and not yet taken
//! by the sweep is copied before it is written (see [`cut`]).
#![allow(unsafe_code)]

mod class;
mod cut;
mod damage;
mod draft;
mod heap;
mod huge;
mod large;
mod loading;
mod mapping;
mod offset;
mod pages;
mod pinned;
mod retire;
mod shorten;
mod slab;

pub use class::{CLASSES, MAX_SLAB, class_of, class_size};
pub use cut::{Block, CutSink, SavedPage, Take, Taken};
pub use damage::Damage;
pub use draft::Draft;
pub use heap::{HeapStats, ShardHeap};
pub use loading::{Loaded, PageSource};
pub use offset::{BLOCK, BLOCKS_PER_PAGE, Offset, PAGE, PageId};
pub use pages::{Kind, PageMeta};
pub use pinned::Pin;
pub use shorten::Shortening;

use mapping::{Mapping, Table};
use pages::{PageEntry, PagePool};
use parking_lot::{Mutex, RwLock};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::*},
    },
};

/// The first byte of a chunk that was never used since its page was fresh.
pub const TAG_UNUSED: u8 = 0x00;
/// The first byte of a chunk on its page's free list.
pub const TAG_FREE: u8 = 0xFF;

/// Images that are remembered; two alternate, and the name may be changed.
const IMAGES: usize = 8;

/// There is no address space or page left (the reservation is full).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArenaFull;

/// The mapping and what all shards share of it.
pub struct Arena {
    mapping: Mapping,
    pages: Table<PageEntry>,
    /// Per block, the epoch of its last write.
    stamps: Table<AtomicU32>,
    pool: Mutex<PagePool>,
    retired: Mutex<retire::Retired>,
    drafts: Mutex<draft::DraftRuns>,
    pinned: Mutex<pinned::PinnedRuns>,
    pinned_runs: AtomicU32,
    pins_max: AtomicU64,
    resident_blocks: AtomicU64,
    peak_blocks: AtomicU64,
    epoch: AtomicU32,
    /// Blocks written since the last cut, and between that and the one before it.
    changed: [AtomicU64; 2],
    /// The epoch of the running cut; 0 when none runs.
    cut: AtomicU32,
    sink: RwLock<Option<Arc<dyn CutSink>>>,
    /// Per page, the running cut's word (see [`cut`]).
    settled: Table<AtomicU64>,
    /// Some page may still be only in the snapshot file.
    loading: AtomicBool,
    source: RwLock<Option<Arc<dyn PageSource>>>,
    /// Pages that came with an image, and those of them that are not resident yet.
    attached: AtomicU64,
    absent: AtomicU64,
    damaged_pages: AtomicU64,
    /// The images that this memory was written to, or came from, the newest last: of them the stamps tell what has changed.
    images: Mutex<Vec<u64>>,
    /// Per region of 2 MiB, whether it was made a huge page (see [`huge`]).
    huge: Table<AtomicU32>,
    next_region: AtomicU32,
    no_huge_pages: AtomicBool,
}

impl Arena {
    /// Reserves `bytes` of address space (rounded up to whole pages, at most 512 GiB). When the
    /// system refuses that much, smaller reservations are tried down to `least`.
    pub fn reserve(bytes: usize, least: usize) -> io::Result<Arc<Arena>> {
        let mut pages = bytes.min(Offset::SPACE).div_ceil(PAGE).max(2);
        loop {
            match Self::try_reserve(pages) {
                Ok(arena) => return Ok(Arc::new(arena)),
                Err(error) if pages / 2 * PAGE < least.max(2 * PAGE) => return Err(error),
                Err(_) => pages /= 2,
            }
        }
    }

    fn try_reserve(pages: usize) -> io::Result<Arena> {
        Ok(Arena {
            mapping: Mapping::reserve(pages * PAGE)?,
            pages: Table::reserve(pages)?,
            stamps: Table::reserve(pages * BLOCKS_PER_PAGE)?,
            pool: Mutex::new(PagePool::new(pages as u32)),
            retired: Mutex::default(),
            drafts: Mutex::default(),
            pinned: Mutex::default(),
            pinned_runs: AtomicU32::new(0),
            pins_max: AtomicU64::new(u64::MAX),
            resident_blocks: AtomicU64::new(0),
            peak_blocks: AtomicU64::new(0),
            epoch: AtomicU32::new(1),
            changed: Default::default(),
            cut: AtomicU32::new(0),
            sink: RwLock::new(None),
            settled: Table::reserve(pages)?,
            loading: AtomicBool::new(false),
            source: RwLock::new(None),
            attached: AtomicU64::new(0),
            absent: AtomicU64::new(0),
            damaged_pages: AtomicU64::new(0),
            images: Mutex::default(),
            huge: Table::reserve(pages * PAGE / huge::REGION + 1)?,
            next_region: AtomicU32::new(0),
            no_huge_pages: AtomicBool::new(false),
        })
    }

    /// Bytes of address space.
    pub fn capacity(&self) -> u64 {
        (self.pages.len() * PAGE) as u64
    }

    /// Bytes of memory that the arena holds.
    pub fn resident(&self) -> u64 {
        self.resident_blocks.load(Relaxed) * BLOCK as u64
    }

    /// The most that `resident` has been.
    pub fn peak(&self) -> u64 {
        self.peak_blocks.load(Relaxed).max(self.resident_blocks.load(Relaxed)) * BLOCK as u64
    }

    /// The page after the last that was ever used.
    pub fn frontier(&self) -> PageId {
        PageId(self.pool.lock().frontier())
    }

    /// What the page is now. Without the owner's lock it may change at once.
    pub fn page(&self, page: PageId) -> PageMeta {
        self.pages.get(page.0 as usize).map_or(PageMeta::FREE, PageEntry::meta)
    }

    /// The epoch in which an operation that holds all its locks begins now.
    #[inline]
    pub fn epoch(&self) -> u32 {
        self.epoch.load(Acquire)
    }

    /// The epoch of the running cut, 0 when none runs.
    #[inline]
    pub fn cut_epoch(&self) -> u32 {
        self.cut.load(Acquire)
    }

    /// Bytes that a snapshot would write over the older of two images: what has changed since its cut and since the last one.
    pub fn changed_bytes(&self) -> [u64; 2] {
        let [since, before] = self.changed.each_ref().map(|blocks| blocks.load(Relaxed) * BLOCK as u64);
        [since + before, since]
    }

    /// Hints the processor to fetch the line at `at`; any offset is allowed.
    #[inline]
    pub fn prefetch(&self, at: Offset) {
        self.mapping.prefetch(at.byte());
    }

    /// The same for the lines of `len` bytes from byte `start` of what lies at `at`.
    #[inline]
    pub fn prefetch_part(&self, at: Offset, start: usize, len: usize) {
        const LINE: usize = 64;
        let first = at.byte() + start;
        for line in first / LINE..(first + len).div_ceil(LINE) {
            self.mapping.prefetch(line * LINE);
        }
    }

    /// The same for all lines of a small chunk, and the first ones of a large one, after which the processor goes on by
    /// itself.
    #[inline]
    pub fn prefetch_chunk(&self, at: Offset) {
        const MOST: usize = 256;
        let class = self.pages.get(at.page().0 as usize).map_or(0, |entry| entry.meta().class());
        self.prefetch_part(at, 0, class_size(class).min(MOST));
    }

    /// How many pages were found damaged while loading.
    pub fn damaged_pages(&self) -> u64 {
        self.damaged_pages.load(Relaxed)
    }

    /// The stamps tell what has changed since the image with this id.
    pub fn note_image(&self, id: u64) {
        let mut images = self.images.lock();
        if images.len() == IMAGES {
            images.remove(0);
        }
        images.push(id);
    }

    /// An image does not hold this block as it was written: the next ones are to. Only while no cut runs.
    pub fn distrust(&self, block: u32) {
        if let Some(stamp) = self.stamps.get(block as usize)
            && stamp.swap(self.epoch(), Relaxed) != self.epoch()
        {
            self.changed[0].fetch_add(1, Relaxed);
        }
    }

    /// Whether they do.
    pub fn knows_image(&self, id: u64) -> bool {
        id != 0 && self.images.lock().contains(&id)
    }

    fn count_blocks(&self, more: u32) {
        self.resident_blocks.fetch_add(more.into(), Relaxed);
    }

    fn uncount_blocks(&self, fewer: u32) {
        // The peak is sampled where memory is given back, so that taking it stays one addition.
        let before = self.resident_blocks.fetch_sub(fewer.into(), Relaxed);
        self.peak_blocks.fetch_max(before, Relaxed);
    }
}

#[cfg(test)]
mod tests;
