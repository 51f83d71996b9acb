//! POSIX extended regular expressions over bytes, with the additions of the TRE library, which Redis uses. They are
//! rewritten for the `regex` crate, whose matching takes time in proportion to the text, whatever the expression.
//!
//! Written as there: `\w \W \s \S \d \D \t \n \r \f \a \e \b \B \< \> \x41 \x{41} \Q…\E`, `(?i:…)`, `(?n:…)`, `*?`. Not
//! here: back references, approximate matching.

use regex::bytes::{Regex, RegexBuilder};
use std::fmt::Write;

/// Repetitions, at most.
const REPEAT_MAX: u32 = 255;

/// Why an expression is refused, in TRE's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EreError {
    Invalid(&'static str),
    /// It is right, but refers to what a group has matched.
    BackReference,
}

const BAD_PATTERN: EreError = EreError::Invalid("Invalid regexp");
const BAD_COLLATING: EreError = EreError::Invalid("Unknown collating element");
const BAD_CLASS: EreError = EreError::Invalid("Unknown character class name");
const BAD_ESCAPE: EreError = EreError::Invalid("Trailing backslash");
const BAD_REFERENCE: EreError = EreError::Invalid("Invalid back reference");
const NO_BRACKET: EreError = EreError::Invalid("Missing ']'");
const NO_PARENTHESIS: EreError = EreError::Invalid("Missing ')'");
const NO_BRACE: EreError = EreError::Invalid("Missing '}'");
const BAD_BRACES: EreError = EreError::Invalid("Invalid contents of {}");
const BAD_RANGE: EreError = EreError::Invalid("Invalid character range");
const TOO_LARGE: EreError = EreError::Invalid("Out of memory");
const BAD_REPEAT: EreError = EreError::Invalid("Invalid use of repetition operators");
const TOO_MANY: EreError = EreError::Invalid("Maximum repetition in {} larger than 255");

/// An expression that can be looked for.
pub struct Ere(Regex);

impl Ere {
    /// `bytes`: what the compiled expression may take, and once more while it is looked for.
    ///
    /// # Errors
    /// When it is no expression, or too large a one.
    pub fn new(pattern: &[u8], ignore_case: bool, bytes: usize) -> Result<Ere, EreError> {
        let rewritten = rewrite(pattern)?;
        RegexBuilder::new(&rewritten)
            .unicode(false)
            .dot_matches_new_line(true)
            .case_insensitive(ignore_case)
            .size_limit(bytes)
            .dfa_size_limit(bytes)
            .build()
            .map(Ere)
            .map_err(|_| TOO_LARGE)
    }

    pub fn is_match(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }
}

fn rewrite(pattern: &[u8]) -> Result<String, EreError> {
    let mut rewriting = Rewriting { rest: pattern, out: String::new(), groups: vec![Group::default()], ..EMPTY };
    while rewriting.branch()? {}
    if rewriting.groups.len() > 1 {
        return Err(NO_PARENTHESIS);
    }
    rewriting.close();
    match rewriting.reference {
        Some(number) if number > rewriting.numbered => Err(BAD_REFERENCE),
        Some(_) => Err(EreError::BackReference),
        None => Ok(rewriting.out),
    }
}

/// A group that is open, or the whole.
#[derive(Clone, Copy, Default)]
struct Group {
    /// Where it begins in what is written.
    start: usize,
    /// Those within it that end where it ends: what follows `(?i)`.
    inner: usize,
}

struct Rewriting<'a> {
    rest: &'a [u8],
    out: String,
    groups: Vec<Group>,
    /// Groups that could be referred to.
    numbered: u32,
    /// The greatest number that is referred to.
    reference: Option<u32>,
    /// Between `\Q` and `\E`.
    is_literal: bool,
}

const EMPTY: Rewriting<'static> =
    Rewriting { rest: &[], out: String::new(), groups: Vec::new(), numbered: 0, reference: None, is_literal: false };

