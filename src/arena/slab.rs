//! Chunks in slab pages: allocation, release, and the choice of pages to empty.
//!
//! A page of class size s holds PAGE / s chunks. Freed chunks are chained through the page itself:
//! byte 0 is [`TAG_FREE`], bytes 2..4 the next one's place. So a page loaded from an image can
//! tell its free chunks by itself, and an image needs no allocator state.

use super::{
    ArenaFull, BLOCK, Kind, Offset, PAGE, PageId, ShardHeap, TAG_FREE, TAG_UNUSED, class_size,
    pages::{Fill, PageMeta},
};

/// How many pages of a class are looked at for the emptiest one.
const EMPTIEST_OF: usize = 32;
/// How many pages with room are looked at for one that the running cut has taken.
const TAKEN_OF: usize = 8;

impl Fill {
    pub(super) fn has_room(self, class: u8) -> bool {
        self.free != Fill::NONE || (self.bump as usize) < PAGE / class_size(class)
    }

    /// Reads how full a page is from its bytes, and chains its free chunks anew.
    pub(super) fn of_loaded(page: &mut [u8], size: usize) -> Fill {
        let mut fill = Fill::EMPTY;
        for (index, chunk) in page.chunks_exact_mut(size).enumerate() {
            if chunk[0] != TAG_UNUSED {
                fill.bump = index as u16 + 1;
            }
        }
        for (index, chunk) in page.chunks_exact_mut(size).enumerate().take(fill.bump as usize) {
            if chunk[0] == TAG_UNUSED || chunk[0] == TAG_FREE {
                chunk[0] = TAG_FREE;
                chunk[2..4].copy_from_slice(&fill.free.to_le_bytes());
                fill.free = (index * size / 8) as u16;
            } else {
                fill.used += 1;
            }
        }
        fill.blocks = (fill.bump as usize * size).div_ceil(BLOCK) as u16;
        fill
    }
}

impl ShardHeap {
    pub(super) fn alloc_slab(&mut self, class: u8) -> Result<Offset, ArenaFull> {
        let size = class_size(class);
        let page = match self.rooms[class as usize].get() {
            0 => self.add_page(class)?,
            page if self.arena.cut_epoch() != 0 => self.prefer_taken(PageId(page), class),
            page => PageId(page),
        };
        let mut fill = self.entry(page).fill();
        let at = if fill.free != Fill::NONE {
            let at = page.at(fill.free as usize * 8);
            fill.free = self.chunk(at).get(2..4).map_or(Fill::NONE, |next| u16::from_le_bytes([next[0], next[1]]));
            self.count_holes(class, -1);
            // What is left of the page was never used: the free chunks of others come first.
            if fill.free == Fill::NONE && self.entry(page).next() != 0 {
                self.unlist(page, class);
                self.list_last(page, class);
            }
            at
        } else {
            let at = page.at(fill.bump as usize * size);
            fill.bump += 1;
            let blocks = (fill.bump as usize * size).div_ceil(BLOCK) as u16;
            if blocks > fill.blocks {
                let more = blocks - fill.blocks;
                self.begin_blocks(page, fill.blocks.into()..blocks.into());
                self.arena.count_blocks(more.into());
                self.slab_blocks.set(self.slab_blocks.get() + u64::from(more));
                fill.blocks = blocks;
            }
            at
        };
        fill.used += 1;
        self.entry(page).set_fill(fill);
        self.count_free(class, -1);
        self.chunk_bytes.set(self.chunk_bytes.get() + size as u64);
        if !self.has_room_in(page, fill, class) {
            self.unlist(page, class);
        }
        Ok(at)
    }

    /// While a snapshot runs, what it has taken comes first: a change to it needs no copy. Answers which page is the first
    /// of its list then.
    #[cold]
    fn prefer_taken(&self, first: PageId, class: u8) -> PageId {
        let (mut page, mut looked) = (first.0, 0);
        while page != 0 && looked < TAKEN_OF {
            let entry = self.entry(PageId(page));
            let is_better = !self.cut_needs(PageId(page)) && (looked == 0 || entry.fill().free != Fill::NONE);
            if is_better && looked > 0 {
                self.unlist(PageId(page), class);
                self.list(PageId(page), class);
            }
            if is_better {
                return PageId(page);
            }
            (page, looked) = (entry.next(), looked + 1);
        }
        first
    }

