//! LPOP, RPOP, LMPOP.

use super::{bulk, end, limit, notify_removal, pop_event, remove};
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::{integer, is_word},
    },
    keyspace::Type,
    types::{
        home::Home,
        list::{self, End, List},
    },
};

pub fn lpop(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    pop(cx, args, End::Left)
}

pub fn rpop(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    pop(cx, args, End::Right)
}

fn pop(cx: &mut Context<'_>, args: &Args<'_>, end: End) -> CommandResult {
    let key = args[1];
    let count = match args[2..] {
        [] => None,
        [count] => Some(
            integer(count)
                .ok()
                .and_then(|count| u64::try_from(count).ok())
                .ok_or(Error::new("ERR value is out of range, must be positive"))?,
        ),
        _ => return Err(Error::wrong_arity(&cx.command.full_name)),
    };
    let Some(count) = count else {
        if !pop_one(cx, key, end, false)? {
            cx.reply.null();
        }
        return Ok(());
    };
    let is_there = is_there(cx, key)?;
    match count {
        0 if is_there => {
            cx.reply.array(0);
            Ok(())
        }
        _ if is_there => pop_some(cx, key, end, count),
        _ => {
            cx.reply.null_array();
            Ok(())
        }
    }
}

/// Whether there is a list at the key.
pub(super) fn is_there(cx: &mut Context<'_>, key: &[u8]) -> Result<bool, Error> {
    Ok(cx.keys.db(cx.client.db).cell(key, Type::List)?.is_some())
}

/// Pops one element and answers it, in an array behind the key if `with_key`; false if there is none.
pub(super) fn pop_one(cx: &mut Context<'_>, key: &[u8], end: End, with_key: bool) -> Result<bool, Error> {
    let limit = limit(cx);
    let mut db = cx.keys.db(cx.client.db);
    let Some(mut cell) = db.cell(key, Type::List)? else { return Ok(false) };
    if with_key {
        cx.reply.array(2);
        cx.reply.bulk(key);
    }
    let is_empty = list::pop(&mut cell, end, limit, &mut |value| bulk(cx.reply, &value))? == 0;
    if is_empty {
        db.remove(key);
        db.count_one_less(key);
    }
    notify_removal(cx, key, pop_event(end), is_empty);
    Ok(true)
}

/// Pops up to `count` elements of a list that is there, in the order in which they come from that end.
pub(super) fn pop_some(cx: &mut Context<'_>, key: &[u8], end: End, count: u64) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let Some(cell) = db.cell(key, Type::List)? else { return Ok(()) };
    let list = List::new(cell.view());
    let ranks = list.ranks_at(end, count);
    let count = (ranks.end - ranks.start) as usize;
    cx.reply.array(count);
    match end {
        End::Left => list.iter(0).take(count).for_each(|element| bulk(cx.reply, &element.first())),
        End::Right => list.iter_back().take(count).for_each(|element| bulk(cx.reply, &element.first())),
    }
    remove(cx, key, &[ranks], pop_event(end))
}

pub fn lmpop(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let request = Request::parse(&args[1..])?;
    for key in request.keys {
        if is_there(cx, key)? {
            return request.pop(cx, key);
        }
    }
    cx.reply.null_array();
    Ok(())
}

/// What LMPOP and BLMPOP ask for.
pub(super) struct Request<'r, 'a> {
    pub keys: &'r [&'a [u8]],
    end: End,
    count: u64,
}

impl<'r, 'a> Request<'r, 'a> {
    /// Parses `numkeys key [key ...] <LEFT | RIGHT> [COUNT count]`.
    pub fn parse(words: &'r [&'a [u8]]) -> Result<Self, Error> {
        let positive = |word: &[u8], text| {
            integer(word).ok().and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0).ok_or(Error::new(text))
        };
        let (number, rest) = words.split_first().ok_or(Error::SYNTAX)?;
        let number = positive(number, "ERR numkeys should be greater than 0")?;
        let number = usize::try_from(number).ok().filter(|number| *number < rest.len()).ok_or(Error::SYNTAX)?;
        let (keys, rest) = rest.split_at(number);
        let end = end(rest[0])?;
        let count = match rest[1..] {
            [] => 1,
            [word, count, ref more @ ..] if is_word(word, "count") => {
                let count = positive(count, "ERR count should be greater than 0")?;
                if !more.is_empty() {
                    return Err(Error::SYNTAX);
                }
                count
            }
            _ => return Err(Error::SYNTAX),
        };
        Ok(Request { keys, end, count })
    }

    /// Pops from a list that is there.
    pub fn pop(&self, cx: &mut Context<'_>, key: &[u8]) -> CommandResult {
        cx.reply.array(2);
        cx.reply.bulk(key);
        pop_some(cx, key, self.end, self.count)
    }
}
