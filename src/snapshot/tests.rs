//! Images written, read back, damaged.

use super::*;
use crate::{
    config::Policy,
    keyspace::{Keyspace, Options, ShardSet, Ttl, Value},
    util::disk::System,
};
use std::{collections::BTreeMap, io::Read, os::unix::fs::FileExt, path::Path, sync::atomic::*};

pub(super) const NOW: i64 = 1_700_000_000_000;

pub(super) fn options() -> Options {
    let mut options = Options::new(4, 1, 0, Policy::NoEviction);
    options.shards = 4;
    options.reserve = 1 << 30;
    options
}

fn set(keyspace: &Keyspace, db: usize, key: &str, value: &[u8], ttl: Ttl) {
    let mut locked = keyspace.lock(keyspace.shard_set(std::iter::once(key.as_bytes())), NOW);
    locked.db(db).set(key.as_bytes(), value, ttl).unwrap();
}

/// Value and expiry by database and key.
pub(super) type Contents = BTreeMap<(usize, Vec<u8>), (Vec<u8>, Option<i64>)>;

/// What is there. How many keys there are of each length agrees with it.
pub(super) fn contents(keyspace: &Keyspace) -> Contents {
    let mut all = BTreeMap::new();
    for db in 0..keyspace.databases() {
        let mut cursor = 0;
        loop {
            cursor = keyspace.lock(ShardSet::NONE, NOW).scan(db, cursor, 50, &mut |key, item| {
                let value = match item.value {
                    Value::Int(n) => n.to_string().into_bytes(),
                    Value::Bytes(bytes) => bytes.to_vec(),
                };
                all.insert((db, key.to_vec()), (value, item.expiry));
            });
            if cursor == 0 {
                break;
            }
        }
        let mut locked = keyspace.lock(keyspace.all_shards(), NOW);
        assert_eq!(locked.key_sizes(db), locked.key_sizes_counted_anew(db), "lengths in database {db}");
    }
    all
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().unwrap())
}

fn fill(keyspace: &Keyspace, keys: usize) {
    for i in 0..keys {
        let len = [0, 5, 60, 400, 3000, 20_000, 200_000][if i % 50 == 0 { 6 } else { i % 6 }];
        let ttl = if i % 3 == 0 { Ttl::At(NOW + 100_000 + i as i64) } else { Ttl::Clear };
        set(keyspace, i % 3, &format!("key:{i}"), &vec![b'a' + (i % 26) as u8; len], ttl);
    }
}

fn load(path: &Path) -> Keyspace {
    Image::open(path).unwrap().unwrap().into_keyspace(&options(), NOW).unwrap()
}

#[test]
fn what_was_saved_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.flag");
    let keyspace = Keyspace::new(&options()).unwrap();
    fill(&keyspace, 3000);
    let before = contents(&keyspace);
    save(&keyspace, &path, NOW).unwrap();
    let again = load(&path);
    // Before anything else is touched, one key.
    let mut locked = again.lock(again.shard_set(std::iter::once(&b"key:7"[..])), NOW);
    assert!(locked.db(1).read(b"key:7").is_some());
    drop(locked);
    assert!(again.arena().is_loading());
    assert!(again.used_memory() < keyspace.used_memory() / 4, "only what was touched is resident");
    assert!(contents(&again) == before);
    again.load_all(&mut || true);
    assert!(!again.arena().is_loading());
    // The loaded keyspace can be changed, saved and loaded again.
    for i in (0..3000).step_by(2) {
        let key = format!("key:{i}");
        again.lock(again.shard_set(std::iter::once(key.as_bytes())), NOW).db(i % 3).remove(key.as_bytes());
    }
    fill(&again, 500);
    let before = contents(&again);
    save(&again, &path, NOW).unwrap();
    assert!(contents(&load(&path)) == before);
}

