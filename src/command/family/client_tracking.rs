//! CLIENT TRACKING and its companions.

use crate::{
    command::{
        Args, CommandResult, Context, Error,
        error::quotable,
        tracking::{Caching, Options},
    },
    util::number::parse_i64,
};
use std::{
    collections::BTreeSet,
    ops::Bound::{Excluded, Included, Unbounded},
};

/// CLIENT TRACKING ON | OFF [REDIRECT id] [BCAST] [PREFIX prefix ...] [OPTIN] [OPTOUT] [NOLOOP]
pub fn tracking(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (options, prefixes) = parse(cx, args.get(3..).unwrap_or_default())?;
    match args[2].to_ascii_lowercase().as_slice() {
        b"on" => {
            let options = allowed(options, &prefixes, cx.client.tracking.as_deref())?;
            cx.client.track(options);
        }
        b"off" => cx.client.untrack(),
        _ => return Err(Error::SYNTAX),
    }
    cx.reply.ok();
    Ok(())
}

fn parse<'a>(cx: &Context<'_>, mut rest: &Args<'a>) -> Result<(Options, Vec<&'a [u8]>), Error> {
    let (mut options, mut prefixes) = (Options::default(), Vec::new());
    while let [option, after @ ..] = rest {
        rest = after;
        match (option.to_ascii_lowercase().as_slice(), after) {
            (b"redirect", [id, after @ ..]) => {
                if options.redirect.is_some() {
                    return Err(Error::new("ERR A client can only redirect to a single other client"));
                }
                let id = parse_i64(id).ok_or(Error::NOT_INTEGER)?;
                let id = u64::try_from(id).ok().filter(|id| cx.shared.clients.get(*id).is_some());
                options.redirect = Some(id.ok_or(Error::new("ERR The client ID you want redirect to does not exist"))?);
                rest = after;
            }
            (b"prefix", [prefix, after @ ..]) => {
                prefixes.push(*prefix);
                rest = after;
            }
            (b"bcast", _) => options.broadcast = true,
            (b"optin", _) => options.opt_in = true,
            (b"optout", _) => options.opt_out = true,
            (b"noloop", _) => options.no_loop = true,
            _ => return Err(Error::SYNTAX),
        }
    }
    Ok((options, prefixes))
}

/// The options, if they agree with each other and with what the client does already.
fn allowed(mut options: Options, prefixes: &[&[u8]], before: Option<&Options>) -> Result<Options, Error> {
    if !options.broadcast && !prefixes.is_empty() {
        return Err(Error::new("ERR PREFIX option requires BCAST mode to be enabled"));
    }
    if before.is_some_and(|before| before.broadcast != options.broadcast) {
        return Err(Error::new(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it \
             with a different mode.",
        ));
    }
    if options.broadcast && (options.opt_in || options.opt_out) {
        return Err(Error::new("ERR OPTIN and OPTOUT are not compatible with BCAST"));
    }
    if options.opt_in && options.opt_out {
        return Err(Error::new("ERR You can't specify both OPTIN mode and OPTOUT mode"));
    }
    if before.is_some_and(|before| (options.opt_in && before.opt_out) || (options.opt_out && before.opt_in)) {
        return Err(Error::new(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it \
             with a different mode.",
        ));
    }
    if !options.broadcast {
        return Ok(options);
    }
    options.prefixes = before.map(|before| before.prefixes.clone()).unwrap_or_default();
    let mut new = BTreeSet::new();
    for prefix in prefixes {
        if let Some(known) = overlapping(&options.prefixes, prefix) {
            return Err(collision(prefix, "an existing prefix", known));
        }
        if let Some(earlier) = overlapping(&new, prefix) {
            return Err(collision(earlier, "another provided prefix", prefix));
        }
        new.insert(Box::from(*prefix));
    }
    options.prefixes.append(&mut new);
    if prefixes.is_empty() {
        // All keys, beside what was asked for before.
        options.prefixes.insert(Box::default());
    }
    Ok(options)
}

