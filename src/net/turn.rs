//! One turn of a connection on its thread: what time it is, and when the turn is over.

use crate::{
    command::{Client, Shared},
    util::clock::{Moment, UnixMillis},
};

/// After so many commands, or bytes read, or so much time, the thread's other connections get their turn.
const COMMANDS_MAX: usize = 1024;
const READ_MAX: usize = 1024 * 1024;
const TIME_MAX_NANOS: u64 = 2_000_000;

/// The clock is read once per read from the socket; after that the end of one command, which is
/// measured anyway, is the time of the next.
pub struct Turn {
    began: Moment,
    /// When the latest command ended.
    latest: Moment,
    /// From here on it is over.
    over_at: Moment,
    commands: usize,
    read: usize,
    pub now: UnixMillis,
    /// Until when `now` is true.
    true_until: Moment,
}

impl Turn {
    pub fn begin(shared: &Shared, client: &mut Client) -> Self {
        let began = Moment::now();
        client.begin(began);
        let (now, stays) = shared.clock.at(began);
        let (over_at, true_until) = (began.after(TIME_MAX_NANOS), began.after(stays));
        Turn { began, latest: began, over_at, commands: 0, read: 0, now, true_until }
    }

    /// So many bytes were read: their commands begin now.
    pub fn has_read(&mut self, bytes: usize, shared: &Shared, client: &mut Client) {
        self.read += bytes;
        // What was read before the first command was there when the turn began.
        if self.commands > 0 {
            let moment = Moment::now();
            client.begin(moment);
            self.tell(moment, shared);
        }
    }

    /// A command has ended.
    pub fn advance(&mut self, shared: &Shared, client: &Client) {
        self.commands += 1;
        if let Some(moment) = client.lapped() {
            self.tell(moment, shared);
        }
    }

    fn tell(&mut self, moment: Moment, shared: &Shared) {
        self.latest = moment;
        if moment >= self.true_until {
            let (now, stays) = shared.clock.at(moment);
            (self.now, self.true_until) = (now, moment.after(stays));
        }
    }

    /// Notes for INFO how long the turn was.
    pub fn end(&self, shared: &Shared, worker: usize) {
        shared.stats.worker(worker).turns.ended(self.latest.since(self.began), self.commands as u64);
    }

    pub fn is_over(&self) -> bool {
        self.commands >= COMMANDS_MAX || self.read >= READ_MAX || self.latest >= self.over_at
    }
}
