//! The item: a key and its value in one chunk.
//!
//! ```text
//! u8 kind 4 | encoding 2 | wide expiry 1 | has expiry 1
//! u8 key length; 255: u32 follows the next field
//! u16 bytes used in all; 0xFFFF: u64 follows (after the long key length, if any)
//! [6 or 8 B expiry, ms since the epoch]  key  value
//! ```
//!
//! An item beyond the largest class has its length in 8 bytes, and room for an expiry of 8, whether it has one (else it is
//! marked as wide only): so where its value begins follows from its key alone, and a time to live moves no large value.
//! An integer is stored in 1, 2, 4 or 8 bytes. All fields are little-endian. The kind is never 0
//! and never 15, so an item's first byte is neither "unused" nor "free" nor an index chunk's tag.

use super::{Encoding, Item, Type, Value};
use crate::util::clock::UnixMillis;

const LONG_KEY: u8 = u8::MAX;
const LONG: u16 = u16::MAX;
const NARROW_MAX: i64 = (1 << 48) - 1;

/// The fields before the key, and where key and value lie in the chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub kind: Type,
    pub encoding: Encoding,
    pub expiry: Option<UnixMillis>,
    pub key_at: usize,
    pub value_at: usize,
    pub end: usize,
}

impl Header {
    /// The header for an item with this key and a value of `value_len` bytes.
    pub fn plan(
        kind: Type,
        encoding: Encoding,
        expiry: Option<UnixMillis>,
        key_len: usize,
        value_len: usize,
    ) -> Header {
        let short = 4 + long_key(key_len) + expiry_len(expiry);
        let used = short + key_len + value_len;
        let is_large = used >= LONG as usize || used + 8 > crate::arena::MAX_SLAB;
        let value_at = if is_large { large_value_at(key_len) } else { short + key_len };
        Header { kind, encoding, expiry, key_at: value_at - key_len, value_at, end: value_at + value_len }
    }

    fn key_len(&self) -> usize {
        self.value_at - self.key_at
    }

    /// Whether there are a long length and room for an expiry.
    fn is_large(&self) -> bool {
        self.value_at == large_value_at(self.key_len())
    }

    /// Writes header and key; the value's bytes follow at `value_at`.
    pub fn write(&self, chunk: &mut [u8], key: &[u8]) {
        self.write_fields(chunk);
        chunk[self.key_at..self.value_at].copy_from_slice(key);
    }

    /// Writes what is before the key.
    pub fn write_fields(&self, chunk: &mut [u8]) {
        let key_len = self.key_len();
        chunk[0] = self.tag();
        let mut at = 4;
        if key_len >= LONG_KEY as usize {
            chunk[1] = LONG_KEY;
            chunk[at..at + 4].copy_from_slice(&(key_len as u32).to_le_bytes());
            at += 4;
        } else {
            chunk[1] = key_len as u8;
        }
        if self.is_large() {
            chunk[2..4].copy_from_slice(&LONG.to_le_bytes());
            chunk[at..at + 8].copy_from_slice(&(self.end as u64).to_le_bytes());
            at += 8;
        } else {
            chunk[2..4].copy_from_slice(&(self.end as u16).to_le_bytes());
        }
        if let Some(expiry) = self.expiry {
            let len = self.key_at - at;
            chunk[at..at + len].copy_from_slice(&expiry.to_le_bytes()[..len]);
        }
    }

    /// Reads a chunk's header; `None` when the chunk holds no item (or a damaged one).
    #[inline]
    pub fn read(chunk: &[u8]) -> Option<Header> {
        let [first, key_len, used_low, used_high] = *chunk.first_chunk::<4>()?;
        let (kind, encoding) = Encoding::of_tag(first)?;
        let mut at = 4;
        let mut key_len = key_len as usize;
        if key_len == LONG_KEY as usize {
            key_len = u32::from_le_bytes(*chunk.get(at..)?.first_chunk()?) as usize;
            at += 4;
        }
        let mut end = u16::from_le_bytes([used_low, used_high]) as usize;
        if end == LONG as usize {
            end = usize::try_from(u64::from_le_bytes(*chunk.get(at..)?.first_chunk()?)).ok()?;
            at += 8;
        }
        let expiry = match first & 3 {
            0 => None,
            2 => {
                at += 8;
                None
            }
            1 => {
                let mut bytes = [0; 8];
                bytes[..6].copy_from_slice(chunk.get(at..at + 6)?);
                at += 6;
                Some(i64::from_le_bytes(bytes))
            }
            _ => {
                at += 8;
                Some(i64::from_le_bytes(*chunk.get(at - 8..)?.first_chunk()?))
            }
        };
        let value_at = at.checked_add(key_len)?;
        (value_at <= end && end <= chunk.len()).then_some(Header { kind, encoding, expiry, key_at: at, value_at, end })
    }

