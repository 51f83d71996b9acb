//! ACL, for a server with one user: `default` may do everything, and `requirepass` is its password.
//! Clients and tools ask who they are; users of their own cannot be made yet.

use crate::{
    command::{
        Args, CommandResult, Context, Error,
        spec::{Acl, Flags, Spec},
        table,
    },
    util::number::parse_i64,
};
use sha2::{Digest, Sha256};
use std::fmt::Write;

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
        summary: "Deletes users, of which there are none but 'default'.",
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
    Spec { name: "load", arity: 2, summary: "Refused: there is no file of users.", handler: no_file, ..ADMIN },
    Spec {
        name: "log",
        arity: -2,
        summary: "Lists what was refused to users; 'default' is refused nothing.",
        syntax: "[count | RESET]",
        handler: log,
        ..ADMIN
    },
    Spec {
        name: "save",
        arity: 2,
        summary: "Refused: there is no file of users.",
        tips: EVERYWHERE,
        handler: no_file,
        ..ADMIN
    },
    Spec {
        name: "setuser",
        arity: -3,
        summary: "Refused: there are no users yet but 'default'.",
        syntax: "username [rule [rule ...]]",
        tips: EVERYWHERE,
        handler: |_, _| {
            Err(Error::new("ERR ACL SETUSER is refused: there are no users yet, 'requirepass' sets the one password"))
        },
        ..ADMIN
    },
    Spec { name: "users", arity: 2, summary: "Lists the users' names.", handler: users, ..ADMIN },
    Spec {
        name: "whoami",
        arity: 2,
        summary: "Answers the user of the connection.",
        handler: |cx, _| {
            cx.reply.bulk(DEFAULT_USER);
            Ok(())
        },
        ..ROW
    },
];

const HELP: &[&str] = &[
    "CAT [<category>]",
    "    List the categories of commands, or the commands of one.",
    "DELUSER <username> [<username> ...]",
    "    Delete users. There are none but 'default', which stays.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Say whether a user may run a command, without running it.",
    "GENPASS [<bits>]",
    "    Make a random password, of 256 bits if nothing else is said.",
    "GETUSER <username>",
    "    Describe a user.",
    "LIST",
    "    List the users with their rules.",
    "LOG [<count>|RESET]",
    "    List what was refused to users.",
    "USERS",
    "    List the users' names.",
    "WHOAMI",
    "    The user of this connection.",
];

const DEFAULT_USER: &[u8] = b"default";
const GENPASS_BITS_MAX: i64 = 4096;

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

fn deluser(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    if args[2..].contains(&DEFAULT_USER) {
        return Err(Error::new("ERR The 'default' user cannot be removed"));
    }
    cx.reply.integer(0);
    Ok(())
}

fn dryrun(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    if args[2] != DEFAULT_USER {
        return Err(Error::text(format!("ERR User '{:.128}' not found", String::from_utf8_lossy(args[2]))));
    }
    table::resolve(&args[3..]).map_err(|refusal| match refusal.command {
        Some(_) => refusal.error,
        None => Error::text(format!("ERR Command '{:.128}' not found", String::from_utf8_lossy(args[3]))),
    })?;
    cx.reply.ok();
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
    let mut password = hex(&random);
    password.truncate((bits as usize).div_ceil(4));
    cx.reply.bulk(password.as_bytes());
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The password as others may see it; `None` when there is none.
fn password_digest(cx: &Context<'_>) -> Option<String> {
    let password = cx.client.settings.requirepass.as_bytes();
    (!password.is_empty()).then(|| hex(&Sha256::digest(password)))
}

fn getuser(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    if args[2] != DEFAULT_USER {
        cx.reply.null();
        return Ok(());
    }
    let digest = password_digest(cx);
    let reply = &mut cx.reply;
    reply.map(6);
    reply.bulk(b"flags");
    let flags: &[&str] = if digest.is_none() { &["on", "nopass"] } else { &["on"] };
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    reply.array(digest.iter().len());
    digest.iter().for_each(|digest| reply.bulk(digest.as_bytes()));
    for (field, rule) in [("commands", "+@all"), ("keys", "~*"), ("channels", "&*")] {
        reply.bulk(field.as_bytes());
        reply.bulk(rule.as_bytes());
    }
    reply.bulk(b"selectors");
    reply.array(0);
    Ok(())
}

fn list(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let secret = password_digest(cx).map_or("nopass".to_owned(), |digest| format!("#{digest}"));
    cx.reply.array(1);
    cx.reply.bulk(format!("user default on {secret} ~* &* +@all").as_bytes());
    Ok(())
}

fn users(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.reply.array(1);
    cx.reply.bulk(DEFAULT_USER);
    Ok(())
}

fn log(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    match args {
        [_, _] => {}
        [_, _, word] if word.eq_ignore_ascii_case(b"reset") => {
            cx.reply.ok();
            return Ok(());
        }
        [_, _, count] => drop(parse_i64(count).ok_or(Error::NOT_INTEGER)?),
        _ => return Err(table::unknown_subcommand_or_arity(args)),
    }
    cx.reply.array(0);
    Ok(())
}

fn no_file(_: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    Err(Error::new("ERR This instance is not configured to use an ACL file: there are no users yet but 'default'"))
}
