//! A collection's elements in order, whichever way they are stored: packed in the item, or as the
//! leaves of a tree. Types are written once, on top of this.
//!
//! A packed value is `u16 elements` (0xFFFF: not known, count them), what else the type keeps
//! ([`Encoding::head`]), and the elements. A value of trees begins with their roots.

use super::{
    home::{Home, View},
    kind::Encoding,
    packed::{self, Element, Entry},
    tree::{self, Order, Root, Spot},
};
use crate::arena::{ArenaFull, ShardHeap};
use ahash::RandomState;
use std::ops::Range;

/// Bytes of the number that a packed value begins with.
pub const COUNT: usize = 2;
const UNKNOWN: u16 = u16::MAX;

/// Packed elements, or a tree of them.
#[derive(Clone, Copy)]
pub struct Sequence<'a> {
    heap: &'a ShardHeap,
    shape: Shape<'a>,
    width: usize,
}

#[derive(Clone, Copy)]
enum Shape<'a> {
    Packed { count: u16, bytes: &'a [u8] },
    Tree(Root),
}

impl<'a> View<'a> {
    /// The elements of a packed value, or of its tree number `tree`, of `width` entries each.
    #[inline]
    pub fn sequence(&self, tree: usize, width: usize) -> Sequence<'a> {
        Sequence { heap: self.heap, shape: Shape::of(self.encoding, self.value, tree), width }
    }
}

/// How many elements of `width` entries a value has; of trees, the first.
#[inline]
pub fn len(encoding: Encoding, value: &[u8], width: usize) -> u64 {
    Shape::of(encoding, value, 0).len(width)
}

impl<'a> Shape<'a> {
    #[inline]
    fn of(encoding: Encoding, value: &'a [u8], tree: usize) -> Shape<'a> {
        if encoding.trees() > 0 {
            return Shape::Tree(Root::read(value, tree).unwrap_or(Root::NONE));
        }
        match value {
            [a, b, rest @ ..] => {
                let bytes = rest.get(encoding.head()..).unwrap_or_default();
                Shape::Packed { count: u16::from_le_bytes([*a, *b]), bytes }
            }
            _ => Shape::Packed { count: 0, bytes: &[] },
        }
    }

    #[inline]
    fn len(&self, width: usize) -> u64 {
        match *self {
            Shape::Packed { count: UNKNOWN, bytes } => packed::count(bytes, width) as u64,
            Shape::Packed { count, .. } => count.into(),
            Shape::Tree(root) => root.len,
        }
    }
}

impl<'a> Sequence<'a> {
    #[inline]
    pub fn len(&self) -> u64 {
        self.shape.len(self.width)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The packed elements; `None` of a tree.
    pub fn packed(&self) -> Option<&'a [u8]> {
        match self.shape {
            Shape::Packed { bytes, .. } => Some(bytes),
            Shape::Tree(_) => None,
        }
    }

    pub fn root(&self) -> Option<Root> {
        match self.shape {
            Shape::Packed { .. } => None,
            Shape::Tree(root) => Some(root),
        }
    }

    /// The elements of the leaf at a spot.
    pub fn leaf(&self, spot: &Spot) -> &'a [u8] {
        match self.shape {
            Shape::Packed { bytes, .. } => bytes,
            Shape::Tree(_) => spot.elements(self.heap),
        }
    }

    /// Where the elements of the leaf at a spot end.
    pub fn leaf_end(&self, spot: &Spot) -> usize {
        match self.shape {
            Shape::Packed { bytes, .. } => bytes.len(),
            Shape::Tree(_) => spot.end(),
        }
    }

    /// Whether the leaf at a spot is as it was when the spot was found, wherever else there was a change.
    pub fn is_true(&self, spot: &Spot) -> bool {
        matches!(self.shape, Shape::Tree(root) if spot.is_true(self.heap, root))
    }

    /// How many elements the leaf at a spot holds.
    pub fn leaf_len(&self, spot: &Spot) -> usize {
        match self.shape {
            Shape::Packed { .. } => self.len() as usize,
            Shape::Tree(_) => spot.len(),
        }
    }

