//! KEYS and SCAN.

use crate::{
    command::{Args, CommandResult, Context, family::collection::ScanOptions},
    keyspace::Type,
    util::glob,
};

/// Keys looked at under one hold of a shard's lock by KEYS.
const STEP: usize = 1000;

pub fn keys(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let pattern = args[1];
    let everything = pattern == b"*";
    let mut found: Vec<Box<[u8]>> = Vec::new();
    let mut cursor = 0;
    loop {
        cursor = cx.keys.scan(cx.client.db, cursor, STEP, &mut |key, _| {
            if everything || glob::matches(pattern, key, false) {
                found.push(key.into());
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

pub fn scan(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let options = ScanOptions::parse(args, 1, "type")?;
    let count = usize::try_from(options.count).unwrap_or(usize::MAX);
    let mut found: Vec<Box<[u8]>> = Vec::new();
    let of_kind = |kind: Type| options.kind.is_none_or(|name| name.eq_ignore_ascii_case(kind.name().as_bytes()));
    // Of a type that nobody knows there is no key, and all that have expired go.
    let is_known = Type::ALL.into_iter().any(of_kind);
    let goes = |kind: Type| of_kind(kind) || !is_known;
    let next = cx.keys.scan_for(cx.client.db, options.cursor, count, &goes, &mut |key, item| {
        if of_kind(item.kind) && options.matches(key) {
            found.push(key.into());
        }
    });
    cx.reply.array(2);
    cx.reply.bulk(next.to_string().as_bytes());
    cx.reply.array(found.len());
    found.iter().for_each(|key| cx.reply.bulk(key));
    Ok(())
}
