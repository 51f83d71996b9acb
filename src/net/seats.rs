//! A thread's connections: who has news, is called or has waited long enough is served, in rounds.
//!
//! They lie where the thread can reach them in the middle of a command, so that they can go to another thread while a
//! script holds this one up.

use super::{
    connection::{Connection, Served},
    desk::{Bell, Desk},
    handshake::Handshake,
    pace::{Pace, Seen},
    watch::{self, Events, News, Watch},
};
use crate::{command::Shared, util::clock::UnixMillis};
use std::{
    cell::RefCell,
    collections::BTreeSet,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::{Rc, Weak},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Rounds between two looks for news: in the first, those who have some read, in the second they run what they have read
/// or write what they have run.
const ROUNDS: usize = 2;

/// Who sits on a seat.
pub enum Guest {
    Shaking(Box<Handshake>),
    Served(Box<Connection>),
}

/// A guest, and its place among those of its worker.
pub struct Seated {
    /// Ends first: when a client is no longer listed, there is room for another.
    pub load: Load,
    pub guest: Guest,
}

/// Counts a connection until it ends.
pub struct Load(Arc<AtomicUsize>);

impl Load {
    pub fn new(connections: &Arc<AtomicUsize>) -> Load {
        connections.fetch_add(1, Ordering::Relaxed);
        Load(Arc::clone(connections))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a thread is handed.
pub type ThreadDesk = Desk<Seated>;

struct Seat {
    /// One that is being polled is not there.
    seated: Option<Seated>,
    /// It has its turn in this round or the next.
    queued: bool,
    /// When it is to be served though nothing has happened; also in `Seats::deadlines`.
    deadline: Option<UnixMillis>,
    seen: Seen,
    bell: Arc<Bell<Seated>>,
    /// Rings the bell.
    waker: Option<Waker>,
}

struct Seats {
    watch: Watch,
    events: Events,
    desk: Arc<ThreadDesk>,
    shared: Arc<Shared>,
    all: Vec<Seat>,
    free: Vec<usize>,
    deadlines: BTreeSet<(UnixMillis, usize)>,
    pace: Pace,
    longest_pause: Duration,
    /// Kept for their room.
    called: Vec<usize>,
    handed: Vec<Seated>,
}

thread_local! {
    /// For who needs them in the middle of a command.
    static SEATS: RefCell<Weak<RefCell<Seats>>> = const { RefCell::new(Weak::new()) };
}

/// Serves what the desk is handed until it is closed.
pub fn serve(watch: Watch, desk: Arc<ThreadDesk>, shared: Arc<Shared>) {
    let seats = Rc::new(RefCell::new(Seats {
        watch,
        events: Events::new(),
        desk,
        shared,
        all: Vec::new(),
        free: Vec::new(),
        deadlines: BTreeSet::new(),
        pace: Pace::default(),
        longest_pause: Duration::ZERO,
        called: Vec::new(),
        handed: Vec::new(),
    }));
    SEATS.set(Rc::downgrade(&seats));
    watch::pause_exactly();
    let (mut now, mut again) = (Vec::new(), Vec::new());
    loop {
        // Not to be borrowed while one is served.
        let goes_on = seats.borrow_mut().gather(&mut now);
        if !goes_on {
            break;
        }
        for _ in 0..ROUNDS {
            let alone = now.len() == 1;
            again.extend(now.drain(..).filter(|number| serve_one(&seats, *number, alone)));
            std::mem::swap(&mut now, &mut again);
        }
    }
    drop(leave_all());
}

/// All guests of this thread but the one that is being polled.
pub fn leave_all() -> Vec<Seated> {
    let Some(seats) = SEATS.with_borrow(Weak::upgrade) else { return Vec::new() };
    let mut seats = seats.borrow_mut();
    (0..seats.all.len()).filter_map(|number| seats.leave(number)).collect()
}

/// Serves one, who may be alone in this round; answers whether it is to be served in the next one, too.
fn serve_one(seats: &RefCell<Seats>, number: usize, alone: bool) -> bool {
    let begun = seats.borrow_mut().begin(number);
    let Some((mut seated, waker)) = begun else { return false };
    let guest = AssertUnwindSafe(&mut seated.guest);
    // A defect that shows in a command ends the connection that sent it; the others of the thread go on.
    let served = catch_unwind(|| { guest }.0.poll(&mut Context::from_waker(&waker), alone)).unwrap_or(Served::Ended);
    let ended = seats.borrow_mut().end(number, seated, waker, served);
    drop(ended);
    served == Served::Again
}

impl Guest {
    fn poll(&mut self, cx: &mut Context<'_>, alone: bool) -> Served {
        match self {
            Guest::Served(connection) => connection.poll_served(cx, alone),
            Guest::Shaking(handshake) => match handshake.poll(cx) {
                Poll::Pending => Served::Waits,
                Poll::Ready(None) => Served::Ended,
                Poll::Ready(Some(connection)) => {
                    *self = Guest::Served(connection);
                    Served::Again
                }
            },
        }
    }

    /// When it is to be polled though nothing has happened.
    fn deadline(&self) -> Option<UnixMillis> {
        match self {
            Guest::Served(connection) => connection.deadline(),
            Guest::Shaking(handshake) => Some(handshake.deadline),
        }
    }

    fn join(&mut self, watch: &Watch, number: usize) -> io::Result<()> {
        match self {
            Guest::Served(connection) => connection.join(watch, number),
            Guest::Shaking(handshake) => handshake.join(watch, number),
        }
    }

    fn leave(&mut self, watch: &Watch) {
        match self {
            Guest::Served(connection) => connection.leave(watch),
            Guest::Shaking(handshake) => handshake.leave(watch),
        }
    }

    /// It is served by another worker.
    pub fn move_to(&mut self, worker: usize) {
        match self {
            Guest::Served(connection) => connection.move_to(worker),
            Guest::Shaking(handshake) => handshake.caller.worker = worker,
        }
    }

    fn hear(&mut self, news: News) {
        match self {
            Guest::Served(connection) => connection.hear(news),
            Guest::Shaking(handshake) => handshake.hear(news),
        }
    }
}

impl Seat {
    /// Adds its number to `queue`, unless it is there.
    fn queue(&mut self, number: usize, queue: &mut Vec<usize>) {
        if !std::mem::replace(&mut self.queued, true) {
            queue.push(number);
        }
    }
}

impl Seats {
    /// Adds to `now` who is to be served; waits until there is somebody. False when the thread is to end.
    fn gather(&mut self, now: &mut Vec<usize>) -> bool {
        if now.is_empty()
            && let Some(pause) = self.pace.pause(self.longest_pause)
        {
            watch::pause(pause);
        }
        let wait = match now.is_empty() && self.desk.sleeps() {
            true => self.deadlines.first().map(|(deadline, _)| self.until(*deadline)),
            false => Some(Duration::ZERO),
        };
        let Seats { watch, events, all, .. } = self;
        for news in watch.news(events, wait) {
            if let Some(seat) = all.get_mut(news.number)
                && let Some(seated) = &mut seat.seated
            {
                seated.guest.hear(news);
                seat.queue(news.number, now);
            }
        }
        let goes_on = self.desk.take(&mut self.called, &mut self.handed);
        for number in self.called.drain(..) {
            let seat = &mut self.all[number];
            seat.bell.hush();
            seat.queue(number, now);
        }
        while let Some(seated) = self.handed.pop() {
            self.seat(seated, now);
        }
        if !self.deadlines.is_empty() {
            self.wake_due(now);
        }
        if self.pace.found(now.len()) {
            self.pace.turn_over(watch::times());
            self.longest_pause = Duration::from_micros(self.shared.config.current().coalesce_us);
        }
        goes_on
    }

    fn until(&self, deadline: UnixMillis) -> Duration {
        Duration::from_millis(u64::try_from(deadline.saturating_sub(self.shared.clock.now())).unwrap_or(0))
    }

    fn wake_due(&mut self, now: &mut Vec<usize>) {
        let time = self.shared.clock.now();
        while let Some((deadline, number)) = self.deadlines.first().copied()
            && deadline <= time
        {
            self.deadlines.pop_first();
            let seat = &mut self.all[number];
            seat.deadline = None;
            seat.queue(number, now);
        }
    }

    /// Gives a guest a seat.
    fn seat(&mut self, mut seated: Seated, now: &mut Vec<usize>) {
        let number = self.free.pop().unwrap_or_else(|| {
            let number = self.all.len();
            let bell = Bell::new(number, &self.desk);
            let waker = Some(Waker::from(Arc::clone(&bell)));
            self.all.push(Seat { seated: None, queued: false, deadline: None, seen: Seen::default(), bell, waker });
            number
        });
        if let Err(error) = seated.guest.join(&self.watch, number) {
            tracing::warn!(%error, "a connection cannot be watched, and ends");
            return self.free.push(number);
        }
        let seat = &mut self.all[number];
        seat.seated = Some(seated);
        seat.queue(number, now);
    }

    fn leave(&mut self, number: usize) -> Option<Seated> {
        let mut seated = self.all[number].seated.take()?;
        seated.guest.leave(&self.watch);
        self.remind(number, None);
        self.free.push(number);
        Some(seated)
    }

    fn begin(&mut self, number: usize) -> Option<(Seated, Waker)> {
        let seat = &mut self.all[number];
        seat.queued = false;
        self.pace.serves(&mut seat.seen);
        Some((seat.seated.take()?, seat.waker.take()?))
    }

    /// Answers a guest that has ended, to be dropped when nobody looks at the seats.
    fn end(&mut self, number: usize, seated: Seated, waker: Waker, served: Served) -> Option<Seated> {
        let seat = &mut self.all[number];
        seat.waker = Some(waker);
        if served == Served::Ended {
            self.remind(number, None);
            self.free.push(number);
            return Some(seated);
        }
        seat.queued = served == Served::Again;
        let deadline = seated.guest.deadline();
        seat.seated = Some(seated);
        if deadline != seat.deadline {
            self.remind(number, deadline);
        }
        None
    }

    /// Notes when a seat is to be served though nothing has happened.
    fn remind(&mut self, number: usize, deadline: Option<UnixMillis>) {
        let old = std::mem::replace(&mut self.all[number].deadline, deadline);
        if let Some(old) = old {
            self.deadlines.remove(&(old, number));
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, number));
        }
    }
}
