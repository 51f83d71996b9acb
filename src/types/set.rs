//! Sets: members as sorted integers, packed in any order, or in a tree by hash.

use super::{
    home::{Home, View},
    kind::{Encoding, Type},
    packed::{self, Element, Entry},
    sequence::{self, Sequence},
    tree::{self, Order, Spot},
};
use crate::{arena::ArenaFull, config::Settings};
use ahash::RandomState;

/// A tree of members by the hash of each.
pub struct ByMember;

impl Order for ByMember {
    const LEAF: usize = 1000;
    const WIDTH: usize = 1;
    const LOOSE: bool = true;

    fn key(hasher: &RandomState, element: &Element<'_>) -> u64 {
        hasher.hash_one(element.first().text(&mut itoa::Buffer::new()))
    }
}

/// When a set changes its encoding: `set-max-intset-entries`, `set-max-listpack-entries`, `-value`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub integers: u64,
    pub entries: u64,
    pub value: usize,
}

impl Limits {
    pub fn of(settings: &Settings) -> Limits {
        Limits {
            integers: settings.set_max_intset_entries,
            entries: settings.set_max_listpack_entries,
            value: usize::try_from(settings.set_max_listpack_value).unwrap_or(usize::MAX),
        }
    }
}

/// A new set for members of which this is the first; `hint` is how many there will be at least.
pub fn empty(first: &[u8], hint: u64, limits: Limits) -> (Type, Encoding, &'static [u8]) {
    let integer = matches!(Entry::of(first), Entry::Int(_));
    let encoding = if integer && hint <= limits.integers { Encoding::IntSet } else { Encoding::Listpack };
    (Type::Set, encoding, &[0, 0])
}

/// A set to be read.
#[derive(Clone, Copy)]
pub struct Set<'a> {
    view: View<'a>,
    members: Sequence<'a>,
}

