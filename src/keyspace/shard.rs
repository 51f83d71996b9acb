//! A shard: its heap, its databases' indexes, and what goes with them. All of it is behind one
//! mutex; every change to a key passes through [`Shard::put`] or [`Shard::remove`].

use super::{
    EffectKind, Effects, Encoding, Item, KeyspaceStats, OutOfMemory, Type, Value,
    changes::Changes,
    item::{self, Header},
    recency::Recency,
    sizes::{ShardSizes, Size, SizeRow},
    waiters::{Notes, Waiters},
    watch::Watchers,
};
use crate::{
    aof::{Commands, Log},
    arena::{Arena, Offset, ShardHeap},
    index::{HashOf, Index, Place, Slot, Wheel, expiry_code},
    types::{
        self,
        hash::expiry,
        tree::{self, Moved},
    },
    util::clock::UnixMillis,
};
use smallvec::SmallVec;
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

/// Roots of trees; few values refer to more than two.
type Trees = SmallVec<[Offset; 4]>;
/// Nodes of a removed collection that are freed by the command itself; the cron frees the rest.
const FREED_AT_ONCE: usize = 64;
/// The same under one hold of the lock by the cron, or before a page is emptied or a key evicted.
const FREED_AT_A_TIME: usize = 512;

/// What an image keeps of a shard beside its pages, as it was at the running cut.
#[derive(Default)]
pub struct AtCut {
    pub roots: Vec<[u64; 4]>,
    pub sizes: Vec<SizeRow>,
}

pub(super) struct Shard {
    pub heap: ShardHeap,
    pub indexes: Vec<Index>,
    pub wheels: Vec<Wheel>,
    pub counters: KeyspaceStats,
    /// `counters.dirty` when the cron came by.
    pub seen_changes: u64,
    /// Large hashes, and their databases, of which the cron removes fields bit by bit.
    pub rounds: Vec<(usize, Offset)>,
    /// A key has been removed for a value that takes its place at once: that one is not new.
    pub is_vacated: bool,
    pub watchers: Watchers,
    pub changes: Changes,
    pub waiters: Waiters,
    pub recency: Recency,
    pub evictor: super::evict::Evictor,
    pub sizes: ShardSizes,
    pub at_cut: Option<AtCut>,
    hash: ahash::RandomState,
    pub shard_bits: u8,
    /// See [`super::Keyspace::hold_removals`].
    held_until: Arc<AtomicI64>,
    pub effects: Arc<Effects>,
    log: Arc<Log>,
}

/// A key that was found.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub place: Place,
    pub slot: Slot,
}

impl Found {
    pub fn at(&self) -> Offset {
        self.slot.location()
    }
}

/// A value to be stored.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    Int(i64),
    Bytes(Encoding, &'a [u8]),
}

impl Shard {
    pub fn new(arena: &Arc<Arena>, number: u8, databases: usize, shard_bits: u8, hash: ahash::RandomState) -> Shard {
        Shard {
            heap: ShardHeap::new(arena, number),
            indexes: (0..databases).map(|database| Index::new(database as u8, shard_bits)).collect(),
            wheels: vec![Wheel::default(); databases],
            counters: KeyspaceStats::default(),
            seen_changes: 0,
            rounds: Vec::new(),
            is_vacated: false,
            watchers: Watchers::default(),
            changes: Changes::default(),
            waiters: Waiters::default(),
            recency: Recency::default(),
            evictor: super::evict::Evictor::new(databases),
            sizes: ShardSizes::new(databases),
            at_cut: None,
            hash,
            shard_bits,
            held_until: Arc::default(),
            effects: Arc::default(),
            log: Arc::default(),
        }
    }

    /// Shares with the keyspace what reaches beyond a shard.
    pub fn with_outside(
        self,
        held_until: &Arc<AtomicI64>,
        effects: &Arc<Effects>,
        log: &Arc<Log>,
        waits: &Arc<Notes>,
    ) -> Shard {
        let (held_until, effects, log) = (Arc::clone(held_until), Arc::clone(effects), Arc::clone(log));
        Shard { held_until, effects, log, waiters: Waiters::new(waits), ..self }
    }

