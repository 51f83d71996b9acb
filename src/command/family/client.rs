//! CLIENT: connections as objects.

use super::client_tracking;
use crate::{
    command::{
        Args, CommandResult, Context, Error, ReplyMode,
        blocking::{self, Unblock},
        client_list::{Filter, describe},
        handle::State,
        pause::Paused,
        spec::{Acl, Flags, Spec},
    },
    util::number::parse_i64,
};

const ALWAYS: Flags = Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE);
const ADMIN: Flags = ALWAYS.union(Flags::ADMIN);
const ROW: Spec = Spec { flags: ALWAYS, acl: Acl::CONNECTION, group: "connection", ..Spec::DEFAULT };
const ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const CHANGING: &[&str] = &["nondeterministic_output"];

pub static COMMANDS: &[Spec] = &[Spec {
    name: "client",
    arity: -2,
    flags: Flags::CONTAINER,
    group: "connection",
    since: "2.4.0",
    summary: "Looks at connections and steers them.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::DEFAULT
}];

const SUBCOMMANDS: &[Spec] = &[
    Spec {
        name: "caching",
        arity: 3,
        since: "6.0.0",
        summary: "Says whether the keys of the next command are tracked.",
        syntax: "YES | NO",
        handler: client_tracking::caching,
        ..ROW
    },
    Spec {
        name: "tracking",
        arity: -3,
        since: "6.0.0",
        summary: "Has the connection told when keys it has read change.",
        complexity: "O(1). Some options may introduce additional complexity.",
        syntax: "ON | OFF [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
        handler: client_tracking::tracking,
        ..ROW
    },
    Spec {
        name: "trackinginfo",
        arity: 2,
        since: "6.2.0",
        summary: "Says how the connection tracks keys.",
        handler: client_tracking::tracking_info,
        ..ROW
    },
    Spec {
        name: "capa",
        arity: -3,
        since: "8.0.0",
        summary: "Says what the client is able to do.",
        syntax: "capability [capability ...]",
        // The one known ability is to follow redirections, which are never sent.
        handler: |cx, _| {
            cx.reply.ok();
            Ok(())
        },
        ..ROW
    },
    Spec {
        name: "getname",
        arity: 2,
        since: "2.6.9",
        summary: "Answers the connection's name.",
        handler: getname,
        ..ROW
    },
    Spec {
        name: "getredir",
        arity: 2,
        since: "6.0.0",
        summary: "Answers the client that tracking notifications are redirected to.",
        handler: client_tracking::getredir,
        ..ROW
    },
    Spec {
        name: "help",
        arity: 2,
        flags: Flags::LOADING.union(Flags::STALE),
        since: "5.0.0",
        summary: "Says what its subcommands do.",
        handler: |cx, _| {
            super::help(cx, HELP);
            Ok(())
        },
        ..ROW
    },
    Spec {
        name: "id",
        arity: 2,
        since: "5.0.0",
        summary: "Answers the connection's number.",
        handler: |cx, _| {
            cx.reply.integer(cx.client.handle.id as i64);
            Ok(())
        },
        ..ROW
    },
    Spec {
        name: "import-source",
        arity: 3,
        since: "8.1.0",
        summary: "Chooses whether the connection is the one that keys are imported through.",
        syntax: "ON | OFF",
        handler: import_source,
        ..ROW
    },
    Spec {
        name: "info",
        arity: 2,
        since: "6.2.0",
        summary: "Describes the connection.",
        tips: CHANGING,
        handler: info,
        ..ROW
    },
    Spec {
        name: "kill",
        arity: -3,
        flags: ADMIN,
        since: "2.4.0",
        summary: "Closes connections.",
        complexity: "O(N) where N is the number of client connections",
        syntax: "ip:port | [ID client-id [client-id ...]] [TYPE NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB] \
                 [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME YES | NO] [MAXAGE maxage]",
        handler: kill,
        ..ROW
    },
    Spec {
        name: "list",
        arity: -2,
        flags: ADMIN,
        since: "2.4.0",
        summary: "Describes the connections.",
        complexity: "O(N) where N is the number of client connections",
        syntax: "[TYPE NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB] [ID client-id [client-id ...]] \
                 [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME YES | NO] [MAXAGE maxage]",
        tips: CHANGING,
        handler: list,
        ..ROW
    },
    Spec {
        name: "no-evict",
        arity: 3,
        flags: ADMIN,
        since: "7.0.0",
        summary: "Protects the connection from being closed for its memory.",
        syntax: "ON | OFF",
        handler: no_evict,
        ..ROW
    },
    Spec {
        name: "no-touch",
        arity: 3,
        since: "7.2.0",
        summary: "Chooses whether the connection's reads count as use of a key.",
        syntax: "ON | OFF",
        handler: no_touch,
        ..ROW
    },
    Spec {
        name: "pause",
        arity: -3,
        flags: ADMIN,
        since: "3.0.0",
        summary: "Has commands wait for a time.",
        syntax: "timeout [WRITE | ALL]",
        handler: pause,
        ..ROW
    },
    Spec {
        name: "reply",
        arity: 3,
        since: "3.2.0",
        summary: "Chooses whether the connection is answered.",
        syntax: "ON | OFF | SKIP",
        handler: reply,
        ..ROW
    },
    Spec {
        name: "setinfo",
        arity: 4,
        since: "7.2.0",
        summary: "Tells which library the client uses.",
        syntax: "LIB-NAME libname | LIB-VER libver",
        tips: ALL_NODES,
        handler: setinfo,
        ..ROW
    },
    Spec {
        name: "setname",
        arity: 3,
        since: "2.6.9",
        summary: "Gives the connection a name.",
        syntax: "connection-name",
        tips: ALL_NODES,
        handler: setname,
        ..ROW
    },
    Spec {
        name: "unblock",
        arity: -3,
        flags: ADMIN,
        since: "5.0.0",
        summary: "Ends the blocking command that a client waits in.",
        complexity: "O(log N) where N is the number of client connections",
        syntax: "client-id [TIMEOUT | ERROR]",
        handler: unblock,
        ..ROW
    },
    Spec {
        name: "unpause",
        arity: 2,
        flags: ADMIN,
        since: "6.2.0",
        summary: "Lets waiting commands go on.",
        complexity: "O(N) Where N is the number of paused clients",
        handler: unpause,
        ..ROW
    },
];

