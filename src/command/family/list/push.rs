//! LPUSH, RPUSH, LPUSHX, RPUSHX, LINSERT.

use super::{limit, push_event};
use crate::{
    command::{Args, CommandResult, Context, Error, args::is_word},
    config::KeyspaceEvents,
    keyspace::Type,
    types::{
        home::Home,
        list::{self, End, List},
        packed,
    },
};

pub fn lpush(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    push(cx, args, End::Left)
}

pub fn rpush(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    push(cx, args, End::Right)
}

pub fn lpushx(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    push_if_there(cx, args, End::Left)
}

pub fn rpushx(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    push_if_there(cx, args, End::Right)
}

fn push_if_there(cx: &mut Context<'_>, args: &Args<'_>, end: End) -> CommandResult {
    if cx.keys.db(cx.client.db).cell(args[1], Type::List)?.is_none() {
        cx.reply.integer(0);
        return Ok(());
    }
    push(cx, args, end)
}

fn push(cx: &mut Context<'_>, args: &Args<'_>, end: End) -> CommandResult {
    let len = push_values(cx, args[1], end, &args[2..])?;
    cx.reply.integer(len as i64);
    Ok(())
}

/// Pushes values one after the other; answers the length of the list then.
pub(super) fn push_values(cx: &mut Context<'_>, key: &[u8], end: End, values: &[&[u8]]) -> Result<u64, Error> {
    let limit = limit(cx);
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell_or(key, list::EMPTY)?;
    let pushed = list::push(&mut cell, end, values, limit);
    if pushed.is_err() && List::new(cell.view()).is_empty() {
        db.remove(key);
    }
    let len = pushed?;
    cx.notify(KeyspaceEvents::LIST, push_event(end), key);
    Ok(len)
}

pub fn linsert(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, pivot, value) = (args[1], args[3], args[4]);
    let after = match args[2] {
        word if is_word(word, "after") => 1,
        word if is_word(word, "before") => 0,
        _ => return Err(Error::SYNTAX),
    };
    let limit = limit(cx);
    let mut db = cx.keys.db(cx.client.db);
    let Some(mut cell) = db.cell(key, Type::List)? else {
        cx.reply.integer(0);
        return Ok(());
    };
    let pivot = packed::encoded(pivot);
    let list = List::new(cell.view());
    let len = list.len();
    let Some(rank) = list.iter(0).position(|element| *element.encoded() == *pivot) else {
        cx.reply.integer(-1);
        return Ok(());
    };
    list::insert(&mut cell, rank as u64 + after, value, limit)?;
    cx.notify(KeyspaceEvents::LIST, "linsert", key);
    cx.reply.integer(len as i64 + 1);
    Ok(())
}
