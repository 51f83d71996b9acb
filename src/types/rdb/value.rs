//! Whole values: read in any encoding, written in the plainest.

use super::{
    Input, Malformed,
    array::{self, ARRAY, RestoredArray},
    input::{put_length, put_string},
    packs::{self, PackEntry},
    stream::{self, RestoredStream, STREAM, STREAM_2, STREAM_3, STREAM_4, STREAM_5},
};
use crate::types::{
    array::Array,
    hash::Hash,
    home::View,
    kind::Type,
    list::List,
    packed::{self, Entry, NOTE_MAX},
    set::Set,
    stream::Stream,
    zset::{ZSet, score, score_of},
};
use crate::util::clock::UnixMillis;
use ahash::RandomState;
use std::collections::HashSet;

const STRING: u8 = 0;
const LIST: u8 = 1;
const SET: u8 = 2;
const ZSET: u8 = 3;
const HASH: u8 = 4;
const ZSET_2: u8 = 5;
const HASH_ZIPMAP: u8 = 9;
const LIST_ZIPLIST: u8 = 10;
const SET_INTSET: u8 = 11;
const ZSET_ZIPLIST: u8 = 12;
const HASH_ZIPLIST: u8 = 13;
const LIST_QUICKLIST: u8 = 14;
const HASH_LISTPACK: u8 = 16;
const ZSET_LISTPACK: u8 = 17;
const LIST_QUICKLIST_2: u8 = 18;
const SET_LISTPACK: u8 = 20;
const HASH_METADATA_EARLY: u8 = 22;
const HASH_LISTPACK_EX_EARLY: u8 = 23;
pub(super) const HASH_METADATA: u8 = 24;
const HASH_LISTPACK_EX: u8 = 25;
/// What Valkey since version 9 means by 22: each field with its value and its expiry, -1 if it has none. No file has this
/// number.
const HASH_VALKEY: u8 = 128;
/// A kind of value that there is not.
const UNKNOWN: u8 = 127;
/// Valkey's versions begin here.
pub(super) const VALKEY_VERSION: u32 = 80;

/// A quicklist's node that is one element.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;

/// A value that was read, ready to be stored: collections as packed elements, as they lie in leaves.
#[derive(Clone, PartialEq, Debug)]
pub enum Restored {
    String(Vec<u8>),
    /// From the first to the last.
    List(Vec<u8>),
    /// All different.
    Set(Vec<u8>),
    /// All different, in the order of their scores.
    ZSet(Vec<u8>),
    /// Fields, all different, and values; a field's expiry is its note.
    Hash(Vec<u8>),
    Stream(RestoredStream),
    Array(RestoredArray),
}

/// The type of the value that this code announces; `None` when there is no such, or none that is read.
pub fn type_of(code: u8) -> Option<Type> {
    Some(match code {
        STRING => Type::String,
        LIST | LIST_ZIPLIST | LIST_QUICKLIST | LIST_QUICKLIST_2 => Type::List,
        SET | SET_INTSET | SET_LISTPACK => Type::Set,
        ZSET | ZSET_2 | ZSET_ZIPLIST | ZSET_LISTPACK => Type::ZSet,
        HASH | HASH_ZIPMAP | HASH_ZIPLIST | HASH_LISTPACK => Type::Hash,
        HASH_METADATA | HASH_METADATA_EARLY | HASH_LISTPACK_EX | HASH_LISTPACK_EX_EARLY | HASH_VALKEY => Type::Hash,
        STREAM | STREAM_2 | STREAM_3 | STREAM_4 | STREAM_5 => Type::Stream,
        ARRAY => Type::Array,
        _ => return None,
    })
}

/// What a code means in a file or payload of this version: Valkey has gone its own way from version 80 on.
pub fn code_in(version: u32, code: u8) -> u8 {
    match (version, code) {
        (VALKEY_VERSION.., HASH_METADATA_EARLY) => HASH_VALKEY,
        (VALKEY_VERSION.., HASH_LISTPACK_EX_EARLY..) => UNKNOWN,
        (_, HASH_VALKEY) => UNKNOWN,
        _ => code,
    }
}

/// Reads the value that follows its code.
///
/// # Errors
/// When anything in it is not as it should be.
pub fn read_value(code: u8, input: &mut Input<'_>) -> Result<Restored, Malformed> {
    match type_of(code).ok_or(Malformed)? {
        Type::String => input.string().map(Restored::String),
        Type::List => list(code, input).map(Restored::List),
        Type::Set => set(code, input).map(Restored::Set),
        Type::ZSet => zset(code, input).map(Restored::ZSet),
        Type::Hash => hash(code, input).map(Restored::Hash),
        Type::Stream => stream::read(code, input).map(Restored::Stream),
        Type::Array => array::read(input).map(Restored::Array),
    }
}

