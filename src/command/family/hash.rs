//! Hashes.

use crate::{
    command::{
        Args, CommandResult, Context, Error,
        family::collection::bulk,
        spec::{Acl, Flags, KeyFlags, KeySpec, Spec},
    },
    config::KeyspaceEvents,
    keyspace::Type,
    types::{
        hash::{self, Hash, Limits},
        home::Home,
    },
};

const ROW: Spec = Spec { acl: Acl::HASH, group: "hash", since: "2.0.0", ..Spec::DEFAULT };
const WRITE: KeySpec = KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE));
const READ: KeySpec = KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS));

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "hset",
        arity: -4,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        keys: &[WRITE],
        summary: "Sets fields of a hash.",
        complexity: "O(N) for N fields",
        syntax: "key field value [field value ...]",
        handler: hset,
        ..ROW
    },
    Spec {
        name: "hget",
        arity: 3,
        flags: Flags::READONLY.union(Flags::FAST),
        keys: &[READ],
        summary: "Answers the value of a field.",
        syntax: "key field",
        handler: hget,
        ..ROW
    },
    Spec {
        name: "hdel",
        arity: -3,
        flags: Flags::WRITE.union(Flags::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        summary: "Removes fields of a hash, and the hash with the last one.",
        complexity: "O(N) for N fields",
        syntax: "key field [field ...]",
        handler: hdel,
        ..ROW
    },
    Spec {
        name: "hlen",
        arity: 2,
        flags: Flags::READONLY.union(Flags::FAST),
        keys: &[READ],
        summary: "Answers the number of fields.",
        syntax: "key",
        handler: hlen,
        ..ROW
    },
    Spec {
        name: "hgetall",
        arity: 2,
        flags: Flags::READONLY,
        keys: &[READ],
        summary: "Answers all fields with their values.",
        complexity: "O(N) for N fields",
        syntax: "key",
        tips: &["nondeterministic_output_order"],
        handler: hgetall,
        ..ROW
    },
];

fn limits(cx: &Context<'_>) -> Limits {
    let settings = &cx.client.settings;
    Limits { entries: settings.hash_max_listpack_entries, value: settings.hash_max_listpack_value as usize }
}

fn hset(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    if !args.len().is_multiple_of(2) {
        return Err(Error::wrong_arity("hset"));
    }
    let limits = limits(cx);
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell_or(args[1], hash::EMPTY)?;
    let mut added = 0;
    for pair in args[2..].chunks_exact(2) {
        added += i64::from(hash::set(&mut cell, pair[0], pair[1], limits)?);
    }
    cx.notify(KeyspaceEvents::HASH, "hset", args[1]);
    cx.reply.integer(added);
    Ok(())
}

fn hget(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let view = db.view(args[1], Type::Hash)?;
    match view.and_then(|view| Hash::new(view).get(args[2])) {
        Some(value) => bulk(cx.reply, &value),
        None => cx.reply.null(),
    }
    Ok(())
}

fn hdel(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let Some(mut cell) = db.cell(args[1], Type::Hash)? else {
        cx.reply.integer(0);
        return Ok(());
    };
    let mut removed = 0;
    for field in &args[2..] {
        removed += i64::from(hash::remove(&mut cell, field)?);
    }
    let is_empty = Hash::new(cell.view()).is_empty();
    if is_empty {
        db.remove(args[1]);
    }
    if removed > 0 {
        cx.notify(KeyspaceEvents::HASH, "hdel", args[1]);
    }
    if is_empty {
        cx.notify_generic("del", args[1]);
    }
    cx.reply.integer(removed);
    Ok(())
}

fn hlen(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let len = cx.keys.db(cx.client.db).view(args[1], Type::Hash)?.map_or(0, |view| Hash::new(view).len());
    cx.reply.integer(len as i64);
    Ok(())
}

fn hgetall(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let Some(view) = db.view(args[1], Type::Hash)? else {
        cx.reply.map(0);
        return Ok(());
    };
    let hash = Hash::new(view);
    cx.reply.map(hash.len() as usize);
    for element in hash.iter() {
        bulk(cx.reply, &element.first());
        bulk(cx.reply, &element.second());
    }
    Ok(())
}
