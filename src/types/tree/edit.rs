//! Changing elements of a leaf: in place, by splitting it, or by merging it with a neighbour.

use super::{
    Order, Root, Spot, Step,
    label::{self, Own},
    node::{self, Change, Child, ENTRY, FANOUT, Header, Leaf, Read},
};
use crate::{
    arena::{ArenaFull, Offset, PAGE, ShardHeap},
    types::packed,
};
use ahash::RandomState;
use std::ops::Range;

/// More pages than the nodes of one split can need, each of a class without room.
const SPARE_PAGES: usize = 32;

/// Replaces the bytes `range` of a leaf's elements by `with`: whole elements, or a part of one that is not its
/// beginning. `more` is by how many elements the leaf grows. The spot is not true afterwards.
pub fn splice<O: Order>(
    heap: &mut ShardHeap,
    hasher: &RandomState,
    root: &mut Root,
    spot: &Spot,
    range: Range<usize>,
    with: &[u8],
    more: i64,
) -> Result<(), ArenaFull> {
    let header = Some(spot.leaf.header).filter(|header| header.is_leaf).ok_or(ArenaFull)?;
    let count = header.count.saturating_add_signed(more as isize);
    let used = (header.used + with.len()).saturating_sub(range.len());
    if !O::LOOSE
        && (more == 1 && range.is_empty() && insert_in_place::<O>(heap, root, spot, range.start, 0, with)
            || more == -1 && with.is_empty() && used >= O::LEAF / 4 && remove_in_place(heap, root, spot, range.clone()))
    {
        return Ok(());
    }
    if used > O::LEAF && count > 1 {
        let (at_start, at_end) = (range == (0..0) && spot.is_first(), range.start == header.used && spot.is_last());
        if more == 1 && !O::LOOSE && header.used <= O::LEAF && (at_start || at_end) {
            return set_apart::<O>(heap, hasher, root, spot, with, at_end);
        }
        let mut bytes = Vec::with_capacity(used);
        let old = spot.elements(heap);
        bytes.extend_from_slice(&old[..range.start]);
        bytes.extend_from_slice(with);
        bytes.extend_from_slice(&old[range.end..]);
        let prefer = if O::LOOSE || header.used > O::LEAF {
            None
        } else if at_end {
            Some(used)
        } else if at_start {
            // As many of the new elements as fit beside the old ones.
            let mut starts = packed::elements(with, 0, O::WIDTH).map(|element| element.at);
            Some(starts.find(|at| used - at <= O::LEAF).unwrap_or(with.len()))
        } else {
            None
        };
        let parts = divide::<O>(hasher, &mut bytes, prefer.filter(|at| *at > 0));
        // There is but one if all have the same key: those stay together.
        let Some((Part { range, count, labels, .. }, others)) = parts.split_first() else { return Ok(()) };
        let with = &bytes[range.clone()];
        let first = Change { range: 0..header.used, with, count: *count, labels, room: 0 };
        return split(heap, root, spot, first, &bytes, others);
    }
    let labels = relabel::<O>(heap, hasher, &spot.leaf, &range, with, used);
    // More is likely to come where the last came: room for it at once, instead of a larger chunk each time.
    let grows = more > 0 && !O::LOOSE && !spot.path.is_empty();
    let at_end = grows && (range.start == header.used && spot.is_last() || range == (0..0) && spot.is_first());
    let room = if at_end { O::LEAF } else { 0 };
    rewrite(heap, root, spot, header, Change { range, with, count, labels: &labels, room })?;
    if more < 0 && used < O::LEAF / 4 && (used == 0 || !spot.is_at_end::<O>()) {
        shrink(heap, root, spot, O::LEAF * 3 / 4);
    }
    Ok(())
}

/// Adds an element of this key behind the others of a leaf, in which it belongs. The spot is not true afterwards.
pub fn append<O: Order>(
    heap: &mut ShardHeap,
    hasher: &RandomState,
    root: &mut Root,
    spot: &Spot,
    key: u64,
    with: &[u8],
) -> Result<(), ArenaFull> {
    let used = spot.leaf.header.used;
    if insert_in_place::<O>(heap, root, spot, used, key, with) {
        return Ok(());
    }
    splice::<O>(heap, hasher, root, spot, used..used, with, 1)
}

