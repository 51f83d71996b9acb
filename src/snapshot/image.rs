//! Reading an image: everything but the data is checked before the server serves; the data, when
//! it is first touched.

use super::format::{self, BlockRow, PAGE_ENTRY, ROOT, SIZE, SUPERBLOCK, Superblock, TableAt};
use crate::{
    arena::{BLOCK, BLOCKS_PER_PAGE, Damage, Kind, PAGE, PageId, PageMeta, PageSource, class_size},
    keyspace::{Keyspace, Options, SizeRow},
    util::{
        clock::UnixMillis,
        disk::{Disk, DiskFile, System},
    },
};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why an image cannot be used.
#[derive(Debug)]
pub enum LoadError {
    Io {
        path: PathBuf,
        error: io::Error,
    },
    /// Names the field, what was found and what was expected.
    Invalid {
        path: PathBuf,
        reason: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Io { path, error } => write!(f, "the snapshot {} can't be read: {error}", path.display()),
            LoadError::Invalid { path, reason } => write!(f, "the snapshot {} can't be used: {reason}", path.display()),
        }
    }
}

impl std::error::Error for LoadError {}

/// An image whose tables have been checked.
pub struct Image {
    superblock: Superblock,
    pages: Vec<(PageId, PageMeta, u32)>,
    roots: Vec<[u64; 4]>,
    /// How many keys there are of each length, if it is said.
    sizes: Option<Vec<SizeRow>>,
    data: Data,
}

/// The data blocks: what is read when a page is first touched.
struct Data {
    /// Locked: nobody writes to it while it is read.
    file: Arc<dyn DiskFile>,
    /// Ascending.
    blocks: Vec<BlockRow>,
}

impl Image {
    /// Opens and checks the image at `path`; `None` when there is no such file.
    ///
    /// # Errors
    /// When there is one that cannot be used.
    pub fn open(path: &Path) -> Result<Option<Image>, LoadError> {
        Image::open_on(&System, path)
    }

    /// As [`Self::open`], on another disk than the system's.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(disk: &dyn Disk, path: &Path) -> Result<Option<Image>, LoadError> {
        let file = match disk.open_to_read(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LoadError::Io { path: path.into(), error }),
        };
        let image = Image::read(file).map_err(|problem| match problem {
            Problem::Io(error) => LoadError::Io { path: path.into(), error },
            Problem::Invalid(reason) => LoadError::Invalid { path: path.into(), reason },
        })?;
        Ok(Some(image))
    }

    fn read(file: Arc<dyn DiskFile>) -> Result<Image, Problem> {
        file.lock_for_reading();
        let len = file.size()?;
        if len < SUPERBLOCK as u64 {
            return Err(Problem::Invalid(format!("length: found {len}, expected at least {SUPERBLOCK}")));
        }
        let mut first = [0; SUPERBLOCK];
        file.read_at(&mut first, 0)?;
        let superblock = Superblock::decode(&first).map_err(Problem::Invalid)?;
        if superblock.file_len != len {
            return Err(Problem::Invalid(format!("length: found {len}, expected {}", superblock.file_len)));
        }
        // All of them are wanted, one after the other.
        file.expect(superblock.pages.offset, len.saturating_sub(superblock.pages.offset));
        let word = |bytes: &[u8]| u64::from_le_bytes(*bytes.first_chunk().unwrap_or(&[0; 8]));
        let pages = read_table(&*file, len, "page table", superblock.pages, PAGE_ENTRY, |row| {
            (PageId(word(row) as u32), PageMeta(word(&row[8..])), (word(row) >> 32) as u32)
        })?;
        let blocks =
            read_table(&*file, len, "block table", superblock.blocks, superblock.block_entry(), BlockRow::decode)?;
        let roots: Vec<[u64; 4]> = read_table(&*file, len, "root table", superblock.roots, ROOT, |row| {
            std::array::from_fn(|i| word(&row[i * 8..]))
        })?;
        let read_sizes = |table| read_table(&*file, len, "size table", table, SIZE, format::decode_size);
        let sizes = superblock.sizes.map(read_sizes).transpose()?;
        check_tables(&superblock, &pages, &blocks, &roots).map_err(Problem::Invalid)?;
        // Who waits for a page waits for no more than that.
        file.scatter();
        Ok(Image { superblock, pages, roots, sizes, data: Data { file, blocks } })
    }

    /// When the snapshot was taken.
    pub fn saved_at_ms(&self) -> UnixMillis {
        self.superblock.saved_at_ms
    }

    /// The number of the append-only file that goes on from here.
    pub fn log(&self) -> u64 {
        self.superblock.log
    }

    /// Bytes of data.
    pub fn bytes(&self) -> u64 {
        (self.data.blocks.len() * BLOCK) as u64
    }

    /// Makes a keyspace of the image: at once when the hash function still places keys as it did,
    /// else by storing every key anew.
    pub fn into_keyspace(self, options: &Options, now: UnixMillis) -> Result<Keyspace, LoadError> {
        let mut adapted = options.clone();
        adapted.shards = self.superblock.shards as usize;
        adapted.databases = options.databases.max(self.superblock.databases as usize);
        adapted.hash_keys = self.superblock.hash_keys;
        adapted.reserve = options.reserve.max(self.superblock.frontier as usize * PAGE * 2);
        let io = |error| LoadError::Io { path: PathBuf::new(), error };
        let keyspace = Keyspace::new(&adapted).map_err(io)?;
        let same_hash = format::hash_vector(&keyspace) == self.superblock.hash_vector;
        let databases = self.superblock.databases as usize;
        let data = Arc::new(self.data);
        let written = data.blocks.iter().map(|row| (row.block, row.written));
        keyspace.arena().attach(self.superblock.epoch, &self.pages, written, data.clone()).map_err(|_| {
            LoadError::Invalid { path: PathBuf::new(), reason: "it is larger than the address space reserved".into() }
        })?;
        for id in [self.superblock.parent, self.superblock.id] {
            keyspace.arena().note_image(id);
        }
        for (shard, roots) in self.roots.chunks_exact(databases + 1).enumerate() {
            if !keyspace.adopt_roots(shard, roots) {
                return Err(LoadError::Invalid {
                    path: PathBuf::new(),
                    reason: format!("root of shard {shard}: impossible values"),
                });
            }
        }
        match self.sizes {
            Some(sizes) if keyspace.adopt_sizes(&sizes) => {}
            Some(_) => {
                return Err(LoadError::Invalid {
                    path: PathBuf::new(),
                    reason: "size table: impossible values".into(),
                });
            }
            None => keyspace.forget_sizes(),
        }
        if same_hash {
            return Ok(keyspace);
        }
        tracing::warn!("the snapshot was written with another hash function; its keys are stored anew");
        rebuild(&keyspace, &adapted, now).map_err(io)
    }
}

