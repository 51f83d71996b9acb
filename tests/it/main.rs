//! The integration tests, in one binary: transcripts of commands, abuse of the protocol, restarts, a model, a peer, and
//! the structure of the tree itself.

mod append_only;
mod campaign;
mod client;
mod collections;
mod command;
mod differential;
mod failures;
mod figures;
mod harness;
mod instance;
mod large;
mod limits;
mod loading;
mod migrate;
mod model;
mod process;
mod protocol;
mod redis_file;
mod restart;
mod start;
mod structure;
mod tls;
mod tree;
mod wire;
