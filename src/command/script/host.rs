//! What Rust does for scripts: the commands they call, and the rest of `prelude.lua`'s `host`.
//!
//! The functions live as long as the interpreter; whose script is running they learn from a slot of the thread, which
//! holds the script's context for as long as it runs.

use super::{ScriptFlags, convert::Capture, libraries};
use crate::command::{COMPATIBLE_VERSION, Context, Error, Protocol, dispatch, spec::Flags, table};
use crate::keyspace::ShardSet;
use mlua::{Function, Lua, LuaString, MultiValue, Table, Value};
use scoped_tls_hkt::scoped_thread_local;
use smallvec::SmallVec;
use std::cell::RefCell;

/// What a script is told that had declared keys, has written, and goes for others.
const STRAYED: &str = "ERR Script attempted to access a key that it did not declare after it had written";

/// What the running script may ask for.
pub trait Host {
    fn invoke(&mut self, words: &[&[u8]]) -> Result<mlua::Result<(Value, bool)>, Error>;
    fn set_protocol(&mut self, protocol: Protocol);
}

scoped_thread_local!(pub static mut HOST: for<'a> &'a mut (dyn Host + 'a));

/// A script that runs.
pub struct Run<'c, 'x, 'l> {
    pub cx: Context<'x>,
    pub capture: &'c RefCell<Capture<'l>>,
    pub flags: ScriptFlags,
    pub read_only: bool,
    /// The shards of the declared keys.
    pub declared: ShardSet,
    /// It has used others, which are locked all the same.
    pub undeclared: bool,
    /// Keys lie in shards that are not locked: the script is to run again with all of them.
    pub strayed: bool,
    /// It has called a command that writes.
    pub wrote: bool,
}

impl Host for Run<'_, '_, '_> {
    fn invoke(&mut self, words: &[&[u8]]) -> Result<mlua::Result<(Value, bool)>, Error> {
        let command = match table::resolve(words) {
            Ok(command) => command,
            Err(refusal) if refusal.command.is_some() || table::lookup(words[0]).is_some() => {
                return Err(Error::new("ERR Wrong number of args calling Redis command from script"));
            }
            Err(_) => return Err(Error::new("ERR Unknown Redis command called from script")),
        };
        let flags = command.spec.flags;
        self.admit(flags)?;
        let needed = dispatch::needed(self.cx.shared, command, words);
        self.undeclared |= self.declared.union(needed) != self.declared;
        if !self.cx.keys.holds(needed) {
            self.strayed = true;
            return Err(Error::new(STRAYED));
        }
        self.wrote |= flags.contains(Flags::WRITE);
        (self.cx.command, self.cx.spec) = (command, command.spec);
        dispatch::call(&mut self.cx, words);
        self.cx.client.block = None;
        Ok(self.capture.borrow_mut().take())
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.capture.borrow_mut().protocol = protocol;
    }
}

impl Run<'_, '_, '_> {
    /// Whether the script may call a command of these flags.
    fn admit(&self, flags: Flags) -> Result<(), Error> {
        if self.strayed {
            return Err(Error::new(STRAYED));
        }
        if flags.contains(Flags::NOSCRIPT) {
            return Err(Error::new("ERR This Redis command is not allowed from script"));
        }
        if flags.contains(Flags::WRITE) && self.read_only {
            return Err(Error::new("ERR Write commands are not allowed from read-only scripts."));
        }
        if flags.contains(Flags::DENYOOM)
            && self.cx.client.script_oom
            && !self.wrote
            && !self.flags.contains(ScriptFlags::ALLOW_OOM)
        {
            return Err(Error::OUT_OF_MEMORY);
        }
        Ok(())
    }
}

