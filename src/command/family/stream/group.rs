//! XGROUP, XACK.

use super::ids;
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::{integer, is_word},
        error::quotable,
        family::help,
        table::unknown_subcommand_or_arity,
    },
    config::KeyspaceEvents,
    keyspace::{Cell, Type},
    types::{
        home::Home,
        stream::{
            self, Id, Stream,
            group::{self, Consumer, Group},
        },
    },
};

const NEEDS_KEY: Error = Error::new(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option \
     to create an empty stream automatically.",
);

/// There is no such group, where there is such a key.
pub fn no_such_group(key: &[u8], name: &[u8]) -> Error {
    let (key, name) = (quotable(key, usize::MAX), quotable(name, usize::MAX));
    let parts = [b"NOGROUP No such consumer group '", name, b"' for key name '", key, b"'"];
    Error::text(parts.concat())
}

/// There is no such key or no such group; `after` ends the text.
pub fn no_such_key_or_group(key: &[u8], name: &[u8], after: &str) -> Error {
    let (key, name) = (quotable(key, usize::MAX), quotable(name, usize::MAX));
    let parts = [b"NOGROUP No such key '", key, b"' or consumer group '", name, b"'", after.as_bytes()];
    Error::text(parts.concat())
}

/// MKSTREAM and ENTRIESREAD.
fn options(args: &Args<'_>, may_make: bool) -> Result<(bool, Option<u64>), Error> {
    let (mut makes, mut read) = (false, None);
    let mut words = args[5..].iter();
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
            return Err(unknown_subcommand_or_arity(args));
        }
    }
    Ok((makes, read))
}

pub fn create(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (makes, read) = options(args, true)?;
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
    let (_, read) = options(args, false)?;
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
