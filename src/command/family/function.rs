//! FUNCTION, FCALL.

use super::script::{MAY_WRITE, READ, READS, WRITTEN, split_by};
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::is_word,
        script::{
            self, ScriptFlags,
            functions::{self, Library, RestorePolicy},
        },
        spec::{Acl, Flags, Spec},
        table::unknown_subcommand_or_arity,
    },
    util::{glob, number::parse_i64},
};
use std::sync::Arc;

const ROW: Spec = Spec { acl: Acl::SCRIPTING, group: "scripting", since: "7.0.0", ..Spec::DEFAULT };

const CHANGES: Flags = Flags::NOSCRIPT.union(Flags::WRITE);
const ALL: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "fcall",
        arity: -3,
        flags: MAY_WRITE,
        keys: WRITTEN,
        summary: "Calls a function.",
        complexity: "Depends on the function that is executed.",
        syntax: "function numkeys [key [key ...]] [arg [arg ...]]",
        handler: |cx, args| fcall(cx, args, false),
        ..ROW
    },
    Spec {
        name: "fcall_ro",
        arity: -3,
        flags: READS,
        keys: READ,
        summary: "Calls a function that only reads.",
        complexity: "Depends on the function that is executed.",
        syntax: "function numkeys [key [key ...]] [arg [arg ...]]",
        handler: |cx, args| fcall(cx, args, true),
        ..ROW
    },
    Spec {
        name: "function",
        arity: -2,
        flags: Flags::CONTAINER,
        acl: Acl::empty(),
        summary: "Holds the commands on function libraries.",
        complexity: "Depends on subcommand.",
        subcommands: SUBCOMMANDS,
        ..ROW
    },
];

const SUBCOMMANDS: &[Spec] = &[
    Spec {
        name: "delete",
        arity: 3,
        flags: CHANGES,
        summary: "Deletes a library and its functions.",
        syntax: "library-name",
        tips: ALL,
        handler: delete,
        ..ROW
    },
    Spec {
        name: "dump",
        arity: 2,
        flags: Flags::NOSCRIPT,
        summary: "Answers all libraries as one payload.",
        complexity: "O(N) where N is the number of functions",
        handler: |cx, _| {
            cx.reply.bulk(&cx.shared.functions.dump());
            Ok(())
        },
        ..ROW
    },
    Spec {
        name: "flush",
        arity: -2,
        flags: CHANGES,
        summary: "Deletes all libraries.",
        complexity: "O(N) where N is the number of functions deleted",
        syntax: "[ASYNC | SYNC]",
        tips: ALL,
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
        name: "kill",
        arity: 2,
        flags: Flags::NOSCRIPT.union(Flags::ALLOW_BUSY),
        summary: "Ends the function that is running, if it has not written.",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        handler: |cx, _| super::script::kill(cx, true),
        ..ROW
    },
    Spec {
        name: "list",
        arity: -2,
        flags: Flags::NOSCRIPT,
        summary: "Lists the libraries and their functions.",
        complexity: "O(N) where N is the number of functions",
        syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
        tips: &["nondeterministic_output_order"],
        handler: list,
        ..ROW
    },
    Spec {
        name: "load",
        arity: -3,
        flags: CHANGES.union(Flags::DENYOOM),
        summary: "Makes a library.",
        complexity: "O(1) (considering compilation time is redundant)",
        syntax: "[REPLACE] function-code",
        tips: ALL,
        handler: load,
        ..ROW
    },
    Spec {
        name: "restore",
        arity: -3,
        flags: CHANGES.union(Flags::DENYOOM),
        summary: "Makes the libraries of a payload.",
        complexity: "O(N) where N is the number of functions on the payload",
        syntax: "serialized-value [FLUSH | APPEND | REPLACE]",
        tips: ALL,
        handler: restore,
        ..ROW
    },
    Spec {
        name: "stats",
        arity: 2,
        flags: Flags::NOSCRIPT.union(Flags::ALLOW_BUSY),
        summary: "Tells which function is running, and how many there are.",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        handler: stats,
        ..ROW
    },
];

const HELP: &[&str] = &[
    "LOAD [REPLACE] <FUNCTION CODE>",
    "    Make a library of this code, over one of its name if REPLACE is given.",
    "DELETE <LIBRARY NAME>",
    "    Delete a library.",
    "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
    "    List the libraries: their names, functions, and code if it is asked for.",
    "STATS",
    "    Tell which function is running, and how many libraries and functions there are.",
    "KILL",
    "    End the function that is running, if it has not written.",
    "FLUSH [ASYNC|SYNC]",
    "    Delete all libraries.",
    "DUMP",
    "    Answer all libraries as one payload.",
    "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
    "    Make the libraries of a payload. Those that are there: are deleted first (FLUSH), may not be of the same name",
    "    (APPEND, the default), or give way to those of the same name (REPLACE).",
];

