//! Whether a script's text shows that it uses none but the keys that it declares.
//!
//! Shards cannot be locked one after the other while a script runs: two scripts might wait for each other. So it is
//! decided before, and cautiously: whatever is not plainly `redis.call('command', KEYS[1], ...)` makes the whole script
//! one that may use any key, and every shard is locked for it. What is taken for a confined script must be one: the table
//! of its keys is used for nothing but `KEYS[1]` and `#KEYS`, and a name that stands for a key is given no other value
//! anywhere in the text.
//!
//! A library's functions are judged together. Their keys come as an argument, whose name is the library's to choose; and
//! since a library lives on between two calls, none of its functions may make another, which might keep the keys of an
//! earlier call.

use super::super::{dispatch, keys, table};
use std::collections::HashSet;

/// What may stand after `redis.` besides calls: none of it reaches keys.
const HARMLESS: [&[u8]; 10] = [
    b"register_function",
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
const KEYS: &[u8] = b"KEYS[".split_at(4).0;
const FUNCTION: &[u8] = b"function ".trim_ascii();

/// The sign for `..` and `...`, which are no access to a field.
const DOTS: u8 = b'&';

/// Whether the script calls commands only with keys that it was given.
pub fn declares(code: &[u8]) -> bool {
    tokens(code).is_some_and(|tokens| reading(&tokens, KEYS, &[]).is_some())
}

/// Whether all functions of a library do.
pub fn library_declares(code: &[u8]) -> bool {
    let Some(tokens) = tokens(code) else { return false };
    let Some(Parameters { keys, at }) = parameters(&tokens) else { return false };
    reading(&tokens, keys, &at).is_some()
}

/// `None` as soon as something is not plain. `given` is the table of the keys, which is declared as such at `parameters`.
fn reading(tokens: &[Token<'_>], given: &[u8], parameters: &[usize]) -> Option<()> {
    let aliases = aliases(tokens, given);
    for (at, token) in tokens.iter().enumerate() {
        let Name(name) = *token else { continue };
        let rest = &tokens[at + 1..];
        let is_field = at > 0 && matches!(tokens[at - 1], Sign(b'.' | b':'));
        match name {
            _ if is_field => {}
            _ if DEVIOUS.contains(&name) => return None,
            b"redis" | b"server" => match rest {
                [Sign(b'.'), Name(b"call" | b"pcall"), Sign(b'('), arguments @ ..] => {
                    plain_call(arguments, given, &aliases)?;
                }
                [Sign(b'.'), Name(name), ..] if HARMLESS.contains(name) => {}
                _ => return None,
            },
            _ if name == given => match rest {
                [Sign(b'['), Number(_), Sign(b']'), Sign(b'='), Sign(b'='), ..] => {}
                [Sign(b'['), Number(_), Sign(b']'), Sign(b'=' | b'.' | b'[' | b':'), ..] => return None,
                [Sign(b'['), Number(_), Sign(b']'), ..] => {}
                _ if at > 0 && tokens[at - 1] == Sign(b'#') => {}
                _ if parameters.contains(&at) => {}
                _ => return None,
            },
            _ => {}
        }
    }
    Some(())
}

/// What a library's functions call the table of their keys, and where they say so.
struct Parameters<'a> {
    keys: &'a [u8],
    at: Vec<usize>,
}

/// `None` if a function is not plainly registered or a helper, if two call their keys differently, or if one makes another.
fn parameters<'a>(tokens: &[Token<'a>]) -> Option<Parameters<'a>> {
    let (mut keys, mut found) = (None, Vec::new());
    // Blocks that are open, and how many were when the function that we are in began.
    let (mut depth, mut function) = (0_usize, None);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Name(FUNCTION) => {
                if function.replace(depth).is_some() {
                    return None;
                }
                depth += 1;
                if is_registered(tokens, at) {
                    let open = at + tokens[at..].iter().position(|token| *token == Sign(b'('))?;
                    if let Name(name) = tokens.get(open + 1)? {
                        if keys.replace(*name).is_some_and(|other| other != *name) {
                            return None;
                        }
                        found.push(open + 1);
                    }
                }
            }
            Name(b"if" | b"do" | b"repeat") => depth += 1,
            Name(b"end" | b"until") => {
                depth = depth.checked_sub(1)?;
                if function == Some(depth) {
                    function = None;
                }
            }
            _ => {}
        }
    }
    Some(Parameters { keys: keys.unwrap_or(KEYS), at: found })
}