    /// The leaf that holds the element of this rank; the last when there are fewer.
    pub fn by_rank(&self, rank: u64) -> Spot {
        match self.shape {
            Shape::Packed { .. } => Spot::packed(),
            Shape::Tree(root) => match rank {
                0 => tree::first_leaf(self.heap, root),
                _ if rank + 1 == root.len => tree::last_leaf(self.heap, root),
                _ => tree::leaf_by_rank(self.heap, root, rank),
            },
        }
    }

    /// The first leaf.
    #[inline]
    pub fn first(&self) -> Spot {
        match self.shape {
            Shape::Packed { .. } => Spot::packed(),
            Shape::Tree(root) => tree::first_leaf(self.heap, root),
        }
    }

    /// The last leaf.
    #[inline]
    pub fn last(&self) -> Spot {
        match self.shape {
            Shape::Packed { .. } => Spot::packed(),
            Shape::Tree(root) => tree::last_leaf(self.heap, root),
        }
    }

    /// The rank of the first element of the leaf at a spot.
    pub fn rank(&self, spot: &Spot) -> u64 {
        spot.rank(self.heap)
    }

    /// The leaf where elements of this key belong, when the key is a hash and all that orders them.
    #[inline]
    pub fn by_hash(&self, key: u64) -> Spot {
        match self.shape {
            Shape::Packed { .. } => Spot::packed(),
            Shape::Tree(root) => tree::leaf_by_hash(self.heap, root, key),
        }
    }

    /// The elements of a tree's leaf at a spot that may have this key: all that have it, and maybe others.
    pub fn alike(&self, spot: &Spot, key: u64) -> impl Iterator<Item = Element<'a>> + use<'a> {
        tree::alike(self.heap, spot, key, self.width)
    }

    /// The element of a leaf at a spot whose first entry is `wanted`, and has this key.
    #[inline]
    pub fn find(&self, spot: &Spot, key: u64, wanted: &Entry<'_>) -> Option<Element<'a>> {
        match self.shape {
            Shape::Packed { bytes, .. } => packed::find(bytes, wanted, self.width),
            Shape::Tree(_) => tree::find(self.heap, spot, key, wanted, self.width),
        }
    }

    /// The element whose first entry is `name`, in a collection that is packed or by hash.
    #[inline]
    pub fn look_up(&self, hasher: &RandomState, name: &[u8]) -> Option<Element<'a>> {
        let wanted = Entry::of(name);
        match self.shape {
            Shape::Packed { bytes, .. } => packed::find(bytes, &wanted, self.width),
            Shape::Tree(root) => {
                let key = hasher.hash_one(name);
                tree::find(self.heap, &tree::leaf_by_hash(self.heap, root, key), key, &wanted, self.width)
            }
        }
    }

    /// Where element number `index` of the leaf at a spot begins; its end when there are fewer.
    pub fn element_at(&self, spot: &Spot, index: usize) -> usize {
        match self.shape {
            _ if index == 0 => 0,
            Shape::Packed { bytes, .. } => packed::element_at(bytes, index, self.width),
            Shape::Tree(_) => tree::element_at(self.heap, spot, index, self.width),
        }
    }

