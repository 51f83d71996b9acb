//! BZPOPMIN, BZPOPMAX, BZMPOP.

use super::pop::{End, Request, take};
use crate::{
    command::{Args, CommandResult, Context, blocking::deadline_in_seconds},
    keyspace::{Type, Want},
};

/// A sorted set.
const ZSET: Want = Want { kind: Type::ZSet, removal: false };

pub fn bzpopmin(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    pop(cx, args, End::Min)
}

pub fn bzpopmax(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    pop(cx, args, End::Max)
}

fn pop(cx: &mut Context<'_>, args: &Args<'_>, end: End) -> CommandResult {
    let (keys, timeout) = (&args[1..args.len() - 1], args[args.len() - 1]);
    let deadline = deadline_in_seconds(timeout, cx.now)?;
    for key in keys {
        if let Some((member, score)) = take(cx, key, end, 1)?.first() {
            cx.reply.array(3);
            cx.reply.bulk(key);
            cx.reply.bulk(member);
            cx.reply.double(*score);
            return Ok(());
        }
    }
    if !cx.wait(args, keys, ZSET, deadline) {
        cx.reply.null_array();
    }
    Ok(())
}

pub fn bzmpop(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let request = Request::parse(&args[2..])?;
    let deadline = deadline_in_seconds(args[1], cx.now)?;
    if !request.serve(cx)? && !cx.wait(args, request.keys, ZSET, deadline) {
        cx.reply.null_array();
    }
    Ok(())
}
