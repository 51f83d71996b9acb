//! What all connections share.

use super::{
    acl::Users,
    blocking::Blocking,
    clients::Clients,
    command_log::CommandLog,
    courier::{Courier, Nowhere},
    handle::State,
    hot_keys::HotKeys,
    hub::Hub,
    latency::LatencyMonitor,
    lifecycle::Lifecycle,
    monitors::Monitors,
    notify,
    pause::Pause,
    reply::EncoderFactory,
    script::{Scripts, functions::Functions},
    table,
    tracking::Tracking,
};
use crate::{
    config::{Config, Settings},
    keyspace::Keyspace,
    snapshot::Saver,
    stats::Stats,
    util::clock::{Clock, UnixMillis},
};
use std::{
    any::Any,
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

/// Takes the calling thread's other clients elsewhere; others may come to it when what is answered is dropped.
pub type Relief = fn() -> Option<Box<dyn Any>>;

pub struct Shared {
    pub config: Config,
    pub keyspace: Keyspace,
    /// Makes the encoder of a protocol, for messages to other clients.
    pub encoder: EncoderFactory,
    pub clock: Clock,
    pub stats: Stats,
    pub clients: Clients,
    pub pubsub: Hub,
    pub monitors: Monitors,
    pub users: Arc<Users>,
    pub tracking: Tracking,
    pub pause: Pause,
    pub blocking: Blocking,
    pub lifecycle: Lifecycle,
    pub saver: Saver,
    pub command_log: CommandLog,
    pub scripts: Scripts,
    pub functions: Functions,
    pub latency: LatencyMonitor,
    pub hot_keys: HotKeys,
    /// DEBUG SET-ALLOW-ACCESS-EXPIRED: what has expired is there for everyone.
    pub shows_expired: AtomicBool,
    /// Who carries requests to other servers.
    courier: OnceLock<Box<dyn Courier>>,
    /// Who takes a thread's other clients elsewhere.
    relief: OnceLock<Relief>,
    /// When the server started.
    pub started_ms: UnixMillis,
    /// A random name for this run, in INFO.
    pub run_id: String,
}

impl Shared {
    /// The number of the cron thread, for what is counted per thread.
    pub fn cron_worker(&self) -> usize {
        self.stats.workers().len() - 2
    }

    /// That of the thread for scripts.
    pub fn script_worker(&self) -> usize {
        self.stats.workers().len() - 1
    }

    pub fn new(config: Config, keyspace: Keyspace, encoder: EncoderFactory, clock: Clock) -> Self {
        // Two more than there are threads: the cron's and that of scripts.
        let stats = Stats::new(config.current().threads() + 2, table::all().len());
        let started_ms = clock.now();
        let saver = Saver::new(started_ms);
        saver.forget_changes(&keyspace);
        notify::want(keyspace.effects(), &config.current());
        keyspace.set_importing(config.current().import_mode);
        let effects = Arc::clone(keyspace.effects());
        let users = Arc::new(Users::new(&config.current().requirepass));
        let changing = Arc::clone(&users);
        config.on_change(Box::new(move |before, after| {
            notify::want(&effects, after);
            if before.requirepass != after.requirepass {
                changing.set_default_password(&after.requirepass);
            }
            Ok(())
        }));
        Shared {
            config,
            keyspace,
            encoder,
            clock,
            stats,
            clients: Clients::default(),
            pubsub: Hub::new(encoder),
            monitors: Monitors::default(),
            users,
            tracking: Tracking::default(),
            pause: Pause::default(),
            blocking: Blocking::default(),
            lifecycle: Lifecycle::default(),
            saver,
            command_log: CommandLog::default(),
            scripts: Scripts::default(),
            functions: Functions::default(),
            latency: LatencyMonitor::default(),
            hot_keys: HotKeys::default(),
            shows_expired: AtomicBool::new(false),
            courier: OnceLock::new(),
            relief: OnceLock::new(),
            started_ms,
            run_id: std::iter::repeat_with(|| fastrand::digit(16)).take(40).collect(),
        }
    }

    /// Has requests to other servers carried by `courier`.
    pub fn set_courier(&self, courier: Box<dyn Courier>) {
        // The first one stays.
        let _ = self.courier.set(courier);
    }

    /// Has a thread that is held up relieved by `relief`.
    pub fn set_relief(&self, relief: Relief) {
        // The first one stays.
        let _ = self.relief.set(relief);
    }

    /// This thread is held up for long: who else it serves is served by another. What is answered is to be kept meanwhile.
    pub(super) fn relieve(&self) -> Option<Box<dyn Any>> {
        self.relief.get().and_then(|relief| relief())
    }

    pub fn courier(&self) -> &dyn Courier {
        self.courier.get().map_or(&Nowhere, |courier| &**courier)
    }

    /// Writes a snapshot that a command owes, on its thread; if a rewrite is being written, one is to follow that.
    #[cold]
    pub(super) fn save_for(&self, settings: &Settings) {
        let path = settings.snapshot_path();
        self.functions.keep_beside_snapshot(settings);
        match self.saver.supersede(&self.keyspace, &path, &|| self.clock.now()) {
            None => self.saver.schedule(),
            Some(Ok(_)) => {}
            Some(Err(error)) => tracing::error!(path = %path.display(), %error, "saving after a command failed"),
        }
    }

    /// Ends a pause and lets the clients that wait for that go on.
    pub fn unpause(&self) {
        self.pause.end();
        self.keyspace.hold_removals(0);
        for client in self.clients.all() {
            if client.state().contains(State::BLOCKED) {
                client.nudge();
            }
        }
    }

    /// How much of the snapshot is resident, in percent, and how many seconds the rest takes, as fast as until now.
    pub fn loading_progress(&self, now: UnixMillis) -> (f64, u64) {
        let (pages, absent) = self.keyspace.arena().progress();
        let percent = if pages == 0 { 100.0 } else { (pages - absent.min(pages)) as f64 * 100.0 / pages as f64 };
        let took_ms = (now - self.started_ms).max(0) as u64;
        let eta_ms = took_ms.saturating_mul(absent).checked_div(pages.saturating_sub(absent)).unwrap_or(0);
        (percent, eta_ms.div_ceil(1000))
    }
}
