//! What a client is to be sent, and how much of it may stay unread: `client-output-buffer-limit`.

use super::{buffers, socket::Socket};
use crate::{
    arena::Arena,
    command::{ClientHandle, Protocol},
    config::OutputLimit,
    resp::Encoder,
    util::clock::UnixMillis,
};
use std::{
    io,
    sync::Arc,
    task::{Context, Poll},
};

/// Output up to this size is never held against the client: it would fit Redis's fixed buffer.
const FREE_BYTES: u64 = 16 * 1024;

/// What is written before the thread's other connections have their turn.
const WRITTEN_AT_ONCE: usize = 1 << 20;

/// The client has left more unread than it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LimitPassed;

pub struct Output {
    pub encoder: Encoder,
    /// How much of the encoder's bytes the socket has taken.
    sent: usize,
    watch: Watch,
    /// When the soft limit will have been passed for too long.
    pub deadline: Option<UnixMillis>,
}

impl Output {
    pub fn new(protocol: Protocol, arena: &Arc<Arena>) -> Self {
        Output { encoder: Encoder::with_pins(protocol, arena), sent: 0, watch: Watch::default(), deadline: None }
    }

    /// Bytes the client has not taken.
    pub fn pending(&self) -> usize {
        self.encoder.out.len() - self.sent + self.encoder.pins.pending()
    }

    /// So little that it may wait for the replies to the next commands of a pipeline: a client that
    /// will be closed for the rest of them need not see their beginning.
    pub fn is_light(&self) -> bool {
        self.pending() as u64 <= FREE_BYTES
    }

    pub fn capacity(&self) -> usize {
        self.encoder.out.capacity() + self.encoder.pins.bytes()
    }

    /// Something is about to be written: there is a buffer for it.
    #[inline]
    pub fn wake(&mut self) {
        if self.encoder.out.capacity() == 0 {
            self.encoder.out = buffers::take_output();
        }
    }

    /// The turn is over: a buffer that holds nothing goes back to the thread.
    pub fn rest(&mut self) {
        if self.encoder.out.is_empty() {
            buffers::give_output(std::mem::take(&mut self.encoder.out));
        }
    }

    /// Takes what other clients have sent this one.
    pub fn take_mail(&mut self, handle: &ClientHandle) {
        if handle.has_mail() {
            self.encoder.mail(handle);
        }
    }

    /// Writes what the socket takes, within bounds; answers how much that was. All is written when nothing is
    /// pending afterwards; otherwise the connection is called when there is more to do.
    pub fn flush(&mut self, cx: &mut Context<'_>, socket: &mut Socket) -> io::Result<usize> {
        let before = self.pending();
        while self.pending() > 0 {
            if before - self.pending() >= WRITTEN_AT_ONCE {
                cx.waker().wake_by_ref();
                break;
            }
            let Encoder { out, pins, .. } = &mut self.encoder;
            let result = match pins.is_empty() {
                true => socket.poll_write(cx, &out[self.sent..]),
                false => socket.poll_write_vectored(cx, &pins.pieces(out, self.sent)),
            };
            match result {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.sent = pins.advance(self.sent, count),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        socket.flush(cx)?;
        let written = before - self.pending();
        if self.pending() == 0 {
            self.encoder.out.clear();
            self.sent = 0;
        } else if self.sent > self.encoder.out.len() / 2 {
            // What was sent need not be kept; moving the lesser half keeps this linear.
            self.encoder.out.drain(..self.sent);
            self.encoder.pins.shift(self.sent);
            self.sent = 0;
        }
        Ok(written)
    }

    /// Holds what is pending to the limit of the client's class.
    pub fn judge(&mut self, limit: OutputLimit, now: UnixMillis) -> Result<(), LimitPassed> {
        if self.encoder.truncated {
            return Err(LimitPassed);
        }
        // A reply stops growing once the client is sure to be closed for it.
        let sent = self.sent + self.encoder.pins.bytes() - self.encoder.pins.pending();
        self.encoder.limit = hard_limit(limit).saturating_add(sent);
        self.deadline = match self.watch.judge(self.pending(), limit, now) {
            Verdict::Fine => None,
            Verdict::Until(until) => Some(until),
            Verdict::Close => return Err(LimitPassed),
        };
        Ok(())
    }
}

/// Watches how long the soft limit has been passed.
#[derive(Default, Debug)]
struct Watch {
    /// Since when the soft limit has been passed without a break.
    soft_since: Option<UnixMillis>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Fine,
    /// Look again at this time.
    Until(UnixMillis),
    Close,
}

impl Watch {
    /// Judges `pending` unread bytes.
    fn judge(&mut self, pending: usize, limit: OutputLimit, now: UnixMillis) -> Verdict {
        let counted = if pending as u64 <= FREE_BYTES { 0 } else { pending as u64 };
        if limit.hard_bytes > 0 && counted > limit.hard_bytes {
            return Verdict::Close;
        }
        if limit.soft_bytes == 0 || counted <= limit.soft_bytes {
            self.soft_since = None;
            return Verdict::Fine;
        }
        let since = *self.soft_since.get_or_insert(now);
        let until = since.saturating_add(i64::try_from(limit.soft_seconds).unwrap_or(i64::MAX).saturating_mul(1000));
        if now > until { Verdict::Close } else { Verdict::Until(until + 1) }
    }
}

/// The hard limit as a number of bytes of buffer; `usize::MAX` when there is none.
pub fn hard_limit(limit: OutputLimit) -> usize {
    match limit.hard_bytes {
        0 => usize::MAX,
        bytes => usize::try_from(bytes.max(FREE_BYTES)).unwrap_or(usize::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: OutputLimit = OutputLimit { hard_bytes: 100_000, soft_bytes: 50_000, soft_seconds: 10 };

    #[test]
    fn hard_limit_closes_at_once() {
        let mut watch = Watch::default();
        assert_eq!(watch.judge(40_000, LIMIT, 0), Verdict::Fine);
        assert_eq!(watch.judge(120_000, LIMIT, 0), Verdict::Close);
        assert_eq!(watch.judge(1 << 40, OutputLimit::default(), 0), Verdict::Fine);
    }

    #[test]
    fn soft_limit_closes_after_its_time_without_a_break() {
        let mut watch = Watch::default();
        assert_eq!(watch.judge(70_000, LIMIT, 1_000), Verdict::Until(11_001));
        assert_eq!(watch.judge(70_000, LIMIT, 11_000), Verdict::Until(11_001));
        assert_eq!(watch.judge(10_000, LIMIT, 11_500), Verdict::Fine);
        assert_eq!(watch.judge(70_000, LIMIT, 12_000), Verdict::Until(22_001));
        assert_eq!(watch.judge(70_000, LIMIT, 22_001), Verdict::Close);
    }
}
