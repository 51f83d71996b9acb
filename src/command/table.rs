//! Every command, by name.

use super::{
    Args, Error,
    error::{QUOTED_MAX, quotable},
    family::*,
    keys::only_key,
    spec::{Flags, Spec},
};
use crate::config::{Line, LoadError};
use std::{
    collections::HashMap,
    num::NonZeroU8,
    sync::{LazyLock, OnceLock},
};

/// The families' rows.
pub static FAMILIES: &[&[Spec]] = &[
    acl::COMMANDS,
    array::COMMANDS,
    bitmap::COMMANDS,
    client::COMMANDS,
    cluster::COMMANDS,
    command::COMMANDS,
    config::COMMANDS,
    connection::COMMANDS,
    debug::COMMANDS,
    function::COMMANDS,
    geo::COMMANDS,
    hash::COMMANDS,
    hyperloglog::COMMANDS,
    info::COMMANDS,
    keys::COMMANDS,
    hot_keys::COMMANDS,
    latency::COMMANDS,
    list::COMMANDS,
    memory::COMMANDS,
    modules::COMMANDS,
    monitor::COMMANDS,
    persistence::COMMANDS,
    pubsub::COMMANDS,
    replication::COMMANDS,
    server::COMMANDS,
    set::COMMANDS,
    command_log::COMMANDS,
    sort::COMMANDS,
    stream::COMMANDS,
    script::COMMANDS,
    string::COMMANDS,
    transactions::COMMANDS,
    zset::rows::CHANGES,
    zset::rows::COMBINATIONS,
    zset::rows::QUERIES,
];

/// A command or subcommand in its place in the table.
pub struct Command {
    pub spec: &'static Spec,
    /// Its place in `Stats` and in `all()`.
    pub id: usize,
    /// `get`, `client|setname`.
    pub full_name: String,
    pub parent: Option<usize>,
    /// The id of the command it counts as: its own, or that of a container that does not tell its subcommands apart.
    pub counts_as: usize,
    /// Which word is its key, if it has one and needs no other shard than that of the key.
    pub key_at: Option<NonZeroU8>,
    /// How many words a request may have; none for a container, which does not run itself.
    words: (u32, u32),
    /// The ids of its subcommands, which follow it in the table.
    children: std::ops::Range<usize>,
}

struct Table {
    commands: Vec<Command>,
    /// Open addressing over the top-level names; `EMPTY` ends a probe.
    slots: Vec<Slot>,
    mask: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    key: u64,
    id: u32,
    len: u16,
    /// The key is the whole name, and nothing but letters folds to letters: who has the same key has the same name.
    exact: bool,
}

const EMPTY: Slot = Slot { key: 0, id: u32::MAX, len: 0, exact: false };

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(FAMILIES));

/// Finds a command by name, whatever its case.
#[inline(always)]
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    TABLE.find(name)
}

type Renamed = HashMap<Vec<u8>, Option<&'static Command>>;

/// What `rename-command` has made of the names, set once at the start: requests use these.
static RENAMED: OnceLock<Renamed> = OnceLock::new();

/// Has requests call commands otherwise: lines of a name and the new one, which is empty for a command that is taken away.
/// Users' rules, statistics and errors know commands by their own names.
///
/// # Errors
/// When there is no command of the first name, or one of the second.
pub fn rename(lines: &[Line]) -> Result<(), LoadError> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut renamed = Renamed::new();
    for line in lines {
        let [from, to] = &line.words[..] else { continue };
        let called = |name: &str| {
            let name = name.to_ascii_lowercase().into_bytes();
            let found = renamed.get(&name).copied().unwrap_or_else(|| lookup(&name));
            (name, found)
        };
        let (from, command) = called(from);
        let command = command.ok_or_else(|| line.refused("No such command in rename-command"))?;
        let (to, occupied) = called(to);
        if !to.is_empty() && occupied.is_some() {
            return Err(line.refused("Target command name already exists"));
        }
        renamed.insert(from, None);
        if !to.is_empty() {
            renamed.insert(to, Some(command));
        }
    }
    // A process starts once.
    let _ = RENAMED.set(renamed);
    Ok(())
}

/// The command that a request calls so.
#[inline(always)]
pub fn called(name: &[u8]) -> Option<&'static Command> {
    match RENAMED.get() {
        None => lookup(name),
        Some(renamed) => called_anew(renamed, name),
    }
}

#[cold]
fn called_anew(renamed: &Renamed, name: &[u8]) -> Option<&'static Command> {
    renamed.get(&name.to_ascii_lowercase()).copied().unwrap_or_else(|| lookup(name))
}

