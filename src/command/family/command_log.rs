//! COMMANDLOG and SLOWLOG: the last commands that took long, were long, or were answered at length.

use crate::command::{
    Args, CommandResult, Context, Error,
    command_log::LogKind,
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

const HELP_ROW: Spec = Spec {
    name: "help",
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    acl: Acl::SLOW,
    summary: "Shows the subcommands.",
    ..ROW
};

const GET_TIPS: &[&str] = &["request_policy:all_nodes", "nondeterministic_output"];
const LEN_TIPS: &[&str] = &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"];
const RESET_TIPS: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const PER_ENTRY: &str = "O(N) where N is the number of entries";

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "commandlog",
        arity: -2,
        flags: Flags::CONTAINER,
        acl: Acl::SLOW,
        since: "8.1.0",
        summary: "Holds the commands about slow and large commands.",
        complexity: "Depends on subcommand.",
        subcommands: &[
            Spec {
                name: "get",
                arity: 4,
                since: "8.1.0",
                summary: "Answers the newest entries of a log.",
                complexity: PER_ENTRY,
                syntax: "count <slow | large-request | large-reply>",
                tips: GET_TIPS,
                handler: get,
                ..ROW
            },
            Spec { since: "8.1.0", handler: help, ..HELP_ROW },
            Spec {
                name: "len",
                arity: 3,
                since: "8.1.0",
                summary: "Counts the entries of a log.",
                syntax: "<slow | large-request | large-reply>",
                tips: LEN_TIPS,
                handler: len,
                ..ROW
            },
            Spec {
                name: "reset",
                arity: 3,
                since: "8.1.0",
                summary: "Forgets the entries of a log.",
                complexity: PER_ENTRY,
                syntax: "<slow | large-request | large-reply>",
                tips: RESET_TIPS,
                handler: reset,
                ..ROW
            },
        ],
        ..ROW
    },
    Spec {
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
                complexity: PER_ENTRY,
                syntax: "[count]",
                tips: GET_TIPS,
                handler: slowlog_get,
                ..ROW
            },
            Spec { since: "6.2.0", handler: slowlog_help, ..HELP_ROW },
            Spec { name: "len", arity: 2, summary: "Counts the entries.", tips: LEN_TIPS, handler: slowlog_len, ..ROW },
            Spec {
                name: "reset",
                arity: 2,
                summary: "Forgets the entries.",
                complexity: PER_ENTRY,
                tips: RESET_TIPS,
                handler: slowlog_reset,
                ..ROW
            },
        ],
        ..ROW
    },
];

fn kind(word: &[u8]) -> Result<LogKind, Error> {
    let named = |kind: &LogKind| word.eq_ignore_ascii_case(kind.name().as_bytes());
    LogKind::ALL
        .into_iter()
        .find(named)
        .ok_or(Error::new("ERR type should be one of the following: slow, large-request, large-reply"))
}

/// How many entries are asked for; -1 is all.
fn count(word: &[u8]) -> Result<usize, Error> {
    match parse_i64(word) {
        Some(-1) => Ok(usize::MAX),
        Some(count) if count >= 0 => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        _ => Err(Error::new("ERR count should be greater than or equal to -1")),
    }
}

fn get(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let count = count(args[2])?;
    show(cx, kind(args[3])?, count)
}

fn slowlog_get(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let count = match &args[2..] {
        [] => 10,
        [word] => count(word)?,
        _ => return Err(crate::command::table::unknown_subcommand_or_arity(args)),
    };
    show(cx, LogKind::Slow, count)
}

fn show(cx: &mut Context<'_>, kind: LogKind, count: usize) -> CommandResult {
    let entries = cx.shared.command_log.last(kind, count);
    cx.reply.array(entries.len());
    for entry in entries {
        cx.reply.array(6);
        cx.reply.integer(entry.id as i64);
        cx.reply.integer(entry.at_seconds);
        cx.reply.integer(entry.value as i64);
        cx.reply.array(entry.words.len());
        entry.words.iter().for_each(|word| cx.reply.bulk(word));
        cx.reply.bulk(entry.peer.as_bytes());
        cx.reply.bulk(entry.name.as_bytes());
    }
    Ok(())
}

fn len(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.reply.integer(cx.shared.command_log.len(kind(args[2])?) as i64);
    Ok(())
}

fn slowlog_len(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.reply.integer(cx.shared.command_log.len(LogKind::Slow) as i64);
    Ok(())
}

fn reset(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.shared.command_log.reset(kind(args[2])?);
    cx.reply.ok();
    Ok(())
}

fn slowlog_reset(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.shared.command_log.reset(LogKind::Slow);
    cx.reply.ok();
    Ok(())
}

fn help(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    super::help(
        cx,
        &[
            "GET <count> <type>",
            "    The newest entries (-1: all) of a log: id, time, microseconds or bytes, words, client, its name.",
            "    The logs are slow, large-request and large-reply.",
            "LEN <type>",
            "    The number of entries.",
            "RESET <type>",
            "    Forget the entries.",
        ],
    );
    Ok(())
}

fn slowlog_help(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    super::help(
        cx,
        &[
            "GET [<count>]",
            "    The newest entries (10 unless told; -1: all): id, time, microseconds, words, client, its name.",
            "LEN",
            "    The number of entries.",
            "RESET",
            "    Forget the entries.",
        ],
    );
    Ok(())
}
