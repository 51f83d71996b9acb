//! The file of the function libraries, beside the snapshot: what changes is appended to it, so that a library costs what it is
//! long, however many there are. When most of it is no longer true, it is written anew.
//!
//! ```text
//! header:  magic 8 · version 4
//! record:  length of the body 4 · CRC-32C of the body 4 · CRC-32C of these eight 4 · body
//! body:    changes: 1 · length 4 · a library's code, or 2 · length 4 · the name of one that is gone
//! ```
//!
//! A record is all that is appended between two syncs, so only the last can be torn: nobody was told that it was kept.

use super::functions::{Libraries, Library, codes};
use crate::command::Error;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

const MAGIC: &[u8; 8] = b"FLAGLIBS";
const VERSION: u32 = 1;
const HEADER: usize = 12;
const FRAME: usize = 12;

const SET: u8 = 1;
const GONE: u8 = 2;

/// The file may be this much longer than twice what it holds.
const SLACK: u64 = 64 << 10;

/// What this process has written.
#[derive(Default)]
pub struct LibraryFile {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
    kept: BTreeMap<Vec<u8>, Arc<Library>>,
}

impl LibraryFile {
    /// Brings the file at `path` to what there is; without any library there is none.
    ///
    /// # Errors
    /// What the file system says. What the file has said before it still says then.
    pub fn keep(&mut self, path: &Path, libraries: &Libraries) -> io::Result<()> {
        let is_kept =
            |library: &Arc<Library>| self.kept.get(&library.name).is_some_and(|kept| Arc::ptr_eq(kept, library));
        let set: Vec<&Arc<Library>> = libraries.values().filter(|library| !is_kept(library)).collect();
        let gone: Vec<Vec<u8>> = self.kept.keys().filter(|name| libraries.get(name).is_none()).cloned().collect();
        let mut body = Vec::new();
        set.iter().for_each(|library| put(&mut body, SET, &library.code));
        gone.iter().for_each(|name| put(&mut body, GONE, name));
        let live: u64 = libraries.values().map(|library| library.code.len() as u64).sum();
        let grown = self.bytes + (FRAME + body.len()) as u64;
        let result = match &mut self.file {
            // (Nobody has put another one there.)
            Some(file)
                if self.path == path
                    && is_of_length(path, self.bytes)
                    && !libraries.is_empty()
                    && grown <= 2 * live + SLACK =>
            {
                file.write_all(&record(&body)).and_then(|()| file.sync_data()).map(|()| self.bytes = grown)
            }
            _ => self.rewrite(path, libraries),
        };
        if result.is_ok() {
            self.kept.extend(set.into_iter().map(|library| (library.name.clone(), Arc::clone(library))));
            gone.iter().for_each(|name| drop(self.kept.remove(name)));
        } else {
            // Half of the record may be there.
            self.file = None;
        }
        result
    }

    fn rewrite(&mut self, path: &Path, libraries: &Libraries) -> io::Result<()> {
        self.file = None;
        if libraries.is_empty() {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let mut body = Vec::new();
        libraries.values().for_each(|library| put(&mut body, SET, &library.code));
        let bytes = [&MAGIC[..], &VERSION.to_le_bytes(), &record(&body)].concat();
        let unfinished = path.with_extension("unfinished");
        let mut file = File::create(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())?;
        (self.path, self.bytes, self.file) = (path.to_owned(), bytes.len() as u64, Some(file));
        Ok(())
    }
}

fn is_of_length(path: &Path, bytes: u64) -> bool {
    fs::metadata(path).is_ok_and(|found| found.len() == bytes)
}

fn put(changes: &mut Vec<u8>, what: u8, text: &[u8]) {
    changes.push(what);
    changes.extend((text.len() as u32).to_le_bytes());
    changes.extend(text);
}

fn record(body: &[u8]) -> Vec<u8> {
    let mut record = (body.len() as u32).to_le_bytes().to_vec();
    record.extend(crc32c::crc32c(body).to_le_bytes());
    record.extend(crc32c::crc32c(&record).to_le_bytes());
    record.extend(body);
    record
}

/// The codes of the libraries in such a file, by name, or in the payload of FUNCTION DUMP, which it once was.
///
/// # Errors
/// When it is damaged.
pub fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let damaged = || Error::new("ERR the file is damaged");
    let Some(rest) = bytes.strip_prefix(MAGIC) else { return codes(bytes) };
    match rest.first_chunk() {
        Some(version) if u32::from_le_bytes(*version) == VERSION => {}
        version => {
            let found = version.map_or(0, |version| u32::from_le_bytes(*version));
            return Err(Error::text(format!("ERR the file's version is {found}, {VERSION} was expected")));
        }
    }
    let mut libraries = BTreeMap::new();
    let mut rest = &bytes[HEADER..];
    while let Some((frame, behind)) = rest.split_at_checked(FRAME) {
        let word = |at: usize| u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]);
        if word(8) != crc32c::crc32c(&frame[..8]) {
            // Of a record that did not come to the disk there may be zeros.
            return if behind.iter().all(|byte| *byte == 0) { Ok(in_order(libraries)) } else { Err(damaged()) };
        }
        let Some((body, next)) = behind.split_at_checked(word(0) as usize) else { break };
        if word(4) != crc32c::crc32c(body) {
            return if next.is_empty() { Ok(in_order(libraries)) } else { Err(damaged()) };
        }
        carry_out(&mut libraries, body).ok_or_else(damaged)?;
        rest = next;
    }
    Ok(in_order(libraries))
}

