//! Arrays.
//!
//! ```text
//! length · 0, or 1 and where a value was inserted last
//! of each element: index · 0 and a string, 1 and an integer (8 bytes), 2 and a double (8 bytes), 3 and a short string
//! ```

use super::{
    Input, Malformed,
    input::{put_length, put_string},
};
use crate::types::{
    array::{Array, Cursor, INDEX_MAX, WIDTH, index_of, number},
    packed::{self, Entry},
};

pub const ARRAY: u8 = 28;

const TEXT: u64 = 0;
const INT: u64 = 1;
const DOUBLE: u64 = 2;
const SHORT: u64 = 3;
/// Bytes of a short string, at most.
const SHORT_MAX: usize = 7;
/// Integers that Redis keeps as such have so many bits.
const INT_BITS: u32 = 62;

/// An array that was read.
#[derive(Clone, PartialEq, Debug)]
pub struct RestoredArray {
    pub cursor: Cursor,
    /// Packed, in the order of their indexes, which are all different.
    pub elements: Vec<u8>,
}

pub fn read(input: &mut Input<'_>) -> Result<RestoredArray, Malformed> {
    let count = input.length()?;
    let cursor = match input.length()? {
        0 => Cursor::NONE,
        1 => Cursor(index(input)?),
        _ => return Err(Malformed),
    };
    let mut elements = Vec::new();
    let mut last = None;
    let mut in_order = true;
    for _ in 0..count {
        let index = index(input)?;
        in_order &= last.replace(index).is_none_or(|last| last < index);
        Entry::Int(index as i64).encode(&mut elements);
        let value = match input.length()? {
            INT => input.int64()?.to_string().into_bytes(),
            DOUBLE => number::double_text(input.double()?),
            TEXT => input.string()?,
            SHORT => Some(input.string()?).filter(|text| text.len() <= SHORT_MAX).ok_or(Malformed)?,
            _ => return Err(Malformed),
        };
        Entry::of(&value).encode(&mut elements);
    }
    Ok(RestoredArray { cursor, elements: if in_order { elements } else { sorted(&elements) } })
}

fn index(input: &mut Input<'_>) -> Result<u64, Malformed> {
    Some(input.length()?).filter(|index| *index <= INDEX_MAX).ok_or(Malformed)
}

/// The elements in order; of those that have the same index, the last.
fn sorted(elements: &[u8]) -> Vec<u8> {
    let mut all: Vec<_> = packed::elements(elements, 0, WIDTH).collect();
    all.sort_by_key(index_of);
    let last_of_each = all
        .iter()
        .enumerate()
        .filter(|(at, element)| all.get(at + 1).is_none_or(|next| index_of(next) != index_of(element)));
    last_of_each.flat_map(|(_, element)| element.bytes).copied().collect()
}

pub fn put(out: &mut Vec<u8>, array: &Array<'_>, compress: bool) {
    put_length(out, array.count());
    match array.cursor() {
        Cursor::NONE => put_length(out, 0),
        Cursor(last) => {
            put_length(out, 1);
            put_length(out, last);
        }
    }
    for element in array.iter(0) {
        put_length(out, index_of(&element));
        put_element(out, element.second(), compress);
    }
}

fn put_element(out: &mut Vec<u8>, value: Entry<'_>, compress: bool) {
    let mut digits = itoa::Buffer::new();
    match value {
        Entry::Int(n) if n << (64 - INT_BITS) >> (64 - INT_BITS) == n => {
            put_length(out, INT);
            out.extend(n.to_le_bytes());
        }
        _ => {
            let text = value.text(&mut digits);
            if let Some(double) = number::kept_as_double(text) {
                put_length(out, DOUBLE);
                out.extend(double.to_le_bytes());
            } else {
                put_length(out, if text.len() <= SHORT_MAX { SHORT } else { TEXT });
                put_string(out, text, compress);
            }
        }
    }
}
