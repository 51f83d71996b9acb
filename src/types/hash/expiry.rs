//! When the next field of a hash expires, and removing those whose time has passed.
//!
//! A packed hash is searched for its least note. One in a tree keeps a timer behind its root, once
//! a field has had an expiry:
//!
//! ```text
//! i64 next      no field expires before (ms since the epoch)
//! i64 rest      no round begins before
//! u64 position  the key where the round under way goes on
//! i64 least     the least expiry this round has met
//! u64 fields    how many fields have an expiry; all ones, or missing: not known
//! ```
//!
//! Fields are not ordered by expiry: that would cost a second tree. A round looks at all leaves, a
//! bounded number under one hold of the lock, and then rests in proportion to the hash's length. So
//! a large hash's fields are removed late, by about a second for each million, and never shown. With the last field
//! that has an expiry, the timer goes.

use super::{ByField, Hash, lives};
use crate::{
    arena::ArenaFull,
    types::{
        home::{Home, View},
        kind::{Encoding, Type},
        packed,
        sequence::{self, COUNT},
        tree::{Order, Root, Spot},
    },
    util::clock::UnixMillis,
};

/// Leaves looked at under one hold of a lock.
const LEAVES: usize = 512;
/// A round of so many fields is followed by a millisecond's rest.
const FIELDS_PER_MS: u64 = 1000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Timer {
    next: UnixMillis,
    rest: UnixMillis,
    position: u64,
    least: UnixMillis,
    fields: Option<u64>,
}

impl Timer {
    const BYTES: usize = 40;
    const NEW: Timer = Timer { next: UnixMillis::MAX, rest: 0, position: 0, least: UnixMillis::MAX, fields: Some(0) };

    fn read(value: &[u8]) -> Option<Timer> {
        let word = |index: usize| {
            let bytes = value.get(Root::BYTES + index * 8..)?.first_chunk()?;
            Some(u64::from_le_bytes(*bytes))
        };
        let fields = word(4).filter(|fields| *fields < u64::MAX);
        Some(Timer { next: word(0)? as i64, rest: word(1)? as i64, position: word(2)?, least: word(3)? as i64, fields })
    }

