//! Consumer groups: what each has been given, and what of it is still pending.
//!
//! ```text
//! table        key                          record
//! groups       the group's name             its number u32 · last delivered ID · entries read i64 (-1: not known)
//! consumers    group's number · name        its number u32 · seen i64 · active i64 (ms; -1: never)
//! pending      group's number · ID          consumer's number u32 · delivered i64 (ms) · times, LE without leading zeros;
//!                                           of one that nobody has, the number 2^32 - 1 and its turn instead of a time
//! owned        consumer's number · ID       nothing
//! ```
//!
//! Numbers are of this stream alone and never used again; in keys they are big-endian, so that a
//! group's or a consumer's own lie together and are counted by their ranks.

use super::{
    CONSUMERS, GROUPS, Head, Id, OWNED, PENDING, Stream, order,
    table::{Table, key_of, put, record_of, remove, remove_range},
};
use crate::{arena::ArenaFull, types::home::Home, util::clock::UnixMillis};

/// A group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    pub number: u32,
    /// The last entry that was delivered.
    pub last: Id,
    /// How many of all entries ever added come up to that one; `None`: it cannot be told.
    pub read: Option<u64>,
}

/// A consumer of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Consumer {
    pub number: u32,
    /// When it last asked for something.
    pub seen: UnixMillis,
    /// When it last got something.
    pub active: Option<UnixMillis>,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pending {
    pub id: Id,
    /// [`NOBODY`]: it was given back.
    pub consumer: u32,
    pub delivered: UnixMillis,
    pub times: u64,
    /// Of one that was given back: its place among such.
    pub turn: Option<u64>,
}

/// No consumer's number.
pub const NOBODY: u32 = u32::MAX;

fn word<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

impl Group {
    fn from_record(record: &[u8]) -> Group {
        Group {
            number: u32::from_le_bytes(word(record, 0)),
            last: Id::from_bytes(word(record, 4)),
            read: u64::try_from(i64::from_le_bytes(word(record, 20))).ok(),
        }
    }

    fn to_record(self) -> Vec<u8> {
        let read = self.read.and_then(|read| i64::try_from(read).ok()).unwrap_or(-1);
        [&self.number.to_le_bytes()[..], &self.last.to_bytes(), &read.to_le_bytes()].concat()
    }
}

impl Consumer {
    fn from_record(record: &[u8]) -> Consumer {
        Consumer {
            number: u32::from_le_bytes(word(record, 0)),
            seen: i64::from_le_bytes(word(record, 4)),
            active: Some(i64::from_le_bytes(word(record, 12))).filter(|at| *at >= 0),
        }
    }

    fn to_record(self) -> Vec<u8> {
        let active = self.active.unwrap_or(-1);
        [&self.number.to_le_bytes()[..], &self.seen.to_le_bytes(), &active.to_le_bytes()].concat()
    }
}

impl Pending {
    fn read(key: &[u8], record: &[u8]) -> Pending {
        let mut times = [0; 8];
        let bytes = record.get(12..).unwrap_or_default();
        let len = bytes.len().min(8);
        times[..len].copy_from_slice(&bytes[..len]);
        let consumer = u32::from_le_bytes(word(record, 0));
        let turn = (consumer == NOBODY).then(|| u64::from_le_bytes(word(record, 4)));
        let delivered = if turn.is_some() { 0 } else { i64::from_le_bytes(word(record, 4)) };
        Pending { id: Id::from_bytes(word(key, 4)), consumer, delivered, times: u64::from_le_bytes(times), turn }
    }

    /// One that was given back.
    pub fn unowned(id: Id, times: u64, turn: u64) -> Pending {
        Pending { id, consumer: NOBODY, delivered: 0, times, turn: Some(turn) }
    }

    /// One that a consumer has got.
    pub fn owned(id: Id, consumer: u32, delivered: UnixMillis, times: u64) -> Pending {
        Pending { id, consumer, delivered, times, turn: None }
    }

    fn to_record(self) -> Vec<u8> {
        let times = &self.times.to_le_bytes()[..8 - self.times.leading_zeros() as usize / 8];
        let when = self.turn.map_or(self.delivered.to_le_bytes(), u64::to_le_bytes);
        [&self.consumer.to_le_bytes()[..], &when, times].concat()
    }
}

/// A group's or consumer's number and a name or an ID.
fn key(number: u32, rest: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], rest].concat()
}

/// What comes after all keys of a number.
fn end(number: u32) -> [u8; 4] {
    number.saturating_add(1).to_be_bytes()
}

