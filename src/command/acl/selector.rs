//! A set of permissions: commands, keys and channels.

use super::is_one_word;
use crate::{
    command::{
        spec::{Acl, KeyFlags},
        table::{self, Command},
    },
    util::glob,
};
use ahash::RandomState;
use indexmap::{IndexMap, IndexSet};
use std::collections::BTreeMap;

/// What an access does with a key, or a pattern allows.
#[derive(Clone, Copy, Default, Debug)]
pub struct Access {
    pub read: bool,
    pub write: bool,
}

impl Access {
    /// As it stands before a pattern.
    fn sigil(self) -> &'static [u8] {
        match (self.read, self.write) {
            (true, false) => b"%R~",
            (false, true) => b"%W~",
            _ => b"~",
        }
    }
}

impl From<KeyFlags> for Access {
    fn from(flags: KeyFlags) -> Self {
        Access {
            read: flags.contains(KeyFlags::ACCESS),
            write: flags.intersects(KeyFlags::INSERT.union(KeyFlags::DELETE).union(KeyFlags::UPDATE)),
        }
    }
}

/// Why a rule was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleError {
    Unknown,
    Syntax,
    AfterAllKeys,
    AfterAllChannels,
    NoSuchPassword,
    BadHash,
    FirstArgOfSubcommand,
}

impl RuleError {
    pub fn text(self) -> &'static str {
        match self {
            RuleError::Unknown => "Unknown command or category name in ACL",
            RuleError::Syntax => "Syntax error",
            RuleError::AfterAllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any \
                 effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            RuleError::AfterAllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            RuleError::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            RuleError::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            RuleError::FirstArgOfSubcommand => "Allowing first-arg of a subcommand is not supported",
        }
    }
}

/// Rules may be many: each finds those it is about by a key.
#[derive(Clone, Debug)]
pub struct Selector {
    /// A bit for every command, by its place in the table.
    allowed: Vec<u64>,
    /// Nothing was taken away since `+@all`.
    pub all_commands: bool,
    /// The rules began with `+@all`, rather than with nothing.
    from_all: bool,
    /// First arguments with which a command is allowed that otherwise is not.
    first_args: BTreeMap<usize, IndexSet<Box<[u8]>, RandomState>>,
    /// The rules since then, as `+get` and `-@admin`: what each is about, its place among them, and its sign.
    rules: BTreeMap<String, (u64, char)>,
    next_rule: u64,
    pub all_keys: bool,
    keys: IndexMap<Box<[u8]>, Access, RandomState>,
    pub all_channels: bool,
    channels: IndexSet<Box<[u8]>, RandomState>,
}

impl Selector {
    pub fn new(all_channels: bool) -> Selector {
        Selector {
            allowed: vec![0; table::all().len().div_ceil(64)],
            all_commands: false,
            from_all: false,
            first_args: BTreeMap::new(),
            rules: BTreeMap::new(),
            next_rule: 0,
            all_keys: false,
            keys: IndexMap::default(),
            all_channels,
            channels: IndexSet::default(),
        }
    }

    pub fn is_unlimited(&self) -> bool {
        self.all_commands && self.all_keys && self.all_channels
    }

