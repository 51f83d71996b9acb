//! DEBUG: for tests and for looking inside.

use crate::command::{
    Args, CommandResult, Context, Error,
    spec::{Acl, Flags, KeyFlags, KeySpec, Spec},
};
use crate::{
    keyspace::Ttl,
    util::number::{parse_f64, parse_i64},
};

const ROW: Spec = Spec {
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE).union(Flags::PROTECTED),
    acl: Acl::ADMIN.union(Acl::SLOW).union(Acl::DANGEROUS),
    group: "server",
    ..Spec::DEFAULT
};

/// The longest DEBUG SLEEP, so that a slip of the finger ends.
const SLEEP_MAX_SECONDS: f64 = 3600.0;

pub static COMMANDS: &[Spec] = &[Spec {
    name: "debug",
    arity: -2,
    flags: ROW.flags.union(Flags::CONTAINER).union(Flags::OPAQUE),
    summary: "Holds the commands for debugging.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec { name: "jmap", arity: 2, summary: "Does nothing.", handler: ok, ..ROW },
        Spec {
            name: "object",
            arity: 3,
            keys: &[KeySpec::one(2, KeyFlags::RO)],
            summary: "Answers how a value is stored.",
            syntax: "key",
            handler: object,
            ..ROW
        },
        Spec {
            name: "populate",
            arity: -3,
            flags: ROW.flags.union(Flags::ALL_SHARDS).union(Flags::WRITE),
            summary: "Creates keys.",
            syntax: "count [prefix] [size]",
            handler: populate,
            ..ROW
        },
        Spec {
            name: "reload",
            arity: -2,
            summary: "Writes a snapshot and checks that it can be read.",
            handler: reload,
            ..ROW
        },
        Spec {
            name: "set-active-expire",
            arity: 3,
            summary: "Switches active expiry on or off.",
            syntax: "value",
            handler: set_active_expire,
            ..ROW
        },
        Spec {
            name: "sleep",
            arity: 3,
            flags: ROW.flags.union(Flags::ALL_SHARDS),
            summary: "Holds every shard for some seconds.",
            syntax: "seconds",
            handler: sleep,
            ..ROW
        },
    ],
    ..ROW
}];

fn ok(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.reply.ok();
    Ok(())
}

fn sleep(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let seconds = parse_f64(args[2]).ok_or(Error::NOT_FLOAT)?.clamp(0.0, SLEEP_MAX_SECONDS);
    std::thread::sleep(std::time::Duration::from_secs_f64(seconds));
    ok(cx, args)
}

fn set_active_expire(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.shared.keyspace.set_active_expire(parse_i64(args[2]).unwrap_or(0) != 0);
    ok(cx, args)
}

fn object(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let idle = db.idle_seconds(args[2]).ok_or(Error::NO_SUCH_KEY)?;
    let bytes = db.memory_usage(args[2], 5).unwrap_or(0);
    let encoding = db.peek(args[2]).map_or("raw", |item| item.encoding.name());
    // The clock of Redis's items: 24 bits of seconds.
    let lru = (cx.now / 1000).saturating_sub_unsigned(idle) & 0xff_ffff;
    let text = format!(
        "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:{bytes} lru:{lru} lru_seconds_idle:{idle}"
    );
    cx.reply.simple(&text);
    Ok(())
}

fn populate(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let count = parse_i64(args[2]).filter(|count| *count >= 0).ok_or(Error::OUT_OF_RANGE)?;
    let prefix = args.get(3).map_or("key".into(), |prefix| String::from_utf8_lossy(prefix).into_owned());
    let size = match args.get(4) {
        Some(size) => Some(parse_i64(size).and_then(|size| usize::try_from(size).ok()).ok_or(Error::OUT_OF_RANGE)?),
        None => None,
    };
    if size.is_some_and(|size| size as u64 > cx.client.settings.proto_max_bulk_len) {
        return Err(Error::STRING_TOO_LONG);
    }
    let mut db = cx.keys.db(cx.client.db);
    for n in 0..count {
        let key = format!("{prefix}:{n}");
        if db.peek(key.as_bytes()).is_none() {
            let mut value = format!("value:{n}").into_bytes();
            if let Some(size) = size {
                value.resize(size, 0);
            }
            db.set(key.as_bytes(), &value, Ttl::Clear)?;
        }
    }
    ok(cx, args)
}

fn reload(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    if cx.client.in_exec {
        return Err(Error::new("ERR DEBUG RELOAD is not allowed inside a transaction"));
    }
    let path = cx.shared.config.current().snapshot_path();
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "DEBUG RELOAD failed");
        Error::new("ERR Error trying to load the RDB dump, check server logs.")
    };
    cx.shared.saver.save(&cx.shared.keyspace, &path, &|| cx.shared.clock.now()).map_err(|error| failed(&error))?;
    crate::snapshot::Image::open(&path).map_err(|error| failed(&error))?;
    ok(cx, args)
}
