//! The one way from a request to its handler.
//!
//! The checks stand in Redis's order, because clients see which of several errors they get. Nothing
//! here allocates for a command on one key.

use super::{
    Args, Client, Command, CommandResult, Context, Error, Protocol, Reply, Shared,
    acl::{self, Denial, Reason},
    blocking,
    client::ReplyMode,
    command_log::{self, LogKind},
    handle::State,
    keys,
    pause::Paused,
    script::{self, Manners},
    spec::Flags,
    table,
    tracking::Caching,
};
use crate::{
    config::{Guard, Settings},
    keyspace::{KnownHash, ShardSet},
    util::clock::UnixMillis,
};
use std::{sync::atomic::Ordering::Relaxed, time::Duration};

/// What the connection does after a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    Continue,
    /// Close the connection once the replies written so far are sent.
    Close,
    Block(Block),
    /// It has done nothing: the same command is to be executed again once the pages in `client.absent` are resident.
    Absent,
}

/// The client's further commands wait until its handle is nudged or the deadline passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// True: the same command is then executed again (CLIENT PAUSE). False: `resume` writes what
    /// the command still owes (blocking commands).
    pub retry: bool,
    pub deadline: Option<UnixMillis>,
}

/// Runs one request: from its words to its reply. `known` is the hash of one of the words, if somebody has computed it.
#[inline]
pub fn execute(
    shared: &Shared,
    client: &mut Client,
    args: &Args<'_>,
    known: KnownHash,
    reply: &mut dyn Reply,
    now: UnixMillis,
) -> Flow {
    client.refresh_settings();
    client.set_paused(false);
    let flow = match client.reply_mode.is_silent() {
        true => execute_in_silence(shared, client, args, known, reply, now),
        false => admit(shared, client, args, known, reply, now),
    };
    if matches!(flow, Flow::Absent | Flow::Block(Block { retry: true, .. })) {
        return flow;
    }
    client.lot = None;
    client.reply_mode = client.reply_mode.after_command();
    flow
}

/// CLIENT REPLY OFF or SKIP. The command that ends the silence is answered: CLIENT REPLY ON, RESET.
#[cold]
fn execute_in_silence(
    shared: &Shared,
    client: &mut Client,
    args: &Args<'_>,
    known: KnownHash,
    reply: &mut dyn Reply,
    now: UnixMillis,
) -> Flow {
    let mut silent = Silent { reply, status: None };
    let flow = admit(shared, client, args, known, &mut silent, now);
    if let (ReplyMode::On, Silent { reply, status: Some(status) }) = (client.reply_mode, silent) {
        reply.simple(&status);
    }
    flow
}

/// Called for a client that `Block` without `retry` holds, when it was nudged or its deadline
/// passed. `Continue`: its reply is written, go on with the next command.
pub fn resume(shared: &Shared, client: &mut Client, reply: &mut dyn Reply, now: UnixMillis) -> Flow {
    blocking::resume(shared, client, reply, now)
}

/// Checks whether the request may run now; if so, runs or queues it.
#[inline(never)]
fn admit(
    shared: &Shared,
    client: &mut Client,
    args: &Args<'_>,
    known: KnownHash,
    reply: &mut dyn Reply,
    now: UnixMillis,
) -> Flow {
    let command = match table::resolve(args) {
        Ok(command) => command,
        Err(_) if is_http(args) => {
            let peer = &client.handle.peer;
            tracing::warn!(%peer, "an HTTP request was sent to this port; someone may be misusing a browser");
            return Flow::Close;
        }
        Err(mut refusal) => {
            // Whoever may not run a command learns nothing of its subcommands.
            if refusal.command.is_none()
                && !client.unlimited
                && let Some(command) = args.first().and_then(|name| table::lookup(name))
                && command.shown_subcommands().is_empty()
                && let Err(error) = check_client(client, command, args, now)
            {
                refusal.error = error;
            }
            refuse(shared, client, refusal.command, &refusal.error, reply, now);
            return Flow::Continue;
        }
    };
    client.handle.last_command.store(command.counts_as as u32 + 1, Relaxed);
    let flags = effective_flags(client, command);
    let (mut set, mut key) = (ShardSet::NONE, KnownHash::NONE);
    let admitted = check_client(client, command, args, now).and_then(|()| {
        check_busy(shared, command)?;
        (set, key) = shards(shared, client, command, args, known);
        make_room(shared, client, flags, set, args, now)?;
        check_server(shared, client, command, flags)
    });
    if let Err(error) = admitted {
        refuse(shared, client, Some(command), &error, reply, now);
        return Flow::Continue;
    }
    if let Some((paused, until)) = shared.pause.get(now)
        && (paused == Paused::All || flags_of_script(shared, command, flags, args).intersects(CHANGES))
    {
        client.set_paused(true);
        return Flow::Block(Block { retry: true, deadline: Some(until) });
    }
    if client.transaction.is_some() && !command.spec.flags.contains(Flags::NOT_QUEUED) {
        let flags = flags_of_script(shared, command, flags, args);
        return queue(client, command, flags, args, reply);
    }
    run(shared, client, command, (set, key), args, reply, now)
}

