//! ZREM and the ZREMRANGE family.

use super::{
    bounds::{By, Part},
    remove_ranks,
};
use crate::{
    command::{Args, CommandResult, Context},
    config::KeyspaceEvents,
    types::{
        home::Home,
        kind::Type,
        zset::{self, ZSet},
    },
};

pub fn zrem(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (mut removed, mut is_empty) = (0, false);
    let mut db = cx.keys.db(cx.client.db);
    if let Some(mut cell) = db.cell(args[1], Type::ZSet)? {
        for member in &args[2..] {
            removed += i64::from(zset::remove(&mut cell, member)?);
        }
        is_empty = ZSet::new(cell.view()).is_empty();
    }
    if is_empty {
        db.remove(args[1]);
    }
    if removed > 0 {
        cx.notify(KeyspaceEvents::ZSET, "zrem", args[1]);
    }
    if is_empty {
        cx.notify_generic("del", args[1]);
    }
    cx.reply.integer(removed);
    Ok(())
}

pub fn zremrangebyrank(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    remove(cx, args, By::Rank, "zremrangebyrank")
}

pub fn zremrangebyscore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    remove(cx, args, By::Score, "zremrangebyscore")
}

pub fn zremrangebylex(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    remove(cx, args, By::Lex, "zremrangebylex")
}

fn remove(cx: &mut Context<'_>, args: &Args<'_>, by: By, event: &str) -> CommandResult {
    let part = Part::parse(by, args[2], args[3])?;
    let ranks = match cx.keys.db(cx.client.db).cell(args[1], Type::ZSet)? {
        Some(cell) => part.ranks(&ZSet::new(cell.view()), false),
        None => 0..0,
    };
    remove_ranks(cx, args[1], ranks.clone(), event)?;
    cx.reply.integer((ranks.end - ranks.start) as i64);
    Ok(())
}
