//! The types of the settings, and how each is read from words and shown again.

use super::{
    directive::{self, Kind},
    reason::Reason,
};

/// A type a field of `Settings` may have.
pub trait Value: Sized {
    fn read(kind: Kind, words: &[String]) -> Result<Self, Reason>;
    fn show(&self) -> String;
}

fn first(words: &[String]) -> &str {
    words.first().map_or("", String::as_str)
}

impl Value for bool {
    fn read(_: Kind, words: &[String]) -> Result<Self, Reason> {
        directive::yes_no(first(words))
    }
    fn show(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }
}

impl Value for String {
    fn read(_: Kind, words: &[String]) -> Result<Self, Reason> {
        Ok(words.join(" "))
    }
    fn show(&self) -> String {
        self.clone()
    }
}

/// A row's bounds fit its field; should they not, that is an error and not another number.
fn narrow<T, U: TryFrom<T>>(number: T) -> Result<U, Reason> {
    number.try_into().map_err(|_| "argument is out of range".into())
}

/// Numbers: the kind says whether units are allowed and within which bounds.
macro_rules! number {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn read(kind: Kind, words: &[String]) -> Result<Self, Reason> {
                match kind {
                    Kind::Memory(..) => narrow(directive::memory(kind, first(words))?),
                    Kind::Octal(max) => narrow(directive::octal(first(words), max)?),
                    _ => narrow(directive::integer(kind, first(words))?),
                }
            }
            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
number!(u8, u16, u32, u64, usize, i64);

/// How much all clients may hold together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientMemory {
    /// 0: no limit.
    Bytes(u64),
    /// Of `maxmemory`; without one, no limit.
    Percent(u8),
}

impl ClientMemory {
    pub fn limit(self, maxmemory: u64) -> Option<u64> {
        let bytes = match self {
            ClientMemory::Bytes(bytes) => bytes,
            ClientMemory::Percent(percent) => maxmemory / 100 * u64::from(percent),
        };
        (bytes > 0).then_some(bytes)
    }
}

impl Default for ClientMemory {
    fn default() -> Self {
        ClientMemory::Bytes(0)
    }
}

impl Value for ClientMemory {
    fn read(_: Kind, words: &[String]) -> Result<Self, Reason> {
        let text = directive::memory_or_percent(first(words))?;
        Ok(match text.strip_suffix('%') {
            Some(percent) => ClientMemory::Percent(percent.parse().unwrap_or(100)),
            None => ClientMemory::Bytes(text.parse().unwrap_or(u64::MAX)),
        })
    }
    fn show(&self) -> String {
        match self {
            ClientMemory::Bytes(bytes) => bytes.to_string(),
            ClientMemory::Percent(percent) => format!("{percent}%"),
        }
    }
}

/// File permissions of the Unix socket.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Mode(pub u32);

impl Value for Mode {
    fn read(kind: Kind, words: &[String]) -> Result<Self, Reason> {
        u32::read(kind, words).map(Mode)
    }
    fn show(&self) -> String {
        format!("{:o}", self.0)
    }
}

/// An enumeration whose variants are the words of a `Kind::Choice`.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name { $($(#[$of])* $variant),* }

        impl $name {
            pub const NAMES: &'static [&'static str] = &[$($word),*];
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|choice| choice.name().eq_ignore_ascii_case(name))
            }
        }

        impl Value for $name {
            fn read(_: Kind, words: &[String]) -> Result<Self, Reason> {
                let name = match words {
                    [one] => directive::choice(Self::NAMES, std::slice::from_ref(one))?,
                    _ => directive::choice(Self::NAMES, &[])?,
                };
                name.first().and_then(|name| Self::from_name(name)).ok_or(Reason::from("unknown choice"))
            }
            fn show(&self) -> String {
                self.name().to_owned()
            }
        }
    };
}

choice! {
    /// Which keys give way when `maxmemory` is reached.
    Policy {
        VolatileLru = "volatile-lru",
        VolatileLfu = "volatile-lfu",
        /// Least recently modified: to be read keeps no key.
        VolatileLrm = "volatile-lrm",
        VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl",
        AllkeysLru = "allkeys-lru",
        AllkeysLfu = "allkeys-lfu",
        AllkeysLrm = "allkeys-lrm",
        AllkeysRandom = "allkeys-random",
        NoEviction = "noeviction",
        /// New keys are on probation until they are asked for again.
        AllkeysS3Fifo = "allkeys-s3fifo",
        VolatileS3Fifo = "volatile-s3fifo",
    }
}

impl Policy {
    /// Whether OBJECT FREQ answers and OBJECT IDLETIME does not.
    pub fn is_lfu(self) -> bool {
        matches!(self, Policy::AllkeysLfu | Policy::VolatileLfu)
    }

