//! Commands that look at fields.

use super::fields::Change;
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        family::collection::{ScanOptions, bulk, nothing_scanned, scan_cursor},
    },
    keyspace::Type,
    types::{hash::Hash, packed::Element},
};

/// Runs `read` on the hash at a key, if there is one.
fn with<R>(cx: &mut Context<'_>, key: &[u8], read: impl FnOnce(Hash<'_>) -> R) -> Result<Option<R>, Error> {
    let now = cx.keys.judged_at();
    Ok(cx.keys.db(cx.client.db).view(key, Type::Hash)?.map(|view| read(Hash::at(view, now))))
}

/// Removes those of the fields that were asked for whose time has passed.
pub(super) fn forget(cx: &mut Context<'_>, key: &[u8], names: &[&[u8]]) -> CommandResult {
    let now = cx.keys.judged_at();
    let mut db = cx.keys.db(cx.client.db);
    if db.holds_removals() {
        return Ok(());
    }
    let Some(mut cell) = db.cell(key, Type::Hash)? else { return Ok(()) };
    let mut change = Change::default();
    for name in names {
        if cell.expire_field(name, now)? {
            change.expired.push(name);
        }
    }
    if !change.expired.is_empty() {
        change.tell(cx, key, "");
    }
    Ok(())
}

pub fn hget(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let now = cx.keys.judged_at();
    let mut db = cx.keys.db(cx.client.db);
    let hash = db.view(args[1], Type::Hash)?.map(|view| Hash::at(view, now));
    match hash.and_then(|hash| hash.get(args[2])) {
        Some(value) => bulk(cx.reply, &value),
        None => cx.reply.null(),
    }
    if hash.is_some_and(|hash| hash.some_expired()) { forget(cx, args[1], &args[2..]) } else { Ok(()) }
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
    if hash.is_some_and(|hash| hash.some_expired()) { forget(cx, args[1], &args[2..]) } else { Ok(()) }
}

pub fn hexists(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let found = with(cx, args[1], |hash| hash.get(args[2]).is_some())?.unwrap_or(false);
    cx.reply.integer(found.into());
    if found { Ok(()) } else { forget(cx, args[1], &args[2..]) }
}

pub fn hstrlen(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let len = with(cx, args[1], |hash| hash.get(args[2]).map_or(0, |value| value.text_len()))?;
    cx.reply.integer(len.unwrap_or(0) as i64);
    if len == Some(0) { forget(cx, args[1], &args[2..]) } else { Ok(()) }
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
