//! Why a configuration was refused.

use std::{borrow::Cow, fmt, path::PathBuf};

/// What is wrong with a value, in the words Redis uses where it has some.
pub type Reason = Cow<'static, str>;

/// The system's own words for an error, without the number that Rust adds.
pub fn system_error(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Where a directive was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    Line { file: PathBuf, number: usize, text: String },
    Stdin { number: usize, text: String },
    Environment { variable: String },
    CommandLine { text: String },
}

impl Place {
    /// The same place, with this to be shown of what is written there.
    pub fn with_text(mut self, shown: String) -> Place {
        match &mut self {
            Place::Line { text, .. } | Place::Stdin { text, .. } | Place::CommandLine { text } => *text = shown,
            Place::Environment { .. } => {}
        }
        self
    }
}

/// A configuration that must not start. Its text is what the user sees.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoadError {
    Directive { place: Place, reason: Reason },
    Unreadable { file: PathBuf, included_from: Option<Place>, reason: String },
    Invalid { reason: Reason },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line { file, number, text } => {
                write!(f, "Reading the configuration file {}, at line {number}\n>>> '{text}'", file.display())
            }
            Place::Stdin { number, text } => {
                write!(f, "Reading the configuration from standard input, at line {number}\n>>> '{text}'")
            }
            Place::Environment { variable } => {
                write!(f, "Reading the environment\n>>> '{variable}'")
            }
            Place::CommandLine { text } => write!(f, "Reading the command line\n>>> '{text}'"),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "*** FATAL CONFIG FILE ERROR (Flagstone {}) ***", env!("CARGO_PKG_VERSION"))?;
        match self {
            LoadError::Directive { place, reason } => write!(f, "{place}\n{reason}"),
            LoadError::Unreadable { file, included_from, reason } => {
                if let Some(place) = included_from {
                    writeln!(f, "{place}")?;
                }
                write!(f, "Can't open the configuration file {}: {reason}", file.display())
            }
            LoadError::Invalid { reason } => f.write_str(reason),
        }
    }
}

impl std::error::Error for LoadError {}
