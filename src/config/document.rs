//! Writes `config/flagstone.conf` from the table: every directive with its default.

use super::{Directive, Effect, Flags, Kind, Section, table};
use std::fmt::Write;

const WIDTH: usize = 98;

/// The text of `config/flagstone.conf`.
pub fn document() -> String {
    let mut text = String::new();
    paragraph(
        &mut text,
        "Flagstone's configuration: every directive with its default. Start with it by \
         'flagstone /path/to/flagstone.conf'.",
    );
    text.push_str("#\n");
    paragraph(
        &mut text,
        "The syntax is redis.conf's. A line is a directive and its words; '#' begins a comment; words \
         with blanks stand in quotes. Sizes may have a unit: k, m, g are powers of 1000, kb, mb, gb of \
         1024. 'include other.conf' reads another file, or several ('conf.d/*.conf'); what comes later \
         wins. The same directives work as options (--maxmemory 1gb) and in the environment \
         (FLAGSTONE_MAXMEMORY=1gb).",
    );
    for section in table::SECTIONS {
        write_section(&mut text, section);
    }
    text
}

fn write_section(text: &mut String, section: &Section) {
    let _ = write!(text, "\n\n#### {} ####\n", section.title);
    if !section.about.is_empty() {
        paragraph(text, section.about);
    }
    // The accepted and the refused are many and seldom wanted: one line each.
    let brief = section.rows.iter().all(|row| row.effect != Effect::Full);
    for directive in section.rows.iter().filter(|directive| !directive.is(Flags::HIDDEN)) {
        if brief {
            let _ = write!(text, "\n# {}\n", line(directive));
            paragraph(text, &format!("  {}", capitalised(directive.about)));
        } else {
            text.push('\n');
            paragraph(text, &described(directive));
            let _ = writeln!(text, "{}", line(directive));
        }
    }
}

/// The directive with its default, as it stands in a file.
fn line(directive: &Directive) -> String {
    match directive.default {
        "" => format!("{} \"\"", directive.name),
        default if default.contains(' ') && !directive.is(Flags::WORDS) => {
            format!("{} \"{default}\"", directive.name)
        }
        default => format!("{} {default}", directive.name),
    }
}

fn described(directive: &Directive) -> String {
    let mut text = directive.about.to_owned();
    match directive.kind {
        Kind::Integer(min, max) if max < i64::from(i32::MAX) => {
            let _ = write!(text, " ({min} to {max})");
        }
        Kind::Choice(choices) if !choices.iter().all(|choice| text.contains(choice)) => {
            let _ = write!(text, " One of: {}.", choices.join(", "));
        }
        Kind::Special(notation) => {
            let _ = write!(text, " Written {notation}.");
        }
        _ => {}
    }
    if !directive.aliases.is_empty() {
        let _ = write!(text, " Also called {}.", directive.aliases.join(", "));
    }
    if directive.is(Flags::IMMUTABLE) {
        text.push_str(" Fixed at start.");
    }
    if directive.effect == Effect::None {
        text.push_str(" Without effect.");
    }
    text
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let mut capital: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    capital.push_str(letters.as_str());
    if !capital.ends_with('.') {
        capital.push('.');
    }
    capital
}

/// Writes a comment, broken at blanks.
fn paragraph(text: &mut String, comment: &str) {
    let indent = &comment[..comment.len() - comment.trim_start().len()];
    let mut line = format!("#{indent}");
    for word in comment.split_ascii_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = format!("#{indent}");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, Sources, load};
    use std::path::PathBuf;

    /// Run with `WRITE_DOCUMENTS=1` to write the file anew.
    #[test]
    fn the_file_in_the_repository_is_the_table() {
        let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/config/flagstone.conf"));
        if std::env::var_os("WRITE_DOCUMENTS").is_some() {
            std::fs::write(&file, document()).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap();
        assert!(written == document(), "config/flagstone.conf differs from the table: write it anew");
    }

    #[test]
    fn it_loads_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("flagstone.conf");
        std::fs::write(&file, document()).unwrap();
        let loaded = load(&Sources { file: Some(file), ..Sources::default() }).unwrap();
        let defaults = Settings { maxmemory: loaded.detected_maxmemory.unwrap_or_default(), ..Settings::default() };
        for directive in table::all() {
            assert_eq!(directive.value(&loaded.settings), directive.value(&defaults), "{}", directive.name);
        }
    }
}
