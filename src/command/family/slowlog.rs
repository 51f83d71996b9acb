//! SLOWLOG: the last commands that took long.

use crate::command::{
    Args, CommandResult, Context, Error,
    spec::{Acl, Flags, Spec},
};
use crate::util::number::parse_i64;

const ROW: Spec = Spec {
    flags: Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE),
    acl: Acl::ADMIN.union(Acl::SLOW).union(Acl::DANGEROUS),
    group: "server",
    since: "2.2.12",
    ..Spec::DEFAULT
};

pub static COMMANDS: &[Spec] = &[Spec {
    name: "slowlog",
    arity: -2,
    flags: Flags::CONTAINER,
    acl: Acl::SLOW,
    summary: "Holds the commands about slow commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "get",
            arity: -2,
            summary: "Answers the newest entries.",
            complexity: "O(N) where N is the number of entries",
            syntax: "[count]",
            tips: &["request_policy:all_nodes", "nondeterministic_output"],
            handler: get,
            ..ROW
        },
        Spec {
            name: "help",
            arity: 2,
            flags: Flags::LOADING.union(Flags::STALE),
            acl: Acl::SLOW,
            since: "6.2.0",
            summary: "Shows the subcommands.",
            handler: help,
            ..ROW
        },
        Spec {
            name: "len",
            arity: 2,
            summary: "Counts the entries.",
            tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
            handler: len,
            ..ROW
        },
        Spec {
            name: "reset",
            arity: 2,
            summary: "Forgets the entries.",
            complexity: "O(N) where N is the number of entries",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: reset,
            ..ROW
        },
    ],
    ..ROW
}];

fn get(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let count = match &args[2..] {
        [] => 10,
        [count] => match parse_i64(count) {
            Some(-1) => usize::MAX,
            Some(count) if count >= 0 => count as usize,
            _ => return Err(Error::new("ERR count should be greater than or equal to -1")),
        },
        _ => return Err(super::unknown_subcommand_or_arity(args)),
    };
    let entries = cx.shared.slowlog.last(count);
    cx.reply.array(entries.len());
    for entry in entries {
        cx.reply.array(6);
        cx.reply.integer(entry.id as i64);
        cx.reply.integer(entry.at_seconds);
        cx.reply.integer(entry.micros as i64);
        cx.reply.array(entry.words.len());
        entry.words.iter().for_each(|word| cx.reply.bulk(word));
        cx.reply.bulk(entry.peer.as_bytes());
        cx.reply.bulk(entry.name.as_bytes());
    }
    Ok(())
}

fn len(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.reply.integer(cx.shared.slowlog.len() as i64);
    Ok(())
}

fn reset(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.shared.slowlog.reset();
    cx.reply.ok();
    Ok(())
}

const HELP: &[&str] = &[
    "GET [<count>]",
    "    The newest entries (10 unless told; -1: all): id, time, microseconds, words, client, its name.",
    "LEN",
    "    The number of entries.",
    "RESET",
    "    Forget the entries.",
];

fn help(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    super::help(cx, HELP);
    Ok(())
}
