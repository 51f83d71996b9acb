//! ACL LOG: what was refused to users.

use crate::util::clock::UnixMillis;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Of the same kind within this time is the same entry.
const GROUPED_MS: i64 = 60_000;
/// How far back one like it is looked for.
const LOOK_BACK: usize = 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    Auth,
    Command,
    Key,
    Channel,
    Certificate,
}

impl Reason {
    pub fn name(self) -> &'static str {
        match self {
            Reason::Auth => "auth",
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Channel => "channel",
            Reason::Certificate => "tls-cert",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Context {
    TopLevel,
    Multi,
    Script,
}

impl Context {
    pub fn name(self) -> &'static str {
        match self {
            Context::TopLevel => "toplevel",
            Context::Multi => "multi",
            Context::Script => "lua",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub id: u64,
    pub count: u64,
    pub reason: Reason,
    pub context: Context,
    /// The command, key or channel.
    pub object: Box<[u8]>,
    pub user: Box<[u8]>,
    pub created: UnixMillis,
    pub updated: UnixMillis,
    /// The client's line of CLIENT LIST.
    pub client: String,
}

#[derive(Default)]
pub struct AclLog {
    /// The latest first.
    entries: Mutex<Log>,
    denied: [AtomicU64; 5],
}

#[derive(Default)]
struct Log {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl AclLog {
    /// Notes a refusal, of which `max` are kept.
    pub fn note(&self, mut entry: Entry, max: u64) {
        self.denied[entry.reason as usize].fetch_add(1, Relaxed);
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let mut log = self.entries.lock();
        let same = |known: &Entry| {
            (known.reason, known.context, &known.object, &known.user)
                == (entry.reason, entry.context, &entry.object, &entry.user)
                && entry.updated - known.updated <= GROUPED_MS
        };
        match log.entries.iter().take(LOOK_BACK).position(same) {
            Some(at) => {
                if let Some(known) = log.entries.remove(at) {
                    (entry.id, entry.count, entry.created) = (known.id, known.count + 1, known.created);
                }
            }
            None => {
                entry.id = log.next_id;
                if max > 0 {
                    log.next_id += 1;
                }
            }
        }
        log.entries.push_front(entry);
        log.entries.truncate(max);
    }

    pub fn latest(&self, count: usize) -> Vec<Entry> {
        self.entries.lock().entries.iter().take(count).cloned().collect()
    }

    pub fn clear(&self) {
        self.entries.lock().entries.clear();
    }

    /// How often something was refused, for INFO.
    pub fn denied(&self, reason: Reason) -> u64 {
        self.denied[reason as usize].load(Relaxed)
    }

    /// CONFIG RESETSTAT.
    pub fn reset_counts(&self) {
        self.denied.iter().for_each(|count| count.store(0, Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(object: &str, now: UnixMillis) -> Entry {
        Entry {
            id: 0,
            count: 1,
            reason: Reason::Key,
            context: Context::TopLevel,
            object: object.as_bytes().into(),
            user: b"u"[..].into(),
            created: now,
            updated: now,
            client: String::new(),
        }
    }

    #[test]
    fn the_same_is_counted_within_a_minute() {
        let log = AclLog::default();
        for (object, now) in [("a", 0), ("b", 1), ("a", 60_000), ("a", 120_001)] {
            log.note(entry(object, now), 3);
        }
        let seen: Vec<_> = log.latest(9).iter().map(|entry| (entry.id, entry.count, entry.created)).collect();
        assert_eq!(seen, [(2, 1, 120_001), (0, 2, 0), (1, 1, 1)]);
        assert_eq!(log.denied(Reason::Key), 4);
        log.note(entry("c", 0), 0);
        assert!(log.latest(9).is_empty());
    }
}