/// Whether this client may call the command at all.
#[inline]
fn check_client(client: &Client, command: &'static Command, args: &Args<'_>, now: UnixMillis) -> Result<(), Error> {
    match client.unlimited && client.transaction.is_none() && !command.spec.flags.contains(Flags::PROTECTED) {
        true => Ok(()),
        false => check_limited(client, command, args, now),
    }
}

/// The same of a client, or a command, with limits.
#[inline(never)]
fn check_limited(client: &Client, command: &'static Command, args: &Args<'_>, now: UnixMillis) -> Result<(), Error> {
    let own = command.spec.flags;
    if own.contains(Flags::PROTECTED) {
        check_protected(client, command)?;
    }
    if !client.unlimited && !own.contains(Flags::NO_AUTH) && client.must_log_in() {
        return Err(Error::new("NOAUTH Authentication required."));
    }
    if client.transaction.is_some() && own.contains(Flags::NO_MULTI) {
        return Err(Error::new("ERR Command not allowed inside a transaction"));
    }
    if client.unlimited {
        return Ok(());
    }
    check_user(client, command, args, now).map_err(|denial| denial.error(&client.user, command))
}

/// Whether its user may run the request; a refusal goes to ACL LOG.
pub(super) fn check_user(
    client: &Client,
    command: &'static Command,
    args: &Args<'_>,
    now: UnixMillis,
) -> Result<(), Denial> {
    acl::may_run(&client.user, command, args).inspect_err(|denial| {
        let word = |at: usize| args.get(at).copied().unwrap_or_default();
        let (reason, object) = match *denial {
            Denial::Command => (Reason::Command, command.full_name.as_bytes()),
            Denial::Key(at) => (Reason::Key, word(at)),
            Denial::Channel(at) => (Reason::Channel, word(at)),
        };
        client.log_denial(reason, object, None, now);
    })
}

/// Evicts to make room for what the arguments bring; no lock is held yet.
#[inline]
fn make_room(
    shared: &Shared,
    client: &mut Client,
    flags: Flags,
    set: ShardSet,
    args: &Args<'_>,
    now: UnixMillis,
) -> Result<(), Error> {
    if flags.intersects(Flags::DENYOOM.union(Flags::SCRIPT)) {
        let queued = client.transaction.as_ref().map_or(0, |transaction| transaction.memory());
        let bytes = args.iter().map(|word| word.len()).sum::<usize>() + queued;
        let room = shared.keyspace.make_room(set, bytes, now);
        shared.publish_effects();
        // A script may do without room, as long as it writes nothing.
        client.script_oom = room.is_err();
        if flags.contains(Flags::DENYOOM) {
            room?;
        }
    }
    Ok(())
}

/// Whether what is written can be kept.
#[inline]
fn check_persistence(shared: &Shared, settings: &Settings) -> Result<(), Error> {
    match shared.saver.is_failing() || shared.keyspace.log().is_failing() {
        true => refuse_to_lose(shared, settings),
        false => Ok(()),
    }
}

/// Something is failing: whether it is to stop writes.
#[cold]
fn refuse_to_lose(shared: &Shared, settings: &Settings) -> Result<(), Error> {
    if shared.saver.is_failing() && settings.stop_writes_on_bgsave_error && !settings.save.is_empty() {
        return Err(Error::new(
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. \
             Commands that may modify the data set are disabled, because this instance is configured to report \
             errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the \
             Redis logs for details about the RDB error.",
        ));
    }
    if shared.keyspace.log().is_failing() {
        let reason = shared.keyspace.log().status().error;
        return Err(Error::text(format!("MISCONF Errors writing to the AOF file: {reason}")));
    }
    Ok(())
}

