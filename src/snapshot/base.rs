//! The older of the two images, which the next snapshot is written over: what it holds already as it is to be.

use super::format::{BlockRow, SUPERBLOCK, Superblock, TableAt};
use crate::{
    arena::{Arena, BLOCKS_PER_PAGE},
    util::disk::{Disk, DiskFile},
};
use std::{path::Path, sync::Arc};

/// Blocks of the image that are as they were when it was written. Of an empty one, none.
#[derive(Default)]
pub(super) struct Base {
    epoch: u32,
    /// Ascending.
    rows: Vec<BlockRow>,
    /// One bit per block that has a row.
    present: Vec<u64>,
}

impl Base {
    /// Opens the image at `path` to be written over: `None` when there is none, or it is not whole, or it is not one that
    /// this memory was written to, or someone reads it.
    pub fn open(disk: &dyn Disk, path: &Path, arena: &Arena) -> Option<(Arc<dyn DiskFile>, Base)> {
        let file = disk.open(path).ok()?;
        let superblock = read_superblock(&*file)?;
        if !arena.knows_image(superblock.id) || superblock.file_len != file.size().ok()? || !file.lock() {
            return None;
        }
        let bytes = read_table(&*file, superblock.blocks, superblock.block_entry(), superblock.file_len)?;
        let rows: Vec<_> = bytes.chunks_exact(superblock.block_entry()).map(BlockRow::decode).collect();
        let mut present = vec![0; rows.last().map_or(0, |row| row.block as usize / 64 + 1)];
        for row in &rows {
            *present.get_mut(row.block as usize / 64)? |= 1 << (row.block % 64);
        }
        Some((file, Base { epoch: superblock.epoch, rows, present }))
    }

    /// Whether the block, last written in epoch `written`, is in the file as it is in memory.
    pub fn holds(&self, block: u64, written: u32) -> bool {
        written < self.epoch && self.present.get(block as usize / 64).is_some_and(|bits| bits >> (block % 64) & 1 == 1)
    }

    /// The rows of these blocks.
    pub fn rows_of(&self, mut blocks: Vec<u32>) -> Vec<BlockRow> {
        blocks.sort_unstable();
        let mut rows = self.rows.iter();
        blocks.into_iter().filter_map(|block| rows.find(|row| row.block == block).copied()).collect()
    }

    /// Pages of which the file holds something, ascending.
    pub fn pages(&self) -> impl Iterator<Item = u32> {
        self.rows.chunk_by(|a, b| page_of(a) == page_of(b)).filter_map(|rows| rows.first().map(page_of))
    }
}

fn page_of(row: &BlockRow) -> u32 {
    row.block / BLOCKS_PER_PAGE as u32
}

/// `None` when there is no whole one.
pub(super) fn read_superblock(file: &dyn DiskFile) -> Option<Superblock> {
    let mut first = [0; SUPERBLOCK];
    file.read_at(&mut first, 0).ok()?;
    Superblock::decode(&first).ok()
}

fn read_table(file: &dyn DiskFile, table: TableAt, row: usize, len: u64) -> Option<Vec<u8>> {
    let bytes = table.rows.checked_mul(row as u64)?;
    table.offset.checked_add(bytes).filter(|end| *end <= len)?;
    let mut rows = vec![0; usize::try_from(bytes).ok()?];
    file.read_at(&mut rows, table.offset).ok()?;
    (crc32c::crc32c(&rows) == table.crc).then_some(rows)
}
