//! LZF, the compression in Redis's serialisation (M. Lehmann's LibLZF format).
//!
//! ```text
//! 000LLLLL                    a run of L + 1 literal bytes follows
//! LLLooooo oooooooo           copy L + 2 bytes from o + 1 back      (L = 1..6)
//! 111ooooo LLLLLLLL oooooooo  copy L + 9 bytes from o + 1 back
//! ```

/// The longest run of literals, and the longest and farthest copy that the format can say.
const LITERALS_MAX: usize = 32;
const COPY_MAX: usize = 264;
const BACK_MAX: usize = 1 << 13;
/// The least that is worth copying.
const COPY_MIN: usize = 3;

/// Compresses to at most `max` bytes; `None` when that is not to be had.
///
/// Greedy: each position looks where its next three bytes were last seen. Which places are
/// remembered, which copies are taken and when it gives up is as in LibLZF, so that a payload
/// comes out as Redis would write it.
pub fn compress(input: &[u8], max: usize) -> Option<Vec<u8>> {
    let mut seen = Seen::new();
    let mut out = Runs { out: Vec::with_capacity(max.min(input.len())), literals: 0, max };
    out.out.push(0);
    let mut at = 0;
    while at + COPY_MIN <= input.len() {
        let back = seen.replace(input, at).map(|from| at - from);
        let Some(back) = back.filter(|back| *back <= BACK_MAX && input[at - back..].starts_with(&input[at..at + 3]))
        else {
            out.literal(input[at])?;
            at += 1;
            continue;
        };
        // The last two bytes are always literals.
        let most = (input.len() - at - 2).min(COPY_MAX);
        let same = input[at - back..].iter().zip(&input[at..]).take(most).take_while(|(a, b)| a == b).count();
        let len = same.max(COPY_MIN);
        out.copy(len, back)?;
        at += len;
        if at + COPY_MIN <= input.len() {
            seen.replace(input, at - 2);
            seen.replace(input, at - 1);
        }
    }
    out.finish(&input[at..])
}

/// Where three bytes were last seen.
struct Seen(Vec<u32>);

impl Seen {
    const BITS: u32 = 16;

    fn new() -> Seen {
        Seen(vec![0; 1 << Self::BITS])
    }

    /// Notes the three bytes at `at`; answers where they, or others of the same place in the table,
    /// were before. The first byte of the input is as good as never.
    fn replace(&mut self, input: &[u8], at: usize) -> Option<usize> {
        let [a, b, c] = *input.get(at..)?.first_chunk::<COPY_MIN>()?;
        let bytes = u32::from_be_bytes([0, a, b, c]);
        let place = (bytes >> (24 - Self::BITS)).wrapping_sub(bytes.wrapping_mul(5)) & ((1 << Self::BITS) - 1);
        let before = std::mem::replace(&mut self.0[place as usize], u32::try_from(at).ok()?);
        (before > 0).then_some(before as usize)
    }
}

/// Output whose last run of literals is open: its head is written when it ends.
struct Runs {
    out: Vec<u8>,
    literals: usize,
    max: usize,
}

impl Runs {
    fn close(&mut self) {
        let head = self.out.len() - self.literals - 1;
        if self.literals == 0 {
            self.out.pop();
        } else {
            self.out[head] = self.literals as u8 - 1;
        }
        self.literals = 0;
    }

    fn push(&mut self, byte: u8) {
        self.out.push(byte);
        self.literals += 1;
        if self.literals == LITERALS_MAX {
            self.close();
            self.out.push(0);
        }
    }

    fn literal(&mut self, byte: u8) -> Option<()> {
        (self.out.len() < self.max).then(|| self.push(byte))
    }

    fn copy(&mut self, len: usize, back: usize) -> Option<()> {
        if self.out.len() - usize::from(self.literals == 0) + 4 >= self.max {
            return None;
        }
        self.close();
        let (len, back) = (len - 2, back - 1);
        let high = (back >> 8) as u8;
        if len < 7 {
            self.out.push((len as u8) << 5 | high);
        } else {
            self.out.extend([7 << 5 | high, (len - 7) as u8]);
        }
        self.out.extend([back as u8, 0]);
        Some(())
    }

    fn finish(mut self, rest: &[u8]) -> Option<Vec<u8>> {
        if self.out.len() + 3 > self.max {
            return None;
        }
        rest.iter().for_each(|byte| self.push(*byte));
        self.close();
        Some(self.out)
    }
}

/// Decompresses to exactly `len` bytes; `None` when the input is not such.
pub fn decompress(mut input: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(len);
    while let Some((&control, rest)) = input.split_first() {
        input = rest;
        if control < 0x20 {
            let (literal, rest) = input.split_at_checked(control as usize + 1)?;
            out.extend_from_slice(literal);
            input = rest;
        } else {
            let mut run = (control >> 5) as usize;
            if run == 7 {
                let (&more, rest) = input.split_first()?;
                run += more as usize;
                input = rest;
            }
            let (&low, rest) = input.split_first()?;
            input = rest;
            let back = ((control & 0x1F) as usize) << 8 | low as usize;
            let from = out.len().checked_sub(back + 1)?;
            // The run may overlap what it produces.
            for at in from..from + run + 2 {
                out.push(out[at]);
            }
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_copies() {
        assert_eq!(decompress(&[2, b'a', b'b', b'c'], 3).as_deref(), Some(&b"abc"[..]));
        // One literal, then a copy of it that overlaps itself.
        assert_eq!(decompress(&[0, b'x', 0xC0, 0], 9).as_deref(), Some(&b"xxxxxxxxx"[..]));
        assert_eq!(decompress(&[0, b'x', 0xE0, 20, 0], 30).as_deref(), Some(&[b'x'; 30][..]));
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let mut random = 12345u32;
        let mut next = || {
            random = random.wrapping_mul(1_103_515_245).wrapping_add(12345);
            (random >> 16) as usize
        };
        for round in 0..200 {
            let alphabet = 1 + next() % 40;
            let len = next() % if round % 10 == 0 { 70_000 } else { 600 };
            let input: Vec<u8> = (0..len).map(|_| (next() % alphabet) as u8).collect();
            let Some(out) = compress(&input, len * 2 + 9) else { panic!("round {round}") };
            assert_eq!(decompress(&out, len).as_deref(), Some(&input[..]), "round {round}");
        }
    }

    #[test]
    fn what_does_not_get_smaller_is_left() {
        let unlike: Vec<u8> = (0..=255).collect();
        assert_eq!(compress(&unlike, 252), None);
        assert_eq!(compress(&[7; 300], 296).map(|out| out.len() < 20), Some(true));
        assert_eq!(compress(b"", 10).as_deref(), Some(&b""[..]));
    }

    #[test]
    fn bad_input_is_refused() {
        for (input, len) in
            [(&[5u8, 1][..], 6), (&[0x20, 0], 3), (&[0, 1], 2), (&[0xE0], 9), (&[0, b'x', 0xE0, 255, 0], 10)]
        {
            assert_eq!(decompress(input, len), None);
        }
    }
}