impl<'a> Stream<'a> {
    fn table(&self, number: usize) -> Table<'a> {
        Table::new(&self.view, number)
    }

    pub fn group(&self, name: &[u8]) -> Option<Group> {
        self.table(GROUPS).get(name).map(Group::from_record)
    }

    /// All groups, in the order of their names.
    pub fn groups(&self) -> impl Iterator<Item = (&'a [u8], Group)> + use<'a> {
        self.table(GROUPS).from(b"").map(|element| (key_of(&element), Group::from_record(record_of(&element))))
    }

    pub fn groups_len(&self) -> u64 {
        self.table(GROUPS).len()
    }

    pub fn consumer(&self, group: &Group, name: &[u8]) -> Option<Consumer> {
        self.table(CONSUMERS).get(&key(group.number, name)).map(Consumer::from_record)
    }

    /// A group's consumers, in the order of their names.
    pub fn consumers(&self, group: &Group) -> impl Iterator<Item = (&'a [u8], Consumer)> + use<'a> {
        let prefix = group.number.to_be_bytes();
        (self.table(CONSUMERS).from(&prefix))
            .take_while(move |element| key_of(element).starts_with(&prefix))
            .map(|element| (&key_of(&element)[4..], Consumer::from_record(record_of(&element))))
    }

    pub fn consumers_len(&self, group: &Group) -> u64 {
        self.count(CONSUMERS, group.number)
    }

    /// What is pending in a group from an ID on.
    pub fn pending(&self, group: &Group, from: Id) -> impl Iterator<Item = Pending> + use<'a> {
        let prefix = group.number.to_be_bytes();
        (self.table(PENDING).from(&key(group.number, &from.to_bytes())))
            .take_while(move |element| key_of(element).starts_with(&prefix))
            .map(|element| Pending::read(key_of(&element), record_of(&element)))
    }

    pub fn pending_len(&self, group: &Group) -> u64 {
        self.count(PENDING, group.number)
    }

    /// The last that is pending in a group.
    pub fn last_pending(&self, group: &Group) -> Option<Pending> {
        let table = self.table(PENDING);
        let element = table.nth(table.rank(&end(group.number)).checked_sub(1)?)?;
        key_of(&element)
            .starts_with(&group.number.to_be_bytes())
            .then(|| Pending::read(key_of(&element), record_of(&element)))
    }

    /// What a group knows of an entry that is pending.
    pub fn pending_entry(&self, group: &Group, id: Id) -> Option<Pending> {
        let key = key(group.number, &id.to_bytes());
        self.table(PENDING).get(&key).map(|record| Pending::read(&key, record))
    }

    /// The IDs of what is pending with a consumer, from one on.
    pub fn owned(&self, consumer: &Consumer, from: Id) -> impl Iterator<Item = Id> + use<'a> {
        let prefix = consumer.number.to_be_bytes();
        (self.table(OWNED).from(&key(consumer.number, &from.to_bytes())))
            .take_while(move |element| key_of(element).starts_with(&prefix))
            .map(|element| Id::from_bytes(word(key_of(&element), 4)))
    }

    pub fn owned_len(&self, consumer: &Consumer) -> u64 {
        self.count(OWNED, consumer.number)
    }

    fn count(&self, table: usize, number: u32) -> u64 {
        let table = self.table(table);
        if table.len() == 0 {
            return 0;
        }
        table.rank(&end(number)) - table.rank(&number.to_be_bytes())
    }

    /// Whether an entry was not delivered to some group, or is still pending in one.
    pub fn is_referenced(&self, id: Id) -> bool {
        self.groups().any(|(_, group)| group.last < id || self.pending_entry(&group, id).is_some())
    }

    /// How many entries a group has still to be given; `None`: it cannot be told.
    pub fn lag(&self, group: &Group) -> Option<u64> {
        let Some(first) = self.first().map(|item| item.id) else { return Some(0) };
        let read = match group.read {
            // All that is there is still to come, whatever was deleted or trimmed before it.
            _ if group.last < first && self.head.deleted < first => return Some(self.len()),
            Some(read) if !self.has_gaps_after(group.last) => read,
            _ => self.added_up_to(group.last)?,
        };
        Some(self.head.added.saturating_sub(read))
    }

    /// Counts an entry that a group is given, the next after its last: `first` is the first that is there.
    pub fn count_read(&self, group: &Group, id: Id, first: Id) -> Option<u64> {
        match group.read {
            Some(read) if group.last >= first && !self.has_gaps_after(group.last) => Some(read + 1),
            _ => self.added_up_to(id),
        }
    }

    /// Whether an entry at or after this one was deleted.
    pub fn has_gaps_after(&self, id: Id) -> bool {
        !self.is_empty() && self.head.deleted != Id::MIN && id <= self.head.deleted
    }

    /// How many entries were ever added up to this ID; `None`: it cannot be told.
    pub fn added_up_to(&self, id: Id) -> Option<u64> {
        let Head { added, last, deleted, .. } = self.head;
        let Some(first) = self.first().map(|item| item.id) else {
            return if added == 0 { Some(0) } else { (id <= last).then_some(added) };
        };
        match () {
            () if added == 0 => Some(0),
            () if id != Id::MIN && id < deleted => None,
            () if id == last => Some(added),
            () if id > last => None,
            () if deleted != Id::MIN && deleted >= first => None,
            () if id < first => Some(added.saturating_sub(self.len())),
            () if id == first => Some(added.saturating_sub(self.len()) + 1),
            () => None,
        }
    }
}

