//! What commands on collections cost inside the process: dispatch, locks, keyspace and type, without sockets.
//!
//! ```text
//! cargo bench --bench commands              CPU time per command
//! cargo bench --bench commands -- lpush     only those whose name contains it
//! cargo bench --bench commands -- holds     the longest that a shard is held while large collections go
//! ```
//!
//! Every case has a keyspace of its own and runs on one thread, whose CPU time counts. GET of an absent key stands for what
//! all commands share.

use flagstone::{
    command::{Client, Protocol, Shared, dispatch},
    config::{Config, Loaded, Policy},
    keyspace::{Keyspace, KnownHash, Options},
    resp::Encoder,
    util::clock::Clock,
};
use rustix::time::{ClockId, clock_gettime};
use std::{env, sync::Arc, time::Duration};

/// Elements of the large collections.
const LARGE: u64 = 1_000_000;
/// Commands that are timed together.
const BATCH: u64 = 250_000;
const ROUNDS: usize = 3;

/// The CPU time of this thread so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

struct Server {
    shared: Arc<Shared>,
    client: Client,
}

impl Server {
    fn new() -> Server {
        let mut options = Options::new(1, 1, 0, Policy::NoEviction);
        options.reserve = 8 << 30;
        let keyspace = Keyspace::new(&options).expect("address space");
        let config = Config::new(Loaded::default());
        let shared = Arc::new(Shared::new(config, keyspace, Encoder::boxed, Clock::manual(1_700_000_000_000)));
        let client = Client::of_log(&shared);
        Server { shared, client }
    }

    /// Nanoseconds per command.
    fn time(&mut self, count: u64, command: &dyn Fn(u64) -> String) -> f64 {
        let requests: Vec<String> = (0..count).map(command).collect();
        let requests: Vec<Vec<&[u8]>> =
            requests.iter().map(|request| request.split(' ').map(str::as_bytes).collect()).collect();
        let mut reply = Encoder::boxed(Protocol::Resp2);
        let (now, begun) = (self.shared.clock.now(), cpu());
        for (at, request) in requests.iter().enumerate() {
            dispatch::execute(&self.shared, &mut self.client, request, KnownHash::NONE, &mut *reply, now);
            if at % 16 == 15 {
                reply.take();
            }
        }
        (cpu() - begun).as_nanos() as f64 / count as f64
    }

    /// The longest step of the cron, until there is nothing to do. Between two steps it holds no lock.
    fn longest_step(&mut self) -> Duration {
        let (mut longest, mut last, mut steps) = (Duration::ZERO, cpu(), 0);
        self.shared.keyspace.cron(self.shared.clock.now(), &mut || {
            let now = cpu();
            longest = longest.max(now - last);
            steps += 1;
            last = cpu();
            steps < 1_000_000
        });
        longest
    }
}

/// The command of a number.
type Make = fn(u64) -> String;

struct Case {
    name: &'static str,
    /// Commands that fill the key before, and how many.
    fill: Option<(u64, Make)>,
    command: Make,
}

/// An odd factor permutes the residues of a power of two; here it spreads numbers.
fn spread(n: u64) -> u64 {
    n.wrapping_mul(2_654_435_761) % LARGE
}

