//! Lists: elements by their position, packed or in a tree.

use super::{
    home::{Home, View},
    kind::{Encoding, Type},
    packed::{self, Element, Encoded, Entry},
    sequence::{self, Backward, Forward, Sequence},
    tree::{self, Order, Root},
};
use crate::arena::ArenaFull;
use ahash::RandomState;
use std::ops::Range;

/// A tree of elements by position.
pub struct ByPosition;

impl Order for ByPosition {
    /// A full leaf with its header is one chunk of 2 KiB: half of what a node may be, since the last
    /// element of a leaf is found by a walk over all of it, and the first is removed by moving the rest.
    const LEAF: usize = 2032;
    const WIDTH: usize = 1;

    fn key(_: &RandomState, _: &Element<'_>) -> u64 {
        0
    }
}

/// One of a list's two ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Left,
    Right,
}

/// `list-max-listpack-size`: when a list is packed. Positive: so many elements; -1 to -5: 4 to 64 KiB.
#[derive(Clone, Copy, Debug)]
pub struct Limit(pub i64);

impl Limit {
    /// What a positive limit may come to in bytes.
    const BYTES_MAX: u64 = 8192;

    /// Whether so many elements may lie packed. `bytes` is what they take here; the limits are meant for
    /// a listpack, which has a byte more for each element and seven for itself.
    fn admits(self, bytes: u64, elements: u64, part: u64) -> bool {
        let bytes = bytes + elements + 7;
        match u64::try_from(self.0) {
            Ok(count) => bytes <= Self::BYTES_MAX && elements <= count.max(1) / part,
            Err(_) => bytes <= self.bytes() / part,
        }
    }

    /// Bytes that packed elements never pass.
    fn bytes(self) -> u64 {
        if self.0 < 0 { 2048 << self.0.unsigned_abs().min(5) } else { Self::BYTES_MAX }
    }
}

/// A new list without elements.
pub const EMPTY: (Type, Encoding, &[u8]) = (Type::List, Encoding::Listpack, &[0, 0]);

/// Reads so many elements at each end.
pub fn visit_ends(view: &View<'_>, count: usize) {
    let list = List::new(*view);
    list.iter(0).take(count).for_each(drop);
    list.iter_back().take(count).for_each(drop);
}

/// A list to be read.
#[derive(Clone, Copy)]
pub struct List<'a> {
    elements: Sequence<'a>,
}

impl<'a> List<'a> {
    pub fn new(view: View<'a>) -> List<'a> {
        List { elements: view.sequence(0, ByPosition::WIDTH) }
    }

    pub fn len(&self) -> u64 {
        self.elements.len()
    }

    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    pub fn get(&self, rank: u64) -> Option<Entry<'a>> {
        self.elements.get(rank).map(|(_, element)| element.first())
    }

    /// The rank that an index means; a negative one counts from the end. `None` before the first.
    pub fn rank(&self, index: i64) -> Option<u64> {
        if index >= 0 { Some(index as u64) } else { self.len().checked_sub(index.unsigned_abs()) }
    }

    /// The ranks from one index to another, both included, as far as they exist.
    pub fn ranks(&self, start: i64, stop: i64) -> Range<u64> {
        let start = self.rank(start).unwrap_or(0);
        let end = self.rank(stop).map_or(0, |stop| (stop + 1).min(self.len()));
        if start < end { start..end } else { 0..0 }
    }

    /// The ranks of up to `count` elements at one end.
    pub fn ranks_at(&self, end: End, count: u64) -> Range<u64> {
        let len = self.len();
        match end {
            End::Left => 0..count.min(len),
            End::Right => len.saturating_sub(count)..len,
        }
    }

    /// The elements from this rank on.
    pub fn iter(&self, from: u64) -> Forward<'a> {
        self.elements.iter(from)
    }

    /// The elements from the last to the first.
    pub fn iter_back(&self) -> Backward<'a> {
        self.elements.iter_back(self.len().saturating_sub(1))
    }
}

