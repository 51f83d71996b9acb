//! Blocking commands: BLPOP and its like, whose client waits until a key holds what it asks for.
//!
//! A command that finds nothing calls [`Context::wait`]. Under the locks of its keys, so that no change
//! slips through, it becomes a [`Waiter`]: its words and whom to answer, known by a ticket that stands in
//! the queue of each of its keys (`keyspace::waiters`). The thread of its connection has nothing to do
//! until then.
//!
//! Whoever changes a key with a queue serves it right after his own command, or the whole EXEC, and under
//! the same locks ([`serve`]): from the first ticket on, the waiter's command is executed again, as that
//! client but on this thread. If it still finds nothing, the waiter stays where it is; otherwise its reply
//! is kept in the waiter, and its connection is woken to send it ([`resume`]). A command that pushes to
//! another key makes that one ready in turn. When a waiter's other keys lie in shards that are not locked,
//! all locks are given up and taken again with those.
//!
//! A waiter ends once: served, unblocked, timed out or gone. Its state is behind a mutex that is taken
//! after the shards' locks; whoever finds it waiting may end it.

use super::{
    Args, Block, Client, Command, Context, Error, Flow, Protocol, Reply, Shared,
    acl::User,
    dispatch,
    handle::{ClientHandle, State},
    keys,
    reply::ReplyBuffer,
    tracking::{Caching, Changed, Options},
};
use crate::{
    arena::PageId,
    keyspace::{Locked, Ready, ShardSet, Want},
    util::{clock::UnixMillis, long_double::LongDouble, number::parse_i64},
};
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

/// A client that waits, and the command it waits to have executed.
pub struct Waiter {
    ticket: u64,
    pub(super) handle: Arc<ClientHandle>,
    command: &'static Command,
    words: Vec<Box<[u8]>>,
    pub(super) user: Arc<User>,
    pub(super) db: usize,
    pub(super) protocol: Protocol,
    /// The client wants no reply (CLIENT REPLY).
    silent: bool,
    /// See [`Client::script_oom`].
    pub(super) script_oom: bool,
    pub(super) tracking: Option<Box<Options>>,
    pub(super) caching: Caching,
    /// In whose queues its ticket stands.
    keys: Vec<Box<[u8]>>,
    /// What its command needs locked.
    shards: ShardSet,
    deadline: Option<UnixMillis>,
    /// When its command is executed again though nothing has changed; [`NEVER`].
    again: AtomicI64,
    fate: Mutex<Fate>,
}

const NEVER: UnixMillis = UnixMillis::MAX;

enum Fate {
    Waiting,
    /// Its command has been executed; the bytes of the reply.
    Served(Vec<u8>),
    Unblocked(Unblock),
    Gone,
}

/// How CLIENT UNBLOCK ends a blocking command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unblock {
    AsTimeout,
    WithError,
}

/// All who wait, by ticket.
#[derive(Default)]
pub struct Blocking {
    last_ticket: AtomicU64,
    waiters: Mutex<HashMap<u64, Arc<Waiter>>>,
}

impl Blocking {
    fn get(&self, ticket: u64) -> Option<Arc<Waiter>> {
        self.waiters.lock().get(&ticket).cloned()
    }

    /// Clients whose waiting ends by itself.
    pub fn timed(&self) -> usize {
        self.waiters.lock().values().filter(|waiter| waiter.deadline.is_some()).count()
    }
}

impl Waiter {
    fn look_at(&self, again: Option<UnixMillis>) {
        self.again.store(again.unwrap_or(NEVER), Relaxed);
    }

    /// When its client is to be woken though nobody has ended its waiting.
    fn due(&self) -> Option<UnixMillis> {
        let again = Some(self.again.load(Relaxed)).filter(|at| *at != NEVER);
        again.into_iter().chain(self.deadline).min()
    }