/// Whether anything may be written now.
pub(super) fn check_write(shared: &Shared, settings: &Settings) -> Result<(), Error> {
    check_persistence(shared, settings)?;
    if settings.min_replicas_to_write > 0 {
        return Err(Error::new("NOREPLICAS Not enough good replicas to write."));
    }
    Ok(())
}

/// Whether the command may run in the state that the server is in.
fn check_server(shared: &Shared, client: &Client, command: &'static Command, flags: Flags) -> Result<(), Error> {
    if flags.contains(Flags::WRITE) {
        check_write(shared, &client.settings)?;
    } else if flags.contains(Flags::HEALTH_CHECK) {
        check_persistence(shared, &client.settings)?;
    }
    if client.is_subscriber()
        && client.protocol == Protocol::Resp2
        && !command.spec.flags.contains(Flags::IN_SUBSCRIBER)
    {
        return Err(Error::text(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this \
             context",
            command.full_name
        )));
    }
    Ok(())
}

/// EXEC counts as all that it will run.
fn effective_flags(client: &Client, command: &'static Command) -> Flags {
    let own = command.spec.flags;
    match &client.transaction {
        Some(transaction) if own.contains(Flags::QUEUED_KEYS) => own | transaction.flags,
        _ => own,
    }
}

/// What a command has that may change data.
const CHANGES: Flags = Flags::WRITE.union(Flags::MAY_REPLICATE);

/// The flags without those for changes, if it is a script that says that it makes none.
fn flags_of_script(shared: &Shared, command: &'static Command, flags: Flags, args: &Args<'_>) -> Flags {
    let is_script = command.spec.flags.contains(Flags::SCRIPT) && flags.intersects(CHANGES);
    if is_script && script::only_reads(shared, args) { flags - CHANGES } else { flags }
}

/// `enable-debug-command` and its like.
fn check_protected(client: &Client, command: &'static Command) -> Result<(), Error> {
    match client.settings.enable_debug_command {
        Guard::Yes => Ok(()),
        Guard::Local if client.handle.is_local() => Ok(()),
        _ => {
            let name = command.full_name.split('|').next().unwrap_or_default();
            Err(Error::text(format!(
                "ERR {} command not allowed. If the enable-{name}-command option is set to \"local\", you can run it \
                 from a local connection, otherwise you need to set this option in the configuration file, and then \
                 restart the server.",
                name.to_ascii_uppercase()
            )))
        }
    }
}

/// Keeps a command for EXEC.
fn queue(client: &mut Client, command: &'static Command, flags: Flags, args: &Args<'_>, reply: &mut dyn Reply) -> Flow {
    if let Some(transaction) = &mut client.transaction
        && !transaction.failed
    {
        transaction.push(command, flags, args);
        // What is queued has been read but not executed: it is held to the limit of the query buffer.
        if transaction.memory() as u64 > client.settings.client_query_buffer_limit {
            let client = client.handle.id;
            tracing::warn!(client, "closing a client: its transaction passes client-query-buffer-limit");
            return Flow::Close;
        }
    }
    client.publish_transaction();
    reply.simple("QUEUED");
    Flow::Continue
}

/// Whether the user, as he is now, may run what the client has waited in.
pub(super) fn still_permitted(cx: &Context<'_>, args: &Args<'_>) -> Result<(), Error> {
    if cx.client.unlimited {
        return Ok(());
    }
    check_user(cx.client, cx.command, args, cx.now).map_err(|denial| denial.error(&cx.client.user, cx.command))
}

/// Whether the user may still run what was queued: rights may be lost between MULTI and EXEC.
pub(super) fn still_allowed(cx: &Context<'_>, args: &Args<'_>) -> Result<(), Error> {
    if cx.client.unlimited {
        return Ok(());
    }
    check_user(cx.client, cx.command, args, cx.now).map_err(|denial| {
        let reason = match denial {
            Denial::Command => "no permission to execute the command or subcommand",
            Denial::Key(_) => "no permission to touch the specified keys",
            Denial::Channel(_) => "no permission to access one of the channels used as argument to the command",
        };
        cx.shared.stats.error("NOPERM");
        Error::text(format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This \
             command is no longer allowed for the following reason: {reason}"
        ))
    })
}

