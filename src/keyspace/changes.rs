//! The keys that have changed, for those who keep copies of them. Nothing is noted while there is nobody.

/// What has changed since it was last asked.
#[derive(Default)]
pub struct Changes {
    pub keys: Vec<Box<[u8]>>,
    /// A database was emptied.
    pub flushed: bool,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.flushed
    }

    #[cold]
    pub(super) fn note(&mut self, key: &[u8]) {
        if self.keys.last().is_none_or(|last| **last != *key) {
            self.keys.push(key.into());
        }
    }

    pub(super) fn append(&mut self, other: &mut Changes) {
        self.keys.append(&mut other.keys);
        self.flushed |= std::mem::take(&mut other.flushed);
    }
}
