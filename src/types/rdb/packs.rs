//! The packed forms that older and newer servers write: listpack, ziplist, zipmap, intset. All of each is checked: what
//! it says of its lengths must be what is there.

use super::{Input, Malformed};
use crate::types::packed::Entry;

/// One entry of a listpack or ziplist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PackEntry<'a> {
    Int(i64),
    Text(&'a [u8]),
}

impl PackEntry<'_> {
    /// Calls `with` with the entry's text.
    pub fn with_text<R>(&self, with: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            PackEntry::Int(n) => with(itoa::Buffer::new().format(*n).as_bytes()),
            PackEntry::Text(text) => with(text),
        }
    }
}

const END: u8 = 0xFF;
/// A count that means "walk and see".
const UNKNOWN: u16 = u16::MAX;

fn int<const N: usize>(bytes: [u8; N]) -> i64 {
    let mut word = [if bytes[N - 1] & 0x80 != 0 { 0xFF } else { 0 }; 8];
    word[..N].copy_from_slice(&bytes);
    i64::from_le_bytes(word)
}

/// The entries of a listpack: total bytes u32, entries u16, entries, end.
pub fn listpack(bytes: &[u8]) -> Result<Vec<PackEntry<'_>>, Malformed> {
    let mut input = Input::new(bytes, usize::MAX);
    let total = u32::from_le_bytes(input.array()?);
    let count = u16::from_le_bytes(input.array()?);
    if total as usize != bytes.len() {
        return Err(Malformed);
    }
    let mut entries = Vec::new();
    loop {
        let before = input.len();
        let first = input.byte()?;
        if first == END {
            break;
        }
        let entry = match first {
            0x00..=0x7F => PackEntry::Int(first.into()),
            0x80..=0xBF => PackEntry::Text(input.bytes((first & 0x3F).into())?),
            0xC0..=0xDF => {
                let value = i64::from(first & 0x1F) << 8 | i64::from(input.byte()?);
                PackEntry::Int(if value >= 1 << 12 { value - (1 << 13) } else { value })
            }
            0xE0..=0xEF => {
                let len = usize::from(first & 0x0F) << 8 | usize::from(input.byte()?);
                PackEntry::Text(input.bytes(len)?)
            }
            0xF0 => {
                let len = u32::from_le_bytes(input.array()?);
                PackEntry::Text(input.bytes(len as usize)?)
            }
            0xF1 => PackEntry::Int(int::<2>(input.array()?)),
            0xF2 => PackEntry::Int(int::<3>(input.array()?)),
            0xF3 => PackEntry::Int(int::<4>(input.array()?)),
            0xF4 => PackEntry::Int(int::<8>(input.array()?)),
            _ => return Err(Malformed),
        };
        // The entry's length again, to be read from behind.
        let len = before - input.len();
        let (size, expected) = back_length(len);
        if input.bytes(size)? != &expected[..size] {
            return Err(Malformed);
        }
        entries.push(entry);
    }
    let whole = input.is_empty() && (count == UNKNOWN || usize::from(count) == entries.len());
    if whole { Ok(entries) } else { Err(Malformed) }
}

/// A listpack that is being made.
#[derive(Default)]
pub struct Listpack {
    bytes: Vec<u8>,
    count: usize,
}

impl Listpack {
    /// Bytes of the entries.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn entry(&mut self, entry: &Entry<'_>) {
        match entry {
            Entry::Int(n) => self.int(*n),
            Entry::Text(text) => self.text(text),
        }
    }

    pub fn int(&mut self, n: i64) {
        let start = self.bytes.len();
        match n {
            0..=127 => self.bytes.push(n as u8),
            -4096..=4095 => self.bytes.extend((0xC000 | n as u16 & 0x1FFF).to_be_bytes()),
            _ => {
                let (tag, len) = match n {
                    -0x8000..=0x7FFF => (0xF1, 2),
                    -0x80_0000..=0x7F_FFFF => (0xF2, 3),
                    -0x8000_0000..=0x7FFF_FFFF => (0xF3, 4),
                    _ => (0xF4, 8),
                };
                self.bytes.push(tag);
                self.bytes.extend_from_slice(&n.to_le_bytes()[..len]);
            }
        }
        self.end(start);
    }

    fn text(&mut self, text: &[u8]) {
        let start = self.bytes.len();
        match text.len() {
            len @ 0..64 => self.bytes.push(0x80 | len as u8),
            len @ 64..4096 => self.bytes.extend((0xE000 | len as u16).to_be_bytes()),
            len => {
                self.bytes.push(0xF0);
                self.bytes.extend((len as u32).to_le_bytes());
            }
        }
        self.bytes.extend_from_slice(text);
        self.end(start);
    }

    fn end(&mut self, start: usize) {
        let (size, back) = back_length(self.bytes.len() - start);
        self.bytes.extend_from_slice(&back[..size]);
        self.count += 1;
    }

    pub fn append(&mut self, other: &Listpack) {
        self.bytes.extend_from_slice(&other.bytes);
        self.count += other.count;
    }

    /// The whole, with its header and end.
    pub fn finish(self) -> Vec<u8> {
        let total = self.bytes.len() + 7;
        let mut whole = Vec::with_capacity(total);
        whole.extend((total as u32).to_le_bytes());
        whole.extend(u16::try_from(self.count).unwrap_or(UNKNOWN).to_le_bytes());
        whole.extend_from_slice(&self.bytes);
        whole.push(END);
        whole
    }
}

