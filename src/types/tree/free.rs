//! Freeing trees in bounded steps.
//!
//! What is doomed is a chain through the nodes' `parent` fields, its head kept by the heap: a
//! snapshot contains it, so nothing is lost to a restart in between.

use super::node::{self, Header};
use crate::arena::{BLOCK, Offset, ShardHeap};

/// Gives a node and all below it up. A leaf is freed at once, anything larger step by step.
pub fn doom(heap: &mut ShardHeap, at: Offset) {
    match Header::read(heap, at) {
        Some(header) if header.is_leaf => heap.free(at),
        Some(header) => {
            let next = heap.doomed().bytes();
            Header { parent: next, is_root: false, ..header }.write(heap, at);
            heap.set_doomed(at);
        }
        None => {}
    }
}

/// Frees some of what is doomed; answers whether anything is left. A node is one of `most` steps, and so is each block
/// that goes back to the system with it: at the end of a tree whose nodes lie scattered, nearly every node empties a page.
pub fn free_some(heap: &mut ShardHeap, most: usize) -> bool {
    let mut left = most as u64;
    while left > 0 {
        let before = heap.stats().resident_bytes();
        if !free_one(heap) {
            return false;
        }
        let given_back = before.saturating_sub(heap.stats().resident_bytes());
        left = left.saturating_sub(1 + given_back / BLOCK as u64);
    }
    !heap.doomed().is_null()
}

/// Whether the next of what is doomed can be freed now. What a snapshot's file still has comes with the rest of it.
pub fn has_freeable(heap: &ShardHeap) -> bool {
    let at = heap.doomed();
    if at.is_null() || heap.is_absent(at) {
        return false;
    }
    let last = Header::read(heap, at).and_then(|header| node::child(heap, at, header.count.checked_sub(1)?));
    last.is_none_or(|child| !heap.is_absent(child.at))
}

/// Frees a leaf of what is doomed, or a node of which no leaf is left; false when there is none.
fn free_one(heap: &mut ShardHeap) -> bool {
    let at = heap.doomed();
    if at.is_null() || heap.arena().is_loading() && !has_freeable(heap) {
        return false;
    }
    let Some(header) = Header::read(heap, at).filter(|header| !header.is_leaf) else {
        // Lost with a damaged page: what hung on it stays where it is.
        heap.set_doomed(Offset::NULL);
        return false;
    };
    let Some(last) = header.count.checked_sub(1) else {
        heap.set_doomed(Offset::from_bytes(header.parent));
        heap.free(at);
        return true;
    };
    let child = node::child(heap, at, last);
    Header { count: last, used: last * node::ENTRY, ..header }.write(heap, at);
    if let Some(child) = child {
        doom(heap, child.at);
    }
    true
}
