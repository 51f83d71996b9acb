//! Instances of the server for the tests: without a network, and served on a free port of loopback. Their time stands
//! still until a test moves it.

use crate::{
    client::{self, Replies},
    harness::{ByName, Session, protocol_after},
    tree::Tree,
};
use flagstone::{
    command::{
        Block, Client, ClientHandle, Flow, Protocol, ReplyBuffer, Shared, dispatch, handle::State, replay::replay,
    },
    config::{Config, Guard, Loaded, Policy},
    keyspace::{Keyspace, KnownHash, Options},
    net::{self, Listener},
    resp::Encoder,
    server,
    snapshot::{self, Image},
    util::clock::{Clock, UnixMillis},
};
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The name of an instance's append-only files.
const LOG: &str = "log.aof";

/// When the time of every instance begins: a day in November 2023.
pub const START: UnixMillis = 1_700_000_000_000;

/// How the keyspaces of these instances are made: small, and without a limit.
pub fn options() -> Options {
    let mut options = Options::new(16, 2, 0, Policy::NoEviction);
    options.reserve = 1 << 32;
    options
}

/// What commands act on: a server's state around a keyspace, its files in `dir`.
fn shared(keyspace: Keyspace, clock: Clock, dir: &Path) -> Arc<Shared> {
    shared_with(Loaded::default(), keyspace, clock, dir)
}

