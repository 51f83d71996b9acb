//! Flagstone: an in-memory cache server that speaks RESP.
//!
//! The modules stand in layer order; each imports only from those below it in this list
//! (`tests/it/structure.rs` holds that).

pub mod server;
pub mod net;
pub mod resp;
pub mod command;
pub mod snapshot;
pub mod keyspace;
pub mod types;
pub mod index;
pub mod arena;
pub mod aof;
pub mod config;
pub mod stats;
pub mod util;
