//! Publish and subscribe.

use crate::{
    command::{
        Args, Client, CommandResult, Context, Error, Shared,
        hub::{Channels, Name, bytes_of},
        spec::{Acl, BeginSearch, ChannelUse, FindKeys, Flags, KeyFlags, KeySpec, Spec},
    },
    config::Policy,
};
use std::{collections::BTreeSet, sync::Arc};

const READY: Flags = Flags::PUBSUB.union(Flags::LOADING).union(Flags::STALE);
const SUBSCRIBING: Flags = READY.union(Flags::NOSCRIPT).union(Flags::IN_SUBSCRIBER);
const PUBLISHING: Flags = READY.union(Flags::FAST).union(Flags::MAY_REPLICATE);
const ROW: Spec = Spec { group: "pubsub", since: "2.0.0", ..Spec::DEFAULT };
/// Shard channels are routed like keys by clients of a cluster, but are none.
const SHARD_CHANNELS: &[KeySpec] = &[KeySpec {
    flags: KeyFlags::NOT_KEY,
    begin: BeginSearch::Index(1),
    find: FindKeys::Range { last: -1, step: 1, limit: 0 },
}];

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "subscribe",
        arity: -2,
        flags: SUBSCRIBING,
        summary: "Listens for messages published to channels.",
        complexity: "O(N) where N is the number of channels to subscribe to.",
        syntax: "channel [channel ...]",
        handler: |cx, args| subscribe(cx, args, Kind::Channel),
        channels: ChannelUse::Subscribe,
        ..ROW
    },
    Spec {
        name: "psubscribe",
        arity: -2,
        flags: SUBSCRIBING,
        summary: "Listens for messages published to channels that match one or more patterns.",
        complexity: "O(N) where N is the number of patterns to subscribe to.",
        syntax: "pattern [pattern ...]",
        handler: |cx, args| subscribe(cx, args, Kind::Pattern),
        channels: ChannelUse::Patterns,
        ..ROW
    },
    Spec {
        name: "ssubscribe",
        arity: -2,
        flags: SUBSCRIBING,
        keys: SHARD_CHANNELS,
        since: "7.0.0",
        summary: "Listens for messages published to shard channels.",
        complexity: "O(N) where N is the number of shard channels to subscribe to.",
        syntax: "shardchannel [shardchannel ...]",
        handler: |cx, args| subscribe(cx, args, Kind::ShardChannel),
        channels: ChannelUse::Subscribe,
        ..ROW
    },
    Spec {
        name: "unsubscribe",
        arity: -1,
        flags: SUBSCRIBING,
        summary: "Stops listening for messages published to channels.",
        complexity: "O(N) where N is the number of channels to unsubscribe.",
        syntax: "[channel [channel ...]]",
        handler: |cx, args| unsubscribe(cx, args, Kind::Channel),
        ..ROW
    },
    Spec {
        name: "punsubscribe",
        arity: -1,
        flags: SUBSCRIBING,
        summary: "Stops listening for messages published to channels that match one or more patterns.",
        complexity: "O(N) where N is the number of patterns to unsubscribe.",
        syntax: "[pattern [pattern ...]]",
        handler: |cx, args| unsubscribe(cx, args, Kind::Pattern),
        ..ROW
    },
    Spec {
        name: "sunsubscribe",
        arity: -1,
        flags: SUBSCRIBING,
        keys: SHARD_CHANNELS,
        since: "7.0.0",
        summary: "Stops listening for messages published to shard channels.",
        complexity: "O(N) where N is the number of shard channels to unsubscribe.",
        syntax: "[shardchannel [shardchannel ...]]",
        handler: |cx, args| unsubscribe(cx, args, Kind::ShardChannel),
        ..ROW
    },
    Spec {
        name: "publish",
        arity: 3,
        flags: PUBLISHING,
        summary: "Sends a message to a channel.",
        complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total \
                     number of subscribed patterns (by any client).",
        syntax: "channel message",
        handler: |cx, args| {
            let receivers = cx.shared.pubsub.publish(args[1], args[2]);
            cx.reply.integer(receivers as i64);
            Ok(())
        },
        channels: ChannelUse::Publish,
        ..ROW
    },
    Spec {
        name: "spublish",
        arity: 3,
        flags: PUBLISHING,
        keys: &[KeySpec::one(1, KeyFlags::NOT_KEY)],
        since: "7.0.0",
        summary: "Sends a message to a shard channel.",
        complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
        syntax: "shardchannel message",
        handler: |cx, args| {
            let receivers = cx.shared.pubsub.publish_to_shard(args[1], args[2]);
            cx.reply.integer(receivers as i64);
            Ok(())
        },
        channels: ChannelUse::Publish,
        ..ROW
    },
    Spec {
        name: "pubsub",
        arity: -2,
        flags: Flags::CONTAINER,
        acl: Acl::SLOW,
        since: "2.8.0",
        summary: "Looks at channels, patterns and subscribers.",
        complexity: "Depends on subcommand.",
        subcommands: INSPECTING,
        ..ROW
    },
];

