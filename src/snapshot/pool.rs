//! Where blocks go that change while the sweep has not come to them: a bounded pool, and beyond it
//! straight to the image.

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

/// The blocks that all shards together may keep: 16 MiB.
const POOL_BLOCKS: usize = (16 << 20) / BLOCK;

/// A running snapshot's sink.
pub(super) struct Pool {
    file: Arc<dyn DiskFile>,
    base: Arc<Base>,
    kept: AtomicUsize,
    spilled: Mutex<Spilled>,
}

/// What changers have written themselves.
#[derive(Default)]
pub(super) struct Spilled {
    pub blocks: Vec<BlockRow>,
    pub error: Option<io::Error>,
}

impl Pool {
    pub fn new(file: Arc<dyn DiskFile>, base: Arc<Base>) -> Pool {
        Pool { file, base, kept: AtomicUsize::new(0), spilled: Mutex::default() }
    }

    pub fn take_spilled(&self) -> Spilled {
        std::mem::take(&mut self.spilled.lock())
    }
}

impl CutSink for Pool {
    fn reserve(&self) -> bool {
        self.kept.fetch_update(Relaxed, Relaxed, |kept| (kept < POOL_BLOCKS).then_some(kept + 1)).is_ok()
    }

    fn unreserve(&self, blocks: usize) {
        self.kept.fetch_sub(blocks, Relaxed);
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
