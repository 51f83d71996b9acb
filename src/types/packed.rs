//! Packed entries: the bytes of small collections and of tree leaves, one entry after the other.
//!
//! ```text
//! 0x00..=0x7F  the integer 0..=127
//! 0x80..=0xBF  text of 0..=63 bytes
//! 0xC0..=0xCF  text of up to 4095 bytes: 4 high bits here, 8 low bits in the next byte
//! 0xD0         text: u32 length follows
//! 0xD1..=0xD8  an integer of 1..=8 bytes
//! 0xE0         a note on the element that follows: 6 bytes (a field's expiry, ms)
//! ```
//!
//! All little-endian. Text that is the decimal form of an `i64` is always stored as the integer,
//! in the fewest bytes: so equal values have equal bytes, and a search compares bytes.
//!
//! An *element* is what a collection counts: one entry (list, set) or two (field and value,
//! member and score), after an optional note. Readers meet bytes from snapshots and never trust a
//! length: what does not fit ends the sequence.

use crate::util::number;
use smallvec::SmallVec;

const TEXT: u8 = 0x80;
const LONG_TEXT: u8 = 0xC0;
const HUGE_TEXT: u8 = 0xD0;
const INT: u8 = 0xD0;
const NOTE: u8 = 0xE0;
/// Bytes of a note with its tag.
pub const NOTE_LEN: usize = 7;
/// The largest note.
pub const NOTE_MAX: u64 = (1 << 48) - 1;

/// One value as it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Entry<'a> {
    Int(i64),
    Text(&'a [u8]),
}

impl<'a> Entry<'a> {
    /// The entry that a value is stored as.
    #[inline]
    pub fn of(value: &'a [u8]) -> Entry<'a> {
        if value.len() <= 20
            && let Some(n) = number::parse_i64(value)
        {
            return Entry::Int(n);
        }
        Entry::Text(value)
    }

    /// The value's text; a number's is written into `digits`.
    #[inline]
    pub fn text<'b>(&self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Entry::Int(n) => digits.format(*n).as_bytes(),
            Entry::Text(text) => text,
        }
    }

    pub fn to_vec(&self) -> Vec<u8> {
        self.text(&mut itoa::Buffer::new()).to_vec()
    }

    /// Bytes of the value's text.
    pub fn text_len(&self) -> usize {
        self.text(&mut itoa::Buffer::new()).len()
    }

    /// How many bytes it takes, and the last of them.
    #[inline]
    fn outline(&self) -> (usize, u8) {
        match *self {
            Entry::Int(n @ 0..=127) => (1, n as u8),
            Entry::Int(n) => (1 + int_len(n), n.to_le_bytes()[int_len(n) - 1]),
            Entry::Text(text) => {
                let head = match text.len() {
                    0..64 => 1,
                    64..4096 => 2,
                    _ => 5,
                };
                (head + text.len(), text.last().copied().unwrap_or(TEXT))
            }
        }
    }

    /// Appends the entry's bytes.
    #[inline]
    pub fn encode(&self, into: &mut impl Sink) {
        match *self {
            Entry::Int(n @ 0..=127) => into.push(n as u8),
            Entry::Int(n) => {
                let len = int_len(n);
                into.push(INT + len as u8);
                into.append(&n.to_le_bytes()[..len]);
            }
            Entry::Text(text) => {
                let len = text.len();
                if len < 64 {
                    into.push(TEXT + len as u8);
                } else if len < 4096 {
                    into.append(&[LONG_TEXT + (len >> 8) as u8, len as u8]);
                } else {
                    into.push(HUGE_TEXT);
                    into.append(&(len as u32).to_le_bytes());
                }
                into.append(text);
            }
        }
    }
}

/// The fewest bytes that hold an integer: its bits without the sign's repetitions, and one sign bit.
#[inline]
fn int_len(n: i64) -> usize {
    let bits = 65 - if n < 0 { (!n).leading_zeros() } else { n.leading_zeros() };
    bits.div_ceil(8) as usize
}