    /// Ends the waiting; its fate is locked.
    fn end(&self, shared: &Shared, fate: &mut Fate, how: Fate) {
        *fate = how;
        shared.blocking.waiters.lock().remove(&self.ticket);
        self.handle.ticket.store(0, Relaxed);
        self.handle.set_state(State::BLOCKED, false);
        shared.stats.blocked_clients.subtract(1);
    }

    fn leave_queues(&self, locked: &mut Locked<'_>) {
        self.keys.iter().for_each(|key| locked.stop_waiting(self.db, key, self.ticket));
    }
}

impl Context<'_> {
    /// Has the client wait until one of `keys` holds what it wants, when `words` is executed again. Those
    /// are the command's own, with what must not mean something else by then replaced. False: it
    /// must not wait, and is to be answered as if its time were up.
    pub fn wait(&mut self, words: &Args<'_>, keys: &Args<'_>, want: Want, deadline: Option<UnixMillis>) -> bool {
        self.wait_or_look(words, keys, want, deadline, None)
    }

    /// The same, where the command is also executed again at the time `again`: what it waits for may come with time alone.
    pub fn wait_or_look(
        &mut self,
        words: &Args<'_>,
        keys: &Args<'_>,
        want: Want,
        deadline: Option<UnixMillis>,
        again: Option<UnixMillis>,
    ) -> bool {
        if self.client.in_exec {
            return false;
        }
        self.client.block = Some(Block { retry: false, deadline: again.into_iter().chain(deadline).min() });
        if self.client.stands_in {
            return true;
        }
        let shards = self.shared.keyspace.shard_set(keys::keys(self.spec, words));
        let waiter = self.become_waiter(words, keys, shards, deadline);
        waiter.look_at(again);
        for key in keys {
            self.keys.wait(waiter.db, key, waiter.ticket, want);
        }
        true
    }

    /// Whether the command may be left to the thread for scripts.
    pub fn may_hand_over(&self) -> bool {
        !self.client.in_exec && !self.client.stands_in && self.shared.scripts.queue.is_open()
    }

    /// Has the command executed by the thread for scripts, with these shards locked, and the client wait for that.
    pub fn hand_over(&mut self, words: &Args<'_>, shards: ShardSet) {
        self.client.block = Some(Block { retry: false, deadline: None });
        let waiter = self.become_waiter(words, &[], shards, None);
        self.shared.scripts.queue.push(waiter.ticket);
    }

    fn become_waiter(
        &mut self,
        words: &Args<'_>,
        keys: &Args<'_>,
        shards: ShardSet,
        deadline: Option<UnixMillis>,
    ) -> Arc<Waiter> {
        let Context { shared, client, .. } = self;
        let waiter = Arc::new(Waiter {
            ticket: shared.blocking.last_ticket.fetch_add(1, Relaxed) + 1,
            handle: Arc::clone(&client.handle),
            command: self.command,
            words: words.iter().map(|word| (*word).into()).collect(),
            user: Arc::clone(&client.user),
            db: client.db,
            protocol: client.protocol,
            silent: client.reply_mode.is_silent(),
            script_oom: client.script_oom,
            tracking: client.tracking.clone(),
            caching: client.caching,
            keys: keys.iter().map(|key| (*key).into()).collect(),
            shards,
            deadline,
            again: AtomicI64::new(NEVER),
            fate: Mutex::new(Fate::Waiting),
        });
        client.handle.ticket.store(waiter.ticket, Relaxed);
        client.handle.set_state(State::BLOCKED, true);
        shared.stats.blocked_clients.add(1);
        shared.blocking.waiters.lock().insert(waiter.ticket, Arc::clone(&waiter));
        client.waiting = Some(Arc::clone(&waiter));
        waiter
    }
}

