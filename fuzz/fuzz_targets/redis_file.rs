//! A Redis file from outside, whole: bringing it in neither panics nor makes more of its bytes than it may, and what it
//! made can be written as a Redis file again.

#![no_main]

use flagstone::{
    command::redis_file::{self, Wanted},
    config::{Policy, Settings},
    keyspace::{Keyspace, Options},
};
use libfuzzer_sys::fuzz_target;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

const NOW: i64 = 1_700_000_000_000;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    // In memory where that can be had: syncs would take most of the time.
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = place.join(format!("flagstone-fuzz-file-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
});

fuzz_target!(|bytes: &[u8]| {
    let (path, out) = (FOLDER.join("in.rdb"), FOLDER.join("out.rdb"));
    // A whole one is taken as it is, but for the byte that ends it and its checksum; 0 says that there is none.
    let mut file = match bytes.starts_with(b"REDIS") {
        true => bytes[..bytes.len().saturating_sub(9)].to_vec(),
        false => [b"REDIS0012", bytes].concat(),
    };
    file.extend_from_slice(&[0xFF, 0, 0, 0, 0, 0, 0, 0, 0]);
    fs::write(&path, &file).expect("a file can be written");
    let options = Options { reserve: 1 << 30, ..Options::new(16, 1, 64 << 20, Policy::NoEviction) };
    let keyspace = Keyspace::new(&options).expect("an arena");
    if redis_file::import(&keyspace, &Settings::default(), &path, NOW, &mut |_| ()).is_ok() {
        let wanted = Wanted { compress: true, libraries: Vec::new(), now: NOW };
        redis_file::export(keyspace, &out, &wanted).expect("what is there can be written");
    }
});
