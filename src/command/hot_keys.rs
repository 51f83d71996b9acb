//! HOTKEYS' memory: which keys take the most time, or the most bytes of requests and replies.
//!
//! Each measure is a stream of weighted keys of which only the heaviest are wanted, in bounded memory: that is Space-Saving
//! (Metwally, Agrawal, El Abbadi: "Efficient computation of frequent and top-k elements in data streams", ICDT 2005). A
//! fixed number of keys have counters; a key that has none takes over the least one, with its count as what may be too
//! much. So a key of more than one part in so many of the whole always has a counter.

use crate::util::clock::UnixMillis;
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, HashMap},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// Counters for each key that is asked for: whoever takes a thousandth of the whole is among the first ten.
const COUNTERS: usize = 100;
/// Longer keys have no counters: what these take stays bounded.
const KEY_MAX: usize = 4096;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metrics {
    pub cpu: bool,
    pub net: bool,
}

/// What HOTKEYS START asks for.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub metrics: Metrics,
    /// Keys that are told of each.
    pub count: usize,
    /// 0: until it is stopped.
    pub duration_ms: i64,
    /// One command of so many is looked at.
    pub ratio: u64,
}

/// How long processors have worked for the process.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct CpuTime {
    pub user_ms: u64,
    pub sys_ms: u64,
}

/// A session, under way or stopped.
pub struct Session {
    pub request: Request,
    pub started_ms: UnixMillis,
    /// `None` while it is under way.
    stopped_ms: Option<UnixMillis>,
    /// When it began.
    pub cpu_before: CpuTime,
    /// Of all commands with keys.
    pub all_nanos: u64,
    pub all_bytes: u64,
    /// What keeping it took.
    pub own_nanos: u64,
    pub by_cpu: Option<Heaviest>,
    pub by_net: Option<Heaviest>,
}

impl Session {
    pub fn is_active(&self) -> bool {
        self.stopped_ms.is_none()
    }

    pub fn lasted_ms(&self, now: UnixMillis) -> i64 {
        (self.stopped_ms.unwrap_or(now) - self.started_ms).max(0)
    }

    fn end_in_time(&mut self, now: UnixMillis) {
        let end = self.started_ms.saturating_add(self.request.duration_ms);
        if self.request.duration_ms > 0 && self.is_active() && now >= end {
            self.stopped_ms = Some(end);
        }
    }

    fn note(&mut self, keys: &[&[u8]], nanos: u64, bytes: u64) {
        self.all_nanos += nanos;
        self.all_bytes += bytes;
        if self.request.ratio > 1 && fastrand::u64(..self.request.ratio) > 0 {
            return;
        }
        let each = keys.len() as u64;
        for key in keys {
            self.by_cpu.iter_mut().for_each(|heaviest| heaviest.add(key, nanos / each));
            self.by_net.iter_mut().for_each(|heaviest| heaviest.add(key, bytes / each));
        }
    }
}

#[derive(Default)]
pub struct HotKeys {
    /// Looked at by every command; a session is under way.
    on: AtomicBool,
    session: Mutex<Option<Session>>,
}

impl HotKeys {
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// Begins a session in the place of the last; false when one is under way.
    pub fn start(&self, request: Request, cpu_before: CpuTime, now: UnixMillis) -> bool {
        self.with(now, |session| {
            if session.as_ref().is_some_and(Session::is_active) {
                return false;
            }
            let heaviest = |wanted: bool| wanted.then(|| Heaviest::new(request.count * COUNTERS));
            *session = Some(Session {
                request,
                started_ms: now,
                stopped_ms: None,
                cpu_before,
                all_nanos: 0,
                all_bytes: 0,
                own_nanos: 0,
                by_cpu: heaviest(request.metrics.cpu),
                by_net: heaviest(request.metrics.net),
            });
            true
        })
    }

    /// Ends the session under way; false when there is none.
    pub fn stop(&self, now: UnixMillis) -> bool {
        self.with(now, |session| match session.as_mut().filter(|session| session.is_active()) {
            Some(session) => {
                session.stopped_ms = Some(now);
                true
            }
            None => false,
        })
    }

    /// Forgets the last session; false while it is under way.
    pub fn reset(&self, now: UnixMillis) -> bool {
        self.with(now, |session| {
            let may = session.as_ref().is_none_or(|session| !session.is_active());
            if may {
                *session = None;
            }
            may
        })
    }

    /// A command on these keys was carried out.
    pub fn note(&self, keys: &[&[u8]], nanos: u64, bytes: u64, now: UnixMillis) {
        self.with(now, |session| {
            if let Some(session) = session.as_mut().filter(|session| session.is_active() && !keys.is_empty()) {
                session.note(keys, nanos, bytes);
            }
        });
    }

    /// What keeping the last command took.
    pub fn note_own(&self, nanos: u64) {
        self.session.lock().iter_mut().for_each(|session| session.own_nanos += nanos);
    }