/// When a wait of so many seconds, a decimal number, ends; `None` for 0, which is for ever.
pub fn deadline_in_seconds(word: &[u8], now: UnixMillis) -> Result<Option<UnixMillis>, Error> {
    let seconds = LongDouble::parse(word).ok_or(Error::new("ERR timeout is not a float or out of range"))?;
    deadline(seconds.ceil_of_thousandfold().ok_or(TOO_LATE)?, now)
}

const TOO_LATE: Error = Error::new("ERR timeout is out of range");

/// The same in milliseconds, an integer.
pub fn deadline_in_milliseconds(word: &[u8], now: UnixMillis) -> Result<Option<UnixMillis>, Error> {
    deadline(parse_i64(word).ok_or(Error::new("ERR timeout is not an integer or out of range"))?, now)
}

fn deadline(milliseconds: i64, now: UnixMillis) -> Result<Option<UnixMillis>, Error> {
    match milliseconds {
        ..0 => Err(Error::new("ERR timeout is negative")),
        0 => Ok(None),
        _ => now.checked_add(milliseconds).map(Some).ok_or(TOO_LATE),
    }
}

/// Serves those who wait for keys of the locked shards that are ready, and whoever is to be served
/// because of that; then tells of what has `changed`, before and by that. `worker` is the calling thread's.
pub(super) fn serve(shared: &Arc<Shared>, worker: usize, mut locked: Locked<'_>, mut changed: Changed) {
    let (keyspace, now) = (locked.keyspace(), locked.now());
    let mut reply = (shared.encoder)(Protocol::Resp2);
    let mut ready = VecDeque::from(locked.take_ready());
    // What is not in memory is brought by a thread that may wait.
    let lot = (keyspace.arena().is_loading() && shared.scripts.queue.is_open()).then(|| fastrand::u64(..));
    while let Some(Ready { db, key, .. }) = ready.front() {
        let mut last = 0;
        while let Some(ticket) = locked.next_waiter(*db, key, last) {
            let Some(waiter) = shared.blocking.get(ticket) else {
                // Over, but its client has not yet left.
                last = ticket;
                continue;
            };
            if !locked.holds(waiter.shards) {
                let needed = locked.set().union(waiter.shards);
                drop(locked);
                locked = keyspace.lock(needed, now);
                continue;
            }
            last = ticket;
            let mut fate = waiter.fate.lock();
            if !matches!(*fate, Fate::Waiting) || waiter.handle.is_killed() {
                continue;
            }
            let is_lacking = match execute(shared, &waiter, worker, &mut *reply, &mut locked, lot, &mut changed) {
                Looked::Done(bytes) => {
                    waiter.leave_queues(&mut locked);
                    waiter.end(shared, &mut fate, Fate::Served(bytes));
                    waiter.handle.nudge();
                    false
                }
                Looked::InVain(due) => {
                    let before = waiter.due();
                    waiter.look_at(due.filter(|_| due != waiter.deadline));
                    // Its connection waits for the time that it was told.
                    if due.is_some_and(|due| before.is_none_or(|before| due < before)) {
                        waiter.handle.nudge();
                    }
                    false
                }
                Looked::Lacks(_) => {
                    shared.scripts.queue.push(ticket);
                    true
                }
            };
            waiter.handle.hold_mail(false);
            // Its turn is not over, so nobody behind it is served before.
            if is_lacking {
                break;
            }
        }
        ready.pop_front();
        ready.extend(locked.take_ready());
    }
    drop(locked);
    shared.broadcast(changed);
}

/// What executing a waiter's command has come to.
enum Looked {
    /// Its reply.
    Done(Vec<u8>),
    /// It waits on, until then unless something changes.
    InVain(Option<UnixMillis>),
    /// It has done nothing, since these pages are not in memory.
    Lacks(Vec<PageId>),
}