fn in_order(libraries: BTreeMap<Vec<u8>, &[u8]>) -> Vec<Vec<u8>> {
    libraries.into_values().map(<[u8]>::to_vec).collect()
}

/// The changes of a record; `None` if they cannot be read.
fn carry_out<'a>(libraries: &mut BTreeMap<Vec<u8>, &'a [u8]>, mut body: &'a [u8]) -> Option<()> {
    while let Some((what, rest)) = body.split_first() {
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        match *what {
            SET => drop(libraries.insert(Library::name_of(text).ok()?, text)),
            GONE => drop(libraries.remove(text)),
            _ => return None,
        }
        body = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU8};

    fn library(name: &str, text: &str) -> Library {
        Library {
            name: name.into(),
            code: format!("#!lua name={name}\n{text}").into_bytes(),
            functions: Vec::new(),
            manners: AtomicU8::new(0),
            is_short: AtomicBool::new(false),
        }
    }

    /// What the file says, without first lines.
    fn said(path: &Path) -> Vec<String> {
        let codes = read(&fs::read(path).unwrap()).unwrap();
        codes.iter().map(|code| String::from_utf8_lossy(code).split_once('\n').unwrap().1.to_owned()).collect()
    }

    #[test]
    fn what_changes_is_appended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("functions");
        let (mut file, mut libraries) = (LibraryFile::default(), Libraries::default());
        let large = "-".repeat(100_000);
        libraries.insert(library("a", &large), false).unwrap();
        file.keep(&path, &libraries).unwrap();
        let first = fs::metadata(&path).unwrap().len();
        libraries.insert(library("b", "b"), false).unwrap();
        file.keep(&path, &libraries).unwrap();
        assert!(fs::metadata(&path).unwrap().len() < first + 100);
        libraries.insert(library("b", "c"), true).unwrap();
        libraries.insert(library("d", "d"), false).unwrap();
        file.keep(&path, &libraries).unwrap();
        assert_eq!(said(&path), [&large, "c", "d"]);
        libraries.remove(b"b");
        file.keep(&path, &libraries).unwrap();
        assert_eq!(said(&path), [&large, "d"]);
        // Most of it is no longer true.
        libraries.remove(b"a");
        file.keep(&path, &libraries).unwrap();
        assert!(fs::metadata(&path).unwrap().len() < 100);
        assert_eq!(said(&path), ["d"]);
        // Somebody has taken it away.
        fs::remove_file(&path).unwrap();
        file.keep(&path, &libraries).unwrap();
        assert_eq!(said(&path), ["d"]);
        libraries.remove(b"d");
        file.keep(&path, &libraries).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn only_the_last_record_can_be_torn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("functions");
        let (mut file, mut libraries) = (LibraryFile::default(), Libraries::default());
        let mut ends = Vec::new();
        for name in ["a", "b", "c"] {
            libraries.insert(library(name, name), false).unwrap();
            file.keep(&path, &libraries).unwrap();
            ends.push(fs::metadata(&path).unwrap().len() as usize);
        }
        let whole = fs::read(&path).unwrap();
        for cut in ends[1]..ends[2] {
            assert_eq!(read(&whole[..cut]).unwrap().len(), 2, "{cut}");
            let mut zeros = whole.clone();
            zeros[cut..].fill(0);
            assert_eq!(read(&zeros).unwrap().len(), 2, "{cut}");
        }
        for at in HEADER..ends[1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 4;
            assert!(read(&damaged).is_err(), "{at}");
        }
        for cut in 0..HEADER {
            assert!(read(&whole[..cut]).is_err(), "{cut}");
        }
    }
}
