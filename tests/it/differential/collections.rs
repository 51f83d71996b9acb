//! The same for collections: what they hold is compared with the replies of commands that read, and what has no order is
//! compared without one.

use super::{Peer, Words, float, integer, seeds, setting, value};
use crate::{
    client::request,
    instance::Server,
    tree::{Tree, quote},
};
use fastrand::Rng;
use flagstone::command::Protocol;

/// What is drawn from. Left out is what is drawn by lot, what tells of time or memory, and what a 7.0 does not know.
pub const PATTERNS: &[&str] = &[
    "LPUSH key member member",
    "RPUSH key member member member",
    "RPUSH key member",
    "LPUSHX key member",
    "RPUSHX key member member",
    "LPOP key",
    "RPOP key",
    "LPOP key small",
    "RPOP key index",
    "LLEN key",
    "LRANGE key index index",
    "LRANGE key int int",
    "LINDEX key index",
    "LSET key index member",
    "LINSERT key side member member",
    "LREM key small member",
    "LTRIM key index index",
    "LPOS key member",
    "LPOS key member RANK index COUNT small",
    "LPOS key member COUNT index MAXLEN index",
    "LMOVE key key end end",
    "RPOPLPUSH key key",
    "LMPOP 2 key key end",
    "LMPOP small key key end COUNT index",
    "BLPOP key key 0.001",
    "BLMPOP 0.001 1 key end COUNT small",
    "BLMOVE key key end end 0.001",
    "BLMOVE key key end end abc",
    "BLPOP key -1",
    "SADD key member member member",
    "SADD key number number",
    "SADD key member",
    "SREM key member member",
    "SISMEMBER key member",
    "SMISMEMBER key member member",
    "SCARD key",
    "SMEMBERS key",
    "SMOVE key key member",
    "SINTER key key",
    "SUNION key key key",
    "SDIFF key key key",
    "SINTERSTORE key key key",
    "SUNIONSTORE key key key",
    "SDIFFSTORE key key key",
    "SINTERCARD 2 key key",
    "SINTERCARD small key key LIMIT index",
    "SPOP key 0",
    "SPOP key 1.5",
    "SPOP key -1",
    "SRANDMEMBER key 0",
    "SRANDMEMBER key 1.5",
    "SSCAN key 0 COUNT 1000",
    "SSCAN key 0 COUNT value MATCH value",
    "SSCAN key value",
    "HSET key member value",
    "HSET key member value member value",
    "HSET key member number",
    "HSET key member value member",
    "HMSET key member value",
    "HSETNX key member value",
    "HGET key member",
    "HMGET key member member",
    "HDEL key member member",
    "HLEN key",
    "HEXISTS key member",
    "HSTRLEN key member",
    "HKEYS key",
    "HVALS key",
    "HGETALL key",
    "HINCRBY key member int",
    "HINCRBYFLOAT key member float",
    "HRANDFIELD key 0",
    "HRANDFIELD key 1.5",
    "HRANDFIELD key 0 WITHVALUES",
    "HRANDFIELD key int WITHSCORES",
    "HSCAN key 0 COUNT 1000",
    "HSCAN key value COUNT index",
    "HSCAN key 0 MATCH value COUNT value",
    "ZADD key score member",
    "ZADD key score member score member score member",
    "ZADD lexical 0 member 0 member 0 member",
    "ZADD lexical 0 member",
    "ZADD key condition score member",
    "ZADD key condition CH score member score member",
    "ZADD key condition condition score member",
    "ZADD key INCR score member",
    "ZADD key condition INCR score member",
    "ZADD key INCR score member score member",
    "ZINCRBY key score member",
    "ZREM key member member",
    "ZSCORE key member",
    "ZMSCORE key member member",
    "ZCARD key",
    "ZRANK key member",
    "ZREVRANK key member",
    "ZCOUNT key limit limit",
    "ZLEXCOUNT lexical edge edge",
    "ZRANGE key index index",
    "ZRANGE key index index REV WITHSCORES",
    "ZRANGE key limit limit BYSCORE LIMIT index index",
    "ZRANGE key limit limit BYSCORE REV WITHSCORES",
    "ZRANGE lexical edge edge BYLEX LIMIT index index",
    "ZRANGE lexical edge edge BYLEX REV",
    "ZRANGE lexical edge edge BYLEX WITHSCORES",
    "ZRANGE key limit limit LIMIT index index",
    "ZRANGEBYSCORE key limit limit WITHSCORES LIMIT index index",
    "ZREVRANGEBYSCORE key limit limit",
    "ZRANGEBYLEX lexical edge edge LIMIT index index",
    "ZREVRANGEBYLEX lexical edge edge",
    "ZREVRANGE key index index WITHSCORES",
    "ZRANGESTORE key key index index",
    "ZRANGESTORE key key limit limit BYSCORE LIMIT index index",
    "ZREMRANGEBYRANK key index index",
    "ZREMRANGEBYSCORE key limit limit",
    "ZREMRANGEBYLEX lexical edge edge",
    "ZPOPMIN key",
    "ZPOPMAX key small",
    "ZPOPMIN key index",
    "ZMPOP 2 key key extreme COUNT small",
    "BZPOPMIN key key 0.001",
    "BZMPOP 0.001 small key key extreme",
    "ZUNION 2 key key WITHSCORES",
    "ZUNION small key key WEIGHTS score score AGGREGATE sum WITHSCORES",
    "ZINTER 2 key key AGGREGATE sum",
    "ZDIFF 2 key key WITHSCORES",
    "ZUNIONSTORE key 2 key key AGGREGATE sum",
    "ZINTERSTORE key 2 key key WEIGHTS float score",
    "ZDIFFSTORE key small key key",
    "ZINTERCARD 2 key key LIMIT index",
    "ZRANDMEMBER key 0",
    "ZRANDMEMBER key int WITHVALUES",
    "ZSCAN key 0 COUNT 1000",
    "ZSCAN key value MATCH value",
    "XADD key id member value",
    "XADD key id member value member value",
    "XADD key MAXLEN small id member value",
    "XADD key NOMKSTREAM id member value",
    "XADD key MINID id id member value",
    "XADD key id member",
    "XLEN key",
    "XRANGE key bound bound",
    "XRANGE key bound bound COUNT index",
    "XREVRANGE key bound bound",
    "XDEL key id id",
    "XTRIM key MAXLEN small",
    "XTRIM key MINID id",
    "XTRIM key MAXLEN = int LIMIT small",
    "XSETID key id",
    "XREAD COUNT small STREAMS key key id id",
    "XREAD STREAMS key key id",
    "XGROUP CREATE key group id",
    "XGROUP CREATE key group id MKSTREAM",
    "XGROUP CREATECONSUMER key group member",
    "XGROUP DELCONSUMER key group member",
    "XGROUP DESTROY key group",
    "XGROUP SETID key group id",
    "XREADGROUP GROUP group member COUNT small STREAMS key >",
    "XREADGROUP GROUP group member NOACK STREAMS key key > id",
    "XACK key group id id",
    "XPENDING key group",
    "XPENDING key group bound bound",
    "XCLAIM key group member 0 id id JUSTID",
    "XCLAIM key group member value id",
    "XAUTOCLAIM key group member 0 id COUNT index JUSTID",
    "XINFO STREAM key",
    "XINFO GROUPS key",
    "XINFO CONSUMERS key group value",
    "XINFO STREAM key FULL COUNT value",
    "GEOADD place degrees degrees member",
    "GEOADD place condition CH degrees degrees member degrees degrees member",
    "GEOPOS place member member",
    "GEODIST place member member unit",
    "GEOHASH place member",
    "GEOSEARCH place FROMMEMBER member BYRADIUS index unit ASC",
    "GEOSEARCH place FROMLONLAT degrees degrees BYBOX small index unit DESC COUNT index",
    "GEOSEARCHSTORE place place FROMMEMBER member BYRADIUS index unit STOREDIST",
    "GEORADIUS place degrees degrees int unit WITHDIST ASC COUNT index",
    "GEORADIUSBYMEMBER place member index unit STORE place",
    "SORT key",
    "SORT key ALPHA DESC",
    "SORT key ALPHA LIMIT index index",
    "SORT key ALPHA STORE key",
    "SORT_RO key ALPHA GET #",
    "SET key value",
    "SETRANGE key small value",
    "DEL key",
    "DEL key key",
    "DEL key key key",
    "TYPE key",
    "EXISTS key key",
    "RENAME key key",
    "COPY key key REPLACE",
    "OBJECT ENCODING key",
    "DUMP absent",
];

