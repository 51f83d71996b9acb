//! Keys of any type: existence, names, times to live, walks, DUMP and RESTORE.

pub mod dump;
mod expire;
mod generic;
mod migrate;
mod object;
mod scan;

use crate::command::spec::{Acl, Flags, KeyFlags, KeySpec, Reach, Spec};
pub use generic::database;

const READ: Flags = Flags::READONLY;
const FAST_READ: Flags = Flags::READONLY.union(Flags::FAST);
const FAST_WRITE: Flags = Flags::WRITE.union(Flags::FAST);
const ACL_READ: Acl = Acl::KEYSPACE.union(Acl::READ);
const ACL_WRITE: Acl = Acl::KEYSPACE.union(Acl::WRITE);
/// A key whose value is not looked at.
const LOOK: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO)];
/// One of which something is told that was given with it.
const READ_KEY: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))];
const LOOK_ALL: &[KeySpec] = &[KeySpec::range(1, -1, 1, KeyFlags::RO)];
const UPDATE: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))];
const REMOVE_ALL: &[KeySpec] = &[KeySpec::range(1, -1, 1, KeyFlags::RM.union(KeyFlags::DELETE))];
const MOVED: KeySpec = KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE));
const FLUSH: Flags = Flags::WRITE.union(Flags::ALL_SHARDS);
const RANDOM: &[&str] = &["nondeterministic_output"];

/// A row of this family; the rest of its fields are given by the caller.
const fn row(name: &'static str, arity: i32, flags: Flags, acl: Acl, summary: &'static str) -> Spec {
    let speed = if flags.contains(Flags::FAST) { Acl::FAST } else { Acl::SLOW };
    Spec { name, arity, flags, acl: acl.union(speed), group: "generic", summary, ..Spec::DEFAULT }
}

