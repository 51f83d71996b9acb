//! The server's life: configuration, keyspace, listening, serving, and an orderly end.

mod cron;
pub mod health;
mod logging;
mod persistence;
mod run;

pub use run::run;

use crate::{
    command::Shared,
    net::{Listener, Workers},
};
use std::{io, net::SocketAddr, sync::Arc, thread::JoinHandle};
use tokio::sync::oneshot;

/// A server that is listening. Dropping it closes its sockets and ends its threads; it saves
/// nothing by itself.
pub struct Server {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    stop_accepting: Option<oneshot::Sender<()>>,
    acceptor: Option<JoinHandle<()>>,
    // Declared in the order in which they end.
    _cron: cron::Cron,
    _persistence: persistence::Persistence,
    _workers: Arc<Workers>,
}

impl Server {
    /// Serves `shared` on bound sockets, with as many threads as its settings say.
    pub fn start(shared: Arc<Shared>, listeners: Vec<Listener>) -> io::Result<Server> {
        follow_memory_settings(&shared);
        let workers = Arc::new(Workers::start(&shared, shared.config.current().threads())?);
        let addresses = listeners.iter().filter_map(Listener::local_address).collect();
        let (stop_accepting, stopped) = oneshot::channel();
        let acceptor = accept(listeners, Arc::clone(&workers), stopped)?;
        let cron = cron::Cron::start(Arc::clone(&shared))?;
        let persistence = persistence::Persistence::start(&shared)?;
        Ok(Server {
            shared,
            addresses,
            stop_accepting: Some(stop_accepting),
            acceptor: Some(acceptor),
            _cron: cron,
            _persistence: persistence,
            _workers: workers,
        })
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The TCP addresses it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_accepting = None;
        if let Some(acceptor) = self.acceptor.take()
            && acceptor.join().is_err()
        {
            tracing::error!("the accepting thread panicked");
        }
    }
}

/// CONFIG SET of `maxmemory` and `maxmemory-policy` reaches the keyspace. A start with a container's
/// limit keeps that until `maxmemory` is set.
fn follow_memory_settings(shared: &Arc<Shared>) {
    let weak = Arc::downgrade(shared);
    shared.config.on_change(Box::new(move |before, after| {
        if let Some(shared) = weak.upgrade() {
            if before.maxmemory != after.maxmemory {
                shared.keyspace.set_maxmemory(after.maxmemory);
            }
            shared.keyspace.set_policy(after.maxmemory_policy);
        }
        Ok(())
    }));
}

/// The thread that accepts clients, until `stopped` closes.
fn accept(
    listeners: Vec<Listener>,
    workers: Arc<Workers>,
    stopped: oneshot::Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    std::thread::Builder::new().name("acceptor".to_owned()).spawn(move || {
        runtime.block_on(async {
            for listener in listeners {
                let workers = Arc::clone(&workers);
                tokio::spawn(async move {
                    if let Err(error) = listener.accept(&workers).await {
                        tracing::error!(address = listener.name(), %error, "no longer accepting clients");
                    }
                });
            }
            // The sender is dropped, never used.
            let _ = stopped.await;
        });
    })
}