/// Locks what the command needs and runs it.
fn run(
    shared: &Shared,
    client: &mut Client,
    command: &'static Command,
    (set, known): (ShardSet, KnownHash),
    args: &Args<'_>,
    reply: &mut dyn Reply,
    now: UnixMillis,
) -> Flow {
    let keys = shared.keyspace.unlocked(now);
    let mut context = Context { shared, client, reply, keys, now, command, spec: command.spec };
    if let Err(busy) = lock(&mut context, set) {
        refuse(shared, context.client, Some(command), &busy, context.reply, now);
        return Flow::Continue;
    }
    let Context { client, keys, .. } = &mut context;
    keys.set_known(known);
    if client.no_touch || client.settings.maxmemory_policy.is_lrm() && !command.spec.flags.contains(Flags::WRITE) {
        keys.set_no_touch(true);
    }
    if client.import_source && client.settings.import_mode || shared.shows_expired.load(Relaxed) {
        keys.show_expired();
    }
    if shared.tracking.any() {
        context.tell_earlier_changes();
    }
    call(&mut context, args);
    let Context { client, keys, .. } = context;
    match shared.keyspace.has_ready() {
        true => client.serve_waiters(keys),
        false => drop(keys),
    }
    if !client.changed.is_empty() {
        shared.broadcast(std::mem::take(&mut client.changed));
    }
    if !client.absent.is_empty() {
        return Flow::Absent;
    }
    if client.owes_snapshot {
        client.owes_snapshot = false;
        shared.save_for(&client.settings);
    }
    if client.closing {
        client.handle.set_state(State::CLOSING, true);
        return Flow::Close;
    }
    // Asked first: to move a wait that is not there out of its place stalls every command.
    if client.block.is_none() { Flow::Continue } else { client.block.take().map_or(Flow::Continue, Flow::Block) }
}

/// Locks shards, unless a script holds them for long.
#[inline]
fn lock(context: &mut Context<'_>, set: ShardSet) -> Result<(), Error> {
    /// How often a thread that waits for locks looks whether it does so because of a script.
    const PATIENCE: Duration = Duration::from_millis(20);
    while !context.keys.acquire(set, PATIENCE) {
        check_busy(context.shared, context.command)?;
    }
    Ok(())
}

/// Whether a script has been running for so long that others are refused.
#[inline]
fn check_busy(shared: &Shared, command: &'static Command) -> Result<(), Error> {
    if command.spec.flags.contains(Flags::ALLOW_BUSY) {
        return Ok(());
    }
    shared.scripts.busy.refusal().map_or(Ok(()), Err)
}

/// The shards that the command's keys lie in, and the hash of its key if it has only one.
#[inline(always)]
fn shards(
    shared: &Shared,
    client: &Client,
    command: &'static Command,
    args: &Args<'_>,
    known: KnownHash,
) -> (ShardSet, KnownHash) {
    match command.key_at.and_then(|at| args.get(usize::from(at.get()))) {
        Some(key) => {
            let known = if known.is_of(key) { known } else { shared.keyspace.know(key) };
            (shared.keyspace.shard_set_of(known), known)
        }
        None => (shards_of_many(shared, client, command, args), KnownHash::NONE),
    }
}

/// The shards of a command that may have any number of keys.
fn shards_of_many(shared: &Shared, client: &Client, command: &'static Command, args: &Args<'_>) -> ShardSet {
    let keyspace = &shared.keyspace;
    let flags = command.spec.flags;
    if flags.contains(Flags::ALL_SHARDS)
        || (flags.contains(Flags::SCRIPT) && script::manners(shared, args) != Manners::Declares)
    {
        return keyspace.all_shards();
    }
    let mut set = keyspace.shard_set(keys::keys(command.spec, args));
    if flags.intersects(Flags::QUEUED_KEYS.union(Flags::WATCHED_KEYS)) {
        set = set.union(client.watched_shards());
    }
    if flags.contains(Flags::QUEUED_KEYS)
        && let Some(transaction) = &client.transaction
    {
        transaction.for_each(|command, args| {
            set = set.union(if locks_everything(command) {
                keyspace.all_shards()
            } else {
                keyspace.shard_set(keys::keys(command.spec, args))
            });
        });
    }
    set
}

