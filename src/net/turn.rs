//! One turn of a connection on its thread: what time it is, and when the turn is over.

use crate::{
    command::{Client, Shared},
    util::clock::UnixMillis,
};
use std::time::{Duration, Instant};

/// After so many commands, or so much time, the thread's other connections get their turn.
const COMMANDS_MAX: usize = 1024;
const TIME_MAX: Duration = Duration::from_millis(2);

/// The wall is looked at once per read; after that the end of one command, which is measured
/// anyway, is the time of the next.
pub struct Turn {
    began: Instant,
    commands: usize,
    /// When the wall was looked at, by the steady clock, and what it showed.
    base: Instant,
    wall: UnixMillis,
    latest: Instant,
    pub now: UnixMillis,
}

impl Turn {
    pub fn begin(shared: &Shared, client: &mut Client) -> Self {
        let (base, wall) = (Instant::now(), shared.clock.now());
        client.begin(base);
        Turn { began: base, commands: 0, base, wall, latest: base, now: wall }
    }

    /// Something was read: its commands begin now.
    pub fn look_at_clock(&mut self, shared: &Shared, client: &mut Client) {
        let Turn { began, commands, .. } = *self;
        *self = Turn { began, commands, ..Turn::begin(shared, client) };
    }

    /// A command has ended.
    pub fn advance(&mut self, shared: &Shared, client: &Client) {
        self.commands += 1;
        self.latest = client.lapped().unwrap_or(self.latest);
        self.now = shared.clock.after(self.wall, self.latest.duration_since(self.base));
    }

    /// Notes for INFO how long the turn was.
    pub fn end(&self, shared: &Shared, worker: usize) {
        let nanos = u64::try_from(self.latest.duration_since(self.began).as_nanos()).unwrap_or(u64::MAX);
        shared.stats.worker(worker).turns.ended(nanos, self.commands as u64);
    }

    pub fn is_over(&self) -> bool {
        self.commands >= COMMANDS_MAX || self.latest.duration_since(self.began) >= TIME_MAX
    }
}
