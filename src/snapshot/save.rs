//! Writing an image: cut, sweep, tables, superblock; into the older of two files, which then takes the newer
//! one's name. So whatever goes wrong, the newer image is whole.
//!
//! 1. The older file's superblock is wiped, and that is synced: from here on nobody takes it for an image.
//! 2. The blocks that it does not hold as they are to be, and the tables, are written and synced.
//! 3. The superblock is written and synced: now it is an image.
//! 4. The two files exchange their names.
//!
//! Where there is no older file, or not one that this memory was written to, a new one is written in full.
//! One that could not be written or synced is removed, never tried again.

use super::{
    base::{Base, read_superblock},
    format::{self, BlockRow, SUPERBLOCK, Superblock, TableAt},
    pool::Pool,
    writer::{Gatherer, sides},
};
use crate::{
    arena::{BLOCK, PAGE, PageId, SavedPage},
    keyspace::{Keyspace, SizeRow},
    util::{
        clock::UnixMillis,
        disk::{Disk, DiskFile, System, directory_of},
    },
};
use std::{
    hash::BuildHasher,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

/// What a finished snapshot wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    pub pages: u64,
    /// Bytes of data that the image holds.
    pub bytes: u64,
    /// Bytes that were written for it, tables too.
    pub written: u64,
    /// Whether it was written over an older image.
    pub incremental: bool,
    /// Changes counted when the cut was made.
    pub dirty: u64,
}

/// How fast a snapshot is written, and whether it is worth while still.
pub trait Pace: Sync {
    /// Called once by the thread that writes.
    fn step_back(&self) {}
    /// Called with no lock held after so many bytes.
    fn wrote(&self, _bytes: u64) {}
    /// Called with no lock held after a little work: others may have the processor.
    fn rest(&self) {}
    /// All is written and nothing is in its place yet.
    fn linger(&self) {}
    /// The image will not be in time.
    fn gives_up(&self) -> bool {
        false
    }
}

/// As fast as it goes.
pub struct Unpaced;

impl Pace for Unpaced {}

/// Writes the whole keyspace, as it is now, to `path`. Commands go on meanwhile. One snapshot
/// runs at a time: that is the caller's to see to.
///
/// # Errors
/// Whatever the file system says; the file at `path` is then as it was before.
pub fn save(keyspace: &Keyspace, path: &Path, now: UnixMillis) -> io::Result<Report> {
    save_paced(keyspace, path, now, &Unpaced)
}

/// As [`save`], at a pace.
///
/// # Errors
/// As [`save`]; when the pace gives up, `TimedOut`.
pub fn save_paced(keyspace: &Keyspace, path: &Path, now: UnixMillis, pace: &dyn Pace) -> io::Result<Report> {
    save_on(&System, keyspace, path, now, pace)
}

/// As [`save_paced`], on another disk than the system's.
///
/// # Errors
/// As [`save_paced`].
pub fn save_on(
    disk: &dyn Disk,
    keyspace: &Keyspace,
    path: &Path,
    now: UnixMillis,
    pace: &dyn Pace,
) -> io::Result<Report> {
    let older = older_of(path);
    let result = write_image(disk, keyspace, path, &older, now, pace);
    let result = result.and_then(|(report, log, id)| {
        disk.exchange(&older, path)?;
        // Whether the names have changed for good is not known before the next line; the file is whole under either.
        keyspace.arena().note_image(id);
        disk.sync_directory(directory_of(path))?;
        keyspace.log().retire(log, path);
        Ok(report)
    });
    if result.is_err() {
        discard(disk, &older);
    }
    result
}

/// Writes an image for another use than the next start: nothing takes its place in the order of snapshots and append-only
/// files.
///
/// # Errors
/// Whatever the file system says.
pub fn save_aside(keyspace: &Keyspace, path: &Path, now: UnixMillis) -> io::Result<Report> {
    write_image(&System, keyspace, path, path, now, &Unpaced).map(|(report, ..)| report)
}

