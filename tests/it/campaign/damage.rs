//! Bits of an image's data flipped: what cannot be trusted is absent, everything else is as it was.

use super::{fill, seeds};
use crate::instance::{Instance, options};
use flagstone::snapshot::{self, Image};
use std::{fs, os::unix::fs::FileExt};

/// Bits that are flipped at once.
const FLIPS: usize = 25;

#[test]
fn flipped_bits_take_keys_away_and_change_none() {
    let instance = Instance::new();
    fill(&instance);
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("image.flag");
    snapshot::save(&instance.shared().keyspace, &path, instance.now()).expect("written");
    let (before, whole) = (instance.contents(), fs::read(&path).expect("the image"));
    let file = fs::OpenOptions::new().write(true).open(&path).expect("the image");
    let tables = u64::from_le_bytes(*whole[104..].first_chunk().expect("a superblock")) as usize;
    let (mut kept, mut lost) = (0, 0);
    for seed in seeds(400) {
        let mut random = fastrand::Rng::with_seed(seed);
        let places: Vec<usize> = (0..FLIPS).map(|_| random.usize(65_536..tables)).collect();
        for at in &places {
            file.write_all_at(&[whole[*at] ^ 1 << random.u8(..8)], *at as u64).expect("written");
        }
        let image = Image::open(&path).expect("its tables are whole").expect("a file");
        let damaged = Instance::with(image.into_keyspace(&options(), instance.now()).expect("it fits"), instance.now());
        let again = seed % 10 == 0;
        if again || random.bool() {
            // Else it is commands that come upon the damage, those of it that they come upon.
            damaged.shared().keyspace.load_all(&mut || true);
        }
        let after = damaged.contents();
        for (key, value) in &after {
            assert!(before.get(key) == Some(value), "seed {seed}: {:?}", key.1.escape_ascii().to_string());
        }
        (kept, lost) = (kept + after.len(), lost + before.len() - after.len());
        if again {
            assert!(damaged.restarted().contents() == after, "seed {seed}: it is something else once saved and loaded");
        }
        for at in &places {
            file.write_all_at(&whole[*at..=*at], *at as u64).expect("written");
        }
    }
    println!("{kept} keys kept, {lost} lost");
    assert!(lost > 0 && kept > 0, "{kept} keys kept, {lost} lost");
}