/// What bytes are encoded into.
pub trait Sink {
    fn push(&mut self, byte: u8);
    fn append(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn push(&mut self, byte: u8) {
        self.push(byte);
    }

    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for Encoded {
    #[inline]
    fn push(&mut self, byte: u8) {
        self.push(byte);
    }

    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A value in the form in which it is stored.
pub type Encoded = SmallVec<[u8; ENCODED]>;
const ENCODED: usize = 128;

/// Encodes one value.
#[inline]
pub fn encoded(value: &[u8]) -> Encoded {
    let entry = Entry::of(value);
    // Most are short texts: to append those to what may have to grow takes several times as long.
    if let Entry::Text(text) = entry
        && text.len() < 64
    {
        let mut bytes = [0; ENCODED];
        bytes[0] = TEXT + text.len() as u8;
        bytes[1..=text.len()].copy_from_slice(text);
        return Encoded::from_buf_and_len(bytes, 1 + text.len());
    }
    let mut bytes = Encoded::new();
    entry.encode(&mut bytes);
    bytes
}

/// Encodes the values of one element.
pub fn element(values: &[&[u8]]) -> Encoded {
    let mut bytes = Encoded::new();
    values.iter().for_each(|value| Entry::of(value).encode(&mut bytes));
    bytes
}

/// Appends a note for the element that follows.
pub fn encode_note(note: u64, into: &mut impl Sink) {
    into.push(NOTE);
    into.append(&note.min(NOTE_MAX).to_le_bytes()[..6]);
}

/// The note at `at`, if there is one, and where the element's entries begin.
#[inline]
pub fn note(bytes: &[u8], at: usize) -> (Option<u64>, usize) {
    match bytes.get(at..) {
        Some([NOTE, a, b, c, d, e, f, ..]) => (Some(u64::from_le_bytes([*a, *b, *c, *d, *e, *f, 0, 0])), at + NOTE_LEN),
        _ => (None, at),
    }
}

/// Where the entry at `at` ends; `None` at the end of the bytes.
#[inline]
pub fn entry_end(bytes: &[u8], at: usize) -> Option<usize> {
    let tag = *bytes.get(at)?;
    let end = match tag {
        0..TEXT => at + 1,
        TEXT..LONG_TEXT => at + 1 + (tag - TEXT) as usize,
        LONG_TEXT..HUGE_TEXT => at + 2 + (((tag - LONG_TEXT) as usize) << 8 | *bytes.get(at + 1)? as usize),
        HUGE_TEXT => at + 5 + u32::from_le_bytes(*bytes.get(at + 1..)?.first_chunk()?) as usize,
        0xD1..=0xD8 => at + 1 + (tag - INT) as usize,
        _ => return None,
    };
    (end <= bytes.len()).then_some(end)
}

/// Reads the entry at `at` and where it ends.
#[inline]
pub fn entry(bytes: &[u8], at: usize) -> Option<(Entry<'_>, usize)> {
    let end = entry_end(bytes, at)?;
    let tag = bytes[at];
    let entry = match tag {
        0..TEXT => Entry::Int(tag.into()),
        TEXT..LONG_TEXT => Entry::Text(&bytes[at + 1..end]),
        LONG_TEXT..HUGE_TEXT => Entry::Text(&bytes[at + 2..end]),
        HUGE_TEXT => Entry::Text(&bytes[at + 5..end]),
        _ => Entry::Int(integer_before(bytes, end, end - at - 1)),
    };
    Some((entry, end))
}

/// The integer of 1 to 8 bytes that ends at `end`: it is what is highest in the word that ends there.
#[inline]
fn integer_before(bytes: &[u8], end: usize, len: usize) -> i64 {
    let bytes = &bytes[..end];
    let word = bytes.last_chunk().copied().unwrap_or_else(|| {
        let mut word = [0; 8];
        word[8 - end..].copy_from_slice(bytes);
        word
    });
    i64::from_le_bytes(word) >> (64 - 8 * len)
}

/// Where the element of `width` entries at `at` ends.
#[inline]
pub fn element_end(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let (_, mut at) = note(bytes, at);
    for _ in 0..width {
        at = entry_end(bytes, at)?;
    }
    Some(at)
}

/// Where element number `index` begins, counted from the start; the end of the bytes when there
/// are fewer.
pub fn element_at(bytes: &[u8], index: usize, width: usize) -> usize {
    /// Elements that are stepped over at once.
    const STEP: usize = 8;
    let (mut at, mut left) = (0, index);
    while left > 0 {
        if left >= STEP
            && let Some(len) = if width == 1 { alike(bytes, at, STEP) } else { alike_pairs(bytes, at, STEP) }
        {
            (at, left) = (at + STEP * len, left - STEP);
            continue;
        }
        for _ in 0..left.min(STEP) {
            match element_end(bytes, at, width) {
                Some(end) => at = end,
                None => return bytes.len(),
            }
        }
        left -= left.min(STEP);
    }
    at
}

/// The length of each of the next `count` entries, when they begin with the same byte, as values of one kind tend to:
/// which is seen without a wait for one to learn where the next begins.
#[inline]
fn alike(bytes: &[u8], at: usize, count: usize) -> Option<usize> {
    let tag = *bytes.get(at).filter(|tag| (TEXT..LONG_TEXT).contains(tag))?;
    let len = 1 + (tag - TEXT) as usize;
    let entries = bytes.get(at..at + count * len)?;
    entries.iter().step_by(len).all(|first| *first == tag).then_some(len)
}

/// The same of elements of two entries, such as neighbouring indexes with values of one kind.
#[inline]
fn alike_pairs(bytes: &[u8], at: usize, count: usize) -> Option<usize> {
    // Entries that begin so are of one length.
    let shape = |tag: u8| if tag < TEXT { 0 } else { tag };
    let has_shape = |at: usize| bytes.get(at).is_some_and(|tag| matches!(tag, 0..LONG_TEXT | 0xD1..=0xD8));
    let second = entry_end(bytes, at).filter(|_| has_shape(at))?;
    let len = entry_end(bytes, second).filter(|_| has_shape(second))? - at;
    let shapes = (shape(bytes[at]), shape(bytes[second]));
    let elements = bytes.get(at..at + count * len)?;
    let mut pairs = elements.chunks_exact(len);
    pairs.all(|element| (shape(element[0]), shape(element[second - at])) == shapes).then_some(len)
}

/// An element where it lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Element<'a> {
    /// All its bytes, with its note.
    pub bytes: &'a [u8],
    /// Where they begin among all.
    pub at: usize,
    pub note: Option<u64>,
    /// Where the first entry begins in `bytes`.
    entries: usize,
    /// Where it ends, and the second begins if there is one.
    first_end: usize,
}

impl<'a> Element<'a> {
    /// Where it ends among all.
    pub fn end(&self) -> usize {
        self.at + self.bytes.len()
    }

    /// The element's own range among all bytes.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.at..self.end()
    }

    /// The bytes without the note.
    pub fn encoded(&self) -> &'a [u8] {
        &self.bytes[self.entries..]
    }

