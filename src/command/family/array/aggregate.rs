//! AROP: what the values of a range come to together.

use super::index;
use crate::{
    command::{Args, CommandResult, Context, Error, Reply},
    keyspace::Type,
    types::{
        array::{Array, number::Number},
        packed::{Entry, encoded},
    },
    util::long_double::LongDouble,
};

/// Significant digits of an answer.
const DIGITS: usize = 17;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bits {
    And,
    Or,
    Xor,
}

/// What is asked for.
#[derive(Clone, Copy)]
enum Operation<'a> {
    Sum,
    Min,
    Max,
    Bits(Bits),
    Match(&'a [u8]),
    Used,
}

impl<'a> Operation<'a> {
    fn parse(cx: &Context<'_>, words: &[&'a [u8]]) -> Result<Operation<'a>, Error> {
        let operation = match words[0].to_ascii_lowercase().as_slice() {
            b"sum" => Operation::Sum,
            b"min" => Operation::Min,
            b"max" => Operation::Max,
            b"and" => Operation::Bits(Bits::And),
            b"or" => Operation::Bits(Bits::Or),
            b"xor" => Operation::Bits(Bits::Xor),
            b"used" => Operation::Used,
            b"match" => {
                let [_, value] = words else { return Err(Error::new("ERR MATCH requires a value argument")) };
                return Ok(Operation::Match(value));
            }
            _ => return Err(Error::new("ERR unknown operation")),
        };
        if words.len() == 1 { Ok(operation) } else { Err(Error::wrong_arity(cx.spec.name)) }
    }
}

pub fn arop(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (start, end) = (index(args[2])?, index(args[3])?);
    let operation = Operation::parse(cx, &args[4..])?;
    let mut db = cx.keys.db(cx.client.db);
    let array = db.view(args[1], Type::Array)?.map(Array::new);
    let values = array.into_iter().flat_map(|array| array.between(start, end)).map(|element| element.second());
    match operation {
        Operation::Used => cx.reply.integer(values.count() as i64),
        Operation::Match(wanted) => {
            let wanted = encoded(wanted);
            let wanted = crate::types::packed::entry(&wanted, 0).map(|(entry, _)| entry);
            cx.reply.integer(values.filter(|value| Some(*value) == wanted).count() as i64);
        }
        Operation::Bits(bits) => match combine(values, bits) {
            Some(n) => cx.reply.integer(n),
            None => cx.reply.null(),
        },
        Operation::Sum => number(cx.reply, sum(values)),
        Operation::Min => number(cx.reply, least(values, |a, b| a < b)),
        Operation::Max => number(cx.reply, least(values, |a, b| a > b)),
    }
    Ok(())
}

fn number(reply: &mut dyn Reply, number: Option<LongDouble>) {
    match number {
        Some(number) => reply.bulk(number.general(DIGITS).as_bytes()),
        None => reply.null(),
    }
}

/// What is no number counts for nothing.
fn numbers<'a>(values: impl Iterator<Item = Entry<'a>>) -> impl Iterator<Item = Number> {
    values.filter_map(|value| Number::of(&value))
}

/// The bits of all integers; a fraction is cut off, and what is beyond 64 bits left out.
fn combine<'a>(values: impl Iterator<Item = Entry<'a>>, bits: Bits) -> Option<i64> {
    numbers(values).filter_map(Number::whole).reduce(|a, b| match bits {
        Bits::And => a & b,
        Bits::Or => a | b,
        Bits::Xor => a ^ b,
    })
}

fn sum<'a>(values: impl Iterator<Item = Entry<'a>>) -> Option<LongDouble> {
    // As long as they are integers of 64 bits, sums are exact either way.
    let add = |a: Number, b: Number| match (a, b) {
        (Number::Int(a), Number::Int(b)) if a.checked_add(b).is_some() => Number::Int(a + b),
        _ => Number::Long(a.long().plus(b.long())),
    };
    numbers(values).reduce(add).map(Number::long)
}

/// The first of those that no other comes before.
fn least<'a>(
    values: impl Iterator<Item = Entry<'a>>,
    before: impl Fn(&LongDouble, &LongDouble) -> bool,
) -> Option<LongDouble> {
    numbers(values).map(Number::long).reduce(|least, number| if before(&number, &least) { number } else { least })
}
