//! `FIELDS numfields field ...`, and what is told of a hash whose fields have changed.

use crate::{
    command::{
        Args, Context, Error,
        args::{integer, is_word},
    },
    keyspace::Type,
    types::{hash::Hash, home::Home},
};
use smallvec::SmallVec;

/// A number of fields.
pub fn count(arg: &[u8], otherwise: &'static str) -> Result<usize, Error> {
    let otherwise = || Error::new(otherwise);
    let count = integer(arg).map_err(|_| otherwise())?;
    i32::try_from(count).ok().filter(|count| *count > 0).map(|count| count as usize).ok_or_else(otherwise)
}

/// The fields of a command that has nothing else behind its key.
pub fn all<'r, 'a>(args: &'r Args<'a>) -> Result<&'r [&'a [u8]], Error> {
    if !is_word(args[2], "fields") {
        return Err(Error::new("ERR Mandatory argument FIELDS is missing or not at the right position"));
    }
    let positive = |count: &i64| *count > 0;
    let count =
        integer(args[3]).ok().filter(positive).ok_or(Error::new("ERR Number of fields must be a positive integer"))?;
    let names = &args[4..];
    if usize::try_from(count) == Ok(names.len()) {
        Ok(names)
    } else {
        Err(Error::new("ERR The `numfields` parameter must match the number of arguments"))
    }
}

/// What a command has done to fields.
#[derive(Default)]
pub struct Change<'a> {
    pub set: Fields<'a>,
    /// Those that have another expiry now, or none.
    pub timed: Fields<'a>,
    pub removed: Fields<'a>,
    pub expired: Fields<'a>,
}

pub type Fields<'a> = SmallVec<[&'a [u8]; 4]>;

impl Change<'_> {
    /// Publishes it, and removes the hash if nothing is left. `timed` is the event of another expiry.
    pub fn tell(self, cx: &mut Context<'_>, key: &[u8], timed: &str) {
        let events = [(self.expired, "hexpired"), (self.set, "hset"), (self.removed, "hdel"), (self.timed, timed)];
        for (fields, event) in events.into_iter().filter(|(fields, _)| !fields.is_empty()) {
            cx.notify_fields(event, key, fields.into_iter());
        }
        let mut db = cx.keys.db(cx.client.db);
        let is_empty = matches!(db.cell(key, Type::Hash), Ok(Some(cell)) if Hash::new(cell.view()).is_empty());
        if is_empty {
            db.remove(key);
            cx.notify_generic("del", key);
        }
    }
}