/// Pushes values at one end, one after the other; answers the length then.
pub fn push(home: &mut impl Home, end: End, values: &[&[u8]], limit: Limit) -> Result<u64, ArenaFull> {
    let bytes = match values {
        [value] => packed::encoded(value),
        _ => encoded(values, end),
    };
    if values.len() == 1
        && let Some(len) = sequence::push_in_place::<ByPosition>(home, 0, end == End::Right, &bytes)?
    {
        return Ok(len);
    }
    let mut elements = List::new(home.view()).elements;
    if outgrows(&elements, values, limit) {
        sequence::plant::<ByPosition>(home, Encoding::Quicklist)?;
        elements = List::new(home.view()).elements;
    }
    let len = elements.len() + values.len() as u64;
    let spot = if end == End::Left { elements.first() } else { elements.last() };
    let at = if end == End::Left { 0 } else { elements.leaf_end(&spot) };
    sequence::splice::<ByPosition>(home, 0, &spot, at..at, &bytes, values.len() as i64)?;
    Ok(len)
}

/// Values as they lie when they have been pushed at this end one after the other.
fn encoded(values: &[&[u8]], end: End) -> Encoded {
    let mut bytes = Encoded::with_capacity(values.iter().map(|value| value.len() + 5).sum());
    let mut encode = |value: &&[u8]| Entry::of(value).encode(&mut bytes);
    match end {
        End::Left => values.iter().rev().for_each(&mut encode),
        End::Right => values.iter().for_each(&mut encode),
    }
    bytes
}

/// Inserts a value so that it gets this rank, which is at most the length.
pub fn insert(home: &mut impl Home, rank: u64, value: &[u8], limit: Limit) -> Result<(), ArenaFull> {
    grow(home, &[value], limit)?;
    let elements = List::new(home.view()).elements;
    let spot = elements.by_rank(rank);
    let at =
        packed::element_at(elements.leaf(&spot), rank.saturating_sub(elements.rank(&spot)) as usize, ByPosition::WIDTH);
    sequence::splice::<ByPosition>(home, 0, &spot, at..at, &packed::encoded(value), 1)
}

/// Replaces the element of this rank; false when there is none.
pub fn set(home: &mut impl Home, rank: u64, value: &[u8], limit: Limit) -> Result<bool, ArenaFull> {
    grow(home, &[value], limit)?;
    let found = List::new(home.view()).elements.get(rank).map(|(spot, element)| (spot, element.range()));
    let Some((spot, range)) = found else { return Ok(false) };
    let value = packed::encoded(value);
    match range.len() == value.len() {
        true => sequence::overwrite::<ByPosition>(home, 0, &spot, range, &value)?,
        false => sequence::splice::<ByPosition>(home, 0, &spot, range, &value, 0)?,
    }
    Ok(true)
}

/// Elements that are walked over to reach the last one of a leaf, when one after the other is popped there.
const WALK: usize = 32;

