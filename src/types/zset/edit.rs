//! Changing sorted sets. A change of both trees is made in an order in which the first step may
//! fail and the others need no memory, or can be taken back without any: so both always agree.

use super::{ByMember, ByScore, ENTRIES, Found, LOOKUP, Limits, WIDTH, ZSet, hash_entry, score, score_of};
use crate::{
    arena::{ArenaFull, PAGE, ShardHeap},
    types::{
        home::{Home, View},
        kind::Encoding,
        packed::{self, Encoded, Entry},
        sequence::{self, splice},
        tree::{self, Heaps, Order, Root},
    },
};
use ahash::RandomState;
use std::ops::Range;

/// More pages than two splits of leaves can need.
const SPARE_PAGES: usize = 64;
/// Elements that are taken from the lookup at a time.
const STEP: u64 = 1000;

/// Gives a member the score that `decide` makes of the one it has (`None`: it is not there);
/// `None` leaves it as it is.
pub fn change(
    home: &mut impl Home,
    member: &[u8],
    limits: Limits,
    decide: impl FnOnce(Option<f64>) -> Option<f64>,
) -> Result<(), ArenaFull> {
    let found = ZSet::new(home.view()).find(member);
    match (decide(found.as_ref().map(|found| found.score)), found) {
        (Some(score), None) => insert(home, member, score, limits),
        (Some(score), Some(found)) if found.score != score => update(home, member, &found, score),
        _ => Ok(()),
    }
}

/// Removes a member; answers whether it was there.
pub fn remove(home: &mut impl Home, member: &[u8]) -> Result<bool, ArenaFull> {
    let Some(found) = ZSet::new(home.view()).find(member) else { return Ok(false) };
    splice::<ByScore>(home, 0, &found.spot, found.range, &[], -1)?;
    if let Some((spot, range)) = found.lookup {
        splice::<ByMember>(home, 1, &spot, range, &[], -1)?;
    }
    Ok(true)
}

/// Removes the elements of these ranks.
pub fn remove_ranks(home: &mut impl Home, ranks: Range<u64>) -> Result<(), ArenaFull> {
    let zset = ZSet::new(home.view());
    if zset.is_packed() {
        return sequence::remove_ranks::<ByScore>(home, 0, ranks);
    }
    let mut left = ranks.end.min(zset.len()).saturating_sub(ranks.start);
    if left == 1
        && let Some((spot, element)) = zset.entries.get(ranks.start)
    {
        let (range, entry) = (element.range(), hashed(zset.view.hasher, &element));
        forget(home, &entry)?;
        return splice::<ByScore>(home, 0, &spot, range, &[], -1);
    }
    while left > 0 {
        let view = home.view();
        let step = left.min(STEP);
        let entries: Vec<Encoded> =
            ZSet::new(view).iter(ranks.start).take(step as usize).map(|entry| hashed(view.hasher, &entry)).collect();
        for entry in &entries {
            forget(home, entry)?;
        }
        remove_entries(home, ranks.start..ranks.start + step)?;
        left -= step;
    }
    Ok(())
}

/// Removes a run of tree 0. Within one leaf, as what pops one element does, by a change of the leaf.
fn remove_entries(home: &mut impl Home, ranks: Range<u64>) -> Result<(), ArenaFull> {
    let entries = home.view().sequence(ENTRIES, WIDTH);
    let spot = entries.by_rank(ranks.start);
    let (leaf, count) = (entries.leaf(&spot), ranks.end - ranks.start);
    if ranks.end > entries.rank(&spot) + entries.leaf_len(&spot) as u64 {
        return sequence::remove_ranks::<ByScore>(home, 0, ranks);
    }
    let start = packed::element_at(leaf, (ranks.start - entries.rank(&spot)) as usize, WIDTH);
    let end = start + packed::element_at(&leaf[start..], count as usize, WIDTH);
    splice::<ByScore>(home, 0, &spot, start..end, &[], -(count as i64))
}

/// Removes one such element of the lookup.
fn forget(home: &mut impl Home, entry: &[u8]) -> Result<(), ArenaFull> {
    let view = home.view();
    let lookup = view.sequence(LOOKUP, WIDTH);
    let hash = packed::elements(entry, 0, WIDTH).next().map_or(0, |element| ByMember::key(view.hasher, &element));
    let spot = lookup.by_hash(hash);
    let found = lookup.alike(&spot, hash).find(|element| element.bytes == entry);
    match found.map(|element| element.range()) {
        Some(range) => splice::<ByMember>(home, 1, &spot, range, &[], -1),
        None => Ok(()),
    }
}

/// Fills an empty sorted set with elements that are in order.
pub fn fill(home: &mut impl Home, elements: &[u8], limits: Limits) -> Result<(), ArenaFull> {
    let longest = packed::elements(elements, 0, WIDTH).map(|element| element.first().text_len()).max();
    if packed::count(elements, WIDTH) as u64 <= limits.entries && longest.unwrap_or(0) <= limits.value {
        return home.replace(Encoding::Listpack, &sequence::pack(elements, WIDTH));
    }
    plant(home, elements)
}

