//! COMMAND INFO: a command in the shape of Redis's table.

use crate::command::{
    Args, Command, CommandResult, Context,
    spec::{BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, Spec},
    table,
};

/// The flags that Redis knows; the others are ours.
const SHOWN: Flags = Flags::from_bits_truncate((1 << 20) - 1);

pub fn all(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.array(table::top_level().count());
    table::top_level().for_each(|command| describe(cx, command));
    Ok(())
}

pub fn info(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    if args.len() == 2 {
        return all(cx);
    }
    cx.reply.array(args.len() - 2);
    for name in &args[2..] {
        match table::lookup_full(name) {
            Some(command) => describe(cx, command),
            None => cx.reply.null(),
        }
    }
    Ok(())
}

fn describe(cx: &mut Context<'_>, command: &'static Command) {
    let spec = command.spec;
    let (first, last, step) = legacy_range(spec);
    cx.reply.array(10);
    cx.reply.bulk(command.full_name.as_bytes());
    cx.reply.integer(spec.arity.into());
    names(cx, (spec.flags & SHOWN).iter_names().map(|(name, _)| name.to_ascii_lowercase()));
    [first, last, step].iter().for_each(|n| cx.reply.integer((*n).into()));
    names(cx, spec.categories().iter_names().map(|(name, _)| format!("@{}", name.to_ascii_lowercase())));
    cx.reply.set(spec.tips.len());
    spec.tips.iter().for_each(|tip| cx.reply.bulk(tip.as_bytes()));
    cx.reply.set(spec.keys.len());
    spec.keys.iter().for_each(|keys| key_spec(cx, keys));
    cx.reply.set(command.shown_subcommands().len());
    command.shown_subcommands().iter().for_each(|sub| describe(cx, sub));
}

/// A set of simple strings.
fn names(cx: &mut Context<'_>, names: impl Iterator<Item = String>) {
    let names: Vec<String> = names.collect();
    cx.reply.set(names.len());
    names.iter().for_each(|name| cx.reply.simple(name));
}

/// First key, last key and step, as clients from before key specifications read them.
fn legacy_range(spec: &Spec) -> (i32, i32, i32) {
    let ranges = spec.keys.iter().filter_map(|keys| match (keys.begin, keys.find) {
        (BeginSearch::Index(at), FindKeys::Range { last, step, .. }) => {
            Some((at, if last >= 0 { at + last } else { last }, step))
        }
        _ => None,
    });
    ranges
        .reduce(|(first, last, _), (at, end, step)| {
            (first.min(at), if end < 0 || last < 0 { -1 } else { last.max(end) }, step)
        })
        .unwrap_or((0, 0, 0))
}

pub fn key_flags(cx: &mut Context<'_>, flags: KeyFlags) {
    let upper = KeyFlags::RO | KeyFlags::RW | KeyFlags::OW | KeyFlags::RM;
    names(
        cx,
        flags
            .iter_names()
            .map(|(name, flag)| if upper.contains(flag) { name.to_owned() } else { name.to_ascii_lowercase() }),
    );
}

fn key_spec(cx: &mut Context<'_>, keys: &KeySpec) {
    cx.reply.map(3);
    cx.reply.bulk(b"flags");
    key_flags(cx, keys.flags);
    cx.reply.bulk(b"begin_search");
    match keys.begin {
        BeginSearch::Index(at) => typed(cx, "index", &[("index", Part::Number(at))]),
        BeginSearch::Keyword { word, start_from } => {
            typed(cx, "keyword", &[("keyword", Part::Word(word)), ("startfrom", Part::Number(start_from))]);
        }
        BeginSearch::Option { .. } | BeginSearch::Unknown => typed(cx, "unknown", &[]),
    }
    cx.reply.bulk(b"find_keys");
    match keys.find {
        _ if matches!(keys.begin, BeginSearch::Option { .. }) => typed(cx, "unknown", &[]),
        FindKeys::Range { last, step, limit } => typed(
            cx,
            "range",
            &[("lastkey", Part::Number(last)), ("keystep", Part::Number(step)), ("limit", Part::Number(limit))],
        ),
        FindKeys::KeyNum { keynum_index, first_key, step } => typed(
            cx,
            "keynum",
            &[
                ("keynumidx", Part::Number(keynum_index)),
                ("firstkey", Part::Number(first_key)),
                ("keystep", Part::Number(step)),
            ],
        ),
        FindKeys::Unknown => typed(cx, "unknown", &[]),
    }
}

enum Part {
    Number(i32),
    Word(&'static str),
}

fn typed(cx: &mut Context<'_>, kind: &str, parts: &[(&str, Part)]) {
    cx.reply.map(2);
    cx.reply.bulk(b"type");
    cx.reply.bulk(kind.as_bytes());
    cx.reply.bulk(b"spec");
    cx.reply.map(parts.len());
    for (name, part) in parts {
        cx.reply.bulk(name.as_bytes());
        match part {
            Part::Number(n) => cx.reply.integer((*n).into()),
            Part::Word(word) => cx.reply.bulk(word.as_bytes()),
        }
    }
}
