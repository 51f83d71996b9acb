//! FUNCTION, as far as a server without functions goes: there are none, and flushing them succeeds.
//! Tools that bring a server back to its first state ask for it.

use crate::command::{
    Args, CommandResult, Context, Error,
    spec::{Acl, Flags, Spec},
};

const ROW: Spec = Spec { acl: Acl::SCRIPTING, group: "scripting", since: "7.0.0", ..Spec::DEFAULT };

pub static COMMANDS: &[Spec] = &[Spec {
    name: "function",
    arity: -2,
    flags: Flags::CONTAINER,
    acl: Acl::empty(),
    summary: "Holds the commands on function libraries.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..ROW
}];

const SUBCOMMANDS: &[Spec] = &[
    Spec {
        name: "flush",
        arity: -2,
        flags: Flags::NOSCRIPT.union(Flags::WRITE),
        summary: "Deletes all libraries, of which there are none.",
        syntax: "[ASYNC | SYNC]",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        handler: flush,
        ..ROW
    },
    Spec {
        name: "help",
        arity: 2,
        flags: Flags::LOADING.union(Flags::STALE),
        summary: "Says what its subcommands do.",
        handler: |cx, _| {
            super::help(cx, HELP);
            Ok(())
        },
        ..ROW
    },
    Spec {
        name: "list",
        arity: -2,
        flags: Flags::NOSCRIPT,
        summary: "Lists the libraries, of which there are none.",
        syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
        tips: &["nondeterministic_output_order"],
        handler: |cx, _| {
            cx.reply.array(0);
            Ok(())
        },
        ..ROW
    },
];

const HELP: &[&str] = &[
    "FLUSH [ASYNC|SYNC]",
    "    Delete all libraries. This server has none.",
    "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
    "    List the libraries. This server has none.",
];

fn flush(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    match args {
        [_, _] => {}
        [_, _, mode] if mode.eq_ignore_ascii_case(b"async") || mode.eq_ignore_ascii_case(b"sync") => {}
        _ => return Err(Error::new("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")),
    }
    cx.reply.ok();
    Ok(())
}
