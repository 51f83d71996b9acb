//! SLOWLOG's memory: the last commands that took long.

use parking_lot::Mutex;
use std::collections::VecDeque;

/// A command that took long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub id: u64,
    pub at_seconds: i64,
    pub micros: u64,
    pub words: Vec<Box<[u8]>>,
    pub peer: String,
    pub name: String,
}

/// Words of a command that are kept, and bytes of each.
const WORDS_MAX: usize = 32;
const WORD_MAX: usize = 128;

#[derive(Default)]
pub struct Slowlog(Mutex<State>);

#[derive(Default)]
struct State {
    next: u64,
    entries: VecDeque<Entry>,
}

impl Slowlog {
    /// Notes a command; the oldest beyond `max` are forgotten.
    pub fn note(&self, entry: Entry, max: usize) {
        let mut state = self.0.lock();
        let id = state.next;
        state.next += 1;
        state.entries.push_front(Entry { id, ..entry });
        state.entries.truncate(max);
    }

    /// The newest first.
    pub fn last(&self, count: usize) -> Vec<Entry> {
        self.0.lock().entries.iter().take(count).cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.0.lock().entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn reset(&self) {
        self.0.lock().entries.clear();
    }
}

/// The words as they are kept: long ones and many are cut short, saying by how much.
pub fn trim(words: &[&[u8]]) -> Vec<Box<[u8]>> {
    let kept = if words.len() > WORDS_MAX { WORDS_MAX - 1 } else { words.len() };
    let mut out: Vec<Box<[u8]>> = words[..kept]
        .iter()
        .map(|word| match word.len() {
            0..=WORD_MAX => (*word).into(),
            len => [&word[..WORD_MAX], format!("... ({} more bytes)", len - WORD_MAX).as_bytes()].concat().into(),
        })
        .collect();
    if kept < words.len() {
        out.push(format!("... ({} more arguments)", words.len() - kept).into_bytes().into());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_commands_are_cut() {
        let words = vec![&b"x"[..]; 40];
        let trimmed = trim(&words);
        assert_eq!(trimmed.len(), 32);
        assert_eq!(&*trimmed[31], b"... (9 more arguments)");
        let long = [b'y'; 200];
        assert!(trim(&[&long[..]])[0].ends_with(b"... (72 more bytes)"));
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let log = Slowlog::default();
        let entry = Entry { id: 0, at_seconds: 0, micros: 1, words: vec![], peer: String::new(), name: String::new() };
        (0..5).for_each(|_| log.note(entry.clone(), 3));
        assert_eq!(log.last(10).iter().map(|entry| entry.id).collect::<Vec<_>>(), [4, 3, 2]);
        log.reset();
        assert!(log.is_empty());
    }
}
