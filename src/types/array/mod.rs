//! Arrays: values by their index, any number below 2^64-1. Most indexes may have no value.
//!
//! ```text
//! packed       u16 elements · cursor u64 · last u64 · (index, value) in order of the index
//! tree         root · cursor u64 · last u64             the same elements, by index
//! ```
//!
//! An index is stored as the integer of the same bits: one byte for the first 128 of them. The cursor is where a
//! value was inserted last, or [`Cursor::NONE`]; it does not follow what is set and removed. `last` is the greatest
//! index that has a value, if any has: what comes after it is appended without a search.

mod edit;
pub mod number;
pub mod slices;
#[cfg(test)]
mod tests;

pub use edit::{fill, remove, remove_range, ring, seek, set};

use super::{
    home::View,
    kind::{Encoding, Type},
    packed::{self, Element, Entry},
    sequence::{COUNT, Sequence},
    tree::{self, Order, Root, Spot},
};
use crate::util::number::parse_u64;
use ahash::RandomState;
use std::ops::RangeInclusive;

/// Entries of an element: its index and its value.
pub const WIDTH: usize = 2;
/// The greatest index that a value may have.
pub const INDEX_MAX: u64 = u64::MAX - 1;
/// Bytes of the cursor and the last index in a value.
pub const HEAD: usize = 16;

/// A new array without elements.
pub const EMPTY: (Type, Encoding, &[u8]) = (
    Type::Array,
    Encoding::ArrayPacked,
    &[0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0],
);

/// The tree of elements by index.
pub struct ByIndex;

impl Order for ByIndex {
    const LEAF: usize = 1000;
    const WIDTH: usize = WIDTH;

    fn key(_: &RandomState, element: &Element<'_>) -> u64 {
        index_of(element)
    }
}

/// The index of an element.
#[inline]
pub fn index_of(element: &Element<'_>) -> u64 {
    match element.first() {
        Entry::Int(index) => index as u64,
        Entry::Text(_) => 0,
    }
}

/// Where a value was inserted last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor(pub u64);

impl Cursor {
    /// Nothing has been inserted yet.
    pub const NONE: Cursor = Cursor(u64::MAX);

    /// The cursor after which a value is inserted at `index`.
    pub fn before(index: u64) -> Cursor {
        Cursor(index.wrapping_sub(1))
    }

    /// Where the next value is inserted; `None` when there is no index left.
    pub fn next(self) -> Option<u64> {
        Some(self.0.wrapping_add(1)).filter(|next| *next <= INDEX_MAX)
    }
}

/// Reads what a change comes to: at the cursor, and where words are indexes.
pub fn visit(view: &View<'_>, words: &[&[u8]]) {
    let array = Array::new(*view);
    let indexes = words.iter().filter_map(|word| parse_u64(word)).chain(array.cursor().next());
    indexes.for_each(|index| tree::visit_around(view.heap, &array.place(index).0));
}

/// An array to be read.
#[derive(Clone, Copy)]
pub struct Array<'a> {
    view: View<'a>,
    elements: Sequence<'a>,
}

impl<'a> Array<'a> {
    pub fn new(view: View<'a>) -> Array<'a> {
        Array { view, elements: view.sequence(0, WIDTH) }
    }

    /// How many indexes have a value.
    pub fn count(&self) -> u64 {
        self.elements.len()
    }

    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// The index after the last that has a value.
    pub fn len(&self) -> u64 {
        self.last().map_or(0, |last| last.saturating_add(1))
    }

    /// The last index that has a value.
    fn last(&self) -> Option<u64> {
        (!self.is_empty()).then(|| self.word(8).unwrap_or(0))
    }

    pub fn cursor(&self) -> Cursor {
        self.word(0).map_or(Cursor::NONE, Cursor)
    }

    /// The word at a place of the head.
    fn word(&self, at: usize) -> Option<u64> {
        let word = self.view.value.get(head_at(self.view.encoding) + at..)?.first_chunk()?;
        Some(u64::from_le_bytes(*word))
    }

    /// The value of an index.
    pub fn get(&self, index: u64) -> Option<Entry<'a>> {
        self.find(index).ok().map(|(_, element)| element.second())
    }