const INSPECTING: &[Spec] = &[
    Spec {
        name: "channels",
        arity: -2,
        flags: READY,
        since: "2.8.0",
        summary: "Lists the channels that have a subscriber.",
        complexity: "O(N) where N is the number of active channels, and assuming constant time pattern matching \
                     (relatively short channels and patterns)",
        syntax: "[pattern]",
        handler: |cx, args| list(cx, args, &cx.shared.pubsub.channels),
        ..ROW
    },
    Spec {
        name: "numpat",
        arity: 2,
        flags: READY,
        since: "2.8.0",
        summary: "Counts the different patterns that someone listens to.",
        handler: |cx, _| {
            cx.reply.integer(cx.shared.pubsub.patterns() as i64);
            Ok(())
        },
        ..ROW
    },
    Spec {
        name: "numsub",
        arity: -2,
        flags: READY,
        since: "2.8.0",
        summary: "Counts the subscribers of channels.",
        complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        syntax: "[channel [channel ...]]",
        handler: |cx, args| count(cx, args, &cx.shared.pubsub.channels),
        ..ROW
    },
    Spec {
        name: "shardchannels",
        arity: -2,
        flags: READY,
        since: "7.0.0",
        summary: "Lists the shard channels that have a subscriber.",
        complexity: "O(N) where N is the number of active shard channels, and assuming constant time pattern matching \
                     (relatively short shard channels).",
        syntax: "[pattern]",
        handler: |cx, args| list(cx, args, &cx.shared.pubsub.shard_channels),
        ..ROW
    },
    Spec {
        name: "shardnumsub",
        arity: -2,
        flags: READY,
        since: "7.0.0",
        summary: "Counts the subscribers of shard channels.",
        complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
        syntax: "[shardchannel [shardchannel ...]]",
        handler: |cx, args| count(cx, args, &cx.shared.pubsub.shard_channels),
        ..ROW
    },
    Spec {
        name: "help",
        arity: 2,
        flags: Flags::LOADING.union(Flags::STALE),
        since: "6.2.0",
        summary: "Says what its subcommands do.",
        handler: |cx, _| {
            super::help(cx, HELP);
            Ok(())
        },
        ..ROW
    },
];

const HELP: &[&str] = &[
    "CHANNELS [<pattern>]",
    "    List the channels with a subscriber, those matching <pattern> if given.",
    "NUMPAT",
    "    Count the different patterns subscribed to.",
    "NUMSUB [<channel> ...]",
    "    Count the subscribers of each channel, not those of patterns.",
    "SHARDCHANNELS [<pattern>]",
    "    List the shard channels with a subscriber, those matching <pattern> if given.",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Count the subscribers of each shard channel.",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Channel,
    Pattern,
    ShardChannel,
}

impl Kind {
    fn names(self, client: &mut Client) -> &mut BTreeSet<Name> {
        match self {
            Kind::Channel => &mut client.subscriptions.channels,
            Kind::Pattern => &mut client.subscriptions.patterns,
            Kind::ShardChannel => &mut client.subscriptions.shard_channels,
        }
    }

    /// What a confirmation counts: channels and patterns together, shard channels on their own.
    fn count(self, client: &Client) -> usize {
        let own = &client.subscriptions;
        match self {
            Kind::ShardChannel => own.shard_channels.len(),
            _ => own.channels.len() + own.patterns.len(),
        }
    }
}

