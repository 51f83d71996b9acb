//! Tables of a stream: trees of records, in the order of the bytes of their keys.

use crate::{
    arena::ArenaFull,
    types::{
        home::{Home, View},
        packed::{self, Element, Encoded, Entry},
        sequence::{self, Forward, Sequence, splice},
        tree::{Order, Root, Spot},
    },
};
use ahash::RandomState;
use std::ops::Range;

/// A key, and what is recorded of it.
const WIDTH: usize = 2;

/// The order of the keys' bytes.
pub struct ByBytes;

impl Order for ByBytes {
    const LEAF: usize = 1000;
    const WIDTH: usize = WIDTH;

    fn key(_: &RandomState, element: &Element<'_>) -> u64 {
        beginning(key_of(element))
    }
}

/// A key's first bytes: ordered as the keys are, as far as they tell them apart.
fn beginning(key: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = key.len().min(8);
    word[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(word)
}

pub fn key_of<'a>(element: &Element<'a>) -> &'a [u8] {
    text(element.first())
}

pub fn record_of<'a>(element: &Element<'a>) -> &'a [u8] {
    text(element.second())
}

fn text(entry: Entry<'_>) -> &[u8] {
    match entry {
        Entry::Text(text) => text,
        Entry::Int(_) => &[],
    }
}

/// A table to be read.
#[derive(Clone, Copy)]
pub struct Table<'a>(Sequence<'a>);

impl<'a> Table<'a> {
    pub fn new(view: &View<'a>, number: usize) -> Table<'a> {
        Table(view.sequence(number, WIDTH))
    }

    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// The record of a key.
    pub fn get(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.find(key).ok().map(|(_, element)| record_of(&element))
    }

    /// From the first key that does not come before `key` on.
    pub fn from(&self, key: &[u8]) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let begin = || -> Forward<'a> {
            let (spot, at) = self.place(key);
            self.0.iter_at(spot, at)
        };
        (self.len() > 0).then(begin).into_iter().flatten()
    }

    /// How many keys come before.
    pub fn rank(&self, key: &[u8]) -> u64 {
        if self.len() == 0 {
            return 0;
        }
        let (spot, at) = self.place(key);
        self.0.rank(&spot) + packed::count(&self.0.leaf(&spot)[..at], WIDTH) as u64
    }

    /// The element of this rank.
    pub fn nth(&self, rank: u64) -> Option<Element<'a>> {
        self.0.get(rank).map(|(_, element)| element)
    }

    /// Where the first key lies that does not come before `key`.
    fn place(&self, key: &[u8]) -> (Spot, usize) {
        let spot = self.0.by_order(beginning(key), |first| key_of(&first) <= key);
        let leaf = self.0.leaf(&spot);
        let at = packed::elements(leaf, 0, WIDTH).find(|element| key_of(element) >= key).map(|element| element.at);
        (spot, at.unwrap_or(leaf.len()))
    }

    /// A key's element, or where it belongs; of a table that has a tree.
    fn find(&self, key: &[u8]) -> Result<(Spot, Element<'a>), (Spot, usize)> {
        if self.len() == 0 {
            return Err((self.0.first(), 0));
        }
        let (spot, at) = self.place(key);
        match packed::elements(self.0.leaf(&spot), at, WIDTH).next() {
            Some(element) if key_of(&element) == key => Ok((spot, element)),
            _ => Err((spot, at)),
        }
    }
}

/// Makes a stream's tree if it is not there yet.
pub fn plant(home: &mut impl Home, number: usize) -> Result<(), ArenaFull> {
    if Root::read(home.view().value, number).is_some_and(|root| !root.node.is_null()) {
        return Ok(());
    }
    let owner = home.owner();
    let root = Root::create(home.heap_mut(), owner)?;
    home.splice(number * Root::BYTES..(number + 1) * Root::BYTES, &root.to_bytes())
        .inspect_err(|_| home.heap_mut().free(root.node))
}

/// Records something of a key, over what was recorded before.
pub fn put(home: &mut impl Home, number: usize, key: &[u8], record: &[u8]) -> Result<(), ArenaFull> {
    plant(home, number)?;
    let mut bytes = Encoded::new();
    match Table::new(&home.view(), number).find(key) {
        Ok((spot, element)) => {
            Entry::Text(record).encode(&mut bytes);
            let range = element.nth_range(1);
            splice::<ByBytes>(home, number, &spot, range, &bytes, 0)
        }
        Err((spot, at)) => {
            Entry::Text(key).encode(&mut bytes);
            Entry::Text(record).encode(&mut bytes);
            splice::<ByBytes>(home, number, &spot, at..at, &bytes, 1)
        }
    }
}

/// Forgets a key; answers whether it was there.
pub fn remove(home: &mut impl Home, number: usize, key: &[u8]) -> Result<bool, ArenaFull> {
    let found = Table::new(&home.view(), number).find(key).ok().map(|(spot, element)| (spot, element.range()));
    match found {
        Some((spot, range)) => splice::<ByBytes>(home, number, &spot, range, &[], -1).map(|()| true),
        None => Ok(false),
    }
}

/// Forgets the keys from the first up to, and without, the second; answers how many there were.
pub fn remove_range(home: &mut impl Home, number: usize, keys: Range<&[u8]>) -> Result<u64, ArenaFull> {
    let table = Table::new(&home.view(), number);
    let ranks = table.rank(keys.start)..table.rank(keys.end);
    let count = ranks.end.saturating_sub(ranks.start);
    if count > 0 {
        sequence::remove_ranks::<ByBytes>(home, number, ranks)?;
    }
    Ok(count)
}
