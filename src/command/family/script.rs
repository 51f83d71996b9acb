//! EVAL and its like, SCRIPT.

use crate::command::{
    Args, CommandResult, Context, Error, args,
    script::{self, Digest, Named},
    spec::{Acl, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, Spec},
};

const ROW: Spec = Spec { acl: Acl::SCRIPTING, group: "scripting", since: "2.6.0", ..Spec::DEFAULT };

const RUNS: Flags = Flags::NOSCRIPT
    .union(Flags::SKIP_MONITOR)
    .union(Flags::NO_MANDATORY_KEYS)
    .union(Flags::STALE)
    .union(Flags::MOVABLEKEYS)
    .union(Flags::SCRIPT);
pub(super) const MAY_WRITE: Flags = RUNS.union(Flags::MAY_REPLICATE);
pub(super) const READS: Flags = RUNS.union(Flags::READONLY);

const fn keys(flags: KeyFlags) -> KeySpec {
    KeySpec { flags, begin: BeginSearch::Index(2), find: FindKeys::KeyNum { keynum_index: 0, first_key: 1, step: 1 } }
}
pub(super) static WRITTEN: &[KeySpec] = &[keys(KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))];
pub(super) static READ: &[KeySpec] = &[keys(KeyFlags::RO.union(KeyFlags::ACCESS))];

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "eval",
        arity: -3,
        flags: MAY_WRITE,
        keys: WRITTEN,
        summary: "Runs a script.",
        complexity: "Depends on the script that is executed.",
        syntax: "script numkeys [key [key ...]] [arg [arg ...]]",
        handler: |cx, args| eval(cx, args, false),
        ..ROW
    },
    Spec {
        name: "eval_ro",
        arity: -3,
        flags: READS,
        keys: READ,
        since: "7.0.0",
        summary: "Runs a script that only reads.",
        complexity: "Depends on the script that is executed.",
        syntax: "script numkeys [key [key ...]] [arg [arg ...]]",
        handler: |cx, args| eval(cx, args, true),
        ..ROW
    },
    Spec {
        name: "evalsha",
        arity: -3,
        flags: MAY_WRITE,
        keys: WRITTEN,
        summary: "Runs a known script by its digest.",
        complexity: "Depends on the script that is executed.",
        syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
        handler: |cx, args| evalsha(cx, args, false),
        ..ROW
    },
    Spec {
        name: "evalsha_ro",
        arity: -3,
        flags: READS,
        keys: READ,
        since: "7.0.0",
        summary: "Runs a known script that only reads by its digest.",
        complexity: "Depends on the script that is executed.",
        syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
        handler: |cx, args| evalsha(cx, args, true),
        ..ROW
    },
    Spec {
        name: "script",
        arity: -2,
        flags: Flags::CONTAINER,
        acl: Acl::empty(),
        summary: "Holds the commands on scripts.",
        complexity: "Depends on subcommand.",
        subcommands: SUBCOMMANDS,
        ..ROW
    },
];

const SUBCOMMANDS: &[Spec] = &[
    Spec {
        name: "debug",
        arity: 3,
        flags: Flags::NOSCRIPT,
        since: "3.2.0",
        summary: "Would set how scripts are debugged, which this server does not do.",
        syntax: "<YES | SYNC | NO>",
        handler: |cx, args| {
            if ["yes", "sync"].iter().any(|word| args::is_word(args[2], word)) {
                return Err(Error::new("ERR Scripts cannot be debugged"));
            }
            if !args::is_word(args[2], "no") {
                return Err(Error::new("ERR Use SCRIPT DEBUG YES/SYNC/NO"));
            }
            cx.reply.ok();
            Ok(())
        },
        ..ROW
    },
    Spec {
        name: "exists",
        arity: -3,
        flags: Flags::NOSCRIPT,
        summary: "Says which scripts are known.",
        complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
        syntax: "sha1 [sha1 ...]",
        tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
        handler: exists,
        ..ROW
    },
    Spec {
        name: "flush",
        arity: -2,
        flags: Flags::NOSCRIPT,
        summary: "Forgets all scripts.",
        complexity: "O(N) with N being the number of scripts in cache",
        syntax: "[ASYNC | SYNC]",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        handler: flush,
        ..ROW
    },
    Spec {
        name: "help",
        arity: 2,
        flags: Flags::LOADING.union(Flags::STALE),
        since: "5.0.0",
        summary: "Says what its subcommands do.",
        handler: |cx, _| {
            super::help(cx, HELP);
            Ok(())
        },
        ..ROW
    },
    Spec {
        name: "kill",
        arity: 2,
        flags: Flags::NOSCRIPT.union(Flags::ALLOW_BUSY),
        summary: "Ends the script that is running, if it has not written.",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        handler: |cx, _| kill(cx, false),
        ..ROW
    },
    Spec {
        name: "load",
        arity: 3,
        flags: Flags::NOSCRIPT.union(Flags::STALE),
        summary: "Makes a script known.",
        complexity: "O(N) with N being the length in bytes of the script body.",
        syntax: "script",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        handler: load,
        ..ROW
    },
    Spec {
        name: "show",
        arity: 3,
        flags: Flags::NOSCRIPT,
        since: "8.0.0",
        summary: "Answers a script's text.",
        syntax: "sha1",
        handler: show,
        ..ROW
    },
];

