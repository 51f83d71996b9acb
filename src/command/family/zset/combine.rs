//! Unions, intersections and differences of sorted sets and sets.

use super::{begin, item, store};
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::{integer, is_word},
    },
    keyspace::Db,
    types::{
        home::View,
        kind::Type,
        packed::{self, Entry},
        set::Set,
        zset::{self, ZSet, score_of},
    },
    util::number,
};
use std::collections::HashMap;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
    Count,
}

impl Aggregate {
    fn of_word(word: &[u8]) -> Option<Aggregate> {
        match () {
            () if is_word(word, "sum") => Some(Aggregate::Sum),
            () if is_word(word, "min") => Some(Aggregate::Min),
            () if is_word(word, "max") => Some(Aggregate::Max),
            () if is_word(word, "count") => Some(Aggregate::Count),
            () => None,
        }
    }

    /// What a member of an input adds: its score, or its presence, as often as the input weighs.
    fn part(self, score: f64, weight: f64) -> f64 {
        match self {
            Aggregate::Count => weight,
            _ => number_or_zero(score * weight),
        }
    }

    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            // One infinity and the other make nothing.
            Aggregate::Sum | Aggregate::Count => number_or_zero(a + b),
            Aggregate::Min => a.min(b),
            Aggregate::Max => a.max(b),
        }
    }
}

fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// Members with their scores, outside the arena.
type Scored = Vec<(Vec<u8>, f64)>;

/// Elements of the smallest input that are compared with the others at a time.
const STEP: usize = 1000;

/// A sorted set or a set, whose members all have score 1.
struct Source<'a>(View<'a>);

impl<'a> Source<'a> {
    fn width(&self) -> usize {
        if self.0.kind == Type::ZSet { zset::WIDTH } else { 1 }
    }

    fn len(&self) -> u64 {
        self.0.sequence(0, self.width()).len()
    }

    fn iter(&self, from: u64) -> impl Iterator<Item = (Entry<'a>, f64)> + use<'a> {
        let is_scored = self.0.kind == Type::ZSet;
        let elements = self.0.sequence(0, self.width()).iter(from);
        elements.map(move |element| (element.first(), if is_scored { score_of(&element) } else { 1.0 }))
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        if self.0.kind == Type::ZSet {
            return ZSet::new(self.0).score(member);
        }
        Set::new(self.0).contains(member).then_some(1.0)
    }
}

/// The input at a key that has been checked.
fn source<'d>(db: &'d mut Db<'_, '_>, key: &[u8]) -> Option<Source<'d>> {
    db.view_any(key).map(Source)
}

struct Request<'a> {
    operation: Operation,
    /// The inputs that exist or not, with their weights and lengths.
    inputs: Vec<Input<'a>>,
    aggregate: Aggregate,
    with_scores: bool,
    limit: u64,
}

struct Input<'a> {
    key: &'a [u8],
    weight: f64,
    len: u64,
}

/// What a command's name says.
#[derive(Clone, Copy)]
struct Form {
    operation: Operation,
    stores: bool,
    counts: bool,
}

impl<'a> Request<'a> {
    /// Reads the words from `numkeys` on. The inputs' types are checked before the options are.
    fn parse(cx: &mut Context<'_>, words: &Args<'a>, form: Form) -> Result<Request<'a>, Error> {
        let [numkeys, words @ ..] = words else { return Err(Error::SYNTAX) };
        let numkeys = integer(numkeys)?;
        if numkeys < 1 {
            let name = &cx.command.full_name;
            return Err(Error::text(format!("ERR at least 1 input key is needed for '{name}' command")));
        }
        let numkeys = usize::try_from(numkeys).ok().filter(|n| *n <= words.len()).ok_or(Error::SYNTAX)?;
        let (keys, words) = words.split_at(numkeys);
        let mut inputs = Vec::with_capacity(numkeys);
        let mut db = cx.keys.db(cx.client.db);
        for key in keys {
            if db.read(key).is_some_and(|item| !matches!(item.kind, Type::ZSet | Type::Set)) {
                return Err(Error::WRONG_TYPE);
            }
            let len = source(&mut db, key).map_or(0, |source| source.len());
            inputs.push(Input { key, weight: 1.0, len });
        }
        let mut request =
            Request { operation: form.operation, inputs, aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
        request.parse_options(words, form)?;
        Ok(request)
    }

