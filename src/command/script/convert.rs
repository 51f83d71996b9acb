//! Replies of commands as Lua values, and what a script returns as a reply.
//!
//! A command that a script calls writes to a [`Capture`], which builds the value while the reply comes: nothing is
//! encoded and read again.

use crate::{
    command::{Protocol, Reply},
    util::double,
};
use mlua::{Function, Lua, LuaString, Table, Value};
use std::cell::RefCell;

/// A script's value may be nested so deep; beyond, as in Redis, it is an error.
const DEPTH_MAX: usize = 1000;

/// What a script's values may take.
pub const MEMORY_MAX: usize = 1 << 30;
/// Replies of more elements or bytes are built within that limit.
const SMALL_REPLY: usize = 1024;

/// Limits the memory of an interpreter, or does not, as long as it lives. A script's code runs with the limit. What is
/// done for it here runs without, where little memory is taken: with a limit, every value has to be made within a
/// protected call.
pub struct MemoryLimit<'l> {
    lua: &'l Lua,
    before: usize,
}

impl<'l> MemoryLimit<'l> {
    pub fn set(lua: &'l Lua, bytes: usize) -> Self {
        MemoryLimit { lua, before: lua.set_memory_limit(bytes).unwrap_or(0) }
    }
}

impl Drop for MemoryLimit<'_> {
    fn drop(&mut self) {
        // It was set before, so it can be.
        let _ = self.lua.set_memory_limit(self.before);
    }
}

/// What a command has replied so far.
pub struct Capture<'l> {
    lua: &'l Lua,
    pub protocol: Protocol,
    frames: Vec<Frame>,
    value: Value,
    /// The reply was an error.
    pub is_error: bool,
    pub failure: Option<mlua::Error>,
    written: u64,
}

/// An aggregate whose elements are still coming.
struct Frame {
    table: Table,
    kind: Kind,
    left: usize,
    next: i64,
    key: Option<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Map,
    Set,
    /// An attribute: facts about what follows, which scripts do not see.
    Aside,
}

impl<'l> Capture<'l> {
    pub fn new(lua: &'l Lua) -> Self {
        Capture {
            lua,
            protocol: Protocol::Resp2,
            frames: Vec::new(),
            value: Value::Nil,
            is_error: false,
            failure: None,
            written: 0,
        }
    }

    /// The reply; the next command's may follow.
    pub fn take(&mut self) -> mlua::Result<(Value, bool)> {
        self.frames.clear();
        let is_error = std::mem::take(&mut self.is_error);
        let value = std::mem::replace(&mut self.value, Value::Nil);
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => Ok((value, is_error)),
        }
    }

    fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    fn add(&mut self, value: Value) {
        let mut value = value;
        loop {
            let Some(frame) = self.frames.last_mut() else {
                self.value = value;
                return;
            };
            if let Err(failure) = frame.add(value) {
                self.failure.get_or_insert(failure);
            }
            if frame.left > 0 {
                return;
            }
            match self.close() {
                Some(whole) => value = whole,
                None => return,
            }
        }
    }

    /// The innermost aggregate is whole.
    fn close(&mut self) -> Option<Value> {
        let frame = self.frames.pop()?;
        match frame.kind {
            Kind::Array => Some(Value::Table(frame.table)),
            Kind::Map => Some(self.wrap("map", Value::Table(frame.table))),
            Kind::Set => Some(self.wrap("set", Value::Table(frame.table))),
            Kind::Aside => None,
        }
    }

    /// What is to come may take much memory.
    #[cold]
    fn limit(&self) {
        let _ = self.lua.set_memory_limit(MEMORY_MAX);
    }

    fn open(&mut self, kind: Kind, elements: usize) {
        self.written += 4;
        if elements > SMALL_REPLY {
            self.limit();
        }
        let array = if kind == Kind::Array { elements } else { 0 };
        match self.lua.create_table_with_capacity(array, elements - array) {
            Ok(table) => {
                self.frames.push(Frame { table, kind, left: elements, next: 1, key: None });
                if elements == 0
                    && let Some(whole) = self.close()
                {
                    self.add(whole);
                }
            }
            Err(failure) => self.failure = Some(failure),
        }
    }

    /// `{ field = value }`.
    fn wrap(&mut self, field: &str, value: Value) -> Value {
        let table = self.lua.create_table_with_capacity(0, 1).and_then(|table| {
            table.raw_set(field, value)?;
            Ok(table)
        });
        match table {
            Ok(table) => Value::Table(table),
            Err(failure) => {
                self.failure = Some(failure);
                Value::Nil
            }
        }
    }

    fn string(&mut self, bytes: &[u8]) -> Value {
        self.written += bytes.len() as u64;
        if bytes.len() > SMALL_REPLY {
            self.limit();
        }
        match self.lua.create_string(bytes) {
            Ok(text) => Value::String(text),
            Err(failure) => {
                self.failure = Some(failure);
                Value::Nil
            }
        }
    }
}

