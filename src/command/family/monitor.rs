//! MONITOR: the connection becomes a stream of all commands.

use crate::command::{
    Args, CommandResult, Context, Error,
    handle::State,
    spec::{Flags, Spec},
};

pub static COMMANDS: &[Spec] = &[Spec {
    name: "monitor",
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
    group: "server",
    since: "1.0.0",
    summary: "Shows every command that the server runs from now on.",
    complexity: "",
    handler: monitor,
    ..Spec::DEFAULT
}];

fn monitor(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    if cx.client.in_exec {
        return Err(Error::new("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    cx.client.handle.set_state(State::MONITOR, true);
    cx.shared.monitors.add(&cx.client.handle);
    cx.reply.ok();
    Ok(())
}
