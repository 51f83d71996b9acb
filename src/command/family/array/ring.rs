//! ARINSERT, ARRING, ARNEXT, ARSEEK, ARLASTITEMS: values in the order in which they are inserted.

use super::{INVALID_INDEX, notify_change, value, write::change};
use crate::{
    command::{Args, CommandResult, Context, Error, args::is_word},
    keyspace::Type,
    types::{
        array::{self, Array, Cursor, INDEX_MAX},
        home::Home,
        packed::Entry,
    },
    util::number::{parse_i64, parse_u64},
};

pub fn arinsert(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    const OVERFLOW: Error = Error::new("ERR insert index overflow");
    let values = &args[2..];
    let mut db = cx.keys.db(cx.client.db);
    let cursor = db.cell(args[1], Type::Array)?.map_or(Cursor::NONE, |cell| Array::new(cell.view()).cursor());
    let start = cursor.next().ok_or(OVERFLOW)?;
    let last = start.checked_add(values.len() as u64 - 1).filter(|last| *last <= INDEX_MAX).ok_or(OVERFLOW)?;
    change(cx, args[1], |home| {
        array::set(home, start, values)?;
        array::seek(home, Cursor(last))
    })?;
    notify_change(cx, "arinsert", args[1], false);
    cx.reply.unsigned(last);
    Ok(())
}

pub fn arring(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let size = parse_i64(args[2]).ok_or(Error::new("ERR invalid size"))?;
    let size = u64::try_from(size).ok().filter(|size| *size > 0);
    let size = size.ok_or(Error::new("ERR size must be positive"))?;
    let last = change(cx, args[1], |home| array::ring(home, size, &args[3..]))?;
    notify_change(cx, "arring", args[1], false);
    cx.reply.unsigned(last);
    Ok(())
}

pub fn arnext(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let cursor = db.view(args[1], Type::Array)?.map_or(Cursor::NONE, |view| Array::new(view).cursor());
    match cursor.next() {
        Some(next) => cx.reply.unsigned(next),
        None => cx.reply.null(),
    }
    Ok(())
}

pub fn arseek(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    // No value can be at the greatest number, but the next one be expected there: then none can be inserted.
    let index = parse_u64(args[2]).ok_or(INVALID_INDEX)?;
    let mut db = cx.keys.db(cx.client.db);
    let Some(mut cell) = db.cell(args[1], Type::Array)? else {
        cx.reply.integer(0);
        return Ok(());
    };
    array::seek(&mut cell, Cursor::before(index))?;
    notify_change(cx, "arseek", args[1], false);
    cx.reply.integer(1);
    Ok(())
}

pub fn arlastitems(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let count = parse_i64(args[2]).ok_or(Error::new("ERR invalid COUNT"))?;
    let Some(count) = u64::try_from(count).ok().filter(|count| *count > 0) else {
        cx.reply.array(0);
        return Ok(());
    };
    let newest_first = match &args[3..] {
        [] => false,
        [word] if is_word(word, "rev") => true,
        [_] => return Err(Error::SYNTAX),
        _ => return Err(Error::wrong_arity(cx.spec.name)),
    };
    let mut db = cx.keys.db(cx.client.db);
    let Some(array) = db.view(args[1], Type::Array)?.map(Array::new) else {
        cx.reply.array(0);
        return Ok(());
    };
    let mut values = last_items(&array, count.min(array.count()));
    if !newest_first {
        values.reverse();
    }
    cx.reply.array(values.len());
    values.into_iter().for_each(|one| value(cx.reply, one));
    Ok(())
}

/// The values of so many indexes before the cursor, the last first; before the first index comes the last one that has
/// a value. There are no more than values.
fn last_items<'a>(array: &Array<'a>, count: u64) -> Vec<Option<Entry<'a>>> {
    let last = array.len().saturating_sub(1);
    let newest = if array.cursor() == Cursor::NONE { last } else { array.cursor().0 };
    let around = (newest < last).then(|| array.span(last, newest + 1)).into_iter().flatten();
    array.span(newest, 0).chain(around).take(usize::try_from(count).unwrap_or(usize::MAX)).collect()
}