fn subscribe(cx: &mut Context<'_>, args: &Args<'_>, kind: Kind) -> CommandResult {
    if kind == Kind::ShardChannel && cx.client.in_exec {
        return Err(Error::new("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
    }
    check_room(cx.shared, &args[1..])?;
    for word in &args[1..] {
        let name: Name = Arc::from(*word);
        if kind.names(cx.client).insert(Arc::clone(&name)) {
            let (hub, handle) = (&cx.shared.pubsub, &cx.client.handle);
            match kind {
                Kind::Channel => hub.channels.subscribe(&name, handle),
                Kind::Pattern => hub.subscribe_pattern(&name, handle),
                Kind::ShardChannel => hub.shard_channels.subscribe(&name, handle),
            }
        }
        confirm(cx, kind, Some(word));
    }
    cx.client.publish_subscriptions();
    Ok(())
}

/// Subscriptions are held to `maxmemory` together with keys that cannot be evicted. Others do not give way to them.
fn check_room(shared: &Shared, names: &[&[u8]]) -> CommandResult {
    let keyspace = &shared.keyspace;
    let keys = if keyspace.policy() == Policy::NoEviction { keyspace.used_memory() } else { 0 };
    let names: usize = names.iter().map(|name| bytes_of(name)).sum();
    let wanted = keys + (shared.pubsub.bytes() + names) as u64;
    if keyspace.maxmemory() > 0 && wanted > keyspace.maxmemory() { Err(Error::OUT_OF_MEMORY) } else { Ok(()) }
}

fn unsubscribe(cx: &mut Context<'_>, args: &Args<'_>, kind: Kind) -> CommandResult {
    let all: Vec<Name> = match args {
        [_] => kind.names(cx.client).iter().cloned().collect(),
        [_, words @ ..] => words.iter().map(|word| Arc::from(*word)).collect(),
        [] => Vec::new(),
    };
    for name in &all {
        if kind.names(cx.client).remove(name) {
            let (hub, id) = (&cx.shared.pubsub, cx.client.handle.id);
            match kind {
                Kind::Channel => hub.channels.unsubscribe(name, id),
                Kind::Pattern => hub.unsubscribe_pattern(name, id),
                Kind::ShardChannel => hub.shard_channels.unsubscribe(name, id),
            }
            deliver_first(cx);
        }
        confirm(cx, kind, Some(name));
    }
    if all.is_empty() {
        confirm(cx, kind, None);
    }
    cx.client.publish_subscriptions();
    Ok(())
}

/// What was sent while the subscription stood comes before the word that it has ended.
fn deliver_first(cx: &mut Context<'_>) {
    // Inside EXEC the elements of its reply may not be torn apart.
    if cx.client.handle.has_mail() && !cx.client.in_exec {
        let Context { client, reply, .. } = cx;
        client.handle.take_mail(|mail| reply.raw(mail.bytes()));
    }
}

/// Confirmations are messages more than replies: CLIENT REPLY does not silence them.
fn confirm(cx: &mut Context<'_>, kind: Kind, name: Option<&[u8]>) {
    let word = cx.spec.name.as_bytes();
    let count = kind.count(cx.client) as i64;
    let write = |reply: &mut dyn crate::command::Reply| {
        reply.push(3);
        reply.bulk(word);
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.integer(count);
    };
    if cx.client.reply_mode.is_silent() {
        let mut buffer = (cx.shared.encoder)(cx.client.protocol);
        // `ReplyBuffer` is a `Reply`, but a trait object of one is not one of the other.
        write(&mut *buffer);
        cx.client.handle.deliver(&buffer.take().into());
    } else {
        write(cx.reply);
    }
}

fn list(cx: &mut Context<'_>, args: &Args<'_>, channels: &Channels) -> CommandResult {
    if args.len() > 3 {
        return Err(crate::command::table::unknown_subcommand_or_arity(args));
    }
    let names = channels.names(args.get(2).copied());
    cx.reply.array(names.len());
    names.iter().for_each(|name| cx.reply.bulk(name));
    Ok(())
}

fn count(cx: &mut Context<'_>, args: &Args<'_>, channels: &Channels) -> CommandResult {
    cx.reply.array((args.len() - 2) * 2);
    for channel in &args[2..] {
        cx.reply.bulk(channel);
        cx.reply.integer(channels.subscribers(channel) as i64);
    }
    Ok(())
}
