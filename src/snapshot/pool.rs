//! Where blocks go that change while the sweep has not come to them: a bounded pool, and beyond it
//! straight to the image.
//!
//! Who writes to the image holds a shard's lock and may wait for the disk, so the pool is as large as memory allows, and
//! the sweep empties it before it is full.

use super::{base::Base, format::BlockRow};
use crate::{
    arena::{BLOCK, Block, CutSink},
    util::disk::DiskFile,
};
use parking_lot::Mutex;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// What all shards together may keep: this, and a share of what the arena holds.
const POOL_BYTES: u64 = 32 << 20;
const POOL_SHARE: u64 = 40;

/// A running snapshot's sink.
pub(super) struct Pool {
    file: Arc<dyn DiskFile>,
    base: Arc<Base>,
    kept: AtomicUsize,
    most: usize,
    /// Places that are free again: memory that is there.
    places: Mutex<Vec<Box<Block>>>,
    spilled: Mutex<Spilled>,
}

/// What changers have written themselves.
#[derive(Default)]
pub(super) struct Spilled {
    pub blocks: Vec<BlockRow>,
    pub error: Option<io::Error>,
}

impl Pool {
    /// For an arena of which so many bytes are resident.
    pub fn new(file: Arc<dyn DiskFile>, base: Arc<Base>, resident: u64) -> Pool {
        let most = ((POOL_BYTES + resident / POOL_SHARE) / BLOCK as u64) as usize;
        Pool {
            file,
            base,
            kept: AtomicUsize::new(0),
            most,
            places: Mutex::new(Vec::with_capacity(most)),
            spilled: Mutex::default(),
        }
    }

    /// Whether it is time to empty it.
    pub fn is_half_full(&self) -> bool {
        self.kept.load(Relaxed) > self.most / 2
    }

    pub fn take_spilled(&self) -> Spilled {
        std::mem::take(&mut self.spilled.lock())
    }
}

impl CutSink for Pool {
    fn reserve(&self) -> Option<Box<Block>> {
        self.kept.fetch_update(Relaxed, Relaxed, |kept| (kept < self.most).then_some(kept + 1)).ok()?;
        let place = self.places.lock().pop();
        Some(place.unwrap_or_else(|| Box::new([0; BLOCK])))
    }

    fn give_back(&self, place: Box<Block>) {
        self.places.lock().push(place);
        self.kept.fetch_sub(1, Relaxed);
    }

    fn holds(&self, block: u64, written: u32) -> bool {
        self.base.holds(block, written)
    }

    fn spill(&self, block: u64, written: u32, bytes: &Block) {
        let done = self.file.write_at(bytes, block * BLOCK as u64);
        let mut spilled = self.spilled.lock();
        match done {
            Ok(()) => {
                spilled.blocks.push(BlockRow { block: block as u32, crc: crc32c::crc32c(bytes), written });
            }
            Err(error) => spilled.error = Some(error),
        }
    }
}
