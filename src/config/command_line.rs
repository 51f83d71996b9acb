//! The command line: `flagstone [file] [--directive value ...]`.
//!
//! Every directive of the table is an option, in the notation of redis-server's command line; clap
//! does the rest and the help.

use super::{Directive, Flags, Kind, LoadError, Loaded, Sources, load, table};
use crate::util::words;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::{ffi::OsString, path::PathBuf};

/// The option that has a Redis file written.
const EXPORT: &str = "export-rdb";

/// What the user wants.
#[derive(Debug)]
pub enum Invocation {
    Serve(Box<Loaded>),
    /// Ask the server that this configuration describes whether it is well.
    Health(Box<Loaded>),
    /// Write the snapshot as a Redis file and end.
    Export(Box<Loaded>, PathBuf),
}

/// Reads the process's arguments and environment. `--help`, `--version` and mistakes in the
/// options themselves end the process here, with clap's words.
pub fn invocation() -> Result<Invocation, LoadError> {
    let mut parsed = parse(std::env::args_os().collect()).unwrap_or_else(|error| error.exit());
    let health = parsed.matches.get_flag("health");
    let export = parsed.take_export().unwrap_or_else(|error| error.exit());
    let loaded = Box::new(load(&sources(parsed))?);
    Ok(match export {
        Some(path) => Invocation::Export(loaded, path),
        None if health => Invocation::Health(loaded),
        None => Invocation::Serve(loaded),
    })
}

/// Parses the arguments: the program's own options and the file are clap's, directives are read
/// as Redis reads them.
fn parse(arguments: Vec<OsString>) -> Result<Parsed, clap::Error> {
    let mut arguments = arguments.into_iter();
    let mut own: Vec<OsString> = arguments.by_ref().take(1).collect();
    let mut words: Vec<OsString> = arguments.collect();
    // `-` may stand first in place of the file, or last after the options.
    let stdin = match (words.first(), words.last()) {
        (_, Some(last)) if last == "-" => words.pop().is_some(),
        (Some(first), _) if first == "-" => !words.remove(0).is_empty(),
        _ => false,
    };
    let rest = match words.iter().position(|word| !is_own(word)) {
        Some(at) if !word_of(&words[at]).starts_with("--") => words.split_off(at + 1),
        Some(at) => words.split_off(at),
        None => Vec::new(),
    };
    own.append(&mut words);
    let (late, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_own);
    own.extend(late);
    let rest: Vec<String> = rest.iter().map(word_of).collect();
    let matches = command().try_get_matches_from(own)?;
    Ok(Parsed { matches, stdin, directives: directives(&rest) })
}

#[derive(Debug)]
struct Parsed {
    matches: ArgMatches,
    stdin: bool,
    directives: Vec<(String, Vec<String>)>,
}

impl Parsed {
    /// `--export-rdb FILE` is written as directives are, but it is none.
    fn take_export(&mut self) -> Result<Option<PathBuf>, clap::Error> {
        let (exports, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.directives).into_iter().partition(|(name, _)| name == EXPORT);
        self.directives = rest;
        match &exports[..] {
            [] => Ok(None),
            [(_, words)] if let [path] = &words[..] => Ok(Some(PathBuf::from(path))),
            _ => Err(clap::Error::raw(clap::error::ErrorKind::WrongNumberOfValues, "--export-rdb takes one FILE\n")),
        }
    }
}

/// Whether it is an option of the program, not a directive.
fn is_own(word: &OsString) -> bool {
    ["-h", "--help", "-v", "-V", "--version", "--health"].iter().any(|own| word == own)
}

/// What is not UTF-8 is refused later, as any wrong word is.
fn word_of(word: &OsString) -> String {
    word.to_string_lossy().into_owned()
}

fn sources(parsed: Parsed) -> Sources {
    Sources {
        file: parsed.matches.get_one::<PathBuf>("file").cloned(),
        stdin: parsed.stdin,
        environment: std::env::vars_os().collect(),
        command_line: parsed.directives,
    }
}

/// The directives that were given, each occurrence with its words.
///
/// A word that begins with `--` names a directive, unless it follows right after a name: then it is
/// a value (`--logfile --odd`). Name and value may be one word (`"--maxmemory 1gb"`), and the first
/// name may lack its dashes. `--save` alone, or before another name, means no rules at all.
fn directives(words: &[String]) -> Vec<(String, Vec<String>)> {
    let mut given: Vec<(String, Vec<String>)> = Vec::new();
    let mut value_due = false;
    for (at, word) in words.iter().enumerate() {
        let Some(line) = word.strip_prefix("--").filter(|_| !value_due) else {
            match given.last_mut() {
                Some((_, values)) => values.push(word.clone()),
                None => given.push((word.clone(), Vec::new())),
            }
            value_due = false;
            continue;
        };
        let mut parts = split(line).into_iter();
        let name = parts.next().unwrap_or_default();
        let mut values: Vec<String> = parts.collect();
        value_due = values.is_empty();
        let next = words.get(at + 1);
        if value_due && name.eq_ignore_ascii_case("save") && next.is_none_or(|next| next.starts_with("--")) {
            values.push(String::new());
            value_due = false;
        }
        given.push((name, values));
    }
    given
}

