//! A connection's state, as commands see it.

use super::{
    Args, Block, Error, Protocol, Shared,
    acl::{DEFAULT_USER, LogContext, LogEntry, Reason, User},
    blocking::{self, Waiter},
    client_list,
    handle::{ClientHandle, State},
    hub::Name,
    redis_file::Contents,
    tracking::{Caching, Changed, Options},
    transaction::{Transaction, Watched},
};
use crate::{
    aof::Commands,
    arena::PageId,
    config::{Settings, VersionCheck},
    keyspace::{Locked, ShardSet},
    util::clock::{Moment, UnixMillis},
};
use smallvec::SmallVec;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, SeqCst},
    },
};

pub struct Client {
    pub handle: Arc<ClientHandle>,
    shared: Arc<Shared>,
    /// The settings as of its last command: reading them takes no lock.
    pub settings: Arc<Settings>,
    settings_generation: u64,
    pub protocol: Protocol,
    /// Whether AUTH has been passed or is not asked for; until then the decoder's limits are tight.
    pub authenticated: bool,
    /// Who it is, as of its last command.
    pub user: Arc<User>,
    /// Its user may do everything, and it has logged in if it must: nothing is to be checked.
    pub(super) unlimited: bool,
    /// The selected database.
    pub db: usize,
    /// The worker thread whose counters its commands go to.
    pub worker: usize,
    pub reply_mode: ReplyMode,
    /// CLIENT NO-TOUCH: its reads do not count as use.
    pub no_touch: bool,
    /// CLIENT IMPORT-SOURCE: in `import-mode`, no key has expired for it.
    pub import_source: bool,
    /// A handler sets this to have the connection closed after its reply.
    pub closing: bool,
    /// A handler sets this to have the connection wait.
    pub block: Option<Block>,
    /// The generation of the function libraries that is to be on the disk before its replies go; 0 for none.
    pub owed: u64,
    /// In a blocking command.
    pub(super) waiting: Option<Arc<Waiter>>,
    /// It is not connected itself: a waiting client's command is executed in its name.
    pub(super) stands_in: bool,
    /// Whether CLIENT PAUSE makes it wait.
    paused: bool,
    /// Between MULTI and EXEC.
    pub transaction: Option<Box<Transaction>>,
    /// What it has said with REPLCONF.
    pub replication: ReplicationWishes,
    /// CLIENT TRACKING.
    pub tracking: Option<Box<Options>>,
    pub caching: Caching,
    /// What its command, transaction or script has changed so far, for those who are told of all keys.
    pub(super) changed: Changed,
    /// A script runs its commands.
    pub in_script: bool,
    /// Inside EXEC: nothing may block, and every command owes one reply.
    pub in_exec: bool,
    /// What TIME has answered there, in microseconds.
    pub time_told: Option<i64>,
    /// Its command may be told to begin anew, once what it lacks is in memory; and the pages that it lacks.
    pub may_wait: bool,
    pub absent: Vec<PageId>,
    /// What its command draws lots from, until it has run.
    pub(super) lot: Option<u64>,
    /// There was no room for what its script may write.
    pub script_oom: bool,
    pub(super) watched: Vec<Watched>,
    pub subscriptions: Subscriptions,
    /// What the running commands have changed, for the log.
    pub(super) kept: Commands,
    /// A reply that waits to be sent acknowledges a change, which the log may not have yet.
    pub has_written: bool,
    /// A snapshot comes before the reply, once the locks are given back.
    pub owes_snapshot: bool,
    /// How many commands run within each other: EXEC and what it executes are two.
    pub(super) depth: usize,
    /// Arguments of the running command that MONITOR and SLOWLOG must not show.
    pub(super) redacted: SmallVec<[usize; 2]>,
    /// When the running command began: when the one before it in the pipeline ended.
    started: Option<Moment>,
}

/// What a client has said with REPLCONF.
#[derive(Clone, Copy, Default, Debug)]
pub struct ReplicationWishes {
    /// It wants to be a replica, not only a file.
    pub is_replica: bool,
    pub file_only: bool,
    pub contents: Contents,
}

/// What a client has subscribed to.
#[derive(Default)]
pub struct Subscriptions {
    pub channels: BTreeSet<Name>,
    pub patterns: BTreeSet<Name>,
    pub shard_channels: BTreeSet<Name>,
}

impl Subscriptions {
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty()
    }
}

/// CLIENT REPLY.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ReplyMode {
    #[default]
    On,
    Off,
    /// This command's reply is left out.
    Skip,
    /// The next command's as well: this one was CLIENT REPLY SKIP.
    SkipNext,
}

impl ReplyMode {
    pub fn is_silent(self) -> bool {
        self != ReplyMode::On
    }

