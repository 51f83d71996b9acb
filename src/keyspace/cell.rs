//! A collection of a key, lent for reading or for changes, while its shard is locked.

use super::{
    Db, EffectKind, Encoding, OutOfMemory, Type,
    item::Header,
    shard::{Found, Shard},
    sizes::Size,
};
use crate::{
    arena::{ArenaFull, MAX_SLAB, Offset, ShardHeap},
    index::expiry_code,
    types::{
        hash::{Hash, expiry},
        home::{Home, View},
        tree::Root,
    },
    util::clock::UnixMillis,
};
use ahash::RandomState;
use std::ops::Range;

/// Another type is stored at the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongType;

/// Why a collection is not lent for a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    WrongType,
    OutOfMemory,
}

impl From<WrongType> for Refusal {
    fn from(_: WrongType) -> Refusal {
        Refusal::WrongType
    }
}

impl From<OutOfMemory> for Refusal {
    fn from(_: OutOfMemory) -> Refusal {
        Refusal::OutOfMemory
    }
}

/// A collection that is to be changed.
pub struct Cell<'a> {
    shard: &'a mut Shard,
    db: usize,
    hash: u64,
    found: Found,
    header: Header,
    now: UnixMillis,
    /// The change has been counted.
    marked: bool,
    is_new: bool,
}

impl<'k> Db<'_, 'k> {
    /// A collection to be read on behalf of a client: counts a hit or a miss, and marks the key as
    /// used. `None` when there is no such key.
    pub fn view(&mut self, key: &[u8], kind: Type) -> Result<Option<View<'_>>, WrongType> {
        let view = self.seen(key).and_then(|(shard, found)| shard.view(&found));
        if view.is_some_and(|view| view.kind != kind) { Err(WrongType) } else { Ok(view) }
    }

    /// A collection that a command which changes it looks at first: no hit and no miss.
    pub fn view_to_change(&mut self, key: &[u8], kind: Type) -> Result<Option<View<'_>>, WrongType> {
        let view = self.view_any(key);
        if view.is_some_and(|view| view.kind != kind) { Err(WrongType) } else { Ok(view) }
    }

    /// Removes fields of a hash whose time has passed: all of a packed one, some of a larger one.
    pub fn expire_fields(&mut self, key: &[u8]) {
        let (db, now) = (self.db, self.locked.judged_at);
        let (shard, hash) = self.shard(key);
        if let Some(found) = shard.find_any(db, hash, key) {
            shard.expire_fields(db, hash, found, now);
        }
    }

    /// Whether readers are to leave alone what has expired.
    pub fn holds_removals(&self) -> bool {
        self.locked.keyspace.holds_removals(self.locked.now)
    }

    /// Whatever is stored at the key, without a trace.
    pub fn view_any(&mut self, key: &[u8]) -> Option<View<'_>> {
        let (db, judged_at) = (self.db, self.locked.judged_at);
        let (shard, hash) = self.shard(key);
        let found = shard.find_to_read(db, hash, key, judged_at)?;
        shard.view(&found)
    }

    /// A collection to be read together with others, without a trace: of a key that has been read
    /// before in the same command. `None` when there is no such key.
    pub fn glance(&self, key: &[u8]) -> Option<View<'_>> {
        let hash = self.locked.hash(key);
        let shard = self.locked.shard_ref(hash);
        let found = shard.find_any(self.db, hash, key)?;
        if found.slot.has_expiry() && shard.has_expired(found.at(), self.locked.now) {
            return None;
        }
        shard.view(&found)
    }

    /// A collection to be changed; `None` when there is no such key.
    pub fn cell(&mut self, key: &[u8], kind: Type) -> Result<Option<Cell<'_>>, WrongType> {
        let (db, now, judged_at) = (self.db, self.locked.now, self.locked.judged_at);
        let (shard, hash) = self.shard(key);
        let Some(found) = shard.find(db, hash, key, judged_at) else { return Ok(None) };
        let Some(header) = Header::read(shard.heap.chunk(found.at())) else { return Ok(None) };
        if header.kind != kind {
            return Err(WrongType);
        }
        Ok(Some(Cell { shard, db, hash, found, header, now, marked: false, is_new: false }))
    }

    /// A collection to be changed; made of `(kind, encoding, value)` when there is no such key.
    #[inline(always)]
    pub fn cell_or(&mut self, key: &[u8], empty: (Type, Encoding, &[u8])) -> Result<Cell<'_>, Refusal> {
        let (db, now, judged_at) = (self.db, self.locked.now, self.locked.judged_at);
        let (shard, hash) = self.shard(key);
        let found = shard.find(db, hash, key, judged_at);
        let is_new = found.is_none();
        let found = match found {
            Some(found) => found,
            None => shard.make(db, hash, key, empty, now)?,
        };
        let header = Header::read(shard.heap.chunk(found.at())).ok_or(OutOfMemory)?;
        if header.kind != empty.0 {
            return Err(Refusal::WrongType);
        }
        Ok(Cell { shard, db, hash, found, header, now, marked: is_new, is_new })
    }

    /// Stores a collection whole, over whatever was there. The value must refer to no trees but
    /// such as belong to this key and shard.
    pub fn put_value(
        &mut self,
        key: &[u8],
        kind: Type,
        encoding: Encoding,
        value: &[u8],
        expiry: Option<UnixMillis>,
    ) -> Result<(), OutOfMemory> {
        let (db, now, judged_at) = (self.db, self.locked.now, self.locked.judged_at);
        let (shard, hash) = self.shard(key);
        let found = shard.find(db, hash, key, judged_at);
        shard.put_value(db, hash, key, (kind, encoding), value, expiry, found, now)
    }
}

