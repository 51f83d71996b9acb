//! Changing the entries of a stream.

use super::{ByTime, ENTRIES, Head, Id, Layout, Stream, entry, table};
use crate::{
    arena::ArenaFull,
    types::{
        home::Home,
        packed::{Encoded, Entry},
        sequence::{self, splice},
    },
};

/// Bytes of a schema, at most: longer names are repeated in each entry.
const SCHEMA_MAX: usize = 512;

/// Adds an entry; its ID must be greater than the last. `pairs` are names and values by turns.
pub fn append(home: &mut impl Home, id: Id, pairs: &[&[u8]]) -> Result<(), ArenaFull> {
    let mut stream = Stream::new(home.view());
    let mut head = stream.head;
    if stream.is_empty() {
        table::plant(home, ENTRIES)?;
        stream = Stream::new(home.view());
        head.base = id.ms;
        let names = Some(entry::names_of(pairs)).filter(|names| names.len() <= SCHEMA_MAX).unwrap_or_default();
        if names != stream.schema {
            let (start, end) = (Layout::of(&home.view()).schema, home.view().value.len());
            home.splice(start..end, &names)?;
        }
        head.write(home)?;
        stream = Stream::new(home.view());
    }
    let body = entry::encode(id.ms - head.base, id.seq, pairs, entry::fits(stream.schema, pairs));
    let mut bytes = Encoded::with_capacity(body.len() + 5);
    Entry::Text(&body).encode(&mut bytes);
    let spot = stream.entries.last();
    let end = stream.entries.leaf_end(&spot);
    splice::<ByTime>(home, ENTRIES, &spot, end..end, &bytes, 1)?;
    head.last = id;
    head.added = head.added.saturating_add(1);
    head.write(home)
}

/// Deletes an entry; answers whether it was there.
pub fn remove(home: &mut impl Home, id: Id) -> Result<bool, ArenaFull> {
    let stream = Stream::new(home.view());
    let mut head = stream.head;
    let Some((spot, element)) = stream.find(id) else { return Ok(false) };
    let range = element.range();
    splice::<ByTime>(home, ENTRIES, &spot, range, &[], -1)?;
    if id > head.deleted {
        head.deleted = id;
        head.write(home)?;
    }
    Ok(true)
}

/// Records what is known of a stream anew: XSETID, and a stream that is restored.
pub fn set_head(home: &mut impl Home, last: Id, added: Option<u64>, deleted: Option<Id>) -> Result<(), ArenaFull> {
    let head = Stream::new(home.view()).head;
    let (added, deleted) = (added.unwrap_or(head.added), deleted.unwrap_or(head.deleted));
    Head { last, added, deleted, ..head }.write(home)
}

/// How far a stream is to be trimmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrimTo {
    /// To so many entries.
    Len(u64),
    /// To those from this ID on.
    Id(Id),
}

impl TrimTo {
    /// How many entries that means to remove.
    pub fn excess(self, stream: &Stream<'_>) -> u64 {
        match self {
            TrimTo::Len(len) => stream.len().saturating_sub(len),
            TrimTo::Id(id) => stream.rank(id),
        }
    }
}

/// Removes the first `count` entries.
pub fn trim(home: &mut impl Home, count: u64) -> Result<(), ArenaFull> {
    if count == 0 {
        return Ok(());
    }
    sequence::remove_ranks::<ByTime>(home, ENTRIES, 0..count)
}
