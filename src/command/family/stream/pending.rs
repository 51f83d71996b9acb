//! XPENDING, XCLAIM, XAUTOCLAIM.

use super::{
    group::{consumer_of, no_such_key_or_group},
    ids, reply_item,
};
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::{integer, is_word},
    },
    keyspace::Type,
    types::{
        home::Home,
        stream::{
            Id, Stream,
            group::{self, Consumer, Group, Pending},
        },
    },
    util::number::parse_i64,
};
use std::collections::HashMap;

/// What XPENDING is asked for, when it is more than a summary.
struct Range<'a> {
    min_idle: i64,
    start: Id,
    end: Id,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Range<'a> {
    fn parse(words: &Args<'a>) -> Result<Range<'a>, Error> {
        let (min_idle, words) = match words {
            [word, idle, rest @ ..] if is_word(word, "idle") => {
                let idle = integer(idle)?;
                if rest.len() < 3 {
                    return Err(Error::SYNTAX);
                }
                (idle, rest)
            }
            _ => (0, words),
        };
        let [start, end, count, consumer @ ..] = words else { return Err(Error::SYNTAX) };
        let count = usize::try_from(integer(count)?).unwrap_or(0);
        let (start, end) = (ids::parse_start(start)?, ids::parse_end(end)?);
        Ok(Range { min_idle, start, end, count, consumer: consumer.first().copied() })
    }
}

pub fn xpending(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let range = match args.len() {
        3 => None,
        6..=9 => Some(Range::parse(&args[3..])?),
        _ => return Err(Error::SYNTAX),
    };
    let now = cx.now;
    let mut db = cx.keys.db(cx.client.db);
    let stream = db.view(args[1], Type::Stream)?.map(Stream::new);
    let of = stream.and_then(|stream| stream.group(args[2]));
    let (Some(stream), Some(of)) = (stream, of) else { return Err(no_such_key_or_group(args[1], args[2], "")) };
    let Some(range) = range else {
        summary(cx.reply, &stream, &of);
        return Ok(());
    };
    let names: HashMap<u32, &[u8]> = stream.consumers(&of).map(|(name, consumer)| (consumer.number, name)).collect();
    let idle_enough = |pending: &Pending| range.min_idle == 0 || now - pending.delivered >= range.min_idle;
    let found: Vec<Pending> = match range.consumer {
        None => (stream.pending(&of, range.start))
            .take_while(|pending| pending.id <= range.end)
            .filter(idle_enough)
            .take(range.count)
            .collect(),
        Some(name) => (stream.consumer(&of, name).iter())
            .flat_map(|consumer| stream.owned(consumer, range.start))
            .take_while(|id| *id <= range.end)
            .filter_map(|id| stream.pending_entry(&of, id))
            .filter(idle_enough)
            .take(range.count)
            .collect(),
    };
    cx.reply.array(found.len());
    for pending in found {
        cx.reply.array(4);
        ids::reply(cx.reply, pending.id);
        cx.reply.bulk(names.get(&pending.consumer).copied().unwrap_or_default());
        cx.reply.integer(if pending.turn.is_some() { -1 } else { (now - pending.delivered).max(0) });
        cx.reply.integer(pending.times as i64);
    }
    Ok(())
}

fn summary(reply: &mut dyn crate::command::Reply, stream: &Stream<'_>, of: &Group) {
    reply.array(4);
    reply.integer(stream.pending_len(of) as i64);
    let ends = stream.pending(of, Id::MIN).next().zip(stream.last_pending(of));
    let Some((first, last)) = ends else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    ids::reply(reply, first.id);
    ids::reply(reply, last.id);
    let owners: Vec<(&[u8], u64)> = (stream.consumers(of))
        .map(|(name, consumer)| (name, stream.owned_len(&consumer)))
        .filter(|(_, count)| *count > 0)
        .collect();
    reply.array(owners.len());
    for (name, count) in owners {
        reply.array(2);
        reply.bulk(name);
        reply.bulk_integer(count as i64);
    }
}

