//! What Rust does for scripts: the commands they call, and the rest of `prelude.lua`'s `host`.
//!
//! The functions live as long as the interpreter; whose script is running they learn from a slot of the thread, which
//! holds the script's context for as long as it runs.

use super::{
    ScriptFlags,
    busy::{LISTED_AFTER, Running},
    convert::{Capture, MemoryLimit},
    libraries, registration,
};
use crate::command::{
    COMPATIBLE_VERSION, Command, Context, Error, Protocol, acl, dispatch,
    spec::Flags,
    table::{self, Refusal},
};
use crate::keyspace::ShardSet;
use mlua::{Function, HookTriggers, Lua, LuaString, MultiValue, Table, Value, VmState};
use scoped_tls_hkt::scoped_thread_local;
use smallvec::SmallVec;
use std::{
    any::Any,
    cell::RefCell,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Instructions between two looks at the time.
const TICK: u32 = 100_000;

/// Calls between two looks: what a script calls may take long, and is one instruction.
const CALLS: u32 = 16;

/// What a thread with other clients waits for a script that was short before.
const PATIENCE: Duration = Duration::from_millis(10);

/// What a script is told that had declared keys, has written, and goes for others.
pub const STRAYED: Error =
    Error::new("ERR Script attempted to access a key that it did not declare after it had written");

/// What a script is told that is to be begun anew.
const ABSENT: Error = Error::new("ERR Script is run again when what it needs is in memory");

/// By which of its names a script uses the server: the errors it gets say the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Redis,
    Server,
}

impl Dialect {
    fn choose(self, redis: &'static str, server: &'static str) -> Error {
        Error::new(if self == Dialect::Redis { redis } else { server })
    }
}

/// What the running script may ask for.
pub trait Host {
    fn invoke(&mut self, words: &[&[u8]], dialect: Dialect) -> Result<mlua::Result<(Value, bool)>, Error>;
    fn set_protocol(&mut self, protocol: Protocol);
    fn may_run(&self, command: &'static Command, words: &[&[u8]]) -> bool;
    /// Some time has passed; an error ends the script.
    fn tick(&mut self) -> Result<(), Error>;
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
    /// It has called nothing but commands that read.
    pub only_read: bool,
    /// The thread for scripts can run it, should it linger.
    pub may_hand_over: bool,
    /// It has, and ends here.
    pub lingered: bool,
    /// Calls since the last look at the time.
    pub calls: u32,
    pub since: Instant,
    pub is_function: bool,
    /// What errors call it.
    pub name: &'c dyn Fn() -> String,
    /// The request that runs it.
    pub request: &'c [&'c [u8]],
    /// It is listed as one that has been running for a while.
    pub running: Option<Arc<Running>>,
    /// Kept until it ends, for those that the thread served beside it.
    pub relieved: Option<Box<dyn Any>>,
}

impl Drop for Run<'_, '_, '_> {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            self.cx.shared.scripts.busy.remove(running);
        }
    }
}

