//! A connection's state, as commands see it.
pub struct Client {}
