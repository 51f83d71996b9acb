//! Streams: entries in the order of their IDs, and the consumer groups that read them.
//!
//! ```text
//! 5 roots      entries · groups · consumers · pending · owned; then, of an extended stream, two more: producers · order
//! base u64     the time of the first entry; entries count theirs from it
//! last         the last ID that was given
//! deleted      the greatest ID of an entry that was deleted
//! added u64    entries ever added
//! next group u32 · next consumer u32
//! of an extended stream: what it remembers of its producers (see [`producer`])
//! schema       the names of the first entry's fields, packed
//! ```
//!
//! Base and schema are chosen with the first entry and stay until the stream is empty. A tree is made
//! when it is first needed; see [`entry`] for what lies in the first, [`group`] for the others.

mod edit;
pub mod entry;
pub mod group;
mod id;
mod order;
pub mod producer;
mod table;
#[cfg(test)]
mod tests;

pub use edit::{TrimTo, append, remove, set_head, trim};
pub use entry::{Fields, Item};
pub use id::Id;
pub use order::keep_order;

use producer::Memory;

use super::{
    home::{Home, View},
    kind::{Encoding, Type},
    packed::{self, Element, Entry},
    sequence::Sequence,
    tree::{self, Order, Root, Spot},
};
use crate::{arena::ArenaFull, util::number};
use ahash::RandomState;
use smallvec::SmallVec;

/// Trees of a stream.
pub const TREES: usize = 5;
/// Those of an extended one.
pub const TREES_EX: usize = 7;
const ENTRIES: usize = 0;
const GROUPS: usize = 1;
const CONSUMERS: usize = 2;
const PENDING: usize = 3;
const OWNED: usize = 4;
const PRODUCERS: usize = 5;
const ORDER: usize = 6;

/// A new stream without entries.
pub const EMPTY: (Type, Encoding, &[u8]) = (Type::Stream, Encoding::Stream, &[0; TREES * Root::BYTES + Head::BYTES]);

/// Where the parts of a value begin that follow its roots.
#[derive(Clone, Copy)]
struct Layout {
    head: usize,
    /// Of an extended stream alone.
    memory: usize,
    schema: usize,
}

impl Layout {
    fn of(view: &View<'_>) -> Layout {
        let head = view.encoding.trees() * Root::BYTES;
        let memory = head + Head::BYTES;
        Layout { head, memory, schema: memory + if is_extended(view) { Memory::BYTES } else { 0 } }
    }
}

fn is_extended(view: &View<'_>) -> bool {
    view.encoding == Encoding::StreamEx
}

/// Extends a stream that is not.
fn extend(home: &mut impl Home) -> Result<(), ArenaFull> {
    let view = home.view();
    if is_extended(&view) {
        return Ok(());
    }
    let layout = Layout::of(&view);
    let (roots, rest) = view.value.split_at(layout.head.min(view.value.len()));
    let (head, schema) = rest.split_at(Head::BYTES.min(rest.len()));
    let none = Root::NONE.to_bytes();
    let value = [roots, &none, &none, head, &Memory::default().to_bytes(), schema].concat();
    home.replace(Encoding::StreamEx, &value)
}

/// The tree of entries.
struct ByTime;

impl Order for ByTime {
    const LEAF: usize = 2000;
    const WIDTH: usize = 1;

    fn key(_: &RandomState, element: &Element<'_>) -> u64 {
        entry::time(body(element))
    }
}

fn body<'a>(element: &Element<'a>) -> &'a [u8] {
    match element.first() {
        Entry::Text(body) => body,
        Entry::Int(_) => &[],
    }
}

/// What a stream knows of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Head {
    base: u64,
    /// The last ID that was given.
    pub last: Id,
    /// The greatest ID of an entry that was deleted.
    pub deleted: Id,
    /// Entries ever added.
    pub added: u64,
    next_group: u32,
    next_consumer: u32,
}

impl Head {
    const BYTES: usize = 56;

    fn read(value: &[u8], at: usize) -> Head {
        let mut word = words(value, at);
        let base = word();
        let last = Id { ms: word(), seq: word() };
        let deleted = Id { ms: word(), seq: word() };
        let (added, numbers) = (word(), word());
        Head { base, last, deleted, added, next_group: numbers as u32, next_consumer: (numbers >> 32) as u32 }
    }

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let numbers = u64::from(self.next_group) | u64::from(self.next_consumer) << 32;
        let words = [self.base, self.last.ms, self.last.seq, self.deleted.ms, self.deleted.seq, self.added, numbers];
        bytes_of(&words)
    }

    fn write(self, home: &mut impl Home) -> Result<(), ArenaFull> {
        let at = Layout::of(&home.view()).head;
        home.splice(at..at + Self::BYTES, &self.to_bytes())
    }
}

/// Reads one word after the other; 0 beyond the end.
fn words(value: &[u8], mut at: usize) -> impl FnMut() -> u64 + '_ {
    move || {
        let word = value.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word));
        at += 8;
        word
    }
}

fn bytes_of<const N: usize>(words: &[u64]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.chunks_exact_mut(8).zip(words).for_each(|(to, word)| to.copy_from_slice(&word.to_le_bytes()));
    bytes
}