impl Host for Run<'_, '_, '_> {
    fn invoke(&mut self, words: &[&[u8]], dialect: Dialect) -> Result<mlua::Result<(Value, bool)>, Error> {
        self.calls += 1;
        if self.calls == CALLS {
            self.calls = 0;
            if let Err(error) = self.tick() {
                return Ok(Err(end(error)));
            }
        }
        let result = self.admit_and_call(words, dialect);
        // (A script that has strayed runs again.)
        if let (Err(error), false) = (&result, self.strayed && !self.wrote) {
            self.cx.shared.stats.error(error.code());
        }
        result
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.capture.borrow_mut().protocol = protocol;
    }

    fn tick(&mut self) -> Result<(), Error> {
        if !self.cx.client.absent.is_empty() {
            return Err(ABSENT);
        }
        if self.may_hand_over && self.only_read && self.since.elapsed() >= PATIENCE {
            self.lingered = true;
            return Err(Error::new("ERR Script is run again by another thread"));
        }
        let threshold = Duration::from_millis(self.cx.client.settings.busy_reply_threshold_ms);
        let busy = &self.cx.shared.scripts.busy;
        if self.running.is_none() && self.since.elapsed() >= threshold.min(LISTED_AFTER) {
            let words = self.request.iter().map(|word| (*word).into()).collect();
            let running = Arc::new(Running::new((self.name)(), words, self.is_function, self.since, self.wrote));
            busy.add(&running);
            self.running = Some(running);
        }
        if let Some(running) = self.running.as_ref().filter(|running| !running.refuses())
            && self.since.elapsed() >= threshold
        {
            busy.refuse(running);
            self.relieved = self.cx.shared.relieve();
            tracing::warn!(
                script = (self.name)(),
                milliseconds = self.since.elapsed().as_millis() as u64,
                "a script has been running for long; it can be ended by SCRIPT KILL or FUNCTION KILL",
            );
        }
        if self.running.as_ref().is_some_and(|running| running.refuses()) {
            self.cx.client.time_told = None;
        }
        if busy.is_ending() {
            return Err(Error::new("ERR Script killed by the end of the server"));
        }
        match &self.running {
            Some(running) if running.is_killed() => Err(Error::new(match self.is_function {
                true => "ERR Script killed by user with FUNCTION KILL...",
                false => "ERR Script killed by user with SCRIPT KILL...",
            })),
            _ => Ok(()),
        }
    }

    fn may_run(&self, command: &'static Command, words: &[&[u8]]) -> bool {
        acl::may_run(&self.cx.client.user, command, words).is_ok()
    }
}

