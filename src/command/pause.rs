//! CLIENT PAUSE: until when commands wait, and which.

use crate::util::clock::UnixMillis;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

/// What a pause holds up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paused {
    All,
    /// Only what may write.
    Writes,
}

#[derive(Default)]
pub struct Pause {
    until: AtomicI64,
    all: AtomicBool,
}

impl Pause {
    /// Begins a pause. One that is on already becomes neither shorter nor weaker. Answers when
    /// it ends.
    pub fn begin(&self, what: Paused, until: UnixMillis, now: UnixMillis) -> UnixMillis {
        let running = self.get(now);
        let all = what == Paused::All || matches!(running, Some((Paused::All, _)));
        let end = running.map_or(until, |(_, end)| end.max(until));
        self.all.store(all, Relaxed);
        self.until.store(end, Relaxed);
        end
    }

    pub fn end(&self) {
        self.until.store(0, Relaxed);
    }

    /// What is paused now, and until when.
    #[inline]
    pub fn get(&self, now: UnixMillis) -> Option<(Paused, UnixMillis)> {
        let until = self.until.load(Relaxed);
        (until > now).then(|| (if self.all.load(Relaxed) { Paused::All } else { Paused::Writes }, until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_only_ever_made_stricter() {
        let pause = Pause::default();
        pause.begin(Paused::All, 100, 0);
        pause.begin(Paused::Writes, 50, 0);
        assert_eq!(pause.get(99), Some((Paused::All, 100)));
        assert_eq!(pause.get(100), None);
        pause.begin(Paused::Writes, 150, 120);
        assert_eq!(pause.get(130), Some((Paused::Writes, 150)));
        pause.end();
        assert_eq!(pause.get(130), None);
    }
}
