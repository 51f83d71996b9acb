//! The page table and the pool of free pages.

use super::{ArenaFull, class_size, mapping::Zeroed};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU32, AtomicU64, Ordering::*},
};

/// What a page is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    Free = 0,
    /// Equal chunks of one class.
    Slab = 1,
    /// The first page of a large run.
    Large = 2,
    /// A further page of a large run.
    Tail = 3,
}

/// The word that guards a page: who owns it, what it is, whether its bytes are here.
///
/// `kind 2 | resident 1 | - 5 | shard 8 | class 8 | - 8 | pages of the run, or bytes of a slab's chunks 32`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageMeta(pub u64);

impl PageMeta {
    pub const FREE: PageMeta = PageMeta(0);
    const RESIDENT: u64 = 1 << 2;
    const GUARD: u64 = 0xFF07;

    pub fn slab(shard: u8, class: u8) -> Self {
        let size = class_size(class) as u64;
        PageMeta(Kind::Slab as u64 | Self::RESIDENT | (shard as u64) << 8 | (class as u64) << 16 | size << 32)
    }
    pub fn large(shard: u8, pages: u32) -> Self {
        PageMeta(Kind::Large as u64 | Self::RESIDENT | (shard as u64) << 8 | (pages as u64) << 32)
    }
    pub fn tail(shard: u8) -> Self {
        PageMeta(Kind::Tail as u64 | Self::RESIDENT | (shard as u64) << 8)
    }
    pub fn kind(self) -> Kind {
        match self.0 & 3 {
            0 => Kind::Free,
            1 => Kind::Slab,
            2 => Kind::Large,
            _ => Kind::Tail,
        }
    }
    #[inline]
    pub fn shard(self) -> u8 {
        (self.0 >> 8) as u8
    }
    #[inline]
    pub fn class(self) -> u8 {
        (self.0 >> 16) as u8
    }
    /// Pages of the run, for the first page of a large one.
    pub fn run(self) -> u32 {
        (self.0 >> 32) as u32
    }
    /// Bytes of a chunk of a slab page, which the class says, too: so an access need not look that up. An image does not
    /// say it, so it is known of a resident page alone.
    #[inline]
    pub(super) fn chunk_bytes(self) -> usize {
        (self.0 >> 32) as usize
    }
    /// The word as an image keeps it.
    pub fn in_image(self) -> u64 {
        if self.kind() == Kind::Slab { u64::from(self.0 as u32) } else { self.0 }
    }
    pub fn is_resident(self) -> bool {
        self.0 & Self::RESIDENT != 0
    }
    pub fn not_resident(self) -> Self {
        PageMeta(self.0 & !Self::RESIDENT)
    }
    pub fn resident(self) -> Self {
        PageMeta(self.0 | Self::RESIDENT)
    }
    /// What a shard's accesses compare with: resident, a slab page, of this shard.
    pub(super) fn guard(shard: u8) -> u64 {
        PageMeta::slab(shard, 0).0 & Self::GUARD
    }
    /// The one comparison of an access.
    #[inline]
    pub(super) fn guards(self, guard: u64) -> bool {
        self.0 & Self::GUARD == guard
    }
}

/// One page's row. Only the owner writes it, under its lock; anyone may read `meta`.
#[repr(C)]
pub(super) struct PageEntry {
    meta: AtomicU64,
    fill: AtomicU64,
    /// Neighbours in the owner's list of pages with room: next and previous page, 0 for none.
    links: AtomicU64,
    /// The epoch in which the page was allocated.
    born: AtomicU32,
    /// The cut that has taken the page.
    taken: AtomicU32,
}

// SAFETY: five atomic integers, for which zero is a valid value.
unsafe impl Zeroed for PageEntry {}

/// How full a slab page is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Fill {
    /// Place in the page, in 8-byte units, of the first free chunk; `Fill::NONE` when none.
    pub free: u16,
    /// Live chunks.
    pub used: u16,
    /// Chunks handed out since the page was fresh.
    pub bump: u16,
    /// Blocks that have been touched and so are resident.
    pub blocks: u16,
}

impl Fill {
    pub const NONE: u16 = u16::MAX;
    pub const EMPTY: Fill = Fill { free: Self::NONE, used: 0, bump: 0, blocks: 0 };
}