    fn parse_options(&mut self, words: &Args<'_>, form: Form) -> CommandResult {
        let scores_change = form.operation != Operation::Difference && !form.counts;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if scores_change && is_word(word, "weights") && words.len() >= self.inputs.len() {
                for (input, weight) in self.inputs.iter_mut().zip(&mut words) {
                    input.weight = number::parse_f64(weight).ok_or(Error::new("ERR weight value is not a float"))?;
                }
            } else if scores_change && is_word(word, "aggregate") && words.len() >= 1 {
                let word = words.next().copied().unwrap_or_default();
                self.aggregate = Aggregate::of_word(word).ok_or(Error::SYNTAX)?;
            } else if !form.stores && !form.counts && is_word(word, "withscores") {
                self.with_scores = true;
            } else if form.counts && is_word(word, "limit") && words.len() >= 1 {
                let word = words.next().copied().unwrap_or_default();
                let negative = Error::new("ERR LIMIT can't be negative");
                self.limit = integer(word).ok().and_then(|n| u64::try_from(n).ok()).ok_or(negative)?;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(())
    }

    /// The result, in no order.
    fn run(mut self, db: &mut Db<'_, '_>) -> Scored {
        if self.operation != Operation::Difference {
            self.inputs.sort_by_key(|input| input.len);
        }
        match self.operation {
            Operation::Union => self.union(db),
            Operation::Intersection => self.intersection(db),
            Operation::Difference => self.difference(db),
        }
    }

    fn union(&self, db: &mut Db<'_, '_>) -> Scored {
        let mut all: HashMap<Vec<u8>, f64, ahash::RandomState> = HashMap::default();
        for input in &self.inputs {
            let Some(source) = source(db, input.key) else { continue };
            for (member, score) in source.iter(0) {
                let score = self.aggregate.part(score, input.weight);
                let sum = all.entry(member.to_vec());
                sum.and_modify(|sum| *sum = self.aggregate.of(*sum, score)).or_insert(score);
            }
        }
        all.into_iter().collect()
    }

    /// Takes the smallest input piece by piece and keeps of each what all the others have too.
    fn intersection(&self, db: &mut Db<'_, '_>) -> Scored {
        let mut all = Scored::new();
        let Some((smallest, others)) = self.inputs.split_first() else { return all };
        let mut from = 0;
        while from < smallest.len && (self.limit == 0 || (all.len() as u64) < self.limit) {
            let mut piece = take(db, smallest, from, self.aggregate);
            from += STEP as u64;
            for input in others {
                let Some(source) = source(db, input.key) else { return Scored::new() };
                piece.retain_mut(|(member, sum)| match source.score(member) {
                    Some(score) => {
                        *sum = self.aggregate.of(*sum, self.aggregate.part(score, input.weight));
                        true
                    }
                    None => false,
                });
            }
            all.append(&mut piece);
        }
        if self.limit > 0 {
            all.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        }
        all
    }

    fn difference(&self, db: &mut Db<'_, '_>) -> Scored {
        let mut all = Scored::new();
        let Some((first, others)) = self.inputs.split_first() else { return all };
        for from in (0..first.len).step_by(STEP) {
            let mut piece = take(db, first, from, self.aggregate);
            for input in others {
                if let Some(source) = source(db, input.key) {
                    piece.retain(|(member, _)| source.score(member).is_none());
                }
            }
            all.append(&mut piece);
        }
        all
    }
}

/// A piece of an input, each member with what it adds.
fn take(db: &mut Db<'_, '_>, input: &Input<'_>, from: u64, aggregate: Aggregate) -> Scored {
    let Some(source) = source(db, input.key) else { return Scored::new() };
    let piece = source.iter(from).take(STEP);
    piece.map(|(member, score)| (member.to_vec(), aggregate.part(score, input.weight))).collect()
}

/// Packs elements in the order of a sorted set.
pub fn in_order(mut scored: Scored) -> Vec<u8> {
    scored.sort_unstable_by(|a, b| zset::key(a.1).cmp(&zset::key(b.1)).then_with(|| a.0.cmp(&b.0)));
    scored.iter().flat_map(|(member, score)| zset::element(Entry::of(member), *score)).collect()
}

fn answer(cx: &mut Context<'_>, args: &Args<'_>, operation: Operation) -> CommandResult {
    let request = Request::parse(cx, &args[1..], Form { operation, stores: false, counts: false })?;
    let with_scores = request.with_scores;
    let elements = in_order(request.run(&mut cx.keys.db(cx.client.db)));
    begin(cx.reply, packed::count(&elements, zset::WIDTH), with_scores);
    for element in packed::elements(&elements, 0, zset::WIDTH) {
        item(cx.reply, &element.first(), with_scores.then(|| score_of(&element)));
    }
    Ok(())
}

fn keep(cx: &mut Context<'_>, args: &Args<'_>, operation: Operation, event: &str) -> CommandResult {
    let request = Request::parse(cx, &args[2..], Form { operation, stores: true, counts: false })?;
    let elements = in_order(request.run(&mut cx.keys.db(cx.client.db)));
    let len = store(cx, args[1], &elements, event)?;
    cx.reply.integer(len as i64);
    Ok(())
}

pub fn zunion(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    answer(cx, args, Operation::Union)
}

pub fn zinter(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    answer(cx, args, Operation::Intersection)
}

pub fn zdiff(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    answer(cx, args, Operation::Difference)
}

pub fn zunionstore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    keep(cx, args, Operation::Union, "zunionstore")
}

pub fn zinterstore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    keep(cx, args, Operation::Intersection, "zinterstore")
}

pub fn zdiffstore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    keep(cx, args, Operation::Difference, "zdiffstore")
}

pub fn zintercard(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let form = Form { operation: Operation::Intersection, stores: false, counts: true };
    let request = Request::parse(cx, &args[1..], form)?;
    let found = request.run(&mut cx.keys.db(cx.client.db));
    cx.reply.integer(found.len() as i64);
    Ok(())
}
