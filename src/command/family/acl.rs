//! ACL: users and what they may do.

use crate::{
    command::{
        Args, ClientHandle, CommandResult, Context, Error, Reply,
        acl::{self, DEFAULT_USER, Selector, User, Users},
        spec::{Acl, Flags, Spec},
        table,
    },
    config::{self, PubsubDefault},
    util::number::parse_i64,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const ROW: Spec = Spec {
    flags: Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
    acl: Acl::SLOW,
    group: "server",
    since: "6.0.0",
    ..Spec::DEFAULT
};
const ADMIN: Spec =
    Spec { flags: ROW.flags.union(Flags::ADMIN), acl: Acl::ADMIN.union(Acl::SLOW).union(Acl::DANGEROUS), ..ROW };
const EVERYWHERE: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

pub static COMMANDS: &[Spec] = &[Spec {
    name: "acl",
    arity: -2,
    flags: Flags::CONTAINER,
    summary: "Holds the commands on users and what they may do.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..ROW
}];

const SUBCOMMANDS: &[Spec] = &[
    Spec {
        name: "cat",
        arity: -2,
        summary: "Lists the categories of commands, or the commands of one.",
        syntax: "[category]",
        handler: cat,
        ..ROW
    },
    Spec {
        name: "deluser",
        arity: -3,
        summary: "Deletes users, and closes their connections.",
        syntax: "username [username ...]",
        tips: EVERYWHERE,
        handler: deluser,
        ..ADMIN
    },
    Spec {
        name: "dryrun",
        arity: -4,
        since: "7.0.0",
        summary: "Says whether a user may run a command, without running it.",
        syntax: "username command [arg [arg ...]]",
        handler: dryrun,
        ..ADMIN
    },
    Spec { name: "genpass", arity: -2, summary: "Makes a random password.", syntax: "[bits]", handler: genpass, ..ROW },
    Spec { name: "getuser", arity: 3, summary: "Describes a user.", syntax: "username", handler: getuser, ..ADMIN },
    Spec {
        name: "help",
        arity: 2,
        flags: Flags::LOADING.union(Flags::STALE),
        summary: "Says what its subcommands do.",
        handler: |cx, _| {
            super::help(cx, HELP);
            Ok(())
        },
        ..ROW
    },
    Spec { name: "list", arity: 2, summary: "Lists the users with their rules.", handler: list, ..ADMIN },
    Spec { name: "load", arity: 2, summary: "Takes the users of the file of users.", handler: load, ..ADMIN },
    Spec {
        name: "log",
        arity: -2,
        summary: "Lists what was refused to users.",
        syntax: "[count | RESET]",
        handler: log,
        ..ADMIN
    },
    Spec {
        name: "save",
        arity: 2,
        summary: "Writes the users to the file of users.",
        tips: EVERYWHERE,
        handler: save,
        ..ADMIN
    },
    Spec {
        name: "setuser",
        arity: -3,
        summary: "Makes a user, or changes what one may do.",
        syntax: "username [rule [rule ...]]",
        tips: EVERYWHERE,
        handler: setuser,
        ..ADMIN
    },
    Spec { name: "users", arity: 2, summary: "Lists the users' names.", handler: users, ..ADMIN },
    Spec {
        name: "whoami",
        arity: 2,
        summary: "Answers the user of the connection.",
        handler: |cx, _| {
            cx.reply.bulk(&cx.client.user.name);
            Ok(())
        },
        ..ROW
    },
];

const HELP: &[&str] = &[
    "CAT [<category>]",
    "    List the categories of commands, or the commands of one.",
    "DELUSER <username> [<username> ...]",
    "    Delete users, and close their connections.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Say whether a user may run a command, without running it.",
    "GENPASS [<bits>]",
    "    Make a random password, of 256 bits if nothing else is said.",
    "GETUSER <username>",
    "    Describe a user.",
    "LIST",
    "    List the users with their rules.",
    "LOAD",
    "    Take the users of the file of users in place of all there are.",
    "LOG [<count>|RESET]",
    "    List what was refused to users.",
    "SAVE",
    "    Write the users to the file of users.",
    "SETUSER <username> <rule> [<rule> ...]",
    "    Make a user, or change one.",
    "USERS",
    "    List the users' names.",
    "WHOAMI",
    "    The user of this connection.",
];

const GENPASS_BITS_MAX: i64 = 4096;
const LOG_DEFAULT: usize = 10;

fn cat(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let names: Vec<String> = match args {
        [_, _] => Acl::all().iter_names().map(|(name, _)| name.to_ascii_lowercase()).collect(),
        [_, _, category] => {
            let name = String::from_utf8_lossy(category);
            let Some(of) = Acl::from_name(&name.to_ascii_uppercase()) else {
                return Err(Error::text(format!("ERR Unknown category '{name:.128}'")));
            };
            let commands =
                table::all().iter().filter(|command| command.is_shown() && command.spec.categories().contains(of));
            commands.map(|command| command.full_name.clone()).collect()
        }
        _ => return Err(table::unknown_subcommand_or_arity(args)),
    };
    cx.reply.array(names.len());
    names.iter().for_each(|name| cx.reply.bulk(name.as_bytes()));
    Ok(())
}

fn genpass(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let bits = match args {
        [_, _] => 256,
        [_, _, bits] => parse_i64(bits).ok_or(Error::NOT_INTEGER)?,
        _ => return Err(table::unknown_subcommand_or_arity(args)),
    };
    if !(1..=GENPASS_BITS_MAX).contains(&bits) {
        return Err(Error::new(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
        ));
    }
    let mut random = vec![0u8; (bits as usize).div_ceil(8)];
    let mut filled = 0;
    while let Some(rest) = random.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let flags = rustix::rand::GetRandomFlags::empty();
        filled += rustix::rand::getrandom(rest, flags).map_err(|_| Error::new("ERR no randomness to be had"))?;
    }
    // One digit for every four bits.
    let mut password = acl::hex(&random);
    password.truncate((bits as usize).div_ceil(4));
    cx.reply.bulk(password.as_bytes());
    Ok(())
}

