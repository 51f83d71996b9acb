//! What other threads leave for a thread that serves connections: calls of those that have seats, and new ones.

use super::watch::Alarm;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Wake,
};

/// Of one thread.
pub struct Desk<T> {
    left: Mutex<Left<T>>,
    alarm: Alarm,
}

struct Left<T> {
    calls: Vec<usize>,
    handed: Vec<T>,
    /// The thread is to end.
    closed: bool,
    /// The thread waits for news of sockets and would not see what is left here.
    asleep: bool,
}

impl<T> Desk<T> {
    pub fn new(alarm: Alarm) -> Self {
        let left = Left { calls: Vec::new(), handed: Vec::new(), closed: false, asleep: false };
        Desk { left: Mutex::new(left), alarm }
    }

    /// Hands something to the thread; answers it when the thread ends.
    pub fn hand(&self, thing: T) -> Result<(), T> {
        self.leave(|left| {
            if left.closed {
                return Err(thing);
            }
            left.handed.push(thing);
            Ok(())
        })
    }

    /// Takes back what the thread has not taken.
    pub fn take_back(&self) -> Vec<T> {
        std::mem::take(&mut self.left.lock().handed)
    }

    /// The thread is to end.
    pub fn close(&self) {
        self.leave(|left| left.closed = true);
    }

    /// The thread may sleep; not, when something has been left.
    pub fn sleeps(&self) -> bool {
        let mut left = self.left.lock();
        left.asleep = left.calls.is_empty() && left.handed.is_empty() && !left.closed;
        left.asleep
    }

    /// The thread takes what has been left. False when it is to end.
    pub fn take(&self, calls: &mut Vec<usize>, handed: &mut Vec<T>) -> bool {
        let mut left = self.left.lock();
        left.asleep = false;
        calls.append(&mut left.calls);
        handed.append(&mut left.handed);
        !left.closed
    }

    fn leave<R>(&self, work: impl FnOnce(&mut Left<T>) -> R) -> R {
        let (result, asleep) = {
            let mut left = self.left.lock();
            (work(&mut left), std::mem::take(&mut left.asleep))
        };
        if asleep {
            self.alarm.ring();
        }
        result
    }
}

/// Calls the connection on a seat, from any thread.
pub struct Bell<T> {
    seat: usize,
    desk: Arc<Desk<T>>,
    rung: AtomicBool,
}

impl<T> Bell<T> {
    pub fn new(seat: usize, desk: &Arc<Desk<T>>) -> Arc<Self> {
        Arc::new(Bell { seat, desk: Arc::clone(desk), rung: AtomicBool::new(false) })
    }

    /// The call has been heard: what comes after it is another.
    pub fn hush(&self) {
        self.rung.store(false, Ordering::Release);
    }
}

impl<T: Send + 'static> Wake for Bell<T> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.desk.leave(|left| left.calls.push(self.seat));
        }
    }
}
