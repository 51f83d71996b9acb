//! `cjson`: values as JSON and back, with the names, limits and error texts that scripts for Redis know.
//!
//! Strings are bytes: what is no UTF-8 passes through. Arrays are tables whose keys are 1 to n; the null of JSON is a
//! value of its own, `cjson.null`.

use super::{Given, function, nested, refuse};
use crate::util::double;
use mlua::{LightUserData, Lua, MultiValue, Table, Value};
use std::{cell::RefCell, rc::Rc};

/// What scripts may set.
#[derive(Clone, Copy)]
struct Options {
    sparse_convert: bool,
    sparse_ratio: i64,
    sparse_safe: i64,
    encode_depth: usize,
    decode_depth: usize,
    precision: usize,
    encode_invalid: Invalid,
    decode_invalid: bool,
    mark_arrays: bool,
}

/// What becomes of a number that JSON has no text for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Invalid {
    Refused,
    Written,
    Null,
}

const USUAL: Options = Options {
    sparse_convert: false,
    sparse_ratio: 2,
    sparse_safe: 10,
    encode_depth: 1000,
    decode_depth: 1000,
    precision: 14,
    encode_invalid: Invalid::Refused,
    decode_invalid: true,
    mark_arrays: false,
};

/// Digits that a script may choose.
const PRECISION_MAX: i32 = 14;
/// No script may choose more: the stack has an end.
const DEPTH_MAX: usize = 1000;

/// A table whose metatable has this field is written as an array, even when it is empty.
const MARK: &str = "__is_cjson_array";
/// Where an interpreter keeps the metatable that decoded arrays are given.
const METATABLE: &str = "cjson arrays";

/// The metatable of decoded arrays.
pub fn array_metatable(lua: &Lua) -> mlua::Result<Table> {
    if let Ok(metatable) = lua.named_registry_value(METATABLE) {
        return Ok(metatable);
    }
    let metatable = lua.create_table()?;
    metatable.raw_set(MARK, true)?;
    lua.set_named_registry_value(METATABLE, &metatable)?;
    Ok(metatable)
}

fn null() -> Value {
    Value::LightUserData(LightUserData(std::ptr::null_mut()))
}

pub fn table(lua: &Lua) -> mlua::Result<Table> {
    let options = Rc::new(RefCell::new(USUAL));
    let json = lua.create_table()?;
    let own = Rc::clone(&options);
    json.raw_set(
        "encode",
        function(lua, move |lua, values: MultiValue| {
            let value = Given::exactly("encode", 1, values)?.next().unwrap_or(Value::Nil);
            let mut out = Vec::new();
            encode(&mut out, &value, &own.borrow(), 0)?;
            lua.create_string(out)
        })?,
    )?;
    let own = Rc::clone(&options);
    json.raw_set(
        "decode",
        function(lua, move |lua, values: MultiValue| {
            let text = Given::exactly("decode", 1, values)?.string(lua)?;
            let text = text.as_bytes();
            Parser { lua, text: &text, at: 0, options: *own.borrow() }.whole()
        })?,
    )?;
    let depth = |name: &'static str, which: fn(&mut Options) -> &mut usize| {
        let own = Rc::clone(&options);
        function(lua, move |lua, values: MultiValue| {
            let depth = whole(lua, name, values, i32::MAX)?;
            let mut own = own.borrow_mut();
            let field = which(&mut own);
            *field = depth.map_or(*field, |depth| depth.min(DEPTH_MAX));
            Ok(*field)
        })
    };
    json.raw_set("encode_max_depth", depth("encode_max_depth", |options| &mut options.encode_depth)?)?;
    json.raw_set("decode_max_depth", depth("decode_max_depth", |options| &mut options.decode_depth)?)?;
    let own = Rc::clone(&options);
    json.raw_set(
        "encode_sparse_array",
        function(lua, move |_, (convert, ratio, safe): (Option<bool>, Option<i64>, Option<i64>)| {
            let mut own = own.borrow_mut();
            own.sparse_convert = convert.unwrap_or(own.sparse_convert);
            own.sparse_ratio = ratio.unwrap_or(own.sparse_ratio).max(0);
            own.sparse_safe = safe.unwrap_or(own.sparse_safe).max(0);
            Ok((own.sparse_convert, own.sparse_ratio, own.sparse_safe))
        })?,
    )?;
    let own = Rc::clone(&options);
    json.raw_set(
        "encode_number_precision",
        function(lua, move |lua, values: MultiValue| {
            let precision = whole(lua, "encode_number_precision", values, PRECISION_MAX)?;
            let mut own = own.borrow_mut();
            own.precision = precision.unwrap_or(own.precision);
            Ok(own.precision)
        })?,
    )?;
    json.raw_set("encode_keep_buffer", function(lua, |_, keep: Option<bool>| Ok(keep.unwrap_or(true)))?)?;
    let own = Rc::clone(&options);
    json.raw_set(
        "encode_invalid_numbers",
        function(lua, move |lua, setting: Option<Value>| {
            let mut own = own.borrow_mut();
            own.encode_invalid = match setting {
                None => own.encode_invalid,
                Some(Value::String(text)) if text == "null" => Invalid::Null,
                Some(Value::Boolean(true)) => Invalid::Written,
                Some(Value::Boolean(false)) => Invalid::Refused,
                Some(other) => {
                    let option = lua.coerce_string(other)?.map(|text| text.to_string_lossy()).unwrap_or_default();
                    return refuse(format!("bad argument #1 to 'encode_invalid_numbers' (invalid option '{option}')"));
                }
            };
            match own.encode_invalid {
                Invalid::Null => lua.create_string("null").map(Value::String),
                setting => Ok(Value::Boolean(setting == Invalid::Written)),
            }
        })?,
    )?;
    let own = Rc::clone(&options);
    json.raw_set(
        "decode_invalid_numbers",
        function(lua, move |_, setting: Option<bool>| {
            let mut own = own.borrow_mut();
            own.decode_invalid = setting.unwrap_or(own.decode_invalid);
            Ok(own.decode_invalid)
        })?,
    )?;
    let own = Rc::clone(&options);
    json.raw_set(
        "decode_array_with_array_mt",
        function(lua, move |_, setting: Option<bool>| {
            let mut own = own.borrow_mut();
            own.mark_arrays = setting.unwrap_or(own.mark_arrays);
            Ok(own.mark_arrays)
        })?,
    )?;
    json.raw_set("new", function(lua, |lua, ()| table(lua))?)?;
    json.raw_set("null", null())?;
    json.raw_set("_NAME", "cjson")?;
    json.raw_set("_VERSION", "2.1.0")?;
    Ok(json)
}