fn deluser(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    redact(cx, args);
    if args[2..].contains(&DEFAULT_USER) {
        return Err(Error::new("ERR The 'default' user cannot be removed"));
    }
    let removed: Vec<&&[u8]> = args[2..].iter().filter(|name| cx.shared.users.remove(name)).collect();
    cx.shared.config.touch();
    close_clients(cx, &|user| removed.iter().any(|name| user == **name));
    cx.reply.integer(removed.len() as i64);
    Ok(())
}

/// Closes the connections of users. One's own waits for the reply.
fn close_clients(cx: &mut Context<'_>, of: &dyn Fn(&[u8]) -> bool) {
    let me = cx.client.handle.id;
    for client in cx.shared.clients.all() {
        if of(&client.names.lock().user) && client.id != me {
            client.kill();
        }
    }
    cx.client.closing |= of(&cx.client.user.name);
}

/// Closes the connections that have subscribed to what their user may no longer listen to.
fn close_subscribers(cx: &mut Context<'_>, of: Option<&User>) {
    let shared = cx.shared;
    let lost = |client: &ClientHandle, channel: &[u8], is_pattern: bool| {
        let name = client.names.lock().user.clone();
        let user = match of {
            Some(user) if *user.name == *name => Some(user.clone()),
            Some(_) => return false,
            None => shared.users.get(&name).map(|user| User::clone(&user)),
        };
        !user.is_some_and(|user| user.may_access_channel(channel, is_pattern))
    };
    for client in shared.pubsub.subscribers_that(&lost) {
        if client.id == cx.client.handle.id {
            cx.client.closing = true;
        } else {
            client.kill();
        }
    }
}

/// Users are nobody's business who watches.
fn redact(cx: &mut Context<'_>, args: &Args<'_>) {
    (2..args.len()).for_each(|at| cx.redact(at));
}

fn setuser(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    redact(cx, args);
    let name = args[2];
    if !acl::is_one_word(name) {
        return Err(Error::new("ERR Usernames can't contain spaces or null characters"));
    }
    let rules = acl::merge_selectors(&args[3..])
        .map_err(|start| Error::quoting("ERR Unmatched parenthesis in acl selector starting at '", start, "'."))?;
    let user = cx.shared.users.set(name, &rules, all_channels(cx)).map_err(|(at, error)| {
        Error::quoting("ERR Error in ACL SETUSER modifier '", &rules[at], &format!("': {}", error.text()))
    })?;
    cx.shared.config.touch();
    if !user.is_unlimited() {
        close_subscribers(cx, Some(&user));
    }
    cx.reply.ok();
    Ok(())
}

fn all_channels(cx: &Context<'_>) -> bool {
    cx.client.settings.acl_pubsub_default == PubsubDefault::All
}

fn dryrun(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let Some(user) = cx.shared.users.get(args[2]) else {
        return Err(Error::quoting("ERR User '", args[2], "' not found"));
    };
    let request = &args[3..];
    let command = table::resolve(request).map_err(|refusal| match refusal.command {
        Some(_) => refusal.error,
        None => Error::quoting("ERR Command '", args[3], "' not found"),
    })?;
    match acl::may_run(&user, command, request) {
        Ok(()) => cx.reply.ok(),
        Err(denial) => cx.reply.bulk(denial.explain(&user, command, request).as_bytes()),
    }
    Ok(())
}