    /// The leaf where an element belongs: `reaches(key)` says how its key compares with a leaf's
    /// least, and when they are equal, `follows(first)` whether it comes at or after that leaf's first.
    pub fn by_order(&self, key: u64, mut follows: impl FnMut(Element<'a>) -> bool) -> Spot {
        match self.shape {
            Shape::Packed { .. } => Spot::packed(),
            Shape::Tree(root) => tree::leaf_by(self.heap, root, |bound, child| {
                bound < key
                    || bound == key
                        && packed::elements(tree::leftmost(self.heap, child), 0, self.width)
                            .next()
                            .is_some_and(&mut follows)
            }),
        }
    }

    /// The last leaf whose first element is one of those that `precedes` says come before a place; the
    /// first leaf when none is.
    pub fn by_first(&self, mut precedes: impl FnMut(Element<'a>) -> bool) -> Spot {
        match self.shape {
            Shape::Packed { .. } => Spot::packed(),
            Shape::Tree(root) => tree::leaf_by(self.heap, root, |_, child| {
                packed::elements(tree::leftmost(self.heap, child), 0, self.width).next().is_some_and(&mut precedes)
            }),
        }
    }

    /// Moves on to the next leaf; false at the last.
    pub fn next(&self, spot: &mut Spot) -> bool {
        matches!(self.shape, Shape::Tree(_)) && tree::next_leaf(self.heap, spot)
    }

    /// Moves back to the leaf before; false at the first.
    pub fn previous(&self, spot: &mut Spot) -> bool {
        matches!(self.shape, Shape::Tree(_)) && tree::previous_leaf(self.heap, spot)
    }

    /// The least key of the next leaf; `None` at the last.
    pub fn next_bound(&self, spot: &Spot) -> Option<u64> {
        match self.shape {
            Shape::Packed { .. } => None,
            Shape::Tree(_) => tree::next_bound(self.heap, spot),
        }
    }

    /// The element of this rank, and the leaf it lies in.
    pub fn get(&self, rank: u64) -> Option<(Spot, Element<'a>)> {
        if rank >= self.len() {
            return None;
        }
        let spot = self.by_rank(rank);
        let at = self.element_at(&spot, rank.saturating_sub(self.rank(&spot)) as usize);
        let element = packed::elements(self.leaf(&spot), at, self.width).next()?;
        Some((spot, element))
    }

    /// The elements from this rank on.
    pub fn iter(&self, from: u64) -> Forward<'a> {
        let spot = self.by_rank(from);
        let at = self.element_at(&spot, from.saturating_sub(self.rank(&spot)) as usize);
        Forward { elements: packed::elements(self.leaf(&spot), at, self.width), sequence: *self, spot }
    }

    /// The elements from byte `at` of the leaf at a spot on.
    pub fn iter_at(&self, spot: Spot, at: usize) -> Forward<'a> {
        Forward { elements: packed::elements(self.leaf(&spot), at, self.width), sequence: *self, spot }
    }

    /// The elements from this rank back to the first.
    pub fn iter_back(&self, from: u64) -> Backward<'a> {
        let spot = self.by_rank(from);
        let until = from.saturating_sub(self.rank(&spot)).saturating_add(1);
        let mut backward = Backward { sequence: *self, ahead: Vec::new(), spot, done: self.is_empty() };
        if !backward.done {
            backward.fill(until);
        }
        backward
    }
}

/// See [`Sequence::iter`].
#[derive(Clone)]
pub struct Forward<'a> {
    sequence: Sequence<'a>,
    spot: Spot,
    elements: packed::Elements<'a>,
}

impl Forward<'_> {
    /// The leaf of the element that came last.
    pub fn spot(&self) -> &Spot {
        &self.spot
    }
}

impl<'a> Iterator for Forward<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            if let Some(element) = self.elements.next() {
                return Some(element);
            }
            if !self.sequence.next(&mut self.spot) {
                return None;
            }
            self.elements = packed::elements(self.sequence.leaf(&self.spot), 0, self.sequence.width);
        }
    }
}

/// See [`Sequence::iter_back`].
#[derive(Clone)]
pub struct Backward<'a> {
    sequence: Sequence<'a>,
    spot: Spot,
    /// The elements of the leaf that are still to come, the last first.
    ahead: Vec<Element<'a>>,
    done: bool,
}

impl Backward<'_> {
    fn fill(&mut self, until: u64) {
        let bytes = self.sequence.leaf(&self.spot);
        let until = usize::try_from(until).unwrap_or(usize::MAX);
        self.ahead.extend(packed::elements(bytes, 0, self.sequence.width).take(until));
    }
}

