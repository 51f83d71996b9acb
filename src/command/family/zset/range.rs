//! The ZRANGE family.

use super::{
    bounds::{By, Form, Query},
    items, store, view,
};
use crate::command::{Args, CommandResult, Context};

const ANY: Form = Form { by: None, reverse: None, scores: true };

const fn form(by: By, reverse: bool) -> Form {
    Form { by: Some(by), reverse: Some(reverse), scores: true }
}

pub fn zrange(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    range(cx, args, ANY)
}

pub fn zrevrange(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    range(cx, args, form(By::Rank, true))
}

pub fn zrangebyscore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    range(cx, args, form(By::Score, false))
}

pub fn zrevrangebyscore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    range(cx, args, form(By::Score, true))
}

pub fn zrangebylex(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    range(cx, args, form(By::Lex, false))
}

pub fn zrevrangebylex(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    range(cx, args, form(By::Lex, true))
}

fn range(cx: &mut Context<'_>, args: &Args<'_>, form: Form) -> CommandResult {
    let query = Query::parse(&args[2..], form)?;
    let mut db = cx.keys.db(cx.client.db);
    let Some(zset) = view(&mut db, args[1])? else {
        cx.reply.array(0);
        return Ok(());
    };
    if let Some(few) = query.few(&zset) {
        items(cx.reply, few.len() as u64, few.into_iter(), query.with_scores);
        return Ok(());
    }
    let ranks = query.ranks(&zset);
    let len = ranks.end - ranks.start;
    match query.reverse {
        _ if len == 0 => cx.reply.array(0),
        true => items(cx.reply, len, zset.iter_back(ranks.end - 1), query.with_scores),
        false => items(cx.reply, len, zset.iter(ranks.start), query.with_scores),
    }
    Ok(())
}

pub fn zrangestore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let query = Query::parse(&args[3..], Form { scores: false, ..ANY })?;
    let mut elements = Vec::new();
    if let Some(zset) = view(&mut cx.keys.db(cx.client.db), args[2])? {
        let ranks = query.ranks(&zset);
        let run = zset.iter(ranks.start).take((ranks.end - ranks.start) as usize);
        run.for_each(|element| elements.extend_from_slice(element.bytes));
    }
    let len = store(cx, args[1], &elements, "zrangestore")?;
    cx.reply.integer(len as i64);
    Ok(())
}
