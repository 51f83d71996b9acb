//! Hashes: fields and their values, packed or in a tree by the hash of the field.
//!
//! The expiry of a field is the note before its element. A field whose time has passed is not there
//! for a reader; [`expiry`] tells when the next one is to be removed, and removes it.

pub mod expiry;

use super::{
    home::{Home, View},
    kind::{Encoding, Type},
    packed::{self, Element, Encoded, Entry},
    sequence::{self, Sequence},
    tree::{Order, Spot},
};
use crate::{arena::ArenaFull, config::Settings, util::clock::UnixMillis};
use ahash::RandomState;

/// A tree of fields with their values by the hash of each field.
pub struct ByField;

impl Order for ByField {
    const LEAF: usize = 1000;
    const WIDTH: usize = 2;
    const LOOSE: bool = true;

    fn key(hasher: &RandomState, element: &Element<'_>) -> u64 {
        hasher.hash_one(element.first().text(&mut itoa::Buffer::new()))
    }
}

/// When a packed hash becomes a tree: `hash-max-listpack-entries` and `-value`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub entries: u64,
    pub value: usize,
}

impl Limits {
    pub fn of(settings: &Settings) -> Limits {
        Limits {
            entries: settings.hash_max_listpack_entries,
            value: usize::try_from(settings.hash_max_listpack_value).unwrap_or(usize::MAX),
        }
    }
}

/// A new hash without fields.
pub const EMPTY: (Type, Encoding, &[u8]) = (Type::Hash, Encoding::Listpack, &[0, 0]);

/// What becomes of a field's expiry when its value is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldTtl {
    Clear,
    Keep,
    At(UnixMillis),
}

/// A hash to be read at a moment.
#[derive(Clone, Copy)]
pub struct Hash<'a> {
    view: View<'a>,
    fields: Sequence<'a>,
    now: UnixMillis,
    /// Whether there may be fields whose time has passed.
    some_expired: bool,
}

/// Whether a field is there at `now`.
#[inline]
fn lives(element: &Element<'_>, now: UnixMillis) -> bool {
    element.note.is_none_or(|at| at as i64 > now)
}

impl<'a> Hash<'a> {
    /// The hash with all its fields, whether their time has passed or not.
    #[inline]
    pub fn new(view: View<'a>) -> Hash<'a> {
        Hash { view, fields: view.sequence(0, ByField::WIDTH), now: UnixMillis::MIN, some_expired: false }
    }

    /// The hash as it is at `now`.
    #[inline]
    pub fn at(view: View<'a>, now: UnixMillis) -> Hash<'a> {
        let some_expired = expiry::next(&view).is_some_and(|next| next <= now);
        Hash { now, some_expired, ..Hash::new(view) }
    }

    /// Whether there may be fields whose time has passed.
    pub fn some_expired(&self) -> bool {
        self.some_expired
    }

    /// Fields, with those not yet removed whose time has passed.
    pub fn len(&self) -> u64 {
        self.fields.len()
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Fields that are there.
    pub fn live(&self) -> u64 {
        if self.some_expired { self.iter().count() as u64 } else { self.len() }
    }

    /// All fields with their values.
    pub fn iter(&self) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let now = self.now;
        self.fields.iter(0).filter(move |element| lives(element, now))
    }

    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<Entry<'a>> {
        self.element(field).map(|element| element.second())
    }

    /// A field with its value and expiry.
    #[inline]
    pub fn element(&self, field: &[u8]) -> Option<Element<'a>> {
        self.look_up(field).filter(|element| lives(element, self.now))
    }

    /// Whether the field is stored but its time has passed.
    pub fn has_expired(&self, field: &[u8]) -> bool {
        self.some_expired && self.look_up(field).is_some_and(|element| !lives(&element, self.now))
    }

    /// The field of this rank with its value, in the hash's own order.
    pub fn nth(&self, rank: u64) -> Option<Element<'a>> {
        self.fields.get(rank).map(|(_, element)| element)
    }

    /// The ranks of the fields that are there, when others are stored as well.
    pub fn live_ranks(&self) -> Option<Vec<u64>> {
        let ranks = || (0..).zip(self.fields.iter(0)).filter(|(_, element)| lives(element, self.now));
        self.some_expired.then(|| ranks().map(|(rank, _)| rank).collect())
    }

    /// One step of HSCAN; see [`sequence::scan`].
    pub fn scan(&self, cursor: u64, count: u64, visit: &mut dyn FnMut(Element<'a>)) -> u64 {
        let now = self.now;
        sequence::scan::<ByField>(&self.fields, self.view.hasher, cursor, count, &mut |element| {
            if lives(&element, now) {
                visit(element);
            }
        })
    }

    /// A field that is stored, whether its time has passed or not.
    #[inline]
    fn look_up(&self, field: &[u8]) -> Option<Element<'a>> {
        self.fields.look_up(self.view.hasher, field)
    }

    /// The key of a field, the leaf where it belongs, and its element if it is there.
    #[inline(always)]
    fn find(&self, field: &[u8]) -> (u64, Spot, Option<Element<'a>>) {
        // The order of packed fields has nothing to do with their hashes.
        let key = if self.fields.packed().is_some() { 0 } else { self.view.hasher.hash_one(field) };
        let spot = self.fields.by_hash(key);
        let found = self.fields.find(&spot, key, &Entry::of(field));
        (key, spot, found)
    }
}