const HELP: &[&str] = &[
    "CACHING (YES|NO)",
    "    Say whether the keys of the next command are tracked, in mode OPTIN or OPTOUT.",
    "CAPA <option> [<option> ...]",
    "    Say what the client is able to do. Options are:",
    "    * REDIRECT",
    "      It follows redirections.",
    "GETNAME",
    "    Answer the name of this connection.",
    "GETREDIR",
    "    Answer the client that tracking notifications are redirected to.",
    "ID",
    "    Answer the number of this connection.",
    "INFO",
    "    Describe this connection.",
    "KILL <ip:port>",
    "    Close the connection from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Close the connections that meet all conditions:",
    "    * ADDR (<ip:port>|<unixsocket>:0): made from this address.",
    "    * LADDR (<ip:port>|<unixsocket>:0): made to this address.",
    "    * TYPE (NORMAL|PRIMARY|REPLICA|PUBSUB): of this type.",
    "    * USER <username>: of this user.",
    "    * SKIPME (YES|NO): without this connection (default: yes).",
    "    * ID <client-id> [<client-id> ...]: with one of these numbers.",
    "    * MAXAGE <seconds>: at least this old.",
    "    * IDLE <seconds>: idle for at least so long.",
    "    * FLAGS <flags>: with all of these flags.",
    "    * NAME, LIB-NAME, LIB-VER <text>: called so.",
    "    * DB <index>: with this database selected.",
    "    * IP <address>: from this address, whatever the port.",
    "    * NOT-<condition> <value>: for which the condition does not hold.",
    "LIST [<option> <value> [...]]",
    "    Describe connections, those that meet all conditions. Options are those of KILL (SKIPME's default: no).",
    "NO-EVICT (ON|OFF)",
    "    Protect this connection from being closed for its memory.",
    "IMPORT-SOURCE (ON|OFF)",
    "    In 'import-mode': whether expired keys are there for this connection.",
    "NO-TOUCH (ON|OFF)",
    "    Choose whether this connection's reads count as use of a key.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Have all commands, or those that write, wait for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Choose whether this connection is answered.",
    "SETINFO <option> <value>",
    "    Tell about the client. Options are:",
    "    * LIB-NAME: the library's name.",
    "    * LIB-VER: the library's version.",
    "SETNAME <name>",
    "    Give this connection a name.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Choose whether this connection is told when keys it has read change.",
    "TRACKINGINFO",
    "    Say how this connection tracks keys.",
    "UNBLOCK <client-id> [TIMEOUT|ERROR]",
    "    End the blocking command that a client waits in.",
    "UNPAUSE",
    "    Let waiting commands go on.",
];

pub(super) const BAD_NAME: Error =
    Error::new("ERR Client names cannot contain spaces, newlines or special characters.");

/// A word that does not break the lines of CLIENT LIST.
pub(super) fn printable(word: &[u8]) -> Option<String> {
    word.iter().all(u8::is_ascii_graphic).then(|| String::from_utf8_lossy(word).into_owned())
}

fn on_or_off(word: &[u8]) -> Result<bool, Error> {
    match word.to_ascii_lowercase().as_slice() {
        b"on" => Ok(true),
        b"off" => Ok(false),
        _ => Err(Error::SYNTAX),
    }
}

fn getname(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let names = cx.client.handle.names.lock();
    if names.client.is_empty() {
        cx.reply.null();
    } else {
        cx.reply.bulk(names.client.as_bytes());
    }
    Ok(())
}

