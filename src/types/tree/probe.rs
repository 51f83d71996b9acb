//! The way down a tree by hash: at once, or a step at a time, so that the memory for many elements is waited for together.

use super::{
    DEPTH_MAX, Root,
    node::{self, Entries},
};
use crate::arena::{Offset, ShardHeap};

/// The keys that belong below a node: from `low`, and less than `high` if there is more after them.
pub(super) struct Bounds {
    key: u64,
    low: u64,
    high: u64,
}

impl Bounds {
    pub fn new(key: u64) -> Bounds {
        Bounds { key, low: 0, high: u64::MAX }
    }

    /// About which child the key belongs below. Hashes are spread evenly, so it can be told from the bounds.
    /// (Interpolation search: Peterson, 1957.)
    #[inline]
    fn guess(&self, fan: usize) -> usize {
        let share = (self.key - self.low) as f64 / (self.high - self.low) as f64;
        ((share * fan as f64) as usize).min(fan - 1)
    }

    /// The child below which the key belongs, a few steps from the guess. There is at least one.
    #[inline]
    pub fn narrow(&mut self, entries: Entries<'_>) -> usize {
        let (last, key) = (entries.fan() - 1, self.key);
        let mut index = self.guess(entries.fan());
        while index < last && entries.key(index + 1) <= key {
            index += 1;
        }
        while index > 0 && entries.key(index) > key {
            index -= 1;
        }
        // What lies between the bounds in a tree that is whole; any other leads to a leaf, too.
        self.low = if index > 0 { entries.key(index) } else { self.low }.min(key);
        self.high = if index < last { entries.key(index + 1) } else { self.high }.max(key);
        index
    }
}

/// A lookup of which each step looks only at what the one before has asked the processor to fetch.
pub struct Probe {
    bounds: Bounds,
    /// The node it has come to.
    pub(super) at: Offset,
    depth: usize,
    next: Step,
}

#[derive(Clone, Copy)]
enum Step {
    /// To read a node's beginning.
    Head,
    /// To choose one of its children.
    Entry,
    /// Nothing is left to fetch.
    Done,
}

/// Reads the nodes on the way to the first element, and to the last.
pub fn visit_ends(heap: &ShardHeap, root: Root) {
    for end in [0, usize::MAX] {
        let mut at = root.node;
        for _ in 0..DEPTH_MAX {
            let entries = node::entries(heap, at);
            let Some(child) = entries.child(end.min(entries.fan().saturating_sub(1))) else { break };
            at = child.at;
        }
    }
}

impl Probe {
    pub fn new(root: Root, key: u64) -> Probe {
        Probe { bounds: Bounds::new(key), at: root.node, depth: 0, next: Step::Head }
    }

    /// Takes the next step; false once there is none.
    pub fn step(&mut self, heap: &ShardHeap) -> bool {
        self.next = match self.next {
            Step::Head => self.read_head(heap),
            Step::Entry => self.choose(heap),
            Step::Done => Step::Done,
        };
        !matches!(self.next, Step::Done)
    }

    fn read_head(&self, heap: &ShardHeap) -> Step {
        let fan = node::fan(heap, self.at);
        if fan > 0 {
            heap.arena().prefetch_part(self.at, node::HEADER + self.bounds.guess(fan) * node::ENTRY, node::ENTRY);
            return Step::Entry;
        }
        if let (_, Some(labels)) = node::labelled(heap, self.at)
            && let Some(position) = labels.alike(self.bounds.key).next()
        {
            /// Of an element, at first.
            const BYTES: usize = 64;
            heap.arena().prefetch_part(self.at, labels.end() + position, BYTES);
        }
        Step::Done
    }

    fn choose(&mut self, heap: &ShardHeap) -> Step {
        /// A leaf's header and labels, or an inner node's header and more.
        const BYTES: usize = 112;
        let entries = node::entries(heap, self.at);
        if entries.fan() == 0 || self.depth >= DEPTH_MAX {
            return Step::Done;
        }
        let Some(child) = entries.child(self.bounds.narrow(entries)) else { return Step::Done };
        (self.at, self.depth) = (child.at, self.depth + 1);
        heap.arena().prefetch_part(self.at, 0, BYTES);
        Step::Head
    }
}
