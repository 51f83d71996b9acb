//! Writing an image: cut, sweep, tables, superblock; to a new file, which then takes the old
//! one's name. So whatever goes wrong, the previous image is whole.

use super::{
    format::{self, Superblock, TableAt},
    pool::Pool,
};
use crate::{
    arena::{BLOCK, PAGE, PageId, SavedPage},
    keyspace::Keyspace,
    util::clock::UnixMillis,
};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a finished snapshot wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    pub pages: u64,
    pub bytes: u64,
    /// Changes counted when the cut was made.
    pub dirty: u64,
}

/// Writes the whole keyspace, as it is now, to `path`. Commands go on meanwhile. One snapshot
/// runs at a time: that is the caller's to see to.
///
/// # Errors
/// Whatever the file system says; the file at `path` is then as it was before.
pub fn save(keyspace: &Keyspace, path: &Path, now: UnixMillis) -> io::Result<Report> {
    save_and(keyspace, path, now, &|| ())
}

/// As [`save`]; `linger` is called when all is written and nothing is in its place yet.
pub fn save_and(keyspace: &Keyspace, path: &Path, now: UnixMillis, linger: &dyn Fn()) -> io::Result<Report> {
    let temporary = temporary_of(path);
    let result = write_image(keyspace, &temporary, now).and_then(|(report, log)| {
        linger();
        fs::rename(&temporary, path)?;
        sync_directory(path)?;
        keyspace.log().retire(log);
        Ok(report)
    });
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// The process ends at once: what has been written of a snapshot is of no use.
pub fn discard_unfinished(path: &Path) {
    // Mostly there is nothing to remove.
    let _ = fs::remove_file(temporary_of(path));
}

/// Beside the image, so that the rename stays within one file system.
fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".tmp-{}", std::process::id()));
    path.with_file_name(name)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

/// The sweep's side of the file. Blocks are gathered while their shard is locked, and written when it is not.
struct Writer {
    file: Arc<File>,
    buffer: Vec<u8>,
    /// Runs of neighbours in the buffer: the first block of each, and where it begins.
    runs: Vec<(u64, usize)>,
    blocks: Vec<(u32, u32)>,
    error: Option<io::Error>,
}

/// How much is gathered before it is written.
const GATHER: usize = 1 << 20;

impl Writer {
    fn put(&mut self, block: u64, bytes: &[u8]) {
        let next = self.runs.last().map(|(first, at)| first + ((self.buffer.len() - at) / BLOCK) as u64);
        if next != Some(block) {
            self.runs.push((block, self.buffer.len()));
        }
        self.blocks.push((block as u32, 0));
        self.buffer.extend_from_slice(bytes);
    }

    /// Writes what was gathered. Called with no lock held.
    fn flush(&mut self) {
        let gathered = self.blocks.len() - self.buffer.len() / BLOCK;
        for ((_, sum), bytes) in self.blocks[gathered..].iter_mut().zip(self.buffer.chunks_exact(BLOCK)) {
            *sum = crc32c::crc32c(bytes);
        }
        let ends = self.runs.iter().skip(1).map(|(_, at)| *at).chain([self.buffer.len()]);
        for ((first, at), end) in self.runs.iter().zip(ends) {
            if self.error.is_none()
                && let Err(error) = self.file.write_all_at(&self.buffer[*at..end], first * BLOCK as u64)
            {
                self.error = Some(error);
            }
        }
        self.runs.clear();
        self.buffer.clear();
    }
}

/// Answers the number of the append-only file that goes on from the image, too.
fn write_image(keyspace: &Keyspace, path: &Path, now: UnixMillis) -> io::Result<(Report, u64)> {
    let file = Arc::new(OpenOptions::new().write(true).create(true).truncate(true).open(path)?);
    let pool = Arc::new(Pool::new(Arc::clone(&file)));
    let mut writer = Writer {
        file: Arc::clone(&file),
        buffer: Vec::with_capacity(GATHER + PAGE),
        runs: Vec::new(),
        blocks: Vec::new(),
        error: None,
    };
    let arena = Arc::clone(keyspace.arena());
    let dirty = keyspace.stats().dirty;
    let log = keyspace.log().rotate(arena.epoch() + 1)?;
    arena.begin_cut(pool.clone());
    let mut pages = Vec::new();
    let mut page = 1;
    // The frontier may fall while the sweep runs; what was behind it is among what is gone then.
    while page < arena.frontier().0 {
        if writer.error.is_none() {
            pages.extend(keyspace.take_page(PageId(page), &mut |block, bytes| writer.put(block, bytes)));
            // Written here, with no lock held.
            if writer.buffer.len() >= GATHER {
                writer.flush();
            }
        }
        page += 1;
    }
    let mut roots = Vec::new();
    for shard in 0..keyspace.shards() {
        let (gone, of_shard) = keyspace.take_rest(shard, &mut |block, bytes| writer.put(block, bytes));
        writer.flush();
        pages.extend(gone);
        roots.extend(of_shard);
    }
    arena.end_cut();
    let spilled = pool.take_spilled();
    if let Some(error) = writer.error.or(spilled.error) {
        return Err(error);
    }
    let mut blocks = writer.blocks;
    blocks.extend(spilled.blocks);
    blocks.sort_unstable();
    pages.sort_unstable_by_key(|saved| saved.page);
    let bytes = (blocks.len() * BLOCK) as u64;
    write_tables(keyspace, &file, (now, log), &pages, &blocks, &roots)?;
    file.sync_all()?;
    Ok((Report { pages: pages.len() as u64, bytes, dirty }, log))
}

fn write_tables(
    keyspace: &Keyspace,
    file: &File,
    (now, log): (UnixMillis, u64),
    pages: &[SavedPage],
    blocks: &[(u32, u32)],
    roots: &[[u64; 4]],
) -> io::Result<()> {
    let frontier = pages.last().map_or(1, |saved| saved.page.0 as u64 + 1);
    let mut offset = frontier * PAGE as u64;
    let mut table = |rows: usize, bytes: Vec<u8>| -> io::Result<TableAt> {
        file.write_all_at(&bytes, offset)?;
        let at = TableAt { offset, rows: rows as u64, crc: crc32c::crc32c(&bytes) };
        offset += bytes.len() as u64;
        Ok(at)
    };
    let page_rows = pages.iter().flat_map(|saved| {
        let words = saved.page.0 as u64 | (saved.blocks as u64) << 32;
        words.to_le_bytes().into_iter().chain(saved.meta.resident().0.to_le_bytes())
    });
    let pages = table(pages.len(), page_rows.collect())?;
    let block_rows = blocks.iter().flat_map(|(block, crc)| (*block as u64 | (*crc as u64) << 32).to_le_bytes());
    let blocks = table(blocks.len(), block_rows.collect())?;
    let roots = table(roots.len(), roots.iter().flatten().flat_map(|word| word.to_le_bytes()).collect())?;
    let superblock = Superblock {
        shards: keyspace.shards() as u32,
        databases: keyspace.databases() as u32,
        hash_keys: keyspace.hash_keys(),
        hash_vector: format::hash_vector(keyspace),
        saved_at_ms: now,
        frontier,
        pages,
        blocks,
        roots,
        file_len: offset,
        log,
    };
    file.write_all_at(&superblock.encode(), 0)
}
