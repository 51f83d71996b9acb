//! The interpreter of a thread, kept warm: a script is compiled once per thread and its function kept.

use super::{
    Digest, Manners, Script, ScriptFlags, after_shebang,
    convert::{Capture, Fields, MEMORY_MAX, MemoryLimit, Port},
    functions::{self, Library, is_name},
    host::{self, HOST, Run},
    queue::SHORT,
    reading,
    registration::{self, Registered},
};
use crate::command::{Args, CommandResult, Context, Error, Shared, dispatch};
use crate::keyspace::ShardSet;
use ahash::RandomState;
use mlua::{BString, Either, Function, Lua, LuaOptions, LuaString, StdLib, Table, Value, chunk::ChunkMode};
use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
    time::Instant,
};

/// Functions that a thread keeps; beyond, it compiles anew.
const COMPILED_MAX: usize = 512;
/// Longer scripts have their digest reckoned each time.
const BODY_MAX: usize = 1 << 16;
thread_local! {
    static ENGINE: RefCell<Option<Box<Engine>>> = const { RefCell::new(None) };
}

struct Engine {
    lua: Lua,
    fields: Fields,
    globals: Table,
    run: Function,
    run_function: Function,
    run_library: Function,
    compiled: HashMap<Digest, Rc<Compiled>, RandomState>,
    /// The digests of scripts that came as text.
    bodies: HashMap<Box<[u8]>, Digest, RandomState>,
    /// The generation of [`super::Scripts`] that `compiled` belongs to.
    generation: u64,
    functions: HashMap<Vec<u8>, Rc<Loaded>, RandomState>,
    /// The libraries that these are of.
    libraries: HashMap<Vec<u8>, Arc<Library>, RandomState>,
    /// The generation of [`functions::Functions`] that these belong to.
    functions_generation: u64,
}

/// A script that an interpreter has compiled.
struct Compiled {
    script: Arc<Script>,
    function: Function,
}

/// A function that an interpreter has loaded.
struct Loaded {
    library: Arc<Library>,
    flags: ScriptFlags,
    callback: Function,
}

