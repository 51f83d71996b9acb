//! How much a client may leave unread: `client-output-buffer-limit`.

use crate::{config::OutputLimit, util::clock::UnixMillis};

/// As in Redis, this much of a reply is not held against the client.
const FREE_BYTES: u64 = 16 * 1024;

/// Watches one connection's unread output.
#[derive(Default, Debug)]
pub struct OutputWatch {
    /// Since when the soft limit has been passed without a break.
    soft_since: Option<UnixMillis>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Fine,
    /// Look again at this time.
    Until(UnixMillis),
    Close,
}

impl OutputWatch {
    /// Judges `pending` unread bytes.
    pub fn judge(&mut self, pending: usize, limit: OutputLimit, now: UnixMillis) -> Verdict {
        let counted = (pending as u64).saturating_sub(FREE_BYTES);
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
        bytes => usize::try_from(bytes.saturating_add(FREE_BYTES)).unwrap_or(usize::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: OutputLimit = OutputLimit { hard_bytes: 100_000, soft_bytes: 50_000, soft_seconds: 10 };

    #[test]
    fn hard_limit_closes_at_once() {
        let mut watch = OutputWatch::default();
        assert_eq!(watch.judge(60_000, LIMIT, 0), Verdict::Fine);
        assert_eq!(watch.judge(120_000, LIMIT, 0), Verdict::Close);
        assert_eq!(watch.judge(1 << 40, OutputLimit::default(), 0), Verdict::Fine);
    }

    #[test]
    fn soft_limit_closes_after_its_time_without_a_break() {
        let mut watch = OutputWatch::default();
        assert_eq!(watch.judge(70_000, LIMIT, 1_000), Verdict::Until(11_001));
        assert_eq!(watch.judge(70_000, LIMIT, 11_000), Verdict::Until(11_001));
        assert_eq!(watch.judge(10_000, LIMIT, 11_500), Verdict::Fine);
        assert_eq!(watch.judge(70_000, LIMIT, 12_000), Verdict::Until(22_001));
        assert_eq!(watch.judge(70_000, LIMIT, 22_001), Verdict::Close);
    }
}
