//! Commands that answer a string or part of it.

use super::text;
use crate::command::{
    Args, CommandResult, Context, Error, Reply,
    args::{self, TimeUnit},
};
use crate::config::KeyspaceEvents;
use crate::keyspace::{Item, Type};

/// Answers a string value as a bulk string, null when there is none.
pub(super) fn answer(reply: &mut dyn Reply, item: Option<&Item<'_>>) -> CommandResult {
    match item {
        None => reply.null(),
        Some(item) if item.kind != Type::String => return Err(Error::WRONG_TYPE),
        Some(item) => reply.value(text(&item.value, &mut itoa::Buffer::new())),
    }
    Ok(())
}

pub fn get(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    answer(cx.reply, db.read(args[1]).as_ref())
}

pub fn mget(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.reply.array(args.len() - 1);
    let mut db = cx.keys.db(cx.client.db);
    for key in &args[1..] {
        match db.read(key) {
            Some(item) if item.kind == Type::String => cx.reply.value(text(&item.value, &mut itoa::Buffer::new())),
            _ => cx.reply.null(),
        }
    }
    Ok(())
}

pub fn getdel(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    answer(cx.reply, db.read(args[1]).as_ref())?;
    if db.remove(args[1]) {
        cx.notify_generic("del", args[1]);
    }
    Ok(())
}

/// What GETEX does to the time to live.
#[derive(Clone, Copy)]
enum Change<'a> {
    None,
    Persist,
    At(TimeUnit, &'a [u8]),
}

impl<'a> Change<'a> {
    /// The same option may be given again; of several moments the last counts.
    fn parse(args: &Args<'a>) -> Result<Self, Error> {
        let mut change = Change::None;
        let mut rest = args;
        while let [word, after @ ..] = rest {
            change = match (TimeUnit::of_word(word), change, after) {
                (None, Change::None | Change::Persist, _) if args::is_word(word, "persist") => Change::Persist,
                (Some(unit), Change::None, [amount, ..]) => Change::At(unit, amount),
                (Some(unit), Change::At(other, _), [amount, ..]) if other == unit => Change::At(unit, amount),
                _ => return Err(Error::SYNTAX),
            };
            rest = if let Change::At(..) = change { &after[1..] } else { after };
        }
        Ok(change)
    }
}

pub fn getex(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let change = Change::parse(&args[2..])?;
    let mut db = cx.keys.db(cx.client.db);
    let Some(item) = db.read(args[1]) else {
        cx.reply.null();
        return Ok(());
    };
    let had_expiry = item.expiry.is_some();
    if item.kind != Type::String {
        return Err(Error::WRONG_TYPE);
    }
    // The moment is looked at only when the key exists.
    let expiry = match change {
        Change::At(unit, amount) => Some(unit.moment(amount, cx.now, "getex")?),
        Change::None | Change::Persist => None,
    };
    let passed = expiry.is_some_and(|at| at <= cx.now && !cx.client.settings.import_mode);
    answer(cx.reply, Some(&item))?;
    match (change, expiry) {
        (Change::At(..), _) if passed => {
            db.expire(args[1]);
            cx.notify(KeyspaceEvents::EXPIRED, "expired", args[1]);
        }
        (Change::At(..), at) => {
            db.set_expiry(args[1], at)?;
            cx.notify_generic("expire", args[1]);
        }
        (Change::Persist, _) if had_expiry => {
            db.set_expiry(args[1], None)?;
            cx.notify_generic("persist", args[1]);
        }
        _ => {}
    }
    Ok(())
}

pub fn strlen(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let len = match db.read(args[1]) {
        None => 0,
        Some(item) if item.kind != Type::String => return Err(Error::WRONG_TYPE),
        Some(item) => text(&item.value, &mut itoa::Buffer::new()).len(),
    };
    cx.reply.integer(len as i64);
    Ok(())
}

pub fn getrange(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (start, end) = (args::integer(args[2])?, args::integer(args[3])?);
    let mut db = cx.keys.db(cx.client.db);
    match db.read(args[1]) {
        None => cx.reply.bulk(b""),
        Some(item) if item.kind != Type::String => return Err(Error::WRONG_TYPE),
        Some(item) => cx.reply.value(slice(text(&item.value, &mut itoa::Buffer::new()), start, end)),
    }
    Ok(())
}

/// The bytes from `start` to `end` (inclusive), where negative numbers count from the end.
fn slice(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    let len = bytes.len() as i64;
    // Two negative ends that cross mean nothing, even where clamping would make them meet.
    if start < 0 && end < 0 && start > end {
        return b"";
    }
    let absolute = |at: i64| if at < 0 { at.saturating_add(len).max(0) } else { at };
    let (start, end) = (absolute(start), absolute(end).min(len - 1));
    if start > end { b"" } else { &bytes[start as usize..=end as usize] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(start: i64, end: i64, expected: &str) {
        assert_eq!(String::from_utf8_lossy(slice(b"Hello World", start, end)), expected, "{start} {end}");
    }

    #[test]
    fn slices() {
        check(0, 3, "Hell");
        check(0, -1, "Hello World");
        check(-4, -1, "orld");
        check(5, 3, "");
        check(5, 5000, " World");
        check(-5000, 10000, "Hello World");
        check(-5000, -4999, "H");
        check(-4999, -5000, "");
        check(i64::MIN, i64::MAX, "Hello World");
        assert_eq!(slice(b"", 0, -1), b"");
    }
}
