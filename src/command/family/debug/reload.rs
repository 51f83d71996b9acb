//! DEBUG RELOAD and LOADAOF: the keyspace as a restart would find it.

use crate::{
    command::{Args, CommandResult, Context, Error, Shared, redis_file, replay::replay},
    config::Settings,
    keyspace::Options,
    snapshot::Image,
};
use std::sync::Arc;

pub fn reload(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (mut flushes, mut saves, mut merges) = (true, true, false);
    for word in &args[2..] {
        match word.to_ascii_lowercase().as_slice() {
            b"merge" => merges = true,
            b"noflush" => flushes = false,
            b"nosave" => saves = false,
            _ => return Err(Error::new("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")),
        }
    }
    let shared = prepare(cx)?;
    let settings = shared.config.current();
    let loading_failed = Error::new("ERR Error trying to load the RDB dump, check server logs.");
    if saves {
        save(&shared, &settings)?;
        let keys: u64 = (0..shared.keyspace.databases()).map(|db| shared.keyspace.db_stats(db).keys).sum();
        // What has just been saved is there.
        if !flushes && !merges && (keys > 0 || !shared.functions.all().is_empty()) {
            return Err(loading_failed);
        }
    }
    load_image(&shared, &settings, flushes).map_err(|error| {
        tracing::error!(%error, "DEBUG RELOAD failed");
        loading_failed
    })?;
    shared.saver.forget_changes(&shared.keyspace);
    tracing::warn!("DB reloaded by DEBUG RELOAD");
    cx.reply.ok();
    Ok(())
}

pub fn load_aof(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let shared = prepare(cx)?;
    let settings = shared.config.current();
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "DEBUG LOADAOF failed");
        Error::new("ERR Error trying to load the AOF files, check server logs.")
    };
    let log = shared.keyspace.log();
    if log.needs_image() {
        save(&shared, &settings)?;
    }
    log.commit(true).map_err(|error| failed(&error))?;
    shared.saver.while_idle(|| {
        let first = load_image(&shared, &settings, true).map_err(|error| failed(&error))?;
        let replayed = replay(&shared, &settings.append_directory(), &settings.append_filename, first);
        replayed.map(drop).map_err(|error| failed(&error))
    })?;
    shared.saver.forget_changes(&shared.keyspace);
    tracing::warn!("Append Only File loaded by DEBUG LOADAOF");
    cx.reply.ok();
    Ok(())
}

fn prepare(cx: &Context<'_>) -> Result<Arc<Shared>, Error> {
    if cx.client.in_exec {
        return Err(Error::new("ERR this is not allowed inside a transaction"));
    }
    Ok(cx.client.shared())
}

fn save(shared: &Shared, settings: &Settings) -> Result<(), Error> {
    let saved = shared.saver.save(&shared.keyspace, &settings.snapshot_path(), &|| shared.clock.now());
    saved.map(drop).map_err(|error| {
        tracing::error!(%error, "the snapshot could not be written");
        Error::new("ERR")
    })
}

/// Replaces what is in the keyspace by what the image, or the Redis file in its place, holds. Answers the number of the append-only file that goes on from it.
fn load_image(shared: &Shared, settings: &Settings, flushes: bool) -> Result<u64, Box<dyn std::error::Error>> {
    let now = shared.clock.now();
    let (keyspace, path) = (&shared.keyspace, settings.snapshot_path());
    let flush = || keyspace.lock(keyspace.all_shards(), now).flush(None);
    if redis_file::is_redis_file(&path) {
        if flushes {
            flush();
            shared.functions.flush();
        }
        let imported = redis_file::import(keyspace, settings, &path, now, &mut |_| {})?;
        redis_file::load_libraries(shared, &imported.libraries)?;
        return Ok(0);
    }
    let image = Image::open(&path)?;
    if flushes {
        flush();
    }
    let Some(image) = image else { return Ok(0) };
    let first = image.log();
    let options = Options::new(keyspace.databases(), 1, 0, settings.maxmemory_policy);
    keyspace.move_from(&image.into_keyspace(&options, now)?, now).map_err(|_| "there is no memory for it")?;
    Ok(first)
}
