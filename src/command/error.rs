//! Errors a command answers with. The text is exactly what Redis sends.

use crate::{
    arena::ArenaFull,
    keyspace::{OutOfMemory, Refusal, WrongType},
};
use std::borrow::Cow;

/// An error reply: the text begins with its code (`ERR syntax error`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error(pub Cow<'static, str>);

pub type CommandResult = Result<(), Error>;

impl Error {
    pub const SYNTAX: Error = Error::new("ERR syntax error");
    pub const WRONG_TYPE: Error = Error::new("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub const NOT_INTEGER: Error = Error::new("ERR value is not an integer or out of range");
    pub const NOT_FLOAT: Error = Error::new("ERR value is not a valid float");
    pub const NO_SUCH_KEY: Error = Error::new("ERR no such key");
    pub const OUT_OF_MEMORY: Error = Error::new("OOM command not allowed when used memory > 'maxmemory'.");
    pub const OUT_OF_RANGE: Error = Error::new("ERR value is out of range");
    pub const STRING_TOO_LONG: Error = Error::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

    pub const fn new(text: &'static str) -> Self {
        Error(Cow::Borrowed(text))
    }
    pub fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Error(text.into())
    }
    pub fn wrong_arity(full_name: &str) -> Self {
        Error::text(format!("ERR wrong number of arguments for '{full_name}' command"))
    }
    pub fn invalid_expire(command: &str) -> Self {
        Error::text(format!("ERR invalid expire time in '{command}' command"))
    }
    /// The code before the first space, for `errorstats`.
    pub fn code(&self) -> &str {
        self.0.split(' ').next().unwrap_or("ERR")
    }
}

impl From<OutOfMemory> for Error {
    fn from(_: OutOfMemory) -> Self {
        Error::OUT_OF_MEMORY
    }
}

impl From<WrongType> for Error {
    fn from(_: WrongType) -> Self {
        Error::WRONG_TYPE
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::WrongType => Error::WRONG_TYPE,
            Refusal::OutOfMemory => Error::OUT_OF_MEMORY,
        }
    }
}

/// The address space is used up in the middle of a command.
impl From<ArenaFull> for Error {
    fn from(_: ArenaFull) -> Self {
        Error::OUT_OF_MEMORY
    }
}
