//! What INFO, MEMORY STATS and DEBUG HTSTATS say is what is the case.

use crate::{client::Client, instance::Server, tree::Tree};
use flagstone::command::Protocol;

fn text(tree: Tree) -> String {
    match tree {
        Tree::Bulk(bytes) | Tree::Verbatim(_, bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => panic!("no text: {other}"),
    }
}

/// A field of INFO.
fn field(client: &mut Client, name: &str) -> String {
    let info = text(client.line("INFO EVERYTHING"));
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in\n{info}")).to_owned()
}

fn number(client: &mut Client, name: &str) -> f64 {
    field(client, name).trim_end_matches('%').parse().unwrap()
}

#[test]
fn memory_adds_up() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    assert_eq!(number(&mut client, "used_memory_dataset"), 0.0);
    for n in 0..2_000 {
        client.send(&["SET", &format!("key:{n}"), &"v".repeat(1_000)]);
        client.receive();
    }
    let [used, dataset, overhead, percent] =
        ["used_memory", "used_memory_dataset", "used_memory_overhead", "used_memory_dataset_perc"]
            .map(|name| number(&mut client, name));
    assert!((2_000_000.0..2_200_000.0).contains(&dataset), "{dataset} of {used}");
    assert_eq!(used, dataset + overhead);
    assert!((percent - dataset * 100.0 / used).abs() < 0.1, "{percent}");
    // 2,000 slots and what is free between them.
    let Tree::Array(stats) = client.line("MEMORY STATS") else { panic!("no array") };
    let index = stats.iter().position(|name| *name == Tree::Bulk(b"overhead.db.hashtable.lut".into())).unwrap();
    let Tree::Integer(index) = stats[index + 1] else { panic!("no number") };
    assert!((16_000..60_000).contains(&index), "{index}");
    assert!(number(&mut client, "total_system_memory") > used);
}

#[test]
fn the_mean_time_to_live_is_that_of_the_keys_that_have_one() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    for n in 0..50 {
        client.line(&format!("SET short:{n} v EX 1000"));
        client.line(&format!("SET long:{n} v EX 3000"));
        client.line(&format!("SET forever:{n} v"));
    }
    let line = field(&mut client, "db0");
    let mean: i64 = line.split("avg_ttl=").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    assert!(line.starts_with("keys=150,expires=100,"), "{line}");
    assert!((1_500_000..2_500_000).contains(&mean), "{line}");
}

#[test]
fn what_is_freed_in_steps_is_counted() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    client.line("SADD small a b c");
    let members: Vec<String> = (0..50_000).map(|n| format!("member:{n}")).collect();
    client.send(&[&["SADD".to_owned(), "large".to_owned()][..], &members].concat());
    client.receive();
    assert_eq!(client.line("UNLINK small large"), Tree::Integer(2));
    while number(&mut client, "lazyfree_pending_objects") > 0.0 {
        server.shared().keyspace.settle(server.shared().clock.now());
    }
    assert_eq!(number(&mut client, "lazyfreed_objects"), 1.0);
    client.line("CONFIG RESETSTAT");
    assert_eq!(number(&mut client, "lazyfreed_objects"), 0.0);
}

#[test]
fn the_index_is_described() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    assert!(text(client.line("DEBUG HTSTATS 3")).contains("No stats available"));
    assert_eq!(client.line("DEBUG HTSTATS 99"), Tree::Error("ERR Out of range database".into()));
    (0..1_000).for_each(|n| drop(client.line(&format!("SET key:{n} v"))));
    let stats = text(client.line("DEBUG HTSTATS 0"));
    let value = |name: &str| -> f64 {
        stats.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap().trim().parse().unwrap()
    };
    assert_eq!(value("number of elements:"), 1_000.0);
    assert!(value("table size:") >= 1_000.0 && value("bytes:") >= 8.0 * value("table size:"), "{stats}");
}

#[test]
fn the_background_work_runs_as_often_as_is_said() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    assert_eq!(field(&mut client, "hz"), "10");
    client.line("CONFIG SET hz 50");
    assert_eq!(field(&mut client, "hz"), "50");
}
