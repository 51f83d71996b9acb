//! One connection: reads requests, runs them and writes the replies.
//!
//! It is one hand-written state machine rather than nested futures, so that its order is
//! plain: what others sent the client comes first, then output, then waiting commands, then input.
//!
//! ```text
//!   mailbox --> output --> socket        (step: deliver, flush)
//!   socket --> input --> decoder --> dispatch --> output       (step: run, read)
//! ```

use super::{
    bringing::Bringing,
    input::{AHEAD, Input},
    output::{LimitPassed, Output, hard_limit},
    socket::Socket,
    turn::Turn,
    warming::{self, Warming},
    watch::{News, Watch},
};
use crate::{
    command::{Block, Client, Flow, Reply, Shared, client_memory, dispatch},
    config::{AppendFsync, ClientMemory, OutputLimit},
    keyspace::KnownHash,
    resp::{Limits, ProtocolError, decode::Arguments},
    util::clock::UnixMillis,
};
use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

/// A client is idle after this time, for what it is granted beyond the need of the moment.
const IDLE_MS: i64 = 2000;
/// Input that a blocked client may pile up before its connection stops reading.
const BLOCKED_INPUT_MAX: usize = 1024 * 1024;
/// Before AUTH a client needs no more than this (as in Redis).
const UNAUTHENTICATED_QUERY_MAX: u64 = 1024 * 1024;
/// What it leaves unread is no more than what is never counted.
const UNAUTHENTICATED_OUTPUT: OutputLimit = OutputLimit { hard_bytes: 1, soft_bytes: 0, soft_seconds: 0 };
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

impl From<LimitPassed> for End {
    fn from(_: LimitPassed) -> Self {
        End::OutputBuffer
    }
}

/// How a turn ended, for the connection's thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Served {
    /// It waits for news of its socket, or to be called.
    Waits,
    /// It has more to do, after the others.
    Again,
    Ended,
}

/// A turn ended without the connection ending.
enum Next {
    /// Everything that can be done is done; wakers are set.
    Wait,
    /// There is more to do, after the others.
    Yield,
}

pub struct Connection {
    shared: Arc<Shared>,
    client: Client,
    socket: Socket,
    input: Input,
    output: Output,
    /// A command of this client waits; those behind it do, too.
    blocked: Option<Block>,
    /// A request could not be understood: to be answered behind the commands before it.
    error: Option<ProtocolError>,
    /// Send what there is and end.
    closing: bool,
    /// Something has come from the client: it is not idle.
    heard: bool,
    /// No other connection of the thread has its turn.
    alone: bool,
    /// The replies have been put off once.
    put_off: bool,
    /// The commands that have been read wait for their memory.
    warming: Option<Warming>,
    /// The next command waits for the disk.
    bringing: Bringing,
    /// Whether the handle knows how to call this connection.
    attached: bool,
    /// What it held when it last looked whether all hold too much.
    judged_memory: u64,
}

impl Connection {
    pub fn new(shared: Arc<Shared>, client: Client, mut socket: Socket) -> Self {
        client.handle.descriptor.store(i64::from(socket.descriptor()), Relaxed);
        Connection {
            output: Output::new(client.protocol, shared.keyspace.arena()),
            shared,
            client,
            socket,
            input: Input::default(),
            blocked: None,
            error: None,
            closing: false,
            heard: false,
            alone: false,
            put_off: false,
            warming: None,
            bringing: Bringing::default(),
            attached: false,
            judged_memory: 0,
        }
    }

    /// Comes to a thread, which from now on tells it what is new, ...
    pub fn join(&mut self, watch: &Watch, number: usize) -> io::Result<()> {
        self.socket.join(watch, number)
    }

    /// ... and goes to another (in the middle of a command of another client, so that it must not end there).
    pub fn leave(&mut self, watch: &Watch) {
        (self.warming, self.attached) = (None, false);
        self.socket.leave(watch);
    }

    /// It is served by another worker.
    pub fn move_to(&mut self, worker: usize) {
        self.client.worker = worker;
    }

    pub fn hear(&mut self, news: News) {
        self.socket.hear(news);
    }

    /// Serves the client for a turn. One who is alone with its turn waits for nobody.
    pub fn poll_served(&mut self, cx: &mut Context<'_>, alone: bool) -> Served {
        self.alone = alone;
        match self.poll(cx) {
            Ok(Next::Wait) => Served::Waits,
            Ok(Next::Yield) => Served::Again,
            Err(end) => {
                self.socket.say_goodbye(cx);
                self.note_end(end);
                Served::Ended
            }
        }
    }

