//! A reply as a tree, whatever carried it, and the notation in which transcripts write it down.
//!
//! The notation is `redis-cli`'s, made unambiguous where that tool guesses from the context:
//!
//! ```text
//! OK                        a status, bare
//! (error) ERR syntax error
//! (integer) 7
//! "a\r\n\x00"               a bulk string, with C-like escapes
//! (nil)                     null: RESP2 `$-1`
//! (nil array)               null where RESP2 says `*-1`
//! (empty array)  (empty set)  (empty map)
//! 1) "a"                    an array; nested ones stand to the right of their number
//! 2) 1) (integer) 1
//!    2) (nil)
//! 1~ "a"                    a set
//! 1# "k" => (integer) 1     a map; an aggregate value goes on the following lines
//! 1> "message"              a push (out of band in RESP3, an array in RESP2)
//! (double) 3.5   (true)   (false)   (big number) 12   (verbatim txt) "text"
//! ```
//!
//! What a reply should be is written in RESP3's terms; [`Tree::lower`] is what a RESP2 client sees of it.
//! Some words match more than one reply: `(any)`, `(integer 1..9)` (both included),
//! `(like) "glob*"` for the text of a string, status or error, and `(in any order)` on the
//! line above an array or set.

use flagstone::command::Protocol;
use std::fmt::{self, Write};

#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    NullArray,
    Array(Vec<Tree>),
    Set(Vec<Tree>),
    Map(Vec<(Tree, Tree)>),
    Push(Vec<Tree>),
    Double(f64),
    Boolean(bool),
    BigNumber(String),
    Verbatim(String, Vec<u8>),
    /// No reply: the connection has ended.
    Closed,
    /// No reply, or none yet.
    NoReply,
    // The rest only stands in what is expected.
    Any,
    IntegerIn(i64, i64),
    Like(Vec<u8>),
    InAnyOrder(Box<Tree>),
}

impl Tree {
    /// The same reply as a client of RESP2 gets it.
    pub fn lower(self) -> Tree {
        let all = |items: Vec<Tree>| items.into_iter().map(Tree::lower).collect();
        match self {
            Tree::Array(items) | Tree::Set(items) | Tree::Push(items) => Tree::Array(all(items)),
            Tree::Map(pairs) => Tree::Array(pairs.into_iter().flat_map(|(k, v)| [k.lower(), v.lower()]).collect()),
            Tree::Double(value) => Tree::Bulk(double_text(value).into_bytes()),
            Tree::Boolean(value) => Tree::Integer(value.into()),
            Tree::BigNumber(digits) => Tree::Bulk(digits.into_bytes()),
            Tree::Verbatim(_, text) => Tree::Bulk(text),
            Tree::InAnyOrder(tree) => Tree::InAnyOrder(Box::new(tree.lower())),
            other => other,
        }
    }

    /// What this expectation means to a client of `protocol`.
    pub fn seen_by(self, protocol: Protocol) -> Tree {
        match protocol {
            Protocol::Resp2 => self.lower(),
            Protocol::Resp3 => self,
        }
    }

    /// Whether `self`, an expectation, holds for the reply `got`.
    pub fn matches(&self, got: &Tree) -> bool {
        match (self, got) {
            (Tree::Any, _) => true,
            // RESP3 has one null, and a null deep inside an array is not told apart by the client.
            (Tree::Null | Tree::NullArray, Tree::Null) => true,
            (Tree::IntegerIn(low, high), Tree::Integer(n)) => (low..=high).contains(&n),
            (Tree::Like(glob), Tree::Bulk(text) | Tree::Verbatim(_, text)) => like(glob, text),
            (Tree::Like(glob), Tree::Simple(text) | Tree::Error(text)) => like(glob, text.as_bytes()),
            (Tree::InAnyOrder(want), got) => match (&**want, got) {
                (Tree::Array(want), Tree::Array(got))
                | (Tree::Set(want), Tree::Set(got))
                | (Tree::Push(want), Tree::Push(got)) => same_members(want, got),
                _ => false,
            },
            (Tree::Array(want), Tree::Array(got))
            | (Tree::Set(want), Tree::Set(got))
            | (Tree::Push(want), Tree::Push(got)) => {
                want.len() == got.len() && want.iter().zip(got).all(|(want, got)| want.matches(got))
            }
            (Tree::Map(want), Tree::Map(got)) => {
                want.len() == got.len()
                    && want.iter().zip(got).all(|(want, got)| want.0.matches(&got.0) && want.1.matches(&got.1))
            }
            // Transcripts do not end lines in spaces, as some errors do.
            (Tree::Error(want), Tree::Error(got)) => want == got.trim_end(),
            (want, got) => want == got,
        }
    }

