//! HRANDFIELD.

use crate::{
    command::{
        Args, CommandResult, Context, Error, Protocol, args,
        family::collection::{bulk, random_count, repeat, sample},
    },
    keyspace::Type,
    types::hash::Hash,
};

pub fn hrandfield(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let count = args.get(2).map(|count| random_count(cx.reply, count)).transpose()?;
    let with_values = match args.get(3..).unwrap_or_default() {
        [] => false,
        [word] if args::is_word(word, "withvalues") => true,
        _ => return Err(Error::SYNTAX),
    };
    if with_values && count.is_some_and(|count| count > i64::MAX / 2) {
        return Err(Error::OUT_OF_RANGE);
    }
    let now = cx.keys.judged_at();
    let mut db = cx.keys.db(cx.client.db);
    let some_expired = db.view(args[1], Type::Hash)?.is_some_and(|view| Hash::at(view, now).some_expired());
    if some_expired && !db.holds_removals() {
        db.expire_fields(args[1]);
    }
    let hash = db.view_any(args[1]).map(|view| Hash::at(view, now)).filter(|hash| hash.live() > 0);
    let ranks = hash.and_then(|hash| hash.live_ranks());
    let len = hash.map_or(0, |hash| hash.live());
    // The rank of a field that is there, by its rank among those.
    let stored = |rank: u64| match &ranks {
        Some(ranks) => ranks.get(rank as usize).copied().unwrap_or(0),
        None => rank,
    };
    let (Some(_), Some(count)) = (hash, count) else {
        match (hash.and_then(|hash| hash.nth(stored(fastrand::u64(..len.max(1))))), count) {
            (Some(element), _) => bulk(cx.reply, &element.first()),
            (None, Some(_)) => cx.reply.array(0),
            (None, None) => cx.reply.null(),
        }
        return Ok(());
    };
    let pairs = with_values && cx.reply.protocol() == Protocol::Resp3;
    let answer = |cx: &mut Context<'_>, times: u64, ranks: &mut dyn Iterator<Item = u64>| -> CommandResult {
        let mut db = cx.keys.db(cx.client.db);
        let Some(hash) = db.view_any(args[1]).map(Hash::new) else { return Ok(()) };
        let words = if with_values && !pairs { 2 } else { 1 };
        let len = times.checked_mul(words).and_then(|len| usize::try_from(len).ok()).ok_or(Error::OUT_OF_RANGE)?;
        cx.reply.array(len);
        repeat(cx.reply, times, |reply| {
            let Some(element) = ranks.next().and_then(|rank| hash.nth(rank)) else { return };
            if pairs {
                reply.array(2);
            }
            bulk(reply, &element.first());
            if with_values {
                bulk(reply, &element.second());
            }
        });
        Ok(())
    };
    if count < 0 {
        let times = count.unsigned_abs();
        return answer(cx, times, &mut (0..times).map(|_| stored(fastrand::u64(..len))));
    }
    let mut chosen = sample(len, count.unsigned_abs());
    if (chosen.len() as u64) < len {
        fastrand::shuffle(&mut chosen);
    }
    answer(cx, chosen.len() as u64, &mut chosen.into_iter().map(stored))
}