/// Puts an element before or behind all others of a tree, if the leaf there has room for it in its chunk; else false, and
/// nothing has changed. It does what [`splice`] at the first or last leaf does, with no way back to keep.
pub fn push_in_place<O: Order>(heap: &mut ShardHeap, root: &mut Root, at_end: bool, with: &[u8]) -> bool {
    /// Levels of inner nodes that are kept in mind: more than a tree of 2^32 elements has.
    const LEVELS: usize = 5;
    let (mut path, mut levels) = ([(Offset::NULL, 0); LEVELS], 0);
    let mut at = root.node;
    let leaf = loop {
        let (entries, step) = match (node::read(heap, at), path.get_mut(levels)) {
            (Read::Inner(entries), Some(step)) => (entries, step),
            (Read::Leaf(leaf), _) => break leaf,
            _ => return false,
        };
        let index = if at_end { entries.fan().saturating_sub(1) } else { 0 };
        *step = (at, index);
        levels += 1;
        at = entries.child(index).map_or(Offset::NULL, |child| child.at);
    };
    let Header { used, is_labelled, .. } = leaf.header;
    let fits = used + with.len() <= O::LEAF && !is_labelled;
    if !fits || !node::insert(heap, &leaf, if at_end { used } else { 0 }, with, 0) {
        return false;
    }
    path.iter().take(levels).for_each(|(at, index)| node::add_count(heap, *at, *index, 1));
    root.len += 1;
    true
}

/// Puts an element into a leaf that has room for it in its chunk, and labels if its elements are to have them; else false.
#[inline]
fn insert_in_place<O: Order>(
    heap: &mut ShardHeap,
    root: &mut Root,
    spot: &Spot,
    at: usize,
    key: u64,
    with: &[u8],
) -> bool {
    let Header { used, count, is_labelled, .. } = spot.leaf.header;
    let fits = used + with.len() <= O::LEAF && is_labelled == O::LOOSE;
    let inserted = fits && node::insert(heap, &spot.leaf, at, with, label::label(key, at));
    if inserted {
        recount(heap, root, &spot.path, count as u64 + 1, count as u64);
    }
    inserted
}

/// Takes an element out of a leaf whose chunk is not too large for the rest; else false.
#[inline]
fn remove_in_place(heap: &mut ShardHeap, root: &mut Root, spot: &Spot, range: Range<usize>) -> bool {
    let count = spot.leaf.header.count as u64;
    let removed = node::remove(heap, &spot.leaf, range);
    if removed {
        recount(heap, root, &spot.path, count.saturating_sub(1), count);
    }
    removed
}

/// Replaces a part of a leaf's elements by as many bytes, which changes no element's key; false if the leaf would have to
/// move for that.
pub fn overwrite(heap: &mut ShardHeap, spot: &Spot, range: Range<usize>, with: &[u8]) -> bool {
    node::overwrite(heap, &spot.leaf, range, with)
}

/// Divides a leaf where its element number `count` begins, at byte `at`, so that less is to be walked over to
/// reach the elements behind.
pub fn part<O: Order>(
    heap: &mut ShardHeap,
    hasher: &RandomState,
    root: &mut Root,
    spot: &Spot,
    (at, count): (usize, usize),
) -> Result<(), ArenaFull> {
    let header = Some(spot.leaf.header).filter(|header| header.is_leaf).ok_or(ArenaFull)?;
    if O::LOOSE || at == 0 || at >= header.used || count >= header.count {
        return Ok(());
    }
    let rest = spot.elements(heap)[at..].to_vec();
    let key = packed::elements(&rest, 0, O::WIDTH).next().map_or(0, |element| O::key(hasher, &element));
    let part = Part { range: 0..rest.len(), count: header.count - count, key, labels: Own::new() };
    let keep = Change { range: at..header.used, with: &[], count, labels: &[], room: 0 };
    split(heap, root, spot, keep, &rest, &[part])
}

/// Makes a tree of packed elements.
pub fn build<O: Order>(
    heap: &mut ShardHeap,
    hasher: &RandomState,
    owner: u64,
    elements: &[u8],
) -> Result<Root, ArenaFull> {
    let mut root = Root::create(heap, owner)?;
    let count = packed::count(elements, O::WIDTH) as i64;
    let spot = super::first_leaf(heap, root);
    splice::<O>(heap, hasher, &mut root, &spot, 0..0, elements, count).inspect_err(|_| heap.free(root.node))?;
    Ok(root)
}

/// A run of elements that becomes a leaf.
struct Part {
    range: Range<usize>,
    count: usize,
    key: u64,
    labels: Own,
}

