//! The keyspace: shards and their locks, databases, lookup, expiry, eviction, WATCH.
//!
//! A key's hash decides its shard. A command locks the shards of all its keys at once, in
//! ascending order, reads the arena's epoch after the last lock, and then acts: so it is atomic,
//! and wholly before or wholly after a snapshot's cut. `now` is an argument everywhere.

mod cell;
mod changes;
mod check;
mod cron;
mod cut;
mod db;
mod effects;
mod evict;
mod item;
mod loading;
mod mend;
mod prefetch;
mod rebuild;
mod recency;
mod room;
mod scan;
mod shard;
mod sizes;
mod survey;
mod waiters;
mod watch;

pub use crate::types::kind::{Encoding, Type};
pub use cell::{Cell, Refusal, WrongType};
pub use changes::Changes;
pub use cron::CronReport;
pub use db::Db;
pub use effects::{Effect, EffectKind, Effects};
pub use item::large_value_at;
pub use shard::AtCut;
pub use sizes::{BINS, KeySizes, SizeRow};
pub use survey::{DbStats, IndexStats, KeyspaceStats, MemoryStats};
pub use waiters::{Ready, Want};

use crate::{
    aof::{Commands, Log},
    arena::Arena,
    config::Policy,
    types::tree::Heaps,
    util::clock::UnixMillis,
};
use loading::Look;
use parking_lot::{Mutex, MutexGuard};
use shard::Shard;
use smallvec::SmallVec;
use std::{
    cmp::Ordering,
    hash::BuildHasher,
    io,
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering::*},
    },
    time::Duration,
};

/// A value as it lies in the arena; valid while the shard is locked.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

/// What a lookup found.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    pub kind: Type,
    pub encoding: Encoding,
    pub expiry: Option<UnixMillis>,
    pub value: Value<'a>,
}

/// What a write does with the time to live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ttl {
    Clear,
    Keep,
    At(UnixMillis),
}

/// `maxmemory` is reached and nothing may be evicted, or the address space is used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

/// Shards to lock, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ShardSet(pub u64);

impl ShardSet {
    pub const NONE: ShardSet = ShardSet(0);

    pub fn contains(self, shard: usize) -> bool {
        self.0 >> shard & 1 == 1
    }

    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let shard = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(shard)
        })
    }

    pub fn union(self, other: ShardSet) -> ShardSet {
        ShardSet(self.0 | other.0)
    }
}

/// The hash of a key that has been computed already: looked up by where the key's bytes lie, so a
/// command that hashed its key to find the shard need not do so again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownHash {
    /// Where the key begins, 0 if there is none, and how long it is.
    at: usize,
    len: usize,
    hash: u64,
}

impl KnownHash {
    /// Nothing is known.
    pub const NONE: KnownHash = KnownHash { at: 0, len: 0, hash: 0 };

    /// `hash` is that of `key`, whose bytes stay where they are.
    #[inline]
    pub fn new(key: &[u8], hash: u64) -> KnownHash {
        KnownHash { at: key.as_ptr().addr(), len: key.len(), hash }
    }

    /// Whether it is of the key that lies just there.
    #[inline]
    pub fn is_of(&self, key: &[u8]) -> bool {
        self.at == key.as_ptr().addr() && self.len == key.len()
    }
}

/// What a keyspace is made with.
#[derive(Clone, Debug)]
pub struct Options {
    pub databases: usize,
    /// A power of two up to 64.
    pub shards: usize,
    /// Bytes; 0 for no limit.
    pub maxmemory: u64,
    pub policy: Policy,
    /// Bytes of address space to reserve.
    pub reserve: usize,
    /// The hash's keys; random unless an image brings its own.
    pub hash_keys: [u64; 4],
}

impl Options {
    /// For so many cores and such a `maxmemory`: about four shards a core, fewer for a small arena.
    pub fn new(databases: usize, cores: usize, maxmemory: u64, policy: Policy) -> Options {
        let by_memory = if maxmemory == 0 { usize::MAX } else { (maxmemory >> 24).max(1) as usize };
        let shards = (cores * 4).min(by_memory).clamp(1, 64);
        let shards = 1 << shards.ilog2();
        let reserve = if maxmemory == 0 { usize::MAX } else { (maxmemory as usize).saturating_mul(8).max(64 << 30) };
        // Of the system's randomness: who could guess them would know keys that meet in one place.
        let secret = std::hash::RandomState::new();
        let hash_keys = std::array::from_fn(|at| secret.hash_one(at));
        Options { databases, shards, maxmemory, policy, reserve, hash_keys }
    }
}

