//! Which clients CLIENT LIST and CLIENT KILL mean, and the line CLIENT LIST writes for each.

use super::{Args, ClientHandle, Error, acl::Users, handle::State, table};
use crate::util::{clock::UnixMillis, number::parse_i64};
use std::{collections::BTreeSet, fmt::Write, sync::atomic::Ordering::Relaxed};

/// Conditions that all have to hold, and conditions of which none may.
#[derive(Default, Debug)]
pub struct Filter {
    with: Conditions,
    without: Conditions,
    age_seconds_min: i64,
    idle_seconds_min: i64,
    skip_me: bool,
}

#[derive(Default, Debug)]
struct Conditions {
    ids: Option<BTreeSet<u64>>,
    class: Option<Class>,
    /// Words to compare with, each with what of the client it is.
    words: Vec<(Field, Vec<u8>)>,
    db: Option<u32>,
}

/// What of a client is compared with a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Peer,
    Local,
    /// The address of the peer, without the port.
    Host,
    User,
    Name,
    Library,
    LibraryVersion,
    /// It has all flags of the word.
    Flags,
    /// It can do all that the letters of the word stand for.
    Capabilities,
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
        let with = Conditions { words: vec![(Field::Peer, peer.to_vec())], ..Conditions::default() };
        Filter { with, ..Filter::default() }
    }

    /// Parses `[SKIPME yes|no] [MAXAGE s] [IDLE s]` and conditions, which `NOT-` turns round.
    pub fn parse(args: &Args<'_>, users: &Users, skip_me: bool) -> Result<Filter, Error> {
        let mut filter = Filter { skip_me, ..Filter::default() };
        let mut rest = args;
        while let [option, after @ ..] = rest {
            let option = option.to_ascii_lowercase();
            rest = match (option.as_slice(), after) {
                (b"maxage", [seconds, rest @ ..]) => {
                    filter.age_seconds_min = seconds_of("maxage", seconds)?;
                    rest
                }
                (b"idle", [seconds, rest @ ..]) => {
                    filter.idle_seconds_min = seconds_of("idle", seconds)?;
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
                (option, after) => match option.strip_prefix(b"not-") {
                    Some(option) => filter.without.add(option, after, users, "NOT-FLAGS")?,
                    None => filter.with.add(option, after, users, "provided")?,
                },
            };
        }
        Ok(filter)
    }

    pub fn matches(&self, client: &ClientHandle, me: u64, now: UnixMillis) -> bool {
        self.with.held_by(client).all(|held| held)
            && !self.without.held_by(client).any(|held| held)
            && (self.age_seconds_min == 0 || age_seconds(client, now) >= self.age_seconds_min)
            && (self.idle_seconds_min == 0 || idle_seconds(client, now) >= self.idle_seconds_min)
            && !(self.skip_me && client.id == me)
    }
}

fn seconds_of(option: &str, word: &[u8]) -> Result<i64, Error> {
    match parse_i64(word) {
        None => Err(Error::text(format!("ERR {option} is not an integer or out of range"))),
        Some(..=0) => Err(Error::text(format!("ERR {option} should be greater than 0"))),
        Some(seconds) => Ok(seconds),
    }
}

impl Conditions {
    /// Adds the condition `option`, which begins at `after`; answers what follows it. `kind` is how errors call the filter.
    fn add<'r, 'a>(
        &mut self,
        option: &[u8],
        after: &'r [&'a [u8]],
        users: &Users,
        kind: &str,
    ) -> Result<&'r [&'a [u8]], Error> {
        if option == b"id" {
            let numbers: Vec<i64> = after.iter().map_while(|id| parse_i64(id)).collect();
            let taken = self.ids.get_or_insert_default();
            for id in &numbers {
                let id = u64::try_from(*id).ok().filter(|id| *id > 0);
                taken.insert(id.ok_or(Error::new("ERR client-id should be greater than 0"))?);
            }
            return Ok(&after[numbers.len()..]);
        }
        let [word, rest @ ..] = after else { return Err(Error::SYNTAX) };
        let field = match option {
            b"type" => {
                let unknown = || Error::quoting("ERR Unknown client type '", word, "'");
                self.class = Some(Class::parse(word).ok_or_else(unknown)?);
                return Ok(rest);
            }
            b"db" => {
                let db = parse_i64(word).ok_or(Error::NOT_INTEGER)?;
                self.db = Some(u32::try_from(db).map_err(|_| Error::new("ERR DB index is out of range"))?);
                return Ok(rest);
            }
            b"addr" => Field::Peer,
            b"laddr" => Field::Local,
            b"ip" => Field::Host,
            b"name" => Field::Name,
            b"lib-name" => Field::Library,
            b"lib-ver" => Field::LibraryVersion,
            b"capa" => Field::Capabilities,
            b"user" if users.get(word).is_none() => return Err(Error::quoting("ERR No such user '", word, "'")),
            b"user" => Field::User,
            b"flags" if word.is_empty() || !word.iter().all(|flag| FLAGS.contains(flag)) => {
                return Err(Error::quoting(&format!("ERR Unknown flags found in the {kind} filter: "), word, ""));
            }
            b"flags" => Field::Flags,
            _ => return Err(Error::SYNTAX),
        };
        self.words.push((field, word.to_vec()));
        Ok(rest)
    }

    /// For each condition, whether it holds.
    fn held_by(&self, client: &ClientHandle) -> impl Iterator<Item = bool> {
        let numbers = [
            self.ids.as_ref().map(|ids| ids.contains(&client.id)),
            self.class.map(|class| class == Class::of(client)),
            self.db.map(|db| db == client.db.load(Relaxed)),
        ];
        numbers.into_iter().flatten().chain(self.words.iter().map(|(field, word)| field.is(client, word)))
    }
}

