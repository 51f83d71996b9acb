//! A client's socket: TCP, TLS or Unix.

use bytes::BufMut;
use socket2::{SockRef, TcpKeepalive};
use std::{
    io::{self, IoSlice},
    os::fd::AsRawFd,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::server::TlsStream;

/// An accepted connection on its way to a worker.
#[derive(Debug)]
pub enum Accepted {
    Tcp(std::net::TcpStream),
    /// The handshake is to come.
    Tls(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// The texts `address:port` of the other end and of ours.
    pub fn names(&self) -> (String, String) {
        match self {
            Accepted::Tcp(stream) | Accepted::Tls(stream) => {
                let text = |address: io::Result<std::net::SocketAddr>| {
                    address.map_or_else(|_| "?:0".to_owned(), |address| address.to_string())
                };
                (text(stream.peer_addr()), text(stream.local_addr()))
            }
            Accepted::Unix(stream) => {
                let path = stream.local_addr().ok().and_then(|address| address.as_pathname().map(|p| p.to_owned()));
                let name = format!("{}:0", path.unwrap_or_default().display());
                (name.clone(), name)
            }
        }
    }

    pub fn is_loopback(&self) -> bool {
        match self {
            Accepted::Tcp(stream) | Accepted::Tls(stream) => {
                stream.peer_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback())
            }
            Accepted::Unix(_) => true,
        }
    }

    /// Sends a line to a client that is turned away. Before the handshake of TLS it could not read it.
    pub fn refuse(self, line: &[u8]) {
        use io::Write;
        // The client may be gone already, and nothing is owed to it.
        let _ = match self {
            Accepted::Tcp(mut stream) => stream.write(line),
            Accepted::Unix(mut stream) => stream.write(line),
            Accepted::Tls(_) => Ok(0),
        };
    }
}

#[derive(Debug)]
pub enum Socket {
    Tcp(TcpStream),
    /// Few and large: the others need not have its size.
    Tls(Box<Tls>),
    Unix(UnixStream),
    /// On its way from one thread to another.
    Away(Away),
}

/// A socket that belongs to no thread's runtime.
#[derive(Debug)]
pub enum Away {
    Tcp(std::net::TcpStream),
    Tls(Box<Tls>, std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
    Lost,
}

#[derive(Debug)]
pub struct Tls {
    stream: TlsStream<Carrier>,
    /// It may hold bytes that the socket has not taken.
    holds: bool,
}

impl Socket {
    /// Takes an accepted connection into this thread's runtime.
    pub fn new(accepted: Accepted, keepalive_seconds: u32) -> io::Result<Socket> {
        match accepted {
            // Of TLS, this is what the handshake is made on.
            Accepted::Tcp(stream) | Accepted::Tls(stream) => tcp(stream, keepalive_seconds).map(Socket::Tcp),
            Accepted::Unix(stream) => {
                stream.set_nonblocking(true)?;
                UnixStream::from_std(stream).map(Socket::Unix)
            }
        }
    }

    pub fn tls(stream: TlsStream<Carrier>) -> Socket {
        Socket::Tls(Box::new(Tls { stream, holds: false }))
    }

    /// Takes it out of this thread's runtime ...
    pub fn leave(&mut self) {
        let away = match std::mem::replace(self, Socket::Away(Away::Lost)) {
            Socket::Tcp(stream) => stream.into_std().map(Away::Tcp),
            Socket::Unix(stream) => stream.into_std().map(Away::Unix),
            Socket::Tls(mut tls) => match tls.stream.get_mut().0.0.take() {
                Some(stream) => stream.into_std().map(|stream| Away::Tls(tls, stream)),
                None => Ok(Away::Lost),
            },
            Socket::Away(away) => Ok(away),
        };
        *self = Socket::Away(away.unwrap_or(Away::Lost));
    }

    /// ... and into that of another.
    pub fn arrive(&mut self) -> io::Result<()> {
        let Socket::Away(away) = self else { return Ok(()) };
        *self = match std::mem::replace(away, Away::Lost) {
            Away::Tcp(stream) => Socket::Tcp(TcpStream::from_std(stream)?),
            Away::Unix(stream) => Socket::Unix(UnixStream::from_std(stream)?),
            Away::Tls(mut tls, stream) => {
                tls.stream.get_mut().0.0 = Some(TcpStream::from_std(stream)?);
                Socket::Tls(tls)
            }
            Away::Lost => return Err(io::ErrorKind::NotConnected.into()),
        };
        Ok(())
    }

    /// The name in the certificate that the client has shown.
    pub fn common_name(&self) -> Option<String> {
        let Socket::Tls(tls) = self else { return None };
        let certificate = tls.stream.get_ref().1.peer_certificates()?.first()?;
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        parsed.subject().iter_common_name().next()?.as_str().ok().map(str::to_owned)
    }

    /// Its number in this process, for CLIENT LIST.
    pub fn descriptor(&self) -> i32 {
        match self {
            Socket::Tcp(stream) => stream.as_raw_fd(),
            Socket::Tls(tls) => tls.stream.get_ref().0.0.as_ref().map_or(-1, AsRawFd::as_raw_fd),
            Socket::Unix(stream) => stream.as_raw_fd(),
            Socket::Away(_) => -1,
        }
    }

    /// Reads into the free room of `buffer`. `Ready(Ok(0))` is the end.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut impl BufMut) -> Poll<io::Result<usize>> {
        // The futures hold no state of their own, so making one per call costs nothing. They know
        // that a read that did not fill the buffer has emptied the socket, and spare the next one.
        match self {
            Socket::Tcp(stream) => pin!(stream.read_buf(buffer)).poll(cx),
            Socket::Tls(tls) => pin!(tls.stream.read_buf(buffer)).poll(cx),
            Socket::Unix(stream) => pin!(stream.read_buf(buffer)).poll(cx),
            Socket::Away(_) => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Tls(tls) => {
                tls.holds = true;
                Pin::new(&mut tls.stream).poll_write(cx, bytes)
            }
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Away(_) => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub fn poll_write_vectored(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Socket::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Socket::Tls(tls) => {
                tls.holds = true;
                Pin::new(&mut tls.stream).poll_write_vectored(cx, pieces)
            }
            Socket::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Socket::Away(_) => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Sends what has been written and is still here; the task is woken when there is room for it.
    pub fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Socket::Tls(tls) = self
            && tls.holds
            && let Poll::Ready(result) = Pin::new(&mut tls.stream).poll_flush(cx)
        {
            result?;
            tls.holds = false;
        }
        Ok(())
    }

    /// Whether something that was written may still be here.
    pub fn holds(&self) -> bool {
        matches!(self, Socket::Tls(tls) if tls.holds)
    }

    /// Tells the other end that nothing more comes, if that takes no waiting.
    pub fn say_goodbye(&mut self, cx: &mut Context<'_>) {
        if let Socket::Tls(tls) = self {
            // Whoever does not hear it sees the socket close.
            let _ = Pin::new(&mut tls.stream).poll_shutdown(cx);
        }
    }
}

/// What TLS goes over: a connection that can be taken out, and another put in.
#[derive(Debug)]
pub struct Carrier(Option<TcpStream>);

impl Carrier {
    pub fn new(stream: TcpStream) -> Carrier {
        Carrier(Some(stream))
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.0.as_mut().map(Pin::new).ok_or(io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Carrier {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}

/// Takes a TCP connection into this thread's runtime.
pub fn tcp(stream: std::net::TcpStream, keepalive_seconds: u32) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    if keepalive_seconds > 0 {
        set_keepalive(&stream, u64::from(keepalive_seconds))?;
    }
    TcpStream::from_std(stream)
}

/// As Redis spaces the probes: the first after the idle time, then three a third of it apart.
fn set_keepalive(stream: &std::net::TcpStream, seconds: u64) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(seconds))
        .with_interval(Duration::from_secs((seconds / 3).max(1)))
        .with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
