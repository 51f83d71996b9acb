//! CLIENT TRACKING: who is told that a key he may hold a copy of has changed.
//!
//! A read is remembered, and a change told, under the lock of the key's shard: so no change falls between them. What is
//! remembered is a key's name, in whatever database, as with Redis.

use super::{Args, ClientHandle, Command, Context, Protocol, ReplyBuffer, Shared, handle::State, keys, spec::Flags};
use crate::keyspace::{Changes, Effects};
use indexmap::IndexMap;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// Where clients of RESP2 listen.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// What a client has asked for with CLIENT TRACKING ON.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Options {
    pub broadcast: bool,
    pub opt_in: bool,
    pub opt_out: bool,
    pub no_loop: bool,
    /// The client that is told in its place.
    pub redirect: Option<u64>,
    pub prefixes: BTreeSet<Box<[u8]>>,
}

/// What the last CLIENT CACHING is good for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Caching {
    #[default]
    Unsaid,
    /// It has just been said.
    Said,
    /// This is the command that it was said for.
    Now,
}

struct Tracker {
    handle: Arc<ClientHandle>,
    options: Options,
    /// The client it redirects to has gone.
    broken: bool,
}

#[derive(Default)]
pub struct Tracking {
    /// Clients that track: looked at by every command.
    count: AtomicUsize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    trackers: HashMap<u64, Tracker>,
    /// Who may hold a copy of a key.
    keys: IndexMap<Box<[u8]>, BTreeSet<u64>, ahash::RandomState>,
    /// The place among `keys` of the next to be given up. The last takes the place of one that goes, so while the table is
    /// full this is the oldest.
    hand: usize,
    /// Who has asked for all keys that begin so.
    prefixes: BTreeMap<Box<[u8]>, BTreeSet<u64>>,
}

/// Figures for INFO.
pub struct Figures {
    pub clients: usize,
    pub keys: usize,
    pub items: usize,
    pub prefixes: usize,
}

impl Tracking {
    #[inline]
    pub fn any(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// CLIENT TRACKING ON: prefixes add up.
    pub fn enable(&self, handle: &Arc<ClientHandle>, options: &Options, effects: &Effects) {
        let mut table = self.table.lock();
        for prefix in &options.prefixes {
            table.prefixes.entry(prefix.clone()).or_default().insert(handle.id);
        }
        let tracker = Tracker { handle: Arc::clone(handle), options: options.clone(), broken: false };
        table.trackers.insert(handle.id, tracker);
        self.count.store(table.trackers.len(), Relaxed);
        effects.track(true);
        handle.set_state(State::TRACKING_BROKEN, false);
    }

    /// What it has read stays in the table until it changes: nobody is told then.
    pub fn disable(&self, id: u64, effects: &Effects) {
        let mut table = self.table.lock();
        if let Some(tracker) = table.trackers.remove(&id) {
            for prefix in &tracker.options.prefixes {
                if let Some(clients) = table.prefixes.get_mut(prefix) {
                    clients.remove(&id);
                    if clients.is_empty() {
                        table.prefixes.remove(prefix);
                    }
                }
            }
        }
        if table.trackers.is_empty() {
            *table = Table::default();
        }
        self.count.store(table.trackers.len(), Relaxed);
        effects.track(!table.trackers.is_empty());
    }

    pub fn is_broken(&self, id: u64) -> bool {
        self.table.lock().trackers.get(&id).is_some_and(|tracker| tracker.broken)
    }

    pub fn figures(&self) -> Figures {
        let table = self.table.lock();
        Figures {
            clients: table.trackers.len(),
            keys: table.keys.len(),
            items: table.keys.values().map(BTreeSet::len).sum(),
            prefixes: table.prefixes.len(),
        }
    }

    /// A client has read keys.
    fn remember<'a>(&self, shared: &Shared, id: u64, keys: impl Iterator<Item = &'a [u8]>, max: u64) {
        let mut table = self.table.lock();
        for key in keys {
            match table.keys.get_mut(key) {
                Some(clients) => drop(clients.insert(id)),
                None => drop(table.keys.insert(key.into(), BTreeSet::from([id]))),
            }
        }
        table.limit(shared, max);
    }