/// Reads a table and checks it. Bit by bit: what is in the processor's cache is not fetched again.
fn read_table<T>(
    file: &dyn DiskFile,
    len: u64,
    name: &str,
    table: TableAt,
    row: usize,
    decode: impl Fn(&[u8]) -> T,
) -> Result<Vec<T>, Problem> {
    const ROWS: u64 = 8192;
    let bytes = table.rows.checked_mul(row as u64);
    if bytes.and_then(|bytes| table.offset.checked_add(bytes)).is_none_or(|end| end > len) {
        let reason = format!("{name}: {} rows at {} do not fit the file", table.rows, table.offset);
        return Err(Problem::Invalid(reason));
    }
    let (mut rows, mut crc, mut done) = (Vec::with_capacity(table.rows as usize), 0, 0);
    let mut part = vec![0; ROWS.min(table.rows) as usize * row];
    while done < table.rows {
        part.truncate((table.rows - done).min(ROWS) as usize * row);
        file.read_at(&mut part, table.offset + done * row as u64)?;
        crc = crc32c::crc32c_append(crc, &part);
        rows.extend(part.chunks_exact(row).map(&decode));
        done += (part.len() / row) as u64;
    }
    if crc == table.crc {
        Ok(rows)
    } else {
        Err(Problem::Invalid(format!("{name} checksum: found {crc:#010x}, expected {:#010x}", table.crc)))
    }
}

/// Stores every key of `old`, whose index cannot be searched, in a new keyspace.
fn rebuild(old: &Keyspace, options: &Options, now: UnixMillis) -> io::Result<Keyspace> {
    let new = Keyspace::new(options)?;
    let lost = new.move_from(old, now).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    if lost > 0 {
        tracing::error!(keys = lost, "keys on damaged pages are lost");
    }
    Ok(new)
}

enum Problem {
    Io(io::Error),
    Invalid(String),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Problem::Io(error)
    }
}

