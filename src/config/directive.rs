//! What a directive is, and how its words are read.
//!
//! A row names the directive, says what may be written after it, what it is when nothing is
//! written, and where its value lives in [`Settings`]. The file parser, the command line, the
//! environment, CONFIG GET, SET and REWRITE, and `config/flagstone.conf` all work from the rows;
//! none of them knows a directive by name.

use super::{reason::Reason, settings::Settings};
use std::collections::BTreeMap;

bitflags::bitflags! {
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Flags: u16 {
        /// Only the start can set it; CONFIG SET refuses.
        const IMMUTABLE = 1 << 0;
        /// CONFIG SET needs `enable-protected-configs`.
        const PROTECTED = 1 << 1;
        /// Not shown by a CONFIG GET pattern, only by its exact name.
        const HIDDEN = 1 << 2;
        /// Its value is a secret: never logged, redacted in MONITOR and SLOWLOG.
        const SENSITIVE = 1 << 3;
        /// Takes several words.
        const WORDS = 1 << 4;
        /// Read at the start: a change counts from the next one (after CONFIG REWRITE).
        const AT_START = 1 << 5;
    }
}

/// What may be written after a directive's name.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    YesNo,
    /// A whole number within the bounds, both included.
    Integer(i64, i64),
    /// A number of bytes: `100`, `1k` (1000), `1kb` (1024), `m`, `mb`, `g`, `gb`.
    Memory(u64, u64),
    /// A number of bytes, or `5%` of `maxmemory`.
    MemoryOrPercent,
    /// File permissions.
    Octal(u32),
    /// One of these words (several, with [`Flags::WORDS`]).
    Choice(&'static [&'static str]),
    /// Any one word; `""` for none.
    Text,
    /// Something of its own; the text is its notation for people.
    Special(&'static str),
}

/// What several lines of one directive mean together; the number is the words of one line.
#[derive(Clone, Copy, Debug)]
pub enum Lines {
    /// The last one counts.
    One,
    /// They add up (`save`).
    Added(usize),
    /// Each sets what its first word names (`client-output-buffer-limit`); the function gives
    /// that word's one spelling.
    Keyed(usize, fn(&str) -> Option<&'static str>),
}

/// Reads a directive's words into its place in the settings.
pub type Setter = fn(&mut Settings, &Directive, &[String]) -> Result<(), Reason>;
/// The value as a file would have it.
pub type Getter = fn(&Settings, &Directive) -> String;

pub struct Directive {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub kind: Kind,
    /// As it would be written in a file.
    pub default: &'static str,
    pub flags: Flags,
    pub lines: Lines,
    /// One sentence for people.
    pub about: &'static str,
    pub effect: Effect,
    pub get: Getter,
    /// The value as CONFIG GET shows it, where that is less.
    pub brief: Option<Getter>,
    pub set: Setter,
}

/// Whether setting the directive does anything here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    Full,
    /// Accepted so that an existing redis.conf starts; said in one line of the log.
    None,
    /// The feature is not here: any value but the default is an error with this reason, because
    /// accepting it would silently change what the user gets.
    Refused(&'static str),
}

impl Directive {
    pub fn is(&self, flags: Flags) -> bool {
        self.flags.contains(flags)
    }