    /// Keeps the table within `tracking-table-max-keys`, which may have changed.
    pub fn limit(&self, shared: &Shared, max: u64) {
        if self.any() {
            self.table.lock().limit(shared, max);
        }
    }

    /// Keys have changed, by the hand of a client or by none: those are told who hold copies. Answers whether there are
    /// some who are told of all keys, once the changes are whole.
    fn tell(&self, shared: &Shared, changes: &Changes, by: Option<u64>) -> bool {
        let mut table = self.table.lock();
        if changes.flushed {
            table.flushed(shared);
        }
        for key in &changes.keys {
            table.invalidate(shared, key, by);
        }
        !table.prefixes.is_empty()
    }
}

/// Changed keys, for those who are told of all, in the order of the changes: each with the client whose command it was.
#[derive(Default)]
pub struct Changed(Vec<(Box<[u8]>, Option<u64>)>);

impl Changed {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn append(&mut self, later: &mut Changed) {
        self.0.append(&mut later.0);
    }

    fn add(&mut self, keys: Vec<Box<[u8]>>, by: Option<u64>) {
        self.0.extend(keys.into_iter().map(|key| (key, by)));
    }
}

impl Table {
    /// Gives keys up beyond `max`, as if they had changed.
    fn limit(&mut self, shared: &Shared, max: u64) {
        while max > 0 && self.keys.len() as u64 > max {
            let place = self.hand % max as usize;
            self.hand = place + 1;
            if let Some((key, clients)) = self.keys.swap_remove_index(place) {
                self.tell(shared, &key, clients, None);
            }
        }
    }

    fn invalidate(&mut self, shared: &Shared, key: &[u8], by: Option<u64>) {
        if let Some(clients) = self.keys.swap_remove(key) {
            self.tell(shared, key, clients, by);
        }
    }

    fn tell(&mut self, shared: &Shared, key: &[u8], clients: BTreeSet<u64>, by: Option<u64>) {
        for id in clients {
            if let Some(tracker) = self.trackers.get_mut(&id)
                && !tracker.options.broadcast
                && !(tracker.options.no_loop && by == Some(id))
            {
                tracker.send(shared, Some(&[key]));
            }
        }
    }

    /// Each prefix's clients get one message with all its keys. Who changed a key last counts as who did it.
    fn broadcast(&mut self, shared: &Shared, changed: &Changed) {
        for (prefix, clients) in &self.prefixes {
            let keys: BTreeMap<&[u8], Option<u64>> =
                changed.0.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(key, by)| (&**key, *by)).collect();
            for id in clients {
                let Some(tracker) = self.trackers.get_mut(id) else { continue };
                let no_loop = tracker.options.no_loop;
                let told = keys.iter().filter(|(_, by)| !(no_loop && **by == Some(*id)));
                let told: Vec<&[u8]> = told.map(|(key, _)| *key).collect();
                if !told.is_empty() {
                    tracker.send(shared, Some(&told));
                }
            }
        }
    }

    /// Every key may have gone.
    fn flushed(&mut self, shared: &Shared) {
        self.keys.clear();
        self.trackers.values_mut().for_each(|tracker| tracker.send(shared, None));
    }
}

