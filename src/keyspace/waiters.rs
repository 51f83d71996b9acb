//! Blocking commands: who waits for keys, in order of arrival, and which of these keys have changed.
//!
//! A waiter is a ticket, a number that grows; what it stands for, only the layer above knows. Each key
//! that someone waits for has a queue in its shard. A change of such a key is noted; whoever holds
//! the shard takes the note ([`Locked::take_ready`]) and serves the queue. Nobody waits, almost
//! always: then a change looks at one field of its shard, and a command at one number.

use super::{Keyspace, Locked, ShardSet, Type, shard::Shard};
use crate::util::clock::UnixMillis;
use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// What a waiter waits for at a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    /// A value of this type is there, or has changed.
    pub kind: Type,
    /// Also that there is none any more, or one of another type.
    pub removal: bool,
}

/// A key that has changed while someone waited for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ready {
    /// When, among all of them.
    order: u64,
    pub db: usize,
    pub key: Box<[u8]>,
}

/// How many keys have been noted as ready, and how many of them taken.
#[derive(Default, Debug)]
pub(super) struct Notes {
    noted: AtomicU64,
    pending: AtomicU64,
}

#[derive(Default)]
struct Queue {
    tickets: BTreeMap<u64, Want>,
    /// How many of them want to hear of a removal.
    removals: usize,
    noted: bool,
}

/// The keys of a shard that someone waits for, per database. Connection state, so it is not in the
/// arena.
#[derive(Default)]
pub(super) struct Waiters {
    keys: HashMap<usize, HashMap<Box<[u8]>, Queue, ahash::RandomState>, ahash::RandomState>,
    ready: Vec<Ready>,
    notes: Arc<Notes>,
}

impl Waiters {
    pub fn new(notes: &Arc<Notes>) -> Waiters {
        Waiters { notes: Arc::clone(notes), ..Waiters::default() }
    }

    #[inline]
    pub fn any(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Keys that someone waits for; keys whose removal someone waits for.
    fn count(&self) -> (usize, usize) {
        let queues = || self.keys.values().flat_map(HashMap::values);
        (queues().count(), queues().filter(|queue| queue.removals > 0).count())
    }

    fn add(&mut self, db: usize, key: &[u8], ticket: u64, want: Want) {
        let queue = self.keys.entry(db).or_default().entry(key.into()).or_default();
        // A key may be named twice.
        if queue.tickets.insert(ticket, want).is_none() {
            queue.removals += usize::from(want.removal);
        }
    }

    fn remove(&mut self, db: usize, key: &[u8], ticket: u64) {
        let Some(keys) = self.keys.get_mut(&db) else { return };
        let Some(queue) = keys.get_mut(key) else { return };
        if let Some(want) = queue.tickets.remove(&ticket) {
            queue.removals -= usize::from(want.removal);
        }
        if queue.tickets.is_empty() {
            keys.remove(key);
        }
        if keys.is_empty() {
            self.keys.remove(&db);
        }
    }

    /// A key has changed; `removed`: it is there no more.
    pub fn changed(&mut self, db: usize, key: &[u8], removed: bool) {
        let Some(queue) = self.keys.get_mut(&db).and_then(|keys| keys.get_mut(key)) else { return };
        if queue.noted || removed && queue.removals == 0 {
            return;
        }
        queue.noted = true;
        self.notes.pending.fetch_add(1, Relaxed);
        self.ready.push(Ready { order: self.notes.noted.fetch_add(1, Relaxed), db, key: key.into() });
    }

    /// A database has become another.
    pub fn changed_all(&mut self, db: usize) {
        let keys: Vec<Box<[u8]>> = self.keys.get(&db).into_iter().flat_map(|keys| keys.keys().cloned()).collect();
        keys.iter().for_each(|key| self.changed(db, key, false));
    }

    fn take(&mut self, into: &mut Vec<Ready>) {
        for ready in &self.ready {
            if let Some(queue) = self.keys.get_mut(&ready.db).and_then(|keys| keys.get_mut(&ready.key)) {
                queue.noted = false;
            }
        }
        self.notes.pending.fetch_sub(self.ready.len() as u64, Relaxed);
        into.append(&mut self.ready);
    }
}

impl Keyspace {
    /// Whether a key is ready for someone who waits. Its note may be in a shard that is not locked.
    #[inline]
    pub fn has_ready(&self) -> bool {
        self.waits.pending.load(Relaxed) != 0
    }
}

/// The shards of the keys must be locked.
impl Locked<'_> {
    fn waiters(&mut self, key: &[u8]) -> &mut Waiters {
        let hash = self.keyspace.hash(key);
        &mut self.shard(hash).waiters
    }

    /// What is done from here on under these locks is done at a later time.
    pub fn advance_to(&mut self, now: UnixMillis) {
        self.now = self.now.max(now);
        self.judged_at = self.now;
    }

    pub fn holds(&self, set: ShardSet) -> bool {
        set.0 & !self.set.0 == 0
    }

    /// Puts a ticket into the queue of a key.
    pub fn wait(&mut self, db: usize, key: &[u8], ticket: u64, want: Want) {
        self.waiters(key).add(db, key, ticket, want);
    }

    pub fn stop_waiting(&mut self, db: usize, key: &[u8], ticket: u64) {
        self.waiters(key).remove(db, key, ticket);
    }

    /// Has those who wait for a key served though it has not changed.
    pub fn make_ready(&mut self, db: usize, key: &[u8]) {
        self.waiters(key).changed(db, key, false);
    }

    /// The ticket that is next in the queue of a key after `ticket`, if what is stored there, or not,
    /// is what it wants.
    pub fn next_waiter(&mut self, db: usize, key: &[u8], ticket: u64) -> Option<u64> {
        let kind = self.db(db).peek(key).map(|item| item.kind);
        let queue = self.waiters(key).keys.get(&db)?.get(key)?;
        if kind.is_none() && queue.removals == 0 {
            return None;
        }
        let wants = |want: &Want| want.removal || kind == Some(want.kind);
        let mut rest = queue.tickets.range((Bound::Excluded(ticket), Bound::Unbounded));
        rest.find(|(_, want)| wants(want)).map(|(ticket, _)| *ticket)
    }

    /// The keys of the locked shards that have become ready, in order.
    pub fn take_ready(&mut self) -> Vec<Ready> {
        let mut ready = Vec::new();
        self.guards.iter_mut().for_each(|shard| shard.waiters.take(&mut ready));
        ready.sort_unstable_by_key(|ready| ready.order);
        ready
    }

    /// Keys that someone waits for; those whose removal someone waits for.
    pub fn awaited_keys(&mut self) -> (usize, usize) {
        let mut sum = (0, 0);
        self.each_shard(|shard: &mut Shard| {
            let (keys, removals) = shard.waiters.count();
            sum = (sum.0 + keys, sum.1 + removals);
        });
        sum
    }
}