impl<'a> Iterator for Backward<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            if let Some(element) = self.ahead.pop() {
                return Some(element);
            }
            if self.done || !self.sequence.previous(&mut self.spot) {
                self.done = true;
                return None;
            }
            self.fill(u64::MAX);
        }
    }
}

/// Replaces the bytes `range` of a leaf by `with`, which changes the number of elements by `more`:
/// of the packed value, or of tree number `tree`. Spots are not true afterwards.
pub fn splice<O: Order>(
    home: &mut impl Home,
    tree: usize,
    spot: &Spot,
    range: Range<usize>,
    with: &[u8],
    more: i64,
) -> Result<(), ArenaFull> {
    let view = home.view();
    if view.encoding.trees() > 0 {
        let old = Root::read(view.value, tree).ok_or(ArenaFull)?;
        let mut root = old;
        let (heap, hasher) = home.heap_and_hasher();
        let result = tree::splice::<O>(heap, hasher, &mut root, spot, range, with, more);
        // The root is kept even when there was no room for all: it may have moved.
        set_root(home, tree, old, root)?;
        return result;
    }
    let count = view.sequence(tree, O::WIDTH).len();
    let start = COUNT + view.encoding.head();
    home.splice(start + range.start..start + range.end, with)?;
    if more != 0 {
        set_count(home, count.saturating_add_signed(more))?;
    }
    Ok(())
}

/// Puts an element before or behind all others of a tree, if that is done in place; answers how many there are then.
pub fn push_in_place<O: Order>(
    home: &mut impl Home,
    tree: usize,
    at_end: bool,
    with: &[u8],
) -> Result<Option<u64>, ArenaFull> {
    if home.encoding().trees() == 0 {
        return Ok(None);
    }
    let mut root = Root::read(home.view().value, tree).ok_or(ArenaFull)?;
    if !tree::push_in_place::<O>(home.heap_mut(), &mut root, at_end, with) {
        return Ok(None);
    }
    home.set_root(tree, root)?;
    Ok(Some(root.len))
}

/// Adds an element behind the others of a leaf, in which it belongs by its key. Spots are not true afterwards.
pub fn append<O: Order>(
    home: &mut impl Home,
    tree: usize,
    spot: &Spot,
    key: u64,
    with: &[u8],
) -> Result<(), ArenaFull> {
    let view = home.view();
    if view.encoding.trees() == 0 {
        let end = view.sequence(tree, O::WIDTH).leaf_end(spot);
        return splice::<O>(home, tree, spot, end..end, with, 1);
    }
    let old = Root::read(view.value, tree).ok_or(ArenaFull)?;
    let mut root = old;
    let (heap, hasher) = home.heap_and_hasher();
    let result = tree::append::<O>(heap, hasher, &mut root, spot, key, with);
    set_root(home, tree, old, root)?;
    result
}

/// Replaces a part of a leaf by as many bytes, which changes no element's key.
pub fn overwrite<O: Order>(
    home: &mut impl Home,
    tree: usize,
    spot: &Spot,
    range: Range<usize>,
    with: &[u8],
) -> Result<(), ArenaFull> {
    if home.encoding().trees() == 0 {
        return home.splice(COUNT + range.start..COUNT + range.end, with);
    }
    match tree::overwrite(home.heap_mut(), spot, range.clone(), with) {
        true => Ok(()),
        false => splice::<O>(home, tree, spot, range, with, 0),
    }
}

/// Divides a leaf of a tree where its element number `count` begins.
pub fn part<O: Order>(home: &mut impl Home, tree: usize, spot: &Spot, count: usize) -> Result<(), ArenaFull> {
    let view = home.view();
    let at = packed::element_at(view.sequence(tree, O::WIDTH).leaf(spot), count, O::WIDTH);
    let old = Root::read(view.value, tree).ok_or(ArenaFull)?;
    let mut root = old;
    let (heap, hasher) = home.heap_and_hasher();
    let result = tree::part::<O>(heap, hasher, &mut root, spot, (at, count));
    set_root(home, tree, old, root)?;
    result
}

