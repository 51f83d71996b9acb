//! Commands that look at fields.

use super::fields::{Change, Fields};
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        family::collection::{ScanOptions, bulk, nothing_scanned, scan_cursor},
    },
    keyspace::Type,
    types::{hash::Hash, home::Home, packed::Element},
};

/// Runs `read` on the hash at a key, if there is one.
fn with<R>(cx: &mut Context<'_>, key: &[u8], read: impl FnOnce(Hash<'_>) -> R) -> Result<Option<R>, Error> {
    let now = cx.keys.judged_at();
    Ok(cx.keys.db(cx.client.db).view(key, Type::Hash)?.map(|view| read(Hash::at(view, now))))
}

/// Removes those of the fields that were asked for whose time has passed.
pub(super) fn forget<'a>(cx: &mut Context<'_>, key: &[u8], names: impl Iterator<Item = &'a [u8]>) -> CommandResult {
    let (expired, _) = remove_expired(cx, key, names)?;
    Change { expired, ..Change::default() }.tell(cx, key, "");
    Ok(())
}

/// The same, by a command that only looks at fields: when there is none left, the last one to go is
/// told of by the key's end alone.
pub(super) fn forget_quietly(cx: &mut Context<'_>, key: &[u8], names: &[&[u8]]) -> CommandResult {
    let (mut expired, is_empty) = remove_expired(cx, key, names.iter().copied())?;
    if is_empty {
        expired.pop();
    }
    Change { expired, ..Change::default() }.tell(cx, key, "");
    Ok(())
}

/// The fields that were removed, and whether they were the last ones.
fn remove_expired<'a>(
    cx: &mut Context<'_>,
    key: &[u8],
    names: impl Iterator<Item = &'a [u8]>,
) -> Result<(Fields<'a>, bool), Error> {
    let (now, mut expired) = (cx.keys.judged_at(), Fields::new());
    let mut db = cx.keys.db(cx.client.db);
    if db.holds_removals() {
        return Ok((expired, false));
    }
    let Some(mut cell) = db.cell(key, Type::Hash)? else { return Ok((expired, false)) };
    for name in names {
        if cell.expire_field(name, now)? {
            expired.push(name);
        }
    }
    let is_empty = Hash::new(cell.view()).is_empty();
    Ok((expired, is_empty))
}

pub fn hget(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let now = cx.keys.judged_at();
    let mut db = cx.keys.db(cx.client.db);
    let Some(view) = db.view(args[1], Type::Hash)? else {
        cx.reply.null();
        return Ok(());
    };
    let hash = Hash::at(view, now);
    match hash.get(args[2]) {
        Some(value) => bulk(cx.reply, &value),
        None => cx.reply.null(),
    }
    if hash.some_expired() { forget_quietly(cx, args[1], &args[2..]) } else { Ok(()) }
}

pub fn hmget(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let now = cx.keys.judged_at();
    let mut db = cx.keys.db(cx.client.db);
    let hash = db.view(args[1], Type::Hash)?.map(|view| Hash::at(view, now));
    cx.reply.array(args.len() - 2);
    for field in &args[2..] {
        match hash.and_then(|hash| hash.get(field)) {
            Some(value) => bulk(cx.reply, &value),
            None => cx.reply.null(),
        }
    }
    if hash.is_some_and(|hash| hash.some_expired()) { forget_quietly(cx, args[1], &args[2..]) } else { Ok(()) }
}

pub fn hexists(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let found = with(cx, args[1], |hash| hash.get(args[2]).is_some())?.unwrap_or(false);
    cx.reply.integer(found.into());
    if found { Ok(()) } else { forget_quietly(cx, args[1], &args[2..]) }
}

pub fn hstrlen(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let len = with(cx, args[1], |hash| hash.get(args[2]).map_or(0, |value| value.text_len()))?;
    cx.reply.integer(len.unwrap_or(0) as i64);
    if len == Some(0) { forget_quietly(cx, args[1], &args[2..]) } else { Ok(()) }
}

pub fn hlen(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let len = with(cx, args[1], |hash| hash.len())?;
    cx.reply.integer(len.unwrap_or(0) as i64);
    Ok(())
}

pub fn hgetall(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let now = cx.keys.judged_at();
    let mut db = cx.keys.db(cx.client.db);
    let Some(hash) = db.view(args[1], Type::Hash)?.map(|view| Hash::at(view, now)) else {
        cx.reply.map(0);
        return Ok(());
    };
    cx.reply.map(hash.live() as usize);
    for element in hash.iter() {
        bulk(cx.reply, &element.first());
        bulk(cx.reply, &element.second());
    }
    Ok(())
}

/// Answers one entry of each element.
fn list(cx: &mut Context<'_>, key: &[u8], entry: usize) -> CommandResult {
    let now = cx.keys.judged_at();
    let mut db = cx.keys.db(cx.client.db);
    let hash = db.view(key, Type::Hash)?.map(|view| Hash::at(view, now));
    cx.reply.array(hash.map_or(0, |hash| hash.live() as usize));
    hash.iter().flat_map(Hash::iter).for_each(|element| bulk(cx.reply, &element.nth(entry)));
    Ok(())
}

pub fn hkeys(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    list(cx, args[1], 0)
}

pub fn hvals(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    list(cx, args[1], 1)
}

pub fn hscan(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    scan_cursor(args[2])?;
    let now = cx.keys.judged_at();
    let mut db = cx.keys.db(cx.client.db);
    let Some(view) = db.view(args[1], Type::Hash)? else { return nothing_scanned(cx.reply) };
    let options = ScanOptions::parse(args, 2, "novalues")?;
    let mut found: Vec<Element<'_>> = Vec::new();
    let next = Hash::at(view, now).scan(options.cursor, options.count, &mut |element| {
        if options.matches_entry(&element.first()) {
            found.push(element);
        }
    });
    cx.reply.array(2);
    cx.reply.bulk(next.to_string().as_bytes());
    cx.reply.array(found.len() * if options.names_only { 1 } else { 2 });
    for element in found {
        bulk(cx.reply, &element.first());
        if !options.names_only {
            bulk(cx.reply, &element.second());
        }
    }
    Ok(())
}
