//! Every command that the real server documents, with the arguments it documents: the replies must be the same.
//!
//! The peer's COMMAND DOCS are the grammar, so nothing is asked that it does not know. Any server of the family can be
//! the peer: `FLAGSTONE_PEER=/path/to/valkey-server`; what is excused below is where they differ among themselves, too.

use super::{
    Peer, Words,
    collections::{is_ordered, is_same},
    grammar::{self, Documented},
    seeds, setting, words,
};
use crate::{
    client::Client,
    instance::Server,
    tree::{Tree, quote},
};
use fastrand::Rng;
use flagstone::command::Protocol;
use std::collections::BTreeMap;

/// Not asked at all: what ends, stops or rewrites a server or a connection, what answers more or less than once, and
/// what draws lots. (The test's decoder reads no sets of maps and arrays, which COMMAND
/// INFO and DOCS have.)
const LEFT_OUT: &str = "
    acl|genpass acl|load acl|save asking auth bgrewriteaof bgsave client|kill client|list client|no-evict client|pause
    client|reply client|setname client|tracking client|unblock cluster|* command command|docs command|info
    config|resetstat config|rewrite config|set debug discard exec failover flushall hello hotkeys|* hrandfield info
    lastsave latency|* lolwut memory|* migrate module|* monitor multi pfselftest psubscribe psync punsubscribe quit
    randomkey readonly readwrite replconf replicaof reset restore-asking role save script|debug shutdown slaveof
    slowlog|* spop srandmember ssubscribe subscribe sunsubscribe swapdb sync time unsubscribe unwatch wait waitaof
    watch zrandmember
";

/// Asked, and answered out of what the server is: only errors must be the same, and else the kind of reply.
const OF_ITSELF: &str = "
    acl|cat acl|getuser acl|list acl|log client|getname client|id client|info client|trackinginfo commandlog|get
    command|count command|getkeysandflags command|list function|dump function|list function|stats object|freq
    object|idletime script|kill xinfo|consumers xinfo|groups xinfo|stream xpending
";

fn is_listed(list: &str, name: &str) -> bool {
    let (container, subcommand) = name.split_once('|').unwrap_or((name, ""));
    let all_of_it = |listed: &str| listed.strip_suffix("|*") == Some(container);
    subcommand == "help" || list.split_whitespace().any(|listed| listed == name || all_of_it(listed))
}

/// A request, now and then with a word that is wrong, missing, too many or elsewhere.
fn request(random: &mut Rng, all: &[Documented]) -> (usize, Words) {
    let chosen = random.usize(..all.len());
    let command = &all[chosen];
    let mut request = command.draw(random);
    if let "command|getkeys" | "command|getkeysandflags" | "acl|dryrun" = command.name.as_str() {
        request.truncate(if command.name == "acl|dryrun" { 3 } else { 2 });
        request.extend(all[random.usize(..all.len())].draw(random));
    }
    if command.name == "xadd" {
        // The time is not the same there.
        request.iter_mut().filter(|word| *word == b"*").for_each(|word| *word = b"12-*".to_vec());
    }
    let name_len = command.name.split('|').count();
    // With other words these would wait for long, or until a time that is near.
    if is_touchy(&command.name) || request.len() <= name_len {
        return (chosen, request);
    }
    let at = random.usize(name_len..request.len());
    match random.u8(..) {
        0..6 => drop(request.remove(at)),
        6..10 => request.push(words::wild(random)),
        10..14 => request[at] = words::wild(random),
        14..16 => request.swap(at, name_len),
        _ => {}
    }
    (chosen, request)
}

fn is_touchy(name: &str) -> bool {
    name.starts_with('b') && !name.starts_with("bit")
        || ["expire", "setex", "getex", "increx"].iter().any(|part| name.contains(part))
        || ["set", "restore", "xread", "xreadgroup"].contains(&name)
}

/// Whether the order of a reply means something.
fn is_in_order(name: &str) -> bool {
    is_ordered(name) && !["keys", "config|get"].contains(&name)
}

