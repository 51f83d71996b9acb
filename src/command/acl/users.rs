//! All users, and the files they come from.

use super::{AclLog, RuleError, User, is_one_word};
use crate::config::{Line, LoadError};
use parking_lot::RwLock;
use std::{collections::BTreeMap, sync::Arc};

pub const DEFAULT_USER: &[u8] = b"default";

type Map = BTreeMap<Box<[u8]>, Arc<User>>;

/// Whoever changes users has the generation of the settings move, so that connections take up what they are now.
pub struct Users {
    users: RwLock<Map>,
    pub log: AclLog,
}

impl Users {
    /// The default user alone, with the password of `requirepass`.
    pub fn new(password: &str) -> Users {
        let mut users = Map::new();
        users.insert(DEFAULT_USER.into(), Arc::new(with_password(default_user(), password)));
        Users { users: RwLock::new(users), log: AclLog::default() }
    }

    pub fn get(&self, name: &[u8]) -> Option<Arc<User>> {
        self.users.read().get(name).cloned()
    }

    pub fn default_user(&self) -> Arc<User> {
        // He cannot be removed.
        self.get(DEFAULT_USER).unwrap_or_else(|| Arc::new(User::new(DEFAULT_USER, false)))
    }

    /// By name.
    pub fn all(&self) -> Vec<Arc<User>> {
        self.users.read().values().cloned().collect()
    }

    /// `requirepass` has changed.
    pub fn set_default_password(&self, password: &str) {
        let mut users = self.users.write();
        if let Some(user) = users.get_mut(DEFAULT_USER) {
            *user = Arc::new(with_password(User::clone(user), password));
        }
    }

    /// ACL SETUSER: takes all rules or none, and answers the user as he is now.
    pub fn set(&self, name: &[u8], rules: &[Vec<u8>], all_channels: bool) -> Result<Arc<User>, (usize, RuleError)> {
        let mut users = self.users.write();
        let mut user = users.get(name).map_or_else(|| User::new(name, all_channels), |user| User::clone(user));
        user.set_all_channels(all_channels);
        for (at, rule) in rules.iter().enumerate() {
            user.apply(rule).map_err(|error| (at, error))?;
        }
        let user = Arc::new(user);
        users.insert(name.into(), Arc::clone(&user));
        Ok(user)
    }

    /// ACL DELUSER: whether there was one.
    pub fn remove(&self, name: &[u8]) -> bool {
        self.users.write().remove(name).is_some()
    }

    /// The lines of the `aclfile`: all users as they are.
    pub fn lines(&self) -> Vec<Vec<u8>> {
        self.all().iter().map(|user| user.line()).collect()
    }

    /// Takes the users of a file in place of all there are; if one line is wrong, none.
    pub fn load(&self, file: &str, text: &[u8], all_channels: bool) -> Result<(), String> {
        let mut errors = String::new();
        let mut new = Map::new();
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            // Unlike Redis we let a file have comments.
            if !line.is_empty() && !line.starts_with(b"#") {
                let result = load_line(&mut new, line, all_channels);
                errors.extend(result.err().map(|error| error.at(file, index + 1)));
            }
        }
        if !errors.is_empty() {
            errors.push_str("WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
            return Err(errors);
        }
        new.entry(DEFAULT_USER.into()).or_insert_with(|| Arc::new(default_user()));
        *self.users.write() = new;
        Ok(())
    }

    /// Takes the `user` lines of the configuration.
    pub fn configure(&self, lines: &[Line], all_channels: bool) -> Result<(), LoadError> {
        let mut new = Map::new();
        for line in lines {
            let words: Vec<&[u8]> = line.words.iter().map(String::as_bytes).collect();
            take(&mut new, &words, all_channels).map_err(|error| line.refused(error.in_declaration()))?;
        }
        self.users.write().extend(new);
        Ok(())
    }
}

enum LineError {
    NoUser,
    BadName(String),
    Duplicate(String),
    Parenthesis,
    Rules(Vec<(String, RuleError)>),
}

impl LineError {
    fn at(self, file: &str, line: usize) -> String {
        match self {
            LineError::NoUser => format!("{file}:{line} should start with user keyword followed by the username. "),
            LineError::BadName(name) => format!("'{file}:{line}: username '{name}' contains invalid characters. "),
            LineError::Duplicate(name) => format!("WARNING: Duplicate user '{name}' found on line {line}. "),
            LineError::Parenthesis => format!("{file}:{line}: Unmatched parenthesis in selector definition."),
            LineError::Rules(errors) => errors
                .into_iter()
                .map(|(rule, error)| match error {
                    // Nothing secret is in the name of a command.
                    RuleError::Unknown => {
                        format!("{file}:{line}: Error in applying operation '{rule}': {}. ", error.text())
                    }
                    _ => format!("{file}:{line}: {}. ", error.text()),
                })
                .collect(),
        }
    }

