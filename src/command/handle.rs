//! The part of a client that other threads may touch: its mailbox, its kill flag, its waker and
//! the figures CLIENT LIST shows. The rest of a client belongs to its connection alone.

use super::{Protocol, acl::DEFAULT_USER};
use crate::{stats::Counter, util::clock::UnixMillis};
use bytes::Bytes;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering},
};
use std::task::Waker;

bitflags::bitflags! {
    /// What CLIENT LIST shows as letters.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct State: u32 {
        const MONITOR = 1 << 0;
        const SUBSCRIBER = 1 << 1;
        const MULTI = 1 << 2;
        /// Waits: for CLIENT PAUSE to end, or in a blocking command.
        const BLOCKED = 1 << 3;
        const CLOSING = 1 << 5;
        const UNIX_SOCKET = 1 << 6;
        const NO_EVICT = 1 << 7;
        const NO_TOUCH = 1 << 8;
        const IMPORT_SOURCE = 1 << 9;
        const TRACKING = 1 << 10;
        const TRACKING_BROKEN = 1 << 11;
        const TRACKING_BROADCAST = 1 << 12;
    }
}

/// Names a client gave itself; empty when it gave none.
pub struct Names {
    /// The user it has logged in as.
    pub user: Box<[u8]>,
    pub client: String,
    pub library: String,
    pub library_version: String,
}

impl Default for Names {
    fn default() -> Self {
        Names {
            user: DEFAULT_USER.into(),
            client: String::new(),
            library: String::new(),
            library_version: String::new(),
        }
    }
}

/// About what a watched key, a subscription or a prefix of tracking takes.
const NAME_BYTES: u64 = 64;

/// Messages of at least this length are kept once for all who are sent them.
const SHARED_MIN: usize = 16 * 1024;
/// A mailbox that is empty keeps no more room than this.
const ROOM_KEPT: usize = 16 * 1024;

/// Bytes are waiting in the mailbox.
const MAIL: u8 = 1 << 0;
/// The connection is to be closed without answering what it still has to say.
const KILLED: u8 = 1 << 1;
/// A blocked client shall look again whether it may go on.
const NUDGED: u8 = 1 << 2;
/// The connection holds a larger read buffer than it seems to need.
const TRIM: u8 = 1 << 3;
/// What it waited for is on the disk.
const KEPT: u8 = 1 << 4;

#[derive(Default)]
pub struct ClientHandle {
    pub id: u64,
    /// `address:port` of both ends.
    pub peer: String,
    pub local: String,
    pub created: UnixMillis,
    /// The socket's number, for CLIENT LIST.
    pub descriptor: AtomicI64,
    pub names: Mutex<Names>,
    state: AtomicU32,
    /// Whether a watched key has changed; shards write it, EXEC reads it.
    pub watch_dirty: Arc<AtomicBool>,
    /// 3 after `HELLO 3`, otherwise 2 (or 0 as at the start).
    protocol: AtomicU8,
    /// What it waits for in a blocking command; see [`super::blocking`].
    pub ticket: AtomicU64,
    pub db: AtomicU32,
    /// The client that tracking is redirected to; 0 for none.
    pub redirect: AtomicU64,
    /// Subscriptions to channels, to patterns and to shard channels.
    pub channels: AtomicU32,
    pub patterns: AtomicU32,
    pub shard_channels: AtomicU32,
    /// Commands queued by MULTI and the bytes of their arguments; watched keys.
    pub queued: AtomicU32,
    pub queued_bytes: AtomicU64,
    pub watched: AtomicU32,
    /// Prefixes that tracking follows.
    pub prefixes: AtomicU32,
    /// The place in the command table of the last command, plus one.
    pub last_command: AtomicU32,
    /// Commands it has run.
    pub commands: AtomicU64,
    /// Encoded bytes for this client, from other clients (pub/sub, MONITOR, tracking).
    mailbox: Mutex<Mailbox>,
    /// Read and written under the mailbox's lock.
    mail_is_held: AtomicBool,
    signals: AtomicU8,
    waker: Mutex<Option<Waker>>,
    /// Above this many undelivered bytes a sender gives the client up (0: no limit). The
    /// connection sets it from `client-output-buffer-limit` and the client's class.
    pub output_limit: AtomicU64,
    /// Set when a sender or the connection found the output limit passed.
    pub output_limit_passed: AtomicBool,
    /// Bytes waiting in the query buffer, and how many more it has room for.
    pub query_bytes: AtomicU64,
    pub query_free: AtomicU64,
    /// The most bytes that waited at once since the cron last looked.
    pub query_peak: AtomicU64,
    /// Bytes of replies not yet taken by the socket, and the capacity that holds them.
    pub output_bytes: AtomicU64,
    pub output_capacity: AtomicU64,
    /// Bytes of the arguments of a command not yet complete; with what stands before each they are no longer waiting,
    /// but still in the query buffer.
    pub parsed_bytes: AtomicU64,
    pub argument_bytes: AtomicU64,
    pub network_in: AtomicU64,
    pub network_out: AtomicU64,
    /// Reads that brought something; requests found in the input together, and how often some were.
    pub reads: Counter,
    pub pipelined: Counter,
    pub pipelines: Counter,
    /// When the client last sent something or was sent something, in milliseconds since the epoch.
    pub last_interaction: AtomicI64,
}

