//! MIGRATE: keys move to another server.
//!
//! No shard may be locked while another server is waited for. So what is to move is copied, sent, and removed once it has
//! arrived, if it is still what was sent: a key that has been changed meanwhile stays. The thread for scripts does it, since
//! that of the connection has others to serve.

use super::dump;
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::integer,
        courier::{Failure, Parcel},
        spec::{BeginSearch, KeyFlags, KeySpec},
    },
    keyspace::ShardSet,
    util::clock::UnixMillis,
};
use std::time::Duration;

const MOVED: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE);

pub const KEYS: &[KeySpec] = &[
    KeySpec::one(3, MOVED.union(KeyFlags::INCOMPLETE)),
    KeySpec {
        // All that follows are keys, whatever they are called.
        begin: BeginSearch::Option {
            word: "KEYS",
            start_from: 6,
            others: &[("COPY", 0), ("REPLACE", 0), ("AUTH", 1), ("AUTH2", 2), ("KEYS", i32::MAX as usize)],
        },
        ..KeySpec::range(0, -1, 1, MOVED)
    },
];

/// How long a step may take when the request does not say.
const TIMEOUT_MS: u64 = 1000;

struct Request<'r, 'a> {
    host: &'r str,
    port: u16,
    database: &'a [u8],
    timeout: Duration,
    copy: bool,
    replace: bool,
    /// AUTH and its words.
    login: Vec<&'a [u8]>,
    keys: &'r [&'a [u8]],
    /// Which words are secrets.
    secrets: Vec<usize>,
}

impl<'r, 'a> Request<'r, 'a> {
    fn read(args: &'r Args<'a>) -> Result<Self, Error> {
        let (mut copy, mut replace, mut login, mut keys) = (false, false, Vec::new(), &args[3..4]);
        let mut secrets = Vec::new();
        let mut rest = &args[6..];
        while let [word, after @ ..] = rest {
            rest = after;
            match (word.to_ascii_lowercase().as_slice(), after) {
                (b"copy", _) => copy = true,
                (b"replace", _) => replace = true,
                (b"auth", [password, after @ ..]) => {
                    (login, rest) = (vec![b"AUTH".as_slice(), password], after);
                    secrets.push(args.len() - rest.len() - 1);
                }
                (b"auth2", [user, password, after @ ..]) => {
                    (login, rest) = (vec![b"AUTH".as_slice(), user, password], after);
                    secrets.extend([args.len() - rest.len() - 2, args.len() - rest.len() - 1]);
                }
                (b"keys", after) => {
                    if !args[3].is_empty() {
                        return Err(Error::new(
                            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
                        ));
                    }
                    (keys, rest) = (after, &[]);
                }
                _ => return Err(Error::SYNTAX),
            }
        }
        let (timeout, _) = (integer(args[5])?, integer(args[4])?);
        Ok(Request {
            host: std::str::from_utf8(args[1]).unwrap_or_default(),
            port: u16::try_from(integer(args[2])?).unwrap_or(0),
            database: args[4],
            timeout: Duration::from_millis(u64::try_from(timeout).ok().filter(|ms| *ms > 0).unwrap_or(TIMEOUT_MS)),
            copy,
            replace,
            login,
            keys,
            secrets,
        })
    }
}

/// A key as it is sent.
struct Sent<'a> {
    key: &'a [u8],
    payload: Vec<u8>,
    expiry: Option<UnixMillis>,
}