impl Cell<'_> {
    /// Whether there was no such key before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Removes a field of a hash if its time has passed; answers whether it has.
    pub fn expire_field(&mut self, field: &[u8], now: UnixMillis) -> Result<bool, ArenaFull> {
        let removed = expiry::remove_one(self, field, now)?;
        self.shard.counters.expired_fields += u64::from(removed);
        Ok(removed)
    }

    /// The key's change is counted once, when the first byte changes.
    fn mark(&mut self) {
        if !std::mem::replace(&mut self.marked, true) {
            self.shard.changed_at(self.db, self.hash, &self.found, self.now);
            self.shard.freshen(self.db, &mut self.found);
        }
    }

    /// Makes a change after which the key may count as something else.
    #[cold]
    fn recounted<R>(&mut self, change: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.shard.size_at(self.found.at());
        let result = change(self);
        let after = self.shard.size_at(self.found.at());
        self.shard.resized(self.db, self.hash, before, after);
        if Size::fields_expire(before) != Size::fields_expire(after) {
            self.wake();
        }
        result
    }

    /// Replaces a range of the value that is within it; `before` is shown what is there.
    #[inline(always)]
    fn write(&mut self, range: Range<usize>, with: &[u8], before: impl FnOnce(&[u8])) -> Result<(), ArenaFull> {
        let old = self.header.end - self.header.value_at;
        if range.len() != with.len() {
            let len = old - range.len() + with.len();
            self.resize(self.header.encoding, len, range.start, old - range.end)?;
        } else if self.is_pinned() {
            self.resize(self.header.encoding, old, range.end, old - range.end)?;
        }
        let start = self.header.value_at + range.start;
        let bytes = self.shard.heap.range_mut(self.found.at(), start..start + with.len());
        before(bytes);
        bytes.copy_from_slice(with);
        Ok(())
    }

    /// Whether the value may not change where it lies.
    fn is_pinned(&self) -> bool {
        self.header.end > MAX_SLAB && self.shard.heap.is_pinned(self.found.at())
    }

    /// Writes the header for another length or encoding, moving the item if it no longer fits.
    /// `keep` bytes at the value's start and `tail` at its end stay as they are.
    fn resize(&mut self, encoding: Encoding, len: usize, keep: usize, tail: usize) -> Result<(), ArenaFull> {
        let old = self.header;
        let from = self.found.at();
        let header = Header::plan(old.kind, encoding, old.expiry, old.value_at - old.key_at, len);
        let span = self.shard.heap.span(from);
        let fits = header.value_at == old.value_at
            && header.end <= span
            && !self.is_pinned()
            && (header.end * 2 > span || crate::arena::class_of(span) == crate::arena::class_of(header.end));
        if fits || header.value_at == old.value_at && self.shard.heap.resize_large(from, header.end) {
            if tail > 0 {
                let bytes = self.shard.heap.range_mut(from, old.value_at + keep..header.end.max(old.end));
                bytes.copy_within(
                    old.end - old.value_at - tail - keep..old.end - old.value_at - keep,
                    len - tail - keep,
                );
            }
            header.write_fields(self.shard.heap.range_mut(from, 0..header.key_at));
            self.header = header;
            return Ok(());
        }
        let spare = if header.end >= 128 && header.end < 8192 { header.end / 16 } else { 0 };
        let to = self.shard.alloc_item(header.end + spare).map_err(|_| ArenaFull)?;
        let heap = &mut self.shard.heap;
        heap.copy(from, old.key_at, to, header.key_at, old.value_at - old.key_at);
        heap.copy(from, old.value_at, to, header.value_at, keep);
        heap.copy(from, old.end - tail, to, header.end - tail, tail);
        header.write_fields(heap.range_mut(to, 0..header.key_at));
        let slot = self.found.slot.with_location(to);
        self.shard.indexes[self.db].replace(&mut self.shard.heap, self.found.place, slot);
        self.shard.heap.free(from);
        self.found.slot = slot;
        self.header = header;
        Ok(())
    }
}