#[test]
fn nothing_is_read_to_expire_keys() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.flag");
    let keyspace = Keyspace::new(&options()).unwrap();
    fill(&keyspace, 3000);
    save(&keyspace, &path, NOW).unwrap();
    let again = load(&path);
    let later = NOW + 1_000_000;
    let (_, before) = again.arena().progress();
    for _ in 0..3 {
        while !again.cron(later, &mut || true).complete {}
    }
    let (_, after) = again.arena().progress();
    assert!(before - after <= 3 * again.shards() as u64, "only directories: {before} {after}");
    let expires = |keyspace: &Keyspace| (0..3).map(|db| keyspace.db_stats(db).expires).sum::<u64>();
    assert_eq!(expires(&again), 1000);
    // The sweep is not over with what it left out.
    again.load_all(&mut || true);
    while !again.cron(later, &mut || true).complete {}
    assert_eq!(expires(&again), 0);
}

#[test]
fn a_start_knows_the_lengths_of_all_keys_and_reads_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.flag");
    let keyspace = Keyspace::new(&options()).unwrap();
    fill(&keyspace, 3000);
    save(&keyspace, &path, NOW).unwrap();
    let again = load(&path);
    let sizes = |keyspace: &Keyspace, db| keyspace.lock(ShardSet::NONE, NOW).key_sizes(db);
    let left = again.arena().progress();
    for db in 0..keyspace.databases() {
        assert_eq!(sizes(&again, db), sizes(&keyspace, db), "database {db}");
    }
    assert_eq!(again.arena().progress(), left, "no page was read");
    // What counts from here on is counted from there.
    again.lock(again.all_shards(), NOW).db(1).remove(b"key:7");
    for db in 0..keyspace.databases() {
        let mut locked = again.lock(again.all_shards(), NOW);
        assert_eq!(locked.key_sizes(db), locked.key_sizes_counted_anew(db), "database {db}");
    }
}

#[test]
fn an_empty_keyspace_and_a_missing_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.flag");
    assert!(Image::open(&path).unwrap().is_none());
    save(&Keyspace::new(&options()).unwrap(), &path, NOW).unwrap();
    assert!(contents(&load(&path)).is_empty());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
}

/// Pairs of keys are changed together while a snapshot runs; each image must hold equal pairs.
#[test]
fn a_snapshot_under_load_is_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let keyspace = Keyspace::new(&options()).unwrap();
    let pairs = 500;
    let write = |pair: usize, value: &str| {
        let (a, b) = (format!("a:{pair}"), format!("b:{pair}"));
        let mut locked = keyspace.lock(keyspace.shard_set([a.as_bytes(), b.as_bytes()].into_iter()), NOW);
        locked.db(0).set(a.as_bytes(), value.as_bytes(), Ttl::Clear).unwrap();
        locked.db(0).set(b.as_bytes(), value.as_bytes(), Ttl::Clear).unwrap();
    };
    (0..pairs).for_each(|pair| write(pair, "start"));
    fill(&keyspace, 1000);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = fastrand::Rng::with_seed(1);
            let mut round = 0u64;
            while !stop.load(Ordering::Relaxed) {
                round += 1;
                let filler = "x".repeat(random.usize(0..2000));
                write(random.usize(0..pairs), &format!("{round}:{filler}"));
            }
        });
        for n in 0..6 {
            let path = dir.path().join(format!("{n}.flag"));
            save(&keyspace, &path, NOW).unwrap();
            let image = contents(&load(&path));
            for pair in 0..pairs {
                let half = |name: &str| &image[&(0, format!("{name}:{pair}").into_bytes())].0;
                assert!(half("a") == half("b"), "pair {pair} of snapshot {n}");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn damage_is_named_or_quarantined() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.flag");
    let keyspace = Keyspace::new(&options()).unwrap();
    fill(&keyspace, 300);
    save(&keyspace, &path, NOW).unwrap();
    let before = contents(&keyspace);
    let mut good = Vec::new();
    std::fs::File::open(&path).unwrap().read_to_end(&mut good).unwrap();
    let tables = word(&good, 104) as usize;
    // Every byte of the superblock and of the tables: refused with a reason.
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    for at in (0..256).chain(tables..good.len()) {
        file.write_all_at(&[good[at] ^ 0x40], at as u64).unwrap();
        let opened = Image::open(&path);
        file.write_all_at(&good[at..=at], at as u64).unwrap();
        match opened {
            Err(LoadError::Invalid { reason, .. }) => assert!(!reason.is_empty()),
            Ok(_) => panic!("byte {at} was not missed"),
            Err(error) => panic!("{error}"),
        }
    }
    for len in [0, 10, 192, 70_000, good.len() - 1] {
        std::fs::write(&path, &good[..len]).unwrap();
        assert!(matches!(Image::open(&path), Err(LoadError::Invalid { .. })), "cut to {len}");
    }
    // Bits of the data: never a wrong value, never a panic.
    let mut random = fastrand::Rng::with_seed(9);
    for _ in 0..if cfg!(debug_assertions) { 40 } else { 400 } {
        let mut bad = good.clone();
        let at = random.usize(65536..tables);
        bad[at] ^= 1 << random.u8(0..8);
        std::fs::write(&path, &bad).unwrap();
        let Ok(Some(image)) = Image::open(&path) else { continue };
        let after = contents(&image.into_keyspace(&options(), NOW).unwrap());
        for (key, value) in &after {
            assert!(
                before.get(key) == Some(value),
                "byte {at}: {:?} has a wrong value",
                key.1.escape_ascii().to_string()
            );
        }
    }
}

/// Does something when some of a snapshot has been written.
struct Meanwhile<'a>(&'a (dyn Fn() + Sync), AtomicBool);

