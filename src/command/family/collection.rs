//! What the families of collections share: the options of the SCAN family, choosing elements at
//! random, and replies of stored values.

use crate::{
    command::{Args, CommandResult, Error, Reply, args},
    types::packed::Entry,
    util::{
        glob,
        number::{parse_i64, parse_u64},
    },
};
use std::collections::BTreeSet;

/// Answers a stored value as a bulk string, a large one from where it lies.
#[inline]
pub fn bulk(reply: &mut dyn Reply, entry: &Entry<'_>) {
    reply.value(entry.text(&mut itoa::Buffer::new()));
}

/// What a command of the SCAN family is asked for.
pub struct ScanOptions<'a> {
    pub cursor: u64,
    pub count: u64,
    pattern: Option<&'a [u8]>,
    /// TYPE, of SCAN alone.
    pub kind: Option<&'a [u8]>,
    /// NOVALUES of HSCAN, NOSCORES of ZSCAN.
    pub names_only: bool,
}

impl<'a> ScanOptions<'a> {
    /// Reads the cursor at `args[at]` and the options behind it. `own` is the option that only this
    /// command knows.
    pub fn parse(args: &Args<'a>, at: usize, own: &str) -> Result<Self, Error> {
        let cursor = scan_cursor(args[at])?;
        let mut options = ScanOptions { cursor, count: 10, pattern: None, kind: None, names_only: false };
        let mut words = args[at + 1..].iter();
        while let Some(option) = words.next() {
            if matches!(own, "novalues" | "noscores") && args::is_word(option, own) {
                options.names_only = true;
                continue;
            }
            let value = words.next().ok_or(Error::SYNTAX)?;
            match option.to_ascii_lowercase().as_slice() {
                // That is everything, and the empty name, too.
                b"match" => options.pattern = Some(*value).filter(|pattern| *pattern != b"*"),
                b"count" => {
                    let n = parse_i64(value).ok_or(Error::NOT_INTEGER)?;
                    options.count = u64::try_from(n).ok().filter(|n| *n > 0).ok_or(Error::SYNTAX)?;
                }
                b"type" if own == "type" => options.kind = Some(value),
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(options)
    }

    pub fn matches(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name, false))
    }

    pub fn matches_entry(&self, entry: &Entry<'_>) -> bool {
        self.pattern.is_none() || self.matches(entry.text(&mut itoa::Buffer::new()))
    }
}

/// The cursor of a command of the SCAN family.
pub fn scan_cursor(word: &[u8]) -> Result<u64, Error> {
    parse_u64(word).ok_or(Error::new("ERR invalid cursor"))
}

/// Answers that there was nothing, and nothing is left.
pub fn nothing_scanned(reply: &mut dyn Reply) -> CommandResult {
    reply.array(2);
    reply.bulk(b"0");
    reply.array(0);
    Ok(())
}

/// The count of SRANDMEMBER and its like: negative for choices that may repeat.
pub fn random_count(reply: &dyn Reply, arg: &[u8]) -> Result<i64, Error> {
    match args::integer(arg)? {
        // Its opposite is no integer; others are only too many.
        i64::MIN => Err(Error::NO_OPPOSITE),
        count if count < 0 => check_repeats(reply, count.unsigned_abs()).map(|()| count),
        count => Ok(count),
    }
}

/// Whether so many choices may be asked for that may repeat: the reply is as large as the client says, whatever is stored.
/// For a client with an output limit it ends there.
pub fn check_repeats(reply: &dyn Reply, times: u64) -> Result<(), Error> {
    const REPEATS_MAX: u64 = 1 << 24;
    if times > REPEATS_MAX && reply.limit().is_none() { Err(Error::OUT_OF_RANGE) } else { Ok(()) }
}

/// Answers with one choice after the other, until all are said or the reply passes its limit.
pub fn repeat(reply: &mut dyn Reply, times: u64, mut choice: impl FnMut(&mut dyn Reply)) {
    let most = reply.limit().unwrap_or(u64::MAX);
    for _ in 0..times {
        choice(reply);
        if reply.written() > most {
            return;
        }
    }
}

/// `count` different ranks below `len`, ascending: each choice as likely as any other. (Robert
/// Floyd's algorithm; Bentley, "Programming Pearls: a sample of brilliance", CACM 1987.)
pub fn sample(len: u64, count: u64) -> Vec<u64> {
    if count >= len {
        return (0..len).collect();
    }
    let mut chosen = BTreeSet::new();
    for last in len - count..len {
        let rank = fastrand::u64(..=last);
        if !chosen.insert(rank) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_of_different_ranks_and_reaches_all() {
        let mut seen = [0; 10];
        for _ in 0..1000 {
            let ranks = sample(10, 3);
            assert!(ranks.len() == 3 && ranks.is_sorted() && ranks[0] != ranks[1] && ranks[1] != ranks[2]);
            ranks.iter().for_each(|rank| seen[*rank as usize] += 1);
        }
        assert!(seen.iter().all(|count| (150..450).contains(count)), "{seen:?}");
        assert_eq!(sample(3, 9), [0, 1, 2]);
    }
}
