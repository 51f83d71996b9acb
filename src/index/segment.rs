//! A segment: a header line, n buckets of eight slots, and the stash.
//!
//! ```text
//!  0 tag 0xFE   1 size code   2 depth   3 database   4..6 count
//!  8..16 overflow map: which buckets have slots in the stash
//! 16..24 prefix of the positions it holds   24..32 next segment of the chain
//! 32..64 expiry codes that may be present, one bit each
//! ```

use super::{HEADER, Slot, TAG_SEGMENT};
use crate::arena::{ArenaFull, Offset, ShardHeap};
use wide::u32x8;

/// (buckets, lines in all): each fills its size class.
pub(super) const SIZES: [(usize, usize); 9] =
    [(32, 38), (36, 42), (40, 46), (44, 50), (48, 54), (52, 58), (56, 62), (60, 68), (64, 73)];
const SLOTS: usize = 8;
const LINE: usize = 64;

#[inline]
pub(super) fn bucket_of(tag: u16, size: u8) -> usize {
    (tag as usize * SIZES[size as usize].0) >> 14
}

/// The least tag of bucket `bucket`; 1 << 14 for the one after the last.
pub(super) fn first_tag(bucket: usize, size: u8) -> usize {
    (bucket << 14).div_ceil(SIZES[size as usize].0)
}

/// A segment of this size with so few slots fits loosely into the next smaller one.
pub(super) fn shrink_below(size: u8) -> usize {
    SIZES[(size as usize).saturating_sub(1)].0 * SLOTS * 5 / 8 / if size == 0 { 3 } else { 1 }
}

/// Two segments with so few slots together become one.
pub(super) fn merge_below() -> usize {
    SIZES[0].0 * SLOTS * 5 / 8
}

#[derive(Clone, Copy)]
pub(super) struct Segment {
    pub at: Offset,
    pub size: u8,
}

impl Segment {
    /// So many slots find a place in the largest, however their hashes lie.
    pub const SURELY: usize = SIZES[SIZES.len() - 1].0 * SLOTS * 5 / 8;

    fn buckets(self) -> usize {
        SIZES[self.size as usize].0
    }

    fn bytes(self) -> usize {
        SIZES[self.size as usize].1 * LINE
    }

    fn stash(self) -> std::ops::Range<usize> {
        HEADER + self.buckets() * LINE..self.bytes()
    }

    pub fn create(heap: &mut ShardHeap, size: u8, depth: u8, database: u8, prefix: u64) -> Result<Segment, ArenaFull> {
        let bytes = SIZES[size as usize].1 * LINE;
        let at = heap.alloc(bytes)?;
        let chunk = heap.range_mut(at, 0..bytes);
        chunk.fill(0);
        chunk[..4].copy_from_slice(&[TAG_SEGMENT, size, depth, database]);
        chunk[16..24].copy_from_slice(&prefix.to_le_bytes());
        Ok(Segment { at, size })
    }

    /// The smallest segment that takes `slots`, chained when they are too skewed for any.
    pub fn create_for(
        heap: &mut ShardHeap,
        slots: &[Slot],
        depth: u8,
        database: u8,
        prefix: u64,
    ) -> Result<Segment, ArenaFull> {
        for size in 0..SIZES.len() as u8 {
            // Half the stash is left for the next ones; a skewed half that does not fit is tried in the
            // next size.
            let (buckets, lines) = SIZES[size as usize];
            if slots.len() > buckets * SLOTS + (lines - 1 - buckets) * SLOTS / 2 {
                continue;
            }
            let segment = Segment::create(heap, size, depth, database, prefix)?;
            if segment.fill(heap, slots) {
                return Ok(segment);
            }
            heap.free(segment.at);
        }
        let segment = Segment::create(heap, SIZES.len() as u8 - 1, depth, database, prefix)?;
        if let Err(full) = segment.fill_chained(heap, slots) {
            segment.free_chain(heap);
            return Err(full);
        }
        Ok(segment)
    }