    fn to_bytes(self) -> [u8; Timer::BYTES] {
        let mut bytes = [0; Timer::BYTES];
        let fields = self.fields.unwrap_or(u64::MAX);
        let words = [self.next as u64, self.rest as u64, self.position, self.least as u64, fields];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// After so many fields more, or less, have an expiry.
    fn with_more(self, more: i64) -> Timer {
        Timer { fields: self.fields.map(|fields| fields.saturating_add_signed(more)), ..self }
    }
}

/// No field expires before this; `None` when none ever does.
#[inline]
pub fn next(view: &View<'_>) -> Option<UnixMillis> {
    match view.encoding {
        Encoding::HashTable => Timer::read(view.value).map(|timer| timer.next),
        Encoding::ListpackEx => least(view.value.get(COUNT..)?),
        _ => None,
    }
}

/// Whether fields expire.
#[inline]
pub fn any(encoding: Encoding, value: &[u8]) -> bool {
    match encoding {
        Encoding::HashTable => Timer::read(value).is_some(),
        Encoding::ListpackEx => {
            let elements = value.get(COUNT..).unwrap_or_default();
            packed::elements(elements, 0, ByField::WIDTH).any(|element| element.note.is_some())
        }
        _ => false,
    }
}

/// When the hash is to be looked at by [`remove_expired`]; `None` for other types too.
#[inline]
pub fn due(kind: Type, view: &View<'_>) -> Option<UnixMillis> {
    match (kind, view.encoding) {
        (Type::Hash, Encoding::HashTable) => Timer::read(view.value).map(|timer| timer.next.max(timer.rest)),
        (Type::Hash, Encoding::ListpackEx) => next(view),
        _ => None,
    }
}

fn least(elements: &[u8]) -> Option<UnixMillis> {
    packed::elements(elements, 0, ByField::WIDTH).filter_map(|element| element.note).min().map(|at| at as i64)
}

/// Turns a packed hash into a tree.
pub(super) fn plant(home: &mut impl Home) -> Result<(), ArenaFull> {
    let elements = home.view().value.get(COUNT..).unwrap_or_default();
    let fields = packed::elements(elements, 0, ByField::WIDTH).filter(|element| element.note.is_some()).count() as u64;
    let next = least(elements);
    sequence::plant::<ByField>(home, Encoding::HashTable)?;
    let timer = next.map(|next| Timer { next, least: next, fields: Some(fields), ..Timer::NEW });
    set_timer(home, timer)?;
    home.wake();
    Ok(())
}

/// Notes that a field, which had this expiry, now expires at `at`.
pub(super) fn expect(home: &mut impl Home, old: Option<u64>, at: UnixMillis) -> Result<(), ArenaFull> {
    if home.encoding() == Encoding::HashTable {
        let timer = Timer::read(home.view().value).unwrap_or(Timer::NEW).with_more(old.is_none().into());
        // A round under way may have passed the field already.
        set_timer(home, Some(Timer { next: timer.next.min(at), least: timer.least.min(at), ..timer }))?;
    } else if home.encoding() == Encoding::Listpack {
        home.set_encoding(Encoding::ListpackEx);
    }
    home.wake();
    Ok(())
}

/// A field with this expiry, if it had one, is gone or has none any more.
pub(super) fn release(home: &mut impl Home, old: Option<u64>) -> Result<(), ArenaFull> {
    let view = home.view();
    match (old, Timer::read(view.value)) {
        (Some(_), Some(timer)) if view.encoding == Encoding::HashTable => set_timer(home, Some(timer.with_more(-1))),
        _ => Ok(()),
    }
}

/// Keeps the timer for as long as fields expire.
fn set_timer(home: &mut impl Home, timer: Option<Timer>) -> Result<(), ArenaFull> {
    let value = home.view().value;
    let timer = timer.filter(|timer| timer.fields != Some(0));
    if Timer::read(value) == timer {
        return Ok(());
    }
    let bytes = timer.map(Timer::to_bytes);
    home.splice(Root::BYTES..value.len(), bytes.as_ref().map_or(&[], |bytes| &bytes[..]))
}

/// Removes fields whose time has passed: all of a packed hash, of a tree those of some leaves.
/// Answers how many, and shows each to `note`. The home wakes when there is more to do.
pub fn remove_expired(home: &mut impl Home, now: UnixMillis, note: &mut dyn FnMut(&[u8])) -> Result<u64, ArenaFull> {
    let fields = home.view().sequence(0, ByField::WIDTH);
    let removed = match fields.packed() {
        Some(_) => remove_from(home, &Spot::packed(), now, note)?,
        None => step(home, now, note)?,
    };
    home.wake();
    Ok(removed)
}

/// Removes a field if its time has passed; answers whether it has.
pub fn remove_one(home: &mut impl Home, field: &[u8], now: UnixMillis) -> Result<bool, ArenaFull> {
    let expired = Hash::at(home.view(), now).has_expired(field);
    if expired {
        super::remove(home, field)?;
    }
    Ok(expired)
}

/// Removes the expired elements of one leaf.
fn remove_from(
    home: &mut impl Home,
    spot: &Spot,
    now: UnixMillis,
    note: &mut dyn FnMut(&[u8]),
) -> Result<u64, ArenaFull> {
    let view = home.view();
    let bytes = view.sequence(0, ByField::WIDTH).leaf(spot);
    let mut removed = 0;
    let mut kept = Vec::new();
    for element in packed::elements(bytes, 0, ByField::WIDTH) {
        if lives(&element, now) {
            kept.extend_from_slice(element.bytes);
        } else {
            removed += 1;
            note(element.first().text(&mut itoa::Buffer::new()));
        }
    }
    if removed > 0 {
        let range = 0..bytes.len();
        sequence::splice::<ByField>(home, 0, spot, range, &kept, -(removed as i64))?;
    }
    Ok(removed)
}

fn step(home: &mut impl Home, now: UnixMillis, note: &mut dyn FnMut(&[u8])) -> Result<u64, ArenaFull> {
    let Some(mut timer) = Timer::read(home.view().value) else { return Ok(0) };
    let mut removed = 0;
    let left = |timer: Timer, removed: u64| timer.with_more(-(removed as i64));
    for _ in 0..LEAVES {
        let fields = home.view().sequence(0, ByField::WIDTH);
        let spot = fields.by_hash(timer.position);
        let bound = fields.next_bound(&spot);
        let later = packed::elements(fields.leaf(&spot), 0, ByField::WIDTH)
            .filter(|element| lives(element, now))
            .filter_map(|element| element.note)
            .min();
        timer.least = timer.least.min(later.map_or(UnixMillis::MAX, |at| at as i64));
        removed += remove_from(home, &spot, now, note)?;
        // Bounds ascend, but for those of elements that share one key.
        match bound.filter(|bound| *bound > timer.position) {
            Some(bound) => timer.position = bound,
            None => {
                let len = home.view().sequence(0, ByField::WIDTH).len();
                let rest = now.saturating_add_unsigned(len / FIELDS_PER_MS);
                let round = Timer { next: timer.least, rest, fields: left(timer, removed).fields, ..Timer::NEW };
                set_timer(home, (round.next < UnixMillis::MAX).then_some(round))?;
                return Ok(removed);
            }
        }
    }
    set_timer(home, Some(left(timer, removed)))?;
    Ok(removed)
}