impl Pace for Meanwhile<'_> {
    fn wrote(&self, _: u64) {
        if !self.1.swap(true, Ordering::Relaxed) {
            self.0();
        }
    }
}

/// All keys go while they are written, and others take their places: the snapshot has them as they were.
#[test]
fn a_flush_during_a_snapshot_comes_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dump.flag");
    let keyspace = Keyspace::new(&options()).unwrap();
    fill(&keyspace, 1000);
    for round in 0..4 {
        let before = contents(&keyspace);
        let flush = || {
            keyspace.lock(keyspace.all_shards(), NOW).flush(None);
            fill(&keyspace, 300 * (round + 1));
        };
        let report =
            save_on(&crate::util::disk::System, &keyspace, &path, NOW, &Meanwhile(&flush, AtomicBool::new(false)))
                .unwrap();
        assert_eq!(report.incremental, round > 1);
        assert!(contents(&keyspace).len() == 300 * (round + 1));
        assert!(contents(&load(&path)) == before, "{round}");
    }
}

/// Changes of every kind between snapshots, restarts among them; what is loaded is what was there, and an image is written
/// over in part only when that is right.
#[test]
fn images_alternate_and_only_changes_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.flag");
    let mut random = fastrand::Rng::with_seed(5);
    let mut keyspace = Keyspace::new(&options()).unwrap();
    fill(&keyspace, 2000);
    let mut incremental = 0;
    for round in 0..if cfg!(debug_assertions) { 30 } else { 200 } {
        for _ in 0..random.usize(0..60) {
            let i = random.usize(0..2000);
            let key = format!("key:{i}");
            let mut locked = keyspace.lock(keyspace.shard_set(std::iter::once(key.as_bytes())), NOW);
            match random.u8(0..4) {
                0 => drop(locked.db(i % 3).remove(key.as_bytes())),
                1 => {
                    // Grows by zeros, or only a part changes.
                    let at = random.usize(0..300_000);
                    let mut db = locked.db(i % 3);
                    let len = db.read(key.as_bytes()).map_or(0, |item| match item.value {
                        Value::Bytes(bytes) => bytes.len(),
                        Value::Int(_) => 0,
                    });
                    db.string_range_mut(key.as_bytes(), len.max(at + 6), at..at + 6)
                        .unwrap()
                        .copy_from_slice(b"ranged");
                }
                _ => {
                    let len = [3, 90, 1500, 30_000, 150_000][random.usize(0..5)];
                    locked.db(i % 3).set(key.as_bytes(), &vec![random.u8(..); len], Ttl::Clear).unwrap();
                }
            }
        }
        if random.u8(0..20) == 0 {
            keyspace.lock(keyspace.all_shards(), NOW).flush(Some(random.usize(0..3)));
            while keyspace.arena().release_retired(10) > 0 {}
        }
        let report = save(&keyspace, &path, NOW).unwrap();
        incremental += u32::from(report.incremental);
        assert!(round < 2 || report.incremental, "round {round}");
        let before = contents(&keyspace);
        if round % 3 == 2 {
            // From here on, with whatever is not resident yet when the next changes come.
            keyspace = load(&path);
            if random.bool() {
                assert!(contents(&keyspace) == before, "round {round}");
            }
        } else {
            assert!(contents(&load(&path)) == before, "round {round}");
        }
    }
    assert!(incremental > 20);
    let report = save(&keyspace, &path, NOW).unwrap();
    let again = save(&keyspace, &path, NOW).unwrap();
    assert!(again.incremental && again.written < report.bytes / 50, "{again:?}");
    // An older image that was not this memory's, or is damaged, is not written over in part.
    std::fs::copy(&path, save::older_of(&path)).unwrap();
    let other = Keyspace::new(&options()).unwrap();
    assert!(!save(&other, &path, NOW).unwrap().incremental);
    assert!(contents(&load(&path)).is_empty());
    std::fs::remove_file(save::older_of(&path)).unwrap();
    assert!(!save(&keyspace, &path, NOW).unwrap().incremental);
    assert!(contents(&load(&path)) == contents(&keyspace));
}

