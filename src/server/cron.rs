//! What happens by itself, `hz` times a second: expiry, idle clients, save rules.

use super::persistence;
use crate::{
    command::{Shared, blocking, client_memory, handle::State},
    keyspace::CronReport,
};
use parking_lot::{Condvar, Mutex};
use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The keyspace's share of a period: a twentieth of a core at most.
const KEYSPACE_SHARE: u32 = 20;
/// A read buffer above this size is trimmed when half of it has not been needed.
const LARGE_BUFFER: u64 = 32 * 1024;
/// Any private one is when its client has been idle for this long.
const IDLE_MS: i64 = 2000;

/// The time from one run to the next.
fn period(shared: &Shared) -> Duration {
    Duration::from_secs(1) / shared.config.current().hz.max(1)
}

/// The thread that does it; dropping it ends the thread.
pub struct Cron {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Cron {
    pub fn start(shared: Arc<Shared>) -> io::Result<Cron> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("cron".to_owned()).spawn(move || {
            let mut due = Instant::now() + period(&shared);
            let mut beat = 0;
            loop {
                let mut stop = stopped.0.lock();
                while !*stop && !stopped.1.wait_until(&mut stop, due).timed_out() {}
                if *stop {
                    return;
                }
                drop(stop);
                beat += 1;
                run(&shared, beat);
                // A late beat does not make the next ones hurry.
                due = (due + period(&shared)).max(Instant::now());
            }
        })?;
        Ok(Cron { stop, thread: Some(thread) })
    }
}

impl Drop for Cron {
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the cron thread panicked");
        }
    }
}

fn run(shared: &Arc<Shared>, beat: u64) {
    if shared.lifecycle.is_cron_held() {
        return;
    }
    let now = shared.clock.now();
    let (began, period) = (Instant::now(), period(shared));
    let report = shared.keyspace.cron(now, &mut || began.elapsed() < period / KEYSPACE_SHARE);
    let took = began.elapsed();
    shared.stats.expiry_nanos.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    note_latency(shared, now, took, &report);
    shared.stats.sample_rates(now);
    shared.stats.peak_since(shared.keyspace.peak_memory(), now);
    shared.publish_effects();
    shared.publish_changes();
    let worker = shared.cron_worker();
    blocking::serve_all(shared, worker, now);
    trim_query_buffers(shared, now);
    client_memory::evict(shared, &shared.config.current());
    persistence::apply_save_rules(shared, now);
    // What need not happen more than once a second.
    if beat.is_multiple_of(u64::from(shared.config.current().hz.max(1))) {
        close_idle_clients(shared, now);
        shared.courier().close_idle();
    }
    shared.stats.beats.ended(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX), 0);
}

/// LATENCY's event for a run of the keyspace's work that has removed expired keys.
fn note_latency(shared: &Shared, now: i64, took: Duration, report: &CronReport) {
    let (threshold_ms, ms) = (shared.config.current().latency_monitor_threshold_ms, took.as_millis() as u64);
    if threshold_ms != 0 && ms >= threshold_ms && report.expired > 0 {
        shared.latency.note("expire-cycle", now / 1000, ms);
    }
}

/// Connections that hold more of a read buffer than they use are told to give it back.
fn trim_query_buffers(shared: &Shared, now: i64) {
    for handle in shared.clients.all() {
        let free = handle.query_free.load(Relaxed);
        let held = handle.query_bytes.load(Relaxed) + free;
        if free == 0 {
            continue;
        }
        let peak = handle.query_peak.swap(0, Relaxed);
        let idle = now - handle.last_interaction.load(Relaxed) > IDLE_MS;
        if idle || (held > LARGE_BUFFER && peak < held / 2) {
            handle.trim();
        }
    }
}

/// `timeout`: clients that have said nothing for so long are closed.
fn close_idle_clients(shared: &Shared, now: i64) {
    let timeout_ms = i64::from(shared.config.current().timeout_seconds) * 1000;
    if timeout_ms == 0 {
        return;
    }
    for handle in shared.clients.all() {
        // These wait, and have nothing to say meanwhile.
        if handle.state().intersects(State::SUBSCRIBER | State::MONITOR | State::BLOCKED) {
            continue;
        }
        let idle = now - handle.last_interaction.load(Relaxed);
        if idle > timeout_ms {
            tracing::debug!(client = handle.id, "closing idle client");
            handle.kill();
        }
    }
}
