//! ARGREP: values that are looked for by their text.

use super::{index, limit, value};
use crate::{
    command::{Args, CommandResult, Context, Error, args::is_word},
    keyspace::Type,
    types::array::{Array, index_of},
    util::{
        ere::{Ere, EreError},
        glob,
    },
};
use memchr::memmem;

/// Conditions, at most.
const CONDITIONS_MAX: usize = 250;
/// Bytes of a regular expression, at most.
const EXPRESSION_MAX: usize = 2048;
/// Bytes that all of them may take as they are compiled, and the least that each may.
const COMPILED_MAX: usize = 8 << 20;
const COMPILED_MIN: usize = 128 << 10;

/// What a value must be like.
enum Condition<'a> {
    Exact(&'a [u8]),
    /// A part of it.
    Match(Box<memmem::Finder<'a>>),
    Glob(&'a [u8]),
    Expression(Ere),
}

impl Condition<'_> {
    fn holds(&self, text: &[u8], ignore_case: bool) -> bool {
        match self {
            Condition::Exact(wanted) if ignore_case => text.eq_ignore_ascii_case(wanted),
            Condition::Exact(wanted) => text == *wanted,
            Condition::Match(finder) if ignore_case => finder.find(&text.to_ascii_lowercase()).is_some(),
            Condition::Match(finder) => finder.find(text).is_some(),
            Condition::Glob(pattern) => glob::matches(pattern, text, ignore_case),
            Condition::Expression(ere) => ere.is_match(text),
        }
    }
}

/// What is looked for, and how it is answered.
struct Search<'a> {
    conditions: Vec<Condition<'a>>,
    /// All conditions must hold, not just any.
    all: bool,
    ignore_case: bool,
    with_values: bool,
    most: usize,
}

impl<'a> Search<'a> {
    fn parse(words: &[&'a [u8]]) -> Result<Search<'a>, Error> {
        let mut search =
            Search { conditions: Vec::new(), all: false, ignore_case: false, with_values: false, most: usize::MAX };
        let mut wanted: Vec<(&[u8], &'a [u8])> = Vec::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.to_ascii_lowercase().as_slice() {
                b"exact" | b"match" | b"glob" | b"re" => {
                    let pattern = words.next().ok_or(Error::SYNTAX)?;
                    if wanted.len() >= CONDITIONS_MAX {
                        return Err(Error::text(format!("ERR too many predicates, maximum is {CONDITIONS_MAX}")));
                    }
                    if is_word(word, "re") && pattern.len() > EXPRESSION_MAX {
                        return Err(Error::text(format!(
                            "ERR regular expression is too long, maximum is {EXPRESSION_MAX} bytes"
                        )));
                    }
                    wanted.push((word, pattern));
                }
                b"limit" => search.most = limit(words.next().ok_or(Error::SYNTAX)?)?,
                b"withvalues" => search.with_values = true,
                b"nocase" => search.ignore_case = true,
                b"and" => search.all = true,
                b"or" => search.all = false,
                _ => return Err(Error::SYNTAX),
            }
        }
        if wanted.is_empty() {
            return Err(Error::SYNTAX);
        }
        search.conditions = conditions(&wanted, search.ignore_case)?;
        Ok(search)
    }

    fn finds(&self, text: &[u8]) -> bool {
        let holds = |condition: &Condition<'_>| condition.holds(text, self.ignore_case);
        if self.all { self.conditions.iter().all(holds) } else { self.conditions.iter().any(holds) }
    }
}

fn conditions<'a>(wanted: &[(&[u8], &'a [u8])], ignore_case: bool) -> Result<Vec<Condition<'a>>, Error> {
    let expressions = wanted.iter().filter(|(word, _)| is_word(word, "re")).count();
    let bytes = (COMPILED_MAX / expressions.max(1)).max(COMPILED_MIN);
    let condition = |(word, pattern): &(&[u8], &'a [u8])| {
        Ok(match word.to_ascii_lowercase().as_slice() {
            b"exact" => Condition::Exact(pattern),
            b"glob" => Condition::Glob(pattern),
            b"match" if ignore_case => {
                Condition::Match(Box::new(memmem::Finder::new(&pattern.to_ascii_lowercase()).into_owned()))
            }
            b"match" => Condition::Match(Box::new(memmem::Finder::new(*pattern))),
            _ => Condition::Expression(expression(pattern, ignore_case, bytes)?),
        })
    };
    wanted.iter().map(condition).collect()
}

fn expression(pattern: &[u8], ignore_case: bool, bytes: usize) -> Result<Ere, Error> {
    if pattern.is_empty() {
        return Err(Error::new("ERR regular expression is empty"));
    }
    Ere::new(pattern, ignore_case, bytes).map_err(|error| match error {
        EreError::Invalid(why) => Error::text(format!("ERR invalid regular expression: {why}")),
        EreError::BackReference => Error::new("ERR regular expression backreferences are not supported"),
    })
}

/// The first index or the last of a range; `None` of `+`, which is the last that has a value.
fn bound(arg: &[u8]) -> Result<Option<u64>, Error> {
    match arg {
        b"-" => Ok(Some(0)),
        b"+" => Ok(None),
        _ => index(arg).map(Some),
    }
}

pub fn argrep(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (start, end) = (bound(args[2])?, bound(args[3])?);
    let search = Search::parse(&args[4..])?;
    let mut db = cx.keys.db(cx.client.db);
    let Some(array) = db.view(args[1], Type::Array)?.map(Array::new) else {
        cx.reply.array(0);
        return Ok(());
    };
    let last = array.len().saturating_sub(1);
    let elements = array.between(start.unwrap_or(last), end.unwrap_or(last));
    let mut digits = itoa::Buffer::new();
    let found: Vec<_> =
        elements.filter(|element| search.finds(element.second().text(&mut digits))).take(search.most).collect();
    cx.reply.array(found.len());
    for element in found {
        if search.with_values {
            cx.reply.array(2);
        }
        cx.reply.unsigned(index_of(&element));
        if search.with_values {
            value(cx.reply, Some(element.second()));
        }
    }
    Ok(())
}
