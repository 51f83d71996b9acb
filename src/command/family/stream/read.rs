//! XLEN, XRANGE, XREVRANGE, XREAD.

use super::{ids, reply_item};
use crate::{
    command::{
        Args, CommandResult, Context, Error, Protocol,
        args::{integer, is_word},
        blocking::deadline_in_milliseconds,
    },
    keyspace::{Type, Want},
    types::stream::{Id, Item, Stream},
    util::{clock::UnixMillis, number::parse_i64},
};

pub fn xlen(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let len = db.view(args[1], Type::Stream)?.map_or(0, |view| Stream::new(view).len());
    cx.reply.integer(len as i64);
    Ok(())
}

pub fn xrange(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    range(cx, args, (args[2], args[3]), false)
}

pub fn xrevrange(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    range(cx, args, (args[3], args[2]), true)
}

fn range(cx: &mut Context<'_>, args: &Args<'_>, (start, end): (&[u8], &[u8]), back: bool) -> CommandResult {
    let (start, end) = (ids::parse_start(start)?, ids::parse_end(end)?);
    let mut count = None;
    let mut words = args[4..].iter();
    while let Some(word) = words.next() {
        match words.next() {
            Some(value) if is_word(word, "count") => count = Some(integer(value)?.max(0)),
            _ => return Err(Error::SYNTAX),
        }
    }
    let most = count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
    let mut db = cx.keys.db(cx.client.db);
    let Some(view) = db.view(args[1], Type::Stream)? else {
        cx.reply.array(0);
        return Ok(());
    };
    if most == 0 {
        cx.reply.null_array();
        return Ok(());
    }
    let stream = Stream::new(view);
    let items: Vec<Item<'_>> = if start > end {
        Vec::new()
    } else if back {
        stream.iter_back(end).take_while(|item| item.id >= start).take(most).collect()
    } else {
        stream.iter(start).take_while(|item| item.id <= end).take(most).collect()
    };
    cx.reply.array(items.len());
    items.iter().for_each(|item| reply_item(cx.reply, item));
    Ok(())
}

/// What XREAD and XREADGROUP are asked for.
pub struct Request<'r, 'a> {
    /// 0: all there are.
    pub count: usize,
    /// BLOCK: until when.
    pub block: Option<Option<UnixMillis>>,
    /// Without acknowledgement.
    pub noack: bool,
    /// CLAIM: what has been pending for so long comes first.
    pub claim: Option<i64>,
    /// The group, and the consumer.
    pub group: Option<(&'a [u8], &'a [u8])>,
    pub keys: &'r Args<'a>,
    pub ids: &'r Args<'a>,
    /// Where the first ID stands.
    pub ids_at: usize,
}

