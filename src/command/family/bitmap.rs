//! Strings as bitmaps.

use super::string::{string_len, text};
use crate::command::{
    Args, CommandResult, Context, Error,
    args::{self, integer},
    spec::{Acl, Flags, KeyFlags, KeySpec, Spec},
};
use crate::keyspace::{Item, Ttl, Type};
use crate::types::{
    bitfield::{Kind, Overflow, WINDOW},
    bits::{self, Combination, Operation, Span},
};
use crate::util::number;

const READ: Acl = Acl::READ.union(Acl::BITMAP);
const WRITE: Acl = Acl::WRITE.union(Acl::BITMAP).union(Acl::SLOW);

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "setbit",
        arity: 4,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        acl: WRITE,
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        group: "bitmap",
        since: "2.2.0",
        summary: "Sets or clears one bit of a string.",
        syntax: "key offset value",
        handler: setbit,
        ..Spec::DEFAULT
    },
    Spec {
        name: "getbit",
        arity: 3,
        flags: Flags::READONLY.union(Flags::FAST),
        acl: READ.union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        group: "bitmap",
        since: "2.2.0",
        summary: "Answers one bit of a string.",
        syntax: "key offset",
        handler: getbit,
        ..Spec::DEFAULT
    },
    Spec {
        name: "bitcount",
        arity: -2,
        flags: Flags::READONLY,
        acl: READ.union(Acl::SLOW),
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        group: "bitmap",
        since: "2.6.0",
        summary: "Counts the bits that are set in a string or in part of it.",
        complexity: "O(N) where N is the number of bytes looked at",
        syntax: "key [start [end [BYTE | BIT]]]",
        handler: bitcount,
        ..Spec::DEFAULT
    },
    Spec {
        name: "bitpos",
        arity: -3,
        flags: Flags::READONLY,
        acl: READ.union(Acl::SLOW),
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        group: "bitmap",
        since: "2.8.7",
        summary: "Finds the first bit that is set, or is not, in a string or in part of it.",
        complexity: "O(N) where N is the number of bytes looked at",
        syntax: "key bit [start [end [BYTE | BIT]]]",
        handler: bitpos,
        ..Spec::DEFAULT
    },
    Spec {
        name: "bitop",
        arity: -4,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        acl: WRITE,
        keys: &[
            KeySpec::one(2, KeyFlags::OW.union(KeyFlags::UPDATE)),
            KeySpec::range(3, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
        ],
        group: "bitmap",
        since: "2.6.0",
        summary: "Combines strings bit by bit and stores the result.",
        complexity: "O(N) where N is the length of the sources together",
        syntax: "<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]",
        handler: bitop,
        ..Spec::DEFAULT
    },
    Spec {
        name: "bitfield",
        arity: -2,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        acl: WRITE,
        keys: &[KeySpec::one(
            1,
            KeyFlags::RW.union(KeyFlags::UPDATE).union(KeyFlags::ACCESS).union(KeyFlags::VARIABLE_FLAGS),
        )],
        group: "bitmap",
        since: "3.2.0",
        summary: "Reads and writes integers of any width at any bit of a string.",
        complexity: "O(1) for each operation",
        syntax: "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | \
                 INCRBY encoding offset increment> ...]",
        vary: |request, flags| {
            let changes = |word: &&[u8]| word.eq_ignore_ascii_case(b"set") || word.eq_ignore_ascii_case(b"incrby");
            if request.iter().skip(2).any(changes) { flags } else { KeyFlags::RO | KeyFlags::ACCESS }
        },
        handler: bitfield,
        ..Spec::DEFAULT
    },
    Spec {
        name: "bitfield_ro",
        arity: -2,
        flags: Flags::READONLY.union(Flags::FAST),
        acl: READ.union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        group: "bitmap",
        since: "6.0.0",
        summary: "Reads integers of any width at any bit of a string.",
        complexity: "O(1) for each operation",
        syntax: "key [GET encoding offset [GET encoding offset ...]]",
        handler: bitfield_ro,
        ..Spec::DEFAULT
    },
];

const BAD_OFFSET: Error = Error::new("ERR bit offset is not an integer or out of range");

