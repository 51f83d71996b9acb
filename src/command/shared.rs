//! What all connections share.
use crate::keyspace::Keyspace;
pub struct Shared {
    pub keyspace: Keyspace,
}
