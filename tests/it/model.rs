//! The keyspace against a map that nobody can misread: the same operations on both, and they must agree on every key,
//! value and time to live, before and after a restart. And SCAN's guarantee, while the keyspace grows and shrinks under the scan.

use crate::instance::Instance;
use flagstone::{
    keyspace::{Item, Keyspace, Ttl, Value},
    util::clock::UnixMillis,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const DATABASES: usize = 2;

#[derive(Clone, Debug)]
enum Op {
    Set { db: usize, key: Vec<u8>, value: Vec<u8>, ttl: ModelTtl },
    SetInt { db: usize, key: Vec<u8>, value: i64, ttl: ModelTtl },
    Resize { db: usize, key: Vec<u8>, len: usize, fill: u8 },
    Remove { db: usize, key: Vec<u8> },
    Expire { db: usize, key: Vec<u8>, after_ms: Option<i64> },
    Transfer { db: usize, from: Vec<u8>, to_db: usize, to: Vec<u8>, keep: bool },
    Advance { ms: i64 },
    Swap,
    Flush { db: Option<usize> },
}

#[derive(Clone, Copy, Debug)]
enum ModelTtl {
    Clear,
    Keep,
    After(i64),
}

impl ModelTtl {
    fn at(self, now: UnixMillis) -> Ttl {
        match self {
            ModelTtl::Clear => Ttl::Clear,
            ModelTtl::Keep => Ttl::Keep,
            ModelTtl::After(ms) => Ttl::At(now + ms),
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
struct Entry {
    value: Vec<u8>,
    expiry: Option<UnixMillis>,
}

/// What the keyspace should be.
#[derive(Default)]
struct Model {
    now: UnixMillis,
    databases: [BTreeMap<Vec<u8>, Entry>; DATABASES],
}

impl Model {
    fn db(&mut self, db: usize) -> &mut BTreeMap<Vec<u8>, Entry> {
        let now = self.now;
        let map = &mut self.databases[db];
        map.retain(|_, entry| entry.expiry.is_none_or(|at| at > now));
        map
    }

    fn set(&mut self, db: usize, key: &[u8], value: Vec<u8>, ttl: Ttl) {
        let map = self.db(db);
        let old = map.get(key).and_then(|entry| entry.expiry);
        let expiry = match ttl {
            Ttl::Clear => None,
            Ttl::Keep => old,
            Ttl::At(at) => Some(at),
        };
        map.insert(key.to_vec(), Entry { value, expiry });
    }

    /// Applies `op` to the model and to `keyspace`; what both answer must agree.
    fn apply(&mut self, keyspace: &Keyspace, op: &Op) -> Result<(), TestCaseError> {
        let mut locked = keyspace.lock(keyspace.all_shards(), self.now);
        match op {
            Op::Set { db, key, value, ttl } => {
                prop_assert_eq!(locked.db(*db).set(key, value, ttl.at(self.now)), Ok(()));
                self.set(*db, key, value.clone(), ttl.at(self.now));
            }
            Op::SetInt { db, key, value, ttl } => {
                prop_assert_eq!(locked.db(*db).set_int(key, *value, ttl.at(self.now)), Ok(()));
                self.set(*db, key, value.to_string().into_bytes(), ttl.at(self.now));
            }
            Op::Resize { db, key, len, fill } => {
                let mut database = locked.db(*db);
                let bytes = database.string_mut(key, *len).expect("no limit is set");
                let old = self.db(*db).get(key).map_or(Vec::new(), |entry| entry.value.clone());
                let mut want = old;
                want.resize(*len, 0);
                prop_assert_eq!(&*bytes, &want[..], "string_mut of {:?}", key);
                bytes.fill(*fill);
                self.set(*db, key, vec![*fill; *len], Ttl::Keep);
            }
            Op::Remove { db, key } => {
                prop_assert_eq!(locked.db(*db).remove(key), self.db(*db).remove(key).is_some());
            }
            Op::Expire { db, key, after_ms } => {
                let at = after_ms.map(|ms| self.now + ms);
                let found = self.db(*db).get_mut(key).map(|entry| entry.expiry = at).is_some();
                prop_assert_eq!(locked.db(*db).set_expiry(key, at), Ok(found));
            }
            Op::Transfer { db, from, to_db, to, keep } => {
                if (db, from) == (to_db, to) {
                    return Ok(());
                }
                let entry = if *keep { self.db(*db).get(from).cloned() } else { self.db(*db).remove(from) };
                prop_assert_eq!(locked.db(*db).transfer(from, *to_db, to, *keep), Ok(entry.is_some()));
                if let Some(entry) = entry {
                    self.db(*to_db).insert(to.clone(), entry);
                }
            }
            Op::Advance { ms } => self.now += ms,
            Op::Swap => {
                locked.swap_databases(0, 1);
                self.databases.swap(0, 1);
            }
            Op::Flush { db } => {
                locked.flush(*db);
                (0..DATABASES).filter(|n| db.is_none_or(|db| db == *n)).for_each(|n| self.databases[n].clear());
            }
        }
        Ok(())
    }

    /// Compares every key, one by one and by a scan.
    fn compare(&mut self, keyspace: &Keyspace) -> Result<(), TestCaseError> {
        let mut locked = keyspace.lock(keyspace.all_shards(), self.now);
        for db in 0..DATABASES {
            prop_assert_eq!(locked.key_sizes(db), locked.key_sizes_counted_anew(db), "lengths in database {}", db);
            let want = self.db(db).clone();
            for (key, entry) in &want {
                let mut database = locked.db(db);
                let got = database.peek(key).map(entry_of);
                prop_assert_eq!(got.as_ref(), Some(entry), "database {}, key {:?}", db, key);
            }
            let mut found = BTreeMap::new();
            let mut cursor = 0;
            loop {
                cursor = locked.scan(db, cursor, 10, &mut |key, item| {
                    found.insert(key.to_vec(), entry_of(item));
                });
                if cursor == 0 {
                    break;
                }
            }
            prop_assert_eq!(&found, &want, "database {}", db);
        }
        Ok(())
    }
}

fn entry_of(item: Item<'_>) -> Entry {
    let value = match item.value {
        Value::Int(n) => n.to_string().into_bytes(),
        Value::Bytes(bytes) => bytes.to_vec(),
    };
    Entry { value, expiry: item.expiry }
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (0..40_u32).prop_map(|n| format!("key:{n}").into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
        1 => (0..4_usize).prop_map(|n| vec![b'k'; 200 + 100 * n]),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        6 => proptest::collection::vec(any::<u8>(), 0..100),
        2 => (any::<u8>(), 100..5000_usize).prop_map(|(byte, len)| vec![byte; len]),
        1 => (any::<u8>(), 5000..300_000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn ttl() -> impl Strategy<Value = ModelTtl> {
    prop_oneof![
        2 => Just(ModelTtl::Clear),
        1 => Just(ModelTtl::Keep),
        2 => (1..100_000_i64).prop_map(ModelTtl::After),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let db = 0..DATABASES;
    prop_oneof![
        10 => (db.clone(), key(), value(), ttl()).prop_map(|(db, key, value, ttl)| Op::Set { db, key, value, ttl }),
        3 => (db.clone(), key(), any::<i64>(), ttl()).prop_map(|(db, key, value, ttl)| Op::SetInt { db, key, value, ttl }),
        4 => (db.clone(), key(), 0..3000_usize, any::<u8>()).prop_map(|(db, key, len, fill)| Op::Resize { db, key, len, fill }),
        4 => (db.clone(), key()).prop_map(|(db, key)| Op::Remove { db, key }),
        4 => (db.clone(), key(), proptest::option::of(1..100_000_i64))
            .prop_map(|(db, key, after_ms)| Op::Expire { db, key, after_ms }),
        3 => (db.clone(), key(), db, key(), any::<bool>())
            .prop_map(|(db, from, to_db, to, keep)| Op::Transfer { db, from, to_db, to, keep }),
        3 => (1..50_000_i64).prop_map(|ms| Op::Advance { ms }),
        1 => Just(Op::Swap),
        1 => proptest::option::weighted(0.7, 0..DATABASES).prop_map(|db| Op::Flush { db }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_keyspace_is_a_map(lives in proptest::collection::vec(proptest::collection::vec(op(), 0..200), 1..4)) {
        let mut instance = Instance::new();
        let mut model = Model { now: instance.now(), ..Model::default() };
        for ops in &lives {
            let keyspace = &instance.shared().keyspace;
            for op in ops {
                model.apply(keyspace, op)?;
            }
            model.compare(keyspace)?;
            prop_assert_eq!(keyspace.check(), Ok(()));
            instance = instance.restarted();
            model.compare(&instance.shared().keyspace)?;
        }
    }
}

/// A key that is there from a scan's first step to its last is reported, however the rest comes and goes meanwhile; a
/// key that never was is not.
#[test]
fn a_scan_misses_nothing_while_the_keyspace_grows_and_shrinks() {
    for seed in 0..6 {
        let instance = Instance::new();
        let keyspace = &instance.shared().keyspace;
        let now = instance.now();
        let mut random = fastrand::Rng::with_seed(seed);
        let set = |name: &str| {
            let mut locked = keyspace.lock(keyspace.shard_set(std::iter::once(name.as_bytes())), now);
            assert_eq!(locked.db(0).set(name.as_bytes(), b"v", Ttl::Clear), Ok(()));
        };
        let remove = |name: &str| {
            let mut locked = keyspace.lock(keyspace.shard_set(std::iter::once(name.as_bytes())), now);
            locked.db(0).remove(name.as_bytes());
        };
        let lasting: BTreeSet<String> = (0..2_000).map(|n| format!("lasting:{n}")).collect();
        lasting.iter().for_each(|name| set(name));
        let start = random.usize(0..20_000);
        let mut passing: Vec<String> = (0..start).map(|n| format!("passing:{n}")).collect();
        passing.iter().for_each(|name| set(name));
        let (mut next_name, mut found, mut cursor, mut steps) = (start, BTreeSet::new(), 0, 0);
        // Even seeds grow by a factor, odd ones shrink.
        let grows = seed % 2 == 0;
        loop {
            let mut locked = keyspace.lock(keyspace.all_shards(), now);
            cursor = locked.scan(0, cursor, random.usize(1..60), &mut |key, _| {
                found.insert(String::from_utf8(key.to_vec()).expect("our own keys"));
            });
            drop(locked);
            steps += 1;
            if cursor == 0 {
                break;
            }
            assert!(steps < 1_000_000, "the scan does not end");
            for _ in 0..random.usize(0..200) {
                if grows == (random.u8(..) < 200) {
                    let name = format!("passing:{next_name}");
                    next_name += 1;
                    set(&name);
                    passing.push(name);
                } else if !passing.is_empty() {
                    let at = random.usize(..passing.len());
                    remove(&passing.swap_remove(at));
                }
            }
            // A scan ends although the keyspace grows ahead of it; at some size we stop feeding it.
            if next_name > 200_000 {
                while let Some(name) = passing.pop() {
                    remove(&name);
                }
                next_name = 0;
            }
        }
        let missed: Vec<&String> = lasting.difference(&found).collect();
        assert!(missed.is_empty(), "seed {seed}: {} of {} keys missed: {missed:?}", missed.len(), lasting.len());
        assert!(found.iter().all(|name| name.starts_with("lasting:") || name.starts_with("passing:")));
    }
}
