//! Producers that name what they send: an entry that is sent twice is added once.
//!
//! ```text
//! kind  key                         record
//! p     the producer's name         its number u64, BE
//! n     number                      the producer's name
//! i     number · the entry's name   its ID
//! o     number · ID · name          nothing: a producer's entries, the oldest first
//! t     ID · number · name          nothing: all producers' entries, the oldest first
//! ```
//!
//! All of this is one table. An entry is remembered for a time that its ID tells, and of each producer only so many. A producer
//! goes with the last of its entries. What has expired is removed when something is recorded, more of it each time than comes.

use super::{
    Id, Layout, PRODUCERS, Stream, bytes_of, extend, is_extended,
    table::{Table, key_of, put, record_of, remove, remove_range},
    words,
};
use crate::{arena::ArenaFull, types::home::Home, util::clock::UnixMillis};
use std::ops::{Range, RangeInclusive};

/// For how many seconds entries may be remembered, and how many of each producer.
pub const SECONDS: RangeInclusive<u64> = 1..=86_400;
pub const MOST: RangeInclusive<u64> = 1..=10_000;

/// Expired entries that are forgotten when one is recorded, at most.
const FORGOTTEN: usize = 16;

/// What a stream remembers of its producers, and how long: 0 seconds in one that was extended for another reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    pub seconds: u64,
    /// Entries of each producer.
    pub most: u64,
    /// Entries that were ever recorded, and such as were sent again.
    pub added: u64,
    pub duplicates: u64,
    next_producer: u64,
}

impl Memory {
    pub(super) const BYTES: usize = 40;

    /// Nothing yet, and what is to be remembered.
    pub fn new(seconds: u64, most: u64) -> Memory {
        Memory { seconds, most, ..Memory::default() }
    }

    fn read(value: &[u8], at: usize) -> Memory {
        let mut word = words(value, at);
        Memory { seconds: word(), most: word(), added: word(), duplicates: word(), next_producer: word() }
    }

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        bytes_of(&[self.seconds, self.most, self.added, self.duplicates, self.next_producer])
    }

    fn write(self, home: &mut impl Home) -> Result<(), ArenaFull> {
        let at = Layout::of(&home.view()).memory;
        home.splice(at..at + Self::BYTES, &self.to_bytes())
    }

    /// The least ID of an entry that has not expired.
    fn since(&self, now: UnixMillis) -> Id {
        let age = self.seconds.saturating_mul(1000);
        match u64::try_from(now).unwrap_or(0).checked_sub(age) {
            Some(ms) => Id { ms: ms.saturating_add(1), seq: 0 },
            None => Id::MIN,
        }
    }
}

fn name_key(producer: &[u8]) -> Vec<u8> {
    [b"p", producer].concat()
}

fn number_key(number: u64) -> Vec<u8> {
    [&b"n"[..], &number.to_be_bytes()].concat()
}

fn entry_key(number: u64, name: &[u8]) -> Vec<u8> {
    [&b"i"[..], &number.to_be_bytes(), name].concat()
}

fn own_key(number: u64, id: Id, name: &[u8]) -> Vec<u8> {
    [&b"o"[..], &number.to_be_bytes(), &id.to_bytes(), name].concat()
}

fn time_key(id: Id, number: u64, name: &[u8]) -> Vec<u8> {
    [&b"t"[..], &id.to_bytes(), &number.to_be_bytes(), name].concat()
}

/// All keys of a producer's entries.
fn own_range(number: u64) -> Range<Vec<u8>> {
    own_key(number, Id::MIN, b"")..own_key(number.saturating_add(1), Id::MIN, b"")
}

