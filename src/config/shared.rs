//! The configuration of a running server.

use super::{Directive, Effect, Flags, Line, Loaded, Reason, Settings, rewrite, table};
use parking_lot::{Mutex, RwLock};
use std::{
    fmt, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Settings that are read on every command and changed now and then. A thread keeps its own
/// `Arc<Settings>` and asks for a new one when `generation` has moved.
pub struct Config {
    current: RwLock<Arc<Settings>>,
    generation: AtomicU64,
    hooks: RwLock<Vec<Hook>>,
    /// One CONFIG SET or REWRITE at a time.
    changing: Mutex<()>,
    loaded: Loaded,
}

/// Puts a change into effect: called with the settings before and after. An error undoes it all.
pub type Hook = Box<dyn Fn(&Settings, &Settings) -> Result<(), SetError> + Send + Sync>;

/// Why CONFIG SET failed, in Redis's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetError {
    Unknown { argument: String },
    Failed { argument: String, reason: Reason },
}

impl SetError {
    pub fn failed(argument: impl Into<String>, reason: impl Into<Reason>) -> Self {
        SetError::Failed { argument: argument.into(), reason: reason.into() }
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetError::Unknown { argument } => {
                write!(f, "Unknown option or number of arguments for CONFIG SET - '{argument}'")
            }
            SetError::Failed { argument, reason } => {
                write!(f, "CONFIG SET failed (possibly related to argument '{argument}') - {reason}")
            }
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config::new(Loaded::default())
    }
}

impl Config {
    pub fn new(loaded: Loaded) -> Self {
        Config {
            current: RwLock::new(Arc::new(loaded.settings.clone())),
            generation: AtomicU64::new(0),
            hooks: RwLock::new(Vec::new()),
            changing: Mutex::new(()),
            loaded,
        }
    }

    pub fn current(&self) -> Arc<Settings> {
        Arc::clone(&self.current.read())
    }

    /// Moves with every change; a cheap look whether `current` is still what one has.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The configuration file, absolute, for INFO and CONFIG REWRITE.
    pub fn file(&self) -> Option<&Path> {
        self.loaded.file.as_deref()
    }

    /// What the start found worth saying.
    pub fn notes(&self) -> &[String] {
        &self.loaded.notes
    }

    /// The `user` lines that the server was started with.
    pub fn users(&self) -> &[Line] {
        &self.loaded.users
    }

    /// The commands that are called otherwise.
    pub fn renames(&self) -> &[Line] {
        &self.loaded.renames
    }

