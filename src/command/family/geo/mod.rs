//! Positions: sorted sets whose scores are geohashes. This file: the rows, and the commands on single
//! members.

mod read;
mod search;

use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::is_word,
        family::zset::{Options, Outcome, add},
        spec::{Acl, BeginSearch, Flags, KeyFlags, KeySpec, Spec},
    },
    types::geo::Position,
    util::number,
};

const ROW: Spec = Spec { acl: Acl::GEO, group: "geo", since: "3.2.0", ..Spec::DEFAULT };
const READ: KeySpec = KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS));
const TARGET: KeySpec = KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE));
const SEARCH: &str = "O(N+log(M)) for N members in the boxes around the area, of M in all";

/// The key after STORE or STOREDIST.
const fn store(word: &'static str, start_from: i32) -> KeySpec {
    KeySpec { begin: BeginSearch::Keyword { word, start_from }, ..KeySpec::one(0, TARGET.flags) }
}

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "geoadd",
        arity: -5,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        summary: "Adds members at positions, or moves them.",
        complexity: "O(log(N)) per member, of N",
        syntax: "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]",
        handler: geoadd,
        ..ROW
    },
    Spec {
        name: "geopos",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[READ],
        summary: "Answers the positions of members.",
        complexity: "O(M*log(N)) for M members of N",
        syntax: "key [member [member ...]]",
        handler: read::geopos,
        ..ROW
    },
    Spec {
        name: "geodist",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[READ],
        summary: "Answers the distance between two members.",
        complexity: "O(log(N))",
        syntax: "key member1 member2 [M | KM | FT | MI]",
        handler: read::geodist,
        ..ROW
    },
    Spec {
        name: "geohash",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[READ],
        summary: "Answers the positions of members as geohashes.",
        complexity: "O(M*log(N)) for M members of N",
        syntax: "key [member [member ...]]",
        handler: read::geohash,
        ..ROW
    },
    Spec {
        name: "geosearch",
        arity: -7,
        flags: Flags::READONLY,
        keys: &[READ],
        since: "6.2.0",
        summary: "Answers the members in a circle or a box.",
        complexity: SEARCH,
        syntax: "key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM | FT | MI> | BYBOX \
                 width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
        handler: search::geosearch,
        ..ROW
    },
    Spec {
        name: "geosearchstore",
        arity: -8,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        keys: &[TARGET, KeySpec::one(2, KeyFlags::RO.union(KeyFlags::ACCESS))],
        since: "6.2.0",
        summary: "Stores the members in a circle or a box.",
        complexity: SEARCH,
        syntax: "destination source <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM | FT \
                 | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]",
        handler: search::geosearchstore,
        ..ROW
    },
    Spec {
        name: "georadius",
        arity: -6,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLEKEYS),
        keys: &[READ, store("STORE", 6), store("STOREDIST", 6)],
        summary: "Answers or stores the members in a circle.",
        complexity: SEARCH,
        syntax: "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count \
                 [ANY]] [ASC | DESC] [STORE key | STOREDIST key]",
        handler: search::georadius,
        ..ROW
    },
    Spec {
        name: "georadius_ro",
        arity: -6,
        flags: Flags::READONLY,
        keys: &[READ],
        since: "3.2.10",
        summary: "Answers the members in a circle.",
        complexity: SEARCH,
        syntax: "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count \
                 [ANY]] [ASC | DESC]",
        handler: search::georadius_ro,
        ..ROW
    },
    Spec {
        name: "georadiusbymember",
        arity: -5,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLEKEYS),
        keys: &[READ, store("STORE", 5), store("STOREDIST", 5)],
        summary: "Answers or stores the members in a circle around another.",
        complexity: SEARCH,
        syntax: "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | \
                 DESC] [STORE key | STOREDIST key]",
        handler: search::georadiusbymember,
        ..ROW
    },
    Spec {
        name: "georadiusbymember_ro",
        arity: -5,
        flags: Flags::READONLY,
        keys: &[READ],
        since: "3.2.10",
        summary: "Answers the members in a circle around another.",
        complexity: SEARCH,
        syntax: "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | \
                 DESC]",
        handler: search::georadiusbymember_ro,
        ..ROW
    },
];

/// A longitude and a latitude.
fn position(longitude: &[u8], latitude: &[u8]) -> Result<Position, Error> {
    let number = |text| number::parse_f64(text).ok_or(Error::NOT_FLOAT);
    let (longitude, latitude) = (number(longitude)?, number(latitude)?);
    Position::new(longitude, latitude)
        .ok_or_else(|| Error::text(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}")))
}

/// Metres in a unit.
fn unit(word: &[u8]) -> Result<f64, Error> {
    [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)]
        .into_iter()
        .find_map(|(name, metres)| is_word(word, name).then_some(metres))
        .ok_or(Error::new("ERR unsupported unit provided. please use M, KM, FT, MI"))
}

fn geoadd(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut options = Options::default();
    let mut words = &args[2..];
    while let [word, rest @ ..] = words {
        match () {
            () if is_word(word, "nx") => options.nx = true,
            () if is_word(word, "xx") => options.xx = true,
            () if is_word(word, "ch") => options.ch = true,
            () => break,
        }
        words = rest;
    }
    if words.is_empty() || !words.len().is_multiple_of(3) || options.nx && options.xx {
        return Err(Error::SYNTAX);
    }
    let mut entries = Vec::with_capacity(words.len() / 3);
    for word in words.chunks_exact(3) {
        entries.push((position(word[0], word[1])?.score(), word[2]));
    }
    let Outcome { added, updated, .. } = add(cx, args[1], entries.into_iter(), options, "zadd")?;
    cx.reply.integer(if options.ch { added + updated } else { added });
    Ok(())
}
