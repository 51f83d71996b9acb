//! The decoder of requests: resumable, without copies, and strict about limits before anything
//! is stored.
//!
//! It looks at the connection's read buffer and remembers between reads how far it has come, so
//! each byte is parsed once however small the pieces are in which it arrives. An argument is kept
//! as a [`Span`], relative to the first byte of its command; the bytes stay where the socket put
//! them until the command has run. Commands parsed ahead wait in a queue:
//!
//! ```text
//! buffer  [ command 0 | command 1 | command 2 | part of command 3 .......
//!         ^0          start+length = next                        ^position
//! spans     [a a a    | a a       | a         | a a ]
//! ```
//!
//! Nothing is allocated because a client announced a number: spans grow with the arguments that
//! have arrived, and the connection grows its buffer with the bytes that have.

use super::inline;
use std::ops::{Deref, DerefMut};

/// The most arguments of one command.
pub const ARGUMENTS_MAX: i64 = 1024 * 1024;
/// A client that has not authenticated may send no more arguments, nor longer ones, than AUTH
/// and HELLO need.
const UNAUTHENTICATED_ARGUMENTS_MAX: i64 = 10;
const UNAUTHENTICATED_BULK_MAX: i64 = 16384;
/// Spans kept for the next commands; more are given back after an unusually long command.
const SPANS_KEPT: usize = 1024;

/// What a client may send at the moment.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `proto-max-bulk-len`.
    pub bulk_max: u64,
    /// `proto-inline-max-size`: the longest inline request, or header line of a multibulk one.
    pub inline_max: u64,
    pub authenticated: bool,
}

/// A request that cannot be understood: the connection is closed after the error is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProtocolError {
    BigInlineRequest,
    BigMultibulkCount,
    BigBulkCount,
    MultibulkLength,
    BulkLength,
    UnauthenticatedMultibulk,
    UnauthenticatedBulk,
    ExpectedBulk(u8),
    UnbalancedQuotes,
    /// One command larger than 4 GiB (beyond any sensible `client-query-buffer-limit`).
    RequestTooLarge,
}

impl ProtocolError {
    /// The reply, without the leading `-` and the line end.
    pub fn message(self) -> Vec<u8> {
        let reason: &[u8] = match self {
            ProtocolError::BigInlineRequest => b"too big inline request",
            ProtocolError::BigMultibulkCount => b"too big mbulk count string",
            ProtocolError::BigBulkCount => b"too big bulk count string",
            ProtocolError::MultibulkLength => b"invalid multibulk length",
            ProtocolError::BulkLength => b"invalid bulk length",
            ProtocolError::UnauthenticatedMultibulk => b"unauthenticated multibulk length",
            ProtocolError::UnauthenticatedBulk => b"unauthenticated bulk length",
            ProtocolError::ExpectedBulk(_) => b"expected '$', got '",
            ProtocolError::UnbalancedQuotes => b"unbalanced quotes in request",
            ProtocolError::RequestTooLarge => b"too big request",
        };
        let mut text = [b"ERR Protocol error: ", reason].concat();
        if let ProtocolError::ExpectedBulk(got) = self {
            text.extend_from_slice(&[if matches!(got, b'\r' | b'\n') { b' ' } else { got }, b'\'']);
        }
        text
    }
}

/// One argument, relative to the first byte of its command.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    length: u32,
}

impl Span {
    /// One that is not among these bytes.
    const ELSEWHERE: Span = Span { start: u32::MAX, length: 0 };

    /// Empty for one that lies elsewhere.
    #[inline]
    fn of<'b>(&self, command: &'b [u8]) -> &'b [u8] {
        let start = self.start as usize;
        command.get(start..start + self.length as usize).unwrap_or_default()
    }

    fn is_elsewhere(&self) -> bool {
        self.start == u32::MAX
    }
}

/// A complete command.
#[derive(Clone, Copy, Debug)]
struct Command {
    /// Its first byte in the buffer.
    start: usize,
    /// Its spans: `first_span..end_span`.
    first_span: usize,
    end_span: usize,
}

