//! Which clients CLIENT LIST and CLIENT KILL mean, and the line CLIENT LIST writes for each.

use super::{Args, ClientHandle, Error, acl::Users, handle::State, table};
use crate::util::{clock::UnixMillis, number::parse_i64};
use std::{collections::BTreeSet, fmt::Write, sync::atomic::Ordering::Relaxed};

/// Conditions that all have to hold.
#[derive(Default, Debug)]
pub struct Filter {
    ids: Option<BTreeSet<u64>>,
    class: Option<Class>,
    peer: Option<Vec<u8>>,
    local: Option<Vec<u8>>,
    user: Option<Vec<u8>>,
    age_seconds_min: i64,
    skip_me: bool,
}

/// What TYPE tells apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Normal,
    Subscriber,
    /// Links to or from other servers: there are none.
    Replication,
}

impl Class {
    fn of(client: &ClientHandle) -> Class {
        if client.state().contains(State::SUBSCRIBER) { Class::Subscriber } else { Class::Normal }
    }

    fn parse(word: &[u8]) -> Option<Class> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Some(Class::Normal),
            b"pubsub" => Some(Class::Subscriber),
            b"master" | b"primary" | b"slave" | b"replica" => Some(Class::Replication),
            _ => None,
        }
    }
}

impl Filter {
    /// Whoever came from this address, the caller included.
    pub fn address(peer: &[u8]) -> Filter {
        Filter { peer: Some(peer.to_vec()), ..Filter::default() }
    }

    /// Parses `[ID id ...] [TYPE type] [ADDR a] [LADDR a] [USER u] [SKIPME yes|no] [MAXAGE s]`.
    pub fn parse(args: &Args<'_>, users: &Users, skip_me: bool) -> Result<Filter, Error> {
        let mut filter = Filter { skip_me, ..Filter::default() };
        let mut rest = args;
        while let [option, after @ ..] = rest {
            rest = match (option.to_ascii_lowercase().as_slice(), after) {
                (b"id", ids) => {
                    let numbers: Vec<i64> = ids.iter().map_while(|id| parse_i64(id)).collect();
                    let taken = filter.ids.get_or_insert_default();
                    for id in &numbers {
                        let id = u64::try_from(*id).ok().filter(|id| *id > 0);
                        taken.insert(id.ok_or(Error::new("ERR client-id should be greater than 0"))?);
                    }
                    &ids[numbers.len()..]
                }
                (b"maxage", [seconds, rest @ ..]) => {
                    filter.age_seconds_min =
                        parse_i64(seconds).ok_or(Error::new("ERR maxage is not an integer or out of range"))?;
                    if filter.age_seconds_min <= 0 {
                        return Err(Error::new("ERR maxage should be greater than 0"));
                    }
                    rest
                }
                (b"type", [word, rest @ ..]) => {
                    let unknown = || Error::quoting("ERR Unknown client type '", word, "'");
                    filter.class = Some(Class::parse(word).ok_or_else(unknown)?);
                    rest
                }
                (b"addr", [address, rest @ ..]) => {
                    filter.peer = Some(address.to_vec());
                    rest
                }
                (b"laddr", [address, rest @ ..]) => {
                    filter.local = Some(address.to_vec());
                    rest
                }
                (b"user", [user, rest @ ..]) => {
                    if users.get(user).is_none() {
                        return Err(Error::quoting("ERR No such user '", user, "'"));
                    }
                    filter.user = Some(user.to_vec());
                    rest
                }
                (b"skipme", [word, rest @ ..]) => {
                    filter.skip_me = match word.to_ascii_lowercase().as_slice() {
                        b"yes" => true,
                        b"no" => false,
                        _ => return Err(Error::SYNTAX),
                    };
                    rest
                }
                _ => return Err(Error::SYNTAX),
            };
        }
        Ok(filter)
    }

    pub fn matches(&self, client: &ClientHandle, me: u64, now: UnixMillis) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.contains(&client.id))
            && self.class.is_none_or(|class| class == Class::of(client))
            && self.peer.as_deref().is_none_or(|address| address == client.peer.as_bytes())
            && self.local.as_deref().is_none_or(|address| address == client.local.as_bytes())
            && self.user.as_deref().is_none_or(|user| user == &*client.names.lock().user)
            && (self.age_seconds_min == 0 || age_seconds(client, now) >= self.age_seconds_min)
            && !(self.skip_me && client.id == me)
    }
}

fn age_seconds(client: &ClientHandle, now: UnixMillis) -> i64 {
    now.div_euclid(1000) - client.created.div_euclid(1000)
}

/// The size of Redis's fixed reply buffer.
const FIXED_BUFFER: u64 = 16 * 1024;

/// Appends a client's line, without the line's end. `me` is the client that asks.
pub fn describe(out: &mut String, client: &ClientHandle, me: u64, now: UnixMillis) {
    // Writing to a string cannot fail.
    let _ = write_line(out, client, me, now);
}

