//! What a command is: one row per command, from which COMMAND, COMMAND DOCS, GETKEYS, ACL, the
//! locking and the out-of-memory gate are derived. No other file matches on a command's name.

use super::{Args, Context, error::CommandResult};

pub type Handler = fn(&mut Context<'_>, &Args<'_>) -> CommandResult;

bitflags::bitflags! {
    /// Redis's command flags (`COMMAND INFO` prints the lower-case names).
    #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
    pub struct Flags: u32 {
        const WRITE = 1 << 0;
        const READONLY = 1 << 1;
        const DENYOOM = 1 << 2;
        const ADMIN = 1 << 3;
        const PUBSUB = 1 << 4;
        const NOSCRIPT = 1 << 5;
        const BLOCKING = 1 << 6;
        const LOADING = 1 << 7;
        const STALE = 1 << 8;
        const SKIP_MONITOR = 1 << 9;
        const SKIP_SLOWLOG = 1 << 10;
        const FAST = 1 << 11;
        const NO_AUTH = 1 << 12;
        const MAY_REPLICATE = 1 << 13;
        const NO_MULTI = 1 << 14;
        const MOVABLEKEYS = 1 << 15;
        const ALLOW_BUSY = 1 << 16;
        const NO_ASYNC_LOADING = 1 << 17;
        const PROTECTED = 1 << 18;
        const NO_MANDATORY_KEYS = 1 << 19;
        const ASKING = 1 << 28;
        /// Ours: the command works on the whole keyspace, so every shard is locked for it.
        const ALL_SHARDS = 1 << 20;
        /// Ours: a container command without a behaviour of its own; only its subcommands run.
        const CONTAINER = 1 << 21;
        /// Ours: runs at once inside MULTI instead of being queued.
        const NOT_QUEUED = 1 << 22;
        /// Ours: allowed to a RESP2 connection that has subscriptions.
        const IN_SUBSCRIBER = 1 << 23;
        /// Ours: the shards of the queued commands' keys are locked (EXEC).
        const QUEUED_KEYS = 1 << 24;
        /// Ours: the shards of the watched keys are locked.
        const WATCHED_KEYS = 1 << 25;
        /// Ours: a health check, refused like a write while snapshots fail (PING).
        const HEALTH_CHECK = 1 << 26;
        /// Ours: a container whose subcommands are neither shown nor counted apart (DEBUG).
        const OPAQUE = 1 << 27;
        /// Ours: runs a script, which calls other commands.
        const SCRIPT = 1 << 29;
        /// Ours: looks at no key, and needs no shard even in a transaction or a script (TIME).
        const NO_SHARDS = 1 << 30;
    }
}

bitflags::bitflags! {
    /// ACL categories.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Acl: u32 {
        const KEYSPACE = 1 << 0;
        const READ = 1 << 1;
        const WRITE = 1 << 2;
        const SET = 1 << 3;
        const SORTEDSET = 1 << 4;
        const LIST = 1 << 5;
        const HASH = 1 << 6;
        const STRING = 1 << 7;
        const BITMAP = 1 << 8;
        const HYPERLOGLOG = 1 << 9;
        const GEO = 1 << 10;
        const STREAM = 1 << 11;
        const PUBSUB = 1 << 12;
        const ADMIN = 1 << 13;
        const FAST = 1 << 14;
        const SLOW = 1 << 15;
        const BLOCKING = 1 << 16;
        const DANGEROUS = 1 << 17;
        const CONNECTION = 1 << 18;
        const TRANSACTION = 1 << 19;
        const SCRIPTING = 1 << 20;
        const ARRAY = 1 << 21;
    }
}

bitflags::bitflags! {
    /// How a key specification uses its keys (COMMAND INFO's key-spec flags).
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct KeyFlags: u16 {
        const RO = 1 << 0;
        const RW = 1 << 1;
        const OW = 1 << 2;
        const RM = 1 << 3;
        const ACCESS = 1 << 4;
        const UPDATE = 1 << 5;
        const INSERT = 1 << 6;
        const DELETE = 1 << 7;
        const NOT_KEY = 1 << 8;
        const INCOMPLETE = 1 << 9;
        const VARIABLE_FLAGS = 1 << 10;
    }
}

#[derive(Clone, Copy, Debug)]
pub enum BeginSearch {
    Index(i32),
    Keyword {
        word: &'static str,
        start_from: i32,
    },
    /// Ours: the last time that `word` stands as an option, where other options take so many words each. To clients, who
    /// have no name for it, it is unknown.
    Option {
        word: &'static str,
        start_from: usize,
        others: &'static [(&'static str, usize)],
    },
    Unknown,
}

#[derive(Clone, Copy, Debug)]
pub enum FindKeys {
    /// `last` is relative to the first key; negative counts from the end. `limit` as in Redis.
    Range {
        last: i32,
        step: i32,
        limit: i32,
    },
    KeyNum {
        keynum_index: i32,
        first_key: i32,
        step: i32,
    },
    Unknown,
}

#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    pub flags: KeyFlags,
    pub begin: BeginSearch,
    pub find: FindKeys,
}

