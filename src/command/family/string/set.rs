//! Commands that store a whole string.

use super::{condition::Comparison, get::answer};
use crate::command::{
    Args, CommandResult, Context, Error,
    args::{self, TimeUnit},
};
use crate::config::KeyspaceEvents;
use crate::keyspace::{Item, Ttl, Type};
use crate::util::{clock::UnixMillis, number};

/// When SET and MSETEX store at all.
#[derive(Clone, Copy, Default)]
enum Condition<'a> {
    #[default]
    Always,
    Absent,
    Present,
    Compare(Comparison<'a>),
}

impl<'a> Condition<'a> {
    /// Whether `other` may be given after this one: only the same again.
    fn admits(&self, other: &Condition<'_>) -> bool {
        match (self, other) {
            (Condition::Always, _)
            | (Condition::Absent, Condition::Absent)
            | (Condition::Present, Condition::Present) => true,
            (Condition::Compare(this), Condition::Compare(other)) => this.same_kind(other),
            _ => false,
        }
    }

    fn holds(&self, present: Option<Item<'_>>) -> Result<bool, Error> {
        match (self, present) {
            (Condition::Always, _) => Ok(true),
            (Condition::Absent, present) => Ok(present.is_none()),
            (Condition::Present, present) => Ok(present.is_some()),
            // What is not there differs from anything.
            (Condition::Compare(comparison), None) => Ok(!comparison.equal),
            (Condition::Compare(_), Some(item)) if item.kind != Type::String => Err(Error::WRONG_TYPE),
            (Condition::Compare(comparison), Some(item)) => comparison.holds(&item.value),
        }
    }
}

#[derive(Default)]
struct Options<'a> {
    condition: Condition<'a>,
    get: bool,
    keep_ttl: bool,
    expiry: Option<(TimeUnit, &'a [u8])>,
}

impl<'a> Options<'a> {
    fn parse(args: &Args<'a>) -> Result<Self, Error> {
        let mut options = Options::default();
        let mut rest = args;
        while let [word, after @ ..] = rest {
            rest = after;
            if args::is_word(word, "get") {
                options.get = true;
            } else if args::is_word(word, "keepttl") && options.expiry.is_none() {
                options.keep_ttl = true;
            } else if let Some(unit) = TimeUnit::of_word(word) {
                let [amount, after @ ..] = rest else { return Err(Error::SYNTAX) };
                if options.keep_ttl || options.expiry.is_some_and(|(other, _)| other != unit) {
                    return Err(Error::SYNTAX);
                }
                options.expiry = Some((unit, amount));
                rest = after;
            } else {
                let condition = if args::is_word(word, "nx") {
                    Condition::Absent
                } else if args::is_word(word, "xx") {
                    Condition::Present
                } else {
                    let (with, after) = rest.split_first().ok_or(Error::SYNTAX)?;
                    rest = after;
                    Condition::Compare(Comparison::of_word(word, with).ok_or(Error::SYNTAX)?)
                };
                if !options.condition.admits(&condition) {
                    return Err(Error::SYNTAX);
                }
                options.condition = condition;
            }
        }
        Ok(options)
    }

    fn ttl(&self, now: UnixMillis, command: &str) -> Result<Ttl, Error> {
        Ok(match self.expiry {
            Some((unit, amount)) => Ttl::At(unit.moment(amount, now, command)?),
            None if self.keep_ttl => Ttl::Keep,
            None => Ttl::Clear,
        })
    }
}

pub fn set(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, value) = (args[1], args[2]);
    if args.len() == 3 {
        put(cx, key, value, Ttl::Clear)?;
        cx.reply.ok();
        return Ok(());
    }
    let options = Options::parse(&args[3..])?;
    let ttl = options.ttl(cx.now, "set")?;
    let mut db = cx.keys.db(cx.client.db);
    let holds = options.condition.holds(db.peek(key))?;
    if options.get {
        answer(cx.reply, db.read(key).as_ref())?;
    }
    if holds {
        store(cx, key, value, ttl)?;
    }
    match (options.get, holds) {
        (true, _) => {}
        (false, true) => cx.reply.ok(),
        (false, false) => cx.reply.null(),
    }
    Ok(())
}