/// See [`Keyspace::settle`].
const SETTLE_STEPS: usize = 4096;

/// Pages that FLUSHALL itself gives back to the system.
const RELEASED_AT_ONCE: usize = 256;

pub struct Keyspace {
    arena: Arc<Arena>,
    shards: Box<[Padded]>,
    shard_bits: u8,
    databases: usize,
    hash: ahash::RandomState,
    hash_keys: [u64; 4],
    maxmemory: AtomicU64,
    policy: AtomicU8,
    active_expire: AtomicBool,
    /// Until then nothing is removed on its own: the later of the two below.
    held_until: Arc<AtomicI64>,
    paused_until: AtomicI64,
    importing: AtomicBool,
    effects: Arc<Effects>,
    log: Arc<Log>,
    waits: Arc<waiters::Notes>,
    /// Where the next search for room begins, and the next cron step.
    next_shard: AtomicU64,
}

/// A shard on cache lines of its own, so that two cores do not fight over neighbours.
#[repr(align(128))]
struct Padded(Mutex<Shard>);

type Guards<'k> = SmallVec<[Guard<'k>; 1]>;

/// A shard that is held: by this operation, or by the one around it.
enum Guard<'k> {
    Own(MutexGuard<'k, Shard>),
    Lent(&'k mut Shard),
}

impl Deref for Guard<'_> {
    type Target = Shard;

    #[inline]
    fn deref(&self) -> &Shard {
        match self {
            Guard::Own(shard) => shard,
            Guard::Lent(shard) => shard,
        }
    }
}

impl DerefMut for Guard<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Shard {
        match self {
            Guard::Own(shard) => shard,
            Guard::Lent(shard) => shard,
        }
    }
}

/// Held locks on some shards; every operation on keys goes through it.
pub struct Locked<'k> {
    keyspace: &'k Keyspace,
    set: ShardSet,
    guards: Guards<'k>,
    epoch: u32,
    now: UnixMillis,
    /// CLIENT NO-TOUCH: reads leave no trace.
    no_touch: bool,
    /// The time by which keys are judged to have expired: `now`, or before all times for who may
    /// see expired keys.
    judged_at: UnixMillis,
    known: KnownHash,
    /// What [`Self::look`] has found out.
    look: Option<Box<Look>>,
}

impl Keyspace {
    /// As [`Locked::take_changes`], of one shard after the other.
    pub fn take_changes(&self, each: &mut dyn FnMut(Changes)) {
        for shard in &self.shards {
            let mut shard = shard.0.lock();
            if !shard.changes.is_empty() {
                // Under the lock: nobody reads the key in between.
                each(std::mem::take(&mut shard.changes));
            }
        }
    }

