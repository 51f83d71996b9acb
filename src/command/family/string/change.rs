//! Commands that change part of a string, or count in it.

use super::text;
use crate::command::{Args, CommandResult, Context, Error, args};
use crate::keyspace::{Item, Ttl, Type, Value};
use crate::util::{long_double::LongDouble, number};

/// The length of the string at a key, `None` when there is none.
pub fn string_len(item: Option<Item<'_>>) -> Result<Option<usize>, Error> {
    match item {
        None => Ok(None),
        Some(item) if item.kind != Type::String => Err(Error::WRONG_TYPE),
        Some(item) => Ok(Some(text(&item.value, &mut itoa::Buffer::new()).len())),
    }
}

/// The length that a string of `len` bytes has after writing `more` at its end, if that is allowed.
pub fn checked_len(cx: &Context<'_>, len: u64, more: usize) -> Result<usize, Error> {
    let sum = len.checked_add(more as u64).ok_or(Error::STRING_TOO_LONG)?;
    if sum > cx.client.settings.proto_max_bulk_len {
        return Err(Error::STRING_TOO_LONG);
    }
    usize::try_from(sum).map_err(|_| Error::STRING_TOO_LONG)
}

pub fn append(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, more) = (args[1], args[2]);
    let old = string_len(cx.keys.db(cx.client.db).peek(key))?;
    let len = match old {
        None => {
            cx.keys.db(cx.client.db).set(key, more, Ttl::Clear)?;
            more.len()
        }
        Some(old) => {
            let len = checked_len(cx, old as u64, more.len())?;
            cx.keys.db(cx.client.db).string_range_mut(key, len, old..len)?.copy_from_slice(more);
            len
        }
    };
    cx.notify_string("append", key);
    cx.reply.integer(len as i64);
    Ok(())
}

pub fn setrange(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, value) = (args[1], args[3]);
    let offset = args::integer(args[2])?;
    let offset = u64::try_from(offset).map_err(|_| Error::new("ERR offset is out of range"))?;
    let old = string_len(cx.keys.db(cx.client.db).peek(key))?.unwrap_or(0);
    let mut len = old;
    if !value.is_empty() {
        let end = checked_len(cx, offset, value.len())?;
        len = old.max(end);
        cx.keys.db(cx.client.db).string_range_mut(key, len, end - value.len()..end)?.copy_from_slice(value);
        cx.notify_string("setrange", key);
    }
    cx.reply.integer(len as i64);
    Ok(())
}

pub fn incr(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    add(cx, args[1], 1)
}

pub fn decr(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    add(cx, args[1], -1)
}

pub fn incrby(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let by = args::integer(args[2])?;
    add(cx, args[1], by)
}

pub fn decrby(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let by = args::integer(args[2])?;
    add(cx, args[1], by.checked_neg().ok_or(Error::new("ERR decrement would overflow"))?)
}

fn add(cx: &mut Context<'_>, key: &[u8], by: i64) -> CommandResult {
    let new = cx.keys.db(cx.client.db).update_int(key, |old| {
        let old = match old {
            None => 0,
            Some(item) if item.kind != Type::String => return Err(Error::WRONG_TYPE),
            Some(item) => match item.value {
                Value::Int(n) => n,
                Value::Bytes(bytes) => number::parse_i64(bytes).ok_or(Error::NOT_INTEGER)?,
            },
        };
        old.checked_add(by).ok_or(Error::new("ERR increment or decrement would overflow"))
    })?;
    // Whichever way it was counted.
    cx.notify_string("incrby", key);
    cx.reply.integer(new);
    Ok(())
}

pub fn incrbyfloat(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let key = args[1];
    let mut db = cx.keys.db(cx.client.db);
    let old = match db.peek(key) {
        None => Some(LongDouble::from_i64(0)),
        Some(item) if item.kind != Type::String => return Err(Error::WRONG_TYPE),
        Some(item) => match item.value {
            Value::Int(n) => Some(LongDouble::from_i64(n)),
            Value::Bytes(bytes) => LongDouble::parse(bytes),
        },
    };
    let (old, by) = old.zip(LongDouble::parse(args[2])).ok_or(Error::NOT_FLOAT)?;
    let new = old.checked_add(by).ok_or(Error::new("ERR increment would produce NaN or Infinity"))?.to_string();
    db.set_text(key, new.as_bytes(), Ttl::Keep)?;
    cx.notify_string("incrbyfloat", key);
    cx.reply.bulk(new.as_bytes());
    Ok(())
}
