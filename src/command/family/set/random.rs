//! SPOP and SRANDMEMBER.

use crate::{
    command::{
        Args, CommandResult, Context, Error, args,
        family::collection::{bulk, random_count, repeat, sample},
    },
    config::KeyspaceEvents,
    keyspace::Type,
    types::{
        home::Home,
        set::{self, Set},
    },
};
use smallvec::SmallVec;

pub fn spop(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let key = args[1];
    let count = match &args[2..] {
        [] => None,
        [count] => {
            let count = args::integer(count).ok().and_then(|count| u64::try_from(count).ok());
            Some(count.ok_or(Error::new("ERR value is out of range, must be positive"))?)
        }
        _ => return Err(Error::SYNTAX),
    };
    let mut db = cx.keys.db(cx.client.db);
    let Some(mut cell) = db.cell(key, Type::Set)? else {
        match count {
            Some(_) => cx.reply.set(0),
            None => cx.reply.null(),
        }
        return Ok(());
    };
    let mut left = Set::new(cell.view()).len();
    let wanted = count.unwrap_or(1).min(left);
    let mut taken: SmallVec<[Vec<u8>; 1]> = SmallVec::new();
    if wanted == left {
        taken.extend(Set::new(cell.view()).iter().map(|element| element.first().to_vec()));
        left = 0;
    } else {
        for _ in 0..wanted {
            taken.extend(set::take(&mut cell, fastrand::u64(..left))?);
            left -= 1;
        }
    }
    if !taken.is_empty() {
        if cx.keeps() {
            let mut words: Vec<&[u8]> = vec![b"srem", key];
            words.extend(taken.iter().map(|member| &member[..]));
            cx.keep(&words);
        }
        cx.notify(KeyspaceEvents::SET, "spop", key);
    }
    if left == 0 {
        cx.keys.db(cx.client.db).remove(key);
        cx.notify_generic("del", key);
    }
    if count.is_some() {
        cx.reply.set(taken.len());
    }
    taken.iter().for_each(|member| cx.reply.bulk(member));
    Ok(())
}

pub fn srandmember(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let count = match &args[2..] {
        [] => None,
        [count] => Some(random_count(cx.reply, count)?),
        _ => return Err(Error::SYNTAX),
    };
    let mut db = cx.keys.db(cx.client.db);
    let set = db.view(args[1], Type::Set)?.map(Set::new);
    let (Some(set), Some(count)) = (set, count) else {
        match (set.and_then(|set| set.get(fastrand::u64(..set.len().max(1)))), count) {
            (Some(element), _) => bulk(cx.reply, &element.first()),
            (None, Some(_)) => cx.reply.array(0),
            (None, None) => cx.reply.null(),
        }
        return Ok(());
    };
    if count < 0 {
        let times = count.unsigned_abs();
        cx.reply.array(usize::try_from(times).map_err(|_| Error::OUT_OF_RANGE)?);
        repeat(cx.reply, times, |reply| match set.get(fastrand::u64(..set.len().max(1))) {
            Some(element) => bulk(reply, &element.first()),
            None => reply.null(),
        });
        return Ok(());
    }
    let count = count.unsigned_abs();
    if count >= set.len() {
        cx.reply.array(set.len() as usize);
        set.iter().for_each(|element| bulk(cx.reply, &element.first()));
        return Ok(());
    }
    let mut ranks = sample(set.len(), count);
    fastrand::shuffle(&mut ranks);
    cx.reply.array(ranks.len());
    for rank in ranks {
        match set.get(rank) {
            Some(element) => bulk(cx.reply, &element.first()),
            None => cx.reply.null(),
        }
    }
    Ok(())
}
