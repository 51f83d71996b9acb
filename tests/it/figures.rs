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
    let index = memory_figure(&mut client, "overhead.db.hashtable.lut");
    assert!((16_000..60_000).contains(&index), "{index}");
    assert!(number(&mut client, "total_system_memory") > used);
}

fn memory_figure(client: &mut Client, name: &str) -> i64 {
    let Tree::Array(stats) = client.line("MEMORY STATS") else { panic!("no array") };
    let at = stats.iter().position(|word| *word == Tree::Bulk(name.into())).expect("a figure of that name");
    let Tree::Integer(figure) = stats[at + 1] else { panic!("no number") };
    figure
}

#[test]
fn interpreters_are_told_of_wherever_memory_is() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    assert_eq!(client.line("EVAL \"return 1\" 0"), Tree::Integer(1));
    let bytes = memory_figure(&mut client, "script.VMs");
    assert!(bytes > 10_000, "{bytes}");
    for name in ["used_memory_lua", "used_memory_vm_eval", "used_memory_vm_total"] {
        assert_eq!(number(&mut client, name), bytes as f64);
    }
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
fn what_is_flushed_outside_of_a_transaction_counts_as_freed_lazily() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    for (flush, freed) in [("FLUSHALL", 2.0), ("FLUSHDB", 2.0), ("FLUSHALL ASYNC", 2.0)] {
        client.line("CONFIG RESETSTAT");
        client.line("MSET a 1 b 2");
        client.line(flush);
        assert_eq!(number(&mut client, "lazyfreed_objects"), freed, "{flush}");
    }
    client.line("CONFIG RESETSTAT");
    for line in ["MULTI", "MSET a 1 b 2", "FLUSHALL", "EXEC"] {
        client.line(line);
    }
    assert_eq!(number(&mut client, "lazyfreed_objects"), 0.0);
}

#[test]
fn what_is_given_a_time_that_has_passed_counts_as_expired() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    client.line("SET there 1");
    for line in ["SET there 1 GET PXAT 1", "SET absent 1 EXAT 1", "INCREX absent EXAT 1"] {
        let before = number(&mut client, "expired_keys");
        client.line(line);
        assert_eq!(number(&mut client, "expired_keys"), before + 1.0, "{line}");
        assert_eq!(client.line("DBSIZE"), Tree::Integer(0));
    }
}

#[test]
fn slow_commands_are_counted() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    client.line("CONFIG SET slowlog-log-slower-than -1");
    client.line("CONFIG RESETSTAT");
    client.line("SET k v");
    assert_eq!(number(&mut client, "slowlog_commands_count"), 0.0);
    assert!(!field(&mut client, "cmdstat_set").contains("slowlog"));
    client.line("CONFIG SET slowlog-log-slower-than 0");
    client.line("SET k v");
    client.line("SET k v");
    client.line("CONFIG SET slowlog-log-slower-than -1");
    let set = field(&mut client, "cmdstat_set");
    assert!(set.starts_with("calls=3,") && set.contains(",slowlog_count=2,slowlog_time_ms_sum="), "{set}");
    // CONFIG SET, which has ended it, is held to what it has set.
    client.line("SLOWLOG RESET");
    assert_eq!(number(&mut client, "slowlog_commands_count"), 3.0);
    let [sum, max] = ["sum", "max"].map(|of| number(&mut client, &format!("slowlog_commands_time_ms_{of}")));
    assert!(sum >= max, "{sum} {max}");
    client.line("CONFIG RESETSTAT");
    assert_eq!(number(&mut client, "slowlog_commands_count"), 0.0);
}

#[test]
fn a_command_that_a_script_may_not_run_counts_as_rejected() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    for (script, rejected) in [("redis.call('SET', 'k', 'v')", 1), ("redis.pcall('SET', 'k')", 2)] {
        client.send(&["EVAL_RO", script, "1", "k"]);
        client.receive();
        let set = field(&mut client, "cmdstat_set");
        assert!(set.starts_with("calls=0,") && set.contains(&format!(",rejected_calls={rejected},")), "{set}");
    }
}