    /// Reads one reply as a transcript writes it.
    pub fn parse(lines: &[&str]) -> Tree {
        let first = lines.first().expect("a reply has at least one line").trim_end();
        if let Some(mark) = element_mark(first) {
            return parse_aggregate(mark, lines);
        }
        if first == "(in any order)" {
            return Tree::InAnyOrder(Box::new(Tree::parse(&lines[1..])));
        }
        assert!(lines.len() == 1, "more than one line for one reply: {lines:?}");
        parse_leaf(first)
    }
}

fn like(glob: &[u8], text: &[u8]) -> bool {
    match glob.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| like(rest, &text[skip..])),
        Some((byte, rest)) => text.first() == Some(byte) && like(rest, &text[1..]),
    }
}

fn same_members(want: &[Tree], got: &[Tree]) -> bool {
    let mut left: Vec<&Tree> = got.iter().collect();
    want.len() == got.len()
        && want.iter().all(|want| match left.iter().position(|got| want.matches(got)) {
            Some(at) => {
                left.swap_remove(at);
                true
            }
            None => false,
        })
}

/// The character after the number of an element (`1)`, `1~`, `1#`, `1>`), if this line is one.
fn element_mark(line: &str) -> Option<char> {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let mark = rest.chars().next()?;
    (rest.len() < line.len() && ")~#>".contains(mark) && rest[1..].starts_with(' ')).then_some(mark)
}

fn parse_aggregate(mark: char, lines: &[&str]) -> Tree {
    // Each element begins on a line with a number; the lines below it, further right, belong to it.
    let mut elements: Vec<Vec<&str>> = Vec::new();
    let mut indent = 0;
    for line in lines {
        match element_mark(line) {
            Some(found) => {
                assert!(found == mark, "mixed marks in one aggregate: {line:?}");
                let number_end = line.find(found).unwrap_or(0);
                let number: usize = line[..number_end].parse().expect("an element's number");
                assert!(number == elements.len() + 1, "elements count from 1: {line:?}");
                indent = number_end + 2;
                elements.push(vec![&line[indent..]]);
            }
            None => {
                let blank = line.get(..indent).is_some_and(|start| start.trim().is_empty());
                assert!(blank, "neither a new element nor to the right of the last: {line:?}");
                elements.last_mut().expect("an element first").push(&line[indent..]);
            }
        }
    }
    let whole = |lines: Vec<&str>| Tree::parse(&lines);
    match mark {
        ')' => Tree::Array(elements.into_iter().map(whole).collect()),
        '~' => Tree::Set(elements.into_iter().map(whole).collect()),
        '>' => Tree::Push(elements.into_iter().map(whole).collect()),
        _ => Tree::Map(elements.iter().map(|lines| parse_pair(lines)).collect()),
    }
}

/// `key => value`, or `key =>` and an aggregate on the lines below.
fn parse_pair(lines: &[&str]) -> (Tree, Tree) {
    let (key, value) = lines[0].split_once(" =>").expect("a map's element is `key => value`");
    let value = value.trim_start();
    (parse_leaf(key), if value.is_empty() { Tree::parse(&lines[1..]) } else { Tree::parse(&[value]) })
}

/// Takes the indentation that all lines share off them.
pub fn dedent(lines: &[&str]) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let shared = lines.iter().filter(|line| !line.trim().is_empty()).map(|line| indent(line)).min().unwrap_or(0);
    lines.iter().map(|line| line.get(shared..).unwrap_or("").trim_end().to_string()).collect()
}

