//! XREADGROUP.

use super::{
    group::{consumer_of, no_such_key_or_group},
    ids,
    read::{Request, reply_stream, reply_streams},
    reply_fields, reply_item,
};
use crate::{
    command::{Args, CommandResult, Context, Error},
    keyspace::{Type, Want},
    types::{
        home::Home,
        stream::{
            self, Id, Stream,
            group::{self, Consumer, Group, Pending},
        },
    },
    util::clock::UnixMillis,
};

/// What one stream is read for.
enum Wanted {
    /// What no consumer has got yet.
    New,
    /// What is pending with this consumer, after an ID.
    History(Id),
}

/// One stream of the request.
struct Asked<'a> {
    key: &'a [u8],
    of: Group,
    wanted: Wanted,
    has_new: bool,
    /// Something has been pending for long enough to be claimed.
    has_claimable: bool,
    /// Otherwise, when something will have been.
    claimable_at: Option<UnixMillis>,
}

impl Asked<'_> {
    fn is_served(&self) -> bool {
        matches!(self.wanted, Wanted::History(_)) || self.is_delivered()
    }

    fn is_delivered(&self) -> bool {
        matches!(self.wanted, Wanted::New) && (self.has_new || self.has_claimable)
    }
}

/// An entry for the consumer.
struct Delivered {
    id: Id,
    /// Of a request that claims: for how long the entry has been pending, and how many times it was delivered before.
    past: Option<(i64, u64)>,
}

fn meaningless(sign: char) -> Error {
    Error::text(format!(
        "ERR The {sign} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
         specifying a proper ID, or use the > ID to get new messages. The {sign} ID would just return an empty result set."
    ))
}

pub fn xreadgroup(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let request = Request::parse(cx, args, true)?;
    let Some((group_name, consumer_name)) = request.group else { return Err(Error::SYNTAX) };
    let mut asked = Vec::with_capacity(request.keys.len());
    for (key, word) in request.keys.iter().copied().zip(request.ids) {
        asked.push(look(cx, key, word, group_name, request.claim)?);
    }
    let ready = asked.iter().filter(|asked| asked.is_served()).count();
    // (A client that waits has made its consumer; the log and a script have not, whoever runs them.)
    if ready > 0 || !cx.client.stands_in || cx.client.in_exec {
        for asked in &asked {
            // What is delivered to a consumer says that it was seen, too, and both are one change.
            if !(asked.is_delivered() && has_consumer(cx, asked, consumer_name)) {
                consumer_of(cx, asked.key, &asked.of, consumer_name)?;
            }
        }
    }
    if ready == 0 {
        let want = Want { kind: Type::Stream, removal: true };
        let again = asked.iter().filter_map(|asked| asked.claimable_at).min();
        let waits = request.block.is_some_and(|deadline| cx.wait_or_look(args, request.keys, want, deadline, again));
        if !waits {
            cx.reply.null_array();
        }
        return Ok(());
    }
    // All is delivered before the first word of the reply: until then there may be an error.
    let mut delivered = Vec::with_capacity(ready);
    for asked in asked.iter().filter(|asked| asked.is_served()) {
        delivered.push(match asked.wanted {
            Wanted::New => deliver(cx, asked, group_name, consumer_name, &request)?,
            Wanted::History(after) => history(cx, asked, consumer_name, after, request.most())?,
        });
    }
    reply_streams(cx, ready);
    for (Asked { key, .. }, entries) in asked.iter().filter(|asked| asked.is_served()).zip(delivered) {
        reply_stream(cx, key);
        let db = cx.keys.db(cx.client.db);
        let stream = db.glance(key).map(Stream::new);
        cx.reply.array(entries.len());
        for Delivered { id, past } in entries {
            match (stream.as_ref().and_then(|stream| stream.get(id)), past) {
                (Some(item), None) => reply_item(cx.reply, &item),
                (Some(item), Some((idle, times))) => {
                    cx.reply.array(4);
                    ids::reply(cx.reply, id);
                    reply_fields(cx.reply, &item);
                    cx.reply.integer(idle);
                    cx.reply.integer(times as i64);
                }
                // Deleted while it was pending.
                (None, _) => {
                    cx.reply.array(2);
                    ids::reply(cx.reply, id);
                    cx.reply.null_array();
                }
            }
        }
    }
    Ok(())
}

