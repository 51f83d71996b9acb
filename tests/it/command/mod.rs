//! Transcripts, one file per family of commands.

mod acl;
mod bitmap;
mod blocking;
mod config;
mod client;
mod command_log;
mod connection;
mod dump;
mod expire;
mod geo;
mod hash;
mod hash_expire;
mod hyperloglog;
mod keys;
mod list;
mod pubsub;
mod server;
mod set;
mod sort;
mod stream;
mod stream_group;
mod string;
mod tracking;
mod transactions;
mod zset;
mod zset_ranges;
