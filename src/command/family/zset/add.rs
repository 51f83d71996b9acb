//! ZADD and ZINCRBY.

use super::limits;
use crate::{
    command::{Args, CommandResult, Context, Error, args::is_word},
    config::KeyspaceEvents,
    keyspace::Cell,
    types::{
        home::Home,
        kind::Type,
        zset::{self, Limits, ZSet},
    },
    util::number,
};
use smallvec::SmallVec;

const NOT_A_NUMBER: Error = Error::new("ERR resulting score is not a number (NaN)");

/// What ZADD's options ask for.
#[derive(Clone, Copy, Default)]
pub struct Options {
    /// Only members that are not there yet.
    pub nx: bool,
    /// Only members that are there.
    pub xx: bool,
    /// Scores only grow.
    pub gt: bool,
    /// Scores only fall.
    pub lt: bool,
    /// Changed members are counted, not just new ones.
    pub ch: bool,
    pub incr: bool,
}

impl Options {
    /// Reads the words before the first score; answers how many there are.
    fn parse(words: &Args<'_>) -> (Options, usize) {
        let mut options = Options::default();
        for (at, word) in words.iter().enumerate() {
            let flag = match () {
                () if is_word(word, "nx") => &mut options.nx,
                () if is_word(word, "xx") => &mut options.xx,
                () if is_word(word, "gt") => &mut options.gt,
                () if is_word(word, "lt") => &mut options.lt,
                () if is_word(word, "ch") => &mut options.ch,
                () if is_word(word, "incr") => &mut options.incr,
                () => return (options, at),
            };
            *flag = true;
        }
        (options, words.len())
    }

    /// The score a member gets, if any.
    fn decide(&self, old: Option<f64>, given: f64) -> Result<Option<f64>, Error> {
        let Some(old) = old else { return Ok((!self.xx).then_some(given)) };
        if self.nx {
            return Ok(None);
        }
        let score = if self.incr { old + given } else { given };
        if score.is_nan() {
            return Err(NOT_A_NUMBER);
        }
        let held_back = self.gt && score <= old || self.lt && score >= old;
        Ok((!held_back).then_some(score))
    }
}

/// What became of the members.
#[derive(Default)]
pub struct Outcome {
    pub added: i64,
    pub updated: i64,
    /// The score of the last one, unless it was left alone.
    pub score: Option<f64>,
}

pub fn zadd(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (options, words) = Options::parse(&args[2..]);
    let pairs = &args[2 + words..];
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    if options.nx && options.xx {
        return Err(Error::new("ERR XX and NX options at the same time are not compatible"));
    }
    if options.gt && (options.nx || options.lt) || options.lt && options.nx {
        return Err(Error::new("ERR GT, LT, and/or NX options at the same time are not compatible"));
    }
    if options.incr && pairs.len() > 2 {
        return Err(Error::new("ERR INCR option supports a single increment-element pair"));
    }
    answer(cx, args[1], pairs, options)
}

pub fn zincrby(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    answer(cx, args[1], &args[2..], Options { incr: true, ..Options::default() })
}

fn answer(cx: &mut Context<'_>, key: &[u8], pairs: &Args<'_>, options: Options) -> CommandResult {
    let scores = pairs.iter().step_by(2).map(|text| number::parse_f64(text).ok_or(Error::NOT_FLOAT));
    let scores: SmallVec<[f64; 8]> = scores.collect::<Result<_, _>>()?;
    let members = pairs.iter().skip(1).step_by(2).copied();
    let event = if options.incr { "zincr" } else { "zadd" };
    let outcome = add(cx, key, scores.into_iter().zip(members), options, event)?;
    match outcome.score {
        _ if !options.incr => cx.reply.integer(outcome.added + if options.ch { outcome.updated } else { 0 }),
        Some(score) => cx.reply.double(score),
        None => cx.reply.null(),
    }
    Ok(())
}

/// Gives members their scores.
pub fn add<'m>(
    cx: &mut Context<'_>,
    key: &[u8],
    entries: impl Iterator<Item = (f64, &'m [u8])>,
    options: Options,
    event: &str,
) -> Result<Outcome, Error> {
    let limits = limits(cx);
    let mut db = cx.keys.db(cx.client.db);
    if options.xx && db.cell(key, Type::ZSet)?.is_none() {
        return Ok(Outcome::default());
    }
    let mut cell = db.cell_or(key, zset::EMPTY)?;
    let mut outcome = Outcome::default();
    let result = set_all(&mut cell, entries, options, limits, &mut outcome);
    if ZSet::new(cell.view()).is_empty() {
        // The first member found no room.
        db.remove(key);
    } else if outcome.added + outcome.updated > 0 {
        cx.notify(KeyspaceEvents::ZSET, event, key);
    }
    result.map(|()| outcome)
}

fn set_all<'m>(
    cell: &mut Cell<'_>,
    entries: impl Iterator<Item = (f64, &'m [u8])>,
    options: Options,
    limits: Limits,
    outcome: &mut Outcome,
) -> CommandResult {
    for (given, member) in entries {
        let (mut before, mut decided) = (None, Ok(None));
        zset::change(cell, member, limits, |old| {
            before = old;
            decided = options.decide(old, given);
            decided.clone().ok().flatten()
        })?;
        outcome.score = decided?;
        outcome.added += i64::from(outcome.score.is_some() && before.is_none());
        outcome.updated += i64::from(before.is_some() && outcome.score.is_some_and(|score| before != Some(score)));
    }
    Ok(())
}
