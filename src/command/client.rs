//! A connection's state, as commands see it.

use super::{Protocol, Shared, handle::ClientHandle};
use std::sync::Arc;

pub struct Client {
    pub handle: Arc<ClientHandle>,
    pub protocol: Protocol,
    /// Whether AUTH has been passed or is not asked for; until then the decoder's limits are tight.
    pub authenticated: bool,
}

impl Client {
    /// `peer` and `local` are `address:port` texts. Dropping the client unregisters it.
    pub fn new(_shared: &Arc<Shared>, _peer: String, _local: String, _worker: usize) -> Client {
        Client { handle: Arc::new(ClientHandle::new(1)), protocol: Protocol::Resp2, authenticated: true }
    }
}
