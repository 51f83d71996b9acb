//! Times to live.

use super::generic::look;
use crate::{
    command::{Args, CommandResult, Context, Error},
    config::KeyspaceEvents,
    util::number::parse_i64,
};

/// From the given number to Unix milliseconds.
#[derive(Clone, Copy)]
struct Unit {
    command: &'static str,
    seconds: bool,
    relative: bool,
}

pub fn expire(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    set(cx, args, Unit { command: "expire", seconds: true, relative: true })
}

pub fn pexpire(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    set(cx, args, Unit { command: "pexpire", seconds: false, relative: true })
}

pub fn expireat(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    set(cx, args, Unit { command: "expireat", seconds: true, relative: false })
}

pub fn pexpireat(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    set(cx, args, Unit { command: "pexpireat", seconds: false, relative: false })
}

/// On which time to live there is now the new one is set.
#[derive(Clone, Copy, Default)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn read(words: &Args<'_>) -> Result<Condition, Error> {
        let mut condition = Condition::default();
        for word in words {
            match word.to_ascii_lowercase().as_slice() {
                b"nx" => condition.nx = true,
                b"xx" => condition.xx = true,
                b"gt" => condition.gt = true,
                b"lt" => condition.lt = true,
                _ => return Err(Error::quoting("ERR Unsupported option ", word, "")),
            }
        }
        let Condition { nx, xx, gt, lt } = condition;
        if nx && (xx || gt || lt) {
            return Err(Error::new("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if gt && lt {
            return Err(Error::new("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(condition)
    }

    /// A key without a time to live counts as living for ever.
    fn holds(self, current: Option<i64>, new: i64) -> bool {
        !(self.nx && current.is_some()
            || self.xx && current.is_none()
            || self.gt && current.is_none_or(|current| new <= current)
            || self.lt && current.is_some_and(|current| new >= current))
    }
}

fn set(cx: &mut Context<'_>, args: &Args<'_>, unit: Unit) -> CommandResult {
    let condition = Condition::read(&args[3..])?;
    let number = parse_i64(args[2]).ok_or(Error::NOT_INTEGER)?;
    let invalid = || Error::invalid_expire(unit.command);
    let ms = if unit.seconds { number.checked_mul(1000).ok_or_else(invalid)? } else { number };
    let at = if unit.relative { ms.checked_add(cx.now).ok_or_else(invalid)? } else { ms };
    let passed = cx.has_passed(at);
    let mut db = cx.keys.db(cx.client.db);
    let Some(current) = db.peek(args[1]).map(|item| item.expiry) else {
        cx.reply.integer(0);
        return Ok(());
    };
    let set = condition.holds(current, at);
    if set && passed {
        db.expire(args[1]);
        // So Valkey calls it; Redis says `del`.
        cx.notify(KeyspaceEvents::EXPIRED, "expired", args[1]);
    } else if set {
        db.set_expiry(args[1], Some(at))?;
        cx.notify_generic("expire", args[1]);
    }
    cx.reply.integer(set.into());
    Ok(())
}

pub fn persist(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let had = db.peek(args[1]).is_some_and(|item| item.expiry.is_some());
    if had {
        db.set_expiry(args[1], None)?;
        cx.notify_generic("persist", args[1]);
    }
    cx.reply.integer(had.into());
    Ok(())
}

/// Answers what `show` makes of a key's expiry; -2 without a key, -1 without a time to live.
fn show(cx: &mut Context<'_>, args: &Args<'_>, show: impl Fn(i64, i64) -> i64) -> CommandResult {
    let expiry = look(cx, args[1], |item| item.map(|item| item.expiry));
    cx.reply.integer(match expiry {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => show(at, cx.now),
    });
    Ok(())
}

/// Rounded to the nearest second, as Redis does.
fn seconds(ms: i64) -> i64 {
    ms.saturating_add(500) / 1000
}

pub fn ttl(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    show(cx, args, |at, now| seconds((at - now).max(0)))
}

pub fn pttl(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    show(cx, args, |at, now| (at - now).max(0))
}

pub fn expiretime(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    show(cx, args, |at, _| seconds(at))
}

pub fn pexpiretime(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    show(cx, args, |at, _| at)
}
