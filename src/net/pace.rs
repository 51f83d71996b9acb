//! When a thread waits a moment before it looks for news, so as to find more of it at once.
//!
//! What comes one by one costs a look for news each, often a sleep, and a waking of whoever reads the reply; what comes
//! together shares these, and its senders find their replies together. (A network card holds its interrupts back for the
//! same reason: Mogul and Ramakrishnan, "Eliminating Receive Livelock in an Interrupt-Driven Kernel", 1997.) A thread that
//! has time to spare answers at once; and nobody's work stands still while it waits, since most of its clients have
//! their replies then and are busy themselves.

/// For fewer clients, the one who waits for its reply may be the one who has the work.
const CLIENTS_MIN: usize = 16;
/// At most this share of the clients had news at the last look: the others have replies to work on.
const SHARE: usize = 4;
/// Turns of clients after which the clients are counted, and the time is measured, anew.
const WINDOW: usize = 1024;
/// A thread becomes busy when it works for so many percent of the time, and is no more when it works for less than so
/// many: waiting saves up to a quarter of the work.
const BUSY_PERCENT: u64 = 50;
const IDLE_PERCENT: u64 = 35;

/// The window in which a client had its latest turn.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Seen(u32);

/// Times of a thread, in nanoseconds.
#[derive(Clone, Copy, Default, Debug)]
pub struct Times {
    /// By a steady clock.
    pub steady: u64,
    /// For which it had a processor.
    pub processor: u64,
}

/// How many clients a thread serves these days, how busy it is, and how many clients it has just served.
#[derive(Default, Debug)]
pub struct Pace {
    window: Seen,
    began: Times,
    /// Turns and clients in this window.
    turns: usize,
    clients: usize,
    /// Clients in the window before.
    active: usize,
    /// Clients that had news at the latest look.
    latest: usize,
    busy: bool,
}

impl Pace {
    /// So many clients had news. Answers whether that is all of a window: it is to be told the times, then.
    pub fn found(&mut self, count: usize) -> bool {
        self.latest = count;
        self.turns += count;
        self.turns >= WINDOW
    }

    /// The window is over.
    pub fn turn_over(&mut self, now: Times) {
        let took = now.steady.saturating_sub(self.began.steady);
        let worked = now.processor.saturating_sub(self.began.processor);
        let percent = if self.busy { IDLE_PERCENT } else { BUSY_PERCENT };
        self.busy = worked * 100 >= took * percent;
        (self.active, self.clients, self.turns, self.began) = (self.clients, 0, 0, now);
        self.window.0 = self.window.0.wrapping_add(1);
    }

    /// A client has its turn.
    pub fn serves(&mut self, client: &mut Seen) {
        if *client != self.window {
            *client = self.window;
            self.clients += 1;
        }
    }

    /// Whether to wait before the next look.
    pub fn waits(&self) -> bool {
        self.busy && self.latest > 1 && self.active >= CLIENTS_MIN && self.latest * SHARE <= self.active
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves `clients` in turn for some windows, so many at a look, of which each takes 10 us of the processor's and
    /// `took` us in all; answers whether the thread waits then.
    fn serve(pace: &mut Pace, clients: usize, at_a_look: usize, took: u64) -> bool {
        let mut seen = vec![Seen(u32::MAX); clients];
        let (mut turns, mut now) = ((0..clients).cycle(), pace.began);
        for _ in 0..3 * WINDOW {
            for client in turns.by_ref().take(at_a_look) {
                pace.serves(&mut seen[client]);
                now = Times { steady: now.steady + took * 1000, processor: now.processor + 10_000 };
            }
            if pace.found(at_a_look) {
                pace.turn_over(now);
            }
        }
        pace.waits()
    }

    #[test]
    fn a_few_of_many_clients_are_waited_with_and_nobody_else() {
        let waits = |clients, at_a_look| serve(&mut Pace::default(), clients, at_a_look, 12);
        assert_eq!([2, 3, 12].map(|found| waits(50, found)), [true; 3]);
        // One by one they come seldom; so many at once have nothing to do but wait.
        assert_eq!([1, 13, 50].map(|found| waits(50, found)), [false; 3]);
        assert_eq!([1, 2, 4].map(|found| waits(8, found)), [false; 3]);
    }

    #[test]
    fn only_a_busy_thread_waits_and_it_is_busy_until_it_has_much_less_to_do() {
        let mut pace = Pace::default();
        assert!(!serve(&mut pace, 50, 2, 22), "more than half of the time is left");
        assert!(serve(&mut pace, 50, 2, 13));
        assert!(serve(&mut pace, 50, 2, 26), "it waits for some of the time");
        assert!(!serve(&mut pace, 50, 2, 32));
        assert!(serve(&mut pace, 50, 2, 13));
        assert!(!serve(&mut pace, 4, 2, 13), "the others have gone");
    }
}