    /// Of a `user` line, which is named beside it.
    fn in_declaration(self) -> String {
        let reason = match self {
            LineError::NoUser => "it has no name".to_owned(),
            LineError::BadName(_) => "its name contains invalid characters".to_owned(),
            LineError::Duplicate(_) => {
                "Duplicate user found. A user can only be defined once in config files".to_owned()
            }
            LineError::Parenthesis => "Unmatched parenthesis in selector definition".to_owned(),
            LineError::Rules(errors) => errors
                .into_iter()
                .map(|(rule, error)| match error {
                    RuleError::Unknown => format!("'{rule}': {}", error.text()),
                    _ => error.text().to_owned(),
                })
                .collect::<Vec<_>>()
                .join("; "),
        };
        format!("Error in user declaration: {reason}")
    }
}

fn load_line(users: &mut Map, line: &[u8], all_channels: bool) -> Result<(), LineError> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    match words.as_slice() {
        [b"user", words @ ..] if !words.is_empty() => take(users, words, all_channels),
        _ => Err(LineError::NoUser),
    }
}

/// Makes a user of his name and rules.
fn take(users: &mut Map, words: &[&[u8]], all_channels: bool) -> Result<(), LineError> {
    let Some((name, rules)) = words.split_first().filter(|(name, _)| !name.is_empty()) else {
        return Err(LineError::NoUser);
    };
    let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    if !is_one_word(name) {
        return Err(LineError::BadName(text(name)));
    }
    if users.contains_key(*name) {
        return Err(LineError::Duplicate(text(name)));
    }
    let rules = merge_selectors(rules).map_err(|_| LineError::Parenthesis)?;
    let mut user = User::new(name, all_channels);
    let (mut errors, mut other) = (Vec::new(), false);
    for rule in rules.iter().map(|rule| rule.trim_ascii()).filter(|rule| !rule.is_empty()) {
        if let Err(error) = user.apply(rule)
            && (error == RuleError::Unknown || !std::mem::replace(&mut other, true))
        {
            errors.push((text(rule), error));
        }
    }
    if !errors.is_empty() {
        return Err(LineError::Rules(errors));
    }
    users.insert((*name).into(), Arc::new(user));
    Ok(())
}

/// Joins the words of each selector: `(+get`, `~a)` are one rule. The error is the word that opens one without an end.
pub fn merge_selectors<'a>(words: &[&'a [u8]]) -> Result<Vec<Vec<u8>>, &'a [u8]> {
    let mut rules = Vec::new();
    let mut open: Option<(&'a [u8], Vec<u8>)> = None;
    for word in words {
        open = match open {
            None if word.starts_with(b"(") && !word.ends_with(b")") => Some((*word, word.to_vec())),
            None => {
                rules.push(word.to_vec());
                None
            }
            Some((start, mut rule)) => {
                rule.push(b' ');
                rule.extend_from_slice(word);
                if word.ends_with(b")") {
                    rules.push(rule);
                    None
                } else {
                    Some((start, rule))
                }
            }
        };
    }
    open.map_or(Ok(rules), |(start, _)| Err(start))
}

fn default_user() -> User {
    made_of(User::new(DEFAULT_USER, true), &[b"on", b"nopass", b"~*", b"&*", b"+@all"])
}

fn with_password(user: User, password: &str) -> User {
    match password {
        "" => made_of(user, &[b"nopass"]),
        _ => made_of(user, &[b"resetpass", &[b">", password.as_bytes()].concat()]),
    }
}

/// With rules that cannot be wrong.
fn made_of(mut user: User, rules: &[&[u8]]) -> User {
    for rule in rules {
        let result = user.apply(rule);
        debug_assert!(result.is_ok(), "{}", String::from_utf8_lossy(rule));
    }
    user
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_whole_or_not_at_all() {
        let users = Users::new("");
        users.load("f", b"user a on +get\nuser b off (+set ~x)\n\n", false).unwrap();
        assert_eq!(users.all().iter().map(|user| &*user.name).collect::<Vec<_>>(), [&b"a"[..], b"b", b"default"]);
        let error = users.load("f", b"user c on\nuser c on\nuser d +nope ~~ ((\nfoo", false).unwrap_err();
        assert!(error.starts_with("WARNING: Duplicate user 'c' found on line 2. f:3: Unmatched"), "{error}");
        assert!(error.contains("f:4 should start with user keyword"), "{error}");
        assert!(users.get(b"a").is_some() && users.get(b"c").is_none());
    }
}
