//! What part of a sorted set a command means: by rank, by score, or by member.

use crate::{
    command::{
        Args, Error,
        args::{integer, is_word},
        error::quotable,
    },
    types::{
        packed::Element,
        zset::{Edge, ZSet},
    },
    util::number,
};
use smallvec::SmallVec;
use std::ops::Range;

/// What the two bounds of a range are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    Rank,
    Score,
    Lex,
}

/// A part of a sorted set.
pub enum Part<'a> {
    /// First and last rank; negative ones count from the end.
    Ranks(i64, i64),
    Between(Range<Edge<'a>>),
}

impl<'a> Part<'a> {
    /// Reads the bounds, the lower one first.
    pub fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Part<'a>, Error> {
        let edges = match by {
            By::Rank => return Ok(Part::Ranks(integer(min)?, integer(max)?)),
            By::Score => {
                let error = Error::new("ERR min or max is not a float");
                score_edge(min, false).zip(score_edge(max, true)).ok_or(error)?
            }
            By::Lex => {
                let error = Error::new("ERR min or max not valid string range item");
                lex_edge(min, false).zip(lex_edge(max, true)).ok_or(error)?
            }
        };
        Ok(Part::Between(edges.0..edges.1))
    }

    /// The ranks it means in this sorted set, ascending; `reverse`: ranks were counted from the end.
    pub fn ranks(&self, zset: &ZSet<'_>, reverse: bool) -> Range<u64> {
        let (first, last) = match self {
            Part::Between(edges) => return zset.ranks(edges),
            Part::Ranks(first, last) => (*first, *last),
        };
        let len = zset.len();
        let rank = |n: i64| if n < 0 { len.checked_sub(n.unsigned_abs()) } else { Some(n as u64) };
        let start = rank(first).unwrap_or(0).min(len);
        let end = rank(last).map_or(0, |last| last.saturating_add(1).min(len)).max(start);
        if reverse { len - end..len - start } else { start..end }
    }
}

/// A score, with `(` before it when it is not meant itself. `max`: the upper bound.
fn score_edge(text: &[u8], max: bool) -> Option<Edge<'static>> {
    let (open, digits) = match text {
        [b'(', digits @ ..] => (true, digits),
        _ => (false, text),
    };
    // As C reads it: up to a NUL, from behind any blanks, and nothing at all is 0.
    let digits = quotable(digits, usize::MAX);
    let score = if digits.is_empty() { 0.0 } else { number::parse_f64(digits.trim_ascii_start())? };
    Some(Edge::Score { score, after: open != max })
}

/// `-`, `+`, `[member` or `(member`.
fn lex_edge(text: &[u8], max: bool) -> Option<Edge<'_>> {
    match text {
        b"-" => Some(Edge::Start),
        b"+" => Some(Edge::End),
        [b'[', member @ ..] => Some(Edge::Member { member, after: max }),
        [b'(', member @ ..] => Some(Edge::Member { member, after: !max }),
        _ => None,
    }
}

/// LIMIT's offset and count.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub offset: i64,
    pub count: i64,
}

impl Limit {
    const NONE: Limit = Limit { offset: 0, count: -1 };

    /// What is left of the ranks, of which the last comes first when `reverse`.
    fn apply(self, ranks: Range<u64>, reverse: bool) -> Range<u64> {
        let len = ranks.end - ranks.start;
        let skip = u64::try_from(self.offset).map_or(len, |offset| offset.min(len));
        let take = u64::try_from(self.count).map_or(len - skip, |count| count.min(len - skip));
        match reverse {
            true => ranks.end - skip - take..ranks.end - skip,
            false => ranks.start + skip..ranks.start + skip + take,
        }
    }
}

/// So many elements are found faster by walking over them than by their ranks.
const FEW: usize = 32;
pub type Few<'a> = SmallVec<[Element<'a>; FEW]>;

/// A whole query of the ZRANGE family.
pub struct Query<'a> {
    part: Part<'a>,
    limit: Limit,
    pub reverse: bool,
    pub with_scores: bool,
}

/// What a command of the family says by its name, and what its options may say.
#[derive(Clone, Copy)]
pub struct Form {
    /// `None`: BYSCORE and BYLEX say it.
    pub by: Option<By>,
    /// `None`: REV says it.
    pub reverse: Option<bool>,
    /// Scores may be asked for.
    pub scores: bool,
}

impl<'a> Query<'a> {
    /// Reads two bounds and the options after them.
    pub fn parse(args: &Args<'a>, form: Form) -> Result<Query<'a>, Error> {
        let (mut by, mut reverse, mut with_scores) =
            (form.by.unwrap_or(By::Rank), form.reverse.unwrap_or(false), false);
        let mut limit = Limit::NONE;
        let [first, second, options @ ..] = args else { return Err(Error::SYNTAX) };
        let mut words = options.iter();
        while let Some(word) = words.next() {
            if form.scores && is_word(word, "withscores") {
                with_scores = true;
            } else if is_word(word, "limit") && words.len() >= 2 {
                let mut number = || integer(words.next().copied().unwrap_or_default());
                limit = Limit { offset: number()?, count: number()? };
            } else if form.reverse.is_none() && is_word(word, "rev") {
                reverse = true;
            } else if form.by.is_none() && is_word(word, "bylex") {
                by = By::Lex;
            } else if form.by.is_none() && is_word(word, "byscore") {
                by = By::Score;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        if by == By::Rank && limit.count != -1 {
            return Err(Error::new(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if by == By::Lex && with_scores {
            return Err(Error::new("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        if by == By::Rank {
            limit = Limit::NONE;
        }
        let (min, max) = if reverse && by != By::Rank { (second, first) } else { (first, second) };
        Ok(Query { part: Part::parse(by, min, max)?, limit, reverse, with_scores })
    }

    /// The elements it means, if they can be had by walking over a few.
    pub fn few<'z>(&self, zset: &ZSet<'z>) -> Option<Few<'z>>
    where
        'a: 'z,
    {
        let Part::Between(edges) = &self.part else { return None };
        let skip = usize::try_from(self.limit.offset).ok().filter(|offset| !self.reverse && *offset <= FEW)?;
        let most = usize::try_from(self.limit.count).unwrap_or(usize::MAX);
        let few: Few<'z> = zset.between(edges).skip(skip).take(most.min(FEW + 1)).collect();
        (few.len() <= FEW).then_some(few)
    }

    /// The ranks it means, ascending.
    pub fn ranks(&self, zset: &ZSet<'_>) -> Range<u64> {
        self.limit.apply(self.part.ranks(zset, self.reverse), self.reverse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_cut_from_the_side_that_comes_first() {
        let limit = |offset, count| Limit { offset, count };
        assert_eq!(limit(1, 2).apply(10..20, false), 11..13);
        assert_eq!(limit(1, 2).apply(10..20, true), 17..19);
        assert_eq!(limit(5, -1).apply(10..20, false), 15..20);
        assert_eq!(limit(5, -1).apply(10..20, true), 10..15);
        assert!(limit(-1, 5).apply(10..20, false).is_empty());
        assert!(limit(i64::MAX, i64::MAX).apply(10..20, true).is_empty());
        assert_eq!(limit(0, i64::MAX).apply(10..20, true), 10..20);
    }
}
