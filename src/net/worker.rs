//! Worker threads: each serves its connections on a runtime of its own.

use super::{
    connection::Connection,
    seats::{self, Seated},
    socket::{self, Accepted, Carrier, Socket},
    tls::Tls,
};
use crate::{
    command::{Client, Shared},
    config::AuthClientsUser,
};
use parking_lot::{Mutex, RwLock};
use std::{
    any::Any,
    cell::RefCell,
    future::poll_fn,
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};

/// A client that has not finished its handshake after so long is let go.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// The first byte of a handshake.
const HANDSHAKE_RECORD: u8 = 22;

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

/// What a worker is given.
enum Handed {
    New(Accepted),
    /// From a worker that is held up.
    Moved(Box<Connection>),
}

type Receiver = Arc<Mutex<mpsc::UnboundedReceiver<Handed>>>;

struct Worker {
    /// For what is counted by thread. One that stands in for another has its number.
    number: usize,
    hand_over: mpsc::UnboundedSender<Handed>,
    receiver: Receiver,
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
        Crew::place(&self.crew.workers.read(), Handed::New(accepted));
    }
}

impl Crew {
    /// Gives a connection to the worker that has the fewest.
    fn place(workers: &[Worker], handed: Handed) {
        let free = workers.iter().filter(|worker| !worker.held_up.load(Ordering::Relaxed));
        let Some(worker) = free.min_by_key(|worker| worker.load.load(Ordering::Relaxed)) else { return };
        worker.load.fetch_add(1, Ordering::Relaxed);
        if worker.hand_over.send(handed).is_err() {
            worker.load.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Called by a worker's thread in the middle of a script: the connections of this thread go to others, or to one that
    /// is started for them.
    fn relieve(self: &Arc<Self>, index: usize) -> io::Result<HeldUp> {
        let mut workers = self.workers.write();
        let Some(own) = workers.get(index) else { return Err(io::ErrorKind::NotFound.into()) };
        let (number, load, receiver) = (own.number, Arc::clone(&own.load), Arc::clone(&own.receiver));
        let held_up = HeldUp(Arc::clone(&own.held_up));
        held_up.0.store(true, Ordering::Relaxed);
        if workers.iter().all(|worker| worker.held_up.load(Ordering::Relaxed)) {
            let another = Worker::start_as(self, number, workers.len())?;
            workers.push(another);
        }
        while let Ok(handed) = receiver.lock().try_recv() {
            load.fetch_sub(1, Ordering::Relaxed);
            Crew::place(&workers, handed);
        }
        for Seated { connection, load } in seats::leave_all() {
            drop(load);
            Crew::place(&workers, Handed::Moved(connection));
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
        let threads: Vec<_> = workers.into_iter().map(|worker| worker.thread).collect();
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
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(READERS)
            .build()?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let (receiver, load) = (Arc::new(Mutex::new(receiver)), Arc::new(AtomicUsize::new(0)));
        let (own_receiver, own_load) = (Arc::clone(&receiver), Arc::clone(&load));
        let (shared, tls, weak) = (Arc::clone(&crew.shared), Arc::clone(&crew.tls), Arc::downgrade(crew));
        let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            OWN.set(Some((weak, index)));
            runtime.block_on(async {
                if let Err(error) = seats::open() {
                    return tracing::error!(%error, "a thread cannot watch its connections: it serves none");
                }
                // A task, so that it can call itself without waking the thread up.
                tokio::spawn(seats::serve());
                while let Some(handed) = poll_fn(|cx| own_receiver.lock().poll_recv(cx)).await {
                    let load = Load(Arc::clone(&own_load));
                    let (shared, tls) = (Arc::clone(&shared), Arc::clone(&tls));
                    tokio::spawn(async move {
                        // Who sees in CLIENT LIST that a client has gone finds its place free: `load` goes last.
                        if let Some(connection) = take_over(shared, &tls, handed, number).await
                            && let Err(error) = seats::take(Seated { connection, load })
                        {
                            tracing::warn!(%error, "a connection cannot be watched");
                        }
                    });
                }
                seats::close();
            });
        })?;
        Ok(Worker { number, hand_over: sender, receiver, load, held_up: Arc::default(), thread })
    }
}

async fn take_over(shared: Arc<Shared>, tls: &Tls, handed: Handed, worker: usize) -> Option<Box<Connection>> {
    match handed {
        Handed::New(accepted) => connect(shared, tls, accepted, worker).await,
        Handed::Moved(mut connection) => {
            connection.move_to(worker);
            Some(connection)
        }
    }
}

async fn connect(shared: Arc<Shared>, tls: &Tls, accepted: Accepted, worker: usize) -> Option<Box<Connection>> {
    let (peer, local) = accepted.names();
    let keepalive = shared.config.current().tcp_keepalive_seconds;
    let socket = match accepted {
        Accepted::Tls(stream) => shake_hands(tls, stream, keepalive).await,
        plain => Socket::new(plain, keepalive),
    };
    match socket {
        Ok(socket) => {
            let mut client = Client::new(&shared, peer, local, worker);
            if shared.config.current().tls.auth_clients_user == AuthClientsUser::CommonName
                && let Some(name) = socket.common_name()
            {
                client.authenticate_by_certificate(name.as_bytes(), shared.clock.now());
            }
            Some(Box::new(Connection::new(shared, client, socket)))
        }
        Err(error) => {
            tracing::debug!(%peer, %error, "connection lost before it was served");
            None
        }
    }
}

/// The handshake of TLS. The others of the thread are served meanwhile, and the client has its place among `maxclients`.
async fn shake_hands(tls: &Tls, stream: std::net::TcpStream, keepalive: u32) -> io::Result<Socket> {
    let stream = socket::tcp(stream, keepalive)?;
    let acceptor = tls.acceptor().ok_or(io::ErrorKind::ConnectionRefused)?;
    let shaken = async {
        // One who does not speak TLS could not read why: he is told nothing.
        let mut first = [0];
        stream.peek(&mut first).await?;
        if first != [HANDSHAKE_RECORD] {
            return Err(io::ErrorKind::InvalidData.into());
        }
        acceptor.accept(Carrier::Shaking(stream)).await
    };
    match timeout(HANDSHAKE_TIME, shaken).await {
        Ok(result) => result.and_then(Socket::tls),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Counts a connection until it ends.
pub struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
