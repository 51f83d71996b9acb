//! XNACK: pending entries are given back to their group, for others to claim.

use super::{group::no_such_key_or_group, ids};
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::{integer, is_word},
    },
    keyspace::Type,
    types::{
        home::Home,
        stream::{
            self, Id, Stream,
            group::{self, Pending},
        },
    },
};

/// What becomes of the count of deliveries.
#[derive(Clone, Copy)]
enum Mode {
    /// As if it had not been delivered.
    Silent,
    Fail,
    /// It can only fail.
    Fatal,
}

impl Mode {
    fn of_word(word: &[u8]) -> Option<Mode> {
        [("silent", Mode::Silent), ("fail", Mode::Fail), ("fatal", Mode::Fatal)]
            .into_iter()
            .find_map(|(name, mode)| is_word(word, name).then_some(mode))
    }

    fn times(self, before: u64) -> u64 {
        match self {
            Mode::Silent => before.saturating_sub(1),
            Mode::Fail => before,
            Mode::Fatal => i64::MAX as u64,
        }
    }
}

struct Options<'r, 'a> {
    ids: &'r Args<'a>,
    times: Option<u64>,
    force: bool,
}

impl<'r, 'a> Options<'r, 'a> {
    fn parse(words: &'r Args<'a>) -> Result<Options<'r, 'a>, Error> {
        let mut options = Options { ids: &[], times: None, force: false };
        let mut at = 0;
        while at < words.len() {
            let (word, more) = (words[at], words.len() - 1 - at);
            if is_word(word, "ids") && more > 0 {
                let count = integer(words[at + 1]).ok().and_then(|count| i32::try_from(count).ok()).filter(|n| *n > 0);
                let count = count.ok_or(Error::new("ERR numids must be a positive integer"))? as usize;
                let rest = &words[at + 2..];
                options.ids = rest.get(..count).ok_or(Error::new("ERR number of IDs doesn't match numids"))?;
                at += 1 + count;
            } else if is_word(word, "force") {
                options.force = true;
            } else if is_word(word, "retrycount") && more > 0 {
                at += 1;
                let times = u64::try_from(integer(words[at])?);
                options.times = Some(times.map_err(|_| Error::new("ERR Invalid RETRYCOUNT value, must be >= 0"))?);
            } else {
                return Err(Error::quoting("ERR Unrecognized XNACK option '", word, "'"));
            }
            at += 1;
        }
        match options.ids {
            [] => Err(Error::new("ERR syntax error, expected IDS keyword")),
            _ => Ok(options),
        }
    }
}

pub fn xnack(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, name) = (args[1], args[2]);
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(key, Type::Stream)?.ok_or_else(|| no_such_key_or_group(key, name, ""))?;
    let of = Stream::new(cell.view()).group(name).ok_or_else(|| no_such_key_or_group(key, name, ""))?;
    let mode = Mode::of_word(args[3]).ok_or(Error::new("ERR mode must be SILENT, FAIL, or FATAL"))?;
    let options = Options::parse(&args[4..])?;
    let ids: Vec<Id> = options.ids.iter().map(|word| ids::parse(word, 0)).collect::<Result<_, _>>()?;
    let mut given_back = 0;
    for id in ids {
        let stream = Stream::new(cell.view());
        let before = match stream.pending_entry(&of, id) {
            Some(pending) => pending.times,
            None if options.force && stream.get(id).is_some() => 0,
            None => continue,
        };
        stream::keep_order(&mut cell)?;
        let turn = Stream::new(cell.view()).next_turn(&of);
        let times = options.times.unwrap_or_else(|| mode.times(before));
        group::deliver(&mut cell, &of, &Pending::unowned(id, times, turn))?;
        given_back += 1;
    }
    cx.reply.integer(given_back);
    Ok(())
}
