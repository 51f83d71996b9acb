//! Commands at one depth: on small collections as `redis-benchmark` has them, on one of a million elements at random places,
//! and scripts.

use crate::{
    OURS, Peer,
    running::{Cost, Running, median},
};

const DEPTH: u32 = 16;
const OPERATIONS: u32 = 1_000_000;
/// Three quarters of a million different elements.
const FILL: u32 = 1_500_000;

pub struct Case {
    name: &'static str,
    /// What fills the key before, and how many operations of it.
    fill: Option<(&'static [&'static str], u32)>,
    command: &'static [&'static str],
    operations: u32,
}

const fn case(name: &'static str, command: &'static [&'static str]) -> Case {
    Case { name, fill: None, command, operations: OPERATIONS }
}

/// Cases in this order, on keys that the ones before have filled.
pub struct Table {
    title: &'static str,
    cases: &'static [Case],
    /// Whether keys and elements are drawn at random.
    random: bool,
}

pub const COLLECTIONS: &[Table] = &[
    Table { title: "small collections", cases: SMALL, random: false },
    Table { title: "collections of a million elements", cases: LARGE, random: true },
];

pub const SCRIPTS: &[Table] = &[Table { title: "scripts", cases: LIMITER, random: true }];

const SMALL: &[Case] = &[
    case("LPUSH", &["-t", "lpush"]),
    case("LPOP", &["-t", "lpop"]),
    case("RPUSH", &["-t", "rpush"]),
    case("RPOP", &["-t", "rpop"]),
    case("SADD", &["-t", "sadd"]),
    case("SPOP", &["-t", "spop"]),
    case("HSET", &["-t", "hset"]),
    case("HGET", &["hget", "myhash", "element:__rand_int__"]),
    case("ZADD", &["-t", "zadd"]),
    case("ZRANGEBYSCORE", &["zrangebyscore", "myzset", "0", "9"]),
    case("ZPOPMIN", &["-t", "zpopmin"]),
    Case { operations: OPERATIONS / 4, ..case("LRANGE_100", &["-t", "lrange_100"]) },
    case("XADD", &["xadd", "mystream", "*", "myfield", "value"]),
];

const LARGE: &[Case] = &[
    Case {
        fill: Some((&["hset", "h", "element:__rand_int__", "value"], FILL)),
        ..case("HGET", &["hget", "h", "element:__rand_int__"])
    },
    case("HSET", &["hset", "h", "element:__rand_int__", "value"]),
    Case {
        fill: Some((&["sadd", "s", "element:__rand_int__"], FILL)),
        ..case("SISMEMBER", &["sismember", "s", "element:__rand_int__"])
    },
    case("SADD", &["sadd", "s", "element:__rand_int__"]),
    Case { operations: OPERATIONS / 2, ..case("SPOP", &["spop", "s"]) },
    Case {
        fill: Some((&["zadd", "z", "__rand_int__", "element:__rand_int__"], FILL)),
        ..case("ZSCORE", &["zscore", "z", "element:__rand_int__"])
    },
    case("ZADD", &["zadd", "z", "__rand_int__", "element:__rand_int__"]),
    case("ZRANK", &["zrank", "z", "element:__rand_int__"]),
    case("ZRANGEBYSCORE 10", &["zrangebyscore", "z", "__rand_int__", "+inf", "limit", "0", "10"]),
    Case { operations: OPERATIONS / 2, ..case("ZPOPMIN", &["zpopmin", "z"]) },
    Case {
        fill: Some((&["rpush", "l", "element:__rand_int__"], OPERATIONS)),
        operations: OPERATIONS / 4,
        ..case("LINDEX (middle)", &["lindex", "l", "500000"])
    },
    case("LPUSH", &["lpush", "l", "element:__rand_int__"]),
    case("RPOP", &["rpop", "l"]),
];

/// So many calls in a time, for each of a million users.
const LIMITER: &[Case] = &[Case {
    fill: Some((
        &[
            "script",
            "load",
            "local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end \
             return n <= tonumber(ARGV[2]) and 1 or 0",
        ],
        1,
    )),
    operations: OPERATIONS / 4,
    ..case(
        "EVALSHA limiter",
        &["evalsha", "d44204219b72b4f0624df1859a0509113544f432", "1", "user:__rand_int__", "60000", "10"],
    )
}];

/// Measures all cases on each server and shows the medians.
pub fn compare(peers: &[Peer], rounds: usize, tables: &[Table]) {
    let mut costs = vec![Vec::<Vec<Cost>>::new(); peers.len()];
    for round in 1..=rounds {
        for (peer, costs) in peers.iter().zip(&mut costs) {
            eprintln!("commands, round {round} of {rounds}: {}", peer.name);
            let server = Running::start(peer);
            let cases = tables.iter().flat_map(|table| table.cases.iter().map(|case| (case, table.random)));
            let measured: Vec<Cost> = cases.map(|(case, random)| measure(&server, case, random)).collect();
            costs.resize(measured.len(), Vec::new());
            costs.iter_mut().zip(measured).for_each(|(all, cost)| all.push(cost));
        }
    }
    let mut number = 0;
    for Table { title, cases, .. } in tables {
        println!("\nserver CPU per operation at depth {DEPTH}, {title}, us, medians (ours/theirs)\n");
        for case in *cases {
            print!("{:18}", case.name);
            let totals: Vec<f64> = costs.iter().map(|costs| median(&costs[number], |cost| cost.total)).collect();
            for (peer, total) in peers.iter().zip(&totals) {
                match peer.name == OURS {
                    true => print!("{OURS} {total:.2}"),
                    false => print!("   {} {total:.2} ({:.2}x)", peer.name, totals[0] / total),
                }
            }
            println!();
            number += 1;
        }
    }
}

fn measure(server: &Running, case: &Case, random: bool) -> Cost {
    if let Some((fill, operations)) = case.fill {
        server.load(fill, 64, operations);
    }
    server.cost(case.operations, || match random {
        true => server.load(case.command, DEPTH, case.operations),
        false => server.load_plain(case.command, DEPTH, case.operations),
    })
}
