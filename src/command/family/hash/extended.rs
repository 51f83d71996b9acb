//! HGETDEL, HGETEX and HSETEX: values and expiries in one command.

use super::{
    expire::moment,
    fields::{self, Change},
    read::forget,
    write::limits,
};
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::{TimeUnit, is_word},
        family::collection::bulk,
    },
    keyspace::Type,
    types::{
        hash::{self, FieldTtl, Hash},
        home::Home,
    },
    util::clock::UnixMillis,
};

/// The options of HGETEX and HSETEX.
struct Options<'r, 'a> {
    at: Option<UnixMillis>,
    /// PERSIST of the one, KEEPTTL of the other.
    keeps_or_persists: bool,
    /// Whether all fields must be there (FXX) or none (FNX).
    all_there: Option<bool>,
    fields: &'r [&'a [u8]],
}

impl<'r, 'a> Options<'r, 'a> {
    /// `width` words belong to each field; `own` is the option instead of a time.
    fn read(cx: &Context<'_>, args: &'r Args<'a>, width: usize, own: &str) -> Result<Self, Error> {
        let (mut at, mut own_given, mut all_there, mut fields) = (None, false, None, None);
        let several = || {
            let own = own.to_ascii_uppercase();
            Error::text(format!("ERR Only one of EX, PX, EXAT, PXAT or {own} arguments can be specified"))
        };
        let mut place = 2;
        while let Some(word) = args.get(place) {
            place += 1;
            if is_word(word, "fields") {
                if fields.is_some() {
                    return Err(Error::new("ERR FIELDS keyword specified multiple times"));
                }
                let count = args.get(place).ok_or_else(|| Error::wrong_arity(cx.spec.name))?;
                let count = fields::count(count, "ERR invalid number of fields")?;
                let words = count.checked_mul(width).and_then(|words| args[place + 1..].get(..words));
                let words = words.ok_or(Error::new("ERR wrong number of arguments"))?;
                fields = Some(words);
                place += 1 + words.len();
            } else if let Some(unit) = TimeUnit::of_word(word) {
                if at.is_some() || own_given {
                    return Err(several());
                }
                let time = args.get(place).ok_or(Error::new("ERR missing expire time"))?;
                at = Some(moment(unit, time, cx.now, cx.spec.name)?);
                place += 1;
            } else if is_word(word, own) {
                if at.is_some() || own_given {
                    return Err(several());
                }
                own_given = true;
            } else if width == 2 && (is_word(word, "fxx") || is_word(word, "fnx")) {
                if all_there.is_some() {
                    return Err(Error::new("ERR Only one of FXX or FNX arguments can be specified"));
                }
                all_there = Some(is_word(word, "fxx"));
            } else {
                return Err(Error::quoting("ERR unknown argument: ", word, ""));
            }
        }
        let fields = fields.ok_or(Error::new("ERR missing FIELDS argument"))?;
        Ok(Options { at, keeps_or_persists: own_given, all_there, fields })
    }
}

pub fn hgetdel(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, now) = (args[1], cx.keys.judged_at());
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(key, Type::Hash)?;
    let names = fields::all(args)?;
    let mut change = Change::default();
    cx.reply.array(names.len());
    for name in names {
        let Some(cell) = &mut cell else {
            cx.reply.null();
            continue;
        };
        match Hash::at(cell.view(), now).get(name) {
            Some(value) => {
                bulk(cx.reply, &value);
                if hash::remove(cell, name)? {
                    change.removed.push(name);
                }
            }
            None => {
                cx.reply.null();
                if cell.expire_field(name, now)? {
                    change.expired.push(name);
                }
            }
        }
    }
    change.tell(cx, key, "");
    Ok(())
}

pub fn hgetex(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, now) = (args[1], cx.keys.judged_at());
    let _ = cx.keys.db(cx.client.db).cell(key, Type::Hash)?;
    let Options { at, keeps_or_persists: persists, fields, .. } = Options::read(cx, args, 1, "persist")?;
    let passed = at.is_some_and(|at| cx.has_passed(at));
    let mut db = cx.keys.db(cx.client.db);
    let mut cell = db.cell(key, Type::Hash)?;
    let mut change = Change::default();
    cx.reply.array(fields.len());
    for name in fields {
        let Some(cell) = &mut cell else {
            cx.reply.null();
            continue;
        };
        let Some(element) = Hash::at(cell.view(), now).element(name) else {
            cx.reply.null();
            if cell.expire_field(name, now)? {
                change.expired.push(name);
            }
            continue;
        };
        bulk(cx.reply, &element.second());
        if passed {
            if hash::remove(cell, name)? {
                change.removed.push(name);
            }
        } else if at.is_some() || persists && element.note.is_some() {
            hash::set_expiry(cell, name, at)?;
            change.timed.push(name);
        }
    }
    change.tell(cx, key, if persists { "hpersist" } else { "hexpire" });
    Ok(())
}

pub fn hsetex(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, now, limits) = (args[1], cx.keys.judged_at(), limits(cx));
    let Options { at, keeps_or_persists: keeps, all_there, fields } = Options::read(cx, args, 2, "keepttl")?;
    let passed = at.is_some_and(|at| cx.has_passed(at));
    let mut db = cx.keys.db(cx.client.db);
    if let Some(all_there) = all_there {
        let cell = db.cell(key, Type::Hash)?;
        let hash = cell.as_ref().map(|cell| Hash::at(cell.view(), now));
        let there = |pair: &[&[u8]]| hash.is_some_and(|hash| hash.get(pair[0]).is_some());
        if !fields.chunks_exact(2).all(|pair| there(pair) == all_there) {
            cx.reply.integer(0);
            return forget(cx, key, fields.iter().step_by(2).copied());
        }
    }
    let mut cell = db.cell_or(key, hash::EMPTY)?;
    let mut change = Change::default();
    for pair in fields.chunks_exact(2) {
        if (keeps || all_there.is_some()) && cell.expire_field(pair[0], now)? && all_there.is_some() {
            change.expired.push(pair[0]);
        }
        let ttl = match at {
            Some(at) if !passed => FieldTtl::At(at),
            _ if keeps => FieldTtl::Keep,
            _ => FieldTtl::Clear,
        };
        hash::set(&mut cell, pair[0], pair[1], ttl, limits)?;
        change.set.push(pair[0]);
        if passed {
            if hash::remove(&mut cell, pair[0])? {
                change.removed.push(pair[0]);
            }
        } else if at.is_some() {
            change.timed.push(pair[0]);
        }
    }
    change.tell(cx, key, "hexpire");
    cx.reply.integer(1);
    Ok(())
}