    pub(super) fn free_slab(&mut self, at: Offset, class: u8) {
        let (page, size) = (at.page(), class_size(class));
        // The access makes the page resident and its fill known.
        let Some(head) = self.range_mut(at, 0..4).first_chunk_mut::<4>() else { return };
        if matches!(head[0], TAG_FREE | TAG_UNUSED) {
            return self.note_freed_twice(at);
        }
        self.count_free(class, 1);
        self.chunk_bytes.set(self.chunk_bytes.get().saturating_sub(size as u64));
        let mut fill = self.entry(page).fill();
        fill.used = fill.used.saturating_sub(1);
        if page.0 == self.shortened && at.in_page() >= self.shortened_to {
            self.range_mut(at, 0..1).fill(TAG_UNUSED);
            self.entry(page).set_fill(fill);
            return;
        }
        let next = fill.free.to_le_bytes();
        self.range_mut(at, 0..4).copy_from_slice(&[TAG_FREE, 0, next[0], next[1]]);
        let had_room = self.has_room_in(page, fill, class);
        let is_first = fill.free == Fill::NONE && self.rooms[class as usize].get() != page.0;
        fill.free = (at.in_page() / 8) as u16;
        self.entry(page).set_fill(fill);
        self.count_holes(class, 1);
        if !had_room || is_first {
            self.unlist(page, class);
            self.list(page, class);
        }
        // One empty page is kept when it is the class's only one with room, so that a class
        // that breathes in and out does not go to the system each time.
        if fill.used == 0 && (self.entry(page).next() != 0 || self.entry(page).previous() != 0) {
            self.release_slab_page(page, class);
        }
    }

    /// Gives a page back that is on its list and holds nothing.
    pub(super) fn release_slab_page(&mut self, page: PageId, class: u8) {
        self.unlist(page, class);
        self.count_free(class, -((PAGE / class_size(class)) as i32));
        let Fill { blocks, bump, .. } = self.entry(page).fill();
        self.count_holes(class, -i32::from(bump));
        self.slab_blocks.set(self.slab_blocks.get() - u64::from(blocks));
        self.release_pages(page, 1, blocks.into());
    }

    fn add_page(&mut self, class: u8) -> Result<PageId, ArenaFull> {
        let page = PageId(self.arena.take_pages(1)?);
        let entry = self.entry(page);
        entry.set_fill(Fill::EMPTY);
        entry.set_born(self.epoch);
        entry.set_meta(PageMeta::slab(self.shard, class));
        self.count_free(class, (PAGE / class_size(class)) as i32);
        self.list(page, class);
        Ok(page)
    }

    /// Whether the page can give a chunk: one that is being shortened only what is free before its new end.
    fn has_room_in(&self, page: PageId, fill: Fill, class: u8) -> bool {
        if page.0 == self.shortened { fill.free != Fill::NONE } else { fill.has_room(class) }
    }

    /// Puts the page first on its class's list of pages with room. Those with free chunks that were used before come first,
    /// so that no fresh memory is touched while there are any.
    pub(super) fn list(&self, page: PageId, class: u8) {
        let first = self.rooms[class as usize].replace(page.0);
        self.entry(page).set_links(0, first);
        if first == 0 {
            self.last_rooms[class as usize].set(page.0);
        } else {
            let entry = self.entry(PageId(first));
            entry.set_links(page.0, entry.next());
        }
    }

    /// Puts the page last on its class's list.
    pub(super) fn list_last(&self, page: PageId, class: u8) {
        let last = self.last_rooms[class as usize].replace(page.0);
        self.entry(page).set_links(last, 0);
        if last == 0 {
            self.rooms[class as usize].set(page.0);
        } else {
            let entry = self.entry(PageId(last));
            entry.set_links(entry.previous(), page.0);
        }
    }

    pub(super) fn is_listed(&self, page: PageId, class: u8) -> bool {
        self.entry(page).previous() != 0 || self.entry(page).next() != 0 || self.rooms[class as usize].get() == page.0
    }

    pub(super) fn unlist(&self, page: PageId, class: u8) {
        let (previous, next) = (self.entry(page).previous(), self.entry(page).next());
        if previous != 0 {
            let entry = self.entry(PageId(previous));
            entry.set_links(entry.previous(), next);
        } else if self.rooms[class as usize].get() == page.0 {
            self.rooms[class as usize].set(next);
        }
        if next != 0 {
            let entry = self.entry(PageId(next));
            entry.set_links(previous, entry.next());
        } else if self.last_rooms[class as usize].get() == page.0 {
            self.last_rooms[class as usize].set(previous);
        }
        self.entry(page).set_links(0, 0);
    }

