//! Worker threads: each serves its connections.

use super::{
    handshake::{Caller, Handshake},
    seats::{self, Guest, Load, Seated, ThreadDesk},
    socket::{Accepted, Socket},
    tls::Tls,
    watch::Watch,
};
use crate::command::Shared;
use parking_lot::RwLock;
use std::{
    any::Any,
    cell::RefCell,
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

/// Threads per worker that wait for the disk, for what commands need of a snapshot that is being loaded.
const READERS: usize = 4;

/// All workers. Dropping it ends their connections and waits for the threads.
pub struct Workers {
    crew: Arc<Crew>,
}

/// What the threads know of each other.
struct Crew {
    shared: Arc<Shared>,
    tls: Arc<Tls>,
    workers: RwLock<Vec<Worker>>,
}

struct Worker {
    /// For what is counted by thread. One that stands in for another has its number.
    number: usize,
    desk: Arc<ThreadDesk>,
    /// Connections it serves.
    load: Arc<AtomicUsize>,
    /// A script has held it up for long, and may do so for ever.
    held_up: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Workers {
    pub fn start(shared: &Arc<Shared>, threads: usize) -> io::Result<Workers> {
        let crew = Arc::new(Crew { shared: Arc::clone(shared), tls: Arc::default(), workers: RwLock::default() });
        for number in 0..threads.max(1) {
            let worker = Worker::start(&crew, number)?;
            crew.workers.write().push(worker);
        }
        Ok(Workers { crew })
    }

    /// What their handshakes are made with.
    pub fn tls(&self) -> &Tls {
        &self.crew.tls
    }

    /// Clients being served.
    pub fn connections(&self) -> usize {
        self.crew.workers.read().iter().map(|worker| worker.load.load(Ordering::Relaxed)).sum()
    }

    /// Gives a connection to the worker that has the fewest, or turns it away.
    pub fn serve(&self, accepted: Accepted) {
        let shared = &self.crew.shared;
        let settings = shared.config.current();
        if self.connections() >= settings.maxclients as usize {
            shared.stats.rejected_connections.add(1);
            tracing::debug!(maxclients = settings.maxclients, "client turned away: too many clients");
            accepted.refuse(b"-ERR max number of clients reached\r\n");
            return;
        }
        if settings.protected_mode && shared.users.default_user().no_password && !accepted.is_loopback() {
            accepted.refuse(PROTECTED.as_bytes());
            return;
        }
        let (names, tls) = (accepted.names(), matches!(accepted, Accepted::Tls(_)));
        let socket = match accepted.watched(settings.tcp_keepalive_seconds) {
            Ok(socket) => socket,
            Err(error) => return tracing::debug!(peer = names.0, %error, "connection lost before it was served"),
        };
        Crew::place(&self.crew.workers.read(), |worker| {
            let caller = Caller { shared: Arc::clone(shared), names, worker };
            Some(match tls {
                true => Guest::Shaking(Box::new(Handshake::new(caller, socket, self.tls().acceptor()?))),
                false => Guest::Served(caller.connect(Socket::Plain(socket))),
            })
        });
    }
}

impl Crew {
    /// Gives a guest to the worker that has the fewest, with that worker's number.
    fn place(workers: &[Worker], guest: impl FnOnce(usize) -> Option<Guest>) {
        let free = workers.iter().filter(|worker| !worker.held_up.load(Ordering::Relaxed));
        let Some(worker) = free.min_by_key(|worker| worker.load.load(Ordering::Relaxed)) else { return };
        let load = Load::new(&worker.load);
        if let Some(guest) = guest(worker.number) {
            // Who is not taken, since the server ends, ends here.
            let _ = worker.desk.hand(Seated { guest, load });
        }
    }

    /// Called by a worker's thread in the middle of a script: the connections of this thread go to others, or to one that
    /// is started for them.
    fn relieve(self: &Arc<Self>, index: usize) -> io::Result<HeldUp> {
        let mut workers = self.workers.write();
        let Some(own) = workers.get(index) else { return Err(io::ErrorKind::NotFound.into()) };
        let (number, desk) = (own.number, Arc::clone(&own.desk));
        let held_up = HeldUp(Arc::clone(&own.held_up));
        held_up.0.store(true, Ordering::Relaxed);
        if workers.iter().all(|worker| worker.held_up.load(Ordering::Relaxed)) {
            let another = Worker::start_as(self, number, workers.len())?;
            workers.push(another);
        }
        for Seated { mut guest, load } in desk.take_back().into_iter().chain(seats::leave_all()) {
            drop(load);
            Crew::place(&workers, |worker| {
                guest.move_to(worker);
                Some(guest)
            });
        }
        Ok(held_up)
    }
}

thread_local! {
    /// Which worker this thread is.
    static OWN: RefCell<Option<(Weak<Crew>, usize)>> = const { RefCell::new(None) };
}

/// A worker that has no other connections until this is dropped.
struct HeldUp(Arc<AtomicBool>);

impl Drop for HeldUp {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A command takes its time on this thread: the thread's other connections go elsewhere. Others may come when what is
/// answered is dropped.
pub fn relieve() -> Option<Box<dyn Any>> {
    let (crew, index) = OWN.with_borrow(|own| own.clone())?;
    match crew.upgrade()?.relieve(index) {
        Ok(held_up) => Some(Box::new(held_up)),
        Err(error) => {
            tracing::error!(%error, "a script holds up a thread, and its clients cannot go to another");
            None
        }
    }
}

/// What a client from another machine is told while no password is set and `protected-mode` is on.
const PROTECTED: &str = "-DENIED Flagstone is running in protected mode: no password is set and connections are \
    accepted from this machine only. Set a password with 'requirepass', or, if the network is trusted, \
    set 'protected-mode no' in the configuration file or with CONFIG SET from this machine.\r\n";

impl Drop for Workers {
    fn drop(&mut self) {
        let workers = std::mem::take(&mut *self.crew.workers.write());
        workers.iter().for_each(|worker| worker.desk.close());
        let threads = workers.into_iter().map(|worker| worker.thread);
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

impl Worker {
    fn start(crew: &Arc<Crew>, number: usize) -> io::Result<Worker> {
        Self::start_as(crew, number, number)
    }

    /// Starts a thread that counts as number `number`, the one at `index` of the crew.
    fn start_as(crew: &Arc<Crew>, number: usize, index: usize) -> io::Result<Worker> {
        // Only for the threads that wait for the disk: `watch` says why not for more.
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(READERS).build()?;
        let watch = Watch::new()?;
        let desk = Arc::new(ThreadDesk::new(watch.alarm()));
        let (own_desk, shared, weak) = (Arc::clone(&desk), Arc::clone(&crew.shared), Arc::downgrade(crew));
        let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            OWN.set(Some((weak, index)));
            let _inside = runtime.enter();
            seats::serve(watch, own_desk, shared);
        })?;
        Ok(Worker { number, desk, load: Arc::default(), held_up: Arc::default(), thread })
    }
}