/// Elements as they are gathered.
#[derive(Default)]
struct Elements {
    bytes: Vec<u8>,
}

impl Elements {
    fn push(&mut self, value: &[u8]) {
        Entry::of(value).encode(&mut self.bytes);
    }

    fn push_entry(&mut self, entry: &PackEntry<'_>) {
        entry.with_text(|text| self.push(text));
    }

    /// The elements of `width` entries, if their first entries are all different.
    fn all_different(self, width: usize) -> Result<Vec<u8>, Malformed> {
        let mut seen: HashSet<Entry<'_>, RandomState> = HashSet::default();
        let unique = packed::elements(&self.bytes, 0, width).all(|element| seen.insert(element.first()));
        if unique { Ok(self.bytes) } else { Err(Malformed) }
    }
}

fn list(code: u8, input: &mut Input<'_>) -> Result<Vec<u8>, Malformed> {
    let mut elements = Elements::default();
    match code {
        LIST => {
            for _ in 0..input.length()? {
                elements.push(&input.string()?);
            }
        }
        LIST_ZIPLIST => packs::ziplist(&input.string()?)?.iter().for_each(|entry| elements.push_entry(entry)),
        _ => {
            for _ in 0..input.length()? {
                let node = if code == LIST_QUICKLIST_2 { input.length()? } else { PACKED };
                let bytes = input.string()?;
                let entries = match (node, code) {
                    (PLAIN, _) => vec![PackEntry::Text(&bytes)],
                    (PACKED, LIST_QUICKLIST) => packs::ziplist(&bytes)?,
                    (PACKED, _) => packs::listpack(&bytes)?,
                    _ => return Err(Malformed),
                };
                entries.iter().for_each(|entry| elements.push_entry(entry));
            }
        }
    }
    Ok(elements.bytes)
}

fn set(code: u8, input: &mut Input<'_>) -> Result<Vec<u8>, Malformed> {
    let mut elements = Elements::default();
    if code == SET {
        for _ in 0..input.length()? {
            elements.push(&input.string()?);
        }
    } else {
        let bytes = input.string()?;
        let entries = if code == SET_INTSET { packs::intset(&bytes)? } else { packs::listpack(&bytes)? };
        entries.iter().for_each(|entry| elements.push_entry(entry));
    }
    elements.all_different(1)
}

fn zset(code: u8, input: &mut Input<'_>) -> Result<Vec<u8>, Malformed> {
    let mut members: Vec<(Vec<u8>, f64)> = Vec::new();
    if matches!(code, ZSET | ZSET_2) {
        for _ in 0..input.length()? {
            let member = input.string()?;
            members.push((member, if code == ZSET_2 { input.double()? } else { input.double_text()? }));
        }
    } else {
        let bytes = input.string()?;
        let entries = if code == ZSET_ZIPLIST { packs::ziplist(&bytes)? } else { packs::listpack(&bytes)? };
        let (pairs, odd) = entries.as_chunks::<2>();
        if !odd.is_empty() {
            return Err(Malformed);
        }
        for [member, score] in pairs {
            let score = score.with_text(crate::util::number::parse_f64).ok_or(Malformed)?;
            members.push((member.with_text(<[u8]>::to_vec), score));
        }
    }
    if members.iter().any(|(_, score)| score.is_nan()) {
        return Err(Malformed);
    }
    members.sort_by(|(a, x), (b, y)| score::key(*x).cmp(&score::key(*y)).then_with(|| a.cmp(b)));
    let mut elements = Elements::default();
    members.iter().for_each(|(member, score)| {
        elements.bytes.extend_from_slice(&score::element(Entry::of(member), *score));
    });
    elements.all_different(2)
}

