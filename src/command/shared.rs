//! What all connections share.

use super::reply::EncoderFactory;
use crate::{config::Config, keyspace::Keyspace};

pub struct Shared {
    pub config: Config,
    pub keyspace: Keyspace,
    /// Makes the encoder of a protocol, for messages to other clients.
    pub encoder: EncoderFactory,
}
