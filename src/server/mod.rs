//! The server's life: configuration, keyspace, listening, serving, and an orderly end.

mod acceptor;
mod apply;
mod cron;
mod damaged;
mod libraries;
mod scripts;
pub mod health;
mod logging;
mod oom;
mod persistence;
pub mod redis_file;
mod run;
pub mod supervise;

pub use run::run;

use crate::{
    command::Shared,
    net::{self, Listener, Workers},
};
use acceptor::Acceptor;
use std::{io, net::SocketAddr, sync::Arc};

/// A server that is listening. Dropping it closes its sockets and ends its threads; it saves
/// nothing by itself.
pub struct Server {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    // Declared in the order in which they end.
    _acceptor: Acceptor,
    _scripts: scripts::ScriptRunner,
    _libraries: libraries::LibraryKeeper,
    _cron: cron::Cron,
    _persistence: persistence::Persistence,
    _workers: Arc<Workers>,
}

impl Server {
    /// Serves `shared` on bound sockets, with as many threads as its settings say.
    pub fn start(shared: Arc<Shared>, listeners: Vec<Listener>) -> io::Result<Server> {
        let workers = Arc::new(Workers::start(&shared, shared.config.current().threads())?);
        let addresses = listeners.iter().filter_map(Listener::local_address).collect();
        apply::follow(&shared);
        shared.set_courier(Box::new(net::Messenger::default()));
        shared.set_relief(net::relieve);
        let acceptor = Acceptor::start(&shared, listeners, Arc::clone(&workers))?;
        let cron = cron::Cron::start(Arc::clone(&shared))?;
        let persistence = persistence::Persistence::start(&shared)?;
        let scripts = scripts::ScriptRunner::start(&shared)?;
        let libraries = libraries::LibraryKeeper::start(&shared)?;
        Ok(Server {
            shared,
            addresses,
            _acceptor: acceptor,
            _scripts: scripts,
            _libraries: libraries,
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
