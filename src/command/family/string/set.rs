//! Commands that store a whole string.

use super::{get::answer, text};
use crate::command::{
    Args, CommandResult, Context, Error,
    args::{self, TimeUnit},
};
use crate::keyspace::{Ttl, Type};

/// When SET stores at all.
#[derive(Clone, Copy, Default)]
enum Condition<'a> {
    #[default]
    Always,
    Absent,
    Present,
    Equal(&'a [u8]),
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
            let unconditional = matches!(options.condition, Condition::Always);
            if args::is_word(word, "nx") && (unconditional || matches!(options.condition, Condition::Absent)) {
                options.condition = Condition::Absent;
            } else if args::is_word(word, "xx") && (unconditional || matches!(options.condition, Condition::Present)) {
                options.condition = Condition::Present;
            } else if args::is_word(word, "get") {
                options.get = true;
            } else if args::is_word(word, "keepttl") && options.expiry.is_none() {
                options.keep_ttl = true;
            } else if args::is_word(word, "ifeq")
                && unconditional
                && let [expected, after @ ..] = rest
            {
                options.condition = Condition::Equal(expected);
                rest = after;
            } else if let Some(unit) = TimeUnit::of_word(word)
                && !options.keep_ttl
                && options.expiry.is_none()
                && let [amount, after @ ..] = rest
            {
                options.expiry = Some((unit, amount));
                rest = after;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }
}

pub fn set(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, value) = (args[1], args[2]);
    let mut db = cx.keys.db(cx.client.db);
    if args.len() == 3 {
        db.set(key, value, Ttl::Clear)?;
        cx.reply.ok();
        return Ok(());
    }
    let options = Options::parse(&args[3..])?;
    let ttl = match options.expiry {
        Some((unit, amount)) => Ttl::At(unit.moment(amount, cx.now, "set")?),
        None if options.keep_ttl => Ttl::Keep,
        None => Ttl::Clear,
    };
    if options.get {
        answer(cx.reply, db.read(key).as_ref())?;
    }
    let holds = match options.condition {
        Condition::Always => true,
        Condition::Absent => db.peek(key).is_none(),
        Condition::Present => db.peek(key).is_some(),
        Condition::Equal(expected) => match db.peek(key) {
            None => false,
            Some(item) if item.kind != Type::String => return Err(Error::WRONG_TYPE),
            Some(item) => text(&item.value, &mut itoa::Buffer::new()) == expected,
        },
    };
    if holds {
        db.set(key, value, ttl)?;
    }
    match (options.get, holds) {
        (true, _) => {}
        (false, true) => cx.reply.ok(),
        (false, false) => cx.reply.null(),
    }
    Ok(())
}

pub fn setnx(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let absent = db.peek(args[1]).is_none();
    if absent {
        db.set(args[1], args[2], Ttl::Clear)?;
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
    cx.keys.db(cx.client.db).set(args[1], args[3], Ttl::At(at))?;
    cx.reply.ok();
    Ok(())
}

pub fn getset(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    answer(cx.reply, db.read(args[1]).as_ref())?;
    db.set(args[1], args[2], Ttl::Clear)?;
    Ok(())
}

pub fn mset(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let pairs = pairs(args, "mset")?;
    let mut db = cx.keys.db(cx.client.db);
    for pair in pairs {
        db.set(pair[0], pair[1], Ttl::Clear)?;
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
            db.set(pair[0], pair[1], Ttl::Clear)?;
        }
    }
    cx.reply.integer(absent.into());
    Ok(())
}

fn pairs<'r, 'a>(args: &'r Args<'a>, command: &str) -> Result<std::slice::ChunksExact<'r, &'a [u8]>, Error> {
    let words = &args[1..];
    if words.len().is_multiple_of(2) { Ok(words.chunks_exact(2)) } else { Err(Error::wrong_arity(command)) }
}
