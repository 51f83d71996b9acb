//! `bit`: operations on the 32 low bits of numbers. (As LuaJIT's BitOp.)

use super::{Given, function};
use mlua::{Function, Lua, MultiValue, Table};

/// The 32 bits that a number stands for: modulo 2^32, halves to even.
fn bits(n: f64) -> i32 {
    if n.is_finite() { n.round_ties_even().rem_euclid(4_294_967_296.0) as u32 as i32 } else { 0 }
}

/// A function of one number.
fn of_one(lua: &Lua, name: &'static str, f: fn(i32) -> i32) -> mlua::Result<Function> {
    function(lua, move |lua, given| Ok(f(bits(Given::new(name, given).some_number(lua)?))))
}

/// A function of as many as there are.
fn fold(lua: &Lua, name: &'static str, f: fn(i32, i32) -> i32) -> mlua::Result<Function> {
    function(lua, move |lua, given| {
        let mut given = Given::new(name, given);
        let mut all = bits(given.some_number(lua)?);
        while !given.is_over() {
            all = f(all, bits(given.some_number(lua)?));
        }
        Ok(all)
    })
}

/// A function of a number and how far to shift it.
fn shift(lua: &Lua, name: &'static str, f: fn(u32, u32) -> u32) -> mlua::Result<Function> {
    function(lua, move |lua, given| {
        let mut given = Given::new(name, given);
        let (n, by) = (bits(given.some_number(lua)?), bits(given.some_number(lua)?));
        Ok(f(n as u32, by as u32 & 31) as i32)
    })
}

pub fn table(lua: &Lua) -> mlua::Result<Table> {
    let bit = lua.create_table()?;
    bit.raw_set("tobit", of_one(lua, "tobit", |n| n)?)?;
    bit.raw_set("bnot", of_one(lua, "bnot", |n| !n)?)?;
    bit.raw_set("bswap", of_one(lua, "bswap", i32::swap_bytes)?)?;
    bit.raw_set("band", fold(lua, "band", |a, b| a & b)?)?;
    bit.raw_set("bor", fold(lua, "bor", |a, b| a | b)?)?;
    bit.raw_set("bxor", fold(lua, "bxor", |a, b| a ^ b)?)?;
    bit.raw_set("lshift", shift(lua, "lshift", |n, by| n << by)?)?;
    bit.raw_set("rshift", shift(lua, "rshift", |n, by| n >> by)?)?;
    bit.raw_set("arshift", shift(lua, "arshift", |n, by| (n as i32 >> by) as u32)?)?;
    bit.raw_set("rol", shift(lua, "rol", u32::rotate_left)?)?;
    bit.raw_set("ror", shift(lua, "ror", u32::rotate_right)?)?;
    bit.raw_set("tohex", function(lua, tohex)?)?;
    Ok(bit)
}

fn tohex(lua: &Lua, given: MultiValue) -> mlua::Result<String> {
    let mut given = Given::new("tohex", given);
    Ok(hex(bits(given.some_number(lua)?), given.number(lua)?))
}

/// The last digits, in capitals when their number is negative.
fn hex(n: i32, digits: Option<f64>) -> String {
    let wanted = digits.map_or(8, bits);
    let count = wanted.unsigned_abs().min(8) as usize;
    let text = if wanted < 0 { format!("{n:08X}") } else { format!("{n:08x}") };
    text[8 - count..].to_owned()
}
