//! `math.random` and `math.randomseed`. The numbers are the interpreter's own: what a script seeds is not what SPOP draws from.

use super::{Given, function, refuse};
use fastrand::Rng;
use mlua::{Lua, MultiValue, Table};
use std::{cell::RefCell, rc::Rc};

pub fn table(lua: &Lua) -> mlua::Result<Table> {
    let chance = lua.create_table()?;
    let numbers = Rc::new(RefCell::new(Rng::new()));
    let seeded = Rc::clone(&numbers);
    chance.raw_set("random", function(lua, move |lua, given| random(lua, &mut numbers.borrow_mut(), given))?)?;
    chance.raw_set(
        "randomseed",
        function(lua, move |lua, given| {
            let seed = Given::new("randomseed", given).some_number(lua)?;
            seeded.borrow_mut().seed(seed.to_bits());
            Ok(())
        })?,
    )?;
    Ok(chance)
}

/// A number below 1, or a whole one within bounds.
fn random(lua: &Lua, numbers: &mut Rng, given: MultiValue) -> mlua::Result<f64> {
    let mut given = Given::new("random", given);
    if given.is_over() {
        return Ok(numbers.f64());
    }
    let first = given.some_number(lua)?;
    let (low, high, last) = if given.is_over() { (1.0, first, 1) } else { (first, given.some_number(lua)?, 2) };
    if low > high {
        return refuse(format!("bad argument #{last} to 'random' (interval is empty)"));
    }
    Ok((numbers.f64() * (high - low + 1.0)).floor() + low)
}
