//! Labels: what tells an element of a leaf from most others without a look at it.
//!
//! A leaf of a tree by hash holds its elements as they came. So that a lookup need not walk over them, there is a label
//! for each, in their order: a u16 with 6 bits of the element's key, which are compared for 16 elements at a time, and
//! the 10 bits of the byte where it begins. They lie between the header and the elements, in room for a multiple of 16.
//!
//! Labels are an aid: a leaf of more bytes than a label can name has none, nor has one that was written before there
//! were any, until it is divided.

use smallvec::SmallVec;
use std::ops::Range;
use wide::i16x16;

const POSITION_BITS: u32 = 10;
/// A leaf with more bytes of elements has no labels.
pub const REACH: usize = 1 << POSITION_BITS;
/// Labels that are compared at a time.
const STEP: usize = 16;
const LABEL: usize = size_of::<u16>();

/// The labels of a leaf that is being made.
pub type Own = SmallVec<[u16; 64]>;

/// Bytes that the labels of so many elements take.
#[inline]
pub fn room(count: usize) -> usize {
    count.next_multiple_of(STEP) * LABEL
}

/// The label of the element at byte `at`.
#[inline]
pub fn label(key: u64, at: usize) -> u16 {
    (key << POSITION_BITS) as u16 | at as u16
}

/// Writes label number `index` in the room for labels.
pub fn put(room: &mut [u8], index: usize, label: u16) {
    room[index * LABEL..(index + 1) * LABEL].copy_from_slice(&label.to_le_bytes());
}

#[inline]
fn position(label: u16) -> usize {
    label as usize % REACH
}

/// A bit for each of these labels that has the bits of this key: all are compared before any is looked at.
#[inline]
fn equal(labels: &[u16; STEP], key: u64) -> u32 {
    let key_of = |label: i16x16| label >> POSITION_BITS as i32;
    let labels = i16x16::from(labels.map(u16::cast_signed));
    key_of(labels).simd_eq(key_of(i16x16::splat(label(key, 0).cast_signed()))).to_bitmask()
}

/// The labels of a leaf.
#[derive(Clone, Copy)]
pub struct Labels<'a> {
    room: &'a [[u8; LABEL]],
    count: usize,
}

impl<'a> Labels<'a> {
    /// `room` is what [`room`] says for this count.
    #[inline]
    pub fn new(room: &'a [u8], count: usize) -> Labels<'a> {
        Labels { room: room.as_chunks().0, count }
    }

    /// Where the elements after the labels begin in their node.
    #[inline]
    pub fn end(&self) -> usize {
        super::node::HEADER + size_of_val(self.room)
    }

    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.room.iter().take(self.count).map(|label| u16::from_le_bytes(*label))
    }

    /// Where element number `index` begins.
    #[inline]
    pub fn position(&self, index: usize) -> Option<usize> {
        self.room.get(index).filter(|_| index < self.count).map(|label| position(u16::from_le_bytes(*label)))
    }

    /// Where the elements begin that may have this key.
    #[inline]
    pub fn alike(self, key: u64) -> impl Iterator<Item = usize> + use<'a> {
        let (steps, count) = (self.room.as_chunks::<STEP>().0, self.count);
        let (mut next, mut found) = (0, 0);
        std::iter::from_fn(move || {
            while found == 0 {
                let labels = steps.get(next)?.map(u16::from_le_bytes);
                let there = count.saturating_sub(next * STEP).min(STEP);
                found = equal(&labels, key) & ((1 << there) - 1);
                next += 1;
            }
            let index = found.trailing_zeros() as usize;
            found &= found - 1;
            steps.get(next - 1)?.get(index).map(|label| position(u16::from_le_bytes(*label)))
        })
    }

    /// The labels once the bytes `range` have been replaced by `len` others. If those are whole elements, `new` answers
    /// their labels, as if they began at byte 0; they are a part of an element when they do not begin where one begins.
    pub fn spliced(&self, range: Range<usize>, len: usize, used: usize, new: impl FnOnce() -> Own) -> Own {
        let old = self.room.get(..self.count).unwrap_or_default();
        // Elements have labels in the order in which they lie.
        let from = |at: usize| old.partition_point(|label| position(u16::from_le_bytes(*label)) < at);
        let (before, after) = (from(range.start), from(range.end).max(from(range.start)));
        let whole = range.start == used || self.position(before) == Some(range.start);
        let new = if whole && len > 0 { new() } else { Own::new() };
        let mut labels = Own::from_elem(0, before + new.len() + old.len() - after);
        let (first, rest) = labels.split_at_mut(before);
        let (middle, last) = rest.split_at_mut(new.len());
        let moved = (len as u16).wrapping_sub(range.len() as u16);
        first.iter_mut().zip(old).for_each(|(to, label)| *to = u16::from_le_bytes(*label));
        middle.iter_mut().zip(new).for_each(|(to, label)| *to = label.wrapping_add(range.start as u16));
        last.iter_mut().zip(&old[after..]).for_each(|(to, label)| *to = u16::from_le_bytes(*label).wrapping_add(moved));
        labels
    }
}
