//! The way down a tree by hash: at once, or a step at a time, so that the memory for many elements is waited for
//! together. What is found there may lead on into a second tree, which is ordered otherwise.

use super::{
    DEPTH_MAX, Root, Spot, first_leaf, last_leaf,
    node::{self, Entries, FANOUT},
};
use crate::arena::{Offset, PAGE, ShardHeap};

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
        // Half of a number is one with a sign, too, which takes fewer steps to convert.
        let half = |n: u64| (n / 2).cast_signed() as f64;
        let share = half(self.key - self.low) / half(self.high - self.low);
        usize::try_from((share * fan as f64) as i64).unwrap_or(0).min(fan - 1)
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
    way: Way,
    /// The node it has come to.
    pub(in crate::types) at: Offset,
    depth: usize,
    next: Step,
    /// The tree that an element of this one leads to.
    then: Option<Then>,
}

/// How a node's child is chosen.
enum Way {
    ByHash(Bounds),
    /// The last whose lower bound is no greater than the key. Where several have the key as their bound it may be the
    /// wrong one, which matters to nobody: what is not fetched is waited for.
    ByOrder(u64),
}

/// A second tree, and its key in bytes of the first that begin with an element, if that is one of this hash.
#[derive(Clone, Copy)]
struct Then {
    root: Root,
    key: fn(&[u8], u64) -> Option<u64>,
}

#[derive(Clone, Copy)]
enum Step {
    /// To read a node's beginning.
    Head,
    /// To choose one of its children.
    Entry,
    /// To read the leaf's elements that may be the one.
    Element,
    /// Nothing is left to fetch.
    Done,
}

/// Reads the nodes that a change at the first element or the last comes to.
pub fn visit_ends(heap: &ShardHeap, root: Root) {
    visit_around(heap, &first_leaf(heap, root));
    visit_around(heap, &last_leaf(heap, root));
}

/// Reads the nodes that a change of a leaf comes to beside those on the way there: the ones that it may be merged with, and
/// the children of any that may be divided.
pub fn visit_around(heap: &ShardHeap, spot: &Spot) {
    /// Leaves that one may become.
    const PARTS: usize = 4;
    for step in &spot.path {
        let entries = node::entries(heap, step.at);
        let beside = step.child().saturating_sub(1)..=step.child() + 1;
        let is_full = entries.fan() + PARTS > FANOUT;
        for (index, child) in entries.iter().enumerate() {
            if is_full || beside.contains(&index) {
                node::fan(heap, child.at);
            }
        }
    }
}

/// Reads the nodes on the way to the element of a rank, and all beside them: what cutting off a range that ends there
/// comes to.
pub fn visit_beside(heap: &ShardHeap, root: Root, mut rank: u64) {
    let mut at = root.node;
    for _ in 0..DEPTH_MAX {
        let entries = node::entries(heap, at);
        for child in entries.iter() {
            node::fan(heap, child.at);
        }
        let (index, before) = entries.by_rank(rank);
        let Some(child) = entries.child(index) else { break };
        (at, rank) = (child.at, rank.saturating_sub(before));
    }
}

/// Reads the nodes of a whole tree, as far as they are there.
pub fn visit_all(heap: &ShardHeap, root: Root) {
    // No more than there can be, whatever nodes refer to.
    let mut left = heap.arena().frontier().0 as usize * (PAGE / 1024);
    let mut level = vec![root.node];
    for _ in 0..DEPTH_MAX {
        let children = level.iter().flat_map(|at| node::children(heap, *at)).map(|child| child.at);
        level = children.take(left).collect();
        left -= level.len();
    }
}

impl Probe {
    pub fn new(root: Root, key: u64) -> Probe {
        Probe { way: Way::ByHash(Bounds::new(key)), at: root.node, depth: 0, next: Step::Head, then: None }
    }

    /// In a tree that is ordered otherwise than by hash.
    pub fn in_order(root: Root, key: u64) -> Probe {
        Probe { way: Way::ByOrder(key), ..Probe::new(root, key) }
    }

    /// Goes on in the tree at `root` with the key that `key` reads from the element.
    pub fn then(self, root: Root, key: fn(&[u8], u64) -> Option<u64>) -> Probe {
        Probe { then: Some(Then { root, key }), ..self }
    }

    /// Takes the next step; false once there is none.
    pub fn step(&mut self, heap: &ShardHeap) -> bool {
        self.next = match self.next {
            Step::Head => self.read_head(heap),
            Step::Entry => self.choose(heap),
            Step::Element => self.go_on(heap),
            Step::Done => Step::Done,
        };
        !matches!(self.next, Step::Done)
    }

    fn read_head(&self, heap: &ShardHeap) -> Step {
        /// Of an element, at first.
        const ELEMENT: usize = 64;
        /// Of a leaf that is searched from its beginning: to its middle.
        const HALF_A_LEAF: usize = 512;
        let (fan, arena) = (node::fan(heap, self.at), heap.arena());
        match &self.way {
            Way::ByHash(bounds) if fan > 0 => {
                arena.prefetch_part(self.at, node::HEADER + bounds.guess(fan) * node::ENTRY, node::ENTRY);
                Step::Entry
            }
            Way::ByHash(bounds) => {
                let (_, labels) = node::labelled(heap, self.at);
                let Some(labels) = labels else { return Step::Done };
                let alike = labels.alike(bounds.key);
                alike.for_each(|position| arena.prefetch_part(self.at, labels.end() + position, ELEMENT));
                if self.then.is_some() { Step::Element } else { Step::Done }
            }
            Way::ByOrder(_) if fan > 0 => {
                arena.prefetch_part(self.at, node::HEADER + fan / 2 * node::ENTRY, node::ENTRY);
                Step::Entry
            }
            Way::ByOrder(_) => {
                arena.prefetch_part(self.at, node::HEADER, HALF_A_LEAF);
                Step::Done
            }
        }
    }

    fn choose(&mut self, heap: &ShardHeap) -> Step {
        /// A leaf's header and labels, or an inner node's header and more.
        const BYTES: usize = 112;
        let entries = node::entries(heap, self.at);
        if entries.fan() == 0 || self.depth >= DEPTH_MAX {
            return Step::Done;
        }
        let index = match &mut self.way {
            Way::ByHash(bounds) => bounds.narrow(entries),
            Way::ByOrder(key) => entries.reached(*key),
        };
        let Some(child) = entries.child(index) else { return Step::Done };
        (self.at, self.depth) = (child.at, self.depth + 1);
        heap.arena().prefetch_part(self.at, 0, BYTES);
        Step::Head
    }

    /// Into the second tree.
    fn go_on(&mut self, heap: &ShardHeap) -> Step {
        let (Some(Then { root, key }), Way::ByHash(bounds)) = (self.then, &self.way) else { return Step::Done };
        let (elements, Some(labels)) = node::labelled(heap, self.at) else { return Step::Done };
        let found = labels.alike(bounds.key).find_map(|at| key(elements.get(at..)?, bounds.key));
        let Some(key) = found else { return Step::Done };
        *self = Probe::in_order(root, key);
        Step::Head
    }
}
