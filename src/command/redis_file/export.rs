//! Writing a file that Redis 7 and later and Valkey read. Only a hash whose fields expire needs Redis 7.4 or Valkey 9, and
//! an array Redis 8.8.

use super::{STEP, beside};
use crate::{
    command::family::string::text,
    keyspace::{Keyspace, Locked, ShardSet},
    types::rdb::{self, Form, file},
    util::clock::UnixMillis,
};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::Path,
};

/// So much is gathered before it is written.
const BUFFER: usize = 1 << 20;
/// Pages given back at a time.
const RELEASED: usize = 256;

/// What is wanted of a file.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    pub compress: bool,
    /// The codes of the libraries of functions.
    pub libraries: Vec<&'a [u8]>,
    pub now: UnixMillis,
}

/// What was written.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Exported {
    pub keys: u64,
    pub bytes: u64,
}

/// Writes all keys to a file, which is there only when it is whole. The keyspace is a snapshot's, and nobody else's: what has
/// been written is dropped, so that no more of it than a shard need be in memory.
///
/// # Errors
/// What the file system says.
pub fn export(keyspace: Keyspace, path: &Path, wanted: &Wanted<'_>) -> io::Result<Exported> {
    let unfinished = beside(path, ".unfinished");
    let result = write(&keyspace, &unfinished, wanted).and_then(|exported| {
        fs::rename(&unfinished, path)?;
        Ok(exported)
    });
    if result.is_err() {
        // It may not be there at all.
        let _ = fs::remove_file(&unfinished);
    }
    result
}

fn write(keyspace: &Keyspace, path: &Path, wanted: &Wanted<'_>) -> io::Result<Exported> {
    let mut export = Export::begin(path, wanted)?;
    for code in &wanted.libraries {
        file::put_function(&mut export.out, code, wanted.compress);
    }
    // Of all shards, as it is only known while they are there.
    let figures: Vec<_> = (0..keyspace.databases()).map(|db| keyspace.db_stats(db)).collect();
    let mut announced = vec![false; figures.len()];
    for shard in 0..keyspace.shards() {
        let mut keys = keyspace.lock(ShardSet(1 << shard), wanted.now);
        for (db, figures) in figures.iter().enumerate().filter(|(_, figures)| figures.keys > 0) {
            file::put_select(&mut export.out, db as u64);
            if !std::mem::replace(&mut announced[db], true) {
                file::put_sizes(&mut export.out, figures.keys, figures.expires);
            }
            export.write_shard(&mut keys, shard, db)?;
        }
        keys.flush(None);
        while keyspace.arena().release_retired(RELEASED) > 0 {}
    }
    export.finish()
}

/// One of the ways the file may begin: which version it needs is known only at its end.
struct Beginning {
    header: [u8; file::HEADER],
    sum: rdb::Checksum,
}

impl Beginning {
    fn new(version: u16) -> Beginning {
        let header = file::header(version);
        let mut sum = rdb::checksum();
        sum.update(&header);
        Beginning { header, sum }
    }
}

struct Export {
    file: File,
    /// Not written yet.
    out: Vec<u8>,
    /// Of each version that is written.
    beginnings: [Beginning; file::WRITTEN.len()],
    /// The first of them that has all that is written.
    needed: usize,
    compress: bool,
    now: UnixMillis,
    exported: Exported,
}

impl Export {
    fn begin(path: &Path, wanted: &Wanted<'_>) -> io::Result<Export> {
        let mut file = File::create(path)?;
        let beginnings = file::WRITTEN.map(Beginning::new);
        file.write_all(&beginnings[0].header)?;
        let mut out = Vec::new();
        file::put_notes(&mut out, wanted.now);
        let exported = Exported { keys: 0, bytes: file::HEADER as u64 };
        Ok(Export { file, out, beginnings, needed: 0, compress: wanted.compress, now: wanted.now, exported })
    }

    fn write_shard(&mut self, keys: &mut Locked<'_>, shard: usize, db: usize) -> io::Result<()> {
        let mut position = Some(0);
        while let Some(from) = position {
            let mut names = Vec::new();
            position = keys.scan_shard(shard, db, from, STEP, &mut |key| names.push(key.to_vec()));
            for key in names {
                self.put(keys, db, &key)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, keys: &mut Locked<'_>, db: usize, key: &[u8]) -> io::Result<()> {
        let mut db = keys.db(db);
        let mut digits = itoa::Buffer::new();
        let Some(item) = db.peek(key) else { return Ok(()) };
        let (expiry, string) = (item.expiry, text(&item.value, &mut digits).to_vec());
        let Some(view) = db.view_any(key) else { return Ok(()) };
        let mut value = Vec::new();
        let form = Form { compress: self.compress, wide: true };
        if !rdb::put_value(&mut value, &view, &string, form, self.now) {
            return Ok(());
        }
        let Some((code, value)) = value.split_first() else { return Ok(()) };
        self.needed = self.needed.max(file::written_for(*code));
        if let Some(at) = expiry {
            file::put_expiry(&mut self.out, at);
        }
        self.out.push(*code);
        rdb::put_string(&mut self.out, key, self.compress);
        self.out.extend_from_slice(value);
        self.exported.keys += 1;
        if self.out.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.beginnings.iter_mut().for_each(|beginning| beginning.sum.update(&self.out));
        self.file.write_all(&self.out)?;
        self.exported.bytes += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<Exported> {
        file::put_end(&mut self.out);
        self.flush()?;
        let Beginning { header, sum } = &self.beginnings[self.needed];
        let sum = sum.clone().finalize().to_le_bytes();
        self.file.write_all(&sum)?;
        self.file.write_all_at(header, 0)?;
        self.file.sync_all()?;
        self.exported.bytes += sum.len() as u64;
        Ok(self.exported)
    }
}
