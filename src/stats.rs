//! Counters behind INFO. What every command touches is kept per worker thread, written by that
//! thread alone, and summed up when someone asks.

pub mod rates;

use crate::util::clock::UnixMillis;
use parking_lot::Mutex;
use rates::Rates;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// More error codes than this are not told apart: a client may invent them.
const ERROR_CODES_MAX: usize = 128;
/// Codes of the server's own, which are told apart always.
const OWN_ERROR_CODES: &[&str] = &[
    "ERR",
    "WRONGTYPE",
    "NOAUTH",
    "NOPERM",
    "WRONGPASS",
    "OOM",
    "EXECABORT",
    "NOSCRIPT",
    "BUSY",
    "BUSYKEY",
    "BUSYGROUP",
    "NOGROUP",
    "LOADING",
    "MISCONF",
    "NOPROTO",
    "READONLY",
    "UNBLOCKED",
    "UNKILLABLE",
    "NOTBUSY",
    "NOREPLICAS",
    "DENIED",
];
/// Latencies from about a microsecond (2^10 ns) to above half a second, one bucket per power of two.
pub const LATENCY_BUCKETS: usize = 22;
const FIRST_BUCKET_BITS: u32 = 10;

/// A counter with one writing thread; others may read it at any time.
#[derive(Default, Debug)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Not a locked instruction: only the owning thread adds.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }
    /// Keeps the greatest value it was shown.
    pub fn raise_to(&self, n: u64) {
        if n > self.get() {
            self.set(n);
        }
    }
    /// For what rises and falls.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
    pub fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

/// A counter that any thread adds to; for what is rare.
#[derive(Default, Debug)]
pub struct SharedCounter(AtomicU64);

impl SharedCounter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }
    pub fn subtract(&self, n: u64) {
        self.0.fetch_sub(n, Relaxed);
    }
    /// Keeps the greatest value it was shown.
    pub fn raise_to(&self, n: u64) {
        self.0.fetch_max(n, Relaxed);
    }
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
    pub fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

/// One command on one worker.
#[derive(Default, Debug)]
pub struct CommandCounters {
    pub calls: Counter,
    pub nanos: Counter,
    pub rejected: Counter,
    pub failed: Counter,
    slow: SlowCounters,
    latency: [Counter; LATENCY_BUCKETS],
}

/// Calls that SLOWLOG kept.
#[derive(Default, Debug)]
struct SlowCounters {
    calls: Counter,
    micros: Counter,
    micros_max: Counter,
}

impl CommandCounters {
    #[inline]
    pub fn called(&self, nanos: u64, latency_tracking: bool) {
        self.calls.add(1);
        self.nanos.add(nanos);
        if latency_tracking {
            self.latency[latency_bucket(nanos)].add(1);
        }
    }

    /// A call was kept by SLOWLOG.
    pub fn slow(&self, micros: u64) {
        self.slow.calls.add(1);
        self.slow.micros.add(micros);
        self.slow.micros_max.raise_to(micros);
    }

    fn all(&self) -> impl Iterator<Item = &Counter> {
        let SlowCounters { calls, micros, micros_max } = &self.slow;
        let own = [&self.calls, &self.nanos, &self.rejected, &self.failed, calls, micros, micros_max];
        own.into_iter().chain(&self.latency)
    }
}

/// The bucket whose upper bound (`latency_bound`) is the smallest not below `nanos`.
fn latency_bucket(nanos: u64) -> usize {
    let bits = u64::BITS - nanos.saturating_sub(1).leading_zeros();
    (bits.saturating_sub(FIRST_BUCKET_BITS) as usize).min(LATENCY_BUCKETS - 1)
}

/// The upper bound of a latency bucket, in nanoseconds.
pub fn latency_bound(bucket: usize) -> u64 {
    1 << (bucket as u32 + FIRST_BUCKET_BITS)
}

/// The same over all workers, at one moment.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct CommandTotals {
    pub calls: u64,
    pub nanos: u64,
    pub rejected: u64,
    pub failed: u64,
    pub slow: SlowTotals,
    /// Calls per bucket; `latency_bound` gives the buckets' upper bounds.
    pub latency: [u64; LATENCY_BUCKETS],
}

