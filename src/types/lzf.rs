//! LZF, the compression in Redis's serialisation (M. Lehmann's LibLZF format).
//!
//! ```text
//! 000LLLLL                    a run of L + 1 literal bytes follows
//! LLLooooo oooooooo           copy L + 2 bytes from o + 1 back      (L = 1..6)
//! 111ooooo LLLLLLLL oooooooo  copy L + 9 bytes from o + 1 back
//! ```

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
    fn bad_input_is_refused() {
        for (input, len) in
            [(&[5u8, 1][..], 6), (&[0x20, 0], 3), (&[0, 1], 2), (&[0xE0], 9), (&[0, b'x', 0xE0, 255, 0], 10)]
        {
            assert_eq!(decompress(input, len), None);
        }
    }
}
