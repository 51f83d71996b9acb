//! Strings: GET, SET and what belongs to them.

mod change;
mod get;
mod set;

pub use change::{checked_len, string_len};

use crate::{
    command::spec::{Acl, Flags, KeyFlags, KeySpec, Spec},
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
        syntax: "key value [NX | XX | IFEQ comparison-value] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
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
];
