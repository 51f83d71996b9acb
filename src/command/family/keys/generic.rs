//! Existence, names, databases.

use crate::{
    command::{Args, CommandResult, Context, Error},
    config::KeyspaceEvents,
    keyspace::{Item, Type},
    types::Ahead,
    util::number::parse_i64,
};

pub fn del(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut removed = 0;
    for key in &args[1..] {
        if cx.keys.db(cx.client.db).remove(key) {
            cx.notify_generic("del", key);
            removed += 1;
        }
    }
    cx.reply.integer(removed);
    Ok(())
}

pub fn exists(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    count(cx, args, true)
}

pub fn touch(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    // Also under CLIENT NO-TOUCH: to touch is all it is for.
    count(cx, args, false)
}

fn count(cx: &mut Context<'_>, args: &Args<'_>, no_touch: bool) -> CommandResult {
    cx.keys.set_no_touch(no_touch);
    let mut db = cx.keys.db(cx.client.db);
    let found = args[1..].iter().filter(|key| db.touch(key)).count();
    // Inside EXEC the next command goes on with these locks.
    cx.keys.set_no_touch(cx.client.no_touch);
    cx.reply.integer(found as i64);
    Ok(())
}

/// Looks at a key: one that is not there is missed, one that is there does not count as used.
pub(super) fn look<R>(cx: &mut Context<'_>, key: &[u8], see: impl FnOnce(Option<Item<'_>>) -> R) -> R {
    cx.keys.set_no_touch(true);
    let seen = see(cx.keys.db(cx.client.db).read(key));
    // Inside EXEC the next command goes on with these locks.
    cx.keys.set_no_touch(cx.client.no_touch);
    seen
}

pub fn kind(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let name = look(cx, args[1], |item| item.map_or("none", |item| item.kind.name()));
    cx.reply.simple(name);
    Ok(())
}

pub fn rename(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let number = cx.client.db;
    let mut db = cx.keys.db(number);
    if db.peek(args[1]).is_none() {
        return Err(Error::NO_SUCH_KEY);
    }
    if args[1] != args[2] {
        let before = cx.kind_before(number, args[2]);
        cx.keys.db(number).transfer(args[1], number, args[2], false)?;
        notify_rename(cx, args);
        notify_transferred(cx, number, args[2], before);
    }
    cx.reply.ok();
    Ok(())
}

pub fn renamenx(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let number = cx.client.db;
    let mut db = cx.keys.db(number);
    if db.peek(args[1]).is_none() {
        return Err(Error::NO_SUCH_KEY);
    }
    let free = db.peek(args[2]).is_none();
    if free {
        db.transfer(args[1], number, args[2], false)?;
        notify_rename(cx, args);
    }
    cx.reply.integer(free.into());
    Ok(())
}