const HELP: &[&str] = &[
    "EXISTS <sha1> [<sha1> ...]",
    "    Say which of these scripts are known.",
    "FLUSH [ASYNC|SYNC]",
    "    Forget all scripts.",
    "KILL",
    "    End the script that is running, if it has not written.",
    "LOAD <script>",
    "    Make a script known without running it.",
    "SHOW <sha1>",
    "    Answer a script's text.",
];

/// A script's keys and its other arguments: `numkeys key ... arg ...` from the third word on.
pub(super) fn split<'r, 'a>(args: &'r Args<'a>) -> Result<(&'r Args<'a>, &'r Args<'a>), Error> {
    split_by(args, args::integer(args[2])?)
}

/// The same, where the number has been read.
pub(super) fn split_by<'r, 'a>(args: &'r Args<'a>, count: i64) -> Result<(&'r Args<'a>, &'r Args<'a>), Error> {
    if count > (args.len() - 3) as i64 {
        return Err(Error::new("ERR Number of keys can't be greater than number of args"));
    }
    let count = usize::try_from(count).map_err(|_| Error::new("ERR Number of keys can't be negative"))?;
    Ok(args[3..].split_at(count))
}

fn eval(cx: &mut Context<'_>, args: &Args<'_>, read_only: bool) -> CommandResult {
    let words = split(args)?;
    script::evaluate(cx, args, Named::Body(args[1]), words, read_only)
}

fn evalsha(cx: &mut Context<'_>, args: &Args<'_>, read_only: bool) -> CommandResult {
    // What cannot be a digest is one that nobody knows, which is said first.
    if args[1].len() != 2 * size_of::<Digest>() {
        return Err(Error::NO_SCRIPT);
    }
    let words = split(args)?;
    let digest = script::parse_digest(args[1]).unwrap_or_default();
    script::evaluate(cx, args, Named::Digest(digest), words, read_only)
}

fn exists(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.reply.array(args.len() - 2);
    for word in &args[2..] {
        let known = script::parse_digest(word).is_some_and(|digest| cx.shared.scripts.get(&digest).is_some());
        cx.reply.integer(known.into());
    }
    Ok(())
}

fn flush(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    match args {
        [_, _] => {}
        [_, _, mode] if args::is_word(mode, "async") || args::is_word(mode, "sync") => {}
        _ => return Err(Error::new("ERR SCRIPT FLUSH only support SYNC|ASYNC option")),
    }
    cx.shared.scripts.flush();
    cx.reply.ok();
    Ok(())
}

fn load(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let digest: Digest = script::digest(args[2]);
    if cx.shared.scripts.get(&digest).is_none() {
        script::check(args[2])?;
    }
    cx.shared.scripts.add(digest, args[2], true)?;
    cx.reply.bulk(script::hex(&digest).as_bytes());
    Ok(())
}

/// SCRIPT KILL and FUNCTION KILL.
pub(super) fn kill(cx: &mut Context<'_>, function: bool) -> CommandResult {
    cx.shared.scripts.busy.kill(function)?;
    cx.reply.ok();
    Ok(())
}

fn show(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let script = script::parse_digest(args[2])
        .and_then(|digest| cx.shared.scripts.get(&digest))
        .ok_or(Error::new("NOSCRIPT No matching script."))?;
    cx.reply.bulk(&script.body);
    Ok(())
}
