//! Collections against the plain structures of the standard library, across the border between packed and tree.

use flagstone::{
    config::Policy,
    keyspace::{Db, Keyspace, Options},
    types::{
        self,
        hash::{self, FieldTtl, Hash},
        home::{Home, View},
        list::{self, End, Limit, List},
        packed::Element,
        set::{self, Set},
        tree,
    },
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const SET: set::Limits = set::Limits { integers: 8, entries: 12, value: 20 };
const HASH: hash::Limits = hash::Limits { entries: 10, value: 20 };
const LIST: Limit = Limit(12);

/// Runs on one database of a new keyspace.
fn with_db<R>(run: impl FnOnce(&mut Db<'_, '_>) -> R) -> R {
    let options = Options { reserve: 64 << 20, ..Options::new(1, 1, 0, Policy::NoEviction) };
    let keyspace = Keyspace::new(&options).expect("a keyspace");
    let mut locked = keyspace.lock(keyspace.all_shards(), 0);
    run(&mut locked.db(0))
}

/// Text or a number, short or long.
fn word(n: u16) -> Vec<u8> {
    match n % 5 {
        0 => format!("text{n}"),
        1 => format!("{n}{}", "x".repeat(n as usize / 4)),
        _ => n.to_string(),
    }
    .into_bytes()
}

fn first(element: Element<'_>) -> Vec<u8> {
    element.first().to_vec()
}

/// Every tree of a collection is sound: order, counts, references.
fn check_trees(view: &View<'_>) {
    for root in types::roots(view.encoding, view.value) {
        assert_eq!(tree::check(view.heap, root, &mut |_| Ok(())), Ok(()));
    }
}

/// Walks with a cursor until the end.
fn walk(mut step: impl FnMut(u64, &mut dyn FnMut(Element<'_>)) -> u64) -> BTreeSet<Vec<u8>> {
    let (mut seen, mut cursor) = (BTreeSet::new(), 0);
    loop {
        cursor = step(cursor, &mut |element| {
            seen.insert(first(element));
        });
        if cursor == 0 {
            return seen;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_set_equals_a_plain_one(steps in prop::collection::vec((0u16..200, 0u8..4), 1..500)) {
        with_db(|db| {
            let mut model: BTreeSet<Vec<u8>> = BTreeSet::new();
            for (n, what) in steps {
                let member = word(n);
                let mut cell = db.cell_or(b"k", set::empty(&member, 1, SET)).expect("a set");
                if what < 3 {
                    prop_assert_eq!(set::add(&mut cell, &member, SET).unwrap(), model.insert(member));
                } else {
                    prop_assert_eq!(set::remove(&mut cell, &member).unwrap(), model.remove(&member));
                }
                prop_assert_eq!(Set::new(cell.view()).len(), model.len() as u64);
                check_trees(&cell.view());
            }
            let set = Set::new(db.view_any(b"k").expect("it is there"));
            prop_assert_eq!(&set.iter().map(first).collect::<BTreeSet<_>>(), &model);
            prop_assert!(model.iter().all(|member| set.contains(member)));
            prop_assert_eq!(walk(|cursor, visit| set.scan(cursor, 3, visit)), model);
            Ok(())
        })?;
    }

    #[test]
    fn a_hash_equals_a_plain_one(steps in prop::collection::vec((0u16..200, any::<u16>(), 0u8..4), 1..500)) {
        with_db(|db| {
            let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            for (n, value, what) in steps {
                let (field, value) = (word(n), word(value));
                let mut cell = db.cell_or(b"k", hash::EMPTY).expect("a hash");
                if what < 3 {
                    let is_new = hash::set(&mut cell, &field, &value, FieldTtl::Clear, HASH).unwrap();
                    prop_assert_eq!(is_new, model.insert(field, value).is_none());
                } else {
                    prop_assert_eq!(hash::remove(&mut cell, &field).unwrap(), model.remove(&field).is_some());
                }
                prop_assert_eq!(Hash::new(cell.view()).len(), model.len() as u64);
                check_trees(&cell.view());
            }
            let hash = Hash::new(db.view_any(b"k").expect("it is there"));
            for (field, value) in &model {
                let found = hash.get(field).map(|entry| entry.to_vec());
                prop_assert_eq!(found.as_ref(), Some(value));
            }
            let all: BTreeMap<_, _> = hash.iter().map(|element| (first(element), element.second().to_vec())).collect();
            prop_assert_eq!(all, model);
            Ok(())
        })?;
    }

    #[test]
    fn fields_expire_when_they_should(
        steps in prop::collection::vec((0u16..120, 0u8..8, 1i64..400), 1..400),
        entries in prop_oneof![Just(0u64), Just(20)],
    ) {
        let limits = hash::Limits { entries, value: 64 };
        with_db(|db| {
            let mut model: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
            let mut now = 0;
            for (n, what, time) in steps {
                let field = word(n);
                let mut cell = db.cell_or(b"k", hash::EMPTY).expect("a hash");
                match what {
                    0..4 => {
                        let (ttl, at) = if what < 3 { (FieldTtl::At(now + time), now + time) } else { (FieldTtl::Clear, i64::MAX) };
                        hash::set(&mut cell, &field, b"v", ttl, limits).unwrap();
                        model.insert(field, at);
                    }
                    // The caller has seen that the field is there.
                    4 | 5 if Hash::at(cell.view(), now).element(&field).is_none() => {}
                    4 => {
                        hash::set_expiry(&mut cell, &field, Some(now + time)).unwrap();
                        model.entry(field).and_modify(|at| *at = now + time);
                    }
                    5 => {
                        hash::set_expiry(&mut cell, &field, None).unwrap();
                        model.entry(field).and_modify(|at| *at = i64::MAX);
                    }
                    _ => {
                        now += time / 8;
                        hash::expiry::remove_expired(&mut cell, now, &mut |_| {}).unwrap();
                        model.retain(|_, at| *at > now);
                        prop_assert_eq!(Hash::new(cell.view()).len(), model.len() as u64);
                        let next = hash::expiry::next(&cell.view()).unwrap_or(i64::MAX);
                        prop_assert!(next <= model.values().copied().min().unwrap_or(i64::MAX));
                    }
                }
                now += 1;
                model.retain(|_, at| *at > now);
                let hash = Hash::at(cell.view(), now);
                prop_assert_eq!(hash.live(), model.len() as u64);
                let all: BTreeMap<Vec<u8>, i64> = hash
                    .iter()
                    .map(|element| (first(element), element.note.map_or(i64::MAX, |at| at as i64)))
                    .collect();
                prop_assert_eq!(&all, &model);
                check_trees(&cell.view());
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_list_equals_a_plain_one(steps in prop::collection::vec((0u8..12, any::<u16>(), any::<u16>()), 1..400)) {
        with_db(|db| {
            let mut model: VecDeque<Vec<u8>> = VecDeque::new();
            for (what, n, m) in steps {
                let mut cell = db.cell_or(b"k", list::EMPTY).expect("a list");
                let (len, value) = (model.len(), long_word(n));
                let rank = n as usize % (len + 1);
                match what {
                    0..=2 => {
                        let values: Vec<Vec<u8>> = (0..n % 30).map(|more| long_word(m.wrapping_add(more))).collect();
                        let words: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
                        let end = if n & 64 == 0 { End::Left } else { End::Right };
                        list::push(&mut cell, end, &words, LIST).unwrap();
                        values.into_iter().for_each(|value| match end {
                            End::Left => model.push_front(value),
                            End::Right => model.push_back(value),
                        });
                    }
                    3 | 4 => {
                        list::insert(&mut cell, rank as u64, &value, LIST).unwrap();
                        model.insert(rank, value);
                    }
                    5 | 6 => {
                        prop_assert_eq!(list::set(&mut cell, rank as u64, &value, LIST).unwrap(), rank < len);
                        if rank < len {
                            model[rank] = value;
                        }
                    }
                    7 => {
                        // One after the other from one end: the other way round across the border.
                        for _ in 0..m % 40 {
                            let end = if n & 1 == 0 { End::Left } else { End::Right };
                            let mut popped = None;
                            let left = list::pop(&mut cell, end, LIST, &mut |entry| popped = Some(entry.to_vec())).unwrap();
                            prop_assert_eq!(popped, if n & 1 == 0 { model.pop_front() } else { model.pop_back() });
                            prop_assert_eq!(left, model.len() as u64);
                        }
                    }
                    8 => {
                        let end = (rank + m as usize % 40).min(len);
                        list::remove(&mut cell, rank as u64..end as u64).unwrap();
                        model.drain(rank..end);
                    }
                    9 | 10 => {
                        let value = model.get(rank).cloned().unwrap_or(value);
                        let (from, most) = if m & 1 == 0 { (End::Left, m / 2 % 4) } else { (End::Right, m / 2 % 4) };
                        let removed = list::remove_equal(&mut cell, &value, from, most.into()).unwrap();
                        prop_assert_eq!(removed, remove_equal(&mut model, &value, from, most.into()));
                    }
                    _ => {}
                }
                list::shrink(&mut cell, LIST).unwrap();
                let list = List::new(cell.view());
                prop_assert_eq!(list.len(), model.len() as u64);
                prop_assert_eq!(list.get(rank as u64).map(|entry| entry.to_vec()), model.get(rank).cloned());
                check_trees(&cell.view());
            }
            let list = List::new(db.view_any(b"k").expect("it is there"));
            prop_assert_eq!(list.iter(0).map(first).collect::<VecDeque<_>>(), model.clone());
            prop_assert!(list.iter_back().map(first).eq(model.into_iter().rev()));
            Ok(())
        })?;
    }
}

/// So long that some leaves hold one, and few enough that they repeat.
fn long_word(n: u16) -> Vec<u8> {
    match n % 16 {
        0 => vec![b'x'; 5000],
        1..4 => vec![b'y'; n as usize % 7 * 300],
        _ => word(n % 64),
    }
}

/// What LREM does; answers how many it removed.
fn remove_equal(model: &mut VecDeque<Vec<u8>>, value: &[u8], from: End, most: u64) -> u64 {
    let mut removed = 0;
    while removed < most {
        let found = match from {
            End::Left => model.iter().position(|element| element == value),
            End::Right => model.iter().rposition(|element| element == value),
        };
        let Some(at) = found else { break };
        model.remove(at);
        removed += 1;
    }
    removed
}
