//! MEMORY: what keys and the server take.

use crate::command::{
    Args, CommandResult, Context, Error,
    spec::{Acl, Flags, KeyFlags, KeySpec, Reach, Spec},
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
        Spec {
            name: "stats",
            arity: 2,
            summary: "Answers the memory figures.",
            reach: Reach::AsItRuns,
            handler: stats,
            ..ROW
        },
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

/// A figure of MEMORY STATS.
#[derive(Clone, Copy)]
enum Figure {
    Bytes(u64),
    Ratio(f64),
    /// What a database's index takes.
    Index(u64),
}

/// In Redis's order, for those who count on it.
fn figures(cx: &mut Context<'_>) -> Vec<(String, Figure)> {
    use Figure::{Bytes, Index, Ratio};
    let shared = cx.shared;
    let (used, peak) = (shared.keyspace.used_memory(), shared.keyspace.peak_memory());
    let memory = cx.keys.memory_stats();
    let databases: Vec<_> =
        (0..shared.keyspace.databases()).map(|db| (db, cx.keys.db_stats(db).keys, cx.keys.index_stats(db))).collect();
    let keys: u64 = databases.iter().map(|(_, keys, _)| keys).sum();
    let (dataset, percent) = (memory.dataset().min(used), |part: u64, of: u64| part as f64 * 100.0 / of.max(1) as f64);
    let (active, live, resident) = (used as f64, memory.live.max(1) as f64, super::info::resident());
    let before_databases = [
        ("peak.allocated", Bytes(peak)),
        ("total.allocated", Bytes(used)),
        ("startup.allocated", Bytes(0)),
        ("replication.backlog", Bytes(0)),
        ("replica.fullsync.buffer", Bytes(0)),
        ("clients.slaves", Bytes(0)),
        ("clients.normal", Bytes(shared.clients.buffer_bytes())),
        ("cluster.links", Bytes(0)),
        ("aof.buffer", Bytes(shared.keyspace.log().status().buffered)),
        ("lua.caches", Bytes(shared.scripts.figures().1 as u64)),
        ("functions.caches", Bytes(shared.functions.figures().bytes as u64)),
        ("script.VMs", Bytes(shared.stats.interpreter_bytes())),
    ];
    let after_databases = [
        ("overhead.db.hashtable.lut", Bytes(memory.index)),
        ("overhead.db.hashtable.rehashing", Bytes(0)),
        ("overhead.total", Bytes(used - dataset)),
        ("db.dict.rehashing.count", Bytes(0)),
        ("keys.count", Bytes(keys)),
        ("keys.bytes-per-key", Bytes(used / keys.max(1))),
        ("dataset.bytes", Bytes(dataset)),
        ("dataset.percentage", Ratio(percent(dataset, used))),
        ("peak.percentage", Ratio(percent(used, peak))),
        ("allocator.allocated", Bytes(memory.live)),
        ("allocator.active", Bytes(used)),
        ("allocator.resident", Bytes(used)),
        ("allocator.muzzy", Bytes(0)),
        ("allocator-fragmentation.ratio", Ratio(active / live)),
        ("allocator-fragmentation.bytes", Bytes(used.saturating_sub(memory.live))),
        // What is in use and what is resident is the same in the arena.
        ("allocator-rss.ratio", Ratio(1.0)),
        ("allocator-rss.bytes", Bytes(0)),
        ("rss-overhead.ratio", Ratio(resident as f64 / active.max(1.0))),
        ("rss-overhead.bytes", Bytes(resident.saturating_sub(used))),
        ("fragmentation", Ratio(resident as f64 / live)),
        ("fragmentation.bytes", Bytes(resident.saturating_sub(memory.live))),
    ];
    let per_database = databases.iter().filter(|(_, keys, _)| *keys > 0);
    let named = |(name, figure): &(&str, Figure)| ((*name).to_owned(), *figure);
    before_databases
        .iter()
        .map(named)
        .chain(per_database.map(|(db, _, index)| (format!("db.{db}"), Index(index.bytes))))
        .chain(after_databases.iter().map(named))
        .collect()
}

fn stats(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let figures = figures(cx);
    cx.reply.map(figures.len());
    for (name, figure) in figures {
        cx.reply.bulk(name.as_bytes());
        match figure {
            Figure::Bytes(bytes) => cx.reply.integer(bytes as i64),
            Figure::Ratio(ratio) => cx.reply.double(ratio),
            Figure::Index(bytes) => {
                // The time to live is in the key's own slot and item.
                cx.reply.map(2);
                cx.reply.bulk(b"overhead.hashtable.main");
                cx.reply.integer(bytes as i64);
                cx.reply.bulk(b"overhead.hashtable.expires");
                cx.reply.integer(0);
            }
        }
    }
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
