//! Instances of the server for the tests: without a network, and served on a free port of loopback. Their time stands
//! still until a test moves it.

use crate::{
    client::Replies,
    harness::{ByName, Session},
    tree::Tree,
};
use flagstone::{
    command::{Client, Flow, Protocol, Shared, dispatch},
    config::{Config, Policy},
    keyspace::{Keyspace, Options},
    resp::encode::Encoder,
    util::clock::{Clock, UnixMillis},
};
use std::{sync::Arc, time::Duration};

/// When the time of every instance begins: a day in November 2023.
const START: UnixMillis = 1_700_000_000_000;

/// What commands act on, without a network around it.
pub struct Instance {
    shared: Arc<Shared>,
}

impl Instance {
    pub fn new() -> Instance {
        let config = Config::default();
        let mut options = Options::new(config.current().databases as usize, 2, 0, Policy::NoEviction);
        options.reserve = 1 << 32;
        let keyspace = Keyspace::new(&options).expect("an arena can be reserved");
        let shared = Shared::new(config, keyspace, Encoder::boxed, Clock::manual(START));
        Instance { shared: Arc::new(shared) }
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub fn now(&self) -> UnixMillis {
        self.shared.clock.now()
    }

    /// Saves, loads in a new instance, and compares the two.
    pub fn check_restart(&self) {}
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
}

impl Local {
    pub fn new(instance: &Instance, protocol: Protocol) -> Local {
        Local { shared: Arc::clone(&instance.shared), protocol, clients: ByName::default() }
    }
}

impl LocalClient {
    fn connect(shared: &Arc<Shared>, protocol: Protocol) -> LocalClient {
        let client = Client::new(shared, "127.0.0.1:50000".into(), "127.0.0.1:6379".into(), 0);
        let mut new = LocalClient { client, replies: Replies::new(Protocol::Resp2), closed: false };
        if protocol == Protocol::Resp3 {
            new.execute(shared, &[b"HELLO".to_vec(), b"3".to_vec()]);
            new.replies.next().expect("a reply").expect("all of it");
        }
        new
    }

    fn execute(&mut self, shared: &Shared, args: &[Vec<u8>]) {
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        let mut reply = Encoder::new(self.client.protocol);
        let flow = dispatch::execute(shared, &mut self.client, &args, &mut reply, shared.clock.now());
        let mut bytes = flagstone::command::ReplyBuffer::take(&mut reply);
        self.replies.protocol = self.client.protocol;
        self.client.handle.take_mail(&mut bytes);
        self.replies.feed(&bytes);
        match flow {
            Flow::Continue => {}
            Flow::Close => self.closed = true,
            Flow::Block(_) => panic!("nothing wakes a blocked client in process: mark the transcript `~only served`"),
        }
    }

    fn next(&mut self) -> Tree {
        if self.client.handle.has_mail() {
            let mut bytes = Vec::new();
            self.client.handle.take_mail(&mut bytes);
            self.replies.feed(&bytes);
        }
        match self.replies.next().expect("replies keep to the protocol") {
            Some(tree) => tree,
            None => {
                assert!(self.closed || self.client.handle.is_killed(), "there is no reply");
                Tree::Closed
            }
        }
    }
}

impl Session for Local {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn call(&mut self, name: &str, args: &[Vec<u8>]) -> Tree {
        let client = self.clients.get(name, || LocalClient::connect(&self.shared, self.protocol));
        if !client.closed {
            client.execute(&self.shared, args);
        }
        client.next()
    }

    fn next(&mut self, name: &str) -> Tree {
        self.clients.get(name, || LocalClient::connect(&self.shared, self.protocol)).next()
    }

    fn advance(&mut self, time: Duration) {
        self.shared.clock.advance(time.as_millis() as i64);
    }
}
