//! Function libraries: what the server knows of them. Each interpreter loads them when it first needs one.

use super::{ScriptFlags, after_shebang, keeping::Keeping};
use crate::{
    command::Error,
    config::Settings,
    types::rdb::{self, Input},
};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
};

/// Announces a library in a dump, as in Redis's files.
const OPCODE: u8 = 245;
/// That of release candidates of Redis 7.
const OPCODE_EARLY: u8 = 246;

/// A function of a library.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    pub name: Vec<u8>,
    pub description: Option<Vec<u8>>,
    pub flags: ScriptFlags,
}

/// A library.
#[derive(Debug)]
pub struct Library {
    pub name: Vec<u8>,
    /// As it came, with its first line.
    pub code: Vec<u8>,
    /// By name.
    pub functions: Vec<Function>,
    /// See [`super::Manners`].
    pub manners: AtomicU8,
    /// A function of it has proved to be short.
    pub is_short: AtomicBool,
}

impl Library {
    /// What the interpreter is given.
    pub fn body(&self) -> &[u8] {
        after_shebang(&self.code)
    }

    /// The name in a library's first line.
    ///
    /// # Errors
    /// When the line is not as it should be.
    pub fn name_of(code: &[u8]) -> Result<Vec<u8>, Error> {
        let text = code.strip_prefix(b"#!").ok_or(Error::new("ERR Missing library metadata"))?;
        let end = memchr::memchr(b'\n', text).ok_or(Error::new("ERR Invalid library metadata"))?;
        let mut words = text[..end].split(u8::is_ascii_whitespace);
        let engine = words.next().unwrap_or_default();
        let words = words.filter(|word| !word.is_empty());
        let mut name = None;
        for word in words {
            let value = word.get(..5).filter(|start| start.eq_ignore_ascii_case(b"name=")).map(|_| &word[5..]);
            let value = value.ok_or_else(|| Error::quoting("ERR Invalid metadata value given: ", word, ""))?;
            let quoted = |quote: u8| value.strip_prefix(&[quote])?.strip_suffix(&[quote]);
            if name.replace(quoted(b'"').or_else(|| quoted(b'\'')).unwrap_or(value)).is_some() {
                return Err(Error::new("ERR Invalid metadata value, name argument was given multiple times"));
            }
        }
        let name = name.ok_or(Error::new("ERR Library name was not given"))?;
        if !is_name(name) {
            return Err(Error::new(
                "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one \
                 character long",
            ));
        }
        if !engine.eq_ignore_ascii_case(b"lua") {
            return Err(Error::quoting("ERR Engine '", engine, "' not found"));
        }
        Ok(name.to_vec())
    }
}

/// Whether a library or a function may be called so.
pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Libraries by name.
pub type Libraries = BTreeMap<Vec<u8>, Arc<Library>>;

/// How FUNCTION RESTORE treats libraries that are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RestorePolicy {
    Append,
    Replace,
    Flush,
}

/// All libraries of the server.
#[derive(Default)]
pub struct Functions {
    libraries: RwLock<Arc<Libraries>>,
    /// Counts the changes: an interpreter that has seen another number loads anew.
    generation: AtomicU64,
    pub keeping: Keeping,
    /// Who writes the file.
    writing: Mutex<()>,
}

/// What there is of them.
pub struct Figures {
    pub libraries: usize,
    pub count: usize,
    pub bytes: usize,
}

impl Functions {
    pub fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    pub fn figures(&self) -> Figures {
        let all = self.all();
        Figures {
            libraries: all.len(),
            count: all.values().map(|library| library.functions.len()).sum(),
            bytes: all.values().map(|library| library.name.len() + library.code.len()).sum(),
        }
    }

    pub fn all(&self) -> Arc<Libraries> {
        Arc::clone(&self.libraries.read())
    }

    /// What a function says of itself.
    pub fn flags_of(&self, name: &[u8]) -> Option<ScriptFlags> {
        let all = self.all();
        let mut functions = all.values().flat_map(|library| &library.functions);
        functions.find(|function| function.name.eq_ignore_ascii_case(name)).map(|function| function.flags)
    }

