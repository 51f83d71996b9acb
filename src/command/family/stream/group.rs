//! XGROUP, XREADGROUP, XACK.

use super::{
    ids,
    read::{Request, reply_stream, reply_streams},
    reply_item,
};
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::{integer, is_word},
        family::help,
    },
    config::KeyspaceEvents,
    keyspace::{Cell, Type, Want},
    types::{
        home::Home,
        stream::{
            self, Id, Stream,
            group::{self, Consumer, Group, Pending},
        },
    },
};

const NEEDS_KEY: Error = Error::new(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option \
     to create an empty stream automatically.",
);

/// There is no such group, where there is such a key.
pub fn no_such_group(key: &[u8], name: &[u8]) -> Error {
    let parts = [b"NOGROUP No such consumer group '", name, b"' for key name '", key, b"'"];
    Error::text(parts.concat())
}

/// There is no such key or no such group; `after` ends the text.
pub fn no_such_key_or_group(key: &[u8], name: &[u8], after: &str) -> Error {
    let parts = [b"NOGROUP No such key '", key, b"' or consumer group '", name, b"'", after.as_bytes()];
    Error::text(parts.concat())
}

fn unknown_subcommand(cx: &Context<'_>) -> Error {
    Error::text(format!(
        "ERR unknown subcommand or wrong number of arguments for '{}'. Try XGROUP HELP.",
        cx.spec.name.to_ascii_uppercase()
    ))
}

/// MKSTREAM and ENTRIESREAD.
fn options(cx: &Context<'_>, words: &Args<'_>, may_make: bool) -> Result<(bool, Option<u64>), Error> {
    let (mut makes, mut read) = (false, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if may_make && is_word(word, "mkstream") {
            makes = true;
        } else if is_word(word, "entriesread")
            && let Some(value) = words.next()
        {
            let given = integer(value)?;
            if given < -1 {
                return Err(Error::new("ERR value for ENTRIESREAD must be positive or -1"));
            }
            read = u64::try_from(given).ok();
        } else {
            return Err(unknown_subcommand(cx));
        }
    }
    Ok((makes, read))
}

pub fn create(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (makes, read) = options(cx, &args[5..], true)?;
    let key = args[2];
    let mut db = cx.keys.db(cx.client.db);
    let last = match db.cell(key, Type::Stream)?.map(|cell| Stream::new(cell.view()).head.last) {
        None if !makes => return Err(NEEDS_KEY),
        last if args[4] == b"$" => last.unwrap_or(Id::MIN),
        _ => ids::parse(args[4], 0)?,
    };
    let mut cell = db.cell_or(key, stream::EMPTY)?;
    let stream = Stream::new(cell.view());
    if stream.group(args[3]).is_some() {
        return Err(Error::new("BUSYGROUP Consumer Group name already exists"));
    }
    let read = at_most_added(read, &stream);
    group::create(&mut cell, args[3], last, read)?;
    cx.notify(KeyspaceEvents::STREAM, "xgroup-create", key);
    cx.reply.ok();
    Ok(())
}

/// No group has read more entries than were ever added.
fn at_most_added(read: Option<u64>, stream: &Stream<'_>) -> Option<u64> {
    read.map(|read| read.min(stream.head.added))
}

/// The group that a subcommand changes.
fn found(cell: &Option<Cell<'_>>, key: &[u8], name: &[u8]) -> Result<Group, Error> {
    let cell = cell.as_ref().ok_or(NEEDS_KEY)?;
    Stream::new(cell.view()).group(name).ok_or_else(|| no_such_group(key, name))
}

pub fn setid(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (_, read) = options(cx, &args[5..], false)?;
    let key = args[2];
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(key, Type::Stream)?;
    let of = found(&cell, key, args[3])?;
    if let Some(cell) = &mut cell {
        let last = match args[4] {
            b"$" => Stream::new(cell.view()).head.last,
            word => ids::parse_or_end(word, 0)?,
        };
        let read = at_most_added(read, &Stream::new(cell.view()));
        group::update(cell, args[3], &Group { last, read, ..of })?;
    }
    cx.notify(KeyspaceEvents::STREAM, "xgroup-setid", key);
    cx.reply.ok();
    Ok(())
}