    fn note_end(&self, end: End) {
        let (id, stats) = (self.client.handle.id, &self.shared.stats);
        match end {
            End::Closed => tracing::debug!(client = id, "client closed the connection"),
            End::Killed => tracing::debug!(client = id, "connection closed by the server"),
            End::Io(error) => tracing::debug!(client = id, %error, "connection lost"),
            End::QueryBuffer => {
                stats.query_limit_closes.add(1);
                let bytes = self.input.len();
                tracing::warn!(client = id, bytes, "closing a client that reached the maximum query buffer length");
            }
            End::OutputBuffer => {
                stats.output_limit_closes.add(1);
                let bytes = self.output.pending();
                tracing::warn!(client = id, bytes, "closing a client for overcoming of output buffer limits");
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Result<Next, End> {
        if !self.attached {
            self.attached = true;
            self.client.handle.attach(cx.waker());
        }
        self.client.refresh_settings();
        if let Some(warming) = self.warming.take() {
            warming.end(|db, hashes| self.shared.keyspace.fetch(db, hashes, |_| None));
            // The others have read in the meantime.
            self.put_off = true;
        } else if self.is_at_rest() && self.begin(cx)? {
            return Ok(Next::Yield);
        }
        let mut turn = Turn::begin(&self.shared, &mut self.client);
        let next = self.turn(cx, &mut turn);
        turn.end(&self.shared, self.client.worker);
        if let Err(End::OutputBuffer) = next {
            // Others need not give way to what will be free in a moment.
            self.client.handle.kill();
        }
        if self.warming.is_none() {
            self.rest();
        }
        next
    }

    /// Whether nothing has come from the client, and nothing is owed to it.
    fn is_at_rest(&self) -> bool {
        self.input.len() == 0
            && self.output.pending() == 0
            && self.blocked.is_none()
            && self.error.is_none()
            && !self.closing
            && !self.client.handle.has_mail()
    }

    /// Reads what has woken a connection at rest. True when it lets others do so before it runs the commands; otherwise
    /// its turn goes on.
    fn begin(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.read(cx)?.is_ready() && !self.closing {
            self.parse_ahead();
        }
        Ok(self.warming.is_some())
    }

    fn turn(&mut self, cx: &mut Context<'_>, turn: &mut Turn) -> Result<Next, End> {
        loop {
            if self.client.handle.is_killed() {
                return Err(self.killed());
            }
            // The reply of what it has waited for comes before what it is told because of that.
            let waits = self.blocked.is_some() && !self.resume(turn.now);
            self.output.take_mail(&self.client.handle);
            if waits {
                self.flush(cx, turn.now)?;
                return self.watch_blocked(cx);
            }
            if self.bringing.waits(cx) {
                self.flush(cx, turn.now)?;
                return Ok(Next::Wait);
            }
            self.run(turn)?;
            if self.bringing.is_under_way() {
                continue;
            }
            if self.warming.is_some() {
                return Ok(Next::Yield);
            }
            if turn.is_over() && self.input.waiting() > 0 && self.blocked.is_none() && self.output.is_light() {
                return Ok(Next::Yield);
            }
            if self.puts_off_writing() {
                return Ok(Next::Yield);
            }
            self.flush(cx, turn.now)?;
            if self.closing {
                return if self.output.pending() == 0 && !self.socket.holds() {
                    Err(End::Closed)
                } else {
                    Ok(Next::Wait)
                };
            }
            if self.output.pending() > UNREAD_MAX {
                return Ok(Next::Wait);
            }
            if turn.is_over() {
                return Ok(Next::Yield);
            }
            if self.blocked.is_some() || self.input.waiting() > 0 {
                continue;
            }
            let Poll::Ready(bytes) = self.read(cx)? else { return Ok(Next::Wait) };
            turn.has_read(bytes, &self.shared, &mut self.client);
        }
    }

    /// Whether the replies wait until the other connections that have input have had it read. Replies
    /// that are written in a row find their reader, which is often one process, awake already: to
    /// wake it up for each costs more than the write.
    fn puts_off_writing(&mut self) -> bool {
        let waits =
            !self.alone && !self.put_off && !self.closing && self.output.pending() > 0 && self.output.is_light();
        self.put_off = waits;
        waits
    }

    /// Runs the commands that have arrived, until they are used up, one of them blocks, the output
    /// should be written, or the turn is over.
    fn run(&mut self, turn: &mut Turn) -> Result<(), End> {
        if self.input.len() == 0 && self.error.is_none() {
            return Ok(());
        }
        if std::mem::take(&mut self.heard) {
            self.client.handle.last_interaction.store(turn.now, Relaxed);
        }
        // A client that changed class, or a changed setting, is held to its limit from here.
        self.output.judge(self.output_limit(), turn.now)?;
        while self.blocked.is_none() && !self.closing {
            if self.input.waiting() == 0 {
                self.input.release();
                self.parse_ahead();
                if self.warming.is_some() {
                    return Ok(());
                }
            }
            if self.input.waiting() == 0 {
                self.answer_error();
                return Ok(());
            }
            self.output.wake();
            self.execute(turn.now);
            if self.bringing.is_under_way() {
                return Ok(());
            }
            turn.advance(&self.shared, &self.client);
            if self.blocked.is_none() {
                self.output.take_mail(&self.client.handle);
            }
            if !self.output.is_light() {
                self.output.judge(self.output_limit(), turn.now)?;
            }
            if self.output.pending() >= FLUSH_AT || turn.is_over() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Parses the next commands and has their memory fetched: now, or, when they are few, together with that of other
    /// connections.
    fn parse_ahead(&mut self) {
        if self.error.is_some() || self.input.len() == 0 {
            return;
        }
        let settings = &self.client.settings;
        let limits = Limits {
            bulk_max: settings.proto_max_bulk_len,
            inline_max: settings.proto_inline_max_size,
            authenticated: self.client.authenticated,
        };
        // What may follow AUTH is not to be judged by the limits before it.
        let most = if limits.authenticated { AHEAD } else { 1 };
        let keyspace = &self.shared.keyspace;
        self.error = self.input.parse_ahead(&limits, most, |key| keyspace.hash(key)).err();
        self.count_pipeline(self.input.waiting() as u64);
        let hashes = self.input.hashes();
        if hashes.iter().any(|hash| *hash != 0) {
            // Nobody waits for a reply while others are served.
            if !self.alone && hashes.len() <= warming::COMMANDS_MAX && self.output.pending() == 0 {
                self.warming = Warming::begin(self.client.db, hashes);
            }
            if self.warming.is_none() && hashes.len() > 1 {
                keyspace.fetch(self.client.db, hashes, |ahead| self.input.likely_element(ahead));
            }
        }
    }

    /// Counts requests that came together.
    fn count_pipeline(&self, requests: u64) {
        if requests > 0 {
            let (worker, handle) = (self.shared.stats.worker(self.client.worker), &self.client.handle);
            worker.pipelined.add(requests);
            worker.pipelines.add(1);
            handle.pipelined.add(requests);
            handle.pipelines.add(1);
        }
    }

    /// Answers what could not be understood, once the commands before it have run.
    fn answer_error(&mut self) {
        let Some(error) = self.error.take() else { return };
        self.output.encoder.error(&error.message());
        self.shared.stats.protocol_errors.add(1);
        self.shared.stats.error("ERR");
        tracing::debug!(client = self.client.handle.id, ?error, "protocol error");
        self.closing = true;
    }

    /// Runs the next command.
    fn execute(&mut self, now: UnixMillis) {
        let mut arguments = Arguments::default();
        if !self.input.arguments(&mut arguments) {
            return;
        }
        self.client.may_wait = self.shared.keyspace.arena().is_loading();
        let known = match (arguments.get(1), self.input.hash()) {
            (Some(key), hash @ 1..) => KnownHash::new(key, hash),
            _ => KnownHash::NONE,
        };
        let reply = &mut self.output.encoder;
        match dispatch::execute(&self.shared, &mut self.client, &arguments, known, reply, now) {
            // It runs again when the client wakes up.
            Flow::Block(block) if block.retry => return self.blocked = Some(block),
            Flow::Block(block) => self.blocked = Some(block),
            Flow::Absent => {
                return self.bringing = Bringing::begin(&self.shared, std::mem::take(&mut self.client.absent));
            }
            Flow::Close => self.closing = true,
            Flow::Continue => {}
        }
        drop(arguments);
        self.input.pop();
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
        match dispatch::resume(&self.shared, &mut self.client, &mut self.output.encoder, now) {
            Flow::Continue | Flow::Absent => {}
            Flow::Close => self.closing = true,
            Flow::Block(block) => self.blocked = Some(block),
        }
        self.blocked.is_none()
    }

    /// While a client is blocked its input is read, so that its departure is noticed.
    fn watch_blocked(&mut self, cx: &mut Context<'_>) -> Result<Next, End> {
        while self.input.len() < BLOCKED_INPUT_MAX {
            match self.read(cx)? {
                Poll::Ready(_) if self.closing => return Err(End::Closed),
                Poll::Ready(_) => {}
                Poll::Pending => break,
            }
        }
        Ok(Next::Wait)
    }

    /// Reads once; answers how many bytes. A client that has sent all it will still gets its replies.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<Poll<usize>, End> {
        let count = match self.input.read(cx, &mut self.socket, self.shared.keyspace.arena()) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(result) => result?,
        };
        if count == 0 {
            self.closing = true;
            return Ok(Poll::Ready(0));
        }
        self.heard = true;
        let worker = self.shared.stats.worker(self.client.worker);
        worker.network_in.add(count as u64);
        worker.reads.add(1);
        self.client.handle.network_in.fetch_add(count as u64, Relaxed);
        self.client.handle.reads.add(1);
        self.show_input();
        self.mind_memory();
        let limit = match self.client.authenticated {
            true => self.client.settings.client_query_buffer_limit,
            false => self.client.settings.client_query_buffer_limit.min(UNAUTHENTICATED_QUERY_MAX),
        };
        if self.input.len() as u64 > limit { Err(End::QueryBuffer) } else { Ok(Poll::Ready(count)) }
    }

    /// Writes what the socket takes.
    fn flush(&mut self, cx: &mut Context<'_>, now: UnixMillis) -> Result<(), End> {
        if self.output.pending() == 0 && !self.socket.holds() && self.output.deadline.is_none() {
            return Ok(());
        }
        if self.client.waits_to_be_kept() {
            return Ok(());
        }
        self.keep_before_reply()?;
        let count = self.output.flush(cx, &mut self.socket)? as u64;
        if count > 0 {
            let worker = self.shared.stats.worker(self.client.worker);
            worker.network_out.add(count);
            worker.writes.add(1);
            self.client.handle.network_out.fetch_add(count, Relaxed);
            self.client.handle.last_interaction.store(now, Relaxed);
        }
        self.output.judge(self.output_limit(), now)?;
        Ok(())
    }

    /// What the replies acknowledge is in the append-only file before they go, and with `appendfsync always` on the disk.
    /// The one who comes first writes what all have changed. While the file takes nothing, those who only read are served.
    fn keep_before_reply(&mut self) -> Result<(), End> {
        let log = self.shared.keyspace.log();
        if log.is_on() && self.output.pending() > 0 {
            let always = self.client.settings.append_fsync == AppendFsync::Always;
            let result = log.commit(always);
            // What is not safe is not acknowledged.
            if std::mem::take(&mut self.client.has_written) && always {
                result?;
            }
        }
        Ok(())
    }

    fn output_limit(&self) -> OutputLimit {
        let limits = &self.client.settings.client_output_buffer_limits;
        if !self.client.authenticated {
            return UNAUTHENTICATED_OUTPUT;
        }
        if self.client.is_subscriber() { limits.pubsub } else { limits.normal }
    }

    fn killed(&self) -> End {
        if self.client.handle.output_limit_passed.load(Relaxed) { End::OutputBuffer } else { End::Killed }
    }

    /// When something is due that no byte will announce.
    pub fn deadline(&self) -> Option<UnixMillis> {
        let blocked = self.blocked.and_then(|block| block.deadline);
        match (blocked, self.output.deadline) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// The turn is over: gives back the buffers that hold nothing, and notes for CLIENT LIST what
    /// the others hold.
    fn rest(&mut self) {
        self.client.idle();
        if self.blocked.is_none() && self.input.waiting() == 0 {
            self.input.release();
        }
        if self.client.handle.take_trim() {
            let idle_ms = self.shared.clock.now() - self.client.handle.last_interaction.load(Relaxed);
            self.input.trim(idle_ms >= IDLE_MS);
        }
        self.input.rest();
        self.output.rest();
        self.show_input();
        let handle = &self.client.handle;
        handle.output_bytes.store(self.output.pending() as u64, Relaxed);
        handle.output_capacity.store(self.output.capacity() as u64, Relaxed);
        handle.output_limit.store(hard_limit(self.output_limit()) as u64, Relaxed);
        self.mind_memory();
    }

    /// With `maxmemory-clients`, a client that has grown looks whether all of them hold too much.
    fn mind_memory(&mut self) {
        if self.client.settings.maxmemory_clients == ClientMemory::Bytes(0) {
            return;
        }
        let memory = self.client.handle.memory();
        if client_memory::is_due(&self.client.settings, memory, self.judged_memory) {
            client_memory::evict(&self.shared, &self.shared.config.current());
            self.judged_memory = memory;
        }
        self.judged_memory = self.judged_memory.min(memory);
    }

    /// Notes for CLIENT LIST what the input holds.
    fn show_input(&self) {
        let (handle, bytes) = (&self.client.handle, self.input.len() as u64);
        handle.query_bytes.store(bytes, Relaxed);
        handle.query_free.store(self.input.free() as u64, Relaxed);
        handle.parsed_bytes.store(self.input.parsed_bytes() as u64, Relaxed);
        handle.argument_bytes.store(self.input.argument_bytes(), Relaxed);
        if bytes > handle.query_peak.load(Relaxed) {
            handle.query_peak.store(bytes, Relaxed);
        }
    }
}