/// Does something in the place of a waiting client, with the context of its command; answers that client. `lot`: it may begin
/// anew, and then draws the same lots (see [`Client::may_wait`]).
fn stand_in(
    shared: &Arc<Shared>,
    waiter: &Waiter,
    worker: usize,
    reply: &mut dyn ReplyBuffer,
    locked: &mut Locked<'_>,
    lot: Option<u64>,
    act: impl FnOnce(&mut Context<'_>, &Args<'_>),
) -> Client {
    reply.set_protocol(waiter.protocol);
    let mut client = Client::stand_in(shared, waiter, worker);
    (client.may_wait, client.lot) = (lot.is_some(), lot);
    let words: SmallVec<[&[u8]; 8]> = waiter.words.iter().map(|word| &word[..]).collect();
    let (now, keys) = (locked.now(), locked.lend());
    let (command, spec) = (waiter.command, waiter.command.spec);
    act(&mut Context { shared, client: &mut client, reply, keys, now, command, spec }, &words);
    client
}

/// Executes a waiter's command as that client. What the client is told meanwhile, perhaps of what the command did,
/// is held until the reply is there. What it changes is added to `changed`.
fn execute(
    shared: &Arc<Shared>,
    waiter: &Waiter,
    worker: usize,
    reply: &mut dyn ReplyBuffer,
    locked: &mut Locked<'_>,
    lot: Option<u64>,
    changed: &mut Changed,
) -> Looked {
    waiter.handle.hold_mail(true);
    let mut client = stand_in(shared, waiter, worker, reply, locked, lot, |context, words| {
        match dispatch::still_permitted(context, words) {
            Ok(()) => dispatch::call(context, words),
            // Its user may have lost the right while it waited.
            Err(error) => {
                shared.stats.worker(worker).command(waiter.command.counts_as).rejected.add(1);
                shared.stats.error(error.code());
                context.reply.error(&error.0);
            }
        }
    });
    let bytes = reply.take();
    changed.append(&mut client.changed);
    match client.block {
        _ if !client.absent.is_empty() => Looked::Lacks(std::mem::take(&mut client.absent)),
        Some(block) => Looked::InVain(block.deadline),
        None => Looked::Done(bytes),
    }
}

/// For the thread for scripts: executes a command that was handed over. Its waiter is not held meanwhile, so that its
/// client may go.
pub fn run_handed_over(shared: &Arc<Shared>, worker: usize, ticket: u64) {
    let Some(waiter) = shared.blocking.get(ticket) else { return };
    if !waiter.keys.is_empty() {
        return bring_and_serve(shared, worker, &waiter);
    }
    let mut reply = (shared.encoder)(Protocol::Resp2);
    let (lot, mut changed) = (Some(fastrand::u64(..)), Changed::default());
    let (mut locked, looked) = loop {
        let mut locked = shared.keyspace.lock(waiter.shards, shared.clock.now());
        match execute(shared, &waiter, worker, &mut *reply, &mut locked, lot, &mut changed) {
            Looked::Lacks(pages) => {
                drop(locked);
                shared.keyspace.bring(&pages);
            }
            looked => break (locked, looked),
        }
    };
    let mut fate = waiter.fate.lock();
    if let (Fate::Waiting, Looked::Done(bytes)) = (&*fate, looked) {
        waiter.end(shared, &mut fate, Fate::Served(bytes));
        waiter.handle.nudge();
    }
    waiter.handle.hold_mail(false);
    drop(fate);
    locked.advance_to(shared.clock.now());
    serve(shared, worker, locked, changed);
}

/// Ends the connection of a client whose command cannot be executed to its end.
pub fn end_connection(shared: &Shared, ticket: u64) {
    if let Some(waiter) = shared.blocking.get(ticket) {
        waiter.handle.kill();
    }
}

/// Brings what the command of a client that waits for keys comes to, then serves those who wait for them.
fn bring_and_serve(shared: &Arc<Shared>, worker: usize, waiter: &Waiter) {
    let mut reply = (shared.encoder)(Protocol::Resp2);
    let lot = Some(fastrand::u64(..));
    loop {
        let mut locked = shared.keyspace.lock(waiter.shards, shared.clock.now());
        let client = stand_in(shared, waiter, worker, &mut *reply, &mut locked, lot, |context, words| {
            context.lacks(words);
        });
        drop(locked);
        if client.absent.is_empty() {
            return look_again(shared, worker, waiter, shared.clock.now());
        }
        shared.keyspace.bring(&client.absent);
    }
}