/// The words of one argument; one whose quotes do not match is taken as it stands.
fn split(line: &str) -> Vec<String> {
    let words = words::split(line.as_bytes()).unwrap_or_else(|| vec![line.as_bytes().to_vec()]);
    words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

fn command() -> Command {
    Command::new("flagstone")
        .version(env!("CARGO_PKG_VERSION"))
        .about("An in-memory cache server that speaks the Redis protocol.")
        .override_usage("flagstone [FILE | -] [--<DIRECTIVE> <VALUE>...]...")
        .after_help(
            "Every directive of the configuration file is also an option (--help lists them) and a \
             variable of the environment (FLAGSTONE_MAXMEMORY=1gb). The command line counts before \
             the environment, the environment before the file.",
        )
        .disable_version_flag(true)
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Configuration file in the syntax of redis.conf; '-' reads standard input"),
        )
        .arg(
            Arg::new("health")
                .long("health")
                .action(ArgAction::SetTrue)
                .help("Ask the running server whether it is well; exit with 0 if it is"),
        )
        .arg(
            Arg::new(EXPORT)
                .long(EXPORT)
                .value_name("FILE")
                .help("Write the snapshot as a dump.rdb that Redis and Valkey load, and exit"),
        )
        .arg(Arg::new("version").short('v').long("version").action(ArgAction::Version).help("Print the version"))
        .args(
            table::SECTIONS
                .iter()
                .flat_map(|section| section.rows.iter().map(|directive| option(directive).help_heading(section.title))),
        )
}

/// A directive as the help shows it; its words are never clap's to read.
fn option(directive: &'static Directive) -> Arg {
    Arg::new(directive.name)
        .long(directive.name)
        .aliases(directive.aliases)
        .value_name(notation(directive.kind))
        .hide_short_help(true)
        .hide(directive.is(Flags::HIDDEN))
        .help(directive.about)
}

/// What to write after a directive, for people.
fn notation(kind: Kind) -> String {
    match kind {
        Kind::YesNo => "yes|no".to_owned(),
        Kind::Integer(..) => "number".to_owned(),
        Kind::Memory(..) => "bytes".to_owned(),
        Kind::MemoryOrPercent => "bytes|percent".to_owned(),
        Kind::Octal(_) => "octal".to_owned(),
        Kind::Choice(_) => "choice".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Special(notation) => notation.replace(['<', '>'], "").trim_end_matches(" ...").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, file: Option<&str>, expected: &[(&str, &[&str])]) {
        let arguments = std::iter::once("flagstone").chain(line.split(' ').filter(|word| !word.is_empty()));
        let arguments = arguments.map(|word| if word == "''" { "" } else { word }).map(|word| word.replace('_', " "));
        let Parsed { matches, directives: given, .. } = parse(arguments.map(OsString::from).collect()).unwrap();
        let expected: Vec<(String, Vec<String>)> = expected
            .iter()
            .map(|(name, words)| (name.to_string(), words.iter().map(|word| word.to_string()).collect()))
            .collect();
        assert_eq!(matches.get_one::<PathBuf>("file").cloned(), file.map(PathBuf::from));
        assert_eq!(given, expected, "{line}");
    }

    #[test]
    fn files_and_directives() {
        command().debug_assert();
        check("", None, &[]);
        check("a.conf --port 7000", Some("a.conf"), &[("port", &["7000"])]);
        check(
            "--save 900 1 --save 60 10 --hz 5",
            None,
            &[("save", &["900", "1"]), ("save", &["60", "10"]), ("hz", &["5"])],
        );
        check("--save ''", None, &[("save", &[""])]);
        check("--list-max-ziplist-size -2 -", None, &[("list-max-ziplist-size", &["-2"])]);
        check("--prot 1 --port", None, &[("prot", &["1"]), ("port", &[])]);
        assert!(
            parse(["flagstone", "--health", "a.conf"].map(OsString::from).to_vec()).unwrap().matches.get_flag("health")
        );
        assert!(parse(["flagstone", "-x"].map(OsString::from).to_vec()).is_err());
    }

    /// An underscore stands for a blank inside a word.
    #[test]
    fn words_are_read_as_redis_reads_them() {
        check("--port --bla --hz 5", None, &[("port", &["--bla"]), ("hz", &["5"])]);
        check("--maxmemory_700mb --hz_5", None, &[("maxmemory", &["700mb"]), ("hz", &["5"])]);
        check(
            "a.conf loglevel verbose --maxmemory_'1gb'",
            Some("a.conf"),
            &[("loglevel", &["verbose"]), ("maxmemory", &["1gb"])],
        );
        check("--save --loglevel verbose", None, &[("save", &[""]), ("loglevel", &["verbose"])]);
        check("--loglevel verbose --save", None, &[("loglevel", &["verbose"]), ("save", &[""])]);
        check("--dir --save --save ''", None, &[("dir", &["--save"]), ("save", &[""])]);
        check("--port 1 2", None, &[("port", &["1", "2"])]);
    }
}