    /// Takes one rule.
    pub fn apply(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"allkeys" | b"~*" => {
                self.all_keys = true;
                self.keys.clear();
            }
            b"resetkeys" => {
                self.all_keys = false;
                self.keys.clear();
            }
            b"allchannels" | b"&*" => {
                self.all_channels = true;
                self.channels.clear();
            }
            b"resetchannels" => {
                self.all_channels = false;
                self.channels.clear();
            }
            b"allcommands" | b"+@all" => self.restart_commands(true),
            b"nocommands" | b"-@all" => self.restart_commands(false),
            lower => return self.apply_pattern(rule, lower),
        }
        Ok(())
    }

    fn apply_pattern(&mut self, rule: &[u8], lower: &[u8]) -> Result<(), RuleError> {
        match (rule, lower) {
            ([b'~', pattern @ ..], _) => self.add_keys(pattern, Access { read: true, write: true }),
            // Whatever else is wrong with it.
            ([b'%', ..], _) if self.all_keys => Err(RuleError::AfterAllKeys),
            ([b'%', rest @ ..], _) => {
                let tilde = rest.iter().position(|byte| *byte == b'~').unwrap_or(rest.len());
                let (letters, pattern) = (&rest[..tilde], rest.get(tilde + 1..).unwrap_or_default());
                let count = |letter: u8| letters.iter().filter(|byte| byte.eq_ignore_ascii_case(&letter)).count();
                let (reads, writes) = (count(b'r'), count(b'w'));
                if letters.is_empty() || reads > 1 || writes > 1 || reads + writes != letters.len() {
                    return Err(RuleError::Syntax);
                }
                self.add_keys(pattern, Access { read: reads == 1, write: writes == 1 })
            }
            ([b'&', pattern @ ..], _) => self.add_channel(pattern),
            (_, [sign @ (b'+' | b'-'), b'@', name @ ..]) => self.category(*sign == b'+', name),
            (_, [sign @ (b'+' | b'-'), name @ ..]) => self.command(*sign == b'+', name),
            _ => Err(RuleError::Syntax),
        }
    }

    fn restart_commands(&mut self, all: bool) {
        self.allowed.fill(if all { u64::MAX } else { 0 });
        (self.all_commands, self.from_all) = (all, all);
        self.rules.clear();
        self.first_args.clear();
    }

    fn add_keys(&mut self, pattern: &[u8], access: Access) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AfterAllKeys);
        }
        if !is_one_word(pattern) {
            return Err(RuleError::Syntax);
        }
        let known = self.keys.entry(pattern.into()).or_default();
        (known.read, known.write) = (known.read | access.read, known.write | access.write);
        Ok(())
    }

    fn add_channel(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::AfterAllChannels);
        }
        if !is_one_word(pattern) {
            return Err(RuleError::Syntax);
        }
        self.channels.insert(pattern.into());
        Ok(())
    }

    fn category(&mut self, allow: bool, name: &[u8]) -> Result<(), RuleError> {
        let name = std::str::from_utf8(name).map_err(|_| RuleError::Unknown)?;
        let category = Acl::from_name(&name.to_ascii_uppercase()).ok_or(RuleError::Unknown)?;
        self.note(allow, format!("@{name}"));
        for command in table::all().iter().filter(|command| command.is_shown()) {
            if command.spec.categories().contains(category) {
                self.set(command, allow);
            }
        }
        Ok(())
    }

    fn command(&mut self, allow: bool, name: &[u8]) -> Result<(), RuleError> {
        if let Some(command) = table::lookup_full(name) {
            self.set(command, allow);
            self.note(allow, command.full_name.clone());
            return Ok(());
        }
        // `+select|0`: only with this first argument.
        let bar = name.iter().rposition(|byte| *byte == b'|').filter(|_| allow).ok_or(RuleError::Unknown)?;
        let command = table::lookup_full(&name[..bar]).ok_or(RuleError::Unknown)?;
        let first = &name[bar + 1..];
        if command.parent.is_some() {
            return Err(RuleError::FirstArgOfSubcommand);
        }
        if first.is_empty() {
            return Err(RuleError::Syntax);
        }
        if !command.shown_subcommands().is_empty() {
            return Err(RuleError::Unknown);
        }
        self.first_args.entry(command.id).or_default().insert(first.into());
        self.note(allow, String::from_utf8_lossy(name).into_owned());
        Ok(())
    }

    /// Allows or forbids a command with all its subcommands.
    fn set(&mut self, command: &Command, allow: bool) {
        self.first_args.remove(&command.id);
        for id in std::iter::once(command.id).chain(command.subcommands().iter().map(|sub| sub.id)) {
            let (word, bit) = (&mut self.allowed[id / 64], 1 << (id % 64));
            *word = if allow { *word | bit } else { *word & !bit };
        }
        self.all_commands &= allow;
    }

    /// Remembers a rule. Those on the same subject, or on a part of it, mean nothing any more.
    fn note(&mut self, allow: bool, subject: String) {
        // The parts of a subject stand in a row.
        let first_part = format!("{subject}|");
        while let Some((part, _)) =
            self.rules.range(first_part.clone()..).next().filter(|(known, _)| known.starts_with(&first_part))
        {
            let part = part.clone();
            self.rules.remove(&part);
        }
        self.rules.insert(subject, (self.next_rule, if allow { '+' } else { '-' }));
        self.next_rule += 1;
    }

    pub fn allows_command(&self, command: &Command, args: &[&[u8]]) -> bool {
        // Subcommands that are not told apart count as a first argument.
        let id = command.counts_as;
        self.all_commands
            || self.allowed[id / 64] >> (id % 64) & 1 == 1
            || args.get(1).is_some_and(|first| {
                self.first_args
                    .get(&id)
                    .is_some_and(|firsts| firsts.iter().any(|known| known.eq_ignore_ascii_case(first)))
            })
    }

    pub fn allows_key(&self, key: &[u8], access: Access) -> bool {
        self.all_keys || self.grants(access).any(|pattern| glob::matches(pattern, key, false))
    }

    /// Whether any key may be accessed in this way.
    pub fn allows_every_key(&self, access: Access) -> bool {
        self.all_keys || self.grants(access).any(|pattern| *pattern == *b"*")
    }

    fn grants(&self, access: Access) -> impl Iterator<Item = &[u8]> {
        let suffices = move |known: &Access| (known.read || !access.read) && (known.write || !access.write);
        self.keys.iter().filter(move |(_, known)| suffices(known)).map(|(pattern, _)| &**pattern)
    }

    /// A pattern to subscribe to must be one of those allowed, to the letter.
    pub fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.all_channels
            || match is_pattern {
                true => self.channels.contains(channel),
                false => self.channels.iter().any(|known| glob::matches(known, channel, false)),
            }
    }

    /// `-@all +get`
    pub fn commands_text(&self) -> String {
        let start = if self.from_all { "+@all" } else { "-@all" };
        let mut rules: Vec<_> = self.rules.iter().map(|(subject, (place, sign))| (place, sign, subject)).collect();
        rules.sort_unstable();
        rules.into_iter().fold(start.to_owned(), |text, (_, sign, subject)| text + " " + &format!("{sign}{subject}"))
    }

    pub fn keys_text(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let patterns = self.keys.iter().map(|(pattern, access)| [access.sigil(), pattern].concat());
        patterns.collect::<Vec<_>>().join(&b' ')
    }

    pub fn channels_text(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        self.channels.iter().map(|pattern| [b"&", &**pattern].concat()).collect::<Vec<_>>().join(&b' ')
    }

    /// All of it, as rules.
    pub fn text(&self) -> Vec<u8> {
        let mut parts = vec![self.keys_text()];
        if !self.all_channels {
            parts.push(b"resetchannels".to_vec());
        }
        parts.push(self.channels_text());
        parts.push(self.commands_text().into_bytes());
        parts.retain(|part| !part.is_empty());
        parts.join(&b' ')
    }
}