/// Looks at all of both images.
fn scrubbed(keyspace: &Keyspace, path: &Path) -> Scrubbed {
    let (mut scrub, mut all) = (Scrub::default(), Scrubbed::default());
    loop {
        let found = scrub.step(&System, path, keyspace.arena());
        if found.bytes == 0 {
            return all;
        }
        all.bytes += found.bytes;
        all.damaged += found.damaged;
        all.is_newest |= found.is_newest;
    }
}

/// A bit of what the next snapshot leaves in place flips in the older image, or in the newest: with or without anybody
/// looking.
#[test]
fn bit_rot_is_found_and_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.flag");
    let flip = |path: &Path, block: usize| {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
        let (mut byte, at) = ([0], block as u64 * 4096 + 700);
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 4], at).unwrap();
    };
    let block = |path: &Path, row: usize| {
        let image = std::fs::read(path).unwrap();
        word(&image, word(&image, 128) as usize + row * 12) as u32 as usize
    };
    for (is_newest, looks) in [(false, false), (false, true), (true, false), (true, true)] {
        let keyspace = Keyspace::new(&options()).unwrap();
        fill(&keyspace, 2000);
        let before = contents(&keyspace);
        for _ in 0..2 {
            save(&keyspace, &path, NOW).unwrap();
        }
        let whole = scrubbed(&keyspace, &path);
        assert!(whole.damaged == 0 && whole.bytes > 2 * 4_000_000, "{whole:?}");
        let damaged = if is_newest { path.clone() } else { older_of(&path) };
        [7, 70, 170].iter().for_each(|row| flip(&damaged, block(&damaged, *row)));
        if looks {
            let found = scrubbed(&keyspace, &path);
            assert_eq!((found.damaged, found.is_newest, found.bytes), (3, is_newest, whole.bytes));
        }
        for _ in 0..2 {
            let report = save(&keyspace, &path, NOW).unwrap();
            assert_eq!((report.incremental, report.written > 3 * 4096), (true, true));
        }
        let both = [path.clone(), older_of(&path)].map(|path| contents(&load(&path)) == before);
        assert_eq!(both.iter().all(|whole| *whole), looks, "{both:?}");
        std::fs::remove_file(older_of(&path)).unwrap();
    }
}

/// Tables are looked at, too, and the superblock, and an image of another memory is not.
#[test]
fn a_damaged_table_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.flag");
    let keyspace = Keyspace::new(&options()).unwrap();
    fill(&keyspace, 200);
    save(&keyspace, &path, NOW).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut scrub = Scrub::default();
    while scrub.step(&System, &path, keyspace.arena()).bytes > 0 {}
    for table in [104, 128, 152, 208] {
        let mut image = whole.clone();
        image[word(&whole, table) as usize + 5] ^= 1;
        std::fs::write(&path, image).unwrap();
        let found = scrubbed(&keyspace, &path);
        assert!(found.damaged > 0 && found.is_newest, "{table}");
    }
    std::fs::write(&path, vec![0; whole.len()]).unwrap();
    assert_eq!(scrub.step(&System, &path, keyspace.arena()).damaged, 1);
    assert_eq!(scrub.step(&System, &path, keyspace.arena()).bytes, 0, "it is said once");
    std::fs::write(&path, &whole).unwrap();
    let other = Keyspace::new(&options()).unwrap();
    assert_eq!(scrubbed(&other, &path), Scrubbed::default());
}

