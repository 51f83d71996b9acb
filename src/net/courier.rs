//! Carries requests to another server, on the calling thread.

use crate::command::courier::{Delivery, Failure, Parcel};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpStream, ToSocketAddrs},
};

/// The longest line that is read of a reply.
const LINE_MAX: u64 = 64 * 1024;

pub fn carry(parcel: &Parcel<'_>) -> Delivery {
    let mut replies = Vec::new();
    let failure = exchange(parcel, &mut replies).err();
    Delivery { replies, failure }
}

fn exchange(parcel: &Parcel<'_>, replies: &mut Vec<Result<(), Vec<u8>>>) -> Result<(), Failure> {
    let mut stream = connect(parcel).map_err(|error| match error.kind() {
        // Where Redis notices: it takes the end of the attempt for a connection.
        io::ErrorKind::ConnectionRefused => Failure::Writing,
        _ => Failure::Connecting,
    })?;
    for request in parcel.requests {
        write(&mut stream, request).map_err(|_| Failure::Writing)?;
    }
    let mut reader = BufReader::new(stream);
    for _ in parcel.requests {
        replies.push(read(&mut reader).map_err(|_| Failure::Reading)?);
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
    stream.set_read_timeout(Some(parcel.timeout))?;
    stream.set_write_timeout(Some(parcel.timeout))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn write(stream: &mut TcpStream, request: &[&[u8]]) -> io::Result<()> {
    let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
    for word in request {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    stream.write_all(&bytes)
}

/// A status, or an error's text.
fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Result<(), Vec<u8>>> {
    let mut line = Vec::new();
    reader.take(LINE_MAX).read_until(b'\n', &mut line)?;
    match line.strip_suffix(b"\r\n").and_then(|line| line.split_first()) {
        Some((b'+', _)) => Ok(Ok(())),
        Some((b'-', text)) => Ok(Err(text.to_vec())),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
