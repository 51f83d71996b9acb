//! What values mean: pure functions over their bytes, and collections of the arena.

pub mod array;
pub mod bitfield;
pub mod bits;
pub mod rdb;
pub mod geo;
pub mod hash;
pub mod home;
pub mod hyperloglog;
pub mod kind;
pub mod lcs;
pub mod list;
pub mod lzf;
pub mod packed;
pub mod sequence;
pub mod set;
pub mod stream;
pub mod tree;
pub mod zset;

use crate::arena::{ArenaFull, Offset, ShardHeap};
use ahash::RandomState;
use home::View;
use kind::{Encoding, Type};
use tree::{Heaps, Probe, Root};

/// Frees what a value refers to, once its item is gone.
pub fn free(heap: &mut ShardHeap, encoding: Encoding, value: &[u8]) {
    for root in roots(encoding, value) {
        tree::doom(heap, root.node);
    }
}

/// The value for another heap, and another hash function: its trees are copied, those by hash put in
/// order anew.
pub fn rehash(view: &View<'_>, mut heaps: Heaps<'_>, hasher: &RandomState, owner: u64) -> Result<Vec<u8>, ArenaFull> {
    if view.encoding == Encoding::SkipList {
        return zset::rehash(view, heaps, hasher, owner);
    }
    let width = if view.kind == Type::Hash { 2 } else { 1 };
    map_roots(view.encoding, view.value, |root| match view.encoding {
        Encoding::HashTable => {
            let mut elements = Vec::new();
            view.sequence(0, width).iter(0).for_each(|element| elements.extend_from_slice(element.bytes));
            match view.kind {
                Type::Hash => tree::build::<hash::ByField>(heaps.to(), hasher, owner, &elements),
                _ => tree::build::<set::ByMember>(heaps.to(), hasher, owner, &elements),
            }
        }
        _ => tree::copy(&mut heaps, root, owner),
    })
}

/// How many elements a collection has, which its value's own bytes tell.
#[inline]
pub fn length(kind: Type, encoding: Encoding, value: &[u8]) -> u64 {
    let width = match kind {
        Type::Hash | Type::ZSet => 2,
        _ => 1,
    };
    sequence::len(encoding, value, width)
}

/// A lookup of an element, if it lies in a tree by hash of no fewer elements than `least`.
pub fn probe(view: &View<'_>, element: &[u8], least: u64) -> Option<Probe> {
    let root = |tree| Root::read(view.value, tree).filter(|root| root.len >= least);
    let way = |root| Probe::new(root, view.hasher.hash_one(element));
    match view.encoding {
        Encoding::HashTable => root(0).map(way),
        Encoding::SkipList => Some(way(root(zset::LOOKUP)?).then(root(zset::ENTRIES)?, zset::key_at)),
        _ => None,
    }
}

/// What a command may come to in a collection beside both its ends.
#[derive(Clone, Copy, Default)]
pub struct Ahead<'a> {
    /// Words that may be elements, scores, IDs or indexes.
    pub words: &'a [&'a [u8]],
    /// From the beginning, or, less than 0, from the end.
    pub ranks: &'a [i64],
    /// So many elements at each end.
    pub popped: u64,
    /// So many ranks that are drawn.
    pub drawn: u64,
    /// All of it.
    pub whole: bool,
    /// So many entries that a group is given, or that are pending with it.
    pub given: u64,
    /// The key may be added, and so many all in all.
    pub adds: usize,
}

/// Goes the way there.
pub fn go_ahead(view: &View<'_>, ahead: Ahead<'_>) {
    let all = || roots(view.encoding, view.value);
    if ahead.whole {
        return all().for_each(|root| tree::visit_all(view.heap, root));
    }
    match view.kind {
        _ if all().next().is_none() => return,
        Type::Hash | Type::Set => {
            let root = Root::read(view.value, 0).into_iter();
            let ways = root.flat_map(|root| ahead.words.iter().map(move |word| (root, view.hasher.hash_one(word))));
            ways.for_each(|(root, hash)| tree::visit_around(view.heap, &tree::leaf_by_hash(view.heap, root, hash)));
        }
        Type::ZSet => {
            zset::visit(view, ahead.words);
            zset::visit_ends(view, ahead.popped as usize);
        }
        Type::Stream => stream::visit(view, ahead.words, usize::try_from(ahead.given).unwrap_or(usize::MAX)),
        Type::Array => array::visit(view, ahead.words),
        Type::List => list::visit_ends(view, ahead.popped as usize),
        Type::String => {}
    }
    for root in all() {
        tree::visit_ends(view.heap, root);
        let popped = ahead.popped as i64;
        for rank in ahead.ranks.iter().chain([popped, -popped].iter().filter(|rank| **rank != 0)) {
            let rank = if *rank < 0 { root.len.saturating_sub(rank.unsigned_abs()) } else { *rank as u64 };
            tree::visit_beside(view.heap, root, rank);
        }
        for left in (1..=root.len).rev().take(ahead.drawn as usize) {
            tree::visit_around(view.heap, &tree::leaf_by_rank(view.heap, root, fastrand::u64(..left)));
        }
    }
}

/// The trees that a value refers to.
pub fn roots(encoding: Encoding, value: &[u8]) -> impl Iterator<Item = Root> + '_ {
    (0..encoding.trees()).filter_map(|index| Root::read(value, index)).filter(|root| !root.node.is_null())
}

/// The value with each of its trees replaced by what `each` makes of it.
pub fn map_roots(
    encoding: Encoding,
    value: &[u8],
    mut each: impl FnMut(Root) -> Result<Root, ArenaFull>,
) -> Result<Vec<u8>, ArenaFull> {
    let mut mapped = value.to_vec();
    for index in 0..encoding.trees() {
        if let Some(root) = Root::read(value, index).filter(|root| !root.node.is_null()) {
            let range = index * Root::BYTES..(index + 1) * Root::BYTES;
            mapped[range].copy_from_slice(&each(root)?.to_bytes());
        }
    }
    Ok(mapped)
}

/// A value whose reference to `from` is one to `to`; `None` when it has no such reference.
pub fn redirect(encoding: Encoding, value: &[u8], from: Offset, to: Offset) -> Option<(usize, Root)> {
    (0..encoding.trees()).find_map(|index| {
        let root = Root::read(value, index).filter(|root| root.node == from)?;
        Some((index, Root { node: to, ..root }))
    })
}