pub static COMMANDS: &[Spec] = &[
    Spec {
        keys: REMOVE_ALL,
        syntax: "key [key ...]",
        complexity: "O(N) where N is the number of keys",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        handler: generic::del,
        ..row("del", -2, Flags::WRITE, ACL_WRITE, "Removes keys; answers how many there were.")
    },
    Spec {
        keys: REMOVE_ALL,
        since: "4.0.0",
        syntax: "key [key ...]",
        complexity: "O(1) for each key",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        handler: generic::del,
        ..row("unlink", -2, FAST_WRITE, ACL_WRITE, "Removes keys; their memory is freed in bounded steps.")
    },
    Spec {
        keys: LOOK_ALL,
        syntax: "key [key ...]",
        complexity: "O(N) where N is the number of keys",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        handler: generic::exists,
        ..row("exists", -2, FAST_READ, ACL_READ, "Counts which of the keys exist.")
    },
    Spec {
        keys: LOOK_ALL,
        since: "3.2.1",
        syntax: "key [key ...]",
        complexity: "O(N) where N is the number of keys",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        handler: generic::touch,
        ..row("touch", -2, FAST_READ, ACL_READ, "Marks keys as used; answers how many exist.")
    },
    Spec {
        keys: LOOK,
        syntax: "key",
        handler: generic::kind,
        ..row("type", 2, FAST_READ, ACL_READ, "Answers the type of the value at a key.")
    },
    Spec {
        keys: &[MOVED, KeySpec::one(2, KeyFlags::OW.union(KeyFlags::UPDATE))],
        syntax: "key newkey",
        reach: Reach::All,
        handler: generic::rename,
        ..row("rename", 3, Flags::WRITE, ACL_WRITE, "Gives a key another name, over whatever has it.")
    },
    Spec {
        keys: &[MOVED, KeySpec::one(2, KeyFlags::OW.union(KeyFlags::INSERT))],
        syntax: "key newkey",
        reach: Reach::All,
        handler: generic::renamenx,
        ..row("renamenx", 3, FAST_WRITE, ACL_WRITE, "Gives a key another name if nothing has it.")
    },
    Spec {
        keys: &[
            KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS)),
            KeySpec::one(2, KeyFlags::OW.union(KeyFlags::UPDATE)),
        ],
        since: "6.2.0",
        syntax: "source destination [DB destination-db] [REPLACE]",
        complexity: "O(N) in the size of the value",
        reach: Reach::AsItRuns,
        handler: generic::copy,
        ..row("copy", -3, Flags::WRITE.union(Flags::DENYOOM), ACL_WRITE, "Copies a value to another key.")
    },
    Spec {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        syntax: "key db",
        reach: Reach::AsItRuns,
        handler: generic::move_key,
        ..row("move", 3, FAST_WRITE, ACL_WRITE, "Moves a key to another database.")
    },
    Spec {
        tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
        handler: generic::randomkey,
        ..row("randomkey", 1, READ, ACL_READ, "Answers some key, each as likely as another.")
    },
    Spec {
        group: "server",
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        handler: generic::dbsize,
        ..row("dbsize", 1, FAST_READ, ACL_READ, "Counts the keys of the database.")
    },
    Spec {
        group: "server",
        syntax: "[ASYNC | SYNC]",
        complexity: "O(N) where N is the number of keys",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        handler: generic::flushdb,
        ..row("flushdb", -1, FLUSH, ACL_WRITE.union(Acl::DANGEROUS), "Removes every key of the database.")
    },
    Spec {
        group: "server",
        syntax: "[ASYNC | SYNC]",
        complexity: "O(N) where N is the number of keys",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        handler: generic::flushall,
        ..row("flushall", -1, FLUSH, ACL_WRITE.union(Acl::DANGEROUS), "Removes every key of every database.")
    },
    Spec {
        group: "server",
        since: "4.0.0",
        syntax: "index1 index2",
        complexity: "O(N) in the number of watched keys and of index segments",
        handler: generic::swapdb,
        ..row(
            "swapdb",
            3,
            FAST_WRITE.union(Flags::ALL_SHARDS),
            ACL_WRITE.union(Acl::DANGEROUS),
            "Exchanges two databases.",
        )
    },
    Spec {
        syntax: "pattern",
        complexity: "O(N) where N is the number of keys in the database",
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        handler: scan::keys,
        ..row("keys", 2, READ, ACL_READ.union(Acl::DANGEROUS), "Lists the keys that match a pattern.")
    },
    Spec {
        since: "2.8.0",
        syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
        complexity: "O(1) for every call, O(N) for a whole walk over N keys",
        tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
        handler: scan::scan,
        ..row("scan", -2, READ, ACL_READ, "Walks over the keys of the database, a few at a time.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key",
        tips: RANDOM,
        handler: expire::ttl,
        ..row("ttl", 2, FAST_READ, ACL_READ, "Answers how many seconds a key has left.")
    },
    Spec {
        keys: READ_KEY,
        since: "2.6.0",
        syntax: "key",
        tips: RANDOM,
        handler: expire::pttl,
        ..row("pttl", 2, FAST_READ, ACL_READ, "Answers how many milliseconds a key has left.")
    },
    Spec {
        keys: READ_KEY,
        since: "7.0.0",
        syntax: "key",
        handler: expire::expiretime,
        ..row("expiretime", 2, FAST_READ, ACL_READ, "Answers at which Unix time, in seconds, a key expires.")
    },
    Spec {
        keys: READ_KEY,
        since: "7.0.0",
        syntax: "key",
        handler: expire::pexpiretime,
        ..row("pexpiretime", 2, FAST_READ, ACL_READ, "Answers at which Unix time, in milliseconds, a key expires.")
    },
    Spec {
        keys: UPDATE,
        since: "2.2.0",
        syntax: "key",
        handler: expire::persist,
        ..row("persist", 2, FAST_WRITE, ACL_WRITE, "Takes a key's time to live away.")
    },
    Spec {
        keys: UPDATE,
        syntax: "key seconds [NX | XX | GT | LT]",
        handler: expire::expire,
        ..row("expire", -3, FAST_WRITE, ACL_WRITE, "Lets a key expire after some seconds.")
    },
    Spec {
        keys: UPDATE,
        since: "2.6.0",
        syntax: "key milliseconds [NX | XX | GT | LT]",
        handler: expire::pexpire,
        ..row("pexpire", -3, FAST_WRITE, ACL_WRITE, "Lets a key expire after some milliseconds.")
    },
    Spec {
        keys: UPDATE,
        since: "1.2.0",
        syntax: "key unix-time-seconds [NX | XX | GT | LT]",
        handler: expire::expireat,
        ..row("expireat", -3, FAST_WRITE, ACL_WRITE, "Lets a key expire at a Unix time in seconds.")
    },
    Spec {
        keys: UPDATE,
        since: "2.6.0",
        syntax: "key unix-time-milliseconds [NX | XX | GT | LT]",
        handler: expire::pexpireat,
        ..row("pexpireat", -3, FAST_WRITE, ACL_WRITE, "Lets a key expire at a Unix time in milliseconds.")
    },
    Spec {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        since: "2.6.0",
        syntax: "key",
        complexity: "O(N) in the size of the value",
        tips: RANDOM,
        handler: dump::dump,
        ..row("dump", 2, READ, ACL_READ, "Answers a key's value in Redis's serialisation.")
    },
    Spec {
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE))],
        since: "2.6.0",
        syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
        complexity: "O(N) in the size of the value",
        handler: dump::restore,
        ..row(
            "restore",
            -4,
            Flags::WRITE.union(Flags::DENYOOM),
            ACL_WRITE.union(Acl::DANGEROUS),
            "Creates a key from what DUMP answered.",
        )
    },
    Spec {
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE))],
        since: "3.0.0",
        syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
        complexity: "O(N) in the size of the value",
        handler: dump::restore,
        ..row(
            "restore-asking",
            -4,
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::ASKING),
            ACL_WRITE.union(Acl::DANGEROUS),
            "Creates a key from what DUMP answered, for a slot on its way.",
        )
    },
    Spec {
        keys: migrate::KEYS,
        since: "2.6.0",
        syntax: "host port <key | \"\"> destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password] \
                 [KEYS key [key ...]]",
        complexity: "O(N) in the size of the values",
        tips: RANDOM,
        reach: Reach::All,
        handler: migrate::migrate,
        ..row(
            "migrate",
            -6,
            Flags::WRITE.union(Flags::MOVABLEKEYS),
            ACL_WRITE.union(Acl::DANGEROUS),
            "Moves keys to another server.",
        )
    },
    Spec {
        since: "2.2.3",
        complexity: "Depends on subcommand.",
        subcommands: object::SUBCOMMANDS,
        ..row("object", -2, Flags::CONTAINER, Acl::empty(), "Holds the commands that look at how a value is stored.")
    },
];
