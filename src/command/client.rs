//! A connection's state, as commands see it.

use super::{Block, Protocol, Shared, handle::ClientHandle};
use crate::config::Settings;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
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
    /// The selected database.
    pub db: usize,
    /// The worker thread whose counters its commands go to.
    pub worker: usize,
    pub reply_mode: ReplyMode,
    /// A handler sets this to have the connection closed after its reply.
    pub closing: bool,
    /// A handler sets this to have the connection wait.
    pub block: Option<Block>,
    /// When the running command began: when the one before it in the pipeline ended.
    started: Option<Instant>,
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
        // The generation is read first: a change in between is then seen by the first command.
        let settings_generation = shared.config.generation();
        let settings = shared.config.current();
        Client {
            handle,
            shared: Arc::clone(shared),
            authenticated: settings.requirepass.is_empty(),
            settings,
            settings_generation,
            protocol: Protocol::Resp2,
            db: 0,
            worker,
            reply_mode: ReplyMode::On,
            closing: false,
            block: None,
            started: None,
        }
    }

    /// The connection has executed all it has: the time until its next command is nobody's.
    pub fn idle(&mut self) {
        self.started = None;
    }

    /// The connection has new commands, which begin now.
    pub fn begin(&mut self, now: Instant) {
        self.started = Some(now);
    }

    /// When the last command ended: a time at hand that costs no reading of the clock.
    pub fn lapped(&self) -> Option<Instant> {
        self.started
    }

    /// Takes up changed settings.
    pub fn refresh_settings(&mut self) {
        let generation = self.shared.config.generation();
        if generation != self.settings_generation {
            self.settings_generation = generation;
            self.settings = self.shared.config.current();
        }
    }

    /// When the running command began.
    pub(super) fn started(&mut self) -> Instant {
        *self.started.get_or_insert_with(Instant::now)
    }

    /// Ends the running command and begins the next; answers how long it took, in nanoseconds.
    pub(super) fn lap(&mut self, since: Instant) -> u64 {
        let end = Instant::now();
        self.started = Some(end);
        u64::try_from(end.duration_since(since).as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.clients.remove(self.handle.id);
    }
}
