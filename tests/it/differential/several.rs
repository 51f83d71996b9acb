//! Several connections to a real server, and the same ones to ours: each reply, each message that another's command
//! brings, and who waits for a key, must be the same.
//!
//! A step is one connection's: a few requests in a row and a PING. Then every other connection that can be answered is asked
//! for a PING, too: what comes before its reply is what the step has brought it. Who cannot be answered waits, which
//! CLIENT LIST tells; so nothing here depends on time.

use super::{
    Peer, Words,
    excuses::{comparable, diverges, is_excused},
    scenes, seeds, setting,
};
use crate::{
    client::request,
    instance::Server,
    tree::{Tree, quote},
    wire::Wire,
};
use fastrand::Rng;
use std::net::SocketAddr;

/// The connections of each side: the first two begin in RESP2, the others in RESP3.
const CLIENTS: usize = 4;

/// One connection.
struct Seat {
    wire: Wire,
    id: i64,
    /// Has a PING under way that is answered when what came before it no longer waits.
    waits: bool,
    /// A PING would be queued.
    in_transaction: bool,
}

impl Seat {
    fn connect(address: SocketAddr, number: usize) -> Seat {
        let mut wire = Wire::connect(address);
        wire.call(&["HELLO", if number < CLIENTS / 2 { "2" } else { "3" }]);
        wire.call(&["CLIENT", "SETNAME", &format!("client-{number}")]);
        let id = match wire.call(&["CLIENT", "ID"]) {
            Tree::Integer(id) => id,
            // It is not let in.
            _ => -1,
        };
        Seat { wire, id, waits: false, in_transaction: false }
    }

    /// Sends requests and a PING.
    fn send(&mut self, requests: &[Words]) {
        let mut bytes: Vec<u8> = requests.iter().flat_map(|words| request(words)).collect();
        bytes.extend(request(&["PING", MARK]));
        self.wire.write(&bytes);
    }

    /// All that comes up to the PING's reply, and what the requests bring a client when they are over.
    fn receive(&mut self, requests: usize) -> Vec<Tree> {
        let mut came = self.receive_up_to_mark(requests);
        let is_over = matches!(came.last(), Some(Tree::Closed | Tree::NoReply)) || self.in_transaction;
        if requests > 0 && !is_over {
            self.send(&[]);
            came.extend(self.receive_up_to_mark(0));
        }
        came
    }

    fn receive_up_to_mark(&mut self, requests: usize) -> Vec<Tree> {
        let mut came = Vec::new();
        loop {
            let tree = self.wire.receive();
            let answered = came.iter().filter(|tree| !matches!(tree, Tree::Push(_))).count();
            let is_refused = |text: &str| text.starts_with("NOAUTH") || text.starts_with("NOPERM");
            match &tree {
                Tree::Bulk(text) if text == MARK.as_bytes() => break self.in_transaction = false,
                Tree::Array(items) if items[..] == pong() => break self.in_transaction = false,
                Tree::Simple(text) if text == "QUEUED" && answered == requests => break self.in_transaction = true,
                Tree::Error(text) if is_refused(text) && answered == requests => break self.in_transaction = false,
                Tree::Closed | Tree::NoReply => {
                    came.push(tree);
                    break;
                }
                _ => came.push(tree),
            }
        }
        self.waits = false;
        came
    }
}

const MARK: &str = "all that came before has come";

/// The reply to the PING of a subscribed client.
fn pong() -> [Tree; 2] {
    [Tree::Bulk(b"pong".to_vec()), Tree::Bulk(MARK.into())]
}

/// One server with its connections.
struct Side {
    address: SocketAddr,
    control: Wire,
    seats: Vec<Seat>,
}

impl Side {
    fn new(address: SocketAddr) -> Side {
        let mut control = Wire::connect(address);
        for line in scenes::BEGIN {
            control.line(line);
        }
        Side { address, control, seats: (0..CLIENTS).map(|number| Seat::connect(address, number)).collect() }
    }

    /// The words with the numbers of this side's connections in them.
    fn own(&self, requests: &[Words]) -> Vec<Words> {
        let own = |word: &Vec<u8>| match word.as_slice() {
            [b'@', number @ b'0'..=b'9'] => self.seats[usize::from(number - b'0')].id.to_string().into_bytes(),
            _ => word.clone(),
        };
        requests.iter().map(|words| words.iter().map(own).collect()).collect()
    }

    /// Whether a client waits for a key, as CLIENT LIST tells.
    fn is_blocked(&mut self, number: usize) -> bool {
        let id = self.seats[number].id.to_string();
        let (Tree::Bulk(line) | Tree::Verbatim(_, line)) = self.control.call(&["CLIENT", "LIST", "ID", &id]) else {
            return false;
        };
        let line = String::from_utf8_lossy(&line).into_owned();
        line.split(' ').find_map(|field| field.strip_prefix("flags=")).is_some_and(|flags| flags.contains('b'))
    }

    /// Whether a client that has been sent a request is waiting for a key now: it is answered else, be it late.
    fn comes_to_wait(&mut self, number: usize) -> bool {
        loop {
            if self.seats[number].wire.has_input() {
                return false;
            }
            if self.is_blocked(number) {
                return true;
            }
        }
    }
}

/// A difference, told with what led to it.
struct Differs(String);

