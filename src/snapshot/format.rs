//! The bytes of an image's superblock and tables. All integers are little-endian.

use crate::{
    arena::{BLOCK, CLASSES, PAGE, class_size},
    keyspace::{Keyspace, SizeRow},
};

pub(super) const MAGIC: [u8; 8] = *b"FLAGSTON";
pub(super) const VERSION: u32 = 6;
const ENDIAN_MARK: u32 = 0x0102_0304;
/// What is hashed to tell whether the hash function is still the one that placed the keys.
const HASH_VECTOR: &[u8] = b"flagstone hash test vector";
pub(super) const SUPERBLOCK: usize = 256;
/// Its length in version 1, which knew no epochs: its images are read, never written over in part.
const SUPERBLOCK_1: usize = 192;
pub(super) const PAGE_ENTRY: usize = 16;
const BLOCK_ENTRY: usize = 12;
const BLOCK_ENTRY_1: usize = 8;
pub(super) const ROOT: usize = 32;
pub(super) const SIZE: usize = 16;

/// Where a table lies in the file, how many rows it has, and its checksum.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct TableAt {
    pub offset: u64,
    pub rows: u64,
    pub crc: u32,
}

/// A row of the block table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct BlockRow {
    pub block: u32,
    pub crc: u32,
    /// The epoch of its last write.
    pub written: u32,
}

impl BlockRow {
    pub fn encode(self) -> impl Iterator<Item = u8> {
        [self.block, self.crc, self.written].into_iter().flat_map(u32::to_le_bytes)
    }

    /// Rows as long as [`Superblock::block_entry`] says.
    pub fn decode(row: &[u8]) -> BlockRow {
        let mut input = Reader(row);
        BlockRow { block: input.u32(), crc: input.u32(), written: input.u32() }
    }
}

/// A row of the size table.
pub(super) fn encode_size(row: &SizeRow) -> [u8; SIZE] {
    let fields = u64::from_le_bytes([row.shard, row.database, row.kind, row.bin, 0, 0, 0, 0]);
    (u128::from(fields) | u128::from(row.keys) << 64).to_le_bytes()
}

pub(super) fn decode_size(row: &[u8]) -> SizeRow {
    let mut input = Reader(row);
    let [shard, database, kind, bin, ..] = input.bytes::<8>();
    SizeRow { shard, database, kind, bin, keys: input.u64() }
}

/// What the first block says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Superblock {
    pub shards: u32,
    pub databases: u32,
    pub hash_keys: [u64; 4],
    pub hash_vector: u64,
    pub saved_at_ms: i64,
    pub frontier: u64,
    pub pages: TableAt,
    pub blocks: TableAt,
    pub roots: TableAt,
    /// Which versions before 5 lack.
    pub sizes: Option<TableAt>,
    pub file_len: u64,
    /// The append-only file that goes on from here; 0 when nothing was said of one.
    pub log: u64,
    /// The cut's: what was written in this epoch or later is not in the image.
    pub epoch: u32,
    /// Drawn anew for each image; 0 in version 1.
    pub id: u64,
    /// The image before this one, which the same memory was written to; 0 when there is none.
    pub parent: u64,
}

/// Identifies the size classes: an image is only read with the ones it was written with.
fn classes_digest() -> u32 {
    (0..CLASSES as u8).fold(0, |crc, class| crc32c::crc32c_append(crc, &(class_size(class) as u32).to_le_bytes()))
}

/// The keyspace's hash of the test vector.
pub(super) fn hash_vector(keyspace: &Keyspace) -> u64 {
    keyspace.hash(HASH_VECTOR)
}

/// Writes fields one after the other.
struct Writer(Vec<u8>);

impl Writer {
    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    fn table(&mut self, table: TableAt) -> &mut Self {
        self.u64(table.offset).u64(table.rows).u32(table.crc).u32(0)
    }
}

/// Reads fields one after the other; what is missing reads as zero (the checksum has been checked).
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((bytes, rest)) => {
                self.0 = rest;
                *bytes
            }
            None => [0; N],
        }
    }
    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }
    fn table(&mut self) -> TableAt {
        let table = TableAt { offset: self.u64(), rows: self.u64(), crc: self.u32() };
        self.u32();
        table
    }
}

