//! The directive table: every directive, in the sections of `config/flagstone.conf`.

mod compatibility;
mod core;
mod log;
mod memory;
mod observe;
mod tls;

use super::directive::Directive;

/// A group of directives that belong together.
pub struct Section {
    pub title: &'static str,
    pub about: &'static str,
    pub rows: &'static [Directive],
}

pub static SECTIONS: &[&Section] = &[
    &core::NETWORK,
    &tls::TLS,
    &core::GENERAL,
    &core::SECURITY,
    &memory::MEMORY,
    &memory::LAZY_FREEING,
    &memory::SNAPSHOTS,
    &log::LOG,
    &core::LOGGING,
    &observe::OBSERVING,
    &memory::ENCODINGS,
    &compatibility::INERT,
    &compatibility::REFUSED,
];

pub fn all() -> impl Iterator<Item = &'static Directive> {
    SECTIONS.iter().flat_map(|section| section.rows)
}

/// Finds a directive by its name or an alias, whatever the case.
pub fn find(name: &str) -> Option<&'static Directive> {
    all().find(|directive| directive.is_named(name))
}

/// The getter and setter of a field whose type knows how to read itself.
macro_rules! field {
    ($field:ident) => {
        (
            (|settings, _| $crate::config::value::Value::show(&settings.$field)) as $crate::config::directive::Getter,
            (|settings, directive, words| {
                settings.$field = $crate::config::value::Value::read(directive.kind, words)?;
                Ok(())
            }) as $crate::config::directive::Setter,
        )
    };
}
use field;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_lower_case() {
        let mut seen = HashSet::new();
        for name in all().flat_map(Directive::names) {
            assert!(seen.insert(name), "{name} stands twice");
            assert_eq!(name, name.to_ascii_lowercase());
        }
    }

    #[test]
    fn every_default_is_accepted_and_shown_as_it_is_read() {
        let settings = Settings::default();
        for directive in all() {
            let shown = directive.value(&settings);
            let mut again = settings.clone();
            let words = if directive.is(crate::config::Flags::WORDS) && !shown.is_empty() {
                super::super::words(&shown)
            } else {
                vec![shown.clone()]
            };
            directive.apply(&mut again, &words).unwrap_or_else(|e| panic!("{} {shown}: {e}", directive.name));
            assert_eq!(directive.value(&again), shown, "{}", directive.name);
        }
    }
}
