//! Conditions on the string that is there: SET's IFEQ and its kin, DELEX, DELIFEQ, DIGEST.

use super::text;
use crate::command::{Args, CommandResult, Context, Error, args};
use crate::keyspace::{Item, Type, Value};
use xxhash_rust::xxh3::xxh3_64;

/// What the present string is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// Whether the condition holds when they are equal, or when they differ.
    pub equal: bool,
    /// Whether `with` is a digest.
    digest: bool,
    with: &'a [u8],
}

const DIGEST_LEN: usize = 16;

impl<'a> Comparison<'a> {
    pub fn of_word(word: &[u8], with: &'a [u8]) -> Option<Comparison<'a>> {
        [("ifeq", true, false), ("ifne", false, false), ("ifdeq", true, true), ("ifdne", false, true)]
            .into_iter()
            .find_map(|(name, equal, digest)| args::is_word(word, name).then_some(Comparison { equal, digest, with }))
    }

    pub fn same_kind(&self, other: &Comparison<'_>) -> bool {
        (self.equal, self.digest) == (other.equal, other.digest)
    }

    pub fn holds(&self, value: &Value<'_>) -> Result<bool, Error> {
        let mut buffer = itoa::Buffer::new();
        let value = text(value, &mut buffer);
        let equal = if self.digest {
            if self.with.len() != DIGEST_LEN {
                return Err(Error::new("ERR must be exactly 16 hexadecimal characters"));
            }
            digest_of(value).as_bytes().eq_ignore_ascii_case(self.with)
        } else {
            value == self.with
        };
        Ok(equal == self.equal)
    }
}

fn digest_of(value: &[u8]) -> String {
    format!("{:016x}", xxh3_64(value))
}

pub fn digest(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    match db.read(args[1]) {
        None => cx.reply.null(),
        Some(item) if item.kind != Type::String => return Err(Error::WRONG_TYPE),
        Some(item) => cx.reply.bulk(digest_of(text(&item.value, &mut itoa::Buffer::new())).as_bytes()),
    }
    Ok(())
}

pub fn delifeq(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let comparison = Comparison { equal: true, digest: false, with: args[2] };
    remove_if(cx, args[1], |item| {
        if item.kind == Type::String { comparison.holds(&item.value) } else { Err(Error::WRONG_TYPE) }
    })
}

pub fn delex(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (word, with) = match args {
        [_, key] => return remove_if(cx, key, |_| Ok(true)),
        [_, _, word, with] => (word, with),
        _ => return Err(Error::wrong_arity("delex")),
    };
    // The condition is looked at only when there is a string to compare.
    remove_if(cx, args[1], |item| {
        if item.kind != Type::String {
            return Err(Error::new("ERR Key should be of string type if conditions are specified"));
        }
        Comparison::of_word(word, with)
            .ok_or(Error::new("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"))?
            .holds(&item.value)
    })
}

fn remove_if(
    cx: &mut Context<'_>,
    key: &[u8],
    condition: impl FnOnce(&Item<'_>) -> Result<bool, Error>,
) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let removed = match db.peek(key) {
        None => false,
        Some(item) => condition(&item)?,
    };
    if removed {
        db.remove(key);
        cx.notify_generic("del", key);
    }
    cx.reply.integer(removed.into());
    Ok(())
}