/// A bit's place, within the longest string allowed. `#n` counts in fields of `unit` bits.
fn offset(cx: &Context<'_>, arg: &[u8], unit: Option<u32>) -> Result<u64, Error> {
    let (digits, unit) = match (arg, unit) {
        ([b'#', digits @ ..], Some(unit)) => (digits, unit),
        _ => (arg, 1),
    };
    number::parse_i64(digits)
        .and_then(|n| n.checked_mul(unit.into()))
        .and_then(|at| u64::try_from(at).ok())
        .filter(|at| at / 8 < cx.client.settings.proto_max_bulk_len)
        .ok_or(BAD_OFFSET)
}

fn byte_of(at: u64) -> Result<usize, Error> {
    usize::try_from(at / 8).map_err(|_| BAD_OFFSET)
}

fn check_string(item: &Item<'_>) -> CommandResult {
    if item.kind == Type::String { Ok(()) } else { Err(Error::WRONG_TYPE) }
}

fn setbit(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let at = offset(cx, args[2], None)?;
    let on = match number::parse_i64(args[3]) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(Error::new("ERR bit is not an integer or out of range")),
    };
    let (key, byte) = (args[1], byte_of(at)?);
    let mut db = cx.keys.db(cx.client.db);
    let old = match db.peek(key) {
        None => None,
        Some(item) => {
            check_string(&item)?;
            let mut buffer = itoa::Buffer::new();
            let bytes = text(&item.value, &mut buffer);
            Some((bytes.len(), bits::get(bytes, at)))
        }
    };
    let (len, was) = old.unwrap_or((0, false));
    // A bit that is so already is no change.
    if byte >= len || was != on {
        let place = db.string_range_mut(key, len.max(byte + 1), byte..byte + 1)?;
        for byte in place {
            *byte = *byte & !bits::mask_of(at) | if on { bits::mask_of(at) } else { 0 };
        }
        cx.notify_string("setbit", key);
    }
    cx.reply.integer(was.into());
    Ok(())
}

fn getbit(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let at = offset(cx, args[2], None)?;
    let bit = match cx.keys.db(cx.client.db).read(args[1]) {
        None => false,
        Some(item) => {
            check_string(&item)?;
            bits::get(text(&item.value, &mut itoa::Buffer::new()), at)
        }
    };
    cx.reply.integer(bit.into());
    Ok(())
}

/// `[start [end [BYTE | BIT]]]`. Redis wants BITCOUNT's end with its start; Valkey does not, and
/// neither do we.
struct Range {
    start: i64,
    end: Option<i64>,
    in_bits: bool,
}

impl Range {
    fn parse(args: &Args<'_>) -> Result<Range, Error> {
        let (start, end, in_bits) = match args {
            [] => (0, None, false),
            [start] => (integer(start)?, None, false),
            [start, end] => (integer(start)?, Some(integer(end)?), false),
            [start, end, unit] => {
                let start = integer(start)?;
                let in_bits = args::is_word(unit, "bit");
                if !in_bits && !args::is_word(unit, "byte") {
                    return Err(Error::SYNTAX);
                }
                (start, Some(integer(end)?), in_bits)
            }
            _ => return Err(Error::SYNTAX),
        };
        Ok(Range { start, end, in_bits })
    }

    fn span(&self, len: usize) -> Option<Span> {
        Span::new(len, self.start, self.end.unwrap_or(-1), self.in_bits)
    }
}

fn bitcount(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    // Unlike BITPOS it finds fault with a number before it does with the unit.
    if let [start, end, _] = &args[2..] {
        integer(start).and(integer(end))?;
    }
    let range = Range::parse(&args[2..])?;
    let mut db = cx.keys.db(cx.client.db);
    let count = match db.read(args[1]) {
        None => 0,
        Some(item) => {
            check_string(&item)?;
            let mut buffer = itoa::Buffer::new();
            let bytes = text(&item.value, &mut buffer);
            let crossed = range.end.is_some_and(|end| range.start < 0 && end < 0 && range.start > end);
            let span = if crossed { None } else { range.span(bytes.len()) };
            span.map_or(0, |span| bits::count(bytes, span))
        }
    };
    cx.reply.integer(count as i64);
    Ok(())
}