/// What a client has been sent by others.
#[derive(Default, Debug)]
struct Mailbox {
    bytes: Vec<u8>,
    /// The large ones, each with how many of the bytes come before it.
    messages: Vec<(usize, Bytes)>,
    /// What those come to.
    large: usize,
}

/// What comes next of a mailbox.
#[derive(Debug)]
pub enum Mail<'m> {
    Copied(&'m [u8]),
    /// A message that others may be sent, too.
    Shared(Bytes),
}

impl Mail<'_> {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Mail::Copied(bytes) => bytes,
            Mail::Shared(message) => message,
        }
    }
}

impl Mailbox {
    fn put(&mut self, message: &Bytes) {
        if message.len() >= SHARED_MIN {
            self.messages.push((self.bytes.len(), message.clone()));
            self.large += message.len();
        } else {
            self.bytes.extend_from_slice(message);
        }
    }

    fn len(&self) -> usize {
        self.bytes.len() + self.large
    }

    /// A message counts for each who is sent it: who reads last holds it alone.
    fn memory(&self) -> usize {
        self.bytes.capacity() + self.large
    }
}

impl ClientHandle {
    pub fn new(id: u64) -> Self {
        ClientHandle { id, ..ClientHandle::default() }
    }

    /// Bytes that are held for it. (The arguments of a command not yet complete lie in the query buffer.)
    pub fn memory(&self) -> u64 {
        let output = self.output_bytes.load(Ordering::Relaxed).max(self.output_capacity.load(Ordering::Relaxed));
        let input = self.query_bytes.load(Ordering::Relaxed) + self.query_free.load(Ordering::Relaxed);
        let names = [&self.watched, &self.channels, &self.patterns, &self.shard_channels, &self.prefixes];
        let names: u64 = names.iter().map(|count| u64::from(count.load(Ordering::Relaxed))).sum();
        let mail = self.mailbox.lock().memory() as u64;
        size_of::<Self>() as u64
            + input
            + output
            + mail
            + self.queued_bytes.load(Ordering::Relaxed)
            + names * NAME_BYTES
    }

    /// Whether the client is on this machine. The peer of a Unix socket is a path; one that is not
    /// known counts as far away.
    pub fn is_local(&self) -> bool {
        match self.peer.parse::<SocketAddr>() {
            Ok(peer) => peer.ip().to_canonical().is_loopback(),
            Err(_) => self.peer.contains('/'),
        }
    }

    /// Appends bytes already encoded for this client's protocol and wakes its connection. False
    /// when the client is gone or is given up because it does not read what it is sent.
    pub fn deliver(&self, message: &Bytes) -> bool {
        if self.is_killed() {
            return false;
        }
        let limit = self.output_limit.load(Ordering::Relaxed);
        let mut mailbox = self.mailbox.lock();
        let waiting = self.output_bytes.load(Ordering::Relaxed) + (mailbox.len() + message.len()) as u64;
        if limit > 0 && waiting > limit {
            *mailbox = Mailbox::default();
            drop(mailbox);
            self.output_limit_passed.store(true, Ordering::Relaxed);
            self.kill();
            return false;
        }
        mailbox.put(message);
        drop(mailbox);
        self.signal(MAIL);
        true
    }

    pub fn has_mail(&self) -> bool {
        self.signals.load(Ordering::Acquire) & MAIL != 0
    }

    /// Keeps what is delivered from being taken, or no longer does.
    pub fn hold_mail(&self, hold: bool) {
        let mailbox = self.mailbox.lock();
        self.mail_is_held.store(hold, Ordering::Relaxed);
        let waits = mailbox.len() > 0;
        drop(mailbox);
        if !hold && waits {
            self.signal(MAIL);
        }
    }

