//! Intersections, unions and differences.
//!
//! No operand is copied: a member is looked up in the other sets. The result is collected in packed
//! form, because a reply begins with its length.

use super::limits;
use crate::{
    command::{Args, CommandResult, Context, Error, args, family::collection::bulk},
    config::KeyspaceEvents,
    keyspace::{Db, Type},
    types::{
        packed,
        set::{self, Set},
    },
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

/// The members of the result, packed.
struct Members {
    bytes: Vec<u8>,
    count: usize,
}

/// Reads each key once, so that hits count and expired keys go, and checks the types.
fn read_all(db: &mut Db<'_, '_>, keys: &[&[u8]]) -> CommandResult {
    for key in keys {
        db.view(key, Type::Set)?;
    }
    Ok(())
}

fn combine(db: &mut Db<'_, '_>, keys: &[&[u8]], operation: Operation, limit: usize) -> Result<Members, Error> {
    read_all(db, keys)?;
    let mut sets: Vec<Option<Set<'_>>> = keys.iter().map(|key| db.glance(key).map(Set::new)).collect();
    let mut result = Members { bytes: Vec::new(), count: 0 };
    let held = |sets: &[Option<Set<'_>>], entry: &packed::Entry<'_>| {
        sets.iter().flatten().any(|set| set.contains_entry(entry))
    };
    match operation {
        Operation::Intersection => {
            let Some(mut sets) = sets.into_iter().collect::<Option<Vec<Set<'_>>>>() else { return Ok(result) };
            sets.sort_by_key(Set::len);
            let Some((smallest, others)) = sets.split_first() else { return Ok(result) };
            let shared = |element: &packed::Element<'_>| others.iter().all(|set| set.contains_entry(&element.first()));
            for element in smallest.iter().filter(shared).take(limit) {
                result.bytes.extend_from_slice(element.bytes);
                result.count += 1;
            }
        }
        Operation::Union => {
            for at in 0..sets.len() {
                let (before, rest) = sets.split_at(at);
                for element in rest.iter().take(1).flatten().flat_map(Set::iter) {
                    if !held(before, &element.first()) {
                        result.bytes.extend_from_slice(element.bytes);
                        result.count += 1;
                    }
                }
            }
        }
        Operation::Difference => {
            let others = sets.split_off(1);
            for element in sets.iter().flatten().flat_map(Set::iter) {
                if !held(&others, &element.first()) {
                    result.bytes.extend_from_slice(element.bytes);
                    result.count += 1;
                }
            }
        }
    }
    Ok(result)
}

fn answer(cx: &mut Context<'_>, keys: &[&[u8]], operation: Operation) -> CommandResult {
    let result = combine(&mut cx.keys.db(cx.client.db), keys, operation, usize::MAX)?;
    cx.reply.set(result.count);
    packed::elements(&result.bytes, 0, 1).for_each(|element| bulk(cx.reply, &element.first()));
    Ok(())
}

fn store(cx: &mut Context<'_>, args: &Args<'_>, operation: Operation, event: &str) -> CommandResult {
    let (target, limits) = (args[1], limits(cx));
    let mut db = cx.keys.db(cx.client.db);
    let result = combine(&mut db, &args[2..], operation, usize::MAX)?;
    if result.count > 0 {
        let before = cx.kind_before(cx.client.db, target);
        let mut db = cx.keys.db(cx.client.db);
        db.vacate(target);
        let mut cell = db.cell_or(target, set::empty(b"", 1, limits))?;
        set::fill(&mut cell, &result.bytes, limits)?;
        cx.notify_overwritten(cx.client.db, target, before, Type::Set);
        cx.notify(KeyspaceEvents::SET, event, target);
    } else if db.remove(target) {
        cx.notify_generic("del", target);
    }
    cx.reply.integer(result.count as i64);
    Ok(())
}

pub fn sinter(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    answer(cx, &args[1..], Operation::Intersection)
}

pub fn sunion(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    answer(cx, &args[1..], Operation::Union)
}

pub fn sdiff(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    answer(cx, &args[1..], Operation::Difference)
}

pub fn sinterstore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    store(cx, args, Operation::Intersection, "sinterstore")
}

pub fn sunionstore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    store(cx, args, Operation::Union, "sunionstore")
}

pub fn sdiffstore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    store(cx, args, Operation::Difference, "sdiffstore")
}

pub fn sintercard(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let numkeys = args::integer(args[1]).ok().filter(|n| *n > 0);
    let numkeys = numkeys.ok_or(Error::new("ERR numkeys should be greater than 0"))?;
    let keys = usize::try_from(numkeys).ok().and_then(|n| args.get(2..n.checked_add(2)?));
    let keys = keys.ok_or(Error::new("ERR Number of keys can't be greater than number of args"))?;
    let mut limit = 0;
    let mut options = args[2 + keys.len()..].iter();
    while let Some(word) = options.next() {
        let value = options.next().filter(|_| args::is_word(word, "limit")).ok_or(Error::SYNTAX)?;
        let given = args::integer(value).ok().filter(|limit| *limit >= 0);
        limit = given.ok_or(Error::new("ERR LIMIT can't be negative"))?;
    }
    let limit = if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
    let result = combine(&mut cx.keys.db(cx.client.db), keys, Operation::Intersection, limit)?;
    cx.reply.integer(result.count as i64);
    Ok(())
}