/// Where parsing stands inside a command that has not wholly arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Before the first byte of a command.
    Start,
    /// Before the `$` of an argument.
    Header,
    /// Before the body of an argument of this length.
    Body(usize),
    /// The same, but the body lies elsewhere: before the line end that follows it.
    Elsewhere(usize),
}

/// Arguments that take no memory of their own.
const FEW: usize = 12;

/// The arguments of one command, as dispatch takes them.
#[derive(Default)]
pub struct Arguments<'b> {
    few: [&'b [u8]; FEW],
    len: usize,
    /// All of them, if they are more than a few.
    many: Vec<&'b [u8]>,
}

impl<'b> Arguments<'b> {
    #[inline]
    fn set(&mut self, words: impl ExactSizeIterator<Item = &'b [u8]>) {
        self.len = words.len();
        if self.len <= FEW {
            self.few.iter_mut().zip(words).for_each(|(place, word)| *place = word);
        } else {
            self.many = words.collect();
        }
    }
}

impl<'b> Deref for Arguments<'b> {
    type Target = [&'b [u8]];

    #[inline]
    fn deref(&self) -> &[&'b [u8]] {
        self.few.get(..self.len).unwrap_or(&self.many)
    }
}

impl DerefMut for Arguments<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.few.get_mut(..self.len).unwrap_or(&mut self.many)
    }
}

#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// The next byte to parse.
    position: usize,
    /// No line end was found before this one; the search need not start over.
    searched: usize,
    /// First byte of the command being parsed.
    start: usize,
    /// Arguments still to come for it.
    arguments_left: usize,
    first_span: usize,
    /// Bytes of its arguments so far.
    argument_bytes: u64,
    spans: Vec<Span>,
    commands: Vec<Command>,
    /// The next of `commands` to run.
    next: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder::new()
    }
}

impl Decoder {
    pub fn new() -> Self {
        Decoder {
            state: State::Start,
            position: 0,
            searched: 0,
            start: 0,
            arguments_left: 0,
            first_span: 0,
            argument_bytes: 0,
            spans: Vec::new(),
            commands: Vec::new(),
            next: 0,
        }
    }

    /// Parses ahead until `most` commands wait or the bytes run out. Commands before an error
    /// are still in the queue and are to run before the error is answered. `buffer` begins with
    /// the bytes of the earlier call, unless `release` said otherwise.
    pub fn parse(&mut self, buffer: &mut [u8], limits: &Limits, most: usize) -> Result<(), ProtocolError> {
        while self.waiting() < most
            && self.position < buffer.len()
            && (self.common(buffer, limits) || self.command(buffer, limits)?)
        {}
        Ok(())
    }

    /// Parses a command of the common kind: a few arguments, all here, with short headers. Anything else, and every
    /// error, is left as it is to [`Self::command`].
    #[inline]
    fn common(&mut self, buffer: &[u8], limits: &Limits) -> bool {
        /// So few that it does not matter when they are parsed again because the last one is not here.
        const ARGUMENTS_MAX: usize = 16;
        if self.state != State::Start || !limits.authenticated {
            return false;
        }
        let command = buffer.get(self.position..).unwrap_or_default();
        let Some((count @ 1..=ARGUMENTS_MAX, mut at)) = short_header(command, b'*') else { return false };
        // Spans are relative to what `start` says; between commands it is the position.
        debug_assert_eq!(self.start, self.position);
        for _ in 0..count {
            let argument = command.get(at..).unwrap_or_default();
            let header = short_header(argument, b'$').filter(|(length, used)| argument.len() >= used + length + 2);
            let Some((length, used)) = header else {
                self.spans.truncate(self.first_span);
                return false;
            };
            self.spans.push(Span { start: (at + used) as u32, length: length as u32 });
            at += used + length + 2;
        }
        self.position += at;
        self.finish();
        true
    }

    /// Complete commands that have not been taken.
    pub fn waiting(&self) -> usize {
        self.commands.len() - self.next
    }