/// The labels of a leaf after a change; none if it is to have none.
fn relabel<O: Order>(
    heap: &ShardHeap,
    hasher: &RandomState,
    leaf: &Leaf,
    range: &Range<usize>,
    with: &[u8],
    used: usize,
) -> Own {
    if !O::LOOSE || used > label::REACH {
        return Own::new();
    }
    let new = || packed::elements(with, 0, O::WIDTH).map(|one| label::label(O::key(hasher, &one), one.at)).collect();
    match leaf.labelled(heap).1 {
        Some(old) => old.spliced(range.clone(), with.len(), leaf.header.used, new),
        None if leaf.header.count == 0 => new(),
        None => Own::new(),
    }
}

/// Divides elements among leaves: evenly, or so that one begins at `prefer` and those before are full. Loose ones
/// are put in order first.
fn divide<O: Order>(hasher: &RandomState, bytes: &mut Vec<u8>, prefer: Option<usize>) -> Vec<Part> {
    if O::LOOSE {
        let mut keyed: Vec<(u64, &[u8])> =
            packed::elements(bytes, 0, O::WIDTH).map(|element| (O::key(hasher, &element), element.bytes)).collect();
        keyed.sort_by_key(|(key, _)| *key);
        let sorted: Vec<u8> = keyed.iter().flat_map(|(_, element)| element.iter().copied()).collect();
        *bytes = sorted;
    }
    let leaves = bytes.len().div_ceil(O::LEAF).max(2);
    let aim = bytes.len().div_ceil(leaves);
    let mut parts: Vec<Part> = Vec::with_capacity(leaves + 1);
    let mut last = 0;
    for element in packed::elements(bytes, 0, O::WIDTH) {
        let key = O::key(hasher, &element);
        let begins = parts.last().is_none_or(|part| {
            let size = part.range.len();
            let full = match prefer.filter(|_| !O::LOOSE) {
                Some(at) => part.range.start < at && element.at >= at,
                None => size + element.bytes.len() / 2 >= aim,
            };
            (full || size + element.bytes.len() > O::LEAF) && !(O::LOOSE && key == last)
        });
        last = key;
        if begins {
            parts.push(Part { range: element.at..element.at, count: 0, key, labels: Own::new() });
        }
        if let Some(part) = parts.last_mut() {
            part.range.end = element.end();
            part.count += 1;
            if O::LOOSE {
                part.labels.push(label::label(key, element.at - part.range.start));
            }
        }
    }
    // What is too long for labels has none.
    parts.iter_mut().filter(|part| part.range.len() > label::REACH).for_each(|part| part.labels.clear());
    parts
}

/// Writes a leaf anew and mends the reference to it and the counts above.
fn rewrite(
    heap: &mut ShardHeap,
    root: &mut Root,
    spot: &Spot,
    header: Header,
    change: Change<'_>,
) -> Result<(), ArenaFull> {
    let count = change.count;
    let at = node::change(heap, spot.leaf.at, header, change)?;
    if at != spot.leaf.at {
        refer(heap, root, &spot.path, at);
    }
    recount(heap, root, &spot.path, count as u64, header.count as u64);
    Ok(())
}

/// A full leaf at an end of a tree stays as it is, and the element that would come first or last there has one to itself.
fn set_apart<O: Order>(
    heap: &mut ShardHeap,
    hasher: &RandomState,
    root: &mut Root,
    spot: &Spot,
    element: &[u8],
    at_end: bool,
) -> Result<(), ArenaFull> {
    let Header { used, count, .. } = spot.leaf.header;
    let part = |bytes: &[u8], count| {
        let key = packed::elements(bytes, 0, O::WIDTH).next().map_or(0, |first| O::key(hasher, &first));
        Part { range: 0..bytes.len(), count, key, labels: Own::new() }
    };
    if at_end {
        let keep = Change { range: used..used, with: &[], count, labels: &[], room: 0 };
        return split(heap, root, spot, keep, element, &[part(element, 1)]);
    }
    let old = spot.elements(heap).to_vec();
    let first = Change { range: 0..used, with: element, count: 1, labels: &[], room: 0 };
    split(heap, root, spot, first, &old, &[part(&old, count)])
}

/// Makes the lowest node of a path refer to `at`.
fn refer(heap: &mut ShardHeap, root: &mut Root, path: &[Step], at: Offset) {
    match path.last() {
        Some(step) => {
            if let Some(child) = node::child(heap, step.at, step.child()).filter(|child| child.at != at) {
                node::set_child(heap, step.at, step.child(), Child { at, ..child });
            }
        }
        None => root.node = at,
    }
}