/// MSETEX numkeys key value [key value ...] and SET's options but GET and comparisons.
pub fn msetex(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let count = number::parse_i64(args[1])
        .filter(|count| (1..=i64::from(i32::MAX)).contains(count))
        .ok_or(Error::new("ERR invalid numkeys value"))?;
    let words = usize::try_from(count * 2).map_err(|_| Error::SYNTAX)?;
    let (pairs, rest) = args[2..].split_at_checked(words).ok_or(Error::new("ERR wrong number of key-value pairs"))?;
    let options = Options::parse(rest)?;
    if options.get || matches!(options.condition, Condition::Compare(_)) {
        return Err(Error::SYNTAX);
    }
    let ttl = options.ttl(cx.now, "msetex")?;
    for pair in pairs.chunks_exact(2) {
        let mut db = cx.keys.db(cx.client.db);
        if !options.condition.holds(db.peek(pair[0]))? {
            cx.reply.integer(0);
            return Ok(());
        }
    }
    for pair in pairs.chunks_exact(2) {
        store(cx, pair[0], pair[1], ttl)?;
    }
    cx.reply.integer(1);
    Ok(())
}

pub fn setnx(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let absent = db.peek(args[1]).is_none();
    if absent {
        db.set(args[1], args[2], Ttl::Clear)?;
        cx.notify_string("set", args[1]);
    }
    cx.reply.integer(absent.into());
    Ok(())
}

pub fn setex(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    set_for(cx, args, TimeUnit::EX, "setex")
}

pub fn psetex(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    set_for(cx, args, TimeUnit::PX, "psetex")
}

fn set_for(cx: &mut Context<'_>, args: &Args<'_>, unit: TimeUnit, command: &str) -> CommandResult {
    let at = unit.moment(args[2], cx.now, command)?;
    put(cx, args[1], args[3], Ttl::At(at))?;
    cx.reply.ok();
    Ok(())
}

pub fn getset(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    answer(cx.reply, db.read(args[1]).as_ref())?;
    put(cx, args[1], args[2], Ttl::Clear)
}

pub fn mset(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let pairs = pairs(args, "mset")?;
    for pair in pairs {
        put(cx, pair[0], pair[1], Ttl::Clear)?;
    }
    cx.reply.ok();
    Ok(())
}

pub fn msetnx(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let pairs = pairs(args, "msetnx")?;
    let mut db = cx.keys.db(cx.client.db);
    let absent = pairs.clone().all(|pair| db.peek(pair[0]).is_none());
    if absent {
        for pair in pairs {
            put(cx, pair[0], pair[1], Ttl::Clear)?;
        }
    }
    cx.reply.integer(absent.into());
    Ok(())
}

/// Stores a string. With a time to live that has passed already there is nothing left to store.
fn store(cx: &mut Context<'_>, key: &[u8], value: &[u8], ttl: Ttl) -> CommandResult {
    let passed = matches!(ttl, Ttl::At(at) if cx.has_passed(at));
    let mut db = cx.keys.db(cx.client.db);
    if passed {
        if db.expire(key) {
            cx.notify(KeyspaceEvents::EXPIRED, "expired", key);
        }
        return Ok(());
    }
    put(cx, key, value, ttl)
}

/// Puts a string in the place of whatever is at the key.
fn put(cx: &mut Context<'_>, key: &[u8], value: &[u8], ttl: Ttl) -> CommandResult {
    let before = cx.kind_before(cx.client.db, key);
    cx.keys.db(cx.client.db).set(key, value, ttl)?;
    cx.notify_overwritten(cx.client.db, key, before, Type::String);
    cx.notify_string("set", key);
    if let Ttl::At(_) = ttl {
        cx.notify_generic("expire", key);
    }
    Ok(())
}

fn pairs<'r, 'a>(args: &'r Args<'a>, command: &str) -> Result<std::slice::ChunksExact<'r, &'a [u8]>, Error> {
    let words = &args[1..];
    if words.len().is_multiple_of(2) { Ok(words.chunks_exact(2)) } else { Err(Error::wrong_arity(command)) }
}