/// The process ends at once: what has been written of a snapshot is of no use.
pub fn discard_unfinished(path: &Path) {
    discard(&System, &older_of(path));
}

/// Removes what is no image.
fn discard(disk: &dyn Disk, path: &Path) {
    if disk.open(path).is_ok_and(|file| read_superblock(&*file).is_none()) {
        let _ = disk.remove(path);
    }
}

/// The other of the two files, beside the image: what it was before.
pub fn older_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".older");
    path.with_file_name(name)
}

/// What has to be in an image.
#[derive(Default)]
struct Swept {
    pages: Vec<SavedPage>,
    roots: Vec<[u64; 4]>,
    sizes: Vec<SizeRow>,
}

/// Takes every page as it was at the cut. Of what changes meanwhile, what may not wait comes first.
fn sweep(keyspace: &Keyspace, pool: &Pool, gatherer: &mut Gatherer<'_>, pace: &dyn Pace) -> io::Result<Swept> {
    let mut swept = Swept::default();
    let mut page = 1;
    // The frontier may fall while the sweep runs; what was behind it is among what is gone then.
    while page < keyspace.arena().frontier().0 && !gatherer.is_alone {
        swept.pages.extend(keyspace.take_page(PageId(page), &mut |block, taken| gatherer.put(block, taken)));
        gatherer.worked(PAGE);
        if gatherer.is_full() {
            // Here, with no lock held.
            gatherer.flush();
            take_early(keyspace, pool, gatherer, &mut swept);
            in_time(pace)?;
        }
        page += 1;
    }
    for shard in 0..keyspace.shards() {
        let of_shard = loop {
            let of_shard = keyspace.take_rest(shard, &mut swept.pages, &mut |block, taken| gatherer.put(block, taken));
            gatherer.flush();
            if let Some(of_shard) = of_shard {
                break of_shard;
            }
        };
        swept.roots.extend(of_shard.roots);
        swept.sizes.extend(of_shard.sizes);
    }
    Ok(swept)
}

/// Takes what memory waits for: pages that were given up, and copies when there are many.
fn take_early(keyspace: &Keyspace, pool: &Pool, gatherer: &mut Gatherer<'_>, swept: &mut Swept) {
    for shard in 0..keyspace.shards() {
        let mut take = |gatherer: &mut Gatherer<'_>| {
            let copies = pool.is_half_full();
            keyspace.take_early(shard, copies, &mut swept.pages, &mut |block, taken| gatherer.put(block, taken))
        };
        while !gatherer.is_alone && take(gatherer) {
            gatherer.flush();
        }
    }
}