fn fcall(cx: &mut Context<'_>, args: &Args<'_>, read_only: bool) -> CommandResult {
    let split = || split_by(args, parse_i64(args[2]).ok_or(Error::new("ERR Bad number of keys provided"))?);
    script::call_function(cx, args, split, read_only)
}

fn load(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let [options @ .., code] = &args[2..] else { return Err(Error::new("ERR Function code is missing")) };
    if let Some(word) = options.iter().find(|word| !is_word(word, "replace")) {
        return Err(Error::quoting("ERR Unknown option given: ", word, ""));
    }
    let replace = !options.is_empty();
    let name = Library::name_of(code)?;
    if !replace && cx.shared.functions.all().get(&name).is_some() {
        return Err(Error::quoting("ERR Library '", &name, "' already exists"));
    }
    cx.shared.functions.add(script::load_library(code)?, replace)?;
    keep(cx);
    cx.reply.bulk(&name);
    Ok(())
}

/// Libraries outlive the server as its data does: the reply waits until they have been written.
fn keep(cx: &mut Context<'_>) {
    let (settings, functions) = (cx.shared.config.current(), &cx.shared.functions);
    if !settings.keeps_functions() {
        return;
    }
    let generation = functions.generation();
    match functions.keeping.ask(generation, &cx.client.handle) {
        true => cx.client.owed = generation,
        false => functions.keep(&settings),
    }
}

fn delete(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.shared.functions.delete(args[2])?;
    keep(cx);
    cx.reply.ok();
    Ok(())
}

fn flush(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    match args {
        [_, _] => {}
        [_, _, mode] if is_word(mode, "async") || is_word(mode, "sync") => {}
        [_, _, _] => return Err(Error::new("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")),
        _ => return Err(unknown_subcommand_or_arity(args)),
    }
    cx.shared.functions.flush();
    keep(cx);
    cx.reply.ok();
    Ok(())
}

fn restore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let policy = match &args[3..] {
        [] => RestorePolicy::Append,
        [word] if is_word(word, "append") => RestorePolicy::Append,
        [word] if is_word(word, "replace") => RestorePolicy::Replace,
        [word] if is_word(word, "flush") => RestorePolicy::Flush,
        [_] => {
            return Err(Error::new("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."));
        }
        _ => return Err(unknown_subcommand_or_arity(args)),
    };
    let codes = functions::codes(args[2])?;
    let libraries = codes.iter().map(|code| script::load_library(code)).collect::<Result<_, _>>()?;
    cx.shared.functions.restore(libraries, policy)?;
    keep(cx);
    cx.reply.ok();
    Ok(())
}

fn list(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (mut with_code, mut pattern) = (false, None);
    let mut words = args[2..].iter();
    while let Some(word) = words.next() {
        if !with_code && is_word(word, "withcode") {
            with_code = true;
        } else if pattern.is_none() && is_word(word, "libraryname") {
            pattern = Some(*words.next().ok_or(Error::new("ERR library name argument was not given"))?);
        } else {
            return Err(Error::quoting("ERR Unknown argument ", word, ""));
        }
    }
    let all = cx.shared.functions.all();
    let shown: Vec<&Arc<Library>> =
        all.values().filter(|library| pattern.is_none_or(|p| glob::matches(p, &library.name, true))).collect();
    let reply = &mut *cx.reply;
    reply.array(shown.len());
    for library in shown {
        reply.map(if with_code { 4 } else { 3 });
        reply.bulk(b"library_name");
        reply.bulk(&library.name);
        reply.bulk(b"engine");
        reply.bulk(b"LUA");
        reply.bulk(b"functions");
        reply.array(library.functions.len());
        for function in &library.functions {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(&function.name);
            reply.bulk(b"description");
            match &function.description {
                Some(description) => reply.bulk(description),
                None => reply.null(),
            }
            reply.bulk(b"flags");
            let flags: Vec<&str> = (ScriptFlags::NAMES.iter())
                .filter(|(_, flag)| function.flags.contains(*flag))
                .map(|(name, _)| *name)
                .collect();
            reply.set(flags.len());
            flags.iter().for_each(|flag| reply.simple(flag));
        }
        if with_code {
            reply.bulk(b"library_code");
            reply.bulk(&library.code);
        }
    }
    Ok(())
}

fn stats(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let figures = cx.shared.functions.figures();
    let running = cx.shared.scripts.busy.running();
    let reply = &mut *cx.reply;
    reply.map(2);
    reply.bulk(b"running_script");
    match running {
        Some(running) => {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(running.name.as_bytes());
            reply.bulk(b"command");
            reply.array(running.words.len());
            running.words.iter().for_each(|word| reply.bulk(word));
            reply.bulk(b"duration_ms");
            reply.integer(running.since.elapsed().as_millis() as i64);
        }
        None => reply.null(),
    }
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.integer(figures.libraries as i64);
    reply.bulk(b"functions_count");
    reply.integer(figures.count as i64);
    Ok(())
}
