//! The index against a map, under Miri too.

use super::*;
use crate::arena::Arena;
use std::collections::HashMap;

/// Items here are 16-byte chunks that hold their own hash.
fn hash_of(heap: &ShardHeap, at: Offset) -> Option<u64> {
    heap.chunk(at).get(8..16).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
}

struct Bed {
    heap: ShardHeap,
    index: Index,
    model: HashMap<u64, Offset>,
}

impl Bed {
    fn new() -> Bed {
        let arena = Arena::reserve(if cfg!(miri) { 4 << 20 } else { 256 << 20 }, 1 << 20).unwrap();
        Bed { heap: ShardHeap::new(&arena, 0), index: Index::new(0, 2), model: HashMap::new() }
    }

    fn add(&mut self, hash: u64) {
        let at = self.heap.alloc(16).unwrap();
        let chunk = self.heap.chunk_mut(at);
        chunk[0] = 1;
        chunk[8..16].copy_from_slice(&hash.to_le_bytes());
        self.index.insert(&mut self.heap, hash, Slot::new(at), &hash_of).unwrap();
        self.model.insert(hash, at);
    }

    fn get(&self, hash: u64) -> Option<(Place, Slot)> {
        self.index.find(&self.heap, hash, |at| hash_of(&self.heap, at) == Some(hash))
    }

    fn remove(&mut self, hash: u64) {
        let (place, slot) = self.get(hash).unwrap();
        assert_eq!(self.model.remove(&hash), Some(slot.location()));
        self.index.remove(&mut self.heap, place);
        self.heap.free(slot.location());
        self.index.settle(&mut self.heap, hash);
    }

    fn check(&self) {
        assert_eq!(self.index.len() as usize, self.model.len());
        for (hash, at) in &self.model {
            assert_eq!(self.get(*hash).map(|(_, slot)| slot.location()), Some(*at));
        }
        let mut walked = 0;
        let mut position = Some(0);
        while let Some(at) = position {
            position = self.index.walk(&self.heap, at, 10, |_, slot| {
                walked += 1;
                assert!(hash_of(&self.heap, slot.location()).is_some_and(|hash| self.model.contains_key(&hash)));
            });
        }
        assert_eq!(walked, self.model.len());
    }
}

const MANY: u64 = if cfg!(miri) { 300 } else { 60_000 };

#[test]
fn grows_and_shrinks_with_every_key_in_place() {
    let mut bed = Bed::new();
    let mut random = fastrand::Rng::with_seed(7);
    let hashes: Vec<u64> = (0..MANY).map(|_| random.u64(..) >> 2).collect();
    for (i, hash) in hashes.iter().enumerate() {
        bed.add(*hash);
        if i.is_multiple_of(MANY as usize / 7) {
            bed.check();
        }
    }
    bed.check();
    let full = bed.heap.stats().chunk_bytes - MANY * 16;
    // Index bytes per key when full: near what the layout promises.
    assert!(cfg!(miri) || full < MANY * 11, "{}", full as f64 / MANY as f64);
    for (i, hash) in hashes.iter().enumerate() {
        bed.remove(*hash);
        if i.is_multiple_of(MANY as usize / 7) {
            bed.check();
        }
    }
    bed.check();
    assert_eq!(bed.heap.stats().chunk_bytes, 0, "an empty index holds nothing");
}

