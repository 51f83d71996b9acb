//! One file per family: rows and handlers.

pub mod acl;
pub mod array;
pub mod bitmap;
mod collection;
pub mod cluster;
pub mod config;
pub mod debug;
pub mod memory;
pub mod modules;
pub mod replication;
pub mod server;
pub mod set;
pub mod script;
pub mod sort;
pub mod stream;
pub mod connection;
pub mod function;
pub mod geo;
pub mod hash;
pub mod hot_keys;
pub mod hyperloglog;
pub mod info;
pub mod keys;
pub mod latency;
pub mod command_log;
pub mod list;
pub mod string;
pub mod persistence;
pub mod client;
mod client_tracking;
pub mod command;
pub mod monitor;
pub mod pubsub;
pub mod transactions;
pub mod zset;

use super::{Context, table};

/// A container's HELP: how to call it, what the subcommands do (`lines`), and HELP itself.
fn help(cx: &mut Context<'_>, lines: &[&str]) {
    let container = cx.command.parent.map_or(cx.spec.name, |parent| table::all()[parent].spec.name);
    cx.reply.array(lines.len() + 3);
    let container = container.to_ascii_uppercase();
    cx.reply.simple(&format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for line in lines.iter().chain(&["HELP", "    Print this help."]) {
        cx.reply.simple(line);
    }
}