/// Adds to the counts along a path.
fn recount(heap: &mut ShardHeap, root: &mut Root, path: &[Step], now: u64, before: u64) {
    if now == before {
        return;
    }
    for step in path {
        node::add_count(heap, step.at, step.child(), now.wrapping_sub(before));
    }
    root.len = root.len.wrapping_add(now).wrapping_sub(before);
}

/// Divides a leaf: what `first` leaves of it stays where it was, the other parts of `bytes` become its right neighbours.
fn split(
    heap: &mut ShardHeap,
    root: &mut Root,
    spot: &Spot,
    first: Change<'_>,
    bytes: &[u8],
    others: &[Part],
) -> Result<(), ArenaFull> {
    let owner = Header::read(heap, root.node).map_or(0, |header| header.parent);
    // A split that began must not stop halfway for want of a node.
    if !heap.has_spare(SPARE_PAGES + bytes.len() / PAGE) {
        return Err(ArenaFull);
    }
    let mut children = Vec::with_capacity(others.len());
    for part in others {
        let header = Header::new(true, part.count, part.range.len());
        let at = node::create(heap, header, &part.labels, &bytes[part.range.clone()])?;
        children.push(Child { key: part.key, at, count: part.count as u64 });
    }
    rewrite(heap, root, spot, spot.leaf.header, first)?;
    if children.is_empty() {
        return Ok(());
    }
    insert_children(heap, root, &spot.path, children, owner)
}

/// Inserts children after the one that the path's lowest node took; splits nodes upwards.
fn insert_children(
    heap: &mut ShardHeap,
    root: &mut Root,
    path: &[Step],
    new: Vec<Child>,
    owner: u64,
) -> Result<(), ArenaFull> {
    let more: u64 = new.iter().map(|child| child.count).sum();
    let Some((step, above)) = path.split_last() else {
        return raise(heap, root, new, owner);
    };
    let (at, index, fan) = (step.at, step.child(), step.fan as usize);
    // Above here the counts grow now; this node's own entries are new.
    recount(heap, root, above, more, 0);
    let bytes: Vec<u8> = new.iter().flat_map(Child::bytes).collect();
    if fan + new.len() <= FANOUT {
        let start = (index + 1) * ENTRY;
        let to = node::splice(heap, at, start..start, &bytes, fan + new.len())?;
        refer(heap, root, above, to);
        new.iter().for_each(|child| node::set_parent(heap, child.at, to.bytes()));
        return Ok(());
    }
    let mut all: Vec<Child> = node::children(heap, at).collect();
    all.splice(index + 1..index + 1, new);
    // Growth at the end leaves full nodes behind.
    let piece =
        if index + 1 >= fan { FANOUT - FANOUT / 8 } else { all.len().div_ceil(all.len().div_ceil(FANOUT).max(2)) };
    let mut siblings = Vec::new();
    for children in all[piece..].chunks(piece) {
        let to = create_inner(heap, children)?;
        let count = children.iter().map(|child| child.count).sum();
        siblings.push(Child { key: children[0].key, at: to, count });
    }
    let moved: u64 = siblings.iter().map(|child| child.count).sum();
    let kept: Vec<u8> = all[..piece].iter().flat_map(Child::bytes).collect();
    let to = node::splice(heap, at, 0..fan * ENTRY, &kept, piece)?;
    refer(heap, root, above, to);
    node::adopt_children(heap, to);
    // What moved to the siblings is counted there.
    recount(heap, root, above, 0, moved);
    insert_children(heap, root, above, siblings, owner)
}

/// Puts a new root above the old one and its new right siblings.
fn raise(heap: &mut ShardHeap, root: &mut Root, new: Vec<Child>, owner: u64) -> Result<(), ArenaFull> {
    let more: u64 = new.iter().map(|child| child.count).sum();
    let mut all = vec![Child { key: 0, at: root.node, count: root.len }];
    all.extend(new);
    root.len += more;
    // So many leaves at once that one node does not hold them: levels are added until one does.
    while all.len() > FANOUT {
        let mut level = Vec::new();
        for children in all.chunks(FANOUT - FANOUT / 8) {
            let count = children.iter().map(|child| child.count).sum();
            level.push(Child { key: children[0].key, at: create_inner(heap, children)?, count });
        }
        all = level;
    }
    root.node = create_inner(heap, &all)?;
    node::make_root(heap, root.node, owner);
    Ok(())
}

