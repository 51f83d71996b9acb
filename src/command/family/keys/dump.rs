//! DUMP and RESTORE.

use crate::{
    command::{Args, CommandResult, Context, Error, family::string::text},
    config::VersionCheck,
    keyspace::Ttl,
    types::dump::{DumpError, dump_string, restore_string},
    util::number::parse_i64,
};

pub fn dump(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut buffer = itoa::Buffer::new();
    match cx.keys.db(cx.client.db).read(args[1]) {
        Some(item) => {
            let compress = cx.client.settings.rdb_compression;
            cx.reply.bulk(&dump_string(text(&item.value, &mut buffer), compress));
        }
        None => cx.reply.null(),
    }
    Ok(())
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
    let max = usize::try_from(cx.client.settings.proto_max_bulk_len).unwrap_or(usize::MAX);
    let mut db = cx.keys.db(cx.client.db);
    if !options.replace && db.peek(key).is_some() {
        return Err(Error::new("BUSYKEY Target key name already exists."));
    }
    let ttl = parse_i64(args[2]).ok_or(Error::NOT_INTEGER)?;
    if ttl < 0 {
        return Err(Error::new("ERR Invalid TTL value, must be >= 0"));
    }
    let any_version = cx.client.settings.rdb_version_check == VersionCheck::Relaxed;
    let value = restore_string(payload, max, any_version).map_err(|error| match error {
        DumpError::VersionOrChecksum => Error::new("ERR DUMP payload version or checksum are wrong"),
        DumpError::Format => Error::new("ERR Bad data format"),
    })?;
    let at = match ttl {
        0 => Ttl::Clear,
        ttl if options.absolute => Ttl::At(ttl),
        ttl => Ttl::At(ttl.saturating_add(now)),
    };
    if matches!(at, Ttl::At(at) if at <= now) {
        db.remove(key);
    } else {
        db.set(key, &value, at)?;
        if let Some(seconds) = options.idle_seconds {
            db.set_idle_seconds(key, seconds);
        }
        if let Some(frequency) = options.frequency {
            db.set_frequency(key, frequency);
        }
        cx.notify_generic("restore", key);
    }
    cx.reply.ok();
    Ok(())
}
