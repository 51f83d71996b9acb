//! Whether a script's text shows that it uses none but the keys that it declares.
//!
//! Shards cannot be locked one after the other while a script runs: two scripts might wait for each other. So it is
//! decided before, and cautiously: whatever is not plainly `redis.call('command', KEYS[1], ...)` makes the whole script
//! one that may use any key. A script that hides its calls well enough to be taken for a better one is answered an error
//! once it reaches for a key whose shard is not locked.

use super::super::{keys, spec::Flags, table};
use std::collections::HashSet;

/// What may stand after `redis.` besides calls: none of it reaches keys.
const HARMLESS: [&[u8]; 9] = [
    b"sha1hex",
    b"error_reply",
    b"status_reply",
    b"log",
    b"LOG_DEBUG",
    b"LOG_VERBOSE",
    b"LOG_NOTICE",
    b"LOG_WARNING",
    b"replicate_commands",
];
/// Names by which a script might come to something else than it seems to.
const DEVIOUS: [&[u8]; 10] = [
    b"_G",
    b"setfenv",
    b"getfenv",
    b"loadstring",
    b"load",
    b"rawset",
    b"rawget",
    b"setmetatable",
    b"getmetatable",
    b"coroutine",
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token<'a> {
    Name(&'a [u8]),
    Text(&'a [u8]),
    Number(&'a [u8]),
    Sign(u8),
}
use Token::{Name, Number, Sign, Text};

// Two words of Lua that are not to be taken for the commands of these names.
const GIVEN: &[u8] = b"KEYS[".split_at(4).0;
const FUNCTION: &[u8] = b"function ".trim_ascii();

/// The sign for `..` and `...`, which are no access to a field.
const DOTS: u8 = b'&';

/// Whether the script calls commands only with keys that it was given.
pub fn declares(code: &[u8]) -> bool {
    let Some(tokens) = tokens(code) else { return false };
    reading(&tokens).is_some()
}

/// `None` as soon as something is not plain.
fn reading(tokens: &[Token<'_>]) -> Option<()> {
    let aliases = aliases(tokens);
    for (at, token) in tokens.iter().enumerate() {
        let Name(name) = *token else { continue };
        let rest = &tokens[at + 1..];
        let is_field = at > 0 && matches!(tokens[at - 1], Sign(b'.' | b':'));
        match name {
            _ if is_field => {}
            _ if DEVIOUS.contains(&name) => return None,
            b"redis" | b"server" => match rest {
                [Sign(b'.'), Name(b"call" | b"pcall"), Sign(b'('), arguments @ ..] => plain_call(arguments, &aliases)?,
                [Sign(b'.'), Name(name), ..] if HARMLESS.contains(name) => {}
                _ => return None,
            },
            GIVEN => match rest {
                [Sign(b'['), Number(_), Sign(b']'), Sign(b'='), Sign(b'='), ..] => {}
                [Sign(b'['), Number(_), Sign(b']'), Sign(b'=' | b'.' | b'[' | b':'), ..] => return None,
                [Sign(b'['), Number(_), Sign(b']'), ..] => {}
                _ if at > 0 && tokens[at - 1] == Sign(b'#') => {}
                _ => return None,
            },
            _ => {}
        }
    }
    Some(())
}

/// `'command', word, ...)`: whether the words that are keys are declared ones.
fn plain_call(arguments: &[Token<'_>], aliases: &HashSet<&[u8]>) -> Option<()> {
    let words = words(arguments)?;
    let [Text(_)] = words.first()? else { return None };
    // Where the keys stand is for the command's row to say, by the words that it has: the ones that the script does not
    // spell out are empty, which is no number and no option.
    let spelled: Vec<&[u8]> = words
        .iter()
        .map(|word| match word {
            [Text(text)] | [Number(text)] => *text,
            _ => b"".as_slice(),
        })
        .collect();
    let command = table::resolve(&spelled).ok()?;
    let spec = command.spec;
    if spec.keys.is_empty()
        || spec.keys.iter().any(|keys| !keys.is_in_fixed_place())
        || spec.flags.intersects(Flags::ALL_SHARDS.union(Flags::SCRIPT))
    {
        return None;
    }
    keys::positions(spec, &spelled)
        .all(|(at, _)| match words.get(at) {
            Some([Name(GIVEN), Sign(b'['), Number(_), Sign(b']')]) => true,
            Some([Name(name)]) => aliases.contains(name),
            _ => false,
        })
        .then_some(())
}

/// The arguments of a call, each with its tokens; `None` if there may be more than are seen.
fn words<'t, 'a>(tokens: &'t [Token<'a>]) -> Option<Vec<&'t [Token<'a>]>> {
    let (mut words, mut begin, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Name(b"unpack" | FUNCTION) => return None,
            Sign(b'(' | b'[' | b'{') => depth += 1,
            Sign(b')') if depth == 0 => {
                words.push(&tokens[begin..at]);
                // A call in the last place may bring any number of words.
                return (words.len() < 2 || !matches!(words.last()?, [.., Sign(b')' | DOTS)])).then_some(words);
            }
            Sign(b')' | b']' | b'}') => depth = depth.checked_sub(1)?,
            Sign(b',') if depth == 0 => {
                words.push(&tokens[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    None
}

/// The names that stand for a declared key wherever they stand: `local key = KEYS[1]`, and nowhere given another value.
fn aliases<'a>(tokens: &[Token<'a>]) -> HashSet<&'a [u8]> {
    let mut aliases = HashSet::new();
    let mut others = HashSet::new();
    let mut declaring = false;
    for (at, token) in tokens.iter().enumerate() {
        let rest = &tokens[at + 1..];
        let Name(name) = *token else {
            // The names of a declaration, or of a function's arguments, end at `=` or `)`.
            declaring &= matches!(token, Sign(b',' | b'(' | b'.' | b':'));
            continue;
        };
        if name == b"local" {
            if let [Name(alias), Sign(b'='), Name(GIVEN), Sign(b'['), Number(_), Sign(b']'), next, ..] = rest
                && matches!(next, Name(_) | Sign(b';'))
                && !matches!(next, Name(b"and" | b"or"))
            {
                aliases.insert(*alias);
            } else {
                declaring = true;
            }
        } else if matches!(name, b"for" | FUNCTION) {
            declaring = true;
        } else if name == b"in" || name == b"do" {
            declaring = false;
        } else {
            let declared = at > 0 && tokens[at - 1] == Name(b"local");
            let assigned = matches!(rest, [Sign(b'='), next, ..] if *next != Sign(b'='));
            if (assigned && !declared) || declaring {
                others.insert(name);
            }
        }
    }
    // `a, key = 1, 2`: with such assignments about, names prove nothing.
    let several =
        tokens.windows(4).any(|four| matches!(four, [Sign(b','), Name(_), Sign(b'='), next] if *next != Sign(b'=')));
    if several {
        return HashSet::new();
    }
    aliases.difference(&others).copied().collect()
}

/// The tokens of a script, without its comments; `None` where this reading is not up to it (long brackets, escapes).
fn tokens(code: &[u8]) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut left = code;
    if left.starts_with(b"#") {
        left = super::after_shebang(left);
    }
    while let [first, rest @ ..] = left {
        let span = |accept: fn(&u8) -> bool| left.iter().position(|byte| !accept(byte)).unwrap_or(left.len());
        match first {
            _ if first.is_ascii_whitespace() => left = rest,
            b'-' if rest.starts_with(b"-[") => return None,
            b'-' if rest.starts_with(b"-") => left = &left[memchr::memchr(b'\n', left).unwrap_or(left.len())..],
            b'[' if rest.starts_with(b"[") || rest.starts_with(b"=") => return None,
            b'"' | b'\'' => {
                let end = memchr::memchr(*first, rest)?;
                let text = &rest[..end];
                if text.contains(&b'\\') {
                    return None;
                }
                tokens.push(Text(text));
                left = &rest[end + 1..];
            }
            b'.' if rest.starts_with(b".") => {
                tokens.push(Sign(DOTS));
                left = &left[span(|byte| *byte == b'.')..];
            }
            b'0'..=b'9' => {
                let (number, rest) = left.split_at(span(u8::is_ascii_alphanumeric));
                tokens.push(Number(number));
                left = rest;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let (name, rest) = left.split_at(span(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'));
                tokens.push(Name(name));
                left = rest;
            }
            _ => {
                tokens.push(Sign(*first));
                left = rest;
            }
        }
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::declares;

    #[test]
    fn plain_scripts() {
        for code in [
            "return 1",
            "return redis.call('get', KEYS[1])",
            "local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end return n",
            "local key = KEYS[1] local now = tonumber(ARGV[1])\nredis.call('zadd', key, now, now) -- a comment\n",
            "return redis.pcall(\"set\", KEYS[1], cjson.encode({1, 2}), 'ex', 3)",
            "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1], KEYS[2]) end",
        ] {
            assert!(declares(code.as_bytes()), "{code}");
        }
    }

    #[test]
    fn scripts_that_may_use_any_key() {
        for code in [
            "return redis.call('get', ARGV[1])",
            "return redis.call('get', 'name')",
            "return redis.call(ARGV[1], KEYS[1])",
            "return redis.call('mget', unpack(KEYS))",
            "return redis.call('del', KEYS[1], f())",
            "return redis.call('keys', '*')",
            "return redis.call('del', KEYS[1] .. ':x')",
            "return redis.call('del', KEYS[#KEYS])",
            "local call = redis.call return call('get', KEYS[1])",
            "KEYS[1] = 'x' return redis.call('get', KEYS[1])",
            "local key = KEYS[1] key = 'x' return redis.call('get', key)",
            "local key = KEYS[1] local a, key = 1, 'x' return redis.call('get', key)",
            "local key = KEYS[1] local function f(key) return redis.call('get', key) end return f('x')",
            "local key = KEYS[1] for key in f() do redis.call('get', key) end",
            "local key = KEYS[1] for i, key in f() do redis.call('get', key) end",
            "local key = KEYS[1] .. 'x' return redis.call('get', key)",
            "local key = KEYS[1] or 'x' return redis.call('get', key)",
            "local key = KEYS[1] a, key = 1, 'x' return redis.call('get', key)",
            "return loadstring('return 1')()",
            "return redis.call('eval', 'x', 1, KEYS[1])",
            "return redis.call('sort', KEYS[1], 'by', 'x_*')",
            "local a = { redis = redis }",
            "return 'x'..redis.call('get', 'x')",
            "return 1 ..redis.call('get', 'x')",
            "local function f(...) redis.call('mset', KEYS[1], ...) end f('x')",
        ] {
            assert!(!declares(code.as_bytes()), "{code}");
        }
    }
}
