//! A connection that asks in batches and reads what the scenarios need of the replies.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

/// Commands of one batch on a connection, and the bytes after which it is sent anyway.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 256 << 10;

#[derive(PartialEq, Debug)]
pub enum Reply {
    Nil,
    Line(String),
    Integer(i64),
    Bulk(Vec<u8>),
}

/// A connection that sends commands in batches.
pub struct Client {
    stream: TcpStream,
    input: BufReader<TcpStream>,
    output: Vec<u8>,
    pending: usize,
}

impl Client {
    pub fn new(stream: TcpStream) -> Client {
        stream.set_nodelay(true).expect("TCP_NODELAY");
        let input = BufReader::with_capacity(64 << 10, stream.try_clone().expect("a second handle"));
        Client { stream, input, output: Vec::new(), pending: 0 }
    }

    pub fn push(&mut self, arguments: &[&[u8]]) {
        write!(self.output, "*{}\r\n", arguments.len()).expect("memory");
        for argument in arguments {
            write!(self.output, "${}\r\n", argument.len()).expect("memory");
            self.output.extend_from_slice(argument);
            self.output.extend_from_slice(b"\r\n");
        }
        self.pending += 1;
    }

    pub fn write_out(&mut self) {
        self.stream.write_all(&self.output).expect("the server reads");
        self.output.clear();
    }

    pub fn read_in(&mut self) {
        self.answers().for_each(drop);
    }

    /// The replies to what was written out.
    pub fn answers(&mut self) -> impl Iterator<Item = Reply> {
        let count = std::mem::take(&mut self.pending);
        (0..count).map(|_| self.answer().unwrap_or_else(|error| panic!("the server says {error:?}")))
    }

    /// Sends a command with others; its reply is read and forgotten.
    pub fn send(&mut self, arguments: &[&[u8]]) {
        self.push(arguments);
        if self.pending >= BATCH || self.output.len() >= BATCH_BYTES {
            self.finish();
        }
    }

    pub fn finish(&mut self) {
        self.write_out();
        self.read_in();
    }

    pub fn call(&mut self, arguments: &[&[u8]]) -> Reply {
        self.try_call(arguments).unwrap_or_else(|error| panic!("the server says {error:?}"))
    }

    pub fn try_call(&mut self, arguments: &[&[u8]]) -> Result<Reply, String> {
        self.finish();
        self.push(arguments);
        self.write_out();
        self.pending = 0;
        self.answer()
    }

    pub fn integer(&mut self, arguments: &[&[u8]]) -> i64 {
        match self.call(arguments) {
            Reply::Integer(n) => n,
            other => panic!("{other:?} is no integer"),
        }
    }

    /// A field of INFO.
    pub fn info(&mut self, field: &str) -> Option<String> {
        let Reply::Bulk(text) = self.call(&[b"INFO", b"everything"]) else { return None };
        String::from_utf8_lossy(&text).lines().find_map(|line| line.strip_prefix(field)).map(str::to_owned)
    }

    /// Whether the server has a command, by what it says to a read of a key that is not there.
    pub fn knows(&mut self, read: &[&[u8]]) -> bool {
        match self.try_call(read) {
            Ok(_) => true,
            Err(error) if error.starts_with("ERR unknown command") => false,
            Err(error) => panic!("the server says {error:?}"),
        }
    }

    /// The next reply, or the error the server gave instead.
    fn answer(&mut self) -> Result<Reply, String> {
        let mut line = String::new();
        self.input.read_line(&mut line).expect("a reply");
        let line = line.trim_end();
        let number = || line[1..].parse::<i64>().expect("a number");
        Ok(match line.as_bytes().first() {
            Some(b':') => Reply::Integer(number()),
            Some(b'$') if number() < 0 => Reply::Nil,
            Some(b'$') => {
                let mut bytes = vec![0; number() as usize + 2];
                self.input.read_exact(&mut bytes).expect("the rest of the reply");
                bytes.truncate(bytes.len() - 2);
                Reply::Bulk(bytes)
            }
            Some(b'+') => Reply::Line(line[1..].to_owned()),
            Some(b'-') => return Err(line[1..].to_owned()),
            _ => panic!("the server says {line:?}"),
        })
    }
}
