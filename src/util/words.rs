//! A line of words with quotes, as redis.conf, `redis-cli` and inline commands write it.

/// Splits a line into words. Double quotes allow `\n \r \t \b \a \" \\ \xHH`, single quotes only
/// `\'`; a closing quote must end the word. `None`: the quotes are not balanced.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Some(words);
        }
        let (word, after) = next(rest)?;
        words.push(word);
        rest = after;
    }
}

/// The first word of a line that begins with it, and what follows.
fn next(mut line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    while let Some((&byte, after)) = line.split_first() {
        match byte {
            b'"' => line = ended(double_quoted(after, &mut word)?)?,
            b'\'' => line = ended(single_quoted(after, &mut word)?)?,
            byte if byte.is_ascii_whitespace() || byte == 0 => return Some((word, after)),
            _ => {
                word.push(byte);
                line = after;
                continue;
            }
        }
        return Some((word, line));
    }
    Some((word, line))
}

/// A closing quote is followed by a blank or by nothing.
fn ended(rest: &[u8]) -> Option<&[u8]> {
    rest.first().is_none_or(u8::is_ascii_whitespace).then_some(rest)
}

fn double_quoted<'l>(mut line: &'l [u8], word: &mut Vec<u8>) -> Option<&'l [u8]> {
    loop {
        line = match line {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'x', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                word.push(hex(*high) << 4 | hex(*low));
                rest
            }
            [b'\\', escaped, rest @ ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                rest
            }
            [byte, rest @ ..] => {
                word.push(*byte);
                rest
            }
            [] => return None,
        }
    }
}

fn single_quoted<'l>(mut line: &'l [u8], word: &mut Vec<u8>) -> Option<&'l [u8]> {
    loop {
        line = match line {
            [b'\'', rest @ ..] => return Some(rest),
            [b'\\', b'\'', rest @ ..] => {
                word.push(b'\'');
                rest
            }
            [byte, rest @ ..] => {
                word.push(*byte);
                rest
            }
            [] => return None,
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

/// The text in double quotes, so that [`split`] gives it back; bytes that are not printable
/// ASCII are escaped.
pub fn quote(bytes: &[u8]) -> String {
    let mut quoted = String::with_capacity(bytes.len() + 2);
    quoted.push('"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b'\n' => quoted.push_str("\\n"),
            b'\r' => quoted.push_str("\\r"),
            b'\t' => quoted.push_str("\\t"),
            8 => quoted.push_str("\\b"),
            7 => quoted.push_str("\\a"),
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => quoted.push_str(&format!("\\x{byte:02x}")),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&[&str]>) {
        let words = split(line.as_bytes())
            .map(|words| words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect::<Vec<_>>());
        assert_eq!(words, expected.map(|words| words.iter().map(|word| word.to_string()).collect()), "{line}");
    }

    #[test]
    fn words_and_quotes() {
        check("", Some(&[]));
        check("  save  900 1 ", Some(&["save", "900", "1"]));
        check(r#"a "b c" 'd e' """#, Some(&["a", "b c", "d e", ""]));
        check(r#""\x41\n\"""#, Some(&["A\n\""]));
        check(r"'it\'s \n'", Some(&[r"it's \n"]));
        check(r#"pre"fix""#, Some(&["prefix"]));
        check(r#""a"b"#, None);
        check(r#""open"#, None);
        check("'open", None);
    }

    #[test]
    fn quoted_text_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(split(quote(&bytes).as_bytes()), Some(vec![bytes]));
    }
}
