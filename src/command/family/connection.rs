//! Commands about the connection itself; CLIENT has a file of its own.

use crate::{
    command::{
        Args, Client, CommandResult, Context, Error, Protocol, ReplyMode,
        handle::State,
        spec::{Acl, Flags, Spec},
    },
    util::number::parse_i64,
};

/// Commands that run in any state of the server.
const ALWAYS: Flags = Flags::LOADING.union(Flags::STALE).union(Flags::FAST);
const BEFORE_AUTH: Flags = ALWAYS.union(Flags::NOSCRIPT).union(Flags::NO_AUTH).union(Flags::ALLOW_BUSY);
const ROW: Spec = Spec { acl: Acl::CONNECTION, group: "connection", ..Spec::DEFAULT };

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "ping",
        arity: -1,
        flags: Flags::FAST.union(Flags::IN_SUBSCRIBER).union(Flags::HEALTH_CHECK),
        summary: "Answers PONG, or the given message.",
        syntax: "[message]",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        handler: ping,
        ..ROW
    },
    Spec {
        name: "echo",
        arity: 2,
        flags: ALWAYS,
        summary: "Answers the given message.",
        syntax: "message",
        handler: |cx, args| {
            cx.reply.bulk(args[1]);
            Ok(())
        },
        ..ROW
    },
    Spec {
        name: "hello",
        arity: -1,
        flags: BEFORE_AUTH,
        since: "6.0.0",
        summary: "Introduces client and server to each other: protocol, user, name.",
        syntax: "[protover [AUTH username password] [SETNAME clientname]]",
        handler: hello,
        ..ROW
    },
    Spec {
        name: "auth",
        arity: -2,
        flags: BEFORE_AUTH,
        summary: "Lets the connection in with a password.",
        complexity: "O(N) where N is the number of passwords defined for the user",
        syntax: "[username] password",
        handler: auth,
        ..ROW
    },
    Spec {
        name: "select",
        arity: 2,
        flags: ALWAYS,
        summary: "Chooses the database of the connection.",
        syntax: "index",
        handler: select,
        ..ROW
    },
    Spec {
        name: "quit",
        arity: -1,
        flags: BEFORE_AUTH.union(Flags::IN_SUBSCRIBER).union(Flags::NOT_QUEUED),
        summary: "Closes the connection.",
        handler: |cx, _| {
            cx.client.closing = true;
            cx.reply.ok();
            Ok(())
        },
        ..ROW
    },
    Spec {
        name: "reset",
        flags: BEFORE_AUTH.union(Flags::IN_SUBSCRIBER).union(Flags::NOT_QUEUED).union(Flags::WATCHED_KEYS),
        since: "6.2.0",
        summary: "Makes the connection as good as new.",
        handler: reset,
        ..ROW
    },
];

fn ping(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let message = match args {
        [_] => None,
        [_, message] => Some(*message),
        _ => return Err(Error::wrong_arity("ping")),
    };
    if cx.client.is_subscriber() && cx.reply.protocol() == Protocol::Resp2 {
        // A RESP2 subscriber takes everything for a message, so the answer looks like one.
        cx.reply.array(2);
        cx.reply.bulk(b"pong");
        cx.reply.bulk(message.unwrap_or_default());
    } else if let Some(message) = message {
        cx.reply.bulk(message);
    } else {
        cx.reply.simple("PONG");
    }
    Ok(())
}

/// HELLO [protover [AUTH username password] [SETNAME clientname]]
fn hello(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let protocol = match args.get(1).map(|version| parse_i64(version)) {
        None => None,
        Some(Some(2)) => Some(Protocol::Resp2),
        Some(Some(3)) => Some(Protocol::Resp3),
        Some(Some(_)) => return Err(Error::new("NOPROTO unsupported protocol version")),
        Some(None) => return Err(Error::new("ERR Protocol version is not an integer or out of range")),
    };
    let (mut login, mut name) = (None, None);
    let mut at = 2;
    while at < args.len() {
        match &args[at..] {
            [option, user, password, ..] if option.eq_ignore_ascii_case(b"auth") => {
                cx.redact(at + 1);
                cx.redact(at + 2);
                login = Some((*user, *password));
                at += 3;
            }
            [option, word, ..] if option.eq_ignore_ascii_case(b"setname") => {
                name = Some(super::client::printable(word).ok_or(super::client::BAD_NAME)?);
                at += 2;
            }
            [option, ..] => {
                return Err(Error::quoting("ERR Syntax error in HELLO option '", option, "'"));
            }
            [] => break,
        }
    }
    if let Some((user, password)) = login {
        cx.client.authenticate(user, password, args, cx.now)?;
    }
    if cx.client.must_log_in() {
        return Err(Error::new(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
             <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the \
             same time",
        ));
    }
    if let Some(name) = name {
        cx.client.handle.names.lock().client = name;
    }
    if let Some(protocol) = protocol {
        cx.client.set_protocol(protocol);
        cx.reply.set_protocol(protocol);
    }
    introduce(cx);
    Ok(())
}

/// Clients choose their features by these two, so they name what we are compatible with.
fn introduce(cx: &mut Context<'_>) {
    let zone = &cx.client.settings.availability_zone;
    let reply = &mut cx.reply;
    reply.map(7 + usize::from(!zone.is_empty()));
    for (field, value) in [("server", "redis"), ("version", crate::command::COMPATIBLE_VERSION)] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(cx.client.protocol as i64);
    reply.bulk(b"id");
    reply.integer(cx.client.handle.id as i64);
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
    if !zone.is_empty() {
        reply.bulk(b"availability_zone");
        reply.bulk(zone.as_bytes());
    }
}

/// AUTH [username] password
fn auth(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.redact(1);
    let (user, password) = match args {
        [_, password] => {
            if cx.shared.users.default_user().no_password {
                return Err(Error::new(
                    "ERR AUTH <password> called without any password configured for the default user. Are you sure \
                     your configuration is correct?",
                ));
            }
            (b"default".as_slice(), *password)
        }
        [_, user, password] => {
            cx.redact(2);
            (*user, *password)
        }
        _ => return Err(Error::SYNTAX),
    };
    cx.client.authenticate(user, password, args, cx.now)?;
    cx.reply.ok();
    Ok(())
}

fn select(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let index = super::keys::database(cx, args[1])?;
    cx.client.select(index);
    cx.reply.ok();
    Ok(())
}

fn reset(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let client: &mut Client = cx.client;
    if client.handle.state().contains(State::MONITOR) {
        cx.shared.monitors.remove(client.handle.id);
    }
    client.transaction = None;
    client.publish_transaction();
    client.unwatch(&mut cx.keys);
    client.unsubscribe_all();
    client.untrack();
    client.select(0);
    client.set_protocol(Protocol::Resp2);
    cx.reply.set_protocol(Protocol::Resp2);
    client.forget_user();
    // The library's name stays: it is still the one that speaks.
    client.handle.names.lock().client.clear();
    client.reply_mode = ReplyMode::On;
    client.no_touch = false;
    client.handle.set_state(State::MONITOR | State::NO_TOUCH | State::NO_EVICT, false);
    cx.reply.simple("RESET");
    Ok(())
}
