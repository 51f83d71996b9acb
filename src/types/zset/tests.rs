//! Sorted sets against a map and a set of the standard library, across the border between packed
//! and trees; after every step both trees must hold the same.

use super::*;
use crate::{
    arena::ArenaFull,
    types::{
        home::{Home, alone::Alone},
        tree::{self, Root},
    },
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn new_home(bytes: usize) -> Alone {
    Alone::new(EMPTY, bytes)
}

/// Everything the sorted set holds, in its order, and that its trees agree.
fn checked(home: &Alone) -> Vec<(Vec<u8>, f64)> {
    let view = home.view();
    let all: Vec<(Vec<u8>, f64)> =
        ZSet::new(view).iter(0).map(|element| (element.first().to_vec(), score_of(&element))).collect();
    assert_eq!(all.len() as u64, ZSet::new(view).len());
    assert!(all.windows(2).all(|pair| (pair[0].1, &pair[0].0) < (pair[1].1, &pair[1].0)), "{all:?}");
    if home.encoding == Encoding::SkipList {
        let roots = [0, 1].map(|index| Root::read(view.value, index).unwrap());
        let mut lookup = Vec::new();
        tree::check(view.heap, roots[0], &mut |_| Ok(())).unwrap();
        tree::check_labels::<ByMember>(view.heap, view.hasher, roots[1]).unwrap();
        tree::check(view.heap, roots[1], &mut |leaf| {
            lookup.extend(packed::elements(leaf, 0, WIDTH).map(|element| element.bytes.to_vec()));
            Ok(())
        })
        .unwrap();
        let mut hashes: Vec<Vec<u8>> = (all.iter())
            .map(|(member, score)| element(hash_entry(view.hasher.hash_one(&member[..])), *score).to_vec())
            .collect();
        lookup.sort();
        hashes.sort();
        assert!(lookup == hashes, "{} of {}", lookup.len(), hashes.len());
    }
    all
}

#[derive(Default)]
struct Model {
    scores: BTreeMap<Vec<u8>, f64>,
}

impl Model {
    fn in_order(&self) -> Vec<(Vec<u8>, f64)> {
        let entries: BTreeSet<(u64, &Vec<u8>)> =
            self.scores.iter().map(|(member, score)| (score::key(*score), member)).collect();
        entries.into_iter().map(|(_, member)| (member.clone(), self.scores[member])).collect()
    }
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => (-20i64..20).prop_map(|n| n as f64),
        2 => (-20i64..20).prop_map(|n| n as f64 / 4.0),
        1 => any::<f64>().prop_filter("a number", |score| !score.is_nan()),
        1 => Just(f64::INFINITY),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Set(u16, f64),
    Remove(u16),
    RemoveRanks(prop::sample::Index, u64),
    Score(u16),
    Between(f64, f64, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0u16..400, score()).prop_map(|(member, score)| Step::Set(member, score)),
        4 => (0u16..400).prop_map(Step::Remove),
        1 => (any::<prop::sample::Index>(), 0u64..40).prop_map(|(at, len)| Step::RemoveRanks(at, len)),
        3 => (0u16..400).prop_map(Step::Score),
        3 => (score(), score(), any::<bool>()).prop_map(|(a, b, open)| Step::Between(a, b, open)),
    ]
}

/// Members of several lengths, integers among them.
fn member(n: u16) -> Vec<u8> {
    match n % 3 {
        0 => n.to_string().into_bytes(),
        1 => format!("member:{n:04}").into_bytes(),
        _ => format!("{}{n}", "x".repeat(n as usize % 70)).into_bytes(),
    }
}

fn run(steps: Vec<Step>, limits: Limits) {
    let (mut home, mut model) = (new_home(64 << 20), Model::default());
    for step in steps {
        match step {
            Step::Set(n, score) => {
                let member = member(n);
                let old = model.scores.get(&member).copied();
                change(&mut home, &member, limits, |found| {
                    assert_eq!(found, old);
                    Some(score)
                })
                .unwrap();
                // A zero stays the one it was.
                if old != Some(score) {
                    model.scores.insert(member, score);
                }
            }
            Step::Remove(n) => {
                let was_there = model.scores.remove(&member(n)).is_some();
                assert_eq!(remove(&mut home, &member(n)), Ok(was_there));
            }
            Step::RemoveRanks(at, len) => {
                let start = at.index(model.scores.len() + 1);
                let end = (start + len as usize).min(model.scores.len());
                for (member, _) in &model.in_order()[start..end] {
                    model.scores.remove(member);
                }
                remove_ranks(&mut home, start as u64..start as u64 + len).unwrap();
            }
            Step::Score(n) => {
                let zset = ZSet::new(home.view());
                let rank = model.in_order().iter().position(|(found, _)| *found == member(n)).map(|rank| rank as u64);
                assert_eq!(zset.rank(&member(n)), rank.zip(model.scores.get(&member(n)).copied()));
                assert_eq!(zset.score(&member(n)), model.scores.get(&member(n)).copied());
                if let Some(rank) = rank {
                    assert_eq!(zset.get(rank).unwrap().first().to_vec(), member(n));
                }
            }
            Step::Between(low, high, open) => {
                let edges = Edge::Score { score: low, after: open }..Edge::Score { score: high, after: !open };
                let before = |n: usize| model.in_order()[..n].to_vec();
                let ranks = ZSet::new(home.view()).ranks(&edges);
                let start = model.in_order().iter().filter(|(_, score)| *score < low || open && *score == low).count();
                let end = model.in_order().iter().filter(|(_, score)| *score < high || !open && *score == high).count();
                assert_eq!(ranks, start as u64..end.max(start) as u64, "{:?}", before(start));
            }
        }
        let is_packed = home.encoding == Encoding::Listpack;
        assert!(!is_packed || model.scores.len() as u64 <= limits.entries);
        if !cfg!(miri) || is_packed {
            assert_eq!(checked(&home), model.in_order());
        }
    }
    assert_eq!(checked(&home), model.in_order());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 48 }, ..ProptestConfig::default() })]

    #[test]
    fn a_sorted_set_equals_a_map_in_order(
        steps in prop::collection::vec(step(), 1..if cfg!(miri) { 20 } else { 400 }),
        entries in prop_oneof![Just(0u64), Just(16), Just(128)],
    ) {
        run(steps, Limits { entries, value: 64 });
    }
}

