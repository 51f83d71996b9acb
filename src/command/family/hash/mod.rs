//! Hashes.

mod expire;
mod extended;
mod fields;
mod random;
mod read;
mod write;

use crate::command::spec::{Acl, Flags, KeyFlags, KeySpec, Spec};

const READ: Flags = Flags::READONLY;
const FAST_READ: Flags = Flags::READONLY.union(Flags::FAST);
const CHANGE: Flags = Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST);
const FAST_WRITE: Flags = Flags::WRITE.union(Flags::FAST);
const READ_KEY: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))];
const LOOK_KEY: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO)];
const UPDATE_KEY: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))];
const INCREMENT_KEY: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))];
const ORDER: &[&str] = &["nondeterministic_output_order"];
const RANDOM: &[&str] = &["nondeterministic_output"];

const fn row(name: &'static str, arity: i32, flags: Flags, since: &'static str, summary: &'static str) -> Spec {
    Spec { name, arity, flags, acl: Acl::HASH, group: "hash", since, summary, ..Spec::DEFAULT }
}

pub static COMMANDS: &[Spec] = &[
    Spec {
        keys: UPDATE_KEY,
        syntax: "key field value [field value ...]",
        complexity: "O(N) for N fields",
        handler: write::hset,
        ..row("hset", -4, CHANGE, "2.0.0", "Sets fields of a hash.")
    },
    Spec {
        keys: UPDATE_KEY,
        syntax: "key field value [field value ...]",
        complexity: "O(N) for N fields",
        handler: write::hmset,
        ..row("hmset", -4, CHANGE, "2.0.0", "Sets fields of a hash.")
    },
    Spec {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))],
        syntax: "key field value",
        handler: write::hsetnx,
        ..row("hsetnx", 4, CHANGE, "2.0.0", "Sets a field that is not there yet.")
    },
    Spec {
        keys: INCREMENT_KEY,
        syntax: "key field increment",
        handler: write::hincrby,
        ..row("hincrby", 4, CHANGE, "2.0.0", "Adds to the integer in a field.")
    },
    Spec {
        keys: INCREMENT_KEY,
        syntax: "key field increment",
        handler: write::hincrbyfloat,
        ..row("hincrbyfloat", 4, CHANGE, "2.6.0", "Adds to the floating-point number in a field.")
    },
    Spec {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        syntax: "key field [field ...]",
        complexity: "O(N) for N fields",
        handler: write::hdel,
        ..row(
            "hdel",
            -3,
            Flags::WRITE.union(Flags::FAST),
            "2.0.0",
            "Removes fields of a hash, and the hash with the last one.",
        )
    },
    Spec {
        keys: READ_KEY,
        syntax: "key field",
        handler: read::hget,
        ..row("hget", 3, FAST_READ, "2.0.0", "Answers the value of a field.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key field [field ...]",
        complexity: "O(N) for N fields",
        handler: read::hmget,
        ..row("hmget", -3, FAST_READ, "2.0.0", "Answers the values of fields.")
    },
    Spec {
        keys: LOOK_KEY,
        syntax: "key field",
        handler: read::hexists,
        ..row("hexists", 3, FAST_READ, "2.0.0", "Answers whether a field is in a hash.")
    },
    Spec {
        keys: LOOK_KEY,
        syntax: "key field",
        handler: read::hstrlen,
        ..row("hstrlen", 3, FAST_READ, "3.2.0", "Answers the length of a field's value.")
    },
    Spec {
        keys: LOOK_KEY,
        syntax: "key",
        handler: read::hlen,
        ..row("hlen", 2, FAST_READ, "2.0.0", "Answers the number of fields.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key",
        complexity: "O(N) for N fields",
        tips: ORDER,
        handler: read::hgetall,
        ..row("hgetall", 2, READ, "2.0.0", "Answers all fields with their values.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key",
        complexity: "O(N) for N fields",
        tips: ORDER,
        handler: read::hkeys,
        ..row("hkeys", 2, READ, "2.0.0", "Answers all fields.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key",
        complexity: "O(N) for N fields",
        tips: ORDER,
        handler: read::hvals,
        ..row("hvals", 2, READ, "2.0.0", "Answers the values of all fields.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
        complexity: "O(COUNT) for each call",
        tips: RANDOM,
        handler: read::hscan,
        ..row("hscan", -3, READ, "2.8.0", "Walks the fields of a hash in steps.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key [count [WITHVALUES]]",
        complexity: "O(log N) for each field",
        tips: RANDOM,
        handler: random::hrandfield,
        ..row("hrandfield", -2, READ, "6.2.0", "Answers fields chosen at random.")
    },
    Spec {
        keys: UPDATE_KEY,
        syntax: "key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
        complexity: "O(N) for N fields",
        handler: expire::hexpire,
        ..row("hexpire", -6, FAST_WRITE, "7.4.0", "Gives fields a time to live in seconds.")
    },
    Spec {
        keys: UPDATE_KEY,
        syntax: "key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
        complexity: "O(N) for N fields",
        handler: expire::hpexpire,
        ..row("hpexpire", -6, FAST_WRITE, "7.4.0", "Gives fields a time to live in milliseconds.")
    },
    Spec {
        keys: UPDATE_KEY,
        syntax: "key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
        complexity: "O(N) for N fields",
        handler: expire::hexpireat,
        ..row("hexpireat", -6, FAST_WRITE, "7.4.0", "Sets when fields expire, in Unix seconds.")
    },
    Spec {
        keys: UPDATE_KEY,
        syntax: "key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
        complexity: "O(N) for N fields",
        handler: expire::hpexpireat,
        ..row("hpexpireat", -6, FAST_WRITE, "7.4.0", "Sets when fields expire, in Unix milliseconds.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key FIELDS numfields field [field ...]",
        complexity: "O(N) for N fields",
        tips: RANDOM,
        handler: expire::httl,
        ..row("httl", -5, FAST_READ, "7.4.0", "Answers the seconds that fields have to live.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key FIELDS numfields field [field ...]",
        complexity: "O(N) for N fields",
        tips: RANDOM,
        handler: expire::hpttl,
        ..row("hpttl", -5, FAST_READ, "7.4.0", "Answers the milliseconds that fields have to live.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key FIELDS numfields field [field ...]",
        complexity: "O(N) for N fields",
        handler: expire::hexpiretime,
        ..row("hexpiretime", -5, FAST_READ, "7.4.0", "Answers when fields expire, in Unix seconds.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key FIELDS numfields field [field ...]",
        complexity: "O(N) for N fields",
        handler: expire::hpexpiretime,
        ..row("hpexpiretime", -5, FAST_READ, "7.4.0", "Answers when fields expire, in Unix milliseconds.")
    },
    Spec {
        keys: UPDATE_KEY,
        syntax: "key FIELDS numfields field [field ...]",
        complexity: "O(N) for N fields",
        handler: expire::hpersist,
        ..row("hpersist", -5, FAST_WRITE, "7.4.0", "Lets fields live for ever.")
    },
    Spec {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        syntax: "key FIELDS numfields field [field ...]",
        complexity: "O(N) for N fields",
        handler: extended::hgetdel,
        ..row("hgetdel", -5, FAST_WRITE, "8.0.0", "Answers the values of fields and removes them.")
    },
    Spec {
        keys: INCREMENT_KEY,
        syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] FIELDS numfields field [field ...]",
        complexity: "O(N) for N fields",
        handler: extended::hgetex,
        ..row("hgetex", -5, FAST_WRITE, "8.0.0", "Answers the values of fields and sets when they expire.")
    },
    Spec {
        keys: UPDATE_KEY,
        syntax: "key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] FIELDS numfields field value [field value ...]",
        complexity: "O(N) for N fields",
        handler: extended::hsetex,
        ..row("hsetex", -6, CHANGE, "8.0.0", "Sets fields and when they expire.")
    },
];
