//! The handshake of TLS: what a client does first on its thread. The thread's others are served meanwhile, and the client
//! has its place among `maxclients`.

use super::{
    connection::Connection,
    socket::{Carrier, Socket},
    watch::{News, Watch, Watched},
};
use crate::{
    command::{Client, Shared},
    config::AuthClientsUser,
    util::clock::UnixMillis,
};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio_rustls::{Accept, TlsAcceptor};

/// A client that has not finished after so long is let go.
const TIME_MS: i64 = 10_000;
/// The first byte of a handshake.
const RECORD: u8 = 22;

/// Whose connection it is.
pub struct Caller {
    pub shared: Arc<Shared>,
    /// The texts `address:port` of the other end and of ours.
    pub names: (String, String),
    pub worker: usize,
}

impl Caller {
    /// Begins to serve it.
    pub fn connect(&self, socket: Socket) -> Box<Connection> {
        let shared = &self.shared;
        let mut client = Client::new(shared, self.names.0.clone(), self.names.1.clone(), self.worker);
        if shared.config.current().tls.auth_clients_user == AuthClientsUser::CommonName
            && let Some(name) = socket.common_name()
        {
            client.authenticate_by_certificate(name.as_bytes(), shared.clock.now());
        }
        Box::new(Connection::new(Arc::clone(shared), client, socket))
    }
}

pub struct Handshake {
    pub caller: Caller,
    /// When it has taken too long.
    pub deadline: UnixMillis,
    state: State,
}

enum State {
    /// One who does not speak TLS could not read why: he is told nothing, so his first byte is looked at before.
    Silent(Watched, TlsAcceptor),
    Shaking(Box<Accept<Carrier>>),
    Over,
}

impl Handshake {
    pub fn new(caller: Caller, socket: Watched, acceptor: TlsAcceptor) -> Self {
        let deadline = caller.shared.clock.now() + TIME_MS;
        Handshake { caller, deadline, state: State::Silent(socket, acceptor) }
    }

    /// The connection, when it is ready to be served; `None` when it is lost.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Box<Connection>>> {
        let late = self.caller.shared.clock.now() >= self.deadline;
        let shaken = match late {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => ready!(self.state.poll(cx)),
        };
        Poll::Ready(match shaken {
            Ok(socket) => Some(self.caller.connect(socket)),
            Err(error) => {
                tracing::debug!(peer = self.caller.names.0, %error, "connection lost before it was served");
                None
            }
        })
    }

    pub fn join(&mut self, watch: &Watch, number: usize) -> io::Result<()> {
        self.state.socket().map_or(Ok(()), |socket| watch.add(socket, number))
    }

    pub fn leave(&mut self, watch: &Watch) {
        if let Some(socket) = self.state.socket() {
            watch.remove(socket);
        }
    }

    pub fn hear(&mut self, news: News) {
        if let Some(socket) = self.state.socket() {
            socket.hear(news);
        }
    }
}

impl State {
    fn socket(&mut self) -> Option<&mut Watched> {
        match self {
            State::Silent(socket, _) => Some(socket),
            State::Shaking(accept) => accept.get_mut().map(|carrier| &mut carrier.0),
            State::Over => None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Socket>> {
        if let State::Silent(socket, _) = self {
            let mut first = [0];
            ready!(socket.peek(&mut first))?;
            if first != [RECORD] {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
        }
        *self = match std::mem::replace(self, State::Over) {
            State::Silent(socket, acceptor) => State::Shaking(Box::new(acceptor.accept(Carrier(socket)))),
            state => state,
        };
        match self {
            State::Shaking(accept) => Pin::new(accept).poll(cx).map_ok(Socket::tls),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}
