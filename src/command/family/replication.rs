//! Replication, as a server without replicas answers: it is a master, and stays one.

use crate::{
    command::{
        Args, CommandResult, Context, Error,
        blocking::deadline_in_milliseconds,
        redis_file::{Contents, send},
        spec::{Acl, Flags, Spec},
    },
    util::number::parse_i64,
};

const ADMIN: Spec = Spec {
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::STALE),
    acl: Acl::ADMIN.union(Acl::SLOW).union(Acl::DANGEROUS),
    group: "server",
    ..Spec::DEFAULT
};
const SYNC: Spec =
    Spec { flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::NO_ASYNC_LOADING).union(Flags::NO_MULTI), ..ADMIN };
/// What begins the rows of WAIT and WAITAOF.
const WAITING: Spec = Spec {
    flags: Flags::BLOCKING,
    acl: Acl::SLOW.union(Acl::BLOCKING).union(Acl::CONNECTION),
    group: "generic",
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    ..Spec::DEFAULT
};

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "role",
        arity: 1,
        flags: Flags::LOADING.union(Flags::STALE).union(Flags::NOSCRIPT).union(Flags::FAST),
        acl: Acl::ADMIN.union(Acl::FAST).union(Acl::DANGEROUS),
        group: "server",
        since: "2.8.12",
        summary: "Answers the role in replication: a master without replicas.",
        handler: role,
        ..Spec::DEFAULT
    },
    Spec {
        name: "replicaof",
        arity: 3,
        flags: ADMIN.flags.union(Flags::NO_ASYNC_LOADING),
        since: "5.0.0",
        summary: "Makes the server a master, which it is; there is no replication yet.",
        syntax: REPLICAOF_SYNTAX,
        handler: replicaof,
        ..ADMIN
    },
    Spec {
        name: "slaveof",
        arity: 3,
        flags: ADMIN.flags.union(Flags::NO_ASYNC_LOADING),
        since: "1.0.0",
        summary: "The old name of REPLICAOF.",
        syntax: REPLICAOF_SYNTAX,
        handler: replicaof,
        ..ADMIN
    },
    Spec {
        name: "failover",
        arity: -1,
        since: "6.2.0",
        summary: "Hands the role of master to a replica, of which there are none.",
        syntax: "[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]",
        handler: failover,
        ..ADMIN
    },
    Spec {
        name: "replconf",
        arity: -1,
        flags: ADMIN.flags.union(Flags::LOADING).union(Flags::ALLOW_BUSY),
        since: "3.0.0",
        summary: "Says what kind of file the client wants that asks with SYNC.",
        syntax: "[option value ...]",
        handler: replconf,
        ..ADMIN
    },
    Spec {
        name: "sync",
        arity: 1,
        since: "1.0.0",
        summary: "Sends the dataset as a Redis file, once.",
        handler: sync,
        ..SYNC
    },
    Spec {
        name: "psync",
        arity: -3,
        since: "2.8.0",
        summary: "Refuses a replica: there is no replication yet.",
        syntax: "replicationid offset",
        handler: psync,
        ..SYNC
    },
    Spec {
        name: "wait",
        arity: 3,
        since: "3.0.0",
        summary: "Answers how many replicas have acknowledged the writes so far: there are none.",
        syntax: "numreplicas timeout",
        handler: wait,
        ..WAITING
    },
    Spec {
        name: "waitaof",
        arity: 4,
        since: "7.2.0",
        summary: "Answers how many append-only files hold the writes so far: there are none.",
        syntax: "numlocal numreplicas timeout",
        handler: waitaof,
        ..WAITING
    },
];

const REPLICAOF_SYNTAX: &str = "<host port | NO ONE>";

fn role(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.reply.array(3);
    cx.reply.bulk(b"master");
    cx.reply.integer(0);
    cx.reply.array(0);
    Ok(())
}

fn replicaof(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    if args[1].eq_ignore_ascii_case(b"no") && args[2].eq_ignore_ascii_case(b"one") {
        cx.reply.ok();
        return Ok(());
    }
    if !parse_i64(args[2]).is_some_and(|port| (0..=65535).contains(&port)) {
        return Err(Error::new("ERR Invalid master port"));
    }
    Err(Error::new("ERR REPLICAOF <host> <port> is refused: there is no replication yet"))
}

