//! Fields' times to live.

use super::fields;
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::{TimeUnit, integer, is_word},
    },
    keyspace::Type,
    types::{
        hash::{self, Hash},
        home::Home,
    },
    util::clock::UnixMillis,
};

/// The latest moment at which a field may expire.
const LATEST: i64 = (1 << 46) - 1;

/// The moment that `arg` means in this unit.
pub(super) fn moment(unit: TimeUnit, arg: &[u8], now: UnixMillis, command: &str) -> Result<UnixMillis, Error> {
    let amount = integer(arg)?;
    if amount < 0 {
        return Err(Error::new("ERR invalid expire time, must be >= 0"));
    }
    let base = if unit.absolute { 0 } else { now };
    let ms = if unit.milliseconds { Some(amount) } else { amount.checked_mul(1000) };
    ms.and_then(|ms| ms.checked_add(base)).filter(|at| *at <= LATEST).ok_or_else(|| Error::invalid_expire(command))
}

/// On which expiry there is now the new one is set.
#[derive(Clone, Copy)]
enum Condition {
    None,
    Absent,
    Present,
    Later,
    Sooner,
}

impl Condition {
    fn of_word(word: &[u8]) -> Option<Condition> {
        let words = [("nx", Self::Absent), ("xx", Self::Present), ("gt", Self::Later), ("lt", Self::Sooner)];
        words.into_iter().find_map(|(name, condition)| is_word(word, name).then_some(condition))
    }

    /// A field without an expiry counts as living for ever.
    fn holds(self, current: Option<i64>, new: i64) -> bool {
        match self {
            Condition::None => true,
            Condition::Absent => current.is_none(),
            Condition::Present => current.is_some(),
            Condition::Later => current.is_some_and(|current| new > current),
            Condition::Sooner => current.is_none_or(|current| new < current),
        }
    }
}

/// The words behind the time: conditions and FIELDS, in any order.
fn read<'r, 'a>(args: &'r Args<'a>) -> Result<(Condition, &'r [&'a [u8]]), Error> {
    let (mut conditions, mut names, mut at) = (Vec::new(), None, 3);
    while let Some(word) = args.get(at) {
        if is_word(word, "fields") {
            if names.is_some() {
                return Err(Error::new("ERR FIELDS keyword specified multiple times"));
            }
            let (Some(count), Some(rest)) = (args.get(at + 1), args.get(at + 2..).filter(|rest| !rest.is_empty()))
            else {
                return Err(Error::new("ERR FIELDS requires at least numfields and one field argument"));
            };
            let count = fields::count(count, "ERR Parameter `numFields` should be greater than 0")?;
            names = Some(rest.get(..count).ok_or(Error::new("ERR wrong number of arguments"))?);
            at += 2 + count;
        } else {
            let unknown = || Error::quoting("ERR unknown argument: ", word, "");
            conditions.push(Condition::of_word(word).ok_or_else(unknown)?);
            at += 1;
        }
    }
    let names = names.ok_or(Error::new("ERR missing FIELDS argument"))?;
    let repeats = |pair: &[Condition]| std::mem::discriminant(&pair[0]) == std::mem::discriminant(&pair[1]);
    if !conditions.windows(2).all(repeats) {
        return Err(Error::new("ERR Multiple condition flags specified"));
    }
    Ok((conditions.first().copied().unwrap_or(Condition::None), names))
}

const NO_FIELD: i64 = -2;
const NO_TTL: i64 = -1;
const NOT_MET: i64 = 0;
const DONE: i64 = 1;
const REMOVED: i64 = 2;

fn set(cx: &mut Context<'_>, args: &Args<'_>, unit: TimeUnit) -> CommandResult {
    let key = args[1];
    let _ = cx.keys.db(cx.client.db).cell(key, Type::Hash)?;
    let at = moment(unit, args[2], cx.now, cx.spec.name)?;
    let (condition, names) = read(args)?;
    let (now, passed) = (cx.keys.judged_at(), cx.has_passed(at));
    let mut db = cx.keys.db(cx.client.db);
    let Some(mut cell) = db.cell(key, Type::Hash)? else {
        cx.reply.array(names.len());
        names.iter().for_each(|_| cx.reply.integer(NO_FIELD));
        return Ok(());
    };
    let mut change = fields::Change::default();
    let mut answers = Vec::with_capacity(names.len());
    for name in names {
        let current = Hash::at(cell.view(), now).element(name).map(|element| element.note);
        answers.push(match current {
            None => NO_FIELD,
            Some(current) if !condition.holds(current.map(|at| at as i64), at) => NOT_MET,
            Some(_) if passed => {
                if hash::remove(&mut cell, name)? {
                    change.removed.push(name);
                }
                REMOVED
            }
            Some(_) => {
                hash::set_expiry(&mut cell, name, Some(at))?;
                change.timed.push(name);
                DONE
            }
        });
    }
    change.tell(cx, key, "hexpire");
    cx.reply.array(answers.len());
    answers.into_iter().for_each(|answer| cx.reply.integer(answer));
    Ok(())
}

pub fn hexpire(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    set(cx, args, TimeUnit::EX)
}

pub fn hpexpire(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    set(cx, args, TimeUnit::PX)
}

pub fn hexpireat(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    set(cx, args, TimeUnit::EXAT)
}

pub fn hpexpireat(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    set(cx, args, TimeUnit::PXAT)
}

/// Answers what `show` makes of each field's expiry.
fn show(cx: &mut Context<'_>, args: &Args<'_>, show: impl Fn(i64, i64) -> i64) -> CommandResult {
    let (judged_at, now) = (cx.keys.judged_at(), cx.now);
    let mut db = cx.keys.db(cx.client.db);
    let hash = db.view(args[1], Type::Hash)?.map(|view| Hash::at(view, judged_at));
    let names = fields::all(args)?;
    cx.reply.array(names.len());
    for name in names {
        cx.reply.integer(match hash.and_then(|hash| hash.element(name)).map(|element| element.note) {
            None => NO_FIELD,
            Some(None) => NO_TTL,
            Some(Some(at)) => show(at as i64, now),
        });
    }
    Ok(())
}

pub fn httl(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    show(cx, args, |at, now| (at - now + 999) / 1000)
}

pub fn hpttl(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    show(cx, args, |at, now| at - now)
}

pub fn hexpiretime(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    show(cx, args, |at, _| (at + 999) / 1000)
}

pub fn hpexpiretime(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    show(cx, args, |at, _| at)
}

pub fn hpersist(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, now) = (args[1], cx.keys.judged_at());
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(key, Type::Hash)?;
    let names = fields::all(args)?;
    let mut change = fields::Change::default();
    cx.reply.array(names.len());
    for name in names {
        let found = cell.as_ref().and_then(|cell| Hash::at(cell.view(), now).element(name).map(|it| it.note));
        cx.reply.integer(match (found, &mut cell) {
            (Some(Some(_)), Some(cell)) => {
                hash::set_expiry(cell, name, None)?;
                change.timed.push(name);
                DONE
            }
            (Some(_), _) => NO_TTL,
            _ => NO_FIELD,
        });
    }
    change.tell(cx, key, "hpersist");
    Ok(())
}