/// Sets a field; answers whether it is new. `ttl` must not name a time that has passed.
pub fn set(home: &mut impl Home, field: &[u8], value: &[u8], ttl: FieldTtl, limits: Limits) -> Result<bool, ArenaFull> {
    let view = home.view();
    let hash = Hash::new(view);
    if hash.fields.packed().is_some() && field.len().max(value.len()) > limits.value {
        expiry::plant(home)?;
        return set(home, field, value, ttl, limits);
    }
    let (key, spot, found) = hash.find(field);
    let note = match ttl {
        FieldTtl::Clear => None,
        FieldTtl::Keep => found.and_then(|element| element.note),
        FieldTtl::At(at) => Some(at as u64),
    };
    let is_new = found.is_none();
    if let Some(element) = found
        && element.note == note
    {
        let (range, value) = (element.nth_range(1), packed::encoded(value));
        match range.len() == value.len() {
            true => sequence::overwrite::<ByField>(home, 0, &spot, range, &value)?,
            false => sequence::splice::<ByField>(home, 0, &spot, range, &value, 0)?,
        }
        return Ok(false);
    }
    if is_new && hash.fields.packed().is_some() && hash.len() >= limits.entries {
        expiry::plant(home)?;
        return set(home, field, value, ttl, limits);
    }
    let mut bytes = Encoded::new();
    if let Some(note) = note {
        packed::encode_note(note, &mut bytes);
    }
    Entry::of(field).encode(&mut bytes);
    Entry::of(value).encode(&mut bytes);
    let old = found.and_then(|element| element.note);
    match found.map(|element| element.range()) {
        Some(range) => sequence::splice::<ByField>(home, 0, &spot, range, &bytes, 0)?,
        None => sequence::append::<ByField>(home, 0, &spot, key, &bytes)?,
    }
    match note {
        Some(note) => expiry::expect(home, old, note as i64)?,
        None => expiry::release(home, old)?,
    }
    Ok(is_new)
}

/// Removes a field; answers whether it was there.
pub fn remove(home: &mut impl Home, field: &[u8]) -> Result<bool, ArenaFull> {
    let (_, spot, found) = Hash::new(home.view()).find(field);
    let Some((range, note)) = found.map(|element| (element.range(), element.note)) else { return Ok(false) };
    sequence::splice::<ByField>(home, 0, &spot, range, &[], -1)?;
    expiry::release(home, note)?;
    Ok(true)
}

/// Gives a field that is there an expiry, or takes it away.
pub fn set_expiry(home: &mut impl Home, field: &[u8], at: Option<UnixMillis>) -> Result<(), ArenaFull> {
    let (_, spot, found) = Hash::new(home.view()).find(field);
    let Some(element) = found else { return Ok(()) };
    let mut with = Encoded::new();
    if let Some(at) = at {
        packed::encode_note(at as u64, &mut with);
    }
    with.extend_from_slice(element.encoded());
    let (range, note) = (element.range(), element.note);
    sequence::splice::<ByField>(home, 0, &spot, range, &with, 0)?;
    match at {
        Some(at) => expiry::expect(home, note, at),
        None => expiry::release(home, note),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{home::alone::Alone, tree};

    #[test]
    fn a_hash_becomes_a_tree_and_keeps_its_expiries() {
        let limits = Limits { entries: 4, value: 20 };
        let mut home = Alone::new(EMPTY, 16 << 20);
        let fields = if cfg!(miri) { 24 } else { 2000 };
        for n in 0..fields {
            let ttl = if n % 2 == 0 { FieldTtl::At(100 + n) } else { FieldTtl::Clear };
            assert!(set(&mut home, format!("field {n}").as_bytes(), b"value", ttl, limits).unwrap());
        }
        assert_eq!(home.encoding, Encoding::HashTable);
        assert_eq!(Hash::at(home.view(), 100 + fields).live(), fields as u64 / 2);
        assert_eq!(expiry::next(&home.view()), Some(100));
        assert!(!set(&mut home, b"field 1", b"another", FieldTtl::Keep, limits).unwrap());
        set_expiry(&mut home, b"field 1", Some(50)).unwrap();
        let root = tree::Root::read(&home.value, 0).unwrap();
        assert_eq!(tree::check_labels::<ByField>(&home.heap, home.view().hasher, root), Ok(()));
        assert_eq!(Hash::at(home.view(), 49).get(b"field 1"), Some(Entry::Text(b"another")));
        assert_eq!(Hash::at(home.view(), 50).get(b"field 1"), None);
        for n in 0..fields {
            assert!(remove(&mut home, format!("field {n}").as_bytes()).unwrap());
        }
        let root = tree::Root::read(&home.value, 0).unwrap();
        assert_eq!(tree::check(&home.heap, root, &mut |_| Ok(())), Ok(()));
        assert_eq!(tree::check_labels::<ByField>(&home.heap, home.view().hasher, root), Ok(()));
    }
}
