//! How many keys there are of each length: what INFO keysizes and `subexpiry` show.
//!
//! Per shard, database and type there is a counter for each power of two. What a key counts as is a matter of its item's
//! bytes alone, no node of a tree is looked at; so it is taken before and after whatever changes a key: when a value is
//! stored whole ([`Shard::put_value`]), a string is resized, an item goes, or a [`super::Cell`] writes to its value.
//!
//! An image keeps the counters, so that a start reads no keys. One that has none is counted by and by: every database has a
//! position up to which its keys are counted, and a change of a key beyond it counts nothing.

use super::{Encoding, Keyspace, Locked, Type, Value, item, item::Header, shard::Shard};
use crate::{
    arena::{Offset, ShardHeap},
    index::Index,
    types,
};
use std::ops::Range;

/// Counters of a type: for 0, 1, 2 to 3, 4 to 7 ... An arena has room for less than 2^39 elements or bytes.
pub const BINS: usize = 40;
/// The types whose lengths are counted, by their codes.
const TYPES: [Type; 5] = [Type::String, Type::List, Type::Set, Type::ZSet, Type::Hash];
/// What a row of an image says instead of a type when it counts hashes of which fields expire.
const FIELDS_EXPIRE: u8 = 0;
/// Keys that are counted under one hold of the lock.
const COUNTED_AT_A_TIME: usize = 1000;

/// What a key counts as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Size {
    kind: Type,
    bin: u8,
    fields_expire: bool,
    /// The key itself does not expire.
    only_fields: bool,
}

impl Size {
    /// Of a value as it lies in its item; `None` for a type that is not counted.
    #[inline]
    pub fn of(kind: Type, encoding: Encoding, value: &[u8], expires: bool) -> Option<Size> {
        let len = match (kind, encoding) {
            (Type::String, Encoding::Int) => match item::value_of(encoding, value)? {
                Value::Int(n) => digits(n),
                Value::Bytes(bytes) => bytes.len() as u64,
            },
            (Type::String, _) => value.len() as u64,
            _ if !is_counted(kind) => return None,
            _ => types::length(kind, encoding, value),
        };
        let fields_expire = kind == Type::Hash && types::hash::expiry::any(encoding, value);
        Some(Size { kind, bin: bin(len), fields_expire, only_fields: fields_expire && !expires })
    }

    /// Of a string of so many bytes.
    #[inline]
    pub fn of_string(len: usize) -> Option<Size> {
        Some(Size { kind: Type::String, bin: bin(len as u64), fields_expire: false, only_fields: false })
    }

    /// Of a collection whose value begins with these bytes: as [`Self::of`], but that no fields expire. (What is written
    /// there changes nothing of that.)
    #[inline]
    pub fn of_start(kind: Type, encoding: Encoding, start: &[u8]) -> Option<Size> {
        let size = |len| Size { kind, bin: bin(len), fields_expire: false, only_fields: false };
        is_counted(kind).then(|| size(types::length(kind, encoding, start)))
    }

    /// Whether it takes a look at the whole value of a collection, of `len` bytes, before and after so many bytes take the
    /// place of `range`, to tell what it counts as. Otherwise what is written at its start, if anything, tells that.
    #[inline]
    pub fn needs_a_look(encoding: Encoding, len: usize, range: &Range<usize>, with: usize) -> bool {
        match encoding {
            Encoding::Stream | Encoding::StreamEx | Encoding::ArrayPacked | Encoding::ArrayTree => false,
            // Any of the elements may be the only one that expires.
            Encoding::ListpackEx => true,
            // Behind the root there is what is known of fields that expire.
            Encoding::HashTable => range.len() != with,
            Encoding::SkipList | Encoding::Quicklist => false,
            // Elements that are too many for their count are counted.
            _ => range.start == 0 && (range.len() != with || len >= usize::from(u16::MAX)),
        }
    }

    pub fn fields_expire(size: Option<Size>) -> bool {
        size.is_some_and(|size| size.fields_expire)
    }

    fn at(heap: &ShardHeap, at: Offset) -> Option<Size> {
        let chunk = heap.chunk(at);
        let Header { kind, encoding, expiry, value_at, end, .. } = Header::read(chunk)?;
        Size::of(kind, encoding, chunk.get(value_at..end)?, expiry.is_some())
    }
}

#[inline]
fn is_counted(kind: Type) -> bool {
    kind as usize <= TYPES.len()
}

#[inline]
fn bin(len: u64) -> u8 {
    (u64::BITS - len.leading_zeros()).min(BINS as u32 - 1) as u8
}

/// Characters of a number's text.
fn digits(n: i64) -> u64 {
    u64::from(n < 0) + 1 + u64::from(n.unsigned_abs().checked_ilog10().unwrap_or(0))
}