    /// The bytes of the first entry.
    #[inline]
    pub fn first_encoded(&self) -> &'a [u8] {
        &self.bytes[self.entries..self.first_end]
    }

    /// The first entry.
    #[inline]
    pub fn first(&self) -> Entry<'a> {
        entry(self.bytes, self.entries).map_or(Entry::Int(0), |(entry, _)| entry)
    }

    /// The second entry.
    #[inline]
    pub fn second(&self) -> Entry<'a> {
        self.nth(1)
    }

    /// Entry number `index`.
    #[inline]
    pub fn nth(&self, index: usize) -> Entry<'a> {
        entry(self.bytes, self.nth_at(index)).map_or(Entry::Int(0), |(entry, _)| entry)
    }

    /// Where entry number `index` begins in `bytes`.
    #[inline]
    fn nth_at(&self, index: usize) -> usize {
        if index == 0 {
            return self.entries;
        }
        (1..index).fold(self.first_end, |at, _| entry_end(self.bytes, at).unwrap_or(self.bytes.len()))
    }

    /// Where entry number `index` lies among all bytes.
    pub fn nth_range(&self, index: usize) -> std::ops::Range<usize> {
        let at = self.nth_at(index);
        self.at + at..self.at + entry_end(self.bytes, at).unwrap_or(self.bytes.len())
    }
}

/// The elements of packed bytes, in order.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    bytes: &'a [u8],
    at: usize,
    width: usize,
}

/// Walks elements of `width` entries from byte `at` on.
pub fn elements(bytes: &[u8], at: usize, width: usize) -> Elements<'_> {
    Elements { bytes, at, width }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        let element = read(self.bytes, self.at, self.width)?;
        self.at = element.end();
        Some(element)
    }
}

