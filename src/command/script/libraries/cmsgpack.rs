//! `cmsgpack`: values as MessagePack and back. (<https://github.com/msgpack/msgpack/blob/master/spec.md>)

use super::{Given, VALUES_MAX, function, nested, refuse};
use mlua::{Lua, LuaString, MultiValue, Table, Value, Variadic};

/// A value that is nested deeper is written as nil.
const PACK_DEPTH: usize = 16;
/// No bytes are read deeper: the stack has an end.
const UNPACK_DEPTH: usize = 1000;

pub fn table(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.raw_set(
        "pack",
        function(lua, |lua, values: Variadic<Value>| {
            if values.is_empty() {
                return refuse("bad argument #0 to 'pack' (MessagePack pack needs input.)");
            }
            let mut out = Vec::new();
            values.iter().try_for_each(|value| pack(&mut out, value, 0))?;
            lua.create_string(out)
        })?,
    )?;
    library.raw_set(
        "unpack",
        function(lua, |lua, values: MultiValue| {
            let text = Given::new("unpack", values).string(lua)?;
            let bytes = text.as_bytes();
            let mut input = Input { lua, bytes: &bytes, at: 0 };
            let mut values = MultiValue::new();
            while input.at < bytes.len() {
                limited(&values)?;
                values.push_back(input.value(0)?);
            }
            Ok(values)
        })?,
    )?;
    library.raw_set(
        "unpack_one",
        function(lua, |lua, values: MultiValue| {
            let mut given = Given::new("unpack_one", values);
            let (text, offset) = (given.string(lua)?, given.number(lua)?);
            some(lua, &text, 1, offset.unwrap_or(0.0) as i64)
        })?,
    )?;
    library.raw_set(
        "unpack_limit",
        function(lua, |lua, values: MultiValue| {
            let mut given = Given::new("unpack_limit", values);
            let (text, limit, offset) = (given.string(lua)?, given.some_number(lua)?, given.number(lua)?);
            some(lua, &text, limit as i64, offset.unwrap_or(0.0) as i64)
        })?,
    )?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    Ok(library)
}

/// Up to `limit` values from an offset on, after the offset to go on from (-1 at the end).
fn some(lua: &Lua, text: &LuaString, limit: i64, offset: i64) -> mlua::Result<MultiValue> {
    let bytes = text.as_bytes();
    if offset < 0 || limit < 0 {
        return refuse(format!("Invalid request to unpack with offset of {offset} and limit of {limit}."));
    }
    let at = usize::try_from(offset).ok().filter(|at| *at <= bytes.len());
    let Some(at) = at else {
        return refuse(format!("Start offset {offset} greater than input length {}.", bytes.len()));
    };
    let mut input = Input { lua, bytes: &bytes, at };
    let mut values = MultiValue::new();
    while input.at < bytes.len() && (values.len() as i64) < limit {
        limited(&values)?;
        values.push_back(input.value(0)?);
    }
    let next = if input.at < bytes.len() { input.at as i64 } else { -1 };
    values.push_front(Value::Integer(next));
    Ok(values)
}

/// Whether one more value may be answered.
fn limited(values: &MultiValue) -> mlua::Result<()> {
    if values.len() < VALUES_MAX { Ok(()) } else { refuse("too many values to unpack") }
}

fn pack(out: &mut Vec<u8>, value: &Value, depth: usize) -> mlua::Result<()> {
    match value {
        Value::String(text) => pack_text(out, &text.as_bytes()),
        Value::Boolean(value) => out.push(if *value { 0xC3 } else { 0xC2 }),
        Value::Integer(n) => pack_int(out, *n),
        Value::Number(n) if n.fract() == 0.0 && n.abs() < 9.2e18 => pack_int(out, *n as i64),
        Value::Number(n) if f64::from(*n as f32) == *n => {
            out.push(0xCA);
            out.extend((*n as f32).to_be_bytes());
        }
        Value::Number(n) => {
            out.push(0xCB);
            out.extend(n.to_be_bytes());
        }
        Value::Table(table) if depth < PACK_DEPTH => pack_table(out, table, depth)?,
        _ => out.push(0xC0),
    }
    Ok(())
}

fn pack_int(out: &mut Vec<u8>, n: i64) {
    match n {
        -32..=127 => out.push(n as u8),
        128..=0xFF => out.extend([0xCC, n as u8]),
        0x100..=0xFFFF => put(out, 0xCD, &(n as u16).to_be_bytes()),
        0x1_0000..=0xFFFF_FFFF => put(out, 0xCE, &(n as u32).to_be_bytes()),
        0x1_0000_0000.. => put(out, 0xCF, &n.to_be_bytes()),
        -0x80..-32 => out.extend([0xD0, n as u8]),
        -0x8000..-0x80 => put(out, 0xD1, &(n as i16).to_be_bytes()),
        -0x8000_0000..-0x8000 => put(out, 0xD2, &(n as i32).to_be_bytes()),
        _ => put(out, 0xD3, &n.to_be_bytes()),
    }
}

