//! The slab index: an extendible hash index whose segments are chunks of the arena.
//!
//! ```text
//! hash       shard bits | position ...............................  (position = hash << shard bits)
//! directory  64 B header, then 2^depth entries: segment, its bucket-count code, its depth
//! segment    64 B header, n = 32..64 buckets of one cache line, then the stash
//! slot u64   tag 14 | expiry code 8 | main 1 | freq 2 | age 3 | location 36
//! ```
//!
//! A segment of depth d holds the positions that share its d-bit prefix. The next 14 bits are the
//! slot's tag, and they alone decide its bucket: tag * n >> 14. So a segment grows and shrinks by
//! an eighth of a doubling without looking at an item, buckets follow hash order (a SCAN cursor is
//! a prefix of the hash), and only a split needs the items' hashes for one more bit. Slots that
//! find their bucket full go to the stash; a bit per bucket in the header says which have.
//!
//! The directory's depth is capped in proportion to the number of keys; beyond, a segment chains
//! to another, so that crafted collisions cost time in proportion to themselves and no memory.

mod expiry;
mod salvage;
mod segment;
mod slot;

pub use expiry::{Wheel, expiry_code};
pub use salvage::Salvaged;
pub use slot::Slot;

use crate::arena::{ArenaFull, Offset, ShardHeap};
use segment::{SIZES, Segment};

/// First byte of a directory chunk; see [`crate::arena`] on tags.
pub const TAG_DIRECTORY: u8 = 0xFD;
/// First byte of a segment chunk.
pub const TAG_SEGMENT: u8 = 0xFE;

const HEADER: usize = 64;
/// The directory never has more entries than 2^this.
const DEPTH_MAX: u8 = 26;

/// A place in the index where a slot was found; valid until the index changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    segment: Offset,
    at: usize,
}

/// Reads the hash of the item at a location; the index asks for it when it splits a segment.
pub type HashOf<'a> = &'a dyn Fn(&ShardHeap, Offset) -> Option<u64>;

/// The index of one database in one shard. Its fields are what an image keeps of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Index {
    directory: Offset,
    depth: u8,
    /// log2 of the number of shards: these top bits of the hash are the same here.
    shard_bits: u8,
    database: u8,
    len: u64,
    /// Slots with an expiry code.
    expires: u64,
    /// Segments whose depth is the directory's: when none is left, the directory halves.
    deepest: u32,
}

/// A directory entry, decoded.
#[derive(Clone, Copy)]
struct Entry {
    segment: Offset,
    size: u8,
    depth: u8,
}

impl Entry {
    fn pack(self) -> u64 {
        self.segment.code() | (self.size as u64) << 40 | (self.depth as u64) << 48
    }
    #[inline]
    fn unpack(word: u64) -> Entry {
        Entry {
            segment: Offset::from_code(word),
            size: ((word >> 40) as u8).min(SIZES.len() as u8 - 1),
            depth: (word >> 48) as u8 & 31,
        }
    }
    /// The 14 bits of the position that decide the bucket.
    #[inline]
    fn tag(self, position: u64) -> u16 {
        ((position << self.depth) >> 50) as u16
    }
}

