//! Collections against the plain structures of the standard library, across the border between packed and tree.

use flagstone::{
    config::Policy,
    keyspace::{Db, Keyspace, Options},
    types::{
        hash::{self, Hash},
        home::Home,
        packed::Element,
        set::{self, Set},
    },
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const SET: set::Limits = set::Limits { integers: 8, entries: 12, value: 20 };
const HASH: hash::Limits = hash::Limits { entries: 10, value: 20 };

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
                    let is_new = hash::set(&mut cell, &field, &value, HASH).unwrap();
                    prop_assert_eq!(is_new, model.insert(field, value).is_none());
                } else {
                    prop_assert_eq!(hash::remove(&mut cell, &field).unwrap(), model.remove(&field).is_some());
                }
                prop_assert_eq!(Hash::new(cell.view()).len(), model.len() as u64);
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
}
