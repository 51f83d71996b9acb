//! Commands that look at single members, or count.

use super::{
    bounds::{By, Part},
    view,
};
use crate::command::{Args, CommandResult, Context, Error, args::is_word};

pub fn zcard(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let len = view(&mut cx.keys.db(cx.client.db), args[1])?.map_or(0, |zset| zset.len());
    cx.reply.integer(len as i64);
    Ok(())
}

pub fn zscore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    match view(&mut cx.keys.db(cx.client.db), args[1])?.and_then(|zset| zset.score(args[2])) {
        Some(score) => cx.reply.double(score),
        None => cx.reply.null(),
    }
    Ok(())
}

pub fn zmscore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let zset = view(&mut db, args[1])?;
    cx.reply.array(args.len() - 2);
    for member in &args[2..] {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => cx.reply.double(score),
            None => cx.reply.null(),
        }
    }
    Ok(())
}

pub fn zrank(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    rank(cx, args, false)
}

pub fn zrevrank(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    rank(cx, args, true)
}

fn rank(cx: &mut Context<'_>, args: &Args<'_>, reverse: bool) -> CommandResult {
    let with_score = match &args[3..] {
        [] => false,
        [word] if is_word(word, "withscore") => true,
        [_] => return Err(Error::SYNTAX),
        _ => return Err(Error::wrong_arity(cx.spec.name)),
    };
    let mut db = cx.keys.db(cx.client.db);
    let zset = view(&mut db, args[1])?;
    let found = zset.and_then(|zset| {
        let (rank, score) = zset.rank(args[2])?;
        Some((if reverse { zset.len() - 1 - rank } else { rank }, score))
    });
    match found {
        None if with_score => cx.reply.null_array(),
        None => cx.reply.null(),
        Some((rank, score)) => {
            if with_score {
                cx.reply.array(2);
            }
            cx.reply.integer(rank as i64);
            if with_score {
                cx.reply.double(score);
            }
        }
    }
    Ok(())
}

pub fn zcount(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    count(cx, args, By::Score)
}

pub fn zlexcount(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    count(cx, args, By::Lex)
}

fn count(cx: &mut Context<'_>, args: &Args<'_>, by: By) -> CommandResult {
    let part = Part::parse(by, args[2], args[3])?;
    let ranks = view(&mut cx.keys.db(cx.client.db), args[1])?.map_or(0..0, |zset| part.ranks(&zset, false));
    cx.reply.integer((ranks.end - ranks.start) as i64);
    Ok(())
}
