//! The nodes of a tree, as they lie in the arena.
//!
//! ```text
//! u8 tag: 0xF1 leaf, 0xF2 inner · u8 flags: 1 root, 2 labelled
//! u16 elements (leaf) or children (inner) · u32 bytes of elements or children
//! u64 parent's offset; of a root, the hash of its owner's key
//! leaf:  packed elements; of a labelled one, their labels come before them (see `label.rs`)
//! inner: per child { u64 lower bound of its keys · u64 offset · u64 elements below it }
//! ```
//!
//! A node is referred to from exactly one place: its parent's entry, or the value in the owner's
//! item. The field `parent` leads back there, so that a node can be moved by itself.

use super::label::{self, Labels, Own};
use crate::arena::{ArenaFull, Offset, ShardHeap};
use std::ops::Range;

pub const TAG_LEAF: u8 = 0xF1;
pub const TAG_INNER: u8 = 0xF2;
const ROOT: u8 = 1;
const LABELLED: u8 = 2;
/// Bytes of a node's header.
pub const HEADER: usize = 16;
/// Bytes of a child's entry.
pub const ENTRY: usize = 24;
/// Children of an inner node, at most: such a node fits 4 KiB.
pub const FANOUT: usize = 128;

/// A node's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    pub is_leaf: bool,
    pub is_root: bool,
    /// A leaf whose elements have labels.
    pub is_labelled: bool,
    pub count: usize,
    /// Bytes of the elements or children.
    pub used: usize,
    pub parent: u64,
}

impl Header {
    #[inline]
    pub fn read(heap: &ShardHeap, at: Offset) -> Option<Header> {
        Header::of(heap.chunk(at)).map(|(header, _)| header)
    }

    /// What is read of something that is no node.
    const NONE: Header = Header { is_leaf: false, is_root: false, is_labelled: false, count: 0, used: 0, parent: 0 };

    /// A node without labels that nothing refers to yet.
    pub fn new(is_leaf: bool, count: usize, used: usize) -> Header {
        Header { is_leaf, is_root: false, is_labelled: false, count, used, parent: 0 }
    }

    /// Where the payload begins.
    #[inline]
    fn start(&self) -> usize {
        HEADER + if self.is_labelled { label::room(self.count) } else { 0 }
    }

    /// Where it ends.
    #[inline]
    fn end(&self) -> usize {
        self.start() + self.used
    }

    /// The header in a chunk, and the payload that follows it.
    #[inline]
    fn of(chunk: &[u8]) -> Option<(Header, &[u8])> {
        let head = u128::from_le_bytes(*chunk.first_chunk::<HEADER>()?);
        let is_leaf = match head as u8 {
            TAG_LEAF => true,
            TAG_INNER => false,
            _ => return None,
        };
        let (flags, count, used) = ((head >> 8) as u8, (head >> 16) as u16, (head >> 32) as u32);
        let (is_root, is_labelled) = (flags & ROOT != 0, flags & LABELLED != 0 && is_leaf);
        let (count, used, parent) = (count.into(), used as usize, (head >> 64) as u64);
        let header = Header { is_leaf, is_root, is_labelled, count, used, parent };
        let payload = chunk.get(header.start()..header.end()).filter(|_| is_leaf || count * ENTRY == used)?;
        Some((header, payload))
    }

