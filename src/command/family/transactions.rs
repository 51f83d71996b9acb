//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.

use crate::command::{
    Args, CommandResult, Context, Error, dispatch,
    spec::{Acl, Flags, KeyFlags, KeySpec, Spec},
    transaction::Watched,
};
use std::sync::atomic::Ordering::SeqCst;

/// Runs at once, whatever state the server is in.
const ALWAYS: Flags = Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE);
const ROW: Spec = Spec { acl: Acl::TRANSACTION, group: "transactions", ..Spec::DEFAULT };

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "multi",
        flags: ALWAYS.union(Flags::FAST).union(Flags::ALLOW_BUSY).union(Flags::NOT_QUEUED),
        since: "1.2.0",
        summary: "Begins a transaction.",
        handler: multi,
        ..ROW
    },
    Spec {
        name: "exec",
        flags: ALWAYS
            .union(Flags::SKIP_SLOWLOG)
            .union(Flags::NOT_QUEUED)
            .union(Flags::QUEUED_KEYS)
            .union(Flags::WATCHED_KEYS),
        since: "1.2.0",
        summary: "Runs all commands of a transaction.",
        complexity: "Depends on the commands of the transaction",
        handler: exec,
        ..ROW
    },
    Spec {
        name: "discard",
        flags: ALWAYS.union(Flags::FAST).union(Flags::ALLOW_BUSY).union(Flags::NOT_QUEUED).union(Flags::WATCHED_KEYS),
        since: "2.0.0",
        summary: "Drops a transaction.",
        complexity: "O(N), when N is the number of queued commands",
        handler: discard,
        ..ROW
    },
    Spec {
        name: "watch",
        arity: -2,
        flags: ALWAYS.union(Flags::FAST).union(Flags::ALLOW_BUSY).union(Flags::NOT_QUEUED),
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
        since: "2.2.0",
        summary: "Lets the next transaction run only if the keys stay unchanged.",
        complexity: "O(1) for every key.",
        syntax: "key [key ...]",
        handler: watch,
        ..ROW
    },
    Spec {
        name: "unwatch",
        flags: ALWAYS.union(Flags::FAST).union(Flags::ALLOW_BUSY).union(Flags::WATCHED_KEYS),
        since: "2.2.0",
        summary: "Forgets the watched keys.",
        handler: unwatch,
        ..ROW
    },
];

fn multi(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    if cx.client.transaction.is_some() {
        return Err(Error::new("ERR MULTI calls can not be nested"));
    }
    cx.client.transaction = Some(Box::default());
    cx.client.publish_transaction();
    cx.reply.ok();
    Ok(())
}

fn exec(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let Some(transaction) = cx.client.transaction.take() else {
        return Err(Error::new("ERR EXEC without MULTI"));
    };
    // A watched key that has expired by now has changed, even if nobody has looked at it since.
    for at in 0..cx.client.watched.len() {
        let Watched { db, key } = &cx.client.watched[at];
        cx.keys.db(*db).peek(key);
    }
    let changed = cx.client.handle.watch_dirty.load(SeqCst);
    cx.client.unwatch(&mut cx.keys);
    if transaction.failed {
        cx.client.publish_transaction();
        return Err(Error::new("EXECABORT Transaction discarded because of previous errors."));
    }
    if changed {
        cx.client.publish_transaction();
        cx.reply.null_array();
        return Ok(());
    }
    let (command, spec) = (cx.command, cx.spec);
    (cx.client.in_exec, cx.client.may_wait, cx.client.time_told) = (true, false, None);
    cx.reply.array(transaction.len());
    transaction.for_each(|queued, args| {
        (cx.command, cx.spec) = (queued, queued.spec);
        match dispatch::still_allowed(cx, args) {
            Ok(()) => dispatch::call(cx, args),
            Err(error) => cx.reply.error(&error.0),
        }
    });
    cx.client.in_exec = false;
    (cx.command, cx.spec) = (command, spec);
    cx.client.publish_transaction();
    Ok(())
}

fn discard(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    if cx.client.transaction.take().is_none() {
        return Err(Error::new("ERR DISCARD without MULTI"));
    }
    cx.client.unwatch(&mut cx.keys);
    cx.client.publish_transaction();
    cx.reply.ok();
    Ok(())
}

fn watch(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    if cx.client.transaction.is_some() {
        return Err(Error::new("ERR WATCH inside MULTI is not allowed"));
    }
    let db = cx.client.db;
    for key in &args[1..] {
        if cx.keys.watch(db, key, &cx.client.handle.watch_dirty) {
            cx.client.watched.push(Watched { db, key: (*key).into() });
        }
    }
    cx.client.publish_watched();
    cx.reply.ok();
    Ok(())
}

fn unwatch(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.client.unwatch(&mut cx.keys);
    cx.reply.ok();
    Ok(())
}
