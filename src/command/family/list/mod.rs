//! Lists: the rows of their commands, and what several of them share.

mod blocking;
mod edit;
mod moves;
mod pop;
mod push;
mod read;

use crate::{
    command::{
        CommandResult, Context, Error,
        args::is_word,
        family::collection::bulk,
        spec::{Acl, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, Reach, Spec},
    },
    config::KeyspaceEvents,
    keyspace::{Cell, Type},
    types::{
        home::Home,
        list::{self, End, Limit, List},
    },
};
use std::ops::Range;

const ROW: Spec = Spec { acl: Acl::LIST, group: "list", ..Spec::DEFAULT };
const READ: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))];
const INSERT: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))];
const DELETE: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))];
const TAKEN: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE);
const POP: &[KeySpec] = &[KeySpec::one(1, TAKEN)];
const POP_ANY: &[KeySpec] = &[KeySpec::range(1, -2, 1, TAKEN)];
const MOVE: &[KeySpec] = &[KeySpec::one(1, TAKEN), KeySpec::one(2, KeyFlags::RW.union(KeyFlags::INSERT))];
/// Keys after their number, which is the word at `index`.
const fn counted(index: i32) -> KeySpec {
    let find = FindKeys::KeyNum { keynum_index: 0, first_key: 1, step: 1 };
    KeySpec { flags: TAKEN, begin: BeginSearch::Index(index), find }
}
const PUSH: Flags = Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST);
const BLOCKING: Flags = Flags::WRITE.union(Flags::BLOCKING);

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "lpush",
        arity: -3,
        flags: PUSH,
        keys: INSERT,
        summary: "Puts elements before the first of a list, which is made if there is none.",
        complexity: "O(N) for N elements",
        syntax: "key element [element ...]",
        reach: Reach::Ends,
        handler: push::lpush,
        ..ROW
    },
    Spec {
        name: "rpush",
        arity: -3,
        flags: PUSH,
        keys: INSERT,
        summary: "Puts elements after the last of a list, which is made if there is none.",
        complexity: "O(N) for N elements",
        syntax: "key element [element ...]",
        reach: Reach::Ends,
        handler: push::rpush,
        ..ROW
    },
    Spec {
        name: "lpushx",
        arity: -3,
        flags: PUSH,
        keys: INSERT,
        since: "2.2.0",
        summary: "Puts elements before the first of a list, if there is one.",
        complexity: "O(N) for N elements",
        syntax: "key element [element ...]",
        reach: Reach::Ends,
        handler: push::lpushx,
        ..ROW
    },
    Spec {
        name: "rpushx",
        arity: -3,
        flags: PUSH,
        keys: INSERT,
        since: "2.2.0",
        summary: "Puts elements after the last of a list, if there is one.",
        complexity: "O(N) for N elements",
        syntax: "key element [element ...]",
        reach: Reach::Ends,
        handler: push::rpushx,
        ..ROW
    },
    Spec {
        name: "linsert",
        arity: 5,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        keys: INSERT,
        since: "2.2.0",
        summary: "Inserts an element beside another.",
        complexity: "O(N) for the N elements before the one it is put beside",
        syntax: "key <BEFORE | AFTER> pivot element",
        handler: push::linsert,
        ..ROW
    },
    Spec {
        name: "lset",
        arity: 4,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        summary: "Replaces an element, by its index.",
        complexity: "O(log N)",
        syntax: "key index element",
        reach: Reach::Ranks(&[2]),
        handler: edit::lset,
        ..ROW
    },
    Spec {
        name: "lrem",
        arity: 4,
        flags: Flags::WRITE,
        keys: DELETE,
        summary: "Removes elements that equal a value.",
        complexity: "O(N) for a list of N elements",
        syntax: "key count element",
        handler: edit::lrem,
        ..ROW
    },
    Spec {
        name: "ltrim",
        arity: 4,
        flags: Flags::WRITE,
        keys: DELETE,
        summary: "Removes all elements outside of a range of indexes.",
        complexity: "O(log N)",
        syntax: "key start stop",
        reach: Reach::Ranks(&[2, 3]),
        handler: edit::ltrim,
        ..ROW
    },
    Spec {
        name: "lpop",
        arity: -2,
        flags: Flags::WRITE.union(Flags::FAST),
        keys: POP,
        summary: "Removes the first elements of a list and answers them.",
        complexity: "O(N) for N elements answered",
        syntax: "key [count]",
        reach: Reach::Pops,
        handler: pop::lpop,
        ..ROW
    },
    Spec {
        name: "rpop",
        arity: -2,
        flags: Flags::WRITE.union(Flags::FAST),
        keys: POP,
        summary: "Removes the last elements of a list and answers them.",
        complexity: "O(N) for N elements answered",
        syntax: "key [count]",
        reach: Reach::Pops,
        handler: pop::rpop,
        ..ROW
    },
    Spec {
        name: "lmpop",
        arity: -4,
        flags: Flags::WRITE,
        keys: &[counted(1)],
        since: "7.0.0",
        summary: "Removes elements of the first list that there is, and answers them.",
        complexity: "O(N+M) for N keys and M elements answered",
        syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
        reach: Reach::Pops,
        handler: pop::lmpop,
        ..ROW
    },
    Spec {
        name: "llen",
        arity: 2,
        flags: Flags::READONLY.union(Flags::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        summary: "Answers the length of a list.",
        syntax: "key",
        handler: read::llen,
        ..ROW
    },
    Spec {
        name: "lindex",
        arity: 3,
        flags: Flags::READONLY,
        keys: READ,
        summary: "Answers an element, by its index.",
        complexity: "O(log N)",
        syntax: "key index",
        handler: read::lindex,
        ..ROW
    },
    Spec {
        name: "lrange",
        arity: 4,
        flags: Flags::READONLY,
        keys: READ,
        summary: "Answers a range of elements, by their indexes.",
        complexity: "O(log N + M) for M elements answered",
        syntax: "key start stop",
        handler: read::lrange,
        ..ROW
    },
    Spec {
        name: "lpos",
        arity: -3,
        flags: Flags::READONLY,
        keys: READ,
        since: "6.0.6",
        summary: "Answers the index of elements that equal a value.",
        complexity: "O(N) for a list of N elements",
        syntax: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
        handler: read::lpos,
        ..ROW
    },
    Spec {
        name: "rpoplpush",
        arity: 3,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        keys: MOVE,
        since: "1.2.0",
        summary: "Moves the last element of a list before the first of another.",
        syntax: "source destination",
        reach: Reach::Ends,
        handler: moves::rpoplpush,
        ..ROW
    },
    Spec {
        name: "lmove",
        arity: 5,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        keys: MOVE,
        since: "6.2.0",
        summary: "Moves an element from one end of a list to an end of another.",
        syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
        reach: Reach::Ends,
        handler: moves::lmove,
        ..ROW
    },
    Spec {
        name: "blpop",
        arity: -3,
        flags: BLOCKING,
        keys: POP_ANY,
        since: "2.0.0",
        summary: "As LPOP, of the first list that there is; waits for one.",
        complexity: "O(N) for N keys",
        syntax: "key [key ...] timeout",
        reach: Reach::Pops,
        handler: blocking::blpop,
        ..ROW
    },
    Spec {
        name: "brpop",
        arity: -3,
        flags: BLOCKING,
        keys: POP_ANY,
        since: "2.0.0",
        summary: "As RPOP, of the first list that there is; waits for one.",
        complexity: "O(N) for N keys",
        syntax: "key [key ...] timeout",
        reach: Reach::Pops,
        handler: blocking::brpop,
        ..ROW
    },
    Spec {
        name: "blmpop",
        arity: -5,
        flags: BLOCKING,
        keys: &[counted(2)],
        since: "7.0.0",
        summary: "As LMPOP; waits for a list.",
        complexity: "O(N+M) for N keys and M elements answered",
        syntax: "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
        reach: Reach::Pops,
        handler: blocking::blmpop,
        ..ROW
    },
    Spec {
        name: "brpoplpush",
        arity: 4,
        flags: BLOCKING.union(Flags::DENYOOM),
        keys: MOVE,
        since: "2.2.0",
        summary: "As RPOPLPUSH; waits for an element.",
        syntax: "source destination timeout",
        handler: blocking::brpoplpush,
        ..ROW
    },
    Spec {
        name: "blmove",
        arity: 6,
        flags: BLOCKING.union(Flags::DENYOOM),
        keys: MOVE,
        since: "6.2.0",
        summary: "As LMOVE; waits for an element.",
        syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
        handler: blocking::blmove,
        ..ROW
    },
];

