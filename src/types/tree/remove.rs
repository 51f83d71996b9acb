//! Removing a range of ranks: whole subtrees are cut off, at most one path on each side is edited.

use super::{
    Order, Root, doom,
    edit::lower,
    label::Own,
    node::{self, Change, Child, Header},
};
use crate::{
    arena::{ArenaFull, Offset, ShardHeap},
    types::packed,
};
use std::ops::Range;

/// Removes the elements of these ranks. Costs O(log n) and what of a leaf is copied; the rest is
/// doomed.
pub fn remove_ranks<O: Order>(heap: &mut ShardHeap, root: &mut Root, ranks: Range<u64>) -> Result<(), ArenaFull> {
    let ranks = ranks.start..ranks.end.min(root.len);
    if ranks.is_empty() {
        return Ok(());
    }
    root.node = cut::<O>(heap, root.node, ranks.clone())?;
    root.len -= ranks.end - ranks.start;
    lower(heap, root);
    Ok(())
}

/// Removes ranks counted within a node; answers where the node is now.
fn cut<O: Order>(heap: &mut ShardHeap, at: Offset, ranks: Range<u64>) -> Result<Offset, ArenaFull> {
    let header = Header::read(heap, at).ok_or(ArenaFull)?;
    if header.is_leaf {
        let bytes = node::payload(heap, at);
        let start = packed::element_at(bytes, ranks.start as usize, O::WIDTH);
        let count = (ranks.end - ranks.start) as usize;
        let end = start + packed::element_at(&bytes[start..], count, O::WIDTH);
        let labels = node::labelled(heap, at).1.map(|old| old.spliced(start..end, 0, header.used, Own::new));
        let (labels, count) = (labels.unwrap_or_default(), header.count.saturating_sub(count));
        return node::change(
            heap,
            at,
            header,
            Change { range: start..end, with: &[], count, labels: &labels, room: 0 },
        );
    }
    let children: Vec<Child> = node::children(heap, at).collect();
    let (mut kept, mut doomed) = (Vec::with_capacity(children.len()), Vec::new());
    let mut first = 0;
    for child in children {
        let (start, end) = (ranks.start.max(first), ranks.end.min(first + child.count));
        if start >= end {
            kept.push(child);
        } else if end - start == child.count {
            doomed.push(child.at);
        } else {
            let to = cut::<O>(heap, child.at, start - first..end - first)?;
            kept.push(Child { at: to, count: child.count - (end - start), ..child });
        }
        first += child.count;
    }
    let bytes: Vec<u8> = kept.iter().flat_map(Child::bytes).collect();
    let to = node::splice(heap, at, 0..header.used, &bytes, kept.len())?;
    doomed.into_iter().for_each(|child| doom(heap, child));
    Ok(to)
}