fn put(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

fn pack_text(out: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        len @ 0..32 => out.push(0xA0 | len as u8),
        len @ 32..=0xFF => out.extend([0xD9, len as u8]),
        len @ 0x100..=0xFFFF => put(out, 0xDA, &(len as u16).to_be_bytes()),
        len => put(out, 0xDB, &(len as u32).to_be_bytes()),
    }
    out.extend_from_slice(text);
}

fn pack_table(out: &mut Vec<u8>, table: &Table, depth: usize) -> mlua::Result<()> {
    let (mut pairs, mut longest, mut is_array) = (0, 0, true);
    table.for_each(|key: Value, _: Value| {
        pairs += 1;
        match key {
            Value::Integer(n) if n > 0 => longest = longest.max(n as usize),
            _ => is_array = false,
        }
        Ok(())
    })?;
    let mut begin = |short: u8, tag: u8| match pairs {
        len @ 0..16 => out.push(short | len as u8),
        len @ 16..=0xFFFF => put(out, tag, &(len as u16).to_be_bytes()),
        len => put(out, tag + 1, &(len as u32).to_be_bytes()),
    };
    if is_array && longest == pairs {
        begin(0x90, 0xDC);
        (1..=pairs).try_for_each(|at| pack(out, &table.raw_get(at)?, depth + 1))
    } else {
        begin(0x80, 0xDE);
        table.for_each(|key: Value, value: Value| {
            pack(out, &key, depth + 1)?;
            pack(out, &value, depth + 1)
        })
    }
}

struct Input<'a> {
    lua: &'a Lua,
    bytes: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> mlua::Result<[u8; N]> {
        let Some(bytes) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) else {
            return refuse("Missing bytes in input.");
        };
        self.at += N;
        Ok(*bytes)
    }

    fn text(&mut self, len: usize) -> mlua::Result<Value> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else { return refuse("Missing bytes in input.") };
        let text = self.lua.create_string(&self.bytes[self.at..end])?;
        self.at = end;
        Ok(Value::String(text))
    }

    fn value(&mut self, depth: usize) -> mlua::Result<Value> {
        if depth > UNPACK_DEPTH {
            return refuse("Bad data format in input.");
        }
        let [tag] = self.take()?;
        nested(|| self.tagged(tag, depth))
    }

    /// The value that a tag begins.
    fn tagged(&mut self, tag: u8, depth: usize) -> mlua::Result<Value> {
        Ok(match tag {
            0x00..=0x7F | 0xE0..=0xFF => Value::Integer((tag as i8).into()),
            0x80..=0x8F => self.map((tag & 0x0F).into(), depth)?,
            0x90..=0x9F => self.array((tag & 0x0F).into(), depth)?,
            0xA0..=0xBF => self.text((tag & 0x1F).into())?,
            0xC0 => Value::Nil,
            0xC2 => Value::Boolean(false),
            0xC3 => Value::Boolean(true),
            0xC4 | 0xD9 => {
                let len = u8::from_be_bytes(self.take()?);
                self.text(len.into())?
            }
            0xC5 | 0xDA => {
                let len = u16::from_be_bytes(self.take()?);
                self.text(len.into())?
            }
            0xC6 | 0xDB => {
                let len = u32::from_be_bytes(self.take()?);
                self.text(len as usize)?
            }
            0xCA => Value::Number(f32::from_be_bytes(self.take()?).into()),
            0xCB => Value::Number(f64::from_be_bytes(self.take()?)),
            0xCC => Value::Integer(u8::from_be_bytes(self.take()?).into()),
            0xCD => Value::Integer(u16::from_be_bytes(self.take()?).into()),
            0xCE => Value::Integer(u32::from_be_bytes(self.take()?).into()),
            0xCF => Value::Number(u64::from_be_bytes(self.take()?) as f64),
            0xD0 => Value::Integer(i8::from_be_bytes(self.take()?).into()),
            0xD1 => Value::Integer(i16::from_be_bytes(self.take()?).into()),
            0xD2 => Value::Integer(i32::from_be_bytes(self.take()?).into()),
            0xD3 => Value::Integer(i64::from_be_bytes(self.take()?)),
            0xDC => {
                let len = u16::from_be_bytes(self.take()?);
                self.array(len.into(), depth)?
            }
            0xDD => {
                let len = u32::from_be_bytes(self.take()?);
                self.array(len as usize, depth)?
            }
            0xDE => {
                let len = u16::from_be_bytes(self.take()?);
                self.map(len.into(), depth)?
            }
            0xDF => {
                let len = u32::from_be_bytes(self.take()?);
                self.map(len as usize, depth)?
            }
            _ => return refuse("Bad data format in input."),
        })
    }

    fn array(&mut self, len: usize, depth: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table()?;
        for index in 1..=len {
            let value = self.value(depth + 1)?;
            table.raw_set(index, value)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: usize, depth: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table()?;
        for _ in 0..len {
            let key = self.value(depth + 1)?;
            let value = self.value(depth + 1)?;
            if key.is_nil() || matches!(key, Value::Number(n) if n.is_nan()) {
                return refuse("Bad data format in input.");
            }
            table.raw_set(key, value)?;
        }
        Ok(Value::Table(table))
    }
}
