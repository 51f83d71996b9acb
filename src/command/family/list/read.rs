//! LLEN, LINDEX, LRANGE, LPOS.

use super::bulk;
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::{integer, is_word},
    },
    keyspace::Type,
    types::{list::List, packed},
};

pub fn llen(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let len = cx.keys.db(cx.client.db).view(args[1], Type::List)?.map_or(0, |view| List::new(view).len());
    cx.reply.integer(len as i64);
    Ok(())
}

pub fn lindex(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let Some(view) = db.view(args[1], Type::List)? else {
        cx.reply.null();
        return Ok(());
    };
    let list = List::new(view);
    match list.rank(integer(args[2])?).and_then(|rank| list.get(rank)) {
        Some(value) => bulk(cx.reply, &value),
        None => cx.reply.null(),
    }
    Ok(())
}

pub fn lrange(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    let mut db = cx.keys.db(cx.client.db);
    let Some(view) = db.view(args[1], Type::List)? else {
        cx.reply.array(0);
        return Ok(());
    };
    let list = List::new(view);
    let ranks = list.ranks(start, stop);
    let count = (ranks.end - ranks.start) as usize;
    cx.reply.array(count);
    list.iter(ranks.start).take(count).for_each(|element| bulk(cx.reply, &element.first()));
    Ok(())
}

/// What LPOS looks for.
struct Search {
    /// The first matches that do not count.
    skip: usize,
    from_end: bool,
    /// How many are asked for (0: all), if that was said.
    count: Option<u64>,
    /// How many elements to look at, at most.
    looks: u64,
}

impl Search {
    fn parse(words: &[&[u8]]) -> Result<Search, Error> {
        let natural =
            |word: &[u8], text| integer(word).ok().and_then(|n| u64::try_from(n).ok()).ok_or(Error::new(text));
        let mut search = Search { skip: 0, from_end: false, count: None, looks: u64::MAX };
        let mut words = words.iter();
        while let Some(option) = words.next() {
            let value = words.next().ok_or(Error::SYNTAX)?;
            if is_word(option, "rank") {
                let rank = integer(value)?;
                if rank == 0 {
                    return Err(Error::new(
                        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                         negative to start from the end of the list",
                    ));
                }
                if rank == i64::MIN {
                    return Err(Error::NO_OPPOSITE);
                }
                search.from_end = rank < 0;
                search.skip = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
            } else if is_word(option, "count") {
                search.count = Some(natural(value, "ERR COUNT can't be negative")?);
            } else if is_word(option, "maxlen") {
                search.looks =
                    Some(natural(value, "ERR MAXLEN can't be negative")?).filter(|n| *n > 0).unwrap_or(u64::MAX);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(search)
    }

    /// The indexes of what is found.
    fn run(&self, list: &List<'_>, value: &[u8]) -> Vec<u64> {
        let value = packed::encoded(value);
        let looks = usize::try_from(self.looks).unwrap_or(usize::MAX);
        let most = match self.count {
            None => 1,
            Some(0) => usize::MAX,
            Some(count) => usize::try_from(count).unwrap_or(usize::MAX),
        };
        let is_match = |element: &packed::Element<'_>| *element.encoded() == *value;
        let len = list.len();
        if self.from_end {
            let matches = (0..len).rev().zip(list.iter_back()).take(looks).filter(|(_, element)| is_match(element));
            matches.map(|(rank, _)| rank).skip(self.skip).take(most).collect()
        } else {
            let matches = (0..len).zip(list.iter(0)).take(looks).filter(|(_, element)| is_match(element));
            matches.map(|(rank, _)| rank).skip(self.skip).take(most).collect()
        }
    }
}

pub fn lpos(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let search = Search::parse(&args[3..])?;
    let mut db = cx.keys.db(cx.client.db);
    let view = db.view(args[1], Type::List)?;
    let found = view.map(|view| search.run(&List::new(view), args[2])).unwrap_or_default();
    match (search.count, found.first()) {
        (None, Some(rank)) => cx.reply.integer(*rank as i64),
        (None, None) => cx.reply.null(),
        (Some(_), _) => {
            cx.reply.array(found.len());
            found.iter().for_each(|rank| cx.reply.integer(*rank as i64));
        }
    }
    Ok(())
}
