//! The expiry wheel: which segments hold something due.
//!
//! A slot's 8-bit code is a coarse position in time: 1..=127 near, a tick of 512 ms each;
//! 128..=255 far, 64 ticks each (about 33 s). Code 0 is a key without a time to live. A sweep asks
//! each segment's header whether any due code is present and visits the slots of only those; a
//! slot that was due by its code but not by its item gets a new code. The item's millisecond
//! decides, the code only leads there.

use super::{Index, Place, Slot, next_prefix, segment::Segment};
use crate::{arena::ShardHeap, util::clock::UnixMillis};

const TICK_BITS: u32 = 9;
const FAR_BITS: u32 = TICK_BITS + 6;
const NEAR: i64 = 127;
const FAR: i64 = 128;

/// The code of a key that expires at `at`, seen from `now`.
pub fn expiry_code(at: UnixMillis, now: UnixMillis) -> u8 {
    let (tick, now_tick) = (at.max(now) >> TICK_BITS, now >> TICK_BITS);
    if tick - now_tick < NEAR - 1 {
        return 1 + tick.rem_euclid(NEAR) as u8;
    }
    // What is farther than the wheel is coded at its end, and coded again when that comes.
    let far = (at >> FAR_BITS).min((now >> FAR_BITS) + FAR - 2);
    (128 + far.rem_euclid(FAR)) as u8
}

/// Where one index's sweep stands.
#[derive(Clone, Copy, Default, Debug)]
pub struct Wheel {
    /// The time up to which all due codes have been visited, and that of the sweep under way.
    done: UnixMillis,
    target: UnixMillis,
    /// Where the sweep under way goes on.
    position: Option<u64>,
    /// It has come to what is not loaded yet.
    is_partial: bool,
}

/// The codes due between two times, one bit each.
fn due(from: UnixMillis, to: UnixMillis) -> [u64; 4] {
    let mut mask = [0u64; 4];
    let mut set = |code: usize| mask[code / 64] |= 1 << (code % 64);
    let (first, last) = (from >> TICK_BITS, to >> TICK_BITS);
    for tick in first.max(last - NEAR + 1)..=last {
        set(1 + tick.rem_euclid(NEAR) as usize);
    }
    let (first, last) = (from >> FAR_BITS, to >> FAR_BITS);
    for far in first.max(last - FAR + 1)..=last {
        set(128 + far.rem_euclid(FAR) as usize);
    }
    mask
}

impl Wheel {
    /// Looks at up to `segments` segments, fewer when they give `most` places or more, and hands the
    /// slots that are due by their code to `visit`, which answers the code the slot shall have now, or `None` when the key is due (it is
    /// then among the places handed back). Answers whether the sweep is complete. What is not
    /// loaded yet is left to another one: nobody waits for the disk here.
    pub fn sweep(
        &mut self,
        index: &Index,
        heap: &mut ShardHeap,
        now: UnixMillis,
        (segments, most): (usize, usize),
        visit: &mut dyn FnMut(&ShardHeap, Slot) -> Option<u8>,
        found: &mut Vec<(Place, Slot)>,
    ) -> bool {
        if index.is_empty() || index.expires() == 0 {
            (self.done, self.position) = (now, None);
            return true;
        }
        let mut at = match self.position {
            Some(position) => position,
            None => {
                self.target = now;
                0
            }
        };
        // A first sweep (after a restart, say) takes everything due by any code.
        let mask = due(if self.done == 0 { i64::MIN } else { self.done }, self.target);
        for _ in 0..segments {
            let entry = index.entry(heap, at);
            let mut segment = Some(Segment { at: entry.segment, size: entry.size });
            while let Some(this) = segment {
                self.is_partial |= !sweep_segment(this, heap, &mask, visit, found);
                segment = this.next(heap);
            }
            match next_prefix(at, entry.depth) {
                Some(next) => at = next,
                None => {
                    // After one that was partial everything is looked at again.
                    let done = if std::mem::take(&mut self.is_partial) { 0 } else { self.target };
                    (self.done, self.position) = (done, None);
                    return true;
                }
            }
            if found.len() >= most {
                break;
            }
        }
        self.position = Some(at);
        false
    }
}

/// False when it came to what is not loaded yet.
fn sweep_segment(
    segment: Segment,
    heap: &mut ShardHeap,
    mask: &[u64; 4],
    visit: &mut dyn FnMut(&ShardHeap, Slot) -> Option<u8>,
    found: &mut Vec<(Place, Slot)>,
) -> bool {
    heap.look();
    let present: [u64; 4] = std::array::from_fn(|i| heap.word(segment.at, 32 + i * 8));
    if !heap.looked().is_empty() {
        return false;
    }
    if (0..4).all(|i| present[i] & mask[i] == 0) {
        return true;
    }
    let mut is_whole = true;
    let is_due = |slot: Slot| mask[slot.expiry() as usize / 64] >> (slot.expiry() % 64) & 1 == 1;
    segment.each(heap, &mut |_, slot| {
        if is_due(slot) {
            heap.arena().prefetch(slot.location());
        }
    });
    let mut left = [0u64; 4];
    let mut recoded: smallvec::SmallVec<[(usize, Slot); 16]> = smallvec::SmallVec::new();
    segment.each(heap, &mut |at, slot| {
        let mut code = slot.expiry();
        if is_due(slot) {
            heap.look();
            let answer = visit(heap, slot);
            let is_absent = !heap.looked().is_empty();
            is_whole &= !is_absent;
            match if is_absent { Some(code) } else { answer } {
                Some(new) if new != code => {
                    code = new;
                    recoded.push((at, slot.with_expiry(new)));
                }
                Some(_) => {}
                None => found.push((Place { segment: segment.at, at }, slot)),
            }
        }
        left[code as usize / 64] |= 1 << (code % 64);
    });
    for (at, slot) in recoded {
        heap.poke(segment.at, at, slot.0);
    }
    left[0] &= !1;
    for (i, word) in left.into_iter().enumerate() {
        if word != present[i] {
            heap.poke(segment.at, 32 + i * 8, word);
        }
    }
    is_whole
}
