//! `struct`: numbers and strings packed as C would lay them out.
//!
//! ```text
//! > < =     big-endian, little-endian, native       ! n     alignment
//! b B h H l L   char, short, long                   i I n   an integer of n bytes (4 unless given)
//! T         size_t                                  f d     float, double
//! s         a string that ends in a zero            c n     n characters (1 unless given)
//! x         a byte of nothing                       space   nothing
//! ```

use super::{Given, VALUES_MAX, function, refuse};
use mlua::{Lua, MultiValue, Table, Value};

/// The largest integer.
const INT_MAX: usize = 32;
/// The largest result: what a format announces is not allocated without an end.
const SIZE_MAX: usize = 1 << 29;

pub fn table(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.raw_set(
        "pack",
        function(lua, |lua, values: MultiValue| {
            let mut given = Given::new("pack", values);
            let format = given.string(lua)?;
            lua.create_string(pack(lua, &format.as_bytes(), given)?)
        })?,
    )?;
    library.raw_set(
        "unpack",
        function(lua, |lua, values: MultiValue| {
            let mut given = Given::new("unpack", values);
            let (format, data) = (given.string(lua)?, given.string(lua)?);
            let from = given.number(lua)?.unwrap_or(1.0);
            unpack(lua, &format.as_bytes(), &data.as_bytes(), from as i64)
        })?,
    )?;
    library.raw_set(
        "size",
        function(lua, |lua, values: MultiValue| size(&Given::new("size", values).string(lua)?.as_bytes()))?,
    )?;
    Ok(library)
}

/// Walks through a format.
struct Format<'a> {
    /// The function that was given it.
    of: &'static str,
    rest: &'a [u8],
    little: bool,
    align: usize,
}

/// One thing of a format.
enum Item {
    Int {
        signed: bool,
        size: usize,
    },
    Float,
    Double,
    ZeroEnded,
    /// `None`: as many as the number that came before.
    Chars(Option<usize>),
    Padding,
}

impl<'a> Format<'a> {
    fn new(of: &'static str, format: &'a [u8]) -> Format<'a> {
        Format { of, rest: format, little: cfg!(target_endian = "little"), align: 1 }
    }

    fn number(&mut self) -> mlua::Result<Option<usize>> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(None);
        }
        let (text, rest) = self.rest.split_at(digits);
        self.rest = rest;
        match std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).filter(|n| *n <= i32::MAX as usize) {
            Some(n) => Ok(Some(n)),
            None => refuse("integral size overflow"),
        }
    }

    /// The next thing, with the byte that named it.
    fn next(&mut self) -> mlua::Result<Option<Item>> {
        loop {
            let Some((&byte, rest)) = self.rest.split_first() else { return Ok(None) };
            self.rest = rest;
            let int = |signed, size| Ok(Some(Item::Int { signed, size }));
            return match byte {
                b' ' => continue,
                b'<' => {
                    self.little = true;
                    continue;
                }
                b'>' => {
                    self.little = false;
                    continue;
                }
                b'=' => {
                    self.little = cfg!(target_endian = "little");
                    continue;
                }
                b'!' => {
                    let align = self.number()?.unwrap_or(8);
                    if !align.is_power_of_two() {
                        return refuse(format!("alignment {align} is not a power of 2"));
                    }
                    self.align = align;
                    continue;
                }
                b'b' => int(true, 1),
                b'B' => int(false, 1),
                b'h' => int(true, 2),
                b'H' => int(false, 2),
                b'l' => int(true, 8),
                b'L' | b'T' => int(false, 8),
                b'i' | b'I' => {
                    let size = self.number()?.unwrap_or(4);
                    if size > INT_MAX {
                        return refuse(format!("integral size {size} is larger than limit of {INT_MAX}"));
                    }
                    int(byte == b'i', size)
                }
                b'f' => Ok(Some(Item::Float)),
                b'd' | b'n' => Ok(Some(Item::Double)),
                b's' => Ok(Some(Item::ZeroEnded)),
                b'c' => Ok(Some(Item::Chars(Some(self.number()?.unwrap_or(1)).filter(|n| *n > 0)))),
                b'x' => Ok(Some(Item::Padding)),
                other => {
                    refuse(format!("bad argument #1 to '{}' (invalid format option '{}')", self.of, other as char))
                }
            };
        }
    }

    /// Bytes before something of this size that starts at `at`.
    fn gap(&self, option: &Item, at: usize) -> usize {
        let size = match option {
            Item::Int { size, .. } => *size,
            Item::Float => 4,
            Item::Double => 8,
            _ => return 0,
        };
        let align = size.min(self.align);
        if align > 1 && align.is_power_of_two() { at.wrapping_neg() & (align - 1) } else { 0 }
    }
}