fn create_inner(heap: &mut ShardHeap, children: &[Child]) -> Result<Offset, ArenaFull> {
    let bytes: Vec<u8> = children.iter().flat_map(Child::bytes).collect();
    let at = node::create(heap, Header::new(false, children.len(), bytes.len()), &[], &bytes)?;
    node::adopt_children(heap, at);
    Ok(at)
}

/// A leaf has become small: it is dropped when empty, or merged with a neighbour if both fit
/// `most` bytes. Memory being short is no reason to fail: a small leaf may stay.
fn shrink(heap: &mut ShardHeap, root: &mut Root, spot: &Spot, most: usize) {
    let mut path = spot.path.clone();
    let mut most = most;
    while let Some(Step { at: parent, child, .. }) = path.pop() {
        let index = child as usize;
        let Some(child) = node::child(heap, parent, index) else { break };
        let used = node::payload(heap, child.at).len();
        if used == 0 {
            heap.free(child.at);
            drop_child(heap, root, &path, parent, index);
        } else if let Some(left) = (index.saturating_sub(1)..=index).rev().find(|left| {
            let size = |index| node::child(heap, parent, index).map(|child| node::payload(heap, child.at).len());
            size(*left).zip(size(left + 1)).is_some_and(|(a, b)| a + b <= most)
        }) {
            merge(heap, root, &path, parent, left);
        } else {
            break;
        }
        let fan = path.last().map_or(node::fan(heap, root.node), |above| {
            node::child(heap, above.at, above.child()).map_or(0, |child| node::fan(heap, child.at))
        });
        if fan >= FANOUT / 4 {
            break;
        }
        most = FANOUT * ENTRY * 3 / 4;
    }
    lower(heap, root);
}

/// Appends the child after `left` to it.
fn merge(heap: &mut ShardHeap, root: &mut Root, above: &[Step], parent: Offset, left: usize) {
    let (Some(first), Some(second)) = (node::child(heap, parent, left), node::child(heap, parent, left + 1)) else {
        return;
    };
    let mut bytes = node::payload(heap, second.at).to_vec();
    let (Some(a), Some(b)) = (Header::read(heap, first.at), Header::read(heap, second.at)) else { return };
    if !b.is_leaf && bytes.len() >= 8 {
        // A first child's own bound is not looked at where it is; from here on it is.
        bytes[..8].copy_from_slice(&second.key.to_le_bytes());
    }
    // If one of them has no labels, there is not one for each element, and the sum has none.
    let mut labels = node::labels(heap, first.at);
    labels.extend(node::labels(heap, second.at).into_iter().map(|label| label.wrapping_add(a.used as u16)));
    if a.used + b.used > label::REACH {
        labels.clear();
    }
    let (range, count, labels) = (a.used..a.used, a.count + b.count, &labels);
    let Ok(at) = node::change(heap, first.at, a, Change { range, with: &bytes, count, labels, room: 0 }) else {
        return;
    };
    if !b.is_leaf {
        node::adopt_children(heap, at);
    }
    node::set_child(heap, parent, left, Child { at, count: first.count + second.count, ..first });
    heap.free(second.at);
    drop_child(heap, root, above, parent, left + 1);
}

/// Removes a child's entry; the counts above stay as they are.
fn drop_child(heap: &mut ShardHeap, root: &mut Root, above: &[Step], parent: Offset, index: usize) {
    let fan = node::fan(heap, parent);
    // Shrinking in place needs no memory; a move that finds none leaves the node where it is.
    if let Ok(to) = node::splice(heap, parent, index * ENTRY..(index + 1) * ENTRY, &[], fan.saturating_sub(1)) {
        refer(heap, root, above, to);
    }
}

/// A root of a single child gives way to it.
pub(super) fn lower(heap: &mut ShardHeap, root: &mut Root) {
    while let (1, Some(child)) = (node::fan(heap, root.node), node::child(heap, root.node, 0)) {
        let owner = Header::read(heap, root.node).map_or(0, |header| header.parent);
        heap.free(root.node);
        root.node = child.at;
        node::make_root(heap, child.at, owner);
    }
    // Nothing is left: an empty leaf.
    if let Some(header) = Header::read(heap, root.node).filter(|header| header.count == 0) {
        Header { is_leaf: true, ..header }.write(heap, root.node);
    }
}
