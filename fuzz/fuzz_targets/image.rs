//! An image whose checksums are right and whose content is not: loading it, and whatever commands do with what it says,
//! neither panics nor hangs.

#![no_main]

use arbitrary::Arbitrary;
use flagstone::{
    config::Policy,
    keyspace::{Keyspace, Options, ShardSet},
    snapshot::{self, Image},
};
use libfuzzer_sys::fuzz_target;
use std::{fs, path::PathBuf, sync::LazyLock};

const NOW: i64 = 1_700_000_000_000;
const WHOLE: &[u8] = include_bytes!("../../tests/images/image-2.bin");
const BLOCK: usize = 4096;

#[derive(Arbitrary, Debug)]
struct Edit {
    /// Which of the blocks that hold something, or (beyond them) the tables.
    block: u8,
    at: u16,
    bytes: [u8; 4],
    length: u8,
}

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("flagstone-fuzz-image-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
});

fn word(image: &[u8], at: usize) -> usize {
    u64::from_le_bytes(*image[at..].first_chunk().expect("eight bytes")) as usize
}

fn sum(image: &mut [u8], range: std::ops::Range<usize>, at: usize) {
    let sum = crc32c::crc32c(&image[range]);
    image[at..at + 4].copy_from_slice(&sum.to_le_bytes());
}

fn edited(edits: &[Edit]) -> Vec<u8> {
    let mut image = WHOLE.to_vec();
    let (table, rows) = (word(WHOLE, 128), word(WHOLE, 136));
    let block = |row: usize| u32::from_le_bytes(*WHOLE[table + row * 12..].first_chunk().expect("four bytes")) as usize;
    let tables = word(WHOLE, 104);
    for edit in edits {
        let length = usize::from(edit.length % 5).min(4);
        let (start, room) = match usize::from(edit.block) {
            row if row < rows => (block(row) * BLOCK, BLOCK),
            _ => (tables, WHOLE.len() - tables),
        };
        let at = start + usize::from(edit.at) % (room - 4);
        image[at..at + length].copy_from_slice(&edit.bytes[..length]);
    }
    for row in 0..rows {
        let (start, at) = (block(row) * BLOCK, table + row * 12 + 4);
        // Where the table itself was edited, it may speak of other blocks.
        sum(&mut image, start..start + BLOCK, at);
    }
    for (field, size) in [(104, 16), (128, 12), (152, 32)] {
        let (offset, rows) = (word(WHOLE, field), word(WHOLE, field + 8));
        sum(&mut image, offset..offset + rows * size, field + 16);
    }
    sum(&mut image, 0..252, 252);
    image
}

fn look(keyspace: &Keyspace) {
    for db in 0..keyspace.databases() {
        let mut cursor = 0;
        for _ in 0..1000 {
            let mut keys = Vec::new();
            cursor = keyspace.lock(ShardSet::NONE, NOW).scan(db, cursor, 50, &mut |key, _| keys.push(key.to_vec()));
            for key in keys {
                let mut locked = keyspace.lock(keyspace.all_shards(), NOW);
                locked.db(db).memory_usage(&key, 5);
                locked.db(db).remove(&key);
            }
            if cursor == 0 {
                break;
            }
        }
    }
}

fuzz_target!(|edits: Vec<Edit>| {
    let path = FOLDER.join("image.flag");
    fs::write(&path, edited(&edits)).expect("a file can be written");
    let mut options = Options::new(16, 1, 0, Policy::NoEviction);
    options.reserve = 1 << 30;
    let Ok(Some(image)) = Image::open(&path) else { return };
    let Ok(keyspace) = image.into_keyspace(&options, NOW) else { return };
    keyspace.load_all(&mut || true);
    look(&keyspace);
    keyspace.settle(NOW + 1_000_000);
    snapshot::save(&keyspace, &FOLDER.join("again.flag"), NOW).expect("it can be saved");
});
