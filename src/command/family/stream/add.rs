//! XADD, XDEL, XDELEX, XSETID.

use super::{
    References,
    ids::{self, Given},
    trim::Options,
};
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::{integer, is_word},
    },
    config::KeyspaceEvents,
    keyspace::Type,
    types::{
        home::Home,
        stream::{self, Head, Id, Stream, group, producer},
    },
};

const TOO_SMALL: Error = Error::new("ERR The ID specified in XADD is equal or smaller than the target stream top item");
const EXHAUSTED: Error = Error::new("ERR The stream has exhausted the last possible ID, unable to add more items");
/// Bytes of an entry.
const ENTRY_MAX: usize = 1 << 30;

pub fn xadd(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let options = Options::parse(args, &cx.client.settings, true)?;
    let pairs = args.get(options.id_at + 1..).unwrap_or_default();
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(Error::wrong_arity(cx.spec.name));
    }
    if options.id == Some(Given::Whole(Id::MIN)) {
        return Err(Error::new("ERR The ID specified in XADD must be greater than 0-0"));
    }
    if pairs.iter().map(|part| part.len()).sum::<usize>() > ENTRY_MAX {
        return Err(Error::new("ERR Elements are too large to be stored"));
    }
    let (key, now) = (args[1], cx.now);
    let settings = (options.trim.is_some() || options.sender.is_some()).then(|| cx.client.settings.clone());
    let mut db = cx.keys.db(cx.client.db);
    if options.no_new_key && db.cell(key, Type::Stream)?.is_none() {
        cx.reply.null();
        return Ok(());
    }
    let mut cell = db.cell_or(key, stream::EMPTY)?;
    let is_new = cell.is_new();
    let sent = options.sender.map(|sender| (sender.producer, super::idempotence::name_of(&sender, pairs)));
    if let Some((producer, name)) = &sent
        && let Some(id) = Stream::new(cell.view()).sent(producer, name, now)
    {
        producer::count_duplicate(&mut cell)?;
        ids::reply(cx.reply, id);
        return Ok(());
    }
    // There is always an ID for the first entry, so no error leaves an empty stream behind.
    let id = next_id(&Stream::new(cell.view()).head, options.id, now)?;
    if let Err(error) = stream::append(&mut cell, id, pairs) {
        if is_new {
            db.remove(key);
        }
        return Err(error.into());
    }
    let mut removed = 0;
    let (mut text, mut kept) = (Vec::new(), None);
    if let (Some((producer, name)), Some(settings)) = (&sent, &settings) {
        producer::attend(&mut cell, super::idempotence::usual(settings))?;
        producer::record(&mut cell, producer, name, id, now)?;
    }
    if let (Some(trim), Some(settings)) = (options.trim, settings) {
        removed = trim.run(&mut cell, &settings)?;
        kept = trim.settled(args, Stream::new(cell.view()).len(), &mut text);
    }
    if let Some(words) = kept {
        cx.keep(&words);
    }
    cx.notify(KeyspaceEvents::STREAM, "xadd", key);
    if removed > 0 {
        cx.notify(KeyspaceEvents::STREAM, "xtrim", key);
    }
    ids::reply(cx.reply, id);
    Ok(())
}

/// The ID that the next entry gets.
fn next_id(head: &Head, given: Option<Given>, now: i64) -> Result<Id, Error> {
    if head.last == Id::MAX {
        return Err(EXHAUSTED);
    }
    let id = match given {
        Some(Given::Whole(id)) => id,
        Some(Given::Time(ms)) if ms == head.last.ms => Id { ms, seq: head.last.seq.checked_add(1).ok_or(TOO_SMALL)? },
        Some(Given::Time(ms)) => Id { ms, seq: 0 },
        None => {
            let id = Id { ms: u64::try_from(now).unwrap_or(0), seq: 0 };
            return if id > head.last { Ok(id) } else { head.last.next().ok_or(EXHAUSTED) };
        }
    };
    if id > head.last { Ok(id) } else { Err(TOO_SMALL) }
}

pub fn xdel(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut deleted = 0;
    let mut db = cx.keys.db(cx.client.db);
    if let Some(mut cell) = db.cell(args[1], Type::Stream)? {
        for id in read_ids(&args[2..])? {
            deleted += i64::from(stream::remove(&mut cell, id)?);
        }
    }
    if deleted > 0 {
        cx.notify(KeyspaceEvents::STREAM, "xdel", args[1]);
    }
    cx.reply.integer(deleted);
    Ok(())
}

/// What becomes of an entry that is to be deleted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Missing = -1,
    Deleted = 1,
    StillReferenced = 2,
}