/// What a script's command needs locked.
pub(super) fn needed(shared: &Shared, command: &'static Command, args: &Args<'_>) -> ShardSet {
    match locks_everything(command) {
        true => shared.keyspace.all_shards(),
        false => shared.keyspace.shard_set(keys::keys(command.spec, args)),
    }
}

/// Whether a queued command needs every shard. One without keys may look anywhere (SCAN, INFO): on
/// its own it locks shards one by one, but not while the transaction holds some.
pub(super) fn locks_everything(command: &Command) -> bool {
    let flags = command.spec.flags;
    flags.intersects(Flags::ALL_SHARDS.union(Flags::SCRIPT))
        || (command.spec.keys.is_empty()
            && !flags.contains(Flags::NO_SHARDS)
            && !["connection", "pubsub", "transactions"].contains(&command.spec.group))
}

/// Runs the handler of `context.command` and keeps the books. Also for each command of an EXEC. Nothing has happened if
/// `client.absent` says of pages.
#[inline(always)]
pub(super) fn call(context: &mut Context<'_>, args: &Args<'_>) {
    if context.lacks(args) {
        return;
    }
    let command = context.command;
    // What a script calls comes after the script.
    let calls_others = command.spec.flags.contains(Flags::SCRIPT);
    if calls_others && context.shared.monitors.any() {
        show(context, args);
    }
    let started = context.client.started();
    let written = context.reply.written();
    let looks = context.looks();
    let mut result =
        if context.shared.keyspace.log().is_on() { kept(context, args) } else { (command.spec.handler)(context, args) };
    if looks && context.has_looked() || !context.client.absent.is_empty() {
        return context.reply.rewind(written);
    }
    if context.keys.is_damaged() {
        result = after_damage(context, args, written);
    }
    context.shared.publish_effects();
    if context.shared.tracking.any() {
        context.track(command, args);
    }
    let nanos = context.client.lap(started);
    if !calls_others && context.shared.monitors.any() {
        show(context, args);
    }
    let Context { shared, client, reply, .. } = context;
    let counters = shared.stats.worker(client.worker).command(command.counts_as);
    if let Err(error) = result {
        counters.failed.add(1);
        shared.stats.error(error.code());
        reply.error(&error.0);
    }
    if command.spec.flags.contains(Flags::ADMIN) {
        // CONFIG SET holds for its own entry already.
        client.refresh_settings();
    }
    // A command that waits counts once it is executed.
    if client.block.is_none() {
        counters.called(nanos, client.settings.latency_tracking);
        let reply_bytes = reply.written().saturating_sub(written);
        note(shared, client, command, args, (nanos, reply_bytes), context.now);
        if shared.hot_keys.is_on() {
            note_hot_keys(shared, client, command, args, (nanos, reply_bytes), context.now);
        }
        let commands = &client.handle.commands;
        commands.store(commands.load(Relaxed) + 1, Relaxed);
    }
    client.redacted.clear();
}

/// Shows the command to those who watch with MONITOR.
#[cold]
fn show(context: &Context<'_>, args: &Args<'_>) {
    let Context { shared, client, .. } = context;
    let flags = context.command.spec.flags;
    if (!client.stands_in || client.in_script)
        && (flags.contains(Flags::SCRIPT) || !flags.intersects(Flags::SKIP_MONITOR.union(Flags::ADMIN)))
    {
        // One that watches and quits is sent the reply to that, and nothing after it.
        if client.closing {
            shared.monitors.remove(client.handle.id);
        }
        shared.monitors.feed(&client.handle, client.in_script, args, &client.redacted, context.now);
    }
}

/// A page that the handler came to is damaged, so what it said may be wrong. It speaks again of what is left; but what it
/// has changed may have been half of something, which is gone now.
#[cold]
fn after_damage(context: &mut Context<'_>, args: &Args<'_>, written: u64) -> CommandResult {
    context.keys.mend();
    context.reply.rewind(written);
    if context.command.spec.flags.contains(Flags::WRITE) {
        context.client.block = None;
        return Err(Error::new("DAMAGED Part of the value was damaged in the snapshot; the key is gone"));
    }
    (context.command.spec.handler)(context, args)
}