    /// Empties the mailbox, unless it is held.
    pub fn take_mail(&self, mut take: impl FnMut(Mail<'_>)) {
        self.signals.fetch_and(!MAIL, Ordering::AcqRel);
        let mut mailbox = self.mailbox.lock();
        if self.mail_is_held.load(Ordering::Relaxed) {
            return;
        }
        let mut at = 0;
        let Mailbox { bytes, messages, large } = &mut *mailbox;
        for (before, message) in messages.drain(..) {
            take(Mail::Copied(&bytes[at..before]));
            take(Mail::Shared(message));
            at = before;
        }
        take(Mail::Copied(&bytes[at..]));
        *large = 0;
        bytes.clear();
        if bytes.capacity() > ROOM_KEPT {
            *bytes = Vec::new();
        }
    }

    pub fn protocol(&self) -> Protocol {
        if self.protocol.load(Ordering::Relaxed) == 3 { Protocol::Resp3 } else { Protocol::Resp2 }
    }

    pub(super) fn set_protocol(&self, protocol: Protocol) {
        self.protocol.store(protocol as u8, Ordering::Relaxed);
    }

    pub fn state(&self) -> State {
        State::from_bits_truncate(self.state.load(Ordering::Relaxed))
    }

    pub fn set_state(&self, bits: State, on: bool) {
        if on {
            self.state.fetch_or(bits.bits(), Ordering::Relaxed);
        } else {
            self.state.fetch_and(!bits.bits(), Ordering::Relaxed);
        }
    }

    /// Closes the connection as soon as its thread gets to it.
    pub fn kill(&self) {
        self.signal(KILLED);
    }

    pub fn is_killed(&self) -> bool {
        self.signals.load(Ordering::Acquire) & KILLED != 0
    }

    /// Whether it will not be told anything any more.
    pub fn is_leaving(&self) -> bool {
        self.is_killed() || self.state().contains(State::CLOSING)
    }

    /// Lets a blocked client look again whether it may go on.
    pub fn nudge(&self) {
        self.signal(NUDGED);
    }

    /// Whether there was a nudge since the last call.
    pub fn take_nudge(&self) -> bool {
        self.take(NUDGED)
    }

    /// Has the connection give back what of its read buffer is not in use.
    pub fn trim(&self) {
        self.signal(TRIM);
    }

    pub fn take_trim(&self) -> bool {
        self.take(TRIM)
    }

    /// What its replies waited for has been written.
    pub fn note_kept(&self) {
        self.signal(KEPT);
    }

    pub fn take_kept(&self) -> bool {
        self.take(KEPT)
    }

    fn take(&self, bit: u8) -> bool {
        self.signals.load(Ordering::Acquire) & bit != 0 && self.signals.fetch_and(!bit, Ordering::AcqRel) & bit != 0
    }

    /// The connection leaves here how it is woken.
    pub fn attach(&self, waker: &Waker) {
        let mut slot = self.waker.lock();
        if !slot.as_ref().is_some_and(|old| old.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    fn signal(&self, bit: u8) {
        if self.signals.fetch_or(bit, Ordering::AcqRel) & bit == 0
            && let Some(waker) = self.waker.lock().as_ref()
        {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_is_kept_in_order_and_taken_once() {
        let handle = ClientHandle::new(1);
        assert!(handle.deliver(&Bytes::from_static(b"one ")));
        assert!(handle.deliver(&Bytes::from_static(b"two")));
        assert!(handle.has_mail());
        let mut out = b"> ".to_vec();
        handle.take_mail(|mail| out.extend_from_slice(mail.bytes()));
        assert_eq!(out, b"> one two");
        assert!(!handle.has_mail());
    }

    #[test]
    fn mail_that_is_held_is_taken_later() {
        let handle = ClientHandle::new(1);
        handle.hold_mail(true);
        handle.deliver(&Bytes::from_static(b"one "));
        let mut out = Vec::new();
        handle.take_mail(|mail| out.extend_from_slice(mail.bytes()));
        assert!(out.is_empty() && !handle.has_mail());
        handle.hold_mail(false);
        assert!(handle.has_mail());
        handle.take_mail(|mail| out.extend_from_slice(mail.bytes()));
        assert_eq!(out, b"one ");
    }

    #[test]
    fn large_messages_are_shared_and_come_in_order() {
        let handle = ClientHandle::new(1);
        let large = Bytes::from(vec![b'x'; SHARED_MIN]);
        for message in [&Bytes::from_static(b"one "), &large, &Bytes::from_static(b"two "), &large] {
            assert!(handle.deliver(message));
        }
        let (mut taken, mut shared) = (Vec::new(), 0);
        handle.take_mail(|mail| {
            shared += usize::from(mail.bytes().as_ptr() == large.as_ptr());
            taken.extend_from_slice(mail.bytes());
        });
        assert_eq!(shared, 2);
        assert_eq!(taken, [&b"one "[..], &large, b"two ", &large].concat());
        assert_eq!(handle.mailbox.lock().len(), 0);
    }

    #[test]
    fn a_client_that_does_not_read_is_given_up() {
        let handle = ClientHandle::new(1);
        handle.output_limit.store(10, Ordering::Relaxed);
        assert!(handle.deliver(&Bytes::from_static(b"12345678")));
        assert!(!handle.deliver(&Bytes::from_static(b"12345678")));
        assert!(handle.is_killed());
        assert!(handle.output_limit_passed.load(Ordering::Relaxed));
    }
}
