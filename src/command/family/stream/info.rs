//! XINFO.

use super::{group::no_such_group, idempotence::usual, ids, reply_item, trim};
use crate::{
    command::{
        Args, CommandResult, Context, Error, Reply,
        args::{integer, is_word},
        family::help,
        table::unknown_subcommand_or_arity,
    },
    keyspace::Type,
    types::stream::{
        Id, Item, Stream,
        group::{Consumer, Group},
    },
};
use std::collections::HashMap;

pub fn info_help(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    help(
        cx,
        &[
            "CONSUMERS <key> <groupname>",
            "    Show the consumers of a group.",
            "GROUPS <key>",
            "    Show the groups of a stream.",
            "STREAM <key> [FULL [COUNT <count>]",
            "    Show what is known of a stream.",
        ],
    );
    Ok(())
}

pub fn consumers(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let now = cx.now;
    let mut db = cx.keys.db(cx.client.db);
    let stream = Stream::new(db.view(args[2], Type::Stream)?.ok_or(Error::NO_SUCH_KEY)?);
    let of = stream.group(args[3]).ok_or_else(|| no_such_group(args[2], args[3]))?;
    let all: Vec<(&[u8], Consumer)> = stream.consumers(&of).collect();
    cx.reply.array(all.len());
    for (name, consumer) in all {
        cx.reply.map(4);
        cx.reply.bulk(b"name");
        cx.reply.bulk(name);
        number(cx.reply, "pending", stream.owned_len(&consumer) as i64);
        number(cx.reply, "idle", (now - consumer.seen).max(0));
        number(cx.reply, "inactive", consumer.active.map_or(-1, |at| now - at));
    }
    Ok(())
}

pub fn groups(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let stream = Stream::new(db.view(args[2], Type::Stream)?.ok_or(Error::NO_SUCH_KEY)?);
    let all: Vec<(&[u8], Group)> = stream.groups().collect();
    cx.reply.array(all.len());
    for (name, of) in all {
        cx.reply.map(6);
        cx.reply.bulk(b"name");
        cx.reply.bulk(name);
        number(cx.reply, "consumers", stream.consumers_len(&of) as i64);
        number(cx.reply, "pending", stream.pending_len(&of) as i64);
        delivery(cx.reply, &stream, &of);
    }
    Ok(())
}

fn number(reply: &mut dyn Reply, name: &str, value: i64) {
    reply.bulk(name.as_bytes());
    reply.integer(value);
}

fn id(reply: &mut dyn Reply, name: &str, id: Id) {
    reply.bulk(name.as_bytes());
    ids::reply(reply, id);
}

fn maybe(reply: &mut dyn Reply, name: &str, value: Option<u64>) {
    reply.bulk(name.as_bytes());
    match value {
        Some(value) => reply.integer(value as i64),
        None => reply.null(),
    }
}

/// How far a group has come.
fn delivery(reply: &mut dyn Reply, stream: &Stream<'_>, of: &Group) {
    id(reply, "last-delivered-id", of.last);
    maybe(reply, "entries-read", of.read);
    maybe(reply, "lag", stream.lag(of));
}

pub fn stream(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    // What is there to be told of comes before how.
    let settings = cx.client.settings.clone();
    let (usual, now) = (usual(&settings), cx.now);
    let mut db = cx.keys.db(cx.client.db);
    let stream = Stream::new(db.view(args[2], Type::Stream)?.ok_or(Error::NO_SUCH_KEY)?);
    let full = match &args[3..] {
        [] => None,
        [full] if is_word(full, "full") => Some(10),
        [full, count, number] if is_word(full, "full") && is_word(count, "count") => {
            Some(usize::try_from(integer(number)?).unwrap_or(10))
        }
        _ => return Err(unknown_subcommand_or_arity(args)),
    };
    let reply = &mut *cx.reply;
    reply.map(if full.is_some() { 15 } else { 16 });
    number(reply, "length", stream.len() as i64);
    // Nodes of the size that Redis's would have: there are none here.
    let nodes = match stream.len() {
        0 => 0,
        len => len.div_ceil(trim::node_len(&stream, &settings)) as i64,
    };
    number(reply, "radix-tree-keys", nodes);
    number(reply, "radix-tree-nodes", nodes + 1);
    id(reply, "last-generated-id", stream.head.last);
    id(reply, "max-deleted-entry-id", stream.head.deleted);
    number(reply, "entries-added", stream.head.added as i64);
    id(reply, "recorded-first-entry-id", stream.first().map_or(Id::MIN, |item| item.id));
    let memory = stream.memory().unwrap_or(usual);
    let (producers, tracked) = stream.tracked(now);
    number(reply, "idmp-duration", memory.seconds as i64);
    number(reply, "idmp-maxsize", memory.most as i64);
    number(reply, "pids-tracked", producers as i64);
    number(reply, "iids-tracked", tracked as i64);
    number(reply, "iids-added", memory.added as i64);
    number(reply, "iids-duplicates", memory.duplicates as i64);
    match full {
        None => {
            number(reply, "groups", stream.groups_len() as i64);
            for (name, item) in [("first-entry", stream.first()), ("last-entry", stream.last())] {
                reply.bulk(name.as_bytes());
                match item {
                    Some(item) => reply_item(reply, &item),
                    None => reply.null(),
                }
            }
        }
        Some(count) => {
            let most = if count == 0 { usize::MAX } else { count };
            reply.bulk(b"entries");
            let items: Vec<Item<'_>> = stream.iter(Id::MIN).take(most).collect();
            reply.array(items.len());
            items.iter().for_each(|item| reply_item(reply, item));
            reply.bulk(b"groups");
            let groups: Vec<(&[u8], Group)> = stream.groups().collect();
            reply.array(groups.len());
            for (name, of) in groups {
                group_in_full(reply, &stream, (name, &of), most);
            }
        }
    }
    Ok(())
}

fn group_in_full(reply: &mut dyn Reply, stream: &Stream<'_>, (name, of): (&[u8], &Group), most: usize) {
    let consumers: Vec<(&[u8], Consumer)> = stream.consumers(of).collect();
    let names: HashMap<u32, &[u8]> = consumers.iter().map(|(name, consumer)| (consumer.number, *name)).collect();
    reply.map(8);
    reply.bulk(b"name");
    reply.bulk(name);
    delivery(reply, stream, of);
    number(reply, "pel-count", stream.pending_len(of) as i64);
    number(reply, "nacked-count", stream.unowned_len(of) as i64);
    reply.bulk(b"pending");
    let pending: Vec<_> = stream.pending(of, Id::MIN).take(most).collect();
    reply.array(pending.len());
    for pending in pending {
        reply.array(4);
        ids::reply(reply, pending.id);
        reply.bulk(names.get(&pending.consumer).copied().unwrap_or_default());
        reply.integer(pending.delivered);
        reply.integer(pending.times as i64);
    }
    reply.bulk(b"consumers");
    reply.array(consumers.len());
    for (name, consumer) in consumers {
        reply.map(5);
        reply.bulk(b"name");
        reply.bulk(name);
        number(reply, "seen-time", consumer.seen);
        number(reply, "active-time", consumer.active.unwrap_or(-1));
        number(reply, "pel-count", stream.owned_len(&consumer) as i64);
        reply.bulk(b"pending");
        let owned: Vec<_> =
            stream.owned(&consumer, Id::MIN).take(most).filter_map(|id| stream.pending_entry(of, id)).collect();
        reply.array(owned.len());
        for pending in owned {
            reply.array(3);
            ids::reply(reply, pending.id);
            reply.integer(pending.delivered);
            reply.integer(pending.times as i64);
        }
    }
}