impl Frame {
    fn add(&mut self, value: Value) -> mlua::Result<()> {
        match (self.kind, self.key.take()) {
            (Kind::Array, _) => {
                self.table.raw_set(self.next, value)?;
                self.next += 1;
            }
            (Kind::Set, _) => self.table.raw_set(value, true)?,
            (Kind::Map, None) => self.key = Some(value),
            (Kind::Map, Some(key)) => self.table.raw_set(key, value)?,
            (Kind::Aside, _) => {}
        }
        self.left -= 1;
        Ok(())
    }
}

/// A [`Capture`] as a command writes to it, while the script's host looks at it in between.
pub struct Port<'c, 'l>(pub &'c RefCell<Capture<'l>>);

impl Port<'_, '_> {
    fn line(&self, field: &str, text: &[u8]) {
        let mut capture = self.0.borrow_mut();
        let text: Vec<u8> = text.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte }).collect();
        let text = capture.string(&text);
        let value = capture.wrap(field, text);
        capture.add(value);
    }

    fn aggregate(&self, kind: Kind, elements: usize) {
        self.0.borrow_mut().open(kind, elements);
    }
}

impl Reply for Port<'_, '_> {
    fn protocol(&self) -> Protocol {
        self.0.borrow().protocol
    }
    fn set_protocol(&mut self, protocol: Protocol) {
        self.0.borrow_mut().protocol = protocol;
    }
    fn simple(&mut self, text: &str) {
        self.line("ok", text.as_bytes());
    }
    fn error(&mut self, text: &[u8]) {
        {
            let mut capture = self.0.borrow_mut();
            capture.is_error = capture.frames.is_empty();
        }
        self.line("err", text);
    }
    fn integer(&mut self, n: i64) {
        self.0.borrow_mut().add(Value::Integer(n));
    }
    fn bulk(&mut self, bytes: &[u8]) {
        let mut capture = self.0.borrow_mut();
        let text = capture.string(bytes);
        capture.add(text);
    }
    fn null(&mut self) {
        let mut capture = self.0.borrow_mut();
        let null = if capture.is_resp3() { Value::Nil } else { Value::Boolean(false) };
        capture.add(null);
    }
    fn null_array(&mut self) {
        self.null();
    }
    fn array(&mut self, len: usize) {
        self.aggregate(Kind::Array, len);
    }
    fn map(&mut self, pairs: usize) {
        let is_resp3 = self.0.borrow().is_resp3();
        self.aggregate(if is_resp3 { Kind::Map } else { Kind::Array }, pairs.saturating_mul(2));
    }
    fn set(&mut self, len: usize) {
        let is_resp3 = self.0.borrow().is_resp3();
        self.aggregate(if is_resp3 { Kind::Set } else { Kind::Array }, len);
    }
    fn push(&mut self, len: usize) {
        self.aggregate(Kind::Array, len);
    }
    fn attribute(&mut self, pairs: usize) {
        self.aggregate(Kind::Aside, pairs.saturating_mul(2));
    }
    fn double(&mut self, value: f64) {
        let mut capture = self.0.borrow_mut();
        if capture.is_resp3() {
            let double = capture.wrap("double", Value::Number(value));
            capture.add(double);
        } else {
            let text = capture.string(double::text(value).as_bytes());
            capture.add(text);
        }
    }
    fn boolean(&mut self, value: bool) {
        let mut capture = self.0.borrow_mut();
        let boolean = if capture.is_resp3() { Value::Boolean(value) } else { Value::Integer(value.into()) };
        capture.add(boolean);
    }
    fn big_number(&mut self, digits: &str) {
        if self.0.borrow().is_resp3() {
            self.line("big_number", digits.as_bytes());
        } else {
            self.bulk(digits.as_bytes());
        }
    }
    fn verbatim(&mut self, format: &str, text: &[u8]) {
        if !self.0.borrow().is_resp3() {
            return self.bulk(text);
        }
        let mut capture = self.0.borrow_mut();
        let (format, text) = (capture.string(format.as_bytes()), capture.string(text));
        let parts = capture.lua.create_table().and_then(|table| {
            table.raw_set("format", format)?;
            table.raw_set("string", text)?;
            Ok(table)
        });
        match parts {
            Ok(parts) => {
                let value = capture.wrap("verbatim_string", Value::Table(parts));
                capture.add(value);
            }
            Err(failure) => capture.failure = Some(failure),
        }
    }
    /// Only clients that wait are answered with bytes, and no script waits.
    fn raw(&mut self, _: &[u8]) {
        self.null();
    }
    fn written(&self) -> u64 {
        self.0.borrow().written
    }
    fn rewind(&mut self, to: u64) {
        let mut capture = self.0.borrow_mut();
        // A command's reply is all there is here.
        capture.frames.clear();
        (capture.value, capture.is_error, capture.failure) = (Value::Nil, false, None);
        capture.written = to;
    }
}

