//! Large values that are still coming.
//!
//! A large value need not wait in a buffer until it can be copied into its shard. A [`Draft`] is a run that belongs to nobody
//! yet: its value is written there with no lock held, and a shard takes the run over as it is ([`ShardHeap::adopt`]). Until
//! then nobody can come to its pages, no image has them and nothing moves them. They take memory only as far as something
//! has come, or something was there that was about to be given back; it is then the sender's, and not counted among what the
//! arena holds.
//!
//! Once its run has been taken over, a draft is a pin: whoever holds it may still read what has come.

use super::{Arena, BLOCK, BLOCKS_PER_PAGE, MAX_SLAB, Offset, PAGE, PageId, ShardHeap, retire::pages_of};
use std::{collections::BTreeMap, sync::Arc};

/// All drafts together take at most one part in so many of the address space, whatever is announced.
const PART: usize = 4;

/// The value of an item, which is not yet.
pub struct Draft {
    arena: Arc<Arena>,
    head: PageId,
    /// Bytes before the value.
    lead: usize,
    /// Bytes that have come, and those that there will be.
    len: usize,
    whole: usize,
    /// Blocks that held something before.
    used: u32,
}

/// A run that no shard has taken over.
struct Run {
    pages: u32,
    lead: usize,
    whole: usize,
}

/// Those runs, by their first page.
#[derive(Default)]
pub(super) struct DraftRuns {
    runs: BTreeMap<u32, Run>,
    pages: usize,
}

impl DraftRuns {
    fn remove(&mut self, head: PageId) -> Option<Run> {
        let run = self.runs.remove(&head.0)?;
        self.pages -= run.pages as usize;
        Some(run)
    }
}

impl Arena {
    /// Address space for a value of `whole` bytes, before which `lead` bytes are left for whoever takes it over. `None` when
    /// there is too little of it.
    pub fn draft(self: &Arc<Self>, lead: usize, whole: usize) -> Option<Draft> {
        let pages = u32::try_from(lead.checked_add(whole)?.div_ceil(PAGE)).ok()?;
        let mut drafts = self.drafts.lock();
        let taken = drafts.pages + pages as usize;
        if whole <= MAX_SLAB || taken > self.pages.len() / PART {
            return None;
        }
        let (head, used) = match self.take_spare(pages) {
            Some(spare) => spare,
            None => (PageId(self.take_pages(pages).ok()?), 0),
        };
        drafts.pages = taken;
        drafts.runs.insert(head.0, Run { pages, lead, whole });
        drop(drafts);
        let mut draft = Draft { arena: Arc::clone(self), head, lead, len: 0, whole, used };
        draft.clean();
        Some(draft)
    }
}

impl Draft {
    fn at(&self) -> usize {
        self.head.start().byte() + self.lead
    }

    /// Nothing of what was there before is left behind the value.
    fn clean(&mut self) {
        let (end, needed) = (self.at() + self.whole, self.blocks(self.whole));
        let start = self.head.start().byte();
        if self.used >= needed {
            let rest = start + needed as usize * BLOCK;
            // SAFETY: from the value's end on nothing is lent (see `bytes` and `room`), and the pages are nobody's.
            unsafe {
                self.arena.mapping.slice_mut(end, rest - end).fill(0);
                self.arena.mapping.release(rest, (self.used - needed) as usize * BLOCK);
            }
            if self.used > needed {
                self.arena.not_huge(self.head, self.used.div_ceil(BLOCKS_PER_PAGE as u32));
            }
            self.used = needed;
        }
    }

    /// Blocks that hold so many bytes of the value.
    fn blocks(&self, len: usize) -> u32 {
        (self.lead + len).div_ceil(BLOCK) as u32
    }

    /// Bytes of memory that it takes.
    pub fn held(&self) -> usize {
        self.len.max(self.used as usize * BLOCK)
    }

    /// What has come.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: until a shard takes the run over, its pages are nobody's and not in the pool, and only `room` writes to them,
        // which needs `&mut self`. It is taken over only when it is whole; `room` lends nothing from then on, and these
        // bytes are pinned for as long as `self` lives.
        unsafe { self.arena.mapping.slice(self.at(), self.len) }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether all of it has come.
    pub fn is_whole(&self) -> bool {
        self.len == self.whole
    }

    /// Where the next bytes go, at most so many; empty when all have come.
    pub fn room(&mut self, most: usize) -> &mut [u8] {
        let len = most.min(self.whole - self.len);
        if len == 0 {
            return &mut [];
        }
        // SAFETY: it is not whole, so no shard has taken the run over: its pages are nobody's and not in the pool. `&mut self`
        // makes it exclusive.
        unsafe { self.arena.mapping.slice_mut(self.at() + self.len, len) }
    }

    /// So many bytes have been written to [`Self::room`].
    pub fn advance(&mut self, bytes: usize) {
        self.len = (self.len + bytes).min(self.whole);
    }

