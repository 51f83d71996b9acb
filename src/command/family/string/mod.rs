//! Strings: GET, SET and what belongs to them.

mod change;
mod condition;
mod get;
mod increx;
mod lcs;
mod set;

pub use change::{checked_len, string_len};

use crate::{
    command::spec::{Acl, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, Spec, Stored},
    keyspace::Value,
};

/// A string value as bytes; an integer is printed into `buffer`.
#[inline]
pub fn text<'b>(value: &Value<'b>, buffer: &'b mut itoa::Buffer) -> &'b [u8] {
    match *value {
        Value::Bytes(bytes) => bytes,
        Value::Int(n) => buffer.format(n).as_bytes(),
    }
}

/// The value follows the key.
const SECOND: Option<Stored> = Some(Stored { first: 2, step: 0, key_before: 1 });

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "get",
        arity: 2,
        flags: Flags::READONLY.union(Flags::FAST),
        acl: Acl::READ.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        group: "string",
        since: "1.0.0",
        summary: "Answers the string at a key.",
        syntax: "key",
        handler: get::get,
        ..Spec::DEFAULT
    },
    Spec {
        name: "set",
        arity: -3,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::SLOW),
        keys: &[KeySpec::one(
            1,
            KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE).union(KeyFlags::VARIABLE_FLAGS),
        )],
        group: "string",
        since: "1.0.0",
        summary: "Stores a string, on a condition and with a time to live if asked.",
        syntax: "key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
        vary: |request, _| {
            let given = |option: &str| request.iter().skip(3).any(|word| word.eq_ignore_ascii_case(option.as_bytes()));
            let compares = ["IFEQ", "IFNE", "IFDEQ", "IFDNE"].into_iter().any(given);
            KeyFlags::UPDATE
                | match (given("GET"), compares) {
                    (true, _) => KeyFlags::RW | KeyFlags::ACCESS,
                    (false, true) => KeyFlags::RW,
                    (false, false) => KeyFlags::OW,
                }
        },
        stored: SECOND,
        handler: set::set,
        ..Spec::DEFAULT
    },
    Spec {
        name: "setnx",
        arity: 3,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::INSERT))],
        group: "string",
        since: "1.0.0",
        summary: "Stores a string where there is no key yet.",
        syntax: "key value",
        stored: SECOND,
        handler: set::setnx,
        ..Spec::DEFAULT
    },
    Spec {
        name: "setex",
        arity: 4,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::SLOW),
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE))],
        group: "string",
        since: "2.0.0",
        summary: "Stores a string with a time to live in seconds.",
        syntax: "key seconds value",
        stored: Some(Stored { first: 3, step: 0, key_before: 2 }),
        handler: set::setex,
        ..Spec::DEFAULT
    },
    Spec {
        name: "psetex",
        arity: 4,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::SLOW),
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE))],
        group: "string",
        since: "2.6.0",
        summary: "Stores a string with a time to live in milliseconds.",
        syntax: "key milliseconds value",
        stored: Some(Stored { first: 3, step: 0, key_before: 2 }),
        handler: set::psetex,
        ..Spec::DEFAULT
    },
    Spec {
        name: "getex",
        arity: -2,
        flags: Flags::WRITE.union(Flags::FAST),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        group: "string",
        since: "6.2.0",
        summary: "Answers the string at a key and sets or removes its time to live.",
        syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
        handler: get::getex,
        ..Spec::DEFAULT
    },
    Spec {
        name: "getdel",
        arity: 2,
        flags: Flags::WRITE.union(Flags::FAST),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        group: "string",
        since: "6.2.0",
        summary: "Answers the string at a key and removes the key.",
        syntax: "key",
        handler: get::getdel,
        ..Spec::DEFAULT
    },
    Spec {
        name: "getset",
        arity: 3,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        group: "string",
        since: "1.0.0",
        summary: "Stores a string and answers the one before.",
        syntax: "key value",
        stored: SECOND,
        handler: set::getset,
        ..Spec::DEFAULT
    },
    Spec {
        name: "mget",
        arity: -2,
        flags: Flags::READONLY.union(Flags::FAST),
        acl: Acl::READ.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        group: "string",
        since: "1.0.0",
        summary: "Answers the strings at several keys.",
        complexity: "O(N) where N is the number of keys",
        syntax: "key [key ...]",
        tips: &["request_policy:multi_shard"],
        handler: get::mget,
        ..Spec::DEFAULT
    },
    Spec {
        name: "mset",
        arity: -3,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::SLOW),
        keys: &[KeySpec::range(1, -1, 2, KeyFlags::OW.union(KeyFlags::UPDATE))],
        group: "string",
        since: "1.0.1",
        summary: "Stores several strings at once.",
        complexity: "O(N) where N is the number of keys",
        syntax: "key value [key value ...]",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        stored: Some(Stored { first: 2, step: 2, key_before: 1 }),
        handler: set::mset,
        ..Spec::DEFAULT
    },
    Spec {
        name: "msetnx",
        arity: -3,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::SLOW),
        keys: &[KeySpec::range(1, -1, 2, KeyFlags::OW.union(KeyFlags::INSERT))],
        group: "string",
        since: "1.0.1",
        summary: "Stores several strings if none of the keys exists.",
        complexity: "O(N) where N is the number of keys",
        syntax: "key value [key value ...]",
        stored: Some(Stored { first: 2, step: 2, key_before: 1 }),
        handler: set::msetnx,
        ..Spec::DEFAULT
    },
    Spec {
        name: "append",
        arity: 3,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))],
        group: "string",
        since: "2.0.0",
        summary: "Adds to the end of a string.",
        complexity: "O(1), amortised",
        syntax: "key value",
        stored: SECOND,
        handler: change::append,
        ..Spec::DEFAULT
    },
    Spec {
        name: "strlen",
        arity: 2,
        flags: Flags::READONLY.union(Flags::FAST),
        acl: Acl::READ.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        group: "string",
        since: "2.2.0",
        summary: "Answers how many bytes a string has.",
        syntax: "key",
        handler: get::strlen,
        ..Spec::DEFAULT
    },
    Spec {
        name: "setrange",
        arity: 4,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::SLOW),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        group: "string",
        since: "2.2.0",
        summary: "Writes over part of a string, from an offset on.",
        complexity: "O(M) where M is the length of the value",
        syntax: "key offset value",
        handler: change::setrange,
        ..Spec::DEFAULT
    },
    Spec {
        name: "getrange",
        arity: 4,
        flags: Flags::READONLY,
        acl: Acl::READ.union(Acl::STRING).union(Acl::SLOW),
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        group: "string",
        since: "2.4.0",
        summary: "Answers part of a string.",
        complexity: "O(N) where N is the number of bytes answered",
        syntax: "key start end",
        handler: get::getrange,
        ..Spec::DEFAULT
    },
    Spec {
        name: "substr",
        arity: 4,
        flags: Flags::READONLY,
        acl: Acl::READ.union(Acl::STRING).union(Acl::SLOW),
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        group: "string",
        since: "1.0.0",
        summary: "The older name of GETRANGE.",
        complexity: "O(N) where N is the number of bytes answered",
        syntax: "key start end",
        handler: get::getrange,
        ..Spec::DEFAULT
    },
    Spec {
        name: "incr",
        arity: 2,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        group: "string",
        since: "1.0.0",
        summary: "Adds one to the integer at a key.",
        syntax: "key",
        handler: change::incr,
        ..Spec::DEFAULT
    },
    Spec {
        name: "decr",
        arity: 2,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        group: "string",
        since: "1.0.0",
        summary: "Takes one from the integer at a key.",
        syntax: "key",
        handler: change::decr,
        ..Spec::DEFAULT
    },
    Spec {
        name: "incrby",
        arity: 3,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        group: "string",
        since: "1.0.0",
        summary: "Adds to the integer at a key.",
        syntax: "key increment",
        handler: change::incrby,
        ..Spec::DEFAULT
    },
    Spec {
        name: "decrby",
        arity: 3,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        group: "string",
        since: "1.0.0",
        summary: "Takes from the integer at a key.",
        syntax: "key decrement",
        handler: change::decrby,
        ..Spec::DEFAULT
    },
    Spec {
        name: "increx",
        arity: -2,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        group: "string",
        since: "8.8.0",
        summary: "Counts within bounds and sets the counter's time to live.",
        syntax: "key [BYFLOAT float | BYINT integer] [SATURATE] [LBOUND lowerbound] [UBOUND upperbound] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] [ENX]",
        handler: increx::increx,
        ..Spec::DEFAULT
    },
    Spec {
        name: "incrbyfloat",
        arity: 3,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        group: "string",
        since: "2.6.0",
        summary: "Adds to the number at a key, which may have a fraction.",
        syntax: "key increment",
        handler: change::incrbyfloat,
        ..Spec::DEFAULT
    },
    Spec {
        name: "lcs",
        arity: -3,
        flags: Flags::READONLY,
        acl: Acl::READ.union(Acl::STRING).union(Acl::SLOW),
        keys: &[KeySpec::range(1, 1, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        group: "string",
        since: "7.0.0",
        summary: "Finds the longest common subsequence of two strings.",
        complexity: "O(N*M) where N and M are the lengths of the strings",
        syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
        handler: lcs::lcs,
        ..Spec::DEFAULT
    },
    Spec {
        name: "msetex",
        arity: -4,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::SLOW),
        keys: &[KeySpec {
            flags: KeyFlags::OW.union(KeyFlags::UPDATE),
            begin: BeginSearch::Index(1),
            find: FindKeys::KeyNum { keynum_index: 0, first_key: 1, step: 2 },
        }],
        group: "string",
        since: "8.4.0",
        summary: "Stores several strings at once, on a condition and with one time to live.",
        complexity: "O(N) where N is the number of keys",
        syntax: "numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        stored: Some(Stored { first: 3, step: 2, key_before: 1 }),
        handler: set::msetex,
        ..Spec::DEFAULT
    },
    Spec {
        name: "delex",
        arity: -2,
        flags: Flags::WRITE.union(Flags::FAST),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE).union(KeyFlags::VARIABLE_FLAGS))],
        group: "string",
        since: "8.4.0",
        summary: "Removes a key if its string compares as asked.",
        complexity: "O(1), O(N) for a digest where N is the length of the string",
        syntax: "key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]",
        vary: |request, _| KeyFlags::DELETE | if request.len() > 2 { KeyFlags::RW } else { KeyFlags::RM },
        handler: condition::delex,
        ..Spec::DEFAULT
    },
    Spec {
        name: "delifeq",
        arity: 3,
        flags: Flags::WRITE.union(Flags::FAST),
        acl: Acl::WRITE.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RM.union(KeyFlags::DELETE))],
        group: "string",
        since: "9.0.0",
        summary: "Removes a key if its string is the given one.",
        complexity: "O(1)",
        syntax: "key value",
        handler: condition::delifeq,
        ..Spec::DEFAULT
    },
    Spec {
        name: "digest",
        arity: 2,
        flags: Flags::READONLY.union(Flags::FAST),
        acl: Acl::READ.union(Acl::STRING).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        group: "string",
        since: "8.4.0",
        summary: "Answers the XXH3 hash of a string, in hexadecimal.",
        complexity: "O(N) where N is the length of the string",
        syntax: "key",
        handler: condition::digest,
        ..Spec::DEFAULT
    },
];
