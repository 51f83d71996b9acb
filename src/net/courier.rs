//! Carries requests to another server, on the calling thread.

use crate::command::courier::{Courier, Delivery, Failure, Parcel};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

/// The longest line that is read of a reply.
const LINE_MAX: u64 = 64 * 1024;
/// How many connections are kept for the next parcel, and how long, as Redis does.
const KEPT_MAX: usize = 64;
const KEPT_FOR: Duration = Duration::from_secs(10);

/// An address, and as whom one is known there.
type Destination = (String, u16, Vec<Vec<u8>>);

/// Goes to other servers, and keeps what connections it has made for a while.
#[derive(Default)]
pub struct Messenger {
    kept: Mutex<HashMap<Destination, Kept>>,
}

struct Kept {
    stream: TcpStream,
    used: Instant,
}

impl Courier for Messenger {
    fn carry(&self, parcel: &Parcel<'_>) -> Delivery {
        let login = parcel.login.iter().map(|word| word.to_vec()).collect();
        let destination = (parcel.host.to_owned(), parcel.port, login);
        let kept = self.kept.lock().remove(&destination).map(|kept| kept.stream);
        if let Some(stream) = kept {
            let (delivery, gone) = exchange(&stream, parcel);
            if !gone {
                self.keep(destination, stream, &delivery);
                return delivery;
            }
        }
        match connect(parcel) {
            Ok(stream) => {
                let (delivery, _) = exchange(&stream, parcel);
                self.keep(destination, stream, &delivery);
                delivery
            }
            Err(error) => {
                // Where Redis notices: it takes the end of the attempt for a connection.
                let refused = error.kind() == io::ErrorKind::ConnectionRefused;
                let failure = if refused { Failure::Writing } else { Failure::Connecting };
                Delivery { replies: Vec::new(), failure: Some(failure) }
            }
        }
    }

    fn kept(&self) -> usize {
        self.kept.lock().len()
    }

    fn close_idle(&self) {
        self.kept.lock().retain(|_, kept| kept.used.elapsed() < KEPT_FOR);
    }
}

impl Messenger {
    /// Keeps a connection on which all went well: on no other is it known what comes next.
    fn keep(&self, destination: Destination, stream: TcpStream, delivery: &Delivery) {
        let mut kept = self.kept.lock();
        if delivery.failure.is_none() && delivery.replies.iter().all(Result::is_ok) && kept.len() < KEPT_MAX {
            kept.insert(destination, Kept { stream, used: Instant::now() });
        }
    }
}

/// Sends everything, then reads the replies. Second: whether the other side had ended the connection before it heard any
/// of this, so that all may be sent on another.
fn exchange(stream: &TcpStream, parcel: &Parcel<'_>) -> (Delivery, bool) {
    let mut replies = Vec::new();
    let failure = send_and_read(stream, parcel, &mut replies).err();
    let has_ended = |error: &io::Error| !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    let gone = replies.is_empty() && failure.as_ref().is_some_and(|(_, error)| has_ended(error));
    (Delivery { replies, failure: failure.map(|(failure, _)| failure) }, gone)
}

fn send_and_read(
    stream: &TcpStream,
    parcel: &Parcel<'_>,
    replies: &mut Vec<Result<(), Vec<u8>>>,
) -> Result<(), (Failure, io::Error)> {
    let timeout = Some(parcel.timeout);
    stream.set_write_timeout(timeout).map_err(|error| (Failure::Writing, error))?;
    stream.set_read_timeout(timeout).map_err(|error| (Failure::Reading, error))?;
    for request in parcel.requests {
        write(stream, request).map_err(|error| (Failure::Writing, error))?;
    }
    let mut reader = BufReader::new(stream);
    for _ in parcel.requests {
        replies.push(read(&mut reader).map_err(|error| (Failure::Reading, error))?);
    }
    Ok(())
}

fn connect(parcel: &Parcel<'_>) -> io::Result<TcpStream> {
    let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
    for address in (parcel.host, parcel.port).to_socket_addrs()? {
        result = TcpStream::connect_timeout(&address, parcel.timeout);
        if result.is_ok() {
            break;
        }
    }
    let stream = result?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn write(mut stream: &TcpStream, request: &[&[u8]]) -> io::Result<()> {
    let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
    for word in request {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    stream.write_all(&bytes)
}

/// A status, or an error's text.
fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Result<(), Vec<u8>>> {
    let mut line = Vec::new();
    reader.take(LINE_MAX).read_until(b'\n', &mut line)?;
    match line.strip_suffix(b"\r\n").and_then(|line| line.split_first()) {
        Some((b'+', _)) => Ok(Ok(())),
        Some((b'-', text)) => Ok(Err(text.to_vec())),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
