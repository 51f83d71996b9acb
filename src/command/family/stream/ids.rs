//! IDs in requests and replies.

use crate::{
    command::{Error, Reply},
    types::stream::Id,
    util::number::parse_u64,
};
use smallvec::SmallVec;

const INVALID: Error = Error::new("ERR Invalid stream ID specified as stream command argument");
/// Longer words are no IDs.
const LEN_MAX: usize = 127;

/// An ID as clients write it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Given {
    Whole(Id),
    /// `ms-*`: the next of this millisecond.
    Time(u64),
}

/// Reads an ID; one that is only a time gets the number `missing`.
pub fn parse(word: &[u8], missing: u64) -> Result<Id, Error> {
    match parse_given(word, missing)? {
        Given::Whole(id) => Ok(id),
        Given::Time(_) => Err(INVALID),
    }
}

/// Reads an ID whose number may be left open.
pub fn parse_given(word: &[u8], missing: u64) -> Result<Given, Error> {
    let number = |text: &[u8]| parse_u64(text).ok_or(INVALID);
    let (ms, seq) = match word.iter().position(|byte| *byte == b'-') {
        _ if word.len() > LEN_MAX => return Err(INVALID),
        Some(dash) if &word[dash + 1..] == b"*" => return number(&word[..dash]).map(Given::Time),
        Some(dash) => (number(&word[..dash])?, number(&word[dash + 1..])?),
        None => (number(word)?, missing),
    };
    Ok(Given::Whole(Id { ms, seq }))
}

/// Reads an ID, or `-` and `+` for the least and the greatest.
pub fn parse_or_end(word: &[u8], missing: u64) -> Result<Id, Error> {
    match word {
        b"-" => Ok(Id::MIN),
        b"+" => Ok(Id::MAX),
        _ => parse(word, missing),
    }
}

/// The first ID of a range: `(` before it leaves it out.
pub fn parse_start(word: &[u8]) -> Result<Id, Error> {
    match word {
        [b'(', rest @ ..] if !rest.is_empty() => {
            parse(rest, 0)?.next().ok_or(Error::new("ERR invalid start ID for the interval"))
        }
        _ => parse_or_end(word, 0),
    }
}

/// The last ID of a range.
pub fn parse_end(word: &[u8]) -> Result<Id, Error> {
    match word {
        [b'(', rest @ ..] if !rest.is_empty() => {
            parse(rest, u64::MAX)?.previous().ok_or(Error::new("ERR invalid end ID for the interval"))
        }
        _ => parse_or_end(word, u64::MAX),
    }
}

/// Answers an ID.
pub fn reply(reply: &mut dyn Reply, id: Id) {
    let mut digits = itoa::Buffer::new();
    let mut text: SmallVec<[u8; 41]> = SmallVec::from_slice(digits.format(id.ms).as_bytes());
    text.push(b'-');
    text.extend_from_slice(digits.format(id.seq).as_bytes());
    reply.bulk(&text);
}
