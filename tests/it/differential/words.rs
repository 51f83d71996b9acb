//! The words of drawn requests: most fit what an argument is called, some fit nothing.

use super::grammar::Documented;
use fastrand::Rng;

/// What a command's keys hold, so that most commands find what they can work on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    String,
    Bitmap,
    HyperLogLog,
    List,
    Hash,
    Set,
    SortedSet,
    Stream,
    Geo,
    Array,
    /// It takes keys of any kind, or none.
    Other,
}

const FAMILIES: [(&str, Family, u8); 10] = [
    ("string", Family::String, b's'),
    ("bitmap", Family::Bitmap, b'b'),
    ("hyperloglog", Family::HyperLogLog, b'p'),
    ("list", Family::List, b'l'),
    ("hash", Family::Hash, b'h'),
    ("set", Family::Set, b't'),
    ("sorted_set", Family::SortedSet, b'z'),
    ("stream", Family::Stream, b'x'),
    ("geo", Family::Geo, b'g'),
    ("array", Family::Array, b'a'),
];

impl Family {
    pub fn named(group: &str) -> Family {
        let group = group.replace('-', "_");
        FAMILIES.iter().find(|(name, ..)| *name == group).map_or(Family::Other, |(_, family, _)| *family)
    }
}

/// Keys have a letter for what they hold, mostly.
pub fn key(random: &mut Rng, family: Family) -> Vec<u8> {
    let own = FAMILIES.iter().find(|(_, of, _)| *of == family).filter(|_| random.u8(..) < 220);
    let other = &FAMILIES[random.usize(..FAMILIES.len())];
    let (_, _, letter) = match (own, other) {
        (Some(own), _) => own,
        // Scores that are no positions mean nothing, and not the same: those that are have keys of their own.
        (None, (_, Family::Geo, _)) => &FAMILIES[0],
        (None, (_, Family::SortedSet, _)) if family == Family::Geo => &FAMILIES[0],
        (None, other) => other,
    };
    vec![*letter, b'0' + random.u8(..3)]
}

/// Whether this is a key, as [`key`] draws them.
pub fn is_key(word: &[u8]) -> bool {
    matches!(word, [letter, b'0'..=b'2'] if FAMILIES.iter().any(|(_, _, of)| of == letter))
}

/// Words that are at the edge of what some argument may be.
const WILD: &[&str] = &[
    "",
    "0",
    "-1",
    "4",
    "100",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "4294967296",
    "2147483648",
    "2147483647",
    "-2147483648",
    "nan",
    "inf",
    "-inf",
    "1e3",
    "1.5",
    "+7",
    " 8",
    "8 ",
    "08",
    "abc",
    "a\0b",
    "*",
    "-",
    "+",
    "(1",
    "[a",
    "0-0",
    "1-1",
    "5-*",
    "$",
    ">",
    "NX",
    "COUNT",
    "LIMIT",
    "STORE",
    "WITHSCORES",
    "k\r\n",
    "[",
    "\\",
];

pub fn wild(random: &mut Rng) -> Vec<u8> {
    one_of(random, WILD)
}

fn one_of(random: &mut Rng, words: &[&str]) -> Vec<u8> {
    words[random.usize(..words.len())].as_bytes().to_vec()
}

fn number(random: &mut Rng, from: i64, to: i64) -> Vec<u8> {
    random.i64(from..to).to_string().into_bytes()
}

/// A word for the argument of this name.
pub fn word(random: &mut Rng, of: &Documented, name: &str) -> Vec<u8> {
    // These decide how long something lasts, and both servers must agree on whether it is over.
    match (name, of.family) {
        ("milliseconds", Family::Stream) => return one_of(random, &["1", "1", "1", "-1", "abc"]),
        ("timeout", _) => return one_of(random, &["0.001", "0.001", "0.001", "-1", "abc"]),
        ("min-idle-time" | "ms", Family::Stream) => return one_of(random, &["0", "0", "-1", "x"]),
        ("seconds" | "milliseconds" | "ttl", _) => return far(random, 10_000_000),
        ("unix-time-seconds", _) => return far(random, 4_000_000_000),
        ("unix-time-milliseconds", _) => return far(random, 4_000_000_000_000),
        _ if random.u8(..) < 6 => return wild(random),
        _ => {}
    }
    match of.family {
        Family::Other => administration(random, name).unwrap_or_else(|| anything(random)),
        Family::Stream => stream(random, name).unwrap_or_else(|| data(random, name)),
        Family::Bitmap => bits(random, name).unwrap_or_else(|| data(random, name)),
        Family::SortedSet if matches!(name, "min" | "max" | "start" | "stop") => match random.u8(..3) {
            0 => double(random),
            1 => number(random, -5, 10),
            _ => one_of(random, &["-inf", "+inf", "(3", "[m1", "(m5", "[m4", "-", "+", "0", "-1"]),
        },
        _ => data(random, name),
    }
}