/// One of these that begins with `prefix`, or that it begins with. None of them begins with another, but with the empty one.
fn overlapping<'k>(known: &'k BTreeSet<Box<[u8]>>, prefix: &[u8]) -> Option<&'k [u8]> {
    // What lies between two of which one begins with the other begins with it, too.
    let all = known.first().filter(|first| first.is_empty());
    let before = known.range::<[u8], _>((Unbounded, Excluded(prefix))).next_back();
    let after = known.range::<[u8], _>((Included(prefix), Unbounded)).next();
    let before = before.filter(|before| prefix.starts_with(before));
    before.or(after.filter(|after| after.starts_with(prefix))).or(all).map(|known| &**known)
}

fn collision(prefix: &[u8], what: &str, other: &[u8]) -> Error {
    let (prefix, other) = (quotable(prefix, usize::MAX), quotable(other, usize::MAX));
    let middle = format!("' overlaps with {what} '");
    let end: &[u8] = b"'. Prefixes for a single client must not overlap.";
    Error::text([b"ERR Prefix '", prefix, middle.as_bytes(), other, end].concat())
}

/// CLIENT CACHING YES | NO
pub fn caching(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let Some(options) = cx.client.tracking.as_deref() else {
        return Err(Error::new(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    };
    match args[2].to_ascii_lowercase().as_slice() {
        b"yes" if options.opt_in => {}
        b"yes" => {
            return Err(Error::new("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."));
        }
        b"no" if options.opt_out => {}
        b"no" => {
            return Err(Error::new("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."));
        }
        _ => return Err(Error::SYNTAX),
    }
    cx.client.caching = if cx.client.in_exec { Caching::Now } else { Caching::Said };
    cx.reply.ok();
    Ok(())
}

/// What GETREDIR and TRACKINGINFO answer: 0 if it is told itself, -1 if it does not track.
fn redirect(cx: &Context<'_>) -> i64 {
    cx.client.tracking.as_ref().map_or(-1, |options| options.redirect.unwrap_or(0) as i64)
}

pub fn getredir(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let id = redirect(cx);
    cx.reply.integer(id);
    Ok(())
}

pub fn tracking_info(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let redirect = redirect(cx);
    let options = cx.client.tracking.as_deref().cloned().unwrap_or_default();
    let said = cx.client.caching != Caching::Unsaid;
    let flags: Vec<&str> = [
        (cx.client.tracking.is_some(), "on"),
        (cx.client.tracking.is_none(), "off"),
        (options.broadcast, "bcast"),
        (options.opt_in, "optin"),
        (options.opt_in && said, "caching-yes"),
        (options.opt_out, "optout"),
        (options.opt_out && said, "caching-no"),
        (options.no_loop, "noloop"),
        (cx.shared.tracking.is_broken(cx.client.handle.id), "broken_redirect"),
    ]
    .into_iter()
    .filter_map(|(holds, flag)| holds.then_some(flag))
    .collect();
    let reply = &mut cx.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"redirect");
    reply.integer(redirect);
    reply.bulk(b"prefixes");
    reply.array(options.prefixes.len());
    options.prefixes.iter().for_each(|prefix| reply.bulk(prefix));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_that_overlap_are_found() {
        let known: BTreeSet<Box<[u8]>> = ["a:", "b:1", "b:2", "c"].map(|text| text.as_bytes().into()).into();
        for (prefix, found) in [("a:x", "a:"), ("a", "a:"), ("b:", "b:1"), ("b:2", "b:2"), ("cz", "c"), ("", "a:")] {
            assert_eq!(overlapping(&known, prefix.as_bytes()), Some(found.as_bytes()), "{prefix}");
        }
        for prefix in ["a;", "b:3", "b:0", "d", "B"] {
            assert_eq!(overlapping(&known, prefix.as_bytes()), None, "{prefix}");
        }
    }
}
