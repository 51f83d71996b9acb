//! Puts the configuration together: the defaults, then the file, then the environment
//! (`FLAGSTONE_MAXMEMORY=1gb`), then the command line. What comes later wins.

use super::{Directive, Effect, Flags, Lines, LoadError, Place, Reason, Settings, cgroup, file, table};
use crate::util::words;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::PathBuf,
};

/// Where to look.
#[derive(Clone, Default, Debug)]
pub struct Sources {
    pub file: Option<PathBuf>,
    pub stdin: bool,
    /// The whole environment; only `FLAGSTONE_...` is looked at.
    pub environment: Vec<(OsString, OsString)>,
    /// `--name word ...` as name and words.
    pub command_line: Vec<(String, Vec<String>)>,
}

/// A configuration that may start.
#[derive(Clone, Default, Debug)]
pub struct Loaded {
    pub settings: Settings,
    /// The file, absolute.
    pub file: Option<PathBuf>,
    /// What came from standard input, which can be read but once.
    pub stdin: Vec<u8>,
    /// Lines for the log.
    pub notes: Vec<String>,
    /// The `maxmemory` that a container's limit led to, not the user.
    pub detected_maxmemory: Option<u64>,
    /// The `user` lines.
    pub users: Vec<Line>,
    /// The `rename-command` lines: a command's name, and what it is to be called instead (nothing: it is not).
    pub renames: Vec<Line>,
    /// The directives that were written somewhere.
    pub given: BTreeSet<&'static str>,
}

/// A line whose words mean something to commands only.
#[derive(Clone, Debug)]
pub struct Line {
    /// Those after the directive's name.
    pub words: Vec<String>,
    place: Place,
}

impl Line {
    /// That it must not start.
    pub fn refused(&self, reason: impl Into<Reason>) -> LoadError {
        LoadError::Directive { place: self.place.clone(), reason: reason.into() }
    }
}

impl Loaded {
    /// Whether the user has written this directive, rather than left it at its default.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains(name)
    }
}

pub fn load(sources: &Sources) -> Result<Loaded, LoadError> {
    let mut loader = Loader::default();
    if let Some(path) = &sources.file {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        file::read(&mut loader, &path)?;
        loader.loaded.file = Some(path);
    }
    if sources.stdin {
        loader.loaded.stdin = file::read_stdin(&mut loader)?;
    }
    loader.read_environment(&sources.environment)?;
    for (name, words) in &sources.command_line {
        let quoted = words.iter().map(|word| words::quote(word.as_bytes()));
        let text = std::iter::once(name.clone()).chain(quoted).collect::<Vec<_>>().join(" ");
        loader.directive(name, words, || Place::CommandLine { text: text.clone() })?;
    }
    loader.finish()
}

/// The settings so far.
#[derive(Default)]
pub struct Loader {
    loaded: Loaded,
    /// Directives of features that are not here, where they were asked for. A later line may
    /// take the wish back, so they count at the end.
    refused: BTreeMap<&'static str, LoadError>,
    /// The words of directives whose lines add up.
    gathered: BTreeMap<&'static str, Vec<String>>,
}

/// Lines that are no directives, and why they are refused.
const REFUSED_LINES: [(&str, &str); 2] =
    [("loadmodule", "there are no modules"), ("sentinel", "there is no sentinel mode")];

impl Loader {
    /// Takes one directive. `place` is asked only when it is wrong.
    pub fn directive(&mut self, name: &str, words: &[String], place: impl Fn() -> Place) -> Result<(), LoadError> {
        let wrong = |reason: Reason| LoadError::Directive { place: place(), reason };
        if name.eq_ignore_ascii_case("user") && !words.is_empty() {
            // The rules may have passwords, which errors are not to show.
            let place = place().with_text(format!("user {}", words[0]));
            self.loaded.users.push(Line { words: words.to_vec(), place });
            return Ok(());
        }
        if name.eq_ignore_ascii_case("rename-command") {
            if words.len() != 2 {
                return Err(wrong("wrong number of arguments".into()));
            }
            self.loaded.renames.push(Line { words: words.to_vec(), place: place() });
            return Ok(());
        }
        let Some(directive) = table::find(name) else {
            let refused = REFUSED_LINES.iter().find(|(line, _)| line.eq_ignore_ascii_case(name));
            let reason = match refused {
                Some((_, reason)) => Reason::Borrowed(*reason),
                None => unknown(name),
            };
            return Err(wrong(reason));
        };
        match self.apply(directive, words).map_err(wrong) {
            Err(LoadError::Directive { place, reason }) if matches!(directive.effect, Effect::Refused(refusal) if refusal == reason) =>
            {
                self.refused.insert(directive.name, LoadError::Directive { place, reason });
                Ok(())
            }
            result => {
                self.refused.remove(directive.name);
                result
            }
        }
    }

