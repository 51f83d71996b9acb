//! The one tree behind every large collection: leaves of packed elements, inner nodes that count
//! what lies below each child. (A counted B+ tree: Comer, "The Ubiquitous B-Tree", 1979.)
//!
//! ```text
//! list     by position; keys are not used
//! hash,set by the hash of the field; a leaf's elements lie as they came, a split puts them in order
//! zset     by (score, member): a node's key is the score's bits, ties are told by the first element
//! stream   by time likewise; the tables of its groups by the bytes of their keys
//! ```
//!
//! Every step is O(log n): element by key, element by rank, rank of an element, next and previous
//! leaf. A change copies at most one leaf, or a few nodes when one splits or two merge. What is cut
//! off as a whole goes to the heap's list of doomed nodes and is freed in bounded steps
//! ([`free_some`]).

mod edit;
mod free;
mod label;
mod node;
mod probe;
mod relocate;
mod remove;
#[cfg(test)]
mod tests;

pub use edit::{append, build, overwrite, part, push_in_place, splice};
pub use free::{doom, free_some, has_freeable};
pub use node::{TAG_INNER, TAG_LEAF, payload};
pub use probe::{Probe, visit_all, visit_around, visit_beside, visit_ends};
pub use relocate::{Heaps, Moved, copy, relocate, set_owner};
pub use remove::remove_ranks;

use super::packed::{self, Element, Entry};
use crate::arena::{ArenaFull, Offset, ShardHeap};
use ahash::RandomState;
use node::{Entries, Header, Leaf, Read};
use probe::Bounds;
use smallvec::SmallVec;

/// How a tree's elements are made and ordered.
pub trait Order {
    /// Bytes of a leaf's elements, at most; a single larger element has a leaf to itself.
    const LEAF: usize;
    /// Packed entries of one element.
    const WIDTH: usize;
    /// The elements of a leaf lie as they came; a split puts them in order of their keys.
    const LOOSE: bool = false;
    /// The element's key: what is compared first. Constant for trees by position.
    fn key(hasher: &RandomState, element: &Element<'_>) -> u64;
}

/// What refers to a tree: part of the value in its owner's item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Root {
    pub node: Offset,
    /// Elements in all.
    pub len: u64,
}

impl Root {
    /// Bytes of a root in a value.
    pub const BYTES: usize = 16;
    /// A tree that is not there.
    pub const NONE: Root = Root { node: Offset::NULL, len: 0 };

    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.node.bytes().to_le_bytes());
        bytes[8..].copy_from_slice(&self.len.to_le_bytes());
        bytes
    }

    /// Root number `index` of a value.
    pub fn read(value: &[u8], index: usize) -> Option<Root> {
        let bytes = value.get(index * Self::BYTES..(index + 1) * Self::BYTES)?;
        let word = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        Some(Root { node: Offset::from_bytes(word(0)?), len: word(8)? })
    }

    /// A tree of one empty leaf.
    pub fn create(heap: &mut ShardHeap, owner: u64) -> Result<Root, ArenaFull> {
        let header = Header { is_root: true, parent: owner, ..Header::new(true, 0, 0) };
        Ok(Root { node: node::create(heap, header, &[], &[])?, len: 0 })
    }
}

/// The way to a leaf. True until the tree changes.
#[derive(Clone, Debug)]
pub struct Spot {
    /// From the root down.
    path: SmallVec<[Step; 3]>,
    leaf: Leaf,
    /// The rank of the leaf's first element, where it came up on the way.
    rank: Option<u64>,
}

/// A node on the way to a leaf.
#[derive(Clone, Copy, Debug)]
struct Step {
    at: Offset,
    /// The number of the child that was taken, and how many there are.
    child: u32,
    fan: u32,
}

impl Step {
    fn child(self) -> usize {
        self.child as usize
    }

    fn is_last(self) -> bool {
        self.child + 1 >= self.fan
    }
}

impl Spot {
    /// At no leaf yet.
    fn new() -> Spot {
        Spot { path: SmallVec::new(), leaf: Leaf::NONE, rank: None }
    }

    /// The only place of a collection that is no tree.
    pub(super) fn packed() -> Spot {
        Spot { rank: Some(0), ..Spot::new() }
    }