/// Removes the element at one end; `take` is shown it before. Answers how many are left.
pub fn pop(home: &mut impl Home, end: End, limit: Limit, take: &mut dyn FnMut(Entry<'_>)) -> Result<u64, ArenaFull> {
    let mut elements = List::new(home.view()).elements;
    let Some(left) = elements.len().checked_sub(1) else { return Ok(0) };
    let (mut spot, mut index) = match end {
        End::Left => (elements.first(), 0),
        End::Right => {
            let spot = elements.last();
            let len = elements.leaf_len(&spot);
            (spot, len.saturating_sub(1))
        }
    };
    if index >= 2 * WALK && elements.root().is_some() {
        // Without memory for it the walk is long, and nothing else.
        let _ = sequence::part::<ByPosition>(home, 0, &spot, index + 1 - WALK);
        elements = List::new(home.view()).elements;
        spot = elements.last();
        index = elements.leaf_len(&spot).saturating_sub(1);
    }
    let at = elements.element_at(&spot, index);
    let Some(element) = packed::elements(elements.leaf(&spot), at, ByPosition::WIDTH).next() else { return Ok(0) };
    take(element.first());
    let range = element.range();
    sequence::splice::<ByPosition>(home, 0, &spot, range, &[], -1)?;
    // As `pack` has it, without another look at the list.
    if left > 0 && limit.admits(left, left, 2) {
        shrink(home, limit)?;
    }
    Ok(left)
}

/// Removes the elements of these ranks.
pub fn remove(home: &mut impl Home, ranks: Range<u64>) -> Result<(), ArenaFull> {
    sequence::remove_ranks::<ByPosition>(home, 0, ranks)
}

/// Removes up to `most` elements that equal `value`, the first from one end; answers how many.
/// Each leaf is written at most once.
pub fn remove_equal(home: &mut impl Home, value: &[u8], from: End, most: u64) -> Result<u64, ArenaFull> {
    let value = packed::encoded(value);
    let mut removed = 0;
    // What is still to be looked at, in ranks as they are now.
    let (mut start, mut end) = (0, List::new(home.view()).len());
    while removed < most && start < end {
        let elements = List::new(home.view()).elements;
        let spot = elements.by_rank(if from == End::Left { start } else { end - 1 });
        let leaf = elements.leaf(&spot);
        let rank = elements.rank(&spot);
        let ahead = (end - rank).min(elements.leaf_len(&spot) as u64);
        let mut equal: Vec<Range<usize>> = packed::elements(leaf, 0, ByPosition::WIDTH)
            .take(ahead as usize)
            .skip(start.saturating_sub(rank) as usize)
            .filter(|element| *element.encoded() == *value)
            .map(|element| element.range())
            .collect();
        let surplus = equal.len() - equal.len().min((most - removed) as usize);
        match from {
            End::Left => equal.truncate(equal.len() - surplus),
            End::Right => drop(equal.drain(..surplus)),
        }
        let gone = equal.len() as u64;
        match from {
            End::Left => (start, end) = (rank + ahead - gone, end - gone),
            End::Right => end = rank,
        }
        let (Some(first), Some(last)) = (equal.first(), equal.last()) else { continue };
        let range = first.start..last.end;
        let kept: Vec<u8> = equal.windows(2).flat_map(|pair| &leaf[pair[0].end..pair[1].start]).copied().collect();
        sequence::splice::<ByPosition>(home, 0, &spot, range, &kept, -(gone as i64))?;
        removed += gone;
    }
    Ok(removed)
}

/// Makes a packed list that would pass its limit with these values a tree.
fn grow(home: &mut impl Home, values: &[&[u8]], limit: Limit) -> Result<(), ArenaFull> {
    let outgrows = outgrows(&List::new(home.view()).elements, values, limit);
    if outgrows { sequence::plant::<ByPosition>(home, Encoding::Quicklist) } else { Ok(()) }
}

/// Whether a list is packed, but is not to be with these values.
fn outgrows(elements: &Sequence<'_>, values: &[&[u8]], limit: Limit) -> bool {
    let Some(bytes) = elements.packed() else { return false };
    let more: usize = values.iter().map(|value| value.len()).sum();
    !limit.admits((bytes.len() + more) as u64, elements.len() + values.len() as u64, 1)
}

/// Packs a tree that has shrunk to half of what may be packed, so that it does not go back and forth.
pub fn shrink(home: &mut impl Home, limit: Limit) -> Result<(), ArenaFull> {
    pack(home, limit, 2)
}

/// Packs a tree of which all may be packed: a list that was stored as a whole.
pub fn settle(home: &mut impl Home, limit: Limit) -> Result<(), ArenaFull> {
    pack(home, limit, 1)
}

fn pack(home: &mut impl Home, limit: Limit, part: u64) -> Result<(), ArenaFull> {
    let elements = List::new(home.view()).elements;
    let Some(Root { node, len }) = elements.root() else { return Ok(()) };
    // An element takes a byte at least; so almost every tree is told apart without a look at its leaves.
    if !limit.admits(len, len, part) {
        return Ok(());
    }
    let mut bytes = Vec::new();
    let mut spot = elements.first();
    loop {
        bytes.extend_from_slice(elements.leaf(&spot));
        if !limit.admits(bytes.len() as u64, len, part) {
            return Ok(());
        }
        if !elements.next(&mut spot) {
            break;
        }
    }
    home.replace(Encoding::Listpack, &sequence::pack(&bytes, ByPosition::WIDTH))?;
    let heap = home.heap_mut();
    tree::doom(heap, node);
    // A node of each of the few leaves, and those above.
    tree::free_some(heap, 64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::home::alone::Alone;
    use std::collections::VecDeque;

    const LIMIT: Limit = Limit(4);

    fn checked(home: &Alone) -> Vec<Vec<u8>> {
        for root in crate::types::roots(home.encoding, &home.value) {
            tree::check(&home.heap, root, &mut |_| Ok(())).unwrap();
        }
        List::new(home.view()).iter(0).map(|element| element.first().to_vec()).collect()
    }

    #[test]
    fn what_is_popped_at_the_right_is_reached_by_a_short_walk() {
        let count = if cfg!(miri) { 400 } else { 20_000 };
        let mut home = Alone::new(EMPTY, 16 << 20);
        let mut model: VecDeque<Vec<u8>> = (0..count).map(|n: u32| n.to_string().into_bytes()).collect();
        for value in &model {
            push(&mut home, End::Right, &[value], LIMIT).unwrap();
        }
        // How often the last leaf was long: then the next pop divides it.
        let mut long = 0;
        while let Some(last) = model.pop_back() {
            let mut popped = Vec::new();
            let left = pop(&mut home, End::Right, LIMIT, &mut |value| popped = value.to_vec()).unwrap();
            assert_eq!((popped, left), (last, model.len() as u64));
            let elements = List::new(home.view()).elements;
            long += usize::from(left > 0 && elements.leaf_len(&elements.last()) > 2 * WALK);
            if left.is_multiple_of(101) {
                assert_eq!(checked(&home), Vec::from(model.clone()));
            }
        }
        assert!(long <= count as usize / WALK + 1, "{long} walks were long");
    }

    #[test]
    fn pushing_fills_the_leaves_at_either_end() {
        for (end, at_once) in [(End::Left, 10), (End::Right, 10), (End::Left, 1), (End::Right, 1)] {
            let mut home = Alone::new(EMPTY, 16 << 20);
            let elements = if cfg!(miri) { 400 } else { 4000 };
            let values: Vec<Vec<u8>> = (0..elements).map(|n| format!("element:{n:07}").into_bytes()).collect();
            let words: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            for words in words.chunks(at_once) {
                push(&mut home, end, words, LIMIT).unwrap();
            }
            let mut pushed = checked(&home);
            if end == End::Left {
                pushed.reverse();
            }
            assert_eq!(pushed, values);
            let (list, mut leaves) = (List::new(home.view()).elements, 1);
            let mut spot = list.first();
            while list.next(&mut spot) {
                leaves += 1;
            }
            assert!(leaves <= elements / (ByPosition::LEAF / 16) + 2, "{leaves} leaves");
        }
    }

    #[test]
    fn a_list_crosses_the_border_both_ways() {
        let mut home = Alone::new(EMPTY, 16 << 20);
        for _ in 0..3 {
            push(&mut home, End::Left, &[b"a", b"1", b"b", b"2", b"c"], LIMIT).unwrap();
            assert_eq!(home.encoding, Encoding::Quicklist);
            insert(&mut home, 1, b"x", LIMIT).unwrap();
            assert!(set(&mut home, 2, b"y", LIMIT).unwrap());
            assert_eq!(checked(&home), [&b"c"[..], b"x", b"y", b"b", b"1", b"a"]);
            assert_eq!(remove_equal(&mut home, b"a", End::Right, 9), Ok(1));
            remove(&mut home, 1..4).unwrap();
            shrink(&mut home, LIMIT).unwrap();
            assert_eq!((home.encoding, checked(&home)), (Encoding::Listpack, vec![b"c".to_vec(), b"1".to_vec()]));
            remove(&mut home, 0..2).unwrap();
        }
    }
}