/// The value for another heap and another hash function.
pub fn rehash(view: &View<'_>, mut heaps: Heaps<'_>, hasher: &RandomState, owner: u64) -> Result<Vec<u8>, ArenaFull> {
    let mut elements = Vec::new();
    ZSet::new(*view).iter(0).for_each(|element| elements.extend_from_slice(element.bytes));
    build(heaps.to(), hasher, owner, &elements).map(|roots| roots.map(Root::to_bytes).concat())
}

fn insert(home: &mut impl Home, member: &[u8], score: f64, limits: Limits) -> Result<(), ArenaFull> {
    let zset = ZSet::new(home.view());
    if let Some(elements) = zset.entries.packed()
        && (zset.len() >= limits.entries || member.len() > limits.value)
    {
        let elements = elements.to_vec();
        plant(home, &elements)?;
    }
    let zset = ZSet::new(home.view());
    let is_packed = zset.is_packed();
    let spot = zset.leaf_for(member, score);
    let at = zset.place_in(&spot, member, score);
    splice::<ByScore>(home, 0, &spot, at..at, &score::element(Entry::of(member), score), 1)?;
    if is_packed {
        return Ok(());
    }
    let view = home.view();
    let hash = view.hasher.hash_one(member);
    let lookup = view.sequence(LOOKUP, WIDTH);
    let spot = lookup.by_hash(hash);
    sequence::append::<ByMember>(home, 1, &spot, hash, &score::element(hash_entry(hash), score))
        .inspect_err(|_| drop_entry(home, member, score))
}

/// Takes a member out of tree 0, which needs no memory.
fn drop_entry(home: &mut impl Home, member: &[u8], score: f64) {
    if let Some((spot, range)) = ZSet::new(home.view()).entry(member, score) {
        let dropped = splice::<ByScore>(home, 0, &spot, range, &[], -1);
        debug_assert!(dropped.is_ok());
    }
}

fn update(home: &mut impl Home, member: &[u8], found: &Found, score: f64) -> Result<(), ArenaFull> {
    let entry = score::element(Entry::of(member), score);
    let zset = ZSet::new(home.view());
    let grows = entry.len() > found.range.len();
    // What does not grow fits where it is; what grows must find room in both trees or in neither.
    if grows && found.lookup.is_some() && !zset.view.heap.has_spare(SPARE_PAGES + entry.len() / PAGE) {
        return Err(ArenaFull);
    }
    let spot = zset.leaf_for(member, score);
    let at = zset.place_in(&spot, member, score);
    let moves = !spot.is_at(&found.spot);
    if moves {
        splice::<ByScore>(home, 0, &spot, at..at, &entry, 1)?;
    } else {
        let leaf = zset.entries.leaf(&spot);
        let old = found.range.clone();
        let (range, with) = match at <= old.start {
            true => (at..old.end, [&entry, &leaf[at..old.start]].concat()),
            false => (old.start..at, [&leaf[old.end..at], &entry].concat()),
        };
        splice::<ByScore>(home, 0, &spot, range, &with, 0)?;
    }
    if let Some((spot, range)) = &found.lookup {
        let entry = score::element(hash_entry(home.view().hasher.hash_one(member)), score);
        match range.len() == entry.len() {
            true => sequence::overwrite::<ByMember>(home, 1, spot, range.clone(), &entry)?,
            false => splice::<ByMember>(home, 1, spot, range.clone(), &entry, 0)?,
        }
    }
    if moves && ZSet::new(home.view()).entries.is_true(&found.spot) {
        splice::<ByScore>(home, 0, &found.spot, found.range.clone(), &[], -1)?;
    } else if moves {
        drop_entry(home, member, found.score);
    }
    Ok(())
}

/// Stores elements that are in order as trees.
fn plant(home: &mut impl Home, elements: &[u8]) -> Result<(), ArenaFull> {
    let owner = home.owner();
    let (heap, hasher) = home.heap_and_hasher();
    let roots = build(heap, hasher, owner, elements)?;
    home.replace(Encoding::SkipList, &roots.map(Root::to_bytes).concat()).inspect_err(|_| {
        roots.iter().for_each(|root| tree::doom(home.heap_mut(), root.node));
    })
}

fn build(heap: &mut ShardHeap, hasher: &RandomState, owner: u64, elements: &[u8]) -> Result<[Root; 2], ArenaFull> {
    let entries = tree::build::<ByScore>(heap, hasher, owner, elements)?;
    let hashes: Vec<u8> = packed::elements(elements, 0, WIDTH).flat_map(|element| hashed(hasher, &element)).collect();
    let lookup = tree::build::<ByMember>(heap, hasher, owner, &hashes);
    Ok([entries, lookup.inspect_err(|_| tree::doom(heap, entries.node))?])
}

/// An element's own in the lookup.
fn hashed(hasher: &RandomState, element: &packed::Element<'_>) -> Encoded {
    let hash = hasher.hash_one(element.first().text(&mut itoa::Buffer::new()));
    score::element(hash_entry(hash), score_of(element))
}
