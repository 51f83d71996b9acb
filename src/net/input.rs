//! What a client has sent: the bytes, and the commands found in them.

use super::{buffers, socket::Socket};
use crate::{
    arena::{Arena, Draft},
    command::table,
    keyspace::large_value_at,
    resp::{Decoder, Limits, ProtocolError, decode::Arguments},
};
use smallvec::SmallVec;
use std::{
    io,
    sync::Arc,
    task::{Context, Poll},
};

/// Commands parsed ahead.
pub const AHEAD: usize = 32;
/// No key or element is longer, for what is hashed ahead on the mere guess that it is one.
const LIKELY_MAX: usize = 512;
/// No read is worth its while with less room.
const ROOM_MIN: usize = 4 * 1024;
/// What an announced argument may reserve before it has arrived.
const RESERVE_AT_ONCE: usize = 1024 * 1024;
/// Values of at least this length are received where they are to lie, instead of being copied there.
const DRAFT_MIN: usize = 64 * 1024;
/// What is read of them at once.
const DRAFT_READ: usize = 1024 * 1024;

#[derive(Default)]
pub struct Input {
    decoder: Decoder,
    /// What has come; the bytes before `head` are done with.
    buffer: Vec<u8>,
    head: usize,
    /// Whether `buffer` stays with this connection when it is empty: it was needed for a request
    /// that came in part or was large, and the next may be like it.
    private: bool,
    /// Arguments that are kept apart, in order. The last may still be coming.
    drafts: Vec<Draft>,
    /// Hashes of the likely keys of the commands parsed ahead; 0 for none. The commands before `next` have run.
    hashes: SmallVec<[u64; AHEAD]>,
    next: usize,
}

impl Input {
    /// Reads once; `Ready(Ok(0))` is the end.
    pub fn read(&mut self, cx: &mut Context<'_>, socket: &mut Socket, arena: &Arc<Arena>) -> Poll<io::Result<usize>> {
        self.begin_draft(arena);
        if let Some(draft) = self.drafts.last_mut().filter(|draft| !draft.is_whole()) {
            let read = socket.poll_read_into(cx, draft.room(DRAFT_READ));
            if let Poll::Ready(Ok(count)) = read {
                draft.advance(count);
            }
            return read;
        }
        if self.buffer.capacity() == 0 {
            self.buffer = buffers::take_input();
            self.private = false;
        }
        self.make_room();
        socket.poll_read(cx, &mut self.buffer)
    }

    /// Sees to it that the next read is worth its while.
    fn make_room(&mut self) {
        let held = self.bytes().len();
        let missing = self.decoder.missing(held);
        if missing <= self.free() && (self.free() >= ROOM_MIN || missing > 0 && held >= buffers::READ_SIZE) {
            return;
        }
        // What was consumed at the head counts again as room.
        self.buffer.drain(..std::mem::take(&mut self.head));
        let free = self.free();
        if missing > free {
            // The room of a very long argument grows with what has arrived of it, not with what
            // was announced. (Up to a megabyte is reserved at once: address space that takes no
            // memory until it is written, and spares the copying as it grows.) It is no larger than
            // that, since it counts as the client's memory.
            if missing <= RESERVE_AT_ONCE || free < buffers::READ_SIZE {
                let grow = held.max(RESERVE_AT_ONCE);
                let shared = !self.private;
                let old = self.keep(held + missing.min(grow));
                if shared {
                    buffers::give_input(old);
                }
            }
        } else if free < ROOM_MIN && (missing == 0 || held < buffers::READ_SIZE) {
            self.buffer.reserve(buffers::PRIVATE_SIZE);
        }
    }