    pub fn new(options: &Options) -> io::Result<Keyspace> {
        let arena = Arena::reserve(options.reserve, 1 << 30)?;
        let [a, b, c, d] = options.hash_keys;
        let hash = ahash::RandomState::with_seeds(a, b, c, d);
        let shard_bits = options.shards.ilog2() as u8;
        let held_until = Arc::new(AtomicI64::new(0));
        let effects = Arc::new(Effects::default());
        let log = Arc::new(Log::default());
        let waits = Arc::default();
        let shards = (0..1usize << shard_bits)
            .map(|n| {
                let shard = Shard::new(&arena, n as u8, options.databases, shard_bits, hash.clone());
                Padded(Mutex::new(shard.with_outside(&held_until, &effects, &log, &waits)))
            })
            .collect();
        let keyspace = Keyspace {
            arena,
            shards,
            shard_bits,
            databases: options.databases,
            hash,
            hash_keys: options.hash_keys,
            maxmemory: AtomicU64::new(0),
            policy: AtomicU8::new(options.policy as u8),
            active_expire: AtomicBool::new(true),
            held_until,
            paused_until: AtomicI64::new(0),
            importing: AtomicBool::new(false),
            effects,
            log,
            waits,
            next_shard: AtomicU64::new(0),
        };
        keyspace.set_maxmemory(options.maxmemory);
        Ok(keyspace)
    }

    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hash.hash_one(key)
    }

    #[inline]
    pub fn shard_of(&self, hash: u64) -> usize {
        if self.shard_bits == 0 { 0 } else { (hash >> (64 - self.shard_bits)) as usize }
    }

    /// Hashes a key for [`Locked::set_known`].
    #[inline]
    pub fn know(&self, key: &[u8]) -> KnownHash {
        KnownHash::new(key, self.hash(key))
    }

    #[inline]
    pub fn shard_set_of(&self, known: KnownHash) -> ShardSet {
        ShardSet(1 << self.shard_of(known.hash))
    }

    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    pub fn databases(&self) -> usize {
        self.databases
    }

    pub fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    pub fn hash_keys(&self) -> [u64; 4] {
        self.hash_keys
    }

    pub fn all_shards(&self) -> ShardSet {
        ShardSet(u64::MAX >> (64 - self.shards.len()))
    }

    pub fn shard_set<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> ShardSet {
        ShardSet(keys.fold(0, |set, key| set | 1 << self.shard_of(self.hash(key))))
    }

    /// Locks the shards in ascending order. Never called while another `Locked` is held.
    #[inline]
    pub fn lock(&self, set: ShardSet, now: UnixMillis) -> Locked<'_> {
        let mut locked = self.unlocked(now);
        locked.guards.extend(set.iter().map(|number| Guard::Own(self.shards[number].0.lock())));
        locked.enter(set);
        locked
    }

    /// Holds nothing yet: see [`Locked::acquire`].
    #[inline(always)]
    pub fn unlocked(&self, now: UnixMillis) -> Locked<'_> {
        Locked {
            keyspace: self,
            set: ShardSet::NONE,
            guards: Guards::new(),
            epoch: 0,
            now,
            no_touch: false,
            judged_at: now,
            known: KnownHash::NONE,
            look: None,
        }
    }

    /// Bytes resident in the arena: what `maxmemory` bounds and INFO's used_memory reports.
    pub fn used_memory(&self) -> u64 {
        self.arena.resident()
    }

    pub fn peak_memory(&self) -> u64 {
        self.arena.peak()
    }

    pub fn maxmemory(&self) -> u64 {
        self.maxmemory.load(Relaxed)
    }

    pub fn set_maxmemory(&self, bytes: u64) {
        self.maxmemory.store(bytes, Relaxed);
        // What is being sent cannot be evicted: beyond this it is copied, as small values are.
        self.arena.limit_pins(if bytes == 0 { u64::MAX } else { bytes / 4 });
    }

    pub fn policy(&self) -> Policy {
        let code = self.policy.load(Relaxed);
        Policy::ALL.iter().copied().find(|policy| *policy as u8 == code).unwrap_or(Policy::NoEviction)
    }

    pub fn set_policy(&self, policy: Policy) {
        self.policy.store(policy as u8, Relaxed);
    }

    /// CLIENT PAUSE: until then nothing expires or is evicted on its own. Readers do not see what has expired.
    pub fn hold_removals(&self, until: UnixMillis) {
        self.paused_until.store(until, Relaxed);
        self.settle_hold();
    }

    /// `import-mode`: nothing expires or is evicted on its own; the server that is imported from
    /// says what goes.
    pub fn holds_removals(&self, now: UnixMillis) -> bool {
        self.held_until.load(Relaxed) > now
    }

    pub fn set_importing(&self, on: bool) {
        self.importing.store(on, Relaxed);
        self.settle_hold();
    }

    fn settle_hold(&self) {
        let until = if self.importing.load(Relaxed) { UnixMillis::MAX } else { self.paused_until.load(Relaxed) };
        self.held_until.store(until, Relaxed);
    }

    /// Removes what is due and what is too much, a bounded amount of it, without waiting for the cron.
    pub fn settle(&self, now: UnixMillis) {
        let mut steps = SETTLE_STEPS;
        self.cron(now, &mut || {
            steps = steps.saturating_sub(1);
            steps > 0
        });
    }

    /// What happens to keys on its own, for those who publish it.
    pub fn effects(&self) -> &Arc<Effects> {
        &self.effects
    }

    /// Where changes are kept until the next image.
    #[inline]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// DEBUG SET-ACTIVE-EXPIRE.
    pub fn set_active_expire(&self, on: bool) {
        self.active_expire.store(on, Relaxed);
    }
}

