//! Snapshots on request, and the server's end.

use crate::{
    command::{
        Args, CommandResult, Context, Error,
        shutdown::{abort, shut_down},
        spec::{Acl, Flags, Spec},
    },
    config::ShutdownOn,
    snapshot::Cancelled,
};

const IN_PROGRESS: Error = Error::new("ERR Background save already in progress");

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "save",
        arity: 1,
        flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::NO_ASYNC_LOADING).union(Flags::NO_MULTI),
        acl: Acl::ADMIN.union(Acl::SLOW).union(Acl::DANGEROUS),
        group: "server",
        summary: "Writes a snapshot and answers when it is on disk.",
        complexity: "O(N) where N is the size of the dataset",
        handler: save,
        ..Spec::DEFAULT
    },
    Spec {
        name: "bgsave",
        arity: -1,
        flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::NO_ASYNC_LOADING),
        acl: Acl::ADMIN.union(Acl::SLOW).union(Acl::DANGEROUS),
        group: "server",
        summary: "Writes a snapshot in the background.",
        syntax: "[SCHEDULE | CANCEL]",
        handler: bgsave,
        ..Spec::DEFAULT
    },
    Spec {
        name: "bgrewriteaof",
        arity: 1,
        flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::NO_ASYNC_LOADING),
        acl: Acl::ADMIN.union(Acl::SLOW).union(Acl::DANGEROUS),
        group: "server",
        summary: "Writes a snapshot in the background, which takes the place of the append-only file.",
        handler: bgrewriteaof,
        ..Spec::DEFAULT
    },
    Spec {
        name: "lastsave",
        arity: 1,
        flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
        acl: Acl::ADMIN.union(Acl::FAST).union(Acl::DANGEROUS),
        group: "server",
        summary: "Answers the Unix time of the last snapshot that succeeded.",
        tips: &["nondeterministic_output"],
        handler: lastsave,
        ..Spec::DEFAULT
    },
    Spec {
        name: "shutdown",
        arity: -1,
        flags: Flags::ADMIN
            .union(Flags::NOSCRIPT)
            .union(Flags::LOADING)
            .union(Flags::STALE)
            .union(Flags::NO_MULTI)
            .union(Flags::ALLOW_BUSY),
        acl: Acl::ADMIN.union(Acl::SLOW).union(Acl::DANGEROUS),
        group: "server",
        summary: "Saves, unless told otherwise, and ends the server.",
        complexity: "O(N) when saving, where N is the size of the dataset, otherwise O(1)",
        syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
        handler: shutdown,
        ..Spec::DEFAULT
    },
];

fn save(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let settings = cx.shared.config.current();
    let path = settings.snapshot_path();
    cx.shared.functions.keep_beside_snapshot(&settings);
    match cx.shared.saver.try_save(&cx.shared.keyspace, &path, &|| cx.shared.clock.now()) {
        None => Err(IN_PROGRESS),
        Some(Ok(report)) => {
            tracing::info!(path = %path.display(), bytes = report.bytes, "snapshot saved on disk");
            cx.reply.ok();
            Ok(())
        }
        Some(Err(error)) => {
            tracing::error!(path = %path.display(), %error, "saving the snapshot failed");
            Err(Error::new("ERR"))
        }
    }
}

fn bgsave(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let schedule = match args {
        [_] => false,
        [_, word] if word.eq_ignore_ascii_case(b"schedule") => true,
        [_, word] if word.eq_ignore_ascii_case(b"cancel") => {
            let text = match cx.shared.saver.cancel() {
                None => return Err(Error::new("ERR Background saving is currently not in progress or scheduled")),
                Some(Cancelled::Running) => "Background saving cancelled",
                Some(Cancelled::Scheduled) => "Scheduled background saving cancelled",
            };
            cx.reply.simple(text);
            return Ok(());
        }
        _ => return Err(Error::SYNTAX),
    };
    if cx.shared.saver.request() {
        cx.reply.simple("Background saving started");
    } else if schedule {
        cx.shared.saver.schedule();
        cx.reply.simple("Background saving scheduled");
    } else {
        return Err(IN_PROGRESS);
    }
    Ok(())
}

fn bgrewriteaof(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    if !cx.shared.saver.request_rewrite() {
        return Err(Error::new("ERR Background append only file rewriting already in progress"));
    }
    let scheduled = cx.shared.saver.status().is_rewrite_scheduled();
    cx.reply.simple(match scheduled {
        true => "Background append only file rewriting scheduled",
        false => "Background append only file rewriting started",
    });
    Ok(())
}

fn lastsave(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.reply.integer(cx.shared.saver.status().last_save_ms / 1000);
    Ok(())
}

fn shutdown(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut how = ShutdownOn::empty();
    let mut aborts = false;
    for word in &args[1..] {
        match word.to_ascii_lowercase().as_slice() {
            b"save" => how |= ShutdownOn::SAVE,
            b"nosave" => how |= ShutdownOn::NOSAVE,
            b"now" => how |= ShutdownOn::NOW,
            b"force" => how |= ShutdownOn::FORCE,
            b"abort" => aborts = true,
            _ => return Err(Error::SYNTAX),
        }
    }
    if how.contains(ShutdownOn::SAVE | ShutdownOn::NOSAVE) || aborts && !how.is_empty() {
        return Err(Error::SYNTAX);
    }
    if aborts {
        if !abort(cx.shared) {
            return Err(Error::new("ERR No shutdown in progress."));
        }
        cx.reply.ok();
        return Ok(());
    }
    tracing::info!("User requested shutdown...");
    if how.contains(ShutdownOn::NOSAVE) {
        cx.shared.scripts.busy.end_all();
    }
    shut_down(cx.shared, how).map_err(|_| Error::new("ERR Errors trying to SHUTDOWN. Check logs."))
}
