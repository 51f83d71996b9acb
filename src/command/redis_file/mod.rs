//! Redis's files (`dump.rdb`): bringing in what one holds, and writing one.

mod export;
mod import;
mod send;

pub use export::{Exported, Wanted, export};
pub use import::{ImportError, Imported, Progress, import, is_redis_file};
pub use send::{Contents, send};

use super::{
    Error, Shared,
    script::{functions::RestorePolicy, load_library},
};
use std::path::{Path, PathBuf};

/// Keys that are looked up together.
const STEP: usize = 1000;

/// The file's name with something after it.
pub fn beside(path: &Path, after: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(after);
    PathBuf::from(name)
}

/// Loads the libraries of functions that a file held.
///
/// # Errors
/// When one of them is not as it should be.
pub fn load_libraries(shared: &Shared, codes: &[Vec<u8>]) -> Result<(), String> {
    let refused = |error: Error| {
        format!("a library of functions in the Redis file can't be loaded: {}", String::from_utf8_lossy(&error.0))
    };
    let libraries = codes.iter().map(|code| load_library(code)).collect::<Result<Vec<_>, _>>().map_err(refused)?;
    shared.functions.restore(libraries, RestorePolicy::Replace).map_err(refused)
}