impl<'k> Locked<'k> {
    /// As [`Keyspace::lock`], for one that holds nothing; false, and it still holds nothing, if one of the shards could
    /// not be had for so long. In place, since a command would copy it several times on the way to its handler.
    #[inline]
    pub fn acquire(&mut self, set: ShardSet, time: Duration) -> bool {
        for number in set.iter() {
            let Some(guard) = self.keyspace.shards[number].0.try_lock_for(time) else {
                self.guards.clear();
                return false;
            };
            self.guards.push(Guard::Own(guard));
        }
        self.enter(set);
        true
    }

    #[inline]
    fn enter(&mut self, set: ShardSet) {
        // Read after the last lock: so the operation is on one side of any cut.
        let epoch = self.keyspace.arena.epoch();
        self.guards.iter_mut().for_each(|shard| shard.enter(epoch));
        (self.set, self.epoch) = (set, epoch);
    }

    pub fn keyspace(&self) -> &'k Keyspace {
        self.keyspace
    }

    pub fn now(&self) -> UnixMillis {
        self.now
    }

    /// Changes that the locked shards have counted: more than before when a command has changed something.
    pub fn changes(&self) -> u64 {
        self.guards.iter().map(|shard| shard.counters.dirty).fold(0, u64::wrapping_add)
    }

    /// Whether a page that this operation came to is damaged.
    #[inline]
    pub fn is_damaged(&self) -> bool {
        self.guards.iter().any(|shard| shard.heap.is_damaged())
    }

    /// Puts the shards in order in which that is so.
    #[cold]
    pub fn mend(&mut self) {
        self.guards.iter_mut().filter(|shard| shard.heap.is_damaged()).for_each(|shard| shard.mend());
    }

    /// Keeps what this operation has changed, as commands that do it again. The locks are still held.
    pub fn keep(&self, commands: &Commands) {
        self.keyspace.log.append(self.epoch, self.now, commands);
    }

    /// The same of one command.
    pub fn keep_one(&self, db: usize, words: &[&[u8]]) {
        self.keyspace.log.append_one(self.epoch, self.now, db, words);
    }

    /// The shards that are locked.
    pub fn set(&self) -> ShardSet {
        self.set
    }

    /// The same locks, for an operation within this one.
    pub fn lend(&mut self) -> Locked<'_> {
        let guards = self.guards.iter_mut().map(|shard| Guard::Lent(shard)).collect();
        Locked {
            keyspace: self.keyspace,
            set: self.set,
            guards,
            epoch: self.epoch,
            now: self.now,
            no_touch: false,
            judged_at: self.judged_at,
            known: KnownHash::NONE,
            look: None,
        }
    }

    /// The hash of the command's only key, whose bytes stay where they are until the locks go.
    #[inline]
    pub fn set_known(&mut self, known: KnownHash) {
        self.known = known;
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        if self.known.is_of(key) {
            debug_assert_eq!(self.known.hash, self.keyspace.hash(key));
            return self.known.hash;
        }
        self.keyspace.hash(key)
    }

    /// CLIENT NO-TOUCH: reads leave no trace.
    pub fn set_no_touch(&mut self, no_touch: bool) {
        self.no_touch = no_touch;
    }

    /// The time by which keys, and fields of hashes, are judged to have expired.
    pub fn judged_at(&self) -> UnixMillis {
        self.judged_at
    }

    /// CLIENT IMPORT-SOURCE: keys that have expired are there as if they had not.
    pub fn show_expired(&mut self) {
        self.judged_at = UnixMillis::MIN;
    }

    /// The database `index` (below `databases()`).
    #[inline]
    pub fn db(&mut self, index: usize) -> Db<'_, 'k> {
        Db { locked: self, db: index }
    }

    /// The shard of a hash. Every key of a command is locked before its handler runs; a handler
    /// that asks for another is a defect of its row.
    #[inline]
    fn shard(&mut self, hash: u64) -> &mut Shard {
        let shard = self.keyspace.shard_of(hash);
        debug_assert!(
            self.set.contains(shard),
            "a key's shard is not locked: is the command's key specification complete?"
        );
        // Most commands hold one shard, and counting bits takes a while.
        let rank = if self.guards.len() == 1 { 0 } else { (self.set.0 & ((1 << shard) - 1)).count_ones() as usize };
        &mut self.guards[rank]
    }

    /// As [`Self::shard`], for reading.
    fn shard_ref(&self, hash: u64) -> &Shard {
        let rank = (self.set.0 & ((1 << self.keyspace.shard_of(hash)) - 1)).count_ones() as usize;
        &self.guards[rank]
    }

    /// The heaps of two hashes' shards, for a copy from the first to the second.
    fn heaps(&mut self, from: u64, to: u64) -> Heaps<'_> {
        let rank = |hash| (self.set.0 & ((1 << self.keyspace.shard_of(hash)) - 1)).count_ones() as usize;
        let (from, to) = (rank(from), rank(to));
        let guards = &mut self.guards[..];
        match from.cmp(&to) {
            Ordering::Equal => Heaps::One(&mut guards[from].heap),
            Ordering::Less => {
                let (low, high) = guards.split_at_mut(to);
                Heaps::Two { from: &low[from].heap, to: &mut high[0].heap }
            }
            Ordering::Greater => {
                let (low, high) = guards.split_at_mut(from);
                Heaps::Two { from: &high[0].heap, to: &mut low[to].heap }
            }
        }
    }

    /// SWAPDB; needs all shards.
    pub fn swap_databases(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        let (low, high) = (a.min(b), a.max(b));
        for shard in &mut self.guards {
            shard.expire_watched(&[low, high], self.now);
            shard.touch_watched(low, &[low, high]);
            shard.touch_watched(high, &[low, high]);
            shard.waiters.changed_all(low);
            shard.waiters.changed_all(high);
            let Shard { indexes, heap, wheels, sizes, counters, .. } = &mut **shard;
            let (first, second) = indexes.split_at_mut(high);
            first[low].swap(&mut second[0], heap);
            wheels.swap(low, high);
            sizes.swap(low, high);
            counters.dirty += 1;
        }
    }

    /// Gives the locks back: for what a command does when it is done with the keys.
    pub fn release(&mut self) {
        (self.set, self.known) = (ShardSet::NONE, KnownHash::NONE);
        self.guards.clear();
    }

    /// FLUSHDB (`Some`) or FLUSHALL (`None`); needs all shards. Answers how many keys went.
    pub fn flush(&mut self, db: Option<usize>) -> u64 {
        let range = db.map_or(0..self.keyspace.databases, |db| db..db + 1);
        let keys = self.guards.iter_mut().map(|shard| shard.clear(range.clone())).sum();
        // A small keyspace's memory is back at once, a large one's with the cron's next beats.
        self.keyspace.arena.release_retired(RELEASED_AT_ONCE);
        keys
    }

    /// As `flush`, and INFO counts the keys as freed lazily.
    pub fn flush_lazily(&mut self, db: Option<usize>) {
        let keys = self.flush(db);
        if let Some(shard) = self.guards.first_mut() {
            shard.counters.lazily_freed += keys;
        }
    }

    /// Which keys of the locked shards have changed since this was last asked.
    pub fn take_changes(&mut self) -> Changes {
        let mut all = Changes::default();
        self.guards.iter_mut().for_each(|shard| all.append(&mut shard.changes));
        all
    }

    /// WATCH: `dirty` becomes true when the key changes, expires, or is flushed. A key that has
    /// expired already is removed first, so that its removal later does not count as a change.
    /// The key's shard must be locked. False when it was watched for the same flag already.
    pub fn watch(&mut self, db: usize, key: &[u8], dirty: &Arc<AtomicBool>) -> bool {
        self.db(db).peek(key);
        let hash = self.keyspace.hash(key);
        self.shard(hash).watchers.add(db, key, dirty)
    }

    pub fn unwatch(&mut self, db: usize, key: &[u8], dirty: &Arc<AtomicBool>) {
        let hash = self.keyspace.hash(key);
        self.shard(hash).watchers.remove(db, key, dirty);
    }
}

#[cfg(test)]
mod tests;
