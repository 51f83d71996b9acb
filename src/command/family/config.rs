//! CONFIG: the directives at run time.

use crate::{
    command::{
        Args, CommandResult, Context, Error,
        spec::{Acl, Flags, Spec},
    },
    config::{self, Directive, Guard},
    util::glob,
};

const SUBCOMMAND_FLAGS: Flags = Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);
const SUBCOMMAND_ACL: Acl = Acl::ADMIN.union(Acl::SLOW).union(Acl::DANGEROUS);
/// What a subcommand's row begins with.
const SUBCOMMAND: Spec = Spec { flags: SUBCOMMAND_FLAGS, acl: SUBCOMMAND_ACL, group: "server", ..Spec::DEFAULT };

pub static COMMANDS: &[Spec] = &[Spec {
    name: "config",
    arity: -2,
    flags: Flags::CONTAINER,
    acl: Acl::SLOW,
    group: "server",
    since: "2.0.0",
    summary: "Holds the commands that read and change the configuration.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "get",
            arity: -3,
            since: "2.0.0",
            summary: "Returns the directives that match a pattern, with their values.",
            complexity: "O(N) where N is the number of directives times that of patterns",
            syntax: "parameter [parameter ...]",
            handler: get,
            ..SUBCOMMAND
        },
        Spec {
            name: "set",
            arity: -4,
            since: "2.0.0",
            summary: "Changes directives while the server runs: all of them or none.",
            complexity: "O(N) where N is the number of directives given",
            syntax: "parameter value [parameter value ...]",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: set,
            ..SUBCOMMAND
        },
        Spec {
            name: "resetstat",
            arity: 2,
            since: "2.0.0",
            summary: "Sets the counters that INFO shows back to zero.",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: reset_stat,
            ..SUBCOMMAND
        },
        Spec {
            name: "rewrite",
            arity: 2,
            since: "2.8.0",
            summary: "Writes the running configuration into its file.",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: rewrite,
            ..SUBCOMMAND
        },
        Spec {
            name: "help",
            arity: 2,
            flags: Flags::LOADING.union(Flags::STALE),
            acl: Acl::SLOW,
            group: "server",
            since: "5.0.0",
            summary: "Describes the subcommands.",
            handler: help,
            ..Spec::DEFAULT
        },
    ],
    ..Spec::DEFAULT
}];

/// CONFIG GET pattern [pattern ...]
fn get(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let settings = cx.shared.config.current();
    let mut found: Vec<(String, &'static Directive)> = Vec::new();
    for pattern in args.get(2..).unwrap_or_default() {
        for (name, directive) in matching(pattern) {
            if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                found.push((name, directive));
            }
        }
    }
    cx.reply.map(found.len());
    for (name, directive) in found {
        cx.reply.bulk(name.as_bytes());
        cx.reply.bulk(directive.shown(&settings).as_bytes());
    }
    Ok(())
}

/// The directives that a pattern names. A plain name is answered as it was asked, by whichever
/// alias; a pattern finds names and aliases, but nothing hidden.
fn matching(pattern: &[u8]) -> Vec<(String, &'static Directive)> {
    if !pattern.iter().any(|byte| b"*?[".contains(byte)) {
        let name = String::from_utf8_lossy(pattern).into_owned();
        return config::find(&name).map(|directive| (name, directive)).into_iter().collect();
    }
    config::all()
        .filter(|directive| !directive.is(config::Flags::HIDDEN))
        .flat_map(|directive| directive.names().map(move |name| (name, directive)))
        .filter(|(name, _)| glob::matches(pattern, name.as_bytes(), true))
        .map(|(name, directive)| (name.to_owned(), directive))
        .collect()
}

/// CONFIG SET directive value [directive value ...]
fn set(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let words = args.get(2..).unwrap_or_default();
    if words.len() % 2 == 1 {
        return Err(Error::SYNTAX);
    }
    // Whatever becomes of the command, secrets stay out of MONITOR and the logs.
    for (at, name) in words.iter().enumerate().step_by(2) {
        let directive = config::find(&String::from_utf8_lossy(name));
        if directive.is_some_and(|directive| directive.is(config::Flags::SENSITIVE)) {
            cx.redact(2 + at + 1);
        }
    }
    let texts: Vec<(String, Option<&str>)> = words
        .chunks_exact(2)
        .map(|pair| (String::from_utf8_lossy(pair[0]).into_owned(), std::str::from_utf8(pair[1]).ok()))
        .collect();
    if let Some((name, _)) = texts.iter().find(|(_, value)| value.is_none()) {
        return Err(failed(&config::SetError::failed(name.clone(), "the value is not UTF-8")));
    }
    let pairs: Vec<(&str, &str)> = texts.iter().map(|(name, value)| (name.as_str(), value.unwrap_or(""))).collect();
    let protected = match cx.shared.config.current().enable_protected_configs {
        Guard::No => false,
        Guard::Yes => true,
        Guard::Local => cx.client.handle.is_local(),
    };
    cx.shared.config.set(&pairs, protected).map_err(|error| failed(&error))?;
    if !cx.client.in_exec && cx.shared.keyspace.is_above_bound() {
        // `maxmemory` and its like hold from here, not from the cron's next beat.
        cx.shared.keyspace.settle(cx.now);
    }
    cx.reply.ok();
    Ok(())
}

fn failed(error: &config::SetError) -> Error {
    Error::text(format!("ERR {error}"))
}

/// CONFIG RESETSTAT
fn reset_stat(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.shared.stats.reset();
    cx.shared.scripts.evicted.reset();
    cx.shared.users.log.reset_counts();
    cx.keys.reset_stats();
    cx.reply.ok();
    Ok(())
}

/// CONFIG REWRITE
fn rewrite(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let file_of_users = !cx.client.settings.acl_file.is_empty();
    let users = if file_of_users { Vec::new() } else { super::acl::lines_to_keep(&cx.shared.users) };
    match cx.shared.config.rewrite(&users) {
        None => Err(Error::new("ERR The server is running without a config file")),
        Some(Err(error)) => {
            tracing::warn!("CONFIG REWRITE failed: {error}");
            Err(Error::text(format!("ERR Rewriting config file: {}", config::system_error(&error))))
        }
        Some(Ok(())) => {
            tracing::info!("CONFIG REWRITE executed with success");
            cx.reply.ok();
            Ok(())
        }
    }
}

const HELP: &[&str] = &[
    "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET <pattern> [<pattern> ...]",
    "    Return the directives that match a pattern, with their values.",
    "SET <directive> <value> [<directive> <value> ...]",
    "    Change the directives, all of them or none.",
    "RESETSTAT",
    "    Set the counters of INFO back to zero.",
    "REWRITE",
    "    Write the running configuration into its file.",
    "HELP",
    "    Print this help.",
];

fn help(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    cx.reply.array(HELP.len());
    for line in HELP {
        cx.reply.simple(line);
    }
    Ok(())
}