/// The counters of a database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeySizes {
    keys: [[u64; BINS]; TYPES.len()],
    /// Hashes of which fields expire. A large one counts until its sweep has found that none does any more.
    pub fields_expire: u64,
    /// Those of them that do not expire themselves.
    pub only_fields: u64,
}

impl Default for KeySizes {
    fn default() -> KeySizes {
        KeySizes { keys: [[0; BINS]; TYPES.len()], fields_expire: 0, only_fields: 0 }
    }
}

impl KeySizes {
    /// Each type with its counters.
    pub fn by_type(&self) -> impl Iterator<Item = (Type, &[u64; BINS])> {
        TYPES.into_iter().zip(&self.keys)
    }

    // Saturating: an image's counters are believed, and may be wrong.
    fn add(&mut self, size: Size) {
        self.of(size, u64::saturating_add);
    }

    fn subtract(&mut self, size: Size) {
        self.of(size, u64::saturating_sub);
    }

    fn of(&mut self, size: Size, step: impl Fn(u64, u64) -> u64) {
        let count = &mut self.keys[size.kind as usize - 1][size.bin as usize];
        *count = step(*count, 1);
        self.fields_expire = step(self.fields_expire, size.fields_expire.into());
        self.only_fields = step(self.only_fields, size.only_fields.into());
    }

    fn append(&mut self, other: &KeySizes) {
        for (sum, count) in self.keys.iter_mut().flatten().zip(other.keys.iter().flatten()) {
            *sum = sum.saturating_add(*count);
        }
        self.fields_expire = self.fields_expire.saturating_add(other.fields_expire);
        self.only_fields = self.only_fields.saturating_add(other.only_fields);
    }
}

/// A counter that is not zero, as an image keeps it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SizeRow {
    pub shard: u8,
    pub database: u8,
    /// The code of a type, or 0: hashes of which fields expire, in bin 1 those that do not expire themselves.
    pub kind: u8,
    pub bin: u8,
    pub keys: u64,
}

impl SizeRow {
    /// Whether there may be such a counter.
    pub fn is_possible(&self) -> bool {
        usize::from(self.bin) < if self.kind == FIELDS_EXPIRE { 2 } else { BINS }
            && usize::from(self.kind) <= TYPES.len()
    }
}

/// The counters of a shard.
#[derive(Default)]
pub(super) struct ShardSizes {
    /// Made when a database has its first key.
    databases: Vec<Option<Box<KeySizes>>>,
    /// Per database, the position in its index from which on keys are not counted yet.
    uncounted: Vec<Option<u64>>,
}

impl ShardSizes {
    pub fn new(databases: usize) -> ShardSizes {
        ShardSizes { databases: vec![None; databases], uncounted: vec![None; databases] }
    }

    /// A key that was `old` (`None`: not there, or not counted) is `new`. `position`: of its hash, in the index.
    #[inline]
    pub fn change(&mut self, db: usize, position: u64, old: Option<Size>, new: Option<Size>) {
        if old != new {
            self.count(db, position, old, new);
        }
    }

    fn count(&mut self, db: usize, position: u64, old: Option<Size>, new: Option<Size>) {
        if self.uncounted[db].is_some_and(|from| position >= from) {
            return;
        }
        let sizes = self.databases[db].get_or_insert_default();
        old.into_iter().for_each(|size| sizes.subtract(size));
        new.into_iter().for_each(|size| sizes.add(size));
    }

    /// Hashes of which fields expire, but not the key.
    pub fn only_fields(&self, db: usize) -> u64 {
        self.databases[db].as_ref().map_or(0, |sizes| sizes.only_fields)
    }

    /// The database is empty, and so are its counters.
    pub fn clear(&mut self, db: usize) {
        (self.databases[db], self.uncounted[db]) = (None, None);
    }

    pub fn swap(&mut self, a: usize, b: usize) {
        self.databases.swap(a, b);
        self.uncounted.swap(a, b);
    }

    /// What an image keeps.
    pub fn rows(&self, shard: u8) -> Vec<SizeRow> {
        debug_assert!(self.uncounted.iter().all(Option::is_none), "an image is written of keys that are all counted");
        let mut rows = Vec::new();
        for (database, sizes) in self.databases.iter().enumerate() {
            let Some(sizes) = sizes else { continue };
            let row = |kind, bin, keys| SizeRow { shard, database: database as u8, kind, bin, keys };
            rows.push(row(FIELDS_EXPIRE, 0, sizes.fields_expire));
            rows.push(row(FIELDS_EXPIRE, 1, sizes.only_fields));
            for (kind, counts) in sizes.by_type() {
                rows.extend((0..).zip(counts).map(|(bin, keys)| row(kind as u8, bin, *keys)));
            }
        }
        rows.retain(|row| row.keys > 0);
        rows
    }
}

impl Shard {
    /// What the key of an item counts as.
    #[inline]
    pub fn size_at(&self, at: Offset) -> Option<Size> {
        Size::at(&self.heap, at)
    }