    /// Whether a chunk holds an item with the same fields before its key, which is the same and of this length: then the value
    /// is of the same type and length.
    #[inline]
    pub fn is_alike(&self, chunk: &[u8], key_len: usize) -> bool {
        let mut fields = [0; 4];
        key_len < LONG_KEY as usize && self.end < LONG as usize && {
            fields[0] = self.tag();
            fields[1] = key_len as u8;
            fields[2..].copy_from_slice(&(self.end as u16).to_le_bytes());
            chunk.first_chunk() == Some(&fields)
        }
    }

    /// The first byte.
    #[inline]
    fn tag(&self) -> u8 {
        let wide = self.is_large() || expiry_len(self.expiry) == 8;
        (self.kind as u8) << 4 | self.encoding.code(self.kind) << 2 | (wide as u8) << 1 | self.expiry.is_some() as u8
    }

    /// Bytes that change when only the expiry does: whether `other` fits the same places.
    pub fn same_shape(&self, other: &Header) -> bool {
        self.key_at == other.key_at && self.value_at == other.value_at && self.end == other.end
    }
}

/// Bytes of the field for a long key's length.
fn long_key(key_len: usize) -> usize {
    if key_len >= LONG_KEY as usize { 4 } else { 0 }
}

/// Bytes of an expiry in an item that is not large.
fn expiry_len(expiry: Option<UnixMillis>) -> usize {
    match expiry {
        None => 0,
        Some(at) if (0..=NARROW_MAX).contains(&at) => 6,
        Some(_) => 8,
    }
}

/// Where the value begins in an item that is larger than the largest class.
pub fn large_value_at(key_len: usize) -> usize {
    4 + long_key(key_len) + 8 + 8 + key_len
}

/// The key of the item in a chunk.
#[inline]
pub(super) fn key_of(chunk: &[u8]) -> Option<&[u8]> {
    // The common shape: short key, short item, narrow expiry or none.
    let [first, key_len, used_low, used_high] = *chunk.first_chunk::<4>()?;
    if key_len != LONG_KEY && (used_low, used_high) != (0xFF, 0xFF) && first & 2 == 0 {
        let at = 4 + (first & 1) as usize * 6;
        return chunk.get(at..at + key_len as usize);
    }
    uncommon_key_of(chunk)
}

#[inline(never)]
fn uncommon_key_of(chunk: &[u8]) -> Option<&[u8]> {
    let header = Header::read(chunk)?;
    chunk.get(header.key_at..header.value_at)
}

/// The whole item in a chunk.
#[inline]
pub(super) fn read(chunk: &[u8]) -> Option<Item<'_>> {
    let header = Header::read(chunk)?;
    let bytes = chunk.get(header.value_at..header.end)?;
    let value = value_of(header.encoding, bytes)?;
    Some(Item { kind: header.kind, encoding: header.encoding, expiry: header.expiry, value })
}

/// What the bytes of a value mean.
#[inline]
pub(super) fn value_of(encoding: Encoding, bytes: &[u8]) -> Option<Value<'_>> {
    Some(match encoding {
        Encoding::Int => Value::Int(int_of(bytes)?),
        _ => Value::Bytes(bytes),
    })
}

fn int_of(bytes: &[u8]) -> Option<i64> {
    Some(match bytes.len() {
        1 => bytes[0] as i8 as i64,
        2 => i16::from_le_bytes(bytes.try_into().ok()?) as i64,
        4 => i32::from_le_bytes(bytes.try_into().ok()?) as i64,
        8 => i64::from_le_bytes(bytes.try_into().ok()?),
        _ => return None,
    })
}

/// The fewest of 1, 2, 4, 8 bytes that hold `n`.
pub(super) fn int_len(n: i64) -> usize {
    if i8::try_from(n).is_ok() {
        1
    } else if i16::try_from(n).is_ok() {
        2
    } else if i32::try_from(n).is_ok() {
        4
    } else {
        8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_every_shape_read_back() {
        for key_len in [0, 1, 254, 255, 300, 70_000] {
            for value_len in [0, 1, 100, 16_000, 16_380, 65_000, 100_000] {
                for expiry in [None, Some(1_700_000_000_000), Some(NARROW_MAX + 1), Some(i64::MAX)] {
                    let key = vec![b'k'; key_len];
                    let header = Header::plan(Type::String, Encoding::Raw, expiry, key_len, value_len);
                    let mut chunk = vec![7; header.end + 5];
                    header.write(&mut chunk, &key);
                    assert_eq!(Header::read(&chunk), Some(header));
                    assert_eq!(key_of(&chunk), Some(&key[..]));
                }
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_in_bounds() {
        for first in 0..=255u8 {
            for second in [0, 3, 254, 255] {
                let chunk = [first, second, 200, 0, 9, 9, 9, 9, 9, 9, 9, 9];
                assert!(Header::read(&chunk).is_none_or(|header| header.end <= chunk.len()));
                let _ = key_of(&chunk);
            }
        }
    }
}
