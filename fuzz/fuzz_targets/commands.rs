//! Any sequence of commands on keys, with any words: nothing panics, memory stays bounded, and what is there afterwards can be read,
//! dumped and restored elsewhere, and its lengths are those that were counted.

#![no_main]

use arbitrary::Arbitrary;
use flagstone::{
    command::{
        Client, Protocol, Shared, dispatch,
        spec::{Flags, Spec},
        table::FAMILIES,
    },
    config::{Config, Guard, Loaded, Policy},
    keyspace::{Keyspace, Options},
    resp::Encoder,
    util::clock::Clock,
};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

#[derive(Arbitrary, Debug)]
struct Call {
    command: u16,
    words: Vec<Word>,
    wait: u8,
}

#[derive(Arbitrary, Debug)]
enum Word {
    Key(u8),
    Member(u8),
    Small(i8),
    Any(i64),
    Fraction(f32),
    Option(u8),
    Text(Vec<u8>),
    Long(u16),
}

const OPTIONS: &[&str] = &[
    "NX",
    "XX",
    "IDMP",
    "IDMPAUTO",
    "IDMP-MAXSIZE",
    "CLAIM",
    "SILENT",
    "FATAL",
    "FORCE",
    "IDS",
    "STREAMS",
    "GROUP",
    ">",
    "GT",
    "LT",
    "CH",
    "INCR",
    "EX",
    "PX",
    "KEEPTTL",
    "GET",
    "FIELDS",
    "FNX",
    "FXX",
    "LIMIT",
    "WITHSCORES",
    "BYSCORE",
    "BYLEX",
    "REV",
    "COUNT",
    "MATCH",
    "LEFT",
    "RIGHT",
    "BEFORE",
    "AFTER",
    "STORE",
    "BY",
    "ALPHA",
    "DESC",
    "WEIGHTS",
    "AGGREGATE",
    "MAX",
    "MIN",
    "SUM",
    "(1",
    "[a",
    "-",
    "+",
    "-inf",
    "+inf",
    "*",
    "#",
    "u8",
    "i63",
    "SET",
    "OVERFLOW",
    "SAT",
    "FAIL",
    "BIT",
    "FROMLONLAT",
    "BYRADIUS",
    "km",
    "WITHVALUES",
    "EXACT",
    "GLOB",
    "RE",
    "NOCASE",
    "AND",
    "OR",
    "XOR",
    "USED",
    "FULL",
    "REPLACE",
    "IDX",
    "LEN",
    "PERSIST",
    "1",
    "2",
    "0",
];

impl Word {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Word::Key(n) => format!("k{}", n % 8).into_bytes(),
            Word::Member(n) => format!("m{n}").into_bytes(),
            Word::Small(n) => n.to_string().into_bytes(),
            Word::Any(n) => n.to_string().into_bytes(),
            Word::Fraction(n) => n.to_string().into_bytes(),
            Word::Option(n) => OPTIONS[usize::from(*n) % OPTIONS.len()].as_bytes().to_vec(),
            Word::Text(text) => text.clone(),
            Word::Long(n) => vec![b'x'; usize::from(*n)],
        }
    }
}

/// What acts on keys and nothing else.
static COMMANDS: LazyLock<Vec<&'static Spec>> = LazyLock::new(|| {
    let groups = [
        "string",
        "list",
        "set",
        "sorted-set",
        "hash",
        "geo",
        "bitmap",
        "hyperloglog",
        "generic",
        "stream",
        "sorted_set",
        "array",
    ];
    let wanted = |spec: &&Spec| groups.contains(&spec.group) && !spec.flags.contains(Flags::ADMIN);
    FAMILIES.iter().flat_map(|rows| rows.iter()).filter(wanted).collect()
});

fn server() -> (Arc<Shared>, Client) {
    let mut loaded = Loaded::default();
    let settings = &mut loaded.settings;
    (settings.server_threads, settings.proto_max_bulk_len) = (1, 1 << 20);
    (settings.hash_max_listpack_entries, settings.set_max_listpack_entries, settings.zset_max_listpack_entries) =
        (4, 4, 4);
    (settings.list_max_listpack_size, settings.set_max_intset_entries) = (4, 4);
    settings.enable_debug_command = Guard::Yes;
    let mut options = Options::new(2, 1, 0, Policy::NoEviction);
    options.reserve = 64 << 20;
    let keyspace = Keyspace::new(&options).expect("address space");
    let shared = Arc::new(Shared::new(Config::new(loaded), keyspace, Encoder::boxed, Clock::manual(1_700_000_000_000)));
    let client = Client::of_log(&shared);
    (shared, client)
}

fuzz_target!(|calls: Vec<Call>| {
    let (shared, mut client) = server();
    let mut reply = Encoder::boxed(Protocol::Resp3);
    let mut call = |shared: &Arc<Shared>, client: &mut Client, words: &[&[u8]]| {
        dispatch::execute(shared, client, words, None, &mut *reply, shared.clock.now());
        reply.take()
    };
    for one in &calls {
        shared.clock.advance(i64::from(one.wait));
        let spec = COMMANDS[usize::from(one.command) % COMMANDS.len()];
        let words: Vec<Vec<u8>> = one.words.iter().take(40).map(Word::bytes).collect();
        let mut args: Vec<&[u8]> = vec![spec.name.as_bytes()];
        args.extend(words.iter().map(|word| &word[..]));
        let bytes = call(&shared, &mut client, &args);
        assert!(bytes.len() <= 64 << 20, "{} bytes of reply", bytes.len());
        shared.keyspace.settle(shared.clock.now());
    }
    // Whatever is there comes back from its own payload.
    for n in 0..8 {
        let (key, copy) = (format!("k{n}"), format!("copy{n}"));
        let payload = call(&shared, &mut client, &[b"dump", key.as_bytes()]);
        let Some(start) = payload.iter().position(|byte| *byte == b'\n').filter(|_| payload[0] == b'$') else {
            continue;
        };
        let answer =
            call(&shared, &mut client, &[b"restore", copy.as_bytes(), b"0", &payload[start + 1..payload.len() - 2]]);
        assert!(answer.starts_with(b"+OK"), "{}", String::from_utf8_lossy(&answer));
    }
    // How many keys there are of each length was counted as they changed.
    let mut locked = shared.keyspace.lock(shared.keyspace.all_shards(), shared.clock.now());
    for db in 0..shared.keyspace.databases() {
        assert_eq!(locked.key_sizes(db), locked.key_sizes_counted_anew(db), "database {db}");
    }
});