impl<'a> Set<'a> {
    pub fn new(view: View<'a>) -> Set<'a> {
        Set { view, members: view.sequence(0, ByMember::WIDTH) }
    }

    pub fn len(&self) -> u64 {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = Element<'a>> + use<'a> {
        self.members.iter(0)
    }

    /// The member of this rank, in the set's own order.
    pub fn get(&self, rank: u64) -> Option<Element<'a>> {
        self.members.get(rank).map(|(_, element)| element)
    }

    pub fn contains(&self, member: &[u8]) -> bool {
        self.members.look_up(self.view.hasher, member).is_some()
    }

    /// As [`Self::contains`], for a member of another set.
    pub fn contains_entry(&self, member: &Entry<'_>) -> bool {
        self.contains(member.text(&mut itoa::Buffer::new()))
    }

    /// One step of SSCAN; see [`sequence::scan`].
    pub fn scan(&self, cursor: u64, count: u64, visit: &mut dyn FnMut(Element<'a>)) -> u64 {
        sequence::scan::<ByMember>(&self.members, self.view.hasher, cursor, count, visit)
    }

    /// The key of a member, the leaf where it belongs, and its element if it is there.
    #[inline(always)]
    fn find(&self, member: &[u8]) -> (u64, Spot, Option<Element<'a>>) {
        // The order of packed members has nothing to do with their hashes.
        let key = if self.members.packed().is_some() { 0 } else { self.view.hasher.hash_one(member) };
        let spot = self.members.by_hash(key);
        let found = self.members.find(&spot, key, &Entry::of(member));
        (key, spot, found)
    }

    /// Where an integer belongs among ascending ones.
    fn place_of(&self, n: i64) -> usize {
        let bytes = self.members.packed().unwrap_or_default();
        let after = packed::elements(bytes, 0, 1).find(|element| matches!(element.first(), Entry::Int(m) if m > n));
        after.map_or(bytes.len(), |element| element.at)
    }

    /// Whether every member may be packed.
    fn fits(&self, limits: Limits) -> bool {
        self.iter().all(|element| element.first().text_len() <= limits.value)
    }
}

/// Adds a member; answers whether it is new.
pub fn add(home: &mut impl Home, member: &[u8], limits: Limits) -> Result<bool, ArenaFull> {
    let set = Set::new(home.view());
    let (key, spot, None) = set.find(member) else { return Ok(false) };
    let encoded = packed::encoded(member);
    let len = set.len() + 1;
    let packs = len <= limits.entries && member.len() <= limits.value;
    match (set.view.encoding, Entry::of(member)) {
        (Encoding::IntSet, Entry::Int(n)) if len <= limits.integers => {
            let at = set.place_of(n);
            sequence::splice::<ByMember>(home, 0, &spot, at..at, &encoded, 1)?;
            return Ok(true);
        }
        (Encoding::IntSet, Entry::Text(_)) if packs && set.fits(limits) => home.set_encoding(Encoding::Listpack),
        (Encoding::Listpack, _) if packs => {}
        (Encoding::IntSet | Encoding::Listpack, _) => {
            sequence::plant::<ByMember>(home, Encoding::HashTable)?;
            return add(home, member, limits);
        }
        _ => {}
    }
    sequence::append::<ByMember>(home, 0, &spot, key, &encoded)?;
    Ok(true)
}

/// Removes a member; answers whether it was there.
pub fn remove(home: &mut impl Home, member: &[u8]) -> Result<bool, ArenaFull> {
    let (_, spot, found) = Set::new(home.view()).find(member);
    let Some(range) = found.map(|element| element.range()) else { return Ok(false) };
    sequence::splice::<ByMember>(home, 0, &spot, range, &[], -1)?;
    Ok(true)
}

/// Removes and answers the member of this rank.
pub fn take(home: &mut impl Home, rank: u64) -> Result<Option<Vec<u8>>, ArenaFull> {
    let set = Set::new(home.view());
    let Some((spot, element)) = set.members.get(rank) else { return Ok(None) };
    let (member, range) = (element.first().to_vec(), element.range());
    sequence::splice::<ByMember>(home, 0, &spot, range, &[], -1)?;
    Ok(Some(member))
}

/// Makes the set one of these packed members, which are all different.
pub fn fill(home: &mut impl Home, members: &[u8], limits: Limits) -> Result<(), ArenaFull> {
    let (mut count, mut longest, mut integers) = (0, 0, Vec::new());
    for element in packed::elements(members, 0, 1) {
        count += 1;
        let entry = element.first();
        longest = longest.max(entry.text_len());
        if let Entry::Int(n) = entry
            && integers.len() as u64 <= limits.integers
        {
            integers.push(n);
        }
    }
    if integers.len() as u64 == count && count <= limits.integers {
        integers.sort_unstable();
        let mut sorted = Vec::with_capacity(members.len());
        integers.iter().for_each(|n| Entry::Int(*n).encode(&mut sorted));
        return home.replace(Encoding::IntSet, &sequence::pack(&sorted, 1));
    }
    if count <= limits.entries && longest <= limits.value {
        return home.replace(Encoding::Listpack, &sequence::pack(members, 1));
    }
    let owner = home.owner();
    let (heap, hasher) = home.heap_and_hasher();
    let root = tree::build::<ByMember>(heap, hasher, owner, members)?;
    home.replace(Encoding::HashTable, &root.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::home::alone::Alone;

    #[test]
    fn a_set_of_integers_becomes_packed_and_then_a_tree() {
        let limits = Limits { integers: 4, entries: 6, value: 10 };
        let mut home = Alone::new(empty(b"3", 1, limits), 16 << 20);
        for n in [3, 1, 2] {
            assert!(add(&mut home, n.to_string().as_bytes(), limits).unwrap());
        }
        assert_eq!(home.encoding, Encoding::IntSet);
        assert!(Set::new(home.view()).iter().map(|member| member.first().to_vec()).eq([b"1", b"2", b"3"]));
        assert!(add(&mut home, b"text", limits).unwrap() && !add(&mut home, b"2", limits).unwrap());
        assert_eq!(home.encoding, Encoding::Listpack);
        let more = if cfg!(miri) { 20 } else { 2000 };
        for n in 0..more {
            assert!(add(&mut home, format!("member {n}").as_bytes(), limits).unwrap());
        }
        assert_eq!((home.encoding, Set::new(home.view()).len()), (Encoding::HashTable, more + 4));
        let root = tree::Root::read(&home.value, 0).unwrap();
        assert_eq!(tree::check_labels::<ByMember>(&home.heap, home.view().hasher, root), Ok(()));
        while !Set::new(home.view()).is_empty() {
            assert!(take(&mut home, 0).unwrap().is_some());
        }
        let root = tree::Root::read(&home.value, 0).unwrap();
        assert_eq!(tree::check(&home.heap, root, &mut |_| Ok(())), Ok(()));
        assert_eq!(tree::check_labels::<ByMember>(&home.heap, home.view().hasher, root), Ok(()));
    }
}
