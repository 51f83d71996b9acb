//! The server as a whole: time, role, and what clients probe for.

use crate::command::{
    Args, CommandResult, Context, Error,
    spec::{Acl, Flags, Spec},
};

const PROBE: Flags = Flags::LOADING.union(Flags::STALE).union(Flags::NOSCRIPT);

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "time",
        arity: 1,
        flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
        acl: Acl::FAST,
        group: "server",
        since: "2.6.0",
        summary: "Answers the time as seconds and microseconds.",
        tips: &["nondeterministic_output"],
        handler: time,
        ..Spec::DEFAULT
    },
    Spec {
        name: "lolwut",
        arity: -1,
        flags: Flags::READONLY.union(Flags::FAST),
        acl: Acl::READ.union(Acl::FAST),
        group: "server",
        since: "5.0.0",
        summary: "Draws a flagstone path, and the version.",
        syntax: "[VERSION version]",
        handler: lolwut,
        ..Spec::DEFAULT
    },
    Spec {
        name: "role",
        arity: 1,
        flags: PROBE.union(Flags::FAST),
        acl: Acl::ADMIN.union(Acl::FAST).union(Acl::DANGEROUS),
        group: "server",
        since: "2.8.12",
        summary: "Answers the role in replication: a master without replicas.",
        handler: role,
        ..Spec::DEFAULT
    },
    Spec {
        name: "wait",
        arity: 3,
        flags: Flags::BLOCKING,
        acl: Acl::SLOW.union(Acl::BLOCKING).union(Acl::CONNECTION),
        group: "generic",
        since: "3.0.0",
        summary: "Answers how many replicas have acknowledged the writes so far: there are none.",
        syntax: "numreplicas timeout",
        handler: wait,
        ..Spec::DEFAULT
    },
];

fn time(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let (seconds, ms) = (cx.now.div_euclid(1000), cx.now.rem_euclid(1000));
    cx.reply.array(2);
    cx.reply.bulk_integer(seconds);
    cx.reply.bulk_integer(ms * 1000);
    Ok(())
}

fn lolwut(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let stones: String = (0..5)
        .map(|row| {
            let indent = " ".repeat(row % 2 * 2);
            let stones: String = (0..10).map(|_| if fastrand::u8(..4) == 0 { "[##]" } else { "[__]" }).collect();
            format!("{indent}{stones}\n")
        })
        .collect();
    let text = format!("{stones}\nFlagstone ver. {}\n", env!("CARGO_PKG_VERSION"));
    cx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn role(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.reply.array(3);
    cx.reply.bulk(b"master");
    cx.reply.integer(0);
    cx.reply.array(0);
    Ok(())
}

fn wait(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    crate::util::number::parse_i64(args[1]).ok_or(Error::NOT_INTEGER)?;
    match crate::util::number::parse_i64(args[2]) {
        None => return Err(Error::new("ERR timeout is not an integer or out of range")),
        Some(timeout) if timeout < 0 => return Err(Error::new("ERR timeout is negative")),
        Some(_) => {}
    }
    cx.reply.integer(0);
    Ok(())
}