fn getuser(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    redact(cx, args);
    let Some(user) = cx.shared.users.get(args[2]) else {
        cx.reply.null();
        return Ok(());
    };
    let reply = &mut cx.reply;
    reply.map(6);
    reply.bulk(b"flags");
    let flags = user.flags();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    let hashes = user.hashes();
    reply.array(hashes.len());
    hashes.iter().for_each(|hash| reply.bulk(hash.as_bytes()));
    describe(*reply, &user.root);
    reply.bulk(b"selectors");
    reply.array(user.selectors.len());
    for selector in &user.selectors {
        reply.map(3);
        describe(*reply, selector);
    }
    Ok(())
}

fn describe(reply: &mut dyn Reply, selector: &Selector) {
    reply.bulk(b"commands");
    reply.bulk(selector.commands_text().as_bytes());
    reply.bulk(b"keys");
    reply.bulk(&selector.keys_text());
    reply.bulk(b"channels");
    reply.bulk(&selector.channels_text());
}

fn list(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let lines = cx.shared.users.lines();
    cx.reply.array(lines.len());
    lines.iter().for_each(|line| cx.reply.bulk(line));
    Ok(())
}

fn users(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let users = cx.shared.users.all();
    cx.reply.array(users.len());
    users.iter().for_each(|user| cx.reply.bulk(&user.name));
    Ok(())
}

fn log(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let count = match args {
        [_, _] => LOG_DEFAULT,
        [_, _, word] if word.eq_ignore_ascii_case(b"reset") => {
            cx.shared.users.log.clear();
            cx.reply.ok();
            return Ok(());
        }
        [_, _, count] => usize::try_from(parse_i64(count).ok_or(Error::NOT_INTEGER)?).unwrap_or(0),
        _ => return Err(table::unknown_subcommand_or_arity(args)),
    };
    let entries = cx.shared.users.log.latest(count);
    let (now, reply) = (cx.now, &mut cx.reply);
    reply.array(entries.len());
    for entry in entries {
        reply.map(10);
        reply.bulk(b"count");
        reply.integer(entry.count as i64);
        let texts: [(&str, &[u8]); 4] = [
            ("reason", entry.reason.name().as_bytes()),
            ("context", entry.context.name().as_bytes()),
            ("object", &entry.object),
            ("username", &entry.user),
        ];
        for (field, text) in texts {
            reply.bulk(field.as_bytes());
            reply.bulk(text);
        }
        reply.bulk(b"age-seconds");
        reply.double((now - entry.updated) as f64 / 1000.0);
        reply.bulk(b"client-info");
        reply.bulk(entry.client.as_bytes());
        let numbers = [
            ("entry-id", entry.id as i64),
            ("timestamp-created", entry.created),
            ("timestamp-last-updated", entry.updated),
        ];
        for (field, number) in numbers {
            reply.bulk(field.as_bytes());
            reply.integer(number);
        }
    }
    Ok(())
}

/// Where the file of users is.
fn file(cx: &Context<'_>) -> Result<PathBuf, Error> {
    let settings = &cx.client.settings;
    if settings.acl_file.is_empty() {
        return Err(Error::new(
            "ERR This instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER \
             command and then issue a CONFIG REWRITE (assuming you have a configuration file set) in order to store \
             users in the configuration.",
        ));
    }
    Ok(settings.resolve(Path::new(&settings.acl_file)))
}

fn load(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let (path, name) = (file(cx)?, cx.client.settings.acl_file.clone());
    let text = fs::read(&path).map_err(|error| {
        let reason = config::system_error(&error);
        Error::text(format!("ERR Error loading ACLs, opening file '{name}': {reason}"))
    })?;
    cx.shared.users.load(&name, &text, all_channels(cx)).map_err(|errors| Error::text(format!("ERR {errors}")))?;
    cx.shared.config.touch();
    let shared = cx.shared;
    close_clients(cx, &|user| shared.users.get(user).is_none());
    close_subscribers(cx, None);
    cx.reply.ok();
    Ok(())
}

fn save(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let path = file(cx)?;
    let mut text = cx.shared.users.lines().join(&b'\n');
    text.push(b'\n');
    config::replace_file(&path, &text).map_err(|error| {
        tracing::warn!(path = %path.display(), %error, "ACL SAVE failed");
        Error::new("ERR There was an error trying to save the ACLs. Please check the server logs for more information")
    })?;
    cx.reply.ok();
    Ok(())
}

/// The lines of CONFIG REWRITE: none while all is as `requirepass` alone makes it.
pub(super) fn lines_to_keep(users: &Users) -> Vec<String> {
    let all = users.all();
    let plain = |user: &User| *user.name == *DEFAULT_USER && user.is_unlimited() && user.on;
    if all.iter().all(|user| plain(user)) {
        return Vec::new();
    }
    all.iter().map(|user| String::from_utf8_lossy(&user.line()).into_owned()).collect()
}