impl Rewriting<'_> {
    /// Takes what begins here; false at the end.
    fn branch(&mut self) -> Result<bool, EreError> {
        let start = self.out.len();
        let Some((first, rest)) = self.rest.split_first() else { return Ok(false) };
        if self.is_literal {
            match self.rest.strip_prefix(b"\\E") {
                Some(rest) => (self.rest, self.is_literal) = (rest, false),
                None => {
                    self.rest = rest;
                    self.literal(*first);
                }
            }
            return Ok(true);
        }
        match first {
            // What is repeated here is nothing, as often as you like.
            b'*' | b'+' | b'?' | b'{' => self.out.push_str("(?:)"),
            b'|' => {
                self.rest = rest;
                self.out.push('|');
                return Ok(true);
            }
            b'(' => {
                self.rest = rest;
                self.open()?;
                return Ok(true);
            }
            b')' if self.groups.len() > 1 => {
                self.rest = rest;
                self.close();
                let start = self.groups.pop().map_or(start, |group| group.start);
                self.out.push(')');
                return self.postfix(start).map(|()| true);
            }
            b'[' => {
                self.rest = rest;
                self.bracket()?;
            }
            b'\\' => {
                self.rest = rest;
                self.escape()?;
            }
            b'.' | b'^' | b'$' => {
                self.rest = rest;
                self.out.push(char::from(*first));
            }
            _ => {
                self.rest = rest;
                self.literal(*first);
            }
        }
        self.postfix(start).map(|()| true)
    }

    fn literal(&mut self, byte: u8) {
        push_byte(&mut self.out, byte);
    }

    /// Ends the groups within the last that is open.
    fn close(&mut self) {
        let inner = self.groups.last().map_or(0, |group| group.inner);
        (0..inner).for_each(|_| self.out.push(')'));
    }

    /// What follows an opening parenthesis.
    fn open(&mut self) -> Result<(), EreError> {
        let group = Group { start: self.out.len(), inner: 0 };
        let Some(mut rest) = self.rest.strip_prefix(b"?") else {
            self.numbered += 1;
            self.groups.push(group);
            self.out.push_str("(?:");
            return Ok(());
        };
        // Which flags are set and which are taken away.
        let (mut flags, mut is_off) = ([String::new(), String::new()], false);
        loop {
            let (flag, after) = rest.split_first().ok_or(BAD_PATTERN)?;
            rest = after;
            match flag {
                b'i' => flags[usize::from(is_off)].push('i'),
                // A line's end: `.` does not match it, `^` and `$` stand beside it.
                b'n' => {
                    flags[usize::from(is_off)].push('m');
                    flags[usize::from(!is_off)].push('s');
                }
                // Which of several matches is found makes no difference.
                b'r' | b'U' => {}
                b'-' => is_off = true,
                b'#' => {
                    let end = rest.iter().position(|byte| *byte == b')').ok_or(BAD_PATTERN)?;
                    self.rest = &rest[end + 1..];
                    return Ok(());
                }
                b':' => self.groups.push(group),
                b')' => {
                    if let Some(group) = self.groups.last_mut() {
                        group.inner += 1;
                    }
                }
                _ => return Err(BAD_PATTERN),
            }
            if matches!(flag, b':' | b')') {
                break;
            }
        }
        self.rest = rest;
        let [on, off] = flags.map(distinct);
        let dash = if off.is_empty() { "" } else { "-" };
        let _ = write!(self.out, "(?{on}{dash}{off}:");
        Ok(())
    }

    /// The repetitions that follow what was written from `start` on.
    fn postfix(&mut self, start: usize) -> Result<(), EreError> {
        let mut is_repeated = false;
        while let Some((first, rest)) = self.rest.split_first() {
            let times = match first {
                b'*' => (0, None),
                b'+' => (1, None),
                b'?' => (0, Some(1)),
                b'{' => {
                    self.rest = rest;
                    self.bounds()?
                }
                _ => return Ok(()),
            };
            if *first != b'{' {
                self.rest = rest;
            }
            match self.rest {
                [b'?', rest @ ..] => self.rest = rest,
                [b'*' | b'+', ..] => return Err(BAD_REPEAT),
                _ => {}
            }
            if std::mem::replace(&mut is_repeated, true) {
                self.out.insert_str(start, "(?:");
                self.out.push(')');
            }
            let _ = match times {
                (_, Some(0)) => {
                    self.out.truncate(start);
                    write!(self.out, "(?:)")
                }
                (least, Some(most)) => write!(self.out, "{{{least},{most}}}"),
                (least, None) => write!(self.out, "{{{least},}}"),
            };
        }
        Ok(())
    }

    /// How often, and at most, after an opening brace.
    fn bounds(&mut self) -> Result<(u32, Option<u32>), EreError> {
        let begin = self.rest;
        let mut least = self.number();
        let mut most = least;
        if let [b',', rest @ ..] = self.rest {
            self.rest = rest;
            least = least.or(Some(0));
            most = self.number();
        }
        if most.zip(least).is_some_and(|(most, least)| least > most) {
            return Err(BAD_BRACES);
        }
        if most.max(least).is_some_and(|times| times > REPEAT_MAX) {
            return Err(TOO_MANY);
        }
        while let [b' ' | b',', rest @ ..] = self.rest
            && !rest.is_empty()
        {
            self.rest = rest;
        }
        match self.rest {
            [] => Err(NO_BRACE),
            [b'}', rest @ ..] if self.rest.len() < begin.len() => {
                self.rest = rest;
                Ok((least.unwrap_or(1), if least.is_none() { Some(1) } else { most }))
            }
            _ => Err(BAD_BRACES),
        }
    }

    fn number(&mut self) -> Option<u32> {
        let len = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(len);
        self.rest = rest;
        let number = digits.iter().fold(0u32, |n, digit| n.saturating_mul(10).saturating_add((digit - b'0').into()));
        (len > 0).then_some(number)
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<(), EreError> {
        let (first, rest) = self.rest.split_first().ok_or(BAD_ESCAPE)?;
        self.rest = rest;
        match first {
            b't' => self.literal(b'\t'),
            b'n' => self.literal(b'\n'),
            b'r' => self.literal(b'\r'),
            b'f' => self.literal(0x0C),
            b'a' => self.literal(0x07),
            b'e' => self.literal(0x1B),
            b'w' | b'W' | b's' | b'S' | b'd' | b'D' | b'B' => {
                self.out.push('\\');
                self.out.push(char::from(*first));
            }
            // There is one at either end of the text, whatever stands there.
            b'b' => self.out.push_str(r"(?:\b|\A|\z)"),
            b'<' => self.out.push_str(r"\b{start}"),
            b'>' => self.out.push_str(r"\b{end}"),
            b'Q' => self.is_literal = true,
            b'x' => self.hexadecimal()?,
            b'0'..=b'9' => {
                self.reference = self.reference.max(Some((first - b'0').into()));
                self.out.push_str("(?:)");
            }
            _ => self.literal(*first),
        }
        Ok(())
    }

    /// One or two digits, or up to eight in braces.
    fn hexadecimal(&mut self) -> Result<(), EreError> {
        let digits =
            |bytes: &[u8], most: usize| bytes.iter().take(most).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (len, rest) = match self.rest {
            [b'{', rest @ ..] => {
                self.rest = rest;
                let len = digits(rest, 8);
                (len, rest[len..].strip_prefix(b"}").ok_or(NO_BRACE)?)
            }
            rest => (digits(rest, 2), &rest[digits(rest, 2)..]),
        };
        let value =
            self.rest[..len].iter().fold(0u32, |n, digit| n << 4 | char::from(*digit).to_digit(16).unwrap_or(0));
        self.rest = rest;
        match u8::try_from(value) {
            Ok(byte) => self.literal(byte),
            // No byte is that.
            Err(_) => self.out.push_str(r"[^\x00-\xFF]"),
        }
        Ok(())
    }

    /// What follows an opening bracket.
    fn bracket(&mut self) -> Result<(), EreError> {
        let (negated, begin) = match self.rest {
            [b'^', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (mut rest, mut set) = (begin, [false; 256]);
        loop {
            let is_first = rest.len() == begin.len();
            rest = match rest {
                [] => return Err(NO_BRACKET),
                [b']', after @ ..] if !is_first => {
                    self.rest = after;
                    break;
                }
                [low, b'-', high, after @ ..] if *high != b']' => {
                    if low > high {
                        return Err(BAD_RANGE);
                    }
                    set[usize::from(*low)..=usize::from(*high)].fill(true);
                    after
                }
                [b'[', b'.' | b'=', ..] => return Err(BAD_COLLATING),
                [b'[', b':', after @ ..] => class(after, &mut set)?,
                // Two ranges have no end in common.
                [b'-', next, ..] if *next != b']' && !is_first => return Err(BAD_RANGE),
                [byte, after @ ..] => {
                    set[usize::from(*byte)] = true;
                    after
                }
            };
        }
        self.out.push_str(if negated { "[^" } else { "[" });
        for byte in (0..=u8::MAX).filter(|byte| set[usize::from(*byte)]) {
            push_byte(&mut self.out, byte);
        }
        self.out.push(']');
        Ok(())
    }
}

/// Adds the bytes of a class whose name begins here; answers what follows it.
fn class<'a>(name: &'a [u8], set: &mut [bool; 256]) -> Result<&'a [u8], EreError> {
    let end = name.iter().position(|byte| *byte == b':').ok_or(BAD_CLASS)?;
    let holds: fn(&u8) -> bool = match &name[..end] {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return Err(BAD_CLASS),
    };
    (0..=u8::MAX).filter(holds).for_each(|byte| set[usize::from(byte)] = true);
    name.get(end + 2..).ok_or(NO_BRACKET)
}