pub fn destroy(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let key = args[2];
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(key, Type::Stream)?.ok_or(NEEDS_KEY)?;
    let destroyed = group::destroy(&mut cell, args[3])?;
    if destroyed {
        cx.notify(KeyspaceEvents::STREAM, "xgroup-destroy", key);
    }
    cx.reply.integer(destroyed.into());
    Ok(())
}

pub fn createconsumer(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, now) = (args[2], cx.now);
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(key, Type::Stream)?;
    let of = found(&cell, key, args[3])?;
    let mut created = false;
    if let Some(cell) = &mut cell
        && Stream::new(cell.view()).consumer(&of, args[4]).is_none()
    {
        group::create_consumer(cell, &of, args[4], now, None)?;
        created = true;
    }
    if created {
        cx.notify(KeyspaceEvents::STREAM, "xgroup-createconsumer", key);
    }
    cx.reply.integer(created.into());
    Ok(())
}

pub fn delconsumer(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let key = args[2];
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(key, Type::Stream)?;
    let of = found(&cell, key, args[3])?;
    let removed = match &mut cell {
        Some(cell) => group::remove_consumer(cell, &of, args[4])?,
        None => None,
    };
    if removed.is_some() {
        cx.notify(KeyspaceEvents::STREAM, "xgroup-delconsumer", key);
    }
    cx.reply.integer(removed.unwrap_or(0) as i64);
    Ok(())
}

pub fn group_help(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    help(
        cx,
        &[
            "CREATE <key> <groupname> <id|$> [option]",
            "    Make a consumer group that begins after an ID. Options are:",
            "    * MKSTREAM",
            "      Make an empty stream if there is none.",
            "    * ENTRIESREAD entries_read",
            "      Set how many entries the group counts as read.",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Make a consumer in a group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Remove a consumer and what is pending with it.",
            "DESTROY <key> <groupname>",
            "    Remove a group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Set the ID that was delivered last, and how many entries count as read.",
        ],
    );
    Ok(())
}

/// The consumer of this name, made if there is none, which is asking for something now.
pub fn consumer_of(cx: &mut Context<'_>, key: &[u8], of: &Group, name: &[u8]) -> Result<Consumer, Error> {
    let now = cx.now;
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(key, Type::Stream)?.ok_or(Error::NO_SUCH_KEY)?;
    let known = Stream::new(cell.view()).consumer(of, name);
    let consumer = match known {
        Some(consumer) if consumer.seen == now => return Ok(consumer),
        Some(consumer) => {
            let consumer = Consumer { seen: now, ..consumer };
            group::update_consumer(&mut cell, of, name, &consumer)?;
            consumer
        }
        None => group::create_consumer(&mut cell, of, name, now, None)?,
    };
    if known.is_none() {
        cx.notify(KeyspaceEvents::STREAM, "xgroup-createconsumer", key);
    }
    Ok(consumer)
}

