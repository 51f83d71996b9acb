//! COMMAND: what the rows say about the commands.

mod docs;
mod info;
pub mod syntax;

use crate::{
    command::{
        Args, Command, CommandResult, Context, Error, keys,
        spec::{Acl, Flags, KeyFlags, Spec},
        table,
    },
    util::glob,
};

const ROW: Spec = Spec {
    flags: Flags::LOADING.union(Flags::STALE),
    acl: Acl::SLOW.union(Acl::CONNECTION),
    group: "server",
    since: "2.8.13",
    ..Spec::DEFAULT
};

pub static COMMANDS: &[Spec] = &[Spec {
    name: "command",
    arity: -1,
    summary: "Describes every command.",
    complexity: "O(N) where N is the number of commands",
    tips: &["nondeterministic_output_order"],
    handler: |cx, _| info::all(cx),
    subcommands: &[
        Spec { name: "count", arity: 2, summary: "Counts the commands.", handler: count, ..ROW },
        Spec {
            name: "docs",
            arity: -2,
            since: "7.0.0",
            summary: "Answers the documentation of commands.",
            complexity: "O(N) where N is the number of commands",
            syntax: "[command-name [command-name ...]]",
            tips: &["nondeterministic_output_order"],
            handler: docs::docs,
            ..ROW
        },
        Spec {
            name: "getkeys",
            arity: -3,
            summary: "Answers which words of a request are keys.",
            complexity: "O(N) where N is the number of words",
            syntax: "command [arg [arg ...]]",
            handler: getkeys,
            ..ROW
        },
        Spec {
            name: "getkeysandflags",
            arity: -3,
            since: "7.0.0",
            summary: "Answers which words of a request are keys, and how each is used.",
            complexity: "O(N) where N is the number of words",
            syntax: "command [arg [arg ...]]",
            handler: getkeysandflags,
            ..ROW
        },
        Spec { name: "help", arity: 2, since: "5.0.0", summary: "Shows the subcommands.", handler: help, ..ROW },
        Spec {
            name: "info",
            arity: -2,
            summary: "Describes the given commands.",
            complexity: "O(N) where N is the number of commands",
            syntax: "[command-name [command-name ...]]",
            tips: &["nondeterministic_output_order"],
            handler: info::info,
            ..ROW
        },
        Spec {
            name: "list",
            arity: -2,
            since: "7.0.0",
            summary: "Lists the names of the commands.",
            complexity: "O(N) where N is the number of commands",
            syntax: "[FILTERBY MODULE module-name | ACLCAT category | PATTERN pattern]",
            tips: &["nondeterministic_output_order"],
            handler: list,
            ..ROW
        },
    ],
    ..ROW
}];

fn count(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.reply.integer(table::top_level().count() as i64);
    Ok(())
}

/// The command a request calls, checked as far as its keys are concerned.
fn called(request: &Args<'_>) -> Result<&'static Command, Error> {
    let (command, is_whole) = match table::resolve(request) {
        Ok(command) => (command, true),
        Err(refusal) => (refusal.command.ok_or(Error::new("ERR Invalid command specified"))?, false),
    };
    if command.spec.keys.iter().all(|keys| keys.flags.contains(KeyFlags::NOT_KEY)) {
        return Err(Error::new("ERR The command has no key arguments"));
    }
    if is_whole { Ok(command) } else { Err(Error::new("ERR Invalid number of arguments specified for command")) }
}

fn getkeys(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let request = &args[2..];
    let spec = called(request)?.spec;
    check_keys(spec, request)?;
    let found: Vec<&[u8]> = keys::keys(spec, request).collect();
    cx.reply.array(found.len());
    found.iter().for_each(|key| cx.reply.bulk(key));
    Ok(())
}

fn getkeysandflags(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let request = &args[2..];
    let spec = called(request)?.spec;
    check_keys(spec, request)?;
    let found: Vec<_> = keys::positions(spec, request).filter(|(at, _)| *at < request.len()).collect();
    cx.reply.array(found.len());
    for (at, flags) in found {
        cx.reply.array(2);
        cx.reply.bulk(request[at]);
        info::key_flags(cx, (spec.vary)(request, flags));
    }
    Ok(())
}

fn check_keys(spec: &'static Spec, request: &Args<'_>) -> CommandResult {
    let are_there = keys::are_complete(spec, request) && keys::positions(spec, request).next().is_some();
    let is_valid = are_there || spec.flags.contains(Flags::NO_MANDATORY_KEYS);
    if is_valid { Ok(()) } else { Err(Error::new("ERR Invalid arguments specified for command")) }
}

fn list(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let names: Vec<&str> = match &args[2..] {
        [] => shown().map(|command| command.full_name.as_str()).collect(),
        [by, kind, value] if by.eq_ignore_ascii_case(b"filterby") => filtered(kind, value)?,
        _ => return Err(Error::SYNTAX),
    };
    cx.reply.array(names.len());
    names.iter().for_each(|name| cx.reply.bulk(name.as_bytes()));
    Ok(())
}

/// The commands and subcommands that are listed by name.
fn shown() -> impl Iterator<Item = &'static Command> {
    table::all().iter().filter(|command| command.is_shown())
}

fn filtered(kind: &[u8], value: &[u8]) -> Result<Vec<&'static str>, Error> {
    let names = |commands: &mut dyn Iterator<Item = &'static Command>| commands.map(|c| c.full_name.as_str()).collect();
    match kind.to_ascii_lowercase().as_slice() {
        b"module" => Ok(Vec::new()),
        b"aclcat" => {
            let category = std::str::from_utf8(value).ok().and_then(|name| Acl::from_name(&name.to_ascii_uppercase()));
            Ok(names(&mut shown().filter(|command| category.is_some_and(|of| command.spec.categories().contains(of)))))
        }
        b"pattern" => {
            Ok(names(&mut shown().filter(|command| glob::matches(value, command.full_name.as_bytes(), true))))
        }
        _ => Err(Error::SYNTAX),
    }
}

const HELP: &[&str] = &[
    "(no subcommand)",
    "    Describe all commands.",
    "COUNT",
    "    The number of commands.",
    "LIST [FILTERBY MODULE|ACLCAT|PATTERN <value>]",
    "    The names of the commands.",
    "INFO [<command-name> ...]",
    "    Describe the given commands, or all.",
    "DOCS [<command-name> ...]",
    "    The documentation of the given commands, or of all.",
    "GETKEYS <full-command>",
    "    Which words of a request are keys.",
    "GETKEYSANDFLAGS <full-command>",
    "    Which words of a request are keys, and how each is used.",
];

fn help(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    super::help(cx, HELP);
    Ok(())
}