/// Deletes an entry as far as its references allow.
fn delete(home: &mut impl Home, id: Id, references: References) -> Result<Outcome, Error> {
    match references {
        References::Keep => {}
        References::Drop => group::acknowledge_all(home, id)?,
        References::None if Stream::new(home.view()).is_referenced(id) => return Ok(Outcome::StillReferenced),
        References::None => {}
    }
    Ok(if stream::remove(home, id)? { Outcome::Deleted } else { Outcome::Missing })
}

/// The options of XDELEX and XACKDEL, and the IDs, which are read when there is something to delete from.
fn parse_ids<'r, 'a>(words: &'r Args<'a>) -> Result<(References, &'r Args<'a>), Error> {
    let (mut references, mut given): (_, Option<&Args<'_>>) = (None, None);
    let mut at = 0;
    while at < words.len() {
        if let Some(found) = References::of_word(words[at]).filter(|_| references.is_none()) {
            references = Some(found);
            at += 1;
        } else if is_word(words[at], "ids") && at + 1 < words.len() {
            let count = integer(words[at + 1]).ok().and_then(|count| usize::try_from(count).ok());
            let count = count.filter(|n| *n > 0).ok_or(Error::new("ERR Number of IDs must be a positive integer"))?;
            let rest = &words[at + 2..];
            given = Some(
                rest.get(..count).ok_or(Error::new("ERR The `numids` parameter must match the number of arguments"))?,
            );
            at += 2 + count;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    let given = given.ok_or(Error::new("ERR IDS option is required"))?;
    Ok((references.unwrap_or(References::Keep), given))
}

fn read_ids(words: &Args<'_>) -> Result<Vec<Id>, Error> {
    words.iter().map(|word| ids::parse(word, 0)).collect()
}

fn answer(cx: &mut Context<'_>, key: &[u8], outcomes: &[Outcome]) {
    if outcomes.contains(&Outcome::Deleted) {
        cx.notify(KeyspaceEvents::STREAM, "xdel", key);
    }
    cx.reply.array(outcomes.len());
    outcomes.iter().for_each(|outcome| cx.reply.integer(*outcome as i64));
}

pub fn xdelex(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let cell = db.cell(args[1], Type::Stream)?;
    let (references, given) = parse_ids(&args[2..])?;
    let mut outcomes = vec![Outcome::Missing; given.len()];
    if let Some(mut cell) = cell {
        for (outcome, id) in outcomes.iter_mut().zip(read_ids(given)?) {
            *outcome = delete(&mut cell, id, references)?;
        }
    }
    answer(cx, args[1], &outcomes);
    Ok(())
}

pub fn xackdel(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let cell = db.cell(args[1], Type::Stream)?;
    let (references, given) = parse_ids(&args[3..])?;
    let mut outcomes = vec![Outcome::Missing; given.len()];
    if let Some(mut cell) = cell
        && let Some(of) = Stream::new(cell.view()).group(args[2])
    {
        for (outcome, id) in outcomes.iter_mut().zip(read_ids(given)?) {
            if group::acknowledge(&mut cell, &of, id)? {
                // What is pending may have been deleted before.
                *outcome = match delete(&mut cell, id, references)? {
                    Outcome::Missing => Outcome::Deleted,
                    outcome => outcome,
                };
            }
        }
    }
    answer(cx, args[1], &outcomes);
    Ok(())
}

pub fn xsetid(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let last = ids::parse(args[2], 0)?;
    let (mut added, mut deleted) = (None, None);
    let mut words = args[3..].iter();
    while let Some(word) = words.next() {
        match words.next() {
            Some(value) if is_word(word, "entriesadded") => {
                let given = u64::try_from(integer(value)?);
                added = Some(given.map_err(|_| Error::new("ERR entries_added must be positive"))?);
            }
            Some(value) if is_word(word, "maxdeletedid") => {
                let id = ids::parse(value, 0)?;
                if last < id {
                    return Err(Error::new(
                        "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                    ));
                }
                deleted = Some(id).filter(|id| *id != Id::MIN);
            }
            _ => return Err(Error::SYNTAX),
        }
    }
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(args[1], Type::Stream)?.ok_or(Error::NO_SUCH_KEY)?;
    let stream = Stream::new(cell.view());
    if last < stream.head.deleted {
        return Err(Error::new("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"));
    }
    if let Some(top) = stream.last() {
        if last < top.id {
            return Err(Error::new("ERR The ID specified in XSETID is smaller than the target stream top item"));
        }
        if added.is_some_and(|added| added < stream.len()) {
            return Err(Error::new(
                "ERR The entries_added specified in XSETID is smaller than the target stream length",
            ));
        }
    }
    stream::set_head(&mut cell, last, added, deleted)?;
    cx.notify(KeyspaceEvents::STREAM, "xsetid", args[1]);
    cx.reply.ok();
    Ok(())
}
