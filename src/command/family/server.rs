//! The server as a whole: its time and its version.

use crate::command::{
    Args, CommandResult, Context, args,
    spec::{Acl, Flags, Spec},
};

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "time",
        arity: 1,
        flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST).union(Flags::NO_SHARDS),
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
];

/// The time as it is. In a transaction or a script it stands still from the first look on, until others are told that the
/// script takes long.
fn time(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let micros = match cx.client.in_exec {
        true => *cx.client.time_told.get_or_insert_with(|| cx.shared.clock.micros()),
        false => cx.shared.clock.micros(),
    };
    cx.reply.array(2);
    cx.reply.bulk_integer(micros.div_euclid(1_000_000));
    cx.reply.bulk_integer(micros.rem_euclid(1_000_000));
    Ok(())
}

fn lolwut(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    // Of the versions that draw, two are told how large.
    if args.len() > 2 && args::is_word(args[1], "version") {
        let version = args::integer(args[2])?;
        let sizes = if [5, 6].contains(&version) { &args[3..] } else { &[] };
        for size in sizes.iter().take(3) {
            args::integer(size)?;
        }
    }
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
