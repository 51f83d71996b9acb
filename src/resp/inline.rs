//! Splitting an inline request (`SET key "a value"` typed into telnet) into words, with the
//! quoting redis-cli knows: `"..."` with `\n \r \t \b \a \xHH \c`, and `'...'` with `\'`.

/// A closing quote is missing, or something other than a blank follows one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnbalancedQuotes;

/// Splits `line` where it lies: a word without its quotes is never longer than with them, so it is
/// written over its own source. Calls `word(start, end)` for each.
pub fn split(line: &mut [u8], mut word: impl FnMut(usize, usize)) -> Result<(), UnbalancedQuotes> {
    let mut read = 0;
    loop {
        while line.get(read).is_some_and(|&byte| is_blank(byte)) {
            read += 1;
        }
        if read == line.len() {
            return Ok(());
        }
        let start = read;
        let mut write = read;
        while let Some(&byte) = line.get(read) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => break,
                b'"' | b'\'' => {
                    (read, write) = unquote(line, read, write).ok_or(UnbalancedQuotes)?;
                    break;
                }
                _ => {
                    line[write] = byte;
                    read += 1;
                    write += 1;
                }
            }
        }
        word(start, write);
    }
}

/// Copies what stands between the quote at `read` and its partner to `write`; answers where
/// reading and writing go on, behind the closing quote, which must end the word.
fn unquote(line: &mut [u8], mut read: usize, mut write: usize) -> Option<(usize, usize)> {
    let quote = line[read];
    read += 1;
    loop {
        let byte = *line.get(read)?;
        if byte == quote {
            read += 1;
            return line.get(read).is_none_or(|&next| is_blank(next)).then_some((read, write));
        }
        let (value, length) = match (quote, byte) {
            (b'"', b'\\') => escape(&line[read..]),
            (b'\'', b'\\') if line.get(read + 1) == Some(&b'\'') => (b'\'', 2),
            _ => (byte, 1),
        };
        line[write] = value;
        write += 1;
        read += length;
    }
}

/// The byte that the escape at the head of `text` stands for, and the escape's length.
fn escape(text: &[u8]) -> (u8, usize) {
    let hex = |at: usize| text.get(at).and_then(|&digit| char::from(digit).to_digit(16));
    match text.get(1) {
        None => (b'\\', 1),
        Some(b'x') if hex(2).is_some() && hex(3).is_some() => {
            ((hex(2).unwrap_or(0) * 16 + hex(3).unwrap_or(0)) as u8, 4)
        }
        Some(b'n') => (b'\n', 2),
        Some(b'r') => (b'\r', 2),
        Some(b't') => (b'\t', 2),
        Some(b'b') => (8, 2),
        Some(b'a') => (7, 2),
        Some(&other) => (other, 2),
    }
}

/// C's `isspace`.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&[&[u8]]>) {
        let mut bytes = line.as_bytes().to_vec();
        let mut spans = Vec::new();
        let split = split(&mut bytes, |start, end| spans.push((start, end)));
        let words: Vec<&[u8]> = spans.iter().map(|&(start, end)| &bytes[start..end]).collect();
        assert_eq!(split.ok().map(|()| words.as_slice()), expected, "{line}");
    }

    #[test]
    fn words_are_split_at_blanks() {
        check("", Some(&[]));
        check(" \t ", Some(&[]));
        check("ping", Some(&[b"ping"]));
        check("  set  key\tvalue ", Some(&[b"set", b"key", b"value"]));
    }

    #[test]
    fn quotes_hold_blanks_and_escapes() {
        check(r#"set k "a b""#, Some(&[b"set", b"k", b"a b"]));
        check(r#""\x41\xfF\n\r\t\b\a\q\"" x"#, Some(&[b"A\xff\n\r\t\x08\x07q\"", b"x"]));
        check(r"'a\'b \n'", Some(&[br"a'b \n"]));
        check(r#"pre"fix quoted""#, Some(&[b"prefix quoted"]));
        check(r#""" ''"#, Some(&[b"", b""]));
        check(r#""\xZZ""#, Some(&[b"xZZ"]));
    }

    #[test]
    fn quotes_must_be_closed_and_followed_by_a_blank() {
        check(r#"set "k"#, None);
        check("'", None);
        check(r#""a"b"#, None);
        check(r#"set """test-key""" value"#, None);
        check(r#""abc\"#, None);
    }
}
