//! GEOSEARCH and the GEORADIUS family.

use super::{
    position,
    read::{coordinates, distance},
    unit,
};
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::integer,
        family::zset::{in_order, store, view},
    },
    types::{
        geo::{Position, Shape},
        zset::{Edge, ZSet, score_of},
    },
    util::number,
};

/// What a command's name says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// GEOSEARCH: options say where, and how far.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
    /// GEORADIUS and GEORADIUSBYMEMBER, which may store.
    Radius,
    /// Those that may not.
    RadiusReadOnly,
}

/// Where the answer goes.
#[derive(Clone, Copy)]
struct Target<'a> {
    key: &'a [u8],
    /// Distances become the scores.
    distances: bool,
}

/// The middle of what is searched.
#[derive(Clone, Copy)]
enum Centre {
    At(Position),
    /// That of a member, where there is no sorted set.
    Nowhere,
}

#[derive(Default)]
struct Query<'a> {
    centre: Option<Centre>,
    /// What is searched, and how many metres the unit of the answer has.
    shape: Option<(Shape, f64)>,
    descending: Option<bool>,
    count: Option<u64>,
    /// The first that are found will do.
    any: bool,
    with_distance: bool,
    with_hash: bool,
    with_coordinates: bool,
    target: Option<Target<'a>>,
}

/// A member that was found.
struct Found {
    member: Vec<u8>,
    score: f64,
    position: Position,
    /// From the centre, in metres.
    distance: f64,
}

/// The position of a member that must be there.
fn centre_of(zset: Option<&ZSet<'_>>, member: &[u8]) -> Result<Centre, Error> {
    let Some(zset) = zset else { return Ok(Centre::Nowhere) };
    let score = zset.score(member).ok_or(Error::new("ERR could not decode requested zset member"))?;
    Ok(Centre::At(Position::of_score(score)))
}

fn circle(radius: &[u8], word: &[u8]) -> Result<(Shape, f64), Error> {
    let radius = number::parse_f64(radius).ok_or(Error::new("ERR need numeric radius"))?;
    if radius < 0.0 {
        return Err(Error::new("ERR radius cannot be negative"));
    }
    let unit = unit(word)?;
    Ok((Shape::Circle { radius: radius * unit }, unit))
}

fn rectangle(width: &[u8], height: &[u8], word: &[u8]) -> Result<(Shape, f64), Error> {
    let number = |word, error| number::parse_f64(word).ok_or(Error::new(error));
    let (width, height) = (number(width, "ERR need numeric width")?, number(height, "ERR need numeric height")?);
    if width < 0.0 || height < 0.0 {
        return Err(Error::new("ERR height or width cannot be negative"));
    }
    let unit = unit(word)?;
    Ok((Shape::Box { width: width * unit, height: height * unit }, unit))
}