    /// Keeps that a key has gone without a command.
    pub fn keep_removal(&self, db: usize, found: &Found) {
        if self.log.is_on()
            && let Some(key) = item::key_of(self.heap.chunk(found.at()))
        {
            let mut commands = Commands::default();
            commands.push(db, &[b"del", key]);
            // At no time, so that nothing else is taken to have expired by then.
            self.log.append(self.heap.epoch(), UnixMillis::MIN, &commands);
        }
    }

    /// An operation that holds all its locks begins: the first one after a cut keeps the roots, the first one after pages
    /// were found damaged mends the shard.
    #[inline]
    pub fn enter(&mut self, epoch: u32) {
        // A command that panicked may have been looking.
        self.heap.set_looks(false);
        if self.heap.enter(epoch) {
            self.keep_roots();
        }
        if self.heap.is_damaged() {
            self.mend();
        }
    }

    #[cold]
    fn keep_roots(&mut self) {
        let doomed = [self.heap.doomed().bytes(), 0, 0, 0];
        let roots = self.indexes.iter().map(Index::to_root).chain([doomed]).collect();
        self.at_cut = Some(AtCut { roots, sizes: self.sizes.rows(self.heap.shard()) });
    }

    pub fn adopt_roots(&mut self, roots: &[[u64; 4]]) -> bool {
        let Some(([doomed, ..], roots)) = roots.split_last() else { return false };
        self.heap.set_doomed(Offset::from_bytes(*doomed));
        for (database, root) in roots.iter().enumerate() {
            match (Index::from_root(*root, database as u8, self.shard_bits), self.indexes.get_mut(database)) {
                (Some(index), Some(place)) => *place = index,
                _ => return false,
            }
        }
        true
    }

    /// Finds a key, expired or not.
    #[inline]
    pub fn find_any(&self, db: usize, hash: u64, key: &[u8]) -> Option<Found> {
        let (place, slot) =
            self.indexes[db].find(&self.heap, hash, |at| item::key_of(self.heap.chunk(at)) == Some(key))?;
        Some(Found { place, slot })
    }

    /// As [`Self::find_any`]; what damage has hidden is brought to light first.
    #[inline]
    fn find_mended(&mut self, db: usize, hash: u64, key: &[u8]) -> Option<Found> {
        let found = self.find_any(db, hash, key);
        if found.is_none() && self.heap.is_damaged() {
            self.mend();
            return self.find_any(db, hash, key);
        }
        found
    }

    /// Finds a key that has not expired; one that has is removed.
    #[inline]
    pub fn find(&mut self, db: usize, hash: u64, key: &[u8], now: UnixMillis) -> Option<Found> {
        let found = self.find_mended(db, hash, key)?;
        if found.slot.has_expiry() && self.has_expired(found.at(), now) {
            self.expire(db, hash, found, false);
            return None;
        }
        Some(found)
    }

    /// As [`Self::find`], but for a reader, who leaves an expired key where it is while removals are held.
    #[inline(always)]
    pub fn find_to_read(&mut self, db: usize, hash: u64, key: &[u8], now: UnixMillis) -> Option<Found> {
        let found = self.find_mended(db, hash, key)?;
        if found.slot.has_expiry() && self.has_expired(found.at(), now) {
            if !self.holds_removals(now) {
                self.expire(db, hash, found, false);
            }
            return None;
        }
        Some(found)
    }

    /// Whether keys stay although their time has passed.
    pub fn holds_removals(&self, now: UnixMillis) -> bool {
        self.held_until.load(Relaxed) > now
    }

    pub fn has_expired(&self, at: Offset, now: UnixMillis) -> bool {
        Header::read(self.heap.chunk(at)).and_then(|header| header.expiry).is_some_and(|expiry| expiry <= now)
    }

