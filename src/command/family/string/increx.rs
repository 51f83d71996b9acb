//! INCREX: counts within bounds and sets the counter's time to live in one step, as rate limiters want it.

use crate::command::{
    Args, CommandResult, Context, Error, Protocol,
    args::{self, TimeUnit},
};
use crate::keyspace::{Item, Ttl, Type, Value};
use crate::util::{clock::UnixMillis, long_double::LongDouble, number};

/// What counting needs of integers and of floating-point numbers.
trait Number: Copy + PartialOrd {
    const ZERO: Self;
    const BEYOND: Error;
    const EVENT: &'static str;

    /// The bounds of those who gave none.
    fn range() -> (Self, Self);
    /// What is wrong with a bound of the given name that is no such number.
    fn bad_bound(name: &str) -> Error;
    fn parse(text: &[u8]) -> Option<Self>;
    fn of_string(value: &Value<'_>) -> Result<Self, Error>;
    fn checked_add(self, other: Self) -> Option<Self>;
    fn checked_sub(self, other: Self) -> Option<Self>;
    fn store(self, cx: &mut Context<'_>, key: &[u8], ttl: Ttl) -> CommandResult;
    fn answer(self, cx: &mut Context<'_>);
}

impl Number for i64 {
    const ZERO: i64 = 0;
    const BEYOND: Error = Error::new("ERR applied increment would overflow");
    const EVENT: &'static str = "incrby";

    fn range() -> (i64, i64) {
        (i64::MIN, i64::MAX)
    }

    fn bad_bound(name: &str) -> Error {
        Error::text(format!("ERR {name} is not an integer or out of range"))
    }

    fn parse(text: &[u8]) -> Option<i64> {
        number::parse_i64(text)
    }

    fn of_string(value: &Value<'_>) -> Result<i64, Error> {
        match value {
            Value::Int(n) => Ok(*n),
            Value::Bytes(bytes) => number::parse_i64(bytes).ok_or(Error::NOT_INTEGER),
        }
    }

    fn checked_add(self, other: i64) -> Option<i64> {
        i64::checked_add(self, other)
    }

    fn checked_sub(self, other: i64) -> Option<i64> {
        i64::checked_sub(self, other)
    }

    fn store(self, cx: &mut Context<'_>, key: &[u8], ttl: Ttl) -> CommandResult {
        Ok(cx.keys.db(cx.client.db).set_int(key, self, ttl)?)
    }

    fn answer(self, cx: &mut Context<'_>) {
        cx.reply.integer(self);
    }
}

impl Number for LongDouble {
    const ZERO: LongDouble = LongDouble::ZERO;
    const BEYOND: Error = Error::new("ERR applied increment would be Infinity");
    const EVENT: &'static str = "incrbyfloat";

    fn range() -> (LongDouble, LongDouble) {
        LongDouble::range()
    }

    fn bad_bound(name: &str) -> Error {
        Error::text(format!("ERR {name} is not a valid float"))
    }

    fn parse(text: &[u8]) -> Option<LongDouble> {
        LongDouble::parse(text)
    }

    fn of_string(value: &Value<'_>) -> Result<LongDouble, Error> {
        let number = match value {
            Value::Int(n) => LongDouble::from_i64(*n),
            Value::Bytes(bytes) => LongDouble::parse(bytes).ok_or(Error::NOT_FLOAT)?,
        };
        if number.is_finite() { Ok(number) } else { Err(Error::new("ERR value cannot be Infinity")) }
    }

    fn checked_add(self, other: LongDouble) -> Option<LongDouble> {
        LongDouble::checked_add(self, other)
    }

    fn checked_sub(self, other: LongDouble) -> Option<LongDouble> {
        LongDouble::checked_sub(self, other)
    }

    fn store(self, cx: &mut Context<'_>, key: &[u8], ttl: Ttl) -> CommandResult {
        Ok(cx.keys.db(cx.client.db).set_text(key, self.to_string().as_bytes(), ttl)?)
    }

    fn answer(self, cx: &mut Context<'_>) {
        let text = self.to_string();
        match (cx.reply.protocol(), text.parse()) {
            (Protocol::Resp3, Ok(value)) => cx.reply.double(value),
            _ => cx.reply.bulk(text.as_bytes()),
        }
    }
}

#[derive(Clone, Copy)]
enum Increment {
    One,
    Integer(i64),
    Float(LongDouble),
}

#[derive(Clone, Copy, PartialEq)]
enum Expiration<'a> {
    Keep,
    Persist,
    At(TimeUnit, &'a [u8]),
}

struct Options<'a> {
    by: Increment,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturate: bool,
    expiration: Expiration<'a>,
    /// Only a counter without a time to live gets one.
    if_none: bool,
}

impl<'a> Options<'a> {
    /// Each option is taken once; what cannot stand beside another is a syntax error where it stands.
    fn parse(args: &Args<'a>) -> Result<Self, Error> {
        let mut options = Options {
            by: Increment::One,
            lower: None,
            upper: None,
            saturate: false,
            expiration: Expiration::Keep,
            if_none: false,
        };
        let mut rest = args;
        while let [word, after @ ..] = rest {
            let is = |name| args::is_word(word, name);
            let first_by = matches!(options.by, Increment::One);
            let free = options.expiration == Expiration::Keep;
            rest = match after {
                [value, after @ ..] if is("byint") && first_by => {
                    let error = Error::new("ERR Increment is not an integer or out of range");
                    options.by = Increment::Integer(number::parse_i64(value).ok_or(error)?);
                    after
                }
                [value, after @ ..] if is("byfloat") && first_by => {
                    let by = LongDouble::parse(value).ok_or(Error::new("ERR Increment is not a valid float"))?;
                    if !by.is_finite() {
                        return Err(Error::new("ERR BYFLOAT increment cannot be Infinity"));
                    }
                    options.by = Increment::Float(by);
                    after
                }
                [value, after @ ..] if is("lbound") && options.lower.is_none() => {
                    options.lower = Some(value);
                    after
                }
                [value, after @ ..] if is("ubound") && options.upper.is_none() => {
                    options.upper = Some(value);
                    after
                }
                _ if is("saturate") && !options.saturate => {
                    options.saturate = true;
                    after
                }
                _ if is("enx") && !options.if_none && options.expiration != Expiration::Persist => {
                    options.if_none = true;
                    after
                }
                _ if is("persist") && free && !options.if_none => {
                    options.expiration = Expiration::Persist;
                    after
                }
                [value, after @ ..] if free => {
                    options.expiration = Expiration::At(TimeUnit::of_word(word).ok_or(Error::SYNTAX)?, value);
                    after
                }
                _ => return Err(Error::SYNTAX),
            };
        }
        Ok(options)
    }

    fn bounds<N: Number>(&self) -> Result<(N, N), Error> {
        let read = |text: Option<&[u8]>, name, default| match text {
            Some(text) => N::parse(text).ok_or_else(|| N::bad_bound(name)),
            None => Ok(default),
        };
        let (least, most) = N::range();
        let bounds = (read(self.lower, "LBOUND", least)?, read(self.upper, "UBOUND", most)?);
        if bounds.0 > bounds.1 {
            return Err(Error::new("ERR LBOUND can't be greater than UBOUND"));
        }
        Ok(bounds)
    }

    fn moment(&self, now: UnixMillis) -> Result<Option<UnixMillis>, Error> {
        match self.expiration {
            Expiration::At(unit, amount) => unit.moment(amount, now, "increx").map(Some),
            _ if self.if_none => Err(Error::new("ERR ENX flag requires an expiration")),
            _ => Ok(None),
        }
    }
}

pub fn increx(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let options = Options::parse(&args[2..])?;
    match options.by {
        Increment::One => count(cx, args[1], &options, 1),
        Increment::Integer(by) => count(cx, args[1], &options, by),
        Increment::Float(by) => count(cx, args[1], &options, by),
    }
}

fn count<N: Number>(cx: &mut Context<'_>, key: &[u8], options: &Options<'_>, by: N) -> CommandResult {
    let (lower, upper) = options.bounds::<N>()?;
    let moment = options.moment(cx.now)?;
    let mut db = cx.keys.db(cx.client.db);
    let (old, had_expiry) = match db.peek(key) {
        None => (N::ZERO, false),
        Some(Item { kind, .. }) if kind != Type::String => return Err(Error::WRONG_TYPE),
        Some(item) => (N::of_string(&item.value)?, item.expiry.is_some()),
    };
    let new = match old.checked_add(by) {
        Some(sum) if sum >= lower && sum <= upper => sum,
        _ if !options.saturate => {
            cx.reply.array(2);
            old.answer(cx);
            N::ZERO.answer(cx);
            return Ok(());
        }
        Some(sum) => {
            if sum > upper {
                upper
            } else {
                lower
            }
        }
        None => {
            if by >= N::ZERO {
                upper
            } else {
                lower
            }
        }
    };
    let applied = new.checked_sub(old).ok_or(N::BEYOND)?;
    let moment = moment.filter(|_| !options.if_none || !had_expiry);
    if moment.is_some_and(|at| cx.has_passed(at)) {
        if cx.keys.db(cx.client.db).expire(key) {
            cx.notify_generic("del", key);
        }
    } else {
        let ttl = match (options.expiration, moment) {
            (Expiration::Persist, _) => Ttl::Clear,
            (_, Some(at)) => Ttl::At(at),
            (_, None) => Ttl::Keep,
        };
        new.store(cx, key, ttl)?;
        cx.notify_string(N::EVENT, key);
        match ttl {
            Ttl::Clear if had_expiry => cx.notify_generic("persist", key),
            Ttl::At(_) => cx.notify_generic("expire", key),
            _ => {}
        }
    }
    cx.reply.array(2);
    new.answer(cx);
    applied.answer(cx);
    Ok(())
}
