//! Function libraries: what the server knows of them. Each interpreter loads them when it first needs one.

use super::{ScriptFlags, after_shebang, keeping::Keeping, library_file::LibraryFile};
use crate::{
    command::Error,
    config::Settings,
    types::rdb::{self, Input},
    util::words,
};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::{BTreeMap, HashMap},
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
        let mut words = words::split(&text[..end]).ok_or(Error::new("ERR Invalid library metadata"))?.into_iter();
        let engine = words.next().unwrap_or_default();
        let mut name = None;
        for mut word in words {
            if !word.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"name=")) {
                return Err(Error::quoting("ERR Invalid metadata value given: ", &word, ""));
            }
            if name.replace(word.split_off(5)).is_some() {
                return Err(Error::new("ERR Invalid metadata value, name argument was given multiple times"));
            }
        }
        let name = name.ok_or(Error::new("ERR Library name was not given"))?;
        if !is_name(&name) {
            return Err(Error::new(
                "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one \
                 character long",
            ));
        }
        if !engine.eq_ignore_ascii_case(b"lua") {
            return Err(Error::quoting("ERR Engine '", &engine, "' not found"));
        }
        Ok(name)
    }
}

/// Whether a library or a function may be called so.
pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Libraries by name, and by the names of their functions, in which case means nothing.
#[derive(Clone, Default)]
pub struct Libraries {
    by_name: BTreeMap<Vec<u8>, Arc<Library>>,
    by_function: HashMap<Vec<u8>, Arc<Library>>,
}

impl Libraries {
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub fn get(&self, name: &[u8]) -> Option<&Arc<Library>> {
        self.by_name.get(name)
    }

    pub fn values(&self) -> impl Iterator<Item = &Arc<Library>> {
        self.by_name.values()
    }

    /// Takes a library, or nothing of it.
    pub fn insert(&mut self, library: Library, replace: bool) -> Result<(), Error> {
        if !replace && self.by_name.contains_key(&library.name) {
            return Err(Error::quoting("ERR Library '", &library.name, "' already exists"));
        }
        for function in &library.functions {
            let owner = self.by_function.get(&function.name.to_ascii_lowercase());
            if owner.is_some_and(|owner| owner.name != library.name) {
                return Err(Error::quoting("ERR Function ", &function.name, " already exists"));
            }
        }
        self.remove(&library.name);
        let library = Arc::new(library);
        for function in &library.functions {
            self.by_function.insert(function.name.to_ascii_lowercase(), Arc::clone(&library));
        }
        self.by_name.insert(library.name.clone(), library);
        Ok(())
    }

    /// Whether there was such a library.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.by_name.remove(name) else { return false };
        for function in &library.functions {
            self.by_function.remove(&function.name.to_ascii_lowercase());
        }
        true
    }
}

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
    /// The generation that is in the file, at least.
    kept: AtomicU64,
    file: Mutex<LibraryFile>,
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
            libraries: all.by_name.len(),
            count: all.by_function.len(),
            bytes: all.values().map(|library| library.name.len() + library.code.len()).sum(),
        }
    }

    pub fn all(&self) -> Arc<Libraries> {
        Arc::clone(&self.libraries.read())
    }

    /// What a function says of itself.
    pub fn flags_of(&self, name: &[u8]) -> Option<ScriptFlags> {
        let all = self.all();
        let mut functions = all.by_function.get(&name.to_ascii_lowercase())?.functions.iter();
        functions.find(|function| function.name.eq_ignore_ascii_case(name)).map(|function| function.flags)
    }

    /// Changes what there is, in place unless somebody is looking: a change that is refused has changed nothing.
    fn change(&self, change: impl FnOnce(&mut Libraries) -> Result<(), Error>) -> Result<(), Error> {
        change(Arc::make_mut(&mut *self.libraries.write()))?;
        self.generation.fetch_add(1, Relaxed);
        Ok(())
    }

    /// FUNCTION LOAD.
    pub fn add(&self, library: Library, replace: bool) -> Result<(), Error> {
        self.change(|all| all.insert(library, replace))
    }

    /// FUNCTION DELETE.
    pub fn delete(&self, name: &[u8]) -> Result<(), Error> {
        self.change(|all| all.remove(name).then_some(()).ok_or(Error::new("ERR Library not found")))
    }

    /// FUNCTION FLUSH.
    pub fn flush(&self) {
        *self.libraries.write() = Arc::default();
        self.generation.fetch_add(1, Relaxed);
    }

    /// FUNCTION RESTORE.
    pub fn restore(&self, libraries: Vec<Library>, policy: RestorePolicy) -> Result<(), Error> {
        self.change(|all| {
            let mut restored = if policy == RestorePolicy::Flush { Libraries::default() } else { all.clone() };
            for library in libraries {
                if policy == RestorePolicy::Append && restored.get(&library.name).is_some() {
                    return Err(Error::quoting("ERR Library ", &library.name, " already exists"));
                }
                restored.insert(library, policy == RestorePolicy::Replace)?;
            }
            *all = restored;
            Ok(())
        })
    }

    /// Writes them where the settings say. That they cannot be kept is an operator's concern, not a client's.
    pub fn keep(&self, settings: &Settings) {
        let (path, generation) = (settings.functions_path(), self.generation());
        let written = self.file.lock().keep(&path, &self.all());
        match written {
            Ok(()) => drop(self.kept.fetch_max(generation, Relaxed)),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "function libraries cannot be kept: they will not outlive the server");
            }
        }
    }

    /// A snapshot is about to be written: what has changed while nothing was kept outlives the server with it.
    pub fn keep_beside_snapshot(&self, settings: &Settings) {
        if self.kept.load(Relaxed) < self.generation() {
            self.keep(settings);
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
