//! DUMP and RESTORE.

use super::generic::notify_transferred;
use crate::{
    arena::ArenaFull,
    command::{Args, CommandResult, Context, Error, family::string::text},
    config::{Settings, VersionCheck},
    keyspace::Db,
    types::{
        array,
        hash::{self, FieldTtl, Hash},
        home::Home,
        list::{self, End, Limit},
        packed,
        rdb::{self, DumpError, Form, Restored, RestoredConsumer, RestoredGroup, RestoredMemory, RestoredStream},
        set,
        stream::{
            self, Stream,
            group::{self, Pending},
            producer::{self, Memory},
        },
        zset,
    },
    util::{clock::UnixMillis, number::parse_i64},
};

pub fn dump(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let payload = payload(&mut cx.keys.db(cx.client.db), args[1], cx.client.settings.rdb_compression, cx.now);
    match payload {
        Some(payload) => cx.reply.bulk(&payload),
        None => cx.reply.null(),
    }
    Ok(())
}

pub(super) fn payload(db: &mut Db<'_, '_>, key: &[u8], compress: bool, now: UnixMillis) -> Option<Vec<u8>> {
    db.touch(key).then(|| serialized(db, key, compress, now))?.map(rdb::seal)
}

/// A value's code and bytes as a payload has them, without a trace of having been read.
pub fn serialized(db: &mut Db<'_, '_>, key: &[u8], compress: bool, now: UnixMillis) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut digits = itoa::Buffer::new();
    let string = db.peek(key).map(|item| text(&item.value, &mut digits).to_vec())?;
    let view = db.view_any(key)?;
    rdb::put_value(&mut out, &view, &string, Form { compress, wide: false }, now).then_some(out)
}

/// RESTORE's options.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn read(words: &Args<'_>) -> Result<Options, Error> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.to_ascii_lowercase().as_slice() {
                b"replace" => options.replace = true,
                b"absttl" => options.absolute = true,
                b"idletime" if options.frequency.is_none() => {
                    let seconds = parse_i64(words.next().ok_or(Error::SYNTAX)?).ok_or(Error::NOT_INTEGER)?;
                    let seconds = u64::try_from(seconds);
                    options.idle_seconds =
                        Some(seconds.map_err(|_| Error::new("ERR Invalid IDLETIME value, must be >= 0"))?);
                }
                b"freq" if options.idle_seconds.is_none() => {
                    let frequency = parse_i64(words.next().ok_or(Error::SYNTAX)?).ok_or(Error::NOT_INTEGER)?;
                    let frequency = u8::try_from(frequency);
                    options.frequency =
                        Some(frequency.map_err(|_| Error::new("ERR Invalid FREQ value, must be >= 0 and <= 255"))?);
                }
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(options)
    }
}

pub fn restore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, payload) = (args[1], args[3]);
    let options = Options::read(&args[4..])?;
    let now = cx.now;
    let settings = &cx.client.settings;
    let max = usize::try_from(settings.proto_max_bulk_len).unwrap_or(usize::MAX);
    let mut db = cx.keys.db(cx.client.db);
    if !options.replace && db.peek(key).is_some() {
        return Err(Error::new("BUSYKEY Target key name already exists."));
    }
    let ttl = parse_i64(args[2]).ok_or(Error::NOT_INTEGER)?;
    if ttl < 0 {
        return Err(Error::new("ERR Invalid TTL value, must be >= 0"));
    }
    let any_version = settings.rdb_version_check == VersionCheck::Relaxed;
    let value = rdb::restore(payload, max, any_version).map_err(|error| match error {
        DumpError::VersionOrChecksum => Error::new("ERR DUMP payload version or checksum are wrong"),
        DumpError::Format => Error::new("ERR Bad data format"),
    })?;
    let expiry = match ttl {
        0 => None,
        ttl if options.absolute => Some(ttl),
        ttl => Some(ttl.saturating_add(now)),
    };
    if expiry.is_some_and(|at| at <= now) {
        if db.expire(key) {
            cx.notify_generic("del", key);
        }
        cx.reply.ok();
        return Ok(());
    }
    let before = cx.kind_before(cx.client.db, key);
    let mut db = cx.keys.db(cx.client.db);
    store(&mut db, key, &value, expiry, &cx.client.settings, now)?;
    if let Some(seconds) = options.idle_seconds {
        db.set_idle_seconds(key, seconds);
    }
    if let Some(frequency) = options.frequency {
        db.set_frequency(key, frequency);
    }
    cx.notify_generic("restore", key);
    notify_transferred(cx, cx.client.db, key, before);
    cx.reply.ok();
    Ok(())
}