fn bitpos(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let bit = match integer(args[2])? {
        0 => false,
        1 => true,
        _ => return Err(Error::new("ERR The bit argument must be 1 or 0.")),
    };
    let range = Range::parse(&args[3..])?;
    let mut db = cx.keys.db(cx.client.db);
    let position = match db.read(args[1]) {
        // What is not there is zeros without end.
        None => {
            if bit {
                -1
            } else {
                0
            }
        }
        Some(item) => {
            check_string(&item)?;
            let mut buffer = itoa::Buffer::new();
            let bytes = text(&item.value, &mut buffer);
            match range.span(bytes.len()) {
                None => -1,
                Some(span) => match bits::position(bytes, bit, span) {
                    Some(at) => at as i64,
                    // Without an end, zeros follow the string.
                    None if !bit && range.end.is_none() => bytes.len() as i64 * 8,
                    None => -1,
                },
            }
        }
    };
    cx.reply.integer(position);
    Ok(())
}

fn bitop(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (name, operation) =
        Operation::NAMES.into_iter().find(|(name, _)| args::is_word(args[1], name)).ok_or(Error::SYNTAX)?;
    let (target, sources) = (args[2], &args[3..]);
    match operation {
        Operation::Not if sources.len() != 1 => {
            return Err(Error::new("ERR BITOP NOT must be called with a single source key."));
        }
        Operation::Diff | Operation::Diff1 | Operation::AndOr if sources.len() < 2 => {
            let name = name.to_ascii_uppercase();
            return Err(Error::text(format!("ERR BITOP {name} must be called with at least two source keys.")));
        }
        _ => {}
    }
    let mut db = cx.keys.db(cx.client.db);
    let mut combination = Combination::new(operation);
    for source in sources {
        match db.read(source) {
            None => combination.add(b""),
            Some(item) => {
                check_string(&item)?;
                combination.add(text(&item.value, &mut itoa::Buffer::new()));
            }
        }
    }
    let result = combination.finish();
    if result.is_empty() {
        if db.remove(target) {
            cx.notify_generic("del", target);
        }
    } else {
        let before = cx.kind_before(cx.client.db, target);
        cx.keys.db(cx.client.db).set_raw(target, &result, Ttl::Clear)?;
        cx.notify_overwritten(cx.client.db, target, before, Type::String);
        cx.notify_string("set", target);
    }
    cx.reply.integer(result.len() as i64);
    Ok(())
}

/// One operation of BITFIELD.
struct FieldOperation {
    kind: Kind,
    offset: u64,
    action: Action,
    overflow: Overflow,
}

#[derive(PartialEq, Eq)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

impl FieldOperation {
    fn parse_all(cx: &Context<'_>, args: &Args<'_>) -> Result<Vec<FieldOperation>, Error> {
        let mut operations = Vec::new();
        let mut overflow = Overflow::Wrap;
        let mut rest = args;
        while let [word, after @ ..] = rest {
            let (kind, at, value, after) = match after {
                [kind, at, after @ ..] if args::is_word(word, "get") => (kind, at, None, after),
                [kind, at, value, after @ ..] if args::is_word(word, "set") || args::is_word(word, "incrby") => {
                    (kind, at, Some(value), after)
                }
                [how, after @ ..] if args::is_word(word, "overflow") => {
                    overflow = [("wrap", Overflow::Wrap), ("sat", Overflow::Saturate), ("fail", Overflow::Fail)]
                        .into_iter()
                        .find_map(|(name, overflow)| args::is_word(how, name).then_some(overflow))
                        .ok_or(Error::new("ERR Invalid OVERFLOW type specified"))?;
                    rest = after;
                    continue;
                }
                _ => return Err(Error::SYNTAX),
            };
            let kind = parse_kind(kind)?;
            let offset = offset(cx, at, Some(kind.bits()))?;
            let action = match value {
                None => Action::Get,
                Some(value) if args::is_word(word, "set") => Action::Set(integer(value)?),
                Some(value) => Action::Add(integer(value)?),
            };
            operations.push(FieldOperation { kind, offset, action, overflow });
            rest = after;
        }
        Ok(operations)
    }

