//! One connection: a task that reads requests, runs them and writes the replies.
//!
//! The task is one hand-written state machine rather than nested futures, so that its order is
//! plain: what others sent the client comes first, then output, then waiting commands, then input.
//!
//! ```text
//!   mailbox --> output --> socket        (step: deliver, flush)
//!   socket --> input --> decoder --> dispatch --> output       (step: run, read)
//! ```

use super::{
    buffers,
    output::{OutputWatch, Verdict, hard_limit},
    socket::Socket,
};
use crate::{
    command::{Block, Client, Flow, Shared, dispatch},
    config::OutputLimit,
    resp::{Decoder, Encoder, Limits, ProtocolError, decode::Arguments},
    util::clock::UnixMillis,
};
use bytes::{Buf, BytesMut};
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Sleep;

/// Commands parsed ahead, whose keys are prefetched together.
const AHEAD: usize = 32;
/// After so many commands, or so many milliseconds, the thread's other connections get their turn.
const TURN_COMMANDS: usize = 1024;
const TURN_MS: i64 = 2;
/// Input that a blocked client may pile up before its connection stops reading.
const BLOCKED_INPUT_MAX: usize = 1024 * 1024;
/// Before AUTH a client needs no more than this (as in Redis).
const UNAUTHENTICATED_QUERY_MAX: u64 = 1024 * 1024;
/// Output that is written before more commands run, so that a long pipeline of large replies does
/// not pile them all up when the socket would take them.
const FLUSH_AT: usize = 256 * 1024;
/// A client without an output limit that leaves this much unread gets no more commands run until
/// it reads. (Redis goes on until memory ends.)
const UNREAD_MAX: usize = 1 << 30;

/// Why a connection ends. The reasons an operator acts on are logged.
#[derive(Debug)]
enum End {
    /// The client closed, asked for it, or was told why by a reply.
    Closed,
    Killed,
    Io(io::Error),
    QueryBuffer,
    OutputBuffer,
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        End::Io(error)
    }
}

/// A turn ended without the connection ending.
enum Turn {
    /// Everything that can be done is done; wakers are set.
    Idle,
    /// There is more to do, after the others.
    Yield,
}

pub struct Connection {
    shared: Arc<Shared>,
    client: Client,
    socket: Socket,
    decoder: Decoder,
    input: BytesMut,
    encoder: Encoder,
    /// How much of the encoder's output the socket has taken.
    sent: usize,
    output: OutputWatch,
    /// A command of this client waits; those behind it do, too.
    blocked: Option<Block>,
    /// A request could not be understood: to be answered behind the commands before it.
    error: Option<ProtocolError>,
    /// Send what there is and end.
    closing: bool,
    /// The client has sent all it will.
    input_ended: bool,
    /// When the output's soft limit will have been passed for too long.
    soft_deadline: Option<UnixMillis>,
    timer: Option<Timer>,
}

struct Timer {
    deadline: UnixMillis,
    sleep: Pin<Box<Sleep>>,
}

impl Connection {
    pub fn new(shared: Arc<Shared>, client: Client, socket: Socket) -> Self {
        let encoder = Encoder::new(client.protocol);
        Connection {
            shared,
            client,
            socket,
            decoder: Decoder::new(),
            input: BytesMut::new(),
            encoder,
            sent: 0,
            output: OutputWatch::default(),
            blocked: None,
            error: None,
            closing: false,
            input_ended: false,
            soft_deadline: None,
            timer: None,
        }
    }

