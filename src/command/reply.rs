//! What a handler may answer. `resp` turns these calls into bytes; handlers never see the wire.

/// The protocol a client has chosen with HELLO.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    Resp2 = 2,
    Resp3 = 3,
}

/// One writer for every reply. Aggregates are announced by length and followed by their elements.
/// In RESP2 the RESP3-only kinds fall back as Redis does: map -> flat array of 2n, set and push ->
/// array, null -> `$-1`, boolean -> integer 0/1, double -> bulk string, verbatim -> bulk string,
/// big number -> bulk string.
pub trait Reply {
    fn protocol(&self) -> Protocol;
    /// From here on the reply is in `protocol` (HELLO, RESET).
    fn set_protocol(&mut self, protocol: Protocol);
    fn simple(&mut self, text: &str);
    /// `text` begins with its code (`ERR`, `WRONGTYPE`, ...), without the leading `-`.
    /// CR and LF inside are replaced by spaces, as Redis does.
    fn error(&mut self, text: &[u8]);
    fn integer(&mut self, n: i64);
    fn bulk(&mut self, bytes: &[u8]);
    /// A string value, of the bytes that the keyspace lends: a large one may be sent from where it lies.
    fn value(&mut self, bytes: &[u8]) {
        self.bulk(bytes);
    }
    fn null(&mut self);
    /// RESP2 `*-1`, RESP3 `_`.
    fn null_array(&mut self);
    fn array(&mut self, len: usize);
    fn map(&mut self, pairs: usize);
    fn set(&mut self, len: usize);
    fn push(&mut self, len: usize);
    /// Facts about the reply that follows, as `pairs` of elements. RESP2 has no such thing: a
    /// handler writes one only when the protocol is RESP3.
    fn attribute(&mut self, pairs: usize);
    fn double(&mut self, value: f64);
    fn boolean(&mut self, value: bool);
    fn big_number(&mut self, digits: &str);
    /// `format` is three letters: `txt` or `mkd`.
    fn verbatim(&mut self, format: &str, text: &[u8]);
    /// Bytes already encoded for this client's protocol (MULTI and MONITOR replay, tests).
    fn raw(&mut self, bytes: &[u8]);
    /// Bytes encoded and not yet sent: what a command adds is the size of its reply.
    fn written(&self) -> u64;
    /// With more written than this, its client is closed: the rest need not be said. None: it grows as it likes.
    fn limit(&self) -> Option<u64> {
        None
    }
    /// Takes back what was encoded since [`Self::written`] answered this.
    fn rewind(&mut self, to: u64);

    fn ok(&mut self) {
        self.simple("OK");
    }
    /// A number that may be greater than an integer can: that is a big number.
    fn unsigned(&mut self, n: u64) {
        match i64::try_from(n) {
            Ok(n) => self.integer(n),
            Err(_) => self.big_number(itoa::Buffer::new().format(n)),
        }
    }
    /// An integer's decimal text as a bulk string.
    fn bulk_integer(&mut self, n: i64) {
        self.bulk(itoa::Buffer::new().format(n).as_bytes());
    }
}

/// A reply collected in memory: messages for other clients are built with it.
pub trait ReplyBuffer: Reply {
    /// The bytes encoded so far; the buffer is empty afterwards.
    fn take(&mut self) -> Vec<u8>;
}

/// Makes an encoder for a protocol; `Shared` holds one, because only `resp` knows the wire.
pub type EncoderFactory = fn(Protocol) -> Box<dyn ReplyBuffer>;
