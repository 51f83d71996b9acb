//! Streams: listpacks of entries, what the stream knows of itself, and its consumer groups.
//!
//! ```text
//! listpacks: number, then of each the first entry's ID (16 bytes, BE) and the listpack, as strings
//! length · last ID · from version 2: first ID · greatest deleted ID · entries ever added
//! groups: number, then of each its name · last ID · from version 2: entries read
//!     pending: number, then of each the ID (16 bytes, BE) · delivered ms i64 · times
//!     consumers: number, then of each the name · seen ms i64 · from version 3: active ms i64
//!         owned: number, then the IDs
//!     from version 5: number, then the IDs of what is pending with nobody, in the order in which it was given back
//! from version 4: seconds · entries of each producer · producers: number, then of each its name and
//!     entries: number, then of each its name and its ID
//! · entries recorded · entries sent again
//! ```
//!
//! A listpack: entries, deleted ones, the number of names, the names, 0; then of each entry its flags, the
//! difference of its ID from the first one's, its fields (with their number and names unless they have the first
//! entry's), and how many parts those were.

use super::{
    Input, Malformed,
    input::{put_length, put_string},
    packs::{self, Listpack, PackEntry},
};
use crate::{
    types::{
        packed::{self, Entry},
        stream::{
            Id, Item, Stream,
            group::Group,
            producer::{MOST, Memory, SECONDS},
        },
    },
    util::clock::UnixMillis,
};
use std::{
    collections::{BTreeMap, HashSet},
    rc::Rc,
};

pub const STREAM: u8 = 15;
pub const STREAM_2: u8 = 19;
pub const STREAM_3: u8 = 21;
pub const STREAM_4: u8 = 26;
pub const STREAM_5: u8 = 27;

/// What Redis lets a stream remember that nobody has told anything else: seconds, and entries of each producer.
const USUAL: u64 = 100;
const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
/// What is written into one listpack, at most.
const NODE_ENTRIES: usize = 100;
const NODE_BYTES: usize = 4096;

/// A stream that was read.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RestoredStream {
    /// Of each entry: its ID as text of 16 bytes, the number of its parts, the parts.
    entries: Vec<u8>,
    pub last: Id,
    pub deleted: Id,
    pub added: u64,
    pub groups: Vec<RestoredGroup>,
    pub memory: Option<RestoredMemory>,
}

/// What a stream remembers of its producers.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RestoredMemory {
    pub seconds: u64,
    pub most: u64,
    pub added: u64,
    pub duplicates: u64,
    /// Producer, name, ID.
    pub entries: Vec<(Rc<[u8]>, Vec<u8>, Id)>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct RestoredGroup {
    pub name: Vec<u8>,
    pub last: Id,
    pub read: Option<u64>,
    pub consumers: Vec<RestoredConsumer>,
    /// What is pending with nobody: ID, how many times it was delivered.
    pub unowned: Vec<(Id, u64)>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct RestoredConsumer {
    pub name: Vec<u8>,
    pub seen: UnixMillis,
    pub active: Option<UnixMillis>,
    /// ID, when it was delivered, how many times.
    pub owned: Vec<(Id, UnixMillis, u64)>,
}

impl RestoredStream {
    /// Bytes of the entries.
    #[expect(clippy::len_without_is_empty, reason = "a size, of what may well be empty")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entries: names and values by turns.
    pub fn entries(&self) -> impl Iterator<Item = (Id, Vec<Vec<u8>>)> + '_ {
        let mut parts = packed::elements(&self.entries, 0, 1).map(|element| element.first());
        std::iter::from_fn(move || {
            let (Entry::Text(id), Entry::Int(count)) = (parts.next()?, parts.next()?) else { return None };
            let fields = parts.by_ref().take(count as usize).map(|part| part.to_vec()).collect();
            Some((Id::from_bytes(*id.first_chunk()?), fields))
        })
    }
}

fn raw_id(input: &mut Input<'_>) -> Result<Id, Malformed> {
    Ok(Id::from_bytes(input.array()?))
}

