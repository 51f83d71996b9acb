//! The libraries that scripts find: `cjson`, `cmsgpack`, `bit`, `struct`.

mod bit;
mod chance;
mod cjson;
mod cmsgpack;
mod patterns;
mod strings;
mod structs;

pub use chance::table as chance;
pub use cjson::array_metatable;
pub use strings::table as strings;

use super::host::place_within;
use mlua::{Error, FromLuaMulti, Function, IntoLuaMulti, Lua, LuaString, MultiValue, Table, Value};

/// A table of the libraries by name.
pub fn all(lua: &Lua) -> mlua::Result<Table> {
    let libraries = lua.create_table()?;
    libraries.raw_set("bit", bit::table(lua)?)?;
    libraries.raw_set("cjson", cjson::table(lua)?)?;
    libraries.raw_set("cmsgpack", cmsgpack::table(lua)?)?;
    libraries.raw_set("struct", structs::table(lua)?)?;
    Ok(libraries)
}

/// The most values that one call answers: the interpreter lends out a few thousand at a time.
const VALUES_MAX: usize = 4000;

/// A function of a library, whose errors say where the script has called it.
fn function<A: FromLuaMulti, R: IntoLuaMulti>(
    lua: &Lua,
    f: impl Fn(&Lua, A) -> mlua::Result<R> + 'static,
) -> mlua::Result<Function> {
    lua.create_function(move |lua, arguments: A| {
        f(lua, arguments).map_err(|error| match (&error, place_within(lua, 1)) {
            (Error::RuntimeError(text), (Some(source), Some(line))) => {
                Error::runtime(format!("{}:{line}: {text}", source.trim_start_matches('@')))
            }
            _ => error,
        })
    })
}

/// What a function was called with, in order.
pub struct Given {
    name: &'static str,
    values: MultiValue,
    taken: usize,
}

impl Given {
    pub fn new(name: &'static str, values: MultiValue) -> Given {
        Given { name, values, taken: 0 }
    }

    pub fn next(&mut self) -> Option<Value> {
        self.taken += 1;
        self.values.pop_front()
    }

    pub fn refuse<T>(&self, wanted: &str, given: Option<Value>) -> mlua::Result<T> {
        let given = given.map_or("no value", |value| value.type_name());
        refuse(format!("bad argument #{} to '{}' ({wanted} expected, got {given})", self.taken, self.name))
    }

    /// What was given, if it is this many.
    pub fn exactly(name: &'static str, count: usize, values: MultiValue) -> mlua::Result<Given> {
        if values.len() != count {
            let plural = if count == 1 { "" } else { "s" };
            return refuse(format!("bad argument #1 to '{name}' (expected {count} argument{plural})"));
        }
        Ok(Given::new(name, values))
    }

    /// A string, or a number as its text.
    pub fn string(&mut self, lua: &Lua) -> mlua::Result<LuaString> {
        let value = self.next();
        let text = value.clone().map_or(Ok(None), |value| lua.coerce_string(value))?;
        text.map_or_else(|| self.refuse("string", value), Ok)
    }

    /// A number that may be left out.
    pub fn number(&mut self, lua: &Lua) -> mlua::Result<Option<f64>> {
        match self.next() {
            None | Some(Value::Nil) => Ok(None),
            Some(value) => match lua.coerce_number(value.clone())? {
                Some(number) => Ok(Some(number)),
                None => self.refuse("number", Some(value)),
            },
        }
    }

    /// A number that may not.
    pub fn some_number(&mut self, lua: &Lua) -> mlua::Result<f64> {
        match self.values.front() {
            None | Some(Value::Nil) => {
                let given = self.next();
                self.refuse("number", given)
            }
            // It is there.
            Some(_) => Ok(self.number(lua)?.unwrap_or_default()),
        }
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.values.is_empty()
    }
}

/// An error with a text of ours.
fn refuse<T>(text: impl Into<String>) -> mlua::Result<T> {
    Err(mlua::Error::runtime(text.into()))
}

/// Goes one level down, on more stack if there is little left: how deep values are nested, scripts decide.
fn nested<R>(f: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(64 << 10, 1 << 20, f)
}
