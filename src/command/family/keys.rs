//! Commands on keys, whatever their type.

use crate::command::{
    Args, CommandResult, Context, Error, args,
    spec::{Acl, Flags, KeyFlags, KeySpec, Spec},
};
use crate::util::glob;

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "del",
        arity: -2,
        flags: Flags::WRITE,
        acl: Acl::KEYSPACE.union(Acl::WRITE).union(Acl::SLOW),
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RM.union(KeyFlags::DELETE))],
        summary: "Removes keys.",
        complexity: "O(N) where N is the number of keys",
        syntax: "key [key ...]",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        handler: del,
        ..Spec::DEFAULT
    },
    Spec {
        name: "unlink",
        arity: -2,
        flags: Flags::WRITE.union(Flags::FAST),
        acl: Acl::KEYSPACE.union(Acl::WRITE).union(Acl::FAST),
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RM.union(KeyFlags::DELETE))],
        since: "4.0.0",
        summary: "Removes keys.",
        complexity: "O(N) where N is the number of keys",
        syntax: "key [key ...]",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        handler: del,
        ..Spec::DEFAULT
    },
    Spec {
        name: "exists",
        arity: -2,
        flags: Flags::READONLY.union(Flags::FAST),
        acl: Acl::KEYSPACE.union(Acl::READ).union(Acl::FAST),
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
        summary: "Counts which of the keys exist.",
        complexity: "O(N) where N is the number of keys",
        syntax: "key [key ...]",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        handler: touch,
        ..Spec::DEFAULT
    },
    Spec {
        name: "touch",
        arity: -2,
        flags: Flags::READONLY.union(Flags::FAST),
        acl: Acl::KEYSPACE.union(Acl::READ).union(Acl::FAST),
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
        since: "3.2.1",
        summary: "Marks keys as used and counts those that exist.",
        complexity: "O(N) where N is the number of keys",
        syntax: "key [key ...]",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        handler: touch,
        ..Spec::DEFAULT
    },
    Spec {
        name: "type",
        arity: 2,
        flags: Flags::READONLY.union(Flags::FAST),
        acl: Acl::KEYSPACE.union(Acl::READ).union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        summary: "Answers what type of value is at a key.",
        syntax: "key",
        handler: type_of,
        ..Spec::DEFAULT
    },
    Spec {
        name: "keys",
        arity: 2,
        flags: Flags::READONLY.union(Flags::ALL_SHARDS),
        acl: Acl::KEYSPACE.union(Acl::READ).union(Acl::SLOW).union(Acl::DANGEROUS),
        summary: "Lists the keys that match a pattern.",
        complexity: "O(N) where N is the number of keys in the database",
        syntax: "pattern",
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        handler: keys,
        ..Spec::DEFAULT
    },
    Spec {
        name: "randomkey",
        arity: 1,
        flags: Flags::READONLY.union(Flags::ALL_SHARDS),
        acl: Acl::KEYSPACE.union(Acl::READ).union(Acl::SLOW),
        summary: "Answers a key chosen at random.",
        tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
        handler: random_key,
        ..Spec::DEFAULT
    },
    Spec {
        name: "dbsize",
        arity: 1,
        flags: Flags::READONLY.union(Flags::FAST).union(Flags::ALL_SHARDS),
        acl: Acl::KEYSPACE.union(Acl::READ).union(Acl::FAST),
        group: "server",
        summary: "Counts the keys of the database.",
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        handler: dbsize,
        ..Spec::DEFAULT
    },
    Spec {
        name: "flushdb",
        arity: -1,
        flags: Flags::WRITE.union(Flags::ALL_SHARDS),
        acl: Acl::KEYSPACE.union(Acl::WRITE).union(Acl::SLOW).union(Acl::DANGEROUS),
        group: "server",
        summary: "Removes all keys of the database.",
        complexity: "O(N) where N is the number of keys",
        syntax: "[ASYNC | SYNC]",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        handler: flushdb,
        ..Spec::DEFAULT
    },
    Spec {
        name: "flushall",
        arity: -1,
        flags: Flags::WRITE.union(Flags::ALL_SHARDS),
        acl: Acl::KEYSPACE.union(Acl::WRITE).union(Acl::SLOW).union(Acl::DANGEROUS),
        group: "server",
        summary: "Removes all keys of all databases.",
        complexity: "O(N) where N is the number of keys",
        syntax: "[ASYNC | SYNC]",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        handler: flushall,
        ..Spec::DEFAULT
    },
];

fn del(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let removed = args[1..].iter().filter(|key| db.remove(key)).count();
    cx.reply.integer(removed as i64);
    Ok(())
}

fn touch(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let found = args[1..].iter().filter(|key| db.touch(key)).count();
    cx.reply.integer(found as i64);
    Ok(())
}

fn type_of(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    cx.reply.simple(db.peek(args[1]).map_or("none", |item| item.kind.name()));
    Ok(())
}

fn keys(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    const STEP: usize = 1000;
    let (pattern, db) = (args[1], cx.client.db);
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut cursor = 0;
    loop {
        cursor = cx.keys.scan(db, cursor, STEP, &mut |key, _| {
            if glob::matches(pattern, key, false) {
                found.push(key.to_vec());
            }
        });
        if cursor == 0 {
            break;
        }
    }
    cx.reply.array(found.len());
    found.iter().for_each(|key| cx.reply.bulk(key));
    Ok(())
}

fn random_key(cx: &mut Context<'_>, _args: &Args<'_>) -> CommandResult {
    let mut key = Vec::new();
    if cx.keys.random_key(cx.client.db, &mut key) {
        cx.reply.bulk(&key)
    } else {
        cx.reply.null()
    }
    Ok(())
}

fn dbsize(cx: &mut Context<'_>, _args: &Args<'_>) -> CommandResult {
    let keys = cx.keys.db_stats(cx.client.db).keys;
    cx.reply.integer(keys as i64);
    Ok(())
}

fn flushdb(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let db = cx.client.db;
    flush(cx, args, Some(db))
}

fn flushall(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    flush(cx, args, None)
}

fn flush(cx: &mut Context<'_>, args: &Args<'_>, db: Option<usize>) -> CommandResult {
    match args {
        [_] => {}
        [_, word] if args::is_word(word, "async") || args::is_word(word, "sync") => {}
        _ => return Err(Error::SYNTAX),
    }
    cx.keys.flush(db);
    cx.reply.ok();
    Ok(())
}