fn hash(code: u8, input: &mut Input<'_>) -> Result<Vec<u8>, Malformed> {
    let mut elements = Elements::default();
    let mut push = |field: &[u8], value: &[u8], expiry: u64| {
        if expiry > NOTE_MAX {
            return Err(Malformed);
        }
        if expiry != 0 {
            packed::encode_note(expiry, &mut elements.bytes);
        }
        elements.push(field);
        elements.push(value);
        Ok(())
    };
    // A field's expiry is told from the earliest of all; 0 means that it has none.
    let earliest = match code {
        HASH_METADATA | HASH_LISTPACK_EX => u64::try_from(input.int64()?).map_err(|_| Malformed)?,
        _ => 0,
    };
    match code {
        HASH_VALKEY => {
            for _ in 0..input.length()? {
                let (field, value, expiry) = (input.string()?, input.string()?, input.int64()?);
                let expiry = if expiry == -1 { 0 } else { u64::try_from(expiry).map_err(|_| Malformed)?.max(1) };
                push(&field, &value, expiry)?;
            }
        }
        HASH | HASH_METADATA | HASH_METADATA_EARLY => {
            for _ in 0..input.length()? {
                let told = if code == HASH { 0 } else { input.length()? };
                let expiry = match (code, told) {
                    (HASH_METADATA, 1..) => told.checked_add(earliest).ok_or(Malformed)? - 1,
                    _ => told,
                };
                let (field, value) = (input.string()?, input.string()?);
                push(&field, &value, expiry)?;
            }
        }
        HASH_LISTPACK_EX | HASH_LISTPACK_EX_EARLY => {
            let bytes = input.string()?;
            let entries = packs::listpack(&bytes)?;
            let (triples, odd) = entries.as_chunks::<3>();
            if !odd.is_empty() {
                return Err(Malformed);
            }
            for [field, value, expiry] in triples {
                let PackEntry::Int(expiry) = expiry else { return Err(Malformed) };
                let expiry = u64::try_from(*expiry).map_err(|_| Malformed)?;
                field.with_text(|field| value.with_text(|value| push(field, value, expiry)))?;
            }
        }
        _ => {
            let bytes = input.string()?;
            let entries = match code {
                HASH_ZIPMAP => packs::zipmap(&bytes)?,
                HASH_ZIPLIST => packs::ziplist(&bytes)?,
                _ => packs::listpack(&bytes)?,
            };
            let (pairs, odd) = entries.as_chunks::<2>();
            if !odd.is_empty() {
                return Err(Malformed);
            }
            for [field, value] in pairs {
                field.with_text(|field| value.with_text(|value| push(field, value, 0)))?;
            }
        }
    }
    elements.all_different(2)
}

impl Restored {
    /// Whether it is a collection that cannot be: only a stream may be empty.
    pub fn lacks_elements(&self) -> bool {
        !matches!(self, Restored::String(_) | Restored::Stream(_)) && self.len() == 0
    }

    /// Bytes of the text or of the elements.
    #[expect(clippy::len_without_is_empty, reason = "only strings can be empty")]
    pub fn len(&self) -> usize {
        match self {
            Restored::String(bytes)
            | Restored::List(bytes)
            | Restored::Set(bytes)
            | Restored::ZSet(bytes)
            | Restored::Hash(bytes) => bytes.len(),
            Restored::Stream(stream) => stream.len(),
            Restored::Array(array) => array.elements.len(),
        }
    }
}

/// How values are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Form {
    /// Strings are compressed when it pays.
    pub compress: bool,
    /// Every server since Redis 7.0 is to read it: when a consumer was last active is left out then.
    pub wide: bool,
}

/// Appends the code and the value of a collection, or of a string whose text is given. False: there is nothing to write,
/// as of a hash whose fields have all expired.
pub fn put_value(out: &mut Vec<u8>, view: &View<'_>, text: &[u8], form: Form, now: UnixMillis) -> bool {
    let Form { compress, wide } = form;
    let mut digits = itoa::Buffer::new();
    match view.kind {
        Type::String => {
            out.push(STRING);
            put_string(out, text, compress);
        }
        Type::List => {
            let list = List::new(*view);
            out.push(LIST);
            put_length(out, list.len());
            list.iter(0).for_each(|element| put_string(out, element.first().text(&mut digits), compress));
        }
        Type::Set => {
            let set = Set::new(*view);
            out.push(SET);
            put_length(out, set.len());
            set.iter().for_each(|element| put_string(out, element.first().text(&mut digits), compress));
        }
        Type::ZSet => {
            let zset = ZSet::new(*view);
            out.push(ZSET_2);
            put_length(out, zset.len());
            for element in zset.iter(0) {
                put_string(out, element.first().text(&mut digits), compress);
                out.extend(score_of(&element).to_le_bytes());
            }
        }
        Type::Hash => {
            let hash = Hash::at(*view, now);
            if hash.live() == 0 {
                return false;
            }
            let earliest = hash.iter().filter_map(|element| element.note).min();
            out.push(if earliest.is_some() { HASH_METADATA } else { HASH });
            if let Some(earliest) = earliest {
                out.extend(earliest.to_le_bytes());
            }
            put_length(out, hash.live());
            for element in hash.iter() {
                if let Some(earliest) = earliest {
                    put_length(out, element.note.map_or(0, |at| at - earliest + 1));
                }
                put_string(out, element.first().text(&mut digits), compress);
                put_string(out, element.second().text(&mut digits), compress);
            }
        }
        Type::Stream => {
            let stream = Stream::new(*view);
            let code = if wide { STREAM_2 } else { stream::code_for(&stream) };
            out.push(code);
            stream::put(out, code, &stream, compress, now);
        }
        Type::Array => {
            out.push(ARRAY);
            array::put(out, &Array::new(*view), compress);
        }
    }
    true
}