fn at<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    bytes.get(from..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

/// What the time key of an entry says: its ID, its producer's number and its name.
fn of_time_key(key: &[u8]) -> (Id, u64, &[u8]) {
    (Id::from_bytes(at(key, 1)), u64::from_be_bytes(at(key, 17)), key.get(25..).unwrap_or_default())
}

impl<'a> Stream<'a> {
    /// What it remembers of producers, if that was ever asked for.
    pub fn memory(&self) -> Option<Memory> {
        let read = || Memory::read(self.view.value, Layout::of(&self.view).memory);
        is_extended(&self.view).then(read).filter(|memory| memory.seconds > 0)
    }

    fn producer_table(&self) -> Option<Table<'a>> {
        is_extended(&self.view).then(|| Table::new(&self.view, PRODUCERS))
    }

    fn producer(&self, name: &[u8]) -> Option<u64> {
        self.producer_table()?.get(&name_key(name)).map(|record| u64::from_be_bytes(at(record, 0)))
    }

    /// The ID of the entry that a producer has sent under this name.
    pub fn sent(&self, producer: &[u8], name: &[u8], now: UnixMillis) -> Option<Id> {
        let id = Id::from_bytes(at(self.producer_table()?.get(&entry_key(self.producer(producer)?, name))?, 0));
        self.memory().filter(|memory| id >= memory.since(now)).map(|_| id)
    }

    /// How many producers are known, and how many entries of theirs.
    pub fn tracked(&self, now: UnixMillis) -> (u64, u64) {
        let (Some(memory), Some(_)) = (self.memory(), self.producer_table()) else { return (0, 0) };
        let producers =
            self.producers().filter(|(_, number)| self.entries_of(*number, memory.since(now)).next().is_some());
        (producers.count() as u64, self.tracked_since(memory.since(now)))
    }

    fn tracked_since(&self, since: Id) -> u64 {
        let Some(table) = self.producer_table() else { return 0 };
        table.rank(b"u").saturating_sub(table.rank(&time_key(since, 0, b"")))
    }

    /// The producers, with their numbers.
    pub fn producers(&self) -> impl Iterator<Item = (&'a [u8], u64)> + use<'a> {
        (self.producer_table().into_iter())
            .flat_map(|table| table.from(b"p"))
            .take_while(|element| key_of(element).starts_with(b"p"))
            .map(|element| (&key_of(&element)[1..], u64::from_be_bytes(at(record_of(&element), 0))))
    }

    /// The entries of a producer that have not expired, the oldest first: their IDs and names.
    pub fn remembered(&self, number: u64, now: UnixMillis) -> impl Iterator<Item = (Id, &'a [u8])> + use<'a> {
        self.entries_of(number, self.memory().map_or(Id::MIN, |memory| memory.since(now)))
    }

    fn entries_of(&self, number: u64, since: Id) -> impl Iterator<Item = (Id, &'a [u8])> + use<'a> {
        let (from, end) = (own_key(number, since, b""), own_range(number).end);
        (self.producer_table().into_iter())
            .flat_map(move |table| table.from(&from))
            .take_while(move |element| key_of(element) < &end[..])
            .map(|element| key_of(&element))
            .map(|key| (Id::from_bytes(at(key, 9)), key.get(25..).unwrap_or_default()))
    }

    fn count_of(&self, number: u64) -> u64 {
        let Some(table) = self.producer_table() else { return 0 };
        let keys = own_range(number);
        table.rank(&keys.end).saturating_sub(table.rank(&keys.start))
    }
}

/// Has a stream remember what its producers send, in the way that `usual` says if it does not yet.
pub fn attend(home: &mut impl Home, usual: Memory) -> Result<(), ArenaFull> {
    if memory_of(home).is_some() {
        return Ok(());
    }
    extend(home)?;
    usual.write(home)
}

/// Changes for how long and how much is remembered; all that was is forgotten then.
pub fn configure(home: &mut impl Home, usual: Memory, seconds: u64, most: u64) -> Result<(), ArenaFull> {
    let before = memory_of(home).unwrap_or(usual);
    if (before.seconds, before.most) == (seconds, most) {
        return Ok(());
    }
    extend(home)?;
    remove_range(home, PRODUCERS, b""..b"\xff")?;
    Memory { seconds, most, ..before }.write(home)
}

/// Sets the counts, of a stream that is restored.
pub fn set_counts(home: &mut impl Home, added: u64, duplicates: u64) -> Result<(), ArenaFull> {
    match memory_of(home) {
        Some(memory) => Memory { added, duplicates, ..memory }.write(home),
        None => Ok(()),
    }
}

fn memory_of(home: &impl Home) -> Option<Memory> {
    Stream::new(home.view()).memory()
}

/// An entry was sent again.
pub fn count_duplicate(home: &mut impl Home) -> Result<(), ArenaFull> {
    match memory_of(home) {
        Some(memory) => Memory { duplicates: memory.duplicates.saturating_add(1), ..memory }.write(home),
        None => Ok(()),
    }
}

/// Remembers under which name a producer has sent an entry. The stream must be one that attends to that.
pub fn record(home: &mut impl Home, producer: &[u8], name: &[u8], id: Id, now: UnixMillis) -> Result<(), ArenaFull> {
    let Some(memory) = memory_of(home) else { return Ok(()) };
    forget_expired(home, memory.since(now))?;
    let known = Stream::new(home.view()).producer(producer);
    let next_producer = memory.next_producer + u64::from(known.is_none());
    Memory { added: memory.added.saturating_add(1), next_producer, ..memory }.write(home)?;
    let number = known.unwrap_or(memory.next_producer);
    if known.is_none() {
        put(home, PRODUCERS, &name_key(producer), &number.to_be_bytes())?;
        put(home, PRODUCERS, &number_key(number), producer)?;
    } else {
        let stream = Stream::new(home.view());
        let of_name = stream.producer_table().and_then(|table| table.get(&entry_key(number, name)));
        if let Some(expired) = of_name.map(|record| Id::from_bytes(at(record, 0))) {
            forget(home, number, expired, name)?;
        }
    }
    put(home, PRODUCERS, &own_key(number, id, name), b"")?;
    put(home, PRODUCERS, &time_key(id, number, name), b"")?;
    put(home, PRODUCERS, &entry_key(number, name), &id.to_bytes())?;
    while Stream::new(home.view()).count_of(number) > memory.most {
        let stream = Stream::new(home.view());
        let Some((id, name)) = stream.entries_of(number, Id::MIN).next().map(|(id, name)| (id, name.to_vec())) else {
            break;
        };
        forget(home, number, id, &name)?;
    }
    Ok(())
}

fn forget(home: &mut impl Home, number: u64, id: Id, name: &[u8]) -> Result<(), ArenaFull> {
    for key in [entry_key(number, name), own_key(number, id, name), time_key(id, number, name)] {
        remove(home, PRODUCERS, &key)?;
    }
    Ok(())
}

/// Forgets some of what is older than `since`, and producers of which nothing is left.
fn forget_expired(home: &mut impl Home, since: Id) -> Result<(), ArenaFull> {
    let stream = Stream::new(home.view());
    let expired: Vec<(Id, u64, Vec<u8>)> = (stream.producer_table().into_iter())
        .flat_map(|table| table.from(b"t"))
        .map(|element| of_time_key(key_of(&element)))
        .take_while(|(id, ..)| *id < since)
        .take(FORGOTTEN)
        .map(|(id, number, name)| (id, number, name.to_vec()))
        .collect();
    for (id, number, name) in expired {
        forget(home, number, id, &name)?;
        let stream = Stream::new(home.view());
        let name = stream.producer_table().and_then(|table| table.get(&number_key(number))).map(<[u8]>::to_vec);
        if let Some(name) = name.filter(|_| stream.count_of(number) == 0) {
            remove(home, PRODUCERS, &name_key(&name))?;
            remove(home, PRODUCERS, &number_key(number))?;
        }
    }
    Ok(())
}