/// Whether replies that differ may, and why. `theirs` is of any version.
fn is_excused(name: &str, request: &[Vec<u8>], theirs: &Tree, ours: &Tree) -> bool {
    let (their_error, our_error) = (error(theirs), error(ours));
    let ours_is = |text: &str| our_error.is_some_and(|error| error.starts_with(text));
    let theirs_is = |text: &str| their_error.is_some_and(|error| error.starts_with(text));
    match name {
        // A 7.0 does not take a command without arguments there.
        "command|getkeys" | "command|getkeysandflags" if theirs_is("ERR wrong number of arguments for 'command|") => {
            true
        }
        _ if is_listed(OF_ITSELF, name) => our_error == their_error,
        // A relative time was added to two clocks, moments apart.
        "ttl" | "pttl" | "expiretime" | "pexpiretime" | "httl" | "hpttl" | "hexpiretime" | "hpexpiretime" => {
            matches!((theirs, ours), (Tree::Integer(theirs), Tree::Integer(ours)) if near(*theirs, *ours))
                || matches!((theirs, ours), (Tree::Array(_), Tree::Array(_)))
        }
        // Redis wants both ends, Valkey and ours let a range lack its end; 7.0 reads them when there is a key.
        "bitcount" => request.len() == 3 || ours_is("ERR value is not an integer") || ours_is("ERR syntax"),
        "bitpos" => ours_is("ERR value is not an integer") || ours_is("ERR syntax"),
        // A 7.0 has fewer encodings; and what was changed in place stays raw there.
        "object|encoding" => matches!((theirs, ours), (Tree::Bulk(_), Tree::Bulk(_))),
        "object|refcount" => matches!((theirs, ours), (Tree::Integer(_), Tree::Integer(_))),
        // Where a cursor leads, and how much is a step, is the server's own affair; the cursors of a 7.0 may be negative.
        "scan" | "sscan" | "hscan" | "zscan" => {
            matches!((theirs, ours), (Tree::Array(_), Tree::Array(_)))
                || ours_is("ERR invalid cursor")
                || theirs_is("ERR invalid cursor")
                || theirs_is("ERR unknown type name")
        }
        // Texts name the server, or the command that was meant; later ones know more IDs.
        "xread" | "xreadgroup" => {
            theirs_is("ERR Unbalanced") && ours_is("ERR Unbalanced") || theirs_is("ERR Invalid stream ID")
        }
        // A consumer is made in any case now.
        "zrank" | "zrevrank" => theirs_is("ERR wrong number of arguments"),
        "lset" | "lpos" | "lrem" => our_error.is_some_and(|error| error.contains("out of range")),
        // What weighs nothing stays in no order.
        "sort" | "sort_ro" => [b"BY".as_slice(), b"ALPHA"].iter().all(|option| has_word(request, option)),
        // XAUTOCLAIM makes its consumer in any case since 7.2.
        "xgroup|createconsumer" => matches!((theirs, ours), (Tree::Integer(_), Tree::Integer(_))),
        // It takes none of ZADD's options, but they are read.
        "zincrby" => theirs_is("ERR syntax error"),
        // In what follows a set of members of different scores has no order by name.
        "zrangebylex" | "zrevrangebylex" | "zlexcount" | "zremrangebylex" | "zrange" | "zrangestore" => {
            request.iter().any(|word| word.starts_with(b"[") || word.starts_with(b"(") || word == b"-" || word == b"+")
        }
        // There are several ways to write a value down; whether it can be read is seen when it goes to the other side.
        "dump" => matches!((theirs, ours), (Tree::Bulk(_), Tree::Bulk(_))),
        // A 7.0 does not say whose permissions are missing.
        "acl|dryrun" => matches!((theirs, ours), (Tree::Bulk(_), Tree::Bulk(_))),
        // All of the settings are others.
        "config|get" => has_word(request, b"*"),
        // The keys of a request are known by the first STORE.
        "georadius" | "georadiusbymember" => ours_is("ERR syntax error") && is_stored_twice(request),
        _ => our_error.is_some() && their_error.is_some() && is_same_but_for_names(our_error, their_error),
    }
}

fn error(tree: &Tree) -> Option<&str> {
    match tree {
        Tree::Error(text) => Some(text),
        _ => None,
    }
}

/// How much later than the other a server on a busy machine may run the same command, in seconds or milliseconds.
fn near(theirs: i64, ours: i64) -> bool {
    theirs.abs_diff(ours) <= 60_000
}

/// Whether two errors differ only in whether they name the server, its scripts or a way out.
pub fn is_same_but_for_names(ours: Option<&str>, theirs: Option<&str>) -> bool {
    let names = ["Redis ", "redis lib ", "lua ", " Please use EVAL."];
    let plain = |text: Option<&str>| {
        let text = text.unwrap_or_default().replace("Lua redis lib command", "Command");
        names.iter().fold(text, |text, name| text.replace(name, ""))
    };
    plain(ours) == plain(theirs)
}

fn has_word(request: &[Vec<u8>], word: &[u8]) -> bool {
    request.iter().any(|given| given.eq_ignore_ascii_case(word))
}

fn is_stored_twice(request: &[Vec<u8>]) -> bool {
    request.iter().filter(|word| word.to_ascii_uppercase().starts_with(b"STORE")).count() > 1
}

/// What both servers were asked since the last difference that was excused.
struct Sides {
    theirs: Client,
    ours: Client,
}

impl Sides {
    fn call<A: AsRef<[u8]>>(&mut self, request: &[A]) -> (Tree, Tree) {
        self.theirs.send(request);
        self.ours.send(request);
        (self.theirs.receive(), self.ours.receive())
    }