fn parse_leaf(text: &str) -> Tree {
    let after = |word: &str| text.strip_prefix(word).map(str::trim_start);
    match text {
        "(nil)" => return Tree::Null,
        "(nil array)" => return Tree::NullArray,
        "(empty array)" => return Tree::Array(Vec::new()),
        "(empty set)" => return Tree::Set(Vec::new()),
        "(empty map)" => return Tree::Map(Vec::new()),
        "(true)" => return Tree::Boolean(true),
        "(false)" => return Tree::Boolean(false),
        "(any)" => return Tree::Any,
        "(closed)" => return Tree::Closed,
        "(no reply)" => return Tree::NoReply,
        _ => {}
    }
    if text.starts_with('"') {
        return Tree::Bulk(one_word(text));
    }
    if let Some(error) = after("(error)") {
        return Tree::Error(error.to_string());
    }
    if let Some(n) = after("(integer)") {
        return Tree::Integer(n.parse().unwrap_or_else(|_| panic!("not an integer: {text:?}")));
    }
    if let Some(range) = after("(integer ").and_then(|rest| rest.strip_suffix(')')) {
        let (low, high) = range.split_once("..").expect("a range is low..high");
        return Tree::IntegerIn(low.parse().expect("low"), high.parse().expect("high"));
    }
    if let Some(value) = after("(double)") {
        return Tree::Double(value.parse().expect("a double"));
    }
    if let Some(digits) = after("(big number)") {
        return Tree::BigNumber(digits.to_string());
    }
    if let Some(glob) = after("(like)") {
        return Tree::Like(one_word(glob));
    }
    if let Some(rest) = after("(verbatim ") {
        let (format, text) = rest.split_once(')').expect("(verbatim txt) \"...\"");
        return Tree::Verbatim(format.to_string(), one_word(text.trim_start()));
    }
    assert!(!text.starts_with('('), "unknown notation: {text:?}");
    Tree::Simple(text.to_string())
}

fn one_word(text: &str) -> Vec<u8> {
    let mut words = split_words(text);
    assert!(words.len() == 1, "one string expected: {text:?}");
    words.remove(0)
}

/// Splits a line into words as `redis-cli` does: "..." with escapes, '...' as it stands.
pub fn split_words(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start().as_bytes();
    while !rest.is_empty() {
        let (word, used) = match rest[0] {
            b'"' => double_quoted(rest, line),
            b'\'' => {
                let end = rest[1..].iter().position(|&b| b == b'\'').unwrap_or_else(|| panic!("open quote: {line:?}"));
                (rest[1..=end].to_vec(), end + 2)
            }
            _ => {
                let end = rest.iter().position(|&b| b == b' ').unwrap_or(rest.len());
                (rest[..end].to_vec(), end)
            }
        };
        words.push(word);
        rest = rest[used..].trim_ascii_start();
    }
    words
}

fn double_quoted(text: &[u8], line: &str) -> (Vec<u8>, usize) {
    let mut word = Vec::new();
    let mut at = 1;
    loop {
        let byte = *text.get(at).unwrap_or_else(|| panic!("open quote: {line:?}"));
        at += 1;
        match byte {
            b'"' => return (word, at),
            b'\\' => {
                let escaped = text[at];
                at += 1;
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'a' => 7,
                    b'b' => 8,
                    b'x' => {
                        let digits = std::str::from_utf8(&text[at..at + 2]).expect("two hex digits");
                        at += 2;
                        u8::from_str_radix(digits, 16).expect("two hex digits")
                    }
                    other => other,
                });
            }
            other => word.push(other),
        }
    }
}

/// A double as the server writes it in a bulk string.
fn double_text(value: f64) -> String {
    match value {
        value if value == f64::INFINITY => "inf".to_string(),
        value if value == f64::NEG_INFINITY => "-inf".to_string(),
        value if value.is_nan() => "nan".to_string(),
        value => format!("{value}"),
    }
}

/// Bytes between quotes, with escapes, as [`split_words`] reads them.
pub fn quote(bytes: &[u8]) -> String {
    let mut out = String::from('"');
    for &byte in bytes {
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            32..=126 => out.push(byte as char),
            _ => write!(out, "\\x{byte:02x}").expect("writing to a string"),
        }
    }
    out.push('"');
    out
}

