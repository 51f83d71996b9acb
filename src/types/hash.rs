//! Hashes: fields and their values, packed or in a tree by the hash of the field.

use super::{
    home::{Home, View},
    kind::{Encoding, Type},
    packed::{self, Element, Entry},
    sequence::{self, Sequence},
    tree::{Order, Spot},
};
use crate::arena::ArenaFull;
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

/// A new hash without fields.
pub const EMPTY: (Type, Encoding, &[u8]) = (Type::Hash, Encoding::Listpack, &[0, 0]);

/// A hash to be read.
#[derive(Clone, Copy)]
pub struct Hash<'a> {
    view: View<'a>,
    fields: Sequence<'a>,
}

impl<'a> Hash<'a> {
    pub fn new(view: View<'a>) -> Hash<'a> {
        Hash { view, fields: view.sequence(0, ByField::WIDTH) }
    }

    pub fn len(&self) -> u64 {
        self.fields.len()
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// All fields with their values.
    pub fn iter(&self) -> impl Iterator<Item = Element<'a>> + use<'a> {
        self.fields.iter(0)
    }

    pub fn get(&self, field: &[u8]) -> Option<Entry<'a>> {
        self.find(field).1.map(|element| element.second())
    }

    /// The field of this rank with its value, in the hash's own order.
    pub fn nth(&self, rank: u64) -> Option<Element<'a>> {
        self.fields.get(rank).map(|(_, element)| element)
    }

    /// One step of HSCAN; see [`sequence::scan`].
    pub fn scan(&self, cursor: u64, count: u64, visit: &mut dyn FnMut(Element<'a>)) -> u64 {
        sequence::scan::<ByField>(&self.fields, self.view.hasher, cursor, count, visit)
    }

    /// The leaf where a field belongs, and its element if it is there.
    fn find(&self, field: &[u8]) -> (Spot, Option<Element<'a>>) {
        let spot = match self.fields.packed() {
            Some(_) => self.fields.by_rank(0),
            None => self.fields.by_key(self.view.hasher.hash_one(field)),
        };
        let found = packed::find(self.fields.leaf(&spot), &packed::encoded(field), ByField::WIDTH);
        (spot, found)
    }
}

/// Sets a field; answers whether it is new.
pub fn set(home: &mut dyn Home, field: &[u8], value: &[u8], limits: Limits) -> Result<bool, ArenaFull> {
    let view = home.view();
    let hash = Hash::new(view);
    if hash.fields.packed().is_some() && field.len().max(value.len()) > limits.value {
        sequence::plant::<ByField>(home, Encoding::HashTable)?;
        return set(home, field, value, limits);
    }
    let (spot, found) = hash.find(field);
    let Some(element) = found else {
        if hash.fields.packed().is_some() && hash.len() >= limits.entries {
            sequence::plant::<ByField>(home, Encoding::HashTable)?;
            return set(home, field, value, limits);
        }
        let end = hash.fields.leaf(&spot).len();
        sequence::splice::<ByField>(home, 0, &spot, end..end, &packed::element(&[field, value]), 1)?;
        return Ok(true);
    };
    let range = element.nth_range(1);
    sequence::splice::<ByField>(home, 0, &spot, range, &packed::encoded(value), 0)?;
    Ok(false)
}

/// Removes a field; answers whether it was there.
pub fn remove(home: &mut dyn Home, field: &[u8]) -> Result<bool, ArenaFull> {
    let (spot, found) = Hash::new(home.view()).find(field);
    let Some(range) = found.map(|element| element.range()) else { return Ok(false) };
    sequence::splice::<ByField>(home, 0, &spot, range, &[], -1)?;
    Ok(true)
}
