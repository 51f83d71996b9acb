//! Commands whose scripts are run by a thread of their own.
//!
//! A script that nobody has seen run may go on for ever, and the thread of its connection has others to serve, among them
//! the one that would end it. So the first run of a script is handed over (`blocking`); one that has proved to be short
//! is run where it comes from.

use parking_lot::{Condvar, Mutex};
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

/// A script that has taken no longer is run where it comes from.
pub const SHORT: Duration = Duration::from_millis(1);

/// The tickets of those who wait for the thread.
#[derive(Default)]
pub struct Queue {
    tickets: Mutex<VecDeque<u64>>,
    changed: Condvar,
    open: AtomicBool,
}

impl Queue {
    /// There is a thread that takes from it.
    pub fn open(&self) {
        self.open.store(true, Relaxed);
    }

    /// There is none any more: it wakes up.
    pub fn close(&self) {
        let tickets = self.tickets.lock();
        self.open.store(false, Relaxed);
        self.changed.notify_all();
        drop(tickets);
    }

    pub fn is_open(&self) -> bool {
        self.open.load(Relaxed)
    }

    pub fn push(&self, ticket: u64) {
        self.tickets.lock().push_back(ticket);
        self.changed.notify_one();
    }

    /// The next ticket, which is waited for; `None` once the queue is closed.
    pub fn pop(&self) -> Option<u64> {
        let mut tickets = self.tickets.lock();
        loop {
            if !self.is_open() {
                return None;
            }
            if let Some(ticket) = tickets.pop_front() {
                return Some(ticket);
            }
            self.changed.wait(&mut tickets);
        }
    }
}