    /// Whether it matters that a key was evicted before.
    pub fn remembers(self) -> bool {
        self.is_lfu() || matches!(self, Policy::AllkeysS3Fifo | Policy::VolatileS3Fifo)
    }

    /// Whether only changes count as use.
    pub fn is_lrm(self) -> bool {
        matches!(self, Policy::AllkeysLrm | Policy::VolatileLrm)
    }

    /// Whether only keys with a time to live may be evicted.
    pub fn is_volatile(self) -> bool {
        matches!(
            self,
            Policy::VolatileLru
                | Policy::VolatileLfu
                | Policy::VolatileLrm
                | Policy::VolatileRandom
                | Policy::VolatileTtl
                | Policy::VolatileS3Fifo
        )
    }
}

choice! {
    /// The least important line that is logged.
    LogLevel { Debug = "debug", Verbose = "verbose", Notice = "notice", Warning = "warning", Nothing = "nothing" }
}

choice! {
    /// Who is told that the server is ready.
    Supervised {
        No = "no",
        /// By stopping until continued.
        Upstart = "upstart",
        /// By a message to the socket that `NOTIFY_SOCKET` names.
        Systemd = "systemd",
        /// Whichever the environment speaks of.
        Auto = "auto",
    }
}

choice! {
    /// Whether the kernel is told how gladly to end the process when memory runs out.
    OomScoreAdj {
        No = "no",
        /// By an addition to what it was started with.
        Yes = "yes",
        Relative = "relative",
        Absolute = "absolute",
    }
}

/// For a server, a replica and a child; the last two are never needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OomValues(pub [i32; 3]);

impl Value for OomValues {
    fn read(_: Kind, words: &[String]) -> Result<Self, Reason> {
        let words: Vec<&str> = words.iter().flat_map(|word| word.split(' ')).collect();
        let [own, replica, child] = words[..] else { return Err("wrong number of arguments".into()) };
        let mut values = [0; 3];
        for (value, word) in values.iter_mut().zip([own, replica, child]) {
            let within = word.parse().ok().filter(|value| (-2000..=2000).contains(value));
            *value =
                within.ok_or(Reason::from("Invalid oom-score-adj-values, elements must be between -2000 and 2000."))?;
        }
        Ok(OomValues(values))
    }
    fn show(&self) -> String {
        self.0.map(|value| value.to_string()).join(" ")
    }
}

choice! {
    /// When the append-only file goes to the disk.
    AppendFsync { Everysec = "everysec", Always = "always", No = "no" }
}

choice! {
    LogFormat {
        /// One readable line per event.
        Text = "text",
        Json = "json",
    }
}

choice! {
    /// The channels of new users.
    PubsubDefault {
        None = "resetchannels",
        All = "allchannels",
    }
}

choice! {
    /// Who may use a guarded feature.
    Guard {
        No = "no",
        Yes = "yes",
        /// Connections from this machine.
        Local = "local",
    }
}

bitflags::bitflags! {
    /// How a signal stops the server; empty: save if `save` has rules.
    #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
    pub struct ShutdownOn: u8 {
        const SAVE = 1 << 0;
        const NOSAVE = 1 << 1;
        const NOW = 1 << 2;
        const FORCE = 1 << 3;
    }
}

impl ShutdownOn {
    pub const NAMES: &'static [&'static str] = &["default", "save", "nosave", "now", "force"];
}

impl Value for ShutdownOn {
    fn read(_: Kind, words: &[String]) -> Result<Self, Reason> {
        let mut on = ShutdownOn::empty();
        for name in directive::choice(Self::NAMES, words)? {
            on |= match name {
                "save" => ShutdownOn::SAVE,
                "nosave" => ShutdownOn::NOSAVE,
                "now" => ShutdownOn::NOW,
                "force" => ShutdownOn::FORCE,
                _ => ShutdownOn::empty(),
            };
        }
        if on.contains(ShutdownOn::SAVE | ShutdownOn::NOSAVE) {
            return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
        }
        Ok(on)
    }
    fn show(&self) -> String {
        let names: Vec<String> = self.iter_names().map(|(name, _)| name.to_ascii_lowercase()).collect();
        if names.is_empty() { "default".to_owned() } else { names.join(" ") }
    }
}

/// Save when this many changes were made and this much time has passed since the last save.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SaveRule {
    pub seconds: u64,
    pub changes: u64,
}