fn setname(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.client.handle.names.lock().client = printable(args[2]).ok_or(BAD_NAME)?;
    cx.reply.ok();
    Ok(())
}

fn setinfo(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let attribute = args[2];
    let mut names = cx.client.handle.names.lock();
    let place = match attribute.to_ascii_lowercase().as_slice() {
        b"lib-name" => &mut names.library,
        b"lib-ver" => &mut names.library_version,
        _ => return Err(Error::quoting("ERR Unrecognized option '", attribute, "'")),
    };
    *place = printable(args[3])
        .ok_or_else(|| Error::quoting("ERR ", attribute, " cannot contain spaces, newlines or special characters."))?;
    drop(names);
    cx.reply.ok();
    Ok(())
}

fn info(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let mut text = String::new();
    describe(&mut text, &cx.client.handle, cx.client.handle.id, cx.now);
    text.push('\n');
    cx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn list(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    if args.len() == 3 {
        return Err(Error::SYNTAX);
    }
    let filter = Filter::parse(&args[2..], &cx.shared.users, false)?;
    let mut text = String::new();
    for client in cx.shared.clients.all() {
        if filter.matches(&client, cx.client.handle.id, cx.now) {
            describe(&mut text, &client, cx.client.handle.id, cx.now);
            text.push('\n');
        }
    }
    cx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// CLIENT KILL addr, or CLIENT KILL option value ...
fn kill(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let by_address = args.len() == 3;
    let filter = if by_address { Filter::address(args[2]) } else { Filter::parse(&args[2..], &cx.shared.users, true)? };
    let me = cx.client.handle.id;
    let mut killed = 0;
    for client in cx.shared.clients.all() {
        if filter.matches(&client, me, cx.now) {
            killed += 1;
            if client.id == me {
                // One's own end waits for the reply.
                cx.client.closing = true;
            } else {
                client.kill();
            }
        }
    }
    match (by_address, killed) {
        (true, 0) => return Err(Error::new("ERR No such client")),
        (true, _) => cx.reply.ok(),
        (false, _) => cx.reply.integer(killed),
    }
    Ok(())
}

fn no_evict(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.client.handle.set_state(State::NO_EVICT, on_or_off(args[2])?);
    cx.reply.ok();
    Ok(())
}

fn no_touch(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.client.no_touch = on_or_off(args[2])?;
    cx.client.handle.set_state(State::NO_TOUCH, cx.client.no_touch);
    cx.reply.ok();
    Ok(())
}

fn import_source(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    if !cx.client.settings.import_mode && !args[2].eq_ignore_ascii_case(b"off") {
        return Err(Error::new("ERR Server is not in import mode"));
    }
    cx.client.import_source = on_or_off(args[2])?;
    cx.client.handle.set_state(State::IMPORT_SOURCE, cx.client.import_source);
    cx.reply.ok();
    Ok(())
}

fn reply(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    match args[2].to_ascii_lowercase().as_slice() {
        b"on" => {
            cx.client.reply_mode = ReplyMode::On;
            cx.reply.ok();
        }
        b"off" => cx.client.reply_mode = ReplyMode::Off,
        b"skip" if cx.client.reply_mode == ReplyMode::Off => {}
        b"skip" => cx.client.reply_mode = ReplyMode::SkipNext,
        _ => return Err(Error::SYNTAX),
    }
    Ok(())
}

/// CLIENT PAUSE timeout [WRITE | ALL]
fn pause(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let what = match args.get(3).map(|word| word.to_ascii_lowercase()).as_deref() {
        None | Some(b"all") => Paused::All,
        Some(b"write") => Paused::Writes,
        Some(_) => return Err(Error::new("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let timeout = parse_i64(args[2]).ok_or(Error::new("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(Error::new("ERR timeout is negative"));
    }
    let until = cx.now.checked_add(timeout).ok_or(Error::new("ERR timeout is out of range"))?;
    let until = cx.shared.pause.begin(what, until, cx.now);
    cx.shared.keyspace.hold_removals(until);
    cx.reply.ok();
    Ok(())
}

fn unpause(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.shared.unpause();
    cx.reply.ok();
    Ok(())
}

/// CLIENT UNBLOCK client-id [TIMEOUT | ERROR]
fn unblock(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let how = match args.get(3).map(|word| word.to_ascii_lowercase()).as_deref() {
        None | Some(b"timeout") => Unblock::AsTimeout,
        Some(b"error") => Unblock::WithError,
        Some(_) => return Err(Error::new("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
    };
    let id = parse_i64(args[2]).ok_or(Error::NOT_INTEGER)?;
    let target = u64::try_from(id).ok().and_then(|id| cx.shared.clients.get(id));
    cx.reply.integer(target.is_some_and(|client| blocking::unblock(cx.shared, &client, how)).into());
    Ok(())
}