/// Answers the number of the append-only file that goes on from the image, and the image's id, too.
fn write_image(
    disk: &dyn Disk,
    keyspace: &Keyspace,
    path: &Path,
    older: &Path,
    now: UnixMillis,
    pace: &dyn Pace,
) -> io::Result<(Report, u64, u64)> {
    let arena = Arc::clone(keyspace.arena());
    // All of it comes in before the cut: what turns out to be damaged is mended, and the image whole.
    keyspace.load_all(&mut || !pace.gives_up());
    in_time(pace)?;
    let parent = disk.open(path).ok().and_then(|file| read_superblock(&*file)).map_or(0, |superblock| superblock.id);
    let base = Base::open(disk, older, &arena);
    let incremental = base.is_some();
    let (file, base) = match base {
        Some((file, base)) => {
            file.write_at(&[0; SUPERBLOCK], 0)?;
            file.sync()?;
            (file, base)
        }
        None => {
            // A new file even where one has the name: that one may be read by someone, or have failed to be synced.
            let _ = disk.remove(older);
            (disk.create(older)?, Base::default())
        }
    };
    let base = Arc::new(base);
    let pool = Arc::new(Pool::new(Arc::clone(&file), Arc::clone(&base), arena.resident()));
    let dirty = keyspace.stats().dirty;
    let log = keyspace.log().rotate(arena.epoch() + 1)?;
    let (mut gatherer, writer) = sides(Arc::clone(&file), pace);
    let (epoch, swept, written, held) = thread::scope(|scope| {
        let writing = thread::Builder::new().name("snapshot-writer".to_owned()).spawn_scoped(scope, || writer.run())?;
        let epoch = keyspace.begin_cut(pool.clone());
        let swept = sweep(keyspace, &pool, &mut gatherer, pace);
        arena.end_cut();
        let held = gatherer.end();
        let written = writing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        io::Result::Ok((epoch, swept, written, held))
    })?;
    let (mut blocks, mut swept, spilled) = (written?, swept?, pool.take_spilled());
    if let Some(error) = spilled.error {
        return Err(error);
    }
    blocks.extend(spilled.blocks);
    let data = (blocks.len() * BLOCK) as u64;
    let kept = held.len();
    blocks.extend(base.rows_of(held));
    blocks.sort_unstable();
    swept.pages.sort_unstable_by_key(|saved| saved.page);
    let pages = &swept.pages;
    let frontier = pages.last().map_or(1, |saved| saved.page.0 as u64 + 1);
    if incremental {
        let is_there = |page: u32| pages.binary_search_by_key(&page, |saved| saved.page.0).is_ok();
        base.pages()
            .filter(|page| !is_there(*page))
            .for_each(|page| file.punch(page as u64 * PAGE as u64, PAGE as u64));
        file.set_len(frontier * PAGE as u64)?;
    }
    let [page_table, block_table, root_table, size_table] =
        write_tables(&*file, frontier * PAGE as u64, &swept, &blocks)?;
    let file_len = size_table.offset + size_table.rows * format::SIZE as u64;
    file.sync()?;
    pace.linger();
    in_time(pace)?;
    let id = std::hash::RandomState::new().hash_one(epoch).max(1);
    let superblock = Superblock {
        shards: keyspace.shards() as u32,
        databases: keyspace.databases() as u32,
        hash_keys: keyspace.hash_keys(),
        hash_vector: format::hash_vector(keyspace),
        saved_at_ms: now,
        frontier,
        pages: page_table,
        blocks: block_table,
        roots: root_table,
        sizes: Some(size_table),
        file_len,
        log,
        epoch,
        id,
        parent: if arena.knows_image(parent) { parent } else { 0 },
    };
    file.write_at(&superblock.encode(), 0)?;
    file.sync()?;
    // But for the tables: the next start begins with them.
    file.forget(0, frontier * PAGE as u64);
    let bytes = data + (kept * BLOCK) as u64;
    let written = data + (file_len - frontier * PAGE as u64) + SUPERBLOCK as u64;
    Ok((Report { pages: pages.len() as u64, bytes, written, incremental, dirty }, log, id))
}

fn in_time(pace: &dyn Pace) -> io::Result<()> {
    if pace.gives_up() {
        Err(io::Error::new(io::ErrorKind::TimedOut, "it was cancelled, or its time is over"))
    } else {
        Ok(())
    }
}

/// One behind the other.
fn write_tables(
    file: &dyn DiskFile,
    mut offset: u64,
    Swept { pages, roots, sizes }: &Swept,
    blocks: &[BlockRow],
) -> io::Result<[TableAt; 4]> {
    let mut table = |rows: usize, bytes: Vec<u8>| -> io::Result<TableAt> {
        file.write_at(&bytes, offset)?;
        let at = TableAt { offset, rows: rows as u64, crc: crc32c::crc32c(&bytes) };
        offset += bytes.len() as u64;
        Ok(at)
    };
    let page_rows = pages.iter().flat_map(|saved| {
        let words = saved.page.0 as u64 | (saved.blocks as u64) << 32;
        words.to_le_bytes().into_iter().chain(saved.meta.resident().in_image().to_le_bytes())
    });
    Ok([
        table(pages.len(), page_rows.collect())?,
        table(blocks.len(), blocks.iter().flat_map(|row| row.encode()).collect())?,
        table(roots.len(), roots.iter().flatten().flat_map(|word| word.to_le_bytes()).collect())?,
        table(sizes.len(), sizes.iter().flat_map(format::encode_size).collect())?,
    ])
}