/// Every command, each followed by its subcommands.
pub fn all() -> &'static [Command] {
    &TABLE.commands
}

/// The commands without the subcommands.
pub fn top_level() -> impl Iterator<Item = &'static Command> {
    all().iter().filter(|command| command.parent.is_none())
}

/// Finds a command by the name COMMAND INFO and LATENCY HISTOGRAM use (`client|setname`).
pub fn lookup_full(name: &[u8]) -> Option<&'static Command> {
    match name.iter().position(|&byte| byte == b'|') {
        None => lookup(name),
        Some(bar) => lookup(&name[..bar])?.subcommand(&name[bar + 1..]).filter(|command| command.is_shown()),
    }
}

/// The command that a request means, with its number of words checked.
#[inline(always)]
pub fn resolve(args: &Args<'_>) -> Result<&'static Command, Refusal> {
    let name = args.first().copied().unwrap_or_default();
    let Some(command) = called(name) else {
        return Err(Refusal { command: None, error: unknown_command(name, args) });
    };
    let command = match args.get(1) {
        // An unknown subcommand counts as a refusal of nothing: the container never runs.
        Some(word) if !command.children.is_empty() => command
            .subcommand(word)
            .ok_or_else(|| Refusal { command: None, error: no_such_subcommand(command, word, args) })?,
        _ => command,
    };
    let (least, most) = command.words;
    let words = u32::try_from(args.len()).unwrap_or(u32::MAX);
    match words < least || words > most {
        true => Err(Refusal { command: Some(command), error: wrong_number(command, args) }),
        false => Ok(command),
    }
}

#[cold]
fn no_such_subcommand(command: &Command, word: &[u8], args: &Args<'_>) -> Error {
    match command.spec.flags.contains(Flags::OPAQUE) {
        true => unknown_subcommand_or_arity(args),
        false => unknown_subcommand(command.spec.name, word),
    }
}

#[cold]
fn wrong_number(command: &Command, args: &Args<'_>) -> Error {
    match command.is_shown() {
        true => Error::wrong_arity(&command.full_name),
        false => unknown_subcommand_or_arity(args),
    }
}

/// A request that names no command that could run.
pub struct Refusal {
    pub command: Option<&'static Command>,
    pub error: Error,
}

impl Command {
    fn new(spec: &'static Spec, id: usize, full_name: String) -> Command {
        let everywhere = spec.flags.intersects(Flags::ALL_SHARDS.union(Flags::SCRIPT));
        let words = match spec.arity {
            _ if spec.flags.contains(Flags::CONTAINER) => (1, 0),
            exactly @ 1.. => (exactly.unsigned_abs(), exactly.unsigned_abs()),
            at_least => (at_least.unsigned_abs(), u32::MAX),
        };
        Command {
            spec,
            id,
            full_name,
            parent: None,
            counts_as: id,
            key_at: only_key(spec).filter(|_| !everywhere),
            words,
            children: 0..0,
        }
    }

    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Command> {
        self.subcommands().iter().find(|sub| sub.spec.name.as_bytes().eq_ignore_ascii_case(name))
    }

    pub fn subcommands(&self) -> &'static [Command] {
        &all()[self.children.clone()]
    }

    /// Those that COMMAND INFO and its like show.
    pub fn shown_subcommands(&self) -> &'static [Command] {
        if self.spec.flags.contains(Flags::OPAQUE) { &[] } else { self.subcommands() }
    }

    pub fn is_shown(&self) -> bool {
        self.counts_as == self.id
    }
}

