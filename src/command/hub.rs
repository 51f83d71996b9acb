//! Who has subscribed to what, and how a message reaches them.
//!
//! Channels are spread over parts with a lock each, held while a message is handed to every
//! subscriber: so all subscribers of a channel see its messages in the same order. Patterns are few
//! and read by every PUBLISH, so they stand under one lock for reading.

use super::{ClientHandle, Protocol, ReplyBuffer, reply::EncoderFactory};
use crate::util::glob;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, HashMap};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

const PARTS: usize = 64;
/// What a subscription takes beside the name: its places in the client's set and in the hub's tables.
const SUBSCRIPTION_BYTES: usize = 160;

/// A channel's name or a pattern, shared by the hub and its subscribers.
pub type Name = Arc<[u8]>;
type Subscribers = BTreeMap<u64, Arc<ClientHandle>>;

pub struct Hub {
    pub channels: Channels,
    /// Channels of SSUBSCRIBE: a name space of their own, without patterns.
    pub shard_channels: Channels,
    patterns: RwLock<HashMap<Name, Subscribers>>,
    /// So that a PUBLISH without any pattern touches no lock but its channel's.
    pattern_count: AtomicUsize,
    pattern_bytes: AtomicUsize,
    encoder: EncoderFactory,
}

impl Hub {
    pub fn new(encoder: EncoderFactory) -> Self {
        Hub {
            channels: Channels::default(),
            shard_channels: Channels::default(),
            patterns: RwLock::default(),
            pattern_count: AtomicUsize::new(0),
            pattern_bytes: AtomicUsize::new(0),
            encoder,
        }
    }

    /// PUBLISH: answers how many received it.
    pub fn publish(&self, channel: &[u8], message: &[u8]) -> usize {
        let words = [b"message", channel, message];
        let receivers = self.channels.send(channel, &mut Encoded::new(self.encoder, &words));
        if self.pattern_count.load(Ordering::Relaxed) == 0 {
            return receivers;
        }
        let patterns = self.patterns.read();
        let matching = patterns.iter().filter(|(pattern, _)| glob::matches(pattern, channel, false));
        receivers
            + matching
                .map(|(pattern, subscribers)| {
                    let words = [b"pmessage", &**pattern, channel, message];
                    send(subscribers, &mut Encoded::new(self.encoder, &words))
                })
                .sum::<usize>()
    }

    /// SPUBLISH: answers how many received it.
    pub fn publish_to_shard(&self, channel: &[u8], message: &[u8]) -> usize {
        let words = [b"smessage", channel, message];
        self.shard_channels.send(channel, &mut Encoded::new(self.encoder, &words))
    }

    pub fn subscribe_pattern(&self, pattern: &Name, client: &Arc<ClientHandle>) {
        let mut patterns = self.patterns.write();
        patterns.entry(Arc::clone(pattern)).or_default().insert(client.id, Arc::clone(client));
        self.pattern_count.store(patterns.len(), Ordering::Relaxed);
        self.pattern_bytes.fetch_add(bytes_of(pattern), Ordering::Relaxed);
    }

    pub fn unsubscribe_pattern(&self, pattern: &[u8], client: u64) {
        let mut patterns = self.patterns.write();
        if let Some(subscribers) = patterns.get_mut(pattern) {
            if subscribers.remove(&client).is_some() {
                self.pattern_bytes.fetch_sub(bytes_of(pattern), Ordering::Relaxed);
            }
            if subscribers.is_empty() {
                patterns.remove(pattern);
            }
        }
        self.pattern_count.store(patterns.len(), Ordering::Relaxed);
    }

    /// The clients for one of whose channels or patterns this holds.
    pub fn subscribers_that(&self, holds: &dyn Fn(&ClientHandle, &[u8], bool) -> bool) -> Vec<Arc<ClientHandle>> {
        let mut found = BTreeMap::new();
        let mut look = |name: &[u8], subscribers: &Subscribers, is_pattern: bool| {
            let held = subscribers.values().filter(|client| holds(client, name, is_pattern));
            found.extend(held.map(|client| (client.id, Arc::clone(client))));
        };
        for part in self.channels.parts.iter().chain(&self.shard_channels.parts) {
            part.lock().iter().for_each(|(name, subscribers)| look(name, subscribers, false));
        }
        self.patterns.read().iter().for_each(|(name, subscribers)| look(name, subscribers, true));
        found.into_values().collect()
    }

