//! DEBUG: for tests and for looking inside.

mod digest;
mod reload;

use crate::{
    command::{
        Args, CommandResult, Context, Error, Protocol,
        family::keys::dump,
        spec::{Acl, Flags, KeyFlags, KeySpec, Spec},
    },
    config::system_error,
    keyspace::Ttl,
    util::{
        glob,
        number::{parse_f64, parse_i64},
    },
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
        Spec {
            name: "config-rewrite-force-all",
            arity: 2,
            summary: "Writes every directive into the configuration file.",
            handler: config_rewrite_force_all,
            ..ROW
        },
        Spec {
            name: "digest",
            arity: 2,
            flags: ROW.flags.union(Flags::ALL_SHARDS),
            summary: "Answers a checksum of all data.",
            handler: digest::digest,
            ..ROW
        },
        Spec {
            name: "digest-value",
            arity: -2,
            keys: &[KeySpec::range(2, -1, 1, KeyFlags::RO)],
            summary: "Answers a checksum of each value.",
            syntax: "[key ...]",
            handler: digest::digest_value,
            ..ROW
        },
        Spec {
            name: "error",
            arity: 3,
            summary: "Answers an error.",
            syntax: "message",
            handler: |_, args| Err(Error::text(String::from_utf8_lossy(args[2]).into_owned())),
            ..ROW
        },
        Spec {
            name: "help",
            arity: 2,
            summary: "Says what its subcommands do.",
            handler: |cx, _| {
                super::help(cx, HELP);
                Ok(())
            },
            ..ROW
        },
        Spec {
            name: "htstats",
            arity: -3,
            flags: ROW.flags.union(Flags::ALL_SHARDS),
            summary: "Answers how a database's index is filled.",
            syntax: "dbid [FULL]",
            handler: index_stats,
            ..ROW
        },
        Spec {
            name: "keysizes-hist-assert",
            arity: 3,
            flags: ROW.flags.union(Flags::ALL_SHARDS),
            summary: "Compares how many keys of each length were counted with what is found.",
            syntax: "<0 | 1>",
            handler: check_sizes,
            ..ROW
        },
        Spec { name: "jmap", arity: 2, summary: "Does nothing.", handler: ok, ..ROW },
        Spec {
            name: "loadaof",
            arity: 2,
            summary: "Loads the snapshot and the append-only file anew.",
            handler: reload::load_aof,
            ..ROW
        },
        Spec {
            name: "log",
            arity: 3,
            summary: "Writes a line to the log.",
            syntax: "message",
            handler: |cx, args| {
                tracing::warn!("DEBUG LOG: {}", String::from_utf8_lossy(args[2]));
                ok(cx, args)
            },
            ..ROW
        },
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
            name: "panic",
            arity: 2,
            flags: ROW.flags.union(Flags::ALL_SHARDS),
            summary: "Fails as a command with a defect would: its connection ends, and others are served.",
            handler: |_, _| panic!("DEBUG PANIC"),
            ..ROW
        },
        Spec {
            name: "pause-cron",
            arity: 3,
            summary: "Holds what happens by itself, or lets it go on.",
            syntax: "value",
            handler: pause_cron,
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
            name: "protocol",
            arity: 3,
            summary: "Answers a value of the given kind.",
            syntax: "type",
            handler: protocol,
            ..ROW
        },
        Spec {
            name: "replybuffer",
            arity: 4,
            summary: "Does nothing: replies have no buffer of a fixed size.",
            syntax: "<PEAK-RESET-TIME | RESIZING> value",
            handler: ok,
            ..ROW
        },
        Spec {
            name: "quicklist-packed-threshold",
            arity: 3,
            summary: "Does nothing: elements of any size lie in leaves alike.",
            syntax: "size",
            handler: ok,
            ..ROW
        },
        Spec {
            name: "reload",
            arity: -2,
            summary: "Writes a snapshot and loads it.",
            syntax: "[MERGE] [NOFLUSH] [NOSAVE]",
            handler: reload::reload,
            ..ROW
        },
        Spec {
            name: "set-disable-deny-scripts",
            arity: 3,
            summary: "Lets scripts call the commands that they otherwise may not.",
            syntax: "<0 | 1>",
            handler: |cx, args| {
                cx.shared.scripts.deny_nothing.store(args[2] == b"1", std::sync::atomic::Ordering::Relaxed);
                cx.reply.ok();
                Ok(())
            },
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
            name: "set-allow-access-expired",
            arity: 3,
            summary: "Shows what has expired as if it had not, or no longer.",
            syntax: "<0 | 1>",
            handler: |cx, args| {
                cx.shared.shows_expired.store(args[2] == b"1", std::sync::atomic::Ordering::Relaxed);
                cx.reply.ok();
                Ok(())
            },
            ..ROW
        },
        Spec {
            name: "stringmatch-len",
            arity: 4,
            summary: "Matches a pattern against a text of that many bytes.",
            syntax: "length pattern",
            handler: string_match,
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

const HELP: &[&str] = &[
    "CONFIG-REWRITE-FORCE-ALL",
    "    Like CONFIG REWRITE, but write every directive.",
    "DIGEST",
    "    Answer a checksum of all data.",
    "DIGEST-VALUE [<key> ...]",
    "    Answer a checksum of each value.",
    "ERROR <message>",
    "    Answer an error.",
    "HTSTATS <dbid> [FULL]",
    "    How a database's index is filled.",
    "JMAP",
    "    Do nothing.",
    "KEYSIZES-HIST-ASSERT <0|1>",
    "    Compare the counts of INFO keysizes with a look at every key.",
    "LOADAOF",
    "    Load the snapshot and the append-only file anew.",
    "LOG <message>",
    "    Write a line to the log.",
    "OBJECT <key>",
    "    How a value is stored.",
    "PANIC",
    "    Fail as a command with a defect would: the connection ends, and others are served.",
    "PAUSE-CRON <0|1>",
    "    Hold what happens by itself (1), or let it go on (0).",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create keys.",
    "PROTOCOL <type>",
    "    Answer a value of a kind: string, integer, double, bignum, null, array, set, map,",
    "    attrib, push, verbatim, true or false.",
    "REPLYBUFFER <PEAK-RESET-TIME|RESIZING> <value>",
    "    Do nothing: replies have no buffer of a fixed size.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Do nothing.",
    "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
    "    Write a snapshot and load it.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Switch active expiry off or on.",
    "SET-ALLOW-ACCESS-EXPIRED <0|1>",
    "    Show what has expired as if it had not (1), or no longer (0).",
    "SLEEP <seconds>",
    "    Hold every shard for some seconds.",
    "STRINGMATCH-LEN <length> <pattern>",
    "    Match a pattern against a text of that many bytes.",
];

fn ok(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.reply.ok();
    Ok(())
}

fn sleep(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    // As C reads a number: as far as it goes, and nothing is none.
    let len = args[2].iter().take_while(|byte| b"0123456789.+-eE".contains(byte)).count();
    let seconds = parse_f64(&args[2][..len]).unwrap_or(0.0).clamp(0.0, SLEEP_MAX_SECONDS);
    std::thread::sleep(std::time::Duration::from_secs_f64(seconds));
    ok(cx, args)
}

fn set_active_expire(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.shared.keyspace.set_active_expire(parse_i64(args[2]).unwrap_or(0) != 0);
    ok(cx, args)
}

/// Redis compares after each command from 1 to 0; here both compare, once.
fn check_sizes(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    for db in 0..cx.shared.keyspace.databases() {
        if cx.keys.key_sizes(db) != cx.keys.key_sizes_counted_anew(db) {
            return Err(Error::text(format!("ERR the counts of database {db} are wrong")));
        }
    }
    ok(cx, args)
}

/// In the form in which Redis tells of its hash table: there is one index, and it never has a second one to move to.
fn index_stats(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let db = parse_i64(args[2]).ok_or(Error::new("ERR value is not an integer or out of range"))?;
    let db = usize::try_from(db).ok().filter(|db| *db < cx.shared.keyspace.databases());
    let db = db.ok_or(Error::new("ERR Out of range database"))?;
    let (keys, index) = (cx.keys.db_stats(db).keys, cx.keys.index_stats(db));
    let text = if index.slots == 0 {
        "[Dictionary HT]\nNo stats available for empty dictionaries\n".to_owned()
    } else {
        format!(
            "[Dictionary HT]\nHash table 0 stats (main hash table):\n table size: {}\n number of elements: {keys}\n \
             bytes: {}\n bytes per element: {:.2}\n load factor: {:.2}\n",
            index.slots,
            index.bytes,
            index.bytes as f64 / keys.max(1) as f64,
            keys as f64 / index.slots as f64
        )
    };
    cx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn pause_cron(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.shared.lifecycle.hold_cron(parse_i64(args[2]).unwrap_or(0) != 0);
    ok(cx, args)
}

fn config_rewrite_force_all(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    match cx.shared.config.rewrite_all(&super::acl::lines_to_keep(&cx.shared.users)) {
        None => Err(Error::new("ERR The server is running without a config file")),
        Some(Err(error)) => Err(Error::text(format!("ERR CONFIG-REWRITE-FORCE-ALL failed: {}", system_error(&error)))),
        Some(Ok(())) => ok(cx, args),
    }
}

/// The values are those of Redis: the tests of client libraries know them.
fn protocol(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let reply = &mut cx.reply;
    let resp3 = reply.protocol() == Protocol::Resp3;
    match args[2].to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12345),
        b"double" => reply.double(3141.0 / 1000.0),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|n| reply.integer(n));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|n| reply.integer(n));
        }
        b"map" => {
            reply.map(3);
            (0..3).for_each(|n| {
                reply.integer(n);
                reply.boolean(n == 1);
            });
        }
        b"attrib" => {
            if resp3 {
                reply.attribute(1);
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.integer(90);
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" if !resp3 => return Err(Error::new("ERR RESP2 is not supported by this command")),
        b"push" => {
            reply.bulk(b"Some real reply following the push reply");
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.integer(42);
        }
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        _ => {
            return Err(Error::new(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}

fn object(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    // It shows what is there, expired or not.
    cx.keys.show_expired();
    let mut db = cx.keys.db(cx.client.db);
    let idle = db.idle_seconds(args[2]).ok_or(Error::NO_SUCH_KEY)?;
    let serialized = dump::serialized(&mut db, args[2], cx.client.settings.rdb_compression, cx.now);
    // Without the byte that tells the type.
    let bytes = serialized.map_or(0, |bytes| bytes.len() - 1);
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

fn string_match(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let len = parse_i64(args[2]).and_then(|len| usize::try_from(len).ok()).ok_or(Error::OUT_OF_RANGE)?;
    if len as u64 > cx.client.settings.proto_max_bulk_len {
        return Err(Error::STRING_TOO_LONG);
    }
    cx.reply.integer(glob::matches(args[3], &vec![b'a'; len], false).into());
    Ok(())
}