/// The fields that make a table more than an array, as strings of the interpreter.
pub struct Fields {
    err: LuaString,
    ok: LuaString,
    double: LuaString,
    map: LuaString,
    set: LuaString,
    big_number: LuaString,
    verbatim: LuaString,
    /// Lua's `next`.
    next: Function,
}

/// A table whose elements are being answered. An interpreter lends out a few thousand values at a time, so they are taken
/// from it one by one.
enum Begun {
    Array {
        table: Table,
        next: usize,
        len: usize,
    },
    /// A map, whose key has been answered if there is a value; or a set, of which only the keys count.
    Pairs {
        table: Table,
        key: Value,
        value: Option<Value>,
        is_map: bool,
    },
}

impl Fields {
    pub fn new(lua: &Lua) -> mlua::Result<Fields> {
        Ok(Fields {
            err: lua.create_string("err")?,
            ok: lua.create_string("ok")?,
            double: lua.create_string("double")?,
            map: lua.create_string("map")?,
            set: lua.create_string("set")?,
            big_number: lua.create_string("big_number")?,
            verbatim: lua.create_string("verbatim_string")?,
            next: lua.globals().get("next")?,
        })
    }

    /// Answers with what a script has returned; `protocol` is the one that it has chosen for itself. Tables may be nested
    /// (even in themselves), so those that are begun stand in a list and not on the stack.
    pub fn answer(&self, reply: &mut dyn Reply, value: Value, protocol: Protocol) -> mlua::Result<()> {
        let mut begun = Vec::new();
        self.answer_one(reply, value, protocol, &mut begun)?;
        while let Some(innermost) = begun.last_mut() {
            match innermost.next(&self.next)? {
                None => drop(begun.pop()),
                Some(value) => self.answer_one(reply, value, protocol, &mut begun)?,
            }
        }
        Ok(())
    }

