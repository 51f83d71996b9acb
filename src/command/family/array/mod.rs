//! Arrays: the rows of their commands, and what several of them share.

mod aggregate;
mod grep;
mod info;
mod read;
mod ring;
mod write;

use crate::{
    command::{
        Context, Error, Reply,
        spec::{Acl, Flags, KeyFlags, KeySpec, Spec},
    },
    config::KeyspaceEvents,
    types::{array::INDEX_MAX, packed::Entry},
    util::number::parse_u64,
};

const READ: Flags = Flags::READONLY;
const FAST_READ: Flags = READ.union(Flags::FAST);
const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);
const FAST_WRITE: Flags = WRITE.union(Flags::FAST);

const fn key(flags: KeyFlags) -> KeySpec {
    KeySpec::one(1, flags)
}
const ACCESS: &[KeySpec] = &[key(KeyFlags::RO.union(KeyFlags::ACCESS))];
const UPDATE: &[KeySpec] = &[key(KeyFlags::RW.union(KeyFlags::UPDATE))];
const DELETE: &[KeySpec] = &[key(KeyFlags::RW.union(KeyFlags::DELETE))];

const fn row(name: &'static str, arity: i32, flags: Flags, keys: &'static [KeySpec], summary: &'static str) -> Spec {
    Spec { name, arity, flags, keys, summary, acl: Acl::ARRAY, group: "array", since: "8.8.0", ..Spec::DEFAULT }
}

pub static COMMANDS: &[Spec] = &[
    Spec {
        syntax: "key",
        handler: read::arcount,
        ..row("arcount", 2, FAST_READ, ACCESS, "Answers how many indexes of an array have a value.")
    },
    Spec {
        complexity: "O(N log M) for N indexes of an array of M values",
        syntax: "key index [index ...]",
        handler: write::ardel,
        ..row("ardel", -3, Flags::WRITE.union(Flags::FAST), DELETE, "Removes the values of indexes.")
    },
    Spec {
        complexity: "O(N log M) for N ranges of an array of M values",
        syntax: "key start end [start end ...]",
        handler: write::ardelrange,
        ..row("ardelrange", -4, Flags::WRITE, DELETE, "Removes the values of ranges of indexes.")
    },
    Spec {
        complexity: "O(log N) for N values",
        syntax: "key index",
        handler: read::arget,
        ..row("arget", 3, FAST_READ, ACCESS, "Answers the value of an index.")
    },
    Spec {
        complexity: "O(N) for a range of N indexes",
        syntax: "key start end",
        handler: read::argetrange,
        ..row("argetrange", 4, READ, ACCESS, "Answers the values of a range of indexes, with those that are not there.")
    },
    Spec {
        complexity: "O(N) for N values in the range, times what it costs to look at one",
        syntax: "key start end <EXACT string | MATCH string | GLOB pattern | RE pattern> \
                 [<EXACT string | MATCH string | GLOB pattern | RE pattern> ...] \
                 [<AND | OR | LIMIT limit | WITHVALUES | NOCASE> ...]",
        handler: grep::argrep,
        ..row("argrep", -6, READ, ACCESS, "Looks for values by their text.")
    },
    Spec {
        complexity: "O(N log M) for N slices of an array of M values",
        syntax: "key [FULL]",
        handler: info::arinfo,
        ..row("arinfo", -2, READ, ACCESS, "Tells what is known of an array.")
    },
    Spec {
        complexity: "O(N) for N values",
        syntax: "key value [value ...]",
        handler: ring::arinsert,
        ..row(
            "arinsert",
            -3,
            FAST_WRITE,
            UPDATE,
            "Gives the indexes after the one that was inserted last these values.",
        )
    },
    Spec {
        complexity: "O(N) for N values",
        syntax: "key count [REV]",
        handler: ring::arlastitems,
        ..row("arlastitems", -3, READ, ACCESS, "Answers the values that were inserted last.")
    },
    Spec {
        syntax: "key",
        handler: read::arlen,
        ..row("arlen", 2, FAST_READ, ACCESS, "Answers the index after the last that has a value.")
    },
    Spec {
        complexity: "O(N log M) for N indexes of an array of M values",
        syntax: "key index [index ...]",
        handler: read::armget,
        ..row("armget", -3, FAST_READ, ACCESS, "Answers the values of indexes.")
    },
    Spec {
        complexity: "O(N log M) for N indexes of an array of M values",
        syntax: "key index value [index value ...]",
        handler: write::armset,
        ..row("armset", -4, FAST_WRITE, UPDATE, "Gives indexes their values.")
    },
    Spec {
        syntax: "key",
        handler: ring::arnext,
        ..row("arnext", 2, FAST_READ, ACCESS, "Answers the index that the next value that is inserted will have.")
    },
    Spec {
        complexity: "O(N) for N values in the range",
        syntax: "key start end <SUM | MIN | MAX | AND | OR | XOR | MATCH value | USED>",
        handler: aggregate::arop,
        ..row("arop", -5, READ, ACCESS, "Answers what the values of a range come to together.")
    },
    Spec {
        complexity: "O(M) for M values, O(N+M) if a ring of N changes its size",
        syntax: "key size value [value ...]",
        handler: ring::arring,
        ..row("arring", -4, WRITE, UPDATE, "Inserts values into a ring of so many indexes.")
    },
    Spec {
        complexity: "O(N) for N values in the range",
        syntax: "key start end [LIMIT limit]",
        handler: read::arscan,
        ..row("arscan", -4, READ, ACCESS, "Answers the indexes of a range that have a value, and these.")
    },
    Spec {
        syntax: "key index",
        handler: ring::arseek,
        ..row("arseek", 3, Flags::WRITE.union(Flags::FAST), UPDATE, "Sets where the next value is inserted.")
    },
    Spec {
        complexity: "O(N) for N values",
        syntax: "key index value [value ...]",
        handler: write::arset,
        ..row("arset", -4, FAST_WRITE, UPDATE, "Gives indexes in a row, from one on, their values.")
    },
];

const INVALID_INDEX: Error = Error::new("ERR invalid array index");
const LIMIT_NOT_POSITIVE: Error = Error::new("ERR LIMIT must be positive");

/// An index that a value may have.
fn index(arg: &[u8]) -> Result<u64, Error> {
    parse_u64(arg).filter(|index| *index <= INDEX_MAX).ok_or(INVALID_INDEX)
}

/// The count after LIMIT.
fn limit(arg: &[u8]) -> Result<usize, Error> {
    let count = crate::command::args::integer(arg)?;
    let count = u64::try_from(count).ok().filter(|count| *count > 0).ok_or(LIMIT_NOT_POSITIVE)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Answers a value, or that there is none.
fn value(reply: &mut dyn Reply, value: Option<Entry<'_>>) {
    match value {
        Some(value) => reply.bulk(value.text(&mut itoa::Buffer::new())),
        None => reply.null(),
    }
}

fn notify_change(cx: &mut Context<'_>, event: &str, key: &[u8], is_removed: bool) {
    cx.notify(KeyspaceEvents::ARRAY, event, key);
    if is_removed {
        cx.notify_generic("del", key);
    }
}