    /// Looks at the last session.
    pub fn look<R>(&self, now: UnixMillis, look: impl FnOnce(&Session) -> R) -> Option<R> {
        self.with(now, |session| session.as_ref().map(look))
    }

    fn with<R>(&self, now: UnixMillis, act: impl FnOnce(&mut Option<Session>) -> R) -> R {
        let mut session = self.session.lock();
        session.iter_mut().for_each(|session| session.end_in_time(now));
        let result = act(&mut session);
        self.on.store(session.as_ref().is_some_and(Session::is_active), Relaxed);
        result
    }
}

struct Counter {
    key: Box<[u8]>,
    count: u64,
    /// How much of the count may be others'.
    inherited: u64,
}

/// The keys that weigh most.
pub struct Heaviest {
    most: usize,
    counters: Vec<Counter>,
    by_key: HashMap<Box<[u8]>, usize, ahash::RandomState>,
    /// Counts with the places of their counters.
    by_count: BTreeSet<(u64, usize)>,
    /// Of all keys.
    pub total: u64,
}

impl Heaviest {
    fn new(most: usize) -> Heaviest {
        Heaviest { most, counters: Vec::new(), by_key: HashMap::default(), by_count: BTreeSet::new(), total: 0 }
    }

    fn add(&mut self, key: &[u8], weight: u64) {
        self.total = self.total.saturating_add(weight);
        if key.len() > KEY_MAX || weight == 0 {
            return;
        }
        let at = match self.by_key.get(key) {
            Some(at) => *at,
            None => self.admit(key),
        };
        let counter = &mut self.counters[at];
        self.by_count.remove(&(counter.count, at));
        counter.count = counter.count.saturating_add(weight);
        self.by_count.insert((counter.count, at));
    }

    /// A counter for a key that has none.
    fn admit(&mut self, key: &[u8]) -> usize {
        let least = self.by_count.first().filter(|_| self.counters.len() >= self.most);
        let at = match least {
            None => {
                self.counters.push(Counter { key: key.into(), count: 0, inherited: 0 });
                self.counters.len() - 1
            }
            Some((_, at)) => {
                let counter = &mut self.counters[*at];
                self.by_key.remove(&counter.key);
                (counter.key, counter.inherited) = (key.into(), counter.count);
                *at
            }
        };
        self.by_key.insert(key.into(), at);
        at
    }

    /// The heaviest keys, each with what it was surely seen with.
    pub fn first(&self, count: usize) -> Vec<(&[u8], u64)> {
        let mut all: Vec<(&[u8], u64)> =
            self.counters.iter().map(|counter| (&*counter.key, counter.count - counter.inherited)).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all.truncate(count);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn heavy_keys_are_found_among_many_light_ones() {
        let mut random = fastrand::Rng::with_seed(5);
        let (mut heaviest, mut model) = (Heaviest::new(100), BTreeMap::<Vec<u8>, u64>::new());
        for _ in 0..50_000 {
            // A third goes to ten keys, the rest to as many as there are.
            let key = if random.u8(0..3) == 0 { random.u32(0..10) } else { random.u32(10..) };
            let (key, weight) = (key.to_string().into_bytes(), random.u64(0..20));
            heaviest.add(&key, weight);
            *model.entry(key).or_default() += weight;
        }
        assert_eq!(heaviest.total, model.values().sum::<u64>());
        assert!(heaviest.counters.len() == 100 && heaviest.by_key.len() == 100 && heaviest.by_count.len() == 100);
        let found = heaviest.first(10);
        for (key, seen) in &found {
            let truth = model[*key];
            assert!(
                key.len() == 1 && *seen <= truth && truth - seen <= heaviest.total / 100,
                "{key:?}: {seen} of {truth}"
            );
        }
        assert!(found.is_sorted_by(|a, b| a.1 >= b.1));
        heaviest.add(&vec![b'k'; KEY_MAX + 1], 1 << 40);
        assert!(heaviest.first(1)[0].0.len() == 1);
    }

    #[test]
    fn a_session_ends_in_time() {
        let keys = HotKeys::default();
        let request = Request { metrics: Metrics { cpu: true, net: false }, count: 2, duration_ms: 1000, ratio: 1 };
        assert!(keys.start(request, CpuTime::default(), 5000) && keys.is_on());
        assert!(!keys.start(request, CpuTime::default(), 5999) && !keys.reset(5999));
        keys.note(&[b"a", b"b"], 100, 7, 5999);
        keys.note(&[b"a"], 100, 7, 6000);
        assert!(!keys.is_on() && !keys.stop(6000));
        let seen = |session: &Session| {
            let first = session.by_cpu.as_ref().unwrap().first(9);
            assert_eq!(first, [(&b"a"[..], 50), (b"b", 50)]);
            (session.lasted_ms(9000), session.all_nanos, session.all_bytes, session.by_net.is_none())
        };
        assert_eq!(keys.look(9000, seen), Some((1000, 100, 7, true)));
        assert!(keys.reset(9000) && keys.look(9000, |_| ()).is_none());
    }
}
