//! A connection that reads replies of either protocol, whichever comes.

use crate::{
    client::request,
    tree::{Tree, split_words},
};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// What has not come after this long will not come.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Wire {
    pub fn connect(address: SocketAddr) -> Wire {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("nodelay");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        Wire { stream, input: Vec::new() }
    }

    /// Sends; when the server has gone, the next reply tells.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    pub fn call<A: AsRef<[u8]>>(&mut self, words: &[A]) -> Tree {
        self.write(&request(words));
        self.receive()
    }

    pub fn line(&mut self, line: &str) -> Tree {
        self.call(&split_words(line))
    }

    /// Whether something has come that has not been received.
    pub fn has_input(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a mode");
        let came = self.stream.peek(&mut [0]).is_ok();
        self.stream.set_nonblocking(false).expect("a mode");
        came || !self.input.is_empty()
    }

    /// The next reply or message: [`Tree::Closed`] when the connection has ended, [`Tree::NoReply`] when none comes.
    pub fn receive(&mut self) -> Tree {
        loop {
            if let Some((tree, len)) = read(&self.input) {
                self.input.drain(..len);
                return tree;
            }
            let mut chunk = [0; 64 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Tree::Closed,
                Ok(n) => self.input.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Tree::NoReply,
                Err(_) => return Tree::Closed,
            }
        }
    }
}

/// A reply at the head of `bytes` and its length, when all of it is there.
fn read(bytes: &[u8]) -> Option<(Tree, usize)> {
    let line_end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let line = String::from_utf8_lossy(bytes.get(1..line_end)?).into_owned();
    let mut at = line_end + 2;
    let count = line.parse::<i64>().unwrap_or(-1);
    let mut several = |count: usize| {
        let items: Option<Vec<Tree>> = (0..count)
            .map(|_| {
                let (tree, len) = read(&bytes[at..])?;
                at += len;
                Some(tree)
            })
            .collect();
        items
    };
    let tree = match (bytes[0], usize::try_from(count)) {
        (b'+', _) => Tree::Simple(line),
        (b'-', _) => Tree::Error(line),
        (b':', _) => Tree::Integer(count),
        (b'_', _) | (b'$', Err(_)) => Tree::Null,
        (b'*', Err(_)) => Tree::NullArray,
        (b',', _) => Tree::Double(line.parse().unwrap_or(f64::NAN)),
        (b'#', _) => Tree::Boolean(line == "t"),
        (b'(', _) => Tree::BigNumber(line),
        (b'*', Ok(count)) => Tree::Array(several(count)?),
        (b'~', Ok(count)) => Tree::Set(several(count)?),
        (b'>', Ok(count)) => Tree::Push(several(count)?),
        (b'%', Ok(count)) => {
            let items = several(2 * count)?;
            Tree::Map(items.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
        }
        (kind @ (b'$' | b'=' | b'!'), Ok(count)) => {
            let text = bytes.get(at..at + count)?.to_vec();
            bytes.get(at + count..at + count + 2)?;
            at += count + 2;
            match kind {
                b'$' => Tree::Bulk(text),
                b'=' => Tree::Verbatim(String::from_utf8_lossy(&text[..3]).into_owned(), text[4..].to_vec()),
                _ => Tree::Error(String::from_utf8_lossy(&text).into_owned()),
            }
        }
        (other, _) => panic!("no reply begins with {:?}: {line}", char::from(other)),
    };
    Some((tree, at))
}