impl PageEntry {
    #[inline]
    pub fn meta(&self) -> PageMeta {
        PageMeta(self.meta.load(Relaxed))
    }
    pub fn set_meta(&self, meta: PageMeta) {
        self.meta.store(meta.0, Release);
    }
    #[inline]
    pub fn fill(&self) -> Fill {
        let word = self.fill.load(Relaxed);
        Fill { free: word as u16, used: (word >> 16) as u16, bump: (word >> 32) as u16, blocks: (word >> 48) as u16 }
    }
    #[inline]
    pub fn set_fill(&self, fill: Fill) {
        let word = fill.free as u64 | (fill.used as u64) << 16 | (fill.bump as u64) << 32 | (fill.blocks as u64) << 48;
        self.fill.store(word, Relaxed);
    }
    /// Of a large run: on its first page the blocks that hold the value, on a tail page those of
    /// them that lie in this page.
    pub fn large_blocks(&self) -> u32 {
        self.fill.load(Relaxed) as u32
    }
    /// What an image's page table says of the page's use (see `SavedPage::blocks`).
    pub fn blocks(&self) -> u32 {
        match self.meta().kind() {
            Kind::Slab => self.fill().blocks.into(),
            _ => self.large_blocks(),
        }
    }
    /// Blocks of this page that may hold something.
    pub fn blocks_in_use(&self) -> usize {
        (self.blocks() as usize).min(super::BLOCKS_PER_PAGE)
    }
    pub fn set_large_blocks(&self, blocks: u32) {
        self.fill.store(blocks.into(), Relaxed);
    }
    pub fn next(&self) -> u32 {
        self.links.load(Relaxed) as u32
    }
    pub fn previous(&self) -> u32 {
        (self.links.load(Relaxed) >> 32) as u32
    }
    pub fn set_links(&self, previous: u32, next: u32) {
        self.links.store((previous as u64) << 32 | next as u64, Relaxed);
    }
    pub fn born(&self) -> u32 {
        self.born.load(Relaxed)
    }
    pub fn set_born(&self, epoch: u32) {
        self.born.store(epoch, Relaxed);
    }
    pub fn taken(&self) -> u32 {
        self.taken.load(Relaxed)
    }
    pub fn set_taken(&self, cut: u32) {
        self.taken.store(cut, Relaxed);
    }
}

/// Free runs of pages, coalesced: best fit first, then fresh pages at the frontier.
pub(super) struct PagePool {
    frontier: u32,
    limit: u32,
    by_start: BTreeMap<u32, u32>,
    by_length: BTreeSet<(u32, u32)>,
}

impl PagePool {
    pub fn new(limit: u32) -> Self {
        // Page 0 is the superblock's.
        PagePool { frontier: 1, limit, by_start: BTreeMap::new(), by_length: BTreeSet::new() }
    }

    pub fn frontier(&self) -> u32 {
        self.frontier
    }

    pub fn take(&mut self, pages: u32) -> Result<u32, ArenaFull> {
        if let Some(&(length, start)) = self.by_length.range((pages, 0)..).next() {
            self.remove(start, length);
            if length > pages {
                self.insert(start + pages, length - pages);
            }
            return Ok(start);
        }
        let end = self.frontier.checked_add(pages).filter(|end| *end <= self.limit).ok_or(ArenaFull)?;
        Ok(std::mem::replace(&mut self.frontier, end))
    }

    /// Whether so many pages lie beyond the last that was ever used.
    pub fn has_spare(&self, pages: usize) -> bool {
        (self.limit - self.frontier) as usize >= pages
    }

    pub fn give(&mut self, mut start: u32, mut pages: u32) {
        if let Some((&before, &length)) = self.by_start.range(..start).next_back()
            && before + length == start
        {
            self.remove(before, length);
            (start, pages) = (before, length + pages);
        }
        if let Some(&length) = self.by_start.get(&(start + pages)) {
            self.remove(start + pages, length);
            pages += length;
        }
        if start + pages == self.frontier {
            self.frontier = start;
        } else {
            self.insert(start, pages);
        }
    }

    /// After a restart: `used` are the pages in use below `frontier`, in ascending order.
    pub fn rebuild(&mut self, frontier: u32, used: impl Iterator<Item = u32>) -> Result<(), ArenaFull> {
        if frontier > self.limit {
            return Err(ArenaFull);
        }
        self.frontier = frontier;
        let mut expected = 1;
        for page in used {
            if page > expected {
                self.insert(expected, page - expected);
            }
            expected = page + 1;
        }
        Ok(())
    }

    fn insert(&mut self, start: u32, pages: u32) {
        self.by_start.insert(start, pages);
        self.by_length.insert((pages, start));
    }

    fn remove(&mut self, start: u32, pages: u32) {
        self.by_start.remove(&start);
        self.by_length.remove(&(pages, start));
    }
}
