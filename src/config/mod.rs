//! Configuration: one table of directives, from which everything else follows.
//!
//! `table` holds the rows, `directive` says what a row is, `settings` is the typed result,
//! `load` puts it together from the file, the environment and the command line, `rewrite` writes
//! it back. [`Config`] is what the running server shares.

mod cgroup;
mod command_line;
mod directive;
mod document;
mod file;
mod load;
mod reason;
mod rewrite;
mod settings;
mod shared;
mod table;
mod tls;
mod value;

pub use cgroup::{MemoryLimit, memory_limit, system_memory};
pub use command_line::{Invocation, invocation};
pub use directive::{Directive, Effect, Flags, Kind, Lines};
pub use document::document;
pub use load::{Line, Loaded, Sources, load};
pub use reason::{LoadError, Place, Reason, system_error};
pub use rewrite::replace as replace_file;
pub use settings::Settings;
pub use shared::{Config, Hook, SetError};
pub use table::{SECTIONS, Section, all, find};
pub use tls::{AuthClients, AuthClientsUser, Protocols, TlsSettings};
pub use value::*;

/// The words of a row's default: split at blanks, and one empty word for an empty default.
fn words(text: &str) -> Vec<String> {
    if text.is_empty() {
        return vec![String::new()];
    }
    vec![text.to_owned()]
}
