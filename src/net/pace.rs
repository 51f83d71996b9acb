//! When a thread waits a moment before it looks for news, so as to find more of it at once.
//!
//! What comes one by one costs a look for news each, often a sleep, and a waking of whoever reads the reply; what comes
//! together shares these, and its senders find their replies together. (A network card holds its interrupts back for the
//! same reason: Mogul and Ramakrishnan, "Eliminating Receive Livelock in an Interrupt-Driven Kernel", 1997.) A thread that
//! has time to spare answers at once, and the busier it is, the longer it waits; and nobody's work stands still meanwhile,
//! since most of its clients have their replies then and are busy themselves.

use std::time::Duration;

/// For fewer clients, the one who waits for its reply may be the one who has the work.
const CLIENTS_MIN: usize = 16;
/// At most this share of the clients had news at the last look: the others have replies to work on.
const SHARE: usize = 4;
/// Turns of clients after which the clients are counted, and the time is measured, anew.
const WINDOW: usize = 1024;
/// Who works for less of the time has some to spare; who works for so much of it waits for as long as may be. (More would not
/// be seen: waiting takes a part of the time.) In percent.
const SPARE: u64 = 20;
const BUSY: u64 = 50;

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
    /// For how much of the time it has worked, in percent.
    busy: u64,
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
        self.busy = worked.saturating_mul(100) / took.max(1);
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

    /// How long to wait before the next look, if at all, where `longest` is as long as may be.
    pub fn pause(&self, longest: Duration) -> Option<Duration> {
        let waits = self.latest > 1
            && self.busy >= SPARE
            && self.active >= CLIENTS_MIN
            && self.latest * SHARE <= self.active
            && !longest.is_zero();
        waits.then(|| longest * self.busy.min(BUSY) as u32 / BUSY as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves `clients` in turn for some windows, so many at a look, of which each takes 10 us of the processor's and
    /// `took` us in all; answers for how many of at most 100 us the thread waits then.
    fn serve(pace: &mut Pace, clients: usize, at_a_look: usize, took: u64) -> u64 {
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
        pace.pause(Duration::from_micros(100)).map_or(0, |pause| pause.as_micros() as u64)
    }

    #[test]
    fn a_few_of_many_clients_are_waited_with_and_nobody_else() {
        let pause = |clients, at_a_look| serve(&mut Pace::default(), clients, at_a_look, 12);
        assert_eq!([2, 3, 12].map(|found| pause(50, found)), [100; 3]);
        // One by one they come seldom; so many at once have nothing to do but wait.
        assert_eq!([1, 13, 50].map(|found| pause(50, found)), [0; 3]);
        assert_eq!([1, 2, 4].map(|found| pause(8, found)), [0; 3]);
    }

    #[test]
    fn the_busier_a_thread_is_the_longer_it_waits() {
        let mut pace = Pace::default();
        assert_eq!([10, 20, 25, 40, 51].map(|took| serve(&mut pace, 50, 2, took)), [100, 100, 80, 50, 0]);
        assert_eq!(serve(&mut pace, 50, 2, 10), 100);
        assert_eq!(serve(&mut pace, 4, 2, 10), 0, "the others have gone");
        assert_eq!(pace.pause(Duration::ZERO), None);
    }
}
