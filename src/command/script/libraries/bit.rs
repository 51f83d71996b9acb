//! `bit`: operations on the 32 low bits of numbers. (As LuaJIT's BitOp.)

use super::function;
use mlua::{Lua, Table, Variadic};

/// The 32 bits that a number stands for: modulo 2^32, halves to even.
fn bits(n: f64) -> i32 {
    if n.is_finite() { n.round_ties_even().rem_euclid(4_294_967_296.0) as u32 as i32 } else { 0 }
}

pub fn table(lua: &Lua) -> mlua::Result<Table> {
    let bit = lua.create_table()?;
    bit.raw_set("tobit", function(lua, |_, n: f64| Ok(bits(n)))?)?;
    bit.raw_set("bnot", function(lua, |_, n: f64| Ok(!bits(n)))?)?;
    bit.raw_set("bswap", function(lua, |_, n: f64| Ok(bits(n).swap_bytes()))?)?;
    let fold = |f: fn(i32, i32) -> i32| {
        function(lua, move |_, (first, rest): (f64, Variadic<f64>)| {
            Ok(rest.iter().fold(bits(first), |all, n| f(all, bits(*n))))
        })
    };
    bit.raw_set("band", fold(|a, b| a & b)?)?;
    bit.raw_set("bor", fold(|a, b| a | b)?)?;
    bit.raw_set("bxor", fold(|a, b| a ^ b)?)?;
    let shift = |f: fn(u32, u32) -> u32| {
        function(lua, move |_, (n, by): (f64, f64)| Ok(f(bits(n) as u32, bits(by) as u32 & 31) as i32))
    };
    bit.raw_set("lshift", shift(|n, by| n << by)?)?;
    bit.raw_set("rshift", shift(|n, by| n >> by)?)?;
    bit.raw_set("arshift", shift(|n, by| (n as i32 >> by) as u32)?)?;
    bit.raw_set("rol", shift(u32::rotate_left)?)?;
    bit.raw_set("ror", shift(u32::rotate_right)?)?;
    bit.raw_set("tohex", function(lua, |_, (n, digits): (f64, Option<f64>)| Ok(hex(bits(n), digits)))?)?;
    Ok(bit)
}

/// The last digits, in capitals when their number is negative.
fn hex(n: i32, digits: Option<f64>) -> String {
    let wanted = digits.map_or(8, bits);
    let count = wanted.unsigned_abs().min(8) as usize;
    let text = if wanted < 0 { format!("{n:08X}") } else { format!("{n:08x}") };
    text[8 - count..].to_owned()
}
