//! A user: a name, passwords, and what he may do.

use super::selector::{RuleError, Selector};
use crate::util::words;
use ahash::RandomState;
use indexmap::IndexSet;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

type Hash = [u8; 32];

#[derive(Clone, Debug)]
pub struct User {
    pub name: Box<[u8]>,
    /// Whether one may log in as this user.
    pub on: bool,
    /// Any password will do.
    pub no_password: bool,
    skip_sanitize: bool,
    passwords: IndexSet<Hash, RandomState>,
    pub root: Selector,
    pub selectors: Vec<Selector>,
    /// What `reset` makes of the channels: `acl-pubsub-default`.
    all_channels: bool,
}

impl User {
    /// One who may do nothing.
    pub fn new(name: &[u8], all_channels: bool) -> User {
        User {
            name: name.into(),
            on: false,
            no_password: false,
            skip_sanitize: false,
            passwords: IndexSet::default(),
            root: Selector::new(all_channels),
            selectors: Vec::new(),
            all_channels,
        }
    }

    /// From now on `reset` and new selectors begin with these channels.
    pub fn set_all_channels(&mut self, all_channels: bool) {
        self.all_channels = all_channels;
    }

    /// He may do everything, so nothing needs checking.
    pub fn is_unlimited(&self) -> bool {
        self.all_selectors().any(Selector::is_unlimited)
    }

    /// Permissions that each suffice.
    pub fn all_selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Whether this is his password. Takes the same time whichever password is how wrong.
    pub fn accepts(&self, password: &[u8]) -> bool {
        let given = hash(password);
        let known = self.passwords.iter().fold(Choice::from(0), |found, known| found | known.ct_eq(&given));
        self.on && (self.no_password || bool::from(known))
    }

    /// Takes one rule.
    pub fn apply(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        match (rule.to_ascii_lowercase().as_slice(), rule) {
            (b"", _) => {}
            (b"on", _) => self.on = true,
            (b"off", _) => self.on = false,
            (b"skip-sanitize-payload", _) => self.skip_sanitize = true,
            (b"sanitize-payload", _) => self.skip_sanitize = false,
            (b"nopass", _) => {
                self.no_password = true;
                self.passwords.clear();
            }
            (b"resetpass", _) => {
                self.no_password = false;
                self.passwords.clear();
            }
            (b"clearselectors", _) => self.selectors.clear(),
            (b"reset", _) => *self = User::new(&self.name, self.all_channels),
            (_, [b'>', password @ ..]) => self.add_password(hash(password)),
            (_, [b'#', digits @ ..]) => self.add_password(parse_hash(digits)?),
            (_, [b'<', password @ ..]) => self.remove_password(hash(password))?,
            (_, [b'!', digits @ ..]) => self.remove_password(parse_hash(digits)?)?,
            (_, [b'(', rules @ .., b')']) => {
                let mut selector = Selector::new(self.all_channels);
                for rule in words::split(rules).ok_or(RuleError::Syntax)? {
                    selector.apply(&rule)?;
                }
                self.selectors.push(selector);
            }
            _ => self.root.apply(rule)?,
        }
        Ok(())
    }

    fn add_password(&mut self, hash: Hash) {
        self.passwords.insert(hash);
        self.no_password = false;
    }

    fn remove_password(&mut self, hash: Hash) -> Result<(), RuleError> {
        self.passwords.shift_remove(&hash).then_some(()).ok_or(RuleError::NoSuchPassword)
    }

    /// The words of GETUSER.
    pub fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec![if self.on { "on" } else { "off" }];
        flags.extend(self.no_password.then_some("nopass"));
        flags.push(if self.skip_sanitize { "skip-sanitize-payload" } else { "sanitize-payload" });
        flags
    }

    /// The hashes of the passwords, in hexadecimal digits.
    pub fn hashes(&self) -> Vec<String> {
        self.passwords.iter().map(|hash| hex(hash)).collect()
    }

    /// The line that makes this user, in a file and in ACL LIST.
    pub fn line(&self) -> Vec<u8> {
        let mut parts = vec![b"user".to_vec(), self.name.to_vec()];
        parts.extend(self.flags().into_iter().map(|flag| flag.as_bytes().to_vec()));
        parts.extend(self.hashes().into_iter().map(|hash| format!("#{hash}").into_bytes()));
        parts.push(self.root.text());
        parts.extend(self.selectors.iter().map(|selector| [b"(".as_slice(), &selector.text(), b")"].concat()));
        parts.join(&b' ')
    }
}

fn hash(password: &[u8]) -> Hash {
    Sha256::digest(password).into()
}

/// Only lower case digits: a hash has one spelling.
fn parse_hash(digits: &[u8]) -> Result<Hash, RuleError> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(RuleError::BadHash),
    };
    let mut hash = Hash::default();
    if digits.len() != hash.len() * 2 {
        return Err(RuleError::BadHash);
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Ok(hash)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &str, expected: &str) {
        let mut user = User::new(b"u", false);
        for rule in rules.split('|').map(str::trim) {
            user.apply(rule.as_bytes()).unwrap();
        }
        assert_eq!(String::from_utf8(user.line()).unwrap(), format!("user u {expected}"));
    }

    #[test]
    fn rules_are_kept_as_far_as_they_mean_something() {
        check("on", "on sanitize-payload resetchannels -@all");
        check("ON | nopass | allkeys | &* | +@all", "on nopass sanitize-payload ~* &* +@all");
        check("+get | -get | +@read | -get", "off sanitize-payload resetchannels -@all +@read -get");
        check("%R~a | %w~a | %RW~b", "off sanitize-payload ~a ~b resetchannels -@all");
        check(
            "(+get ~x) | (+set &c)",
            "off sanitize-payload resetchannels -@all (~x resetchannels -@all +get) (resetchannels &c -@all +set)",
        );
        check("(+get) | clearselectors", "off sanitize-payload resetchannels -@all");
    }

    #[test]
    fn a_rule_takes_the_place_of_those_on_parts_of_its_subject() {
        let mut user = User::new(b"u", false);
        let rules = ["+select|1", "+config|get", "+select|2", "+get", "+select", "-config", "+getex", "-get"];
        rules.iter().for_each(|rule| user.apply(rule.as_bytes()).unwrap());
        assert_eq!(user.root.commands_text(), "-@all +select -config +getex -get");
    }

    #[test]
    fn passwords() {
        let mut user = User::new(b"u", false);
        user.apply(b">secret").unwrap();
        assert!(!user.accepts(b"secret"), "he is off");
        user.apply(b"on").unwrap();
        assert!(user.accepts(b"secret") && !user.accepts(b"secret2") && !user.accepts(b""));
        assert_eq!(user.apply(b"<other"), Err(RuleError::NoSuchPassword));
        user.apply(b"<secret").unwrap();
        assert!(!user.accepts(b"secret"));
        user.apply(b"nopass").unwrap();
        assert!(user.accepts(b"anything"));
        assert_eq!(user.apply(b"#ABC"), Err(RuleError::BadHash));
    }
}
