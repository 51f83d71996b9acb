//! The libraries that scripts find: `cjson`, `cmsgpack`, `bit`, `struct`.

use mlua::{Lua, Table};

/// A table of the libraries by name.
pub fn all(lua: &Lua) -> mlua::Result<Table> {
    lua.create_table()
}