/// A time far away, or one that is none.
fn far(random: &mut Rng, from: i64) -> Vec<u8> {
    match random.u8(..12) {
        0 => one_of(random, &["0", "-1", "abc", "9223372036854775807", "-9223372036854775808", "", "1.5"]),
        _ => number(random, from, from + 1000),
    }
}

fn data(random: &mut Rng, name: &str) -> Vec<u8> {
    match name {
        "element" | "member" | "member1" | "member2" | "field" | "pivot" => member(random),
        "value" | "string" => value(random),
        "numkeys" | "numfields" => number(random, 1, 4),
        "pattern" => one_of(random, &["*", "m*", "m[0-3]", "?1", "[^a]*", "h*->m1", "s*", "#", "nosuch", "\\*"]),
        "cursor" => one_of(random, &["0", "0", "0", "x", "-1"]),
        "longitude" | "latitude" => format!("{:.3}", random.f64() * 170.0 - 85.0).into_bytes(),
        "increment" | "score" | "weight" | "radius" | "width" | "height" => double(random),
        "unit" => one_of(random, &["m", "km", "ft", "mi"]),
        _ => match random.u8(..10) {
            0..=6 => number(random, 0, 8),
            7 | 8 => number(random, -12, 40),
            _ => anything(random),
        },
    }
}

fn member(random: &mut Rng) -> Vec<u8> {
    match random.u8(..10) {
        0..=5 => format!("m{}", random.u8(..12)).into_bytes(),
        6..=8 => number(random, -5, 30),
        _ => vec![b'x'; [0, 1, 63, 64, 65, 70][random.usize(..6)]],
    }
}

fn value(random: &mut Rng) -> Vec<u8> {
    match random.u8(..5) {
        0 => number(random, 0, 100),
        1 => double(random),
        2 => vec![b'x'; [0, 1, 44, 45, 64, 65, 200][random.usize(..7)]],
        3 => (0..random.usize(..20)).map(|_| random.u8(..)).collect(),
        _ => member(random),
    }
}

fn double(random: &mut Rng) -> Vec<u8> {
    match random.u8(..10) {
        0..=4 => number(random, -10, 10),
        5..=7 => (f64::from(random.i32(-400..400)) / 8.0).to_string().into_bytes(),
        8 => one_of(random, &["inf", "-inf", "+inf", "1e3", "0x10", ".5", "5.", "3.0"]),
        _ => wild(random),
    }
}

fn anything(random: &mut Rng) -> Vec<u8> {
    match random.u8(..3) {
        0 => member(random),
        1 => number(random, -3, 12),
        _ => wild(random),
    }
}

fn bits(random: &mut Rng, name: &str) -> Option<Vec<u8>> {
    Some(match name {
        "offset" if random.bool() => format!("#{}", random.u8(..9)).into_bytes(),
        "offset" => number(random, 0, 100),
        "bit" => one_of(random, &["0", "1"]),
        "operation" => one_of(random, &["AND", "OR", "XOR", "NOT", "xor", "NAND"]),
        "encoding" => one_of(random, &["u8", "i5", "u63", "i64", "u64", "i0", "u1", "x8"]),
        _ => return None,
    })
}

fn stream(random: &mut Rng, name: &str) -> Option<Vec<u8>> {
    Some(match name {
        "group" | "groupname" => one_of(random, &["g1", "g1", "g1", "g2"]),
        "consumer" | "consumername" => one_of(random, &["c1", "c2"]),
        "start" | "end" => match random.u8(..4) {
            0 => one_of(random, &["-", "+"]),
            1 => [b"(".to_vec(), id(random)].concat(),
            _ => id(random),
        },
        "id" | "threshold" | "lastid" | "last-id" | "stream-id" | "max-deleted-id" | "max-deleted-entry-id" => {
            id(random)
        }
        "numids" => number(random, 1, 4),
        _ => return None,
    })
}

fn id(random: &mut Rng) -> Vec<u8> {
    match random.u8(..12) {
        0..=7 => format!("{}-{}", random.u8(..12), random.u8(..3)).into_bytes(),
        8 | 9 => number(random, 0, 12),
        _ => one_of(random, &["0-0", "$", "+", "-", ">", "(3", "3-*", "x"]),
    }
}