    /// Puts `slots` into an empty segment; false (and half filled) when they do not fit.
    pub fn fill(self, heap: &mut ShardHeap, slots: &[Slot]) -> bool {
        slots.iter().all(|slot| self.insert(heap, *slot))
    }

    pub fn fill_chained(self, heap: &mut ShardHeap, slots: &[Slot]) -> Result<(), ArenaFull> {
        for slot in slots {
            if !self.insert(heap, *slot) {
                self.insert_chained(heap, *slot)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn header(self, heap: &ShardHeap, index: usize) -> u64 {
        heap.word(self.at, index)
    }

    pub fn count(self, heap: &ShardHeap) -> usize {
        (self.header(heap, 0) >> 32) as u16 as usize
    }

    pub fn prefix(self, heap: &ShardHeap) -> u64 {
        self.header(heap, 16)
    }

    pub fn prefix_at(heap: &ShardHeap, at: Offset) -> u64 {
        heap.word(at, 16)
    }

    /// The next segment of the chain. A chain only ever has segments of the largest size.
    #[inline]
    pub fn next(self, heap: &ShardHeap) -> Option<Segment> {
        let next = Offset::from_bytes(self.header(heap, 24));
        (!next.is_null()).then_some(Segment { at: next, size: SIZES.len() as u8 - 1 })
    }

    pub fn set_next(self, heap: &mut ShardHeap, next: Offset) {
        heap.range_mut(self.at, 24..32).copy_from_slice(&next.bytes().to_le_bytes());
    }

    pub fn relabel(heap: &mut ShardHeap, mut at: Offset, database: u8) {
        while !at.is_null() {
            match heap.range_mut(at, 3..4) {
                [byte] => *byte = database,
                _ => return,
            }
            at = Offset::from_bytes(heap.word(at, 24));
        }
    }

    /// The location of the first slot in the home bucket whose tag matches.
    #[inline]
    pub fn candidate(self, heap: &ShardHeap, tag: u16) -> Option<Offset> {
        let start = HEADER + bucket_of(tag, self.size) * LINE;
        let bucket = bucket(heap.chunk(self.at), start)?;
        matching(&bucket, tag).map(|index| bucket[index]).find(|slot| !slot.is_empty()).map(Slot::location)
    }

    /// Finds a slot with this tag whose item matches; answers its byte in the chunk.
    #[inline]
    pub fn find(self, heap: &ShardHeap, tag: u16, matches: &impl Fn(Offset) -> bool) -> Option<(usize, Slot)> {
        let chunk = heap.chunk(self.at);
        let number = bucket_of(tag, self.size);
        let start = HEADER + number * LINE;
        let home = bucket(chunk, start)?;
        for index in matching(&home, tag) {
            if !home[index].is_empty() && matches(home[index].location()) {
                return Some((start + index * 8, home[index]));
            }
        }
        let overflow = u64::from_le_bytes(chunk.get(8..16)?.try_into().ok()?);
        if overflow >> number & 1 == 0 {
            return None;
        }
        let stash = self.stash();
        slots_of(chunk.get(stash.clone())?).enumerate().find_map(|(index, slot)| {
            (slot.tag() == tag && !slot.is_empty() && matches(slot.location()))
                .then_some((stash.start + index * 8, slot))
        })
    }

    /// The byte where a slot with this tag may be put, in its bucket or, which is told too, in the stash.
    #[inline]
    pub fn place_for(self, heap: &ShardHeap, tag: u16) -> Option<(usize, bool)> {
        let start = HEADER + bucket_of(tag, self.size) * LINE;
        let chunk = heap.chunk(self.at);
        let free = |range: std::ops::Range<usize>| {
            let base = range.start;
            chunk.get(range).and_then(|bytes| slots_of(bytes).position(Slot::is_empty)).map(|index| base + index * 8)
        };
        match free(start..start + LINE) {
            Some(at) => Some((at, false)),
            None => free(self.stash()).map(|at| (at, true)),
        }
    }

    /// Puts a slot into its bucket or the stash; false when both are full.
    #[inline]
    pub fn insert(self, heap: &mut ShardHeap, slot: Slot) -> bool {
        let Some((at, stashed)) = self.place_for(heap, slot.tag()) else { return false };
        let bucket = bucket_of(slot.tag(), self.size);
        Segment::write(heap, self.at, at, slot);
        let header = heap.range_mut(self.at, 0..16);
        let count = u16::from_le_bytes([header[4], header[5]]) + 1;
        header[4..6].copy_from_slice(&count.to_le_bytes());
        if stashed {
            header[8 + bucket / 8] |= 1 << (bucket % 8);
        }
        true
    }

    /// Puts a slot into the chain behind this full segment.
    pub fn insert_chained(self, heap: &mut ShardHeap, slot: Slot) -> Result<bool, ArenaFull> {
        let mut segment = self;
        loop {
            if segment.insert(heap, slot) {
                return Ok(true);
            }
            segment = match segment.next(heap) {
                Some(next) => next,
                None => {
                    let (depth, database) =
                        ((segment.header(heap, 0) >> 16) as u8, (segment.header(heap, 0) >> 24) as u8);
                    let next = Segment::create(heap, SIZES.len() as u8 - 1, depth, database, segment.prefix(heap))?;
                    segment.set_next(heap, next.at);
                    next
                }
            };
        }
    }

    /// Writes a slot and notes its expiry code in the header.
    pub fn write(heap: &mut ShardHeap, segment: Offset, at: usize, slot: Slot) {
        if let Ok(word) = <&mut [u8; 8]>::try_from(heap.range_mut(segment, at..at + 8)) {
            *word = slot.0.to_le_bytes();
        }
        if slot.has_expiry() {
            Segment::note_expiry(heap, segment, slot.expiry());
        }
    }

    /// Sets the bit of an expiry code in the header. Being a hint, it dirties nothing: the code
    /// itself is in the slot.
    pub fn note_expiry(heap: &mut ShardHeap, segment: Offset, code: u8) {
        let index = 32 + code as usize / 64 * 8;
        let word = heap.word(segment, index);
        let bit = 1 << (code % 64);
        if word & bit == 0 {
            heap.poke(segment, index, word | bit);
        }
    }

    /// Empties a slot; a stashed slot of the same bucket takes its place.
    pub fn remove(heap: &mut ShardHeap, segment: Offset, at: usize) {
        let size = ((heap.word(segment, 0) >> 8) as u8).min(SIZES.len() as u8 - 1);
        let this = Segment { at: segment, size };
        let stash = this.stash();
        let bucket =
            if at >= stash.start { bucket_of(Slot(heap.word(segment, at)).tag(), size) } else { (at - HEADER) / LINE };
        Segment::write(heap, segment, at, Slot::EMPTY);
        let overflow = heap.word(segment, 8);
        let mut overflows = overflow >> bucket & 1 == 1;
        if overflows {
            let (first, second) = {
                let mut stashed = slots_of(heap.chunk(segment).get(stash.clone()).unwrap_or_default())
                    .enumerate()
                    .filter(|(_, slot)| !slot.is_empty() && bucket_of(slot.tag(), size) == bucket)
                    .map(|(index, slot)| (stash.start + index * 8, slot));
                (stashed.next(), stashed.next())
            };
            overflows = first.is_some();
            if let Some((from, slot)) = first
                && at < stash.start
            {
                Segment::write(heap, segment, at, slot);
                Segment::write(heap, segment, from, Slot::EMPTY);
                overflows = second.is_some();
            }
        }
        let header = heap.range_mut(segment, 0..16);
        if let Some(header) = header.first_chunk_mut::<16>() {
            let count = u16::from_le_bytes([header[4], header[5]]).saturating_sub(1);
            header[4..6].copy_from_slice(&count.to_le_bytes());
            if !overflows {
                header[8 + bucket / 8] &= !(1 << (bucket % 8));
            }
        }
    }

    /// All slots, of the chain too.
    pub fn slots(self, heap: &ShardHeap) -> Vec<Slot> {
        let mut all = Vec::with_capacity(self.count(heap));
        let mut segment = Some(self);
        while let Some(this) = segment {
            all.extend(
                slots_of(heap.chunk(this.at).get(HEADER..this.bytes()).unwrap_or_default())
                    .filter(|slot| !slot.is_empty()),
            );
            segment = this.next(heap);
        }
        all
    }

    /// Calls `visit((segment, byte), slot)` for the slots whose home is `bucket`.
    pub fn walk_bucket(self, heap: &ShardHeap, bucket: usize, visit: &mut dyn FnMut((Offset, usize), Slot)) {
        let mut segment = Some(self);
        while let Some(this) = segment {
            let chunk = heap.chunk(this.at);
            let mut range = |range: std::ops::Range<usize>| {
                for (index, slot) in slots_of(chunk.get(range.clone()).unwrap_or_default()).enumerate() {
                    if !slot.is_empty() && bucket_of(slot.tag(), this.size) == bucket {
                        visit((this.at, range.start + index * 8), slot);
                    }
                }
            };
            range(HEADER + bucket * LINE..HEADER + (bucket + 1) * LINE);
            if this.header(heap, 8) >> bucket & 1 == 1 {
                range(this.stash());
            }
            segment = this.next(heap);
        }
    }

    /// Calls `visit(byte, slot)` for every slot of this segment (not of its chain).
    pub fn each(self, heap: &ShardHeap, visit: &mut dyn FnMut(usize, Slot)) {
        for (index, slot) in slots_of(heap.chunk(self.at).get(HEADER..self.bytes()).unwrap_or_default()).enumerate() {
            if !slot.is_empty() {
                visit(HEADER + index * 8, slot);
            }
        }
    }

    /// Copies the segment to a fresh chunk.
    pub fn copy(self, heap: &mut ShardHeap) -> Result<Offset, ArenaFull> {
        let to = Segment::create(heap, self.size, 0, 0, 0)?;
        heap.copy(self.at, 0, to.at, 0, self.bytes());
        Ok(to.at)
    }

    /// Frees the segment and what is chained behind it.
    pub fn free_chain(self, heap: &mut ShardHeap) {
        let mut segment = Some(self);
        while let Some(this) = segment {
            segment = this.next(heap);
            heap.free(this.at);
        }
    }
}

/// The slots of the bucket that begins at `start`.
#[inline]
fn bucket(chunk: &[u8], start: usize) -> Option<[Slot; SLOTS]> {
    let line = chunk.get(start..start + LINE)?.as_chunks::<8>().0.first_chunk::<SLOTS>()?;
    Some(line.map(|word| Slot(u64::from_le_bytes(word))))
}

/// Which slots have this tag. All are compared before any is looked at: which one it is can't be foreseen, and a wrong
/// guess by the processor costs more than eight comparisons.
#[inline]
fn matching(bucket: &[Slot; SLOTS], tag: u16) -> impl Iterator<Item = usize> + use<> {
    let mut found = equal_tags(bucket, tag);
    std::iter::from_fn(move || {
        let index = (found != 0).then(|| found.trailing_zeros() as usize)?;
        found &= found - 1;
        Some(index)
    })
}

/// A bit for each slot with this tag: the tag is the top of a slot's upper half.
#[inline]
fn equal_tags(bucket: &[Slot; SLOTS], tag: u16) -> u32 {
    let upper = u32x8::from(bucket.map(|slot| (slot.0 >> 32) as u32));
    (upper >> (Slot::TAG - 32)).simd_eq(u32x8::splat(tag.into())).to_bitmask()
}

#[inline]
pub(super) fn slots_of(bytes: &[u8]) -> impl Iterator<Item = Slot> + '_ {
    bytes.as_chunks::<8>().0.iter().map(|word| Slot(u64::from_le_bytes(*word)))
}
