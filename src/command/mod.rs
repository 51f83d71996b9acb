//! Commands: parse the arguments, act on the keyspace, reply. A family file holds the rows of its
//! commands and their handlers; `dispatch` is the one way in.

pub mod acl;
mod ahead;
pub mod args;
pub mod blocking;
pub mod client;
pub mod client_list;
pub mod client_memory;
pub mod clients;
pub mod dispatch;
pub mod error;
pub mod family;
pub mod handle;
pub mod hub;
pub mod keys;
pub mod lifecycle;
pub mod monitors;
pub mod notify;
pub mod pause;
pub mod redis_file;
pub mod reply;
pub mod script;
pub mod shared;
pub mod hot_keys;
pub mod latency;
pub mod shutdown;
pub mod command_log;
pub mod courier;
pub mod spec;
pub mod table;
pub mod replay;
pub mod tracking;
pub mod transaction;

use crate::{keyspace::Locked, util::clock::UnixMillis};
pub use client::{Client, ReplyMode};
pub use dispatch::{Block, Flow};
pub use error::{CommandResult, Error};
pub use handle::{ClientHandle, Mail};
pub use reply::{Protocol, Reply, ReplyBuffer};
pub use shared::Shared;
pub use table::Command;

/// The version of Redis whose commands these are; clients choose their features by it.
pub const COMPATIBLE_VERSION: &str = "7.4.0";

/// The words of one command; `args[0]` is its name as the client wrote it.
pub type Args<'a> = [&'a [u8]];

/// All a handler may touch.
pub struct Context<'a> {
    pub shared: &'a Shared,
    pub client: &'a mut Client,
    pub reply: &'a mut dyn Reply,
    /// The shards of this command's keys, locked (all of them for `ALL_SHARDS`, none when it has
    /// no keys), for this command or for the whole EXEC around it.
    pub keys: Locked<'a>,
    /// The time of this command (of the whole EXEC inside a transaction).
    pub now: UnixMillis,
    /// The command that is running, and its row.
    pub command: &'static Command,
    pub spec: &'static spec::Spec,
}

impl Context<'_> {
    /// Hides an argument from MONITOR and SLOWLOG: it is a secret.
    pub fn redact(&mut self, argument: usize) {
        self.client.redacted.push(argument);
    }

    /// Whether what changes is kept, so that it is worth while to say how.
    pub fn keeps(&self) -> bool {
        self.shared.keyspace.log().is_on()
    }

    /// What the command has changed is to be kept as another command that does just that: by itself it might do
    /// something else the next time.
    pub fn keep(&mut self, words: &Args<'_>) {
        if self.keeps() {
            self.client.kept.push(self.client.db, words);
        }
    }

    /// The locks are about to be given back: what has changed is kept now.
    pub fn keep_at_once(&mut self, words: &Args<'_>) {
        self.keep(words);
        self.hand_to_log();
        self.tell_changes();
    }

    /// Gives the log what is to be kept.
    fn hand_to_log(&mut self) {
        self.keys.keep(&self.client.kept);
        self.client.kept.clear();
        self.client.has_written = true;
    }

    /// Gives the locks back and takes all. Nothing must have been changed before, and the command must not be part of a
    /// transaction (which holds all that it may need).
    pub fn lock_all(&mut self) {
        let keyspace = &self.shared.keyspace;
        if self.keys.set() != keyspace.all_shards() {
            self.keys.release();
            self.keys = keyspace.lock(keyspace.all_shards(), self.now);
        }
    }

    /// Whether a time to live that ends then has ended already. In `import-mode` none has: the
    /// server that is imported from says so.
    pub fn has_passed(&self, at: UnixMillis) -> bool {
        at <= self.now && !self.client.settings.import_mode
    }
}