    fn answer_one(
        &self,
        reply: &mut dyn Reply,
        value: Value,
        protocol: Protocol,
        begun: &mut Vec<Begun>,
    ) -> mlua::Result<()> {
        match value {
            Value::Table(_) if begun.len() >= DEPTH_MAX => reply.error(b"ERR reached lua stack limit"),
            Value::Table(table) => begun.extend(self.answer_table(reply, table)?),
            scalar => answer_scalar(reply, &scalar, protocol),
        }
        Ok(())
    }

    /// Answers with a table, or begins to.
    fn answer_table(&self, reply: &mut dyn Reply, table: Table) -> mlua::Result<Option<Begun>> {
        if let Value::String(text) = table.raw_get::<Value>(&self.err)? {
            reply.error(&text.as_bytes());
            return Ok(None);
        }
        if let Value::String(text) = table.raw_get::<Value>(&self.ok)? {
            reply.simple(&text.to_string_lossy().replace(['\r', '\n'], " "));
            return Ok(None);
        }
        if let Some(n) = number(&table.raw_get::<Value>(&self.double)?) {
            reply.double(n);
            return Ok(None);
        }
        if let Value::Table(table) = table.raw_get::<Value>(&self.map)? {
            reply.map(pairs(&table)?);
            return Ok(Some(Begun::Pairs { table, key: Value::Nil, value: None, is_map: true }));
        }
        if let Value::Table(table) = table.raw_get::<Value>(&self.set)? {
            reply.set(pairs(&table)?);
            return Ok(Some(Begun::Pairs { table, key: Value::Nil, value: None, is_map: false }));
        }
        if let Value::String(digits) = table.raw_get::<Value>(&self.big_number)? {
            reply.big_number(&digits.to_string_lossy().replace(['\r', '\n'], " "));
            return Ok(None);
        }
        if let Value::Table(parts) = table.raw_get::<Value>(&self.verbatim)?
            && let (Value::String(format), Value::String(text)) = (parts.raw_get("format")?, parts.raw_get("string")?)
        {
            let format = format!("{:<3.3}", format.to_string_lossy());
            reply.verbatim(&format, &text.as_bytes());
            return Ok(None);
        }
        // An array ends before its first nil.
        let mut len = 0;
        while !table.raw_get::<Value>(len + 1)?.is_nil() {
            len += 1;
        }
        reply.array(len);
        Ok(Some(Begun::Array { table, next: 1, len }))
    }
}

fn pairs(table: &Table) -> mlua::Result<usize> {
    let mut count = 0;
    table.for_each(|_: Value, _: Value| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

impl Begun {
    fn next(&mut self, next: &Function) -> mlua::Result<Option<Value>> {
        match self {
            Begun::Array { next, len, .. } if *next > *len => Ok(None),
            Begun::Array { table, next, .. } => {
                *next += 1;
                table.raw_get(*next - 1).map(Some)
            }
            Begun::Pairs { table, key, value, is_map } => {
                if let Some(value) = value.take() {
                    return Ok(Some(value));
                }
                let (next_key, next_value) = next.call::<(Value, Value)>((&*table, &*key))?;
                if next_key.is_nil() {
                    return Ok(None);
                }
                *key = next_key.clone();
                *value = is_map.then_some(next_value);
                Ok(Some(next_key))
            }
        }
    }
}

fn answer_scalar(reply: &mut dyn Reply, value: &Value, protocol: Protocol) {
    match value {
        Value::String(text) => reply.bulk(&text.as_bytes()),
        Value::Integer(n) => reply.integer(*n),
        // As C converts: what is no integer of 64 bits is the least of them.
        Value::Number(n) if n.is_nan() || n.abs() >= 9.3e18 => reply.integer(i64::MIN),
        Value::Number(n) => reply.integer(*n as i64),
        Value::Boolean(value) if protocol == Protocol::Resp3 => reply.boolean(*value),
        Value::Boolean(true) => reply.integer(1),
        _ => reply.null(),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => Some(*n),
        Value::Integer(n) => Some(*n as f64),
        _ => None,
    }
}