    #[inline]
    pub fn item(&self, found: &Found) -> Option<Item<'_>> {
        item::read(self.heap.chunk(found.at()))
    }

    /// Marks a key as used.
    #[inline]
    pub fn mark_used(&mut self, db: usize, hash: u64, found: &Found, now: UnixMillis) {
        self.freshen(db, &mut found.clone());
        self.recency.note(hash, now);
    }

    /// Notes the use where eviction looks.
    #[inline]
    pub fn freshen(&mut self, db: usize, found: &mut Found) {
        let used = found.slot.used(self.evictor.age());
        if used != found.slot {
            self.indexes[db].poke(&mut self.heap, found.place, used);
            found.slot = used;
        }
    }

    /// Stores a value whole: over `found` when given, else as a new key.
    #[allow(clippy::too_many_arguments, reason = "the key, the value, and where it was found")]
    pub fn put(
        &mut self,
        db: usize,
        hash: u64,
        key: &[u8],
        content: Content<'_>,
        expiry: Option<UnixMillis>,
        found: Option<Found>,
        now: UnixMillis,
    ) -> Result<(), OutOfMemory> {
        let integer: [u8; 8];
        let (encoding, bytes) = match content {
            Content::Int(n) => {
                integer = n.to_le_bytes();
                (Encoding::Int, &integer[..item::int_len(n)])
            }
            Content::Bytes(encoding, bytes) => (encoding, bytes),
        };
        self.put_value(db, hash, key, (Type::String, encoding), bytes, expiry, found, now)
    }

    /// Stores a value's bytes whole. The trees that they refer to become this key's.
    #[inline]
    #[allow(clippy::too_many_arguments, reason = "the key, the value, and where it was found")]
    pub fn put_value(
        &mut self,
        db: usize,
        hash: u64,
        key: &[u8],
        (kind, encoding): (Type, Encoding),
        value: &[u8],
        expiry: Option<UnixMillis>,
        found: Option<Found>,
        now: UnixMillis,
    ) -> Result<(), OutOfMemory> {
        let header = Header::plan(kind, encoding, expiry, key.len(), value.len());
        let is_as_long = kind == Type::String
            && encoding != Encoding::Int
            && found.is_some_and(|found| header.is_alike(self.heap.chunk(found.at()), key.len()));
        let other = found.filter(|_| !is_as_long);
        let (old, trees) = other.map_or_else(Default::default, |old| (self.size_at(old.at()), self.trees_of(old.at())));
        let ready = self.heap.adopt(value, header.value_at);
        let at = match ready {
            Some(at) => self.refer_to(at, db, (key, hash), &header, found, now).map(|()| at)?,
            None => self.place_for(db, hash, key, &header, found, now)?,
        };
        if !is_as_long {
            self.doom(trees);
            self.resized(db, hash, old, Size::of(kind, encoding, value, expiry.is_some()));
        }
        let written = if ready.is_some() { header.value_at } else { header.end };
        let chunk = self.heap.range_mut(at, 0..written);
        header.write(chunk, key);
        if ready.is_none() {
            chunk[header.value_at..].copy_from_slice(value);
        }
        if kind != Type::String {
            for root in types::roots(encoding, value) {
                tree::set_owner(&mut self.heap, root, hash);
            }
        }
        if kind == Type::Hash
            && let Some(view) = self.view_at(at).filter(|view| expiry::due(kind, view).is_some())
            && let code = self.code_of(&header, &view, now)
            && let Some(found) = self.find_any(db, hash, key)
        {
            let slot = found.slot.with_expiry(code);
            self.indexes[db].replace(&mut self.heap, found.place, slot);
        }
        Ok(())
    }

    pub fn hasher(&self) -> &ahash::RandomState {
        &self.hash
    }

    pub fn heap_and_hasher(&mut self) -> (&mut ShardHeap, &ahash::RandomState) {
        (&mut self.heap, &self.hash)
    }

    /// The trees that the item at `at` refers to.
    #[inline]
    fn trees_of(&self, at: Offset) -> Trees {
        let chunk = self.heap.chunk(at);
        if chunk.first().is_none_or(|first| first >> 4 == Type::String as u8) {
            return Trees::new();
        }
        let Some(header) = Header::read(chunk) else { return Trees::new() };
        types::roots(header.encoding, &chunk[header.value_at..header.end]).map(|root| root.node).collect()
    }

    /// Gives up trees that nothing refers to any more; small ones are freed at once.
    fn doom(&mut self, trees: Trees) {
        if !trees.is_empty() {
            let before = self.heap.doomed();
            trees.into_iter().for_each(|node| tree::doom(&mut self.heap, node));
            self.counters.pending_free += u64::from(self.heap.doomed() != before);
            // While nodes may be in a snapshot only, this is left to the cron.
            if !self.heap.arena().is_loading() {
                self.free_doomed(FREED_AT_ONCE);
            }
        }
    }

    fn free_doomed(&mut self, most: usize) -> bool {
        let is_left = tree::free_some(&mut self.heap, most);
        if !is_left {
            self.counters.lazily_freed += std::mem::take(&mut self.counters.pending_free);
        }
        is_left
    }

    /// Frees a bounded part of the collections that are gone; false when nothing is left of them.
    pub fn free_some(&mut self) -> bool {
        self.free_doomed(FREED_AT_A_TIME)
    }

    /// Makes room for an item of this header where the index refers to it, and updates the
    /// slot. The item's bytes are then to be written at the place answered. The trees that the item there before referred to
    /// are the caller's to give up.
    pub fn place_for(
        &mut self,
        db: usize,
        hash: u64,
        key: &[u8],
        header: &Header,
        found: Option<Found>,
        now: UnixMillis,
    ) -> Result<Offset, OutOfMemory> {
        let fits = found.is_some_and(|found| {
            let span = self.heap.span(found.at());
            span >= header.end && (span == self.best_span(header.end) || self.heap.resize_large(found.at(), header.end))
        });
        let at = match found {
            Some(found) if fits => found.at(),
            _ => self.alloc_item(header.end)?,
        };
        self.refer_to(at, db, (key, hash), header, found, now).map(|()| at)
    }

    /// Makes the index refer to the item at `at`, in the place of what was found.
    fn refer_to(
        &mut self,
        at: Offset,
        db: usize,
        (key, hash): (&[u8], u64),
        header: &Header,
        found: Option<Found>,
        now: UnixMillis,
    ) -> Result<(), OutOfMemory> {
        let code = header.expiry.map_or(0, |at| expiry_code(at, now));
        self.changed(db, key);
        match found {
            Some(found) => {
                self.recency.note(hash, now);
                let old = found.at();
                let slot = found.slot.used(self.evictor.age()).with_location(at).with_expiry(code);
                if slot != found.slot {
                    self.indexes[db].replace(&mut self.heap, found.place, slot);
                }
                if at != old {
                    self.heap.free_for(old, at);
                }
                Ok(())
            }
            None => {
                self.recency.begin(hash, now);
                if !std::mem::take(&mut self.is_vacated) {
                    self.note_absent(EffectKind::New, db, key);
                }
                let slot = self.evictor.admit(hash, Slot::new(at).with_expiry(code), self.indexes[db].len(), now);
                self.insert(db, hash, slot, at)
            }
        }
    }

    /// Bytes of the class for an item; 0 for a large one.
    fn best_span(&self, bytes: usize) -> usize {
        crate::arena::class_of(bytes).map_or(0, crate::arena::class_size)
    }

    /// Allocates a chunk and gives it an item's tag at once.
    pub fn alloc_item(&mut self, bytes: usize) -> Result<Offset, OutOfMemory> {
        let at = self.heap.alloc(bytes).map_err(|_| OutOfMemory)?;
        if let [first] = self.heap.range_mut(at, 0..1) {
            *first = (Type::String as u8) << 4;
        }
        Ok(at)
    }

    fn insert(&mut self, db: usize, hash: u64, slot: Slot, at: Offset) -> Result<(), OutOfMemory> {
        let state = self.hash.clone();
        let hash_of: HashOf<'_> = &|heap, at| item::key_of(heap.chunk(at)).map(|key| state.hash_one(key));
        self.indexes[db].insert(&mut self.heap, hash, slot, hash_of).map_err(|_| {
            self.heap.free(at);
            OutOfMemory
        })
    }

    /// Makes the value of a key a raw string of `len` bytes: what was there is kept, the rest is
    /// zero. Answers where the value lies: (chunk, byte in the chunk).
    pub fn resize_string(
        &mut self,
        db: usize,
        hash: u64,
        key: &[u8],
        len: usize,
        found: Option<Found>,
        now: UnixMillis,
    ) -> Result<(Offset, usize), OutOfMemory> {
        let Some(found) = found else {
            let header = Header::plan(Type::String, Encoding::Raw, None, key.len(), len);
            let at = self.place_for(db, hash, key, &header, None, now)?;
            self.resized(db, hash, None, Size::of_string(len));
            let chunk = self.heap.range_mut(at, 0..header.end);
            header.write(chunk, key);
            chunk[header.value_at..].fill(0);
            return Ok((at, header.value_at));
        };
        let old = Header::read(self.heap.chunk(found.at())).ok_or(OutOfMemory)?;
        if old.encoding == Encoding::Int {
            let Some(Value::Int(n)) = self.item(&found).map(|item| item.value) else { return Err(OutOfMemory) };
            let mut text = itoa::Buffer::new();
            self.put(
                db,
                hash,
                key,
                Content::Bytes(Encoding::Raw, text.format(n).as_bytes()),
                old.expiry,
                Some(found),
                now,
            )?;
            let found = self.find_any(db, hash, key);
            return self.resize_string(db, hash, key, len, found, now);
        }
        let header = Header::plan(Type::String, Encoding::Raw, old.expiry, key.len(), len);
        let from = found.at();
        let kept = (old.end - old.value_at).min(len);
        let span = self.heap.span(from);
        let in_place = header.key_at == old.key_at && {
            let fits_class = header.end <= span && crate::arena::class_of(span).is_some() && header.end * 2 >= span;
            fits_class || self.heap.resize_large(from, header.end)
        };
        self.changed(db, key);
        self.recency.note(hash, now);
        let to = if in_place {
            from
        } else {
            let to = if header.end > crate::arena::MAX_SLAB {
                self.heap.alloc_growing(header.end).map_err(|_| OutOfMemory)?
            } else {
                self.alloc_item(header.end)?
            };
            self.heap.copy(from, old.value_at, to, header.value_at, kept);
            to
        };
        header.write(self.heap.range_mut(to, 0..header.value_at), key);
        self.heap.range_mut(to, header.value_at + kept..header.end).fill(0);
        let slot = found.slot.used(self.evictor.age()).with_location(to);
        if slot != found.slot {
            self.indexes[db].replace(&mut self.heap, found.place, slot);
        }
        if to != from {
            self.heap.free(from);
        }
        self.resized(db, hash, Size::of_string(old.end - old.value_at), Size::of_string(len));
        Ok((to, header.value_at))
    }

    /// Changes only the time to live.
    pub fn set_expiry(
        &mut self,
        db: usize,
        (key, hash): (&[u8], u64),
        found: Found,
        expiry: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<(), OutOfMemory> {
        let old = Header::read(self.heap.chunk(found.at())).ok_or(OutOfMemory)?;
        let header = Header::plan(old.kind, old.encoding, expiry, key.len(), old.end - old.value_at);
        let code = self.view(&found).map_or(0, |view| self.code_of(&header, &view, now));
        self.changed(db, key);
        let from = found.at();
        // Of hashes it counts whether only their fields expire.
        let before = (old.kind == Type::Hash).then(|| self.size_at(from)).flatten();
        let to = if header.same_shape(&old) { from } else { self.alloc_item(header.end)? };
        if to != from {
            self.heap.copy(from, old.value_at, to, header.value_at, old.end - old.value_at);
        }
        header.write(self.heap.range_mut(to, 0..header.value_at), key);
        self.indexes[db].replace(&mut self.heap, found.place, found.slot.with_location(to).with_expiry(code));
        if to != from {
            self.heap.free(from);
        }
        let after = before.and_then(|_| self.size_at(to));
        self.resized(db, hash, before, after);
        Ok(())
    }

    /// Removes a key and frees its item.
    pub fn remove(&mut self, db: usize, hash: u64, found: Found) {
        let trees = self.remove_item(db, hash, found);
        self.doom(trees);
    }

    /// Removes a key; answers the trees that its value referred to.
    fn remove_item(&mut self, db: usize, hash: u64, found: Found) -> Trees {
        self.tell_of(db, &found, true);
        self.resized(db, hash, self.size_at(found.at()), None);
        self.indexes[db].remove(&mut self.heap, found.place);
        let trees = self.trees_of(found.at());
        self.heap.free(found.at());
        self.indexes[db].settle(&mut self.heap, hash);
        trees
    }

    /// Removes a key but not what its value refers to, which is to be stored elsewhere.
    pub fn detach(&mut self, db: usize, hash: u64, key: &[u8], found: Found) {
        self.changed(db, key);
        self.resized(db, hash, self.size_at(found.at()), None);
        self.indexes[db].remove(&mut self.heap, found.place);
        self.heap.free(found.at());
        self.indexes[db].settle(&mut self.heap, hash);
    }

    /// Removes a key whose time has passed.
    pub fn expire(&mut self, db: usize, hash: u64, found: Found, active: bool) {
        let looks = self.heap.set_looks(false);
        self.note_effect(EffectKind::Expired, db, &found);
        self.keep_removal(db, &found);
        let trees = self.remove_item(db, hash, found);
        match active {
            // The cron frees them in steps of their own: those of many keys would add up under one hold of the lock.
            true => trees.into_iter().for_each(|node| tree::doom(&mut self.heap, node)),
            false => self.doom(trees),
        }
        self.counters.expired += 1;
        self.counters.expired_active += u64::from(active);
        self.counters.dirty += 1;
        self.heap.set_looks(looks);
    }

    /// Finds the slot of the item at `at`, whose key is its own.
    pub fn find_at(&self, db: usize, at: Offset) -> Option<(u64, Found)> {
        let hash = self.hash.hash_one(item::key_of(self.heap.chunk(at))?);
        let (place, slot) = self.indexes[db].find(&self.heap, hash, |location| location == at)?;
        Some((hash, Found { place, slot }))
    }

    /// A key that was found is about to change.
    pub fn changed_at(&mut self, db: usize, hash: u64, found: &Found, now: UnixMillis) {
        self.counters.dirty += 1;
        self.tell_of(db, found, false);
        self.recency.note(hash, now);
    }

    /// A key is about to change.
    fn changed(&mut self, db: usize, key: &[u8]) {
        self.counters.dirty += 1;
        self.tell(db, key, false);
    }

    /// Tells those who watch a key, or wait for it, that it changes.
    #[inline]
    fn tell(&mut self, db: usize, key: &[u8], removed: bool) {
        if self.watchers.any() {
            self.watchers.changed(db, key);
        }
        if self.waiters.any() {
            self.waiters.changed(db, key, removed);
        }
        if self.effects.tracks() {
            self.changes.note(key);
        }
    }

    /// As [`Self::tell`], of a key that was found.
    #[inline]
    fn tell_of(&mut self, db: usize, found: &Found, removed: bool) {
        if self.watchers.any() || self.waiters.any() || self.effects.tracks() {
            self.tell_of_key(db, found, removed);
        }
    }

    #[cold]
    fn tell_of_key(&mut self, db: usize, found: &Found, removed: bool) {
        if let Some(key) = item::key_of(self.heap.chunk(found.at())).map(<[u8]>::to_vec) {
            self.tell(db, &key, removed);
        }
    }

    /// Keeps that something happened to a key, if someone wants to know.
    #[inline]
    pub fn note_effect(&self, kind: EffectKind, db: usize, found: &Found) {
        self.note_effect_on(kind, db, found, Vec::new());
    }

    /// The same of fields of it.
    #[inline]
    pub fn note_effect_on(&self, kind: EffectKind, db: usize, found: &Found, fields: Vec<Box<[u8]>>) {
        if self.effects.wants(kind)
            && let Some(key) = item::key_of(self.heap.chunk(found.at()))
        {
            self.effects.push(kind, db, key, fields);
        }
    }

    /// As [`Self::note_effect`], for a key that is not there.
    #[inline]
    pub fn note_absent(&self, kind: EffectKind, db: usize, key: &[u8]) {
        if self.effects.wants(kind) {
            self.effects.push(kind, db, key, Vec::new());
        }
    }

    /// Removes what has expired of the watched keys, so that none changes hands unseen.
    pub fn expire_watched(&mut self, databases: &[usize], now: UnixMillis) {
        let watched: Vec<Box<[u8]>> = databases.iter().flat_map(|db| self.watchers.watched(*db)).collect();
        for key in watched {
            let hash = self.hash.hash_one(&key[..]);
            for db in databases {
                self.find(*db, hash, &key, now);
            }
        }
    }

    /// The watched keys of `db` that exist in one of `databases` change.
    pub fn touch_watched(&mut self, db: usize, databases: &[usize]) {
        for key in self.watchers.watched(db) {
            let hash = self.hash.hash_one(&key[..]);
            if databases.iter().any(|at| self.find_any(*at, hash, &key).is_some()) {
                self.watchers.changed(db, &key);
            }
        }
    }

    /// Removes every key of these databases; answers how many there were.
    pub fn clear(&mut self, databases: Range<usize>) -> u64 {
        let keys = self.indexes[databases.clone()].iter().map(Index::len).sum();
        for db in databases.clone() {
            self.touch_watched(db, &[db]);
            self.waiters.changed_all(db);
        }
        self.changes.flushed |= self.effects.tracks();
        self.counters.dirty += keys;
        databases.clone().for_each(|db| self.sizes.clear(db));
        let mut others = self.indexes.iter().enumerate().filter(|(db, _)| !databases.contains(db));
        if others.all(|(_, index)| index.has_no_chunks()) {
            // Nothing in the heap outlives them: it goes as a whole, without a look at any key.
            self.heap.retire_all();
            self.counters.lazily_freed += std::mem::take(&mut self.counters.pending_free);
            for db in databases {
                self.indexes[db] = Index::new(db as u8, self.shard_bits);
            }
        } else {
            databases.for_each(|db| self.clear_by_key(db));
        }
        keys
    }

    fn clear_by_key(&mut self, db: usize) {
        let free = |heap: &mut ShardHeap, at| {
            let chunk = heap.chunk(at);
            let trees: Trees = match Header::read(chunk) {
                Some(header) if header.kind != Type::String => {
                    types::roots(header.encoding, &chunk[header.value_at..header.end]).map(|root| root.node).collect()
                }
                _ => Trees::new(),
            };
            heap.free(at);
            trees.into_iter().for_each(|node| tree::doom(heap, node));
        };
        self.indexes[db].clear(&mut self.heap, free);
    }

    /// Moves the chunks of one page, filled to at most `most_percent`, to others and gives the page
    /// back. False when there is none.
    pub fn empty_a_page(&mut self, most_percent: usize) -> bool {
        // Nothing refers to what is doomed in a way that could be mended: it goes first.
        if self.free_some() {
            return false;
        }
        let Some(page) = self.heap.page_to_empty(most_percent) else { return false };
        let mut live = Vec::new();
        self.heap.begin_emptying(page, &mut live);
        for at in live {
            self.move_chunk(at);
        }
        self.heap.finish_emptying(page)
    }

    /// Moves the chunks in the last block of a page to others and gives that block back. False when no class has free chunks
    /// enough for that.
    pub fn shorten_a_page(&mut self) -> bool {
        let mut live = Vec::new();
        let Some(shortening) = self.heap.begin_shortening(&mut live) else { return false };
        for at in live {
            self.move_chunk(at);
        }
        self.heap.finish_shortening(shortening)
    }

    /// Moves one chunk, whatever it holds, and mends the one reference to it.
    fn move_chunk(&mut self, from: Offset) {
        let chunk = self.heap.chunk(from);
        match chunk.first() {
            Some(&(crate::index::TAG_SEGMENT | crate::index::TAG_DIRECTORY)) => {
                let database = chunk[if chunk[0] == crate::index::TAG_SEGMENT { 3 } else { 1 }] as usize;
                if let Some(index) = self.indexes.get_mut(database) {
                    index.relocate(&mut self.heap, from);
                }
            }
            Some(&(tree::TAG_LEAF | tree::TAG_INNER)) => {
                if let Moved::Root { owner, to } = tree::relocate(&mut self.heap, from) {
                    let mended = (0..self.indexes.len()).any(|db| self.redirect(db, owner, from, to));
                    self.heap.free(if mended { from } else { to });
                }
            }
            Some(_) => {
                let Some(end) = Header::read(chunk).map(|header| header.end) else { return };
                let home = (0..self.indexes.len()).find_map(|db| Some((db, self.find_at(db, from)?)));
                let Some((db, (_, found))) = home else { return };
                let Ok(to) = self.alloc_item(end) else { return };
                self.heap.copy(from, 0, to, 0, end);
                self.indexes[db].replace(&mut self.heap, found.place, found.slot.with_location(to));
                self.heap.free(from);
            }
            None => {}
        }
    }

    /// Makes the value of the key with this hash that refers to the tree at `from` refer to `to`.
    fn redirect(&mut self, db: usize, hash: u64, from: Offset, to: Offset) -> bool {
        let reference = |heap: &ShardHeap, at: Offset| {
            let chunk = heap.chunk(at);
            let header = Header::read(chunk)?;
            let (index, root) = types::redirect(header.encoding, &chunk[header.value_at..header.end], from, to)?;
            Some((header.value_at + index * tree::Root::BYTES, root))
        };
        let found = self.indexes[db].find(&self.heap, hash, |at| reference(&self.heap, at).is_some());
        let Some((_, slot)) = found else { return false };
        let Some((start, root)) = reference(&self.heap, slot.location()) else { return false };
        self.heap.range_mut(slot.location(), start..start + tree::Root::BYTES).copy_from_slice(&root.to_bytes());
        true
    }
}
