//! What a function library registers while it is loaded.
//!
//! It is kept beside the interpreter, and `register_function` is made once: a handle of ours that garbage still holds has a place
//! in the interpreter until it is collected, and these are limited.

use super::{ScriptFlags, functions::Function, host};
use crate::command::{CommandResult, Error};
use mlua::{Lua, MultiValue, Table, Value};
use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

/// What a library may take to be loaded.
const LOADING_MAX: Duration = Duration::from_millis(500);

/// A function that has registered itself.
pub struct Registered {
    pub function: Function,
    pub callback: mlua::Function,
}

struct Loading {
    since: Instant,
    registered: Vec<Registered>,
}

thread_local! {
    /// The library that is being loaded.
    static LOADING: RefCell<Option<Loading>> = const { RefCell::new(None) };
}

/// Runs the code of a library; the second is what it has registered.
pub fn taking<R>(run: impl FnOnce() -> R) -> (R, Vec<Registered>) {
    LOADING.set(Some(Loading { since: Instant::now(), registered: Vec::new() }));
    let result = run();
    (result, LOADING.take().map_or_else(Vec::new, |loading| loading.registered))
}

/// Some time has passed outside of any script.
pub fn tick() -> CommandResult {
    let overdue = |loading: &Loading| loading.since.elapsed() > LOADING_MAX;
    match LOADING.with_borrow(|loading| loading.as_ref().is_some_and(overdue)) {
        true => Err(Error::new("ERR FUNCTION LOAD timeout")),
        false => Ok(()),
    }
}

/// `register_function` by the names that scripts know the server by.
pub fn registrars(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for api in ["redis", "server"] {
        table.raw_set(api, lua.create_function(move |_, arguments| register(api, arguments))?)?;
    }
    Ok(table)
}

/// Keeps what `register_function` was given, as a field of the table `api`.
fn register(api: &str, arguments: MultiValue) -> mlua::Result<()> {
    let refuse =
        |text: &str| Err(host::raise(format!("ERR {}", text.replace("$", &format!("{api}.register_function")))));
    if LOADING.with_borrow(Option::is_none) {
        return refuse("$ can only be called on FUNCTION LOAD command");
    }
    let mut arguments = arguments.into_iter();
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
        let registered = Registered { function: Function { name, description, flags }, callback };
        LOADING.with_borrow_mut(|loading| {
            if let Some(loading) = loading {
                loading.registered.push(registered);
            }
        });
    }
    Ok(())
}
