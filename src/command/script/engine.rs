//! The interpreter of a thread, kept warm: a script is compiled once per thread and its function kept.

use super::{
    Digest, Manners, Script, ScriptFlags, after_shebang,
    convert::{Capture, Fields, Port},
    functions::{self, Library, is_name},
    host::{self, HOST, Run},
    queue::SHORT,
};
use crate::command::{Args, CommandResult, Context, Error, Shared};
use crate::keyspace::ShardSet;
use ahash::RandomState;
use mlua::{Function, Lua, LuaOptions, LuaString, MultiValue, StdLib, Table, Value, chunk::ChunkMode};
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
    run_function: Function,
    run_library: Function,
    compiled: HashMap<Digest, (Arc<Script>, Function), RandomState>,
    /// The digests of scripts that came as text.
    bodies: HashMap<Box<[u8]>, Digest, RandomState>,
    /// The generation of [`super::Scripts`] that `compiled` belongs to.
    generation: u64,
    functions: HashMap<Vec<u8>, Loaded, RandomState>,
    /// The generation of [`functions::Functions`] that these belong to.
    functions_generation: u64,
}

/// A function that an interpreter has loaded.
#[derive(Clone)]
struct Loaded {
    library: Arc<Library>,
    flags: ScriptFlags,
    callback: Function,
}

/// What registered itself while a library was loaded.
struct Registered {
    function: functions::Function,
    callback: Function,
}

impl Engine {
    fn new() -> mlua::Result<Engine> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        let lua = Lua::new_with(libraries, LuaOptions::default())?;
        let host = host::table(&lua)?;
        lua.load(include_str!("prelude.lua")).set_name("=prelude").call::<()>(&host)?;
        lua.set_memory_limit(MEMORY_MAX)?;
        host::watch(&lua)?;
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
        let registered: Rc<RefCell<Vec<Registered>>> = Rc::default();
        let taking = Rc::clone(&registered);
        let take = self.lua.create_function(move |_, arguments| read_registration(arguments, &taking));
        let outcome =
            take.and_then(|take| host::while_loading(|| self.run_library.call::<(bool, Value)>((chunk, take))));
        match outcome.map_err(broken)? {
            (true, _) => Ok(registered.take()),
            (false, failure) => {
                let text = match &failure {
                    Value::Table(failure) => failure.get::<LuaString>("err").map(|text| text.to_string_lossy()).ok(),
                    _ => None,
                };
                let text = text.unwrap_or_default();
                let text = text.strip_prefix("ERR ").unwrap_or(&text);
                Err(Error::text(format!("ERR Error registering functions: {text}")))
            }
        }
    }

    /// A function of the libraries, which are loaded if they have changed.
    fn function(&mut self, shared: &Shared, name: &[u8]) -> Option<Loaded> {
        let generation = shared.functions.generation();
        if self.functions_generation != generation {
            self.functions_generation = generation;
            self.functions.clear();
            for library in shared.functions.all().values() {
                match self.register(library.body()) {
                    Ok(registered) => self.functions.extend(registered.into_iter().map(|registered| {
                        let (library, flags) = (Arc::clone(library), registered.function.flags);
                        (
                            registered.function.name.to_ascii_lowercase(),
                            Loaded { library, flags, callback: registered.callback },
                        )
                    })),
                    Err(error) => tracing::warn!(
                        library = %String::from_utf8_lossy(&library.name),
                        error = %String::from_utf8_lossy(&error.0),
                        "a function library that was loaded before cannot be loaded now",
                    ),
                }
            }
        }
        self.functions.get(&name.to_ascii_lowercase()).cloned()
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

    /// What `run` and `run_function` are given.
    fn arguments(&self, function: &Function, words: (&Args<'_>, &Args<'_>)) -> mlua::Result<MultiValue> {
        let lists = [self.list(words.0)?, self.list(words.1)?].map(Value::Table);
        Ok([Value::Function(function.clone())].into_iter().chain(lists).collect())
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
        let Some((script, function)) = found else {
            return Err(Error::new("NOSCRIPT No matching script. Please use EVAL."));
        };
        judge(cx, script.flags, read_only)?;
        script.used.store(true, Relaxed);
        if !script.is_short.load(Relaxed) && cx.hand_over(request) {
            return Ok(());
        }
        let name = || script.name();
        let is_short = &script.is_short;
        let subject = Subject {
            name: &name,
            flags: script.flags,
            manners: &script.manners,
            is_short,
            is_function: false,
            request,
        };
        Task::new(cx, engine, subject, read_only, words.0)
            .run_all(cx, |engine| Ok((engine.run.clone(), engine.arguments(&function, words)?)))
    })
}