impl KeySpec {
    /// One key at argument `index`.
    pub const fn one(index: i32, flags: KeyFlags) -> Self {
        KeySpec::range(index, 0, 1, flags)
    }
    pub const fn range(index: i32, last: i32, step: i32, flags: KeyFlags) -> Self {
        KeySpec { flags, begin: BeginSearch::Index(index), find: FindKeys::Range { last, step, limit: 0 } }
    }

    /// Whether no argument's text says where the keys stand.
    pub fn is_in_fixed_place(&self) -> bool {
        matches!((self.begin, self.find), (BeginSearch::Index(_), FindKeys::Range { .. }))
    }
}

/// The channels among a command's arguments that a user must have access to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChannelUse {
    None,
    /// The first argument.
    Publish,
    /// All arguments.
    Subscribe,
    /// All arguments are patterns.
    Patterns,
}

/// Which arguments are stored as they are, each as the string at a key: a large one is received where it is to lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    pub first: usize,
    /// From one to the next; 0 when there is only one.
    pub step: usize,
    /// How many arguments before it its key is.
    pub key_before: usize,
}

impl Stored {
    /// The key of the argument `index`, if that is stored.
    pub fn key_of(self, index: usize) -> Option<usize> {
        let after = index.checked_sub(self.first)?;
        let is_stored = after == 0 || self.step > 0 && after.is_multiple_of(self.step);
        is_stored.then(|| index - self.key_before)
    }
}

/// Where in the values of its keys a command that writes may come to, beside their ends.
#[derive(Clone, Copy, Debug)]
pub enum Reach {
    /// By its words if it is fast or waits, which Redis says of those whose time does not grow with the value; else anywhere
    /// in a collection.
    ByFlags,
    /// To nothing else.
    Ends,
    /// To as many elements at each end as its last word says, if that is a number.
    Pops,
    /// To the ranks that these arguments are.
    Ranks(&'static [usize]),
    /// To ranks that are drawn: one, or as many as this argument says.
    Drawn(usize),
    /// To all of them, whatever they are.
    All,
    /// To the entries that a group is given and that are pending with it: as many as the argument after COUNT says, or else
    /// `unsaid`; and each that is wanted may be looked for so many times.
    Gives { unsaid: u64, tries: u64 },
    /// To all that its handler reads, which stops at its first change while it only looks (`Locked::is_looking`).
    AsItRuns,
}

/// One command or subcommand.
pub struct Spec {
    /// Lower case; for a subcommand only its own word (`setname`).
    pub name: &'static str,
    /// As in Redis: positive exact, negative minimum; counts the name (and the subcommand's).
    pub arity: i32,
    pub flags: Flags,
    pub acl: Acl,
    pub keys: &'static [KeySpec],
    /// Redis's group names: `string`, `generic`, `connection`, `server`, `transactions`, ...
    pub group: &'static str,
    pub since: &'static str,
    pub summary: &'static str,
    pub complexity: &'static str,
    /// The syntax after the name, in the notation of redis-cli's hints:
    /// `key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL]`, `key [key ...]`.
    /// COMMAND DOCS's argument tree is parsed from it.
    pub syntax: &'static str,
    /// For keys with `VARIABLE_FLAGS`: what a request really does with them.
    pub vary: fn(&Args<'_>, KeyFlags) -> KeyFlags,
    /// Which arguments are channels, for what users may do.
    pub channels: ChannelUse,
    /// Which arguments are stored as they are.
    pub stored: Option<Stored>,
    /// If it writes: where in its keys' values it may come to.
    pub reach: Reach,
    pub tips: &'static [&'static str],
    pub subcommands: &'static [Spec],
    pub handler: Handler,
}

impl Spec {
    /// The ACL categories: the row's own and those that follow from its flags.
    pub fn categories(&self) -> Acl {
        let follow = [
            (Flags::WRITE, Acl::WRITE),
            (Flags::ADMIN, Acl::ADMIN.union(Acl::DANGEROUS)),
            (Flags::PUBSUB, Acl::PUBSUB),
            (Flags::BLOCKING, Acl::BLOCKING),
        ];
        let mut acl =
            follow.iter().filter(|(flag, _)| self.flags.contains(*flag)).fold(self.acl, |acl, (_, c)| acl | *c);
        if self.flags.contains(Flags::READONLY) && !acl.contains(Acl::SCRIPTING) {
            acl |= Acl::READ;
        }
        acl | if self.flags.contains(Flags::FAST) { Acl::FAST } else { Acl::SLOW }
    }

    /// Filled in by `..Spec::DEFAULT`.
    pub const DEFAULT: Spec = Spec {
        name: "",
        arity: 1,
        flags: Flags::empty(),
        acl: Acl::empty(),
        keys: &[],
        group: "generic",
        since: "1.0.0",
        summary: "",
        complexity: "O(1)",
        syntax: "",
        vary: |_, flags| flags,
        channels: ChannelUse::None,
        stored: None,
        reach: Reach::ByFlags,
        tips: &[],
        subcommands: &[],
        handler: |cx, _| {
            cx.reply.ok();
            Ok(())
        },
    };
}
