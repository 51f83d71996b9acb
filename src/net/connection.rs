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
use smallvec::SmallVec;
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::time::Sleep;

/// Commands parsed ahead, whose keys are prefetched together.
const AHEAD: usize = 32;
/// After so many commands, or so much time, the thread's other connections get their turn.
const TURN_COMMANDS: usize = 1024;
const TURN_TIME: Duration = Duration::from_millis(2);
/// No read is worth its while with less room.
const ROOM_MIN: usize = 4 * 1024;
/// What an announced argument may reserve before it has arrived.
const RESERVE_AT_ONCE: usize = 1024 * 1024;
/// A client is idle after this time, for what it is granted beyond the need of the moment.
const IDLE_MS: i64 = 2000;
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
    /// Whether `input` stays with this connection when it is empty: it was needed for a request
    /// that came in part or was large, and the next may be like it.
    private_input: bool,
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
    /// Whether the handle knows how to wake this task.
    attached: bool,
}

struct Timer {
    deadline: UnixMillis,
    sleep: Pin<Box<Sleep>>,
}

impl Connection {
    pub fn new(shared: Arc<Shared>, client: Client, socket: Socket) -> Self {
        let encoder = Encoder::new(client.protocol);
        client.handle.descriptor.store(i64::from(socket.descriptor()), Relaxed);
        Connection {
            shared,
            client,
            socket,
            decoder: Decoder::new(),
            input: BytesMut::new(),
            private_input: false,
            encoder,
            sent: 0,
            output: OutputWatch::default(),
            blocked: None,
            error: None,
            closing: false,
            input_ended: false,
            soft_deadline: None,
            timer: None,
            attached: false,
        }
    }

    /// Serves the client until the connection ends.
    pub async fn serve(mut self) {
        let end = poll_fn(|cx| self.poll(cx)).await;
        let (id, stats) = (self.client.handle.id, &self.shared.stats);
        match end {
            End::QueryBuffer => stats.query_limit_closes.add(1),
            End::OutputBuffer => stats.output_limit_closes.add(1),
            End::Closed | End::Killed | End::Io(_) => {}
        }
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
        if !self.attached {
            self.attached = true;
            self.client.handle.attach(cx.waker());
        }
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
        self.limit_output();
        let mut time = TurnTime::start(&self.shared, &mut self.client);
        let mut commands = 0;
        loop {
            if self.client.handle.is_killed() {
                return Err(self.killed());
            }
            self.deliver();
            if self.blocked.is_some() && !self.resume(time.now) {
                self.flush(cx, time.now)?;
                return self.watch_blocked(cx);
            }
            self.run(&mut time, &mut commands)?;
            let written = self.flush(cx, time.now)?;
            if self.closing {
                return if written { Err(End::Closed) } else { Ok(Turn::Idle) };
            }
            if self.pending() > UNREAD_MAX {
                return Ok(Turn::Idle);
            }
            if commands >= TURN_COMMANDS || time.is_over() {
                return Ok(Turn::Yield);
            }
            if self.blocked.is_some() || self.decoder.waiting() > 0 {
                continue;
            }
            if self.read(cx)?.is_pending() {
                return Ok(Turn::Idle);
            }
            time.restart(&self.shared, &mut self.client);
            self.client.handle.last_interaction.store(time.now, Relaxed);
        }
    }