    /// Whether both wait for a request: whatever was asked had one reply.
    fn are_in_step(&mut self) -> bool {
        let word = Tree::Bulk(b"in step".to_vec());
        self.call(&["ECHO", "in step"]) == (word.clone(), word)
    }

    /// What all keys hold goes to the other side as DUMP's payload, and must be the same there.
    fn exchange(&mut self) {
        let Tree::Array(keys) = self.ours.call(&["KEYS", "??"]) else { panic!("KEYS answers an array") };
        for key in keys {
            let Tree::Bulk(key) = key else { panic!("a key is a string") };
            for there in [false, true] {
                let (from, to) =
                    if there { (&mut self.ours, &mut self.theirs) } else { (&mut self.theirs, &mut self.ours) };
                let Tree::Bulk(payload) = from.call(&[b"DUMP".as_slice(), &key]) else { continue };
                let restored = to.call(&[b"RESTORE".as_slice(), b"copy", b"0", &payload, b"REPLACE"]);
                // Streams say more than a 7.0 can read.
                let is_newer =
                    payload[payload.len() - 10] > 10 && error(&restored).is_some_and(|text| text.contains("version"));
                if is_newer && there {
                    continue;
                }
                assert_eq!(restored, Tree::Simple("OK".into()), "RESTORE of {} {}", quote(&key), quote(&payload));
                let (original, copy) = (content(from, &key), content(to, b"copy"));
                assert!(is_same(&original, &copy, false), "{} was\n{original}\nand is\n{copy}", quote(&key));
                to.call(&["DEL", "copy"]);
            }
        }
    }
}

/// All that a key holds.
fn content(client: &mut Client, key: &[u8]) -> Tree {
    let Tree::Simple(kind) = client.call(&[b"TYPE".as_slice(), key]) else { panic!("TYPE answers a status") };
    let request: &[&[u8]] = match kind.as_str() {
        "string" => &[b"GET", key],
        "list" => &[b"LRANGE", key, b"0", b"-1"],
        "hash" => &[b"HGETALL", key],
        "set" => &[b"SMEMBERS", key],
        "zset" => &[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
        "stream" => &[b"XRANGE", key, b"-", b"+"],
        "array" => &[b"ARGETRANGE", key, b"0", b"99"],
        other => panic!("a key of type {other}"),
    };
    client.call(request)
}

#[test]
fn documented_commands_are_answered_as_by_a_real_server() {
    for seed in seeds() {
        // A new one each time: users and libraries outlive their connection.
        let Some(peer) = Peer::start() else {
            println!("SKIPPED: no redis-server is installed, so nothing was compared");
            return;
        };
        println!("FLAGSTONE_SEED={seed}");
        compare(&peer, seed, setting("FLAGSTONE_COMMANDS").unwrap_or(1_500));
    }
}

fn compare(peer: &Peer, seed: u64, commands: u64) {
    let server = Server::start_on_the_wall_clock();
    let known = grammar::of(&mut server.connect(Protocol::Resp2));
    let all: Vec<Documented> = (grammar::of(&mut peer.connect(Protocol::Resp2)).into_iter())
        .filter(|command| !is_listed(LEFT_OUT, &command.name))
        .filter(|command| known.iter().any(|known| known.name == command.name))
        .collect();
    assert!(all.len() > 150, "only {} commands are documented", all.len());
    // One of each command.
    let mut differences: BTreeMap<&str, String> = BTreeMap::new();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut random = Rng::with_seed(seed);
        let mut sides = Sides { theirs: peer.connect(protocol), ours: server.connect(protocol) };
        sides.call(&["FLUSHALL"]);
        let mut recent: Vec<String> = Vec::new();
        for n in 0..commands {
            let (chosen, request) = request(&mut random, &all);
            let command = &all[chosen];
            recent.push(request.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "));
            let (theirs, ours) = sides.call(&request);
            let before = || recent[recent.len().saturating_sub(60)..].join("\n  ");
            if !is_same(&theirs, &ours, is_in_order(&command.name)) {
                if !is_excused(&command.name, &request, &theirs, &ours) {
                    differences.entry(&command.name).or_insert_with(|| {
                        format!(
                            "FLAGSTONE_SEED={seed} {protocol:?}, command {n}; the last of\n  {}\nwas answered by the peer \
                             with\n{theirs}\nand by ours with\n{ours}\n",
                            before()
                        )
                    });
                }
                // What a difference has left must not be told as another one.
                request
                    .iter()
                    .filter(|word| words::is_key(word))
                    .for_each(|key| drop(sides.call(&[b"DEL", key.as_slice()])));
            }
            if n % 500 == 499 {
                assert!(
                    sides.are_in_step(),
                    "FLAGSTONE_SEED={seed} {protocol:?}: one of\n  {}\nhad no reply, or two",
                    before()
                );
                sides.exchange();
            }
        }
    }
    let all: Vec<String> = differences.into_values().collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}