impl Index {
    pub const fn new(database: u8, shard_bits: u8) -> Index {
        Index { directory: Offset::NULL, depth: 0, shard_bits, database, len: 0, expires: 0, deepest: 0 }
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether nothing in the heap belongs to this index.
    pub fn has_no_chunks(&self) -> bool {
        self.directory.is_null()
    }

    /// Keys with a time to live.
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// Bytes of the directory and the segments (of a chain of segments only the first), and the slots that they hold.
    pub fn size(&self, heap: &ShardHeap) -> (u64, u64) {
        if self.directory.is_null() {
            return (0, 0);
        }
        let (mut bytes, mut slots, mut position) = (HEADER as u64 + (8 << self.depth), 0, Some(0));
        while let Some(at) = position {
            let entry = self.entry(heap, at);
            let lines = SIZES[entry.size as usize].1 as u64;
            bytes += lines * 64;
            slots += (lines - 1) * 8;
            position = next_prefix(at, entry.depth);
        }
        (bytes, slots)
    }

    /// The root as an image keeps it.
    pub fn to_root(&self) -> [u64; 4] {
        [self.directory.bytes(), self.depth as u64 | (self.deepest as u64) << 32, self.len, self.expires]
    }

    /// The root of an image; `None` when it cannot be one.
    pub fn from_root(root: [u64; 4], database: u8, shard_bits: u8) -> Option<Index> {
        let depth = root[1] as u8;
        (depth <= DEPTH_MAX).then_some(Index {
            directory: Offset::from_bytes(root[0]),
            depth,
            shard_bits,
            database,
            len: root[2],
            expires: root[3],
            deepest: (root[1] >> 32) as u32,
        })
    }

    /// Swaps contents with another database's index; each keeps its own number.
    pub fn swap(&mut self, other: &mut Index, heap: &mut ShardHeap) {
        std::mem::swap(self, other);
        std::mem::swap(&mut self.database, &mut other.database);
        for index in [self, other] {
            index.relabel(heap);
        }
    }

    /// Writes the database's number into the chunks, which a move of a segment reads.
    fn relabel(&mut self, heap: &mut ShardHeap) {
        let database = self.database;
        if let Some(byte) = heap.range_mut(self.directory, 0..2).get_mut(1) {
            *byte = database;
        }
        let mut position = Some(0);
        while let Some(at) = position {
            let entry = self.entry(heap, at);
            Segment::relabel(heap, entry.segment, database);
            position = next_prefix(at, entry.depth);
        }
    }

    #[inline]
    fn position(&self, hash: u64) -> u64 {
        hash << self.shard_bits
    }

    #[inline]
    fn entry(&self, heap: &ShardHeap, position: u64) -> Entry {
        let index = if self.depth == 0 { 0 } else { (position >> (64 - self.depth)) as usize };
        Entry::unpack(heap.word(self.directory, HEADER + index * 8))
    }

    /// Where the bucket for `hash` begins, for a prefetch.
    #[inline]
    pub fn bucket_of(&self, heap: &ShardHeap, hash: u64) -> Offset {
        if self.directory.is_null() {
            return Offset::NULL;
        }
        let position = self.position(hash);
        let entry = self.entry(heap, position);
        let bucket = segment::bucket_of(entry.tag(position), entry.size);
        Offset::from_bytes(entry.segment.bytes() + (HEADER + bucket * 64) as u64)
    }

    /// Where the segment for `hash` begins, for a prefetch.
    #[inline]
    pub fn segment_of(&self, heap: &ShardHeap, hash: u64) -> Offset {
        if self.directory.is_null() {
            return Offset::NULL;
        }
        self.entry(heap, self.position(hash)).segment
    }

    /// The location of the first slot whose tag matches, for a prefetch.
    #[inline]
    pub fn candidate(&self, heap: &ShardHeap, hash: u64) -> Option<Offset> {
        if self.directory.is_null() {
            return None;
        }
        let position = self.position(hash);
        let entry = self.entry(heap, position);
        Segment { at: entry.segment, size: entry.size }.candidate(heap, entry.tag(position))
    }

    /// Finds the slot for `hash` whose item `matches`.
    #[inline]
    pub fn find(&self, heap: &ShardHeap, hash: u64, matches: impl Fn(Offset) -> bool) -> Option<(Place, Slot)> {
        if self.directory.is_null() {
            return None;
        }
        let position = self.position(hash);
        let entry = self.entry(heap, position);
        let tag = entry.tag(position);
        let mut segment = Segment { at: entry.segment, size: entry.size };
        loop {
            if let Some((at, slot)) = segment.find(heap, tag, &matches) {
                return Some((Place { segment: segment.at, at }, slot));
            }
            segment = segment.next(heap)?;
        }
    }

    /// Adds a slot for a key that is not in the index. `slot`'s tag is set here.
    pub fn insert(
        &mut self,
        heap: &mut ShardHeap,
        hash: u64,
        slot: Slot,
        hash_of: HashOf<'_>,
    ) -> Result<(), ArenaFull> {
        if self.directory.is_null() {
            self.create(heap)?;
        }
        let position = self.position(hash);
        loop {
            let entry = self.entry(heap, position);
            let segment = Segment { at: entry.segment, size: entry.size };
            if heap.span(segment.at) == 0 {
                // Only a damaged directory leads nowhere: what it led to is gone, a new one begins.
                *self = Index::new(self.database, self.shard_bits);
                self.create(heap)?;
                continue;
            }
            if segment.insert(heap, slot.with_tag(entry.tag(position))) {
                break;
            }
            if usize::from(entry.size) + 1 < SIZES.len() {
                self.resize(heap, position, entry, entry.size + 1)?;
            } else if entry.depth < self.depth_cap() {
                self.split(heap, position, entry, hash_of)?;
            } else if segment.insert_chained(heap, slot.with_tag(entry.tag(position)))? {
                break;
            }
        }
        self.len += 1;
        self.expires += u64::from(slot.has_expiry());
        Ok(())
    }

    /// Names the items that adding a key of this hash, of `adds` keys at once, will read: all of its segment, if that may be
    /// split.
    pub fn read_to_insert(&self, heap: &ShardHeap, hash: u64, adds: usize, mut each: impl FnMut(Offset)) {
        if self.directory.is_null() {
            return;
        }
        let position = self.position(hash);
        let entry = self.entry(heap, position);
        let segment = Segment { at: entry.segment, size: entry.size };
        let is_full =
            usize::from(entry.size) + 1 >= SIZES.len() && segment.place_for(heap, entry.tag(position)).is_none();
        // How many may come to it before the last does: a few times its share.
        let share = (adds.saturating_sub(1) * 4) >> (self.depth + self.shard_bits);
        let will_be = share > 0 && segment.count(heap) + share > Segment::SURELY;
        if (is_full || will_be) && entry.depth < self.depth_cap() {
            segment.slots(heap).iter().for_each(|slot| each(slot.location()));
        }
    }

    /// How deep a segment may be for the number of keys: four bits beyond an even spread.
    fn depth_cap(&self) -> u8 {
        let even = (self.len / 256 + 1).ilog2() as u8;
        (even + 4).min(DEPTH_MAX)
    }

    /// Reads the slot at a place.
    pub fn slot(&self, heap: &ShardHeap, place: Place) -> Slot {
        Slot(heap.word(place.segment, place.at))
    }

    /// Rewrites a slot (location, expiry code); the tag stays.
    pub fn replace(&mut self, heap: &mut ShardHeap, place: Place, slot: Slot) {
        let old = self.slot(heap, place);
        self.expires = self.expires + u64::from(slot.has_expiry()) - u64::from(old.has_expiry());
        Segment::write(heap, place.segment, place.at, slot.with_tag(old.tag()));
    }

    /// Changes only access bits or the expiry code's position, which dirties nothing.
    #[inline]
    pub fn poke(&self, heap: &mut ShardHeap, place: Place, slot: Slot) {
        heap.poke(place.segment, place.at, slot.0);
    }

    /// Removes the slot at a place. The caller frees the item.
    pub fn remove(&mut self, heap: &mut ShardHeap, place: Place) {
        let slot = self.slot(heap, place);
        Segment::remove(heap, place.segment, place.at);
        self.len -= 1;
        self.expires -= u64::from(slot.has_expiry());
    }

    /// After removals: lets the segment of `hash` shrink or merge, and frees the whole index when
    /// it is empty. Never fails: without memory things stay as they are.
    pub fn settle(&mut self, heap: &mut ShardHeap, hash: u64) {
        if self.directory.is_null() {
            return;
        }
        if self.len == 0 {
            self.free_chunks(heap);
            return;
        }
        let position = self.position(hash);
        let entry = self.entry(heap, position);
        let segment = Segment { at: entry.segment, size: entry.size };
        let count = segment.count(heap);
        // What damage has made empty only seems so.
        if count > segment::shrink_below(entry.size) || segment.next(heap).is_some() || heap.is_damaged() {
            return;
        }
        if entry.size > 0 {
            let _ = self.resize(heap, position, entry, entry.size - 1);
        } else if entry.depth > 0 {
            let buddy_position = position ^ (1 << (64 - entry.depth));
            let buddy = self.entry(heap, buddy_position);
            let other = Segment { at: buddy.segment, size: buddy.size };
            if buddy.depth == entry.depth
                && other.next(heap).is_none()
                && count + other.count(heap) <= segment::merge_below()
                && !heap.is_damaged()
                && self.merge(heap, position, entry, buddy).is_ok()
            {
                self.halve(heap);
            }
        }
    }

    fn create(&mut self, heap: &mut ShardHeap) -> Result<(), ArenaFull> {
        let segment = Segment::create(heap, 0, 0, self.database, 0)?;
        let directory = match self.new_directory(heap, 0) {
            Ok(directory) => directory,
            Err(full) => {
                heap.free(segment.at);
                return Err(full);
            }
        };
        self.directory = directory;
        self.depth = 0;
        self.deepest = 1;
        self.point(heap, 0, Entry { segment: segment.at, size: 0, depth: 0 });
        Ok(())
    }

    fn new_directory(&self, heap: &mut ShardHeap, depth: u8) -> Result<Offset, ArenaFull> {
        let at = heap.alloc(HEADER + (8 << depth))?;
        let header = heap.range_mut(at, 0..HEADER);
        header.fill(0);
        header[0] = TAG_DIRECTORY;
        header[1] = self.database;
        Ok(at)
    }

    /// Points all directory entries of the segment that `position` lies in to `entry`.
    fn point(&mut self, heap: &mut ShardHeap, position: u64, entry: Entry) {
        let spread = self.depth - entry.depth;
        let prefix = if entry.depth == 0 { 0 } else { position >> (64 - entry.depth) };
        let first = (prefix << spread) as usize;
        let word = entry.pack().to_le_bytes();
        let start = HEADER + first * 8;
        for slot in heap.range_mut(self.directory, start..start + (8 << spread)).chunks_exact_mut(8) {
            slot.copy_from_slice(&word);
        }
    }

    fn resize(&mut self, heap: &mut ShardHeap, position: u64, entry: Entry, mut size: u8) -> Result<(), ArenaFull> {
        let segment = Segment { at: entry.segment, size: entry.size };
        let slots = segment.slots(heap);
        // The stash may be too small for a skewed segment: then the next size serves.
        while usize::from(size) < SIZES.len() {
            let new = Segment::create(heap, size, entry.depth, self.database, position & prefix_mask(entry.depth))?;
            if new.fill(heap, &slots) {
                self.point(heap, position, Entry { segment: new.at, size, depth: entry.depth });
                heap.free(segment.at);
                return Ok(());
            }
            heap.free(new.at);
            if size < entry.size {
                return Ok(());
            }
            size += 1;
        }
        // Too skewed for any: the caller goes on to split or chain, which it can tell by the
        // largest size.
        let new = Segment::create(
            heap,
            SIZES.len() as u8 - 1,
            entry.depth,
            self.database,
            position & prefix_mask(entry.depth),
        )?;
        new.fill_chained(heap, &slots)?;
        self.point(heap, position, Entry { segment: new.at, size: new.size, depth: entry.depth });
        heap.free(segment.at);
        Ok(())
    }

    fn split(
        &mut self,
        heap: &mut ShardHeap,
        position: u64,
        entry: Entry,
        hash_of: HashOf<'_>,
    ) -> Result<(), ArenaFull> {
        if entry.depth == self.depth {
            self.double(heap)?;
        }
        let segment = Segment { at: entry.segment, size: entry.size };
        let slots = segment.slots(heap);
        for slot in &slots {
            heap.arena().prefetch(slot.location());
        }
        let depth = entry.depth + 1;
        let mut halves: [Vec<Slot>; 2] = [Vec::with_capacity(slots.len()), Vec::with_capacity(slots.len())];
        for slot in slots {
            // A damaged item has no hash any more; its slot goes where its tag says it may be.
            let position = hash_of(heap, slot.location())
                .map(|hash| self.position(hash))
                .unwrap_or_else(|| segment.prefix(heap) | (slot.tag() as u64) << (50 - entry.depth));
            let half = (position >> (63 - entry.depth) & 1) as usize;
            halves[half].push(slot.with_tag(((position << depth) >> 50) as u16));
        }
        let bit = 1 << (63 - entry.depth);
        let prefix = position & prefix_mask(entry.depth);
        let mut new = [Offset::NULL; 2];
        let mut sizes = [0; 2];
        for (half, slots) in halves.iter().enumerate() {
            match Segment::create_for(heap, slots, depth, self.database, prefix | if half == 1 { bit } else { 0 }) {
                Ok(segment) => (new[half], sizes[half]) = (segment.at, segment.size),
                Err(full) => {
                    if half == 1 {
                        Segment { at: new[0], size: sizes[0] }.free_chain(heap);
                    }
                    return Err(full);
                }
            }
        }
        for half in 0..2 {
            let position = (position & !bit) | if half == 1 { bit } else { 0 };
            self.point(heap, position, Entry { segment: new[half], size: sizes[half], depth });
        }
        self.deepest += if depth == self.depth { 2 } else { 0 };
        segment.free_chain(heap);
        Ok(())
    }

    fn double(&mut self, heap: &mut ShardHeap) -> Result<(), ArenaFull> {
        let new = self.new_directory(heap, self.depth + 1)?;
        for index in 0..1usize << self.depth {
            let word = heap.word(self.directory, HEADER + index * 8).to_le_bytes();
            let pair = heap.range_mut(new, HEADER + index * 16..HEADER + index * 16 + 16);
            pair[..8].copy_from_slice(&word);
            pair[8..].copy_from_slice(&word);
        }
        heap.free(self.directory);
        self.directory = new;
        self.depth += 1;
        self.deepest = 0;
        Ok(())
    }

    fn merge(&mut self, heap: &mut ShardHeap, position: u64, entry: Entry, buddy: Entry) -> Result<(), ArenaFull> {
        let bit_of = |position: u64| (position >> (64 - entry.depth) & 1) as u16;
        let own = Segment { at: entry.segment, size: entry.size };
        let other = Segment { at: buddy.segment, size: buddy.size };
        // The bit that told the two apart becomes the top bit of the tag.
        let lift =
            |slots: Vec<Slot>, bit: u16| slots.into_iter().map(move |slot| slot.with_tag(bit << 13 | slot.tag() >> 1));
        let bit = bit_of(position);
        let slots: Vec<Slot> = lift(own.slots(heap), bit).chain(lift(other.slots(heap), bit ^ 1)).collect();
        let prefix = position & prefix_mask(entry.depth - 1);
        let new = Segment::create_for(heap, &slots, entry.depth - 1, self.database, prefix)?;
        self.deepest -= if entry.depth == self.depth { 2 } else { 0 };
        self.point(heap, position, Entry { segment: new.at, size: new.size, depth: entry.depth - 1 });
        own.free_chain(heap);
        other.free_chain(heap);
        Ok(())
    }

    /// Halves the directory as long as no segment needs its last bit.
    fn halve(&mut self, heap: &mut ShardHeap) {
        while self.deepest == 0 && self.depth > 0 {
            let Ok(new) = self.new_directory(heap, self.depth - 1) else { return };
            let mut deepest = 0;
            for index in 0..1usize << (self.depth - 1) {
                let word = heap.word(self.directory, HEADER + index * 16);
                heap.range_mut(new, HEADER + index * 8..HEADER + index * 8 + 8).copy_from_slice(&word.to_le_bytes());
                deepest += u32::from(Entry::unpack(word).depth == self.depth - 1);
            }
            heap.free(self.directory);
            self.directory = new;
            self.depth -= 1;
            self.deepest = deepest;
        }
    }

    fn free_chunks(&mut self, heap: &mut ShardHeap) {
        let mut position = Some(0);
        while let Some(at) = position {
            let entry = self.entry(heap, at);
            Segment { at: entry.segment, size: entry.size }.free_chain(heap);
            position = next_prefix(at, entry.depth);
        }
        heap.free(self.directory);
        *self = Index::new(self.database, self.shard_bits);
    }

    /// Removes everything, calling `item` for each location first.
    pub fn clear(&mut self, heap: &mut ShardHeap, mut item: impl FnMut(&mut ShardHeap, Offset)) {
        if self.directory.is_null() {
            return;
        }
        self.for_each_segment(heap, &mut |heap, segment, _| {
            let slots = segment.slots(heap);
            slots.iter().for_each(|slot| heap.arena().prefetch(slot.location()));
            for slot in slots {
                item(heap, slot.location());
            }
        });
        self.free_chunks(heap);
    }

    fn for_each_segment(&self, heap: &mut ShardHeap, visit: &mut dyn FnMut(&mut ShardHeap, Segment, u64)) {
        let mut position = Some(0);
        while let Some(at) = position {
            let entry = self.entry(heap, at);
            visit(heap, Segment { at: entry.segment, size: entry.size }, at);
            position = next_prefix(at, entry.depth);
        }
    }

    /// Visits the slots from position `from` on, bucket by bucket in hash order, until `visit` has
    /// been called for at least `count` slots (or the buckets looked at are ten times as many).
    /// Answers the position to go on from, `None` at the end. Positions count the bits after
    /// the shard's.
    pub fn walk(&self, heap: &ShardHeap, from: u64, count: usize, mut visit: impl FnMut(Place, Slot)) -> Option<u64> {
        if self.directory.is_null() {
            return None;
        }
        let (mut position, mut seen, mut looked) = (from, 0, 0);
        loop {
            let entry = self.entry(heap, position);
            let segment = Segment { at: entry.segment, size: entry.size };
            let first = entry.tag(position);
            let bucket = segment::bucket_of(first, entry.size);
            let end = segment::first_tag(bucket + 1, entry.size);
            segment.walk_bucket(heap, bucket, &mut |at, slot| {
                // A cursor may begin within a bucket of a segment that has changed its size since.
                if slot.tag() >= first {
                    seen += 1;
                    visit(Place { segment: at.0, at: at.1 }, slot);
                }
            });
            looked += 1;
            position = if end < 1 << 14 {
                (position & prefix_mask(entry.depth)) | (end as u64) << (50 - entry.depth)
            } else {
                next_prefix(position, entry.depth)?
            };
            if seen >= count || looked >= count.saturating_mul(10) {
                return Some(position);
            }
        }
    }

    /// Moves the chunk at `from` (a directory or segment of this index) to a fresh one, for
    /// emptying its page. False when it is not part of the index.
    pub fn relocate(&mut self, heap: &mut ShardHeap, from: Offset) -> bool {
        if from == self.directory {
            let Ok(to) = self.new_directory(heap, self.depth) else { return false };
            heap.copy(from, 0, to, 0, HEADER + (8 << self.depth));
            heap.free(from);
            self.directory = to;
            return true;
        }
        if self.directory.is_null() {
            return false;
        }
        let position = Segment::prefix_at(heap, from);
        let entry = self.entry(heap, position);
        let mut segment = Segment { at: entry.segment, size: entry.size };
        let mut previous = None;
        while segment.at != from {
            previous = Some(segment);
            match segment.next(heap) {
                Some(next) => segment = next,
                None => return false,
            }
        }
        let Ok(to) = segment.copy(heap) else { return false };
        match previous {
            None => self.point(heap, position, Entry { segment: to, ..entry }),
            Some(previous) => previous.set_next(heap, to),
        }
        heap.free(from);
        true
    }
}

#[inline]
fn prefix_mask(depth: u8) -> u64 {
    if depth == 0 { 0 } else { u64::MAX << (64 - depth) }
}

/// The first position after the segment of `depth` that `position` lies in.
fn next_prefix(position: u64, depth: u8) -> Option<u64> {
    if depth == 0 {
        return None;
    }
    (position & prefix_mask(depth)).checked_add(1 << (64 - depth))
}

#[cfg(test)]
mod tests;