impl Table {
    fn new(families: &'static [&'static [Spec]]) -> Table {
        let mut commands = Vec::new();
        for spec in families.iter().copied().flatten() {
            let parent = commands.len();
            let children = parent + 1..parent + 1 + spec.subcommands.len();
            commands.push(Command { children, ..Command::new(spec, parent, spec.name.to_owned()) });
            for sub in spec.subcommands {
                let id = commands.len();
                let full_name = format!("{}|{}", spec.name, sub.name);
                let counts_as = if spec.flags.contains(Flags::OPAQUE) { parent } else { id };
                commands.push(Command { parent: Some(parent), counts_as, ..Command::new(sub, id, full_name) });
            }
        }
        let size = (commands.len() * 4).next_power_of_two();
        let mut table = Table { slots: vec![EMPTY; size], mask: size - 1, commands };
        for id in 0..table.commands.len() {
            if table.commands[id].parent.is_none() {
                table.insert(id);
            }
        }
        table
    }

    fn insert(&mut self, id: usize) {
        let name = self.commands[id].spec.name.as_bytes();
        let key = fold(name);
        let mut at = self.home(key, name.len());
        while self.slots[at].id != EMPTY.id {
            at = (at + 1) & self.mask;
        }
        let exact = name.len() <= 8 && name.iter().all(u8::is_ascii_alphabetic);
        self.slots[at] = Slot { key, id: id as u32, len: name.len() as u16, exact };
    }

    fn home(&self, key: u64, len: usize) -> usize {
        ((key ^ len as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize & self.mask
    }

    #[inline(always)]
    fn find(&'static self, name: &[u8]) -> Option<&'static Command> {
        let key = fold(name);
        let home = self.home(key, name.len());
        // Most names are at home, and short.
        let slot = self.slots[home];
        match slot.exact && slot.key == key && usize::from(slot.len) == name.len() {
            true => self.commands.get(slot.id as usize),
            false => self.probe(name, key, home),
        }
    }

    #[inline(never)]
    fn probe(&'static self, name: &[u8], key: u64, mut at: usize) -> Option<&'static Command> {
        loop {
            let slot = self.slots[at];
            if slot.id == EMPTY.id {
                return None;
            }
            if slot.key == key && slot.len as usize == name.len() {
                let command = &self.commands[slot.id as usize];
                if slot.exact || command.spec.name.as_bytes().eq_ignore_ascii_case(name) {
                    return Some(command);
                }
            }
            at = (at + 1) & self.mask;
        }
    }
}

/// Up to eight bytes of the name as a number, letters in lower case; all of a name that has no more.
#[inline]
fn fold(name: &[u8]) -> u64 {
    let bytes = match *name {
        [] => 0,
        [a, .., z] if name.len() < 4 => u64::from(a) | u64::from(name[1]) << 8 | u64::from(z) << 16,
        [a] => u64::from(a),
        _ => {
            // Two words that overlap in a name of less than eight bytes.
            let first = name.first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
            let second = name[..name.len().min(8)].last_chunk().map_or(0, |word| u32::from_le_bytes(*word));
            u64::from(first) | u64::from(second) << 32
        }
    };
    bytes | 0x2020_2020_2020_2020
}

#[cold]
fn unknown_command(name: &[u8], args: &Args<'_>) -> Error {
    let mut text = [b"ERR unknown command '", quotable(name, QUOTED_MAX), b"', with args beginning with: "].concat();
    let start = text.len();
    for arg in args.iter().skip(1) {
        let room = QUOTED_MAX.saturating_sub(text.len() - start);
        if room == 0 {
            break;
        }
        text.push(b'\'');
        text.extend_from_slice(quotable(arg, room));
        text.extend_from_slice(b"' ");
    }
    Error::text(text)
}

pub fn unknown_subcommand(command: &str, word: &[u8]) -> Error {
    let word = quotable(word, QUOTED_MAX);
    Error::quoting("ERR unknown subcommand '", word, &format!("'. Try {} HELP.", command.to_ascii_uppercase()))
}

/// For a subcommand whose optional words are too many, and those that are not told apart.
pub fn unknown_subcommand_or_arity(args: &Args<'_>) -> Error {
    let word = |at: usize| quotable(args.get(at).copied().unwrap_or_default(), QUOTED_MAX);
    let before = b"ERR unknown subcommand or wrong number of arguments for '";
    Error::text([before, word(1), b"'. Try ", &word(0).to_ascii_uppercase(), b" HELP."].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &[&[u8]], expected: &str) {
        match resolve(request) {
            Ok(command) => assert_eq!(command.full_name, expected),
            Err(refusal) => assert_eq!(*refusal.error.0, *expected.as_bytes()),
        }
    }

    #[test]
    fn requests_are_resolved_as_redis_does() {
        check(&[b"PiNg"], "ping");
        check(&[b"client", b"SETNAME", b"x"], "client|setname");
        check(&[b"client"], "ERR wrong number of arguments for 'client' command");
        check(&[b"client", b"setname"], "ERR wrong number of arguments for 'client|setname' command");
        check(&[b"client", b"nope"], "ERR unknown subcommand 'nope'. Try CLIENT HELP.");
        check(&[b"nope", b"a", b"b"], "ERR unknown command 'nope', with args beginning with: 'a' 'b' ");
        check(&[b"p\x09ng"], "ERR unknown command 'p\tng', with args beginning with: ");
    }

    #[test]
    fn every_command_is_found_once() {
        for command in top_level() {
            assert!(std::ptr::eq(lookup(command.spec.name.as_bytes()).expect("found"), command));
            assert!(command.spec.name.bytes().all(|b| b.is_ascii_lowercase() || b"_-|".contains(&b)));
        }
    }
}
