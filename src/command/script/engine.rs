//! The interpreter of a thread, kept warm: a script is compiled once per thread and its function kept.

use super::{
    Digest, Manners, Script, ScriptFlags, after_shebang,
    convert::{Capture, Fields, Port},
    host::{self, HOST, Run},
};
use crate::command::{Args, CommandResult, Context, Error, Shared};
use crate::keyspace::ShardSet;
use mlua::{Function, Lua, LuaOptions, StdLib, Table, Value, chunk::ChunkMode};
use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// Functions that a thread keeps; beyond, it compiles anew.
const COMPILED_MAX: usize = 512;
/// What a script's values may take.
const MEMORY_MAX: usize = 1 << 30;

thread_local! {
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
}

struct Engine {
    lua: Lua,
    fields: Fields,
    globals: Table,
    run: Function,
    compiled: HashMap<Digest, (Arc<Script>, Function)>,
    /// The generation of [`super::Scripts`] that `compiled` belongs to.
    generation: u64,
}

impl Engine {
    fn new() -> mlua::Result<Engine> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        let lua = Lua::new_with(libraries, LuaOptions::default())?;
        let host = host::table(&lua)?;
        lua.load(include_str!("prelude.lua")).set_name("=prelude").call::<()>(&host)?;
        lua.set_memory_limit(MEMORY_MAX)?;
        Ok(Engine {
            fields: Fields::new(&lua)?,
            globals: host.get("globals")?,
            run: host.get("run")?,
            compiled: HashMap::new(),
            generation: 0,
            lua,
        })
    }

    fn compile(&self, code: &[u8]) -> Result<Function, Error> {
        let chunk = self.lua.load(code).set_name("@user_script").set_mode(ChunkMode::Text);
        chunk.set_environment(self.globals.clone()).into_function().map_err(|error| {
            let text = match &error {
                mlua::Error::SyntaxError { message, .. } => message.clone(),
                other => other.to_string(),
            };
            Error::text(format!("ERR Error compiling script (new function): {text}"))
        })
    }

    /// The script of a digest and its function, if it is known.
    fn find(&mut self, cx: &Context<'_>, digest: &Digest) -> Result<Option<(Arc<Script>, Function)>, Error> {
        let scripts = &cx.shared.scripts;
        let generation = scripts.generation();
        if self.generation != generation || self.compiled.len() > COMPILED_MAX {
            self.compiled.clear();
            self.generation = generation;
        }
        if let Some(found) = self.compiled.get(digest) {
            return Ok(Some(found.clone()));
        }
        let Some(script) = scripts.get(digest) else { return Ok(None) };
        let function = self.compile(script.code())?;
        self.compiled.insert(*digest, (Arc::clone(&script), function.clone()));
        Ok(Some((script, function)))
    }

    fn list(&self, words: &Args<'_>) -> mlua::Result<Table> {
        let list = self.lua.create_table_with_capacity(words.len(), 0)?;
        for word in words {
            list.raw_push(self.lua.create_string(word)?)?;
        }
        Ok(list)
    }
}

/// Runs `f` with the thread's interpreter.
fn with_engine<R>(f: impl FnOnce(&mut Engine) -> Result<R, Error>) -> Result<R, Error> {
    let mut engine = match ENGINE.take() {
        Some(engine) => engine,
        None => Engine::new().map_err(|error| Error::text(format!("ERR {error}")))?,
    };
    let result = f(&mut engine);
    ENGINE.set(Some(engine));
    result
}

/// Sees whether a script can be compiled.
pub fn check(code: &[u8]) -> CommandResult {
    let code = if code.starts_with(b"#!") { after_shebang(code) } else { code };
    with_engine(|engine| engine.compile(code).map(drop))
}

/// Runs the script of a digest; with `body` it is made known if it is not yet.
pub fn evaluate(
    cx: &mut Context<'_>,
    digest: &Digest,
    body: Option<&[u8]>,
    (keys, arguments): (&Args<'_>, &Args<'_>),
    read_only: bool,
) -> CommandResult {
    with_engine(|engine| {
        let mut found = engine.find(cx, digest)?;
        if let (None, Some(body)) = (&found, body) {
            let code = cx.shared.scripts.add(*digest, body, false)?;
            if let Err(error) = engine.compile(code.code()) {
                cx.shared.scripts.forget(digest);
                return Err(error);
            }
            found = engine.find(cx, digest)?;
        }
        let Some((script, function)) = found else {
            return Err(Error::new("NOSCRIPT No matching script. Please use EVAL."));
        };
        judge(cx, script.flags, read_only)?;
        script.used.store(true, Relaxed);
        let read_only = read_only || script.flags.contains(ScriptFlags::NO_WRITES);
        let declared = cx.shared.keyspace.shard_set(keys.iter().copied());
        let mut task = Task { engine, script: &script, words: (keys, arguments), declared, read_only };
        if task.run(cx, &function)? {
            return Ok(());
        }
        // It has asked for a key that it had not declared, before it wrote anything.
        cx.lock_all();
        task.run(cx, &function).map(drop)
    })
}