    /// Appends what fits; answers how much that is.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let room = self.room(bytes.len());
        let count = room.len();
        room.copy_from_slice(&bytes[..count]);
        self.advance(count);
        count
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let given_up = self.arena.drafts.lock().remove(self.head);
        let Some(run) = given_up else { return self.arena.unpin(self.head) };
        // Giving memory back takes its time: until it is done, it counts.
        let blocks = if self.len == 0 { self.used } else { self.blocks(self.len).max(self.used) };
        self.arena.count_blocks(blocks);
        self.arena.retire(pages_of(self.head, run.pages, blocks));
    }
}

impl ShardHeap {
    /// Makes a draft's run a chunk of this shard, if `value` is all of a draft with so many bytes before it, which are then
    /// the caller's to write. The value stays as it is for as long as the draft lives.
    #[inline]
    pub fn adopt(&mut self, value: &[u8], lead: usize) -> Option<Offset> {
        if value.len() <= MAX_SLAB { None } else { self.adopt_large(value, lead) }
    }

    fn adopt_large(&mut self, value: &[u8], lead: usize) -> Option<Offset> {
        let at = self.arena.mapping.place_of(value)?;
        let start = at.checked_sub(lead).filter(|start| start.is_multiple_of(PAGE))?;
        let head = PageId((start / PAGE) as u32);
        let mut drafts = self.arena.drafts.lock();
        drafts.runs.get(&head.0).filter(|run| run.lead == lead && run.whole == value.len())?;
        let run = drafts.remove(head)?;
        let blocks = (lead + run.whole).div_ceil(BLOCK) as u32;
        self.arena.pin_run(head, run.pages, blocks, at..at + value.len());
        drop(drafts);
        self.own_run(head, run.pages, blocks);
        self.stamp_run(head, run.pages);
        Some(head.start())
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    const LEAD: usize = 21;
    const LEN: usize = PAGE + 5000;
    /// What a chunk with it holds.
    const BLOCKS: u64 = (LEAD + LEN).div_ceil(BLOCK) as u64;

    fn arena() -> Arc<Arena> {
        Arena::reserve(8 << 20, 0).unwrap()
    }

    /// A draft that is whole.
    fn whole(arena: &Arc<Arena>, byte: u8) -> Draft {
        let mut draft = arena.draft(LEAD, LEN).unwrap();
        assert_eq!(draft.fill(&[byte; LEN + 1]), LEN);
        assert!(draft.is_whole() && draft.room(1).is_empty());
        draft
    }

    #[test]
    fn a_shard_takes_over_what_has_come() {
        let (arena, value) = (arena(), vec![7; LEN]);
        let mut heap = ShardHeap::new(&arena, 1);
        let mut draft = arena.draft(LEAD, LEN).unwrap();
        for part in value.chunks(9000) {
            draft.room(part.len()).copy_from_slice(part);
            draft.advance(part.len());
        }
        assert!(draft.bytes() == value && arena.resident() == 0);
        let at = heap.adopt(draft.bytes(), LEAD).unwrap();
        assert_eq!((arena.resident(), heap.stats().large_bytes), (BLOCKS * BLOCK as u64, BLOCKS * BLOCK as u64));
        heap.range_mut(at, 0..LEAD).fill(9);
        assert!(heap.chunk(at)[..LEAD] == [9; LEAD] && heap.chunk(at)[LEAD..LEAD + LEN] == value);
        // While the draft is there, the value stays as it is; what is before it does not.
        assert!(heap.range_mut(at, LEAD..LEAD + 1).is_empty() && !heap.resize_large(at, 2 * PAGE));
        heap.free(at);
        arena.release_retired(usize::MAX);
        assert!(draft.bytes() == value);
        drop(draft);
        assert_eq!((arena.release_retired(usize::MAX), arena.resident()), (2, 0));
        assert_eq!(arena.frontier(), PageId(1));
    }

    #[test]
    fn a_chunk_outlives_its_draft() {
        let arena = arena();
        let mut heap = ShardHeap::new(&arena, 1);
        let draft = whole(&arena, 5);
        let at = heap.adopt(draft.bytes(), LEAD).unwrap();
        // Once only.
        assert!(heap.adopt(draft.bytes(), LEAD).is_none());
        drop(draft);
        heap.range_mut(at, LEAD..LEAD + LEN)[0] = 6;
        assert!(heap.resize_large(at, 2 * PAGE) && heap.chunk(at)[LEAD..LEAD + 2] == [6, 5]);
        assert_eq!(arena.pinned_bytes(), 0);
    }

    #[test]
    fn what_is_not_taken_over_goes_back() {
        let arena = arena();
        let mut heap = ShardHeap::new(&arena, 1);
        let mut part = arena.draft(LEAD, LEN).unwrap();
        part.fill(&[1; LEN - 1]);
        assert!(heap.adopt(part.bytes(), LEAD).is_none());
        let other = whole(&arena, 2);
        assert!(heap.adopt(other.bytes(), LEAD + 1).is_none());
        assert!(heap.adopt(&other.bytes()[1..], LEAD + 1).is_none());
        assert!(heap.adopt(&[0; LEN], LEAD).is_none());
        drop((part, other, arena.draft(LEAD, LEN)));
        assert_eq!(arena.resident(), 2 * BLOCKS * BLOCK as u64);
        assert_eq!((arena.release_retired(usize::MAX), arena.resident()), (6, 0));
    }

    #[test]
    fn what_goes_gives_its_memory_to_what_comes() {
        let arena = arena();
        let mut heap = ShardHeap::new(&arena, 1);
        let at = heap.adopt(whole(&arena, 5).bytes(), LEAD).unwrap();
        heap.range_mut(at, 0..LEAD).fill(1);
        let next = heap.adopt(whole(&arena, 7).bytes(), LEAD).unwrap();
        heap.free_for(at, next);
        assert_eq!(arena.resident(), 2 * BLOCKS * BLOCK as u64);
        // A shorter one, in as many pages: what is left over goes back.
        let mut draft = arena.draft(LEAD, LEN - BLOCK).unwrap();
        assert_eq!((arena.resident(), draft.held()), (BLOCKS * BLOCK as u64, (BLOCKS as usize - 1) * BLOCK));
        draft.fill(&[6; LEN]);
        assert_eq!(heap.adopt(draft.bytes(), LEAD), Some(at));
        assert_eq!(arena.resident(), (2 * BLOCKS - 1) * BLOCK as u64);
        let chunk = heap.chunk(at);
        assert!(chunk[LEAD..LEAD + LEN - BLOCK] == vec![6; LEN - BLOCK] && !chunk[LEAD + LEN - BLOCK..].contains(&5));
        drop(draft);
        // What is not taken over, and what nobody takes, goes back as a whole.
        heap.free_for(next, at);
        drop(arena.draft(LEAD, LEN));
        assert_eq!((arena.release_retired(usize::MAX), arena.resident()), (2, (BLOCKS - 1) * BLOCK as u64));
        let next = heap.adopt(whole(&arena, 5).bytes(), LEAD).unwrap();
        heap.free_for(at, next);
        assert_eq!((arena.release_retired(usize::MAX), arena.resident()), (2, BLOCKS * BLOCK as u64));
    }

    #[test]
    fn a_run_is_spared_for_a_while() {
        let arena = arena();
        let mut heap = ShardHeap::new(&arena, 1);
        let at = heap.adopt(whole(&arena, 5).bytes(), LEAD).unwrap();
        let next = heap.adopt(whole(&arena, 7).bytes(), LEAD).unwrap();
        heap.free_for(at, next);
        let step = || {
            arena.age_spares();
            arena.release_unspared(usize::MAX)
        };
        let kept = (0..100).take_while(|_| step() == 0).count();
        assert!((5..20).contains(&kept), "{kept}");
        assert_eq!((arena.resident(), arena.release_retired(usize::MAX)), (BLOCKS * BLOCK as u64, 0));
    }

    #[test]
    fn what_is_announced_takes_no_more_than_its_part_of_the_address_space() {
        let arena = arena();
        let drafts: Vec<Draft> = std::iter::from_fn(|| arena.draft(0, 10 * PAGE)).collect();
        assert_eq!((drafts.len(), arena.resident()), (3, 0));
        assert!(arena.draft(0, usize::MAX).is_none());
        drop(drafts);
        arena.release_retired(usize::MAX);
        assert!(arena.draft(0, 32 * PAGE).is_some());
    }

    /// Remembers nothing: the image is what is handed over.
    struct Nowhere;

    impl CutSink for Nowhere {
        fn reserve(&self) -> Option<Box<Block>> {
            Some(Box::new([0; BLOCK]))
        }
        fn give_back(&self, _: Box<Block>) {}
        fn spill(&self, _: u64, _: u32, _: &Block) {}
    }

    #[test]
    fn an_image_has_what_was_taken_over_before_its_cut() {
        let arena = arena();
        let mut heap = ShardHeap::new(&arena, 1);
        let (before, after) = (whole(&arena, 3), whole(&arena, 4));
        let first = heap.adopt(before.bytes(), LEAD).unwrap();
        let epoch = arena.begin_cut(Arc::new(Nowhere));
        heap.enter(epoch);
        let second = heap.adopt(after.bytes(), LEAD).unwrap();
        // What goes meanwhile is in the image all the same.
        drop(before);
        heap.free(first);
        let (mut blocks, mut pages) = (Vec::new(), Vec::new());
        let mut each = |block: u64, taken: Taken<'_>| match taken {
            Taken::Bytes(written, bytes) => blocks.push((block, written, bytes[BLOCK - 1])),
            Taken::Held => unreachable!("no image is written over"),
        };
        for page in 1..arena.frontier().0 {
            pages.extend(heap.take_page(PageId(page), &mut each));
        }
        while heap.take_gone(&mut pages, &mut each) {}
        let mut taken: Vec<u32> = pages.iter().map(|saved| saved.page.0).collect();
        taken.sort_unstable();
        assert_eq!(taken, [first.page().0, first.page().0 + 1]);
        assert_eq!(blocks.len() as u64, BLOCKS);
        assert!(blocks.iter().rev().skip(1).all(|(_, written, byte)| *written < epoch && *byte == 3));
        heap.leave_cut();
        arena.end_cut();
        assert!(heap.chunk(second)[LEAD..LEAD + LEN] == [4; LEN]);
    }
}
