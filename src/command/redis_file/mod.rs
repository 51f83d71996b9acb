//! Redis's files (`dump.rdb`): bringing in what one holds, and writing one.

mod export;
mod import;
mod send;

pub use export::{Exported, Wanted, export};
pub use import::{ImportError, Imported, Progress, import, is_redis_file};
pub use send::{Contents, send};

use std::path::{Path, PathBuf};

/// Keys that are looked up together.
const STEP: usize = 1000;

/// The file's name with something after it.
pub fn beside(path: &Path, after: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(after);
    PathBuf::from(name)
}