/// Whether the function that begins there is called by FCALL only: `register_function('name', function` or
/// `callback = function`, or a local one whose name stands nowhere but there.
fn is_registered(tokens: &[Token<'_>], at: usize) -> bool {
    let registers = |before: &[Token<'_>]| {
        matches!(
            before,
            [.., Name(b"register_function"), Sign(b'('), Text(_), Sign(b',')] | [.., Name(b"callback"), Sign(b'=')]
        )
    };
    match (&tokens[..at], &tokens[at + 1..]) {
        (before, [Sign(b'('), ..]) => registers(before),
        ([.., Name(b"local")], [Name(name), Sign(b'('), ..]) => (tokens.iter().enumerate())
            .filter(|(other, token)| **token == Name(name) && *other != at + 1)
            .all(|(other, _)| registers(&tokens[..other])),
        _ => false,
    }
}

/// `'command', word, ...)`: whether the words that are keys are declared ones.
fn plain_call(arguments: &[Token<'_>], given: &[u8], aliases: &HashSet<&[u8]>) -> Option<()> {
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
    if dispatch::locks_everything(command) || spec.keys.iter().any(|keys| !keys.is_in_fixed_place()) {
        return None;
    }
    keys::positions(spec, &spelled)
        .all(|(at, _)| match words.get(at) {
            Some([Name(name), Sign(b'['), Number(_), Sign(b']')]) => *name == given,
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
fn aliases<'a>(tokens: &[Token<'a>], given: &[u8]) -> HashSet<&'a [u8]> {
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
            if let [Name(alias), Sign(b'='), Name(name), Sign(b'['), Number(_), Sign(b']'), next, ..] = rest
                && *name == given
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
    // `key, a.b = 'x', 1`: with such assignments about, names prove nothing.
    let several = assignments(tokens).iter().any(|at| assigned_with_others(&tokens[..*at]));
    if several {
        return HashSet::new();
    }
    aliases.difference(&others).copied().collect()
}

/// Where an `=` gives a value to something else than a field of a table that is being made.
fn assignments(tokens: &[Token<'_>]) -> Vec<usize> {
    let (mut found, mut open) = (Vec::new(), Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Sign(b'(' | b'[' | b'{') | Name(FUNCTION | b"if" | b"do" | b"repeat") => open.push(*token),
            Sign(b')' | b']' | b'}') | Name(b"end" | b"until") => drop(open.pop()),
            Sign(b'=')
                if tokens.get(at + 1) != Some(&Sign(b'='))
                    && (at == 0 || !matches!(tokens[at - 1], Sign(b'=' | b'<' | b'>' | b'~')))
                    && open.last() != Some(&Sign(b'{')) =>
            {
                found.push(at);
            }
            _ => {}
        }
    }
    found
}

/// Whether what ends here is the last of several things: there is a comma before it. It is a name, with fields, calls and
/// what else stands in brackets behind it.
fn assigned_with_others(tokens: &[Token<'_>]) -> bool {
    let (mut at, mut depth) = (tokens.len(), 0_usize);
    while let Some(before) = at.checked_sub(1) {
        match tokens[before] {
            Sign(b']' | b')' | b'}') => depth += 1,
            Sign(b'[' | b'(' | b'{') if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            Sign(b',') => return true,
            Name(_) if before > 0 && matches!(tokens[before - 1], Sign(b'.' | b':' | b',')) => {}
            Sign(b'.' | b':') | Text(_) => {}
            _ => return false,
        }
        at = before;
    }
    false
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
    use super::{declares, library_declares};

    #[test]
    fn plain_scripts() {
        for code in [
            "return 1",
            "return redis.call('get', KEYS[1])",
            "local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end return n",
            "local key = KEYS[1] local now = tonumber(ARGV[1])\nredis.call('zadd', key, now, now) -- a comment\n",
            "return redis.pcall(\"set\", KEYS[1], cjson.encode({1, 2}), 'ex', 3)",
            "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1], KEYS[2]) end",
            "local key, t = KEYS[1], {a = 1, b = 2} return redis.call('get', KEYS[1])",
            "local key = KEYS[1] local t = {a = 1, b = 2} return redis.call('get', key)",
            "local time = redis.call('TIME') return redis.call('set', KEYS[1], time[1])",
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
            "local key = KEYS[1] local t = {} key, t.x = 'x', 1 return redis.call('get', key)",
            "local key = KEYS[1] local t = {} key, t[1] = 'x', 1 return redis.call('get', key)",
            "local key = KEYS[1] local t = {} key, t[f(1)].y.z = 'x', 1 return redis.call('get', key)",
            "local key = KEYS[1] key, f'a'.b = 'x', 1 return redis.call('get', key)",
            "local key = KEYS[1] key, f{1}.b = 'x', 1 return redis.call('get', key)",
            "local key = KEYS[1] local t = {f = function() a, key = 1, 'x' end} return redis.call('get', key)",
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

    #[test]
    fn plain_libraries() {
        for code in [
            "redis.register_function('f', function(keys, args) return redis.call('get', keys[1]) end)",
            "#!lua name=l\nlocal function f(k, a) local key = k[1] if #k > 1 then return 1 end return redis.call('get', key) \
             end\nlocal function g(k) for i = 1, 2 do redis.call('incr', k[1]) end end\nserver.register_function('f', f)\n\
             redis.register_function{function_name='g', callback=g, flags={'no-writes'}}",
            "local function add(a, b) return a + b end redis.register_function('f', function(k, a) local n = \
             add(a[1], 1) return redis.call('incrby', k[1], n) end)",
            "redis.register_function('f', function() return 1 end)",
        ] {
            assert!(library_declares(code.as_bytes()), "{code}");
        }
    }

    #[test]
    fn libraries_that_may_use_any_key() {
        for code in [
            "redis.register_function('f', function(keys, args) return redis.call('get', args[1]) end)",
            // Keys that are no declared ones, under the name of those that are.
            "local function h(keys) return redis.call('get', keys[1]) end redis.register_function('f', function(keys) \
             return h({'x'}) end)",
            "local function f(keys) return redis.call('get', keys[1]) end redis.register_function('f', f) \
             redis.register_function('g', function(k) return f({'x'}) end)",
            "redis.register_function('f', function(a) return 1 end) redis.register_function('g', function(b, a) return \
             redis.call('get', a[1]) end)",
            // Keys of an earlier call.
            "local kept redis.register_function('f', function(keys) kept = function() redis.call('del', keys[1]) end end) \
             redis.register_function('g', function(keys) kept() end)",
            "local kept redis.register_function('f', function(keys) kept = keys end) redis.register_function('g', \
             function(keys) return redis.call('get', kept[1]) end)",
        ] {
            assert!(!library_declares(code.as_bytes()), "{code}");
        }
    }
}