/// Removes the elements of these ranks.
pub fn remove_ranks<O: Order>(home: &mut impl Home, tree: usize, ranks: Range<u64>) -> Result<(), ArenaFull> {
    let view = home.view();
    let sequence = view.sequence(tree, O::WIDTH);
    let ranks = ranks.start..ranks.end.min(sequence.len());
    if ranks.is_empty() {
        return Ok(());
    }
    let Some(bytes) = sequence.packed() else {
        if ranks.end - ranks.start == 1
            && let Some((spot, element)) = sequence.get(ranks.start)
        {
            let range = element.range();
            return splice::<O>(home, tree, &spot, range, &[], -1);
        }
        let old = Root::read(view.value, tree).ok_or(ArenaFull)?;
        let mut root = old;
        let result = tree::remove_ranks::<O>(home.heap_mut(), &mut root, ranks);
        set_root(home, tree, old, root)?;
        return result;
    };
    let start = packed::element_at(bytes, ranks.start as usize, O::WIDTH);
    let end = start + packed::element_at(&bytes[start..], (ranks.end - ranks.start) as usize, O::WIDTH);
    splice::<O>(home, tree, &Spot::packed(), start..end, &[], -((ranks.end - ranks.start) as i64))
}

fn set_root(home: &mut impl Home, tree: usize, old: Root, root: Root) -> Result<(), ArenaFull> {
    if root == old {
        return Ok(());
    }
    home.set_root(tree, root)
}

fn set_count(home: &mut impl Home, count: u64) -> Result<(), ArenaFull> {
    let count = u16::try_from(count).unwrap_or(UNKNOWN);
    home.splice(0..COUNT, &count.to_le_bytes())
}

/// A packed value of these elements.
pub fn pack(elements: &[u8], width: usize) -> Vec<u8> {
    let count = u16::try_from(packed::count(elements, width)).unwrap_or(UNKNOWN);
    let mut value = Vec::with_capacity(COUNT + elements.len());
    value.extend(count.to_le_bytes());
    value.extend_from_slice(elements);
    value
}

/// Turns a packed collection of one tree's worth into that tree.
pub fn plant<O: Order>(home: &mut impl Home, encoding: Encoding) -> Result<(), ArenaFull> {
    let elements = home.view().sequence(0, O::WIDTH).packed().unwrap_or_default().to_vec();
    let owner = home.owner();
    let (heap, hasher) = home.heap_and_hasher();
    let root = tree::build::<O>(heap, hasher, owner, &elements)?;
    home.replace(encoding, &root.to_bytes())
}

/// A cursor is the top 48 bits of a key: finer than any leaf, and small enough for clients that
/// read cursors as signed or floating numbers.
const CURSOR_SHIFT: u32 = 16;

/// One step of a walk in the order of keys: visits whole leaves until `count` elements were seen, and
/// answers the next cursor (0: done). What is there from the first step to the last is visited,
/// whatever is added or removed meanwhile. Packed elements are visited all at once.
pub fn scan<'a, O: Order>(
    elements: &Sequence<'a>,
    hasher: &RandomState,
    cursor: u64,
    count: u64,
    visit: &mut dyn FnMut(Element<'a>),
) -> u64 {
    if elements.packed().is_some() {
        elements.iter(0).for_each(visit);
        return 0;
    }
    // A cursor that no step gave is past the end or somewhere in the middle: either is fine.
    let Some(from) = cursor.checked_mul(1 << CURSOR_SHIFT) else { return 0 };
    let mut spot = elements.by_hash(from);
    let mut seen = 0;
    loop {
        for element in packed::elements(elements.leaf(&spot), 0, O::WIDTH) {
            if O::key(hasher, &element) >= from {
                seen += 1;
                visit(element);
            }
        }
        let Some(bound) = elements.next_bound(&spot) else { return 0 };
        let next = bound >> CURSOR_SHIFT;
        if seen >= count && next > cursor {
            return next;
        }
        elements.next(&mut spot);
    }
}