fn broken(error: mlua::Error) -> Error {
    Error::text(format!("ERR Error running script: {error}").replace(['\r', '\n'], " "))
}

/// Whether a script that says so much of itself may run now.
fn judge(cx: &Context<'_>, flags: ScriptFlags, read_only: bool) -> CommandResult {
    if flags.contains(ScriptFlags::SILENT) || flags.contains(ScriptFlags::NO_WRITES) {
        return Ok(());
    }
    if read_only {
        return Err(Error::new("ERR Can not execute a script with write flag using *_ro command."));
    }
    if cx.client.script_oom && !flags.contains(ScriptFlags::ALLOW_OOM) {
        return Err(Error::new(
            "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
        ));
    }
    Ok(())
}

struct Task<'e> {
    engine: &'e mut Engine,
    script: &'e Script,
    /// Its keys and its other arguments.
    words: (&'e Args<'e>, &'e Args<'e>),
    /// The shards of the declared keys.
    declared: ShardSet,
    read_only: bool,
}

impl Task<'_> {
    /// Runs it once; false if it has to run again with all shards locked.
    fn run(&mut self, cx: &mut Context<'_>, function: &Function) -> Result<bool, Error> {
        let (db, in_exec) = (cx.client.db, cx.client.in_exec);
        (cx.client.in_exec, cx.client.in_script) = (true, true);
        let lua = self.engine.lua.clone();
        let keys = self.engine.list(self.words.0).map_err(broken)?;
        let arguments = self.engine.list(self.words.1).map_err(broken)?;
        let capture = RefCell::new(Capture::new(&lua));
        let mut port = Port(&capture);
        let mut run = Run {
            cx: Context {
                shared: cx.shared,
                client: &mut *cx.client,
                reply: &mut port,
                keys: cx.keys.lend(),
                now: cx.now,
                command: cx.command,
                spec: cx.spec,
            },
            capture: &capture,
            flags: self.script.flags,
            read_only: self.read_only,
            declared: self.declared,
            strayed: false,
            undeclared: false,
            wrote: false,
        };
        let outcome = HOST.set(&mut run, || self.engine.run.call::<(bool, Value)>((function, keys, arguments)));
        let (strayed, undeclared, wrote) = (run.strayed, run.undeclared, run.wrote);
        drop(run);
        let protocol = capture.borrow().protocol;
        (cx.client.in_exec, cx.client.in_script) = (in_exec, false);
        if cx.client.db != db {
            cx.client.select(db);
        }
        if strayed || undeclared {
            self.script.set_manners(Manners::Strays);
        }
        if strayed && !wrote {
            return Ok(false);
        }
        match outcome.map_err(broken)? {
            (true, value) => self.engine.fields.answer(cx.reply, value, protocol).map_err(broken)?,
            (false, failure) => return self.fail(cx, &failure),
        }
        Ok(true)
    }

    /// The script has raised an error.
    fn fail(&self, cx: &mut Context<'_>, failure: &Value) -> Result<bool, Error> {
        let Value::Table(failure) = failure else { return Err(Error::new("ERR execution failure")) };
        let text = match failure.get::<Value>("err") {
            Ok(Value::String(text)) => text.as_bytes().to_vec(),
            _ => b"ERR unknown error".to_vec(),
        };
        let mut text = [&text[..], b" script: ", self.script.name().as_bytes()].concat();
        if let (Ok(source), Ok(line)) = (failure.get::<String>("source"), failure.get::<i64>("line")) {
            text.extend_from_slice(format!(", on {source}:{line}.").as_bytes());
        }
        // What a command has answered was counted then.
        if failure.get::<bool>("ignore_error_stats_update").unwrap_or(false) {
            cx.reply.error(&text);
            return Ok(true);
        }
        Err(Error::text(text))
    }
}

/// What is known of the manners of the script that a request means; its second word is a script or a digest.
pub fn manners(shared: &Shared, args: &Args<'_>) -> Manners {
    let Some(digest) = args.get(1).and_then(|word| super::parse_digest(word)) else { return Manners::Unknown };
    ENGINE.with_borrow(|engine| {
        let Some(engine) = engine.as_ref().filter(|engine| engine.generation == shared.scripts.generation()) else {
            return Manners::Unknown;
        };
        engine.compiled.get(&digest).map_or(Manners::Unknown, |(script, _)| script.manners())
    })
}