fn id(input: &mut Input<'_>) -> Result<Id, Malformed> {
    Ok(Id { ms: input.length()?, seq: input.length()? })
}

/// Reads a stream of one of the five versions.
pub fn read(code: u8, input: &mut Input<'_>) -> Result<RestoredStream, Malformed> {
    let mut stream = RestoredStream::default();
    let mut reader = Reader { into: &mut stream.entries, count: 0, first: None, last: Id::MIN };
    for _ in 0..input.length()? {
        let first = input.string()?;
        let first = Id::from_bytes(first[..].try_into().map_err(|_| Malformed)?);
        reader.node(first, &packs::listpack(&input.string()?)?)?;
    }
    let Reader { count, first, last: top, .. } = reader;
    let length = input.length()?;
    stream.last = id(input)?;
    stream.added = length;
    if code != STREAM {
        let _ = id(input)?;
        stream.deleted = id(input)?;
        stream.added = input.length()?;
    }
    if length != count || first.is_some() && top > stream.last || stream.added < length {
        return Err(Malformed);
    }
    for _ in 0..input.length()? {
        let group = read_group(code, input, &stream, first)?;
        if stream.groups.iter().any(|other| other.name == group.name) {
            return Err(Malformed);
        }
        stream.groups.push(group);
    }
    if code >= STREAM_4 {
        stream.memory = Some(read_memory(input)?);
    }
    Ok(stream)
}

fn read_memory(input: &mut Input<'_>) -> Result<RestoredMemory, Malformed> {
    let mut memory = RestoredMemory { seconds: input.length()?, most: input.length()?, ..RestoredMemory::default() };
    if !SECONDS.contains(&memory.seconds) || !MOST.contains(&memory.most) {
        return Err(Malformed);
    }
    let mut producers = HashSet::new();
    for _ in 0..input.length()? {
        let producer: Rc<[u8]> = input.string()?.into();
        for _ in 0..input.length()? {
            memory.entries.push((Rc::clone(&producer), input.string()?, id(input)?));
        }
        if !producers.insert(producer) {
            return Err(Malformed);
        }
    }
    (memory.added, memory.duplicates) = (input.length()?, input.length()?);
    Ok(memory)
}

/// Gathers entries whose IDs must grow.
struct Reader<'s> {
    into: &'s mut Vec<u8>,
    count: u64,
    first: Option<Id>,
    last: Id,
}

impl Reader<'_> {
    fn node(&mut self, master: Id, entries: &[PackEntry<'_>]) -> Result<(), Malformed> {
        let mut entries = entries.iter();
        let mut next = || entries.next().ok_or(Malformed);
        let int = |entry: &PackEntry<'_>| match entry {
            PackEntry::Int(n) => Ok(*n),
            PackEntry::Text(_) => Err(Malformed),
        };
        let size = |n: i64| usize::try_from(n).map_err(|_| Malformed);
        let (live, deleted, names) = (int(next()?)?, int(next()?)?, size(int(next()?)?)?);
        let (mut live, mut deleted) = (size(live)?, size(deleted)?);
        let names: Vec<&PackEntry<'_>> = (0..names).map_while(|_| next().ok()).collect();
        if int(next()?)? != 0 || live == 0 {
            return Err(Malformed);
        }
        while live + deleted > 0 {
            let flags = int(next()?)?;
            let (ms, seq) = (int(next()?)? as u64, int(next()?)? as u64);
            let same = flags & SAME_FIELDS != 0;
            let count = if same { names.len() } else { size(int(next()?)?)? };
            let (mut parts, mut named) = (Vec::new(), names.iter());
            for _ in 0..count {
                parts.push(if same { *named.next().ok_or(Malformed)? } else { next()? });
                parts.push(next()?);
            }
            let written = if same { count + 3 } else { count * 2 + 4 };
            if int(next()?)? != written as i64 {
                return Err(Malformed);
            }
            if flags & DELETED != 0 {
                deleted = deleted.checked_sub(1).ok_or(Malformed)?;
                continue;
            }
            live = live.checked_sub(1).ok_or(Malformed)?;
            let id = Id { ms: master.ms.wrapping_add(ms), seq: master.seq.wrapping_add(seq) };
            if parts.is_empty() || id <= self.last {
                return Err(Malformed);
            }
            (self.last, self.count) = (id, self.count + 1);
            self.first.get_or_insert(id);
            Entry::Text(&id.to_bytes()).encode(self.into);
            Entry::Int(parts.len() as i64).encode(self.into);
            parts.iter().for_each(|part| part.with_text(|text| Entry::of(text).encode(self.into)));
        }
        if entries.next().is_some() { Err(Malformed) } else { Ok(()) }
    }
}