fn failover(_: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut rest = &args[1..];
    let (mut abort, mut other) = (false, false);
    while let [option, more @ ..] = rest {
        match (option.to_ascii_lowercase().as_slice(), more) {
            (b"abort", _) => (abort, rest) = (true, more),
            (b"force", _) => (other, rest) = (true, more),
            (b"timeout", [ms, more @ ..]) => {
                if parse_i64(ms).ok_or(Error::NOT_INTEGER)? <= 0 {
                    return Err(Error::new("ERR FAILOVER timeout must be greater than 0"));
                }
                (other, rest) = (true, more);
            }
            (b"to", [_, port, more @ ..]) => {
                parse_i64(port).ok_or(Error::NOT_INTEGER)?;
                (other, rest) = (true, more);
            }
            _ => return Err(Error::SYNTAX),
        }
    }
    Err(match (abort, other) {
        (true, true) => Error::SYNTAX,
        (true, false) => Error::new("ERR No failover in progress."),
        (false, _) => Error::new("ERR FAILOVER requires connected replicas."),
    })
}

fn replconf(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (pairs, odd) = args[1..].as_chunks::<2>();
    if !odd.is_empty() {
        return Err(Error::SYNTAX);
    }
    let mut wishes = cx.client.replication;
    for [option, value] in pairs {
        match option.to_ascii_lowercase().as_slice() {
            b"listening-port" => {
                parse_i64(value).ok_or(Error::NOT_INTEGER)?;
                wishes.is_replica = true;
            }
            // What a replica says of itself and of how far it is. The length is told before a file, never an end mark.
            b"capa" | b"ip-address" | b"version" | b"ack" | b"getack" => {}
            b"rdb-only" => match parse_i64(value).ok_or(Error::NOT_INTEGER)? {
                on @ 0..=1 => wishes.file_only = on == 1,
                _ => return Err(Error::new("ERR value is out of range, must be between 0 and 1")),
            },
            b"rdb-filter-only" => wishes.contents = contents(value)?,
            _ => return Err(Error::quoting("ERR Unrecognized REPLCONF option: ", option, "")),
        }
        cx.client.replication = wishes;
    }
    cx.reply.ok();
    Ok(())
}

fn contents(filter: &[u8]) -> Result<Contents, Error> {
    let words = filter.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.into_iter().try_fold(Contents::Nothing, |_, word| match word {
        b"functions" => Ok(Contents::Functions),
        _ => Err(Error::quoting("ERR Unsupported rdb-filter-only option: ", word, "")),
    })
}

fn sync(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    if cx.client.replication.is_replica && !cx.client.replication.file_only {
        return Err(no_replication());
    }
    let (shared, handle) = (cx.client.shared(), std::sync::Arc::clone(&cx.client.handle));
    send(shared, handle, cx.client.replication.contents)
        .map_err(|error| Error::quoting("ERR ", error.to_string().as_bytes(), ""))
}

fn psync(_: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    Err(no_replication())
}

fn no_replication() -> Error {
    Error::new("ERR a replica is refused: there is no replication yet")
}

fn wait(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    parse_i64(args[1]).ok_or(Error::NOT_INTEGER)?;
    deadline_in_milliseconds(args[2], cx.now)?;
    cx.reply.integer(0);
    Ok(())
}

fn waitaof(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let local = parse_i64(args[1])
        .filter(|count| (0..=1).contains(count))
        .ok_or(Error::new("ERR value is out of range, value must between 0 and 1"))?;
    parse_i64(args[2]).filter(|count| *count >= 0).ok_or(Error::new("ERR value is out of range, must be positive"))?;
    deadline_in_milliseconds(args[3], cx.now)?;
    let log = cx.shared.keyspace.log();
    if local > 0 && !log.is_on() {
        return Err(Error::new("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."));
    }
    // Waiting for the disk is no longer than having it done.
    let is_safe = log.is_on() && if cx.client.in_exec { log.status().unsynced == 0 } else { log.commit(true).is_ok() };
    cx.reply.array(2);
    cx.reply.integer(i64::from(is_safe));
    cx.reply.integer(0);
    Ok(())
}
