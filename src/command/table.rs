//! Every command, by name.
use super::spec::Spec;

/// The families' rows.
pub static FAMILIES: &[&[Spec]] = &[];

/// Finds a command by name, whatever its case.
pub fn lookup(_name: &[u8]) -> Option<&'static Spec> {
    None
}