fn read_group(
    code: u8,
    input: &mut Input<'_>,
    stream: &RestoredStream,
    first: Option<Id>,
) -> Result<RestoredGroup, Malformed> {
    let (name, last) = (input.string()?, id(input)?);
    let read = match code {
        // It was not kept then; of some groups it can be told.
        STREAM => match first {
            _ if last == stream.last => Some(stream.added),
            None if last < stream.last => Some(stream.added),
            Some(first) if last < first => Some(0),
            Some(first) if last == first => Some(1),
            _ => None,
        },
        _ => Some(input.length()?).filter(|read| i64::try_from(*read).is_ok()),
    };
    let mut pending = BTreeMap::new();
    for _ in 0..input.length()? {
        let (id, delivered, times) = (raw_id(input)?, input.int64()?, input.length()?);
        if pending.insert(id, (delivered, times)).is_some() {
            return Err(Malformed);
        }
    }
    let mut consumers: Vec<RestoredConsumer> = Vec::new();
    for _ in 0..input.length()? {
        let (name, seen) = (input.string()?, input.int64()?);
        let active = if code >= STREAM_3 { input.int64()? } else { seen };
        let mut owned = Vec::new();
        for _ in 0..input.length()? {
            let id = raw_id(input)?;
            let (delivered, times) = pending.remove(&id).ok_or(Malformed)?;
            owned.push((id, delivered, times));
        }
        if consumers.iter().any(|other| other.name == name) {
            return Err(Malformed);
        }
        consumers.push(RestoredConsumer { name, seen, active: Some(active).filter(|at| *at >= 0), owned });
    }
    let mut unowned = Vec::new();
    if code == STREAM_5 {
        for _ in 0..input.length()? {
            let id = raw_id(input)?;
            let (_, times) = pending.remove(&id).ok_or(Malformed)?;
            unowned.push((id, times));
        }
    }
    // Whatever else is pending is so with someone.
    if pending.is_empty() { Ok(RestoredGroup { name, last, read, consumers, unowned }) } else { Err(Malformed) }
}

fn put_id(out: &mut Vec<u8>, id: Id) {
    put_length(out, id.ms);
    put_length(out, id.seq);
}

/// The least version that says all of a stream.
pub fn code_for(stream: &Stream<'_>) -> u8 {
    match stream.memory() {
        _ if stream.groups().any(|(_, group)| stream.unowned_len(&group) > 0) => STREAM_5,
        Some(_) => STREAM_4,
        None => STREAM_3,
    }
}

