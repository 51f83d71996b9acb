//! A thread's connections, where the thread can reach them: so that they can go to another while this one is held up.

use super::{connection::Connection, worker::Load};
use std::{
    cell::RefCell,
    future::poll_fn,
    task::{Context, Poll},
};

/// A connection, and its place among those of its worker.
pub struct Seated {
    pub connection: Box<Connection>,
    pub load: Load,
}

#[derive(Default)]
struct Seats {
    /// One that is being polled is not there.
    all: Vec<Option<Seated>>,
    free: Vec<usize>,
}

thread_local! {
    static SEATS: RefCell<Seats> = RefCell::default();
}

/// Serves a connection until it ends, or goes to another thread.
pub async fn serve(seated: Seated) {
    let seat = Seat::take(seated);
    poll_fn(|cx| seat.poll(cx)).await;
}

/// All connections of this thread but the one that is being polled.
pub fn leave_all() -> Vec<Seated> {
    SEATS.with_borrow_mut(|seats| seats.all.iter_mut().filter_map(Option::take).collect())
}

struct Seat(usize);

impl Seat {
    fn take(seated: Seated) -> Seat {
        SEATS.with_borrow_mut(|seats| {
            let seat = seats.free.pop().unwrap_or_else(|| {
                seats.all.push(None);
                seats.all.len() - 1
            });
            seats.all[seat] = Some(seated);
            Seat(seat)
        })
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut seated) = SEATS.with_borrow_mut(|seats| seats.all[self.0].take()) else { return Poll::Ready(()) };
        let polled = seated.connection.poll_served(cx);
        if polled.is_pending() {
            SEATS.with_borrow_mut(|seats| seats.all[self.0] = Some(seated));
        }
        polled
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let left = SEATS.with_borrow_mut(|seats| {
            seats.free.push(self.0);
            seats.all[self.0].take()
        });
        drop(left);
    }
}
