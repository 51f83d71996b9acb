//! Whether a user may run a command.

use super::{User, selector::Selector};
use crate::command::{
    Args, Command, Error, keys,
    spec::{ChannelUse, Flags, KeyFlags},
};

/// What a user lacks for a command.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Denial {
    Command,
    /// The place of the key among the words.
    Key(usize),
    Channel(usize),
}

impl Denial {
    /// What the one who tried is told.
    pub fn error(self, user: &User, command: &Command) -> Error {
        match self {
            Denial::Command => Error::text(format!("NOPERM {}", self.explain(user, command, &[]))),
            Denial::Key(_) => Error::new("NOPERM No permissions to access a key"),
            Denial::Channel(_) => Error::new("NOPERM No permissions to access a channel"),
        }
    }

    /// What a script is told that its user may not have so far.
    pub fn error_in_script(self, user: &User, command: &Command) -> Error {
        let text = match self {
            Denial::Command => self.explain(user, command, &[]),
            Denial::Key(_) => "No permissions to access a key".into(),
            Denial::Channel(_) => "No permissions to access a channel".into(),
        };
        Error::text(format!("ERR ACL failure in script: {text}"))
    }

    /// What an administrator is told.
    pub fn explain(self, user: &User, command: &Command, args: &Args<'_>) -> String {
        let name = String::from_utf8_lossy(&user.name);
        let word = |at: usize| String::from_utf8_lossy(args.get(at).copied().unwrap_or_default()).into_owned();
        match self {
            Denial::Command => format!("User {name} has no permissions to run the '{}' command", command.full_name),
            Denial::Key(at) => format!("User {name} has no permissions to access the '{}' key", word(at)),
            Denial::Channel(at) => format!("User {name} has no permissions to access the '{}' channel", word(at)),
        }
    }
}

/// Whether one of the user's selectors allows all of a request; else what is to be said of it: the furthest that one
/// of them got.
pub fn may_run(user: &User, command: &Command, args: &Args<'_>) -> Result<(), Denial> {
    if user.is_unlimited() {
        return Ok(());
    }
    let mut furthest = Denial::Command;
    for selector in user.all_selectors() {
        match allows(selector, command, args) {
            Ok(()) => return Ok(()),
            Err(denial) => furthest = furthest.max(denial),
        }
    }
    Err(furthest)
}

fn allows(selector: &Selector, command: &Command, args: &Args<'_>) -> Result<(), Denial> {
    if !command.spec.flags.contains(Flags::NO_AUTH) && !selector.allows_command(command, args) {
        return Err(Denial::Command);
    }
    let spec = command.spec;
    if !selector.all_keys {
        for (at, flags) in keys::positions(spec, args) {
            if flags.contains(KeyFlags::NOT_KEY) {
                continue;
            }
            let flags = if flags.contains(KeyFlags::VARIABLE_FLAGS) { (spec.vary)(args, flags) } else { flags };
            if !args.get(at).is_some_and(|key| selector.allows_key(key, flags.into())) {
                return Err(Denial::Key(at));
            }
        }
    }
    if selector.all_channels {
        return Ok(());
    }
    let (places, is_pattern) = match spec.channels {
        ChannelUse::None => return Ok(()),
        ChannelUse::Publish => (1..args.len().min(2), false),
        ChannelUse::Subscribe => (1..args.len(), false),
        ChannelUse::Patterns => (1..args.len(), true),
    };
    for at in places {
        if !args.get(at).is_some_and(|channel| selector.allows_channel(channel, is_pattern)) {
            return Err(Denial::Channel(at));
        }
    }
    Ok(())
}

impl User {
    pub fn may_access_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.is_unlimited() || self.all_selectors().any(|selector| selector.allows_channel(channel, is_pattern))
    }

    /// Whether he may run this request and besides read any key: what BY and GET of SORT may come to.
    pub fn may_run_and_read_all(&self, command: &Command, args: &Args<'_>) -> bool {
        self.is_unlimited()
            || self.all_selectors().any(|selector| {
                allows(selector, command, args).is_ok() && selector.allows_every_key(KeyFlags::ACCESS.into())
            })
    }
}
