//! Giving up all that a shard holds, or a very large value, at once.
//!
//! Freeing chunk by chunk reads every one of them; a shard that is emptied as a whole needs only its rows of the page
//! table, and a value of many pages only theirs. The pages become nobody's there and then, but the system takes its time to take memory back, so that is done in
//! steps, with no shard locked. Until then they count as resident, which they are, and nobody can allocate them.
//!
//! Only a value that is received may take the pages of one of its size before they go back ([`super::draft`]): memory that is
//! written over again and again then stays, which costs less than to give it back and have it filled with zeros.

use super::{Arena, BLOCK, BLOCKS_PER_PAGE, Offset, PAGE, PageId, PageMeta, SavedPage, ShardHeap};
use std::ops::Range;

/// Pages that belong to nobody and whose memory has not been given back yet.
#[derive(Default)]
pub(super) struct Retired {
    /// With the blocks of each that are resident.
    pages: Vec<(PageId, u32)>,
    sorted: bool,
    spare: Vec<Spare>,
}

/// A run that may be used again as it is.
struct Spare {
    head: PageId,
    pages: u32,
    /// Those that are resident.
    blocks: u32,
    /// Steps of the cron that it has been left alone in.
    steps: u8,
}

/// So many blocks are kept in spare runs, at most.
const SPARE_BLOCKS: u32 = (256 << 20) / BLOCK as u32;
/// For so many steps of the cron, if nobody needs the memory: about the second that the next value of 512 MB may take to come.
const SPARE_STEPS: u8 = 10;

impl Retired {
    /// Spares no more what has been left alone for so many steps.
    fn spend(&mut self, steps: u8) {
        for Spare { head, pages, blocks, .. } in self.spare.extract_if(.., |spare| spare.steps >= steps) {
            self.pages.extend(pages_of(head, pages, blocks));
            self.sorted = false;
        }
    }
}

/// The pages of a run, with how many of its blocks lie in each.
pub(super) fn pages_of(head: PageId, pages: u32, blocks: u32) -> impl Iterator<Item = (PageId, u32)> {
    let per_page = BLOCKS_PER_PAGE as u32;
    (0..pages).map(move |page| (PageId(head.0 + page), blocks.saturating_sub(page * per_page).min(per_page)))
}

impl Arena {
    /// Gives up to `most` retired pages back to the system and to the pool; answers how many.
    pub fn release_retired(&self, most: usize) -> usize {
        self.retired.lock().spend(0);
        self.release_unspared(most)
    }

    /// A step of the cron begins.
    pub fn age_spares(&self) {
        let mut retired = self.retired.lock();
        retired.spare.iter_mut().for_each(|spare| spare.steps += 1);
        retired.spend(SPARE_STEPS);
    }

    /// As [`Self::release_retired`], but that runs may still be spared.
    pub fn release_unspared(&self, most: usize) -> usize {
        let mut retired = self.retired.lock();
        if retired.pages.is_empty() {
            return 0;
        }
        // The shards' pages lie among each other: neighbours go in one call.
        if !std::mem::replace(&mut retired.sorted, true) {
            retired.pages.sort_unstable_by_key(|(page, _)| *page);
        }
        let keep = retired.pages.len().saturating_sub(most);
        let part = retired.pages.split_off(keep);
        if keep == 0 {
            retired.pages = Vec::new();
        }
        drop(retired);
        for run in part.chunk_by(|(page, _), (next, _)| page.0 + 1 == next.0) {
            let blocks: u32 = run.iter().map(|(_, blocks)| *blocks).sum();
            let (start, pages) = (run[0].0, run.len());
            if blocks > 0 {
                // SAFETY: the pages are nobody's (retired by their owner under `&mut`) and not in the pool, so no slice
                // into them is lent and none can be.
                unsafe { self.mapping.release(start.start().byte(), pages * PAGE) };
                self.not_huge(start, pages as u32);
                self.uncount_blocks(blocks);
            }
            self.pool.lock().give(start.0, pages as u32);
        }
        part.len()
    }

    /// Pages that are nobody's any more, with the blocks of each that are resident. Those of a pinned run come again later.
    pub(super) fn retire(&self, pages: impl Iterator<Item = (PageId, u32)>) {
        let mut pinned = self.has_pins().then(|| self.pinned.lock());
        let pages = pages.filter(|(page, blocks)| !pinned.as_mut().is_some_and(|runs| runs.keeps(*page, *blocks)));
        let mut retired = self.retired.lock();
        retired.pages.extend(pages);
        retired.sorted = false;
    }

    /// A run that is nobody's any more, and that no pin or cut needs.
    pub(super) fn spare(&self, head: PageId, pages: u32, blocks: u32) {
        let mut retired = self.retired.lock();
        if retired.spare.iter().map(|run| run.blocks).sum::<u32>().saturating_add(blocks) > SPARE_BLOCKS {
            retired.spend(0);
        }
        retired.spare.push(Spare { head, pages, blocks, steps: 0 });
    }

    /// Takes a spare run of so many pages; answers also how many of its blocks hold something, whatever it is. They are
    /// not counted any more.
    pub(super) fn take_spare(&self, pages: u32) -> Option<(PageId, u32)> {
        let mut retired = self.retired.lock();
        let index = retired.spare.iter().position(|run| run.pages == pages)?;
        let Spare { head, blocks, .. } = retired.spare.swap_remove(index);
        self.uncount_blocks(blocks);
        Some((head, blocks))
    }

    /// Takes a run of free pages; retired ones are called in when there are no others.
    pub(super) fn take_pages(&self, pages: u32) -> Result<u32, super::ArenaFull> {
        let taken = self.pool.lock().take(pages);
        if taken.is_err() && self.release_retired(usize::MAX) > 0 {
            return self.pool.lock().take(pages);
        }
        taken
    }
}

impl ShardHeap {
    /// Gives up every page of this shard, whatever lies there.
    pub fn retire_all(&mut self) {
        self.retire_pages(1..self.arena.frontier().0);
        self.rooms.iter().for_each(|room| room.set(0));
        self.last_rooms.iter().for_each(|room| room.set(0));
        self.free_chunks.iter().for_each(|free| free.set(0));
        self.holes.iter().for_each(|holes| holes.set(0));
        self.slab_blocks.set(0);
        self.chunk_bytes.set(0);
        self.large_blocks.set(0);
        self.set_doomed(Offset::NULL);
    }

    /// Gives up those of these pages that are this shard's. What a running cut needs stays until it is taken.
    pub(super) fn retire_pages(&mut self, pages: Range<u32>) {
        let (mut gone, mut kept) = (Vec::new(), Vec::new());
        for page in pages.map(PageId) {
            if self.owned(page).is_none() {
                continue;
            }
            let is_needed = self.cut_needs(page);
            if is_needed {
                self.make_resident(page);
            }
            let entry = self.entry(page);
            let (meta, blocks) = (entry.meta(), entry.blocks());
            let resident = if meta.is_resident() { entry.blocks_in_use() as u32 } else { 0 };
            entry.set_meta(PageMeta::FREE);
            if is_needed {
                kept.push((SavedPage { page, meta, blocks }, resident));
            } else {
                gone.push((page, resident));
            }
        }
        self.cut.kept.append(&mut kept);
        self.arena.retire(gone.into_iter());
    }
}
