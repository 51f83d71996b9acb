//! Bit rot: the two images are read again, a little at a time, for as long as the server runs. What is in memory is the
//! truth. So a block that is not as it was written is marked as changed, and each of the next two snapshots writes it
//! anew to one of the images. (A snapshot reads nothing of what it leaves in place, and a start comes upon the damage when
//! it is too late.)

use super::{
    base::read_superblock,
    format::{BlockRow, SUPERBLOCK, Superblock, TableAt},
    save::older_of,
};
use crate::{
    arena::{Arena, BLOCK, PAGE},
    util::disk::{Disk, DiskFile},
};
use std::path::Path;

/// Rows of the block table looked at in one step.
const ROWS: u64 = 64;
/// Bytes of a table that are read at once.
const PART: usize = 64 << 10;

/// How far the look at an image has come.
#[derive(Clone, Copy, Default)]
struct Look {
    /// Of the image.
    id: u64,
    /// The row of the block table that is next. It stays when another image comes in its place, so that the last blocks have
    /// their turn however often there is a new one.
    row: u64,
    /// Rows that were looked at.
    done: u64,
}

/// What a step has found.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Scrubbed {
    /// Bytes that were read; 0 when all has been looked at.
    pub bytes: u64,
    /// Blocks that will be written anew.
    pub damaged: u64,
    /// The image that the next start would read is damaged.
    pub is_newest: bool,
}

/// The newest image, and the one before it.
#[derive(Default)]
pub struct Scrub([Look; 2]);

impl Scrub {
    /// Begins anew with both, where it was.
    pub fn again(&mut self) {
        self.0.iter_mut().for_each(|look| look.id = 0);
    }

    /// Looks at some of what it has not looked at. No snapshot may be written meanwhile.
    pub fn step(&mut self, disk: &dyn Disk, path: &Path, arena: &Arena) -> Scrubbed {
        for (number, look) in self.0.iter_mut().enumerate() {
            let path = if number == 0 { path } else { &older_of(path) };
            let Ok(file) = disk.open_to_read(path) else { continue };
            let superblock = read_superblock(&*file);
            let found = match &superblock {
                Some(superblock) if arena.knows_image(superblock.id) => look.step(&*file, superblock, path, arena),
                None if look.id != 0 => look.lose_superblock(path),
                // Of another memory, or not an image: nobody goes on from it.
                _ => continue,
            };
            file.forget(0, superblock.map_or(0, |superblock| superblock.frontier * PAGE as u64));
            if found.bytes > 0 {
                return Scrubbed { is_newest: number == 0 && found.damaged > 0, ..found };
            }
        }
        Scrubbed::default()
    }
}

impl Look {
    /// One that was there the last time.
    fn lose_superblock(&mut self, path: &Path) -> Scrubbed {
        self.id = 0;
        tracing::error!(path = %path.display(), "the superblock of a snapshot is damaged on the disk");
        Scrubbed { bytes: SUPERBLOCK as u64, damaged: 1, is_newest: false }
    }

    fn step(&mut self, file: &dyn DiskFile, superblock: &Superblock, path: &Path, arena: &Arena) -> Scrubbed {
        let mut found = Scrubbed::default();
        if self.id != superblock.id {
            (self.id, self.done) = (superblock.id, 0);
            for (table, len) in superblock.tables() {
                found.bytes += len;
                if !is_whole(file, table, len) {
                    found.damaged += 1;
                    tracing::error!(path = %path.display(), "a table of a snapshot is damaged on the disk");
                }
            }
            return found;
        }
        let rows = superblock.blocks.rows;
        if self.row >= rows {
            self.row = 0;
        }
        let count = ROWS.min(rows - self.row).min(rows - self.done);
        for row in read_rows(file, superblock, self.row, count).unwrap_or_default() {
            found.bytes += BLOCK as u64;
            let mut block = [0; BLOCK];
            let read = file.read_at(&mut block, u64::from(row.block) * BLOCK as u64);
            if read.is_err() || crc32c::crc32c(&block) != row.crc {
                found.damaged += 1;
                arena.distrust(row.block);
                tracing::error!(
                    path = %path.display(),
                    block = row.block,
                    error = read.err().map(tracing::field::display),
                    "a block of a snapshot is damaged on the disk; the next snapshot writes it anew"
                );
            }
        }
        (self.row, self.done) = (self.row + count, self.done + count);
        found
    }
}

fn read_rows(file: &dyn DiskFile, superblock: &Superblock, first: u64, count: u64) -> Option<Vec<BlockRow>> {
    let entry = superblock.block_entry();
    let mut bytes = vec![0; count as usize * entry];
    file.read_at(&mut bytes, superblock.blocks.offset + first * entry as u64).ok()?;
    Some(bytes.chunks_exact(entry).map(BlockRow::decode).collect())
}

/// Whether a table reads as it was written.
fn is_whole(file: &dyn DiskFile, table: TableAt, len: u64) -> bool {
    let (mut part, mut crc, mut done) = (vec![0; PART], 0, 0);
    while done < len {
        part.truncate((len - done).min(PART as u64) as usize);
        if file.read_at(&mut part, table.offset + done).is_err() {
            return false;
        }
        crc = crc32c::crc32c_append(crc, &part);
        done += part.len() as u64;
    }
    crc == table.crc
}
