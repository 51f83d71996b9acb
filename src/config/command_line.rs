//! The command line: `flagstone [file] [--directive value ...]`.
//!
//! Every directive of the table is an option; clap does the parsing, the help and the hints.

use super::{Directive, Flags, Kind, LoadError, Loaded, Sources, load, table};
use clap::{Arg, ArgAction, ArgMatches, Command, builder::ValueRange};
use std::{ffi::OsString, path::PathBuf};

/// What the user wants.
#[derive(Debug)]
pub enum Invocation {
    Serve(Box<Loaded>),
    /// Ask the server that this configuration describes whether it is well.
    Health(Box<Loaded>),
}

/// Reads the process's arguments and environment. `--help`, `--version` and mistakes in the
/// options themselves end the process here, with clap's words.
pub fn invocation() -> Result<Invocation, LoadError> {
    let (matches, stdin) = parse(std::env::args_os().collect()).unwrap_or_else(|error| error.exit());
    let health = matches.get_flag("health");
    let loaded = load(&sources(&matches, stdin))?;
    Ok(if health { Invocation::Health(Box::new(loaded)) } else { Invocation::Serve(Box::new(loaded)) })
}

/// Parses the arguments; also whether the configuration is to be read from standard input.
fn parse(mut arguments: Vec<OsString>) -> Result<(ArgMatches, bool), clap::Error> {
    // `-` may stand first in place of the file, or last after the options.
    let stdin = arguments.iter().skip(1).any(|argument| argument == "-");
    arguments.retain(|argument| argument != "-");
    Ok((command().try_get_matches_from(arguments)?, stdin))
}

fn sources(matches: &ArgMatches, stdin: bool) -> Sources {
    Sources {
        file: matches.get_one::<PathBuf>("file").cloned(),
        stdin,
        environment: std::env::vars_os().collect(),
        command_line: directives(matches),
    }
}

/// The directives that were given, each occurrence with its words.
fn directives(matches: &ArgMatches) -> Vec<(String, Vec<String>)> {
    let mut given = Vec::new();
    for directive in table::all() {
        for words in matches.get_occurrences::<String>(directive.name).into_iter().flatten() {
            given.push((directive.name.to_owned(), words.cloned().collect()));
        }
    }
    given
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
        .arg(Arg::new("version").short('v').long("version").action(ArgAction::Version).help("Print the version"))
        .args(
            table::SECTIONS
                .iter()
                .flat_map(|section| section.rows.iter().map(|directive| option(directive).help_heading(section.title))),
        )
}

fn option(directive: &'static Directive) -> Arg {
    Arg::new(directive.name)
        .long(directive.name)
        .aliases(directive.aliases)
        .value_name(notation(directive.kind))
        .num_args(if directive.is(Flags::WORDS) { ValueRange::from(0..) } else { ValueRange::from(1) })
        .action(ArgAction::Append)
        .allow_negative_numbers(true)
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
        let arguments = arguments.map(|word| if word == "''" { "" } else { word }).map(OsString::from).collect();
        let (matches, _) = parse(arguments).unwrap();
        let mut given = directives(&matches);
        given.sort_by(|a, b| a.0.cmp(&b.0));
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
            &[("hz", &["5"]), ("save", &["900", "1"]), ("save", &["60", "10"])],
        );
        check("--save ''", None, &[("save", &[""])]);
        check("--list-max-ziplist-size -2 -", None, &[("list-max-listpack-size", &["-2"])]);
        assert!(parse(["flagstone", "--prot", "1"].map(OsString::from).to_vec()).is_err());
    }
}