fn shared_with(mut loaded: Loaded, keyspace: Keyspace, clock: Clock, dir: &Path) -> Arc<Shared> {
    loaded.settings.server_threads = 2;
    loaded.settings.enable_debug_command = Guard::Yes;
    loaded.settings.dir = dir.to_path_buf();
    Arc::new(Shared::new(Config::new(loaded), keyspace, Encoder::boxed, clock))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// What commands act on, without a network around it.
pub struct Instance {
    shared: Arc<Shared>,
    dir: TempDir,
}

impl Instance {
    pub fn new() -> Instance {
        Instance::with(Keyspace::new(&options()).expect("an arena can be reserved"), START)
    }

    pub fn with(keyspace: Keyspace, now: UnixMillis) -> Instance {
        let dir = folder();
        Instance { shared: shared(keyspace, Clock::manual(now), dir.path()), dir }
    }

    /// Saves, and answers a new instance that has loaded the file.
    pub fn restarted(&self) -> Instance {
        let path = self.dir.path().join("restart.flag");
        snapshot::save(&self.shared.keyspace, &path, self.now()).expect("the snapshot is written");
        let image = Image::open(&path).expect("the snapshot is whole").expect("there is a snapshot");
        Instance::with(image.into_keyspace(&options(), self.now()).expect("the snapshot fits"), self.now())
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub fn now(&self) -> UnixMillis {
        self.shared.clock.now()
    }

    /// From now on what changes is kept in an append-only file.
    pub fn keep_log(&self) {
        let log = self.shared.keyspace.log();
        log.place(self.dir.path(), LOG, 0);
        log.open(true, 0).expect("the log can be written");
    }

    /// Carries out what the log holds in a new, empty instance.
    pub fn replayed(&self) -> Instance {
        self.shared.keyspace.log().commit(false).expect("the log is written");
        let options = Options { hash_keys: self.shared.keyspace.hash_keys(), ..options() };
        let loaded = Loaded { settings: (*self.shared.config.current()).clone(), ..Loaded::default() };
        let (clock, dir) = (Clock::manual(self.now()), folder());
        let keyspace = Keyspace::new(&options).expect("an arena can be reserved");
        let shared = shared_with(loaded, keyspace, clock, dir.path());
        replay(&shared, self.dir.path(), LOG, 0).expect("the log can be carried out");
        Instance { shared, dir }
    }

    /// Carries out the log in a new instance, and compares the two key by key.
    pub fn check_log(&self) {
        let replayed = self.replayed();
        self.shared.keyspace.settle(self.now());
        replayed.shared.keyspace.settle(self.now());
        // The limits at which a value was encoded are not kept with it.
        let values = |instance: &Instance| {
            let mut contents = instance.contents();
            contents.values_mut().for_each(|shown| drop(shown.remove(0)));
            contents
        };
        assert_eq!(values(&replayed), values(self), "from the log");
        replayed.check_sizes();
    }

    /// Saves, loads in a new instance, and compares the two key by key, through the commands that show all of a key.
    pub fn check_restart(&self) {
        let before = self.contents();
        self.check_sizes();
        let restarted = self.restarted();
        restarted.check_sizes();
        assert_eq!(restarted.contents(), before, "after a restart");
    }

    /// How many keys there are of each length has been counted well.
    fn check_sizes(&self) {
        let keyspace = &self.shared.keyspace;
        let mut locked = keyspace.lock(keyspace.all_shards(), self.now());
        for db in 0..keyspace.databases() {
            assert_eq!(locked.key_sizes(db), locked.key_sizes_counted_anew(db), "lengths in database {db}");
        }
    }

    /// Of every key of every database: its whole value, its encoding, and when it expires.
    pub fn contents(&self) -> BTreeMap<(usize, Vec<u8>), Vec<Tree>> {
        let mut client = LocalClient::connect(&self.shared, Protocol::Resp2);
        let mut call = |args: &[&[u8]]| {
            client.execute(&self.shared, &args.iter().map(|arg| arg.to_vec()).collect::<Vec<_>>());
            client.next(&self.shared)
        };
        let mut contents = BTreeMap::new();
        for db in 0..self.shared.keyspace.databases() {
            assert_eq!(call(&[b"SELECT", db.to_string().as_bytes()]), Tree::Simple("OK".into()));
            let Tree::Array(keys) = call(&[b"KEYS", b"*"]) else { panic!("KEYS answers an array") };
            for key in keys {
                let Tree::Bulk(key) = key else { panic!("a key is a string") };
                let Tree::Simple(kind) = call(&[b"TYPE", &key]) else { panic!("a type has a name") };
                let mut shown = vec![call(&[b"OBJECT", b"ENCODING", &key]), call(&[b"PEXPIRETIME", &key])];
                match kind.as_str() {
                    "string" => shown.push(call(&[b"GET", &key])),
                    "list" => shown.push(call(&[b"LRANGE", &key, b"0", b"-1"])),
                    "set" => shown.push(call(&[b"SMEMBERS", &key])),
                    "zset" => shown.push(call(&[b"ZRANGE", &key, b"0", b"-1", b"WITHSCORES"])),
                    "hash" => {
                        let fields = call(&[b"HKEYS", &key]);
                        let Tree::Array(names) = &fields else { panic!("HKEYS answers an array") };
                        for name in names {
                            let Tree::Bulk(name) = name else { panic!("a field is a string") };
                            shown.push(call(&[b"HGET", &key, name]));
                            shown.push(call(&[b"HPEXPIRETIME", &key, b"FIELDS", b"1", name]));
                        }
                        shown.push(fields);
                    }
                    "stream" => shown.push(call(&[b"XINFO", b"STREAM", &key, b"FULL", b"COUNT", b"0"])),
                    // With where the next value is inserted.
                    "array" => shown.push(call(&[b"DUMP", &key])),
                    "none" => {}
                    other => panic!("a type that is not compared: {other}"),
                }
                // Damage that only this has come upon may have taken the key away.
                if call(&[b"EXISTS", &key]) == Tree::Integer(1) {
                    contents.insert((db, key), shown);
                }
            }
        }
        contents
    }
}

/// A session without a network: each command goes through `dispatch` and its reply is encoded and read back.
pub struct Local {
    shared: Arc<Shared>,
    protocol: Protocol,
    clients: ByName<LocalClient>,
}

struct LocalClient {
    client: Client,
    replies: Replies,
    closed: bool,
    /// The command that waits, and how.
    blocked: Option<(Block, Vec<Vec<u8>>)>,
}

impl Local {
    pub fn new(instance: &Instance, protocol: Protocol) -> Local {
        Local { shared: Arc::clone(&instance.shared), protocol, clients: ByName::default() }
    }
}

impl LocalClient {
    fn connect(shared: &Arc<Shared>, protocol: Protocol) -> LocalClient {
        let client = Client::new(shared, "127.0.0.1:50000".into(), "127.0.0.1:6379".into(), 0);
        let mut new = LocalClient { client, replies: Replies::new(Protocol::Resp2), closed: false, blocked: None };
        if protocol == Protocol::Resp3 {
            new.execute(shared, &[b"HELLO".to_vec(), b"3".to_vec()]);
            new.replies.next().expect("a reply").expect("all of it");
        }
        new
    }

    fn execute(&mut self, shared: &Shared, args: &[Vec<u8>]) {
        assert!(self.blocked.is_none(), "a client that waits sends no more");
        let words: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        self.answer(args, |client, reply| {
            loop {
                client.may_wait = shared.keyspace.arena().is_loading();
                match dispatch::execute(shared, client, &words, KnownHash::NONE, reply, shared.clock.now()) {
                    Flow::Absent => shared.keyspace.bring(&std::mem::take(&mut client.absent)),
                    flow => return flow,
                }
            }
        });
    }

    /// Lets a client that waits look again whether it may go on.
    fn resume(&mut self, shared: &Shared) {
        let due = |block: &Block| block.deadline.is_some_and(|deadline| shared.clock.now() >= deadline);
        match self.blocked.take_if(|(block, _)| self.client.handle.take_nudge() || due(block)) {
            Some((block, args)) if block.retry => self.execute(shared, &args),
            Some((_, args)) => {
                self.answer(&args, |client, reply| dispatch::resume(shared, client, reply, shared.clock.now()))
            }
            None => {}
        }
    }

    /// Takes what `run` replies, and what it means for the connection.
    fn answer(&mut self, args: &[Vec<u8>], run: impl FnOnce(&mut Client, &mut Encoder) -> Flow) {
        let mut reply = Encoder::new(self.client.protocol);
        match run(&mut self.client, &mut reply) {
            Flow::Continue | Flow::Absent => {}
            Flow::Close => self.closed = true,
            Flow::Block(block) => self.blocked = Some((block, args.to_vec())),
        }
        self.replies.protocol = self.client.protocol;
        self.replies.feed(&reply.take());
    }

    fn next(&mut self, shared: &Shared) -> Tree {
        self.resume(shared);
        let mut mail = Vec::new();
        self.client.handle.take_mail(|part| mail.extend_from_slice(part.bytes()));
        self.replies.feed(&mail);
        match self.replies.next().expect("replies keep to the protocol") {
            Some(tree) => tree,
            None => {
                assert!(self.closed || self.client.handle.is_killed(), "there is no reply");
                Tree::Closed
            }
        }
    }
}

impl Local {
    fn client(&mut self, name: &str) -> &mut LocalClient {
        self.clients.get(name, || LocalClient::connect(&self.shared, self.protocol))
    }
}

impl Session for Local {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn call(&mut self, name: &str, args: &[Vec<u8>]) -> Tree {
        self.send(name, args);
        self.next(name)
    }

    fn send(&mut self, name: &str, args: &[Vec<u8>]) {
        let shared = Arc::clone(&self.shared);
        let client = self.client(name);
        if !client.closed {
            client.execute(&shared, args);
        }
    }

    fn next(&mut self, name: &str) -> Tree {
        let shared = Arc::clone(&self.shared);
        self.client(name).next(&shared)
    }

    fn advance(&mut self, time: Duration) {
        self.shared.clock.advance(time.as_millis() as i64);
    }
}

/// A server inside this process, on a free port of loopback; it ends when dropped.
pub struct Server {
    server: server::Server,
    _dir: TempDir,
}

impl Server {
    pub fn start() -> Server {
        Server::with(Keyspace::new(&options()).expect("an arena can be reserved"), Clock::manual(START))
    }

    pub fn start_on_the_wall_clock() -> Server {
        Server::with(Keyspace::new(&options()).expect("an arena can be reserved"), Clock::Wall)
    }

    /// One that serves this keyspace.
    pub fn of(keyspace: Keyspace) -> Server {
        Server::with(keyspace, Clock::manual(START))
    }

    pub fn of_on_the_wall_clock(keyspace: Keyspace) -> Server {
        Server::with(keyspace, Clock::Wall)
    }

    fn with(keyspace: Keyspace, clock: Clock) -> Server {
        let listener = net::tcp("127.0.0.1", 0, 128).expect("a free port of loopback");
        let dir = folder();
        let shared = shared(keyspace, clock, dir.path());
        let server = server::Server::start(shared, vec![Listener::Tcp(listener)]).expect("threads can be started");
        Server { server, _dir: dir }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    pub fn shared(&self) -> &Arc<Shared> {
        self.server.shared()
    }

    pub fn connect(&self, protocol: Protocol) -> client::Client {
        client::Client::connect_as(self.address(), protocol)
    }
}

/// A session over TCP with a server of its own.
pub struct Served {
    // The clients go before the server they are connected to.
    clients: ByName<client::Client>,
    server: Server,
    protocol: Protocol,
}

impl Served {
    pub fn new(protocol: Protocol) -> Served {
        Served { clients: ByName::default(), server: Server::start(), protocol }
    }

    fn client(&mut self, name: &str) -> &mut client::Client {
        self.clients.get(name, || self.server.connect(self.protocol))
    }
}

/// Lets the server's threads work until something holds, which it may not, for a while.
fn until(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() && began.elapsed() < Duration::from_secs(1) {
        std::thread::yield_now();
    }
}

fn or_closed(reply: io::Result<Tree>) -> Tree {
    match reply {
        // A connection that is closed with a request unread is reset.
        Err(error) if [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset].contains(&error.kind()) => {
            Tree::Closed
        }
        other => other.expect("a reply"),
    }
}

impl Session for Served {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn call(&mut self, name: &str, args: &[Vec<u8>]) -> Tree {
        let client = self.client(name);
        client.send(args);
        let before = client.replies.protocol;
        client.replies.protocol = protocol_after(args, before);
        let reply = or_closed(client.try_receive());
        if matches!(reply, Tree::Error(_)) {
            client.replies.protocol = before;
        }
        reply
    }

    /// Answers when the server has executed the command, or has the client wait: so what the transcript says next comes
    /// after it.
    fn send(&mut self, name: &str, args: &[Vec<u8>]) {
        let peer = self.client(name).address().to_string();
        let clients = &Arc::clone(self.server.shared()).clients;
        let accepted = || clients.all().into_iter().find(|client| client.peer == peer);
        until(|| accepted().is_some());
        let Some(client) = accepted() else { return self.client(name).send(args) };
        let before = client.commands.load(Relaxed);
        self.client(name).send(args);
        until(|| client.commands.load(Relaxed) != before || client.state().contains(State::BLOCKED));
    }

    fn next(&mut self, name: &str) -> Tree {
        or_closed(self.client(name).try_receive())
    }

    fn advance(&mut self, time: Duration) {
        let shared = self.server.shared();
        shared.clock.advance(time.as_millis() as i64);
        // Their timers run by the wall.
        let waiting = |client: &Arc<ClientHandle>| client.state().contains(State::BLOCKED);
        shared.clients.all().into_iter().filter(waiting).for_each(|client| client.nudge());
    }
}