impl Engine {
    fn new() -> mlua::Result<Engine> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        // A defect that shows in a command is no error that a script may catch.
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let host = host::table(&lua)?;
        lua.load(include_str!("prelude.lua")).set_name("=prelude").call::<()>(&host)?;
        host::watch(&lua)?;
        // What compiling the prelude has left.
        lua.gc_collect()?;
        Ok(Engine {
            fields: Fields::new(&lua)?,
            globals: host.get("globals")?,
            run: host.get("run")?,
            run_function: host.get("run_function")?,
            run_library: host.get("run_library")?,
            compiled: HashMap::default(),
            bodies: HashMap::default(),
            generation: 0,
            functions: HashMap::default(),
            libraries: HashMap::default(),
            functions_generation: 0,
            lua,
        })
    }

    fn compile(&self, code: &[u8]) -> Result<Function, Error> {
        self.compile_as("@user_script", code)
            .map_err(|text| Error::text(format!("ERR Error compiling script (new function): {text}")))
    }

    fn compile_as(&self, name: &str, code: &[u8]) -> Result<Function, String> {
        let chunk = self.lua.load(code).set_name(name).set_mode(ChunkMode::Text);
        chunk.set_environment(self.globals.clone()).into_function().map_err(|error| match error {
            mlua::Error::SyntaxError { message, .. } => message,
            other => other.to_string(),
        })
    }

    /// The digest of a script that came as text.
    fn digest_of(&mut self, body: &[u8]) -> Digest {
        if let Some(digest) = self.bodies.get(body) {
            return *digest;
        }
        let digest = super::digest(body);
        if body.len() <= BODY_MAX {
            if self.bodies.len() >= COMPILED_MAX {
                self.bodies.clear();
            }
            self.bodies.insert(body.into(), digest);
        }
        digest
    }

    /// Runs a library's code, which registers its functions.
    fn register(&self, code: &[u8]) -> Result<Vec<Registered>, Error> {
        let chunk = self
            .compile_as("@user_function", code)
            .map_err(|text| Error::text(format!("ERR Error compiling function: {text}")))?;
        let (outcome, registered) = registration::taking(|| {
            let _limit = MemoryLimit::set(&self.lua, MEMORY_MAX);
            self.run_library.call::<(bool, Value)>(chunk)
        });
        match outcome.map_err(broken)? {
            (true, _) => Ok(registered),
            (false, failure) => {
                let text = match &failure {
                    Value::Table(failure) => failure.get::<LuaString>("err").map(|text| text.to_string_lossy()).ok(),
                    _ => None,
                };
                Err(Error::text(format!("ERR Error registering functions: {}", text.unwrap_or_default())))
            }
        }
    }

    /// A function of the libraries, of which those are loaded that have changed.
    fn function(&mut self, shared: &Shared, name: &[u8]) -> Option<Rc<Loaded>> {
        let generation = shared.functions.generation();
        if self.functions_generation != generation {
            self.functions_generation = generation;
            let all = shared.functions.all();
            let is_there = |library: &Arc<Library>| all.get(&library.name).is_some_and(|now| Arc::ptr_eq(now, library));
            self.libraries.retain(|_, library| is_there(library));
            self.functions.retain(|_, loaded| is_there(&loaded.library));
            for library in all.values() {
                if self.libraries.contains_key(&library.name) {
                    continue;
                }
                self.libraries.insert(library.name.clone(), Arc::clone(library));
                match self.register(library.body()) {
                    Ok(registered) => self.functions.extend(registered.into_iter().map(|registered| {
                        let (library, flags) = (Arc::clone(library), registered.function.flags);
                        let loaded = Loaded { library, flags, callback: registered.callback };
                        (registered.function.name.to_ascii_lowercase(), Rc::new(loaded))
                    })),
                    Err(error) => tracing::warn!(
                        library = %String::from_utf8_lossy(&library.name),
                        error = %String::from_utf8_lossy(&error.0),
                        "a function library that was loaded before cannot be loaded now",
                    ),
                }
            }
        }
        self.loaded(name).cloned()
    }

    fn loaded(&self, name: &[u8]) -> Option<&Rc<Loaded>> {
        self.functions.get(name).or_else(|| self.functions.get(&name.to_ascii_lowercase()))
    }

    /// The script of a digest and its function, if it is known.
    fn find(&mut self, cx: &Context<'_>, digest: &Digest) -> Result<Option<Rc<Compiled>>, Error> {
        let scripts = &cx.shared.scripts;
        let generation = scripts.generation();
        if self.generation != generation || self.compiled.len() > COMPILED_MAX {
            self.compiled.clear();
            self.generation = generation;
        }
        if let Some(found) = self.compiled.get(digest) {
            return Ok(Some(Rc::clone(found)));
        }
        let Some(script) = scripts.get(digest) else { return Ok(None) };
        let compiled = Rc::new(Compiled { function: self.compile(script.code())?, script });
        self.compiled.insert(*digest, Rc::clone(&compiled));
        Ok(Some(compiled))
    }

    /// Words as strings of the interpreter. (Text gets there by a shorter way than other bytes.)
    fn list(&self, words: &Args<'_>) -> mlua::Result<Table> {
        self.lua.create_sequence_from(words.iter().map(|word| match std::str::from_utf8(word) {
            Ok(text) => Either::Left(text),
            Err(_) => Either::Right(BString::from(*word)),
        }))
    }
}

