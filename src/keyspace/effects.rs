//! What happens to keys without a command asking for it: they expire, are evicted, are missed, are
//! new. Whoever publishes such events takes them from here; the keyspace knows nobody to tell.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::*};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum EffectKind {
    Expired = 1 << 0,
    Evicted = 1 << 1,
    /// The key was not there before.
    New = 1 << 2,
    /// A read did not find the key.
    Missed = 1 << 3,
    /// Fields of a hash have expired.
    FieldsExpired = 1 << 4,
    /// Nothing was left of a hash when its fields had expired.
    Emptied = 1 << 5,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effect {
    pub kind: EffectKind,
    pub db: usize,
    pub key: Box<[u8]>,
    /// The fields that it is about.
    pub fields: Vec<Box<[u8]>>,
}

#[derive(Default)]
pub struct Effects {
    /// The kinds that someone wants to hear of: none, almost always.
    wanted: AtomicU8,
    /// Whether changed keys are noted.
    tracked: AtomicBool,
    pending: AtomicBool,
    queue: Mutex<Vec<Effect>>,
}

impl Effects {
    /// From now on keeps the effects of these kinds.
    pub fn want(&self, kinds: &[EffectKind]) {
        self.wanted.store(kinds.iter().fold(0, |set, kind| set | *kind as u8), Relaxed);
    }

    /// From now on notes, or no longer notes, which keys change.
    pub fn track(&self, on: bool) {
        self.tracked.store(on, Relaxed);
    }

    #[inline]
    pub(super) fn tracks(&self) -> bool {
        self.tracked.load(Relaxed)
    }

    #[inline]
    pub fn wants(&self, kind: EffectKind) -> bool {
        self.wanted.load(Relaxed) & kind as u8 != 0
    }

    #[cold]
    pub(super) fn push(&self, kind: EffectKind, db: usize, key: &[u8], fields: Vec<Box<[u8]>>) {
        self.queue.lock().push(Effect { kind, db, key: key.into(), fields });
        self.pending.store(true, Release);
    }

    /// Whether something has happened that was not handed over yet.
    #[inline]
    pub fn any(&self) -> bool {
        self.pending.load(Acquire)
    }

    /// Hands over what has happened, in order. Nobody else's effects come in between, so that an
    /// event never overtakes another of the same key.
    pub fn drain(&self, each: &mut dyn FnMut(Effect)) {
        if self.any() {
            let mut queue = self.queue.lock();
            self.pending.store(false, Relaxed);
            queue.drain(..).for_each(each);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wanted_is_kept_and_only_once() {
        let effects = Effects::default();
        assert!(!effects.wants(EffectKind::Expired));
        effects.want(&[EffectKind::Expired, EffectKind::New]);
        assert!(effects.wants(EffectKind::New) && !effects.wants(EffectKind::Missed));
        effects.push(EffectKind::Expired, 3, b"k", Vec::new());
        let mut seen = Vec::new();
        effects.drain(&mut |effect| seen.push(effect));
        effects.drain(&mut |effect| seen.push(effect));
        assert_eq!(seen, [Effect { kind: EffectKind::Expired, db: 3, key: b"k"[..].into(), fields: Vec::new() }]);
    }
}