/// Appends a stream, without its code: what [`code_for`] says, or [`STREAM_2`], which does not say when consumers were active.
/// Before [`STREAM_5`] somebody must have what is pending: who has no name.
pub fn put(out: &mut Vec<u8>, code: u8, stream: &Stream<'_>, compress: bool, now: UnixMillis) {
    let mut nodes = Vec::new();
    let (mut node, mut count) = (Node::default(), 0);
    for item in stream.iter(Id::MIN) {
        if node.count == NODE_ENTRIES || node.bytes > NODE_BYTES {
            std::mem::take(&mut node).finish(&mut nodes, compress);
            count += 1;
        }
        node.push(&item);
    }
    if node.count > 0 {
        node.finish(&mut nodes, compress);
        count += 1;
    }
    put_length(out, count);
    out.extend_from_slice(&nodes);
    put_length(out, stream.len());
    put_id(out, stream.head.last);
    put_id(out, stream.first().map_or(Id::MIN, |item| item.id));
    put_id(out, stream.head.deleted);
    put_length(out, stream.head.added);
    put_length(out, stream.groups_len());
    for (name, group) in stream.groups() {
        put_string(out, name, compress);
        put_id(out, group.last);
        put_length(out, group.read.unwrap_or(u64::MAX));
        put_length(out, stream.pending_len(&group));
        for pending in stream.pending(&group, Id::MIN) {
            out.extend(pending.id.to_bytes());
            out.extend(pending.delivered.to_le_bytes());
            put_length(out, pending.times);
        }
        let nameless = code < STREAM_5 && stream.unowned_len(&group) > 0;
        put_length(out, stream.consumers_len(&group) + u64::from(nameless));
        if nameless {
            put_string(out, b"", compress);
            out.extend(now.to_le_bytes());
            if code >= STREAM_3 {
                out.extend((-1i64).to_le_bytes());
            }
            put_unowned(out, stream, &group);
        }
        for (name, consumer) in stream.consumers(&group) {
            put_string(out, name, compress);
            out.extend(consumer.seen.to_le_bytes());
            if code >= STREAM_3 {
                out.extend(consumer.active.unwrap_or(-1).to_le_bytes());
            }
            put_length(out, stream.owned_len(&consumer));
            stream.owned(&consumer, Id::MIN).for_each(|id| out.extend(id.to_bytes()));
        }
        if code == STREAM_5 {
            put_unowned(out, stream, &group);
        }
    }
    if code >= STREAM_4 {
        put_memory(out, stream, compress, now);
    }
}

fn put_unowned(out: &mut Vec<u8>, stream: &Stream<'_>, group: &Group) {
    put_length(out, stream.unowned_len(group));
    stream.unowned(group).for_each(|id| out.extend(id.to_bytes()));
}

fn put_memory(out: &mut Vec<u8>, stream: &Stream<'_>, compress: bool, now: UnixMillis) {
    let memory = stream.memory().unwrap_or(Memory::new(USUAL, USUAL));
    put_length(out, memory.seconds);
    put_length(out, memory.most);
    put_length(out, stream.producers().count() as u64);
    for (name, number) in stream.producers() {
        put_string(out, name, compress);
        put_length(out, stream.remembered(number, now).count() as u64);
        for (id, name) in stream.remembered(number, now) {
            put_string(out, name, compress);
            put_id(out, id);
        }
    }
    put_length(out, memory.added);
    put_length(out, memory.duplicates);
}

/// Entries that go into one listpack.
#[derive(Default)]
struct Node<'a> {
    first: Id,
    names: Vec<Entry<'a>>,
    entries: Listpack,
    count: usize,
    bytes: usize,
}

impl<'a> Node<'a> {
    fn push(&mut self, item: &Item<'a>) {
        if self.count == 0 {
            self.first = item.id;
            self.names = item.fields.map(|(name, _)| name).collect();
        }
        let same = item.fields.map(|(name, _)| name).eq(self.names.iter().copied());
        let count = item.fields.count();
        self.entries.int(if same { SAME_FIELDS } else { 0 });
        self.entries.int(item.id.ms.wrapping_sub(self.first.ms) as i64);
        self.entries.int(item.id.seq.wrapping_sub(self.first.seq) as i64);
        if !same {
            self.entries.int(count as i64);
        }
        for (name, value) in item.fields {
            if !same {
                self.entries.entry(&name);
            }
            self.entries.entry(&value);
        }
        self.entries.int(if same { count + 3 } else { count * 2 + 4 } as i64);
        self.count += 1;
        self.bytes = self.entries.len();
    }

    fn finish(self, out: &mut Vec<u8>, compress: bool) {
        let mut whole = Listpack::default();
        whole.int(self.count as i64);
        whole.int(0);
        whole.int(self.names.len() as i64);
        self.names.iter().for_each(|name| whole.entry(name));
        whole.int(0);
        whole.append(&self.entries);
        put_string(out, &self.first.to_bytes(), false);
        put_string(out, &whole.finish(), compress);
    }
}
