//! Commands that change fields.

use super::read::forget_quietly;
use crate::{
    command::{Args, CommandResult, Context, Error, args},
    keyspace::Type,
    types::{
        hash::{self, FieldTtl, Hash, Limits},
        home::Home,
        packed::Entry,
    },
    util::{long_double::LongDouble, number},
};
use smallvec::SmallVec;

pub(super) fn limits(cx: &Context<'_>) -> Limits {
    Limits::of(&cx.client.settings)
}

/// Sets fields; answers how many are new.
fn set(cx: &mut Context<'_>, args: &Args<'_>) -> Result<i64, Error> {
    if !args.len().is_multiple_of(2) {
        return Err(Error::wrong_arity(cx.spec.name));
    }
    let limits = limits(cx);
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell_or(args[1], hash::EMPTY)?;
    let mut added = 0;
    for pair in args[2..].chunks_exact(2) {
        added += i64::from(hash::set(&mut cell, pair[0], pair[1], FieldTtl::Clear, limits)?);
    }
    cx.notify_fields("hset", args[1], args[2..].iter().step_by(2).copied());
    Ok(added)
}

pub fn hset(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let added = set(cx, args)?;
    cx.reply.integer(added);
    Ok(())
}

pub fn hmset(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    set(cx, args)?;
    cx.reply.ok();
    Ok(())
}

pub fn hsetnx(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let now = cx.keys.judged_at();
    let mut db = cx.keys.db(cx.client.db);
    let hash = db.view_to_change(args[1], Type::Hash)?.map(|view| Hash::at(view, now));
    let found = hash.is_some_and(|hash| hash.get(args[2]).is_some());
    if !found {
        if hash.is_some_and(|hash| hash.some_expired()) {
            forget_quietly(cx, args[1], &args[2..3])?;
        }
        set(cx, args)?;
    }
    cx.reply.integer((!found).into());
    Ok(())
}

pub fn hdel(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let key = args[1];
    let mut db = cx.keys.db(cx.client.db);
    let Some(mut cell) = db.cell(key, Type::Hash)? else {
        cx.reply.integer(0);
        return Ok(());
    };
    let mut removed: SmallVec<[&[u8]; 8]> = SmallVec::new();
    for field in &args[2..] {
        if hash::remove(&mut cell, field)? {
            removed.push(field);
        }
    }
    let is_empty = Hash::new(cell.view()).is_empty();
    if !removed.is_empty() {
        cx.notify_fields("hdel", key, removed.iter().copied());
    }
    if is_empty {
        cx.keys.db(cx.client.db).remove(key);
        cx.notify_generic("del", key);
    }
    cx.reply.integer(removed.len() as i64);
    Ok(())
}

/// What a field holds: `None` when there is no such field.
fn value<T>(
    cx: &mut Context<'_>,
    key: &[u8],
    field: &[u8],
    read: impl FnOnce(Entry<'_>) -> Option<T>,
    otherwise: &'static str,
) -> Result<Option<T>, Error> {
    let now = cx.keys.judged_at();
    let mut db = cx.keys.db(cx.client.db);
    let hash = db.view_to_change(key, Type::Hash)?.map(|view| Hash::at(view, now));
    if let Some(entry) = hash.and_then(|hash| hash.get(field)) {
        return read(entry).map(Some).ok_or(Error::new(otherwise));
    }
    if hash.is_some_and(|hash| hash.some_expired()) {
        forget_quietly(cx, key, &[field])?;
    }
    Ok(None)
}

/// Stores what an increment gave.
fn store(cx: &mut Context<'_>, args: &Args<'_>, value: &[u8], event: &str) -> CommandResult {
    let (limits, now) = (limits(cx), cx.keys.judged_at());
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell_or(args[1], hash::EMPTY)?;
    // The field keeps its expiry, unless that has passed.
    cell.expire_field(args[2], now)?;
    hash::set(&mut cell, args[2], value, FieldTtl::Keep, limits)?;
    cx.notify_fields(event, args[1], std::iter::once(args[2]));
    Ok(())
}

pub fn hincrby(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let by = args::integer(args[3])?;
    let integer = |entry: Entry<'_>| match entry {
        Entry::Int(n) => Some(n),
        Entry::Text(text) => number::parse_i64(text),
    };
    let old = value(cx, args[1], args[2], integer, "ERR hash value is not an integer")?.unwrap_or(0);
    let new = old.checked_add(by).ok_or(Error::new("ERR increment or decrement would overflow"))?;
    store(cx, args, itoa::Buffer::new().format(new).as_bytes(), "hincrby")?;
    cx.reply.integer(new);
    Ok(())
}

pub fn hincrbyfloat(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let by = LongDouble::parse(args[3]).ok_or(Error::NOT_FLOAT)?;
    if !by.is_finite() {
        return Err(Error::new("ERR value is NaN or Infinity"));
    }
    let float = |entry: Entry<'_>| match entry {
        Entry::Int(n) => Some(LongDouble::from_i64(n)),
        Entry::Text(text) => LongDouble::parse(text),
    };
    let old = value(cx, args[1], args[2], float, "ERR hash value is not a float")?;
    let new = old.unwrap_or(LongDouble::from_i64(0)).checked_add(by);
    let new = new.ok_or(Error::new("ERR increment would produce NaN or Infinity"))?.to_string();
    store(cx, args, new.as_bytes(), "hincrbyfloat")?;
    cx.reply.bulk(new.as_bytes());
    Ok(())
}