/// The table of functions that `prelude.lua` builds on.
pub fn table(lua: &Lua) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    host.raw_set("call", lua.create_function(call)?)?;
    host.raw_set("pcall", lua.create_function(pcall)?)?;
    host.raw_set("fail", lua.create_function(fail)?)?;
    host.raw_set(
        "outside",
        lua.create_function(|lua, f: Function| {
            lua.create_function(move |_, arguments: MultiValue| f.call::<MultiValue>(arguments))
        })?,
    )?;
    host.raw_set("caught", lua.create_function(caught)?)?;
    host.raw_set("libraries", libraries::all(lua)?)?;
    host.raw_set("version", COMPATIBLE_VERSION)?;
    host.raw_set("version_number", version_number())?;
    host.raw_set("random", lua.create_function(|_, ()| Ok(fastrand::f64()))?)?;
    host.raw_set(
        "seed",
        lua.create_function(|_, seed: f64| {
            fastrand::seed(seed.to_bits());
            Ok(())
        })?,
    )?;
    host.raw_set(
        "sha1hex",
        lua.create_function(|_, text: LuaString| Ok(super::hex(&super::digest(&text.as_bytes()))))?,
    )?;
    host.raw_set(
        "error_text",
        lua.create_function(|lua, text: LuaString| lua.create_string(error_text(&text.as_bytes())))?,
    )?;
    host.raw_set("log", lua.create_function(log)?)?;
    host.raw_set(
        "setresp",
        lua.create_function(|_, version: i64| {
            let protocol = if version == 3 { Protocol::Resp3 } else { Protocol::Resp2 };
            if HOST.is_set() {
                HOST.with(|host| host.set_protocol(protocol));
            }
            Ok(())
        })?,
    )?;
    host.raw_set("where", lua.create_function(place)?)?;
    host.raw_set("acl_check_cmd", lua.create_function(may_call)?)?;
    Ok(host)
}

/// As `0x070400` for 7.4.0.
fn version_number() -> u32 {
    COMPATIBLE_VERSION.split('.').fold(0, |number, part| number << 8 | part.parse::<u32>().unwrap_or(0))
}

/// An error's text begins with a code; what has none is given one.
fn error_text(text: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = text.strip_prefix(b"-").unwrap_or(text).to_vec();
    let text = text.trim_ascii_end();
    if text.contains(&b' ') { text.to_vec() } else { [b"ERR ", text].concat() }
}

fn log(_: &Lua, (level, text): (i64, LuaString)) -> mlua::Result<()> {
    let text = text.to_string_lossy();
    match level {
        0 => tracing::debug!(target: "lua", "{text}"),
        1 | 2 => tracing::info!(target: "lua", "{text}"),
        _ => tracing::warn!(target: "lua", "{text}"),
    }
    Ok(())
}

/// Where the script is that a function of ours was called by.
fn place(lua: &Lua, (): ()) -> mlua::Result<(Option<String>, Option<usize>)> {
    for level in 1..12 {
        let found = lua.inspect_stack(level, |frame| {
            let source = frame.source();
            let name = source.source.as_deref().unwrap_or_default();
            (source.what != "C" && name.starts_with("@user_")).then(|| (name.to_owned(), frame.current_line()))
        });
        match found {
            Some(Some((source, line))) => return Ok((Some(source), line)),
            Some(None) => {}
            None => break,
        }
    }
    Ok((None, None))
}

/// A word of a command, as a script gives it.
enum Word {
    Text(LuaString),
    Number(Vec<u8>),
}

impl Word {
    fn of(value: Value) -> Option<Word> {
        match value {
            Value::String(text) => Some(Word::Text(text)),
            Value::Integer(n) => Some(Word::Number(itoa::Buffer::new().format(n).as_bytes().to_vec())),
            Value::Number(n) => Some(Word::Number(crate::util::double::text(n).as_bytes().to_vec())),
            _ => None,
        }
    }
}

/// Runs `f` on the words of a command; `None` if there are other things among them.
fn with_words<R>(arguments: MultiValue, f: impl FnOnce(&[&[u8]]) -> R) -> Option<R> {
    let words: SmallVec<[Word; 8]> = arguments.into_iter().map(Word::of).collect::<Option<_>>()?;
    let borrowed: SmallVec<[_; 8]> = words
        .iter()
        .map(|word| match word {
            Word::Text(text) => Ok(text.as_bytes()),
            Word::Number(digits) => Err(&digits[..]),
        })
        .collect();
    let args: SmallVec<[&[u8]; 8]> = borrowed
        .iter()
        .map(|word| match word {
            Ok(text) => &text[..],
            Err(digits) => digits,
        })
        .collect();
    Some(f(&args))
}