impl Value for Vec<SaveRule> {
    fn read(_: Kind, words: &[String]) -> Result<Self, Reason> {
        const INVALID: Reason = Reason::Borrowed("Invalid save parameters");
        if words.len() == 1 && first(words).is_empty() {
            return Ok(Vec::new());
        }
        let mut rules = Vec::new();
        for pair in words.chunks(2) {
            let [seconds, changes] = pair else {
                return Err(INVALID);
            };
            let rule = SaveRule {
                seconds: seconds.parse().map_err(|_| INVALID)?,
                changes: changes.parse().map_err(|_| INVALID)?,
            };
            if rule.seconds < 1 {
                return Err(INVALID);
            }
            rules.push(rule);
        }
        Ok(rules)
    }
    fn show(&self) -> String {
        let rules: Vec<String> = self.iter().map(|rule| format!("{} {}", rule.seconds, rule.changes)).collect();
        rules.join(" ")
    }
}

/// How much unread output a client may have before it is disconnected. Zero: no limit.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct OutputLimit {
    pub hard_bytes: u64,
    pub soft_bytes: u64,
    pub soft_seconds: u64,
}

/// One limit per class of client.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct OutputLimits {
    pub normal: OutputLimit,
    pub replica: OutputLimit,
    pub pubsub: OutputLimit,
}

impl OutputLimits {
    /// Changes the classes that the words name and leaves the others; all or nothing.
    pub fn update(&mut self, words: &[String]) -> Result<(), Reason> {
        const INVALID: Reason =
            Reason::Borrowed("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
        if words.iter().all(String::is_empty) {
            return Ok(());
        }
        let mut limits = *self;
        for group in words.chunks(4) {
            let [class, hard, soft, seconds] = group else {
                return Err("Wrong number of arguments in buffer limit configuration.".into());
            };
            let limit = match Self::class(class) {
                Some("normal") => &mut limits.normal,
                Some("slave") => &mut limits.replica,
                Some(_) => &mut limits.pubsub,
                None => {
                    return Err("Invalid client class specified in buffer limit configuration.".into());
                }
            };
            *limit = OutputLimit {
                hard_bytes: directive::bytes(hard).ok_or(INVALID)?,
                soft_bytes: directive::bytes(soft).ok_or(INVALID)?,
                soft_seconds: seconds.parse().map_err(|_| INVALID)?,
            };
        }
        *self = limits;
        Ok(())
    }

    /// A class by either of its names.
    pub fn class(name: &str) -> Option<&'static str> {
        match name.to_ascii_lowercase().as_str() {
            "normal" => Some("normal"),
            "slave" | "replica" => Some("slave"),
            "pubsub" => Some("pubsub"),
            _ => None,
        }
    }

