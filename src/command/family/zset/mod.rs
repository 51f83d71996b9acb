//! Sorted sets. This file: what their commands share. The rows are in [`rows`], the handlers in one
//! file per kind of command.

mod add;
mod blocking;
mod bounds;
mod combine;
mod pop;
mod random;
mod range;
mod read;
mod remove;
pub mod rows;
mod scan;

pub(super) use add::{Options, Outcome, add};
pub(super) use combine::in_order;

use crate::{
    command::{CommandResult, Context, Error, Protocol, Reply, family::collection::bulk},
    config::KeyspaceEvents,
    keyspace::{Cell, Db},
    types::{
        home::Home,
        kind::Type,
        packed::{self, Element, Entry},
        zset::{self, Limits, ZSet, score_of},
    },
};
use std::ops::Range;

pub(super) fn limits(cx: &Context<'_>) -> Limits {
    Limits::of(&cx.client.settings)
}

/// The sorted set at a key, to be read on behalf of a client.
pub(super) fn view<'d>(db: &'d mut Db<'_, '_>, key: &[u8]) -> Result<Option<ZSet<'d>>, Error> {
    Ok(db.view(key, Type::ZSet)?.map(ZSet::new))
}

/// Announces elements: members, or members with their scores. RESP3 has these in pairs.
fn begin(reply: &mut dyn Reply, len: usize, with_scores: bool) {
    let flat = with_scores && reply.protocol() == Protocol::Resp2;
    reply.array(if flat { len * 2 } else { len });
}

fn item(reply: &mut dyn Reply, member: &Entry<'_>, score: Option<f64>) {
    if score.is_some() && reply.protocol() == Protocol::Resp3 {
        reply.array(2);
    }
    bulk(reply, member);
    if let Some(score) = score {
        reply.double(score);
    }
}

/// Answers elements with or without their scores.
fn items<'a>(reply: &mut dyn Reply, len: u64, elements: impl Iterator<Item = Element<'a>>, with_scores: bool) {
    begin(reply, len as usize, with_scores);
    for element in elements.take(len as usize) {
        item(reply, &element.first(), with_scores.then(|| score_of(&element)));
    }
}

/// Stores elements that are in order, over whatever was there; none at all remove the key. Answers
/// how many there are.
pub(super) fn store(cx: &mut Context<'_>, key: &[u8], elements: &[u8], event: &str) -> Result<u64, Error> {
    let limits = limits(cx);
    if elements.is_empty() {
        if cx.keys.db(cx.client.db).remove(key) {
            cx.notify_generic("del", key);
        }
        return Ok(0);
    }
    let before = cx.kind_before(cx.client.db, key);
    let mut db = cx.keys.db(cx.client.db);
    db.vacate(key);
    let mut cell = db.cell_or(key, zset::EMPTY)?;
    if let Err(full) = zset::fill(&mut cell, elements, limits) {
        db.remove(key);
        return Err(full.into());
    }
    cx.notify_overwritten(cx.client.db, key, before, Type::ZSet);
    cx.notify(KeyspaceEvents::ZSET, event, key);
    Ok(packed::count(elements, zset::WIDTH) as u64)
}

/// Removes the elements of these ranks, and the key with the last one, and tells of it.
fn remove_ranks(cx: &mut Context<'_>, key: &[u8], ranks: Range<u64>, event: &str) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let Some(cell) = db.cell(key, Type::ZSet)?.filter(|_| !ranks.is_empty()) else { return Ok(()) };
    let is_all = remove_from(cell, ranks)?;
    removed(cx, key, is_all, event);
    Ok(())
}

/// Removes some ranks, of which there are as many, unless they are all: true then.
fn remove_from(mut cell: Cell<'_>, ranks: Range<u64>) -> Result<bool, Error> {
    if ranks.end - ranks.start >= ZSet::new(cell.view()).len() {
        return Ok(true);
    }
    zset::remove_ranks(&mut cell, ranks)?;
    Ok(false)
}

/// Ends the removal of some elements, or of all.
fn removed(cx: &mut Context<'_>, key: &[u8], is_all: bool, event: &str) {
    if is_all {
        cx.keys.db(cx.client.db).remove(key);
    }
    cx.notify(KeyspaceEvents::ZSET, event, key);
    if is_all {
        cx.notify_generic("del", key);
    }
}