fn number(word: &[u8], name: &str) -> Result<i64, Error> {
    parse_i64(word).ok_or_else(|| Error::text(format!("ERR Invalid {name}")))
}

/// What a claim does to what it claims.
struct Claim<'a> {
    key: &'a [u8],
    group_name: &'a [u8],
    consumer_name: &'a [u8],
    min_idle: i64,
    delivered: i64,
    /// Set to this; otherwise one more, unless only IDs are asked for.
    times: Option<u64>,
    only_ids: bool,
    force: bool,
}

/// What became of an entry that was to be claimed.
enum Outcome {
    Claimed,
    /// Left with whom it was, or not pending.
    Left,
    /// It is no longer in the stream.
    Deleted,
}

impl Claim<'_> {
    /// Claims one entry.
    fn one(&self, home: &mut impl Home, of: &Group, consumer: &Consumer, id: Id, now: i64) -> Result<Outcome, Error> {
        let stream = Stream::new(home.view());
        let pending = stream.pending_entry(of, id);
        if stream.get(id).is_none() {
            return match group::acknowledge(home, of, id)? {
                true => Ok(Outcome::Deleted),
                false => Ok(Outcome::Left),
            };
        }
        let times = match pending {
            Some(pending) if self.min_idle > 0 && now - pending.delivered < self.min_idle => return Ok(Outcome::Left),
            Some(pending) => pending.times,
            // As if it had been delivered once already.
            None if self.force => 1,
            None => return Ok(Outcome::Left),
        };
        let times = self.times.unwrap_or(if self.only_ids { times } else { times.saturating_add(1) });
        let pending = Pending::owned(id, consumer.number, self.delivered, times);
        group::deliver(home, of, &pending)?;
        Ok(Outcome::Claimed)
    }

    /// Claims those of `ids` that are to be had; answers which, and which are no longer in the stream.
    fn run(
        &self,
        cx: &mut Context<'_>,
        of: &Group,
        consumer: &Consumer,
        ids: impl Iterator<Item = Id>,
    ) -> Result<(Vec<Id>, Vec<Id>), Error> {
        let now = cx.now;
        let (mut claimed, mut deleted) = (Vec::new(), Vec::new());
        let mut db = cx.keys.db(cx.client.db);
        let mut cell = db.cell(self.key, Type::Stream)?.ok_or(Error::NO_SUCH_KEY)?;
        for id in ids {
            match self.one(&mut cell, of, consumer, id, now)? {
                Outcome::Claimed => claimed.push(id),
                Outcome::Deleted => deleted.push(id),
                Outcome::Left => {}
            }
        }
        if !claimed.is_empty() {
            let consumer = Consumer { active: Some(now), ..*consumer };
            group::update_consumer(&mut cell, of, self.consumer_name, &consumer)?;
        }
        Ok((claimed, deleted))
    }

    fn reply(&self, cx: &mut Context<'_>, claimed: &[Id]) {
        let db = cx.keys.db(cx.client.db);
        let stream = db.glance(self.key).map(Stream::new);
        cx.reply.array(claimed.len());
        for id in claimed {
            match stream.as_ref().and_then(|stream| stream.get(*id)) {
                Some(item) if !self.only_ids => reply_item(cx.reply, &item),
                _ => ids::reply(cx.reply, *id),
            }
        }
    }
}

/// The group, which must be there.
fn group_of(cx: &mut Context<'_>, key: &[u8], name: &[u8]) -> Result<Group, Error> {
    let mut db = cx.keys.db(cx.client.db);
    let found = db.view(key, Type::Stream)?.and_then(|view| Stream::new(view).group(name));
    found.ok_or_else(|| no_such_key_or_group(key, name, ""))
}

