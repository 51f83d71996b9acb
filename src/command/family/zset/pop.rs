//! Taking elements from either end.

use super::{remove_from, removed};
use crate::{
    command::{
        Args, CommandResult, Context, Error, Protocol,
        args::{integer, is_word},
    },
    types::{
        home::Home,
        kind::Type,
        zset::{ZSet, score_of},
    },
};

/// From which end elements are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Min,
    Max,
}

impl End {
    fn of_word(word: &[u8]) -> Option<End> {
        match () {
            () if is_word(word, "min") => Some(End::Min),
            () if is_word(word, "max") => Some(End::Max),
            () => None,
        }
    }

    fn event(self) -> &'static str {
        match self {
            End::Min => "zpopmin",
            End::Max => "zpopmax",
        }
    }
}

/// A member and its score.
pub type Popped = (Vec<u8>, f64);

/// Takes up to `count` elements; none when there is no such key.
pub fn take(cx: &mut Context<'_>, key: &[u8], end: End, count: u64) -> Result<Vec<Popped>, Error> {
    let mut popped = Vec::new();
    let mut db = cx.keys.db(cx.client.db);
    let Some(cell) = db.cell(key, Type::ZSet)?.filter(|_| count > 0) else { return Ok(popped) };
    let zset = ZSet::new(cell.view());
    let (len, count) = (zset.len(), count.min(zset.len()));
    let ranks = match end {
        End::Min => {
            popped.extend(zset.iter(0).take(count as usize).map(|e| (e.first().to_vec(), score_of(&e))));
            0..count
        }
        End::Max => {
            let back = zset.iter_back(len.saturating_sub(1)).take(count as usize);
            popped.extend(back.map(|e| (e.first().to_vec(), score_of(&e))));
            len - count..len
        }
    };
    let is_all = remove_from(cell, ranks)?;
    removed(cx, key, is_all, end.event());
    Ok(popped)
}

pub fn zpopmin(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    pop(cx, args, End::Min)
}

pub fn zpopmax(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    pop(cx, args, End::Max)
}

fn pop(cx: &mut Context<'_>, args: &Args<'_>, end: End) -> CommandResult {
    let count = match &args[2..] {
        [] => 1,
        [count] => {
            let negative = Error::new("ERR value is out of range, must be positive");
            integer(count).ok().and_then(|count| u64::try_from(count).ok()).ok_or(negative)?
        }
        _ => return Err(Error::SYNTAX),
    };
    let popped = take(cx, args[1], end, count)?;
    let in_pairs = args.len() > 2 && cx.reply.protocol() == Protocol::Resp3;
    cx.reply.array(if in_pairs { popped.len() } else { popped.len() * 2 });
    for (member, score) in &popped {
        if in_pairs {
            cx.reply.array(2);
        }
        cx.reply.bulk(member);
        cx.reply.double(*score);
    }
    Ok(())
}

/// `numkeys key [key ...] MIN | MAX [COUNT count]`.
pub struct Request<'r, 'a> {
    pub keys: &'r Args<'a>,
    pub end: End,
    pub count: u64,
}

impl<'r, 'a> Request<'r, 'a> {
    pub fn parse(words: &'r Args<'a>) -> Result<Request<'r, 'a>, Error> {
        let positive = |word: &[u8]| integer(word).ok().and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
        let [numkeys, words @ ..] = words else { return Err(Error::SYNTAX) };
        let numkeys = positive(numkeys).ok_or(Error::new("ERR numkeys should be greater than 0"))?;
        let numkeys = usize::try_from(numkeys).ok().filter(|n| *n < words.len()).ok_or(Error::SYNTAX)?;
        let (keys, words) = words.split_at(numkeys);
        let end = words.first().and_then(|word| End::of_word(word)).ok_or(Error::SYNTAX)?;
        let mut count = 1;
        match &words[1..] {
            [] => {}
            [word, number, more @ ..] if is_word(word, "count") => {
                count = positive(number).ok_or(Error::new("ERR count should be greater than 0"))?;
                if !more.is_empty() {
                    return Err(Error::SYNTAX);
                }
            }
            _ => return Err(Error::SYNTAX),
        }
        Ok(Request { keys, end, count })
    }

    /// Takes from the first key that has anything; answers whether one had.
    pub fn serve(&self, cx: &mut Context<'_>) -> Result<bool, Error> {
        for key in self.keys {
            let popped = take(cx, key, self.end, self.count)?;
            if popped.is_empty() {
                continue;
            }
            cx.reply.array(2);
            cx.reply.bulk(key);
            cx.reply.array(popped.len());
            for (member, score) in &popped {
                cx.reply.array(2);
                cx.reply.bulk(member);
                cx.reply.double(*score);
            }
            return Ok(true);
        }
        Ok(false)
    }
}

pub fn zmpop(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    if !Request::parse(&args[1..])?.serve(cx)? {
        cx.reply.null_array();
    }
    Ok(())
}
