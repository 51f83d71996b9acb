//! A client for the tests: blocking, over TCP, with `redis-protocol` for what comes back.

use crate::tree::Tree;
use bytes::BytesMut;
use flagstone::command::Protocol;
use redis_protocol::{
    resp2::{decode::decode_bytes_mut as decode_resp2, types::BytesFrame as Frame2},
    resp3::{
        decode::complete::decode_bytes_mut as decode_resp3,
        types::{BytesFrame as Frame3, VerbatimStringFormat},
    },
};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// A reply that has not come after this long will not come: a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that came from a server, read as replies of one protocol.
pub struct Replies {
    buffer: BytesMut,
    pub protocol: Protocol,
    /// The bytes of the last reply, for comparing two servers to the letter.
    pub last_raw: Vec<u8>,
}

impl Replies {
    pub fn new(protocol: Protocol) -> Replies {
        Replies { buffer: BytesMut::new(), protocol, last_raw: Vec::new() }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next reply, when all of it is here.
    pub fn next(&mut self) -> io::Result<Option<Tree>> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, format!("{error:?}"));
        if self.buffer.is_empty() {
            return Ok(None);
        }
        if let Some(error) = self.take_error() {
            return Ok(Some(error));
        }
        let null_array = self.buffer.starts_with(b"*-1\r\n");
        let (tree, raw) = match self.protocol {
            Protocol::Resp2 => match decode_resp2(&mut self.buffer).map_err(invalid)? {
                Some((_, _, raw)) if null_array => (Tree::NullArray, raw),
                Some((frame, _, raw)) => (from_resp2(frame), raw),
                None => return Ok(None),
            },
            Protocol::Resp3 => match decode_resp3(&mut self.buffer).map_err(invalid)? {
                Some((frame, _, raw)) => (from_resp3(frame), raw),
                None => return Ok(None),
            },
        };
        self.last_raw = raw.to_vec();
        Ok(Some(tree))
    }
}

impl Replies {
    /// An error reply. The decoder insists on UTF-8 there, but errors repeat what clients sent.
    fn take_error(&mut self) -> Option<Tree> {
        let end = self.buffer.starts_with(b"-").then(|| self.buffer.windows(2).position(|pair| pair == b"\r\n"))??;
        self.last_raw = self.buffer.split_to(end + 2).to_vec();
        Some(Tree::Error(text(&self.last_raw[1..end])))
    }
}

pub struct Client {
    stream: TcpStream,
    pub replies: Replies,
}

impl Client {
    /// What the server sees as its peer.
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("the socket is connected")
    }

    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("nodelay");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        Client { stream, replies: Replies::new(Protocol::Resp2) }
    }

    /// Connects and, for RESP3, says HELLO.
    pub fn connect_as(address: SocketAddr, protocol: Protocol) -> Client {
        let mut client = Client::connect(address);
        if protocol == Protocol::Resp3 {
            client.send(&["HELLO", "3"]);
            client.replies.protocol = Protocol::Resp3;
            let hello = client.receive();
            assert!(matches!(hello, Tree::Map(_)), "HELLO 3 answered {hello}");
        }
        client
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) {
        self.write(&request(args)).expect("the request is taken");
    }

    /// Sends a command and waits for its reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Tree {
        self.send(args);
        self.receive()
    }

    /// Sends one command written as a line.
    pub fn line(&mut self, line: &str) -> Tree {
        self.call(&crate::tree::split_words(line))
    }

    pub fn receive(&mut self) -> Tree {
        self.try_receive().expect("a reply")
    }

    /// The next reply; an error of kind `UnexpectedEof` when the server has closed.
    pub fn try_receive(&mut self) -> io::Result<Tree> {
        loop {
            if let Some(tree) = self.replies.next()? {
                return Ok(tree);
            }
            let mut chunk = [0; 64 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.replies.feed(&chunk[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether something has come that has not been received.
    pub fn has_reply(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a mode");
        let came = self.stream.peek(&mut [0]).is_ok();
        self.stream.set_nonblocking(false).expect("a mode");
        came
    }

    /// Reads until the server closes; what came before that.
    pub fn receive_until_closed(&mut self) -> Vec<Tree> {
        let mut replies = Vec::new();
        while let Ok(tree) = self.try_receive() {
            replies.push(tree);
        }
        replies
    }

    /// Reads and forgets all until the server closes, whatever it is.
    pub fn drain(&mut self) {
        let _ = io::copy(&mut self.stream, &mut io::sink());
    }

    /// Whether the server has closed this connection, all replies read.
    pub fn is_closed(&mut self) -> bool {
        matches!(
            self.try_receive().map_err(|error| error.kind()),
            Err(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
        )
    }

    /// Ends the sending side; the server may still answer.
    pub fn finish_sending(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// A command as clients send it: an array of bulk strings.
pub fn request<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn from_resp2(frame: Frame2) -> Tree {
    match frame {
        Frame2::SimpleString(data) => Tree::Simple(text(&data)),
        Frame2::Error(data) => Tree::Error(data.to_string()),
        Frame2::Integer(n) => Tree::Integer(n),
        Frame2::BulkString(data) => Tree::Bulk(data.to_vec()),
        Frame2::Array(items) => Tree::Array(items.into_iter().map(from_resp2).collect()),
        Frame2::Null => Tree::Null,
    }
}

fn from_resp3(frame: Frame3) -> Tree {
    let all = |items: Vec<Frame3>| items.into_iter().map(from_resp3).collect();
    match frame {
        Frame3::BlobString { data, .. } => Tree::Bulk(data.to_vec()),
        Frame3::BlobError { data, .. } => Tree::Error(text(&data)),
        Frame3::SimpleString { data, .. } => Tree::Simple(text(&data)),
        Frame3::SimpleError { data, .. } => Tree::Error(data.to_string()),
        Frame3::Boolean { data, .. } => Tree::Boolean(data),
        Frame3::Null => Tree::Null,
        Frame3::Number { data, .. } => Tree::Integer(data),
        Frame3::Double { data, .. } => Tree::Double(data),
        Frame3::BigNumber { data, .. } => Tree::BigNumber(text(&data)),
        Frame3::VerbatimString { data, format, .. } => {
            let format = match format {
                VerbatimStringFormat::Text => "txt",
                VerbatimStringFormat::Markdown => "mkd",
            };
            Tree::Verbatim(format.to_string(), data.to_vec())
        }
        Frame3::Array { data, .. } => Tree::Array(all(data)),
        Frame3::Push { data, .. } => Tree::Push(all(data)),
        Frame3::Set { data, .. } => Tree::Set(data.into_iter().map(from_resp3).collect()),
        Frame3::Map { data, .. } => {
            // The decoder fills the map from its end.
            Tree::Map(data.into_iter().rev().map(|(key, value)| (from_resp3(key), from_resp3(value))).collect())
        }
        other => panic!("a reply that no command sends: {other:?}"),
    }
}