impl Field {
    fn is(self, client: &ClientHandle, word: &[u8]) -> bool {
        match self {
            Field::Peer => word == client.peer.as_bytes(),
            Field::Local => word == client.local.as_bytes(),
            Field::Host => client.peer.rsplit_once(':').is_some_and(|(host, _)| word == host.as_bytes()),
            Field::User => *word == *client.names.lock().user,
            Field::Name => word == client.names.lock().client.as_bytes(),
            Field::Library => word == client.names.lock().library.as_bytes(),
            Field::LibraryVersion => word == client.names.lock().library_version.as_bytes(),
            Field::Flags => {
                let mut flags = String::new();
                write_flags(&mut flags, client);
                word.iter().all(|flag| flags.as_bytes().contains(flag))
            }
            // None of them shows in a client's line.
            Field::Capabilities => word.is_empty(),
        }
    }
}

fn age_seconds(client: &ClientHandle, now: UnixMillis) -> i64 {
    now.div_euclid(1000) - client.created.div_euclid(1000)
}

fn idle_seconds(client: &ClientHandle, now: UnixMillis) -> i64 {
    (now - client.last_interaction.load(Relaxed)).max(0) / 1000
}

/// All flags that a client of Redis or Valkey may have.
const FLAGS: &[u8] = b"OSMPxbtRBdcurueTIUAEN";

/// The size of Redis's fixed reply buffer.
const FIXED_BUFFER: u64 = 16 * 1024;

/// Appends a client's line, without the line's end. `me` is the client that asks.
pub fn describe(out: &mut String, client: &ClientHandle, me: u64, now: UnixMillis) {
    // Writing to a string cannot fail.
    let _ = write_line(out, client, me, now);
}

fn write_line(out: &mut String, client: &ClientHandle, me: u64, now: UnixMillis) -> std::fmt::Result {
    let state = client.state();
    let queued = if state.contains(State::MULTI) { i64::from(client.queued.load(Relaxed)) } else { -1 };
    let (mut query, mut query_free) = (client.query_bytes.load(Relaxed), client.query_free.load(Relaxed));
    if client.id == me {
        // The request that asks has been taken from the buffer, although its bytes still lie there.
        (query, query_free) = (0, query + query_free);
    } else {
        query = query.saturating_sub(client.parsed_bytes.load(Relaxed));
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
    write!(out, " age={} idle={} flags=", age_seconds(client, now).max(0), idle_seconds(client, now))?;
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
    )?;
    write!(
        out,
        " read-events={} avg-pipeline-len-sum={} avg-pipeline-len-cnt={}",
        client.reads.get(),
        client.pipelined.get(),
        client.pipelines.get()
    )
}

fn write_flags(out: &mut String, client: &ClientHandle) {
    let letters = [
        (State::MONITOR, 'O'),
        (State::SUBSCRIBER, 'P'),
        (State::MULTI, 'x'),
        (State::BLOCKED, 'b'),
        (State::TRACKING, 't'),
        (State::TRACKING_BROKEN, 'R'),
        (State::TRACKING_BROADCAST, 'B'),
        (State::CLOSING, 'c'),
        (State::UNIX_SOCKET, 'U'),
        (State::NO_EVICT, 'e'),
        (State::NO_TOUCH, 'T'),
        (State::IMPORT_SOURCE, 'I'),
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
        clients[0].names.lock().client = "me".into();
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
        check("not-id 1 3", Ok(&[2]));
        check("NOT-TYPE pubsub not-addr b:1", Ok(&[1]));
        check("type normal not-addr a:1", Ok(&[3]));
        check("ip a", Ok(&[1, 2]));
        check("not-ip a", Ok(&[3]));
        check("flags P", Ok(&[2]));
        check("not-flags P", Ok(&[1, 3]));
        check("flags Z", Err("ERR Unknown flags found in the provided filter: Z"));
        check("not-flags Z", Err("ERR Unknown flags found in the NOT-FLAGS filter: Z"));
        check("name me", Ok(&[1]));
        check("lib-name x", Ok(&[]));
        check("not-lib-ver x", Ok(&[1, 2, 3]));
        check("db 0", Ok(&[1, 2, 3]));
        check("not-db 0", Ok(&[]));
        check("idle 61", Ok(&[]));
        check("idle 0", Err("ERR idle should be greater than 0"));
        check("not-skipme yes", Err("ERR syntax error"));
        check("name", Err("ERR syntax error"));
    }
}
