//! The libraries that scripts find: `cjson`, `cmsgpack`, `bit`, `struct`.

mod bit;
mod cjson;
mod cmsgpack;
mod patterns;
mod strings;
mod structs;

pub use cjson::array_metatable;
pub use strings::table as strings;

use super::host::place_within;
use mlua::{Error, FromLuaMulti, Function, IntoLuaMulti, Lua, Table};

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

/// An error with a text of ours.
fn refuse<T>(text: impl Into<String>) -> mlua::Result<T> {
    Err(mlua::Error::runtime(text.into()))
}

/// Goes one level down, on more stack if there is little left: how deep values are nested, scripts decide.
fn nested<R>(f: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(64 << 10, 1 << 20, f)
}