fn limit(cx: &Context<'_>) -> Limit {
    Limit(cx.client.settings.list_max_listpack_size)
}

/// LEFT or RIGHT.
fn end(word: &[u8]) -> Result<End, Error> {
    match word {
        word if is_word(word, "left") => Ok(End::Left),
        word if is_word(word, "right") => Ok(End::Right),
        _ => Err(Error::SYNTAX),
    }
}

fn push_event(end: End) -> &'static str {
    if end == End::Left { "lpush" } else { "rpush" }
}

fn pop_event(end: End) -> &'static str {
    if end == End::Left { "lpop" } else { "rpop" }
}

/// Removes ranks of a list that is there, which has all of them; and the list with the last one.
fn remove(cx: &mut Context<'_>, key: &[u8], ranks: &[Range<u64>], event: &str) -> CommandResult {
    let limit = limit(cx);
    let mut db = cx.keys.db(cx.client.db);
    let Some(cell) = db.cell(key, Type::List)? else { return Ok(()) };
    let is_empty = remove_from(cell, ranks, limit)?;
    if is_empty {
        db.remove(key);
    }
    notify_removal(cx, key, event, is_empty);
    Ok(())
}

/// Removes ranks unless those are all; answers whether they are, and the key is to go.
fn remove_from(mut cell: Cell<'_>, ranks: &[Range<u64>], limit: Limit) -> Result<bool, Error> {
    let removed: u64 = ranks.iter().map(|ranks| ranks.end - ranks.start).sum();
    if removed == List::new(cell.view()).len() {
        return Ok(true);
    }
    for ranks in ranks {
        list::remove(&mut cell, ranks.clone())?;
    }
    list::shrink(&mut cell, limit)?;
    Ok(false)
}

fn notify_removal(cx: &mut Context<'_>, key: &[u8], event: &str, is_empty: bool) {
    cx.notify(KeyspaceEvents::LIST, event, key);
    if is_empty {
        cx.notify_generic("del", key);
    }
}
