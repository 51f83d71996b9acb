//! Any bytes, in any pieces: the decoder finds the same commands and the same error as when they come at once, takes no
//! more memory than they are long, and never panics.

#![no_main]

use flagstone::resp::decode::{Arguments, Decoder, Limits, ProtocolError};
use libfuzzer_sys::fuzz_target;

type Outcome = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

/// Decodes `bytes` as a connection would: append a piece, parse, run what waits, drop what is done.
fn decode(bytes: &[u8], limits: &Limits, mut piece: impl FnMut() -> usize) -> Outcome {
    let (mut decoder, mut buffer) = (Decoder::new(), Vec::new());
    let (mut commands, mut left) = (Vec::new(), bytes);
    while !left.is_empty() {
        let (now, later) = left.split_at(piece().clamp(1, left.len()));
        buffer.extend_from_slice(now);
        left = later;
        loop {
            let result = decoder.parse(&mut buffer, limits, 32);
            let waiting = decoder.waiting();
            let mut args = Arguments::default();
            while decoder.peek(&buffer, &mut args) {
                commands.push(args.iter().map(|arg| arg.to_vec()).collect());
                decoder.pop();
            }
            drop(args);
            buffer.drain(..decoder.release());
            match result {
                Err(error) => return (commands, Some(error)),
                Ok(()) if waiting == 0 => break,
                Ok(()) => {}
            }
        }
    }
    (commands, None)
}

fuzz_target!(|input: (Vec<u8>, Vec<u8>, bool)| {
    let (bytes, pieces, authenticated) = input;
    let limits = Limits { bulk_max: 1 << 20, inline_max: 64 << 10, authenticated };
    let whole = decode(&bytes, &limits, || usize::MAX);
    let mut sizes = pieces.iter().cycle();
    let split = decode(&bytes, &limits, || sizes.next().map_or(1, |size| usize::from(*size)));
    assert_eq!(whole, split);
});