    pub fn after_command(self) -> Self {
        match self {
            ReplyMode::Skip => ReplyMode::On,
            ReplyMode::SkipNext => ReplyMode::Skip,
            stays => stays,
        }
    }
}

impl Client {
    /// `peer` and `local` are `address:port` texts. Dropping the client unregisters it.
    pub fn new(shared: &Arc<Shared>, peer: String, local: String, worker: usize) -> Client {
        let mut handle = ClientHandle::new(shared.clients.next_id());
        handle.peer = peer;
        handle.local = local;
        handle.created = shared.clock.now();
        handle.last_interaction.store(handle.created, Relaxed);
        let handle = Arc::new(handle);
        shared.clients.add(Arc::clone(&handle));
        shared.stats.connections.add(1);
        Client::of(shared, handle, worker)
    }

    /// One that executes the command of a waiting client, on whatever thread serves it.
    pub(super) fn stand_in(shared: &Arc<Shared>, waiter: &Waiter, worker: usize) -> Client {
        let mut client = Client::of(shared, Arc::clone(&waiter.handle), worker);
        client.stands_in = true;
        client.authenticated = true;
        client.user = shared.users.get(&waiter.user.name).unwrap_or_else(|| Arc::clone(&waiter.user));
        client.unlimited = client.user.is_unlimited();
        client.protocol = waiter.protocol;
        client.db = waiter.db;
        client.script_oom = waiter.script_oom;
        (client.tracking, client.caching) = (waiter.tracking.clone(), waiter.caching);
        client
    }

    /// One that is nobody's, to run what the log holds. Nothing waits for it.
    pub fn of_log(shared: &Arc<Shared>) -> Client {
        let mut client = Client::of(shared, Arc::new(ClientHandle::new(0)), 0);
        client.stands_in = true;
        client.authenticated = true;
        client.unlimited = true;
        client.in_exec = true;
        // What was restored once has been found good.
        client.settings = Arc::new(Settings { rdb_version_check: VersionCheck::Relaxed, ..(*client.settings).clone() });
        client
    }

    fn of(shared: &Arc<Shared>, handle: Arc<ClientHandle>, worker: usize) -> Client {
        // The generation is read first: a change in between is then seen by the first command.
        let settings_generation = shared.config.generation();
        let settings = shared.config.current();
        let user = shared.users.default_user();
        let open = user.on && user.no_password;
        Client {
            handle,
            shared: Arc::clone(shared),
            authenticated: open,
            unlimited: open && user.is_unlimited(),
            user,
            settings,
            settings_generation,
            protocol: Protocol::Resp2,
            db: 0,
            worker,
            reply_mode: ReplyMode::On,
            no_touch: false,
            import_source: false,
            closing: false,
            block: None,
            owed: 0,
            waiting: None,
            stands_in: false,
            paused: false,
            transaction: None,
            replication: ReplicationWishes::default(),
            tracking: None,
            caching: Caching::default(),
            changed: Changed::default(),
            in_script: false,
            in_exec: false,
            time_told: None,
            may_wait: false,
            absent: Vec::new(),
            lot: None,
            script_oom: false,
            watched: Vec::new(),
            subscriptions: Subscriptions::default(),
            kept: Commands::default(),
            has_written: false,
            owes_snapshot: false,
            depth: 0,
            redacted: SmallVec::new(),
            started: None,
        }
    }

    /// Whether its replies have to wait for the disk; its connection is woken when they need not.
    pub fn waits_to_be_kept(&mut self) -> bool {
        if self.owed != 0 {
            self.handle.take_kept();
            if !self.shared.functions.keeping.has(self.owed) {
                return true;
            }
            self.owed = 0;
        }
        false
    }

    /// The server that it is a client of.
    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Whether messages are pushed to it: `client-output-buffer-limit` has a class for such clients.
    pub fn is_subscriber(&self) -> bool {
        !self.subscriptions.is_empty()
    }

