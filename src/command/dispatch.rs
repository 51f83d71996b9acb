//! The one way from a request to its handler.

use super::{Args, Client, Reply, Shared};
use crate::util::clock::UnixMillis;

/// What the connection does after a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    Continue,
    /// Close the connection once the replies written so far are sent.
    Close,
    Block(Block),
}

/// The client's further commands wait until its handle is nudged or the deadline passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// True: the same command is then executed again (CLIENT PAUSE). False: `resume` writes what
    /// the command still owes (blocking commands).
    pub retry: bool,
    pub deadline: Option<UnixMillis>,
}

pub fn execute(
    _shared: &Shared,
    _client: &mut Client,
    args: &Args<'_>,
    reply: &mut dyn Reply,
    _now: UnixMillis,
) -> Flow {
    match args {
        [name] if name.eq_ignore_ascii_case(b"ping") => reply.simple("PONG"),
        [name, ..] => reply.error(&format!("ERR unknown command '{}'", String::from_utf8_lossy(name))),
        [] => {}
    }
    Flow::Continue
}

/// Called for a client that `Block` without `retry` holds, when it was nudged or its deadline
/// passed. `Continue`: its reply is written, go on with the next command.
pub fn resume(_shared: &Shared, _client: &mut Client, _reply: &mut dyn Reply, _now: UnixMillis) -> Flow {
    Flow::Continue
}
