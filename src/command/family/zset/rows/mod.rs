//! The rows of the sorted sets' commands.

mod change;
mod combine;
mod query;

pub use change::COMMANDS as CHANGES;
pub use combine::COMMANDS as COMBINATIONS;
pub use query::COMMANDS as QUERIES;

use crate::command::spec::{Acl, BeginSearch, FindKeys, KeyFlags, KeySpec, Spec};

const ROW: Spec = Spec { acl: Acl::SORTEDSET, group: "sorted_set", ..Spec::DEFAULT };
const READ: KeySpec = KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS));
const REMOVE: KeySpec = KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE));
const POP: KeySpec = KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE));
const POP_ANY: KeySpec = KeySpec::range(1, -2, 1, POP.flags);
const TARGET: KeySpec = KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE));
/// `numkeys key [key ...]`, `numkeys` being word 1 or 2.
const INPUTS_AT_1: KeySpec = inputs_at(1);
const INPUTS_AT_2: KeySpec = inputs_at(2);

const fn inputs_at(index: i32) -> KeySpec {
    KeySpec {
        flags: READ.flags,
        begin: BeginSearch::Index(index),
        find: FindKeys::KeyNum { keynum_index: 0, first_key: 1, step: 1 },
    }
}
