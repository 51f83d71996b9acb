//! Sorted sets: members with scores, packed or in two trees.
//!
//! ```text
//! packed       (member, score) in order of score, then of the member's bytes
//! tree 0       the same: ranks and ranges
//! tree 1       (hash of the member, score) by hash: whether a member is there, and at which score
//! ```
//!
//! Tree 1 refers to nothing: the score leads to the entry in tree 0, which also tells members of
//! equal hash apart. So an entry can move or change leaves without anything else knowing.

mod edit;
pub mod score;
#[cfg(test)]
mod tests;

pub use edit::{change, fill, rehash, remove, remove_ranks};
pub use score::{element, key};

use super::{
    home::View,
    kind::{Encoding, Type},
    packed::{self, Element, Entry},
    sequence::{Backward, Forward, Sequence},
    tree::{self, Order, Spot},
};
use crate::{config::Settings, util::number};
use ahash::RandomState;
use std::{cmp::Ordering, ops::Range};

/// Entries of an element: in either tree its score is the second.
pub const WIDTH: usize = 2;

/// The number of the tree that holds the entries.
pub const ENTRIES: usize = 0;
/// The number of the tree that knows the members.
pub const LOOKUP: usize = 1;

/// The tree of members with their scores, in order.
pub struct ByScore;

impl Order for ByScore {
    const LEAF: usize = 1000;
    const WIDTH: usize = WIDTH;

    fn key(_: &RandomState, element: &Element<'_>) -> u64 {
        score::key(score_of(element))
    }
}

/// The tree of members' hashes with their scores.
pub struct ByMember;

impl Order for ByMember {
    const LEAF: usize = 1000;
    const WIDTH: usize = WIDTH;
    const LOOSE: bool = true;

    fn key(_: &RandomState, element: &Element<'_>) -> u64 {
        match element.first() {
            Entry::Int(hash) => hash as u64,
            Entry::Text(_) => 0,
        }
    }
}

/// When a packed sorted set becomes trees: `zset-max-listpack-entries` and `-value`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub entries: u64,
    pub value: usize,
}

impl Limits {
    pub fn of(settings: &Settings) -> Limits {
        Limits {
            entries: settings.zset_max_listpack_entries,
            value: usize::try_from(settings.zset_max_listpack_value).unwrap_or(usize::MAX),
        }
    }
}

/// A new sorted set without members.
pub const EMPTY: (Type, Encoding, &[u8]) = (Type::ZSet, Encoding::Listpack, &[0, 0]);

/// The score of an element.
#[inline]
pub fn score_of(element: &Element<'_>) -> f64 {
    score::of(element.second())
}

/// The key in the tree of entries of the member with which these bytes of the lookup begin, if that has this hash.
pub fn key_at(bytes: &[u8], hash: u64) -> Option<u64> {
    let element = packed::elements(bytes, 0, WIDTH).next()?;
    (element.first() == hash_entry(hash)).then(|| score::key(score_of(&element)))
}

/// Reads what a change of members comes to: words may be members, and those before them scores, or what is added to them.
pub fn visit(view: &View<'_>, words: &[&[u8]]) {
    let zset = ZSet::new(*view);
    let around = |spot: &Spot| tree::visit_around(view.heap, spot);
    for (at, member) in words.iter().enumerate() {
        around(&zset.lookup().by_hash(view.hasher.hash_one(member)));
        let found = zset.find(member);
        found.iter().for_each(|found| around(&found.spot));
        let number = at.checked_sub(1).and_then(|before| number::parse_f64(words[before]));
        let sum = number.zip(found).map(|(number, found)| found.score + number);
        for score in number.into_iter().chain(sum).filter(|score| !score.is_nan()) {
            around(&zset.leaf_for(member, score));
        }
    }
}

/// Reads what the removal of so many members at each end comes to.
pub fn visit_ends(view: &View<'_>, count: usize) {
    let zset = ZSet::new(*view);
    let last = zset.len().saturating_sub(1);
    for element in zset.iter(0).take(count).chain(zset.iter_back(last).take(count)) {
        let hash = view.hasher.hash_one(element.first().text(&mut itoa::Buffer::new()));
        tree::visit_around(view.heap, &zset.lookup().by_hash(hash));
    }
}

/// A place between two elements.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Edge<'a> {
    Start,
    /// Before or after all members of a score.
    Score {
        score: f64,
        after: bool,
    },
    /// Before or after a member, where all have the same score.
    Member {
        member: &'a [u8],
        after: bool,
    },
    End,
}

impl Edge<'_> {
    /// Whether an element lies before it.
    fn follows(&self, element: &Element<'_>) -> bool {
        let (order, after) = match *self {
            Edge::Start => return false,
            Edge::End => return true,
            Edge::Score { score, after } => (score::key(score_of(element)).cmp(&score::key(score)), after),
            Edge::Member { member, after } => (compare_member(element.first(), member), after),
        };
        order.is_lt() || after && order.is_eq()
    }
}

/// A sorted set to be read.
#[derive(Clone, Copy)]
pub struct ZSet<'a> {
    view: View<'a>,
    entries: Sequence<'a>,
}

/// Where a member lies, in both trees.
struct Found {
    score: f64,
    spot: Spot,
    range: Range<usize>,
    /// Its hash's place in the lookup; a packed sorted set has none.
    lookup: Option<(Spot, Range<usize>)>,
}