pub fn copy(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (from, to) = (args[1], args[2]);
    let mut to_db = cx.client.db;
    let mut replace = false;
    let mut words = args[3..].iter();
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case(b"replace") {
            replace = true;
        } else if word.eq_ignore_ascii_case(b"db") {
            to_db = database(cx, words.next().ok_or(Error::SYNTAX)?)?;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    if from == to && to_db == cx.client.db {
        return Err(SAME_OBJECT);
    }
    if cx.keys.is_looking() {
        cx.keys.go_ahead(to_db, to, Ahead { adds: 1, ..Ahead::default() });
        return Ok(());
    }
    let is_there = cx.keys.db(cx.client.db).read(from).is_some();
    let before = cx.kind_before(to_db, to);
    let may_copy = is_there && (replace || cx.keys.db(to_db).peek(to).is_none());
    let copied = may_copy && cx.keys.db(cx.client.db).transfer(from, to_db, to, true)?;
    if copied {
        cx.notify_in(to_db, KeyspaceEvents::GENERIC, "copy_to", to);
        notify_transferred(cx, to_db, to, before);
    }
    cx.reply.integer(copied.into());
    Ok(())
}

fn notify_rename(cx: &mut Context<'_>, args: &Args<'_>) {
    cx.notify_generic("rename_from", args[1]);
    cx.notify_generic("rename_to", args[2]);
}

/// A value has come to `key` from elsewhere; publishes it if one that was there before has gone.
pub(super) fn notify_transferred(cx: &mut Context<'_>, db: usize, key: &[u8], before: Option<Type>) {
    if let Some(kind) = before.and_then(|_| cx.keys.db(db).peek(key).map(|item| item.kind)) {
        cx.notify_overwritten(db, key, before, kind);
    }
}

const SAME_OBJECT: Error = Error::new("ERR source and destination objects are the same");

/// The number of a database as an argument.
pub fn database(cx: &Context<'_>, word: &[u8]) -> Result<usize, Error> {
    let number = parse_i64(word).ok_or(Error::NOT_INTEGER)?;
    let number = i32::try_from(number)
        .map_err(|_| Error::new("ERR value is out of range, value must between -2147483648 and 2147483647"))?;
    usize::try_from(number)
        .ok()
        .filter(|number| *number < cx.shared.keyspace.databases())
        .ok_or(Error::new("ERR DB index is out of range"))
}

pub fn move_key(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let to_db = database(cx, args[2])?;
    if to_db == cx.client.db {
        return Err(SAME_OBJECT);
    }
    if cx.keys.is_looking() {
        cx.keys.go_ahead(to_db, args[1], Ahead { adds: 1, ..Ahead::default() });
        return Ok(());
    }
    let free = cx.keys.db(to_db).peek(args[1]).is_none();
    let moved = free && cx.keys.db(cx.client.db).transfer(args[1], to_db, args[1], false)?;
    if moved {
        cx.notify_generic("move_from", args[1]);
        cx.notify_in(to_db, KeyspaceEvents::GENERIC, "move_to", args[1]);
    }
    cx.reply.integer(moved.into());
    Ok(())
}

pub fn randomkey(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let mut key = Vec::new();
    if cx.keys.random_key(cx.client.db, &mut key) {
        cx.reply.bulk(&key);
    } else {
        cx.reply.null();
    }
    Ok(())
}

pub fn dbsize(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let keys = cx.keys.db_stats(cx.client.db).keys;
    cx.reply.integer(keys as i64);
    Ok(())
}

pub fn flushdb(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    flush(cx, args, Some(cx.client.db))?;
    cx.reply.ok();
    Ok(())
}

pub fn flushall(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    flush(cx, args, None)?;
    // Where snapshots are taken, the next start must not bring back what was deleted.
    if !cx.client.settings.save.is_empty() {
        match cx.client.stands_in {
            true => cx.shared.saver.schedule(),
            false => cx.client.owes_snapshot = true,
        }
    }
    cx.reply.ok();
    Ok(())
}

/// What is flushed goes by the page, whatever is asked for; where Redis has another thread free it, it counts as lazy.
fn flush(cx: &mut Context<'_>, args: &Args<'_>, db: Option<usize>) -> CommandResult {
    let lazily = match args {
        [_, word] if word.eq_ignore_ascii_case(b"async") => true,
        [_, word] if !word.eq_ignore_ascii_case(b"sync") => return Err(Error::SYNTAX),
        [_] | [_, _] => !cx.client.in_exec && !cx.client.in_script,
        _ => return Err(Error::SYNTAX),
    };
    if lazily {
        cx.keys.flush_lazily(db);
    } else {
        cx.keys.flush(db);
    }
    Ok(())
}

pub fn swapdb(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let first =
        parse_i64(args[1]).and_then(|n| i32::try_from(n).ok()).ok_or(Error::new("ERR invalid first DB index"))?;
    let second =
        parse_i64(args[2]).and_then(|n| i32::try_from(n).ok()).ok_or(Error::new("ERR invalid second DB index"))?;
    let range = 0..cx.shared.keyspace.databases() as i32;
    if !range.contains(&first) || !range.contains(&second) {
        return Err(Error::new("ERR DB index is out of range"));
    }
    cx.keys.swap_databases(first as usize, second as usize);
    cx.reply.ok();
    Ok(())
}