    /// A key with this hash that counted as `old` counts as `new` from now on.
    #[inline]
    pub fn resized(&mut self, db: usize, hash: u64, old: Option<Size>, new: Option<Size>) {
        self.sizes.change(db, hash << self.shard_bits, old, new);
    }

    /// Takes over a counter of an image; false when it cannot be one.
    fn adopt_size(&mut self, row: &SizeRow) -> bool {
        let Some(place) = self.sizes.databases.get_mut(usize::from(row.database)) else { return false };
        let sizes = place.get_or_insert_default();
        match usize::from(row.kind).checked_sub(1) {
            None if row.bin == 0 => sizes.fields_expire = row.keys,
            None => sizes.only_fields = row.keys,
            Some(kind) => sizes.keys[kind][usize::from(row.bin)] = row.keys,
        }
        true
    }

    /// None of the keys is counted; [`Self::count_some`] does it.
    fn forget_sizes(&mut self) {
        self.sizes = ShardSizes::new(self.indexes.len());
        for (from, index) in self.sizes.uncounted.iter_mut().zip(&self.indexes) {
            *from = (!index.is_empty()).then_some(0);
        }
    }

    /// Counts some keys that are not yet counted; false when none are left.
    pub(super) fn count_some(&mut self) -> bool {
        let Some((db, from)) = (0..).zip(&self.sizes.uncounted).find_map(|(db, from)| Some((db, (*from)?))) else {
            return false;
        };
        let mut sizes = self.sizes.databases[db].take().unwrap_or_default();
        let next = self.indexes[db].walk(&self.heap, from, COUNTED_AT_A_TIME, |_, slot| {
            // Where segments have merged since the last step, the walk begins a little before its end.
            let key = item::key_of(self.heap.chunk(slot.location()));
            if key.is_some_and(|key| self.hasher().hash_one(key) << self.shard_bits >= from) {
                Size::at(&self.heap, slot.location()).into_iter().for_each(|size| sizes.add(size));
            }
        });
        self.sizes.databases[db] = Some(sizes);
        self.sizes.uncounted[db] = next;
        true
    }

    /// Counts all keys at once: after the index was made anew.
    pub fn recount(&mut self) {
        self.forget_sizes();
        while self.count_some() {}
    }

    /// The counters of a database as a look at every key finds them.
    fn counted_anew(&self, index: &Index) -> KeySizes {
        let mut sizes = KeySizes::default();
        let mut position = Some(0);
        while let Some(from) = position {
            position = index.walk(&self.heap, from, usize::MAX, |_, slot| {
                Size::at(&self.heap, slot.location()).into_iter().for_each(|size| sizes.add(size));
            });
        }
        sizes
    }
}

impl Keyspace {
    /// After a restart: the counters of an image.
    pub fn adopt_sizes(&self, rows: &[SizeRow]) -> bool {
        rows.iter().all(|row| {
            let shard = self.shards.get(usize::from(row.shard));
            row.is_possible() && shard.is_some_and(|shard| shard.0.lock().adopt_size(row))
        })
    }

    /// After a restart from an image without counters: all keys are to be counted.
    pub fn forget_sizes(&self) {
        self.shards.iter().for_each(|shard| shard.0.lock().forget_sizes());
    }

    /// Counts the keys that are not yet counted, some at a time.
    pub fn count_sizes(&self, go_on: &mut dyn FnMut() -> bool) {
        for shard in &self.shards {
            let some = || {
                let mut shard = shard.0.lock();
                let epoch = self.arena.epoch();
                shard.enter(epoch);
                shard.count_some()
            };
            while go_on() && some() {}
        }
    }
}

impl Locked<'_> {
    /// How many keys of a database there are of each length.
    pub fn key_sizes(&mut self, db: usize) -> KeySizes {
        let mut sum = KeySizes::default();
        self.each_shard(|shard| {
            if let Some(Some(sizes)) = shard.sizes.databases.get(db) {
                sum.append(sizes);
            }
        });
        sum
    }

    /// The same, found by a look at every key.
    pub fn key_sizes_counted_anew(&mut self, db: usize) -> KeySizes {
        let mut sum = KeySizes::default();
        self.each_shard(|shard| {
            if let Some(index) = shard.indexes.get(db) {
                sum.append(&shard.counted_anew(index));
            }
        });
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_is_a_power_of_two() {
        let cases = [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (1 << 38, 39), (u64::MAX, 39)];
        cases.into_iter().for_each(|(len, want)| assert_eq!(bin(len), want, "{len}"));
    }

    #[test]
    fn a_number_is_as_long_as_its_text() {
        for n in [0, 9, 10, -1, -9, -10, 999, 1000, i64::MAX, i64::MIN] {
            assert_eq!(digits(n), n.to_string().len() as u64, "{n}");
        }
    }
}
