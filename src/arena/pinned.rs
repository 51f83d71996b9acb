//! Large values that are being sent.
//!
//! A reply may refer to a large run instead of copying it. For as long as a [`Pin`] lives, its bytes stay where they are and
//! as they are, with no lock held: whoever would change them in place is refused, and moves the value; a run that is freed
//! becomes nobody's, but its memory waits here until the last pin is gone. Until then it counts as resident, which it is.

use super::{Arena, BLOCK, Kind, Offset, PAGE, PageId, ShardHeap};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, atomic::Ordering::*},
};

/// Bytes of a large run that stay as they are.
pub struct Pin {
    arena: Arc<Arena>,
    head: PageId,
    at: usize,
    len: usize,
}

/// A run with pins.
struct Run {
    pins: u32,
    pages: u32,
    blocks: u32,
    /// What all pins together cover, in bytes of the arena.
    bytes: Range<usize>,
    /// Pages that were given up meanwhile, with the blocks of each that are resident.
    given_up: Vec<(PageId, u32)>,
}

/// All runs with pins, by their first page.
#[derive(Default)]
pub(super) struct PinnedRuns {
    runs: BTreeMap<u32, Run>,
    blocks: u64,
}

impl PinnedRuns {
    fn of_page(&mut self, page: PageId) -> Option<(PageId, &mut Run)> {
        let (head, run) = self.runs.range_mut(..=page.0).next_back()?;
        (page.0 - head < run.pages).then_some((PageId(*head), run))
    }

    /// Keeps a page that was given up, if it is pinned.
    pub fn keeps(&mut self, page: PageId, blocks: u32) -> bool {
        let run = self.of_page(page);
        run.map(|(_, run)| run.given_up.push((page, blocks))).is_some()
    }
}

impl Arena {
    /// The most that may be pinned.
    pub fn limit_pins(&self, bytes: u64) {
        self.pins_max.store(bytes, Relaxed);
    }

    /// Bytes of the runs that are pinned.
    pub fn pinned_bytes(&self) -> u64 {
        self.pinned.lock().blocks * BLOCK as u64
    }

    /// Pins bytes that lie in a large run, and so outlast the hold of a lock that lends them. `None` when they lie elsewhere,
    /// or when too much is pinned.
    pub fn pin(self: &Arc<Self>, bytes: &[u8]) -> Option<Pin> {
        let at = self.mapping.place_of(bytes)?;
        let page = PageId((at / PAGE) as u32);
        let mut pinned = self.pinned.lock();
        let head = match pinned.of_page(page) {
            Some((head, run)) => {
                run.pins += 1;
                run.bytes = run.bytes.start.min(at)..run.bytes.end.max(at + bytes.len());
                head
            }
            None => {
                // Whoever lent the bytes holds the lock of their shard: its pages stay what they are.
                let head = (1..=page.0).rev().map(PageId).find(|page| self.page(*page).kind() != Kind::Tail)?;
                let (meta, blocks) = (self.page(head), self.pages[head.0 as usize].large_blocks());
                let total = pinned.blocks + u64::from(blocks);
                if meta.kind() != Kind::Large || total.saturating_mul(BLOCK as u64) > self.pins_max.load(Relaxed) {
                    return None;
                }
                drop(pinned);
                self.pin_run(head, meta.run(), blocks, at..at + bytes.len());
                head
            }
        };
        Some(Pin { arena: Arc::clone(self), head, at, len: bytes.len() })
    }

    /// Pins bytes of a run that has no pins; whoever calls holds the lock of its shard.
    pub(super) fn pin_run(&self, head: PageId, pages: u32, blocks: u32, bytes: Range<usize>) {
        let mut pinned = self.pinned.lock();
        pinned.blocks += u64::from(blocks);
        pinned.runs.insert(head.0, Run { pins: 1, pages, blocks, bytes, given_up: Vec::new() });
        self.pinned_runs.fetch_add(1, Release);
    }

    /// One of the pins of a run goes.
    pub(super) fn unpin(&self, head: PageId) {
        let mut pinned = self.pinned.lock();
        let Some(run) = pinned.runs.get_mut(&head.0) else { return };
        run.pins -= 1;
        if run.pins == 0
            && let Some(run) = pinned.runs.remove(&head.0)
        {
            pinned.blocks -= u64::from(run.blocks);
            self.pinned_runs.fetch_sub(1, Release);
            drop(pinned);
            self.retire(run.given_up.into_iter());
        }
    }

    /// Whether any run is. A shard's runs are pinned under its lock, so for them it does not become so meanwhile.
    pub(super) fn has_pins(&self) -> bool {
        self.pinned_runs.load(Acquire) > 0
    }
}

impl ShardHeap {
    /// Whether a large run of this shard is pinned: what would change in it moves.
    #[inline]
    pub fn is_pinned(&self, at: Offset) -> bool {
        self.arena.has_pins() && self.is_among_pinned(at)
    }

    #[cold]
    fn is_among_pinned(&self, at: Offset) -> bool {
        self.arena.pinned.lock().of_page(at.page()).is_some()
    }

    /// Whether some of these bytes of a large run may not change.
    pub(super) fn holds_still(&self, bytes: Range<usize>) -> bool {
        self.arena.has_pins() && {
            let mut pinned = self.arena.pinned.lock();
            let run = pinned.of_page(PageId((bytes.start / PAGE) as u32));
            run.is_some_and(|(_, run)| bytes.start < run.bytes.end && run.bytes.start < bytes.end)
        }
    }
}

impl Pin {
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: while this pin is counted, nobody writes these bytes (`ShardHeap` lends none of them for writing, see
        // `holds_still`) or gives their memory back (`Arena::retire` keeps the pages, and a run with pins is not resized).
        unsafe { self.arena.mapping.slice(self.at, self.len) }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.arena.unpin(self.head);
    }
}