/// Stores a value over whatever is at the key, in the encoding that the settings ask for.
///
/// # Errors
/// When there is no memory for it; then there is nothing at the key.
pub fn store(
    db: &mut Db<'_, '_>,
    key: &[u8],
    value: &Restored,
    expiry: Option<UnixMillis>,
    settings: &Settings,
    now: UnixMillis,
) -> Result<(), Error> {
    db.remove(key);
    let stored = fill(db, key, value, settings, now);
    if stored.is_err() {
        db.remove(key);
    }
    stored?;
    if expiry.is_some() {
        db.set_expiry(key, expiry)?;
    }
    Ok(())
}

fn fill(db: &mut Db<'_, '_>, key: &[u8], value: &Restored, settings: &Settings, now: UnixMillis) -> Result<(), Error> {
    /// Elements that are pushed at a time.
    const BATCH: usize = 256;
    match value {
        Restored::String(text) => db.set(key, text, crate::keyspace::Ttl::Clear)?,
        Restored::List(elements) => {
            let limit = Limit(settings.list_max_listpack_size);
            let mut cell = db.cell_or(key, list::EMPTY)?;
            let mut elements = packed::elements(elements, 0, 1).map(|element| element.first().to_vec());
            loop {
                let batch: Vec<Vec<u8>> = elements.by_ref().take(BATCH).collect();
                if batch.is_empty() {
                    break;
                }
                let batch: Vec<&[u8]> = batch.iter().map(|value| &value[..]).collect();
                list::push(&mut cell, End::Right, &batch, limit)?;
            }
        }
        Restored::Set(members) => {
            let limits = set::Limits::of(settings);
            set::fill(&mut db.cell_or(key, set::empty(b"", 1, limits))?, members, limits)?;
        }
        Restored::ZSet(members) => {
            let limits = zset::Limits::of(settings);
            zset::fill(&mut db.cell_or(key, zset::EMPTY)?, members, limits)?;
        }
        Restored::Hash(fields) => {
            let limits = hash::Limits::of(settings);
            let mut cell = db.cell_or(key, hash::EMPTY)?;
            for element in packed::elements(fields, 0, 2) {
                let ttl = match element.note.map(|at| at as UnixMillis) {
                    Some(at) if at <= now => continue,
                    Some(at) => FieldTtl::At(at),
                    None => FieldTtl::Clear,
                };
                hash::set(&mut cell, &element.first().to_vec(), &element.second().to_vec(), ttl, limits)?;
            }
            // All its fields have expired since.
            if Hash::new(cell.view()).is_empty() {
                db.remove(key);
            }
        }
        Restored::Stream(restored) => fill_stream(&mut db.cell_or(key, stream::EMPTY)?, restored, now)?,
        Restored::Array(restored) => {
            array::fill(&mut db.cell_or(key, array::EMPTY)?, &restored.elements, restored.cursor)?;
        }
    }
    Ok(())
}

fn fill_stream(home: &mut impl Home, restored: &RestoredStream, now: UnixMillis) -> Result<(), ArenaFull> {
    for (id, fields) in restored.entries() {
        let fields: Vec<&[u8]> = fields.iter().map(|part| &part[..]).collect();
        stream::append(home, id, &fields)?;
    }
    stream::set_head(home, restored.last, Some(restored.added), Some(restored.deleted))?;
    for RestoredGroup { name, last, read, consumers, unowned } in &restored.groups {
        let group = group::create(home, name, *last, *read)?;
        for RestoredConsumer { name, seen, active, owned } in consumers {
            let consumer = group::create_consumer(home, &group, name, *seen, *active)?.number;
            for (id, delivered, times) in owned {
                group::deliver(home, &group, &Pending::owned(*id, consumer, *delivered, *times))?;
            }
        }
        for (turn, (id, times)) in unowned.iter().enumerate() {
            stream::keep_order(home)?;
            group::deliver(home, &group, &Pending::unowned(*id, *times, turn as u64))?;
        }
    }
    restored.memory.as_ref().map_or(Ok(()), |memory| fill_memory(home, memory, now))
}

/// What a stream remembers of its producers.
fn fill_memory(home: &mut impl Home, restored: &RestoredMemory, now: UnixMillis) -> Result<(), ArenaFull> {
    producer::attend(home, Memory::new(restored.seconds, restored.most))?;
    for (producer, name, id) in &restored.entries {
        if Stream::new(home.view()).sent(producer, name, now).is_none() {
            producer::record(home, producer, name, *id, now)?;
        }
    }
    producer::set_counts(home, restored.added, restored.duplicates)
}
