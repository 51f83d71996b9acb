//! Transfers between accounts in all shards, by many clients at once: every snapshot that is taken meanwhile balances.

use super::seeds;
use crate::{
    harness::Session,
    instance::{Instance, Local, options},
    tree::{Tree, split_words},
};
use flagstone::{
    command::Protocol,
    snapshot::{self, Image},
};
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
};

const ACCOUNTS: usize = 200;
const EACH: i64 = 1_000;

fn sum(instance: &Instance) -> i64 {
    let mut client = Local::new(instance, Protocol::Resp2);
    let accounts = (0..ACCOUNTS).map(|n| format!(" account:{n}")).collect::<String>();
    let Tree::Array(balances) = client.call("", &split_words(&format!("MGET{accounts}"))) else { panic!("an array") };
    let balance = |tree: &Tree| match tree {
        Tree::Bulk(text) => String::from_utf8_lossy(text).parse::<i64>().expect("a balance"),
        other => panic!("{other:?}"),
    };
    balances.iter().map(balance).sum()
}

#[test]
fn every_snapshot_balances() {
    let instance = Instance::new();
    let mut client = Local::new(&instance, Protocol::Resp2);
    for n in 0..ACCOUNTS {
        client.call("", &split_words(&format!("SET account:{n} {EACH}")));
        // So that accounts do not all lie in a few blocks.
        client.call("", &split_words(&format!("SET between:{n} {}", "x".repeat(900))));
    }
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("bank.flag");
    let (stop, transfers) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for teller in 0..3 {
            let (instance, stop, transfers) = (&instance, &stop, &transfers);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(teller);
                let mut client = Local::new(instance, Protocol::Resp2);
                while !stop.load(Relaxed) {
                    let (from, amount) = (random.usize(0..ACCOUNTS), random.i64(1..50));
                    client.call("", &split_words("MULTI"));
                    // From one to several others.
                    let to = random.usize(1..4);
                    client.call("", &split_words(&format!("DECRBY account:{from} {}", amount * to as i64)));
                    for n in 0..to {
                        let to = (from + 1 + n * 7) % ACCOUNTS;
                        client.call("", &split_words(&format!("INCRBY account:{to} {amount}")));
                    }
                    client.call("", &split_words("EXEC"));
                    // What moves chunks and pages about at the same time.
                    let filler = random.usize(0..ACCOUNTS);
                    let len = random.usize(0..3000);
                    client.call("", &split_words(&format!("SET between:{filler} {}", "y".repeat(len))));
                    transfers.fetch_add(1, Relaxed);
                }
            });
        }
        for seed in seeds(100) {
            snapshot::save(&instance.shared().keyspace, &path, instance.now()).expect("written");
            let image = Image::open(&path).expect("whole").expect("a file");
            let loaded = Instance::with(image.into_keyspace(&options(), instance.now()).expect("fits"), instance.now());
            let found = sum(&loaded);
            if found != EACH * ACCOUNTS as i64 {
                stop.store(true, Relaxed);
                panic!("snapshot {seed}: {found}");
            }
        }
        stop.store(true, Relaxed);
    });
    println!("{} transfers", transfers.load(Relaxed));
    assert_eq!(sum(&instance), EACH * ACCOUNTS as i64);
    assert!(transfers.load(Relaxed) > 100);
}
