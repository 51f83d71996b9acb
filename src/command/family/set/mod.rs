//! Sets.

mod combine;
mod random;

use crate::{
    command::{
        Args, CommandResult, Context, Error,
        family::collection::{ScanOptions, bulk, nothing_scanned, scan_cursor},
        spec::{Acl, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, Reach, Spec},
    },
    config::KeyspaceEvents,
    keyspace::Type,
    types::{
        home::Home,
        set::{self, Limits, Set},
    },
};

const FAST_READ: Flags = Flags::READONLY.union(Flags::FAST);
const FAST_WRITE: Flags = Flags::WRITE.union(Flags::FAST);
const STORE: Flags = Flags::WRITE.union(Flags::DENYOOM);
const READ_KEY: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))];
const LOOK_KEY: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO)];
const ALL_KEYS: &[KeySpec] = &[KeySpec::range(1, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS))];
const STORE_KEYS: &[KeySpec] = &[
    KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE)),
    KeySpec::range(2, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
];
const ORDER: &[&str] = &["nondeterministic_output_order"];
const RANDOM: &[&str] = &["nondeterministic_output"];

const fn row(name: &'static str, arity: i32, flags: Flags, since: &'static str, summary: &'static str) -> Spec {
    Spec { name, arity, flags, acl: Acl::SET, group: "set", since, summary, ..Spec::DEFAULT }
}

pub static COMMANDS: &[Spec] = &[
    Spec {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))],
        syntax: "key member [member ...]",
        complexity: "O(1) for each member",
        handler: sadd,
        ..row("sadd", -3, STORE.union(Flags::FAST), "1.0.0", "Adds members to a set.")
    },
    Spec {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        syntax: "key member [member ...]",
        complexity: "O(1) for each member",
        handler: srem,
        ..row("srem", -3, FAST_WRITE, "1.0.0", "Removes members of a set, and the set with the last one.")
    },
    Spec {
        keys: LOOK_KEY,
        syntax: "key",
        handler: scard,
        ..row("scard", 2, FAST_READ, "1.0.0", "Answers the number of members.")
    },
    Spec {
        keys: LOOK_KEY,
        syntax: "key member",
        handler: sismember,
        ..row("sismember", 3, FAST_READ, "1.0.0", "Answers whether a member is in a set.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key member [member ...]",
        complexity: "O(N) for N members",
        handler: smismember,
        ..row("smismember", -3, FAST_READ, "6.2.0", "Answers for each member whether it is in a set.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key",
        complexity: "O(N) for N members",
        tips: ORDER,
        handler: smembers,
        ..row("smembers", 2, Flags::READONLY, "1.0.0", "Answers all members.")
    },
    Spec {
        keys: &[
            KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)),
            KeySpec::one(2, KeyFlags::RW.union(KeyFlags::INSERT)),
        ],
        syntax: "source destination member",
        handler: smove,
        ..row("smove", 4, FAST_WRITE, "1.0.0", "Moves a member from one set to another.")
    },
    Spec {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        syntax: "key [count]",
        complexity: "O(log N) for each member",
        tips: RANDOM,
        reach: Reach::Drawn(2),
        handler: random::spop,
        ..row("spop", -2, FAST_WRITE, "1.0.0", "Removes and answers members chosen at random.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key [count]",
        complexity: "O(log N) for each member",
        tips: RANDOM,
        handler: random::srandmember,
        ..row("srandmember", -2, Flags::READONLY, "1.0.0", "Answers members chosen at random.")
    },
    Spec {
        keys: READ_KEY,
        syntax: "key cursor [MATCH pattern] [COUNT count]",
        complexity: "O(COUNT) for each call",
        tips: RANDOM,
        handler: sscan,
        ..row("sscan", -3, Flags::READONLY, "2.8.0", "Walks the members of a set in steps.")
    },
    Spec {
        keys: ALL_KEYS,
        syntax: "key [key ...]",
        complexity: "O(N*M) for N members of the smallest of M sets",
        tips: ORDER,
        handler: combine::sinter,
        ..row("sinter", -2, Flags::READONLY, "1.0.0", "Answers the members that several sets share.")
    },
    Spec {
        keys: &[KeySpec {
            flags: KeyFlags::RO.union(KeyFlags::ACCESS),
            begin: BeginSearch::Index(1),
            find: FindKeys::KeyNum { keynum_index: 0, first_key: 1, step: 1 },
        }],
        syntax: "numkeys key [key ...] [LIMIT limit]",
        complexity: "O(N*M) for N members of the smallest of M sets",
        handler: combine::sintercard,
        ..row(
            "sintercard",
            -3,
            Flags::READONLY.union(Flags::MOVABLEKEYS),
            "7.0.0",
            "Counts the members that several sets share.",
        )
    },
    Spec {
        keys: STORE_KEYS,
        syntax: "destination key [key ...]",
        complexity: "O(N*M) for N members of the smallest of M sets",
        handler: combine::sinterstore,
        ..row("sinterstore", -3, STORE, "1.0.0", "Stores the members that several sets share.")
    },
    Spec {
        keys: ALL_KEYS,
        syntax: "key [key ...]",
        complexity: "O(N) for N members in all",
        tips: ORDER,
        handler: combine::sunion,
        ..row("sunion", -2, Flags::READONLY, "1.0.0", "Answers the members of any of several sets.")
    },
    Spec {
        keys: STORE_KEYS,
        syntax: "destination key [key ...]",
        complexity: "O(N) for N members in all",
        handler: combine::sunionstore,
        ..row("sunionstore", -3, STORE, "1.0.0", "Stores the members of any of several sets.")
    },
    Spec {
        keys: ALL_KEYS,
        syntax: "key [key ...]",
        complexity: "O(N*M) for N members of the first of M sets",
        tips: ORDER,
        handler: combine::sdiff,
        ..row("sdiff", -2, Flags::READONLY, "1.0.0", "Answers the members of the first set alone.")
    },
    Spec {
        keys: STORE_KEYS,
        syntax: "destination key [key ...]",
        complexity: "O(N*M) for N members of the first of M sets",
        handler: combine::sdiffstore,
        ..row("sdiffstore", -3, STORE, "1.0.0", "Stores the members of the first set alone.")
    },
];

