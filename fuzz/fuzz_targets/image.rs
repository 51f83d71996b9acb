//! A damaged image, also one whose superblock is right by its checksum and says something else: it is refused with a reason,
//! or what is there is what was saved. It neither panics, nor hangs, nor allocates by a number that is merely said.

#![no_main]

use arbitrary::Arbitrary;
use flagstone::{
    config::Policy,
    keyspace::{Keyspace, Options, ShardSet, Type, Value},
    snapshot::{self, Image},
};
use libfuzzer_sys::fuzz_target;
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

const NOW: i64 = 1_700_000_000_000;
const WHOLE: &[u8] = include_bytes!("../../tests/images/image-2.bin");
const BLOCK: usize = 4096;

#[derive(Arbitrary, Debug)]
struct Edit {
    /// The superblock, the tables, or one of the blocks that hold something.
    place: u8,
    at: u16,
    bytes: [u8; 8],
    length: u8,
}

/// Kind, and bytes of a string, by database and key.
type Contents = HashMap<(usize, Vec<u8>), (Type, Vec<u8>)>;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    // In memory where that can be had: syncs would take most of the time.
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = place.join(format!("flagstone-fuzz-image-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
});

static SAVED: LazyLock<Contents> = LazyLock::new(|| contents(&load(WHOLE).expect("the whole image")));

fn word(image: &[u8], at: usize) -> usize {
    u64::from_le_bytes(*image[at..].first_chunk().expect("eight bytes")) as usize
}

fn edited(edits: &[Edit]) -> Vec<u8> {
    let mut image = WHOLE.to_vec();
    let (table, rows, tables) = (word(WHOLE, 128), word(WHOLE, 136), word(WHOLE, 104));
    let block = |row: usize| u32::from_le_bytes(*WHOLE[table + row * 12..].first_chunk().expect("four bytes")) as usize;
    for edit in edits {
        let length = usize::from(edit.length) % 9;
        let (start, room) = match edit.place {
            0..80 => (0, 256),
            80..100 => (tables, WHOLE.len() - tables),
            place => (block(usize::from(place) % rows) * BLOCK, BLOCK),
        };
        let at = start + usize::from(edit.at) % (room - 8);
        image[at..at + length].copy_from_slice(&edit.bytes[..length]);
    }
    let sum = crc32c::crc32c(&image[..252]);
    image[252..256].copy_from_slice(&sum.to_le_bytes());
    image
}

fn load(bytes: &[u8]) -> Option<Keyspace> {
    let path = FOLDER.join("image.flag");
    fs::write(&path, bytes).expect("a file can be written");
    let mut options = Options::new(16, 1, 0, Policy::NoEviction);
    options.reserve = 1 << 30;
    Image::open(&path).ok()??.into_keyspace(&options, NOW).ok()
}

fn contents(keyspace: &Keyspace) -> Contents {
    let mut all = Contents::new();
    for db in 0..keyspace.databases() {
        let mut cursor = 0;
        loop {
            cursor = keyspace.lock(ShardSet::NONE, NOW).scan(db, cursor, 50, &mut |key, item| {
                let bytes = match item.value {
                    _ if item.kind != Type::String => Vec::new(),
                    Value::Int(n) => n.to_string().into_bytes(),
                    Value::Bytes(bytes) => bytes.to_vec(),
                };
                all.insert((db, key.to_vec()), (item.kind, bytes));
            });
            if cursor == 0 {
                break;
            }
        }
    }
    all
}

fuzz_target!(|edits: Vec<Edit>| {
    let saved = &*SAVED;
    let Some(keyspace) = load(&edited(&edits)) else { return };
    if edits.len() % 2 == 0 {
        keyspace.load_all(&mut || true);
    }
    let found = contents(&keyspace);
    for (key, value) in &found {
        assert_eq!(Some(value), saved.get(key), "{:?}", key.1.escape_ascii().to_string());
    }
    snapshot::save(&keyspace, &FOLDER.join("again.flag"), NOW).expect("it can be saved");
    for (db, key) in found.into_keys() {
        keyspace.lock(keyspace.all_shards(), NOW).db(db).remove(&key);
    }
});