/// What one stream of XREADGROUP is read for.
enum Wanted {
    /// What no consumer has got yet.
    New,
    /// What is pending with this consumer, after an ID.
    History(Id),
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
    let mut streams = Vec::with_capacity(request.keys.len());
    for (key, word) in request.keys.iter().copied().zip(request.ids) {
        let mut db = cx.keys.db(cx.client.db);
        let stream = db.view(key, Type::Stream)?.map(Stream::new);
        let of = stream.and_then(|stream| stream.group(group_name));
        let (Some(stream), Some(of)) = (stream, of) else {
            return Err(no_such_key_or_group(key, group_name, " in XREADGROUP with GROUP option"));
        };
        let wanted = match *word {
            b"$" => return Err(meaningless('$')),
            b"+" => return Err(meaningless('+')),
            b">" => Wanted::New,
            word => Wanted::History(ids::parse(word, 0)?),
        };
        let has_new = stream.last().is_some_and(|top| top.id > of.last);
        streams.push((key, of, wanted, has_new));
    }
    let served =
        |(_, _, wanted, has_new): &&(&[u8], Group, Wanted, bool)| matches!(wanted, Wanted::History(_)) || *has_new;
    let ready = streams.iter().filter(served).count();
    if ready > 0 || !cx.client.stands_in {
        for (key, of, _, _) in &streams {
            consumer_of(cx, key, of, consumer_name)?;
        }
    }
    if ready == 0 {
        let want = Want { kind: Type::Stream, removal: true };
        let waits = request.block.is_some_and(|deadline| cx.wait(args, request.keys, want, deadline));
        if !waits {
            cx.reply.null_array();
        }
        return Ok(());
    }
    // All is delivered before the first word of the reply: until then there may be an error.
    let mut delivered = Vec::with_capacity(ready);
    for (key, of, wanted, _) in streams.iter().filter(served) {
        delivered.push(match wanted {
            Wanted::New => deliver(cx, key, (group_name, of), consumer_name, &request)?,
            Wanted::History(after) => history(cx, key, of, consumer_name, *after, request.most())?,
        });
    }
    reply_streams(cx, ready);
    for ((key, ..), ids) in streams.iter().filter(served).zip(delivered) {
        reply_stream(cx, key);
        let db = cx.keys.db(cx.client.db);
        let stream = db.glance(key).map(Stream::new);
        cx.reply.array(ids.len());
        for id in ids {
            match stream.as_ref().and_then(|stream| stream.get(id)) {
                Some(item) => reply_item(cx.reply, &item),
                // Deleted while it was pending.
                None => {
                    cx.reply.array(2);
                    ids::reply(cx.reply, id);
                    cx.reply.null_array();
                }
            }
        }
    }
    Ok(())
}

/// Gives a consumer again what is pending with it; answers the IDs.
fn history(
    cx: &mut Context<'_>,
    key: &[u8],
    of: &Group,
    name: &[u8],
    after: Id,
    most: usize,
) -> Result<Vec<Id>, Error> {
    let now = cx.now;
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(key, Type::Stream)?.ok_or(Error::NO_SUCH_KEY)?;
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
    Ok(ids)
}

/// Gives a consumer what its group has not got yet; answers the IDs.
fn deliver(
    cx: &mut Context<'_>,
    key: &[u8],
    (group_name, of): (&[u8], &Group),
    name: &[u8],
    request: &Request<'_, '_>,
) -> Result<Vec<Id>, Error> {
    let now = cx.now;
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(key, Type::Stream)?.ok_or(Error::NO_SUCH_KEY)?;
    let stream = Stream::new(cell.view());
    let Some(consumer) = stream.consumer(of, name) else { return Ok(Vec::new()) };
    let mut of = *of;
    let mut delivered = Vec::new();
    for item in stream.iter(of.last.next().unwrap_or(Id::MAX)).take(request.most()) {
        of.read = match of.read {
            Some(read) if !stream.has_gaps_after(item.id) => Some(read + 1),
            _ => stream.added_up_to(item.id),
        };
        of.last = item.id;
        delivered.push(item.id);
    }
    if !request.noack {
        for id in &delivered {
            let pending = Pending { id: *id, consumer: consumer.number, delivered: now, times: 1 };
            group::deliver(&mut cell, &of, &pending)?;
        }
        group::update_consumer(&mut cell, &of, name, &Consumer { active: Some(now), ..consumer })?;
    }
    group::update(&mut cell, group_name, &of)?;
    Ok(delivered)
}

pub fn xack(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut acknowledged = 0;
    {
        let mut db = cx.keys.db(cx.client.db);
        if let Some(mut cell) = db.cell(args[1], Type::Stream)?
            && let Some(of) = Stream::new(cell.view()).group(args[2])
        {
            let ids: Vec<Id> = args[3..].iter().map(|word| ids::parse(word, 0)).collect::<Result<_, _>>()?;
            for id in ids {
                acknowledged += i64::from(group::acknowledge(&mut cell, &of, id)?);
            }
        }
    }
    cx.reply.integer(acknowledged);
    Ok(())
}