fn word_for(random: &mut Rng, word: &str) -> Vec<u8> {
    let mut one_of = |words: &[&str]| words[random.usize(..words.len())].as_bytes().to_vec();
    match word {
        "side" => return one_of(&["BEFORE", "AFTER", "before", "beside"]),
        "end" => return one_of(&["LEFT", "RIGHT", "left", "middle"]),
        "condition" => return one_of(&["NX", "XX", "GT", "LT", "nx"]),
        "extreme" => return one_of(&["MIN", "MAX", "max", "mean"]),
        "sum" => return one_of(&["SUM", "MIN", "MAX", "avg"]),
        "unit" => return one_of(&["m", "km", "ft", "mi", "yd"]),
        "group" => return one_of(&["g", "g", "h", "absent"]),
        "limit" => return one_of(&["0", "-inf", "+inf", "(1", "-5", "10", "(3.5", "2e1", "nan", "x"]),
        "edge" => return one_of(&["-", "+", "[m1", "(m12", "[m2", "[", "(", "m"]),
        "bound" => return one_of(&["-", "+", "5", "(3-1", "7-2", "20", "(-", "x-1"]),
        _ => {}
    }
    match word {
        // Scores that are no positions mean nothing, and not the same.
        "place" => format!("g{}", random.u8(..3)).into_bytes(),
        // Between members of different scores there is no order by name.
        "lexical" => format!("l{}", random.u8(..3)).into_bytes(),
        "key" => format!("k{}", random.u8(..10)).into_bytes(),
        "element" => format!("element:{}:{}", random.u32(..1500), "e".repeat(60)).into_bytes(),
        "rank" => random.i32(-300..1500).to_string().into_bytes(),
        "rank-0" => format!("{}-0", random.u32(..1500)).into_bytes(),
        "member" => format!("m{}", random.u8(..25)).into_bytes(),
        "number" => random.i32(-100..30_000).to_string().into_bytes(),
        "small" => random.i32(-1..6).to_string().into_bytes(),
        "index" if random.u8(..) < 8 => integer(random).into_bytes(),
        "index" => random.i32(-20..40).to_string().into_bytes(),
        "score" if random.u8(..) < 32 => float(random).into_bytes(),
        "score" => (f64::from(random.i32(-40..40)) / 4.0).to_string().into_bytes(),
        "id" if random.u8(..) < 8 => integer(random).into_bytes(),
        "id" => format!("{}-{}", random.u8(..40), random.u8(..4)).into_bytes(),
        "degrees" if random.u8(..) < 8 => float(random).into_bytes(),
        "degrees" => (f64::from(random.i32(-850..850)) / 10.0).to_string().into_bytes(),
        "int" => integer(random).into_bytes(),
        "float" => float(random).into_bytes(),
        "value" => value(random),
        other => other.as_bytes().to_vec(),
    }
}