    /// The elements of the leaf.
    pub(super) fn elements<'a>(&self, heap: &'a ShardHeap) -> &'a [u8] {
        self.leaf.elements(heap)
    }

    /// Whether the way still leads to the leaf as it was.
    pub(super) fn is_true(&self, heap: &ShardHeap, root: Root) -> bool {
        let mut at = root.node;
        self.path.iter().all(|step| {
            let is_on_the_way = step.at == at && node::fan(heap, at) == step.fan as usize;
            at = node::child(heap, at, step.child()).map_or(Offset::NULL, |child| child.at);
            is_on_the_way
        }) && at == self.leaf.at
            && Header::read(heap, at) == Some(self.leaf.header)
    }

    /// Whether both lead to the same leaf.
    pub(super) fn is_at(&self, other: &Spot) -> bool {
        self.leaf.at == other.leaf.at
    }

    /// Bytes of the leaf's elements.
    pub(super) fn end(&self) -> usize {
        self.leaf.header.used
    }

    /// How many elements the leaf holds.
    pub(super) fn len(&self) -> usize {
        self.leaf.len()
    }

    /// The rank of the leaf's first element.
    pub(super) fn rank(&self, heap: &ShardHeap) -> u64 {
        let counted = || self.path.iter().map(|step| node::entries(heap, step.at).count_before(step.child())).sum();
        self.rank.unwrap_or_else(counted)
    }

    /// Whether no leaf comes before this one.
    fn is_first(&self) -> bool {
        self.path.iter().all(|step| step.child == 0)
    }

    /// Whether this is the first or the last leaf of elements in order. Those may be small: what is pushed or
    /// popped there fills or empties them.
    fn is_at_end<O: Order>(&self) -> bool {
        !O::LOOSE && (self.is_first() || self.is_last())
    }

    /// Whether no leaf comes after this one.
    fn is_last(&self) -> bool {
        self.path.iter().all(|step| step.is_last())
    }
}

/// Nodes on the way from a root to a leaf, at most: more than any tree of 2^64 elements has. A
/// damaged tree cannot lead round in a circle.
const DEPTH_MAX: usize = 16;

