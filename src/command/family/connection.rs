//! Commands about the connection itself.

use crate::command::{
    Args, CommandResult, Context, Error,
    spec::{Acl, Flags, Spec},
};

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "ping",
        arity: -1,
        flags: Flags::FAST.union(Flags::IN_SUBSCRIBER),
        acl: Acl::FAST.union(Acl::CONNECTION),
        group: "connection",
        since: "1.0.0",
        summary: "Answers PONG, or the given message.",
        syntax: "[message]",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        handler: ping,
        ..Spec::DEFAULT
    },
    Spec {
        name: "echo",
        arity: 2,
        flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
        acl: Acl::FAST.union(Acl::CONNECTION),
        group: "connection",
        since: "1.0.0",
        summary: "Answers the given message.",
        syntax: "message",
        handler: echo,
        ..Spec::DEFAULT
    },
];

fn ping(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    match args {
        [_] => cx.reply.simple("PONG"),
        [_, message] => cx.reply.bulk(message),
        _ => return Err(Error::wrong_arity("ping")),
    }
    Ok(())
}

fn echo(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.reply.bulk(args[1]);
    Ok(())
}
