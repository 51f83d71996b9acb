//! A thread's connections: who has news or is called is served, in rounds.
//!
//! They lie where the thread can reach them in the middle of a command, so that they can go to another thread while a
//! script holds this one up.

use super::{
    connection::{Connection, Served},
    watch::Watch,
    worker::Load,
};
use parking_lot::Mutex;
use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};
use tokio::task::{coop::unconstrained, yield_now};

/// Rounds between two looks for news: in the first, those who have some read, in the second they run what they have read
/// or write what they have run.
const ROUNDS: usize = 2;
/// The runtime, its timers and its other tasks have their turn after so many polls.
const POLLS_MAX: usize = 256;

/// A connection, and its place among those of its worker.
pub struct Seated {
    pub connection: Box<Connection>,
    pub load: Load,
}

struct Seat {
    /// One that is being polled is not there.
    seated: Option<Seated>,
    /// It has its turn in this round or the next.
    queued: bool,
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Option<Waker>,
}

struct Seats {
    watch: Watch,
    all: Vec<Seat>,
    free: Vec<usize>,
    calls: Arc<Mutex<Calls>>,
}

/// Who is to be polled though there is no news of his socket.
#[derive(Default)]
struct Calls {
    seats: Vec<usize>,
    /// Of the thread, when it sleeps.
    sleeper: Option<Waker>,
}

/// Calls the connection on a seat, from any thread.
struct Bell {
    seat: usize,
    rung: AtomicBool,
    calls: Arc<Mutex<Calls>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        let sleeper = {
            let mut calls = self.calls.lock();
            calls.seats.push(self.seat);
            calls.sleeper.take()
        };
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }
}

thread_local! {
    static SEATS: RefCell<Option<Seats>> = const { RefCell::new(None) };
}

/// Gives this thread, which is in a runtime, seats for connections.
pub fn open() -> io::Result<()> {
    let seats = Seats { watch: Watch::new()?, all: Vec::new(), free: Vec::new(), calls: Arc::default() };
    SEATS.set(Some(seats));
    Ok(())
}

/// Ends all connections.
pub fn close() {
    drop(leave_all());
    SEATS.set(None);
}

/// Has a connection served on this thread until it ends, or goes to another.
pub fn take(seated: Seated) -> io::Result<()> {
    with(|seats| seats.take(seated)).unwrap_or_else(|| Err(io::ErrorKind::NotConnected.into()))
}

/// All connections of this thread but the one that is being polled.
pub fn leave_all() -> Vec<Seated> {
    with(|seats| (0..seats.all.len()).filter_map(|number| seats.leave(number)).collect()).unwrap_or_default()
}

/// Serves the connections of this thread.
pub async fn serve() {
    unconstrained(async {
        let (mut now, mut again, mut polls) = (Vec::new(), Vec::new(), 0);
        loop {
            with(|seats| seats.gather(&mut now));
            if now.is_empty() {
                poll_fn(|cx| with(|seats| seats.sleep(cx)).unwrap_or(Poll::Ready(()))).await;
                polls = 0;
                continue;
            }
            for _ in 0..ROUNDS {
                polls += now.len();
                again.extend(now.drain(..).filter(|number| serve_one(*number)));
                std::mem::swap(&mut now, &mut again);
            }
            if polls >= POLLS_MAX {
                polls = 0;
                yield_now().await;
            }
        }
    })
    .await;
}

/// Whether it is to be served in the next round, too.
fn serve_one(number: usize) -> bool {
    let Some((mut seated, waker)) = with(|seats| seats.begin(number)).flatten() else { return false };
    let connection = AssertUnwindSafe(&mut seated.connection);
    // A defect that shows in a command ends the connection that sent it; the others of the thread go on.
    let served = catch_unwind(|| { connection }.0.poll_served(&mut Context::from_waker(&waker)));
    let served = served.unwrap_or(Served::Ended);
    let left = with(|seats| seats.end(number, seated, waker, served)).flatten();
    drop(left);
    served == Served::Again
}

fn with<T>(work: impl FnOnce(&mut Seats) -> T) -> Option<T> {
    SEATS.with_borrow_mut(|seats| seats.as_mut().map(work))
}

impl Seats {
    fn take(&mut self, mut seated: Seated) -> io::Result<()> {
        let number = self.free.pop().unwrap_or_else(|| {
            let seat = self.all.len();
            let bell = Arc::new(Bell { seat, rung: AtomicBool::new(false), calls: Arc::clone(&self.calls) });
            self.all.push(Seat { seated: None, queued: false, waker: Some(Waker::from(Arc::clone(&bell))), bell });
            seat
        });
        if let Err(error) = seated.connection.join(&self.watch, number) {
            self.free.push(number);
            return Err(error);
        }
        let seat = &mut self.all[number];
        seat.seated = Some(seated);
        seat.bell.wake_by_ref();
        Ok(())
    }

    fn leave(&mut self, number: usize) -> Option<Seated> {
        let mut seated = self.all[number].seated.take()?;
        seated.connection.leave(&self.watch);
        self.free.push(number);
        Some(seated)
    }

    /// Adds to `now` who is to be served.
    fn gather(&mut self, now: &mut Vec<usize>) {
        let Seats { watch, all, calls, .. } = self;
        let mut queue = |number: usize, seat: &mut Seat| {
            if !std::mem::replace(&mut seat.queued, true) {
                now.push(number);
            }
        };
        for news in watch.news() {
            if let Some(seat) = all.get_mut(news.number)
                && let Some(seated) = &mut seat.seated
            {
                seated.connection.hear(news);
                queue(news.number, seat);
            }
        }
        let mut calls = calls.lock();
        calls.sleeper = None;
        for number in calls.seats.drain(..) {
            all[number].bell.rung.store(false, Ordering::Release);
            queue(number, &mut all[number]);
        }
    }

    /// Ready when there is somebody to be served.
    fn sleep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        {
            let mut calls = self.calls.lock();
            if !calls.seats.is_empty() {
                return Poll::Ready(());
            }
            calls.sleeper = Some(cx.waker().clone());
        }
        self.watch.poll(cx)
    }

    fn begin(&mut self, number: usize) -> Option<(Seated, Waker)> {
        let seat = &mut self.all[number];
        seat.queued = false;
        Some((seat.seated.take()?, seat.waker.take()?))
    }

    /// Answers a connection that has ended, to be dropped when nobody looks at the seats.
    fn end(&mut self, number: usize, seated: Seated, waker: Waker, served: Served) -> Option<Seated> {
        let seat = &mut self.all[number];
        seat.waker = Some(waker);
        if served == Served::Ended {
            self.free.push(number);
            return Some(seated);
        }
        seat.seated = Some(seated);
        seat.queued = served == Served::Again;
        None
    }
}