/// Follows the children that `choose` names, from the root to a leaf.
fn descend(heap: &ShardHeap, root: Root, mut choose: impl FnMut(Entries<'_>) -> usize) -> Spot {
    let mut spot = Spot::new();
    go_down(heap, &mut spot, root.node, &mut choose);
    spot
}

/// Goes on from a node to a leaf. Not inlined, so that the spot is made where the caller is to have it.
#[inline(never)]
fn go_down(heap: &ShardHeap, spot: &mut Spot, from: Offset, choose: &mut impl FnMut(Entries<'_>) -> usize) {
    let mut at = from;
    spot.leaf = Leaf::NONE;
    while spot.path.len() < DEPTH_MAX {
        let entries = match node::read(heap, at) {
            Read::Inner(entries) => entries,
            Read::Leaf(leaf) => return spot.leaf = leaf,
            Read::Nothing => return,
        };
        let Some(last) = entries.fan().checked_sub(1) else { return };
        let child = choose(entries).min(last);
        spot.path.push(Step { at, child: child as u32, fan: entries.fan() as u32 });
        at = entries.child(child).map_or(Offset::NULL, |child| child.at);
    }
}

/// The leaf that holds the element of this rank; the last leaf when there are not so many.
pub fn leaf_by_rank(heap: &ShardHeap, root: Root, rank: u64) -> Spot {
    let (mut spot, mut left) = (Spot::new(), rank);
    go_down(heap, &mut spot, root.node, &mut |entries| {
        let (child, before) = entries.by_rank(left);
        left = left.saturating_sub(before);
        child
    });
    spot.rank = Some(rank - left);
    spot
}

/// The first leaf.
#[inline]
pub fn first_leaf(heap: &ShardHeap, root: Root) -> Spot {
    let mut spot = Spot::new();
    go_down(heap, &mut spot, root.node, &mut |_| 0);
    spot.rank = Some(0);
    spot
}

/// The last leaf.
#[inline]
pub fn last_leaf(heap: &ShardHeap, root: Root) -> Spot {
    let mut spot = Spot::new();
    go_down(heap, &mut spot, root.node, &mut |entries| entries.fan() - 1);
    spot.rank = Some(root.len.saturating_sub(spot.len() as u64));
    spot
}

/// The leaf in which an element belongs, where `reaches(key, child)` says whether it comes at or after
/// the first element below a child, which has that key or a greater one.
pub fn leaf_by(heap: &ShardHeap, root: Root, mut reaches: impl FnMut(u64, Offset) -> bool) -> Spot {
    descend(heap, root, |entries| {
        let (mut low, mut high) = (1, entries.fan());
        while low < high {
            let middle = (low + high) / 2;
            let reached = entries.child(middle).is_some_and(|child| reaches(child.key, child.at));
            if reached { low = middle + 1 } else { high = middle }
        }
        low - 1
    })
}

/// The leaf in which elements of this key belong; of trees whose keys are hashes and their whole order.
pub fn leaf_by_hash(heap: &ShardHeap, root: Root, key: u64) -> Spot {
    let mut bounds = Bounds::new(key);
    descend(heap, root, |entries| bounds.narrow(entries))
}

/// The elements of a leaf that may have this key: all that have it, and some others.
pub fn alike<'a>(
    heap: &'a ShardHeap,
    spot: &Spot,
    key: u64,
    width: usize,
) -> impl Iterator<Item = Element<'a>> + use<'a> {
    let (bytes, labels) = spot.leaf.labelled(heap);
    let mut alike = labels.map(|labels| labels.alike(key));
    let mut all = packed::elements(bytes, 0, width);
    std::iter::from_fn(move || match &mut alike {
        Some(alike) => alike.find_map(|at| packed::elements(bytes, at, width).next()),
        None => all.next(),
    })
}

/// The element of a leaf whose first entry is `wanted`, and has this key.
#[inline]
pub fn find<'a>(heap: &'a ShardHeap, spot: &Spot, key: u64, wanted: &Entry<'_>, width: usize) -> Option<Element<'a>> {
    let (bytes, Some(labels)) = spot.leaf.labelled(heap) else {
        return packed::find(spot.elements(heap), wanted, width);
    };
    let element = |at| packed::elements(bytes, at, width).next();
    labels.alike(key).filter_map(element).find(|element| element.first() == *wanted)
}

/// Where element number `index` of a leaf begins; the end of the bytes when there are fewer.
pub fn element_at(heap: &ShardHeap, spot: &Spot, index: usize, width: usize) -> usize {
    let (bytes, labels) = spot.leaf.labelled(heap);
    match labels {
        Some(labels) => labels.position(index).unwrap_or(bytes.len()),
        None => packed::element_at(bytes, index, width),
    }
}

/// The elements of the first leaf below a node.
pub fn leftmost(heap: &ShardHeap, node: Offset) -> &[u8] {
    let mut at = node;
    for _ in 0..=DEPTH_MAX {
        match node::read(heap, at) {
            Read::Inner(entries) => at = entries.child(0).map_or(Offset::NULL, |child| child.at),
            Read::Leaf(leaf) => return leaf.elements(heap),
            Read::Nothing => break,
        }
    }
    &[]
}

/// The least key that belongs into the leaf after this one; `None` at the last.
pub fn next_bound(heap: &ShardHeap, spot: &Spot) -> Option<u64> {
    let step = spot.path.iter().rev().find(|step| !step.is_last())?;
    node::child(heap, step.at, step.child() + 1).map(|child| child.key)
}

/// Moves on to the next leaf; false at the last.
pub fn next_leaf(heap: &ShardHeap, spot: &mut Spot) -> bool {
    let Some(level) = spot.path.iter().rposition(|step| !step.is_last()) else { return false };
    let len = spot.len() as u64;
    turn(heap, spot, level, spot.path[level].child + 1, &mut |_| 0);
    spot.rank = spot.rank.map(|rank| rank + len);
    true
}

/// Moves back to the leaf before; false at the first.
pub fn previous_leaf(heap: &ShardHeap, spot: &mut Spot) -> bool {
    let Some(level) = spot.path.iter().rposition(|step| step.child > 0) else { return false };
    turn(heap, spot, level, spot.path[level].child - 1, &mut |entries| entries.fan() - 1);
    let len = spot.len() as u64;
    spot.rank = spot.rank.map(|rank| rank.saturating_sub(len));
    true
}

/// Takes another child at one level of the path, and goes down from there.
fn turn(heap: &ShardHeap, spot: &mut Spot, level: usize, child: u32, choose: &mut impl FnMut(Entries<'_>) -> usize) {
    spot.path.truncate(level + 1);
    let step = &mut spot.path[level];
    step.child = child;
    let from = node::child(heap, step.at, step.child()).map_or(Offset::NULL, |child| child.at);
    go_down(heap, spot, from, choose);
}

/// Bytes of memory that the nodes take; after `most` leaves, the rest is taken to be like those.
pub fn memory(heap: &ShardHeap, root: Root, most: usize) -> u64 {
    if root.node.is_null() {
        return 0;
    }
    let mut spot = first_leaf(heap, root);
    let (mut bytes, mut elements, mut leaves) = (0u64, 0u64, 0);
    loop {
        bytes += heap.span(spot.leaf.at) as u64;
        elements += spot.len() as u64;
        leaves += 1;
        if leaves >= most.max(1) || !next_leaf(heap, &mut spot) {
            break;
        }
    }
    if elements < root.len && elements > 0 {
        bytes = (bytes as u128 * root.len as u128 / elements as u128) as u64;
    }
    // An inner node's entry for each leaf, and its share of those above.
    bytes + node::ENTRY as u64 * (root.len * leaves as u64).checked_div(elements).unwrap_or(0)
}

/// Checks the whole tree: references back, counts, bounds; `check` is called with each leaf in
/// order. Answers what is wrong first.
pub fn check(heap: &ShardHeap, root: Root, leaf: &mut dyn FnMut(&[u8]) -> Result<(), String>) -> Result<(), String> {
    let header = Header::read(heap, root.node).ok_or("the root is no node")?;
    if !header.is_root {
        return Err("the root does not say so".into());
    }
    let len = check_node(heap, root.node, 0, leaf)?;
    if len == root.len { Ok(()) } else { Err(format!("the root counts {}, there are {len}", root.len)) }
}

/// Checks the labels of a tree: that they are those of the elements.
#[cfg(any(test, debug_assertions))]
pub fn check_labels<O: Order>(heap: &ShardHeap, hasher: &RandomState, root: Root) -> Result<(), String> {
    let mut spot = first_leaf(heap, root);
    loop {
        let (bytes, labels) = spot.leaf.labelled(heap);
        let wanted = packed::elements(bytes, 0, O::WIDTH).map(|one| label::label(O::key(hasher, &one), one.at));
        if labels.is_some_and(|labels| !labels.iter().eq(wanted)) {
            return Err(format!("{:?}: the labels are not those of the elements", spot.leaf.at));
        }
        if !next_leaf(heap, &mut spot) {
            return Ok(());
        }
    }
}

/// All nodes of a tree that is whole.
pub fn nodes(heap: &ShardHeap, at: Offset, into: &mut Vec<Offset>) {
    into.push(at);
    node::children(heap, at).for_each(|child| nodes(heap, child.at, into));
}

fn check_node(
    heap: &ShardHeap,
    at: Offset,
    depth: usize,
    leaf: &mut dyn FnMut(&[u8]) -> Result<(), String>,
) -> Result<u64, String> {
    let header = Header::read(heap, at).ok_or_else(|| format!("{at:?} is no node"))?;
    if header.is_leaf {
        leaf(payload(heap, at))?;
        return Ok(header.count as u64);
    }
    if depth > DEPTH_MAX || header.count == 0 {
        return Err(format!("{at:?}: {} children at depth {depth}", header.count));
    }
    let mut sum = 0;
    let mut last = 0;
    for (index, child) in node::children(heap, at).enumerate() {
        let below = Header::read(heap, child.at).ok_or_else(|| format!("{at:?}: child {index} is no node"))?;
        if below.is_root || below.parent != at.bytes() {
            return Err(format!("{at:?}: child {index} does not lead back"));
        }
        if index > 0 && child.key < last {
            return Err(format!("{at:?}: the bound of child {index} is smaller than the one before"));
        }
        if index > 0 {
            last = child.key;
        }
        let count = check_node(heap, child.at, depth + 1, leaf)?;
        if count != child.count {
            return Err(format!("{at:?}: child {index} holds {count}, not {}", child.count));
        }
        sum += count;
    }
    Ok(sum)
}
