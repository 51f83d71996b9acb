//! GEOPOS, GEODIST, GEOHASH.

use super::unit;
use crate::{
    command::{Args, CommandResult, Context, Error, Protocol, Reply, family::zset::view},
    types::geo::Position,
};

/// A position in answers: all its digits, as decimals.
pub fn coordinates(reply: &mut dyn Reply, position: &Position) {
    reply.array(2);
    for value in [position.longitude, position.latitude] {
        if reply.protocol() == Protocol::Resp3 {
            reply.double(value);
        } else {
            let text = format!("{value:.17}");
            reply.bulk(text.trim_end_matches('0').trim_end_matches('.').as_bytes());
        }
    }
}

/// A distance in answers: four decimals.
pub fn distance(reply: &mut dyn Reply, value: f64) {
    let rounded = (value * 10_000.0).round_ties_even() / 10_000.0;
    reply.bulk(format!("{rounded:.4}").as_bytes());
}

/// Answers with `each` for the members that are there, with `none` for the others.
fn members(
    cx: &mut Context<'_>,
    args: &Args<'_>,
    each: fn(&mut dyn Reply, &Position),
    none: fn(&mut dyn Reply),
) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let zset = view(&mut db, args[1])?;
    cx.reply.array(args.len() - 2);
    for member in &args[2..] {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => each(cx.reply, &Position::of_score(score)),
            None => none(cx.reply),
        }
    }
    Ok(())
}

pub fn geopos(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    members(cx, args, coordinates, |reply| reply.null_array())
}

pub fn geohash(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    members(cx, args, |reply, position| reply.bulk(&position.geohash()), |reply| reply.null())
}

pub fn geodist(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let unit = match &args[4..] {
        [] => 1.0,
        [word] => unit(word)?,
        _ => return Err(Error::SYNTAX),
    };
    let mut db = cx.keys.db(cx.client.db);
    let zset = view(&mut db, args[1])?;
    let position = |member| Some(Position::of_score(zset?.score(member)?));
    match position(args[2]).zip(position(args[3])) {
        Some((a, b)) => distance(cx.reply, a.distance(&b) / unit),
        None => cx.reply.null(),
    }
    Ok(())
}
