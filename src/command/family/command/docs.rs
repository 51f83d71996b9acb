//! COMMAND DOCS: a command's documentation, from its row.

use super::syntax::{self, Argument};
use crate::command::{Args, Command, CommandResult, Context, Reply, table};

pub fn docs(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let commands: Vec<&'static Command> = match &args[2..] {
        [] => table::top_level().collect(),
        names => names.iter().filter_map(|name| table::lookup_full(name)).collect(),
    };
    cx.reply.map(commands.len());
    commands.into_iter().for_each(|command| document(cx.reply, command));
    Ok(())
}

fn document(reply: &mut dyn Reply, command: &'static Command) {
    let spec = command.spec;
    let arguments = syntax::parse(spec.syntax);
    let subcommands = command.shown_subcommands();
    reply.bulk(command.full_name.as_bytes());
    reply.map(4 + usize::from(!arguments.is_empty()) + usize::from(!subcommands.is_empty()));
    for (name, text) in
        [("summary", spec.summary), ("since", spec.since), ("group", spec.group), ("complexity", spec.complexity)]
    {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if !arguments.is_empty() {
        reply.bulk(b"arguments");
        list(reply, &arguments);
    }
    if !subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(subcommands.len());
        subcommands.iter().for_each(|sub| document(reply, sub));
    }
}

fn list(reply: &mut dyn Reply, arguments: &[Argument]) {
    reply.array(arguments.len());
    for argument in arguments {
        let flags = [("optional", argument.optional), ("multiple", argument.multiple)];
        let flags: Vec<&str> = flags.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
        let is_leaf = argument.parts.is_empty();
        let shows_text = is_leaf && argument.kind != "pure-token";
        reply.map(
            2 + usize::from(shows_text)
                + usize::from(argument.kind == "key")
                + usize::from(argument.token.is_some())
                + usize::from(!flags.is_empty())
                + usize::from(!is_leaf),
        );
        let mut field = |name: &str, value: &str| {
            reply.bulk(name.as_bytes());
            reply.bulk(value.as_bytes());
        };
        field("name", &argument.name);
        field("type", argument.kind);
        if shows_text {
            field("display_text", &argument.name);
        }
        if let Some(token) = &argument.token {
            field("token", token);
        }
        if argument.kind == "key" {
            reply.bulk(b"key_spec_index");
            reply.integer(0);
        }
        if !flags.is_empty() {
            reply.bulk(b"flags");
            reply.array(flags.len());
            flags.iter().for_each(|flag| reply.simple(flag));
        }
        if !is_leaf {
            reply.bulk(b"arguments");
            list(reply, &argument.parts);
        }
    }
}
