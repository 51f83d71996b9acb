//! One file per family: rows and handlers.

pub mod connection;