/// Makes a group, of which there must be none of this name.
pub fn create(home: &mut impl Home, name: &[u8], last: Id, read: Option<u64>) -> Result<Group, ArenaFull> {
    let group = Group { number: take_number(home, |head| &mut head.next_group)?, last, read };
    update(home, name, &group)?;
    Ok(group)
}

/// Records what has become of a group.
pub fn update(home: &mut impl Home, name: &[u8], group: &Group) -> Result<(), ArenaFull> {
    put(home, GROUPS, name, &group.to_record())
}

/// Removes a group with its consumers and all that is pending.
pub fn destroy(home: &mut impl Home, name: &[u8]) -> Result<bool, ArenaFull> {
    let stream = Stream::new(home.view());
    let Some(group) = stream.group(name) else { return Ok(false) };
    let consumers: Vec<u32> = stream.consumers(&group).map(|(_, consumer)| consumer.number).collect();
    for number in consumers {
        remove_range(home, OWNED, &number.to_be_bytes()..&end(number))?;
    }
    for table in [CONSUMERS, PENDING] {
        remove_range(home, table, &group.number.to_be_bytes()..&end(group.number))?;
    }
    order::forget_group(home, group.number)?;
    remove(home, GROUPS, name)
}

/// The next of the numbers that `which` counts.
fn take_number(home: &mut impl Home, which: impl Fn(&mut Head) -> &mut u32) -> Result<u32, ArenaFull> {
    let mut head = Stream::new(home.view()).head;
    let next = which(&mut head);
    let number = *next;
    // The last number is never given, for there must be one after each.
    *next = number.checked_add(1).filter(|next| *next < u32::MAX).ok_or(ArenaFull)?;
    head.write(home)?;
    Ok(number)
}

/// Makes a consumer.
pub fn create_consumer(
    home: &mut impl Home,
    group: &Group,
    name: &[u8],
    seen: UnixMillis,
    active: Option<UnixMillis>,
) -> Result<Consumer, ArenaFull> {
    let number = take_number(home, |head| &mut head.next_consumer)?;
    let consumer = Consumer { number, seen, active };
    update_consumer(home, group, name, &consumer)?;
    Ok(consumer)
}

/// Records what has become of a consumer.
pub fn update_consumer(home: &mut impl Home, group: &Group, name: &[u8], to: &Consumer) -> Result<(), ArenaFull> {
    put(home, CONSUMERS, &key(group.number, name), &to.to_record())
}

/// Removes a consumer and what is pending with it; answers how much that was.
pub fn remove_consumer(home: &mut impl Home, group: &Group, name: &[u8]) -> Result<Option<u64>, ArenaFull> {
    let Some(consumer) = Stream::new(home.view()).consumer(group, name) else { return Ok(None) };
    let mut count = 0;
    loop {
        // In steps, so that what is held beside the stream has a bound.
        let ids: Vec<Id> = Stream::new(home.view()).owned(&consumer, Id::MIN).take(1000).collect();
        if ids.is_empty() {
            break;
        }
        for id in ids {
            acknowledge(home, group, id)?;
            count += 1;
        }
    }
    remove(home, CONSUMERS, &key(group.number, name))?;
    Ok(Some(count))
}

/// Records that an entry was delivered, taking it from whoever had it before.
pub fn deliver(home: &mut impl Home, group: &Group, pending: &Pending) -> Result<(), ArenaFull> {
    let old = Stream::new(home.view()).pending_entry(group, pending.id);
    let before = old.map(|old| old.consumer);
    let id = pending.id.to_bytes();
    let moves = before != Some(pending.consumer) && pending.consumer != NOBODY;
    if moves {
        put(home, OWNED, &key(pending.consumer, &id), b"")?;
    }
    put(home, PENDING, &key(group.number, &id), &pending.to_record()).inspect_err(|_| {
        if moves {
            let _ = remove(home, OWNED, &key(pending.consumer, &id));
        }
    })?;
    if let Some(before) = before.filter(|before| *before != pending.consumer && *before != NOBODY) {
        remove(home, OWNED, &key(before, &id))?;
    }
    order::follow(home, group, old, Some(pending))
}

/// An entry is pending no longer; answers whether it was.
pub fn acknowledge(home: &mut impl Home, group: &Group, id: Id) -> Result<bool, ArenaFull> {
    let Some(pending) = Stream::new(home.view()).pending_entry(group, id) else { return Ok(false) };
    remove(home, OWNED, &key(pending.consumer, &id.to_bytes()))?;
    order::follow(home, group, Some(pending), None)?;
    remove(home, PENDING, &key(group.number, &id.to_bytes()))
}

/// An entry is pending in no group any more.
pub fn acknowledge_all(home: &mut impl Home, id: Id) -> Result<(), ArenaFull> {
    let groups: Vec<Group> = Stream::new(home.view()).groups().map(|(_, group)| group).collect();
    groups.iter().try_for_each(|group| acknowledge(home, group, id).map(|_| ()))
}