/// The element of `width` entries at `at`.
#[inline(always)]
fn read(bytes: &[u8], at: usize, width: usize) -> Option<Element<'_>> {
    let (note, entries) = note(bytes, at);
    let first_end = entry_end(bytes, entries)?;
    let mut end = first_end;
    for _ in 1..width {
        end = entry_end(bytes, end)?;
    }
    Some(Element { bytes: &bytes[at..end], at, note, entries: entries - at, first_end: first_end - at })
}

/// The element whose first entry is `wanted`.
#[inline]
pub fn find<'a>(bytes: &'a [u8], wanted: &Entry<'_>, width: usize) -> Option<Element<'a>> {
    let (len, last) = wanted.outline();
    let mut at = 0;
    loop {
        let element = read(bytes, at, width)?;
        let first = element.first_encoded();
        // Names of one kind tend to have one length and to differ at the end.
        if first.len() == len && first[len - 1] == last && element.first() == *wanted {
            return Some(element);
        }
        at = element.end();
    }
}

/// How many whole elements there are.
pub fn count(bytes: &[u8], width: usize) -> usize {
    std::iter::successors(Some(0), |at| element_end(bytes, *at, width)).count() - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_take_the_fewest_bytes_and_read_back() {
        for (n, len) in [
            (0, 1),
            (127, 1),
            (128, 3),
            (-1, 2),
            (-128, 2),
            (-129, 3),
            (32767, 3),
            (32768, 4),
            (i64::MAX, 9),
            (i64::MIN, 9),
            (1 << 40, 7),
        ] {
            let bytes = encoded(n.to_string().as_bytes());
            assert_eq!(bytes.len(), len, "{n}");
            assert_eq!(entry(&bytes, 0), Some((Entry::Int(n), len)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, ..ProptestConfig::default() })]
        #[test]
        fn values_read_back(values in prop::collection::vec(prop_oneof![
            any::<i64>().prop_map(|n| n.to_string().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..100),
            Just(vec![b'x'; 4095]), Just(vec![b'x'; 4096]), Just(vec![b'y'; if cfg!(miri) { 5000 } else { 70_000 }]),
        ], 0..20)) {
            let mut bytes = Vec::new();
            values.iter().for_each(|value| Entry::of(value).encode(&mut bytes));
            let read: Vec<Vec<u8>> = elements(&bytes, 0, 1).map(|element| element.first().to_vec()).collect();
            prop_assert_eq!(&read, &values);
            for value in &values {
                let found = find(&bytes, &Entry::of(value), 1).map(|element| element.first().to_vec());
                prop_assert_eq!(found.as_ref(), Some(value));
            }
        }

        #[test]
        fn arbitrary_bytes_stay_in_bounds(bytes in prop::collection::vec(any::<u8>(), 0..200), width in 1usize..4) {
            for element in elements(&bytes, 0, width) {
                prop_assert!(element.end() <= bytes.len());
                let _ = (element.first(), element.second(), element.nth_range(1));
            }
            let _ = find(&bytes, &Entry::Text(b"a"), width);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "arithmetic alone")]
    fn an_element_is_found_among_alike_and_different_ones() {
        let count = 200;
        let values = (0..count).map(|n| "x".repeat(if (50..120).contains(&n) { n % 7 } else { 3 }));
        let mut bytes = Vec::new();
        let starts: Vec<usize> = values
            .map(|value| {
                let at = bytes.len();
                Entry::of(value.as_bytes()).encode(&mut bytes);
                at
            })
            .collect();
        let found = (0..count).map(|index| element_at(&bytes, index, 1));
        assert!(found.eq(starts));
        assert_eq!(element_at(&bytes, count + 1, 1), bytes.len());
    }

    #[test]
    fn a_note_belongs_to_the_element_after_it() {
        let mut bytes = Vec::new();
        encode_note(1_700_000_000_000, &mut bytes);
        bytes.extend(element(&[b"field", b"value"]));
        bytes.extend(element(&[b"other", b"17"]));
        let all: Vec<_> = elements(&bytes, 0, 2).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].note, Some(1_700_000_000_000));
        assert_eq!(all[0].second(), Entry::Text(b"value"));
        assert_eq!((all[1].note, all[1].second()), (None, Entry::Int(17)));
        let found = find(&bytes, &Entry::of(b"field"), 2).unwrap();
        assert_eq!((found.at, found.note), (0, Some(1_700_000_000_000)));
        assert_eq!(bytes[found.nth_range(1)], encoded(b"value")[..]);
    }
}
