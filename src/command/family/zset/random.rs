//! ZRANDMEMBER.

use super::{begin, item, view};
use crate::{
    command::{
        Args, CommandResult, Context, Error, Reply,
        args::{integer, is_word},
        family::collection::{bulk, check_repeats, repeat, sample},
    },
    types::zset::{ZSet, score_of},
};

pub fn zrandmember(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let Some(count) = args.get(2) else {
        let mut db = cx.keys.db(cx.client.db);
        match view(&mut db, args[1])?.and_then(|zset| zset.get(fastrand::u64(..zset.len().max(1)))) {
            Some(element) => bulk(cx.reply, &element.first()),
            None => cx.reply.null(),
        }
        return Ok(());
    };
    let count = integer(count)?;
    if count == i64::MIN {
        return Err(Error::text(format!(
            "ERR value is out of range, value must between {} and {}",
            -i64::MAX,
            i64::MAX
        )));
    }
    let with_scores = match &args[3..] {
        [] => false,
        [word] if is_word(word, "withscores") => true,
        _ => return Err(Error::SYNTAX),
    };
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::OUT_OF_RANGE);
    }
    if count < 0 {
        check_repeats(cx.reply, count.unsigned_abs())?;
    }
    let mut db = cx.keys.db(cx.client.db);
    let Some(zset) = view(&mut db, args[1])?.filter(|zset| !zset.is_empty()) else {
        cx.reply.array(0);
        return Ok(());
    };
    let (len, wanted) = (zset.len(), count.unsigned_abs());
    if count < 0 {
        begin(cx.reply, wanted as usize, with_scores);
        repeat(cx.reply, wanted, |reply| answer(reply, &zset, fastrand::u64(..len), with_scores));
        return Ok(());
    }
    if wanted >= len {
        super::items(cx.reply, len, zset.iter(0), with_scores);
        return Ok(());
    }
    begin(cx.reply, wanted as usize, with_scores);
    sample(len, wanted).into_iter().for_each(|rank| answer(cx.reply, &zset, rank, with_scores));
    Ok(())
}

fn answer(reply: &mut dyn Reply, zset: &ZSet<'_>, rank: u64, with_score: bool) {
    if let Some(element) = zset.get(rank) {
        item(reply, &element.first(), with_score.then(|| score_of(&element)));
    }
}