/// Runs the handler, and has the log keep what it has changed: the command itself, unless it, or those that run within
/// it, have said what it comes to.
fn kept(context: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let flags = context.command.spec.flags;
    let (db, changes) = (context.client.db, context.keys.changes());
    let before = context.client.kept.len();
    context.client.depth += 1;
    let result = (context.command.spec.handler)(context, args);
    context.client.depth -= 1;
    let Context { client, keys, .. } = &mut *context;
    if client.kept.len() == before
        && flags.intersects(Flags::WRITE.union(Flags::MAY_REPLICATE))
        && keys.set() != ShardSet::NONE
        && keys.changes() != changes
    {
        if client.depth == 0 && before == 0 {
            keys.keep_one(db, args);
            client.has_written = true;
            return result;
        }
        client.kept.push(db, args);
    }
    if client.depth == 0 && !client.kept.is_empty() {
        context.hand_to_log();
    }
    result
}

/// Runs a command of the log, at its time. Nobody is told, and nothing is kept again.
///
/// # Errors
/// What the command answers, if that is an error.
pub fn replay(
    shared: &Shared,
    client: &mut Client,
    args: &Args<'_>,
    reply: &mut dyn Reply,
    now: UnixMillis,
) -> Result<(), Error> {
    let command = table::resolve(args).map_err(|refusal| refusal.error)?;
    let (set, known) = shards(shared, client, command, args, KnownHash::NONE);
    let mut keys = shared.keyspace.lock(set, now);
    keys.set_known(known);
    let mut context = Context { shared, client, reply, keys, now, command, spec: command.spec };
    (command.spec.handler)(&mut context, args)
}

/// Keeps the books for a blocking command that ended without being executed.
pub(super) fn count_unblocked(shared: &Shared, client: &Client, command: &'static Command, failed: bool) {
    let counters = shared.stats.worker(client.worker).command(command.counts_as);
    counters.called(0, client.settings.latency_tracking);
    if failed {
        counters.failed.add(1);
        shared.stats.error("UNBLOCKED");
    }
}

/// COMMANDLOG and LATENCY: commands beyond their thresholds.
#[inline(always)]
fn note(
    shared: &Shared,
    client: &Client,
    command: &'static Command,
    args: &Args<'_>,
    (nanos, reply_bytes): (u64, u64),
    now: UnixMillis,
) {
    let settings = &client.settings;
    let reaches = |value: u64, threshold: i64| threshold >= 0 && value >= threshold as u64;
    let micros = nanos / 1000;
    let request_bytes = large_request(args, settings);
    if reaches(micros, settings.slowlog_log_slower_than_us)
        || reaches(request_bytes, settings.commandlog_request_larger_than)
        || reaches(reply_bytes, settings.commandlog_reply_larger_than)
    {
        log(shared, client, command, args, [micros, request_bytes, reply_bytes], now);
    }
    let threshold_ms = settings.latency_monitor_threshold_ms;
    if threshold_ms != 0 && micros / 1000 >= threshold_ms {
        let event = if command.spec.flags.contains(Flags::FAST) { "fast-command" } else { "command" };
        shared.latency.note(event, now / 1000, micros / 1000);
    }
}

/// HOTKEYS: what a command took counts for its keys. What a script calls counts for those of the script.
#[cold]
fn note_hot_keys(
    shared: &Shared,
    client: &mut Client,
    command: &'static Command,
    args: &Args<'_>,
    (nanos, reply_bytes): (u64, u64),
    now: UnixMillis,
) {
    if client.in_script {
        return;
    }
    let started = client.started();
    let keys: Vec<&[u8]> = keys::keys(command.spec, args).collect();
    shared.hot_keys.note(&keys, nanos, command_log::request_bytes(args) + reply_bytes, now);
    // That is not the next command's time.
    shared.hot_keys.note_own(client.lap(started));
}