pub fn xclaim(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, group_name, consumer_name) = (args[1], args[2], args[3]);
    let mut of = group_of(cx, key, group_name)?;
    let mut claim = Claim {
        key,
        group_name,
        consumer_name,
        min_idle: number(args[4], "min-idle-time argument for XCLAIM")?.max(0),
        delivered: cx.now,
        times: None,
        only_ids: false,
        force: false,
    };
    let ids: Vec<Id> = args[5..].iter().map_while(|word| ids::parse(word, 0).ok()).collect();
    let mut last = Id::MIN;
    let mut words = args[5 + ids.len()..].iter();
    while let Some(word) = words.next() {
        let unknown = || Error::quoting("ERR Unrecognized XCLAIM option '", word, "'");
        match word.to_ascii_lowercase().as_slice() {
            b"force" => claim.force = true,
            b"justid" => claim.only_ids = true,
            b"idle" => {
                let idle = number(words.next().ok_or_else(unknown)?, "IDLE option argument for XCLAIM")?;
                claim.delivered = cx.now.saturating_sub(idle);
            }
            b"time" => claim.delivered = number(words.next().ok_or_else(unknown)?, "TIME option argument for XCLAIM")?,
            b"retrycount" => {
                let times = number(words.next().ok_or_else(unknown)?, "RETRYCOUNT option argument for XCLAIM")?;
                claim.times = u64::try_from(times).ok();
            }
            b"lastid" => last = ids::parse(words.next().ok_or_else(unknown)?, 0)?,
            _ => return Err(unknown()),
        }
    }
    // Clients reckon with clocks of their own: what cannot be is taken as now.
    if !(0..=cx.now).contains(&claim.delivered) {
        claim.delivered = cx.now;
    }
    if last > of.last {
        of.last = last;
        let mut db = cx.keys.db(cx.client.db);
        if let Some(mut cell) = db.cell(key, Type::Stream)? {
            group::update(&mut cell, claim.group_name, &of)?;
        }
    }
    let consumer = consumer_of(cx, key, &of, consumer_name)?;
    let (claimed, _) = claim.run(cx, &of, &consumer, ids.into_iter())?;
    claim.reply(cx, &claimed);
    Ok(())
}

/// How many entries XAUTOCLAIM looks at for each that it may claim.
pub const ATTEMPTS: usize = 10;
/// Entries that are claimed at once when it is not said.
pub const CLAIMED: u64 = 100;

pub fn xautoclaim(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, group_name, consumer_name) = (args[1], args[2], args[3]);
    let min_idle = number(args[4], "min-idle-time argument for XAUTOCLAIM")?.max(0);
    let start = ids::parse_start(args[5])?;
    let (mut count, mut only_ids) = (CLAIMED as usize, false);
    let mut words = args[6..].iter();
    while let Some(word) = words.next() {
        if is_word(word, "justid") {
            only_ids = true;
        } else if is_word(word, "count")
            && let Some(value) = words.next()
        {
            let given = parse_i64(value).filter(|count| (1..=i64::MAX / 16).contains(count));
            count = given.and_then(|count| usize::try_from(count).ok()).ok_or(Error::new("ERR COUNT must be > 0"))?;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    let of = group_of(cx, key, group_name)?;
    let claim =
        Claim { key, group_name, consumer_name, min_idle, delivered: cx.now, times: None, only_ids, force: false };
    let consumer = consumer_of(cx, key, &of, consumer_name)?;
    let (now, attempts) = (cx.now, count.saturating_mul(ATTEMPTS));
    // What is to be claimed, and where the next call goes on.
    let (mut wanted, mut next) = (Vec::new(), Id::MIN);
    {
        let db = cx.keys.db(cx.client.db);
        let stream = db.glance(key).map(Stream::new);
        for (at, pending) in stream.iter().flat_map(|stream| stream.pending(&of, start)).enumerate() {
            if at == attempts || wanted.len() == count {
                next = pending.id;
                break;
            }
            let is_there = stream.as_ref().is_some_and(|stream| stream.get(pending.id).is_some());
            if !is_there || min_idle == 0 || now - pending.delivered >= min_idle {
                wanted.push(pending.id);
            }
        }
    }
    let (claimed, deleted) = claim.run(cx, &of, &consumer, wanted.into_iter())?;
    cx.reply.array(3);
    ids::reply(cx.reply, next);
    claim.reply(cx, &claimed);
    cx.reply.array(deleted.len());
    deleted.iter().for_each(|id| ids::reply(cx.reply, *id));
    Ok(())
}
