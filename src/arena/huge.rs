//! Huge pages for what is full.
//!
//! A lookup touches a bucket and an item anywhere in the arena; with pages of 4 KiB each costs a walk
//! of the page tables as well. Regions of 2 MiB that are wholly in use are therefore made huge
//! pages, from the background. Advising the mapping would be simpler and wrong: the system would
//! then fill holes in sparse regions (memory that nobody configured), and look for contiguous
//! memory while a client waits.

use super::{Arena, BLOCKS_PER_PAGE, Kind, PAGE, PageId};
use std::sync::atomic::Ordering::*;

/// What the processor maps in one piece.
pub(super) const REGION: usize = 2 << 20;
/// Regions looked at in one step.
const LOOKED_AT: usize = 256;

impl Arena {
    /// Makes up to `most` full regions huge pages, going on where the last step stopped. Answers
    /// how many.
    pub fn collapse_full_regions(&self, most: usize) -> usize {
        if self.no_huge_pages.load(Relaxed) {
            return 0;
        }
        let regions = self.frontier().start().byte() / REGION;
        let mut made = 0;
        for _ in 0..LOOKED_AT.min(regions) {
            if made >= most {
                break;
            }
            let region = self.next_region.fetch_add(1, Relaxed) as usize % regions;
            if self.huge[region].load(Relaxed) != 0 || !self.is_full(region) {
                continue;
            }
            self.huge[region].store(1, Relaxed);
            match self.mapping.collapse(region) {
                Ok(()) => made += 1,
                // Not by this system, or not any more.
                Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
                    tracing::debug!(%error, "huge pages can't be had");
                    self.no_huge_pages.store(true, Relaxed);
                    break;
                }
                // No contiguous memory just now: this region stays as it is until it changes.
                Err(_) => {}
            }
        }
        made
    }

    /// Some of a page's memory goes back: its region is no huge page any more.
    pub(super) fn not_huge(&self, page: PageId, pages: u32) {
        let lead = self.mapping.lead();
        let at = |page: u32| (page as usize * PAGE).saturating_sub(lead) / REGION;
        for region in at(page.0)..=at(page.0 + pages) {
            if let Some(mark) = self.huge.get(region).filter(|mark| mark.load(Relaxed) != 0) {
                mark.store(0, Relaxed);
            }
        }
    }

    fn is_full(&self, region: usize) -> bool {
        let start = self.mapping.lead() + region * REGION;
        (start / PAGE..=(start + REGION - 1) / PAGE).all(|page| {
            let Some(entry) = self.pages.get(page) else { return false };
            let meta = entry.meta();
            meta.kind() != Kind::Free && meta.is_resident() && entry.blocks_in_use() == BLOCKS_PER_PAGE
        })
    }
}
