//! Worker threads: each serves its connections on a runtime of its own.

use super::{
    connection::Connection,
    socket::{self, Accepted, Socket},
    tls::Tls,
};
use crate::command::{Client, Shared};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};

/// A client that has not finished its handshake after so long is let go.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// The first byte of a handshake.
const HANDSHAKE_RECORD: u8 = 22;

/// The thread asks the system for new input after so many polls of connections that had some; each takes two for a
/// request, and asking costs more than one.
const POLLS_PER_LOOK: u32 = 128;

/// Threads per worker that wait for the disk, for what commands need of a snapshot that is being loaded.
const READERS: usize = 4;

/// All workers. Dropping it ends their connections and waits for the threads.
pub struct Workers {
    shared: Arc<Shared>,
    tls: Arc<Tls>,
    workers: Vec<Worker>,
}

struct Worker {
    /// `None` once the thread was told to end.
    hand_over: Option<mpsc::UnboundedSender<Accepted>>,
    /// Connections it serves.
    load: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    pub fn start(shared: &Arc<Shared>, threads: usize) -> io::Result<Workers> {
        let tls = Arc::new(Tls::default());
        let mut workers = Vec::new();
        for index in 0..threads.max(1) {
            workers.push(Worker::start(shared, &tls, index)?);
        }
        Ok(Workers { shared: Arc::clone(shared), tls, workers })
    }

    /// What their handshakes are made with.
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Clients being served.
    pub fn connections(&self) -> usize {
        self.workers.iter().map(|worker| worker.load.load(Ordering::Relaxed)).sum()
    }

    /// Gives a connection to the worker that has the fewest, or turns it away.
    pub fn serve(&self, accepted: Accepted) {
        let settings = self.shared.config.current();
        if self.connections() >= settings.maxclients as usize {
            self.shared.stats.rejected_connections.add(1);
            tracing::debug!(maxclients = settings.maxclients, "client turned away: too many clients");
            accepted.refuse(b"-ERR max number of clients reached\r\n");
            return;
        }
        if settings.protected_mode && self.shared.users.default_user().no_password && !accepted.is_loopback() {
            accepted.refuse(PROTECTED.as_bytes());
            return;
        }
        let Some(worker) = self.workers.iter().min_by_key(|worker| worker.load.load(Ordering::Relaxed)) else {
            return;
        };
        worker.load.fetch_add(1, Ordering::Relaxed);
        let handed_over = worker.hand_over.as_ref().is_some_and(|sender| sender.send(accepted).is_ok());
        if !handed_over {
            worker.load.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// What a client from another machine is told while no password is set and `protected-mode` is on.
const PROTECTED: &str = "-DENIED Flagstone is running in protected mode: no password is set and connections are \
    accepted from this machine only. Set a password with 'requirepass', or, if the network is trusted, \
    set 'protected-mode no' in the configuration file or with CONFIG SET from this machine.\r\n";

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.hand_over = None;
        }
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take()
                && thread.join().is_err()
            {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

impl Worker {
    fn start(shared: &Arc<Shared>, tls: &Arc<Tls>, index: usize) -> io::Result<Worker> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .event_interval(POLLS_PER_LOOK)
            .max_blocking_threads(READERS)
            .build()?;
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let load = Arc::new(AtomicUsize::new(0));
        let (shared, tls, own_load) = (Arc::clone(shared), Arc::clone(tls), Arc::clone(&load));
        let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            runtime.block_on(async {
                while let Some(accepted) = receiver.recv().await {
                    let guard = Load(Arc::clone(&own_load));
                    let (shared, tls) = (Arc::clone(&shared), Arc::clone(&tls));
                    tokio::spawn(async move {
                        if let Some(mut connection) = connect(shared, &tls, accepted, index).await {
                            connection.serve().await;
                        }
                        // Who sees in CLIENT LIST that a client has gone finds its place free.
                        drop(guard);
                    });
                }
            });
        })?;
        Ok(Worker { hand_over: Some(sender), load, thread: Some(thread) })
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
            let client = Client::new(&shared, peer, local, worker);
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
        acceptor.accept(stream).await
    };
    match timeout(HANDSHAKE_TIME, shaken).await {
        Ok(result) => result.map(Socket::tls),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Counts a connection until it ends.
struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