/// For the cron: serves those who wait for the end of a key, which came without a command.
pub fn serve_all(shared: &Arc<Shared>, worker: usize, now: UnixMillis) {
    if shared.keyspace.has_ready() {
        let locked = shared.keyspace.lock(shared.keyspace.all_shards(), now);
        serve(shared, worker, locked, Changed::default());
    }
}

/// A waiting client was nudged, or its time is up: writes its reply if it waits no longer.
pub(super) fn resume(shared: &Shared, client: &mut Client, reply: &mut dyn Reply, now: UnixMillis) -> Flow {
    let Some(waiter) = client.waiting.take() else { return Flow::Continue };
    if waiter.again.load(Relaxed) <= now {
        look_again(&client.shared(), client.worker, &waiter, now);
    }
    let mut fate = waiter.fate.lock();
    if matches!(*fate, Fate::Waiting) {
        if waiter.deadline.is_none_or(|deadline| now < deadline) {
            drop(fate);
            let block = Block { retry: false, deadline: waiter.due() };
            client.waiting = Some(waiter);
            return Flow::Block(block);
        }
        waiter.end(shared, &mut fate, Fate::Unblocked(Unblock::AsTimeout));
    }
    let how = match std::mem::replace(&mut *fate, Fate::Gone) {
        Fate::Served(bytes) => {
            client.has_written = true;
            if !waiter.silent {
                reply.raw(&bytes);
            }
            return Flow::Continue;
        }
        Fate::Unblocked(how) => how,
        Fate::Waiting | Fate::Gone => Unblock::AsTimeout,
    };
    drop(fate);
    waiter.leave_queues(&mut shared.keyspace.lock(waiter.shards, now));
    let error = (how == Unblock::WithError).then_some("UNBLOCKED client unblocked via CLIENT UNBLOCK");
    dispatch::count_unblocked(shared, client, waiter.command, error.is_some());
    match error {
        _ if waiter.silent => {}
        Some(text) => reply.error(text.as_bytes()),
        None => reply.null_array(),
    }
    Flow::Continue
}

/// Executes a waiter's command at its time, as if one of its keys had changed: those who wait longer come first.
fn look_again(shared: &Arc<Shared>, worker: usize, waiter: &Waiter, now: UnixMillis) {
    waiter.look_at(None);
    let mut locked = shared.keyspace.lock(waiter.shards, now);
    waiter.keys.iter().for_each(|key| locked.make_ready(waiter.db, key));
    serve(shared, worker, locked, Changed::default());
}

/// The client is gone; no shard may be locked.
pub(super) fn abandon(shared: &Shared, waiter: &Waiter, now: UnixMillis) {
    let mut fate = waiter.fate.lock();
    match *fate {
        Fate::Waiting => waiter.end(shared, &mut fate, Fate::Gone),
        Fate::Unblocked(_) => {}
        Fate::Served(_) | Fate::Gone => return,
    }
    drop(fate);
    waiter.leave_queues(&mut shared.keyspace.lock(waiter.shards, now));
}

/// CLIENT UNBLOCK: true if the client was waiting, which then ends.
pub fn unblock(shared: &Shared, handle: &ClientHandle, how: Unblock) -> bool {
    let Some(waiter) = shared.blocking.get(handle.ticket.load(Relaxed)) else { return false };
    let mut fate = waiter.fate.lock();
    if !matches!(*fate, Fate::Waiting) {
        return false;
    }
    waiter.end(shared, &mut fate, Fate::Unblocked(how));
    handle.nudge();
    true
}