/// Reads what a change comes to: the tables, the first entries, those of which words are the IDs, those at which so many are
/// left as a word says; and of what a group that a word names has not been given yet, and what is pending with it or a consumer that
/// a word names, the first `given`.
pub fn visit(view: &View<'_>, words: &[&[u8]], given: usize) {
    let tables = (GROUPS..view.encoding.trees()).filter_map(|number| Root::read(view.value, number));
    tables.filter(|root| !root.node.is_null()).for_each(|root| tree::visit_all(view.heap, root));
    let stream = Stream::new(*view);
    let Some(root) = stream.entries.root().filter(|_| !stream.is_empty()) else { return };
    let id_of = |word: &&[u8]| {
        let mut parts = word.splitn(2, |byte| *byte == b'-');
        let ms = parts.next().and_then(number::parse_u64)?;
        Some(Id { ms, seq: parts.next().and_then(number::parse_u64).unwrap_or(0) })
    };
    tree::visit_beside(view.heap, root, 0);
    for id in words.iter().filter_map(id_of) {
        tree::visit_beside(view.heap, root, stream.rank(id));
        tree::visit_beside(view.heap, root, stream.len().saturating_sub(id.ms));
    }
    let groups = words.iter().filter(|_| given > 0).filter_map(|word| stream.group(word));
    for group in groups {
        group.last.next().into_iter().for_each(|next| stream.iter(next).take(given).for_each(drop));
        let named = words.iter().filter_map(|word| stream.consumer(&group, word));
        let consumers: SmallVec<[_; 2]> = named.collect();
        for from in words.iter().filter_map(id_of).chain([Id::MIN]) {
            let of_group = stream.pending(&group, from).take(given).map(|pending| pending.id);
            let owned = consumers.iter().flat_map(|consumer| stream.owned(consumer, from).take(given));
            of_group.chain(owned).for_each(|id| _ = stream.get(id));
        }
    }
}

/// A stream to be read.
#[derive(Clone, Copy)]
pub struct Stream<'a> {
    view: View<'a>,
    pub head: Head,
    schema: &'a [u8],
    entries: Sequence<'a>,
}

impl<'a> Stream<'a> {
    pub fn new(view: View<'a>) -> Stream<'a> {
        let layout = Layout::of(&view);
        Stream {
            view,
            head: Head::read(view.value, layout.head),
            schema: view.value.get(layout.schema..).unwrap_or_default(),
            entries: view.sequence(ENTRIES, ByTime::WIDTH),
        }
    }

    pub fn len(&self) -> u64 {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes the first entries take, on average. There must be entries.
    pub fn entry_bytes(&self) -> u64 {
        let spot = self.entries.first();
        self.entries.leaf(&spot).len() as u64 / (self.entries.leaf_len(&spot) as u64).max(1)
    }

    fn item(&self, element: &Element<'a>) -> Item<'a> {
        entry::read(body(element), self.head.base, self.schema)
    }

    /// The entry of this rank.
    pub fn nth(&self, rank: u64) -> Option<Item<'a>> {
        self.entries.get(rank).map(|(_, element)| self.item(&element))
    }

    pub fn first(&self) -> Option<Item<'a>> {
        self.nth(0)
    }

    pub fn last(&self) -> Option<Item<'a>> {
        self.nth(self.len().checked_sub(1)?)
    }

    pub fn get(&self, id: Id) -> Option<Item<'a>> {
        self.find(id).map(|(_, element)| self.item(&element))
    }

    /// The entries from an ID on.
    pub fn iter(&self, from: Id) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let stream = *self;
        let begin = || {
            let (spot, at) = self.place(from);
            self.entries.iter_at(spot, at)
        };
        (!self.is_empty()).then(begin).into_iter().flatten().map(move |element| stream.item(&element))
    }

    /// The entries from an ID back to the first.
    pub fn iter_back(&self, from: Id) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let stream = *self;
        let until = from.next().map_or(self.len(), |next| self.rank(next));
        let begin = || self.entries.iter_back(until - 1);
        (until > 0).then(begin).into_iter().flatten().map(move |element| stream.item(&element))
    }

    /// How many entries come before an ID.
    pub fn rank(&self, id: Id) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let (spot, at) = self.place(id);
        self.entries.rank(&spot) + packed::count(&self.entries.leaf(&spot)[..at], ByTime::WIDTH) as u64
    }

    /// Where the first entry lies that does not come before an ID. There must be entries.
    fn place(&self, id: Id) -> (Spot, usize) {
        let since = id.ms.checked_sub(self.head.base);
        let spot = match since {
            Some(since) => self.entries.by_order(since, |first| self.item(&first).id <= id),
            None => self.entries.first(),
        };
        let leaf = self.entries.leaf(&spot);
        let mut elements = packed::elements(leaf, 0, ByTime::WIDTH);
        let at = elements.find(|element| self.item(element).id >= id).map(|element| element.at);
        (spot, at.unwrap_or(leaf.len()))
    }

    fn find(&self, id: Id) -> Option<(Spot, Element<'a>)> {
        if self.is_empty() {
            return None;
        }
        let (spot, at) = self.place(id);
        let element = packed::elements(self.entries.leaf(&spot), at, ByTime::WIDTH).next()?;
        (self.item(&element).id == id).then_some((spot, element))
    }
}
