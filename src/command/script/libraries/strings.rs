//! The functions of `string` that take patterns.

use super::{
    Given, function,
    patterns::{Captured, Matcher, as_in_c},
    refuse,
};
use crate::command::script::{convert::MEMORY_MAX, host};
use mlua::{BString, Function, IntoLua, Lua, LuaString, MultiValue, Table, Value};

/// What means something in a pattern.
const SPECIALS: &[u8] = b"^$*+?.([%-";

pub fn table(lua: &Lua) -> mlua::Result<Table> {
    let strings = lua.create_table()?;
    strings.raw_set("find", function(lua, find)?)?;
    strings.raw_set("match", function(lua, match_)?)?;
    strings.raw_set("gsub", function(lua, gsub)?)?;
    strings.raw_set("advance", function(lua, advance)?)?;
    strings.raw_set("gmatch_by", lua.create_function(gmatch_by)?)?;
    let rep: Function = lua.globals().get::<Table>("string")?.get("rep")?;
    strings.raw_set("rep", function(lua, move |lua, given| repeat(lua, &rep, given))?)?;
    Ok(strings)
}

/// The byte where a search begins, of a position that may count from the end.
fn start(position: Option<f64>, len: usize) -> usize {
    let position = position.unwrap_or(1.0) as i64;
    let from_start = if position < 0 { position.saturating_add(len as i64 + 1) } else { position };
    usize::try_from(from_start.saturating_sub(1)).unwrap_or(0).min(len)
}

/// A pattern without its anchor, and whether it had one.
fn anchored(pattern: &[u8]) -> (bool, &[u8]) {
    pattern.strip_prefix(b"^").map_or((false, pattern), |rest| (true, rest))
}

/// `rep`, which repeats nothing as often as it is told to.
fn repeat(lua: &Lua, rep: &Function, given: MultiValue) -> mlua::Result<LuaString> {
    let mut given = Given::new("rep", given);
    let (text, count) = (given.string(lua)?, given.some_number(lua)?);
    if text.as_bytes().is_empty() { Ok(text) } else { rep.call((text, count)) }
}

/// `find`: where the first match begins and ends, and its captures.
fn find(lua: &Lua, given: MultiValue) -> mlua::Result<MultiValue> {
    let mut given = Given::new("find", given);
    let (text, pattern, position) = (given.string(lua)?, given.string(lua)?, given.number(lua)?);
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let from = start(position, text.len());
    let is_plain = given.next().is_some_and(|plain| !matches!(plain, Value::Nil | Value::Boolean(false)));
    if is_plain || !as_in_c(&pattern).iter().any(|byte| SPECIALS.contains(byte)) {
        let found = memchr::memmem::find(&text[from..], &pattern).map(|at| from + at);
        return Ok(match found {
            Some(at) => [at + 1, at + pattern.len()].map(|place| Value::Number(place as f64)).into_iter().collect(),
            None => MultiValue::from_iter([Value::Nil]),
        });
    }
    let (anchored, pattern) = anchored(&pattern);
    let mut matcher = Matcher::new(&text, pattern, host::look);
    let Some((start, end)) = matcher.from(from, anchored)? else { return Ok(MultiValue::from_iter([Value::Nil])) };
    let mut values = captures(lua, &matcher, (start, end), false)?;
    values.push_front(Value::Number(end as f64));
    values.push_front(Value::Number((start + 1) as f64));
    Ok(values)
}

/// `match`: the captures of the first match.
fn match_(lua: &Lua, given: MultiValue) -> mlua::Result<MultiValue> {
    let mut given = Given::new("match", given);
    let (text, pattern, position) = (given.string(lua)?, given.string(lua)?, given.number(lua)?);
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let from = start(position, text.len());
    let (anchored, pattern) = anchored(&pattern);
    let mut matcher = Matcher::new(&text, pattern, host::look);
    match matcher.from(from, anchored)? {
        Some(found) => captures(lua, &matcher, found, true),
        None => Ok(MultiValue::from_iter([Value::Nil])),
    }
}

/// `gmatch`: what answers the next match each time, which is made of text and pattern by a function of Lua: a handle of ours
/// that garbage still holds would have a place in the interpreter.
fn gmatch_by(lua: &Lua, make: Function) -> mlua::Result<Function> {
    function(lua, move |lua, given: MultiValue| {
        let mut given = Given::new("gmatch", given);
        make.call::<Function>((given.string(lua)?, given.string(lua)?))
    })
}