    /// The elements from an index on.
    pub fn iter(&self, from: u64) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let (spot, at) = self.place(from);
        self.elements.iter_at(spot, at)
    }

    /// The elements from an index back to the first.
    pub fn iter_back(&self, from: u64) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let until = from.checked_add(1).map_or(self.count(), |next| self.rank(next));
        let begin = || self.elements.iter_back(until - 1);
        (until > 0).then(begin).into_iter().flatten()
    }

    /// The elements between two indexes, both included, in the order in which these are given.
    pub fn between(&self, from: u64, to: u64) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let forward = (from <= to).then(|| self.iter(from)).into_iter().flatten();
        let back = (from > to).then(|| self.iter_back(from)).into_iter().flatten();
        let within = from.min(to)..=from.max(to);
        forward.chain(back).take_while(move |element| within.contains(&index_of(element)))
    }

    /// The values of all indexes from one to another, both included, in that order; `None` for those that have none.
    pub fn span(&self, from: u64, to: u64) -> impl Iterator<Item = Option<Entry<'a>>> + use<'a> {
        let mut elements = self.between(from, to).peekable();
        indexes(from, to)
            .map(move |index| elements.next_if(|element| index_of(element) == index).map(|element| element.second()))
    }

    /// How many elements come before an index.
    pub fn rank(&self, index: u64) -> u64 {
        let (spot, at) = self.place(index);
        self.elements.rank(&spot) + packed::count(&self.elements.leaf(&spot)[..at], WIDTH) as u64
    }

    /// Where the first element lies whose index is not less.
    fn place(&self, index: u64) -> (Spot, usize) {
        if self.last().is_none_or(|last| last < index) {
            let spot = self.elements.last();
            let end = self.elements.leaf(&spot).len();
            return (spot, end);
        }
        let spot = self.elements.by_order(index, |_| true);
        let leaf = self.elements.leaf(&spot);
        let begin = self.guess(&spot, leaf, index).unwrap_or(0);
        let mut elements = packed::elements(leaf, begin, WIDTH);
        let at = elements.find(|element| index_of(element) >= index).map(|element| element.at);
        (spot, at.unwrap_or(leaf.len()))
    }

    /// Where an index lies in a leaf whose elements have no gaps before it.
    fn guess(&self, spot: &Spot, leaf: &[u8], index: u64) -> Option<usize> {
        let first = index_of(&packed::elements(leaf, 0, WIDTH).next()?);
        let number = usize::try_from(index.checked_sub(first)?).ok()?;
        let at = (number < self.elements.leaf_len(spot)).then(|| packed::element_at(leaf, number, WIDTH))?;
        packed::elements(leaf, at, WIDTH).next().filter(|element| index_of(element) == index).map(|_| at)
    }

    /// An index's element, or where it belongs.
    fn find(&self, index: u64) -> Result<(Spot, Element<'a>), (Spot, usize)> {
        let (spot, at) = self.place(index);
        match packed::elements(self.elements.leaf(&spot), at, WIDTH).next() {
            Some(element) if index_of(&element) == index => Ok((spot, element)),
            _ => Err((spot, at)),
        }
    }

    fn root(&self) -> Option<Root> {
        self.elements.root()
    }
}

/// The indexes from one to another, both included, in that order.
fn indexes(from: u64, to: u64) -> impl Iterator<Item = u64> {
    let up = (from <= to).then_some(from..=to);
    let down: Option<RangeInclusive<u64>> = (from > to).then_some(to..=from);
    up.into_iter().flatten().chain(down.into_iter().flat_map(Iterator::rev))
}

/// Where the head begins in a value.
fn head_at(encoding: Encoding) -> usize {
    match encoding.trees() {
        0 => COUNT,
        trees => trees * Root::BYTES,
    }
}
