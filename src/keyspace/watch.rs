//! WATCH: who wants to know that a key has changed.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

type Flags = Vec<Arc<AtomicBool>>;

/// The watched keys of a shard, per database. Connection state, so it is not in the arena.
#[derive(Default)]
pub(super) struct Watchers {
    keys: HashMap<usize, HashMap<Box<[u8]>, Flags, ahash::RandomState>, ahash::RandomState>,
}

impl Watchers {
    #[inline]
    pub fn any(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The number of keys that someone watches.
    pub fn len(&self) -> usize {
        self.keys.values().map(HashMap::len).sum()
    }

    pub fn add(&mut self, db: usize, key: &[u8], dirty: &Arc<AtomicBool>) {
        self.keys.entry(db).or_default().entry(key.into()).or_default().push(Arc::clone(dirty));
    }

    pub fn remove(&mut self, db: usize, key: &[u8], dirty: &Arc<AtomicBool>) {
        let Some(keys) = self.keys.get_mut(&db) else { return };
        if let Some(flags) = keys.get_mut(key) {
            flags.retain(|flag| !Arc::ptr_eq(flag, dirty));
            if flags.is_empty() {
                keys.remove(key);
            }
        }
        if keys.is_empty() {
            self.keys.remove(&db);
        }
    }

    pub fn changed(&self, db: usize, key: &[u8]) {
        if let Some(flags) = self.keys.get(&db).and_then(|keys| keys.get(key)) {
            flags.iter().for_each(|flag| flag.store(true, Relaxed));
        }
    }

    /// The watched keys of a database.
    pub fn watched(&self, db: usize) -> Vec<Box<[u8]>> {
        self.keys.get(&db).into_iter().flat_map(|keys| keys.keys().cloned()).collect()
    }
}