fn limits(cx: &Context<'_>) -> Limits {
    Limits::of(&cx.client.settings)
}

fn sadd(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, limits) = (args[1], limits(cx));
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell_or(key, set::empty(args[2], args.len() as u64 - 2, limits))?;
    let mut added = 0;
    for member in &args[2..] {
        added += i64::from(set::add(&mut cell, member, limits)?);
    }
    if added > 0 {
        cx.notify(KeyspaceEvents::SET, "sadd", key);
    }
    cx.reply.integer(added);
    Ok(())
}

fn srem(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let removed = remove(cx, args[1], &args[2..])?;
    cx.reply.integer(removed);
    Ok(())
}

/// Removes members, and the set with the last one; tells of both.
fn remove(cx: &mut Context<'_>, key: &[u8], members: &[&[u8]]) -> Result<i64, Error> {
    let mut db = cx.keys.db(cx.client.db);
    let Some(mut cell) = db.cell(key, Type::Set)? else { return Ok(0) };
    let mut removed = 0;
    for member in members {
        removed += i64::from(set::remove(&mut cell, member)?);
    }
    let is_empty = Set::new(cell.view()).is_empty();
    if removed > 0 {
        cx.notify(KeyspaceEvents::SET, "srem", key);
    }
    if is_empty {
        cx.keys.db(cx.client.db).remove(key);
        cx.notify_generic("del", key);
    }
    Ok(removed)
}

fn scard(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let len = cx.keys.db(cx.client.db).view(args[1], Type::Set)?.map_or(0, |view| Set::new(view).len());
    cx.reply.integer(len as i64);
    Ok(())
}

fn sismember(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let found = db.view(args[1], Type::Set)?.is_some_and(|view| Set::new(view).contains(args[2]));
    cx.reply.integer(found.into());
    Ok(())
}

fn smismember(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let set = db.view(args[1], Type::Set)?.map(Set::new);
    cx.reply.array(args.len() - 2);
    for member in &args[2..] {
        cx.reply.integer(set.is_some_and(|set| set.contains(member)).into());
    }
    Ok(())
}

fn smembers(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let Some(set) = db.view(args[1], Type::Set)?.map(Set::new) else {
        cx.reply.set(0);
        return Ok(());
    };
    cx.reply.set(set.len() as usize);
    set.iter().for_each(|member| bulk(cx.reply, &member.first()));
    Ok(())
}

fn smove(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (from, to, member) = (args[1], args[2], args[3]);
    let limits = limits(cx);
    let mut db = cx.keys.db(cx.client.db);
    let found = match db.view_to_change(from, Type::Set)?.map(Set::new) {
        Some(set) => set.contains(member),
        None => {
            cx.reply.integer(0);
            return Ok(());
        }
    };
    db.view_to_change(to, Type::Set)?;
    if !found || from == to {
        cx.reply.integer(found.into());
        return Ok(());
    }
    remove(cx, from, &[member])?;
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell_or(to, set::empty(member, 1, limits))?;
    if set::add(&mut cell, member, limits)? {
        cx.notify(KeyspaceEvents::SET, "sadd", to);
    }
    cx.reply.integer(1);
    Ok(())
}

fn sscan(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    scan_cursor(args[2])?;
    let mut db = cx.keys.db(cx.client.db);
    let Some(set) = db.view(args[1], Type::Set)?.map(Set::new) else { return nothing_scanned(cx.reply) };
    let options = ScanOptions::parse(args, 2, "")?;
    let mut found = Vec::new();
    let next = set.scan(options.cursor, options.count, &mut |element| {
        if options.matches_entry(&element.first()) {
            found.push(element.first());
        }
    });
    cx.reply.array(2);
    cx.reply.bulk(next.to_string().as_bytes());
    cx.reply.array(found.len());
    found.iter().for_each(|member| bulk(cx.reply, member));
    Ok(())
}