struct Stage {
    theirs: Side,
    ours: Side,
    /// The requests so far.
    past: Vec<String>,
    /// The two no longer hold the same.
    is_over: bool,
}

impl Stage {
    fn step(&mut self, number: usize, requests: &[Words]) -> Result<(), Differs> {
        let line: Vec<String> = requests.iter().map(|words| shown(words)).collect();
        self.past.push(format!("{number}> {}", line.join(" ; ")));
        for side in [&mut self.theirs, &mut self.ours] {
            let own = side.own(requests);
            side.seats[number].send(&own);
        }
        let may_wait = requests.last().is_some_and(|words| scenes::may_wait(words));
        if may_wait && self.theirs.comes_to_wait(number) {
            if !self.ours.comes_to_wait(number) {
                let came = self.ours.seats[number].receive(requests.len());
                return Err(self.differs(number, "nothing yet", &format!("{came:?}")));
            }
            for side in [&mut self.theirs, &mut self.ours] {
                side.seats[number].waits = true;
            }
        } else {
            self.compare(number, requests)?;
        }
        for other in (0..CLIENTS).filter(|other| *other != number) {
            self.listen(other)?;
        }
        Ok(())
    }

    /// What the last step has brought another client.
    fn listen(&mut self, other: usize) -> Result<(), Differs> {
        if self.theirs.seats[other].in_transaction {
            return Ok(());
        }
        if self.theirs.seats[other].waits {
            if self.theirs.is_blocked(other) {
                // One who is looked at again while he waits is not listed as waiting for that moment.
                return match (0..1000).any(|_| self.ours.is_blocked(other)) {
                    true => Ok(()),
                    false => Err(self.differs(other, "no reply: it waits", "a reply")),
                };
            }
        } else {
            for side in [&mut self.theirs, &mut self.ours] {
                side.seats[other].send(&[]);
            }
        }
        self.compare(other, &[])
    }

    fn compare(&mut self, number: usize, requests: &[Words]) -> Result<(), Differs> {
        // Who waited is answered what it asked then.
        let count = if self.theirs.seats[number].waits { 1 } else { requests.len() };
        let [theirs, ours] = [&mut self.theirs, &mut self.ours].map(|side| {
            let came = side.seats[number].receive(count);
            let ids: Vec<i64> = side.seats.iter().map(|seat| seat.id).collect();
            came.into_iter().map(|tree| comparable(requests, tree, &ids)).collect::<Vec<Tree>>()
        });
        let has_ended = |came: &[Tree]| came.contains(&Tree::Closed);
        // What a connection was sent before it was cut off may be lost on the way.
        let both_ended = has_ended(&theirs) && has_ended(&ours);
        if both_ended {
            for side in [&mut self.theirs, &mut self.ours] {
                side.seats[number] = Seat::connect(side.address, number);
            }
        }
        self.is_over |= diverges(&theirs, &ours);
        if self.is_over || theirs == ours || both_ended || is_excused(requests, &theirs, &ours) {
            return Ok(());
        }
        Err(self.differs(number, &all_shown(&theirs), &all_shown(&ours)))
    }

    fn differs(&self, number: usize, theirs: &str, ours: &str) -> Differs {
        let before = self.past[self.past.len().saturating_sub(60)..].join("\n  ");
        Differs(format!(
            "after\n  {before}\nclient {number} was answered by the peer with\n{theirs}\nby ours with\n{ours}\n"
        ))
    }
}

fn shown(words: &[Vec<u8>]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

fn all_shown(trees: &[Tree]) -> String {
    trees.iter().map(|tree| format!("{tree}")).collect::<Vec<_>>().join("\n")
}

/// One story of so many steps, from an empty server on.
fn play(theirs: SocketAddr, ours: SocketAddr, seed: u64, steps: u64) -> Result<(), Differs> {
    let mut random = Rng::with_seed(seed);
    let mut stage = Stage { theirs: Side::new(theirs), ours: Side::new(ours), past: Vec::new(), is_over: false };
    let themes = scenes::themes(&mut random);
    for _ in 0..steps {
        let awake: Vec<usize> = (0..CLIENTS).filter(|number| !stage.theirs.seats[*number].waits).collect();
        // One is left to wake the others.
        let Some(number) = awake.get(random.usize(..awake.len().max(1))).copied() else { break };
        let seat = &stage.theirs.seats[number];
        let requests = scenes::requests(&mut random, &themes, awake.len() > 1, seat.in_transaction);
        stage.step(number, &requests)?;
        if stage.is_over {
            break;
        }
    }
    Ok(())
}

/// Each step takes a score of round trips, so a daily run has few stories; `FLAGSTONE_STORIES` asks for more of each seed.
#[test]
fn clients_see_of_each_other_what_they_see_at_a_real_server() {
    let Some(peer) = Peer::start() else {
        println!("SKIPPED: no redis-server is installed, so nothing was compared");
        return;
    };
    let server = Server::start_on_the_wall_clock();
    let stories = setting("FLAGSTONE_STORIES").unwrap_or(3);
    let mut differences = Vec::new();
    for seed in seeds() {
        for story in 0..stories {
            let seed = seed * 1_000_000 + story;
            if let Err(Differs(how)) = play(peer.address, server.address(), seed, STEPS) {
                println!("story {seed}, {how}");
                differences.push(seed);
            }
        }
    }
    assert!(differences.is_empty(), "stories {differences:?} differ");
}

const STEPS: u64 = 120;