impl<'r, 'a> Request<'r, 'a> {
    pub fn parse(cx: &Context<'_>, args: &'r Args<'a>, with_group: bool) -> Result<Request<'r, 'a>, Error> {
        let mut request =
            Request { count: 0, block: None, noack: false, claim: None, group: None, keys: &[], ids: &[], ids_at: 0 };
        let only_group = |option: &str| {
            Error::text(format!("ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."))
        };
        let mut at = 1;
        while at < args.len() {
            let more = args.len() - 1 - at;
            match args[at].to_ascii_lowercase().as_slice() {
                b"block" if more > 0 => {
                    at += 1;
                    request.block = Some(deadline_in_milliseconds(args[at], cx.now)?);
                }
                b"claim" if more > 0 => {
                    if !with_group {
                        return Err(only_group("CLAIM"));
                    }
                    at += 1;
                    request.claim = Some(min_idle(args[at])?);
                }
                b"count" if more > 0 => {
                    at += 1;
                    request.count = usize::try_from(integer(args[at])?).unwrap_or(0);
                }
                b"streams" if more > 0 => {
                    let words = &args[at + 1..];
                    if !words.len().is_multiple_of(2) {
                        let symbol = if with_group { '>' } else { '$' };
                        return Err(Error::text(format!(
                            "ERR Unbalanced '{}' list of streams: for each stream key an ID or '{symbol}' must be \
                             specified.",
                            cx.spec.name
                        )));
                    }
                    (request.keys, request.ids) = words.split_at(words.len() / 2);
                    request.ids_at = args.len() - request.ids.len();
                    break;
                }
                b"group" if more >= 2 => {
                    if !with_group {
                        return Err(only_group("GROUP"));
                    }
                    request.group = Some((args[at + 1], args[at + 2]));
                    at += 2;
                }
                b"noack" => {
                    if !with_group {
                        return Err(only_group("NOACK"));
                    }
                    request.noack = true;
                }
                _ => return Err(Error::SYNTAX),
            }
            at += 1;
        }
        if request.keys.is_empty() {
            return Err(Error::SYNTAX);
        }
        if with_group && request.group.is_none() {
            return Err(Error::new("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(request)
    }

    /// How many entries are read of each stream.
    pub fn most(&self) -> usize {
        if self.count == 0 { usize::MAX } else { self.count }
    }
}

/// For how long something must have been pending to be claimed.
fn min_idle(word: &[u8]) -> Result<i64, Error> {
    match parse_i64(word).ok_or(Error::new("ERR min-idle-time is not an integer or out of range"))? {
        ..0 => Err(Error::new("ERR min-idle-time must be a positive integer")),
        idle => Ok(idle),
    }
}

/// Begins the reply of so many streams.
pub fn reply_streams(cx: &mut Context<'_>, count: usize) {
    match cx.reply.protocol() {
        Protocol::Resp2 => cx.reply.array(count),
        Protocol::Resp3 => cx.reply.map(count),
    }
}

/// Begins the reply of one of them.
pub fn reply_stream(cx: &mut Context<'_>, key: &[u8]) {
    if cx.reply.protocol() == Protocol::Resp2 {
        cx.reply.array(2);
    }
    cx.reply.bulk(key);
}

pub fn xread(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let request = Request::parse(cx, args, false)?;
    // The ID after which each stream is read, and whether there is anything.
    let mut after = Vec::with_capacity(request.keys.len());
    for (key, word) in request.keys.iter().zip(request.ids) {
        let mut db = cx.keys.db(cx.client.db);
        let stream = db.view(key, Type::Stream)?.map(Stream::new);
        let last = stream.map_or(Id::MIN, |stream| stream.head.last);
        let top = stream.and_then(|stream| stream.last()).map(|item| item.id);
        let id = match *word {
            b"$" => last,
            // The last entry that there is; if there is none, the next.
            b"+" => top.map_or(last, |top| top.previous().unwrap_or(Id::MIN)),
            b">" => {
                return Err(Error::new(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> \
                     option.",
                ));
            }
            word => ids::parse(word, 0)?,
        };
        after.push((id, top.is_some_and(|top| top > id)));
    }
    let ready = after.iter().filter(|(_, ready)| *ready).count();
    if ready == 0 {
        let Some(deadline) = request.block else {
            cx.reply.null_array();
            return Ok(());
        };
        // `$` must mean the same when the command is executed again.
        let texts: Vec<String> = after.iter().map(|(id, _)| id.to_string()).collect();
        let mut words = args.to_vec();
        for (word, text) in words[request.ids_at..].iter_mut().zip(&texts) {
            if *word == b"$" {
                *word = text.as_bytes();
            }
        }
        if !cx.wait(&words, request.keys, Want { kind: Type::Stream, removal: false }, deadline) {
            cx.reply.null_array();
        }
        return Ok(());
    }
    reply_streams(cx, ready);
    for (key, (id, _)) in request.keys.iter().zip(after).filter(|(_, (_, ready))| *ready) {
        reply_stream(cx, key);
        let db = cx.keys.db(cx.client.db);
        let stream = db.glance(key).map(Stream::new);
        let items: Vec<Item<'_>> =
            stream.iter().flat_map(|stream| stream.iter(id.next().unwrap_or(Id::MAX))).take(request.most()).collect();
        cx.reply.array(items.len());
        items.iter().for_each(|item| reply_item(cx.reply, item));
    }
    Ok(())
}