/// Someone cuts the file short while its pages are brought: what is gone is counted, what is there is right.
#[test]
fn a_file_that_shrinks_while_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.flag");
    let keyspace = Keyspace::new(&options()).unwrap();
    fill(&keyspace, 2000);
    save(&keyspace, &path, NOW).unwrap();
    let before = contents(&keyspace);
    let len = std::fs::metadata(&path).unwrap().len();
    for part in [0, 1, 2, 3] {
        save(&keyspace, &path, NOW).unwrap();
        let again = load(&path);
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len / 4 * part + 4096 * 3 + 100).unwrap();
        again.load_all(&mut || true);
        let after = contents(&again);
        assert!(after.iter().all(|(key, value)| before.get(key) == Some(value)));
        assert!(after.len() < before.len() && again.arena().damaged_pages() > 0, "{part}");
        // And what is left can be saved: not over the file that was cut.
        save(&again, &path, NOW).unwrap();
        let loaded = load(&path);
        let then = contents(&loaded);
        assert_eq!(loaded.arena().damaged_pages(), 0);
        for (key, value) in &then {
            assert!(
                after.get(key) == Some(value),
                "{part}: {:?} {} {:?}",
                key.1.escape_ascii().to_string(),
                value.0.len(),
                after.get(key).map(|v| v.0.len())
            );
        }
        for key in after.keys() {
            assert!(then.contains_key(key), "{part}: lost {:?}", key.1.escape_ascii().to_string());
        }
    }
}

/// Its checksum is right, and what it says is not: nothing is reserved or allocated by that.
#[test]
fn a_superblock_that_says_too_much_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dump.flag");
    let keyspace = Keyspace::new(&options()).unwrap();
    fill(&keyspace, 100);
    save(&keyspace, &path, NOW).unwrap();
    let whole = std::fs::read(&path).unwrap();
    // The frontier, rows of each table, where each is.
    for at in [88, 112, 136, 160, 216, 104, 128, 152, 208] {
        for value in [u64::MAX, 1 << 62, 1 << 40] {
            let mut image = whole.clone();
            image[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
            let sum = crc32c::crc32c(&image[..252]);
            image[252..256].copy_from_slice(&sum.to_le_bytes());
            std::fs::write(&path, image).unwrap();
            let error = Image::open(&path).err().unwrap_or_else(|| panic!("{value} at {at}")).to_string();
            assert!(error.contains("frontier") || error.contains("table"), "{value} at {at}: {error}");
        }
    }
}

/// An image cut off anywhere is refused, with a reason.
#[test]
fn every_truncation_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.flag");
    let keyspace = Keyspace::new(&options()).unwrap();
    fill(&keyspace, 60);
    save(&keyspace, &path, NOW).unwrap();
    let len = std::fs::metadata(&path).unwrap().len();
    let tables = len - 4096;
    let mut ends: Vec<u64> = (0..600).chain((0..tables).step_by(4096)).chain(tables..len).collect();
    ends.sort_unstable();
    for len in ends.into_iter().rev() {
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len).unwrap();
        assert!(
            matches!(Image::open(&path), Err(LoadError::Invalid { reason, .. }) if reason.contains("length")),
            "{len}"
        );
    }
}

/// Blocks in which nothing but parts of the index lie, by their number in the file.
fn index_blocks(image: &[u8]) -> Vec<usize> {
    let (table, rows) = (word(image, 104) as usize, word(image, 112) as usize);
    let mut found = Vec::new();
    for row in image[table..table + rows * 16].chunks(16) {
        let (page, meta) = (word(row, 0) as u32 as usize, word(row, 8));
        if meta & 3 != 1 {
            continue;
        }
        let size = crate::arena::class_size((meta >> 16) as u8);
        let tag = |chunk: usize| image[page * 65536 + chunk * size];
        for block in 0..16 {
            let chunks = block * 4096 / size..=(block * 4096 + 4095).min(65536 / size * size - 1) / size;
            let is_index = |chunk: usize| [0xFD, 0xFE].contains(&tag(chunk));
            if chunks.clone().all(|chunk| is_index(chunk) || [0, 0xFF].contains(&tag(chunk)))
                && chunks.clone().any(is_index)
            {
                found.push(page * 16 + block);
            }
        }
    }
    found
}