    /// How long the string must be for the field to lie in it.
    fn len(&self) -> Result<usize, Error> {
        byte_of(self.offset + u64::from(self.kind.bits()) - 1).map(|byte| byte + 1)
    }
}

fn parse_kind(arg: &[u8]) -> Result<Kind, Error> {
    let (signed, bits) = match arg {
        [b'i', bits @ ..] => (true, bits),
        [b'u', bits @ ..] => (false, bits),
        _ => (false, &b""[..]),
    };
    number::parse_i64(bits).and_then(|bits| Kind::new(signed, u32::try_from(bits).ok()?)).ok_or(Error::new(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
    ))
}

fn bitfield(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let operations = FieldOperation::parse_all(cx, &args[2..])?;
    if operations.iter().all(|operation| operation.action == Action::Get) {
        return read_fields(cx, args[1], &operations);
    }
    let key = args[1];
    let mut db = cx.keys.db(cx.client.db);
    let old = string_len(db.peek(key))?;
    let mut len = old.unwrap_or(0);
    for operation in operations.iter().filter(|operation| operation.action != Action::Get) {
        len = len.max(operation.len()?);
    }
    // Growing and writing are one change: the first write grows the string.
    let mut to_grow = old.is_none_or(|old| old < len);
    let mut changed = to_grow;
    // The answers are kept until all is done, because one that fails has only an error to send.
    let mut answers = Vec::with_capacity(operations.len());
    for operation in &operations {
        let (kind, skip) = (operation.kind, (operation.offset % 8) as u32);
        let byte = byte_of(operation.offset)?;
        let mut window = window_at(db.peek(key), byte)?;
        let old = kind.get(&window, skip);
        let new = match operation.action {
            Action::Get => Some(old),
            Action::Set(value) => kind.set(value, operation.overflow),
            Action::Add(by) => kind.add(old, by, operation.overflow),
        };
        answers.push(if matches!(operation.action, Action::Set(_)) { new.map(|_| old) } else { new });
        // An increment counts as a change whatever it adds.
        let adds = matches!(operation.action, Action::Add(_));
        if let Some(new) = new.filter(|new| adds || *new != old) {
            kind.put(&mut window, skip, new);
            let place = db.string_range_mut(key, len, byte..operation.len()?)?;
            place.iter_mut().zip(window).for_each(|(place, byte)| *place = byte);
            (changed, to_grow) = (true, false);
        }
    }
    if to_grow {
        db.string_range_mut(key, len, 0..0)?;
    }
    if changed {
        cx.notify_string("setbit", key);
    }
    cx.reply.array(answers.len());
    for answer in answers {
        match answer {
            Some(n) => cx.reply.integer(n),
            None => cx.reply.null(),
        }
    }
    Ok(())
}

fn bitfield_ro(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let operations = FieldOperation::parse_all(cx, &args[2..])?;
    if operations.iter().any(|operation| operation.action != Action::Get) {
        return Err(Error::new("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read_fields(cx, args[1], &operations)
}

fn read_fields(cx: &mut Context<'_>, key: &[u8], operations: &[FieldOperation]) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    if let Some(item) = db.read(key) {
        check_string(&item)?;
    }
    cx.reply.array(operations.len());
    for operation in operations {
        let window = window_at(db.peek(key), byte_of(operation.offset)?)?;
        cx.reply.integer(operation.kind.get(&window, (operation.offset % 8) as u32));
    }
    Ok(())
}

/// The bytes from `byte` on that a field may touch; zeros past the end.
fn window_at(item: Option<Item<'_>>, byte: usize) -> Result<[u8; WINDOW], Error> {
    let mut window = [0; WINDOW];
    if let Some(item) = item {
        check_string(&item)?;
        let mut buffer = itoa::Buffer::new();
        let bytes = text(&item.value, &mut buffer).get(byte..).unwrap_or(b"");
        window.iter_mut().zip(bytes).for_each(|(window, byte)| *window = *byte);
    }
    Ok(window)
}
