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
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
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

    /// Makes it ready to be watched.
    pub fn watched(self, keepalive_seconds: u32) -> io::Result<Watched> {
        let fd = match self {
            Accepted::Tcp(stream) | Accepted::Tls(stream) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                if keepalive_seconds > 0 {
                    set_keepalive(&stream, u64::from(keepalive_seconds))?;
                }
                OwnedFd::from(stream)
            }
            Accepted::Unix(stream) => {
                stream.set_nonblocking(true)?;
                OwnedFd::from(stream)
            }
        };
        Ok(Watched::new(fd))
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
    /// Of a connection whose handshake is done.
    pub fn tls(stream: TlsStream<Carrier>) -> Socket {
        Socket::Tls(Box::new(Tls { stream, holds: false }))
    }

    fn watched(&mut self) -> &mut Watched {
        match self {
            Socket::Plain(watched) => watched,
            Socket::Tls(tls) => &mut tls.stream.get_mut().0.0,
        }
    }

    /// Has the thread told what is new, under this number.
    pub fn join(&mut self, watch: &Watch, number: usize) -> io::Result<()> {
        watch.add(self.watched(), number)
    }

    /// It goes to another thread.
    pub fn leave(&mut self, watch: &Watch) {
        watch.remove(self.watched());
    }

    pub fn hear(&mut self, news: News) {
        self.watched().hear(news);
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
        self.watched().descriptor()
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

/// What TLS goes over. Whether it can go on is said by the thread's watch, not to who asks.
#[derive(Debug)]
pub struct Carrier(pub Watched);

impl AsyncRead for Carrier {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = ready!(self.0.read_into(buffer.initialize_unfilled()))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.write(bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.write_vectored(pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// A socket keeps nothing back.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shut_down())
    }
}

/// As Redis spaces the probes: the first after the idle time, then three a third of it apart.
fn set_keepalive(stream: &std::net::TcpStream, seconds: u64) -> io::Result<()> {
    /// Linux refuses more than these.
    const SECONDS_MAX: u64 = 32_767;
    let seconds = seconds.min(SECONDS_MAX);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(seconds))
        .with_interval(Duration::from_secs((seconds / 3).max(1)))
        .with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