    /// The payload in the chunk, and a leaf's labels.
    #[inline]
    fn labelled<'a>(&self, chunk: &'a [u8]) -> (&'a [u8], Option<Labels<'a>>) {
        let payload = chunk.get(self.start()..self.end()).unwrap_or_default();
        let room = chunk.get(HEADER..self.start()).filter(|_| self.is_labelled);
        (payload, room.map(|room| Labels::new(room, self.count)))
    }

    fn bytes(&self) -> [u8; HEADER] {
        let mut head = [0; HEADER];
        head[0] = if self.is_leaf { TAG_LEAF } else { TAG_INNER };
        head[1] = if self.is_root { ROOT } else { 0 } | if self.is_labelled { LABELLED } else { 0 };
        head[2..4].copy_from_slice(&(self.count as u16).to_le_bytes());
        head[4..8].copy_from_slice(&(self.used as u32).to_le_bytes());
        head[8..].copy_from_slice(&self.parent.to_le_bytes());
        head
    }

    /// The header with these labels, or with none if there is not one for each element: what labels say of a damaged
    /// leaf need not be so.
    fn with_labels(self, labels: &[u16]) -> Header {
        Header { is_labelled: self.is_leaf && !labels.is_empty() && labels.len() == self.count, ..self }
    }

    /// Writes the header and the labels after it.
    fn put(&self, labels: &[u16], bytes: &mut [u8]) {
        bytes[..HEADER].copy_from_slice(&self.bytes());
        if self.is_labelled {
            let room = bytes[HEADER..].as_chunks_mut().0;
            room.iter_mut().zip(labels).for_each(|(room, label)| *room = label.to_le_bytes());
        }
    }

    /// Writes how many elements there are, and of how many bytes.
    fn recount(&self, head: &mut [u8; HEADER]) {
        head[2..4].copy_from_slice(&(self.count as u16).to_le_bytes());
        head[4..8].copy_from_slice(&(self.used as u32).to_le_bytes());
    }

    pub fn write(&self, heap: &mut ShardHeap, at: Offset) {
        heap.range_mut(at, 0..HEADER).copy_from_slice(&self.bytes());
    }
}

/// An inner node's entry for one child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Child {
    /// No element below has a smaller key. Of a node's first child it is not looked at: what is
    /// smaller than all goes there.
    pub key: u64,
    pub at: Offset,
    /// Elements below it.
    pub count: u64,
}

impl Child {
    pub fn bytes(&self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        bytes[..8].copy_from_slice(&self.key.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.at.bytes().to_le_bytes());
        bytes[16..].copy_from_slice(&self.count.to_le_bytes());
        bytes
    }

    #[inline]
    fn read(entry: &[u8; ENTRY]) -> Child {
        let [key, at, count] = words(entry);
        Child { key, at: Offset::from_bytes(at), count }
    }
}

/// The words of an entry: a child's lower bound, its offset, the elements below it.
#[inline]
fn words(entry: &[u8; ENTRY]) -> [u64; 3] {
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| entry[at + byte]));
    [word(0), word(8), word(16)]
}

/// A leaf whose header has been read. True until it changes.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    pub at: Offset,
    pub header: Header,
}

impl Leaf {
    /// One that is not there.
    pub const NONE: Leaf = Leaf { at: Offset::NULL, header: Header::NONE };

    #[inline]
    pub fn len(&self) -> usize {
        if self.header.is_leaf { self.header.count } else { 0 }
    }

    #[inline]
    pub fn elements<'a>(&self, heap: &'a ShardHeap) -> &'a [u8] {
        self.labelled(heap).0
    }

    /// The elements, and their labels; `None` of those when it has none.
    #[inline]
    pub fn labelled<'a>(&self, heap: &'a ShardHeap) -> (&'a [u8], Option<Labels<'a>>) {
        if !self.header.is_leaf {
            return (&[], None);
        }
        self.header.labelled(heap.chunk(self.at))
    }
}

/// A node that was read: a leaf, or the children of an inner one.
pub enum Read<'a> {
    Leaf(Leaf),
    Inner(Entries<'a>),
    /// What is there is no node.
    Nothing,
}

#[inline(always)]
pub fn read(heap: &ShardHeap, at: Offset) -> Read<'_> {
    let chunk = heap.chunk(at);
    if let [TAG_INNER, _, a, b, ..] = chunk {
        let end = HEADER + usize::from(u16::from_le_bytes([*a, *b])) * ENTRY;
        return Read::Inner(Entries::new(chunk.get(HEADER..end).unwrap_or_default()));
    }
    match Header::of(chunk) {
        Some((header, _)) => Read::Leaf(Leaf { at, header }),
        None => Read::Nothing,
    }
}