/// Calls that SLOWLOG kept, and how long they took.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct SlowTotals {
    pub calls: u64,
    pub micros: u64,
    pub micros_max: u64,
}

impl SlowTotals {
    fn add(&mut self, one: &SlowCounters) {
        self.calls += one.calls.get();
        self.micros += one.micros.get();
        self.micros_max = self.micros_max.max(one.micros_max.get());
    }
}

impl CommandTotals {
    /// The latency below which `percent` of the calls stayed, in nanoseconds.
    pub fn latency_percentile(&self, percent: f64) -> u64 {
        let all: u64 = self.latency.iter().sum();
        let wanted = ((all as f64) * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, calls) in self.latency.iter().enumerate() {
            seen += calls;
            if seen >= wanted {
                return latency_bound(bucket);
            }
        }
        0
    }
}

/// What one worker thread counts. Its own cache lines, so that workers do not disturb each other.
#[repr(align(128))]
#[derive(Default, Debug)]
pub struct Worker {
    commands: Box<[CommandCounters]>,
    pub network_in: Counter,
    pub network_out: Counter,
    /// Reads and writes of the connections of this worker.
    pub reads: Counter,
    pub writes: Counter,
    /// Requests that were found in the input together, and how often some were.
    pub pipelined: Counter,
    pub pipelines: Counter,
    /// Turns of connections, from the first byte read to the last command run.
    pub turns: Turns,
    /// What the interpreter of this thread holds, as of its last script.
    pub interpreter_bytes: Counter,
}

/// What INFO calls the event loop: turns of connections on a worker, and beats of the cron.
#[derive(Default, Debug)]
pub struct Turns {
    pub count: Counter,
    /// Those in which commands ran.
    pub busy: Counter,
    pub nanos: Counter,
    nanos_max: Counter,
    commands_max: Counter,
}

impl Turns {
    /// A turn is over; only the owning thread says so.
    pub fn ended(&self, nanos: u64, commands: u64) {
        self.count.add(1);
        self.busy.add(u64::from(commands > 0));
        self.nanos.add(nanos);
        self.nanos_max.raise_to(nanos);
        self.commands_max.raise_to(commands);
    }
}

/// The same over all threads.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct TurnTotals {
    pub count: u64,
    pub busy: u64,
    pub nanos: u64,
    pub nanos_max: u64,
    pub commands_max: u64,
}

impl Worker {
    /// The counters of a command, by its place in the command table.
    #[inline]
    pub fn command(&self, id: usize) -> &CommandCounters {
        &self.commands[id]
    }
}

#[derive(Debug)]
pub struct Stats {
    workers: Box<[Worker]>,
    errors: Mutex<BTreeMap<Box<str>, u64>>,
    pub rates: Rates,
    /// Beats of the cron.
    pub beats: Turns,
    /// What of them went by with keys that expire.
    pub expiry_nanos: SharedCounter,
    pub error_replies: SharedCounter,
    pub connections: SharedCounter,
    pub rejected_connections: SharedCounter,
    pub blocked_clients: SharedCounter,
    /// Clients with a subscription.
    pub subscribers: SharedCounter,
    /// Clients that watch a key.
    pub watching_clients: SharedCounter,
    pub protocol_errors: SharedCounter,
    pub query_limit_closes: SharedCounter,
    pub evicted_clients: SharedCounter,
    pub output_limit_closes: SharedCounter,
    /// The most bytes ever seen waiting in one client's query buffer and output.
    pub query_bytes_max: SharedCounter,
    /// The most memory that was seen in use, and when that was first.
    peak: Mutex<(u64, UnixMillis)>,
    pub output_bytes_max: SharedCounter,
    /// Keys of the snapshot that the server began with.
    pub loaded_keys: SharedCounter,
}