#[test]
fn members_of_one_score_are_found_by_name() {
    let mut home = new_home(64 << 20);
    let limits = Limits { entries: 8, value: 64 };
    let count = if cfg!(miri) { 20 } else { 1000 };
    for n in 0..count {
        let n = n * 7919 % count;
        change(&mut home, format!("m{n:04}").as_bytes(), limits, |_| Some(1.0)).unwrap();
    }
    let zset = ZSet::new(home.view());
    let edges = Edge::Member { member: b"m0005", after: false }..Edge::Member { member: b"m0009", after: true };
    assert_eq!(zset.ranks(&edges), 5..10);
    assert_eq!(zset.ranks(&(Edge::Start..Edge::Member { member: b"m0004x", after: false })), 0..5);
    assert_eq!(zset.ranks(&(Edge::End..Edge::Start)), count..count);
    assert_eq!(zset.rank(b"m0007"), Some((7, 1.0)));
}

#[test]
fn nothing_is_left_over_and_other_hashes_find_everything() {
    let mut home = new_home(64 << 20);
    let limits = Limits { entries: 2, value: 64 };
    let count = if cfg!(miri) { 30u64 } else { 3000 };
    for n in 0..count {
        change(&mut home, &member(n as u16), limits, |_| Some(n as f64 / 8.0)).unwrap();
    }
    let other = RandomState::with_seeds(5, 6, 7, 8);
    let mut there = new_home(64 << 20);
    let heaps = tree::Heaps::Two { from: &home.heap, to: &mut there.heap };
    there.value = rehash(&home.view(), heaps, &other, 7).unwrap();
    (there.hasher, there.encoding) = (other, home.encoding);
    assert_eq!(checked(&there), checked(&home));
    assert_eq!(ZSet::new(there.view()).score(&member(20)), Some(2.5));
    remove_ranks(&mut home, 1..count).unwrap();
    assert_eq!(checked(&home).len(), 1);
    for index in [0, 1] {
        let root = Root::read(&home.value, index).unwrap();
        tree::doom(&mut home.heap, root.node);
    }
    while tree::free_some(&mut home.heap, 10) {}
    assert_eq!(home.heap.stats().chunk_bytes, 0);
}

#[test]
#[cfg_attr(miri, ignore)]
fn both_trees_agree_when_memory_is_used_up() {
    let mut home = new_home(4 << 20);
    let limits = Limits { entries: 0, value: 64 };
    let mut added = 0u32;
    let refused = loop {
        let member = format!("member number {added:08} {}", "x".repeat(added as usize % 300));
        match change(&mut home, member.as_bytes(), limits, |_| Some(f64::from(added % 97))) {
            Ok(()) => added += 1,
            Err(ArenaFull) => break member,
        }
        assert!(added < 1_000_000);
    };
    assert_eq!(ZSet::new(home.view()).score(refused.as_bytes()), None);
    assert_eq!(checked(&home).len(), added as usize);
    // Other scores, longer ones: each is set or refused.
    let all = checked(&home);
    for (n, (member, score)) in all.iter().enumerate().step_by(7) {
        let new = score + 0.1 + n as f64;
        let is_set = change(&mut home, member, limits, |_| Some(new)).is_ok();
        assert_eq!(ZSet::new(home.view()).score(member), Some(if is_set { new } else { *score }));
    }
    assert_eq!(checked(&home).len(), added as usize);
    // Removal needs no memory.
    for (member, _) in &all {
        assert_eq!(remove(&mut home, member), Ok(true));
    }
    assert!(checked(&home).is_empty());
}

#[test]
fn what_is_fetched_ahead_is_where_the_entry_lies() {
    let mut home = new_home(64 << 20);
    let count = if cfg!(miri) { 40u16 } else { 3000 };
    for n in 0..count {
        let member = format!("member:{n}");
        change(&mut home, member.as_bytes(), Limits { entries: 2, value: 64 }, |_| Some(f64::from(n) / 8.0)).unwrap();
    }
    let view = home.view();
    for n in 0..count {
        let member = format!("member:{n}");
        let mut probe = crate::types::probe(&view, member.as_bytes(), 0).unwrap();
        while probe.step(view.heap) {}
        let zset = ZSet::new(view);
        let leaf = zset.entries.leaf(&zset.find(member.as_bytes()).unwrap().spot);
        assert!(std::ptr::eq(tree::leftmost(view.heap, probe.at), leaf), "{member}");
    }
    assert!(crate::types::probe(&view, b"member:1", u64::from(count) + 1).is_none());
}
