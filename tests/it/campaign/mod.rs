//! Campaigns: what must hold whatever fails, tried many times. What is there afterwards is what was acknowledged, and at
//! most what was under way besides; or there is an error that says what is wrong. Never a panic, never a wrong value.
//!
//! `cargo test` runs each as often as is enough to notice that something broke. `CAMPAIGN_TIMES=50` runs all of them
//! fifty times as long, `CAMPAIGN_SEED_FROM=1000` from another seed on. A failure names its seed.

mod adversary;
mod bank;
mod damage;
mod faults;
mod kill;
mod life;
mod memory;
mod power;

use crate::{
    harness::Session,
    instance::{Instance, Local},
    tree::split_words,
};
use flagstone::command::Protocol;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

/// The seeds of a campaign that takes `count` of them in an ordinary run.
fn seeds(count: u64) -> std::ops::Range<u64> {
    let from = number("CAMPAIGN_SEED_FROM").unwrap_or(0);
    from..from + count * number("CAMPAIGN_TIMES").unwrap_or(1)
}

/// Keys of every type, packed and as trees, in several databases.
fn fill(instance: &Instance) {
    let mut client = Local::new(instance, Protocol::Resp2);
    let mut say = |line: &str| {
        client.call("", &split_words(line));
    };
    let numbers = |from: usize, count: usize| (from..from + count).map(|n| format!(" {n}")).collect::<String>();
    for db in [0, 3] {
        say(&format!("SELECT {db}"));
        for n in 0..if db == 0 { 40 } else { 8 } {
            say(&format!("SET string:{n} {}", "x".repeat(n * n % 700)));
            say(&format!("SET short:{n} {n} PX {}", 100_000 + n));
        }
        say(&format!("SET large {}", "large".repeat(20_000)));
        for (name, count) in [("small", 5), ("large", 200)].into_iter().take(if db == 0 { 2 } else { 1 }) {
            say(&format!("RPUSH {name}:list{}", numbers(1_000_000, count)));
            say(&format!("SADD {name}:set {}{}", "not-a-number", numbers(0, count)));
            let pairs = (0..count).map(|n| format!(" {n} member:{n}")).collect::<String>();
            say(&format!("ZADD {name}:zset{pairs}"));
            say(&format!("HSET {name}:hash{pairs}"));
            say(&format!("HPEXPIRE {name}:hash 200000 FIELDS 1 1"));
            for n in 0..count {
                say(&format!("XADD {name}:stream {}-1 field {n}", n + 1));
            }
            say(&format!("XGROUP CREATE {name}:stream group 0"));
            say(&format!("XREADGROUP GROUP group reader COUNT 150 STREAMS {name}:stream >"));
        }
    }
}
