//! Large values and messages among the bytes of replies, which are sent from where they lie.

use crate::arena::Pin;
use bytes::Bytes;
use std::{collections::VecDeque, io::IoSlice};

/// Pieces that are given to the system at a time.
const PIECES: usize = 16;

/// What a socket is given to write.
pub type Pieces<'a> = smallvec::SmallVec<[IoSlice<'a>; PIECES]>;

/// A value of the arena, or a message that others are sent, too.
pub enum Piece {
    Pinned(Pin),
    Shared(Bytes),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Pinned(pin) => pin.bytes(),
            Piece::Shared(bytes) => bytes,
        }
    }

    fn len(&self) -> usize {
        self.bytes().len()
    }
}

/// Values that come between the bytes of a buffer, in order.
#[derive(Default)]
pub struct Pins {
    /// Each with how many bytes of the buffer come before it.
    list: VecDeque<(usize, Piece)>,
    bytes: usize,
    /// How many bytes of the first have been sent.
    sent: usize,
}

impl Pins {
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Bytes that have not been sent.
    pub fn pending(&self) -> usize {
        self.bytes - self.sent
    }

    /// A value comes behind what is in a buffer of `len` bytes.
    pub fn push(&mut self, len: usize, piece: Piece) {
        self.bytes += piece.len();
        self.list.push_back((len, piece));
    }

    /// Bytes of all values that are still here, of which the first may have been sent in part.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes back the values behind byte `to` of buffer and values together.
    pub fn rewind(&mut self, to: usize) {
        while let Some((len, piece)) = self.list.back()
            && len + self.bytes - piece.len() >= to
        {
            self.bytes -= piece.len();
            self.list.pop_back();
        }
    }

    /// What comes next: of the buffer from byte `sent` on, and of the values.
    pub fn pieces<'a>(&'a self, buffer: &'a [u8], sent: usize) -> Pieces<'a> {
        let (mut pieces, mut at, mut skip) = (Pieces::new(), sent, self.sent);
        for (len, piece) in &self.list {
            if pieces.len() + 2 >= PIECES {
                return pieces;
            }
            if *len > at {
                pieces.push(IoSlice::new(&buffer[at..*len]));
                at = *len;
            }
            pieces.push(IoSlice::new(&piece.bytes()[skip..]));
            skip = 0;
        }
        pieces.push(IoSlice::new(&buffer[at..]));
        pieces
    }

    /// So many bytes have been sent after byte `sent` of the buffer; answers how far in the buffer that is.
    pub fn advance(&mut self, mut sent: usize, mut count: usize) -> usize {
        while let Some((len, piece)) = self.list.front() {
            let before = (len - sent).min(count);
            sent += before;
            count -= before;
            let part = count.min(piece.len() - self.sent);
            self.sent += part;
            count -= part;
            if sent < *len || self.sent < piece.len() {
                return sent;
            }
            self.bytes -= piece.len();
            self.sent = 0;
            self.list.pop_front();
        }
        sent + count
    }

    /// The first bytes of the buffer are dropped.
    pub fn shift(&mut self, bytes: usize) {
        for (len, _) in &mut self.list {
            *len -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        arena::{Arena, ShardHeap},
        command::{ClientHandle, Protocol, Reply},
        resp::Encoder,
    };
    use bytes::Bytes;

    /// Replies with a large value of each of these bytes, and what they are as a whole.
    fn replies(values: &[u8]) -> (Encoder, Vec<u8>) {
        let arena = Arena::reserve(8 << 20, 0).unwrap();
        let mut heap = ShardHeap::new(&arena, 0);
        let (mut pinned, mut copied) = (Encoder::with_pins(Protocol::Resp2, &arena), Encoder::new(Protocol::Resp2));
        for byte in values {
            let at = heap.alloc(100_000).unwrap();
            heap.chunk_mut(at).fill(*byte);
            for encoder in [&mut pinned, &mut copied] {
                encoder.ok();
                encoder.value(&heap.chunk(at)[..100_000]);
                encoder.integer(7);
            }
        }
        (pinned, copied.out)
    }

    #[test]
    fn large_values_are_not_copied() {
        let (pinned, whole) = replies(&[1, 2, 3]);
        assert_eq!((pinned.out.len(), pinned.written()), (whole.len() - 300_000, whole.len() as u64));
    }

    #[test]
    #[cfg_attr(miri, ignore = "long")]
    fn any_part_of_the_pieces_may_be_sent_at_a_time() {
        for step in [1, 5, 17, 90_000, 100_000, 100_017, 1_000_000] {
            let (Encoder { out, mut pins, .. }, whole) = replies(&[1; 20]);
            let (mut got, mut sent) = (Vec::new(), 0);
            while got.len() < whole.len() {
                let pieces = pins.pieces(&out, sent);
                let part: Vec<u8> =
                    pieces.iter().flat_map(|piece| piece.iter().copied().take(step)).take(step).collect();
                drop(pieces);
                got.extend_from_slice(&part);
                sent = pins.advance(sent, part.len());
                assert_eq!(out.len() - sent + pins.pending(), whole.len() - got.len());
            }
            assert!(got == whole && pins.is_empty());
        }
    }

    #[test]
    fn a_large_message_comes_in_its_place_and_is_not_copied() {
        let (handle, large) = (ClientHandle::new(1), Bytes::from(vec![b'x'; 100_000]));
        for message in [&Bytes::from_static(b"one"), &large, &Bytes::from_static(b"two")] {
            assert!(handle.deliver(message));
        }
        let mut encoder = Encoder::new(Protocol::Resp2);
        encoder.ok();
        encoder.mail(&handle);
        let pieces = encoder.pins.pieces(&encoder.out, 0);
        assert_eq!(
            pieces.iter().flat_map(|piece| piece.to_vec()).collect::<Vec<u8>>(),
            [&b"+OK\r\none"[..], &large, b"two"].concat()
        );
        assert!(pieces.iter().any(|piece| piece.as_ptr() == large.as_ptr()));
    }

    #[test]
    fn what_is_taken_back_is_pinned_no_more() {
        let (mut pinned, whole) = replies(&[1, 2, 3]);
        let one = whole.len() as u64 / 3;
        pinned.rewind(2 * one);
        assert_eq!((pinned.written(), pinned.pins.bytes()), (2 * one, 200_000));
        pinned.rewind(5);
        assert_eq!((&pinned.out[..], pinned.pins.is_empty()), (&b"+OK\r\n"[..], true));
    }
}