fn administration(random: &mut Rng, name: &str) -> Option<Vec<u8>> {
    Some(match name {
        "script" => one_of(random, SCRIPTS),
        "sha1" => one_of(random, &["e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "x", ""]),
        "function-code" => one_of(random, LIBRARIES),
        "function" => one_of(random, &["f1", "f2", "F1", "absent"]),
        "library-name" | "library-name-pattern" => one_of(random, &["one", "two", "absent"]),
        "username" => one_of(random, &["u1", "u2", "absent"]),
        "rule" => one_of(random, RULES),
        "parameter" => one_of(random, PARAMETERS),
        "numkeys" => number(random, 0, 3),
        "category" | "categoryname" => one_of(random, &["read", "string", "dangerous", "nosuch"]),
        "pattern" | "by-pattern" | "get-pattern" => {
            one_of(random, &["*", "m*", "s[0-1]", "nosuch", "[", "h0->m1", "h*->m1", "#"])
        }
        "type" => one_of(random, &["string", "list", "hash", "nosuch"]),
        "destination-db" => number(random, 0, 2),
        _ => return None,
    })
}

const SCRIPTS: &[&str] = &[
    "return 1",
    "return redis.call('get', KEYS[1])",
    "return redis.call('set', KEYS[1], ARGV[1])",
    "return {1, 2, {3, 'x'}}",
    "return {1, nil, 3}",
    "return redis.error_reply('My Err')",
    "return redis.status_reply('fine')",
    "return 3.99",
    "return false",
    "return {ok = 'x'}",
    "return {err = 'y z'}",
    "not lua at all",
    "error('boom')",
    "error({err = 'MYERR x'})",
    "return redis.pcall('nosuch')",
    "return redis.call('get')",
    "return redis.call()",
    "return redis.pcall('lpush', 's0', 'x')",
    "redis.setresp(3); return redis.call('zrange', 'z0', 0, -1)",
    "return cjson.encode({a = 1})",
    "return cjson.decode('[1, 2, {\"a\": null}]')",
    "return cmsgpack.unpack(cmsgpack.pack({1, 2, 3}))",
    "return bit.band(7, 3)",
    "return struct.pack('>I2', 258)",
    "return #KEYS .. ',' .. #ARGV",
    "x = 1",
    "return nosuch",
    "#!lua flags=no-writes\nreturn redis.call('set', 's0', '1')",
    "#!lua\nreturn 5",
    "#!lua flags=zzz\nreturn 5",
    "return redis.sha1hex('x')",
    "return redis.call('incr', 'z0')",
    "return redis.call('select', 'x')",
    "return redis.call('set', 's0', {})",
    "return string.format('%5.1f', 3.14159)",
    "return pcall(error, 'x')",
];

const LIBRARIES: &[&str] = &[
    "#!lua name=one\nredis.register_function('f1', function(keys, args) return #keys end)",
    "#!lua name=two\nredis.register_function{function_name = 'f2', flags = {'no-writes'}, callback = function(keys, args) \
     return redis.call('set', keys[1], 'x') end}",
    "#!lua name=three\nredis.register_function('f1', function() end)",
    "#!lua name=bad name\nreturn 1",
    "#!lua\nreturn 1",
    "#!lua name=none\nreturn 1",
    "#!lua name=broken\nnot lua",
    "#!lua name=calls\nredis.call('get', 'x')",
    "#!lua name=flags\nredis.register_function{function_name = 'f9', flags = {'zz'}, callback = function() end}",
    "no shebang",
];

const RULES: &[&str] = &[
    "on",
    "off",
    "nopass",
    "resetpass",
    "allkeys",
    "~a*",
    "%R~x*",
    "%W~y*",
    "%RW~z",
    "resetkeys",
    "&*",
    "&ch*",
    "resetchannels",
    "+@all",
    "-@all",
    "+get",
    "-get",
    "+@read",
    "-@write",
    "+config|get",
    "-config|set",
    "+client|id",
    "reset",
    ">pw",
    "<pw",
    "(+get ~k*)",
    "clearselectors",
    "+@nosuch",
    "+nosuch",
    "%X~a",
    "(",
    ")",
    "#zz",
    "",
    "~",
    "+",
    "+@",
    "-@all +@string",
];

/// Directives with the same value on both sides.
const PARAMETERS: &[&str] = &[
    "maxmemory",
    "maxmemory-policy",
    "hash-max-listpack-*",
    "list-max-listpack-size",
    "timeout",
    "nosuch",
    "MAXMEMORY",
];
