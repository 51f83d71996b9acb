//! The integration tests, in one binary: transcripts of commands, abuse of the protocol, restarts, a model, a peer, and
//! the structure of the tree itself.

#[allow(dead_code, reason = "taken into use with the first served instance")]
mod client;
mod command;
mod harness;
mod instance;
mod model;
mod structure;
mod tree;