impl Stats {
    /// `commands` is the size of the command table.
    pub fn new(workers: usize, commands: usize) -> Self {
        let worker =
            || Worker { commands: (0..commands).map(|_| CommandCounters::default()).collect(), ..Worker::default() };
        Stats {
            workers: (0..workers.max(1)).map(|_| worker()).collect(),
            errors: Mutex::default(),
            rates: Rates::default(),
            beats: Turns::default(),
            expiry_nanos: SharedCounter::default(),
            error_replies: SharedCounter::default(),
            connections: SharedCounter::default(),
            rejected_connections: SharedCounter::default(),
            blocked_clients: SharedCounter::default(),
            protocol_errors: SharedCounter::default(),
            subscribers: SharedCounter::default(),
            watching_clients: SharedCounter::default(),
            query_limit_closes: SharedCounter::default(),
            evicted_clients: SharedCounter::default(),
            output_limit_closes: SharedCounter::default(),
            query_bytes_max: SharedCounter::default(),
            peak: Mutex::default(),
            output_bytes_max: SharedCounter::default(),
            loaded_keys: SharedCounter::default(),
        }
    }

    #[inline]
    pub fn worker(&self, index: usize) -> &Worker {
        self.workers.get(index).unwrap_or(&self.workers[0])
    }

    /// What the interpreters of all threads hold.
    pub fn interpreter_bytes(&self) -> u64 {
        self.workers.iter().map(|worker| worker.interpreter_bytes.get()).sum()
    }

    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// What all workers counted for a command.
    pub fn command(&self, id: usize) -> CommandTotals {
        let mut totals = CommandTotals::default();
        for worker in &self.workers {
            let one = worker.command(id);
            totals.calls += one.calls.get();
            totals.nanos += one.nanos.get();
            totals.rejected += one.rejected.get();
            totals.failed += one.failed.get();
            totals.slow.add(&one.slow);
            for (sum, bucket) in totals.latency.iter_mut().zip(&one.latency) {
                *sum += bucket.get();
            }
        }
        totals
    }

    /// The slow calls of all commands.
    pub fn slow_calls(&self) -> SlowTotals {
        let mut totals = SlowTotals::default();
        self.workers.iter().flat_map(|worker| &worker.commands).for_each(|command| totals.add(&command.slow));
        totals
    }

    /// Calls of all commands.
    pub fn calls(&self) -> u64 {
        self.workers.iter().flat_map(|worker| &worker.commands).map(|command| command.calls.get()).sum()
    }

    /// Turns of all workers and beats of the cron.
    pub fn turns(&self) -> TurnTotals {
        let all = self.workers.iter().map(|worker| &worker.turns).chain([&self.beats]);
        all.fold(TurnTotals::default(), |sum, turns| TurnTotals {
            count: sum.count + turns.count.get(),
            busy: sum.busy + turns.busy.get(),
            nanos: sum.nanos + turns.nanos.get(),
            nanos_max: sum.nanos_max.max(turns.nanos_max.get()),
            commands_max: sum.commands_max.max(turns.commands_max.get()),
        })
    }

    /// Time spent in commands.
    pub fn command_nanos(&self) -> u64 {
        self.workers.iter().flat_map(|worker| &worker.commands).map(|command| command.nanos.get()).sum()
    }

    /// Takes a sample of how fast commands and bytes go, ten times a second.
    pub fn sample_rates(&self, now_ms: i64) {
        let sum = |counter: fn(&Worker) -> &Counter| self.workers.iter().map(|worker| counter(worker).get()).sum();
        let TurnTotals { count, nanos, .. } = self.turns();
        let bytes = [sum(|worker| &worker.network_in), sum(|worker| &worker.network_out)];
        self.rates.sample(now_ms, [self.calls(), bytes[0], bytes[1], count, nanos]);
    }

    /// Counts an error reply by its code.
    pub fn error(&self, code: &str) {
        self.error_replies.add(1);
        let mut errors = self.errors.lock();
        if let Some(count) = errors.get_mut(code) {
            *count += 1;
        } else if errors.len() < ERROR_CODES_MAX || OWN_ERROR_CODES.contains(&code) {
            errors.insert(code.into(), 1);
        } else {
            // Scripts invent codes without end: those beyond the limit are counted together.
            *errors.entry("ERRORSTATS_OVERFLOW".into()).or_insert(0) += 1;
        }
    }