/// What follows the header: packed elements, or children.
#[inline]
pub fn payload(heap: &ShardHeap, at: Offset) -> &[u8] {
    Header::of(heap.chunk(at)).map_or(&[], |(_, payload)| payload)
}

/// The elements of a leaf, and their labels; `None` of those when it has none.
#[inline]
pub fn labelled(heap: &ShardHeap, at: Offset) -> (&[u8], Option<Labels<'_>>) {
    let chunk = heap.chunk(at);
    Header::of(chunk).map_or((&[], None), |(header, _)| header.labelled(chunk))
}

/// The labels of a leaf; none if it has none.
pub fn labels(heap: &ShardHeap, at: Offset) -> Own {
    labelled(heap, at).1.map_or_else(Own::new, |labels| labels.iter().collect())
}

/// The entries of an inner node; of a leaf there are none.
#[inline]
pub fn entries(heap: &ShardHeap, at: Offset) -> Entries<'_> {
    match Header::of(heap.chunk(at)) {
        Some((header, payload)) if !header.is_leaf => Entries::new(payload),
        _ => Entries(&[]),
    }
}

/// The children of an inner node, as it was read once.
#[derive(Clone, Copy)]
pub struct Entries<'a>(&'a [[u8; ENTRY]]);

impl<'a> Entries<'a> {
    #[inline]
    fn new(payload: &'a [u8]) -> Entries<'a> {
        Entries(payload.as_chunks().0)
    }

    /// How many there are.
    #[inline]
    pub fn fan(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub fn child(&self, index: usize) -> Option<Child> {
        self.0.get(index).map(Child::read)
    }

    /// The lower bound of a child's keys.
    #[inline]
    pub fn key(&self, index: usize) -> u64 {
        self.0.get(index).map_or(0, |entry| words(entry)[0])
    }

    /// The last child whose lower bound is no greater than `key`; the first if none is.
    pub fn reached(&self, key: u64) -> usize {
        let (mut low, mut high) = (1, self.fan());
        while low < high {
            let middle = (low + high) / 2;
            if self.key(middle) <= key { low = middle + 1 } else { high = middle }
        }
        low - 1
    }

    /// Elements below the children before number `index`.
    #[inline]
    pub fn count_before(&self, index: usize) -> u64 {
        self.0.iter().take(index).map(|entry| words(entry)[2]).fold(0, u64::wrapping_add)
    }

    /// The child below which the element of this rank is, the last if there are not so many, and how many elements are
    /// below those before it.
    #[inline]
    pub fn by_rank(&self, rank: u64) -> (usize, u64) {
        /// Children whose counts are added up before a look at the sum.
        const STEP: usize = 8;
        let count = |entry: &[u8; ENTRY]| words(entry)[2];
        let (mut index, mut before) = (0, 0);
        for step in self.0.as_chunks::<STEP>().0 {
            let sum = step.iter().map(count).fold(0, u64::wrapping_add);
            if rank.saturating_sub(before) < sum || index + STEP >= self.fan() {
                break;
            }
            (index, before) = (index + STEP, before.wrapping_add(sum));
        }
        for entry in self.0.iter().skip(index) {
            let below = count(entry);
            if rank.saturating_sub(before) < below || index + 1 >= self.fan() {
                break;
            }
            (index, before) = (index + 1, before.wrapping_add(below));
        }
        (index, before)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Child> + ExactSizeIterator + use<'a> {
        self.0.iter().map(Child::read)
    }
}

/// Child number `index` of an inner node.
#[inline]
pub fn child(heap: &ShardHeap, at: Offset, index: usize) -> Option<Child> {
    entries(heap, at).child(index)
}

/// All children of an inner node.
pub fn children(heap: &ShardHeap, at: Offset) -> impl DoubleEndedIterator<Item = Child> + ExactSizeIterator + '_ {
    entries(heap, at).iter()
}

/// How many children an inner node has; 0 for a leaf.
#[inline]
pub fn fan(heap: &ShardHeap, at: Offset) -> usize {
    entries(heap, at).fan()
}

/// Changes the entry of child `index`.
pub fn set_child(heap: &mut ShardHeap, at: Offset, index: usize, child: Child) {
    if index < fan(heap, at) {
        let start = HEADER + index * ENTRY;
        heap.range_mut(at, start..start + ENTRY).copy_from_slice(&child.bytes());
    }
}

/// Adds to the number of elements below child `index`, which there must be.
pub fn add_count(heap: &mut ShardHeap, at: Offset, index: usize, more: u64) {
    let end = HEADER + (index + 1) * ENTRY;
    if let Ok(count) = <&mut [u8; 8]>::try_from(heap.range_mut(at, end - 8..end)) {
        *count = u64::from_le_bytes(*count).wrapping_add(more).to_le_bytes();
    }
}

/// Allocates a node with this content. A leaf's labels are one for each element, or none.
pub fn create(heap: &mut ShardHeap, header: Header, labels: &[u16], payload: &[u8]) -> Result<Offset, ArenaFull> {
    debug_assert_eq!(header.used, payload.len());
    let header = header.with_labels(labels);
    let at = heap.alloc(room_for(&header))?;
    let bytes = heap.range_mut(at, 0..header.end());
    header.put(labels, bytes);
    bytes[header.start()..].copy_from_slice(payload);
    Ok(at)
}

/// What is asked for a node: a little more than it needs, so that not every insertion moves it. When
/// an inner node moves, all its children are told: it has room for twice as many.
fn room_for(header: &Header) -> usize {
    let bytes = header.end();
    match header.is_leaf {
        true if (256..4096).contains(&bytes) => (bytes + bytes / 16).min(4096),
        true => bytes,
        false => HEADER + ENTRY * header.count.next_power_of_two(),
    }
}

/// Writes over a part of a leaf's elements, which stay where they are; false if that is pinned.
pub fn overwrite(heap: &mut ShardHeap, leaf: &Leaf, range: Range<usize>, with: &[u8]) -> bool {
    let start = leaf.header.start();
    let bytes = heap.range_mut(leaf.at, start + range.start..start + range.end);
    if bytes.len() == with.len() {
        bytes.copy_from_slice(with);
        return true;
    }
    !heap.is_pinned(leaf.at)
}

/// Puts an element at this byte of a leaf's elements, and its label behind the others if there are labels; false if there is
/// no room in its chunk.
pub fn insert(heap: &mut ShardHeap, leaf: &Leaf, at: usize, with: &[u8], label: u16) -> bool {
    let old = &leaf.header;
    let header = Header { count: old.count + 1, used: old.used + with.len(), ..*old };
    if !header.is_leaf || header.start() != old.start() || at > old.used {
        return false;
    }
    // Nothing is lent of what is pinned, or not within the chunk.
    let Some((head, bytes)) = heap.range_mut(leaf.at, 0..header.end()).split_first_chunk_mut() else { return false };
    header.recount(head);
    let (start, end) = (old.start() + at - HEADER, old.end() - HEADER);
    if start < end {
        bytes.copy_within(start..end, start + with.len());
    }
    bytes[start..start + with.len()].copy_from_slice(with);
    if header.is_labelled {
        label::put(bytes, old.count, label);
    }
    true
}

/// Takes an element of these bytes out of a leaf without labels; false if its chunk would be too large for the rest.
pub fn remove(heap: &mut ShardHeap, leaf: &Leaf, range: Range<usize>) -> bool {
    let old = &leaf.header;
    let header = Header { count: old.count.saturating_sub(1), used: old.used.saturating_sub(range.len()), ..*old };
    if !header.is_leaf || header.is_labelled || range.end > old.used || !fits_well(header.end(), heap.span(leaf.at)) {
        return false;
    }
    let Some((head, bytes)) = heap.range_mut(leaf.at, 0..old.end()).split_first_chunk_mut() else { return false };
    header.recount(head);
    let payload = &mut bytes[old.start() - HEADER..];
    payload.copy_within(range.end.., range.start);
    true
}

/// Whether a chunk of this span is not far too large: not quite half is enough, so that what a node has just been given is
/// not taken back.
fn fits_well(needed: usize, span: usize) -> bool {
    needed * 9 / 4 > span || span <= 64
}

/// A change of a node's payload: `range` is replaced by `with`.
pub struct Change<'a> {
    pub range: Range<usize>,
    pub with: &'a [u8],
    /// Elements or children then.
    pub count: usize,
    /// All labels then: one for each element, or none.
    pub labels: &'a [u16],
    /// Bytes of payload for which there is to be room if the node moves.
    pub room: usize,
}