fn command(random: &mut Rng) -> Words {
    command_from(random, PATTERNS)
}

/// A command after one of these patterns, now and then with a word that is wrong.
pub fn command_from(random: &mut Rng, patterns: &[&str]) -> Words {
    let pattern = patterns[random.usize(..patterns.len())];
    let mut words: Words = pattern.split(' ').map(|word| word_for(random, word)).collect();
    // With another word or one less these would draw lots, wait for long, or give a member another score than the others'.
    let is_touchy = ["SPOP", "RAND", "lexical"].iter().any(|word| pattern.contains(word)) || pattern.starts_with('B');
    match random.u8(..) {
        _ if is_touchy => {}
        0..4 => words.push(value(random)),
        4..8 if words.len() > 1 => drop(words.pop()),
        8..12 if words.len() > 2 => {
            let at = random.usize(1..words.len());
            words[at] = value(random);
        }
        _ => {}
    }
    words
}

/// Whether what a command answers has an order of its own.
pub fn is_ordered(name: &str) -> bool {
    let unordered = ["smembers", "sinter", "sunion", "sdiff", "hkeys", "hvals", "hgetall", "sscan", "hscan", "zscan"];
    !unordered.contains(&name)
}

/// Text of numbers that read as the same is the same: later versions write the shortest.
fn is_same_text(theirs: &[u8], ours: &[u8]) -> bool {
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<f64>().ok();
    theirs == ours || number(theirs).is_some_and(|theirs| Some(theirs) == number(ours))
}

pub fn is_same(theirs: &Tree, ours: &Tree, ordered: bool) -> bool {
    match (theirs, ours) {
        (Tree::Bulk(theirs), Tree::Bulk(ours)) => is_same_text(theirs, ours),
        (Tree::Array(theirs), Tree::Array(ours)) | (Tree::Set(theirs), Tree::Set(ours)) => {
            let same = |(theirs, ours): (&Tree, &Tree)| is_same(theirs, ours, ordered);
            let in_order = theirs.len() == ours.len() && theirs.iter().zip(ours).all(same);
            in_order || !ordered && sorted(theirs) == sorted(ours)
        }
        (Tree::Map(theirs), Tree::Map(ours)) => {
            let pair = |(name, value): &(Tree, Tree)| Tree::Array(vec![name.clone(), value.clone()]);
            let all = |pairs: &[(Tree, Tree)]| Tree::Array(pairs.iter().map(pair).collect());
            is_same(&all(theirs), &all(ours), ordered)
        }
        _ => theirs == ours,
    }
}