const CASES: &[Case] = &[
    Case { name: "get of nothing", fill: None, command: |_| "GET mylist".into() },
    Case { name: "lpush", fill: None, command: |_| "LPUSH mylist xxx".into() },
    Case { name: "rpush", fill: None, command: |_| "RPUSH mylist xxx".into() },
    Case { name: "lpop", fill: Some((LARGE, |_| "RPUSH mylist xxx".into())), command: |_| "LPOP mylist".into() },
    Case { name: "rpop", fill: Some((LARGE, |_| "RPUSH mylist xxx".into())), command: |_| "RPOP mylist".into() },
    Case {
        name: "lrange of 100",
        fill: Some((LARGE, |_| "RPUSH mylist xxx".into())),
        command: |_| "LRANGE mylist 0 99".into(),
    },
    Case {
        name: "lindex",
        fill: Some((LARGE, |n| format!("RPUSH mylist element:{n:07}"))),
        command: |n| format!("LINDEX mylist {}", spread(n)),
    },
    Case { name: "sadd of one member", fill: None, command: |_| "SADD myset element:000000000000".into() },
    Case { name: "sadd", fill: None, command: |n| format!("SADD myset element:{:012}", spread(n)) },
    Case {
        name: "spop",
        fill: Some((LARGE, |n| format!("SADD myset element:{n:012}"))),
        command: |_| "SPOP myset".into(),
    },
    Case { name: "hset of one field", fill: None, command: |_| "HSET myhash element:000000000000 xxx".into() },
    Case { name: "hset", fill: None, command: |n| format!("HSET myhash element:{:012} xxx", spread(n)) },
    Case {
        name: "hget",
        fill: Some((LARGE, |n| format!("HSET myhash element:{n:012} xxx"))),
        command: |n| format!("HGET myhash element:{:012}", spread(n)),
    },
    Case { name: "zadd", fill: None, command: |n| format!("ZADD myzset {} element:{:012}", spread(n * 7), spread(n)) },
    Case {
        name: "zpopmin",
        fill: Some((LARGE, |n| format!("ZADD myzset {n} element:{n:012}"))),
        command: |_| "ZPOPMIN myzset".into(),
    },
    Case {
        name: "zrangebyscore of 10",
        fill: Some((LARGE, |n| format!("ZADD myzset {n} element:{n:012}"))),
        command: |n| format!("ZRANGEBYSCORE myzset {} +inf LIMIT 0 10", spread(n)),
    },
    Case {
        name: "zrank",
        fill: Some((LARGE, |n| format!("ZADD myzset {n} element:{n:012}"))),
        command: |n| format!("ZRANK myzset element:{:012}", spread(n)),
    },
    Case { name: "xadd", fill: None, command: |_| "XADD mystream * field value".into() },
    Case { name: "arinsert", fill: None, command: |_| "ARINSERT myarray xxx".into() },
    Case { name: "arset", fill: None, command: |n| format!("ARSET myarray {} element:{n:07}", spread(n)) },
    Case {
        name: "arget",
        fill: Some((LARGE, |n| format!("ARINSERT myarray element:{n:07}"))),
        command: |n| format!("ARGET myarray {}", spread(n)),
    },
];

/// Elements of the collections that go.
const HUGE: u64 = 5_000_000;

/// What makes a large collection at the key `k`.
const HUGE_CASES: &[(&str, Make)] = &[
    ("list", |n| format!("RPUSH k element:{n:07}")),
    ("hash", |n| format!("HSET k field:{n:07} value")),
    ("set", |n| format!("SADD k member:{n:07}")),
    ("sorted set", |n| format!("ZADD k {n} member:{n:07}")),
    ("stream", |_| "XADD k * field value".into()),
    ("array", |n| format!("ARSET k {n} element:{n:07}")),
];

/// How long a shard is held while a collection of [`HUGE`] elements goes, one way or the other.
fn holds() {
    println!("longest hold of a shard, {HUGE} elements: the command, then the steps of the cron");
    for (name, fill) in HUGE_CASES {
        for command in ["DEL k", "SET k v", "PEXPIRE k 1"] {
            let mut server = Server::new();
            for start in (0..HUGE).step_by(BATCH as usize) {
                server.time(BATCH, &|n| fill(start + n));
            }
            server.longest_step();
            let nanos = server.time(1, &|_| command.into());
            server.shared.clock.advance(10);
            println!("{name:12} {command:12} {:>8.1} us {:>8} us", nanos / 1000.0, server.longest_step().as_micros());
        }
    }
    println!("longest SET among those for which the collection is evicted, and then the steps of the cron");
    for (name, fill) in HUGE_CASES {
        let mut server = Server::new();
        for start in (0..HUGE).step_by(BATCH as usize) {
            server.time(BATCH, &|n| fill(start + n));
        }
        server.longest_step();
        let keyspace = &server.shared.keyspace;
        keyspace.set_policy(Policy::AllkeysLru);
        keyspace.set_maxmemory(keyspace.arena().resident() + (1 << 20));
        let longest =
            (0..BATCH).map(|at| server.time(1, &|_| format!("SET other:{at:012} {at:0100}"))).fold(0.0, f64::max);
        println!("{name:25} {:>8.1} us {:>8} us", longest / 1000.0, server.longest_step().as_micros());
    }
    let mut server = Server::new();
    for key in 0..1000 {
        server.time(1000, &|n| format!("HSET h{key} field:{n:07} value"));
        server.time(1, &|_| format!("PEXPIRE h{key} 1"));
    }
    server.shared.clock.advance(10);
    println!("1000 hashes of 1000 fields expire: {} us", server.longest_step().as_micros());
}

fn main() {
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if wanted == ["holds"] {
        return holds();
    }
    for case in CASES.iter().filter(|case| wanted.is_empty() || wanted.iter().any(|name| case.name.contains(name))) {
        let mut server = Server::new();
        if let Some((count, fill)) = case.fill {
            server.time(count, &fill);
        }
        let mut nanos: Vec<f64> = (0..ROUNDS).map(|_| server.time(BATCH, &case.command)).collect();
        nanos.sort_by(f64::total_cmp);
        println!("{:24} {:>7.1} ns", case.name, nanos[ROUNDS / 2]);
    }
}
