//! KEYS and SCAN.

use crate::{
    command::{Args, CommandResult, Context, Error},
    util::{glob, number::parse_i64},
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
    let text = std::str::from_utf8(args[1]).unwrap_or_default();
    // A negative number is taken as one past the end.
    let cursor = text.parse().or_else(|_| text.parse::<i64>().map(|_| u64::MAX));
    let cursor: u64 = cursor.map_err(|_| Error::new("ERR invalid cursor"))?;
    let (mut pattern, mut count, mut kind): (Option<&[u8]>, usize, Option<&[u8]>) = (None, 10, None);
    let mut words = args[2..].iter();
    while let Some(option) = words.next() {
        let value = words.next().ok_or(Error::SYNTAX)?;
        match option.to_ascii_lowercase().as_slice() {
            b"match" => pattern = Some(value),
            b"count" => {
                let n = parse_i64(value).ok_or(Error::NOT_INTEGER)?;
                count = usize::try_from(n).ok().filter(|n| *n > 0).ok_or(Error::SYNTAX)?;
            }
            b"type" => kind = Some(value),
            _ => return Err(Error::SYNTAX),
        }
    }
    let mut found: Vec<Box<[u8]>> = Vec::new();
    let next = cx.keys.scan(cx.client.db, cursor, count, &mut |key, item| {
        let of_kind = kind.is_none_or(|kind| kind.eq_ignore_ascii_case(item.kind.name().as_bytes()));
        if of_kind && pattern.is_none_or(|pattern| glob::matches(pattern, key, false)) {
            found.push(key.into());
        }
    });
    cx.reply.array(2);
    cx.reply.bulk(next.to_string().as_bytes());
    cx.reply.array(found.len());
    found.iter().for_each(|key| cx.reply.bulk(key));
    Ok(())
}