    /// Runs the commands that have arrived, until they are used up, one of them blocks, the output
    /// should be written, or the turn is over.
    fn run(&mut self, time: &mut TurnTime, commands: &mut usize) -> Result<(), End> {
        while self.blocked.is_none() && !self.closing {
            if self.decoder.waiting() == 0 {
                self.release();
                if self.error.is_none() {
                    self.parse_ahead();
                }
            }
            if self.decoder.waiting() == 0 {
                if let Some(error) = self.error.take() {
                    self.encoder.error_bytes(&error.message());
                    self.shared.stats.protocol_errors.add(1);
                    self.shared.stats.error("ERR");
                    tracing::debug!(client = self.client.handle.id, ?error, "protocol error");
                    self.closing = true;
                }
                return Ok(());
            }
            self.execute(time.now)?;
            *commands += 1;
            time.advance(&self.shared, &self.client);
            if self.pending() >= FLUSH_AT || *commands >= TURN_COMMANDS || time.is_over() {
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
        if self.decoder.waiting() > 1 {
            // The first argument is the key of nearly every command that has one; where it is
            // not, a cache line was fetched in vain.
            let keys: SmallVec<[&[u8]; AHEAD]> = (0..self.decoder.waiting())
                .filter_map(|ahead| self.decoder.peek_argument(&self.input, ahead, 1))
                .collect();
            self.shared.keyspace.prefetch(self.client.db, &keys);
        }
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
    fn resume(&mut self, now: UnixMillis) -> bool {
        let Some(block) = self.blocked else { return true };
        let due = block.deadline.is_some_and(|deadline| now >= deadline);
        if !self.client.handle.take_nudge() && !due {
            return false;
        }
        self.blocked = None;
        if block.retry {
            return true;
        }
        match dispatch::resume(&self.shared, &mut self.client, &mut self.encoder, now) {
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
            self.private_input = false;
        }
        let free = self.input.capacity() - self.input.len();
        let missing = self.decoder.missing(self.input.len());
        if missing > free {
            // The room of a very long argument grows with what has arrived of it, not with what
            // was announced. (Up to a megabyte is reserved at once: address space that takes no
            // memory until it is written, and spares the copying as it grows.)
            if missing <= RESERVE_AT_ONCE || free < buffers::READ_SIZE {
                let grow = self.input.len().max(RESERVE_AT_ONCE);
                self.input.reserve(missing.min(grow));
                self.private_input = true;
            }
        } else if free < ROOM_MIN {
            self.input.reserve(buffers::PRIVATE_SIZE);
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
        let (handle, worker) = (&self.client.handle, self.shared.stats.worker(self.client.worker));
        worker.network_in.add(count as u64);
        worker.reads.add(1);
        handle.network_in.fetch_add(count as u64, Relaxed);
        handle.query_bytes.store(self.input.len() as u64, Relaxed);
        handle.query_free.store((self.input.capacity() - self.input.len()) as u64, Relaxed);
        handle.query_peak.fetch_max(self.input.len() as u64, Relaxed);
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
            let count = (self.sent - before) as u64;
            let (handle, worker) = (&self.client.handle, self.shared.stats.worker(self.client.worker));
            worker.network_out.add(count);
            worker.writes.add(1);
            handle.network_out.fetch_add(count, Relaxed);
            handle.last_interaction.store(now, Relaxed);
        }
        if all {
            self.encoder.out.clear();
            self.sent = 0;
        } else if self.sent > self.encoder.out.len() / 2 {
            // What was sent need not be kept; moving the lesser half keeps this linear.
            self.encoder.out.drain(..self.sent);
            self.sent = 0;
        }
        self.limit_output();
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
        if self.encoder.truncated {
            return Err(End::OutputBuffer);
        }
        match self.output.judge(self.pending(), self.output_limit(), now) {
            Verdict::Close => Err(End::OutputBuffer),
            verdict => Ok(verdict),
        }
    }

    /// No reply goes on growing once the client is sure to be closed for it.
    fn limit_output(&mut self) {
        self.encoder.limit = hard_limit(self.output_limit()).saturating_add(self.sent);
    }

    fn output_limit(&self) -> OutputLimit {
        let limits = &self.client.settings.client_output_buffer_limits;
        if self.client.is_subscriber() { limits.pubsub } else { limits.normal }
    }

    /// Takes what other clients have sent this one.
    fn deliver(&mut self) {
        if self.client.handle.has_mail() {
            self.client.handle.take_mail(&mut self.encoder.out);
        }
    }

    fn killed(&self) -> End {
        if self.client.handle.output_limit_passed.load(Relaxed) { End::OutputBuffer } else { End::Killed }
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
        self.client.idle();
        if self.blocked.is_none() && self.decoder.waiting() == 0 {
            self.release();
        }
        self.rest_input();
        if self.encoder.out.is_empty() {
            buffers::give_output(std::mem::take(&mut self.encoder.out));
        }
        let handle = &self.client.handle;
        handle.query_bytes.store(self.input.len() as u64, Relaxed);
        handle.query_free.store((self.input.capacity() - self.input.len()) as u64, Relaxed);
        handle.output_bytes.store(self.pending() as u64, Relaxed);
        handle.output_capacity.store(self.encoder.out.capacity() as u64, Relaxed);
        handle.argument_bytes.store(self.decoder.argument_bytes(), Relaxed);
        handle.output_limit.store(hard_limit(self.output_limit()) as u64, Relaxed);
    }

    fn rest_input(&mut self) {
        if self.client.handle.take_trim() && self.private_input {
            // The cron has seen that so much room is not needed.
            let idle_ms = self.shared.clock.now() - self.client.handle.last_interaction.load(Relaxed);
            if idle_ms >= IDLE_MS {
                self.keep_input(0);
            } else if self.decoder.missing(self.input.len()) == 0 {
                self.keep_input(buffers::PRIVATE_SIZE);
            }
        }
        match (self.private_input, self.input.is_empty()) {
            (true, _) => {}
            (false, true) => buffers::give_input(std::mem::take(&mut self.input)),
            (false, false) if self.input.len() < buffers::PRIVATE_SIZE => {
                let shared = self.keep_input(buffers::PRIVATE_SIZE);
                buffers::give_input(shared);
            }
            (false, false) => self.private_input = true,
        }
    }

    /// Drops the commands that have run from the input.
    fn release(&mut self) {
        let done = self.decoder.release();
        self.input.advance(done);
        if self.input.is_empty() {
            // What was consumed at its head counts again as room; where it does not, the next
            // read makes some.
            let _ = self.input.try_reclaim(self.input.capacity() + 1);
        }
    }

    /// Moves the input to a buffer of its own of at least `size`; answers the one it was in.
    fn keep_input(&mut self, size: usize) -> BytesMut {
        let mut private = BytesMut::with_capacity(size.max(self.input.len()));
        private.extend_from_slice(&self.input);
        self.private_input = true;
        std::mem::replace(&mut self.input, private)
    }
}

/// The time within a turn. The wall is looked at once per read; after that the end of one command,
/// which is measured anyway, is the time of the next.
struct TurnTime {
    /// When the turn began.
    turn: Instant,
    /// When the wall was looked at, by the steady clock, and what it showed.
    base: Instant,
    wall: UnixMillis,
    now: UnixMillis,
    latest: Instant,
}

impl TurnTime {
    fn start(shared: &Shared, client: &mut Client) -> Self {
        let (base, wall) = (Instant::now(), shared.clock.now());
        client.begin(base);
        TurnTime { turn: base, base, wall, now: wall, latest: base }
    }

    /// Something was read: commands begin now.
    fn restart(&mut self, shared: &Shared, client: &mut Client) {
        let turn = self.turn;
        *self = TurnTime { turn, ..TurnTime::start(shared, client) };
    }

    /// A command has ended.
    fn advance(&mut self, shared: &Shared, client: &Client) {
        self.latest = client.lapped().unwrap_or(self.latest);
        self.now = shared.clock.after(self.wall, self.latest.duration_since(self.base));
    }

    fn is_over(&self) -> bool {
        self.latest.duration_since(self.turn) >= TURN_TIME
    }
}