pub fn migrate(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let request = Request::read(args)?;
    request.secrets.iter().for_each(|at| cx.redact(*at));
    if cx.client.in_exec {
        return Err(Error::new(
            "ERR MIGRATE waits for another server, and nothing in a transaction or script may wait",
        ));
    }
    if cx.client.settings.tls.replication {
        return Err(Error::new("ERR MIGRATE sends keys as they are, and 'tls-replication' asks for TLS"));
    }
    if cx.may_hand_over() {
        cx.hand_over(args, ShardSet::NONE);
        return Ok(());
    }
    let (db, now) = (cx.client.db, cx.now);
    let sent: Vec<Sent<'_>> =
        lock(cx, &request, |cx| request.keys.iter().filter_map(|key| copy_of(cx, db, key)).collect());
    if sent.is_empty() {
        cx.reply.simple("NOKEY");
        return Ok(());
    }
    let ttls: Vec<String> = sent.iter().map(|sent| sent.expiry.map_or(0, |at| (at - now).max(1)).to_string()).collect();
    let mut requests: Vec<Vec<&[u8]>> = Vec::new();
    if !request.login.is_empty() {
        requests.push(request.login.clone());
    }
    requests.push(vec![b"SELECT", request.database]);
    let ahead = requests.len();
    for (sent, ttl) in sent.iter().zip(&ttls) {
        let mut words: Vec<&[u8]> = vec![b"RESTORE", sent.key, ttl.as_bytes(), &sent.payload];
        if request.replace {
            words.push(b"REPLACE");
        }
        requests.push(words);
    }
    let (host, port, timeout) = (request.host, request.port, request.timeout);
    let parcel = Parcel { host, port, timeout, login: &request.login, requests: &requests };
    let delivery = cx.shared.courier().carry(&parcel);
    let refusal = delivery.replies.iter().find_map(|reply| reply.as_ref().err());
    let welcome = delivery.replies.iter().take(ahead).all(Result::is_ok);
    let arrived = delivery.replies.iter().skip(ahead).zip(&sent).filter(|(reply, _)| welcome && reply.is_ok());
    if !request.copy {
        let arrived: Vec<&Sent<'_>> = arrived.map(|(_, sent)| sent).collect();
        remove(cx, &request, db, &arrived);
    }
    if let Some(text) = refusal {
        return Err(Error::text([b"ERR Target instance replied with error: ", &text[..]].concat()));
    }
    match delivery.failure {
        None => cx.reply.ok(),
        Some(Failure::Connecting) => return Err(Error::new("IOERR error or timeout connecting to the client")),
        Some(Failure::Writing) => return Err(Error::new("IOERR error or timeout writing to target instance")),
        Some(Failure::Reading) => return Err(Error::new("IOERR error or timeout reading from target instance")),
    }
    Ok(())
}

/// Does something with the keys' shards locked.
fn lock<R>(cx: &mut Context<'_>, request: &Request<'_, '_>, act: impl FnOnce(&mut Context<'_>) -> R) -> R {
    let keyspace = &cx.shared.keyspace;
    cx.keys.release();
    cx.keys = keyspace.lock(keyspace.shard_set(request.keys.iter().copied()), cx.now);
    let result = act(cx);
    cx.keys.release();
    result
}

fn copy_of<'a>(cx: &mut Context<'_>, db: usize, key: &'a [u8]) -> Option<Sent<'a>> {
    let compress = cx.client.settings.rdb_compression;
    let mut database = cx.keys.db(db);
    let expiry = database.peek(key)?.expiry;
    let payload = dump::payload(&mut database, key, compress, cx.now)?;
    Some(Sent { key, payload, expiry })
}

/// Removes what has arrived elsewhere and is still the same here.
fn remove(cx: &mut Context<'_>, request: &Request<'_, '_>, db: usize, arrived: &[&Sent<'_>]) {
    lock(cx, request, |cx| {
        let mut removed: Vec<&[u8]> = vec![b"DEL"];
        for sent in arrived {
            let is_same =
                copy_of(cx, db, sent.key).is_some_and(|now| now.payload == sent.payload && now.expiry == sent.expiry);
            if is_same && cx.keys.db(db).remove(sent.key) {
                cx.notify_generic("del", sent.key);
                removed.push(sent.key);
            }
        }
        if removed.len() > 1 {
            cx.keep_at_once(&removed);
        }
    });
}