impl Superblock {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.u32(VERSION).u32(ENDIAN_MARK).u32(PAGE as u32).u32(BLOCK as u32).u32(classes_digest());
        out.u32(self.shards).u32(self.databases).u32(0);
        self.hash_keys.iter().for_each(|key| {
            out.u64(*key);
        });
        out.u64(self.hash_vector).u64(self.saved_at_ms as u64).u64(self.frontier).u64(self.file_len);
        for table in [self.pages, self.blocks, self.roots] {
            out.table(table);
        }
        out.u64(self.log).u32(self.epoch).u32(0).u64(self.id).u64(self.parent);
        out.table(self.sizes.unwrap_or_default());
        debug_assert!(out.0.len() <= SUPERBLOCK - 4);
        out.0.resize(SUPERBLOCK - 4, 0);
        let crc = crc32c::crc32c(&out.0);
        out.u32(crc);
        out.0
    }

    /// An error names the field, what was found and what was expected.
    pub fn decode(bytes: &[u8; SUPERBLOCK]) -> Result<Superblock, String> {
        let mut input = Reader(bytes);
        let magic: [u8; 8] = input.bytes();
        if magic != MAGIC {
            return Err(format!(
                "magic: found {:?}, expected {:?}",
                magic.escape_ascii().to_string(),
                MAGIC.escape_ascii().to_string()
            ));
        }
        let version = input.u32();
        let expect = |field: &str, found: u32, expected: u32| {
            if found == expected { Ok(()) } else { Err(format!("{field}: found {found}, expected {expected}")) }
        };
        let mark = input.u32();
        if mark == ENDIAN_MARK.swap_bytes() {
            return Err("byte order: found the opposite of this machine's".into());
        }
        if !(1..=VERSION).contains(&version) {
            expect("version", version, VERSION)?;
        }
        expect("byte order mark", mark, ENDIAN_MARK)?;
        let length = if version == 1 { SUPERBLOCK_1 } else { SUPERBLOCK };
        let (body, crc) = bytes[..length].split_at(length - 4);
        expect("superblock checksum", u32::from_le_bytes(*crc.first_chunk().unwrap_or(&[0; 4])), crc32c::crc32c(body))?;
        expect("page size", input.u32(), PAGE as u32)?;
        expect("block size", input.u32(), BLOCK as u32)?;
        expect("size classes", input.u32(), classes_digest())?;
        let (shards, databases, _) = (input.u32(), input.u32(), input.u32());
        if !shards.is_power_of_two() || shards > 64 {
            return Err(format!("shards: found {shards}, expected a power of two up to 64"));
        }
        if !(1..=256).contains(&databases) {
            return Err(format!("databases: found {databases}, expected 1 to 256"));
        }
        let hash_keys = std::array::from_fn(|_| input.u64());
        let (hash_vector, saved_at_ms, frontier, file_len) =
            (input.u64(), input.u64() as i64, input.u64(), input.u64());
        let (pages, blocks, roots) = (input.table(), input.table(), input.table());
        let log = input.u64();
        let (epoch, _, id, parent) = match version {
            1 => (1, 0, 0, 0),
            _ => (input.u32(), input.u32(), input.u64(), input.u64()),
        };
        let sizes = (version >= 5).then(|| input.table());
        Ok(Superblock {
            shards,
            databases,
            hash_keys,
            hash_vector,
            saved_at_ms,
            frontier,
            pages,
            blocks,
            roots,
            sizes,
            file_len,
            log,
            epoch,
            id,
            parent,
        })
    }

    /// Each table, and how many bytes it has.
    pub fn tables(&self) -> impl Iterator<Item = (TableAt, u64)> {
        let rows = [PAGE_ENTRY, self.block_entry(), ROOT, SIZE];
        let tables = [Some(self.pages), Some(self.blocks), Some(self.roots), self.sizes].into_iter().zip(rows);
        tables.filter_map(|(table, row)| table.map(|table| (table, table.rows.saturating_mul(row as u64))))
    }

    /// Bytes of a row of the block table.
    pub fn block_entry(&self) -> usize {
        if self.id == 0 { BLOCK_ENTRY_1 } else { BLOCK_ENTRY }
    }
}
