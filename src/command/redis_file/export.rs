//! Writing a file that Redis 7 and later and Valkey read. Only a hash whose fields expire needs Redis 7.4 or Valkey 9.

use super::{STEP, beside};
use crate::{
    command::family::string::text,
    keyspace::{Keyspace, Locked},
    types::rdb::{self, Form, file},
    util::clock::UnixMillis,
};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

/// So much is gathered before it is written.
const BUFFER: usize = 1 << 20;

/// What was written.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Exported {
    pub keys: u64,
    pub bytes: u64,
    /// Keys of a type that the format has no form for here.
    pub left_out: u64,
}

/// Writes all keys to a file, which is there only when it is whole. Nobody else may use the keyspace meanwhile.
///
/// # Errors
/// What the file system says.
pub fn export(keyspace: &Keyspace, path: &Path, compress: bool, now: UnixMillis) -> io::Result<Exported> {
    let unfinished = beside(path, ".unfinished");
    let result = write(keyspace, &unfinished, compress, now).and_then(|exported| {
        fs::rename(&unfinished, path)?;
        Ok(exported)
    });
    if result.is_err() {
        // It may not be there at all.
        let _ = fs::remove_file(&unfinished);
    }
    result
}

fn write(keyspace: &Keyspace, path: &Path, compress: bool, now: UnixMillis) -> io::Result<Exported> {
    // The version stands at the beginning, and what asks for the newer one may come last: then all is written again.
    for field_expiry in [false, true] {
        let mut export = Export::begin(path, field_expiry, compress, now)?;
        if export.write(keyspace)? {
            return export.finish();
        }
    }
    Ok(Exported::default())
}

struct Export {
    file: File,
    /// Not written yet.
    out: Vec<u8>,
    sum: rdb::Checksum,
    /// Fields that expire can be written.
    field_expiry: bool,
    compress: bool,
    now: UnixMillis,
    exported: Exported,
}

impl Export {
    fn begin(path: &Path, field_expiry: bool, compress: bool, now: UnixMillis) -> io::Result<Export> {
        let file = File::create(path)?;
        let mut out = Vec::new();
        file::put_header(&mut out, field_expiry, now);
        Ok(Export { file, out, sum: rdb::checksum(), field_expiry, compress, now, exported: Exported::default() })
    }

    /// Writes all databases; false when there are fields that expire and the header does not allow them.
    fn write(&mut self, keyspace: &Keyspace) -> io::Result<bool> {
        let mut keys = keyspace.lock(keyspace.all_shards(), self.now);
        for db in 0..keyspace.databases() {
            let figures = keys.db_stats(db);
            if figures.keys == 0 {
                continue;
            }
            file::put_select(&mut self.out, db as u64, figures.keys, figures.expires);
            let mut cursor = 0;
            loop {
                let mut names = Vec::new();
                cursor = keys.scan(db, cursor, STEP, &mut |key, _| names.push(key.to_vec()));
                for key in names {
                    if !self.put(&mut keys, db, &key)? {
                        return Ok(false);
                    }
                }
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(true)
    }

    fn put(&mut self, keys: &mut Locked<'_>, db: usize, key: &[u8]) -> io::Result<bool> {
        let mut db = keys.db(db);
        let mut digits = itoa::Buffer::new();
        let Some(item) = db.peek(key) else { return Ok(true) };
        let (expiry, string) = (item.expiry, text(&item.value, &mut digits).to_vec());
        let Some(view) = db.view_any(key) else { return Ok(true) };
        let mut value = Vec::new();
        if !rdb::put_value(&mut value, &view, &string, Form { compress: self.compress, wide: true }, self.now) {
            self.exported.left_out += 1;
            return Ok(true);
        }
        let Some((code, value)) = value.split_first() else { return Ok(true) };
        if file::needs_field_expiry(*code) && !self.field_expiry {
            return Ok(false);
        }
        if let Some(at) = expiry {
            file::put_expiry(&mut self.out, at);
        }
        self.out.push(*code);
        rdb::put_string(&mut self.out, key, self.compress);
        self.out.extend_from_slice(value);
        self.exported.keys += 1;
        if self.out.len() >= BUFFER {
            self.flush()?;
        }
        Ok(true)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sum.update(&self.out);
        self.file.write_all(&self.out)?;
        self.exported.bytes += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<Exported> {
        file::put_end(&mut self.out);
        self.flush()?;
        let sum = self.sum.finalize().to_le_bytes();
        self.file.write_all(&sum)?;
        self.file.sync_all()?;
        self.exported.bytes += sum.len() as u64;
        Ok(self.exported)
    }
}
