//! Any sequence of commands from the whole table, in transactions and scripts too, by clients that wait and go: nothing
//! panics, memory stays within its bound, the keyspace is in order afterwards, and what is there comes back from its own
//! payload.

#![no_main]

#[path = "commands/words.rs"]
mod words;

use arbitrary::{Result, Unstructured};
use flagstone::{
    command::{Block, Client, Flow, Protocol, ReplyBuffer, Shared, dispatch},
    config::{Config, Loaded, Policy},
    keyspace::{Keyspace, KnownHash, Options},
    resp::Encoder,
    util::clock::Clock,
};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use words::Words;

const MAXMEMORY: u64 = 4 << 20;
/// What a command may bring beyond the bound that is looked at before it: a string of the longest.
const LONGEST: u64 = 1 << 20;
/// No reply is longer: eight keys of the longest strings, several times over.
const REPLY_MAX: usize = 64 << 20;
const WAITING_MAX: usize = 4;

struct Server {
    shared: Arc<Shared>,
    reply: Box<dyn ReplyBuffer>,
    client: Client,
    /// Clients that wait for a key.
    waiting: Vec<Client>,
}

impl Server {
    fn new(policy: Policy) -> Server {
        let mut loaded = Loaded::default();
        let settings = &mut loaded.settings;
        (settings.server_threads, settings.proto_max_bulk_len) = (1, LONGEST);
        (settings.hash_max_listpack_entries, settings.set_max_listpack_entries) = (4, 4);
        (settings.zset_max_listpack_entries, settings.list_max_listpack_size) = (4, 4);
        (settings.set_max_intset_entries, settings.maxmemory, settings.maxmemory_policy) = (4, MAXMEMORY, policy);
        // Functions are kept in memory alone.
        settings.save.clear();
        let mut options = Options::new(2, 1, MAXMEMORY, policy);
        (options.shards, options.reserve, options.hash_keys) = (2, 256 << 20, [1, 2, 3, 4]);
        let keyspace = Keyspace::new(&options).expect("address space");
        let clock = Clock::manual(1_700_000_000_000);
        let shared = Arc::new(Shared::new(Config::new(loaded), keyspace, Encoder::boxed, clock));
        let client = connect(&shared);
        Server { client, shared, reply: Encoder::boxed(Protocol::Resp3), waiting: Vec::new() }
    }

    fn call(&mut self, words: &Words) {
        let args: Vec<&[u8]> = words.iter().map(|word| &word[..]).collect();
        let now = self.shared.clock.now();
        let flow = dispatch::execute(&self.shared, &mut self.client, &args, KnownHash::NONE, &mut *self.reply, now);
        let bytes = self.reply.take().len();
        assert!(bytes <= REPLY_MAX, "{bytes} bytes of reply");
        match flow {
            Flow::Continue if !self.client.handle.is_killed() => {}
            Flow::Block(Block { retry: false, .. }) => {
                let waits = std::mem::replace(&mut self.client, connect(&self.shared));
                self.waiting.push(waits);
                if self.waiting.len() > WAITING_MAX {
                    self.waiting.remove(0);
                }
            }
            // CLIENT PAUSE holds all that follows.
            Flow::Block(_) => self.shared.unpause(),
            _ => self.client = connect(&self.shared),
        }
    }

    /// What happens beside commands.
    fn pass_time(&mut self, ms: i64) {
        self.shared.clock.advance(ms);
        let now = self.shared.clock.now();
        self.shared.keyspace.settle(now);
        for mut client in std::mem::take(&mut self.waiting) {
            if !client.handle.take_nudge() {
                self.waiting.push(client);
            } else if let Flow::Block(_) = dispatch::resume(&self.shared, &mut client, &mut *self.reply, now) {
                self.waiting.push(client);
            }
        }
        self.reply.take();
    }

    /// Whatever is there comes back from its own payload.
    fn dump_and_restore(&mut self) {
        let (shared, now) = (Arc::clone(&self.shared), self.shared.clock.now());
        shared.unpause();
        let mut client = Client::of_log(&shared);
        self.reply.set_protocol(Protocol::Resp3);
        let mut call = |args: &[&[u8]]| {
            dispatch::execute(&shared, &mut client, args, KnownHash::NONE, &mut *self.reply, now);
            self.reply.take()
        };
        for n in 0..8 {
            let (key, copy) = (format!("k{n}"), format!("copy{n}"));
            let payload = call(&[b"dump", key.as_bytes()]);
            let Some(start) = payload.iter().position(|byte| *byte == b'\n').filter(|_| payload[0] == b'$') else {
                continue;
            };
            let answer = call(&[b"restore", copy.as_bytes(), b"0", &payload[start + 1..payload.len() - 2]]);
            // There may be no room for it.
            assert!(!answer.starts_with(b"-ERR"), "{key}: {}", answer.escape_ascii());
        }
        call(&[b"function", b"flush"]);
        call(&[b"script", b"flush"]);
        // The thread's interpreter forgets what this server knew.
        call(&[b"eval", b"return 1", b"0"]);
    }
}

fn connect(shared: &Arc<Shared>) -> Client {
    Client::new(shared, "127.0.0.1:50000".into(), "127.0.0.1:6379".into(), 0)
}

fn text(line: &str) -> Words {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

fn run(server: &mut Server, u: &mut Unstructured<'_>) -> Result<()> {
    while !u.is_empty() {
        match u.int_in_range(0..=15)? {
            0 => {
                server.call(&text("multi"));
                for _ in 0..u.int_in_range(0..=4)? {
                    server.call(&words::command(u)?);
                }
                server.call(&text("exec"));
            }
            1 | 2 => server.call(&words::script(u)?),
            3 => server.call(&words::setting(u)?),
            4 => server.client = connect(&server.shared),
            _ => server.call(&words::command(u)?),
        }
        server.pass_time(i64::from(u.arbitrary::<u8>().unwrap_or(0)));
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    fastrand::seed(1);
    let policies = [Policy::NoEviction, Policy::AllkeysLru, Policy::AllkeysS3Fifo, Policy::VolatileTtl];
    let (first, rest) = data.split_first().unwrap_or((&0, &[]));
    let mut server = Server::new(policies[usize::from(*first) % policies.len()]);
    let _ = run(&mut server, &mut Unstructured::new(rest));
    let used = server.shared.keyspace.used_memory();
    assert!(used <= MAXMEMORY + 2 * LONGEST, "{used} bytes are used");
    assert_eq!(server.shared.keyspace.check(), Ok(()));
    server.dump_and_restore();
    server.waiting.clear();
    assert_eq!(server.shared.keyspace.check(), Ok(()));
});