/// A setting that is a whole number from 1 on, if one is given.
fn whole(lua: &Lua, name: &'static str, values: MultiValue, max: i32) -> mlua::Result<Option<usize>> {
    let number = Given::new(name, values).number(lua)?.map(|number| number as i64);
    match number {
        Some(number) if !(1..=i64::from(max)).contains(&number) => {
            refuse(format!("bad argument #1 to '{name}' (expected integer between 1 and {max})"))
        }
        number => Ok(number.map(|number| number as usize)),
    }
}

fn encode(out: &mut Vec<u8>, value: &Value, options: &Options, depth: usize) -> mlua::Result<()> {
    match value {
        Value::String(text) => encode_text(out, &text.as_bytes()),
        Value::Integer(n) if n.unsigned_abs() < 10u64.pow(options.precision as u32) => {
            out.extend_from_slice(itoa::Buffer::new().format(*n).as_bytes());
        }
        Value::Integer(n) => encode_number(out, *n as f64, options)?,
        Value::Number(n) => encode_number(out, *n, options)?,
        Value::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Nil => out.extend_from_slice(b"null"),
        Value::LightUserData(data) if data.0.is_null() => out.extend_from_slice(b"null"),
        Value::Table(table) => {
            if depth >= options.encode_depth {
                return refuse(format!("Cannot serialise, excessive depth ({})", depth + 1));
            }
            nested(|| {
                if is_marked(table)? {
                    return encode_array(out, table, table.raw_len() as i64, options, depth);
                }
                match array_len(table, options)? {
                    Some(len @ 1..) => encode_array(out, table, len, options, depth),
                    _ => encode_object(out, table, options, depth),
                }
            })?;
        }
        other => return refuse(format!("Cannot serialise {}: type not supported", other.type_name())),
    }
    Ok(())
}

fn is_marked(table: &Table) -> mlua::Result<bool> {
    table.metatable().map_or(Ok(false), |metatable| metatable.raw_get(MARK))
}

/// The length of an array; `None`: it is none.
fn array_len(table: &Table, options: &Options) -> mlua::Result<Option<i64>> {
    let (mut longest, mut count) = (0, 0);
    for pair in table.pairs::<Value, Value>() {
        let index = match pair?.0 {
            Value::Integer(n) if n >= 1 => n,
            Value::Number(n) if n >= 1.0 && n.fract() == 0.0 && n < 9e15 => n as i64,
            _ => return Ok(None),
        };
        longest = longest.max(index);
        count += 1;
    }
    let sparse = options.sparse_ratio > 0
        && longest > options.sparse_safe
        && longest > options.sparse_ratio.saturating_mul(count);
    match sparse {
        true if !options.sparse_convert => refuse("Cannot serialise table: excessively sparse array"),
        true => Ok(None),
        false => Ok(Some(longest)),
    }
}

