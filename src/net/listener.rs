//! Listening sockets.

use super::{socket::Accepted, worker::Workers};
use crate::config::Settings;
use socket2::{Domain, Protocol, SockAddr, Type};
use std::{
    fs, io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    time::Duration,
};

/// A bound socket that accepts clients.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// A listening address that could not be had.
#[derive(Debug)]
pub struct BindError {
    pub address: String,
    pub error: io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Failed listening on {}: {}", self.address, self.error)
    }
}

impl std::error::Error for BindError {}

/// Binds everything `bind`, `port`, `tls-port` and `unixsocket` name. Port 0 means none, as in Redis.
pub fn bind(settings: &Settings) -> Result<Vec<Listener>, BindError> {
    let mut listeners = bind_tcp(settings, Speech::Plain)?;
    listeners.extend(bind_tcp(settings, Speech::Tls)?);
    if !settings.unix_socket.is_empty() {
        let path = settings.resolve(Path::new(&settings.unix_socket));
        let listener = unix(&path, settings.unix_socket_mode.0, settings.tcp_backlog)
            .map_err(|error| BindError { address: path.display().to_string(), error })?;
        listeners.push(Listener::Unix(listener, path));
    }
    Ok(listeners)
}

/// What is spoken on a TCP port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speech {
    Plain,
    Tls,
}

impl Speech {
    pub const ALL: [Speech; 2] = [Speech::Plain, Speech::Tls];

    pub fn port(self, settings: &Settings) -> u16 {
        match self {
            Speech::Plain => settings.port,
            Speech::Tls => settings.tls_port,
        }
    }
}

/// Binds the port for `speech` on all that `bind` names.
pub fn bind_tcp(settings: &Settings, speech: Speech) -> Result<Vec<Listener>, BindError> {
    let mut listeners = Vec::new();
    let port = speech.port(settings);
    if port == 0 {
        return Ok(listeners);
    }
    for bind in &settings.bind.0 {
        match (tcp(&bind.address, port, settings.tcp_backlog), speech) {
            (Ok(listener), Speech::Plain) => listeners.push(Listener::Tcp(listener)),
            (Ok(listener), Speech::Tls) => listeners.push(Listener::Tls(listener)),
            (Err(error), _) if bind.optional && is_not_here(&error) => {
                tracing::debug!(address = bind.address, %error, "optional address is not available");
            }
            (Err(error), _) => return Err(BindError { address: format!("{}:{port}", bind.address), error }),
        }
    }
    Ok(listeners)
}

/// The address or its family does not exist on this machine.
fn is_not_here(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

/// Binds a TCP address; `*` and `::*` mean every address of IPv4 and IPv6. `port` may be 0 here:
/// the system chooses one.
pub fn tcp(address: &str, port: u16, backlog: u32) -> io::Result<TcpListener> {
    let host = match address {
        "*" => "0.0.0.0",
        "::*" => "::",
        other => other,
    };
    let address: SocketAddr = (host, port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address"))?;
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

fn unix(path: &Path, mode: u32, backlog: u32) -> io::Result<UnixListener> {
    // A socket left behind by an earlier run is in the way.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    if mode != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(UnixListener::from(std::os::fd::OwnedFd::from(socket)))
}

impl Listener {
    /// Where clients find it, for the log.
    pub fn name(&self) -> String {
        match self {
            Listener::Tcp(listener) | Listener::Tls(listener) => {
                listener.local_addr().map_or_else(|_| "?".to_owned(), |address| address.to_string())
            }
            Listener::Unix(_, path) => path.display().to_string(),
        }
    }

    /// `None` for a Unix socket.
    pub fn speech(&self) -> Option<Speech> {
        match self {
            Listener::Tcp(_) => Some(Speech::Plain),
            Listener::Tls(_) => Some(Speech::Tls),
            Listener::Unix(..) => None,
        }
    }

    pub fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(listener) | Listener::Tls(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }

    /// Accepts clients for ever.
    pub async fn accept(&self, workers: &Workers) -> io::Result<()> {
        let acceptor = match self {
            Listener::Tcp(listener) => Acceptor::Tcp(tokio::net::TcpListener::from_std(listener.try_clone()?)?),
            Listener::Tls(listener) => Acceptor::Tls(tokio::net::TcpListener::from_std(listener.try_clone()?)?),
            Listener::Unix(listener, _) => Acceptor::Unix(tokio::net::UnixListener::from_std(listener.try_clone()?)?),
        };
        loop {
            match acceptor.accept().await {
                Ok(accepted) => workers.serve(accepted),
                Err(error) => {
                    // Out of descriptors or memory: the client waits in the backlog, and trying
                    // again at once would only burn the processor.
                    tracing::warn!(%error, "accepting a client failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// A listener in the runtime of the thread that accepts.
enum Acceptor {
    Tcp(tokio::net::TcpListener),
    Tls(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Acceptor {
    async fn accept(&self) -> io::Result<Accepted> {
        Ok(match self {
            Acceptor::Tcp(listener) => Accepted::Tcp(listener.accept().await?.0.into_std()?),
            Acceptor::Tls(listener) => Accepted::Tls(listener.accept().await?.0.into_std()?),
            Acceptor::Unix(listener) => Accepted::Unix(listener.accept().await?.0.into_std()?),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Listener::Unix(_, path) = self {
            // Already gone is as good.
            let _ = fs::remove_file(path);
        }
    }
}
