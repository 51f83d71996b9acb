//! The one way from a request to its handler.

use super::{Args, Client, Command, Context, Error, Reply, Shared, keys, spec::Flags, table};
use crate::util::clock::UnixMillis;

/// What the connection does after a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    Continue,
    /// Close the connection once the replies written so far are sent.
    Close,
    Block(Block),
}

/// The client's further commands wait until its handle is nudged or the deadline passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// True: the same command is then executed again (CLIENT PAUSE). False: `resume` writes what
    /// the command still owes (blocking commands).
    pub retry: bool,
    pub deadline: Option<UnixMillis>,
}

/// Runs one request: from its words to its reply.
pub fn execute(shared: &Shared, client: &mut Client, args: &Args<'_>, reply: &mut dyn Reply, now: UnixMillis) -> Flow {
    client.refresh_settings();
    let flow = match table::resolve(args) {
        Ok(command) => admit(shared, client, command, args, reply, now),
        Err(refusal) => {
            refuse(shared, client, refusal.command, &refusal.error, reply);
            Flow::Continue
        }
    };
    if flow == Flow::Continue && client.closing { Flow::Close } else { flow }
}

/// Checks whether the command may run now, locks what it needs, and runs it.
fn admit(
    shared: &Shared,
    client: &mut Client,
    command: &'static Command,
    args: &Args<'_>,
    reply: &mut dyn Reply,
    now: UnixMillis,
) -> Flow {
    let set = if command.spec.flags.contains(Flags::ALL_SHARDS) {
        shared.keyspace.all_shards()
    } else {
        shared.keyspace.shard_set(keys::keys(command.spec, args))
    };
    // With no lock held yet: room for what the arguments bring.
    if command.spec.flags.contains(Flags::DENYOOM) {
        let bytes = args.iter().map(|word| word.len()).sum();
        if shared.keyspace.make_room(set, bytes, now).is_err() {
            refuse(shared, client, Some(command), &Error::OUT_OF_MEMORY, reply);
            return Flow::Continue;
        }
    }
    let keys = shared.keyspace.lock(set, now);
    let mut context = Context { shared, client, reply, keys, now, command, spec: command.spec };
    call(&mut context, args);
    context.client.block.take().map_or(Flow::Continue, Flow::Block)
}

/// Runs the handler of `context.command` and keeps the books.
pub(super) fn call(context: &mut Context<'_>, args: &Args<'_>) {
    let command = context.command;
    let started = context.client.started();
    let result = (command.spec.handler)(context, args);
    let nanos = context.client.lap(started);
    let counters = context.shared.stats.worker(context.client.worker).command(command.id);
    counters.called(nanos, context.client.settings.latency_tracking);
    if let Err(error) = result {
        counters.failed.add(1);
        context.shared.stats.error(error.code());
        context.reply.error(&error.0);
    }
}

/// Answers a request that was not run.
fn refuse(
    shared: &Shared,
    client: &mut Client,
    command: Option<&'static Command>,
    error: &Error,
    reply: &mut dyn Reply,
) {
    if let Some(command) = command {
        shared.stats.worker(client.worker).command(command.id).rejected.add(1);
    }
    shared.stats.error(error.code());
    reply.error(&error.0);
}

/// Called for a client that `Block` without `retry` holds, when it was nudged or its deadline
/// passed. `Continue`: its reply is written, go on with the next command.
pub fn resume(_shared: &Shared, _client: &mut Client, _reply: &mut dyn Reply, _now: UnixMillis) -> Flow {
    Flow::Continue
}