fn push_byte(out: &mut String, byte: u8) {
    let _ = write!(out, "\\x{byte:02X}");
}

fn distinct(flags: String) -> String {
    let mut once = String::new();
    flags.chars().for_each(|flag| {
        if !once.contains(flag) {
            once.push(flag);
        }
    });
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 1 << 20;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let ere = Ere::new(pattern.as_bytes(), false, BYTES).unwrap_or_else(|error| panic!("{pattern}: {error:?}"));
        yes.iter().for_each(|text| assert!(ere.is_match(text.as_bytes()), "{pattern} {text}"));
        no.iter().for_each(|text| assert!(!ere.is_match(text.as_bytes()), "{pattern} {text}"));
    }

    #[test]
    fn expressions() {
        check("^foo[0-9]+$", &["foo1", "foo123"], &["foo", "xfoo1", "foo1x"]);
        check("a|b", &["xa", "b"], &["c", ""]);
        check("^(foo|bar){2}$", &["foobar"], &["foo", "foobarfoo"]);
        check("a.c", &["abc", "a\nc"], &["ac"]);
        check("^a{2,3}$", &["aa", "aaa"], &["a", "aaaa"]);
        check("^a{,2}b$", &["b", "ab", "aab"], &["aaab"]);
        check("^a{0}b$", &["b"], &["ab"]);
        check("^(ab*){2}$|^c{2}{2}$", &["abab", "aab", "cccc"], &["a", "cc"]);
    }

    #[test]
    fn what_is_special_elsewhere_is_not_here() {
        check(r"^[\]$", &["\\"], &["x"]);
        check("^[]a]$", &["]", "a"], &["b"]);
        check("^[^]a]$", &["b"], &["]", "a"]);
        check("^[a&&b~~c]+$", &["a&b~c"], &["d"]);
        check("^[[a]$", &["[", "a"], &["]"]);
        check("^a)$", &["a)"], &["a"]);
        check("*a", &["a"], &[""]);
        check("^()|x$", &["", "y"], &[]);
        check("#~&", &["#~&"], &[]);
        check("^[a-]$", &["-"], &["b"]);
    }

    #[test]
    fn additions() {
        check(r"^\d\w\s$", &["1_ "], &["a_ "]);
        check(r"\bfoo\b", &["a foo", "foo"], &["food"]);
        check(r"\<ab\>", &["x ab y"], &["xab"]);
        check(r"^\x41\x{42}\.$", &["AB."], &["ABx"]);
        check(r"^\Qa.*\E+$", &["a.*"], &["a.*+", "aa"]);
        check("^(?i:a)b$", &["Ab"], &["AB"]);
        check("x(?i)a|b", &["xA", "xB"], &["XA", "b"]);
        check("(?n:^b$)", &["a\nb\nc"], &["abc"]);
        check("a(?#anything)b", &["ab"], &[]);
        check("^a*?b$", &["aab"], &["aac"]);
        check("^[[:alpha:][:digit:]_]+$", &["a1_"], &["-"]);
    }

    #[test]
    fn any_byte_is_taken_as_such() {
        let ere = Ere::new(b"^\xFF[\x80-\xFE]$", false, BYTES).map_err(|_| ()).unwrap();
        assert!(ere.is_match(b"\xFF\x90") && !ere.is_match("ÿ".as_bytes()));
        let ere = Ere::new(b"[^a]x", true, BYTES).map_err(|_| ()).unwrap();
        assert!(ere.is_match(b"bX") && !ere.is_match(b"Ax"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (pattern, error) in [
            ("(", NO_PARENTHESIS),
            ("[a", NO_BRACKET),
            ("[", NO_BRACKET),
            ("a{1", NO_BRACE),
            ("a{", NO_BRACE),
            ("a{}", BAD_BRACES),
            ("a{2,1}", BAD_BRACES),
            ("a{x}", BAD_BRACES),
            ("a{256}", TOO_MANY),
            ("a**", BAD_REPEAT),
            ("a{2}+", BAD_REPEAT),
            (r"a\", BAD_ESCAPE),
            ("[b-a]", BAD_RANGE),
            ("[a-b-c]", BAD_RANGE),
            ("[[:ascii:]]", BAD_CLASS),
            ("[[.a.]]", BAD_COLLATING),
            ("(?q)", BAD_PATTERN),
            (r"\x{1", NO_BRACE),
            (r"\x{g}", NO_BRACE),
            (r"(a)\1", EreError::BackReference),
            (r"(a)\2", BAD_REFERENCE),
            ("(((.{255}){255}){255}){255}", TOO_LARGE),
        ] {
            assert_eq!(Ere::new(pattern.as_bytes(), false, BYTES).err(), Some(error), "{pattern}");
        }
        let deep = "(".repeat(1000) + &")".repeat(1000);
        assert_eq!(Ere::new(deep.as_bytes(), false, BYTES).err(), Some(TOO_LARGE));
    }

    #[test]
    fn whatever_is_written_is_rewritten_to_an_expression() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let len = random.usize(..12);
            let pattern: Vec<u8> = (0..len).map(|_| *random.choice(b"a(|)*?+{1,}[]^-:\\xQEi.\xFF$").unwrap()).collect();
            if let Ok(rewritten) = rewrite(&pattern) {
                let built = RegexBuilder::new(&rewritten).unicode(false).build();
                assert!(built.is_ok(), "{} {rewritten}", pattern.escape_ascii());
            }
        }
    }
}
