//! Changing arrays.

use super::{Array, ByIndex, Cursor, WIDTH, head_at, index_of};
use crate::{
    arena::ArenaFull,
    types::{
        home::Home,
        kind::Encoding,
        packed::{self, Encoded, Entry},
        sequence::{self, Sequence, splice},
        tree::{self, Order, Root},
    },
};

/// Bytes of packed elements, at most: as many as a leaf has.
const PACKED_MAX: usize = ByIndex::LEAF;

/// Gives the indexes from `start` on these values; answers how many of them had none. The last of them is at most
/// [`super::INDEX_MAX`]. Each leaf is written once.
pub fn set(home: &mut impl Home, start: u64, values: &[&[u8]]) -> Result<u64, ArenaFull> {
    let (mut start, mut left, mut new) = (start, values, 0);
    while !left.is_empty() {
        let array = Array::new(home.view());
        let (spot, at) = array.place(start);
        // What has a greater index belongs into the next leaf.
        let room = array.elements.next_bound(&spot).map_or(u64::MAX, |bound| bound.saturating_sub(start).max(1));
        let count = left.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let (run, rest) = left.split_at(count);
        let end = start.saturating_add(count as u64);
        let (mut covered, mut to) = (0, at);
        let old = packed::elements(array.elements.leaf(&spot), at, WIDTH);
        for element in old.take_while(|element| index_of(element) < end) {
            (covered, to) = (covered + 1, element.end());
        }
        let bytes = encode(start, run);
        if outgrows(&array.elements, bytes.len() - (to - at).min(bytes.len())) {
            plant(home)?;
            continue;
        }
        let last = array.last();
        splice::<ByIndex>(home, 0, &spot, at..to, &bytes, count as i64 - covered)?;
        if last.is_none_or(|last| last < end - 1) {
            set_last(home, end - 1)?;
        }
        new += count as u64 - covered as u64;
        (start, left) = (end, rest);
    }
    Ok(new)
}

fn encode(start: u64, values: &[&[u8]]) -> Encoded {
    let mut bytes = Encoded::with_capacity(values.iter().map(|value| value.len() + 14).sum());
    for (value, index) in values.iter().zip(start..) {
        Entry::Int(index as i64).encode(&mut bytes);
        Entry::of(value).encode(&mut bytes);
    }
    bytes
}

/// Whether elements are packed, but are not to be with so many bytes more.
fn outgrows(elements: &Sequence<'_>, more: usize) -> bool {
    elements.packed().is_some_and(|bytes| bytes.len() + more > PACKED_MAX)
}

/// Makes a packed array a tree.
fn plant(home: &mut impl Home) -> Result<(), ArenaFull> {
    let array = Array::new(home.view());
    let (elements, cursor) = (array.elements.packed().unwrap_or_default().to_vec(), array.cursor());
    store(home, &elements, cursor, false)
}

/// Stores elements that are in order, and the cursor, over what there was; packed if `packs`.
fn store(home: &mut impl Home, elements: &[u8], cursor: Cursor, packs: bool) -> Result<(), ArenaFull> {
    let before = Array::new(home.view()).root();
    let last = packed::elements(elements, 0, WIDTH).last().map_or(0, |element| index_of(&element));
    let head = [cursor.0.to_le_bytes(), last.to_le_bytes()].concat();
    if packs {
        let mut value = sequence::pack(elements, WIDTH);
        value.splice(sequence::COUNT..sequence::COUNT, head);
        home.replace(Encoding::ArrayPacked, &value)?;
    } else {
        let owner = home.owner();
        let (heap, hasher) = home.heap_and_hasher();
        let root = tree::build::<ByIndex>(heap, hasher, owner, elements)?;
        let value = [&root.to_bytes()[..], &head].concat();
        home.replace(Encoding::ArrayTree, &value).inspect_err(|_| tree::doom(home.heap_mut(), root.node))?;
    }
    if let Some(Root { node, .. }) = before {
        let heap = home.heap_mut();
        tree::doom(heap, node);
        // A small tree goes at once, of a large one a part.
        tree::free_some(heap, 64);
    }
    Ok(())
}

/// Makes an array one of these elements, which are in order, and of this cursor.
pub fn fill(home: &mut impl Home, elements: &[u8], cursor: Cursor) -> Result<(), ArenaFull> {
    store(home, elements, cursor, elements.len() <= PACKED_MAX)
}

