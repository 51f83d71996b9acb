//! OBJECT: how a value is stored and used.

use crate::command::{
    Args, CommandResult, Context, Error,
    spec::{Acl, Flags, KeyFlags, KeySpec, Spec},
};

const fn row(name: &'static str, arity: i32, since: &'static str, summary: &'static str) -> Spec {
    Spec {
        name,
        arity,
        flags: Flags::READONLY,
        acl: Acl::KEYSPACE.union(Acl::READ).union(Acl::SLOW),
        group: "generic",
        since,
        summary,
        ..Spec::DEFAULT
    }
}

/// The key is the word after the subcommand.
const KEY: &[KeySpec] = &[KeySpec::one(2, KeyFlags::RO)];

pub static SUBCOMMANDS: &[Spec] = &[
    Spec {
        keys: KEY,
        syntax: "key",
        tips: &["nondeterministic_output"],
        handler: encoding,
        ..row("encoding", 3, "2.2.3", "Answers the encoding of a value.")
    },
    Spec {
        keys: KEY,
        syntax: "key",
        tips: &["nondeterministic_output"],
        handler: freq,
        ..row("freq", 3, "4.0.0", "Answers how often a key is used, on the scale of the LFU policies.")
    },
    Spec {
        keys: KEY,
        syntax: "key",
        tips: &["nondeterministic_output"],
        handler: idletime,
        ..row("idletime", 3, "2.2.3", "Answers how many seconds ago a key was last used.")
    },
    Spec {
        keys: KEY,
        syntax: "key",
        tips: &["nondeterministic_output"],
        handler: refcount,
        ..row("refcount", 3, "2.2.3", "Answers how many references a value has.")
    },
    Spec {
        flags: Flags::LOADING.union(Flags::STALE),
        acl: Acl::KEYSPACE.union(Acl::SLOW),
        handler: help,
        ..row("help", 2, "6.2.0", "Shows the subcommands.")
    },
];

/// Answers null when the key is absent.
fn answer<T>(cx: &mut Context<'_>, found: Option<T>, reply: impl FnOnce(&mut Context<'_>, T)) -> CommandResult {
    match found {
        Some(found) => reply(cx, found),
        None => cx.reply.null(),
    }
    Ok(())
}

fn encoding(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let name = cx.keys.db(cx.client.db).peek(args[2]).map(|item| item.encoding.name());
    answer(cx, name, |cx, name| cx.reply.bulk(name.as_bytes()))
}

fn refcount(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let found = cx.keys.db(cx.client.db).peek(args[2]).map(|_| 1);
    answer(cx, found, |cx, count| cx.reply.integer(count))
}

fn freq(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let frequency = cx.keys.db(cx.client.db).frequency(args[2]);
    if frequency.is_some() && !cx.shared.keyspace.policy().is_lfu() {
        return Err(Error::new(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    answer(cx, frequency, |cx, frequency| cx.reply.integer(frequency.into()))
}

fn idletime(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let seconds = cx.keys.db(cx.client.db).idle_seconds(args[2]);
    if seconds.is_some() && cx.shared.keyspace.policy().is_lfu() {
        return Err(Error::new(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
             policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    answer(cx, seconds, |cx, seconds| cx.reply.integer(seconds as i64))
}

const HELP: &[&str] = &[
    "ENCODING <key>",
    "    How the value at <key> is stored.",
    "FREQ <key>",
    "    How often <key> is used, when an LFU policy is selected.",
    "IDLETIME <key>",
    "    Seconds since <key> was last used.",
    "REFCOUNT <key>",
    "    The number of references to the value at <key>.",
];

fn help(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    crate::command::family::help(cx, HELP);
    Ok(())
}