    /// Makes `arguments` those of the next waiting command; false when none waits.
    #[inline]
    pub fn peek<'b>(&self, buffer: &'b [u8], arguments: &mut Arguments<'b>) -> bool {
        let Some(command) = self.commands.get(self.next) else { return false };
        let base = &buffer[command.start..];
        arguments.set(self.spans[command.first_span..command.end_span].iter().map(|span| span.of(base)));
        true
    }

    /// Which arguments of the next command are only empty because they lie elsewhere.
    pub fn elsewhere(&self) -> impl Iterator<Item = usize> {
        let command = self.commands.get(self.next);
        let spans = command.map_or(&[][..], |command| &self.spans[command.first_span..command.end_span]);
        spans.iter().enumerate().filter(|(_, span)| span.is_elsewhere()).map(|(index, _)| index)
    }

    /// The argument `index` of the waiting command number `ahead`.
    #[inline]
    pub fn peek_argument<'b>(&self, buffer: &'b [u8], ahead: usize, index: usize) -> Option<&'b [u8]> {
        let command = self.commands.get(self.next.checked_add(ahead)?)?;
        let span = self.spans[command.first_span..command.end_span].get(index)?;
        Some(span.of(&buffer[command.start..]))
    }

    /// The argument of which the body is being received: its length, and which one of its command's it is.
    pub fn receiving(&self) -> Option<(usize, usize)> {
        match self.state {
            State::Body(length) => Some((length, self.spans.len() - self.first_span)),
            _ => None,
        }
    }

    /// The argument `index` of the command that is being received, if it has come.
    pub fn received<'b>(&self, buffer: &'b [u8], index: usize) -> Option<&'b [u8]> {
        let span = self.spans[self.first_span..].get(index)?;
        Some(span.of(&buffer[self.start..]))
    }

    /// The body that is being received is kept elsewhere: answers where in the buffer its first bytes lie, which are to be
    /// taken out there.
    pub fn divert(&mut self) -> usize {
        if let State::Body(length) = self.state {
            self.state = State::Elsewhere(length);
        }
        self.position
    }

    /// The next command has run.
    pub fn pop(&mut self) {
        self.next = (self.next + 1).min(self.commands.len());
    }

    /// Forgets the commands that have run and answers how many bytes at the head of the buffer are
    /// no longer needed; the caller must drop exactly these.
    pub fn release(&mut self) -> usize {
        if self.next == self.commands.len() && self.state == State::Start && self.spans.len() <= SPANS_KEPT {
            // Between commands there is nothing to keep.
            let done = self.position;
            self.commands.clear();
            self.spans.clear();
            (self.next, self.position, self.start, self.first_span) = (0, 0, 0, 0);
            self.searched = self.searched.saturating_sub(done);
            return done;
        }
        let done = self.commands.get(self.next).map_or(self.start, |command| command.start);
        let spans_done = self.commands.get(self.next).map_or(self.first_span, |command| command.first_span);
        self.commands.drain(..self.next);
        self.next = 0;
        self.spans.drain(..spans_done);
        if self.spans.capacity() > SPANS_KEPT && self.spans.len() < SPANS_KEPT / 2 {
            self.spans.shrink_to(SPANS_KEPT / 2);
        }
        for command in &mut self.commands {
            command.start -= done;
            command.first_span -= spans_done;
            command.end_span -= spans_done;
        }
        self.position -= done;
        self.searched = self.searched.saturating_sub(done);
        self.start -= done;
        self.first_span -= spans_done;
        done
    }

    /// Bytes the argument being received still lacks, with its line end; 0 when its length is not
    /// known. `received` is the length of the buffer.
    pub fn missing(&self, received: usize) -> usize {
        match self.state {
            State::Body(length) => (self.position + length + 2).saturating_sub(received),
            State::Elsewhere(_) => (self.position + 2).saturating_sub(received),
            State::Start | State::Header => 0,
        }
    }

    /// Bytes of the arguments received so far of a command that is not complete.
    pub fn argument_bytes(&self) -> u64 {
        self.argument_bytes
    }

    /// Bytes of a command that is not complete that need not be looked at again: what came before the argument being
    /// received.
    pub fn parsed_bytes(&self) -> usize {
        self.position - self.start
    }

    /// Parses one command; false when its bytes have not all arrived.
    fn command(&mut self, buffer: &mut [u8], limits: &Limits) -> Result<bool, ProtocolError> {
        loop {
            match self.state {
                State::Start => match buffer.get(self.position) {
                    None => return Ok(false),
                    Some(b'*') => {
                        let Some((count, next)) = self.header(buffer, limits, ProtocolError::BigMultibulkCount)? else {
                            return Ok(false);
                        };
                        let count = count.filter(|&n| n <= ARGUMENTS_MAX).ok_or(ProtocolError::MultibulkLength)?;
                        if count > UNAUTHENTICATED_ARGUMENTS_MAX && !limits.authenticated {
                            return Err(ProtocolError::UnauthenticatedMultibulk);
                        }
                        self.position = next;
                        if count <= 0 {
                            self.start = next;
                        } else {
                            self.arguments_left = count as usize;
                            self.state = State::Header;
                        }
                    }
                    Some(_) => {
                        let Some(end) = self.inline(buffer, limits)? else { return Ok(false) };
                        if end {
                            return Ok(true);
                        }
                    }
                },
                State::Header => {
                    let Some(&kind) = buffer.get(self.position) else { return Ok(false) };
                    // As in Redis, the line is waited for before its kind is looked at.
                    let Some((length, next)) = self.header(buffer, limits, ProtocolError::BigBulkCount)? else {
                        return Ok(false);
                    };
                    if kind != b'$' {
                        return Err(ProtocolError::ExpectedBulk(kind));
                    }
                    let length = length
                        .filter(|&n| u64::try_from(n).is_ok_and(|n| n <= limits.bulk_max))
                        .ok_or(ProtocolError::BulkLength)?;
                    if length > UNAUTHENTICATED_BULK_MAX && !limits.authenticated {
                        return Err(ProtocolError::UnauthenticatedBulk);
                    }
                    // The span of the body, and the header after it, must be expressible.
                    let end = (next - self.start) as u64 + length as u64;
                    if end > u64::from(u32::MAX) {
                        return Err(ProtocolError::RequestTooLarge);
                    }
                    self.position = next;
                    self.state = State::Body(length as usize);
                }
                State::Body(length) => {
                    // As in Redis, the two bytes after the body are skipped unseen.
                    if buffer.len() - self.position < length + 2 {
                        return Ok(false);
                    }
                    self.spans.push(Span { start: (self.position - self.start) as u32, length: length as u32 });
                    self.position += length + 2;
                    if self.end_argument(length) {
                        return Ok(true);
                    }
                }
                State::Elsewhere(length) => {
                    if buffer.len() - self.position < 2 {
                        return Ok(false);
                    }
                    self.spans.push(Span::ELSEWHERE);
                    self.position += 2;
                    if self.end_argument(length) {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// An argument is complete; whether its command is.
    fn end_argument(&mut self, length: usize) -> bool {
        self.argument_bytes += length as u64;
        self.state = State::Header;
        self.arguments_left -= 1;
        if self.arguments_left == 0 {
            self.finish();
        }
        self.arguments_left == 0
    }

    /// Reads the number of the header line at `position` (`*3`, `$5`). `None`: the line has not
    /// wholly arrived. Otherwise the number, if it is one, and the position behind the line.
    #[allow(clippy::type_complexity)]
    fn header(
        &mut self,
        buffer: &[u8],
        limits: &Limits,
        too_long: ProtocolError,
    ) -> Result<Option<(Option<i64>, usize)>, ProtocolError> {
        let line = &buffer[self.position..];
        // Nearly every header is a few digits and CR LF.
        let mut number = 0i64;
        // A line may be empty: then there is not even a kind before its end.
        let digits = if line.first() == Some(&b'\r') { &[] } else { line };
        for (index, &byte) in digits.iter().enumerate().take(10).skip(1) {
            match byte {
                b'0'..=b'9' => number = number * 10 + i64::from(byte - b'0'),
                b'\r' if index > 1 && (line[1] != b'0' || index == 2) => {
                    return Ok((line.len() > index + 1).then_some((Some(number), self.position + index + 2)));
                }
                _ => break,
            }
        }
        let Some(end) = self.find(buffer, b'\r') else {
            return if line.len() as u64 > limits.inline_max { Err(too_long) } else { Ok(None) };
        };
        if end + 1 >= buffer.len() {
            return Ok(None);
        }
        let text = buffer.get(self.position + 1..end).unwrap_or_default();
        Ok(Some((integer(text), end + 2)))
    }

    /// Parses an inline request. `None`: no line end yet. False: the line was blank.
    fn inline(&mut self, buffer: &mut [u8], limits: &Limits) -> Result<Option<bool>, ProtocolError> {
        let Some(newline) = self.find(buffer, b'\n') else {
            let too_long = (buffer.len() - self.position) as u64 > limits.inline_max;
            return if too_long { Err(ProtocolError::BigInlineRequest) } else { Ok(None) };
        };
        let line = &mut buffer[self.position..newline];
        let spans = &mut self.spans;
        inline::split(line, |start, end| {
            spans.push(Span { start: start as u32, length: (end - start) as u32 });
        })
        .map_err(|_| ProtocolError::UnbalancedQuotes)?;
        self.position = newline + 1;
        let any = self.spans.len() > self.first_span;
        if any {
            self.finish();
        } else {
            self.start = self.position;
        }
        Ok(Some(any))
    }

    /// The first `end` at or after `position`, searching every byte once.
    fn find(&mut self, buffer: &[u8], end: u8) -> Option<usize> {
        let from = self.searched.max(self.position);
        let found = memchr::memchr(end, &buffer[from..]).map(|at| from + at);
        self.searched = found.unwrap_or(buffer.len());
        found
    }

    /// The command that was being parsed is complete.
    fn finish(&mut self) {
        self.commands.push(Command { start: self.start, first_span: self.first_span, end_span: self.spans.len() });
        self.first_span = self.spans.len();
        self.start = self.position;
        self.argument_bytes = 0;
        self.state = State::Start;
    }
}

/// Reads a header of up to three digits that is all here: its number, and its bytes with the line end. As everywhere, the
/// byte after the CR is not looked at.
#[inline]
fn short_header(bytes: &[u8], kind: u8) -> Option<(usize, usize)> {
    let digit = |byte: u8| usize::from(byte - b'0');
    // Leading zeros, and what is no digit, are for the strict reading.
    match *bytes {
        [k, a @ b'0'..=b'9', b'\r', _, ..] if k == kind => Some((digit(a), 4)),
        [k, a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', _, ..] if k == kind => Some((digit(a) * 10 + digit(b), 5)),
        [k, a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b'\r', _, ..] if k == kind => {
            Some((digit(a) * 100 + digit(b) * 10 + digit(c), 6))
        }
        _ => None,
    }
}

/// A decimal integer without leading zeros, plus sign or blanks, as Redis reads lengths.
fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let well_formed = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !well_formed {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INLINE_MAX: usize = 64 * 1024;
    const LIMITS: Limits = Limits { bulk_max: 512 * 1024 * 1024, inline_max: INLINE_MAX as u64, authenticated: true };

    /// What a connection sees of `stream` arriving in the given pieces: its commands, and how it
    /// ended. Everything that has run is dropped from the buffer, as a connection does.
    fn decode<'s>(
        pieces: impl Iterator<Item = &'s [u8]>,
        limits: &Limits,
    ) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
        let (mut decoder, mut buffer, mut commands) = (Decoder::new(), Vec::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            loop {
                let result = decoder.parse(&mut buffer, limits, 3);
                let any = decoder.waiting() > 0;
                let mut arguments = Arguments::default();
                while decoder.peek(&buffer, &mut arguments) {
                    commands.push(arguments.iter().map(|a| a.to_vec()).collect());
                    decoder.pop();
                }
                drop(arguments);
                if let Err(error) = result {
                    return (commands, Some(error));
                }
                buffer.drain(..decoder.release());
                if !any {
                    break;
                }
            }
        }
        (commands, None)
    }

    fn check(stream: &[u8], expected: &[&[&str]], error: Option<ProtocolError>) {
        let expected: Vec<Vec<Vec<u8>>> =
            expected.iter().map(|c| c.iter().map(|a| a.as_bytes().to_vec()).collect()).collect();
        for split in 0..=stream.len() {
            let (head, tail) = stream.split_at(split);
            let got = decode([head, tail].into_iter(), &LIMITS);
            assert_eq!(got, (expected.clone(), error), "split at {split}");
        }
        let bytewise = decode(stream.chunks(1), &LIMITS);
        assert_eq!(bytewise, (expected, error), "byte by byte");
    }

    #[test]
    fn commands_are_the_same_wherever_the_stream_is_split() {
        check(b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", &[&["PING"], &["GET", "k"]], None);
        check(b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$11\r\n0123\r\n89$1*\r\n", &[&["SET", "", "0123\r\n89$1*"]], None);
        check(b"\r\n  \r\nping\nset k \"a b\"\r\n*0\r\n*-10\r\nx\n", &[&["ping"], &["set", "k", "a b"], &["x"]], None);
        check(
            b"a\nb\nc\nd\ne\n*1\r\n$1\r\nf\r\n*1\r\n$1\r\ng\r\n*1\r\n$1\r\nh",
            &[&["a"], &["b"], &["c"], &["d"], &["e"], &["f"], &["g"]],
            None,
        );
    }

    #[test]
    fn errors_come_after_the_commands_before_them() {
        let ping = "*1\r\n$4\r\nPING\r\n";
        for (bad, error) in [
            ("*3000000000\r\n", ProtocolError::MultibulkLength),
            ("*1048577\r\n", ProtocolError::MultibulkLength),
            ("*\r\n", ProtocolError::MultibulkLength),
            ("*03\r\n", ProtocolError::MultibulkLength),
            ("*+3\r\n", ProtocolError::MultibulkLength),
            ("*99999999999999999999999\r\n", ProtocolError::MultibulkLength),
            ("*1\r\nfoo\r\n", ProtocolError::ExpectedBulk(b'f')),
            ("*1\r\n\r\n", ProtocolError::ExpectedBulk(b'\r')),
            ("*1\r\n\rfoo\r\n", ProtocolError::ExpectedBulk(b'\r')),
            ("*1\r\n\r0\r", ProtocolError::ExpectedBulk(b'\r')),
            ("*2\r\n$1\r\nx\r\n$-1\r\n", ProtocolError::BulkLength),
            ("*1\r\n$blabla\r\n", ProtocolError::BulkLength),
            ("*1\r\n$536870913\r\n", ProtocolError::BulkLength),
            ("*1\r\n$-0\r\n", ProtocolError::BulkLength),
            ("a \"b\r\n", ProtocolError::UnbalancedQuotes),
        ] {
            check(format!("{ping}{bad}").as_bytes(), &[&["PING"]], Some(error));
        }
    }

    #[test]
    fn lines_without_an_end_are_refused() {
        for (head, error) in [
            ("\0", ProtocolError::BigInlineRequest),
            ("*\0", ProtocolError::BigMultibulkCount),
            ("*1\r\n$\0", ProtocolError::BigBulkCount),
        ] {
            let mut stream = head.as_bytes().to_vec();
            stream.resize(INLINE_MAX, b'A');
            assert_eq!(decode(stream.chunks(1000), &LIMITS), (vec![], None));
            stream.resize(INLINE_MAX + 10, b'A');
            assert_eq!(decode(stream.chunks(1000), &LIMITS), (vec![], Some(error)));
        }
    }

    #[test]
    fn limits_are_tight_before_auth() {
        let limits = Limits { authenticated: false, ..LIMITS };
        let error = |stream: &str| decode([stream.as_bytes()].into_iter(), &limits).1;
        assert_eq!(error("*10\r\n$16384\r\n"), None);
        assert_eq!(error("*11\r\n"), Some(ProtocolError::UnauthenticatedMultibulk));
        assert_eq!(error("*1\r\n$16385\r\n"), Some(ProtocolError::UnauthenticatedBulk));
    }

    #[test]
    fn nothing_is_allocated_for_an_announced_number() {
        let mut decoder = Decoder::new();
        let mut buffer = b"*1048576\r\n$4\r\nMSET\r\n$536870912\r\n".to_vec();
        assert_eq!(decoder.parse(&mut buffer, &LIMITS, 32), Ok(()));
        assert!(decoder.spans.capacity() < 16);
        assert_eq!(decoder.missing(buffer.len()), 536870914);
        assert_eq!(decoder.argument_bytes(), 4);
    }

    #[test]
    fn messages_are_those_of_redis() {
        assert_eq!(ProtocolError::ExpectedBulk(b'f').message(), b"ERR Protocol error: expected '$', got 'f'");
        assert_eq!(ProtocolError::MultibulkLength.message(), b"ERR Protocol error: invalid multibulk length");
    }

    fn commands() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
        let argument = prop::collection::vec(any::<u8>(), 0..20);
        prop::collection::vec(prop::collection::vec(argument, 1..6), 0..8)
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(commands in commands(), size in 1usize..40) {
            let mut stream = Vec::new();
            for command in &commands {
                stream.extend_from_slice(format!("*{}\r\n", command.len()).as_bytes());
                for argument in command {
                    stream.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
                    stream.extend_from_slice(argument);
                    stream.extend_from_slice(b"\r\n");
                }
            }
            prop_assert_eq!(decode(stream.chunks(size), &LIMITS), (commands, None));
        }

        #[test]
        fn any_bytes_give_the_same_in_any_pieces(
            stream in prop::collection::vec(prop::sample::select(b"*$\r\n0123-\"'\\x a".to_vec()), 0..120),
            size in 1usize..10,
        ) {
            prop_assert_eq!(decode(stream.chunks(size), &LIMITS), decode([&stream[..]].into_iter(), &LIMITS));
        }
    }

    #[test]
    fn a_body_may_be_kept_elsewhere() {
        let bytes = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9\r\n123456789\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
        // Whatever of the body, and of what follows, has come when it is taken out.
        for come in 24..=34 {
            let (mut decoder, mut buffer) = (Decoder::new(), bytes[..come].to_vec());
            decoder.parse(&mut buffer, &LIMITS, 32).unwrap();
            assert_eq!(decoder.receiving(), Some((9, 2)));
            assert_eq!([0, 1, 2].map(|index| decoder.received(&buffer, index)), [Some(&b"SET"[..]), Some(b"k"), None]);
            let (at, taken) = (decoder.divert(), (come - 24).min(9));
            assert_eq!((at, decoder.receiving()), (24, None));
            buffer.drain(at..at + taken);
            buffer.extend_from_slice(&bytes[come.max(33)..]);
            decoder.parse(&mut buffer, &LIMITS, 32).unwrap();
            assert_eq!((decoder.waiting(), decoder.elsewhere().collect::<Vec<_>>()), (2, vec![2]));
            assert_eq!(decoder.peek_argument(&buffer, 0, 2), Some(&b""[..]));
            let mut arguments = Arguments::default();
            assert!(decoder.peek(&buffer, &mut arguments));
            assert_eq!(arguments[..], [&b"SET"[..], b"k", b""]);
            decoder.pop();
            assert_eq!(decoder.elsewhere().count(), 0);
            assert!(decoder.peek(&buffer, &mut arguments));
            assert_eq!(arguments[..], [&b"GET"[..], b"k"]);
        }
    }
}
