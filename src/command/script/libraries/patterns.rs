//! Lua's patterns, as in 5.1: a match that may take very long can be ended.
//!
//! The interpreter's own functions look at no time, and a pattern with several repetitions tries all ways to divide a text
//! between them. This matcher goes the same ways, counts its steps, and asks now and then whether it is to go on.

use super::{nested, refuse};

/// Steps between two looks at the time.
const TICK: usize = 100_000;
/// How deep it may go: once for each repetition and each capture of a pattern.
const DEPTH_MAX: usize = 20_000;
/// Captures of a pattern.
const CAPTURES_MAX: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Extent {
    Open,
    Position,
    Bytes(usize),
}

#[derive(Clone, Copy, Debug)]
struct Capture {
    start: usize,
    extent: Extent,
}

/// What a capture holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Captured<'t> {
    Text(&'t [u8]),
    /// Where it is, from 1 on.
    Position(usize),
}

pub struct Matcher<'t> {
    text: &'t [u8],
    pattern: &'t [u8],
    captures: [Capture; CAPTURES_MAX],
    level: usize,
    depth: usize,
    steps: usize,
    tick: fn() -> mlua::Result<()>,
}

impl<'t> Matcher<'t> {
    /// As C sees it, a pattern ends at its first zero.
    pub fn new(text: &'t [u8], pattern: &'t [u8], tick: fn() -> mlua::Result<()>) -> Matcher<'t> {
        let none = Capture { start: 0, extent: Extent::Open };
        Matcher { text, pattern: as_in_c(pattern), captures: [none; CAPTURES_MAX], level: 0, depth: 0, steps: 0, tick }
    }

    /// Where a match that begins at byte `at` ends.
    pub fn at(&mut self, at: usize) -> mlua::Result<Option<usize>> {
        self.level = 0;
        self.go(at, 0)
    }

    /// The first match that begins at byte `from` or behind, or only there.
    pub fn from(&mut self, from: usize, anchored: bool) -> mlua::Result<Option<(usize, usize)>> {
        let last = if anchored { from } else { self.text.len() };
        for start in from..=last {
            if let Some(end) = self.at(start)? {
                return Ok(Some((start, end)));
            }
        }
        Ok(None)
    }

    /// How many captures there are; `whole`: the match as a whole is one if there is no other.
    pub fn count(&self, whole: bool) -> usize {
        if self.level == 0 && whole { 1 } else { self.level }
    }

    /// A capture of the match from `start` to `end`.
    pub fn captured(&self, index: usize, (start, end): (usize, usize)) -> mlua::Result<Captured<'t>> {
        if index >= self.level {
            return if index == 0 {
                Ok(Captured::Text(&self.text[start..end]))
            } else {
                refuse("invalid capture index")
            };
        }
        let Capture { start, extent } = self.captures[index];
        match extent {
            Extent::Bytes(len) => Ok(Captured::Text(&self.text[start..start + len])),
            Extent::Position => Ok(Captured::Position(start + 1)),
            Extent::Open => refuse("unfinished capture"),
        }
    }

    fn spend(&mut self, steps: usize) -> mlua::Result<()> {
        self.steps += steps;
        if self.steps >= TICK {
            self.steps = 0;
            (self.tick)()?;
        }
        Ok(())
    }

    /// Matches the pattern from byte `p` on against the text from byte `s` on.
    fn go(&mut self, s: usize, p: usize) -> mlua::Result<Option<usize>> {
        if self.depth == DEPTH_MAX {
            return refuse("pattern too complex");
        }
        self.depth += 1;
        let found = nested(|| self.go_on(s, p));
        self.depth -= 1;
        found
    }

    fn go_on(&mut self, mut s: usize, mut p: usize) -> mlua::Result<Option<usize>> {
        loop {
            self.spend(1)?;
            let Some(&first) = self.pattern.get(p) else { return Ok(Some(s)) };
            match (first, self.pattern.get(p + 1).copied()) {
                (b'(', Some(b')')) => return self.open(s, p + 2, Extent::Position),
                (b'(', _) => return self.open(s, p + 1, Extent::Open),
                (b')', _) => return self.close(s, p + 1),
                (b'$', None) => return Ok((s == self.text.len()).then_some(s)),
                (b'%', Some(b'b')) => match self.balanced(s, p + 2)? {
                    Some(end) => (s, p) = (end, p + 4),
                    None => return Ok(None),
                },
                (b'%', Some(b'f')) => {
                    if self.pattern.get(p + 2) != Some(&b'[') {
                        return refuse("missing '[' after '%f' in pattern");
                    }
                    let (set, end) = (p + 2, self.class_end(p + 2)?);
                    let before = s.checked_sub(1).map_or(0, |at| self.text[at]);
                    let here = self.text.get(s).copied().unwrap_or(0);
                    if self.is_in_set(before, set, end - 1) || !self.is_in_set(here, set, end - 1) {
                        return Ok(None);
                    }
                    p = end;
                }
                (b'%', Some(digit @ b'0'..=b'9')) => match self.again(s, digit)? {
                    Some(end) => (s, p) = (end, p + 2),
                    None => return Ok(None),
                },
                _ => {
                    let end = self.class_end(p)?;
                    let is_one = self.is_one(s, p, end);
                    match self.pattern.get(end) {
                        Some(b'?') => {
                            if is_one && let Some(found) = self.go(s + 1, end + 1)? {
                                return Ok(Some(found));
                            }
                            p = end + 1;
                        }
                        Some(b'*') => return self.most(s, p, end),
                        Some(b'+') => return if is_one { self.most(s + 1, p, end) } else { Ok(None) },
                        Some(b'-') => return self.least(s, p, end),
                        _ if is_one => (s, p) = (s + 1, end),
                        _ => return Ok(None),
                    }
                }
            }
        }
    }

    /// As many as there are, then fewer.
    fn most(&mut self, s: usize, p: usize, end: usize) -> mlua::Result<Option<usize>> {
        let mut count = 0;
        while self.is_one(s + count, p, end) {
            count += 1;
        }
        self.spend(count)?;
        for count in (0..=count).rev() {
            if let Some(found) = self.go(s + count, end + 1)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// None, then more.
    fn least(&mut self, mut s: usize, p: usize, end: usize) -> mlua::Result<Option<usize>> {
        loop {
            if let Some(found) = self.go(s, end + 1)? {
                return Ok(Some(found));
            }
            if !self.is_one(s, p, end) {
                return Ok(None);
            }
            s += 1;
        }
    }

    fn open(&mut self, s: usize, p: usize, extent: Extent) -> mlua::Result<Option<usize>> {
        if self.level >= CAPTURES_MAX {
            return refuse("too many captures");
        }
        self.captures[self.level] = Capture { start: s, extent };
        self.level += 1;
        let found = self.go(s, p)?;
        if found.is_none() {
            self.level -= 1;
        }
        Ok(found)
    }

    fn close(&mut self, s: usize, p: usize) -> mlua::Result<Option<usize>> {
        let open = self.captures[..self.level].iter().rposition(|capture| capture.extent == Extent::Open);
        let Some(index) = open else { return refuse("invalid pattern capture") };
        self.captures[index].extent = Extent::Bytes(s - self.captures[index].start);
        let found = self.go(s, p)?;
        if found.is_none() {
            self.captures[index].extent = Extent::Open;
        }
        Ok(found)
    }

    /// What a capture holds, once more.
    fn again(&mut self, s: usize, digit: u8) -> mlua::Result<Option<usize>> {
        let capture = digit.checked_sub(b'1').and_then(|index| self.captures[..self.level].get(usize::from(index)));
        match capture.map(|capture| (capture.start, capture.extent)) {
            None | Some((_, Extent::Open)) => refuse("invalid capture index"),
            Some((_, Extent::Position)) => Ok(None),
            Some((start, Extent::Bytes(len))) => {
                self.spend(len)?;
                Ok(self.text[s..].starts_with(&self.text[start..start + len]).then_some(s + len))
            }
        }
    }

    fn balanced(&mut self, s: usize, p: usize) -> mlua::Result<Option<usize>> {
        let &[open, close, ..] = &self.pattern[p..] else { return refuse("unbalanced pattern") };
        if self.text.get(s) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1;
        for (at, &byte) in self.text.iter().enumerate().skip(s + 1) {
            if byte == close {
                depth -= 1;
            } else if byte == open {
                depth += 1;
            }
            if depth == 0 {
                self.spend(at - s)?;
                return Ok(Some(at + 1));
            }
        }
        self.spend(self.text.len() - s)?;
        Ok(None)
    }

    /// Where the single thing at `p` ends: a character, a class or a set.
    fn class_end(&self, p: usize) -> mlua::Result<usize> {
        match self.pattern[p] {
            b'%' if p + 1 == self.pattern.len() => refuse("malformed pattern (ends with '%')"),
            b'%' => Ok(p + 2),
            b'[' => {
                let mut at = p + 1 + usize::from(self.pattern.get(p + 1) == Some(&b'^'));
                loop {
                    let Some(byte) = self.pattern.get(at) else { return refuse("malformed pattern (missing ']')") };
                    at += if *byte == b'%' && at + 1 < self.pattern.len() { 2 } else { 1 };
                    if self.pattern.get(at) == Some(&b']') {
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    /// Whether the text's byte `s` is the single thing from `p` to `end`.
    fn is_one(&self, s: usize, p: usize, end: usize) -> bool {
        let Some(&byte) = self.text.get(s) else { return false };
        match self.pattern[p] {
            b'.' => true,
            b'%' => is_of_class(byte, self.pattern[p + 1]),
            b'[' => self.is_in_set(byte, p, end - 1),
            own => own == byte,
        }
    }

    /// Whether a byte is in the set that begins with `[` at `p` and ends with `]` at `last`.
    fn is_in_set(&self, byte: u8, p: usize, last: usize) -> bool {
        let is_inverted = self.pattern[p + 1] == b'^';
        let mut at = p + 1 + usize::from(is_inverted);
        while at < last {
            let own = self.pattern[at];
            let (holds, len) = if own == b'%' {
                (is_of_class(byte, self.pattern[at + 1]), 2)
            } else if self.pattern[at + 1] == b'-' && at + 2 < last {
                ((own..=self.pattern[at + 2]).contains(&byte), 3)
            } else {
                (own == byte, 1)
            };
            if holds {
                return !is_inverted;
            }
            at += len;
        }
        is_inverted
    }
}

/// Whether a byte is of the class that a letter stands for; a capital, for all others. What is no such letter stands for
/// itself.
fn is_of_class(byte: u8, class: u8) -> bool {
    let holds = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | 9..=13),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    holds != class.is_ascii_uppercase()
}

/// A string of C ends at its first zero.
pub fn as_in_c(pattern: &[u8]) -> &[u8] {
    memchr::memchr(0, pattern).map_or(pattern, |end| &pattern[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The match's text and its captures, or what is wrong with the pattern.
    fn check(text: &str, pattern: &str, expected: &str) {
        let (anchored, own) = pattern.strip_prefix('^').map_or((false, pattern), |rest| (true, rest));
        let mut matcher = Matcher::new(text.as_bytes(), own.as_bytes(), || Ok(()));
        let shown = match matcher.from(0, anchored) {
            Err(mlua::Error::RuntimeError(text)) => text,
            Err(other) => other.to_string(),
            Ok(None) => "none".to_owned(),
            Ok(Some((start, end))) => {
                let captures = (0..matcher.count(false)).map(|index| match matcher.captured(index, (start, end)) {
                    Ok(Captured::Text(text)) => format!(" {}", String::from_utf8_lossy(text)),
                    Ok(Captured::Position(at)) => format!(" @{at}"),
                    Err(error) => format!(" {error}"),
                });
                std::iter::once(text[start..end].to_owned()).chain(captures).collect()
            }
        };
        assert_eq!(shown, expected, "{pattern} in {text}");
    }

    #[test]
    fn patterns_match_as_in_lua() {
        check("hello world", "o w", "o w");
        check("hello world", "l+", "ll");
        check("hello world", "(h)(.-)(l)()", "hel h e l @4");
        check("key = value", "^(%w+)%s*=%s*(%w+)$", "key = value key value");
        check("THE (quick) fox", "%((%a+)%)", "(quick) quick");
        check("f(a(b)c)d", "%b()", "(a(b)c)");
        check("THE fox", "%f[%l]%a+", "fox");
        check("say \"hi\" he", "([\"'])(.-)%1", "\"hi\" \" hi");
        check("a]b", "[]]", "]");
        check("a-b^c", "[%-^]+", "-");
        check("abc", "[^a-b]", "c");
        check("x", "y?x?z*$", "x");
        check("aaa", "a-$", "aaa");
        check("", "()", " @1");
        check("abc", "d", "none");
        check("a.b", "%.", ".");
        check("a\u{b}b", "%s", "\u{b}");
    }

    #[test]
    fn wrong_patterns_are_refused() {
        check("a", "%", "malformed pattern (ends with '%')");
        check("a", "[a", "malformed pattern (missing ']')");
        check("a", "[%", "malformed pattern (missing ']')");
        check("a", "%f", "missing '[' after '%f' in pattern");
        check("a", "%b", "unbalanced pattern");
        check("a", "a)", "invalid pattern capture");
        check("a", "%1", "invalid capture index");
        check("a", "(a", "a runtime error: unfinished capture");
        check("a", &"()".repeat(33), "too many captures");
    }

    #[test]
    fn a_match_without_end_is_ended() {
        let text = [b'a'; 60];
        let pattern = "a*".repeat(30) + "b";
        let mut matcher = Matcher::new(&text, pattern.as_bytes(), || refuse("ended"));
        assert!(matches!(matcher.from(0, false), Err(mlua::Error::RuntimeError(text)) if text == "ended"));
    }

    #[test]
    fn deep_patterns_have_stack() {
        let text = vec![b'a'; 50_000];
        let length =
            |times: usize| Matcher::new(&text, &b"a?".repeat(times), || Ok(())).at(0).map_err(|e| e.to_string());
        assert_eq!(length(DEPTH_MAX - 1), Ok(Some(DEPTH_MAX - 1)));
        assert_eq!(length(DEPTH_MAX), Err("runtime error: pattern too complex".to_owned()));
    }
}
