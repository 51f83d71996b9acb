//! Words for commands: by what the command table says of their arguments, and a little beside it.

use arbitrary::{Result, Unstructured};
use flagstone::command::{
    Command,
    family::command::syntax::{self, Argument},
    spec::Flags,
    table,
};
use std::sync::LazyLock;

/// What ends the process, looks for other machines, takes long by design, or writes to this machine's disk.
const NOT_HERE: [&str; 15] = [
    "shutdown",
    "debug",
    "migrate",
    "save",
    "bgsave",
    "bgrewriteaof",
    "config|set",
    "config|rewrite",
    "acl|save",
    "acl|load",
    "sync",
    "psync",
    "failover",
    "replicaof",
    "pfselftest",
];

/// A command, and what its arguments are.
pub struct Known {
    pub command: &'static Command,
    arguments: Vec<Argument>,
}

/// All commands and subcommands but those.
static COMMANDS: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let is_here = |command: &&Command| {
        let family = command.full_name.split('|').next().unwrap_or_default();
        let names = [family, command.full_name.as_str()];
        !command.spec.flags.contains(Flags::CONTAINER) && !NOT_HERE.iter().any(|name| names.contains(name))
    };
    let known = |command| Known { command, arguments: syntax::parse(command.spec.syntax) };
    table::all().iter().filter(is_here).map(known).collect()
});

/// Numbers at which something changes.
const NUMBERS: [&str; 22] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "10",
    "100",
    "-100",
    "1000",
    "65536",
    "1048576",
    "2147483647",
    "2147483648",
    "-2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "1700000000000",
    "007",
];

const FRACTIONS: [&str; 14] =
    ["0", "1.5", "-2.25", "1e3", "inf", "-inf", "nan", "1e308", "-1e308", "5e-324", "(1", "[m1", "90.5", "-0.0"];

/// Words that mean something somewhere.
const SPECIAL: [&str; 50] = [
    "-", "+", "*", "$", ">", "~", "=", "#", "@all", "+@all", "-@all", "nopass", "on", "off", "~*", "&*", "allkeys",
    "reset", "default", "u8", "i64", "i63", "u64", "#1", "AND", "NOT", "1-1", "0-0", "1-*", "5-0", "m", "km", "yes",
    "no", "normal", "pubsub", "full", "BLOCK", "STREAMS", "COUNT", "LIMIT", "FIELDS", "KEYS", "ID", "lib", "f", "ch",
    "k*", "[a-m]*", "",
];

pub const SCRIPTS: [&str; 7] = [
    "return redis.call(unpack(ARGV))",
    "return redis.pcall(unpack(ARGV))",
    "redis.setresp(3) return redis.call(unpack(ARGV))",
    "local r = redis.pcall(unpack(ARGV)) return {r, cjson.encode({r}), cmsgpack.pack(r)}",
    "redis.call('SET', KEYS[1], 'v') return redis.call(unpack(ARGV))",
    "for n = 1, 3 do redis.pcall(unpack(ARGV)) end return redis.call('TYPE', KEYS[1])",
    "#!lua name=lib\nredis.register_function('f', function(keys, args) return redis.call(unpack(args)) end)",
];

/// Directives that may change while the server runs, and what they may be.
const SETTINGS: [(&str, &[&str]); 10] = [
    ("maxmemory-policy", &["noeviction", "allkeys-lru", "allkeys-s3fifo", "volatile-ttl", "allkeys-random"]),
    ("hash-max-listpack-entries", &["0", "4", "512"]),
    ("set-max-intset-entries", &["0", "4", "512"]),
    ("zset-max-listpack-value", &["0", "4", "64"]),
    ("list-max-listpack-size", &["-2", "1", "4"]),
    ("stream-node-max-entries", &["1", "100"]),
    ("notify-keyspace-events", &["KEA", "", "Kgx"]),
    ("slowlog-log-slower-than", &["0", "-1", "10000"]),
    ("lazyfree-lazy-user-del", &["yes", "no"]),
    ("tracking-table-max-keys", &["1", "1000000"]),
];

pub type Words = Vec<Vec<u8>>;