/// Keeps a command in those logs whose thresholds its values reach.
#[cold]
fn log(
    shared: &Shared,
    client: &Client,
    command: &'static Command,
    args: &Args<'_>,
    values: [u64; LogKind::ALL.len()],
    now: UnixMillis,
) {
    let settings = &client.settings;
    let beyond = LogKind::ALL.map(|kind| kind.bounds(settings).0.is_some_and(|from| values[kind as usize] >= from));
    if beyond == [false; LogKind::ALL.len()] || command.spec.flags.contains(Flags::SKIP_SLOWLOG) {
        return;
    }
    if beyond[LogKind::Slow as usize] {
        shared.stats.worker(client.worker).command(command.counts_as).slow(values[LogKind::Slow as usize]);
    }
    let words: Vec<&[u8]> = args
        .iter()
        .enumerate()
        .map(|(at, word)| if client.redacted.contains(&at) { b"(redacted)" } else { *word })
        .collect();
    let entry = command_log::Entry {
        id: 0,
        at_seconds: now / 1000,
        value: 0,
        words: command_log::trim(&words, settings),
        peer: client.handle.peer.clone(),
        name: client.handle.names.lock().client.clone(),
    };
    for kind in LogKind::ALL.into_iter().filter(|kind| beyond[*kind as usize]) {
        let entry = command_log::Entry { value: values[kind as usize], ..entry.clone() };
        shared.command_log.note(kind, entry, kind.bounds(settings).1);
    }
}

/// The size of a request if it may be one that is logged; else 0, since most are far from that.
#[inline]
fn large_request(args: &Args<'_>, settings: &Settings) -> u64 {
    const HEADER_MAX: usize = 26;
    let (Some(from), _) = LogKind::LargeRequest.bounds(settings) else { return 0 };
    let at_most = args.iter().map(|word| word.len()).sum::<usize>() + HEADER_MAX * (args.len() + 1);
    if (at_most as u64) < from { 0 } else { command_log::request_bytes(args) }
}

/// Answers a request that was not run. A transaction does not survive it.
fn refuse(
    shared: &Shared,
    client: &mut Client,
    command: Option<&'static Command>,
    error: &Error,
    reply: &mut dyn Reply,
    now: UnixMillis,
) {
    if let Some(command) = command {
        shared.stats.worker(client.worker).command(command.counts_as).rejected.add(1);
    }
    match &mut client.transaction {
        Some(transaction) => transaction.failed = true,
        // It was the next command all the same.
        None => client.caching = Caching::Unsaid,
    }
    if command.is_some_and(|command| command.spec.flags.contains(Flags::QUEUED_KEYS)) {
        client.discard(now);
        let reason = error.0.strip_prefix(b"ERR ").unwrap_or(&error.0);
        shared.stats.error("EXECABORT");
        return reply.error(&[b"EXECABORT Transaction discarded because of: ", reason].concat());
    }
    shared.stats.error(error.code());
    reply.error(&error.0);
}

/// A browser can be made to send such a request here, with commands in its body.
fn is_http(args: &Args<'_>) -> bool {
    args.first().is_some_and(|name| name.eq_ignore_ascii_case(b"host:") || name.eq_ignore_ascii_case(b"post"))
}

/// Writes nothing: CLIENT REPLY OFF and SKIP.
struct Silent<'r> {
    reply: &'r mut dyn Reply,
    /// The last status that would have been sent.
    status: Option<String>,
}

impl Reply for Silent<'_> {
    fn protocol(&self) -> Protocol {
        self.reply.protocol()
    }
    fn set_protocol(&mut self, protocol: Protocol) {
        self.reply.set_protocol(protocol);
    }
    fn simple(&mut self, text: &str) {
        self.status = Some(text.to_owned());
    }
    fn error(&mut self, _: &[u8]) {}
    fn integer(&mut self, _: i64) {}
    fn bulk(&mut self, _: &[u8]) {}
    fn null(&mut self) {}
    fn null_array(&mut self) {}
    fn array(&mut self, _: usize) {}
    fn map(&mut self, _: usize) {}
    fn set(&mut self, _: usize) {}
    fn push(&mut self, _: usize) {}
    fn attribute(&mut self, _: usize) {}
    fn double(&mut self, _: f64) {}
    fn boolean(&mut self, _: bool) {}
    fn big_number(&mut self, _: &str) {}
    fn verbatim(&mut self, _: &str, _: &[u8]) {}
    fn raw(&mut self, _: &[u8]) {}
    fn written(&self) -> u64 {
        0
    }
    fn rewind(&mut self, _: u64) {}
}