impl Home for Cell<'_> {
    fn view(&self) -> View<'_> {
        View {
            heap: &self.shard.heap,
            hasher: self.shard.hasher(),
            kind: self.header.kind,
            encoding: self.header.encoding,
            value: self.shard.heap.chunk(self.found.at()).get(self.header.value_at..self.header.end).unwrap_or(&[]),
        }
    }

    fn encoding(&self) -> Encoding {
        self.header.encoding
    }

    fn heap_mut(&mut self) -> &mut ShardHeap {
        self.mark();
        &mut self.shard.heap
    }

    fn heap_and_hasher(&mut self) -> (&mut ShardHeap, &RandomState) {
        self.mark();
        self.shard.heap_and_hasher()
    }

    fn owner(&self) -> u64 {
        self.hash
    }

    fn splice(&mut self, range: Range<usize>, with: &[u8]) -> Result<(), ArenaFull> {
        self.mark();
        let old = self.header.end - self.header.value_at;
        let range = range.start.min(old)..range.end.clamp(range.start.min(old), old);
        let Header { kind, encoding, .. } = self.header;
        if Size::needs_a_look(encoding, old, &range, with.len()) {
            return self.recounted(|cell| cell.write(range, with, |_| ()));
        }
        if range.start > 0 {
            return self.write(range, with, |_| ());
        }
        let (mut before, after) = (None, Size::of_start(kind, encoding, with));
        self.write(range, with, |bytes| before = Size::of_start(kind, encoding, bytes))?;
        self.shard.resized(self.db, self.hash, before, after);
        Ok(())
    }

    /// As [`Self::splice`] does it, with less to find out.
    fn set_root(&mut self, tree: usize, root: Root) -> Result<(), ArenaFull> {
        self.mark();
        let start = self.header.value_at + tree * Root::BYTES;
        let place = self.shard.heap.range_mut(self.found.at(), start..start + Root::BYTES);
        let Some(place) = place.first_chunk_mut() else { return Err(ArenaFull) };
        let (before, after) = (std::mem::replace(place, root.to_bytes()), root.to_bytes());
        // The first tree is what its length is that of.
        if tree == 0 && before != after {
            let Header { kind, encoding, .. } = self.header;
            let size = |root: &[u8]| Size::of_start(kind, encoding, root);
            self.shard.resized(self.db, self.hash, size(&before), size(&after));
        }
        Ok(())
    }

    fn replace(&mut self, encoding: Encoding, value: &[u8]) -> Result<(), ArenaFull> {
        self.mark();
        self.recounted(|cell| {
            cell.resize(encoding, value.len(), 0, 0)?;
            let (start, end) = (cell.header.value_at, cell.header.end);
            cell.shard.heap.range_mut(cell.found.at(), start..end).copy_from_slice(value);
            Ok(())
        })
    }

    fn wake(&mut self) {
        let code = self.shard.code_of(&self.header, &self.view(), self.now);
        let slot = self.found.slot.with_expiry(code);
        if slot != self.found.slot {
            self.shard.indexes[self.db].replace(&mut self.shard.heap, self.found.place, slot);
            self.found.slot = slot;
        }
    }

    fn set_encoding(&mut self, encoding: Encoding) {
        self.mark();
        self.header.encoding = encoding;
        let code = (self.header.kind as u8) << 4 | encoding.code(self.header.kind) << 2;
        self.recounted(|cell| {
            if let [first] = cell.shard.heap.range_mut(cell.found.at(), 0..1) {
                *first = code | *first & 3;
            }
        });
    }
}