    /// Serves the client until the connection ends.
    pub async fn serve(mut self) {
        let end = poll_fn(|cx| self.poll(cx)).await;
        let id = self.client.handle.id;
        match end {
            End::Closed => tracing::debug!(client = id, "client closed the connection"),
            End::Killed => tracing::debug!(client = id, "connection closed by the server"),
            End::Io(error) => tracing::debug!(client = id, %error, "connection lost"),
            End::QueryBuffer => tracing::warn!(
                client = id,
                bytes = self.input.len(),
                "closing a client that reached the maximum query buffer length"
            ),
            End::OutputBuffer => tracing::warn!(
                client = id,
                bytes = self.pending(),
                "closing a client for overcoming of output buffer limits"
            ),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.client.handle.attach(cx.waker());
        if self.encoder.out.capacity() == 0 {
            self.encoder.out = buffers::take_output();
        }
        let turn = self.turn(cx);
        self.rest();
        match turn {
            Err(end) => return Poll::Ready(end),
            Ok(Turn::Idle) => self.arm(cx),
            Ok(Turn::Yield) => cx.waker().wake_by_ref(),
        }
        Poll::Pending
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Result<Turn, End> {
        self.client.refresh_settings();
        let started = self.shared.clock.now();
        let mut now = started;
        let mut commands = 0;
        loop {
            if self.client.handle.is_killed() {
                return Err(self.killed());
            }
            self.deliver();
            if self.blocked.is_some() && !self.resume(&mut now) {
                self.flush(cx, now)?;
                return self.watch_blocked(cx);
            }
            self.run(&mut now, &mut commands, started)?;
            let written = self.flush(cx, now)?;
            if self.closing {
                return if written { Err(End::Closed) } else { Ok(Turn::Idle) };
            }
            if self.pending() > UNREAD_MAX {
                return Ok(Turn::Idle);
            }
            if commands >= TURN_COMMANDS || now - started >= TURN_MS {
                return Ok(Turn::Yield);
            }
            if self.blocked.is_some() || self.decoder.waiting() > 0 {
                continue;
            }
            if self.read(cx)?.is_pending() {
                return Ok(Turn::Idle);
            }
            now = self.shared.clock.now();
        }
    }

    /// Runs the commands that have arrived, until they are used up, one of them blocks, the output
    /// should be written, or the turn is over.
    fn run(&mut self, now: &mut UnixMillis, commands: &mut usize, started: UnixMillis) -> Result<(), End> {
        while self.blocked.is_none() && !self.closing {
            if self.decoder.waiting() == 0 {
                let done = self.decoder.release();
                self.input.advance(done);
                if self.error.is_none() {
                    self.parse_ahead();
                }
            }
            if self.decoder.waiting() == 0 {
                if let Some(error) = self.error.take() {
                    self.encoder.error_bytes(&error.message());
                    tracing::debug!(client = self.client.handle.id, ?error, "protocol error");
                    self.closing = true;
                }
                return Ok(());
            }
            self.execute(*now)?;
            *commands += 1;
            *now = self.shared.clock.now();
            if self.pending() >= FLUSH_AT || *commands >= TURN_COMMANDS || *now - started >= TURN_MS {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Parses the next commands and has their keys' memory fetched while the first ones run.
    fn parse_ahead(&mut self) {
        let limits =
            Limits { bulk_max: self.client.settings.proto_max_bulk_len, authenticated: self.client.authenticated };
        // What may follow AUTH is not to be judged by the limits before it.
        let most = if limits.authenticated { AHEAD } else { 1 };
        self.error = self.decoder.parse(&mut self.input, &limits, most).err();
    }

    /// Runs the next command.
    fn execute(&mut self, now: UnixMillis) -> Result<(), End> {
        let Some(arguments): Option<Arguments<'_>> = self.decoder.peek(&self.input, 0) else { return Ok(()) };
        match dispatch::execute(&self.shared, &mut self.client, &arguments, &mut self.encoder, now) {
            Flow::Continue => self.decoder.pop(),
            Flow::Close => {
                self.decoder.pop();
                self.closing = true;
            }
            Flow::Block(block) => {
                if !block.retry {
                    self.decoder.pop();
                }
                self.blocked = Some(block);
            }
        }
        drop(arguments);
        self.deliver();
        self.judge_output(now).map(drop)
    }

    /// Asks whether a blocked client may go on; false when it stays blocked.
    fn resume(&mut self, now: &mut UnixMillis) -> bool {
        let Some(block) = self.blocked else { return true };
        *now = self.shared.clock.now();
        let due = block.deadline.is_some_and(|deadline| *now >= deadline);
        if !self.client.handle.take_nudge() && !due {
            return false;
        }
        self.blocked = None;
        if block.retry {
            return true;
        }
        match dispatch::resume(&self.shared, &mut self.client, &mut self.encoder, *now) {
            Flow::Continue => {}
            Flow::Close => self.closing = true,
            Flow::Block(block) => self.blocked = Some(block),
        }
        self.blocked.is_none()
    }

    /// While a client is blocked its input is read, so that its departure is noticed.
    fn watch_blocked(&mut self, cx: &mut Context<'_>) -> Result<Turn, End> {
        while self.input.len() < BLOCKED_INPUT_MAX && !self.input_ended {
            match self.read(cx)? {
                Poll::Ready(()) if self.input_ended => return Err(End::Closed),
                Poll::Ready(()) => {}
                Poll::Pending => break,
            }
        }
        Ok(Turn::Idle)
    }

    /// Reads once.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, End> {
        if self.input.capacity() == 0 {
            self.input = buffers::take_input();
        }
        // A long argument's room grows with what has arrived of it, never with what was announced.
        let missing = self.decoder.missing(self.input.len());
        let room = missing.min(self.input.len()).max(buffers::READ_SIZE);
        if self.input.capacity() - self.input.len() < room.min(buffers::READ_SIZE / 4) {
            self.input.reserve(room);
        }
        let count = match self.socket.poll_read(cx, &mut self.input) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(result) => result?,
        };
        if count == 0 {
            self.input_ended = true;
            self.closing = true;
            return Ok(Poll::Ready(()));
        }
        let handle = &self.client.handle;
        handle.network_in.fetch_add(count as u64, Ordering::Relaxed);
        handle.last_interaction.store(self.shared.clock.now(), Ordering::Relaxed);
        handle.query_bytes.store(self.input.len() as u64, Ordering::Relaxed);
        handle.query_free.store((self.input.capacity() - self.input.len()) as u64, Ordering::Relaxed);
        let limit = match self.client.authenticated {
            true => self.client.settings.client_query_buffer_limit,
            false => self.client.settings.client_query_buffer_limit.min(UNAUTHENTICATED_QUERY_MAX),
        };
        if self.input.len() as u64 > limit { Err(End::QueryBuffer) } else { Ok(Poll::Ready(())) }
    }

    /// Writes what the socket takes; true when nothing is left.
    fn flush(&mut self, cx: &mut Context<'_>, now: UnixMillis) -> Result<bool, End> {
        let before = self.sent;
        let mut all = true;
        while self.sent < self.encoder.out.len() {
            match self.socket.poll_write(cx, &self.encoder.out[self.sent..]) {
                Poll::Ready(Ok(0)) => return Err(End::Closed),
                Poll::Ready(Ok(count)) => self.sent += count,
                Poll::Ready(Err(error)) => return Err(End::Io(error)),
                Poll::Pending => {
                    all = false;
                    break;
                }
            }
        }
        if self.sent > before {
            let handle = &self.client.handle;
            handle.network_out.fetch_add((self.sent - before) as u64, Ordering::Relaxed);
            handle.last_interaction.store(now, Ordering::Relaxed);
        }
        if all {
            self.encoder.out.clear();
            self.sent = 0;
        } else if self.sent > self.encoder.out.len() / 2 {
            // What was sent need not be kept; moving the lesser half keeps this linear.
            self.encoder.out.drain(..self.sent);
            self.sent = 0;
        }
        self.soft_deadline = match self.judge_output(now)? {
            Verdict::Until(until) => Some(until),
            Verdict::Fine | Verdict::Close => None,
        };
        Ok(all)
    }

    /// Bytes the client has not taken.
    fn pending(&self) -> usize {
        self.encoder.out.len() - self.sent
    }

    fn judge_output(&mut self, now: UnixMillis) -> Result<Verdict, End> {
        match self.output.judge(self.pending(), self.output_limit(), now) {
            Verdict::Close => Err(End::OutputBuffer),
            verdict => Ok(verdict),
        }
    }

    fn output_limit(&self) -> OutputLimit {
        self.client.settings.client_output_buffer_limits.normal
    }

    /// Takes what other clients have sent this one.
    fn deliver(&mut self) {
        if self.client.handle.has_mail() {
            self.client.handle.take_mail(&mut self.encoder.out);
        }
    }

    fn killed(&self) -> End {
        if self.client.handle.output_limit_passed.load(Ordering::Relaxed) { End::OutputBuffer } else { End::Killed }
    }

    /// Has the task woken when something is due that no byte will announce.
    fn arm(&mut self, cx: &mut Context<'_>) {
        let blocked = self.blocked.and_then(|block| block.deadline);
        let Some(deadline) = [blocked, self.soft_deadline].into_iter().flatten().min() else {
            self.timer = None;
            return;
        };
        if self.timer.as_ref().is_none_or(|timer| timer.deadline != deadline || timer.sleep.is_elapsed()) {
            let wait = u64::try_from(deadline - self.shared.clock.now()).unwrap_or(0);
            let sleep = Box::pin(tokio::time::sleep(Duration::from_millis(wait)));
            self.timer = Some(Timer { deadline, sleep });
        }
        if let Some(timer) = &mut self.timer
            && timer.sleep.as_mut().poll(cx).is_ready()
        {
            cx.waker().wake_by_ref();
        }
    }

    /// The turn is over: gives back the buffers that hold nothing, and notes for CLIENT LIST what
    /// the others hold.
    fn rest(&mut self) {
        if self.blocked.is_none() && self.decoder.waiting() == 0 {
            let done = self.decoder.release();
            self.input.advance(done);
        }
        if self.input.is_empty() && self.input.capacity() > 0 {
            buffers::give_input(std::mem::take(&mut self.input));
        }
        if self.encoder.out.is_empty() {
            buffers::give_output(std::mem::take(&mut self.encoder.out));
        }
        let handle = &self.client.handle;
        handle.query_bytes.store(self.input.len() as u64, Ordering::Relaxed);
        handle.query_free.store((self.input.capacity() - self.input.len()) as u64, Ordering::Relaxed);
        handle.output_bytes.store(self.pending() as u64, Ordering::Relaxed);
        handle.output_capacity.store(self.encoder.out.capacity() as u64, Ordering::Relaxed);
        handle.argument_bytes.store(self.decoder.argument_bytes(), Ordering::Relaxed);
        handle.output_limit.store(hard_limit(self.output_limit()) as u64, Ordering::Relaxed);
    }
}
