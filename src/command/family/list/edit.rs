//! LSET, LREM, LTRIM.

use super::{limit, remove};
use crate::{
    command::{Args, CommandResult, Context, Error, args::integer},
    config::KeyspaceEvents,
    keyspace::Type,
    types::{
        home::Home,
        list::{self, End, List},
    },
};

const INDEX_OUT_OF_RANGE: Error = Error::new("ERR index out of range");

pub fn lset(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let limit = limit(cx);
    let mut db = cx.keys.db(cx.client.db);
    let Some(mut cell) = db.cell(args[1], Type::List)? else { return Err(Error::NO_SUCH_KEY) };
    let list = List::new(cell.view());
    let rank = list.rank(integer(args[2])?).filter(|rank| *rank < list.len()).ok_or(INDEX_OUT_OF_RANGE)?;
    list::set(&mut cell, rank, args[3], limit)?;
    list::shrink(&mut cell, limit)?;
    cx.notify(KeyspaceEvents::LIST, "lset", args[1]);
    cx.reply.ok();
    Ok(())
}

pub fn lrem(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, value) = (args[1], args[3]);
    let count = integer(args[2])?;
    if count == i64::MIN {
        return Err(Error::NO_OPPOSITE);
    }
    let limit = limit(cx);
    let mut db = cx.keys.db(cx.client.db);
    let Some(mut cell) = db.cell(key, Type::List)? else {
        cx.reply.integer(0);
        return Ok(());
    };
    let from = if count < 0 { End::Right } else { End::Left };
    let most = if count == 0 { u64::MAX } else { count.unsigned_abs() };
    let removed = list::remove_equal(&mut cell, value, from, most)?;
    if removed > 0 {
        let is_empty = List::new(cell.view()).is_empty();
        if is_empty {
            db.remove(key);
        } else {
            list::shrink(&mut cell, limit)?;
        }
        cx.notify(KeyspaceEvents::LIST, "lrem", key);
        if is_empty {
            cx.notify_generic("del", key);
        }
    }
    cx.reply.integer(removed as i64);
    Ok(())
}

pub fn ltrim(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    let mut db = cx.keys.db(cx.client.db);
    if let Some(cell) = db.cell(args[1], Type::List)? {
        let list = List::new(cell.view());
        let (kept, len) = (list.ranks(start, stop), list.len());
        // From the end: so the other range is still what it was.
        remove(cx, args[1], &[kept.end..len, 0..kept.start], "ltrim")?;
    }
    cx.reply.ok();
    Ok(())
}
