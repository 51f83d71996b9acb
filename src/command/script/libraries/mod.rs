//! The libraries that scripts find: `cjson`, `cmsgpack`, `bit`, `struct`.

mod bit;
mod cjson;
mod cmsgpack;
mod structs;

use mlua::{Lua, Table};

/// A table of the libraries by name.
pub fn all(lua: &Lua) -> mlua::Result<Table> {
    let libraries = lua.create_table()?;
    libraries.raw_set("bit", bit::table(lua)?)?;
    libraries.raw_set("cjson", cjson::table(lua)?)?;
    libraries.raw_set("cmsgpack", cmsgpack::table(lua)?)?;
    libraries.raw_set("struct", structs::table(lua)?)?;
    Ok(libraries)
}

/// An error with a text of ours.
fn refuse<T>(text: impl Into<String>) -> mlua::Result<T> {
    Err(mlua::Error::runtime(text.into()))
}

/// Goes one level down, on more stack if there is little left: how deep values are nested, scripts decide.
fn nested<R>(f: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(64 << 10, 1 << 20, f)
}
