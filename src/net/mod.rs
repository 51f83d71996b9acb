//! Connections: accepting them, giving each to a worker thread, and moving bytes between sockets
//! and `command::dispatch`.
//!
//! A worker is one thread; a connection has its seat there and keeps it, unless a script holds the thread up. Commands run
//! inline on that thread, so nothing is handed over between reading a request and writing its reply.
//!
//! ```text
//!   listener --> desk --> seats --> connection (or handshake) --> input, output --> socket
//!                 ^         ^
//!     other threads         watch: news of sockets
//! ```

mod bringing;
mod buffers;
mod ciphers;
mod connection;
mod courier;
mod desk;
mod handshake;
mod input;
mod listener;
mod output;
mod pace;
mod seats;
mod socket;
mod tls;
mod turn;
mod warming;
mod watch;
mod worker;

pub use courier::Messenger;
pub use listener::{BindError, Listener, Speech, bind, bind_tcp, tcp};
pub use tls::{Tls, TlsError};
pub use worker::{Workers, relieve};
