//! The keyspace: shards and their locks, databases, lookup, expiry, eviction, WATCH.
//!
//! This file is the facade that commands see.

use crate::util::clock::UnixMillis;
use std::sync::{Arc, atomic::AtomicBool};

/// The type of a value, with Redis's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    String,
}

impl Type {
    pub fn name(self) -> &'static str {
        match self {
            Type::String => "string",
        }
    }
}

/// How a value is stored, with the names OBJECT ENCODING answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// A signed 64-bit integer, stored as such.
    Int,
    /// A string of at most 44 bytes set in one piece.
    EmbStr,
    /// Any other string.
    Raw,
}

impl Encoding {
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::EmbStr => "embstr",
            Encoding::Raw => "raw",
        }
    }
}

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

/// `maxmemory` is reached and nothing may be evicted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

/// Shards to lock, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ShardSet(pub u64);

/// Counters summed over the shards, for INFO.
#[derive(Clone, Copy, Default, Debug)]
pub struct KeyspaceStats {
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    /// Keys that active expiry removed (the rest of `expired` was found by a lookup).
    pub expired_active: u64,
    pub evicted: u64,
    /// Changes since the start; INFO shows the difference to the last save.
    pub dirty: u64,
}

/// Per database, for INFO keyspace and DBSIZE.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct DbStats {
    pub keys: u64,
    pub expires: u64,
    pub avg_ttl_ms: i64,
}

pub struct Keyspace {}

/// Held locks on some shards; every operation on keys goes through it.
pub struct Locked<'k> {
    _k: &'k Keyspace,
}

/// One database within the locked shards.
pub struct Db<'l> {
    _l: &'l mut (),
}

impl Keyspace {
    pub fn hash(&self, _key: &[u8]) -> u64 {
        todo!()
    }
    pub fn shard_of(&self, _hash: u64) -> usize {
        todo!()
    }
    pub fn shards(&self) -> usize {
        todo!()
    }
    pub fn databases(&self) -> usize {
        todo!()
    }
    pub fn all_shards(&self) -> ShardSet {
        ShardSet(1)
    }
    pub fn shard_set<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> ShardSet {
        ShardSet(keys.count().min(1) as u64)
    }
    /// Locks the shards in ascending order. Never called while another `Locked` is held.
    pub fn lock(&self, _set: ShardSet, _now: UnixMillis) -> Locked<'_> {
        Locked { _k: self }
    }
    pub fn stats(&self) -> KeyspaceStats {
        todo!()
    }
    /// Bytes resident in the arena: what `maxmemory` bounds and INFO's used_memory reports.
    pub fn used_memory(&self) -> u64 {
        todo!()
    }
    pub fn peak_memory(&self) -> u64 {
        todo!()
    }
    pub fn maxmemory(&self) -> u64 {
        todo!()
    }
}

impl<'k> Locked<'k> {
    pub fn keyspace(&self) -> &'k Keyspace {
        todo!()
    }
    pub fn now(&self) -> UnixMillis {
        todo!()
    }
    /// The database `index` (below `databases()`).
    pub fn db(&mut self, _index: usize) -> Db<'_> {
        todo!()
    }
    /// SWAPDB; needs all shards.
    pub fn swap_databases(&mut self, _a: usize, _b: usize) {
        todo!()
    }
    /// FLUSHDB (`Some`) or FLUSHALL (`None`); needs all shards. Answers how many keys went.
    pub fn flush(&mut self, _db: Option<usize>) -> u64 {
        todo!()
    }
    pub fn db_stats(&mut self, _index: usize) -> DbStats {
        todo!()
    }
    /// One step of SCAN: calls `visit(key, item)` for about `count` keys, answers the next cursor
    /// (0: done). Locks one shard at a time if none is held.
    pub fn scan(&mut self, _db: usize, _cursor: u64, _count: usize, _visit: &mut dyn FnMut(&[u8], Item<'_>)) -> u64 {
        todo!()
    }
    /// A key chosen at random among those not expired, copied into `out`.
    pub fn random_key(&mut self, _db: usize, _out: &mut Vec<u8>) -> bool {
        todo!()
    }
    /// WATCH: `dirty` becomes true when the key changes, expires by command, or is flushed.
    /// The key's shard must be locked.
    pub fn watch(&mut self, _db: usize, _key: &[u8], _dirty: &Arc<AtomicBool>) {
        todo!()
    }
    pub fn unwatch(&mut self, _db: usize, _key: &[u8], _dirty: &Arc<AtomicBool>) {
        todo!()
    }
}