/// Replaces a part of a node's payload, in place if there is room. Answers where the node is now; the caller mends the
/// reference to it.
pub fn splice(
    heap: &mut ShardHeap,
    at: Offset,
    range: Range<usize>,
    with: &[u8],
    count: usize,
) -> Result<Offset, ArenaFull> {
    let old = Header::read(heap, at).ok_or(ArenaFull)?;
    change(heap, at, old, Change { range, with, count, labels: &[], room: 0 })
}

/// As [`splice`], of a node whose header has been read.
pub fn change(heap: &mut ShardHeap, at: Offset, old: Header, change: Change<'_>) -> Result<Offset, ArenaFull> {
    let Change { range, with, count, labels, room } = change;
    let range = range.start.min(old.used)..range.end.min(old.used).max(range.start.min(old.used));
    let used = old.used - range.len() + with.len();
    let header = Header { count, used, ..old }.with_labels(labels);
    let (span, needed) = (heap.span(at), header.end());
    let fits = needed <= span && !heap.is_pinned(at);
    let to = match fits && (room > 0 || fits_well(needed, span)) {
        true => None,
        // What shrinks never fails: a chunk that is too large serves when there is no other.
        false => heap
            .alloc(room_for(&header).max(header.start() + room))
            .map(Some)
            .or_else(|full| if fits { Ok(None) } else { Err(full) })?,
    };
    // Where the replaced part begins, and where what comes after it does: before and then.
    let (from, start) = (old.start() + range.start, header.start() + range.start);
    let (rest, put) = (old.start() + range.end, start + with.len());
    let Some(to) = to else {
        let end = if (from, rest) == (start, put) { put } else { header.end().max(old.end()) };
        let bytes = heap.range_mut(at, 0..end);
        // What moves to the right must not cover what has still to move.
        if put > rest {
            bytes.copy_within(rest..old.end(), put);
        }
        if start != from {
            bytes.copy_within(old.start()..from, header.start());
        }
        if put < rest {
            bytes.copy_within(rest..old.end(), put);
        }
        bytes[start..put].copy_from_slice(with);
        header.put(labels, bytes);
        return Ok(at);
    };
    header.put(labels, heap.range_mut(to, 0..header.start()));
    heap.copy(at, old.start(), to, header.start(), range.start);
    heap.range_mut(to, start..put).copy_from_slice(with);
    heap.copy(at, rest, to, put, old.used - range.end);
    heap.free(at);
    if !header.is_leaf {
        adopt_children(heap, to);
    }
    Ok(to)
}

/// Tells the children of an inner node where it is.
pub fn adopt_children(heap: &mut ShardHeap, at: Offset) {
    for index in 0..fan(heap, at) {
        if let Some(child) = child(heap, at, index) {
            set_parent(heap, child.at, at.bytes());
        }
    }
}

pub fn set_parent(heap: &mut ShardHeap, at: Offset, parent: u64) {
    if let Some(header) = Header::read(heap, at)
        && (header.parent != parent || header.is_root)
    {
        Header { parent, is_root: false, ..header }.write(heap, at);
    }
}

/// Makes a node the root of a tree of `owner`.
pub fn make_root(heap: &mut ShardHeap, at: Offset, owner: u64) {
    if let Some(header) = Header::read(heap, at) {
        Header { parent: owner, is_root: true, ..header }.write(heap, at);
    }
}