/// Runs `f` with the thread's interpreter.
fn with_engine<R>(f: impl FnOnce(&mut Engine) -> Result<R, Error>) -> Result<R, Error> {
    let mut engine = match ENGINE.take() {
        Some(engine) => engine,
        None => Box::new(Engine::new().map_err(|error| Error::text(format!("ERR {error}")))?),
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

/// A script to run, as a request names it.
pub enum Named<'a> {
    Digest(Digest),
    Body(&'a [u8]),
}

/// Runs a script; one that comes as text is made known if it is not yet.
pub fn evaluate(
    cx: &mut Context<'_>,
    request: &Args<'_>,
    named: Named<'_>,
    words: (&Args<'_>, &Args<'_>),
    read_only: bool,
) -> CommandResult {
    with_engine(|engine| {
        let digest = match named {
            Named::Digest(digest) => digest,
            Named::Body(body) => engine.digest_of(body),
        };
        let mut found = engine.find(cx, &digest)?;
        if let (None, Named::Body(body)) = (&found, &named) {
            let code = cx.shared.scripts.add(digest, body, false)?;
            if let Err(error) = engine.compile(code.code()) {
                cx.shared.scripts.forget(&digest);
                return Err(error);
            }
            found = engine.find(cx, &digest)?;
        }
        let Some(compiled) = found else {
            return Err(Error::NO_SCRIPT);
        };
        let script = &compiled.script;
        judge(cx, script.flags, read_only)?;
        cx.shared.scripts.mark_used(script);
        let subject = Subject {
            name: &|| script.name(),
            flags: script.flags,
            manners: &script.manners,
            is_short: &script.is_short,
            runner: &engine.run,
            callee: &compiled.function,
            is_function: false,
            request,
            words,
        };
        run(cx, engine, subject, read_only)
    })
}

/// Runs a function of a library; the second word of the request is its name. `split` finds the keys and the other
/// arguments, once it is known that there is such a function.
pub fn call_function<'a>(
    cx: &mut Context<'_>,
    request: &'a Args<'a>,
    split: impl FnOnce() -> Result<(&'a Args<'a>, &'a Args<'a>), Error>,
    read_only: bool,
) -> CommandResult {
    with_engine(|engine| {
        let name = request[1];
        let loaded = engine.function(cx.shared, name).ok_or(Error::new("ERR Function not found"))?;
        let words = split()?;
        judge(cx, loaded.flags, read_only)?;
        let subject = Subject {
            name: &|| String::from_utf8_lossy(name).into_owned(),
            flags: loaded.flags,
            manners: &loaded.library.manners,
            is_short: &loaded.library.is_short,
            runner: &engine.run_function,
            callee: &loaded.callback,
            is_function: true,
            request,
            words,
        };
        run(cx, engine, subject, read_only)
    })
}

fn run(cx: &mut Context<'_>, engine: &Engine, subject: Subject<'_>, read_only: bool) -> CommandResult {
    let result = Task::new(cx, engine, subject, read_only).run_all(cx);
    cx.shared.stats.worker(cx.client.worker).interpreter_bytes.set(engine.lua.used_memory() as u64);
    result
}

/// Sees what a library is, by loading it once.
pub fn load_library(code: &[u8]) -> Result<Library, Error> {
    let name = Library::name_of(code)?;
    let mut functions: Vec<functions::Function> = with_engine(|engine| engine.register(after_shebang(code)))?
        .into_iter()
        .map(|registered| registered.function)
        .collect();
    if functions.is_empty() {
        return Err(Error::new("ERR No functions registered"));
    }
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    if functions.windows(2).any(|pair| pair[0].name.eq_ignore_ascii_case(&pair[1].name)) {
        return Err(Error::new("ERR Function already exists in the library"));
    }
    if !functions.iter().all(|function| is_name(&function.name)) {
        return Err(Error::new(
            "ERR Function names can only contain letters, numbers, or underscores(_) and must be at least one character \
             long",
        ));
    }
    Ok(Library {
        name,
        code: code.to_vec(),
        functions,
        manners: AtomicU8::new(Manners::judged(reading::library_declares(code)) as u8),
        is_short: AtomicBool::new(false),
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
    dispatch::check_write(cx.shared, &cx.client.settings)?;
    if cx.client.script_oom && !flags.contains(ScriptFlags::ALLOW_OOM) {
        return Err(Error::new(
            "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
        ));
    }
    Ok(())
}

/// What is run.
#[derive(Clone, Copy)]
struct Subject<'e> {
    /// What errors call it.
    name: &'e dyn Fn() -> String,
    flags: ScriptFlags,
    manners: &'e AtomicU8,
    is_short: &'e AtomicBool,
    /// The function of `prelude.lua` that runs it.
    runner: &'e Function,
    callee: &'e Function,
    is_function: bool,
    request: &'e Args<'e>,
    /// Its keys and its other arguments.
    words: (&'e Args<'e>, &'e Args<'e>),
}

struct Task<'e> {
    engine: &'e Engine,
    subject: Subject<'e>,
    /// The shards of the declared keys.
    declared: ShardSet,
    read_only: bool,
}

/// How a run has ended.
enum Ending {
    Answered,
    /// It asked for a key that it had not declared, before it wrote anything.
    Strayed,
    /// It takes its time, and has done nothing but read.
    Lingered,
    /// It came to what is not in memory, before it wrote anything: `client.absent` says to what.
    Absent,
}

impl<'e> Task<'e> {
    fn new(cx: &Context<'_>, engine: &'e Engine, subject: Subject<'e>, read_only: bool) -> Task<'e> {
        let declared = cx.shared.keyspace.shard_set(subject.words.0.iter().copied());
        let read_only = read_only || subject.flags.contains(ScriptFlags::NO_WRITES);
        Task { engine, subject, declared, read_only }
    }

    /// Runs it, or hands it over if it may take long. It runs again with all shards locked when it turns out to need them,
    /// and elsewhere when it lingers: it has changed nothing until then.
    fn run_all(self, cx: &mut Context<'_>) -> CommandResult {
        let may_hand_over = cx.may_hand_over();
        // One that has written does not begin anew: it waits for what it lacks where it is.
        let may_wait = !self.read_only && cx.shared.keyspace.arena().is_loading();
        if may_hand_over && (may_wait || !self.subject.is_short.load(Relaxed)) {
            return self.hand_over(cx);
        }
        match self.run(cx, may_hand_over)? {
            Ending::Answered | Ending::Absent => Ok(()),
            Ending::Strayed if cx.client.in_exec || cx.client.stands_in => Err(host::STRAYED),
            Ending::Strayed => {
                cx.lock_all();
                self.run(cx, false).map(drop)
            }
            Ending::Lingered => {
                self.subject.is_short.store(false, Relaxed);
                self.hand_over(cx)
            }
        }
    }

    fn hand_over(&self, cx: &mut Context<'_>) -> CommandResult {
        let confined = Manners::of(self.subject.manners.load(Relaxed)) == Manners::Declares;
        cx.hand_over(self.subject.request, if confined { self.declared } else { cx.shared.keyspace.all_shards() });
        Ok(())
    }

    /// Runs it once.
    fn run(&self, cx: &mut Context<'_>, may_hand_over: bool) -> Result<Ending, Error> {
        let (db, in_exec) = (cx.client.db, cx.client.in_exec);
        let Subject { runner, callee, words, .. } = self.subject;
        let lua = &self.engine.lua;
        let arguments = self.engine.list(words.0).and_then(|keys| Ok((callee, keys, self.engine.list(words.1)?)));
        let arguments = arguments.map_err(broken)?;
        if !in_exec {
            cx.client.time_told = None;
        }
        (cx.client.in_exec, cx.client.in_script) = (true, true);
        let capture = RefCell::new(Capture::new(lua));
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
            flags: self.subject.flags,
            read_only: self.read_only,
            declared: self.declared,
            strayed: false,
            undeclared: false,
            wrote: false,
            only_read: true,
            may_hand_over,
            lingered: false,
            calls: 0,
            since: Instant::now(),
            is_function: self.subject.is_function,
            name: self.subject.name,
            request: self.subject.request,
            running: None,
            relieved: None,
        };
        let outcome = HOST.set(&mut run, || {
            let _limit = MemoryLimit::set(lua, MEMORY_MAX);
            runner.call::<(bool, Value)>(arguments)
        });
        let (strayed, undeclared, wrote, lingered) = (run.strayed, run.undeclared, run.wrote, run.lingered);
        if !self.subject.is_short.load(Relaxed) && run.since.elapsed() < SHORT {
            self.subject.is_short.store(true, Relaxed);
        }
        drop(run);
        let protocol = capture.borrow().protocol;
        (cx.client.in_exec, cx.client.in_script) = (in_exec, false);
        if cx.client.db != db {
            cx.client.select(db);
        }
        if strayed || undeclared {
            self.subject.manners.store(Manners::Strays as u8, Relaxed);
        }
        if strayed && !wrote {
            return Ok(Ending::Strayed);
        }
        if !cx.client.absent.is_empty() {
            return Ok(Ending::Absent);
        }
        if lingered {
            return Ok(Ending::Lingered);
        }
        match outcome.map_err(broken)? {
            (true, value) => {
                count_error(cx, &value);
                self.engine.fields.answer(cx.reply, value, protocol).map_err(broken)?;
            }
            (false, failure) => self.fail(cx, &failure)?,
        }
        Ok(Ending::Answered)
    }

    /// The script has raised an error.
    fn fail(&self, cx: &mut Context<'_>, failure: &Value) -> CommandResult {
        let Value::Table(failure) = failure else { return Err(Error::new("ERR execution failure")) };
        let text = match failure.get::<Value>("err") {
            Ok(Value::String(text)) => text.as_bytes().to_vec(),
            _ => b"ERR unknown error".to_vec(),
        };
        let mut text = [&text[..], b" script: ", (self.subject.name)().as_bytes()].concat();
        if let (Ok(source), Ok(line)) = (failure.get::<String>("source"), failure.get::<i64>("line")) {
            text.extend_from_slice(format!(", on {source}:{line}.").as_bytes());
        }
        // What a command has answered was counted then.
        if failure.get::<bool>("ignore_error_stats_update").unwrap_or(false) {
            count_failure(cx);
            cx.reply.error(&text);
            return Ok(());
        }
        Err(Error::text(text))
    }
}

/// A script whose answer is an error has failed. If the error is its own, it is a new one; what a command has answered was
/// counted then.
fn count_error(cx: &Context<'_>, value: &Value) {
    let Value::Table(table) = value else { return };
    let Ok(Value::String(text)) = table.raw_get::<Value>("err") else { return };
    count_failure(cx);
    if !table.raw_get::<bool>("ignore_error_stats_update").unwrap_or(false) {
        cx.shared.stats.error(Error::text(text.as_bytes().to_vec()).code());
    }
}

/// Counts a run of the script's command that has answered with an error.
fn count_failure(cx: &Context<'_>) {
    cx.shared.stats.worker(cx.client.worker).command(cx.command.counts_as).failed.add(1);
}

/// What is known of the manners of the script that a request means: its second word is a digest, a script, or a function's
/// name.
pub fn manners(shared: &Shared, args: &Args<'_>) -> Manners {
    let Some(word) = args.get(1).copied() else { return Manners::Unknown };
    ENGINE.with_borrow(|engine| {
        let Some(engine) = engine else { return Manners::Unknown };
        // A function may be called like a digest.
        let script = (super::parse_digest(word).or_else(|| engine.bodies.get(word).copied()))
            .filter(|_| engine.generation == shared.scripts.generation())
            .and_then(|digest| engine.compiled.get(&digest))
            .map(|compiled| compiled.script.manners.load(Relaxed));
        let function = (engine.functions_generation == shared.functions.generation())
            .then(|| engine.loaded(word))
            .flatten()
            .map(|loaded| loaded.library.manners.load(Relaxed));
        match (script, function) {
            (Some(manners), None) | (None, Some(manners)) => Manners::of(manners),
            _ => Manners::Unknown,
        }
    })
}
