//! Entries as they are stored.
//!
//! ```text
//! u8       bits 0-3: bytes of the time; bit 4: the fields have the names of the stream's schema;
//!          bits 5-7: bytes of the sequence number (7 stands for 8)
//! time     milliseconds since the stream's base, LE
//! number   the sequence number, LE
//! values   packed entries, in the order of the schema; or names and values by turns
//! ```
//!
//! Streams hold entries of one kind, mostly: then no entry repeats the names of its fields.

use super::Id;
use crate::types::packed::{self, Encoded, Entry, entry};

const TIME_LEN: u8 = 0x0F;
const OF_SCHEMA: u8 = 0x10;
const SEQ_SHIFT: u32 = 5;

/// An entry where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    pub id: Id,
    pub fields: Fields<'a>,
}

/// An entry's fields: names with their values.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// The names, unless they lie among the values.
    names: Option<&'a [u8]>,
    values: &'a [u8],
}

impl Fields<'_> {
    pub fn count(&self) -> usize {
        match self.names {
            Some(names) => packed::count(names, 1).min(packed::count(self.values, 1)),
            None => packed::count(self.values, 2),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Entry<'a>, Entry<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = match &mut self.names {
            Some(names) => take(names)?,
            None => take(&mut self.values)?,
        };
        Some((name, take(&mut self.values)?))
    }
}

fn take<'a>(bytes: &mut &'a [u8]) -> Option<Entry<'a>> {
    let (found, end) = entry(bytes, 0)?;
    *bytes = &bytes[end..];
    Some(found)
}

/// What a number takes without the zeros above it.
fn len_of(n: u64) -> usize {
    8 - n.leading_zeros() as usize / 8
}

/// The bytes of an entry. `since` is its time since the base; `pairs` are names and values by turns,
/// and `of_schema` says that the names are the schema's.
pub fn encode(since: u64, seq: u64, pairs: &[&[u8]], of_schema: bool) -> Encoded {
    let (time_len, seq_len) = (len_of(since), if len_of(seq) == 7 { 8 } else { len_of(seq) });
    let mut bytes = Encoded::with_capacity(17 + pairs.iter().map(|part| part.len() + 5).sum::<usize>());
    bytes.push(time_len as u8 | if of_schema { OF_SCHEMA } else { 0 } | (seq_len.min(7) as u8) << SEQ_SHIFT);
    bytes.extend_from_slice(&since.to_le_bytes()[..time_len]);
    bytes.extend_from_slice(&seq.to_le_bytes()[..seq_len]);
    for pair in pairs.chunks_exact(2) {
        if !of_schema {
            Entry::of(pair[0]).encode(&mut bytes);
        }
        Entry::of(pair[1]).encode(&mut bytes);
    }
    bytes
}

/// The names of fields, as a schema is stored.
pub fn names_of(pairs: &[&[u8]]) -> Vec<u8> {
    let mut names = Vec::new();
    pairs.chunks_exact(2).for_each(|pair| Entry::of(pair[0]).encode(&mut names));
    names
}

/// Whether fields have the names of a schema, in its order.
pub fn fits(schema: &[u8], pairs: &[&[u8]]) -> bool {
    let mut names = schema;
    pairs.chunks_exact(2).all(|pair| take(&mut names) == Some(Entry::of(pair[0]))) && names.is_empty()
}

/// Its time since the base.
pub fn time(body: &[u8]) -> u64 {
    let len = body.first().map_or(0, |flags| flags & TIME_LEN).min(8) as usize;
    number(body.get(1..1 + len))
}

/// The entry with these bytes.
pub fn read<'a>(body: &'a [u8], base: u64, schema: &'a [u8]) -> Item<'a> {
    let flags = body.first().copied().unwrap_or(0);
    let time_end = 1 + (flags & TIME_LEN).min(8) as usize;
    let seq_len = if flags >> SEQ_SHIFT == 7 { 8 } else { flags >> SEQ_SHIFT };
    let end = time_end + seq_len as usize;
    Item {
        id: Id { ms: base.saturating_add(number(body.get(1..time_end))), seq: number(body.get(time_end..end)) },
        fields: Fields {
            names: (flags & OF_SCHEMA != 0).then_some(schema),
            values: body.get(end..).unwrap_or_default(),
        },
    }
}

fn number(bytes: Option<&[u8]>) -> u64 {
    let mut word = [0; 8];
    if let Some(bytes) = bytes {
        word[..bytes.len()].copy_from_slice(bytes);
    }
    u64::from_le_bytes(word)
}