/// Whatever block of the index is damaged: no key is lost, unless two databases had a part of theirs there; none is in
/// another database; and the image that is written then is whole.
#[test]
fn a_damaged_index_is_made_anew_from_the_pages() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.flag");
    let keyspace = Keyspace::new(&options()).unwrap();
    for i in 0..6000 {
        let ttl = if i % 3 == 0 { Ttl::At(NOW + 100_000 + i) } else { Ttl::Clear };
        set(&keyspace, 0, &format!("key:{i}"), &vec![b'a' + (i % 26) as u8; i as usize % 90], ttl);
    }
    let first = contents(&keyspace);
    // Another database, of which the index is smaller than a block.
    (0..40).for_each(|i| set(&keyspace, 2, &format!("key:{i}"), b"other", Ttl::Clear));
    save(&keyspace, &path, NOW).unwrap();
    let (before, whole) = (contents(&keyspace), std::fs::read(&path).unwrap());
    let blocks = index_blocks(&whole);
    assert!(blocks.len() > 16, "{}", blocks.len());
    let mut ambiguous = 0;
    for (turn, block) in blocks.into_iter().enumerate() {
        let mut bytes = whole.clone();
        bytes[block * 4096 + 1000] ^= 1;
        // A hash function that has changed needs the same, and cannot tell where a key belongs.
        let rehashed = turn % 4 == 3;
        if rehashed {
            bytes[72] ^= 1;
            let crc = crc32c::crc32c(&bytes[..252]);
            bytes[252..256].copy_from_slice(&crc.to_le_bytes());
        }
        std::fs::write(&path, &bytes).unwrap();
        // It is the same image to those who ask for its id, and damaged elsewhere.
        let _ = std::fs::remove_file(save::older_of(&path));
        let again = load(&path);
        if turn % 2 == 0 {
            again.load_all(&mut || true);
        }
        let after = contents(&again);
        let lost: Vec<_> = before.keys().filter(|key| !after.contains_key(key)).collect();
        assert!(after.iter().all(|(key, value)| before.get(key) == Some(value)), "block {block}");
        assert!(rehashed || again.arena().damaged_pages() == 1, "block {block}");
        // Where both databases had a part of theirs, nothing tells which one a key was in.
        assert!(lost.len() < 800, "block {block}: {} lost", lost.len());
        ambiguous += usize::from(!lost.is_empty());
        if lost.is_empty() {
            assert_eq!(again.db_stats(0).expires, keyspace.db_stats(0).expires);
        }
        assert!(again.stats().lost == lost.len() as u64 || rehashed);
        save(&again, &path, NOW).unwrap();
        let saved = load(&path);
        assert!(contents(&saved) == after && saved.arena().damaged_pages() == 0, "block {block}");
        // What expires is found by the sweep, too.
        for _ in 0..50 {
            again.settle(NOW + 1_000_000);
        }
        let (left, lasting) = (again.db_stats(0).keys, first.values().filter(|(_, expiry)| expiry.is_none()).count());
        assert!(left as usize <= lasting && left as usize + lost.len() >= lasting, "block {block}: {left} left");
    }
    // In each of the four shards, the other database's only segment lies in one or two blocks.
    assert!(ambiguous <= 8, "{ambiguous}");
}

#[test]
fn a_changed_hash_function_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.flag");
    let keyspace = Keyspace::new(&options()).unwrap();
    fill(&keyspace, 1000);
    save(&keyspace, &path, NOW).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[72] ^= 1;
    let crc = crc32c::crc32c(&bytes[..252]);
    bytes[252..256].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let again = load(&path);
    assert!(!again.arena().is_loading(), "it is made anew");
    assert!(contents(&again) == contents(&keyspace));
}