fn pack(lua: &Lua, format: &[u8], mut given: Given) -> mlua::Result<Vec<u8>> {
    let mut format = Format::new("pack", format);
    let mut out = Vec::new();
    while let Some(option) = format.next()? {
        out.resize(out.len() + format.gap(&option, out.len()), 0);
        if let Item::Padding = option {
            out.push(0);
            continue;
        }
        // What is not there is nil here, other than for the format.
        let value = given.next().unwrap_or(Value::Nil);
        let number = lua.coerce_number(value.clone())?;
        match option {
            Item::Int { size, .. } => {
                let Some(n) = number else { return given.refuse("number", Some(value)) };
                // As C converts: what is negative wraps round.
                let bits = if n < 0.0 { n as i64 as i128 } else { n as u64 as i128 };
                let mut bytes = [if bits < 0 { 0xFF } else { 0 }; INT_MAX];
                bytes[..16].copy_from_slice(&bits.to_le_bytes());
                let bytes = &mut bytes[..size];
                if !format.little {
                    bytes.reverse();
                }
                out.extend_from_slice(bytes);
            }
            Item::Float | Item::Double => {
                let Some(n) = number else { return given.refuse("number", Some(value)) };
                let mut bytes = match option {
                    Item::Float => (n as f32).to_le_bytes().to_vec(),
                    _ => n.to_le_bytes().to_vec(),
                };
                if !format.little {
                    bytes.reverse();
                }
                out.append(&mut bytes);
            }
            Item::ZeroEnded | Item::Chars(_) => {
                let Some(text) = lua.coerce_string(value.clone())? else {
                    return given.refuse("string", Some(value));
                };
                let text = text.as_bytes();
                let len = match option {
                    Item::Chars(Some(len)) => len,
                    _ => text.len(),
                };
                let Some(text) = text.get(..len) else {
                    // It is the one before the next, by the library's own count.
                    return refuse(format!("bad argument #{} to 'pack' (string too short)", given.taken + 1));
                };
                out.extend_from_slice(text);
                if let Item::ZeroEnded = option {
                    out.push(0);
                }
            }
            Item::Padding => {}
        }
        if out.len() > SIZE_MAX {
            return refuse("result is too large");
        }
    }
    Ok(out)
}

fn unpack(lua: &Lua, format: &[u8], data: &[u8], from: i64) -> mlua::Result<MultiValue> {
    if from < 1 {
        return too_short();
    }
    let mut at = usize::try_from(from - 1).unwrap_or(usize::MAX);
    let mut format = Format::new("unpack", format);
    let mut values: Vec<Value> = Vec::new();
    while let Some(option) = format.next()? {
        if values.len() >= VALUES_MAX {
            return refuse("too many results in unpack");
        }
        at = at.saturating_add(format.gap(&option, at));
        let size = match &option {
            Item::Int { size, .. } => *size,
            Item::Float => 4,
            Item::Double => 8,
            Item::Padding => 1,
            Item::Chars(Some(size)) => *size,
            Item::Chars(None) => {
                // It was read before, and is no value of its own.
                match values.pop() {
                    Some(Value::Number(n)) if n >= 0.0 => n as usize,
                    _ => return refuse("format 'c0' needs a previous size"),
                }
            }
            Item::ZeroEnded => {
                let rest = data.get(at..).unwrap_or_default();
                match memchr::memchr(0, rest) {
                    Some(len) => len + 1,
                    None => return refuse("unfinished string in data"),
                }
            }
        };
        let Some(bytes) = at.checked_add(size).and_then(|end| data.get(at..end)) else {
            return too_short();
        };
        at += size;
        match option {
            Item::Int { signed, .. } => values.push(Value::Number(int(bytes, signed, format.little))),
            Item::Float | Item::Double => {
                let mut bytes = bytes.to_vec();
                if !format.little {
                    bytes.reverse();
                }
                values.push(Value::Number(match (bytes.first_chunk::<4>(), bytes.first_chunk::<8>()) {
                    (_, Some(double)) => f64::from_le_bytes(*double),
                    (Some(float), None) => f32::from_le_bytes(*float).into(),
                    (None, None) => 0.0,
                }));
            }
            Item::Chars(_) => values.push(Value::String(lua.create_string(bytes)?)),
            Item::ZeroEnded => values.push(Value::String(lua.create_string(&bytes[..size - 1])?)),
            Item::Padding => {}
        }
    }
    values.push(Value::Integer(at as i64 + 1));
    Ok(values.into_iter().collect())
}

fn too_short<T>() -> mlua::Result<T> {
    refuse("bad argument #2 to 'unpack' (data string too short)")
}

/// The number in some bytes; of more than eight, what the lowest say.
fn int(bytes: &[u8], signed: bool, little: bool) -> f64 {
    let mut bytes = bytes.to_vec();
    if !little {
        bytes.reverse();
    }
    let negative = signed && bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut word = [if negative { 0xFF } else { 0 }; 8];
    let len = bytes.len().min(8);
    word[..len].copy_from_slice(&bytes[..len]);
    if signed { i64::from_le_bytes(word) as f64 } else { u64::from_le_bytes(word) as f64 }
}

fn size(format: &[u8]) -> mlua::Result<usize> {
    let mut format = Format::new("size", format);
    let mut total = 0;
    while let Some(option) = format.next()? {
        total += format.gap(&option, total);
        total += match option {
            Item::Int { size, .. } => size,
            Item::Float => 4,
            Item::Double => 8,
            Item::Padding => 1,
            Item::Chars(Some(size)) => size,
            Item::Chars(None) => return refuse("bad argument #1 to 'size' (option 'c0' has no fixed size)"),
            Item::ZeroEnded => return refuse("bad argument #1 to 'size' (option 's' has no fixed size)"),
        };
        if total > SIZE_MAX {
            return refuse("result is too large");
        }
    }
    Ok(total)
}
