//! One file per family: rows and handlers.

pub mod config;
pub mod connection;
pub mod string;
pub mod persistence;