/// What the arena will rely on: rows in order, within bounds, runs whole, owners that exist.
fn check_tables(
    superblock: &Superblock,
    pages: &[(PageId, PageMeta, u32)],
    blocks: &[BlockRow],
    roots: &[[u64; 4]],
) -> Result<(), String> {
    let frontier = superblock.frontier;
    let most = superblock.pages.offset / PAGE as u64;
    if frontier > most {
        return Err(format!("frontier: found {frontier}, expected at most {most}: the tables come after the data"));
    }
    let wanted = superblock.shards as u64 * (superblock.databases as u64 + 1);
    if roots.len() as u64 != wanted {
        return Err(format!("root table: found {} rows, expected {wanted}", roots.len()));
    }
    if !pages.is_sorted_by(|a, b| a.0 < b.0) || pages.iter().any(|(page, ..)| page.0 == 0 || page.0 as u64 >= frontier)
    {
        return Err("page table: rows out of order or beyond the data".into());
    }
    if !blocks.is_sorted_by(|a, b| a.block < b.block)
        || blocks.last().is_some_and(|row| row.block as u64 >= frontier.saturating_mul(BLOCKS_PER_PAGE as u64))
    {
        return Err("block table: rows out of order or beyond the data".into());
    }
    let mut tails_left = 0;
    let mut previous: Option<(PageId, PageMeta)> = None;
    for (page, meta, blocks) in pages {
        let problem = |what: &str| Err(format!("page table: page {}: {what}", page.0));
        if meta.shard() as u32 >= superblock.shards {
            return problem("its shard does not exist");
        }
        let follows = previous.is_some_and(|(before, of)| before.0 + 1 == page.0 && of.shard() == meta.shard());
        match meta.kind() {
            Kind::Tail if tails_left > 0 && follows => tails_left -= 1,
            Kind::Slab if tails_left == 0 && class_size(meta.class()) > 0 && *blocks as usize <= BLOCKS_PER_PAGE => {}
            Kind::Large
                if tails_left == 0
                    && meta.run() > 0
                    && *blocks as u64 <= meta.run() as u64 * BLOCKS_PER_PAGE as u64 =>
            {
                tails_left = meta.run() - 1;
            }
            _ => return problem("its kind does not fit its neighbours"),
        }
        previous = Some((*page, *meta));
    }
    if tails_left > 0 { Err("page table: the last run is cut off".into()) } else { Ok(()) }
}

impl Data {
    /// The page's rows of the block table.
    fn rows(&self, page: PageId) -> &[BlockRow] {
        let first = page.0 * BLOCKS_PER_PAGE as u32;
        let from = self.blocks.partition_point(|row| row.block < first);
        let rows = self.blocks.get(from..).unwrap_or_default();
        &rows[..rows.iter().take(BLOCKS_PER_PAGE).take_while(|row| row.block < first + BLOCKS_PER_PAGE as u32).count()]
    }

    /// Reads the blocks of `rows` into the page `into`; `failed` hears of those that cannot be read. Read, not mapped: a
    /// file that is cut short answers an error then, where an access to a mapping would be the process's end.
    fn read(&self, rows: &[BlockRow], into: &mut [u8], failed: &mut dyn FnMut(&BlockRow, String)) {
        for run in rows.chunk_by(|a, b| a.block + 1 == b.block) {
            let at = place(&run[0]);
            let Some(bytes) = into.get_mut(at..at + run.len() * BLOCK) else { continue };
            if let Err(error) = self.file.read_at(bytes, run[0].block as u64 * BLOCK as u64) {
                run.iter().for_each(|row| failed(row, error.to_string()));
            }
        }
    }
}

/// Where a block lies in its page.
fn place(row: &BlockRow) -> usize {
    row.block as usize % BLOCKS_PER_PAGE * BLOCK
}

impl PageSource for Data {
    fn expect(&self, first: PageId, pages: u32) {
        self.file.expect(first.start().bytes(), u64::from(pages) * PAGE as u64);
    }

    fn forget(&self, first: PageId, pages: u32) {
        self.file.forget(first.start().bytes(), u64::from(pages) * PAGE as u64);
    }

    fn load(&self, page: PageId, into: &mut [u8]) -> Result<(), Damage> {
        let rows = self.rows(page);
        let mut damage = Damage { blocks: 0, reason: String::new() };
        let mut note = |row: &BlockRow, reason: String| {
            if damage.blocks == 0 {
                damage.reason = format!("block {}: {reason}", row.block);
            }
            damage.blocks |= 1 << (row.block as usize % BLOCKS_PER_PAGE);
        };
        self.read(rows, into, &mut note);
        for row in rows {
            let Some(block) = into.get_mut(place(row)..place(row) + BLOCK) else { continue };
            let found = crc32c::crc32c(block);
            if found != row.crc {
                note(row, format!("checksum found {found:#010x}, expected {:#010x}", row.crc));
                block.fill(0);
            }
        }
        if damage.blocks == 0 { Ok(()) } else { Err(damage) }
    }
}