    /// Each class with its limit. The replicas' class keeps its old name, which clients parse.
    pub fn classes(&self) -> [(&'static str, OutputLimit); 3] {
        [("normal", self.normal), ("slave", self.replica), ("pubsub", self.pubsub)]
    }

    pub fn show(&self) -> String {
        let classes = self
            .classes()
            .map(|(class, limit)| format!("{class} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds));
        classes.join(" ")
    }
}

/// The percentiles that INFO latencystats shows.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Percentiles(pub Vec<f64>);

impl Value for Percentiles {
    fn read(_: Kind, words: &[String]) -> Result<Self, Reason> {
        if words.len() == 1 && first(words).is_empty() {
            return Ok(Percentiles::default());
        }
        let mut percentiles = Vec::new();
        for word in words {
            // The text up to the first letter counts, as in Redis; out of range is out of range.
            match word.parse::<f64>() {
                Ok(percentile) if (0.0..=100.0).contains(&percentile) => percentiles.push(percentile),
                Ok(_) => {
                    return Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into());
                }
                Err(_) => return Err("Invalid latency-tracking-info-percentiles parameters".into()),
            }
        }
        Ok(Percentiles(percentiles))
    }
    fn show(&self) -> String {
        let texts: Vec<String> = self.0.iter().map(f64::to_string).collect();
        texts.join(" ")
    }
}

choice! {
    /// `rdb-version-check`.
    VersionCheck { Strict = "strict", Relaxed = "relaxed" }
}

choice! {
    /// `on-corrupt`: what a start does with an image that cannot be used.
    OnCorrupt { Refuse = "refuse", Quarantine = "quarantine", Empty = "empty" }
}

bitflags::bitflags! {
    /// `notify-keyspace-events`: which events are published, and on which channels.
    #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
    pub struct KeyspaceEvents: u32 {
        const KEYSPACE = 1 << 0;
        const KEYEVENT = 1 << 1;
        const GENERIC = 1 << 2;
        const STRING = 1 << 3;
        const LIST = 1 << 4;
        const SET = 1 << 5;
        const HASH = 1 << 6;
        const ZSET = 1 << 7;
        const EXPIRED = 1 << 8;
        const EVICTED = 1 << 9;
        const STREAM = 1 << 10;
        const KEY_MISS = 1 << 11;
        const MODULE = 1 << 12;
        const NEW = 1 << 13;
        const OVERWRITTEN = 1 << 14;
        const TYPE_CHANGED = 1 << 15;
        /// Channels that say which parts of a key an event is about.
        const SUBKEYSPACE = 1 << 16;
        const SUBKEYEVENT = 1 << 17;
        const SUBKEYSPACE_ITEM = 1 << 18;
        const SUBKEYSPACE_EVENT = 1 << 19;
        const ARRAY = 1 << 20;
        /// The channels of keys, and those of their parts.
        const KEYS = Self::KEYSPACE.bits() | Self::KEYEVENT.bits();
        const SUBKEYS = Self::SUBKEYSPACE.bits() | Self::SUBKEYEVENT.bits() | Self::SUBKEYSPACE_ITEM.bits()
            | Self::SUBKEYSPACE_EVENT.bits();
        /// What `A` stands for: all classes but misses, new keys and what is overwritten.
        const ALL = Self::GENERIC.bits() | Self::STRING.bits() | Self::LIST.bits() | Self::SET.bits()
            | Self::HASH.bits() | Self::ZSET.bits() | Self::EXPIRED.bits() | Self::EVICTED.bits()
            | Self::STREAM.bits() | Self::MODULE.bits() | Self::ARRAY.bits();
    }
}

impl KeyspaceEvents {
    /// The letters in the order in which they are shown.
    const LETTERS: [(char, KeyspaceEvents); 21] = [
        ('g', KeyspaceEvents::GENERIC),
        ('$', KeyspaceEvents::STRING),
        ('l', KeyspaceEvents::LIST),
        ('s', KeyspaceEvents::SET),
        ('h', KeyspaceEvents::HASH),
        ('z', KeyspaceEvents::ZSET),
        ('x', KeyspaceEvents::EXPIRED),
        ('e', KeyspaceEvents::EVICTED),
        ('t', KeyspaceEvents::STREAM),
        ('d', KeyspaceEvents::MODULE),
        ('a', KeyspaceEvents::ARRAY),
        ('n', KeyspaceEvents::NEW),
        ('o', KeyspaceEvents::OVERWRITTEN),
        ('c', KeyspaceEvents::TYPE_CHANGED),
        ('K', KeyspaceEvents::KEYSPACE),
        ('E', KeyspaceEvents::KEYEVENT),
        ('m', KeyspaceEvents::KEY_MISS),
        ('S', KeyspaceEvents::SUBKEYSPACE),
        ('T', KeyspaceEvents::SUBKEYEVENT),
        ('I', KeyspaceEvents::SUBKEYSPACE_ITEM),
        ('V', KeyspaceEvents::SUBKEYSPACE_EVENT),
    ];

    /// As CONFIG GET shows them: `A` hides the classes of which there is an event for each key, as in Redis.
    pub fn shown(self) -> String {
        let hidden = KeyspaceEvents::NEW | KeyspaceEvents::OVERWRITTEN | KeyspaceEvents::TYPE_CHANGED;
        if self.contains(KeyspaceEvents::ALL) { self.difference(hidden).show() } else { self.show() }
    }
}

impl Value for KeyspaceEvents {
    fn read(_: Kind, words: &[String]) -> Result<Self, Reason> {
        let mut events = KeyspaceEvents::empty();
        for letter in first(words).chars() {
            events |= match letter {
                'A' => KeyspaceEvents::ALL,
                _ => Self::LETTERS
                    .iter()
                    .find(|(own, _)| *own == letter)
                    .map(|(_, event)| *event)
                    .ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdnocaSTIV'.")?,
            };
        }
        Ok(events)
    }
    fn show(&self) -> String {
        let mut text = String::new();
        let mut rest = *self;
        if self.contains(KeyspaceEvents::ALL) {
            text.push('A');
            rest.remove(KeyspaceEvents::ALL);
        }
        text.extend(Self::LETTERS.iter().filter(|(_, event)| rest.contains(*event)).map(|(letter, _)| *letter));
        text
    }
}

/// The addresses to listen on: `*` all of IPv4, `::*` all of IPv6; a leading `-` allows failure.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct BindAddresses(pub Vec<BindAddress>);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BindAddress {
    pub address: String,
    /// Not available on this machine: go on without it.
    pub optional: bool,
}

impl std::fmt::Display for BindAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.optional { "-" } else { "" }, self.address)
    }
}

impl Value for BindAddresses {
    fn read(_: Kind, words: &[String]) -> Result<Self, Reason> {
        if words.len() > 16 {
            return Err("Too many bind addresses specified.".into());
        }
        let words = words.iter().filter(|word| !word.is_empty());
        Ok(BindAddresses(
            words
                .map(|word| match word.strip_prefix('-') {
                    Some(address) => BindAddress { address: address.to_owned(), optional: true },
                    None => BindAddress { address: word.clone(), optional: false },
                })
                .collect(),
        ))
    }
    fn show(&self) -> String {
        let words: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        words.join(" ")
    }
}