/// `redis.call`: an error is raised.
fn call(_: &Lua, arguments: MultiValue) -> mlua::Result<Value> {
    match invoke(arguments) {
        Ok(reply) => match reply? {
            (Value::Table(error), true) => Err(Raised::of(&error)),
            (value, _) => Ok(value),
        },
        Err(error) => Err(mlua::Error::external(Raised { error, counted: true })),
    }
}

/// `redis.pcall`: an error is a value.
fn pcall(lua: &Lua, arguments: MultiValue) -> mlua::Result<Value> {
    match invoke(arguments) {
        Ok(reply) => {
            let (value, is_error) = reply?;
            if let (Value::Table(error), true) = (&value, is_error) {
                error.raw_set("ignore_error_stats_update", true)?;
            }
            Ok(value)
        }
        Err(error) => Raised { error, counted: true }.to_table(lua),
    }
}

fn invoke(arguments: MultiValue) -> Result<mlua::Result<(Value, bool)>, Error> {
    if arguments.is_empty() {
        return Err(Error::new("ERR Please specify at least one argument for this redis lib call"));
    }
    with_words(arguments, |words| match HOST.is_set() {
        true => HOST.with(|host| host.invoke(words)),
        false => Err(Error::new("ERR redis.call/pcall can only be called inside a script invocation")),
    })
    .unwrap_or(Err(Error::new("ERR Lua redis lib command arguments must be strings or integers")))
}

/// An error of the server on its way through Lua, where it cannot be looked into until it is caught.
#[derive(Debug)]
struct Raised {
    error: Error,
    /// `errorstats` have it already.
    counted: bool,
}

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.error.0))
    }
}

impl std::error::Error for Raised {}

impl Raised {
    fn of(table: &Table) -> mlua::Error {
        let text = table.raw_get::<LuaString>("err").map(|text| text.as_bytes().to_vec()).unwrap_or_default();
        mlua::Error::external(Raised { error: Error::text(text), counted: true })
    }

    fn to_table(&self, lua: &Lua) -> mlua::Result<Value> {
        let table = lua.create_table_with_capacity(0, 2)?;
        table.raw_set("err", lua.create_string(&self.error.0)?)?;
        if self.counted {
            table.raw_set("ignore_error_stats_update", true)?;
        }
        Ok(Value::Table(table))
    }
}

fn fail(_: &Lua, text: LuaString) -> mlua::Result<()> {
    Err(mlua::Error::external(Raised { error: Error::text(text.as_bytes().to_vec()), counted: false }))
}

/// The error of ours that an error of Lua carries.
fn raised(error: &mlua::Error) -> Option<&Raised> {
    match error {
        mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => raised(cause),
        mlua::Error::ExternalError(error) => error.downcast_ref(),
        _ => None,
    }
}

/// What was caught, as scripts know errors: a table, or the text of what Lua itself raised.
fn caught(lua: &Lua, failure: Value) -> mlua::Result<Value> {
    let Value::Error(error) = &failure else { return Ok(failure) };
    match raised(error) {
        Some(raised) => raised.to_table(lua),
        None => Ok(Value::String(lua.create_string(error.to_string().lines().next().unwrap_or_default())?)),
    }
}

/// `redis.acl_check_cmd`.
fn may_call(_: &Lua, arguments: MultiValue) -> mlua::Result<bool> {
    let refusal = match with_words(arguments, |words| table::resolve(words).is_ok()) {
        Some(true) => return Ok(true),
        Some(false) => "ERR Invalid command passed to redis.acl_check_cmd()",
        None => "ERR redis.acl_check_cmd() command arguments must be strings or integers",
    };
    Err(mlua::Error::external(Raised { error: Error::new(refusal), counted: false }))
}
