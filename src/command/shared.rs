//! What all connections share.

use super::reply::EncoderFactory;
use crate::keyspace::Keyspace;

pub struct Shared {
    pub keyspace: Keyspace,
    /// Makes the encoder of a protocol, for messages to other clients.
    pub encoder: EncoderFactory,
}