/// Looks whether a stream has anything for the request.
fn look<'a>(
    cx: &mut Context<'_>,
    key: &'a [u8],
    word: &[u8],
    group_name: &[u8],
    claim: Option<i64>,
) -> Result<Asked<'a>, Error> {
    let now = cx.now;
    let mut db = cx.keys.db(cx.client.db);
    let stream = db.view(key, Type::Stream)?.map(Stream::new);
    let of = stream.and_then(|stream| stream.group(group_name));
    let (Some(stream), Some(of)) = (stream, of) else {
        return Err(no_such_key_or_group(key, group_name, " in XREADGROUP with GROUP option"));
    };
    let wanted = match word {
        b"$" => return Err(meaningless('$')),
        b"+" => return Err(meaningless('+')),
        b">" => Wanted::New,
        word => Wanted::History(ids::parse(word, 0)?),
    };
    let has_new = stream.last().is_some_and(|top| top.id > of.last);
    let mut asked = Asked { key, of, wanted, has_new, has_claimable: false, claimable_at: None };
    let claim = claim.filter(|_| matches!(asked.wanted, Wanted::New));
    if let Some(min_idle) = claim.filter(|_| stream.pending_len(&of) > 0) {
        let mut cell = db.cell(key, Type::Stream)?.ok_or(Error::NO_SUCH_KEY)?;
        stream::keep_order(&mut cell)?;
        let at = Stream::new(cell.view()).claimable_at(&of, min_idle);
        asked.has_claimable = at.is_some_and(|at| at <= now);
        asked.claimable_at = at;
    }
    Ok(asked)
}

fn has_consumer(cx: &mut Context<'_>, asked: &Asked<'_>, name: &[u8]) -> bool {
    let db = cx.keys.db(cx.client.db);
    db.glance(asked.key).is_some_and(|view| Stream::new(view).consumer(&asked.of, name).is_some())
}

/// Gives a consumer again what is pending with it.
fn history(
    cx: &mut Context<'_>,
    asked: &Asked<'_>,
    name: &[u8],
    after: Id,
    most: usize,
) -> Result<Vec<Delivered>, Error> {
    let (now, of) = (cx.now, &asked.of);
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(asked.key, Type::Stream)?.ok_or(Error::NO_SUCH_KEY)?;
    let stream = Stream::new(cell.view());
    let (Some(consumer), Some(from)) = (stream.consumer(of, name), after.next()) else { return Ok(Vec::new()) };
    let ids: Vec<Id> = stream.owned(&consumer, from).take(most).collect();
    for id in &ids {
        let stream = Stream::new(cell.view());
        if let (Some(pending), Some(_)) = (stream.pending_entry(of, *id), stream.get(*id)) {
            let again = Pending { delivered: now, times: pending.times.saturating_add(1), ..pending };
            group::deliver(&mut cell, of, &again)?;
        }
    }
    Ok(ids.into_iter().map(|id| Delivered { id, past: None }).collect())
}

/// Gives a consumer what it may claim, if the request says so, and then what its group has not got yet.
fn deliver(
    cx: &mut Context<'_>,
    asked: &Asked<'_>,
    group_name: &[u8],
    name: &[u8],
    request: &Request<'_, '_>,
) -> Result<Vec<Delivered>, Error> {
    let now = cx.now;
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(asked.key, Type::Stream)?.ok_or(Error::NO_SUCH_KEY)?;
    let Some(consumer) = Stream::new(cell.view()).consumer(&asked.of, name) else { return Ok(Vec::new()) };
    let mut delivered = match request.claim {
        Some(min_idle) => claim(&mut cell, &asked.of, &consumer, min_idle, request.most(), now)?,
        None => Vec::new(),
    };
    let mut of = asked.of;
    let past = request.claim.map(|_| (0, 0));
    let stream = Stream::new(cell.view());
    let (claimed, first) = (delivered.len(), stream.first().map_or(Id::MAX, |item| item.id));
    for item in stream.iter(of.last.next().unwrap_or(Id::MAX)).take(request.most() - claimed) {
        of.read = stream.count_read(&of, item.id, first);
        of.last = item.id;
        delivered.push(Delivered { id: item.id, past });
    }
    if !request.noack {
        for Delivered { id, .. } in &delivered[claimed..] {
            group::deliver(&mut cell, &of, &Pending::owned(*id, consumer.number, now, 1))?;
        }
    }
    let gets_something = !request.noack || claimed > 0;
    let active = if gets_something { Some(now) } else { consumer.active };
    if gets_something || consumer.seen != now {
        group::update_consumer(&mut cell, &of, name, &Consumer { seen: now, active, ..consumer })?;
    }
    if delivered.len() > claimed {
        group::update(&mut cell, group_name, &of)?;
    }
    Ok(delivered)
}

/// Gives a consumer what has been pending for so long, whoever had it.
fn claim(
    home: &mut impl Home,
    of: &Group,
    consumer: &Consumer,
    min_idle: i64,
    most: usize,
    now: UnixMillis,
) -> Result<Vec<Delivered>, Error> {
    let found: Vec<Pending> = (Stream::new(home.view()).claimable(of))
        .take_while(|pending| pending.delivered.saturating_add(min_idle) <= now)
        .take(most)
        .collect();
    for pending in &found {
        let times = pending.times.saturating_add(1).min(i64::MAX as u64);
        group::deliver(home, of, &Pending::owned(pending.id, consumer.number, now, times))?;
    }
    let past = |pending: &Pending| Some((now - pending.delivered, pending.times));
    Ok(found.iter().map(|pending| Delivered { id: pending.id, past: past(pending) }).collect())
}