fn encode_array(out: &mut Vec<u8>, table: &Table, len: i64, options: &Options, depth: usize) -> mlua::Result<()> {
    out.push(b'[');
    for index in 1..=len {
        if index > 1 {
            out.push(b',');
        }
        encode(out, &table.raw_get(index)?, options, depth + 1)?;
    }
    out.push(b']');
    Ok(())
}

fn encode_object(out: &mut Vec<u8>, table: &Table, options: &Options, depth: usize) -> mlua::Result<()> {
    out.push(b'{');
    let mut first = true;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        match &key {
            Value::String(text) => encode_text(out, &text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                out.push(b'"');
                encode(out, &key, options, depth + 1)?;
                out.push(b'"');
            }
            _ => return refuse("Cannot serialise table: table key must be a number or string"),
        }
        out.push(b':');
        encode(out, &value, options, depth + 1)?;
    }
    out.push(b'}');
    Ok(())
}

fn encode_number(out: &mut Vec<u8>, n: f64, options: &Options) -> mlua::Result<()> {
    if !n.is_finite() {
        match options.encode_invalid {
            Invalid::Refused => return refuse("Cannot serialise number: must not be NaN or Inf"),
            Invalid::Null => out.extend_from_slice(b"null"),
            Invalid::Written if n.is_nan() => out.extend_from_slice(b"nan"),
            Invalid::Written => out.extend_from_slice(if n > 0.0 { b"inf" } else { b"-inf" }),
        }
        return Ok(());
    }
    out.extend_from_slice(double::general(n, options.precision).as_bytes());
    Ok(())
}

fn encode_text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' | b'/' => out.extend([b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 | 0x7F => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Reads JSON.
struct Parser<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    at: usize,
    options: Options,
}

enum Token {
    Punctuation(u8),
    Text(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    End,
    Error(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Token::Punctuation(b'{') => "T_OBJ_BEGIN",
            Token::Punctuation(b'}') => "T_OBJ_END",
            Token::Punctuation(b'[') => "T_ARR_BEGIN",
            Token::Punctuation(b']') => "T_ARR_END",
            Token::Punctuation(b':') => "T_COLON",
            Token::Punctuation(_) => "T_COMMA",
            Token::Text(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::End => "T_END",
            Token::Error(what) => what,
        }
    }
}

impl Parser<'_> {
    fn whole(mut self) -> mlua::Result<Value> {
        if self.text.len() >= 2 && (self.text[0] == 0 || self.text[1] == 0) {
            return refuse("JSON parser does not support UTF-16 or UTF-32");
        }
        let token = self.next();
        let value = self.value(token, 0)?;
        match self.next() {
            (Token::End, _) => Ok(value),
            (token, at) => self.unexpected("the end", &token, at),
        }
    }

    fn unexpected<T>(&self, wanted: &str, found: &Token, at: usize) -> mlua::Result<T> {
        refuse(format!("Expected {wanted} but found {} at character {}", found.name(), at + 1))
    }

    fn value(&mut self, (token, at): (Token, usize), depth: usize) -> mlua::Result<Value> {
        match token {
            Token::Text(text) => self.lua.create_string(text).map(Value::String),
            Token::Number(n) => Ok(Value::Number(n)),
            Token::Boolean(value) => Ok(Value::Boolean(value)),
            Token::Null => Ok(null()),
            Token::Punctuation(begin @ (b'{' | b'[')) => {
                if depth >= self.options.decode_depth {
                    return refuse(format!(
                        "Found too many nested data structures ({}) at character {}",
                        depth + 1,
                        self.at + 1
                    ));
                }
                let table = self.lua.create_table()?;
                nested(|| match begin {
                    b'{' => self.object(&table, depth + 1),
                    _ => self.array(&table, depth + 1),
                })?;
                Ok(Value::Table(table))
            }
            token => self.unexpected("value", &token, at),
        }
    }

    fn object(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        let (mut token, mut at) = self.next();
        if let Token::Punctuation(b'}') = token {
            return Ok(());
        }
        loop {
            let Token::Text(key) = token else { return self.unexpected("object key string", &token, at) };
            match self.next() {
                (Token::Punctuation(b':'), _) => {}
                (token, at) => return self.unexpected("colon", &token, at),
            }
            let next = self.next();
            let value = self.value(next, depth)?;
            table.raw_set(self.lua.create_string(key)?, value)?;
            match self.next() {
                (Token::Punctuation(b'}'), _) => return Ok(()),
                (Token::Punctuation(b','), _) => {}
                (token, at) => return self.unexpected("comma or object end", &token, at),
            }
            (token, at) = self.next();
        }
    }

