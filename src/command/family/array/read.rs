//! ARGET, ARMGET, ARGETRANGE, ARSCAN, ARLEN, ARCOUNT.

use super::{index, limit, value};
use crate::{
    command::{Args, CommandResult, Context, Error, args::is_word},
    keyspace::Type,
    types::array::{Array, index_of},
};

/// Indexes that ARGETRANGE answers, at most: their number is the client's, not that of the values.
const RANGE_MAX: u64 = 1_000_000;

pub fn arget(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let array = db.view(args[1], Type::Array)?.map(Array::new);
    let index = index(args[2])?;
    value(cx.reply, array.and_then(|array| array.get(index)));
    Ok(())
}

pub fn armget(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let array = db.view(args[1], Type::Array)?.map(Array::new);
    let indexes = args[2..].iter().map(|arg| index(arg)).collect::<Result<Vec<u64>, Error>>()?;
    cx.reply.array(indexes.len());
    for index in indexes {
        value(cx.reply, array.and_then(|array| array.get(index)));
    }
    Ok(())
}

pub fn argetrange(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (start, end) = (index(args[2])?, index(args[3])?);
    let mut db = cx.keys.db(cx.client.db);
    let array = db.view(args[1], Type::Array)?.map(Array::new);
    let len = start.abs_diff(end) + 1;
    if len > RANGE_MAX {
        return Err(Error::text(format!("ERR range exceeds maximum of {RANGE_MAX} items")));
    }
    cx.reply.array(len as usize);
    match array {
        Some(array) => array.span(start, end).for_each(|one| value(cx.reply, one)),
        None => (0..len).for_each(|_| cx.reply.null()),
    }
    Ok(())
}

pub fn arscan(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (start, end) = (index(args[2])?, index(args[3])?);
    let most = match &args[4..] {
        [] => usize::MAX,
        [word, count] if is_word(word, "limit") => limit(count)?,
        [_, _] => return Err(Error::SYNTAX),
        _ => return Err(Error::wrong_arity(cx.spec.name)),
    };
    let mut db = cx.keys.db(cx.client.db);
    let array = db.view(args[1], Type::Array)?.map(Array::new);
    let elements = || array.into_iter().flat_map(|array| array.between(start, end)).take(most);
    cx.reply.array(elements().count());
    for element in elements() {
        cx.reply.array(2);
        cx.reply.unsigned(index_of(&element));
        value(cx.reply, Some(element.second()));
    }
    Ok(())
}

pub fn arlen(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    number(cx, args, |array| array.len())
}

pub fn arcount(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    number(cx, args, |array| array.count())
}

fn number(cx: &mut Context<'_>, args: &Args<'_>, of: impl FnOnce(Array<'_>) -> u64) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let number = db.view(args[1], Type::Array)?.map_or(0, |view| of(Array::new(view)));
    cx.reply.unsigned(number);
    Ok(())
}
