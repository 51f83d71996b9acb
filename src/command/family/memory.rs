//! MEMORY: what keys and the server take.

use crate::command::{
    Args, CommandResult, Context, Error,
    spec::{Acl, Flags, KeyFlags, KeySpec, Spec},
};
use crate::util::number::parse_i64;

const ROW: Spec = Spec { acl: Acl::SLOW, group: "server", since: "4.0.0", ..Spec::DEFAULT };

pub static COMMANDS: &[Spec] = &[Spec {
    name: "memory",
    arity: -2,
    flags: Flags::CONTAINER,
    summary: "Holds the commands about memory.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "doctor",
            arity: 2,
            summary: "Says whether something is wrong with memory.",
            handler: doctor,
            ..ROW
        },
        Spec {
            name: "help",
            arity: 2,
            flags: Flags::LOADING.union(Flags::STALE),
            summary: "Shows the subcommands.",
            handler: help,
            ..ROW
        },
        Spec {
            name: "malloc-stats",
            arity: 2,
            summary: "Answers the arena's figures as text.",
            handler: malloc_stats,
            ..ROW
        },
        Spec { name: "purge", arity: 2, summary: "Gives sparse pages back to the system now.", handler: purge, ..ROW },
        Spec { name: "stats", arity: 2, summary: "Answers the memory figures.", handler: stats, ..ROW },
        Spec {
            name: "usage",
            arity: -3,
            flags: Flags::READONLY,
            acl: Acl::READ.union(Acl::SLOW),
            keys: &[KeySpec::one(2, KeyFlags::RO)],
            summary: "Answers the bytes that a key takes.",
            syntax: "key [SAMPLES count]",
            handler: usage,
            ..ROW
        },
    ],
    ..ROW
}];

/// Leaves of a large collection that MEMORY USAGE measures when not told.
const SAMPLES: usize = 5;

fn usage(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let samples = match &args[3..] {
        [] => SAMPLES,
        [word, count] if word.eq_ignore_ascii_case(b"samples") => {
            match usize::try_from(parse_i64(count).ok_or(Error::NOT_INTEGER)?) {
                Ok(0) => usize::MAX,
                Ok(count) => count,
                Err(_) => return Err(Error::SYNTAX),
            }
        }
        _ => return Err(Error::SYNTAX),
    };
    match cx.keys.db(cx.client.db).memory_usage(args[2], samples) {
        Some(bytes) => cx.reply.integer(bytes as i64),
        None => cx.reply.null(),
    }
    Ok(())
}

fn purge(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    // Inside a transaction its own locks are held; the cron does the same soon.
    if !cx.client.in_exec {
        cx.shared.keyspace.cron(cx.now, &mut || true);
    }
    cx.reply.ok();
    Ok(())
}

fn doctor(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let (used, limit) = (cx.shared.keyspace.used_memory(), cx.shared.keyspace.maxmemory());
    let text = if limit != 0 && used > limit {
        "The arena holds more than 'maxmemory' allows: the eviction policy lets nothing go.\n"
    } else {
        "Nothing is wrong with this instance's memory.\n"
    };
    cx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn figures(cx: &mut Context<'_>) -> [(&'static str, u64); 7] {
    let keyspace = &cx.shared.keyspace;
    let keys: u64 = (0..keyspace.databases()).map(|db| cx.keys.db_stats(db).keys).sum();
    let (used, dataset) = (keyspace.used_memory(), cx.keys.dataset_bytes());
    [
        ("peak.allocated", keyspace.peak_memory()),
        ("total.allocated", used),
        ("startup.allocated", 0),
        ("keys.count", keys),
        ("keys.bytes-per-key", used / keys.max(1)),
        ("dataset.bytes", dataset),
        ("allocator.resident", keyspace.arena().resident()),
    ]
}

fn stats(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let figures = figures(cx);
    let used = figures[1].1.max(1);
    cx.reply.map(figures.len() + 2);
    for (name, value) in figures {
        cx.reply.bulk(name.as_bytes());
        cx.reply.integer(value as i64);
    }
    cx.reply.bulk(b"dataset.percentage");
    cx.reply.double(figures[5].1 as f64 * 100.0 / used as f64);
    cx.reply.bulk(b"fragmentation");
    cx.reply.double(used as f64 / figures[5].1.max(1) as f64);
    Ok(())
}

fn malloc_stats(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let arena = cx.shared.keyspace.arena();
    let text = format!(
        "address space: {}\nresident: {}\npeak: {}\npages up to: {}\n",
        arena.capacity(),
        arena.resident(),
        arena.peak(),
        arena.frontier().0
    );
    cx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

const HELP: &[&str] = &[
    "DOCTOR",
    "    Whether something is wrong with memory.",
    "MALLOC-STATS",
    "    The arena's figures as text.",
    "PURGE",
    "    Give sparse pages back to the system now.",
    "STATS",
    "    The memory figures.",
    "USAGE <key> [SAMPLES <count>]",
    "    The bytes that <key> takes with its index slot.",
];

fn help(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    super::help(cx, HELP);
    Ok(())
}