fn sorted(items: &[Tree]) -> Vec<String> {
    let shown = |item: &Tree| match item {
        Tree::Bulk(text) => match std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok()) {
            Some(number) => number.to_string(),
            None => quote(text),
        },
        other => format!("{other:?}"),
    };
    let mut items: Vec<String> = items.iter().map(shown).collect();
    items.sort_unstable();
    items
}

/// Whether a reply may differ from that of a 7.0.
fn is_excused(words: &[Vec<u8>], theirs: &Tree, ours: &Tree) -> bool {
    let name = words[0].to_ascii_lowercase();
    let subcommand = words.get(1).map(|word| word.to_ascii_lowercase()).unwrap_or_default();
    match (name.as_slice(), subcommand.as_slice(), theirs, ours) {
        // Small sets and lists are packed since 7.2.
        (b"object", b"encoding", Tree::Bulk(_), Tree::Bulk(ours)) => ours == b"listpack" || ours == b"intset",
        // There is more to tell now, some of it is of time and memory, and XAUTOCLAIM makes its consumer in any case.
        (b"xinfo", b"stream" | b"consumers" | b"groups", theirs, ours) => {
            !matches!(theirs, Tree::Error(_)) && !matches!(ours, Tree::Error(_))
        }
        // No cursor at all was the first one.
        (b"hscan" | b"sscan" | b"zscan", _, _, Tree::Error(ours)) => ours == "ERR invalid cursor",
        // Where a cursor leads is the server's own affair, and so is how many elements are a step.
        (b"hscan" | b"sscan" | b"zscan", _, Tree::Array(_), Tree::Array(_)) => {
            words.get(4).is_none_or(|n| n != b"1000")
        }
        // The names of commands are quoted since 7.2.
        (b"xread" | b"xreadgroup", _, Tree::Error(theirs), Tree::Error(ours)) => {
            theirs.starts_with("ERR Unbalanced") && ours.starts_with("ERR Unbalanced")
        }
        // It has an option since 7.2.
        (b"zrank" | b"zrevrank", _, Tree::Error(_), Tree::Error(_)) => true,
        // Redis 7 says 17 digits after the point, Redis 8 as many as tell the number from others.
        (b"geopos", _, theirs, ours) => rounded(theirs) == rounded(ours),
        // The smallest integer is no rank any more.
        (b"lpos", _, _, Tree::Error(ours)) => ours.starts_with("ERR value is out of range"),
        // A timeout that no integer holds came out as a negative one.
        (_, _, Tree::Error(theirs), Tree::Error(ours)) => {
            theirs == "ERR timeout is negative" && ours == "ERR timeout is out of range"
        }
        _ => false,
    }
}

/// The reply with its doubles as Redis 7 says them.
fn rounded(reply: &Tree) -> Tree {
    match reply {
        Tree::Double(value) => Tree::Simple(format!("{value:.17}")),
        Tree::Array(replies) => Tree::Array(replies.iter().map(rounded).collect()),
        other => other.clone(),
    }
}

#[test]
fn replies_about_collections_are_those_of_a_real_server() {
    let Some(peer) = Peer::start() else {
        println!("SKIPPED: no redis-server is installed, so nothing was compared");
        return;
    };
    for seed in seeds() {
        println!("FLAGSTONE_SEED={seed}");
        compare(&peer, seed, setting("FLAGSTONE_COMMANDS").unwrap_or(10_000));
    }
}

fn compare(peer: &Peer, seed: u64, commands: u64) {
    let server = Server::start_on_the_wall_clock();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut random = Rng::with_seed(seed);
        let mut clients = [peer.connect(protocol), server.connect(protocol)];
        for client in &mut clients {
            client.line("FLUSHALL");
        }
        let mut recent = Vec::new();
        for n in 0..commands {
            let words = command(&mut random);
            recent.push(words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "));
            let bytes = request(&words);
            let [theirs, ours] = clients.each_mut().map(|client| {
                client.write(&bytes).expect("taken");
                client.receive()
            });
            let name = String::from_utf8_lossy(&words[0]).to_ascii_lowercase();
            if !is_same(&theirs, &ours, is_ordered(&name)) && !is_excused(&words, &theirs, &ours) {
                let before = recent[recent.len().saturating_sub(80)..].join("\n  ");
                panic!(
                    "FLAGSTONE_SEED={seed} {protocol:?}, command {n}; the last of\n  {before}\nwas answered by redis-server \
                     with\n{theirs}\nand by ours with\n{ours}\n"
                );
            }
        }
    }
}
