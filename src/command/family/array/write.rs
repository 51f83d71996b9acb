//! ARSET, ARMSET, ARDEL, ARDELRANGE.

use super::{index, notify_change};
use crate::{
    arena::ArenaFull,
    command::{Args, CommandResult, Context, Error},
    keyspace::{Cell, Type},
    types::{
        array::{self, Array, INDEX_MAX},
        home::Home,
    },
};

pub fn arset(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (start, values) = (index(args[2])?, &args[3..]);
    let last = start.checked_add(values.len() as u64 - 1).filter(|last| *last <= INDEX_MAX);
    last.ok_or(Error::new("ERR array index overflow"))?;
    let new = change(cx, args[1], |home| array::set(home, start, values))?;
    notify_change(cx, "arset", args[1], false);
    cx.reply.integer(new as i64);
    Ok(())
}

pub fn armset(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (pairs, []) = args[2..].as_chunks::<2>() else { return Err(Error::wrong_arity(cx.spec.name)) };
    let pairs = pairs.iter().map(|[at, value]| Ok((index(at)?, *value))).collect::<Result<Vec<_>, Error>>()?;
    let new = change(cx, args[1], |home| {
        pairs.iter().try_fold(0, |new, (index, value)| Ok(new + array::set(home, *index, &[value])?))
    })?;
    notify_change(cx, "armset", args[1], false);
    cx.reply.integer(new as i64);
    Ok(())
}

/// Changes an array, which is made if there is none. One that was made for nothing goes again.
pub(super) fn change<R>(
    cx: &mut Context<'_>,
    key: &[u8],
    with: impl FnOnce(&mut Cell<'_>) -> Result<R, ArenaFull>,
) -> Result<R, Error> {
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell_or(key, array::EMPTY)?;
    let changed = with(&mut cell);
    if changed.is_err() && Array::new(cell.view()).is_empty() {
        db.remove(key);
    }
    Ok(changed?)
}

pub fn ardel(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let indexes = args[2..].iter().map(|arg| index(arg)).collect::<Result<Vec<u64>, Error>>()?;
    remove(cx, args[1], "ardel", |home| {
        indexes.iter().try_fold(0, |removed, index| Ok(removed + u64::from(array::remove(home, *index)?)))
    })
}

pub fn ardelrange(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (pairs, []) = args[2..].as_chunks::<2>() else { return Err(Error::wrong_arity(cx.spec.name)) };
    let ranges =
        pairs.iter().map(|[start, end]| Ok((index(start)?, index(end)?))).collect::<Result<Vec<_>, Error>>()?;
    remove(cx, args[1], "ardelrange", |home| {
        ranges.iter().try_fold(0, |removed, (start, end)| {
            Ok(removed + array::remove_range(home, *start.min(end), *start.max(end))?)
        })
    })
}

/// Removes values, and the array with the last one; answers how many there were.
fn remove(
    cx: &mut Context<'_>,
    key: &[u8],
    event: &str,
    with: impl FnOnce(&mut Cell<'_>) -> Result<u64, ArenaFull>,
) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let Some(mut cell) = db.cell(key, Type::Array)? else {
        cx.reply.integer(0);
        return Ok(());
    };
    let removed = with(&mut cell)?;
    let is_empty = Array::new(cell.view()).is_empty();
    if is_empty {
        db.remove(key);
    }
    if removed > 0 {
        notify_change(cx, event, key, is_empty);
    }
    cx.reply.unsigned(removed);
    Ok(())
}
