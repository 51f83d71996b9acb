//! After a restart: what a request will look up that is still in the snapshot only, so that it can be brought from the
//! disk before the request runs.

use super::{Args, Client, Shared, keys, table};
use crate::keyspace::Lookup;

/// No element is longer, and no request is looked through for more, for what is done on the mere guess that a word is
/// one.
const ELEMENT_MAX: usize = 512;
const ELEMENTS_MAX: usize = 64;

/// The lookups of a request that would have to wait for the disk.
pub fn absent(shared: &Shared, client: &Client, args: &Args<'_>) -> Vec<Lookup> {
    let Some(command) = table::resolve(args).ok().filter(|_| client.authenticated) else { return Vec::new() };
    let keyspace = &shared.keyspace;
    let words = args.iter().skip(2).filter(|word| word.len() <= ELEMENT_MAX).take(ELEMENTS_MAX);
    let elements: Vec<Box<[u8]>> = words.map(|word| (*word).into()).collect();
    keys::keys(command.spec, args)
        .map(|key| Lookup { db: client.db, hash: keyspace.hash(key), elements: elements.clone() })
        .filter(|lookup| keyspace.absent(lookup).is_some())
        .collect()
}