fn write_line(out: &mut String, client: &ClientHandle, me: u64, now: UnixMillis) -> std::fmt::Result {
    let state = client.state();
    let last = client.last_interaction.load(Relaxed);
    let queued = if state.contains(State::MULTI) { i64::from(client.queued.load(Relaxed)) } else { -1 };
    let (mut query, mut query_free) = (client.query_bytes.load(Relaxed), client.query_free.load(Relaxed));
    if client.id == me {
        // The request that asks has been taken from the buffer, although its bytes still lie there.
        (query, query_free) = (0, query + query_free);
    }
    let (output, capacity) = (client.output_bytes.load(Relaxed), client.output_capacity.load(Relaxed));
    let (arguments, transaction) = (client.argument_bytes.load(Relaxed), client.queued_bytes.load(Relaxed));
    let memory = client.memory();
    let command = (client.last_command.load(Relaxed) as usize)
        .checked_sub(1)
        .and_then(|id| table::all().get(id))
        .map_or("NULL", |command| &command.full_name);
    write!(out, "id={} addr={} laddr={}", client.id, client.peer, client.local)?;
    let names = client.names.lock();
    write!(out, " fd={} name={}", client.descriptor.load(Relaxed), names.client)?;
    let idle = (now - last).max(0) / 1000;
    write!(out, " age={} idle={idle} flags=", age_seconds(client, now).max(0))?;
    write_flags(out, client);
    write!(
        out,
        " capa= db={} sub={} psub={} ssub={} multi={queued} watch={}",
        client.db.load(Relaxed),
        client.channels.load(Relaxed),
        client.patterns.load(Relaxed),
        client.shard_channels.load(Relaxed),
        client.watched.load(Relaxed)
    )?;
    write!(out, " qbuf={query} qbuf-free={query_free} argv-mem={arguments} multi-mem={transaction}")?;
    // One buffer holds a client's replies. What Redis would keep in a list behind its fixed buffer
    // is shown as such, because monitoring looks there.
    let (fixed, listed) = (output.min(FIXED_BUFFER), output.saturating_sub(FIXED_BUFFER));
    let (size, blocks) = (capacity.min(FIXED_BUFFER), listed.div_ceil(FIXED_BUFFER));
    write!(out, " rbs={size} rbp={size} obl={fixed} oll={blocks} omem={listed} tot-mem={memory}")?;
    let redirect = if state.contains(State::TRACKING) { client.redirect.load(Relaxed) as i64 } else { -1 };
    let events = if output > 0 { "rw" } else { "r" };
    write!(
        out,
        " events={events} cmd={command} user={} redir={redirect} resp={}",
        String::from_utf8_lossy(&names.user),
        client.protocol() as u8
    )?;
    write!(out, " lib-name={} lib-ver={}", names.library, names.library_version)?;
    write!(
        out,
        " tot-net-in={} tot-net-out={} tot-cmds={}",
        client.network_in.load(Relaxed),
        client.network_out.load(Relaxed),
        client.commands.load(Relaxed)
    )
}

fn write_flags(out: &mut String, client: &ClientHandle) {
    let letters = [
        (State::MONITOR, 'O'),
        (State::SUBSCRIBER, 'P'),
        (State::MULTI, 'x'),
        (State::BLOCKED, 'b'),
        (State::CLOSING, 'c'),
        (State::UNIX_SOCKET, 'U'),
        (State::NO_EVICT, 'e'),
        (State::NO_TOUCH, 'T'),
        (State::IMPORT_SOURCE, 'I'),
        (State::TRACKING, 't'),
        (State::TRACKING_BROKEN, 'R'),
        (State::TRACKING_BROADCAST, 'B'),
    ];
    let before = out.len();
    let state = client.state();
    for (bits, letter) in letters {
        if state.contains(bits) {
            out.push(letter);
        }
    }
    if client.watch_dirty.load(Relaxed) {
        out.push('d');
    }
    if out.len() == before {
        out.push('N');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &str, expected: Result<&[u64], &str>) {
        let words: Vec<&[u8]> = request.split_whitespace().map(str::as_bytes).collect();
        let clients = [(1, "a:1", 0), (2, "a:2", 0), (3, "b:1", 60_000)].map(|(id, peer, created)| {
            let mut client = ClientHandle::new(id);
            (client.peer, client.created) = (peer.into(), created);
            client
        });
        clients[1].set_state(State::SUBSCRIBER, true);
        match (Filter::parse(&words, &Users::new(""), false), expected) {
            (Ok(filter), Ok(expected)) => {
                let found: Vec<u64> =
                    clients.iter().filter(|client| filter.matches(client, 1, 60_000)).map(|c| c.id).collect();
                assert_eq!(found, expected, "{request}");
            }
            (Err(error), Err(expected)) => assert_eq!(*error.0, *expected.as_bytes(), "{request}"),
            (found, expected) => panic!("{request}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn filters() {
        check("", Ok(&[1, 2, 3]));
        check("id 1 3 9", Ok(&[1, 3]));
        check("ID 1 2 TYPE pubsub", Ok(&[2]));
        check("type normal skipme yes", Ok(&[3]));
        check("addr a:2", Ok(&[2]));
        check("maxage 30", Ok(&[1, 2]));
        check("type replica", Ok(&[]));
        check("user default", Ok(&[1, 2, 3]));
        check("user bob", Err("ERR No such user 'bob'"));
        check("id 0", Err("ERR client-id should be greater than 0"));
        check("id x", Err("ERR syntax error"));
        check("maxage 0", Err("ERR maxage should be greater than 0"));
        check("type odd", Err("ERR Unknown client type 'odd'"));
        check("skipme maybe", Err("ERR syntax error"));
    }
}
