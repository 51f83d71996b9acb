//! LATENCY's memory: spikes above `latency-monitor-threshold`, per event.

use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};

/// Spikes that are kept per event.
const SAMPLES: usize = 160;

/// One second's worst.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spike {
    pub at_seconds: i64,
    pub ms: u64,
}

#[derive(Clone, Default, Debug)]
pub struct Event {
    pub spikes: VecDeque<Spike>,
    /// The worst since the last reset.
    pub max_ms: u64,
    /// All since then together, and how many they were.
    pub sum_ms: u64,
    pub count: u64,
}

#[derive(Default)]
pub struct LatencyMonitor(Mutex<BTreeMap<&'static str, Event>>);

impl LatencyMonitor {
    pub fn note(&self, event: &'static str, at_seconds: i64, ms: u64) {
        let mut events = self.0.lock();
        let event = events.entry(event).or_default();
        event.max_ms = event.max_ms.max(ms);
        event.sum_ms += ms;
        event.count += 1;
        match event.spikes.back_mut() {
            Some(last) if last.at_seconds == at_seconds => last.ms = last.ms.max(ms),
            _ => {
                event.spikes.push_back(Spike { at_seconds, ms });
                if event.spikes.len() > SAMPLES {
                    event.spikes.pop_front();
                }
            }
        }
    }

    pub fn events(&self) -> Vec<(&'static str, Event)> {
        self.0.lock().iter().map(|(name, event)| (*name, event.clone())).collect()
    }

    /// Forgets the named events, or all; answers how many there were.
    pub fn reset(&self, names: &[&[u8]]) -> usize {
        let mut events = self.0.lock();
        let before = events.len();
        events.retain(|name, _| !names.is_empty() && !names.iter().any(|of| of.eq_ignore_ascii_case(name.as_bytes())));
        before - events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_keeps_its_worst() {
        let monitor = LatencyMonitor::default();
        for (at, ms) in [(1, 5), (1, 9), (1, 7), (2, 3)] {
            monitor.note("command", at, ms);
        }
        let events = monitor.events();
        assert_eq!(events[0].1.spikes, [Spike { at_seconds: 1, ms: 9 }, Spike { at_seconds: 2, ms: 3 }]);
        assert_eq!((events[0].1.max_ms, events[0].1.sum_ms, events[0].1.count), (9, 24, 4));
        assert_eq!(monitor.reset(&[b"nosuch"]), 0);
        assert_eq!(monitor.reset(&[]), 1);
    }
}
