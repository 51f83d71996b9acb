//! ZSCAN.
//!
//! A packed sorted set is answered whole. Of trees, the cursor names the element that comes next: its
//! rank, and some bits of its hash by which it is found again when others before it have come or gone.

use crate::{
    command::{
        Args, CommandResult, Context,
        family::collection::{ScanOptions, bulk, nothing_scanned, scan_cursor},
    },
    types::{
        kind::Type,
        packed::Element,
        zset::{ZSet, score_of},
    },
    util::double,
};

/// Bits of a hash in a cursor; the others are the rank.
const MARK_BITS: u32 = 24;
/// How far from its rank an element is looked for.
const DRIFT: u64 = 1000;

pub fn zscan(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    scan_cursor(args[2])?;
    let mut db = cx.keys.db(cx.client.db);
    let Some(view) = db.view(args[1], Type::ZSet)? else { return nothing_scanned(cx.reply) };
    let options = ScanOptions::parse(args, 2, "noscores")?;
    let zset = ZSet::new(view);
    let mark = |element: &Element<'_>| {
        let hash = view.hasher.hash_one(element.first().text(&mut itoa::Buffer::new()));
        hash & ((1 << MARK_BITS) - 1)
    };
    let (start, count) = match zset.is_packed() {
        true => (0, zset.len()),
        false => (resume(&zset, options.cursor, mark), options.count),
    };
    let mut elements = zset.iter(start);
    let found: Vec<Element<'_>> = (elements.by_ref())
        .take(usize::try_from(count).unwrap_or(usize::MAX))
        .filter(|element| options.matches_entry(&element.first()))
        .collect();
    let end = start.saturating_add(count);
    let next = elements.next().map_or(0, |element| end << MARK_BITS | mark(&element));
    cx.reply.array(2);
    cx.reply.bulk(next.to_string().as_bytes());
    cx.reply.array(if options.names_only { found.len() } else { found.len() * 2 });
    for element in found {
        bulk(cx.reply, &element.first());
        if !options.names_only {
            cx.reply.bulk(double::text(score_of(&element)).as_bytes());
        }
    }
    Ok(())
}

/// The rank that a cursor means now. When its element is gone, a stretch before it is repeated, lest
/// one be left out.
fn resume(zset: &ZSet<'_>, cursor: u64, mark: impl Fn(&Element<'_>) -> u64) -> u64 {
    let (rank, wanted) = (cursor >> MARK_BITS, cursor & ((1 << MARK_BITS) - 1));
    if cursor == 0 || zset.get(rank).is_some_and(|element| mark(&element) == wanted) {
        return rank;
    }
    let from = rank.saturating_sub(DRIFT).min(zset.len());
    let near = zset.iter(from).take(2 * DRIFT as usize).zip(from..);
    near.filter(|(element, _)| mark(element) == wanted)
        .map(|(_, at)| at)
        .min_by_key(|at| at.abs_diff(rank))
        .unwrap_or(from)
}
