//! The servers that are compared.

use std::{env, path::PathBuf};

/// Ours, `redis-server` of the PATH, and those that the environment names: `PEERS="name=/path/to/server,..."`.
pub fn all() -> Vec<(String, PathBuf)> {
    let mut servers = vec![("flagstone".to_owned(), PathBuf::from(env!("CARGO_BIN_EXE_flagstone")))];
    let path = env::var_os("PATH").unwrap_or_default();
    match env::split_paths(&path).map(|folder| folder.join("redis-server")).find(|program| program.is_file()) {
        Some(program) => servers.push(("redis-server".to_owned(), program)),
        None => println!("no redis-server on the PATH"),
    }
    let named = env::var("PEERS").unwrap_or_default();
    for peer in named.split(',').filter(|peer| !peer.is_empty()) {
        let (name, program) = peer.split_once('=').expect("PEERS is name=/path,name=/path");
        servers.push((name.to_owned(), program.into()));
    }
    servers
}