    pub(super) fn count_free(&self, class: u8, more: i32) {
        let free = &self.free_chunks[class as usize];
        free.set(free.get().saturating_add_signed(more));
    }

    pub(super) fn count_holes(&self, class: u8, more: i32) {
        let holes = &self.holes[class as usize];
        holes.set(holes.get().saturating_add_signed(more));
    }

    /// The emptiest of the first pages with room of a class.
    pub(super) fn emptiest_page(&self, class: u8) -> Option<PageId> {
        let (mut page, mut looked) = (self.rooms[class as usize].get(), 0);
        let mut best: Option<(PageId, u16)> = None;
        while page != 0 && looked < EMPTIEST_OF {
            let used = self.entry(PageId(page)).fill().used;
            if best.is_none_or(|(_, least)| used < least) {
                best = Some((PageId(page), used));
            }
            page = self.entry(PageId(page)).next();
            looked += 1;
        }
        best.map(|(page, _)| page)
    }

    /// The emptiest page of a class, if its chunks fit into the others, and the bytes to move.
    fn emptiest(&self, class: u8) -> Option<(PageId, usize)> {
        if (self.free_chunks[class as usize].get() as usize) < PAGE / class_size(class) {
            return None;
        }
        let page = self.emptiest_page(class)?;
        Some((page, self.entry(page).fill().used as usize * class_size(class)))
    }

    /// The page that is cheapest to empty: whose live chunks fit into other pages of its class
    /// and are the fewest bytes, at most `most_percent` of a page.
    pub fn page_to_empty(&self, most_percent: usize) -> Option<PageId> {
        let mut best: Option<(PageId, usize)> = None;
        for class in 0..self.rooms.len() as u8 {
            if self.rooms[class as usize].get() == 0 {
                continue;
            }
            if let Some((page, bytes)) = self.emptiest(class)
                && bytes * 100 <= PAGE * most_percent
                && best.is_none_or(|(_, least)| bytes < least)
            {
                best = Some((page, bytes));
            }
        }
        best.map(|(page, _)| page)
    }

    /// Whether so many fresh pages can be had, for what must not stop halfway.
    pub fn has_spare(&self, pages: usize) -> bool {
        self.arena.pool.lock().has_spare(pages)
    }

    /// How much more is resident once a chunk of this many bytes is allocated: nothing where one was free.
    pub fn fresh_bytes(&self, bytes: usize) -> usize {
        let Some(class) = super::class_of(bytes) else { return bytes.next_multiple_of(BLOCK) };
        let fill = match self.rooms[class as usize].get() {
            0 => Fill::EMPTY,
            page => self.entry(PageId(page)).fill(),
        };
        if fill.free != Fill::NONE {
            return 0;
        }
        let end = (fill.bump as usize + 1) * class_size(class);
        end.next_multiple_of(BLOCK) - fill.blocks as usize * BLOCK
    }

    /// Takes the page off its list, so that nothing new is put there, and lists its live chunks.
    /// The caller moves each away and frees it; then calls [`Self::finish_emptying`].
    pub fn begin_emptying(&mut self, page: PageId, live: &mut Vec<Offset>) {
        live.clear();
        let Some(meta) = self.owned(page).filter(|meta| meta.kind() == Kind::Slab) else { return };
        self.make_resident(page);
        let size = class_size(meta.class());
        let bump = self.entry(page).fill().bump as usize;
        live.extend(
            (0..bump)
                .map(|index| page.at(index * size))
                .filter(|at| !matches!(self.chunk(*at)[0], TAG_FREE | TAG_UNUSED)),
        );
        self.unlist(page, meta.class());
    }

    /// Gives the page back if it is empty now; otherwise it takes part again.
    pub fn finish_emptying(&mut self, page: PageId) -> bool {
        let Some(meta) = self.owned(page).filter(|meta| meta.kind() == Kind::Slab) else { return true };
        let class = meta.class();
        let listed = self.is_listed(page, class);
        if self.entry(page).fill().used == 0 {
            if !listed {
                self.list(page, class);
            }
            self.release_slab_page(page, class);
            return true;
        }
        if !listed && self.entry(page).fill().has_room(class) {
            self.list(page, class);
        }
        false
    }
}
