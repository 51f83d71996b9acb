//! Commands that look at fields.

use crate::{
    command::{
        Args, CommandResult, Context, Error,
        family::collection::{ScanOptions, bulk},
    },
    keyspace::Type,
    types::{hash::Hash, packed::Element},
};

/// Runs `read` on the hash at a key, if there is one.
fn with<R>(cx: &mut Context<'_>, key: &[u8], read: impl FnOnce(Hash<'_>) -> R) -> Result<Option<R>, Error> {
    Ok(cx.keys.db(cx.client.db).view(key, Type::Hash)?.map(|view| read(Hash::new(view))))
}

pub fn hget(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    match db.view(args[1], Type::Hash)?.and_then(|view| Hash::new(view).get(args[2])) {
        Some(value) => bulk(cx.reply, &value),
        None => cx.reply.null(),
    }
    Ok(())
}

pub fn hmget(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let hash = db.view(args[1], Type::Hash)?.map(Hash::new);
    cx.reply.array(args.len() - 2);
    for field in &args[2..] {
        match hash.and_then(|hash| hash.get(field)) {
            Some(value) => bulk(cx.reply, &value),
            None => cx.reply.null(),
        }
    }
    Ok(())
}

pub fn hexists(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let found = with(cx, args[1], |hash| hash.get(args[2]).is_some())?.unwrap_or(false);
    cx.reply.integer(found.into());
    Ok(())
}

pub fn hstrlen(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let len = with(cx, args[1], |hash| hash.get(args[2]).map_or(0, |value| value.text_len()))?;
    cx.reply.integer(len.unwrap_or(0) as i64);
    Ok(())
}

pub fn hlen(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let len = with(cx, args[1], |hash| hash.len())?;
    cx.reply.integer(len.unwrap_or(0) as i64);
    Ok(())
}

pub fn hgetall(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let Some(hash) = db.view(args[1], Type::Hash)?.map(Hash::new) else {
        cx.reply.map(0);
        return Ok(());
    };
    cx.reply.map(hash.len() as usize);
    for element in hash.iter() {
        bulk(cx.reply, &element.first());
        bulk(cx.reply, &element.second());
    }
    Ok(())
}

/// Answers one entry of each element.
fn list(cx: &mut Context<'_>, key: &[u8], entry: usize) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let hash = db.view(key, Type::Hash)?.map(Hash::new);
    cx.reply.array(hash.map_or(0, |hash| hash.len() as usize));
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
    let options = ScanOptions::parse(args, 2, "novalues")?;
    let mut db = cx.keys.db(cx.client.db);
    let hash = db.view(args[1], Type::Hash)?.map(Hash::new);
    let mut found: Vec<Element<'_>> = Vec::new();
    let next = hash.map_or(0, |hash| {
        hash.scan(options.cursor, options.count, &mut |element| {
            if options.matches_entry(&element.first()) {
                found.push(element);
            }
        })
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
