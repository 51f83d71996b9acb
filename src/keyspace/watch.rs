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

    /// False when this one watches the key already.
    pub fn add(&mut self, db: usize, key: &[u8], dirty: &Arc<AtomicBool>) -> bool {
        let flags = self.keys.entry(db).or_default().entry(key.into()).or_default();
        let is_new = !flags.iter().any(|flag| Arc::ptr_eq(flag, dirty));
        if is_new {
            flags.push(Arc::clone(dirty));
        }
        is_new
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_watches_a_key_twice_is_told_once() {
        let (mut watchers, dirty, other) = (Watchers::default(), Arc::default(), Arc::default());
        assert!(watchers.add(0, b"k", &dirty) && watchers.add(0, b"k", &other) && watchers.add(1, b"k", &dirty));
        assert!(!watchers.add(0, b"k", &dirty));
        assert_eq!(watchers.len(), 2);
        watchers.remove(0, b"k", &dirty);
        watchers.changed(0, b"k");
        assert!(other.load(Relaxed) && !dirty.load(Relaxed));
        watchers.remove(0, b"k", &other);
        watchers.remove(1, b"k", &dirty);
        assert!(!watchers.any());
    }
}
