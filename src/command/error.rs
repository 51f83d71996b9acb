//! Errors a command answers with. The text is exactly what Redis sends: bytes, because it may quote what a client sent.

use crate::{
    arena::ArenaFull,
    keyspace::{OutOfMemory, Refusal, WrongType},
};
use std::borrow::Cow;

/// An error reply: the text begins with its code (`ERR syntax error`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error(pub Cow<'static, [u8]>);

pub type CommandResult = Result<(), Error>;

impl Error {
    pub const SYNTAX: Error = Error::new("ERR syntax error");
    pub const WRONG_TYPE: Error = Error::new("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub const NOT_INTEGER: Error = Error::new("ERR value is not an integer or out of range");
    pub const NOT_FLOAT: Error = Error::new("ERR value is not a valid float");
    pub const NO_SUCH_KEY: Error = Error::new("ERR no such key");
    pub const NO_SCRIPT: Error = Error::new("NOSCRIPT No matching script. Please use EVAL.");
    pub const OUT_OF_MEMORY: Error = Error::new("OOM command not allowed when used memory > 'maxmemory'.");
    pub const OUT_OF_RANGE: Error = Error::new("ERR value is out of range");
    /// The least integer, where its sign says something apart from its amount.
    pub const NO_OPPOSITE: Error =
        Error::new("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
    pub const STRING_TOO_LONG: Error = Error::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

    pub const fn new(text: &'static str) -> Self {
        Error(Cow::Borrowed(text.as_bytes()))
    }
    /// Line ends behind the text, of a word that it quotes, do not belong to it.
    pub fn text(text: impl Into<Vec<u8>>) -> Self {
        let mut text = text.into();
        while matches!(text.last(), Some(b'\r' | b'\n')) {
            text.pop();
        }
        Error(Cow::Owned(text))
    }
    /// Repeats a client's word as it came.
    pub fn quoting(before: &str, word: &[u8], after: &str) -> Self {
        Error::text([before.as_bytes(), quotable(word, usize::MAX), after.as_bytes()].concat())
    }
    pub fn wrong_arity(full_name: &str) -> Self {
        Error::text(format!("ERR wrong number of arguments for '{full_name}' command"))
    }
    pub fn invalid_expire(command: &str) -> Self {
        Error::text(format!("ERR invalid expire time in '{command}' command"))
    }
    /// The code before the first space, for `errorstats`.
    pub fn code(&self) -> &str {
        let code = self.0.split(|byte| *byte == b' ').next().unwrap_or_default();
        std::str::from_utf8(code).unwrap_or("ERR")
    }
}

/// At most this many bytes of a command's name or of its arguments are repeated in an error.
pub const QUOTED_MAX: usize = 128;

/// What Redis quotes of a word: at most `max` bytes of what stands before its first NUL.
pub fn quotable(word: &[u8], max: usize) -> &[u8] {
    let text = word.split(|byte| *byte == 0).next().unwrap_or_default();
    &text[..text.len().min(max)]
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