    fn apply(&mut self, directive: &'static Directive, words: &[String]) -> Result<(), Reason> {
        self.loaded.given.insert(directive.name);
        if !matches!(directive.lines, Lines::Added(_)) {
            return directive.apply(&mut self.loaded.settings, words);
        }
        let gathered = self.gathered.entry(directive.name).or_default();
        if words.iter().all(String::is_empty) {
            gathered.clear();
            return directive.apply(&mut self.loaded.settings, &[String::new()]);
        }
        gathered.extend(words.iter().flat_map(|word| word.split_ascii_whitespace().map(str::to_owned)));
        directive.apply(&mut self.loaded.settings, gathered)
    }

    fn read_environment(&mut self, variables: &[(OsString, OsString)]) -> Result<(), LoadError> {
        for (variable, value) in variables {
            let Some(variable) = variable.to_str() else {
                continue;
            };
            let Some(name) = variable.strip_prefix("FLAGSTONE_") else {
                continue;
            };
            let place = || Place::Environment { variable: variable.to_owned() };
            let value = value
                .to_str()
                .ok_or_else(|| LoadError::Directive { place: place(), reason: "the value is not UTF-8".into() })?;
            if is_service_link(name, value) {
                continue;
            }
            let name = name.to_ascii_lowercase().replace('_', "-");
            // A variable says all there is to say about its directive.
            if let Some(directive) = table::find(&name) {
                self.gathered.remove(directive.name);
                if self.loaded.is_given(directive.name) {
                    self.loaded.notes.push(format!("{variable} replaces '{}' of the file", directive.name));
                }
            }
            self.directive(&name, &[value.to_owned()], place)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Loaded, LoadError> {
        if let Some((_, error)) = self.refused.pop_first() {
            return Err(error);
        }
        let defaults = Settings::default();
        let idle: Vec<&str> = self
            .loaded
            .given
            .iter()
            .filter_map(|name| table::find(name))
            .filter(|directive| directive.effect == Effect::None)
            .filter(|directive| directive.value(&self.loaded.settings) != directive.value(&defaults))
            .map(|directive| directive.name)
            .collect();
        if !idle.is_empty() {
            self.loaded.notes.push(format!("accepted without effect here: {}", idle.join(", ")));
        }
        if self.loaded.settings.maxmemory == 0
            && let Some(limit) = cgroup::memory_limit()
        {
            self.loaded.settings.maxmemory = limit.share();
            self.loaded.detected_maxmemory = Some(limit.share());
            self.loaded.notes.push(format!(
                "maxmemory is not set: using {} bytes of the container's {} ({})",
                limit.share(),
                limit.bytes,
                limit.file.display()
            ));
        }
        Ok(self.loaded)
    }
}

/// Kubernetes and Docker links describe a service called `flagstone` in variables of the same
/// beginning (`FLAGSTONE_PORT=tcp://10.0.0.1:6379`, `FLAGSTONE_SERVICE_HOST`): not meant for us.
fn is_service_link(name: &str, value: &str) -> bool {
    name.starts_with("SERVICE_")
        || (name == "PORT" && value.contains("://"))
        || (name.starts_with("PORT_") && name.as_bytes().get(5).is_some_and(u8::is_ascii_digit))
        || name.starts_with("ENV_")
        || (name == "NAME" && value.starts_with('/'))
}

/// An unknown directive, with the nearest known name.
fn unknown(name: &str) -> Reason {
    let name = name.to_ascii_lowercase();
    let nearest = table::all()
        .filter(|directive| !directive.is(Flags::HIDDEN))
        .flat_map(Directive::names)
        .map(|known| (distance(&name, known), known))
        .min();
    match nearest {
        Some((distance, known)) if distance <= 3 && distance * 2 <= name.len() => {
            format!("Bad directive or wrong number of arguments: is '{known}' meant?").into()
        }
        _ => "Bad directive or wrong number of arguments".into(),
    }
}

/// How many letters must change to get from one name to the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Result<Loaded, LoadError> {
        load(&Sources {
            environment: pairs.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            ..Sources::default()
        })
    }

    #[test]
    fn the_environment_sets_directives() {
        let loaded = environment(&[("FLAGSTONE_MAXMEMORY_POLICY", "allkeys-s3fifo"), ("HOME", "/")]).unwrap();
        assert_eq!(loaded.settings.maxmemory_policy, crate::config::Policy::AllkeysS3Fifo);
        let error = environment(&[("FLAGSTONE_MAXMEMROY", "1gb")]).unwrap_err().to_string();
        assert!(error.contains("FLAGSTONE_MAXMEMROY") && error.contains("'maxmemory'"), "{error}");
    }

    #[test]
    fn variables_of_a_service_called_flagstone_are_not_ours() {
        let loaded = environment(&[
            ("FLAGSTONE_PORT", "tcp://10.0.0.1:6379"),
            ("FLAGSTONE_PORT_6379_TCP_ADDR", "10.0.0.1"),
            ("FLAGSTONE_SERVICE_HOST", "10.0.0.1"),
        ])
        .unwrap();
        assert_eq!(loaded.settings.port, 6379);
    }

    #[test]
    fn the_command_line_comes_last() {
        let loaded = load(&Sources {
            environment: vec![("FLAGSTONE_PORT".into(), "7000".into())],
            command_line: vec![("port".into(), vec!["7001".into()])],
            ..Sources::default()
        })
        .unwrap();
        assert_eq!(loaded.settings.port, 7001);
    }
}