/// Runs a function of a library; the second word of the request is its name.
pub fn call_function(
    cx: &mut Context<'_>,
    request: &Args<'_>,
    words: (&Args<'_>, &Args<'_>),
    read_only: bool,
) -> CommandResult {
    with_engine(|engine| {
        let name = request[1];
        let loaded = engine.function(cx.shared, name).ok_or(Error::new("ERR Function not found"))?;
        judge(cx, loaded.flags, read_only)?;
        if !loaded.library.is_short.load(Relaxed) && cx.hand_over(request) {
            return Ok(());
        }
        let is_short = &loaded.library.is_short;
        let called = || String::from_utf8_lossy(name).into_owned();
        let (flags, manners) = (loaded.flags, &loaded.library.manners);
        let subject = Subject { name: &called, flags, manners, is_short, is_function: true, request };
        Task::new(cx, engine, subject, read_only, words.0)
            .run_all(cx, |engine| Ok((engine.run_function.clone(), engine.arguments(&loaded.callback, words)?)))
    })
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
        manners: AtomicU8::new(Manners::Unknown as u8),
        is_short: AtomicBool::new(false),
    })
}

/// What `register_function` was given, after the name of the table it was found in.
fn read_registration(arguments: MultiValue, into: &RefCell<Vec<Registered>>) -> mlua::Result<()> {
    let mut arguments = arguments.into_iter();
    let api = match arguments.next() {
        Some(Value::String(api)) => api.to_string_lossy(),
        _ => String::new(),
    };
    if HOST.is_set() {
        return Err(host::raise(format!("ERR {api}.register_function can only be called on FUNCTION LOAD command")));
    }
    let refuse =
        |text: &str| Err(host::raise(format!("ERR {}", text.replace("$", &format!("{api}.register_function")))));
    let (mut name, mut description, mut callback, mut flags) = (None, None, None, ScriptFlags::empty());
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(Value::Table(given)), None, None) => {
            for pair in given.pairs::<Value, Value>() {
                let (key, value) = pair?;
                let Value::String(key) = key else { return refuse("named argument key given to $ is not a string") };
                match (key.as_bytes().to_ascii_lowercase().as_slice(), value) {
                    (b"function_name", Value::String(text)) => name = Some(text),
                    (b"function_name", _) => return refuse("function_name argument given to $ must be a string"),
                    (b"description", Value::String(text)) => description = Some(text.as_bytes().to_vec()),
                    (b"description", _) => return refuse("description argument given to $ must be a string"),
                    (b"callback", Value::Function(function)) => callback = Some(function),
                    (b"callback", _) => return refuse("callback argument given to $ must be a function"),
                    (b"flags", Value::Table(names)) => {
                        for flag in names.sequence_values::<Value>() {
                            let flag = match flag? {
                                Value::String(flag) => ScriptFlags::of_name(&flag.as_bytes()),
                                _ => None,
                            };
                            let Some(flag) = flag else { return refuse("unknown flag given") };
                            flags |= flag;
                        }
                    }
                    (b"flags", _) => {
                        return refuse("flags argument to $ must be a table representing function flags");
                    }
                    _ => return refuse("unknown argument given to $"),
                }
            }
            if name.is_none() {
                return refuse("$ must get a function name argument");
            }
            if callback.is_none() {
                return refuse("$ must get a callback argument");
            }
        }
        (Some(_), None, None) => {
            return refuse(
                "calling $ with a single argument is only applicable to Lua table (representing named arguments).",
            );
        }
        (Some(first), Some(second), None) => {
            let Value::String(text) = first else { return refuse("first argument to $ must be a string") };
            let Value::Function(function) = second else { return refuse("second argument to $ must be a function") };
            (name, callback) = (Some(text), Some(function));
        }
        _ => return refuse("wrong number of arguments to $"),
    }
    if let (Some(name), Some(callback)) = (name, callback) {
        let name = name.as_bytes().to_vec();
        into.borrow_mut().push(Registered { function: functions::Function { name, description, flags }, callback });
    }
    Ok(())
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