/// Any command with arguments.
pub fn command(u: &mut Unstructured<'_>) -> Result<Words> {
    let known = u.choose(&COMMANDS)?;
    let mut words: Words = known.command.full_name.split('|').map(|word| word.as_bytes().to_vec()).collect();
    let mut keys = 1;
    for argument in &known.arguments {
        push(u, argument, &mut keys, &mut words)?;
    }
    if u.ratio(1, 6)? {
        spoil(u, &mut words)?;
    }
    words.truncate(64);
    Ok(words)
}

pub fn setting(u: &mut Unstructured<'_>) -> Result<Words> {
    let (name, values) = u.choose(&SETTINGS)?;
    Ok(["config", "set", name, u.choose(values)?].map(|word| word.as_bytes().to_vec()).to_vec())
}

/// A script that calls any command.
pub fn script(u: &mut Unstructured<'_>) -> Result<Words> {
    let head: Words = match u.int_in_range(0..=3)? {
        0 => vec![b"fcall".to_vec(), b"f".to_vec()],
        1 => vec![b"eval_ro".to_vec(), u.choose(&SCRIPTS)?.as_bytes().to_vec()],
        _ => vec![b"eval".to_vec(), u.choose(&SCRIPTS)?.as_bytes().to_vec()],
    };
    Ok([head, vec![b"1".to_vec(), key(u)?], command(u)?].concat())
}

/// Adds what an argument may be. `keys` is how many the last number of keys has promised.
fn push(u: &mut Unstructured<'_>, argument: &Argument, keys: &mut usize, words: &mut Words) -> Result<()> {
    if argument.optional && u.ratio(1, 2)? {
        return Ok(());
    }
    let is_counted = argument.multiple && argument.kind == "key";
    let times = match (is_counted, argument.multiple) {
        (true, _) => *keys,
        (false, true) => u.int_in_range(1..=3)?,
        (false, false) => 1,
    };
    for _ in 0..times {
        if let Some(token) = &argument.token {
            words.push(token.as_bytes().to_vec());
        }
        match argument.kind {
            "pure-token" => {}
            "oneof" => {
                let chosen = u.choose(&argument.parts)?;
                push(u, chosen, keys, words)?;
            }
            "block" => {
                for part in &argument.parts {
                    push(u, part, keys, words)?;
                }
            }
            "key" => words.push(key(u)?),
            "integer" | "unix-time" => words.push(number(u)?),
            "double" => words.push(u.choose(&FRACTIONS)?.as_bytes().to_vec()),
            "pattern" => words.push(u.choose(&["*", "k*", "k[0-3]", "m?", "\\", "[", ""])?.as_bytes().to_vec()),
            _ if ["numkeys", "numfields"].contains(&argument.name.as_str()) => {
                *keys = u.int_in_range(1..=3)?;
                words.push(keys.to_string().into_bytes());
            }
            _ => words.push(word(u)?),
        }
    }
    Ok(())
}

/// Makes the words a little wrong.
fn spoil(u: &mut Unstructured<'_>, words: &mut Words) -> Result<()> {
    let at = u.int_in_range(1..=words.len())?;
    match u.int_in_range(0..=2)? {
        0 => words.insert(at, word(u)?),
        1 if at < words.len() => drop(words.remove(at)),
        _ if at < words.len() => words[at] = word(u)?,
        _ => words.push(number(u)?),
    }
    Ok(())
}

fn key(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    Ok(format!("k{}", u.int_in_range(0..=7)?).into_bytes())
}

fn number(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    Ok(match u.int_in_range(0..=3)? {
        0 => u.choose(&NUMBERS)?.as_bytes().to_vec(),
        1 => u.arbitrary::<i64>()?.to_string().into_bytes(),
        _ => u.int_in_range(-2..=20)?.to_string().into_bytes(),
    })
}

fn word(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    Ok(match u.int_in_range(0..=9)? {
        0..=3 => format!("m{}", u.int_in_range(0..=20)?).into_bytes(),
        4 => number(u)?,
        5 => u.choose(&FRACTIONS)?.as_bytes().to_vec(),
        6 => u.choose(&SPECIAL)?.as_bytes().to_vec(),
        7 => key(u)?,
        8 => {
            let len = u.int_in_range(0..=40)?.min(u.len());
            u.bytes(len)?.to_vec()
        }
        _ => vec![b'x'; usize::from(u.arbitrary::<u16>()?)],
    })
}
