//! BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH.

use super::{
    end,
    moves::Route,
    pop::{Request, is_there, pop_one},
};
use crate::{
    command::{Args, CommandResult, Context, blocking::deadline_in_seconds},
    keyspace::{Type, Want},
    types::list::End,
};

/// A list.
const LIST: Want = Want { kind: Type::List, removal: false };

pub fn blpop(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    pop(cx, args, End::Left)
}

pub fn brpop(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    pop(cx, args, End::Right)
}

fn pop(cx: &mut Context<'_>, args: &Args<'_>, end: End) -> CommandResult {
    let (keys, timeout) = (&args[1..args.len() - 1], args[args.len() - 1]);
    let deadline = deadline_in_seconds(timeout, cx.now)?;
    for key in keys {
        if pop_one(cx, key, end, true)? {
            return Ok(());
        }
    }
    if !cx.wait(args, keys, LIST, deadline) {
        cx.reply.null_array();
    }
    Ok(())
}

pub fn blmpop(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let request = Request::parse(&args[2..])?;
    let deadline = deadline_in_seconds(args[1], cx.now)?;
    for key in request.keys {
        if is_there(cx, key)? {
            return request.pop(cx, key);
        }
    }
    if !cx.wait(args, request.keys, LIST, deadline) {
        cx.reply.null_array();
    }
    Ok(())
}

pub fn blmove(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let route = Route { from: args[1], to: args[2], taken: end(args[3])?, put: end(args[4])? };
    shift(cx, args, &route, args[5])
}

pub fn brpoplpush(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    shift(cx, args, &Route { from: args[1], to: args[2], taken: End::Right, put: End::Left }, args[3])
}

fn shift(cx: &mut Context<'_>, args: &Args<'_>, route: &Route<'_>, timeout: &[u8]) -> CommandResult {
    let deadline = deadline_in_seconds(timeout, cx.now)?;
    if !route.take(cx)? && !cx.wait(args, &[route.from], LIST, deadline) {
        cx.reply.null();
    }
    Ok(())
}