impl<'a> ZSet<'a> {
    pub fn new(view: View<'a>) -> ZSet<'a> {
        ZSet { view, entries: view.sequence(ENTRIES, WIDTH) }
    }

    pub fn len(&self) -> u64 {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn is_packed(&self) -> bool {
        self.entries.packed().is_some()
    }

    /// The elements from a rank on.
    pub fn iter(&self, from: u64) -> Forward<'a> {
        self.entries.iter(from)
    }

    /// The elements from a rank back to the first.
    pub fn iter_back(&self, from: u64) -> Backward<'a> {
        self.entries.iter_back(from)
    }

    /// The element of a rank.
    pub fn get(&self, rank: u64) -> Option<Element<'a>> {
        self.entries.get(rank).map(|(_, element)| element)
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(member).map(|found| found.score)
    }

    /// The rank of a member, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(u64, f64)> {
        let found = self.find(member)?;
        let before = &self.entries.leaf(&found.spot)[..found.range.start];
        Some((self.entries.rank(&found.spot) + packed::count(before, WIDTH) as u64, found.score))
    }

    /// How many elements lie before an edge.
    pub fn rank_at(&self, edge: &Edge<'_>) -> u64 {
        if *edge == Edge::End {
            return self.len();
        }
        let spot = self.leaf_at(edge);
        let leaf = packed::elements(self.entries.leaf(&spot), 0, WIDTH);
        self.entries.rank(&spot) + leaf.take_while(|element| edge.follows(element)).count() as u64
    }

    /// The leaf in which an edge lies.
    fn leaf_at(&self, edge: &Edge<'_>) -> Spot {
        match edge {
            Edge::Start => self.entries.first(),
            Edge::End => self.entries.last(),
            Edge::Score { score, .. } => self.entries.by_order(score::key(*score), |first| edge.follows(&first)),
            Edge::Member { .. } => self.entries.by_first(|first| edge.follows(&first)),
        }
    }

    /// The elements between two edges.
    pub fn between(&self, edges: &Range<Edge<'a>>) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let spot = self.leaf_at(&edges.start);
        let leaf = self.entries.leaf(&spot);
        let mut elements = packed::elements(leaf, 0, WIDTH);
        let at = elements.find(|element| !edges.start.follows(element)).map_or(leaf.len(), |element| element.at);
        let end = edges.end;
        self.entries.iter_at(spot, at).take_while(move |element| end.follows(element))
    }

    /// The ranks between two edges.
    pub fn ranks(&self, edges: &Range<Edge<'_>>) -> Range<u64> {
        let start = self.rank_at(&edges.start);
        start..self.rank_at(&edges.end).max(start)
    }

    fn lookup(&self) -> Sequence<'a> {
        self.view.sequence(LOOKUP, WIDTH)
    }

    fn find(&self, member: &[u8]) -> Option<Found> {
        if let Some(bytes) = self.entries.packed() {
            let element = packed::find(bytes, &Entry::of(member), WIDTH)?;
            let (score, range) = (score_of(&element), element.range());
            return Some(Found { score, spot: self.entries.first(), range, lookup: None });
        }
        let hash = self.view.hasher.hash_one(member);
        let lookup = self.lookup();
        let at = lookup.by_hash(hash);
        let mut alike = lookup.alike(&at, hash).filter(|element| element.first() == hash_entry(hash));
        alike.find_map(|element| {
            let score = score_of(&element);
            let (spot, range) = self.entry(member, score)?;
            Some(Found { score, spot, range, lookup: Some((at.clone(), element.range())) })
        })
    }

    /// The entry of a member that has this score, if it has.
    fn entry(&self, member: &[u8], score: f64) -> Option<(Spot, Range<usize>)> {
        let spot = self.leaf_for(member, score);
        let element = packed::find(self.entries.leaf(&spot), &Entry::of(member), WIDTH)?;
        // Of another member with the same hash there may be one with another score.
        (score::key(score_of(&element)) == score::key(score)).then(|| (spot, element.range()))
    }

    /// The leaf where a member belongs at this score.
    fn leaf_for(&self, member: &[u8], score: f64) -> Spot {
        let key = score::key(score);
        self.entries.by_order(key, |first| compare(&first, key, member).is_le())
    }

    /// Where in a leaf a member belongs at this score.
    fn place_in(&self, spot: &Spot, member: &[u8], score: f64) -> usize {
        let (leaf, key) = (self.entries.leaf(spot), score::key(score));
        let mut at = 0;
        while let Some(end) = packed::entry_end(leaf, at)
            && let Some((entry, next)) = packed::entry(leaf, end)
        {
            let order = score::key(score::of(entry)).cmp(&key);
            let follows = || packed::entry(leaf, at).is_some_and(|(first, _)| compare_member(first, member).is_gt());
            if order.is_gt() || order.is_eq() && follows() {
                return at;
            }
            at = next;
        }
        leaf.len()
    }
}

/// The entry of the lookup for a member of this hash.
fn hash_entry(hash: u64) -> Entry<'static> {
    Entry::Int(hash as i64)
}

fn compare_member(first: Entry<'_>, member: &[u8]) -> Ordering {
    first.text(&mut itoa::Buffer::new()).cmp(member)
}

fn compare(element: &Element<'_>, key: u64, member: &[u8]) -> Ordering {
    score::key(score_of(element)).cmp(&key).then_with(|| compare_member(element.first(), member))
}