impl Run<'_, '_, '_> {
    /// Runs a command for the script, if it may be run.
    fn admit_and_call(&mut self, words: &[&[u8]], dialect: Dialect) -> Result<mlua::Result<(Value, bool)>, Error> {
        let command = match table::resolve(words) {
            Ok(command) => command,
            Err(Refusal { command: Some(command), .. }) => {
                self.count_rejected(command);
                return Err(dialect.choose(
                    "ERR Wrong number of args calling Redis command from script",
                    "ERR Wrong number of args calling command from script",
                ));
            }
            Err(_) => {
                return Err(dialect
                    .choose("ERR Unknown Redis command called from script", "ERR Unknown command called from script"));
            }
        };
        if self.strayed {
            return Err(STRAYED);
        }
        if !self.cx.client.absent.is_empty() {
            return Err(ABSENT);
        }
        let flags = command.spec.flags;
        let cx = &self.cx;
        let admitted = self.admit(flags).and_then(|()| {
            dispatch::check_user(cx.client, command, words, cx.now)
                .map_err(|denial| denial.error_in_script(&cx.client.user, command))
        });
        admitted.inspect_err(|_| self.count_rejected(command))?;
        let needed = dispatch::needed(self.cx.shared, command, words);
        self.undeclared |= self.declared.union(needed) != self.declared;
        if !self.cx.keys.holds(needed) {
            self.strayed = true;
            return Err(STRAYED);
        }
        // What has begun to write is not begun anew.
        self.cx.client.may_wait &= !self.wrote;
        self.wrote |= flags.contains(Flags::WRITE);
        self.only_read &= flags.contains(Flags::READONLY);
        if let Some(running) = &self.running {
            running.wrote.store(self.wrote, Relaxed);
        }
        (self.cx.command, self.cx.spec) = (command, command.spec);
        dispatch::call(&mut self.cx, words);
        self.cx.client.block = None;
        if !self.cx.client.absent.is_empty() {
            return Err(ABSENT);
        }
        Ok(self.capture.borrow_mut().take())
    }

    /// Counts a command that the script was not let run.
    fn count_rejected(&self, command: &Command) {
        let Context { shared, client, .. } = &self.cx;
        shared.stats.worker(client.worker).command(command.counts_as).rejected.add(1);
    }

    /// Whether the script may call a command of these flags.
    fn admit(&self, flags: Flags) -> Result<(), Error> {
        if flags.contains(Flags::NOSCRIPT) && !self.cx.shared.scripts.deny_nothing.load(Relaxed) {
            return Err(Error::new("ERR This Redis command is not allowed from script"));
        }
        if flags.intersects(Flags::WRITE.union(Flags::MAY_REPLICATE)) && self.read_only {
            return Err(Error::new("ERR Write commands are not allowed from read-only scripts."));
        }
        // What has begun to write may end it.
        if flags.contains(Flags::WRITE) && !self.wrote {
            dispatch::check_write(self.cx.shared, &self.cx.client.settings)?;
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
    host.raw_set("call", lua.create_function(|lua, arguments| call(lua, arguments, Dialect::Redis))?)?;
    host.raw_set("pcall", lua.create_function(|lua, arguments| pcall(lua, arguments, Dialect::Redis))?)?;
    host.raw_set("server_call", lua.create_function(|lua, arguments| call(lua, arguments, Dialect::Server))?)?;
    host.raw_set("server_pcall", lua.create_function(|lua, arguments| pcall(lua, arguments, Dialect::Server))?)?;
    host.raw_set("fail", lua.create_function(fail)?)?;
    host.raw_set(
        "outside",
        lua.create_function(|lua, f: Function| {
            lua.create_function(move |lua, arguments: MultiValue| {
                f.call::<MultiValue>(arguments).map_err(|error| outward(lua, error))
            })
        })?,
    )?;
    host.raw_set("registrars", registration::registrars(lua)?)?;
    host.raw_set("seen", lua.create_function(seen)?)?;
    host.raw_set(
        "caught",
        lua.create_function(|lua, failure: Value| match &failure {
            // What ends a script is not caught by it.
            Value::Error(error) => match raised(error) {
                Some(raised) if raised.fatal => Err(raised.clone().raise()),
                _ => seen(lua, failure),
            },
            _ => Ok(failure),
        })?,
    )?;
    host.raw_set("libraries", libraries::all(lua)?)?;
    host.raw_set("strings", libraries::strings(lua)?)?;
    host.raw_set("array_metatable", libraries::array_metatable(lua)?)?;
    host.raw_set("version", COMPATIBLE_VERSION)?;
    host.raw_set("version_number", version_number())?;
    host.raw_set("chance", libraries::chance(lua)?)?;
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
    Ok(place_within(lua, 12))
}

/// The same, if it is among the first levels.
pub fn place_within(lua: &Lua, levels: usize) -> (Option<String>, Option<usize>) {
    for level in 1..=levels {
        let found = lua.inspect_stack(level, |frame| {
            let source = frame.source();
            let name = source.source.as_deref().unwrap_or_default();
            (source.what != "C" && name.starts_with("@user_")).then(|| (name.to_owned(), frame.current_line()))
        });
        match found {
            Some(Some((source, line))) => return (Some(source), line),
            Some(None) => {}
            None => break,
        }
    }
    (None, None)
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
fn call(lua: &Lua, arguments: MultiValue, dialect: Dialect) -> mlua::Result<Value> {
    match invoke(lua, arguments, dialect) {
        Ok(reply) => match reply? {
            (Value::Table(error), true) => Err(Raised::of(&error)),
            (value, _) => Ok(value),
        },
        Err((error, counted)) => Err(Raised { error, counted, fatal: false }.raise()),
    }
}

/// `redis.pcall`: an error is a value.
fn pcall(lua: &Lua, arguments: MultiValue, dialect: Dialect) -> mlua::Result<Value> {
    match invoke(lua, arguments, dialect) {
        Ok(reply) => {
            let (value, is_error) = reply?;
            if let (Value::Table(error), true) = (&value, is_error) {
                error.raw_set("ignore_error_stats_update", true)?;
            }
            Ok(value)
        }
        Err((error, counted)) => Raised { error, counted, fatal: false }.to_table(lua),
    }
}

/// The reply of a command and whether it is an error; or why it was not run, and whether that has been counted.
type Invoked = Result<mlua::Result<(Value, bool)>, (Error, bool)>;

fn invoke(lua: &Lua, arguments: MultiValue, dialect: Dialect) -> Invoked {
    let uncounted = |redis, server| Err((dialect.choose(redis, server), false));
    if arguments.is_empty() {
        return uncounted(
            "ERR Please specify at least one argument for this redis lib call",
            "ERR Please specify at least one argument for this call",
        );
    }
    let _no_limit = MemoryLimit::set(lua, 0);
    with_words(arguments, |words| match HOST.is_set() {
        true => HOST.with(|host| host.invoke(words, dialect)).map_err(|error| (error, true)),
        false => uncounted(
            "ERR redis.call/pcall can only be called inside a script invocation",
            "ERR server.call/pcall can only be called inside a script invocation",
        ),
    })
    .unwrap_or_else(|| {
        uncounted(
            "ERR Lua redis lib command arguments must be strings or integers",
            "ERR Command arguments must be strings or integers",
        )
    })
}

/// An error of the server on its way through Lua, where it cannot be looked into until it is caught.
#[derive(Clone, Debug)]
struct Raised {
    error: Error,
    /// `errorstats` have it already.
    counted: bool,
    /// The script ends, whatever it does to catch it.
    fatal: bool,
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
        Raised { error: Error::text(text), counted: true, fatal: false }.raise()
    }

    fn raise(self) -> mlua::Error {
        mlua::Error::external(self)
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
    Err(Raised { error: Error::text(text.as_bytes().to_vec()), counted: false, fatal: false }.raise())
}

/// The error of ours that an error of Lua carries.
fn raised(error: &mlua::Error) -> Option<&Raised> {
    match error {
        mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => raised(cause),
        mlua::Error::ExternalError(error) => error.downcast_ref(),
        _ => None,
    }
}

/// An error of the server's, raised in a script.
pub fn raise(text: String) -> mlua::Error {
    Raised { error: Error::text(text), counted: false, fatal: false }.raise()
}

/// Has an interpreter look at the time while it runs scripts.
pub fn watch(lua: &Lua) -> mlua::Result<()> {
    lua.set_hook(HookTriggers::new().every_nth_instruction(TICK), |_, _| look().map(|()| VmState::Continue))
}

/// Some time has passed: an error ends the script that runs, or the library that is being loaded.
pub fn look() -> mlua::Result<()> {
    let ticked = match HOST.is_set() {
        true => HOST.with(|host| host.tick()),
        false => registration::tick(),
    };
    ticked.map_err(end)
}

/// Ends the script, whatever it does to catch it.
fn end(error: Error) -> mlua::Error {
    Raised { error, counted: false, fatal: true }.raise()
}

/// An error that a function of the prelude has raised, as if that were C: it says where the script has called it, and no more.
fn outward(lua: &Lua, error: mlua::Error) -> mlua::Error {
    if raised(&error).is_some() {
        return error;
    }
    let text = plain(&error);
    let text = text.split("\nstack traceback:").next().unwrap_or_default();
    match place_within(lua, 1) {
        (Some(source), Some(line)) => {
            mlua::Error::runtime(format!("{}:{line}: {text}", source.trim_start_matches('@')))
        }
        _ => mlua::Error::runtime(text),
    }
}

/// The text of an error that is not the server's.
fn plain(error: &mlua::Error) -> String {
    match error {
        mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => plain(cause),
        mlua::Error::RuntimeError(text) => text.clone(),
        other => other.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

/// What was caught, as scripts know errors: a table, or the text of what Lua itself raised.
fn seen(lua: &Lua, failure: Value) -> mlua::Result<Value> {
    let Value::Error(error) = &failure else { return Ok(failure) };
    match raised(error) {
        Some(raised) => raised.to_table(lua),
        None => Ok(Value::String(lua.create_string(plain(error))?)),
    }
}

/// `redis.acl_check_cmd`; the first argument is the table's name.
fn may_call(_: &Lua, mut arguments: MultiValue) -> mlua::Result<bool> {
    let name = match arguments.pop_front() {
        Some(Value::String(name)) => name.to_string_lossy(),
        _ => String::new(),
    };
    let refuse = |text: String| Err(Raised { error: Error::text(text), counted: false, fatal: false }.raise());
    let judged = with_words(arguments, |words| match table::resolve(words) {
        Ok(command) => Ok(!HOST.is_set() || HOST.with(|host| host.may_run(command, words))),
        Err(refusal) if refusal.command.is_some() => Err("Wrong number of args for"),
        Err(_) => Err("Invalid command passed to"),
    });
    match judged {
        Some(Ok(may)) => Ok(may),
        Some(Err(why)) => refuse(format!("ERR {why} {name}.acl_check_cmd()")),
        None => refuse(format!("ERR {name}.acl_check_cmd() command arguments must be strings or integers")),
    }
}