impl Tree {
    fn write(&self, out: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let list = |out: &mut fmt::Formatter<'_>, items: &[Tree], mark: char, empty: &str| {
            if items.is_empty() {
                return out.write_str(empty);
            }
            let width = items.len().to_string().len();
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    write!(out, "\n{:indent$}", "")?;
                }
                let number = format!("{}{mark} ", n + 1);
                out.write_str(&number)?;
                item.write(out, indent + number.len().min(width + 2))?;
            }
            Ok(())
        };
        match self {
            Tree::Simple(text) => out.write_str(text),
            Tree::Error(text) => write!(out, "(error) {text}"),
            Tree::Integer(n) => write!(out, "(integer) {n}"),
            Tree::Bulk(bytes) => out.write_str(&quote(bytes)),
            Tree::Null => out.write_str("(nil)"),
            Tree::NullArray => out.write_str("(nil array)"),
            Tree::Array(items) => list(out, items, ')', "(empty array)"),
            Tree::Set(items) => list(out, items, '~', "(empty set)"),
            Tree::Push(items) => list(out, items, '>', "(empty push)"),
            Tree::Map(pairs) if pairs.is_empty() => out.write_str("(empty map)"),
            Tree::Map(pairs) => {
                for (n, (key, value)) in pairs.iter().enumerate() {
                    if n > 0 {
                        write!(out, "\n{:indent$}", "")?;
                    }
                    write!(out, "{}# {key} =>", n + 1)?;
                    match value {
                        Tree::Array(items) | Tree::Set(items) if !items.is_empty() => {
                            write!(out, "\n{:1$}", "", indent + 3)?;
                            value.write(out, indent + 3)?;
                        }
                        Tree::Map(pairs) if !pairs.is_empty() => {
                            write!(out, "\n{:1$}", "", indent + 3)?;
                            value.write(out, indent + 3)?;
                        }
                        _ => {
                            out.write_char(' ')?;
                            value.write(out, indent + 3)?;
                        }
                    }
                }
                Ok(())
            }
            Tree::Double(value) => write!(out, "(double) {}", double_text(*value)),
            Tree::Boolean(value) => write!(out, "({value})"),
            Tree::BigNumber(digits) => write!(out, "(big number) {digits}"),
            Tree::Verbatim(format, text) => write!(out, "(verbatim {format}) {}", quote(text)),
            Tree::Closed => out.write_str("(closed)"),
            Tree::NoReply => out.write_str("(no reply)"),
            Tree::Any => out.write_str("(any)"),
            Tree::IntegerIn(low, high) => write!(out, "(integer {low}..{high})"),
            Tree::Like(glob) => write!(out, "(like) {}", quote(glob)),
            Tree::InAnyOrder(tree) => {
                write!(out, "(in any order)\n{:indent$}", "")?;
                tree.write(out, indent)
            }
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(out, 0)
    }
}

#[test]
fn what_is_written_is_read_back() {
    let tree = Tree::Array(vec![
        Tree::Integer(-1),
        Tree::Array(vec![Tree::Bulk(b"a \"b\"\r\n\0".to_vec()), Tree::Null, Tree::Set(vec![Tree::Boolean(true)])]),
        Tree::Map(vec![
            (Tree::Bulk(b"k".to_vec()), Tree::Array(vec![Tree::Double(1.5), Tree::Simple("OK".into())])),
            (Tree::Bulk(b"l".to_vec()), Tree::Error("ERR no".into())),
        ]),
        Tree::Verbatim("txt".into(), b"x".to_vec()),
    ]);
    let text = tree.to_string();
    assert_eq!(Tree::parse(&text.lines().collect::<Vec<_>>()), tree, "{text}");
}

#[test]
fn a_resp2_client_sees_flat_arrays() {
    let tree = Tree::parse(&["1# \"a\" => (true)", "2# \"b\" => (double) 2.5"]);
    assert_eq!(tree.lower().to_string(), "1) \"a\"\n2) (integer) 1\n3) \"b\"\n4) \"2.5\"");
}

#[test]
fn expectations_can_be_loose() {
    let want = Tree::parse(&["(in any order)", "1) \"a\"", "2) (integer 1..3)", "3) (like) \"b*c\""]);
    assert!(want.matches(&Tree::parse(&["1) (integer) 3", "2) \"bxc\"", "3) \"a\""])));
    assert!(!want.matches(&Tree::parse(&["1) (integer) 4", "2) \"bxc\"", "3) \"a\""])));
}
