//! LCS.

use super::text;
use crate::command::{Args, CommandResult, Context, Error, args};
use crate::keyspace::Type;
use crate::types::lcs;

#[derive(Default)]
struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: usize,
}

impl Options {
    fn parse(args: &Args<'_>) -> Result<Options, Error> {
        let mut options = Options::default();
        let mut rest = args;
        while let [word, after @ ..] = rest {
            rest = after;
            if args::is_word(word, "idx") {
                options.idx = true;
            } else if args::is_word(word, "len") {
                options.len = true;
            } else if args::is_word(word, "withmatchlen") {
                options.with_match_len = true;
            } else if args::is_word(word, "minmatchlen")
                && let [least, after @ ..] = rest
            {
                options.min_match_len = usize::try_from(args::integer(least)?).unwrap_or(0);
                rest = after;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        if options.len && options.idx {
            return Err(Error::new("ERR If you want both the length and indexes, please just use IDX."));
        }
        Ok(options)
    }
}

pub fn lcs(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    // Only one value can be looked at at a time, so the first is copied. A missing key is empty.
    let mut strings = [Vec::new(), Vec::new()];
    for (key, string) in args[1..3].iter().zip(&mut strings) {
        match db.read(key) {
            None => {}
            Some(item) if item.kind != Type::String => {
                return Err(Error::new("ERR The specified keys must contain string values"));
            }
            Some(item) => string.extend_from_slice(text(&item.value, &mut itoa::Buffer::new())),
        }
    }
    let [a, b] = strings;
    let options = Options::parse(&args[3..])?;
    // Redis's limit on its table of lengths; ours takes less, but the work is bounded by the same.
    let table = (a.len() as u64 + 1).saturating_mul(b.len() as u64 + 1).saturating_mul(4);
    if table > cx.client.settings.proto_max_bulk_len {
        return Err(Error::new("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"));
    }
    if options.len {
        cx.reply.integer(lcs::len(&a, &b) as i64);
    } else if options.idx {
        indexes(cx, &options, &lcs::matches(&a, &b));
    } else {
        cx.reply.bulk(&lcs::subsequence(&a, &b));
    }
    Ok(())
}

fn indexes(cx: &mut Context<'_>, options: &Options, matches: &[lcs::Match]) {
    let len: usize = matches.iter().map(|run| run.len).sum();
    let shown = || matches.iter().filter(|run| run.len >= options.min_match_len);
    cx.reply.map(2);
    cx.reply.bulk(b"matches");
    cx.reply.array(shown().count());
    for run in shown() {
        cx.reply.array(2 + usize::from(options.with_match_len));
        for start in [run.a_start, run.b_start] {
            cx.reply.array(2);
            cx.reply.integer(start as i64);
            cx.reply.integer((start + run.len - 1) as i64);
        }
        if options.with_match_len {
            cx.reply.integer(run.len as i64);
        }
    }
    cx.reply.bulk(b"len");
    cx.reply.integer(len as i64);
}
