//! Moving single nodes, and whole trees to another heap.

use super::{
    Root,
    node::{self, Child, Header},
};
use crate::arena::{ArenaFull, Offset, ShardHeap};

/// What became of a node that was to be moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moved {
    /// It is elsewhere, and what refers to it knows.
    Done,
    /// It is elsewhere, and a root: the value of the key with hash `owner` must refer to `to`.
    Root { owner: u64, to: Offset },
    /// There was no node, or no room.
    Not,
}

/// Moves a node to another chunk and mends the reference to it. A root's is its owner's to mend;
/// only then is the old chunk to be freed.
pub fn relocate(heap: &mut ShardHeap, from: Offset) -> Moved {
    let Some(header) = Header::read(heap, from) else { return Moved::Not };
    let parent = Offset::from_bytes(header.parent);
    let index = if header.is_root { None } else { node::children(heap, parent).position(|child| child.at == from) };
    if !header.is_root && index.is_none() {
        return Moved::Not;
    }
    let (labels, payload) = (node::labels(heap, from), node::payload(heap, from).to_vec());
    let Ok(to) = node::create(heap, header, &labels, &payload) else { return Moved::Not };
    if !header.is_leaf {
        node::adopt_children(heap, to);
    }
    match index.and_then(|index| Some((index, node::child(heap, parent, index)?))) {
        Some((index, child)) => {
            node::set_child(heap, parent, index, Child { at: to, ..child });
            heap.free(from);
            Moved::Done
        }
        None => Moved::Root { owner: header.parent, to },
    }
}

/// Tells a tree that its owner's key has another hash.
pub fn set_owner(heap: &mut ShardHeap, root: Root, owner: u64) {
    node::make_root(heap, root.node, owner);
}

/// The heaps of a copy: one shard's, or those of two.
pub enum Heaps<'a> {
    One(&'a mut ShardHeap),
    Two { from: &'a ShardHeap, to: &'a mut ShardHeap },
}

impl Heaps<'_> {
    pub fn from(&self) -> &ShardHeap {
        match self {
            Heaps::One(heap) => heap,
            Heaps::Two { from, .. } => from,
        }
    }

    pub fn to(&mut self) -> &mut ShardHeap {
        match self {
            Heaps::One(heap) => heap,
            Heaps::Two { to, .. } => to,
        }
    }
}

/// Copies a tree, node by node.
pub fn copy(heaps: &mut Heaps<'_>, root: Root, owner: u64) -> Result<Root, ArenaFull> {
    if root.node.is_null() {
        return Ok(Root::NONE);
    }
    let node = copy_node(heaps, root.node, 0)?;
    node::make_root(heaps.to(), node, owner);
    Ok(Root { node, len: root.len })
}

fn copy_node(heaps: &mut Heaps<'_>, at: Offset, depth: usize) -> Result<Offset, ArenaFull> {
    let header = Header::read(heaps.from(), at).filter(|_| depth < super::DEPTH_MAX).ok_or(ArenaFull)?;
    let (labels, mut payload) = (node::labels(heaps.from(), at), node::payload(heaps.from(), at).to_vec());
    if !header.is_leaf {
        let mut children: Vec<Child> = node::children(heaps.from(), at).collect();
        for index in 0..children.len() {
            match copy_node(heaps, children[index].at, depth + 1) {
                Ok(at) => children[index].at = at,
                Err(full) => {
                    children[..index].iter().for_each(|child| super::doom(heaps.to(), child.at));
                    return Err(full);
                }
            }
        }
        payload = children.iter().flat_map(Child::bytes).collect();
    }
    let to = node::create(heaps.to(), Header { is_root: false, parent: 0, ..header }, &labels, &payload)?;
    node::adopt_children(heaps.to(), to);
    Ok(to)
}