#[test]
fn a_scan_meets_every_key_that_stays() {
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..if cfg!(miri) { 1 } else { 12 } {
        let mut bed = Bed::new();
        let stays: Vec<u64> = (0..MANY / 10).map(|_| random.u64(..) >> 2).collect();
        stays.iter().for_each(|hash| bed.add(*hash));
        let mut passing: Vec<u64> = Vec::new();
        let mut met: HashMap<u64, u32> = HashMap::new();
        let mut position = Some(0);
        while let Some(at) = position {
            position = bed.index.walk(&bed.heap, at, 20, |_, slot| {
                *met.entry(hash_of(&bed.heap, slot.location()).unwrap()).or_default() += 1
            });
            // The table grows on even rounds and shrinks on odd ones while it is walked.
            for _ in 0..50 {
                if round % 2 == 0 || passing.len() < 100 && random.bool() {
                    let hash = random.u64(..) >> 2;
                    passing.push(hash);
                    bed.add(hash);
                } else if let Some(hash) = passing.pop() {
                    bed.remove(hash);
                }
            }
            if passing.len() as u64 > MANY {
                for hash in passing.drain(..) {
                    bed.remove(hash);
                }
            }
        }
        for hash in &stays {
            assert_eq!(met.get(hash), Some(&1), "each exactly once: positions follow the hash");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "the directory doubles up to its cap: too many bytes to interpret")]
fn colliding_hashes_are_chained_and_bounded() {
    let mut bed = Bed::new();
    // All positions share their top 40 bits: no split can part them soon.
    let count = 5000;
    for i in 0..count {
        bed.add(0x01_2345_6789 << 22 | i);
    }
    bed.check();
    assert!(bed.index.depth <= bed.index.depth_cap(), "{}", bed.index.depth);
    for i in 0..count {
        bed.remove(0x01_2345_6789 << 22 | i);
    }
    bed.check();
}

#[test]
fn chunks_of_the_index_can_be_moved() {
    let mut bed = Bed::new();
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..MANY / 10 {
        bed.add(random.u64(..) >> 2);
    }
    let mut segments = vec![bed.index.directory];
    let index = bed.index;
    index.for_each_segment(&mut bed.heap, &mut |_, segment, _| segments.push(segment.at));
    for at in segments {
        assert!(bed.index.relocate(&mut bed.heap, at));
        assert!(!bed.index.relocate(&mut bed.heap, at) || at.is_null());
    }
    bed.check();
}

#[test]
fn the_wheel_finds_what_is_due_and_codes_again_what_is_far() {
    let mut bed = Bed::new();
    let start = 1_700_000_000_000;
    let mut expiries: HashMap<Offset, i64> = HashMap::new();
    let mut random = fastrand::Rng::with_seed(5);
    for i in 0..MANY / 20 {
        let hash = random.u64(..) >> 2;
        bed.add(hash);
        let (place, slot) = bed.get(hash).unwrap();
        let expiry = start + [700, 30_000, 90_000, 4_000_000, 20_000_000][i as usize % 5] + random.i64(0..1000);
        bed.index.replace(&mut bed.heap, place, slot.with_expiry(expiry_code(expiry, start)));
        expiries.insert(slot.location(), expiry);
    }
    let mut wheel = Wheel::default();
    let mut now = start;
    let mut visits = 0;
    while now < start + 21_000_000 {
        now += if now < start + 200_000 { 100 } else { 30_000 };
        // In portions: a sweep that has found enough goes on where it stopped.
        let mut complete = false;
        while !complete {
            let mut due = Vec::new();
            complete = wheel.sweep(
                &bed.index,
                &mut bed.heap,
                now,
                (usize::MAX, 3),
                &mut |_, slot| {
                    visits += 1;
                    let expiry = expiries[&slot.location()];
                    (expiry > now).then(|| expiry_code(expiry, now))
                },
                &mut due,
            );
            for (_, slot) in due {
                let hash = hash_of(&bed.heap, slot.location()).unwrap();
                assert!(expiries.remove(&slot.location()).unwrap() <= now);
                bed.remove(hash);
            }
        }
        assert!(expiries.values().all(|expiry| *expiry > now), "nothing due is left behind");
    }
    assert_eq!(bed.index.expires(), 0);
    assert!(visits < MANY / 20 * 40, "{visits}");
}

/// Bytes of index per key over all table sizes: what the layout promises.
#[cfg(not(miri))]
#[test]
fn the_index_is_dense_at_every_size() {
    let mut bed = Bed::new();
    let mut random = fastrand::Rng::with_seed(7);
    let (mut sum, mut samples) = (0.0, 0);
    for i in 1..=200_000u64 {
        bed.add(random.u64(..) >> 2);
        if i > 20_000 && i % 5000 == 0 {
            let bytes = bed.heap.stats().chunk_bytes - i * 16;
            sum += bytes as f64 / i as f64;
            samples += 1;
        }
    }
    assert!(sum / (samples as f64) < 10.1, "{}", sum / samples as f64);
}