    pub fn is_named(&self, name: &str) -> bool {
        self.names().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// The name by which it was called, in its own spelling.
    pub fn name_as(&self, called: &str) -> &'static str {
        self.names().find(|own| own.eq_ignore_ascii_case(called)).unwrap_or(self.name)
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Sets the directive from the words that follow its name. A single word given to a directive
    /// of several is split, so that `--save "900 1"` and CONFIG SET work like a line of a file.
    pub fn apply(&self, settings: &mut Settings, words: &[String]) -> Result<(), Reason> {
        if !self.is(Flags::WORDS) {
            if words.len() != 1 {
                return Err("wrong number of arguments".into());
            }
            return (self.set)(settings, self, words);
        }
        match words {
            [one] if !one.is_empty() => {
                let split: Vec<String> = one.split_ascii_whitespace().map(str::to_owned).collect();
                (self.set)(settings, self, &split)
            }
            _ => (self.set)(settings, self, words),
        }
    }

    pub fn value(&self, settings: &Settings) -> String {
        (self.get)(settings, self)
    }

    /// The value as CONFIG GET shows it.
    pub fn shown(&self, settings: &Settings) -> String {
        self.brief.unwrap_or(self.get)(settings, self)
    }

    // The builders of the table's rows.

    pub const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
    pub const fn with(mut self, flags: Flags) -> Self {
        self.flags = self.flags.union(flags);
        self
    }
    pub const fn immutable(self) -> Self {
        self.with(Flags::IMMUTABLE)
    }
    pub const fn at_start(self) -> Self {
        self.with(Flags::AT_START)
    }
    pub const fn hidden(self) -> Self {
        self.with(Flags::HIDDEN)
    }
    pub const fn words(self) -> Self {
        self.with(Flags::WORDS)
    }
    pub const fn shown_as(mut self, brief: Getter) -> Self {
        self.brief = Some(brief);
        self
    }
    pub const fn on(mut self, lines: Lines) -> Self {
        self.lines = lines;
        self.words()
    }
}

/// A directive that works, with its place in the settings.
pub const fn directive(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    about: &'static str,
    (get, set): (Getter, Setter),
) -> Directive {
    Directive {
        name,
        aliases: &[],
        kind,
        default,
        flags: Flags::empty(),
        lines: Lines::One,
        about,
        effect: Effect::Full,
        get,
        brief: None,
        set,
    }
}

/// A directive that is accepted and shown again, and does nothing.
pub const fn inert(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Directive {
    Directive { effect: Effect::None, ..directive(name, kind, default, about, (get_kept, set_kept)) }
}

/// A directive of a feature that is not here: only its default is accepted.
pub const fn refused(name: &'static str, kind: Kind, default: &'static str, reason: &'static str) -> Directive {
    Directive {
        effect: Effect::Refused(reason),
        ..directive(name, kind, default, reason, (get_kept, set_default_only))
    }
}

/// The values of directives that have no place of their own, where they differ from the default.
pub type Kept = BTreeMap<&'static str, String>;

fn get_kept(settings: &Settings, directive: &Directive) -> String {
    match settings.kept.get(directive.name) {
        Some(value) => value.clone(),
        None => canonical(directive, &[directive.default.to_owned()]).unwrap_or_default(),
    }
}

fn set_kept(settings: &mut Settings, directive: &Directive, words: &[String]) -> Result<(), Reason> {
    let value = canonical(directive, words)?;
    settings.kept.insert(directive.name, value);
    Ok(())
}

fn set_default_only(_: &mut Settings, directive: &Directive, words: &[String]) -> Result<(), Reason> {
    let default = canonical(directive, &[directive.default.to_owned()])?;
    if canonical(directive, words)? == default {
        return Ok(());
    }
    match directive.effect {
        Effect::Refused(reason) => Err(reason.into()),
        _ => Ok(()),
    }
}

/// The words as CONFIG GET shows them: checked, and with units and case resolved.
fn canonical(directive: &Directive, words: &[String]) -> Result<String, Reason> {
    let one = words.first().map_or("", String::as_str);
    Ok(match directive.kind {
        Kind::YesNo => if yes_no(one)? { "yes" } else { "no" }.to_owned(),
        Kind::Integer(..) => integer(directive.kind, one)?.to_string(),
        Kind::Memory(..) => memory(directive.kind, one)?.to_string(),
        Kind::MemoryOrPercent => memory_or_percent(one)?,
        Kind::Octal(max) => format!("{:o}", octal(one, max)?),
        Kind::Choice(choices) => choice(choices, words)?.join(" "),
        Kind::Text | Kind::Special(_) => words.join(" "),
    })
}

pub fn yes_no(word: &str) -> Result<bool, Reason> {
    match word.to_ascii_lowercase().as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("argument must be 'yes' or 'no'".into()),
    }
}

/// A whole number as Redis reads it: no sign but `-`, no leading zero, no space.
pub fn strict_integer(word: &str) -> Option<i64> {
    let n: i64 = word.parse().ok()?;
    (n.to_string() == word).then_some(n)
}

pub fn integer(kind: Kind, word: &str) -> Result<i64, Reason> {
    let n = strict_integer(word).ok_or("argument couldn't be parsed into an integer")?;
    match kind {
        Kind::Integer(min, max) if !(min..=max).contains(&n) => {
            Err(format!("argument must be between {min} and {max} inclusive").into())
        }
        _ => Ok(n),
    }
}

pub fn memory(kind: Kind, word: &str) -> Result<u64, Reason> {
    let bytes = bytes(word).ok_or("argument must be a memory value")?;
    match kind {
        Kind::Memory(min, max) if !(min..=max).contains(&bytes) => {
            Err(format!("argument must be between {min} and {max} inclusive").into())
        }
        _ => Ok(bytes),
    }
}

/// A number of bytes with an optional unit: powers of 1000 without `b`, of 1024 with it.
pub fn bytes(word: &str) -> Option<u64> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = word.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    // As in Redis: no digits are none, and what is too large is as large as can be.
    let number = if number.is_empty() { 0 } else { number.parse().unwrap_or(u64::MAX) };
    (!word.starts_with('-')).then(|| number.saturating_mul(factor))
}

pub fn memory_or_percent(word: &str) -> Result<String, Reason> {
    if let Some(bytes) = bytes(word) {
        return Ok(bytes.to_string());
    }
    let percent = word.strip_suffix('%').and_then(strict_integer).filter(|percent| *percent >= 0);
    match percent {
        Some(percent) if percent > 100 => Err("percentage argument must be less or equal to 100".into()),
        Some(percent) => Ok(format!("{percent}%")),
        None => Err("argument must be a memory or percent value".into()),
    }
}

pub fn octal(word: &str, max: u32) -> Result<u32, Reason> {
    let mode = u32::from_str_radix(word, 8).map_err(|_| "argument couldn't be parsed as an octal number")?;
    if mode > max {
        return Err(format!("argument must be between 0 and {max:o} inclusive").into());
    }
    Ok(mode)
}

/// The choices that the words name, in the choices' own spelling.
pub fn choice(choices: &'static [&'static str], words: &[String]) -> Result<Vec<&'static str>, Reason> {
    let found = words.iter().map(|word| choices.iter().copied().find(|choice| choice.eq_ignore_ascii_case(word)));
    match found.collect::<Option<Vec<_>>>() {
        Some(found) if !found.is_empty() => Ok(found),
        _ => Err(format!("argument(s) must be one of the following: {}", choices.join(", ")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_memory() {
        assert_eq!(bytes("100"), Some(100));
        assert_eq!(bytes("1k"), Some(1000));
        assert_eq!(bytes("1KB"), Some(1024));
        assert_eq!(bytes("2gb"), Some(2 << 30));
        assert_eq!(bytes("3M"), Some(3_000_000));
        assert_eq!(bytes("-1"), None);
        assert_eq!(bytes(""), Some(0));
        assert_eq!(bytes("1tb"), None);
        assert_eq!(bytes("99999999999gb"), Some(u64::MAX));
    }

    #[test]
    fn percentages() {
        assert_eq!(memory_or_percent("5%").unwrap(), "5%");
        assert_eq!(memory_or_percent("1kb").unwrap(), "1024");
        assert!(memory_or_percent("101%").is_err());
        assert!(memory_or_percent("-1%").is_err());
    }

    #[test]
    fn integers_are_strict() {
        assert_eq!(strict_integer("-2"), Some(-2));
        assert_eq!(strict_integer("+2"), None);
        assert_eq!(strict_integer("02"), None);
        assert_eq!(strict_integer(" 2"), None);
    }
}
