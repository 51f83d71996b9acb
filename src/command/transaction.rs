//! What MULTI has queued and what WATCH watches.

use super::{Args, Command, spec::Flags};
use smallvec::SmallVec;

/// The commands since MULTI, their words one after the other.
#[derive(Default)]
pub struct Transaction {
    bytes: Vec<u8>,
    /// Where each word ends in `bytes`.
    ends: Vec<usize>,
    commands: Vec<Queued>,
    /// The flags of all commands together: EXEC is judged by them.
    pub flags: Flags,
    /// A command was refused: EXEC will be, too.
    pub failed: bool,
}

struct Queued {
    command: &'static Command,
    /// The first of its words in `ends`, and how many they are.
    first: usize,
    words: usize,
}

impl Transaction {
    pub fn push(&mut self, command: &'static Command, flags: Flags, args: &Args<'_>) {
        self.commands.push(Queued { command, first: self.ends.len(), words: args.len() });
        for arg in args {
            self.bytes.extend_from_slice(arg);
            self.ends.push(self.bytes.len());
        }
        self.flags |= flags;
    }

    pub fn len(&self) -> usize {
        self.commands.len()
    }

    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Bytes it holds, for CLIENT LIST.
    pub fn memory(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<usize>() + self.commands.len() * size_of::<Queued>()
    }

    /// Calls `each` with every command and its words.
    pub fn for_each(&self, mut each: impl FnMut(&'static Command, &Args<'_>)) {
        for queued in &self.commands {
            let words = queued.first..queued.first + queued.words;
            let args: SmallVec<[&[u8]; 8]> = words.map(|word| self.word(word)).collect();
            each(queued.command, &args);
        }
    }

    fn word(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }
}

/// A key under WATCH.
pub struct Watched {
    pub db: usize,
    pub key: Box<[u8]>,
}