/// How a listpack writes an entry's length behind it: seven bits a byte, the highest first, all but the first marked.
fn back_length(len: usize) -> (usize, [u8; 5]) {
    let size = match len {
        0..=127 => 1,
        128..=16382 => 2,
        16383..=2097150 => 3,
        2097151..=268435454 => 4,
        _ => 5,
    };
    let mut bytes = [0; 5];
    for (index, byte) in bytes[..size].iter_mut().enumerate() {
        let part = (len >> (7 * (size - 1 - index))) as u8 & 0x7F;
        *byte = if index == 0 { part } else { part | 0x80 };
    }
    (size, bytes)
}

/// The entries of a ziplist: total bytes u32, offset of the last entry u32, entries u16, entries, end. Each entry begins with
/// the length of the one before it.
pub fn ziplist(bytes: &[u8]) -> Result<Vec<PackEntry<'_>>, Malformed> {
    let mut input = Input::new(bytes, usize::MAX);
    let total = u32::from_le_bytes(input.array()?);
    let tail = u32::from_le_bytes(input.array()?);
    let count = u16::from_le_bytes(input.array()?);
    if total as usize != bytes.len() {
        return Err(Malformed);
    }
    let (mut entries, mut previous, mut last) = (Vec::new(), 0, bytes.len() - input.len());
    loop {
        let at = bytes.len() - input.len();
        let first = input.byte()?;
        if first == END {
            break;
        }
        let said = if first == 0xFE { u32::from_le_bytes(input.array()?) as usize } else { first.into() };
        if said != previous {
            return Err(Malformed);
        }
        let first = input.byte()?;
        entries.push(match first {
            0x00..=0x3F => PackEntry::Text(input.bytes(first.into())?),
            0x40..=0x7F => {
                let len = usize::from(first & 0x3F) << 8 | usize::from(input.byte()?);
                PackEntry::Text(input.bytes(len)?)
            }
            0x80 => {
                let len = u32::from_be_bytes(input.array()?);
                PackEntry::Text(input.bytes(len as usize)?)
            }
            0xC0 => PackEntry::Int(int::<2>(input.array()?)),
            0xD0 => PackEntry::Int(int::<4>(input.array()?)),
            0xE0 => PackEntry::Int(int::<8>(input.array()?)),
            0xF0 => PackEntry::Int(int::<3>(input.array()?)),
            0xFE => PackEntry::Int(int::<1>(input.array()?)),
            0xF1..=0xFD => PackEntry::Int(i64::from(first & 0x0F) - 1),
            _ => return Err(Malformed),
        });
        (previous, last) = (bytes.len() - input.len() - at, at);
    }
    let whole = input.is_empty() && tail as usize == last && (count == UNKNOWN || usize::from(count) == entries.len());
    if whole { Ok(entries) } else { Err(Malformed) }
}

/// The fields and values of a zipmap, in which small hashes were stored before version 4 of the format.
pub fn zipmap(bytes: &[u8]) -> Result<Vec<PackEntry<'_>>, Malformed> {
    fn length(input: &mut Input<'_>, first: u8) -> Result<usize, Malformed> {
        match first {
            0..254 => Ok(first.into()),
            254 => Ok(u32::from_le_bytes(input.array()?) as usize),
            255 => Err(Malformed),
        }
    }
    let mut input = Input::new(bytes, usize::MAX);
    let count = input.byte()?;
    let mut entries = Vec::new();
    loop {
        let first = input.byte()?;
        if first == END {
            break;
        }
        let len = length(&mut input, first)?;
        entries.push(PackEntry::Text(input.bytes(len)?));
        let first = input.byte()?;
        let len = length(&mut input, first)?;
        // Room that the value does not use.
        let free = input.byte()?;
        entries.push(PackEntry::Text(input.bytes(len)?));
        input.bytes(free.into())?;
    }
    let whole = input.is_empty() && (count >= 254 || usize::from(count) == entries.len() / 2);
    if whole { Ok(entries) } else { Err(Malformed) }
}

/// The integers of an intset: bytes of each u32, how many u32, the integers in ascending order.
pub fn intset(bytes: &[u8]) -> Result<Vec<PackEntry<'_>>, Malformed> {
    let mut input = Input::new(bytes, usize::MAX);
    let (width, count) = (u32::from_le_bytes(input.array()?), u32::from_le_bytes(input.array()?));
    if !matches!(width, 2 | 4 | 8) || input.len() as u64 != u64::from(width) * u64::from(count) {
        return Err(Malformed);
    }
    let mut numbers = Vec::with_capacity(count as usize);
    while !input.is_empty() {
        let number = match width {
            2 => int::<2>(input.array()?),
            4 => int::<4>(input.array()?),
            _ => int::<8>(input.array()?),
        };
        if numbers.last().is_some_and(|last| *last >= number) {
            return Err(Malformed);
        }
        numbers.push(number);
    }
    Ok(numbers.into_iter().map(PackEntry::Int).collect())
}
