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
//! ```
//!
//! Fields are not ordered by expiry: that would cost a second tree. A round looks at all leaves, a
//! bounded number under one hold of the lock, and then rests in proportion to the hash's length. So
//! a large hash's fields are removed late, by about a second for each million, and never shown.

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

/// Fields that are looked at when one is removed.
const FEW: u64 = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Timer {
    next: UnixMillis,
    rest: UnixMillis,
    position: u64,
    least: UnixMillis,
}

impl Timer {
    const BYTES: usize = 32;
    const NEW: Timer = Timer { next: UnixMillis::MAX, rest: 0, position: 0, least: UnixMillis::MAX };

    fn read(value: &[u8]) -> Option<Timer> {
        let word = |index: usize| {
            let bytes = value.get(Root::BYTES + index * 8..)?.first_chunk()?;
            Some(u64::from_le_bytes(*bytes))
        };
        Some(Timer { next: word(0)? as i64, rest: word(1)? as i64, position: word(2)?, least: word(3)? as i64 })
    }

    fn to_bytes(self) -> [u8; Timer::BYTES] {
        let mut bytes = [0; Timer::BYTES];
        let words = [self.next as u64, self.rest as u64, self.position, self.least as u64];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
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

/// Whether fields expire, as far as the value's own bytes tell: those of a tree may have gone since, until the round that
/// is under way has seen all leaves.
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
pub(super) fn plant(home: &mut dyn Home) -> Result<(), ArenaFull> {
    let next = next(&home.view());
    sequence::plant::<ByField>(home, Encoding::HashTable)?;
    next.map_or(Ok(()), |next| expect(home, next))
}

/// Notes that a field expires at `at`.
pub(super) fn expect(home: &mut dyn Home, at: UnixMillis) -> Result<(), ArenaFull> {
    if home.view().encoding == Encoding::HashTable {
        let timer = Timer::read(home.view().value).unwrap_or(Timer::NEW);
        // A round under way may have passed the field already.
        set_timer(home, Some(Timer { next: timer.next.min(at), least: timer.least.min(at), ..timer }))?;
    } else if home.view().encoding == Encoding::Listpack {
        home.set_encoding(Encoding::ListpackEx);
    }
    home.wake();
    Ok(())
}

/// A field with this expiry, if it had one, is gone or has none any more. A tree of so few fields that each can be looked at
/// forgets its timer with the last of them; a larger one, when the round is over.
pub(super) fn release(home: &mut dyn Home, note: Option<u64>) -> Result<(), ArenaFull> {
    let view = home.view();
    if note.is_none() || view.encoding != Encoding::HashTable {
        return Ok(());
    }
    let fields = view.sequence(0, ByField::WIDTH);
    match fields.len() <= FEW && fields.iter(0).all(|element| element.note.is_none()) {
        true => set_timer(home, None),
        false => Ok(()),
    }
}

fn set_timer(home: &mut dyn Home, timer: Option<Timer>) -> Result<(), ArenaFull> {
    let value = home.view().value;
    if Timer::read(value) == timer {
        return Ok(());
    }
    let bytes = timer.map(Timer::to_bytes);
    home.splice(Root::BYTES..value.len(), bytes.as_ref().map_or(&[], |bytes| &bytes[..]))
}

/// Removes fields whose time has passed: all of a packed hash, of a tree those of some leaves.
/// Answers how many, and shows each to `note`. The home wakes when there is more to do.
pub fn remove_expired(home: &mut dyn Home, now: UnixMillis, note: &mut dyn FnMut(&[u8])) -> Result<u64, ArenaFull> {
    let fields = home.view().sequence(0, ByField::WIDTH);
    let removed = match fields.packed() {
        Some(_) => remove_from(home, &Spot::packed(), now, note)?,
        None => step(home, now, note)?,
    };
    home.wake();
    Ok(removed)
}

/// Removes a field if its time has passed; answers whether it has.
pub fn remove_one(home: &mut dyn Home, field: &[u8], now: UnixMillis) -> Result<bool, ArenaFull> {
    let expired = Hash::at(home.view(), now).has_expired(field);
    if expired {
        super::remove(home, field)?;
    }
    Ok(expired)
}

/// Removes the expired elements of one leaf.
fn remove_from(
    home: &mut dyn Home,
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

fn step(home: &mut dyn Home, now: UnixMillis, note: &mut dyn FnMut(&[u8])) -> Result<u64, ArenaFull> {
    let Some(mut timer) = Timer::read(home.view().value) else { return Ok(0) };
    let mut removed = 0;
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
                let round = Timer { next: timer.least, rest, ..Timer::NEW };
                set_timer(home, (round.next < UnixMillis::MAX).then_some(round))?;
                return Ok(removed);
            }
        }
    }
    set_timer(home, Some(timer))?;
    Ok(removed)
}