    /// What all subscriptions take, about.
    pub fn bytes(&self) -> usize {
        let counts = [&self.channels.bytes, &self.shard_channels.bytes, &self.pattern_bytes];
        counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Different patterns that someone has subscribed to.
    pub fn patterns(&self) -> usize {
        self.pattern_count.load(Ordering::Relaxed)
    }
}

/// The channels of one name space.
pub struct Channels {
    parts: [Mutex<HashMap<Name, Subscribers, ahash::RandomState>>; PARTS],
    hash: ahash::RandomState,
    bytes: AtomicUsize,
}

/// What a subscription to `name` takes.
pub fn bytes_of(name: &[u8]) -> usize {
    name.len() + SUBSCRIPTION_BYTES
}

impl Default for Channels {
    fn default() -> Self {
        let parts = std::array::from_fn(|_| Mutex::default());
        Channels { parts, hash: ahash::RandomState::new(), bytes: AtomicUsize::new(0) }
    }
}

impl Channels {
    pub fn subscribe(&self, channel: &Name, client: &Arc<ClientHandle>) {
        let mut part = self.part(channel).lock();
        part.entry(Arc::clone(channel)).or_default().insert(client.id, Arc::clone(client));
        self.bytes.fetch_add(bytes_of(channel), Ordering::Relaxed);
    }

    pub fn unsubscribe(&self, channel: &[u8], client: u64) {
        let mut part = self.part(channel).lock();
        if let Some(subscribers) = part.get_mut(channel) {
            if subscribers.remove(&client).is_some() {
                self.bytes.fetch_sub(bytes_of(channel), Ordering::Relaxed);
            }
            if subscribers.is_empty() {
                part.remove(channel);
            }
        }
    }

    /// The number of clients subscribed to a channel.
    pub fn subscribers(&self, channel: &[u8]) -> usize {
        self.part(channel).lock().get(channel).map_or(0, Subscribers::len)
    }

    /// The channels with a subscriber, those that match if a pattern is given.
    pub fn names(&self, pattern: Option<&[u8]>) -> Vec<Name> {
        let wanted = |name: &&Name| pattern.is_none_or(|pattern| glob::matches(pattern, name, false));
        self.parts.iter().flat_map(|part| part.lock().keys().filter(wanted).cloned().collect::<Vec<_>>()).collect()
    }

    /// The number of channels with a subscriber.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.lock().len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn send(&self, channel: &[u8], message: &mut Encoded<'_>) -> usize {
        self.part(channel).lock().get(channel).map_or(0, |subscribers| send(subscribers, message))
    }

    fn part(&self, channel: &[u8]) -> &Mutex<HashMap<Name, Subscribers, ahash::RandomState>> {
        &self.parts[self.hash.hash_one(channel) as usize % PARTS]
    }
}

fn send(subscribers: &Subscribers, message: &mut Encoded<'_>) -> usize {
    subscribers.values().filter(|client| client.deliver(message.bytes(client.protocol()))).count()
}

/// A message of several words, encoded at most once for each protocol.
struct Encoded<'m> {
    encoder: EncoderFactory,
    words: &'m [&'m [u8]],
    resp2: Option<Bytes>,
    resp3: Option<Bytes>,
}

impl<'m> Encoded<'m> {
    fn new(encoder: EncoderFactory, words: &'m [&'m [u8]]) -> Self {
        Encoded { encoder, words, resp2: None, resp3: None }
    }

    fn bytes(&mut self, protocol: Protocol) -> &Bytes {
        let place = match protocol {
            Protocol::Resp2 => &mut self.resp2,
            Protocol::Resp3 => &mut self.resp3,
        };
        place.get_or_insert_with(|| {
            let mut buffer: Box<dyn ReplyBuffer> = (self.encoder)(protocol);
            buffer.push(self.words.len());
            self.words.iter().for_each(|word| buffer.bulk(word));
            buffer.take().into()
        })
    }
}