    /// The bytes that are not done with.
    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.head..]
    }

    /// The argument that is being received is kept apart from here on, if it is large and is to be stored as it is.
    fn begin_draft(&mut self, arena: &Arc<Arena>) {
        let Some((length, index)) = self.decoder.receiving().filter(|(length, _)| *length >= DRAFT_MIN) else { return };
        let received = |index| self.decoder.received(self.bytes(), index);
        let stored = received(0).and_then(table::called).and_then(|command| command.spec.stored);
        let Some(key) = stored.and_then(|stored| received(stored.key_of(index)?)) else { return };
        let Some(mut draft) = arena.draft(large_value_at(key.len()), length) else { return };
        let at = self.head + self.decoder.divert();
        let taken = draft.fill(&self.buffer[at..]);
        self.buffer.copy_within(at + taken.., at);
        self.buffer.truncate(self.buffer.len() - taken);
        self.drafts.push(draft);
    }

    /// Bytes held, and how many more there is room for.
    pub fn len(&self) -> usize {
        self.bytes().len() + self.drafts.iter().map(Draft::held).sum::<usize>()
    }

    pub fn free(&self) -> usize {
        self.buffer.capacity() - self.buffer.len()
    }

    /// Bytes of the arguments of a command not yet complete.
    pub fn argument_bytes(&self) -> u64 {
        self.decoder.argument_bytes()
    }

    /// How many of the bytes held are taken already, as arguments of that command and what stands before them.
    pub fn parsed_bytes(&self) -> usize {
        self.decoder.parsed_bytes()
    }

    /// Complete commands that have not run.
    pub fn waiting(&self) -> usize {
        self.decoder.waiting()
    }

    /// Parses the next commands, when the ones before have run, and hashes their likely keys. The first argument is the
    /// key of nearly every command that has one; where it is not, something is fetched in vain.
    pub fn parse_ahead(
        &mut self,
        limits: &Limits,
        most: usize,
        hash: impl Fn(&[u8]) -> u64,
    ) -> Result<(), ProtocolError> {
        let result = self.decoder.parse(&mut self.buffer[self.head..], limits, most);
        let Input { decoder, buffer, head, hashes, .. } = self;
        let bytes = &buffer[*head..];
        hashes.clear();
        hashes.extend((0..decoder.waiting()).map(|ahead| likely(decoder, bytes, ahead, 1).map_or(0, &hash)));
        self.next = 0;
        result
    }

    /// What the waiting command may look up in the collection at its key.
    pub fn likely_element(&self, ahead: usize) -> Option<&[u8]> {
        likely(&self.decoder, self.bytes(), ahead, 2)
    }

    /// The hashes of the likely keys of the waiting commands; 0 for none.
    pub fn hashes(&self) -> &[u64] {
        self.hashes.get(self.next..).unwrap_or_default()
    }

    /// The one of the next command.
    pub fn hash(&self) -> u64 {
        self.hashes.get(self.next).copied().unwrap_or(0)
    }

    /// Makes `arguments` the words of the next command; false when none waits.
    #[inline]
    pub fn arguments<'b>(&'b self, arguments: &mut Arguments<'b>) -> bool {
        let is_any = self.decoder.peek(self.bytes(), arguments);
        if !self.drafts.is_empty() {
            for (index, draft) in self.decoder.elsewhere().zip(&self.drafts) {
                arguments[index] = draft.bytes();
            }
        }
        is_any
    }

    /// The next command has run.
    #[inline]
    pub fn pop(&mut self) {
        if !self.drafts.is_empty() {
            self.drop_drafts();
        }
        self.decoder.pop();
        self.next += 1;
    }

    #[cold]
    fn drop_drafts(&mut self) {
        self.drafts.drain(..self.decoder.elsewhere().count());
    }

    /// Drops the commands that have run.
    pub fn release(&mut self) {
        self.head += self.decoder.release();
        if self.head == self.buffer.len() {
            self.buffer.clear();
            self.head = 0;
        }
    }

    /// The turn is over: a buffer that holds nothing goes back to the thread, and the rest of a
    /// request in part is moved out of the thread's buffer.
    pub fn rest(&mut self) {
        if self.private {
            return;
        }
        if self.buffer.is_empty() {
            buffers::give_input(std::mem::take(&mut self.buffer));
        } else if self.bytes().len() < buffers::PRIVATE_SIZE {
            let shared = self.keep(buffers::PRIVATE_SIZE);
            buffers::give_input(shared);
        } else {
            self.private = true;
        }
    }

    /// The cron has seen more room here than the client needs.
    pub fn trim(&mut self, idle: bool) {
        if !self.private {
            return;
        }
        if idle {
            self.keep(0);
        } else if self.decoder.missing(self.bytes().len()) == 0 {
            self.keep(buffers::PRIVATE_SIZE);
        }
    }

    /// Moves the bytes to a buffer of their own with room for `size`; answers the old one.
    fn keep(&mut self, size: usize) -> Vec<u8> {
        let mut private = Vec::with_capacity(size.max(self.bytes().len()));
        private.extend_from_slice(self.bytes());
        (self.private, self.head) = (true, 0);
        std::mem::replace(&mut self.buffer, private)
    }
}

/// Argument number `index` of a waiting command, if it may be a key or an element.
#[inline]
fn likely<'b>(decoder: &Decoder, buffer: &'b [u8], ahead: usize, index: usize) -> Option<&'b [u8]> {
    decoder.peek_argument(buffer, ahead, index).filter(|word| word.len() <= LIKELY_MAX)
}
