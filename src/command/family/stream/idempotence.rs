//! XCFGSET and XIDMPRECORD, and what XADD's IDMP and IDMPAUTO need: entries that are sent twice and added once.

use super::{ids, trim::Sender};
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::{integer, is_word},
    },
    config::Settings,
    keyspace::Type,
    types::{
        home::Home,
        stream::{
            Stream,
            producer::{self, MOST, Memory, SECONDS},
        },
    },
};
use std::{borrow::Cow, ops::RangeInclusive};
use xxhash_rust::xxh3::Xxh3;

/// What a stream remembers that nobody has told anything else.
pub fn usual(settings: &Settings) -> Memory {
    Memory::new(settings.stream_idmp_duration, settings.stream_idmp_maxsize)
}

/// The name under which an entry is sent.
pub fn name_of<'a>(sender: &Sender<'a>, pairs: &Args<'_>) -> Cow<'a, [u8]> {
    sender.name.map_or_else(|| Cow::Owned(name_of_fields(pairs).to_vec()), Cow::Borrowed)
}

/// The name that fields come to, in whatever order they stand: the one that Redis gives them.
fn name_of_fields(pairs: &Args<'_>) -> [u8; 16] {
    let (mut sum, mut xor) = ([0u64; 2], [0u64; 2]);
    for pair in pairs.chunks_exact(2) {
        let mut hash = Xxh3::new();
        hash.update(pair[0]);
        hash.update(&(pair[0].len() as u64).to_le_bytes());
        hash.update(pair[1]);
        let digest = hash.digest128();
        for (at, half) in [digest as u64, (digest >> 64) as u64].into_iter().enumerate() {
            sum[at] = sum[at].wrapping_add(half);
            xor[at] ^= half;
        }
    }
    let halves = [sum[0] ^ xor[1].rotate_left(1), sum[1] ^ xor[0].rotate_left(1)];
    let mut name = [0; 16];
    name.chunks_exact_mut(8).zip(halves).for_each(|(to, half)| to.copy_from_slice(&half.to_le_bytes()));
    name
}

/// The number after an option that may be given once.
fn number(value: &[u8], before: Option<u64>, option: &str, of: (RangeInclusive<u64>, &str)) -> Result<u64, Error> {
    if before.is_some() {
        return Err(Error::text(format!("ERR {option} specified multiple times")));
    }
    let (range, unit) = of;
    let number = u64::try_from(integer(value)?).ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        Error::text(format!("ERR {option} must be between {} and {} {unit}", range.start(), range.end()))
    })
}

pub fn xcfgset(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let usual = usual(&cx.client.settings);
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(args[1], Type::Stream)?.ok_or(Error::NO_SUCH_KEY)?;
    let (mut seconds, mut most) = (None, None);
    let mut words = args[2..].iter();
    while let Some(word) = words.next() {
        match words.next() {
            Some(value) if is_word(word, "idmp-duration") => {
                seconds = Some(number(value, seconds, "IDMP-DURATION", (SECONDS, "seconds"))?);
            }
            Some(value) if is_word(word, "idmp-maxsize") => {
                most = Some(number(value, most, "IDMP-MAXSIZE", (MOST, "entries"))?);
            }
            _ => return Err(Error::SYNTAX),
        }
    }
    if seconds.is_none() && most.is_none() {
        return Err(Error::new("ERR At least one parameter must be specified"));
    }
    let before = Stream::new(cell.view()).memory().unwrap_or(usual);
    producer::configure(&mut cell, usual, seconds.unwrap_or(before.seconds), most.unwrap_or(before.most))?;
    cx.reply.ok();
    Ok(())
}

pub fn xidmprecord(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (producer, name, id) = (args[2], args[3], ids::parse(args[4], 0)?);
    if producer.is_empty() {
        return Err(Error::new("ERR producer ID must be non-empty"));
    }
    if name.is_empty() {
        return Err(Error::new("ERR idempotent ID must be non-empty"));
    }
    let (now, usual) = (cx.now, usual(&cx.client.settings));
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(args[1], Type::Stream)?.ok_or(Error::NO_SUCH_KEY)?;
    let stream = Stream::new(cell.view());
    if stream.get(id).is_none() {
        return Err(Error::new("ERR No such message in stream"));
    }
    match stream.sent(producer, name, now) {
        Some(sent) if sent == id => {}
        Some(_) => return Err(Error::new("ERR IID already exists for this producer with a different stream ID")),
        None => {
            producer::attend(&mut cell, usual)?;
            producer::record(&mut cell, producer, name, id, now)?;
        }
    }
    cx.reply.ok();
    Ok(())
}
