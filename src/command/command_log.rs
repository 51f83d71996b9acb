//! COMMANDLOG's memory: the last commands that took long, were long, or were answered at length.
//! The slow ones are SLOWLOG's as well.

use crate::config::Settings;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Why a command is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogKind {
    /// It took long, in microseconds.
    Slow,
    /// Its words are many bytes.
    LargeRequest,
    /// Its reply is many bytes.
    LargeReply,
}

impl LogKind {
    pub const ALL: [LogKind; 3] = [LogKind::Slow, LogKind::LargeRequest, LogKind::LargeReply];

    pub fn name(self) -> &'static str {
        match self {
            LogKind::Slow => "slow",
            LogKind::LargeRequest => "large-request",
            LogKind::LargeReply => "large-reply",
        }
    }

    /// From which value on a command is kept (`None`: none is), and how many are.
    #[inline]
    pub fn bounds(self, settings: &Settings) -> (Option<u64>, usize) {
        let (threshold, max) = match self {
            LogKind::Slow => (settings.slowlog_log_slower_than_us, settings.slowlog_max_len),
            LogKind::LargeRequest => {
                (settings.commandlog_request_larger_than, settings.commandlog_large_request_max_len)
            }
            LogKind::LargeReply => (settings.commandlog_reply_larger_than, settings.commandlog_large_reply_max_len),
        };
        (u64::try_from(threshold).ok().filter(|_| max > 0), usize::try_from(max).unwrap_or(usize::MAX))
    }
}

/// A command that is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub id: u64,
    pub at_seconds: i64,
    /// Microseconds or bytes, by the kind of the log.
    pub value: u64,
    pub words: Vec<Box<[u8]>>,
    pub peer: String,
    pub name: String,
}

#[derive(Default)]
pub struct CommandLog([Mutex<State>; LogKind::ALL.len()]);

#[derive(Default)]
struct State {
    next: u64,
    entries: VecDeque<Entry>,
}

impl CommandLog {
    fn log(&self, kind: LogKind) -> &Mutex<State> {
        &self.0[kind as usize]
    }

    /// Notes a command; the oldest beyond `max` are forgotten.
    pub fn note(&self, kind: LogKind, entry: Entry, max: usize) {
        let mut state = self.log(kind).lock();
        let id = state.next;
        state.next += 1;
        state.entries.push_front(Entry { id, ..entry });
        state.entries.truncate(max);
    }

    /// The newest first.
    pub fn last(&self, kind: LogKind, count: usize) -> Vec<Entry> {
        self.log(kind).lock().entries.iter().take(count).cloned().collect()
    }

    pub fn len(&self, kind: LogKind) -> usize {
        self.log(kind).lock().entries.len()
    }

    pub fn reset(&self, kind: LogKind) {
        self.log(kind).lock().entries.clear();
    }
}

/// The words as they are kept: long ones and many are cut short, saying by how much.
pub fn trim(words: &[&[u8]], settings: &Settings) -> Vec<Box<[u8]>> {
    let words_max = (settings.slowlog_entry_max_argc as usize).max(1);
    let word_max = usize::try_from(settings.slowlog_entry_max_string_len).unwrap_or(usize::MAX);
    let kept = if words.len() > words_max { words_max - 1 } else { words.len() };
    let mut out: Vec<Box<[u8]>> = words[..kept]
        .iter()
        .map(|word| match word.split_at_checked(word_max) {
            Some((head, rest)) if !rest.is_empty() => {
                [head, format!("... ({} more bytes)", rest.len()).as_bytes()].concat().into()
            }
            _ => (*word).into(),
        })
        .collect();
    if kept < words.len() {
        out.push(format!("... ({} more arguments)", words.len() - kept).into_bytes().into());
    }
    out
}

/// Bytes of a request on the wire, in the form that clients send.
pub fn request_bytes(words: &[&[u8]]) -> u64 {
    // `*3\r\n`, and for each word `$5\r\n` and `\r\n`.
    let header = |n: usize| 4 + n.checked_ilog10().unwrap_or(0) as usize;
    (header(words.len()) + words.iter().map(|word| header(word.len()) + word.len() + 2).sum::<usize>()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_commands_are_cut() {
        let settings = Settings::default();
        let words = vec![&b"x"[..]; 40];
        let trimmed = trim(&words, &settings);
        assert_eq!(trimmed.len(), 32);
        assert_eq!(&*trimmed[31], b"... (9 more arguments)");
        let (long, fits) = ([b'y'; 200], [b'y'; 128]);
        assert!(trim(&[&long[..]], &settings)[0].ends_with(b"... (72 more bytes)"));
        assert_eq!(*trim(&[&fits[..]], &settings)[0], fits);
    }

    #[test]
    fn the_oldest_is_forgotten_in_its_own_log() {
        let log = CommandLog::default();
        let entry = Entry { id: 0, at_seconds: 0, value: 1, words: vec![], peer: String::new(), name: String::new() };
        (0..5).for_each(|_| log.note(LogKind::Slow, entry.clone(), 3));
        log.note(LogKind::LargeReply, entry.clone(), 3);
        assert_eq!(log.last(LogKind::Slow, 10).iter().map(|entry| entry.id).collect::<Vec<_>>(), [4, 3, 2]);
        log.reset(LogKind::Slow);
        assert_eq!(LogKind::ALL.map(|kind| log.len(kind)), [0, 0, 1]);
    }

    #[test]
    fn a_request_is_as_long_as_on_the_wire() {
        let value = [b'v'; 1000];
        for words in [vec![&b"PING"[..]], vec![b"SET", b"", &value], vec![&b"x"[..]; 12]] {
            let mut wire = format!("*{}\r\n", words.len()).into_bytes();
            for word in &words {
                wire.extend(format!("${}\r\n", word.len()).bytes());
                wire.extend_from_slice(word);
                wire.extend(b"\r\n");
            }
            assert_eq!(request_bytes(&words), wire.len() as u64);
        }
    }
}
