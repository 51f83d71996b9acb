//! Where blocks go that change while the sweep has not come to them: a bounded pool, and beyond it
//! straight to the image.

use crate::arena::{BLOCK, Block, CutSink};
use parking_lot::Mutex;
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// The blocks that all shards together may keep: 16 MiB.
const POOL_BLOCKS: usize = (16 << 20) / BLOCK;

/// A running snapshot's sink.
pub(super) struct Pool {
    file: Arc<File>,
    kept: AtomicUsize,
    spilled: Mutex<Spilled>,
}

/// What changers have written themselves: (block, checksum).
#[derive(Default)]
pub(super) struct Spilled {
    pub blocks: Vec<(u32, u32)>,
    pub error: Option<io::Error>,
}

impl Pool {
    pub fn new(file: Arc<File>) -> Pool {
        Pool { file, kept: AtomicUsize::new(0), spilled: Mutex::default() }
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

    fn spill(&self, block: u64, bytes: &Block) {
        let written = self.file.write_all_at(bytes, block * BLOCK as u64);
        let mut spilled = self.spilled.lock();
        match written {
            Ok(()) => spilled.blocks.push((block as u32, crc32c::crc32c(bytes))),
            Err(error) => spilled.error = Some(error),
        }
    }
}
