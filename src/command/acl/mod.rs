//! Users and what they may do.
//!
//! A user is a value: a change makes a new one, which connections take up before their next command, just as they take
//! up changed settings. So the check of a command takes no lock, and none at all is made for a user who may do everything.

mod check;
mod log;
mod selector;
mod user;
mod users;

pub use check::{Denial, may_run};
pub use log::{AclLog, Context as LogContext, Entry as LogEntry, Reason};
pub use selector::{RuleError, Selector};
pub use user::{User, hex};
pub use users::{DEFAULT_USER, Users, merge_selectors};

/// Whether a word may be a user's name or a pattern: it must survive a line of a file.
pub fn is_one_word(word: &[u8]) -> bool {
    !word.iter().any(|byte| byte.is_ascii_whitespace() || *byte == 0 || *byte == 0x0b)
}