/// What is run.
#[derive(Clone, Copy)]
struct Subject<'e> {
    /// What errors call it.
    name: &'e dyn Fn() -> String,
    flags: ScriptFlags,
    manners: &'e AtomicU8,
    is_short: &'e AtomicBool,
    is_function: bool,
    request: &'e Args<'e>,
}

struct Task<'e> {
    engine: &'e mut Engine,
    subject: Subject<'e>,
    /// The shards of the declared keys.
    declared: ShardSet,
    read_only: bool,
}

impl<'e> Task<'e> {
    fn new(
        cx: &Context<'_>,
        engine: &'e mut Engine,
        subject: Subject<'e>,
        read_only: bool,
        keys: &Args<'_>,
    ) -> Task<'e> {
        let declared = cx.shared.keyspace.shard_set(keys.iter().copied());
        let read_only = read_only || subject.flags.contains(ScriptFlags::NO_WRITES);
        Task { engine, subject, declared, read_only }
    }

    /// Runs it, and again with all shards locked when it turns out to need them.
    fn run_all(
        mut self,
        cx: &mut Context<'_>,
        prepare: impl Fn(&Engine) -> mlua::Result<(Function, MultiValue)>,
    ) -> CommandResult {
        let (run, arguments) = prepare(self.engine).map_err(broken)?;
        if self.run(cx, &run, arguments)? {
            return Ok(());
        }
        // It has asked for a key that it had not declared, before it wrote anything.
        cx.lock_all();
        let (run, arguments) = prepare(self.engine).map_err(broken)?;
        self.run(cx, &run, arguments).map(drop)
    }

    /// Runs it once; false if it has to run again with all shards locked.
    fn run(&mut self, cx: &mut Context<'_>, function: &Function, arguments: MultiValue) -> Result<bool, Error> {
        let (db, in_exec) = (cx.client.db, cx.client.in_exec);
        (cx.client.in_exec, cx.client.in_script) = (true, true);
        let lua = self.engine.lua.clone();
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
            flags: self.subject.flags,
            read_only: self.read_only,
            declared: self.declared,
            strayed: false,
            undeclared: false,
            wrote: false,
            since: Instant::now(),
            is_function: self.subject.is_function,
            name: self.subject.name,
            request: self.subject.request,
            running: None,
        };
        let outcome = HOST.set(&mut run, || function.call::<(bool, Value)>(arguments));
        let (strayed, undeclared, wrote) = (run.strayed, run.undeclared, run.wrote);
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
            return Ok(false);
        }
        match outcome.map_err(broken)? {
            (true, value) => {
                count_error(cx, &value);
                self.engine.fields.answer(cx.reply, value, protocol).map_err(broken)?;
            }
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
        let mut text = [&text[..], b" script: ", (self.subject.name)().as_bytes()].concat();
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

/// A script that answers with an error of its own has made one; what a command has answered was counted then.
fn count_error(cx: &Context<'_>, value: &Value) {
    if let Value::Table(table) = value
        && let Ok(Value::String(text)) = table.raw_get::<Value>("err")
        && !table.raw_get::<bool>("ignore_error_stats_update").unwrap_or(false)
    {
        cx.shared.stats.error(Error::text(text.as_bytes().to_vec()).code());
    }
}

/// What is known of the manners of the script that a request means: its second word is a digest, a script, or a function's
/// name.
pub fn manners(shared: &Shared, args: &Args<'_>) -> Manners {
    let Some(word) = args.get(1).copied() else { return Manners::Unknown };
    ENGINE.with_borrow(|engine| {
        let Some(engine) = engine else { return Manners::Unknown };
        let digest = super::parse_digest(word).or_else(|| engine.bodies.get(word).copied());
        let manners = match digest {
            Some(digest) if engine.generation == shared.scripts.generation() => {
                engine.compiled.get(&digest).map(|(script, _)| script.manners.load(Relaxed))
            }
            None if engine.functions_generation == shared.functions.generation() => {
                engine.functions.get(&word.to_ascii_lowercase()).map(|loaded| loaded.library.manners.load(Relaxed))
            }
            _ => None,
        };
        manners.map_or(Manners::Unknown, Manners::of)
    })
}