#[test]
fn requests_that_come_together_are_a_pipeline() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    let figures = |client: &mut Client| {
        let line = text(client.line("CLIENT INFO"));
        ["read-events=", "avg-pipeline-len-sum=", "avg-pipeline-len-cnt="].map(|name| {
            let value = line.split(name).nth(1).and_then(|rest| rest.split_whitespace().next());
            value.unwrap_or_else(|| panic!("no {name} in {line}")).parse::<u64>().unwrap()
        })
    };
    let [reads, sum, count] = figures(&mut client);
    assert_eq!(figures(&mut client), [reads + 1, sum + 1, count + 1]);
    client.write(&b"PING\r\n".repeat(5)).unwrap();
    (0..5).for_each(|_| drop(client.receive()));
    // Counted per thread, and each thread's turn after its end.
    assert!(number(&mut client, "total_client_processing_events") >= count as f64);
    let turns = number(&mut client, "eventloop_cycles_with_clients_processing");
    assert!(turns >= 1.0 && turns <= number(&mut client, "total_client_processing_events"), "{turns}");
    let [_, more, parsed] = figures(&mut client);
    assert_eq!(more, sum + 10);
    assert!((count + 6..=count + 10).contains(&parsed), "{parsed}");
    let length = number(&mut client, "avg_pipeline_length");
    assert!(length >= 1.0 && number(&mut client, "avg_pipeline_length_sum") > 7.0, "{length}");
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

/// Scripts that were only evaluated are forgotten beyond 500, the one first whose last use is longest ago.
#[test]
fn scripts_that_are_forgotten_are_counted() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    let loaded = client.line("SCRIPT LOAD 'return 0'");
    let evaluate = |client: &mut Client, n: i64| {
        assert_eq!(client.call(&["EVAL", &format!("return {n}"), "0"]), Tree::Integer(n));
    };
    (1..=500).for_each(|n| evaluate(&mut client, n));
    assert_eq!(field(&mut client, "evicted_scripts"), "0");
    // The first two are used again.
    evaluate(&mut client, 1);
    assert_eq!(client.line("EVALSHA 7f923f79fe76194c868d7e1d0820de36700eb649 0"), Tree::Integer(2));
    evaluate(&mut client, 1000);
    assert_eq!(field(&mut client, "evicted_scripts"), "1");
    assert_eq!(field(&mut client, "number_of_cached_scripts"), "501");
    assert_eq!(client.line("EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0"), Tree::Integer(1));
    assert_eq!(client.line("EVALSHA 7f923f79fe76194c868d7e1d0820de36700eb649 0"), Tree::Integer(2));
    assert!(matches!(client.line("EVALSHA 09d3822de862f46d784e6a36848b4f0736dda47a 0"), Tree::Error(_)));
    let Tree::Bulk(digest) = loaded else { panic!("{loaded}") };
    assert_eq!(client.call(&[&b"EVALSHA"[..], &digest, b"0"]), Tree::Integer(0));
    client.line("CONFIG RESETSTAT");
    assert_eq!(field(&mut client, "evicted_scripts"), "0");
}

#[test]
fn clients_are_active_for_half_a_second() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    let mut other = server.connect(Protocol::Resp2);
    other.line("PING");
    assert_eq!(field(&mut client, "active_clients"), "2");
    server.shared().clock.advance(600);
    assert_eq!(field(&mut client, "active_clients"), "1");
}

#[test]
fn the_time_of_the_peak_is_known() {
    let server = Server::start();
    let mut client = server.connect(Protocol::Resp2);
    let large = vec![b'x'; 1 << 20];
    client.call(&[&b"SET"[..], b"large", &large]);
    let at = field(&mut client, "used_memory_peak_time");
    client.line("DEL large");
    server.shared().clock.advance(5_000);
    client.call(&[&b"SET"[..], b"small", &large[..1000]]);
    assert_eq!(field(&mut client, "used_memory_peak_time"), at);
    client.call(&[&b"SET"[..], b"larger", &[&large[..], &large].concat()]);
    let later = field(&mut client, "used_memory_peak_time");
    assert!(later.parse::<i64>().unwrap() >= at.parse::<i64>().unwrap() + 5, "{at} {later}");
}