/// A step of `gmatch`: the place where the next one is to begin, and the captures of this one.
fn advance(lua: &Lua, (text, pattern, from): (LuaString, LuaString, usize)) -> mlua::Result<MultiValue> {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    if from > text.len() {
        return Ok(MultiValue::new());
    }
    let mut matcher = Matcher::new(&text, &pattern, host::look);
    let Some((start, end)) = matcher.from(from, false)? else { return Ok(MultiValue::new()) };
    let mut values = captures(lua, &matcher, (start, end), true)?;
    values.push_front(Value::Number((end + usize::from(start == end)) as f64));
    Ok(values)
}

/// `gsub`: the text with its matches replaced, and how many there were.
fn gsub(lua: &Lua, given: MultiValue) -> mlua::Result<(BString, usize)> {
    let mut given = Given::new("gsub", given);
    let (text, pattern) = (given.string(lua)?, given.string(lua)?);
    let with = match given.next() {
        Some(Value::Function(function)) => With::Function(function),
        Some(Value::Table(table)) => With::Table(table),
        other => match lua.coerce_string(other.unwrap_or(Value::Nil))? {
            Some(text) => With::Text(text),
            None => return refuse("bad argument #3 to 'gsub' (string/function/table expected)"),
        },
    };
    let most = given.number(lua)?.map_or(usize::MAX, |most| most as usize);
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (anchored, pattern) = anchored(&pattern);
    let mut matcher = Matcher::new(&text, pattern, host::look);
    let (mut out, mut at, mut count) = (Vec::new(), 0, 0);
    while count < most {
        let found = matcher.at(at)?;
        if let Some(end) = found {
            count += 1;
            replace(lua, &mut out, &matcher, (at, end), &text[at..end], &with)?;
        }
        match found {
            Some(end) if end > at => at = end,
            _ if at < text.len() => {
                out.push(text[at]);
                at += 1;
            }
            _ => break,
        }
        if out.len() > MEMORY_MAX {
            return Err(mlua::Error::MemoryError("not enough memory".to_owned()));
        }
        if anchored {
            break;
        }
    }
    out.extend_from_slice(&text[at..]);
    Ok((BString::from(out), count))
}

/// What takes the place of a match.
enum With {
    Text(LuaString),
    Function(Function),
    Table(Table),
}

fn replace(
    lua: &Lua,
    out: &mut Vec<u8>,
    matcher: &Matcher<'_>,
    place: (usize, usize),
    matched: &[u8],
    with: &With,
) -> mlua::Result<()> {
    let value = match with {
        With::Text(text) => return fill_in(out, matcher, place, matched, &text.as_bytes()),
        With::Function(function) => function.call::<Value>(captures(lua, matcher, place, true)?)?,
        With::Table(table) => table.get::<Value>(value(lua, matcher.captured(0, place)?)?)?,
    };
    match value {
        Value::Nil | Value::Boolean(false) => out.extend_from_slice(matched),
        value => match lua.coerce_string(value.clone())? {
            Some(text) => out.extend_from_slice(&text.as_bytes()),
            None => return refuse(format!("invalid replacement value (a {})", value.type_name())),
        },
    }
    Ok(())
}

/// A text in which `%1` stands for a capture and `%0` for the match.
fn fill_in(
    out: &mut Vec<u8>,
    matcher: &Matcher<'_>,
    place: (usize, usize),
    matched: &[u8],
    text: &[u8],
) -> mlua::Result<()> {
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        match (byte, if byte == b'%' { bytes.next().copied().unwrap_or(0) } else { byte }) {
            (b'%', b'0') => out.extend_from_slice(matched),
            (b'%', digit @ b'1'..=b'9') => match matcher.captured(usize::from(digit - b'1'), place)? {
                Captured::Text(text) => out.extend_from_slice(text),
                Captured::Position(at) => out.extend_from_slice(itoa::Buffer::new().format(at).as_bytes()),
            },
            (_, other) => out.push(other),
        }
    }
    Ok(())
}

fn captures(lua: &Lua, matcher: &Matcher<'_>, place: (usize, usize), whole: bool) -> mlua::Result<MultiValue> {
    (0..matcher.count(whole)).map(|index| value(lua, matcher.captured(index, place)?)).collect()
}

fn value(lua: &Lua, captured: Captured<'_>) -> mlua::Result<Value> {
    match captured {
        Captured::Text(text) => lua.create_string(text)?.into_lua(lua),
        Captured::Position(at) => Ok(Value::Number(at as f64)),
    }
}
