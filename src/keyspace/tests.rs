//! The keyspace against a map, under Miri too.

use super::*;
use crate::arena::CutSink;
use std::collections::BTreeMap;

fn keyspace(maxmemory: u64, policy: Policy, shards: usize) -> Keyspace {
    let mut options = Options::new(4, 1, maxmemory, policy);
    options.shards = shards;
    options.reserve = if cfg!(miri) { 32 << 20 } else { 4 << 30 };
    options.hash_keys = [1, 2, 3, 4];
    Keyspace::new(&options).unwrap()
}

fn text(value: Value<'_>) -> Vec<u8> {
    match value {
        Value::Int(n) => n.to_string().into_bytes(),
        Value::Bytes(bytes) => bytes.to_vec(),
    }
}

#[test]
fn agrees_with_a_plain_map() {
    let keyspace = keyspace(0, Policy::NoEviction, 4);
    let mut model: BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)> = BTreeMap::new();
    let mut random = fastrand::Rng::with_seed(42);
    let (steps, keys) = if cfg!(miri) { (150, 30) } else { (60_000, 3000) };
    let mut now = 1_000_000;
    for _ in 0..steps {
        now += random.i64(0..3);
        let key = format!("key:{}", random.u32(0..keys)).into_bytes();
        let mut locked = keyspace.lock(keyspace.all_shards(), now);
        let mut db = locked.db(0);
        let live = model.get(&key).filter(|(_, expiry)| expiry.is_none_or(|at| at > now)).cloned();
        if live.is_none() {
            model.remove(&key);
        }
        match random.u8(0..10) {
            0..4 => {
                let len =
                    if random.u8(..) == 0 && !cfg!(miri) { random.usize(0..200_000) } else { random.usize(0..300) };
                let value = vec![random.alphanumeric() as u8; len];
                let ttl = [Ttl::Clear, Ttl::Keep, Ttl::At(now + random.i64(1..4000))][random.usize(0..3)];
                db.set(&key, &value, ttl).unwrap();
                let expiry = match ttl {
                    Ttl::Clear => None,
                    Ttl::Keep => live.and_then(|(_, expiry)| expiry),
                    Ttl::At(at) => Some(at),
                };
                model.insert(key, (value, expiry));
            }
            4 => {
                assert_eq!(db.remove(&key), live.is_some());
                model.remove(&key);
            }
            5 => {
                let n = random.i64(..) >> random.u32(0..64);
                db.set_int(&key, n, Ttl::Clear).unwrap();
                model.insert(key, (n.to_string().into_bytes(), None));
            }
            6 => {
                let len = random.usize(0..400);
                db.string_mut(&key, len).unwrap();
                let (mut value, expiry) = live.unwrap_or_default();
                value.resize(len, 0);
                model.insert(key, (value, expiry));
            }
            7 => {
                let at = random.bool().then(|| now + random.i64(1..5000));
                assert_eq!(db.set_expiry(&key, at), Ok(live.is_some()));
                if let Some(entry) = model.get_mut(&key) {
                    entry.1 = at;
                }
            }
            8 => {
                let to = format!("key:{}", random.u32(0..keys)).into_bytes();
                if to != key {
                    let keep = random.bool();
                    assert_eq!(db.transfer(&key, 0, &to, keep), Ok(live.is_some()));
                    if let Some(entry) = live {
                        model.insert(to, entry);
                        if !keep {
                            model.remove(&key);
                        }
                    }
                }
            }
            _ => {
                assert_eq!(db.read(&key).map(|item| (text(item.value), item.expiry)), live);
                drop(locked);
                keyspace.shards[random.usize(0..4)].0.lock().shorten_a_page();
                // Each visits the whole wheel, which Miri takes a second for.
                if !cfg!(miri) || random.u8(0..8) == 0 {
                    keyspace.cron(now, &mut || true);
                }
            }
        }
    }
    model.retain(|_, (_, expiry)| expiry.is_none_or(|at| at > now));
    let mut locked = keyspace.lock(ShardSet::NONE, now);
    assert_eq!(locked.key_sizes(0), locked.key_sizes_counted_anew(0));
    let (mut cursor, mut found) = (0, BTreeMap::new());
    loop {
        cursor = locked.scan(0, cursor, 10, &mut |key, item| {
            found.insert(key.to_vec(), (text(item.value), item.expiry));
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(found, model);
    drop(locked);
    assert_eq!(keyspace.lock(keyspace.all_shards(), now).flush(Some(0)), keyspace_len(&found, &keyspace));
    assert!(keyspace.memory_stats() == MemoryStats::default());
}

/// After a start from an image that says nothing of lengths: keys come, go, grow and change databases meanwhile.
#[test]
fn lengths_are_counted_while_keys_change() {
    let keyspace = keyspace(0, Policy::NoEviction, 2);
    let mut random = fastrand::Rng::with_seed(11);
    let (keys, changes, rounds) = if cfg!(miri) { (60, 5, 4) } else { (30_000, 3000, 50) };
    let mut change = |keys: u32| {
        let mut locked = keyspace.lock(keyspace.all_shards(), 1);
        let (key, value) = (format!("key:{}", random.u32(0..keys)), vec![7; random.usize(0..40)]);
        match random.u8(0..8) {
            0 => drop(locked.db(0).remove(key.as_bytes())),
            1 => drop(locked.db(1).transfer(key.as_bytes(), 0, key.as_bytes(), false)),
            n => locked.db(usize::from(n & 1)).set(key.as_bytes(), &value, Ttl::Clear).unwrap(),
        }
    };
    (0..keys).for_each(|_| change(keys));
    keyspace.forget_sizes();
    let mut steps = 0;
    for shard in [0, 1, 0, 1].repeat(rounds) {
        steps += u32::from(keyspace.shards[shard].0.lock().count_some());
        // More keys, and then fewer of them: segments split and merge.
        (0..changes).for_each(|_| change(if steps % 3 == 0 { keys / 50 } else { keys * 2 }));
        if steps % 5 == 0 {
            keyspace.lock(keyspace.all_shards(), 1).swap_databases(0, 1);
        }
    }
    assert!(cfg!(miri) || steps > 20, "{steps}");
    let mut locked = keyspace.lock(keyspace.all_shards(), 1);
    for db in [0, 1] {
        assert!(locked.db_stats(db).keys > 0);
        assert_eq!(locked.key_sizes(db), locked.key_sizes_counted_anew(db));
    }
}

/// Keys that expired but were not met are still counted by a flush.
fn keyspace_len(found: &BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>, keyspace: &Keyspace) -> u64 {
    let _ = keyspace;
    found.len() as u64
}

#[cfg(not(miri))]
fn fill(keyspace: &Keyspace, prefix: &str, count: usize, len: usize) -> usize {
    let value = vec![b'v'; len];
    (0..count)
        .filter(|i| {
            let key = format!("{prefix}:{i}");
            let set = keyspace.shard_set(std::iter::once(key.as_bytes()));
            keyspace.make_room(set, key.len() + len, 0).is_ok()
                && keyspace.lock(set, 0).db(0).set(key.as_bytes(), &value, Ttl::Clear).is_ok()
        })
        .count()
}

#[cfg(not(miri))]
#[test]
fn memory_moves_to_the_class_that_needs_it() {
    let limit = 32 << 20;
    let keyspace = keyspace(limit, Policy::AllkeysS3Fifo, 4);
    assert_eq!(fill(&keyspace, "small", 400_000, 100), 400_000);
    assert!(keyspace.used_memory() <= limit + (1 << 20), "{}", keyspace.used_memory());
    assert_eq!(fill(&keyspace, "big", 7000, 2000), 7000);
    let alive = (0..7000)
        .filter(|i| {
            let key = format!("big:{i}");
            keyspace.lock(keyspace.shard_set(std::iter::once(key.as_bytes())), 0).db(0).peek(key.as_bytes()).is_some()
        })
        .count();
    assert!(alive > 6650, "{alive} of 7000");
    assert!(keyspace.used_memory() <= limit + (1 << 20), "{}", keyspace.used_memory());
}

/// A cache of some 3,000 values, in which 500 keys are asked for between 6,000 that come but once.
#[cfg(not(miri))]
#[test]
fn what_was_evicted_and_comes_back_outlives_what_comes_once() {
    let hits_of = |policy| {
        let keyspace = keyspace(4 << 20, policy, 1);
        let is_there = |n: usize| {
            let key = format!("again:{n}");
            keyspace.lock(keyspace.shard_set(std::iter::once(key.as_bytes())), 0).db(0).read(key.as_bytes()).is_some()
        };
        let hits: Vec<usize> = (0..4)
            .map(|round| {
                let hits = (0..500).filter(|n| is_there(*n)).count();
                fill(&keyspace, "again", 500, 1000);
                fill(&keyspace, &format!("once:{round}"), 6000, 1000);
                hits
            })
            .collect();
        hits[3]
    };
    let without = hits_of(Policy::AllkeysLru);
    assert!(without < 60, "{without} of 500");
    for policy in [Policy::AllkeysS3Fifo, Policy::AllkeysLfu] {
        let hits = hits_of(policy);
        assert!(hits > 200, "{policy:?}: {hits} of 500");
    }
}

/// What goes is what the limit asks for, not all that shares pages with it.
#[cfg(not(miri))]
#[test]
fn a_limit_that_is_lowered_a_little_costs_a_few_keys() {
    let keyspace = keyspace(0, Policy::AllkeysLru, 8);
    assert_eq!(fill(&keyspace, "k", 300, 1000), 300);
    keyspace.set_maxmemory(keyspace.used_memory() - 40_000);
    keyspace.cron(0, &mut || true);
    assert!(keyspace.used_memory() <= keyspace.maxmemory());
    let evicted = keyspace.stats().evicted;
    assert!((20..=40).contains(&evicted), "{evicted}");
}

/// So few blocks that the shards' indexes alone take most of them.
#[cfg(not(miri))]
#[test]
fn a_tiny_limit_is_kept() {
    for policy in [Policy::AllkeysRandom, Policy::AllkeysLru, Policy::AllkeysLfu] {
        let keyspace = keyspace(100 << 10, policy, 8);
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..2_000 {
            fill(&keyspace, &random.u64(..).to_string()[..random.usize(1..10)], 1, 1);
            assert!(keyspace.used_memory() <= keyspace.maxmemory(), "{}", keyspace.used_memory());
        }
        assert!(keyspace.db_stats(0).keys > 0);
    }
}

/// A small limit holds about what it says, in one size and in many.
#[cfg(not(miri))]
#[test]
fn a_small_limit_is_used_up_and_kept() {
    for (limit, sizes) in [(1 << 20, 100..101), (1 << 20, 10..500), (5 << 20, 10..5000)] {
        let keyspace = keyspace(limit, Policy::AllkeysS3Fifo, 1);
        let mut random = fastrand::Rng::with_seed(7);
        for i in 0..100_000 {
            assert_eq!(fill(&keyspace, &i.to_string(), 1, random.usize(sizes.clone())), 1);
            assert!(keyspace.used_memory() <= limit, "{} of {limit}", keyspace.used_memory());
        }
        let used = keyspace.memory_stats().live;
        assert!(used > limit * 4 / 5, "{used} of {limit}, sizes {sizes:?}");
    }
}

/// One large value needs more than a shard's rounds of eviction give, or than its own shard has.
#[cfg(not(miri))]
#[test]
fn a_large_value_takes_the_place_of_very_many_small_ones() {
    let limit = 16 << 20;
    let keyspace = keyspace(limit, Policy::AllkeysS3Fifo, 8);
    assert_eq!(fill(&keyspace, "small", 300_000, 20), 300_000);
    assert_eq!(fill(&keyspace, "large", 20, 6 << 20), 20);
    assert!(keyspace.used_memory() <= limit + (2 << 20), "{}", keyspace.used_memory());
    assert_eq!(fill(&keyspace, "too large", 1, 17 << 20), 0);
}

#[test]
fn a_flush_takes_what_it_is_asked_for() {
    let keyspace = keyspace(0, Policy::NoEviction, 2);
    let all = keyspace.all_shards();
    let empty = keyspace.used_memory();
    let keys: Vec<String> = (0..if cfg!(miri) { 60 } else { 20_000 }).map(|n| format!("key:{n}")).collect();
    let fill = |db: usize| {
        let mut locked = keyspace.lock(all, 1000);
        keys.iter().for_each(|key| locked.db(db).set(key.as_bytes(), &[7; 300], Ttl::At(9000)).unwrap());
        locked.db(db).set(b"large", &[7; 40_000], Ttl::Clear).unwrap();
    };
    fill(0);
    fill(2);
    // Beside another database key by key, alone as a whole.
    assert_eq!(keyspace.lock(all, 1000).flush(Some(0)), keys.len() as u64 + 1);
    assert_eq!((keyspace.db_stats(0).keys, keyspace.db_stats(2).keys), (0, keys.len() as u64 + 1));
    assert!(keyspace.lock(all, 1000).db(2).peek(keys[7].as_bytes()).is_some());
    assert_eq!(keyspace.lock(all, 1000).flush(Some(2)), keys.len() as u64 + 1);
    keyspace.cron(1000, &mut || true);
    assert_eq!(keyspace.used_memory(), empty);
    assert!(keyspace.lock(all, 1000).db(2).peek(keys[7].as_bytes()).is_none());
    fill(1);
    assert!(keyspace.lock(all, 1000).db(1).peek(keys[7].as_bytes()).is_some());
    assert_eq!(keyspace.lock(all, 1000).flush(None), keys.len() as u64 + 1);
    keyspace.cron(20_000, &mut || true);
    assert_eq!((keyspace.used_memory(), keyspace.stats().expired), (empty, 0));
}

#[cfg(not(miri))]
#[test]
fn without_a_policy_memory_is_refused() {
    let keyspace = keyspace(4 << 20, Policy::NoEviction, 2);
    let stored = fill(&keyspace, "k", 100_000, 100);
    assert!(stored > 20_000 && stored < 60_000, "{stored}");
    assert!(keyspace.used_memory() < 5 << 20);
    assert_eq!(keyspace.stats().evicted, 0);
}

#[cfg(not(miri))]
#[test]
fn deleted_memory_goes_back() {
    let keyspace = keyspace(0, Policy::NoEviction, 4);
    fill(&keyspace, "k", 300_000, 100);
    let full = keyspace.used_memory();
    for i in (0..300_000).filter(|i| i % 10 != 0) {
        let key = format!("k:{i}");
        keyspace.lock(keyspace.shard_set(std::iter::once(key.as_bytes())), 0).db(0).remove(key.as_bytes());
    }
    keyspace.cron(0, &mut || true);
    assert!(keyspace.used_memory() * 5 < full, "{} of {full}", keyspace.used_memory());
    let stats = keyspace.db_stats(0);
    assert_eq!(stats.keys, 30_000);
}

#[test]
fn watchers_hear_of_changes_and_only_of_those() {
    let keyspace = keyspace(0, Policy::NoEviction, 2);
    let dirty = Arc::new(AtomicBool::new(false));
    let mut locked = keyspace.lock(keyspace.all_shards(), 1000);
    locked.db(0).set(b"a", b"1", Ttl::At(2000)).unwrap();
    locked.watch(0, b"a", &dirty);
    locked.db(0).set(b"b", b"1", Ttl::Clear).unwrap();
    locked.db(1).set(b"a", b"1", Ttl::Clear).unwrap();
    locked.db(0).read(b"a");
    assert!(!dirty.load(Relaxed));
    drop(locked);
    keyspace.lock(keyspace.all_shards(), 3000).db(0).peek(b"a");
    assert!(dirty.swap(false, Relaxed), "it expired");
    let mut locked = keyspace.lock(keyspace.all_shards(), 3000);
    locked.flush(None);
    assert!(!dirty.load(Relaxed), "it was not there");
    locked.unwatch(0, b"a", &dirty);
    locked.db(0).set(b"a", b"1", Ttl::Clear).unwrap();
    assert!(!dirty.load(Relaxed));
}

#[test]
fn a_random_key_is_any_of_a_few() {
    let keyspace = keyspace(0, Policy::NoEviction, 1);
    let mut locked = keyspace.lock(keyspace.all_shards(), 1);
    for n in 0..5 {
        locked.db(0).set(format!("key:{n}").as_bytes(), b"v", Ttl::Clear).unwrap();
    }
    let mut seen: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    let draws = if cfg!(miri) { 50 } else { 5_000 };
    for _ in 0..draws {
        let mut key = Vec::new();
        assert!(locked.random_key(0, &mut key));
        *seen.entry(key).or_default() += 1;
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    // Each is a fifth; less than half of that comes by chance once in never.
    assert!(cfg!(miri) || seen.values().all(|times| *times > draws / 10), "{seen:?}");
}

/// What an operation does that began before a cut is in the image, wherever it puts it: so none is under way any more when
/// pages are taken.
#[test]
#[cfg_attr(miri, ignore = "Miri has no waiting for a lock as parking_lot does it")]
fn a_cut_waits_for_what_began_before_it() {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    struct Nowhere;
    impl CutSink for Nowhere {
        fn reserve(&self) -> Option<Box<crate::arena::Block>> {
            None
        }
        fn give_back(&self, _: Box<crate::arena::Block>) {}
        fn spill(&self, _: u64, _: u32, _: &crate::arena::Block) {}
    }
    let keyspace = keyspace(0, Policy::NoEviction, 2);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut locked = keyspace.lock(keyspace.all_shards(), 1);
        let cut = scope.spawn(|| {
            keyspace.begin_cut(Arc::new(Nowhere));
            assert!(is_over.load(SeqCst), "an operation goes on");
        });
        while keyspace.arena().cut_epoch() == 0 {
            std::thread::yield_now();
        }
        // Were it not waited for, the other would have come to its end.
        (0..1000).for_each(|_| std::thread::yield_now());
        locked.db(0).set(b"key", b"value", Ttl::Clear).unwrap();
        is_over.store(true, SeqCst);
        drop(locked);
        cut.join().unwrap();
    });
    keyspace.arena().end_cut();
}

/// A command that panics gives its locks back in the middle of a look.
#[test]
fn a_look_ends_with_its_locks() {
    let keyspace = keyspace(0, Policy::NoEviction, 2);
    let mut locked = keyspace.lock(keyspace.all_shards(), 1);
    locked.db(0).set(b"key", b"value", Ttl::Clear).unwrap();
    locked.look();
    drop(locked);
    let mut locked = keyspace.lock(keyspace.all_shards(), 1);
    let is_looking = locked.guards.iter().any(|shard| shard.heap.set_looks(false));
    assert!(!is_looking);
    assert!(locked.db(0).peek(b"key").is_some());
}