    /// Changes what there is, unless `change` refuses.
    fn change(&self, change: impl FnOnce(&mut Libraries) -> Result<(), Error>) -> Result<(), Error> {
        let mut all = self.libraries.write();
        let mut changed = Libraries::clone(&all);
        change(&mut changed)?;
        *all = Arc::new(changed);
        self.generation.fetch_add(1, Relaxed);
        Ok(())
    }

    /// FUNCTION LOAD.
    pub fn add(&self, library: Library, replace: bool) -> Result<(), Error> {
        self.change(|all| insert(all, library, replace))
    }

    /// FUNCTION DELETE.
    pub fn delete(&self, name: &[u8]) -> Result<(), Error> {
        self.change(|all| all.remove(name).map(drop).ok_or(Error::new("ERR Library not found")))
    }

    /// FUNCTION FLUSH.
    pub fn flush(&self) {
        let flushed = self.change(|all| {
            all.clear();
            Ok(())
        });
        debug_assert!(flushed.is_ok());
    }

    /// FUNCTION RESTORE.
    pub fn restore(&self, libraries: Vec<Library>, policy: RestorePolicy) -> Result<(), Error> {
        self.change(|all| {
            if policy == RestorePolicy::Flush {
                all.clear();
            }
            libraries.into_iter().try_for_each(|library| {
                if policy == RestorePolicy::Append && all.contains_key(&library.name) {
                    return Err(Error::quoting("ERR Library ", &library.name, " already exists"));
                }
                insert(all, library, policy == RestorePolicy::Replace)
            })
        })
    }

    /// Keeps the libraries in a file beside the snapshot, in the form of FUNCTION DUMP; without any there is none.
    ///
    /// # Errors
    /// What the file system says. The file is as it was then.
    fn write(&self, path: &Path) -> io::Result<()> {
        let _writing = self.writing.lock();
        if self.all().is_empty() {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let unfinished = path.with_extension("unfinished");
        let mut file = File::create(&unfinished)?;
        file.write_all(&self.dump())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    }

    /// Writes them where the settings say. That they cannot be kept is an operator's concern, not a client's.
    pub fn keep(&self, settings: &Settings) {
        if let Some(path) = settings.functions_path()
            && let Err(error) = self.write(&path)
        {
            tracing::error!(path = %path.display(), %error, "function libraries cannot be kept: they will not outlive the server");
        }
    }

    /// The libraries as FUNCTION DUMP answers them.
    pub fn dump(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for library in self.all().values() {
            body.push(OPCODE);
            rdb::put_string(&mut body, &library.code, false);
        }
        rdb::seal(body)
    }
}

fn insert(all: &mut Libraries, library: Library, replace: bool) -> Result<(), Error> {
    if !replace && all.contains_key(&library.name) {
        return Err(Error::quoting("ERR Library '", &library.name, "' already exists"));
    }
    let others = all.values().filter(|other| other.name != library.name);
    for other in others.flat_map(|other| &other.functions) {
        if library.functions.iter().any(|function| function.name.eq_ignore_ascii_case(&other.name)) {
            return Err(Error::quoting("ERR Function ", &other.name, " already exists"));
        }
    }
    all.insert(library.name.clone(), Arc::new(library));
    Ok(())
}

/// The codes of the libraries in a dump.
///
/// # Errors
/// When it is damaged, or holds something else.
pub fn codes(payload: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let body = rdb::unseal(payload, false).map_err(|_| Error::new("ERR DUMP payload version or checksum are wrong"))?;
    let mut input = Input::new(body, body.len());
    let mut codes = Vec::new();
    while !input.is_empty() {
        match input.byte() {
            Ok(OPCODE) => {}
            Ok(OPCODE_EARLY) => return Err(Error::new("ERR Pre-GA function format not supported")),
            Ok(_) => return Err(Error::new("ERR given type is not a function")),
            Err(_) => return Err(Error::new("ERR can not read data type")),
        }
        codes.push(input.string().map_err(|_| Error::new("ERR failed loading the given functions payload"))?);
    }
    Ok(codes)
}
