//! In which order a group's pending entries may be claimed: those that nobody has, in the order in which they were given
//! back, then the others, the one first that was delivered the longest ago.
//!
//! ```text
//! key: group's number u32 · place u64 · ID, BE        place: below 2^63 the turn of one that nobody has, else 2^63 and ms
//! ```
//!
//! Only streams have this table of which somebody has asked for that order; from then on it follows the pending entries.

use super::{
    Id, ORDER, Stream, extend,
    group::{Group, Pending},
    is_extended,
    table::{Table, key_of, plant, put, remove, remove_range},
};
use crate::{
    arena::ArenaFull,
    types::{home::Home, tree::Root},
    util::clock::UnixMillis,
};

const OWNED: u64 = 1 << 63;

fn key(group: u32, place: u64, id: &[u8]) -> Vec<u8> {
    [&group.to_be_bytes()[..], &place.to_be_bytes(), id].concat()
}

fn place_of(pending: &Pending) -> u64 {
    match pending.turn {
        Some(turn) => turn,
        None => OWNED | u64::try_from(pending.delivered).unwrap_or(0),
    }
}

fn key_of_pending(group: &Group, pending: &Pending) -> Vec<u8> {
    key(group.number, place_of(pending), &pending.id.to_bytes())
}

impl<'a> Stream<'a> {
    fn order(&self) -> Option<Table<'a>> {
        let root = is_extended(&self.view).then(|| Root::read(self.view.value, ORDER)).flatten()?;
        (!root.node.is_null()).then(|| Table::new(&self.view, ORDER))
    }

    /// What is pending in a group and still in the stream, in the order in which it may be claimed; nothing before
    /// [`keep_order`].
    pub fn claimable(&self, group: &Group) -> impl Iterator<Item = Pending> + use<'a> {
        let (stream, group) = (*self, *group);
        let prefix = group.number.to_be_bytes();
        (self.order().into_iter())
            .flat_map(move |table| table.from(&prefix))
            .take_while(move |element| key_of(element).starts_with(&prefix))
            .filter_map(|element| Some(Id::from_bytes(*key_of(&element).get(12..)?.first_chunk()?)))
            .filter_map(move |id| stream.pending_entry(&group, id).filter(|_| stream.get(id).is_some()))
    }

    /// How many pending entries of a group nobody has.
    pub fn unowned_len(&self, group: &Group) -> u64 {
        let Some(table) = self.order() else { return 0 };
        table.rank(&key(group.number, OWNED, b"")).saturating_sub(table.rank(&key(group.number, 0, b"")))
    }

    /// The entries that nobody has, in the order in which they were given back.
    pub fn unowned(&self, group: &Group) -> impl Iterator<Item = Id> + use<'a> {
        let count = usize::try_from(self.unowned_len(group)).unwrap_or(usize::MAX);
        (self.order().into_iter())
            .flat_map({
                let from = key(group.number, 0, b"");
                move |table| table.from(&from)
            })
            .take(count)
            .filter_map(|element| Some(Id::from_bytes(*key_of(&element).get(12..)?.first_chunk()?)))
    }

    /// The turn of the next entry that is given back.
    pub fn next_turn(&self, group: &Group) -> u64 {
        let last = self.order().and_then(|table| table.nth(table.rank(&key(group.number, OWNED, b"")).checked_sub(1)?));
        let last = last.map(|element| key_of(&element)).filter(|key| key.starts_with(&group.number.to_be_bytes()));
        let turn = last.and_then(|key| key.get(4..)?.first_chunk()).map(|turn| u64::from_be_bytes(*turn));
        turn.map_or(0, |turn| turn + 1)
    }

    /// When the first of what is pending in a group may be claimed by who wants it after so long.
    pub fn claimable_at(&self, group: &Group, min_idle: i64) -> Option<UnixMillis> {
        self.claimable(group).next().map(|pending| pending.delivered.saturating_add(min_idle))
    }
}

/// Has a stream keep that order from now on. The first time it looks at all that is pending.
pub fn keep_order(home: &mut impl Home) -> Result<(), ArenaFull> {
    if Stream::new(home.view()).order().is_some() {
        return Ok(());
    }
    extend(home)?;
    let stream = Stream::new(home.view());
    let keys: Vec<Vec<u8>> = (stream.groups())
        .flat_map(|(_, group)| stream.pending(&group, Id::MIN).map(move |pending| key_of_pending(&group, &pending)))
        .collect();
    plant(home, ORDER)?;
    keys.iter().try_for_each(|key| put(home, ORDER, key, b""))
}

/// A pending entry has become another, or has come, or gone.
pub(super) fn follow(
    home: &mut impl Home,
    group: &Group,
    before: Option<Pending>,
    after: Option<&Pending>,
) -> Result<(), ArenaFull> {
    if Stream::new(home.view()).order().is_none() {
        return Ok(());
    }
    if let Some(before) = before {
        remove(home, ORDER, &key_of_pending(group, &before))?;
    }
    after.map_or(Ok(()), |after| put(home, ORDER, &key_of_pending(group, after), b""))
}

/// A group has gone.
pub(super) fn forget_group(home: &mut impl Home, number: u32) -> Result<(), ArenaFull> {
    if Stream::new(home.view()).order().is_none() {
        return Ok(());
    }
    remove_range(home, ORDER, &key(number, 0, b"")..&key(number.saturating_add(1), 0, b"")).map(|_| ())
}