impl Shard {
    /// Stores a collection at a key that is not there.
    #[inline(never)]
    fn make(
        &mut self,
        db: usize,
        hash: u64,
        key: &[u8],
        (kind, encoding, value): (Type, Encoding, &[u8]),
        now: UnixMillis,
    ) -> Result<Found, OutOfMemory> {
        self.put_value(db, hash, key, (kind, encoding), value, None, None, now)?;
        self.find_any(db, hash, key).ok_or(OutOfMemory)
    }

    /// The fields of a hash whose time has passed go, of a large one some, and the hash with the last one. Answers how many
    /// there were, and where the hash lies if there may be more.
    pub(super) fn expire_fields(
        &mut self,
        db: usize,
        hash: u64,
        found: Found,
        now: UnixMillis,
    ) -> (u64, Option<Offset>) {
        let Some(header) = Header::read(self.heap.chunk(found.at())) else { return (0, None) };
        let mut cell = Cell { shard: self, db, hash, found, header, now, marked: false, is_new: false };
        let (wanted, mut fields) = (cell.shard.effects.wants(EffectKind::FieldsExpired), Vec::new());
        let mut note = |field: &[u8]| {
            if wanted {
                fields.push(field.into());
            }
        };
        let outcome = expiry::remove_expired(&mut cell, now, &mut note);
        let removed = outcome.unwrap_or(0);
        let (is_empty, found) = (Hash::new(cell.view()).is_empty(), cell.found);
        let is_due = outcome.is_ok() && expiry::due(header.kind, &cell.view()).is_some_and(|due| due <= now);
        self.counters.expired_fields += removed;
        if removed > 0 {
            self.note_effect_on(EffectKind::FieldsExpired, db, &found, fields);
        }
        if is_empty {
            self.note_effect(EffectKind::Emptied, db, &found);
            self.keep_removal(db, &found);
            self.remove(db, hash, found);
        }
        (removed, (is_due && !is_empty).then(|| found.at()))
    }

    /// The code in the slot of an item: of the first time at which it, or a part of it, expires.
    pub(super) fn code_of(&self, header: &Header, view: &View<'_>, now: UnixMillis) -> u8 {
        let fields = expiry::due(header.kind, view);
        header.expiry.into_iter().chain(fields).min().map_or(0, |at| expiry_code(at, now))
    }

    #[inline]
    pub(super) fn view(&self, found: &Found) -> Option<View<'_>> {
        self.view_at(found.at())
    }

    #[inline]
    pub(super) fn view_at(&self, at: Offset) -> Option<View<'_>> {
        let chunk = self.heap.chunk(at);
        let header = Header::read(chunk)?;
        let value = chunk.get(header.value_at..header.end)?;
        Some(View { heap: &self.heap, hasher: self.hasher(), kind: header.kind, encoding: header.encoding, value })
    }
}