/// Expired keys are absent for every method and are removed when met.
impl Db<'_> {
    /// A read on behalf of a client: counts a hit or miss and marks the key as used.
    pub fn read(&mut self, _key: &[u8]) -> Option<Item<'_>> {
        todo!()
    }
    /// A look that leaves no trace (writes looking at the old value, OBJECT, TYPE, TTL).
    pub fn peek(&mut self, _key: &[u8]) -> Option<Item<'_>> {
        todo!()
    }
    /// Marks the key as used (TOUCH); false when absent.
    pub fn touch(&mut self, _key: &[u8]) -> bool {
        todo!()
    }
    /// Stores `value` whole, over whatever was there; picks the encoding as Redis does
    /// (integer text of up to 20 bytes -> Int, up to 44 bytes -> EmbStr, else Raw).
    pub fn set(&mut self, _key: &[u8], _value: &[u8], _ttl: Ttl) -> Result<(), OutOfMemory> {
        todo!()
    }
    pub fn set_int(&mut self, _key: &[u8], _value: i64, _ttl: Ttl) -> Result<(), OutOfMemory> {
        todo!()
    }
    /// Makes the value a Raw string of exactly `len` bytes and lends it: old bytes kept up to
    /// `len`, new ones zero; created when absent; TTL kept. Growth is amortised.
    /// Counts as one change. The caller has checked the type and the length limit.
    pub fn string_mut(&mut self, _key: &[u8], _len: usize) -> Result<&mut [u8], OutOfMemory> {
        todo!()
    }
    /// Removes the key; false when absent.
    pub fn remove(&mut self, _key: &[u8]) -> bool {
        todo!()
    }
    /// Sets (`Some`) or removes (`None`) the time to live; false when the key is absent.
    pub fn set_expiry(&mut self, _key: &[u8], _at: Option<UnixMillis>) -> Result<bool, OutOfMemory> {
        todo!()
    }
    /// Moves the value, with its TTL and encoding, to `to` in database `to_db`, over whatever is
    /// there; false when `from` is absent. The shards of both keys must be locked. `keep` leaves
    /// the source in place (COPY).
    pub fn transfer(&mut self, _from: &[u8], _to_db: usize, _to: &[u8], _keep: bool) -> Result<bool, OutOfMemory> {
        todo!()
    }
    /// Bytes the key takes with its index slot, for MEMORY USAGE.
    pub fn memory_usage(&mut self, _key: &[u8]) -> Option<u64> {
        todo!()
    }
    /// Seconds since the last use, for OBJECT IDLETIME; the LFU counter (0-255) for OBJECT FREQ.
    pub fn idle_seconds(&mut self, _key: &[u8]) -> Option<u64> {
        todo!()
    }
    pub fn frequency(&mut self, _key: &[u8]) -> Option<u8> {
        todo!()
    }
    /// RESTORE's IDLETIME / FREQ.
    pub fn set_idle_seconds(&mut self, _key: &[u8], _seconds: u64) {
        todo!()
    }
    pub fn set_frequency(&mut self, _key: &[u8], _frequency: u8) {
        todo!()
    }
    /// Whether the key is stored but its time has passed (so a command can tell "expired now").
    pub fn is_expired(&mut self, _key: &[u8]) -> bool {
        todo!()
    }
}
