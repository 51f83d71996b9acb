//! Sets: members in any order, packed or in a tree by hash.

use super::{packed::Element, tree::Order};
use ahash::RandomState;

/// A tree of members by the hash of each.
pub struct ByMember;

impl Order for ByMember {
    const LEAF: usize = 1000;
    const WIDTH: usize = 1;
    const LOOSE: bool = true;

    fn key(hasher: &RandomState, element: &Element<'_>) -> u64 {
        hasher.hash_one(element.first().text(&mut itoa::Buffer::new()))
    }
}
