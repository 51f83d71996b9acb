//! server.

pub mod health;