    /// Something else that is taken up with the settings has changed: the users.
    pub fn touch(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Registers what has to happen when settings change.
    pub fn on_change(&self, hook: Hook) {
        self.hooks.write().push(hook);
    }

    /// CONFIG SET: all of the pairs or none. `protected` allows the protected directives.
    pub fn set(&self, pairs: &[(&str, &str)], protected: bool) -> Result<(), SetError> {
        let _changing = self.changing.lock();
        let directives = changeable(pairs, protected)?;
        let before = self.current();
        let mut after = Settings::clone(&before);
        for (directive, (name, value)) in directives.iter().zip(pairs) {
            directive
                .apply(&mut after, &[(*value).to_owned()])
                .map_err(|reason| SetError::failed(directive.name_as(name), reason))?;
        }
        self.put_into_effect(&before, &after)?;
        *self.current.write() = Arc::new(after);
        self.generation.fetch_add(1, Ordering::Release);
        for directive in directives.iter().filter(|directive| directive.effect == Effect::None) {
            tracing::debug!("'{}' has no effect: {}", directive.name, directive.about);
        }
        for directive in directives.iter().filter(|directive| directive.is(Flags::AT_START)) {
            if directive.value(&before) != directive.value(&self.current()) {
                tracing::info!("'{}' counts from the next start, if CONFIG REWRITE keeps it", directive.name);
            }
        }
        Ok(())
    }

    /// Runs the hooks; when one fails, those before it are told the way back.
    fn put_into_effect(&self, before: &Settings, after: &Settings) -> Result<(), SetError> {
        let hooks = self.hooks.read();
        for (done, hook) in hooks.iter().enumerate() {
            if let Err(error) = hook(before, after) {
                for undo in hooks.iter().take(done).rev() {
                    if let Err(error) = undo(after, before) {
                        tracing::warn!("undoing a failed CONFIG SET: {error}");
                    }
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// CONFIG REWRITE: writes what differs into the file, keeping its comments and order.
    /// `None`: the server was started without a file.
    /// `users` are the lines that make the users.
    pub fn rewrite(&self, users: &[String]) -> Option<io::Result<()>> {
        self.rewrite_with(users, rewrite::Extent::Changed)
    }

    /// As [`Self::rewrite`], but with a line for every directive.
    pub fn rewrite_all(&self, users: &[String]) -> Option<io::Result<()>> {
        self.rewrite_with(users, rewrite::Extent::All)
    }

    fn rewrite_with(&self, users: &[String], extent: rewrite::Extent) -> Option<io::Result<()>> {
        let _changing = self.changing.lock();
        let file = self.file()?;
        let mut settings = Settings::clone(&self.current());
        if self.loaded.detected_maxmemory == Some(settings.maxmemory) {
            // Another container may have another limit: it is found again at the next start.
            settings.maxmemory = 0;
        }
        Some(rewrite::rewrite(file, &settings, users, extent))
    }
}

/// The directives of the pairs, if CONFIG SET may change them. An unknown name counts first.
fn changeable(pairs: &[(&str, &str)], protected: bool) -> Result<Vec<&'static Directive>, SetError> {
    let mut directives: Vec<&'static Directive> = Vec::with_capacity(pairs.len().min(64));
    let mut refusal = None;
    for (name, _) in pairs {
        let Some(directive) = table::find(name) else {
            // Whichever comes first is told: this one, or the refusal of an earlier pair.
            let argument = name.split('\0').next().unwrap_or_default().to_owned();
            return Err(refusal.unwrap_or(SetError::Unknown { argument }));
        };
        let reason = if directive.is(Flags::IMMUTABLE) {
            Some("can't set immutable config")
        } else if directive.is(Flags::PROTECTED) && !protected {
            Some("can't set protected config")
        } else if directives.iter().any(|earlier| std::ptr::eq(*earlier, directive)) {
            Some("duplicate parameter")
        } else {
            None
        };
        if let (None, Some(reason)) = (&refusal, reason) {
            refusal = Some(SetError::failed(*name, reason));
        }
        directives.push(directive);
    }
    refusal.map_or(Ok(directives), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&str, &str)], expected: &str) {
        let config = Config::default();
        let before = config.generation();
        let error = config.set(pairs, false).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(config.generation(), before);
    }

    #[test]
    fn refusals() {
        check(&[("nope", "1")], "Unknown option or number of arguments for CONFIG SET - 'nope'");
        check(
            &[("databases", "1")],
            "CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config",
        );
        check(&[("dir", "/")], "CONFIG SET failed (possibly related to argument 'dir') - can't set protected config");
        check(
            &[("maxmemory", "1"), ("MAXMEMORY", "2")],
            "CONFIG SET failed (possibly related to argument 'MAXMEMORY') - duplicate parameter",
        );
    }

    #[test]
    fn all_or_nothing() {
        let config = Config::default();
        config.set(&[("maxmemory", "10mb"), ("hz", "often")], false).unwrap_err();
        assert_eq!(config.current().maxmemory, 0);
        config.set(&[("maxmemory", "10mb"), ("hz", "20")], false).unwrap();
        assert_eq!((config.current().maxmemory, config.current().hz), (10 << 20, 20));
        assert_eq!(config.generation(), 1);
    }

    #[test]
    fn a_failing_hook_undoes_the_change() {
        let config = Config::default();
        let port = Arc::new(AtomicU64::new(6379));
        let seen = Arc::clone(&port);
        config.on_change(Box::new(move |_, after| {
            seen.store(after.port.into(), Ordering::Relaxed);
            Ok(())
        }));
        config.on_change(Box::new(|_, after| match after.port {
            1 => Err(SetError::failed("port", "Unable to listen on this port. Check server logs.")),
            _ => Ok(()),
        }));
        config.set(&[("port", "1")], false).unwrap_err();
        assert_eq!((config.current().port, port.load(Ordering::Relaxed)), (6379, 6379));
    }
}