    /// Error replies by code, in order of the codes.
    pub fn errors(&self) -> Vec<(Box<str>, u64)> {
        self.errors.lock().iter().map(|(code, count)| (code.clone(), *count)).collect()
    }

    /// Since when `bytes` is the most memory that was in use, which is asked often enough to know.
    pub fn peak_since(&self, bytes: u64, now: UnixMillis) -> UnixMillis {
        let mut peak = self.peak.lock();
        if bytes > peak.0 {
            *peak = (bytes, now);
        }
        peak.1
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        for worker in &self.workers {
            worker.commands.iter().flat_map(CommandCounters::all).for_each(Counter::reset);
            for counter in [
                &worker.network_in,
                &worker.network_out,
                &worker.reads,
                &worker.writes,
                &worker.pipelined,
                &worker.pipelines,
            ] {
                counter.reset();
            }
        }
        for turns in self.workers.iter().map(|worker| &worker.turns).chain([&self.beats]) {
            for counter in [&turns.count, &turns.busy, &turns.nanos, &turns.nanos_max, &turns.commands_max] {
                counter.reset();
            }
        }
        self.errors.lock().clear();
        for counter in [
            &self.expiry_nanos,
            &self.error_replies,
            &self.connections,
            &self.rejected_connections,
            &self.protocol_errors,
            &self.query_limit_closes,
            &self.evicted_clients,
            &self.output_limit_closes,
            &self.query_bytes_max,
            &self.output_bytes_max,
        ] {
            counter.reset();
        }
    }

    /// LATENCY RESET's and CONFIG RESETSTAT's part for one command's histogram.
    pub fn reset_latency(&self, id: usize) {
        for worker in &self.workers {
            worker.command(id).latency.iter().for_each(Counter::reset);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_falls_into_the_bucket_that_bounds_it() {
        for (nanos, bound) in [(0, 1024), (1024, 1024), (1025, 2048), (4096, 4096), (u64::MAX, latency_bound(21))] {
            assert_eq!(latency_bound(latency_bucket(nanos)), bound, "{nanos}");
        }
    }

    #[test]
    fn workers_are_summed_up() {
        let stats = Stats::new(2, 3);
        stats.worker(0).command(1).called(900, true);
        stats.worker(1).command(1).called(3000, true);
        stats.worker(0).command(1).slow(20);
        stats.worker(1).command(1).slow(30);
        let totals = stats.command(1);
        assert_eq!((totals.calls, totals.nanos), (2, 3900));
        let slow = SlowTotals { calls: 2, micros: 50, micros_max: 30 };
        assert_eq!((totals.slow, stats.slow_calls()), (slow, slow));
        assert_eq!((totals.latency_percentile(50.0), totals.latency_percentile(99.0)), (1024, 4096));
        stats.reset();
        assert_eq!(stats.command(1), CommandTotals::default());
    }

    #[test]
    fn turns_and_beats_are_summed_up() {
        let stats = Stats::new(2, 0);
        stats.worker(0).turns.ended(500, 3);
        stats.worker(1).turns.ended(700, 1);
        stats.beats.ended(100, 0);
        assert_eq!(stats.turns(), TurnTotals { count: 3, busy: 2, nanos: 1300, nanos_max: 700, commands_max: 3 });
        stats.reset();
        assert_eq!(stats.turns(), TurnTotals::default());
    }

    #[test]
    fn invented_error_codes_do_not_pile_up() {
        let stats = Stats::new(1, 0);
        (0..1000).for_each(|n| stats.error(&format!("E{n}")));
        stats.error("WRONGTYPE");
        stats.error("E0");
        let count = |code: &str| stats.errors().into_iter().find(|(one, _)| &**one == code).map(|(_, count)| count);
        assert_eq!(count("E0"), Some(2));
        assert_eq!(count("WRONGTYPE"), Some(1));
        assert_eq!(count("ERRORSTATS_OVERFLOW"), Some(1000 - ERROR_CODES_MAX as u64));
        assert_eq!(stats.error_replies.get(), 1002);
    }
}