/// Packs a tree that has shrunk to half of what may be packed, so that it does not go back and forth.
fn shrink(home: &mut impl Home) -> Result<(), ArenaFull> {
    let array = Array::new(home.view());
    // An element takes two bytes at least; so almost every tree is told apart without a look at its leaves.
    if array.root().is_none_or(|root| root.len > PACKED_MAX as u64 / 4) {
        return Ok(());
    }
    let mut bytes = Vec::new();
    for element in array.iter(0) {
        bytes.extend_from_slice(element.bytes);
        if bytes.len() > PACKED_MAX / 2 {
            return Ok(());
        }
    }
    let cursor = array.cursor();
    store(home, &bytes, cursor, true)
}

/// Removes the value of an index; answers whether it had one.
pub fn remove(home: &mut impl Home, index: u64) -> Result<bool, ArenaFull> {
    let found = Array::new(home.view()).find(index).ok().map(|(spot, element)| (spot, element.range()));
    let Some((spot, range)) = found else { return Ok(false) };
    splice::<ByIndex>(home, 0, &spot, range, &[], -1)?;
    settle(home, index)?;
    Ok(true)
}

/// Removes the values from one index to another, both included; answers how many there were.
pub fn remove_range(home: &mut impl Home, first: u64, last: u64) -> Result<u64, ArenaFull> {
    let array = Array::new(home.view());
    let ranks = array.rank(first)..last.checked_add(1).map_or(array.count(), |next| array.rank(next));
    let count = ranks.end.saturating_sub(ranks.start);
    if count > 0 {
        sequence::remove_ranks::<ByIndex>(home, 0, ranks)?;
        settle(home, last)?;
    }
    Ok(count)
}

/// What is to be done when values up to `removed` have been removed.
fn settle(home: &mut impl Home, removed: u64) -> Result<(), ArenaFull> {
    let array = Array::new(home.view());
    if array.last().is_some_and(|last| last <= removed) {
        let (_, element) = array.elements.get(array.count() - 1).ok_or(ArenaFull)?;
        let last = index_of(&element);
        set_last(home, last)?;
    }
    shrink(home)
}

/// Sets the cursor.
pub fn seek(home: &mut impl Home, cursor: Cursor) -> Result<(), ArenaFull> {
    set_word(home, 0, cursor.0)
}

fn set_last(home: &mut impl Home, last: u64) -> Result<(), ArenaFull> {
    set_word(home, 8, last)
}

/// Changes the word at a place of the head.
fn set_word(home: &mut impl Home, at: usize, word: u64) -> Result<(), ArenaFull> {
    let at = head_at(home.encoding()) + at;
    home.splice(at..at + 8, &word.to_le_bytes())
}

/// Inserts values one after the other at the cursor, as if the indexes below `size` were a ring; answers where the
/// last has come. There is at least one value.
pub fn ring(home: &mut impl Home, size: u64, values: &[&[u8]]) -> Result<u64, ArenaFull> {
    resize(home, size)?;
    let (mut left, mut last) = (values, 0);
    while !left.is_empty() {
        let next = Array::new(home.view()).cursor().0.wrapping_add(1);
        let start = if next < size { next } else { next % size };
        let count = left.len().min(usize::try_from(size - start).unwrap_or(usize::MAX));
        let (run, rest) = left.split_at(count);
        set(home, start, run)?;
        last = start + count as u64 - 1;
        seek(home, Cursor(last))?;
        left = rest;
    }
    Ok(last)
}

/// Prepares a ring for another size. One that becomes smaller, or that has come round and becomes larger, begins
/// anew with what was inserted last, as far back as there is no gap.
fn resize(home: &mut impl Home, size: u64) -> Result<(), ArenaFull> {
    let array = Array::new(home.view());
    let (span, cursor) = (array.len(), array.cursor());
    let has_come_round = cursor != Cursor::NONE && cursor.0.wrapping_add(1) < span;
    if span == 0 || size == span || size > span && !has_come_round {
        return Ok(());
    }
    // Back from the last, past the beginning to the end.
    let last = if cursor == Cursor::NONE { span - 1 } else { cursor.0 % span };
    let back =
        array.span(last, 0).chain((last + 1 < span).then(|| array.span(span - 1, last + 1)).into_iter().flatten());
    let most = usize::try_from(size.min(span)).unwrap_or(usize::MAX);
    let kept: Vec<Entry<'_>> = back.take(most).map_while(|value| value).collect();
    let mut bytes = Vec::new();
    for (index, value) in kept.iter().rev().enumerate() {
        Entry::Int(index as i64).encode(&mut bytes);
        value.encode(&mut bytes);
    }
    let cursor = Cursor::before(kept.len() as u64);
    fill(home, &bytes, cursor)
}