impl Tracker {
    /// Tells of keys, or of all.
    fn send(&mut self, shared: &Shared, keys: Option<&[&[u8]]>) {
        let redirected = match self.options.redirect {
            None => None,
            Some(id) => match shared.clients.get(id).filter(|client| !client.is_leaving()) {
                Some(client) => Some(client),
                None => return self.tell_broken(shared, id),
            },
        };
        let target = redirected.as_ref().unwrap_or(&self.handle);
        let mut message: Box<dyn ReplyBuffer> = (shared.encoder)(target.protocol());
        if target.protocol() == Protocol::Resp3 {
            message.push(2);
            message.bulk(b"invalidate");
        } else if redirected.is_some() && target.state().contains(State::SUBSCRIBER) {
            message.array(3);
            message.bulk(b"message");
            message.bulk(CHANNEL);
        } else {
            // There is no way to tell it.
            return;
        }
        match keys {
            None => message.null(),
            Some(keys) => {
                message.array(keys.len());
                keys.iter().for_each(|key| message.bulk(key));
            }
        }
        target.deliver(&message.take().into());
    }

    fn tell_broken(&mut self, shared: &Shared, redirect: u64) {
        self.broken = true;
        self.handle.set_state(State::TRACKING_BROKEN, true);
        if self.handle.protocol() == Protocol::Resp3 {
            let mut message: Box<dyn ReplyBuffer> = (shared.encoder)(Protocol::Resp3);
            message.push(2);
            message.bulk(b"tracking-redir-broken");
            message.integer(redirect as i64);
            self.handle.deliver(&message.take().into());
        }
    }
}

impl Shared {
    /// Tells of what has happened to keys by nobody's command: they have expired or been evicted.
    pub fn publish_changes(&self) {
        if self.tracking.any() {
            self.keyspace.take_changes(&mut |changes| self.tell_changes(changes));
        }
    }

    fn tell_changes(&self, changes: Changes) {
        if !changes.is_empty() && self.tracking.tell(self, &changes, None) {
            let mut changed = Changed::default();
            changed.add(changes.keys, None);
            self.broadcast(changed);
        }
    }

    /// Tells those who want to hear of all keys, once the changes are whole.
    #[cold]
    pub(super) fn broadcast(&self, changed: Changed) {
        if !changed.is_empty() {
            self.tracking.table.lock().broadcast(self, &changed);
        }
    }
}

impl Context<'_> {
    /// What happened to the locked shards' keys before this command is not its doing.
    #[cold]
    pub(super) fn tell_earlier_changes(&mut self) {
        let changes = self.keys.take_changes();
        self.shared.tell_changes(changes);
    }

    /// Tells of what the command has changed so far. Those who want to hear of all keys hear at the end: of a transaction's or
    /// script's, and of what those have taken who waited for it, too.
    pub(super) fn tell_changes(&mut self) {
        if !self.shared.tracking.any() {
            return;
        }
        let Context { shared, client, keys, .. } = self;
        let id = Some(client.handle.id);
        let changes = keys.take_changes();
        if !changes.is_empty() && shared.tracking.tell(shared, &changes, id) {
            client.changed.add(changes.keys, id);
        }
    }

    /// Tells of what the command has changed, then remembers what it has read: that is how things are afterwards.
    #[cold]
    pub(super) fn track(&mut self, command: &'static Command, args: &Args<'_>) {
        self.tell_changes();
        let flags = command.spec.flags;
        // A command that waits has not read yet; what a script reads, its commands tell.
        if let Some(options) = &self.client.tracking
            && !options.broadcast
            && flags.contains(Flags::READONLY)
            && !flags.contains(Flags::SCRIPT)
            && self.client.block.is_none()
        {
            let said = self.client.caching != Caching::Unsaid;
            if (!options.opt_in || said) && !(options.opt_out && said) {
                let max = self.client.settings.tracking_table_max_keys;
                let id = self.client.handle.id;
                self.shared.tracking.remember(self.shared, id, keys::keys(command.spec, args), max);
            }
        }
        if !self.client.in_exec {
            self.client.caching = match self.client.caching {
                Caching::Said => Caching::Now,
                Caching::Now if self.client.transaction.is_some() => Caching::Now,
                _ => Caching::Unsaid,
            };
        }
    }
}
