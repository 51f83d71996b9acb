//! A client's socket: TCP, TLS or Unix.

use super::watch::{News, Watch, Watched};
use socket2::{SockRef, TcpKeepalive};
use std::{
    io::{self, IoSlice},
    os::fd::OwnedFd,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
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
    Plain(Watched),
    /// Few and large: the others need not have its size.
    Tls(Box<Tls>),
}

#[derive(Debug)]
pub struct Tls {
    stream: TlsStream<Carrier>,
    /// It may hold bytes that the socket has not taken.
    holds: bool,
}

impl Socket {
    /// Of a connection that has no handshake to come.
    pub fn new(accepted: Accepted, keepalive_seconds: u32) -> io::Result<Socket> {
        let fd = match accepted {
            Accepted::Tcp(stream) | Accepted::Tls(stream) => {
                prepare(&stream, keepalive_seconds)?;
                OwnedFd::from(stream)
            }
            Accepted::Unix(stream) => {
                stream.set_nonblocking(true)?;
                OwnedFd::from(stream)
            }
        };
        Ok(Socket::Plain(Watched::new(fd)))
    }

    /// Of one whose handshake is done.
    pub fn tls(mut stream: TlsStream<Carrier>) -> io::Result<Socket> {
        stream.get_mut().0.end_handshake()?;
        Ok(Socket::Tls(Box::new(Tls { stream, holds: false })))
    }

    fn watched(&mut self) -> Option<&mut Watched> {
        match self {
            Socket::Plain(watched) => Some(watched),
            Socket::Tls(tls) => tls.stream.get_mut().0.watched(),
        }
    }

    /// Has the thread told what is new, under this number.
    pub fn join(&mut self, watch: &Watch, number: usize) -> io::Result<()> {
        self.watched().map_or(Ok(()), |watched| watch.add(watched, number))
    }

    /// It goes to another thread.
    pub fn leave(&mut self, watch: &Watch) {
        if let Some(watched) = self.watched() {
            watch.remove(watched);
        }
    }

    pub fn hear(&mut self, news: News) {
        if let Some(watched) = self.watched() {
            watched.hear(news);
        }
    }

    /// The name in the certificate that the client has shown.
    pub fn common_name(&self) -> Option<String> {
        let Socket::Tls(tls) = self else { return None };
        let certificate = tls.stream.get_ref().1.peer_certificates()?.first()?;
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        parsed.subject().iter_common_name().next()?.as_str().ok().map(str::to_owned)
    }

    /// Its number in this process, for CLIENT LIST.
    pub fn descriptor(&mut self) -> i32 {
        self.watched().map_or(-1, |watched| watched.descriptor())
    }

    /// Reads into the spare capacity of `buffer`. `Ready(Ok(0))` is the end.
    #[inline]
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        match self {
            Socket::Plain(socket) => socket.read(buffer),
            // The future holds no state of its own, so that making one for each call costs nothing.
            Socket::Tls(tls) => pin!(tls.stream.read_buf(buffer)).poll(cx),
        }
    }

    /// Reads over the bytes of `buffer`.
    pub fn poll_read_into(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Socket::Plain(socket) => socket.read_into(buffer),
            Socket::Tls(tls) => pin!(tls.stream.read(buffer)).poll(cx),
        }
    }

    #[inline]
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Socket::Plain(socket) => socket.write(bytes),
            Socket::Tls(tls) => {
                tls.holds = true;
                Pin::new(&mut tls.stream).poll_write(cx, bytes)
            }
        }
    }

    pub fn poll_write_vectored(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Socket::Plain(socket) => socket.write_vectored(pieces),
            Socket::Tls(tls) => {
                tls.holds = true;
                Pin::new(&mut tls.stream).poll_write_vectored(cx, pieces)
            }
        }
    }

    /// Sends what has been written and is still here; the connection is called when there is room for it.
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

/// What TLS goes over: a task of the runtime while hands are shaken, the thread's own watch from then on.
#[derive(Debug)]
pub enum Carrier {
    Shaking(TcpStream),
    Served(Watched),
    Lost,
}

impl Carrier {
    fn end_handshake(&mut self) -> io::Result<()> {
        if let Carrier::Shaking(stream) = std::mem::replace(self, Carrier::Lost) {
            *self = Carrier::Served(Watched::new(stream.into_std()?.into()));
        }
        Ok(())
    }

    fn watched(&mut self) -> Option<&mut Watched> {
        match self {
            Carrier::Served(watched) => Some(watched),
            _ => None,
        }
    }
}

impl AsyncRead for Carrier {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Carrier::Shaking(stream) => Pin::new(stream).poll_read(cx, buffer),
            Carrier::Served(socket) => {
                let count = ready!(socket.read_into(buffer.initialize_unfilled()))?;
                buffer.advance(count);
                Poll::Ready(Ok(()))
            }
            Carrier::Lost => lost(),
        }
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Carrier::Shaking(stream) => Pin::new(stream).poll_write(cx, bytes),
            Carrier::Served(socket) => socket.write(bytes),
            Carrier::Lost => lost(),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Carrier::Shaking(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Carrier::Served(socket) => socket.write_vectored(pieces),
            Carrier::Lost => lost(),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// A socket keeps nothing back.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Carrier::Shaking(stream) => Pin::new(stream).poll_shutdown(cx),
            Carrier::Served(socket) => Poll::Ready(socket.shut_down()),
            Carrier::Lost => lost(),
        }
    }
}

fn lost<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

/// Takes a TCP connection into this thread's runtime, for the handshake of TLS.
pub fn tcp(stream: std::net::TcpStream, keepalive_seconds: u32) -> io::Result<TcpStream> {
    prepare(&stream, keepalive_seconds)?;
    TcpStream::from_std(stream)
}

fn prepare(stream: &std::net::TcpStream, keepalive_seconds: u32) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    if keepalive_seconds > 0 {
        set_keepalive(stream, u64::from(keepalive_seconds))?;
    }
    Ok(())
}

/// As Redis spaces the probes: the first after the idle time, then three a third of it apart.
fn set_keepalive(stream: &std::net::TcpStream, seconds: u64) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(seconds))
        .with_interval(Duration::from_secs((seconds / 3).max(1)))
        .with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