    pub fn select(&mut self, db: usize) {
        self.db = db;
        self.handle.db.store(db as u32, Relaxed);
    }

    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        self.handle.set_protocol(protocol);
    }

    /// AUTH: makes the client that user, if the password is right. `args` is the request, of which the log shows the name.
    pub fn authenticate(
        &mut self,
        user: &[u8],
        password: &[u8],
        args: &Args<'_>,
        now: UnixMillis,
    ) -> Result<(), Error> {
        match self.shared.users.get(user).filter(|known| known.accepts(password)) {
            Some(user) => {
                self.authenticated = true;
                self.become_user(user);
                Ok(())
            }
            None => {
                self.log_denial(Reason::Auth, args.first().copied().unwrap_or_default(), Some(user), now);
                Err(Error::new("WRONGPASS invalid username-password pair or user is disabled."))
            }
        }
    }

    /// `tls-auth-clients-user`: the client has shown a certificate with this name, and becomes the user who is called so. Who
    /// is not known, or may not log in, has to do so otherwise.
    pub fn authenticate_by_certificate(&mut self, name: &[u8], now: UnixMillis) {
        match self.shared.users.get(name).filter(|user| user.on) {
            Some(user) => {
                self.authenticated = true;
                self.become_user(user);
            }
            None => self.log_denial(Reason::Certificate, b"", Some(name), now),
        }
    }

    /// As the connection was at first.
    pub(super) fn forget_user(&mut self) {
        let user = self.shared.users.default_user();
        self.authenticated = user.on && user.no_password;
        self.become_user(user);
    }

    fn become_user(&mut self, user: Arc<User>) {
        self.handle.names.lock().user = user.name.clone();
        self.user = user;
        self.judge();
    }

    /// Finds out whether its commands need to be checked.
    fn judge(&mut self) {
        self.unlimited = self.user.is_unlimited() && !self.must_log_in();
    }

    /// Whether it has to pass AUTH first.
    pub fn must_log_in(&self) -> bool {
        !self.authenticated && {
            let user = self.shared.users.default_user();
            !(user.on && user.no_password)
        }
    }

    /// ACL LOG.
    pub(super) fn log_denial(&self, reason: Reason, object: &[u8], user: Option<&[u8]>, now: UnixMillis) {
        let context = match (self.in_script, self.in_exec || self.transaction.is_some()) {
            (true, _) => LogContext::Script,
            (_, true) => LogContext::Multi,
            _ => LogContext::TopLevel,
        };
        let mut client = String::new();
        client_list::describe(&mut client, &self.handle, self.handle.id, now);
        let entry = LogEntry {
            id: 0,
            count: 1,
            reason,
            context,
            object: object.into(),
            user: user.unwrap_or(&self.user.name).into(),
            created: now,
            updated: now,
            client,
        };
        self.shared.users.log.note(entry, self.settings.acllog_max_len);
    }

    /// CLIENT TRACKING ON.
    pub fn track(&mut self, options: Options) {
        let handle = &self.handle;
        handle.set_state(State::TRACKING, true);
        handle.set_state(State::TRACKING_BROADCAST, options.broadcast);
        handle.redirect.store(options.redirect.unwrap_or(0), Relaxed);
        handle.prefixes.store(u32::try_from(options.prefixes.len()).unwrap_or(u32::MAX), Relaxed);
        self.shared.tracking.enable(handle, &options, self.shared.keyspace.effects());
        self.tracking = Some(Box::new(options));
    }

    /// CLIENT TRACKING OFF.
    pub fn untrack(&mut self) {
        if self.tracking.take().is_some() {
            let all = State::TRACKING | State::TRACKING_BROKEN | State::TRACKING_BROADCAST;
            self.handle.set_state(all, false);
            self.handle.prefixes.store(0, Relaxed);
            self.shared.tracking.disable(self.handle.id, self.shared.keyspace.effects());
        }
        self.caching = Caching::Unsaid;
    }

    /// Tells other threads how far the transaction has come.
    pub(super) fn publish_transaction(&self) {
        let (queued, bytes) = self.transaction.as_ref().map_or((0, 0), |queue| (queue.len(), queue.memory()));
        self.handle.queued.store(queued as u32, Relaxed);
        self.handle.queued_bytes.store(bytes as u64, Relaxed);
        self.handle.set_state(State::MULTI, self.transaction.is_some());
    }

    /// The shards of the watched keys.
    pub(super) fn watched_shards(&self) -> ShardSet {
        self.shared.keyspace.shard_set(self.watched.iter().map(|watched| &*watched.key))
    }

    /// Counts it among the blocked clients while CLIENT PAUSE makes it wait.
    #[inline]
    pub(super) fn set_paused(&mut self, paused: bool) {
        if self.paused != paused {
            self.paused = paused;
            self.handle.set_state(State::BLOCKED, paused);
            let count = &self.shared.stats.blocked_clients;
            if paused { count.add(1) } else { count.subtract(1) }
        }
    }

    /// Ends all subscriptions without a word.
    pub(super) fn unsubscribe_all(&mut self) {
        let (hub, id) = (&self.shared.pubsub, self.handle.id);
        let Subscriptions { channels, patterns, shard_channels } = std::mem::take(&mut self.subscriptions);
        channels.iter().for_each(|name| hub.channels.unsubscribe(name, id));
        shard_channels.iter().for_each(|name| hub.shard_channels.unsubscribe(name, id));
        patterns.iter().for_each(|name| hub.unsubscribe_pattern(name, id));
        self.publish_subscriptions();
    }

    /// Tells other threads what it has subscribed to.
    pub(super) fn publish_subscriptions(&self) {
        let Subscriptions { channels, patterns, shard_channels } = &self.subscriptions;
        self.handle.channels.store(channels.len() as u32, Relaxed);
        self.handle.patterns.store(patterns.len() as u32, Relaxed);
        self.handle.shard_channels.store(shard_channels.len() as u32, Relaxed);
        let (is, was) = (self.is_subscriber(), self.handle.state().contains(State::SUBSCRIBER));
        if is != was {
            self.handle.set_state(State::SUBSCRIBER, is);
            let count = &self.shared.stats.subscribers;
            if is { count.add(1) } else { count.subtract(1) }
        }
    }

    /// The connection has executed all it has: the time until its next command is nobody's.
    pub fn idle(&mut self) {
        self.started = None;
    }

    /// The connection has new commands, which begin now.
    pub fn begin(&mut self, now: Moment) {
        self.started = Some(now);
    }

    /// When the last command ended: a time at hand that costs no reading of the clock.
    pub fn lapped(&self) -> Option<Moment> {
        self.started
    }

    /// Takes up changed settings.
    #[inline]
    pub fn refresh_settings(&mut self) {
        let generation = self.shared.config.generation();
        if generation != self.settings_generation {
            self.settings_generation = generation;
            self.take_up_settings();
        }
    }

    #[cold]
    fn take_up_settings(&mut self) {
        self.settings = self.shared.config.current();
        self.shared.tracking.limit(&self.shared, self.settings.tracking_table_max_keys);
        self.refresh_user();
    }

    /// Takes up what has become of its user. One who is no more loses the connection.
    fn refresh_user(&mut self) {
        if self.handle.id == 0 {
            return;
        }
        match self.shared.users.get(&self.user.name) {
            Some(user) => self.user = user,
            None => {
                self.user = Arc::new(User::new(DEFAULT_USER, false));
                self.authenticated = false;
                self.closing = true;
            }
        }
        self.judge();
    }

    /// When the running command began.
    pub(super) fn started(&mut self) -> Moment {
        *self.started.get_or_insert_with(Moment::now)
    }

    /// Ends the running command and begins the next; answers how long it took, in nanoseconds.
    #[inline]
    pub(super) fn lap(&mut self, since: Moment) -> u64 {
        let end = Moment::now();
        self.started = Some(end);
        end.since(since)
    }

    /// Serves those who wait for what its command has changed.
    #[cold]
    pub(super) fn serve_waiters(&mut self, mut keys: Locked<'_>) {
        // A command may have taken its time, in which a key that it made has expired.
        keys.advance_to(self.shared.clock.now());
        blocking::serve(&self.shared, self.worker, keys, std::mem::take(&mut self.changed));
        // The time it took is not the next command's.
        self.started = self.started.map(|_| Moment::now());
    }

    /// Forgets the watched keys, whose shards are locked.
    pub(super) fn unwatch(&mut self, keys: &mut Locked<'_>) {
        for Watched { db, key } in self.watched.drain(..) {
            keys.unwatch(db, &key, &self.handle.watch_dirty);
        }
        // No shard knows the flag any more, so nobody sets it behind our back.
        self.handle.watch_dirty.store(false, SeqCst);
        self.publish_watched();
    }

    /// Tells other threads how many keys it watches.
    pub(super) fn publish_watched(&self) {
        let before = self.handle.watched.swap(self.watched.len() as u32, Relaxed);
        match (before == 0, self.watched.is_empty()) {
            (true, false) => self.shared.stats.watching_clients.add(1),
            (false, true) => self.shared.stats.watching_clients.subtract(1),
            _ => {}
        }
    }

    /// Leaves MULTI and forgets the watched keys; no shard may be locked.
    pub(super) fn discard(&mut self, now: UnixMillis) {
        self.transaction = None;
        self.publish_transaction();
        if !self.watched.is_empty() {
            let shared = Arc::clone(&self.shared);
            let mut keys = shared.keyspace.lock(self.watched_shards(), now);
            self.unwatch(&mut keys);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.stands_in {
            return;
        }
        let shared = Arc::clone(&self.shared);
        shared.clients.remove(self.handle.id);
        self.set_paused(false);
        if let Some(waiter) = self.waiting.take() {
            blocking::abandon(&shared, &waiter, shared.clock.now());
        }
        if !self.subscriptions.is_empty() {
            self.unsubscribe_all();
        }
        if self.handle.state().contains(State::MONITOR) {
            shared.monitors.remove(self.handle.id);
        }
        self.untrack();
        self.discard(shared.clock.now());
    }
}
