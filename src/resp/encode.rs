//! Replies as bytes, in RESP2 or RESP3.

use super::pins::{Piece, Pins};
use crate::{
    arena::Arena,
    command::{ClientHandle, Mail, Protocol, Reply, ReplyBuffer},
    util::double,
};
use std::sync::Arc;

/// Values of at least this length are sent from where they lie: for less, a copy costs no more than a pin.
const PINNED_MIN: usize = 64 * 1024;

/// Collects encoded replies. A connection owns one and sends what is in `out`.
pub struct Encoder {
    pub out: Vec<u8>,
    /// Values that come between those bytes.
    pub pins: Pins,
    arena: Option<Arc<Arena>>,
    pub protocol: Protocol,
    /// Once it is longer, nothing more is written: the client has left so much unread that it
    /// will be closed, and the rest of a huge reply would only take memory.
    pub limit: usize,
    /// Whether something was left out for that reason.
    pub truncated: bool,
}

impl Encoder {
    pub fn new(protocol: Protocol) -> Self {
        Encoder { out: Vec::new(), pins: Pins::default(), arena: None, protocol, limit: usize::MAX, truncated: false }
    }

    /// One whose owner sends large values from the arena.
    pub fn with_pins(protocol: Protocol, arena: &Arc<Arena>) -> Self {
        Encoder { arena: Some(Arc::clone(arena)), ..Encoder::new(protocol) }
    }

    /// Boxed, as `Shared::encoder` wants it.
    pub fn boxed(protocol: Protocol) -> Box<dyn ReplyBuffer> {
        Box::new(Encoder::new(protocol))
    }

    fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// `kind` and a number: `:5`, `$5`, `*5`.
    fn header(&mut self, kind: u8, n: i64) {
        // Numbers of one and two digits are by far the commonest, and worth their own paths.
        match n {
            0..10 => self.out.extend_from_slice(&[kind, b'0' + n as u8, b'\r', b'\n']),
            10..100 => self.out.extend_from_slice(&[kind, b'0' + (n / 10) as u8, b'0' + (n % 10) as u8, b'\r', b'\n']),
            _ => {
                self.out.push(kind);
                self.out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    fn length(&mut self, kind: u8, len: usize) {
        self.header(kind, i64::try_from(len).unwrap_or(i64::MAX));
    }

    /// A value that is large enough to be sent from where it lies, if it lies in the arena.
    #[cold]
    fn large(&mut self, bytes: &[u8]) {
        if self.out.len() + self.pins.bytes() > self.limit {
            self.truncated = true;
            return;
        }
        let Some(pin) = self.arena.as_ref().and_then(|arena| arena.pin(bytes)) else { return self.bulk(bytes) };
        self.length(b'$', bytes.len());
        self.pins.push(self.out.len(), Piece::Pinned(pin));
        self.out.extend_from_slice(b"\r\n");
    }

    /// What another client has sent, behind the replies so far.
    pub fn mail(&mut self, handle: &ClientHandle) {
        handle.take_mail(|mail| match mail {
            Mail::Copied(bytes) => self.out.extend_from_slice(bytes),
            Mail::Shared(message) => self.pins.push(self.out.len(), Piece::Shared(message)),
        });
    }

    /// A line that must not hold line ends of its own.
    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.push(kind);
        let start = self.out.len();
        self.out.extend_from_slice(text);
        for byte in &mut self.out[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.out.extend_from_slice(b"\r\n");
    }
}

impl Reply for Encoder {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    fn error(&mut self, text: &[u8]) {
        self.line(b'-', text);
    }

    fn integer(&mut self, n: i64) {
        self.header(b':', n);
    }

    fn bulk(&mut self, bytes: &[u8]) {
        if self.out.len() + self.pins.bytes() > self.limit {
            self.truncated = true;
            return;
        }
        self.out.reserve(bytes.len() + 16);
        self.length(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn value(&mut self, bytes: &[u8]) {
        match bytes.len() < PINNED_MIN {
            true => self.bulk(bytes),
            false => self.large(bytes),
        }
    }

    fn null(&mut self) {
        self.out.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    fn null_array(&mut self) {
        self.out.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    fn array(&mut self, len: usize) {
        self.length(b'*', len);
    }

    fn map(&mut self, pairs: usize) {
        if self.is_resp3() {
            self.length(b'%', pairs);
        } else {
            self.length(b'*', pairs.saturating_mul(2));
        }
    }

    fn set(&mut self, len: usize) {
        self.length(if self.is_resp3() { b'~' } else { b'*' }, len);
    }

    fn push(&mut self, len: usize) {
        self.length(if self.is_resp3() { b'>' } else { b'*' }, len);
    }

    fn attribute(&mut self, pairs: usize) {
        debug_assert!(self.is_resp3());
        self.length(b'|', pairs);
    }

    fn double(&mut self, value: f64) {
        let text = double::text(value);
        if self.is_resp3() {
            self.line(b',', text.as_bytes());
        } else {
            self.bulk(text.as_bytes());
        }
    }

    fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.is_resp3(), value) {
            (true, true) => b"#t\r\n",
            (true, false) => b"#f\r\n",
            (false, true) => b":1\r\n",
            (false, false) => b":0\r\n",
        });
    }

    fn big_number(&mut self, digits: &str) {
        if self.is_resp3() {
            self.line(b'(', digits.as_bytes());
        } else {
            self.bulk(digits.as_bytes());
        }
    }

    fn verbatim(&mut self, format: &str, text: &[u8]) {
        if self.is_resp3() {
            self.length(b'=', text.len() + 4);
            self.out.extend_from_slice(format.as_bytes());
            self.out.push(b':');
            self.out.extend_from_slice(text);
            self.out.extend_from_slice(b"\r\n");
        } else {
            self.bulk(text);
        }
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn written(&self) -> u64 {
        (self.out.len() + self.pins.bytes()) as u64
    }

    fn limit(&self) -> Option<u64> {
        (self.limit < usize::MAX).then_some(self.limit as u64)
    }

    fn rewind(&mut self, to: u64) {
        self.pins.rewind(to as usize);
        self.out.truncate(to as usize - self.pins.bytes());
    }
}

impl ReplyBuffer for Encoder {
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl Fn(&mut dyn Reply), resp2: &str, resp3: &str) {
        for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
            let mut encoder = Encoder::new(protocol);
            write(&mut encoder);
            assert_eq!(String::from_utf8_lossy(&encoder.take()).replace("\r\n", "|"), expected);
        }
    }

    #[test]
    fn plain_kinds_are_the_same_in_both_protocols() {
        let same = |write: &dyn Fn(&mut dyn Reply), expected: &str| check(write, expected, expected);
        same(&|r| r.ok(), "+OK|");
        same(&|r| r.error(b"ERR a\r\nb"), "-ERR a  b|");
        same(&|r| r.integer(9), ":9|");
        same(&|r| r.integer(-10), ":-10|");
        same(&|r| r.bulk(b"a\r\nb"), "$4|a|b|");
        same(&|r| r.bulk_integer(1234567890), "$10|1234567890|");
        same(&|r| r.array(12), "*12|");
    }

    #[test]
    fn resp3_kinds_fall_back() {
        check(|r| r.null(), "$-1|", "_|");
        check(|r| r.null_array(), "*-1|", "_|");
        check(|r| r.map(2), "*4|", "%2|");
        check(|r| r.set(2), "*2|", "~2|");
        check(|r| r.push(3), "*3|", ">3|");
        check(|r| r.boolean(true), ":1|", "#t|");
        check(|r| r.double(1.5), "$3|1.5|", ",1.5|");
        check(|r| r.big_number("123"), "$3|123|", "(123|");
        check(|r| r.verbatim("txt", b"hi"), "$2|hi|", "=6|txt:hi|");
    }
}
