//! Giving back a page's last blocks.
//!
//! Emptying a page gives back 64 KiB, when a class has that much free. What a few evictions free is less: so a page is also
//! shortened, block by block. Its live chunks beyond the new end move into free chunks before it, or into those of other
//! pages; the blocks behind go back to the system, and what follows the new end counts as never used again.

use super::{BLOCK, CLASSES, Kind, Offset, PageId, ShardHeap, TAG_FREE, TAG_UNUSED, class_size, pages::Fill};
use std::sync::atomic::Ordering::Relaxed;

/// A page that is being shortened: chunks from `end` on are moving out.
#[derive(Clone, Copy, Debug)]
pub struct Shortening {
    page: PageId,
    class: u8,
    end: u16,
}

impl ShardHeap {
    /// Begins to shorten a page by at least a block: one of a class that has enough free chunks to take what lies there.
    /// The caller moves each of `live` away and frees it; then calls [`Self::finish_shortening`].
    pub fn begin_shortening(&mut self, live: &mut Vec<Offset>) -> Option<Shortening> {
        live.clear();
        let (page, class, fill) = (0..CLASSES as u8).find_map(|class| self.page_to_shorten(class))?;
        let size = class_size(class);
        let is_live = |heap: &ShardHeap, index: u16| {
            !matches!(heap.chunk(page.at(index as usize * size)).first(), Some(&(TAG_FREE | TAG_UNUSED)) | None)
        };
        let mut end = shorter(fill, size);
        live.extend((end..fill.bump).filter(|index| is_live(self, *index)).map(|index| page.at(index as usize * size)));
        while end > 0 && !is_live(self, end - 1) {
            end -= 1;
        }
        let dropped = self.unchain_from(page, size, end);
        self.count_holes(class, -dropped);
        self.unlist(page, class);
        (self.shortened, self.shortened_to) = (page.0, end as usize * size);
        if self.entry(page).fill().free != Fill::NONE {
            self.list(page, class);
        }
        Some(Shortening { page, class, end })
    }

    /// Ends it: the blocks behind the new end go back, unless something has stayed there.
    pub fn finish_shortening(&mut self, of: Shortening) -> bool {
        let Shortening { page, class, end } = of;
        self.shortened = 0;
        let size = class_size(class);
        let Some(meta) = self.owned(page).filter(|meta| meta.kind() == Kind::Slab && meta.class() == class) else {
            return true;
        };
        debug_assert!(meta.is_resident());
        let mut fill = self.entry(page).fill();
        // What could not move ends the page; the others before it are free as any.
        let is_left = |heap: &ShardHeap, index: &u16| heap.chunk(page.at(*index as usize * size))[0] == TAG_UNUSED;
        let stayed = (end..fill.bump).rev().find(|index| !is_left(self, index));
        fill.bump = stayed.map_or(end, |index| index + 1);
        for index in (end..fill.bump).filter(|index| is_left(self, index)).collect::<Vec<_>>() {
            let next = fill.free.to_le_bytes();
            self.range_mut(page.at(index as usize * size), 0..4).copy_from_slice(&[TAG_FREE, 0, next[0], next[1]]);
            fill.free = (index as usize * size / 8) as u16;
            self.count_holes(class, 1);
        }
        let (old, new) = (fill.blocks, (fill.bump as usize * size).div_ceil(BLOCK) as u16);
        fill.blocks = new;
        for block in page.first_block() + new as usize..page.first_block() + old as usize {
            self.keep_block(block);
        }
        self.entry(page).set_fill(fill);
        // SAFETY: the blocks are this shard's and no chunk in them is in use; `&mut self` means that no slice into them is
        // lent.
        unsafe {
            self.arena.mapping.release(page.start().byte() + new as usize * BLOCK, (old - new) as usize * BLOCK);
        }
        self.arena.not_huge(page, 1);
        self.arena.uncount_blocks((old - new).into());
        self.slab_blocks.set(self.slab_blocks.get() - u64::from(old - new));
        self.unlist(page, class);
        if fill.has_room(class) {
            self.list_last(page, class);
        }
        if fill.used == 0 && self.rooms[class as usize].get() != page.0 {
            self.release_slab_page(page, class);
        }
        new < old
    }

    /// The emptiest page with room of a class, if the chunks of its last block fit elsewhere.
    fn page_to_shorten(&self, class: u8) -> Option<(PageId, u8, Fill)> {
        let (holes, size) = (self.holes[class as usize].get() as usize, class_size(class));
        if holes == 0 {
            return None;
        }
        // Less than a block: not worth a look at the pages, unless the only one is empty.
        let first = PageId(self.rooms[class as usize].get());
        if holes < (BLOCK / size).max(1) && self.entry(first).fill().used > 0 {
            return None;
        }
        let page = self.emptiest_page(class)?;
        let fill = self.entry(page).fill();
        // Those in the last block that are free are among the holes, and not needed.
        (fill.bump > 0 && holes >= (fill.bump - shorter(fill, size)) as usize).then_some((page, class, fill))
    }

    /// Takes the free chunks from index `end` on out of the page's chain; answers how many.
    fn unchain_from(&mut self, page: PageId, size: usize, end: u16) -> i32 {
        let mut fill = self.entry(page).fill();
        let (mut at, mut last, mut dropped) = (fill.free, None, 0);
        while at != Fill::NONE {
            let chunk = page.at(at as usize * 8);
            let next = self.chunk(chunk).get(2..4).map_or(Fill::NONE, |next| u16::from_le_bytes([next[0], next[1]]));
            if at as usize * 8 / size >= end as usize {
                self.range_mut(chunk, 0..1).fill(TAG_UNUSED);
                match last {
                    None => fill.free = next,
                    Some(last) => self.range_mut(last, 2..4).copy_from_slice(&next.to_le_bytes()),
                }
                dropped += 1;
            } else {
                last = Some(chunk);
            }
            at = next;
        }
        self.entry(page).set_fill(fill);
        dropped
    }

    /// A block is about to become zeros: a running cut gets it as it was, and no later image takes it for unchanged.
    fn keep_block(&mut self, block: usize) {
        if self.arena.stamps[block].load(Relaxed) != self.epoch {
            self.stamp_slow(block);
        }
    }
}

/// The chunks that remain when a page loses its last block.
fn shorter(fill: Fill, size: usize) -> u16 {
    let kept = (fill.blocks as usize).saturating_sub(1) * BLOCK / size;
    (kept as u16).min(fill.bump.saturating_sub(1))
}