    fn array(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        if self.options.mark_arrays {
            table.set_metatable(Some(array_metatable(self.lua)?))?;
        }
        let mut next = self.next();
        if let Token::Punctuation(b']') = next.0 {
            return Ok(());
        }
        for index in 1i64.. {
            let value = self.value(next, depth)?;
            table.raw_set(index, value)?;
            match self.next() {
                (Token::Punctuation(b']'), _) => break,
                (Token::Punctuation(b','), _) => {}
                (token, at) => return self.unexpected("comma or array end", &token, at),
            }
            next = self.next();
        }
        Ok(())
    }

    /// The next token, and where it begins.
    fn next(&mut self) -> (Token, usize) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        let start = self.at;
        let rest = &self.text[start..];
        let mut word = |text: &[u8], token: Token| {
            self.at = start + text.len();
            token
        };
        let token = match rest.first() {
            None => Token::End,
            Some(byte @ (b'{' | b'}' | b'[' | b']' | b':' | b',')) => {
                self.at += 1;
                Token::Punctuation(*byte)
            }
            Some(b'"') => self.text_token(),
            Some(b't') if rest.starts_with(b"true") => word(b"true", Token::Boolean(true)),
            Some(b'f') if rest.starts_with(b"false") => word(b"false", Token::Boolean(false)),
            Some(b'n') if rest.starts_with(b"null") => word(b"null", Token::Null),
            Some(b'-' | b'+' | b'0'..=b'9' | b'i' | b'I' | b'n' | b'N') => self.number(),
            Some(_) => Token::Error("invalid token"),
        };
        (token, start)
    }

    fn number(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let len = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
        let Ok(text) = std::str::from_utf8(&rest[..len]) else { return Token::Error("invalid number") };
        let digits = text.trim_start_matches(['-', '+']);
        let is_word = digits.starts_with(|first: char| first.is_ascii_alphabetic());
        let is_hex = digits.starts_with("0x") || digits.starts_with("0X");
        let leads_with_zero = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        if (is_word || is_hex || leads_with_zero || text.starts_with('+')) && !self.options.decode_invalid {
            return Token::Error("invalid number");
        }
        let parsed = match (is_hex, digits.get(2..)) {
            (true, Some(hex)) => u64::from_str_radix(hex, 16).ok().map(|n| n as f64),
            _ if is_word => match digits.to_ascii_lowercase().as_str() {
                "inf" | "infinity" => Some(f64::INFINITY),
                "nan" => Some(f64::NAN),
                _ => return Token::Error("invalid token"),
            },
            _ => digits.parse::<f64>().ok(),
        };
        match parsed {
            Some(n) => {
                self.at += len;
                Token::Number(if text.starts_with('-') { -n } else { n })
            }
            None => Token::Error("invalid number"),
        }
    }

    fn text_token(&mut self) -> Token {
        let mut text = Vec::new();
        let mut at = self.at + 1;
        loop {
            match self.text.get(at) {
                None => return Token::Error("unexpected end of string"),
                Some(b'"') => break,
                Some(b'\\') => {
                    let Some(&code) = self.text.get(at + 1) else { return Token::Error("unexpected end of string") };
                    at += 2;
                    match code {
                        b'"' | b'\\' | b'/' => text.push(code),
                        b'b' => text.push(0x08),
                        b'f' => text.push(0x0C),
                        b'n' => text.push(b'\n'),
                        b'r' => text.push(b'\r'),
                        b't' => text.push(b'\t'),
                        b'u' => match self.unicode(&mut at) {
                            Some(letter) => text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
                            None => return Token::Error("invalid unicode escape code"),
                        },
                        _ => return Token::Error("invalid escape code"),
                    }
                }
                Some(&byte) => {
                    text.push(byte);
                    at += 1;
                }
            }
        }
        self.at = at + 1;
        Token::Text(text)
    }

    /// The letter of the four digits at `at`, or of the eight of a pair of surrogates.
    fn unicode(&self, at: &mut usize) -> Option<char> {
        let digits = |at: usize| {
            let digits = std::str::from_utf8(self.text.get(at..at + 4)?).ok()?;
            digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
        };
        let high = digits(*at)?;
        *at += 4;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high);
        }
        if self.text.get(*at..*at + 2)? != b"\\u" {
            return None;
        }
        let low = digits(*at + 2).filter(|low| (0xDC00..0xE000).contains(low))?;
        *at += 6;
        char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    }
}
