//! Which words of a request are keys: the rows' key specifications applied to its arguments.

use super::{
    Args,
    spec::{BeginSearch, FindKeys, KeyFlags, KeySpec, Spec},
};
use std::num::NonZeroU8;

/// The keys of a request; nothing is allocated.
pub fn keys<'r, 'a>(spec: &'static Spec, args: &'r Args<'a>) -> impl Iterator<Item = &'a [u8]> + use<'r, 'a> {
    positions(spec, args)
        .filter_map(|(at, flags)| (!flags.contains(KeyFlags::NOT_KEY)).then(|| args.get(at).copied()).flatten())
}

/// Which word is the key of a command that always has exactly one, as most do.
pub fn only_key(spec: &Spec) -> Option<NonZeroU8> {
    match spec.keys {
        [KeySpec { begin: BeginSearch::Index(at), find: FindKeys::Range { last: 0, .. }, flags }]
            if !flags.contains(KeyFlags::NOT_KEY) =>
        {
            u8::try_from(*at).ok().and_then(NonZeroU8::new)
        }
        _ => None,
    }
}

/// Where the keys stand in a request, and what the command does with each.
pub fn positions<'r, 'a>(
    spec: &'static Spec,
    args: &'r Args<'a>,
) -> impl Iterator<Item = (usize, KeyFlags)> + use<'r, 'a> {
    spec.keys.iter().flat_map(move |key_spec| {
        let Span { first, last, step } = Span::find(key_spec, args).unwrap_or(Span::EMPTY);
        (first..=last).step_by(step).map(|at| (at, key_spec.flags))
    })
}

/// Whether there are as many keys as the request says.
pub fn are_complete(spec: &'static Spec, args: &Args<'_>) -> bool {
    let counted = |key_spec: &&KeySpec| matches!(key_spec.find, FindKeys::KeyNum { .. });
    spec.keys.iter().filter(counted).all(|key_spec| Span::find(key_spec, args).is_some())
}

/// Every `step`-th word from `first` to `last`.
struct Span {
    first: usize,
    last: usize,
    step: usize,
}

impl Span {
    const EMPTY: Span = Span { first: 1, last: 0, step: 1 };

    fn find(spec: &KeySpec, args: &Args<'_>) -> Option<Span> {
        let words = i64::try_from(args.len()).ok()?;
        let begin = match spec.begin {
            BeginSearch::Index(index) => i64::from(index),
            BeginSearch::Keyword { word, start_from } => find_keyword(args, word, start_from)? + 1,
            BeginSearch::Option { word, start_from, others } => find_option(args, word, start_from, others)? + 1,
            BeginSearch::Unknown => return None,
        };
        let (first, last, step) = match spec.find {
            FindKeys::Range { last, step, limit } => {
                let last = match i64::from(last) {
                    last if last >= 0 => begin + last,
                    // Of the words that are left, only the first `1/limit` are keys.
                    -1 if limit > 1 => begin + (words - begin) / i64::from(limit) - 1,
                    last => words + last,
                };
                (begin, last, step)
            }
            FindKeys::KeyNum { keynum_index, first_key, step } => {
                let count = args.get(usize::try_from(begin + i64::from(keynum_index)).ok()?)?;
                let count: i64 = std::str::from_utf8(count).ok()?.parse().ok()?;
                let first = begin + i64::from(first_key);
                let span = count.checked_sub(1)?.checked_mul(i64::from(step))?;
                (first, first.checked_add(span)?, step)
            }
            FindKeys::Unknown => return None,
        };
        if first < 1 || last < first || last >= words {
            return None;
        }
        // The key of a specification that is not the whole truth may be left empty: the keys stand elsewhere (MIGRATE).
        if spec.flags.contains(KeyFlags::INCOMPLETE) && first == last && args[first as usize].is_empty() {
            return None;
        }
        Some(Span { first: first as usize, last: last as usize, step: usize::try_from(step).ok()?.max(1) })
    }
}

/// The place of an option's word; a negative start searches backwards from the end.
fn find_keyword(args: &Args<'_>, word: &str, start_from: i32) -> Option<i64> {
    let matches = |at: &usize| args.get(*at).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
    let from = start_from.unsigned_abs() as usize;
    let at = if start_from >= 0 {
        (from..args.len()).find(matches)
    } else {
        (0..=args.len().checked_sub(from)?).rev().find(matches)
    };
    at.and_then(|at| i64::try_from(at).ok())
}

/// The last place of an option's word; what stands where another option's argument belongs is none.
fn find_option(args: &Args<'_>, word: &str, start_from: usize, others: &[(&str, usize)]) -> Option<i64> {
    let (mut at, mut found) = (start_from, None);
    while let Some(arg) = args.get(at) {
        let is = |name: &str| arg.eq_ignore_ascii_case(name.as_bytes());
        if is(word) {
            found = Some(at);
        }
        at += 1 + others.iter().find(|(name, _)| is(name)).map_or(usize::from(is(word)), |(_, takes)| *takes);
    }
    i64::try_from(found?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: &'static [KeySpec], request: &str, expected: &str) {
        let spec: &'static Spec = Box::leak(Box::new(Spec { keys, ..Spec::DEFAULT }));
        let args: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        let found: Vec<&[u8]> = super::keys(spec, &args).collect();
        assert_eq!(String::from_utf8_lossy(&found.join(&b' ')), expected, "{request}");
    }

    const RO: KeyFlags = KeyFlags::RO;

    #[test]
    fn ranges() {
        const ONE: &[KeySpec] = &[KeySpec::one(1, RO)];
        check(ONE, "get a", "a");
        check(ONE, "get", "");
        const ALL: &[KeySpec] = &[KeySpec::range(1, -1, 1, RO)];
        check(ALL, "del a b c", "a b c");
        const PAIRS: &[KeySpec] = &[KeySpec::range(1, -1, 2, RO)];
        check(PAIRS, "mset a 1 b 2", "a b");
        const TWO: &[KeySpec] = &[KeySpec::one(1, RO), KeySpec::one(2, RO)];
        check(TWO, "rename a b", "a b");
    }

    #[test]
    fn counted_and_after_a_word() {
        const COUNTED: &[KeySpec] = &[KeySpec {
            flags: RO,
            begin: BeginSearch::Index(2),
            find: FindKeys::KeyNum { keynum_index: 0, first_key: 1, step: 1 },
        }];
        check(COUNTED, "eval s 2 a b c", "a b");
        check(COUNTED, "eval s 9 a b c", "");
        check(COUNTED, "eval s 9223372036854775807 a", "");
        check(COUNTED, "eval s -1 a", "");
        const HALF: &[KeySpec] = &[KeySpec {
            flags: RO,
            begin: BeginSearch::Keyword { word: "STREAMS", start_from: 1 },
            find: FindKeys::Range { last: -1, step: 1, limit: 2 },
        }];
        check(HALF, "xread count 1 streams a b 0 0", "a b");
    }
    #[test]
    fn after_an_option() {
        const STORED: &[KeySpec] = &[KeySpec {
            begin: BeginSearch::Option { word: "STORE", start_from: 2, others: &[("GET", 1), ("LIMIT", 2)] },
            ..KeySpec::one(0, RO)
        }];
        check(STORED, "sort k store a store b", "b");
        check(STORED, "sort k get store store a", "a");
        check(STORED, "sort k get store", "");
        check(STORED, "sort k store store", "store");
        check(STORED, "sort k limit 0 store store a", "a");
        check(STORED, "sort k store", "");
    }
}