impl<'a> Query<'a> {
    /// Reads the options from `words` on.
    fn parse(&mut self, words: &Args<'a>, form: Form, zset: Option<&ZSet<'_>>) -> CommandResult {
        let searches = matches!(form, Form::Search | Form::SearchStore);
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let rest = &words[at + 1..];
            at += 1;
            let option = word.to_ascii_lowercase();
            match (&option[..], rest) {
                (b"withdist", _) => self.with_distance = true,
                (b"withhash", _) => self.with_hash = true,
                (b"withcoord", _) => self.with_coordinates = true,
                (b"any", _) => self.any = true,
                (b"asc", _) => self.descending = Some(false),
                (b"desc", _) => self.descending = Some(true),
                (b"count", [count, ..]) => {
                    let count = u64::try_from(integer(count)?).ok().filter(|count| *count > 0);
                    self.count = Some(count.ok_or(Error::new("ERR COUNT must be > 0"))?);
                    at += 1;
                }
                // One target at most: the keys of a request are known by the first.
                (b"store" | b"storedist", [key, ..]) if form == Form::Radius && self.target.is_none() => {
                    self.target = Some(Target { key, distances: option == b"storedist" });
                    at += 1;
                }
                (b"storedist", _) if form == Form::SearchStore => {
                    self.target = self.target.map(|target| Target { distances: true, ..target });
                }
                (b"frommember", [member, ..]) if searches && self.centre.is_none() => {
                    self.centre = Some(centre_of(zset, member)?);
                    at += 1;
                }
                (b"fromlonlat", [longitude, latitude, ..]) if searches && self.centre.is_none() => {
                    self.centre = Some(Centre::At(position(longitude, latitude)?));
                    at += 2;
                }
                (b"byradius", [radius, unit, ..]) if searches && self.shape.is_none() => {
                    self.shape = Some(circle(radius, unit)?);
                    at += 2;
                }
                (b"bybox", [width, height, unit, ..]) if searches && self.shape.is_none() => {
                    self.shape = Some(rectangle(width, height, unit)?);
                    at += 3;
                }
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(())
    }

    /// Refuses options that do not go together.
    fn check(&self, form: Form, name: &[u8]) -> Result<(Centre, Shape, f64), Error> {
        if self.target.is_some() && (self.with_distance || self.with_hash || self.with_coordinates) {
            let what = if form == Form::Radius { "STORE option in GEORADIUS" } else { "GEOSEARCHSTORE" };
            return Err(Error::text(format!(
                "ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        let centre = self.centre.ok_or_else(|| {
            Error::quoting("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ", name, "")
        })?;
        let (shape, unit) = self
            .shape
            .ok_or_else(|| Error::quoting("ERR exactly one of BYRADIUS and BYBOX can be specified for ", name, ""))?;
        if self.any && self.count.is_none() {
            return Err(Error::new("ERR the ANY argument requires COUNT argument"));
        }
        Ok((centre, shape, unit))
    }

    /// The members inside, those that were asked for first.
    fn find(&self, zset: &ZSet<'_>, centre: &Position, shape: &Shape) -> Vec<Found> {
        let most = self.count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
        let enough = if self.any { most } else { usize::MAX };
        let mut found = Vec::new();
        for range in shape.scores(centre) {
            let edge = |score| Edge::Score { score, after: false };
            let ranks = zset.ranks(&(edge(range.start)..edge(range.end)));
            for element in zset.iter(ranks.start).take((ranks.end - ranks.start) as usize) {
                if found.len() >= enough {
                    break;
                }
                let position = Position::of_score(score_of(&element));
                if let Some(distance) = shape.distance(centre, &position) {
                    let (member, score) = (element.first().to_vec(), score_of(&element));
                    found.push(Found { member, score, position, distance });
                }
            }
        }
        // The nearest, where only some are wanted.
        match self.descending.or(self.count.filter(|_| !self.any).map(|_| false)) {
            Some(true) => found.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
            Some(false) => found.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
            None => {}
        }
        found.truncate(most);
        found
    }
}

fn search<'a>(
    cx: &mut Context<'_>,
    args: &Args<'a>,
    form: Form,
    source: &[u8],
    start: impl FnOnce(&mut Query<'a>, Option<&ZSet<'_>>) -> Result<usize, Error>,
) -> CommandResult {
    let mut query = Query::default();
    let mut db = cx.keys.db(cx.client.db);
    let zset = view(&mut db, source)?;
    let options = start(&mut query, zset.as_ref())?;
    query.parse(&args[options..], form, zset.as_ref())?;
    let (centre, shape, unit) = query.check(form, args[0])?;
    let found = match (zset, centre) {
        (Some(zset), Centre::At(centre)) => query.find(&zset, &centre, &shape),
        _ => Vec::new(),
    };
    match query.target {
        Some(target) => keep(cx, target, found, unit, form),
        None => answer(cx, &query, &found, unit),
    }
}

fn keep(cx: &mut Context<'_>, target: Target<'_>, found: Vec<Found>, unit: f64, form: Form) -> CommandResult {
    let event = if form == Form::SearchStore { "geosearchstore" } else { "georadiusstore" };
    let score = |found: &Found| if target.distances { found.distance / unit } else { found.score };
    let scored = found.into_iter().map(|found| (score(&found), found.member)).map(|(score, member)| (member, score));
    let elements = in_order(scored.collect());
    let len = store(cx, target.key, &elements, event)?;
    cx.reply.integer(len as i64);
    Ok(())
}

fn answer(cx: &mut Context<'_>, query: &Query<'_>, found: &[Found], unit: f64) -> CommandResult {
    let more = [query.with_distance, query.with_hash, query.with_coordinates].iter().filter(|with| **with).count();
    cx.reply.array(found.len());
    for found in found {
        if more > 0 {
            cx.reply.array(1 + more);
        }
        cx.reply.bulk(&found.member);
        if query.with_distance {
            distance(cx.reply, found.distance / unit);
        }
        if query.with_hash {
            cx.reply.integer(found.score as i64);
        }
        if query.with_coordinates {
            coordinates(cx.reply, &found.position);
        }
    }
    Ok(())
}

pub fn geosearch(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    search(cx, args, Form::Search, args[1], |_, _| Ok(2))
}

pub fn geosearchstore(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    search(cx, args, Form::SearchStore, args[2], |query, _| {
        query.target = Some(Target { key: args[1], distances: false });
        Ok(3)
    })
}

fn around_position(cx: &mut Context<'_>, args: &Args<'_>, form: Form) -> CommandResult {
    search(cx, args, form, args[1], |query, _| {
        query.centre = Some(Centre::At(position(args[2], args[3])?));
        query.shape = Some(circle(args[4], args[5])?);
        Ok(6)
    })
}

fn around_member(cx: &mut Context<'_>, args: &Args<'_>, form: Form) -> CommandResult {
    search(cx, args, form, args[1], |query, zset| {
        query.centre = Some(centre_of(zset, args[2])?);
        query.shape = Some(match zset {
            Some(_) => circle(args[3], args[4])?,
            // Nothing will be found, and the radius is not looked at.
            None => (Shape::Circle { radius: 0.0 }, 1.0),
        });
        Ok(5)
    })
}

pub fn georadius(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    around_position(cx, args, Form::Radius)
}

pub fn georadius_ro(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    around_position(cx, args, Form::RadiusReadOnly)
}

pub fn georadiusbymember(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    around_member(cx, args, Form::Radius)
}

pub fn georadiusbymember_ro(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    around_member(cx, args, Form::RadiusReadOnly)
}
