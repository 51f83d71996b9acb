//! What comes from outside as a value or a log: RESTORE's payloads with a right checksum, and append-only files. Neither panics, nor
//! makes more of its bytes than it may.

#![no_main]

use flagstone::{
    aof::{Next, Reader},
    types::rdb,
    util::disk::System,
};
use libfuzzer_sys::fuzz_target;
use std::{fs, path::PathBuf, sync::LazyLock};

const MAX: usize = 1 << 20;

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("flagstone-fuzz-{}", std::process::id())));

fuzz_target!(|bytes: &[u8]| {
    let _ = rdb::restore(bytes, MAX, false);
    let _ = rdb::restore(&rdb::seal(bytes.to_vec()), MAX, false);
    fs::write(&*FILE, bytes).expect("a file can be written");
    if let Ok(Some(mut reader)) = Reader::open(&System, &FILE) {
        while let Ok(Next::Record(record)) = reader.read() {
            record.for_each(&mut |_, words| assert!(words.iter().map(|word| word.len()).sum::<usize>() <= bytes.len()));
        }
    }
});
