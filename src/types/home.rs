//! Where a collection lives: the bytes of its value in an item, and the heap of its shard.

use super::{
    kind::{Encoding, Type},
    tree::Root,
};
use crate::arena::{ArenaFull, ShardHeap};
use ahash::RandomState;
use std::ops::Range;

/// A collection to be read.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub heap: &'a ShardHeap,
    pub hasher: &'a RandomState,
    pub kind: Type,
    pub encoding: Encoding,
    /// The value's bytes in its item.
    pub value: &'a [u8],
}

/// A collection to be changed. Keyspace lends one; the first change counts as one of the key.
pub trait Home {
    fn view(&self) -> View<'_>;
    fn encoding(&self) -> Encoding;
    /// The heap, for the nodes of trees. The value's own bytes change only through the methods below.
    fn heap_mut(&mut self) -> &mut ShardHeap;
    /// The heap, for elements to be put in order while it changes.
    fn heap_and_hasher(&mut self) -> (&mut ShardHeap, &RandomState);
    /// The hash of the key that the collection is stored at: what a tree's root refers back to.
    fn owner(&self) -> u64;
    /// Replaces `range` of the value's bytes by `with`.
    fn splice(&mut self, range: Range<usize>, with: &[u8]) -> Result<(), ArenaFull>;
    /// Replaces root number `tree` of a value of trees.
    fn set_root(&mut self, tree: usize, root: Root) -> Result<(), ArenaFull> {
        self.splice(tree * Root::BYTES..(tree + 1) * Root::BYTES, &root.to_bytes())
    }
    /// Stores the value whole, in another encoding.
    fn replace(&mut self, encoding: Encoding, value: &[u8]) -> Result<(), ArenaFull>;
    /// Changes the encoding alone.
    fn set_encoding(&mut self, encoding: Encoding);
    /// Has the collection looked at when the next of its elements expires, which has changed.
    fn wake(&mut self) {}
}

/// For tests: a collection that is no key's.
#[cfg(test)]
pub mod alone {
    use super::*;
    use crate::arena::Arena;

    pub struct Alone {
        pub heap: ShardHeap,
        pub hasher: RandomState,
        pub kind: Type,
        pub encoding: Encoding,
        pub value: Vec<u8>,
    }

    impl Alone {
        /// Made of an empty value, with room for so many bytes of nodes.
        pub fn new((kind, encoding, value): (Type, Encoding, &[u8]), bytes: usize) -> Alone {
            Alone {
                heap: ShardHeap::new(&Arena::reserve(bytes, 1 << 20).unwrap(), 0),
                hasher: RandomState::with_seeds(1, 2, 3, 4),
                kind,
                encoding,
                value: value.to_vec(),
            }
        }
    }

    impl Home for Alone {
        fn view(&self) -> View<'_> {
            let Alone { heap, hasher, kind, encoding, value } = self;
            View { heap, hasher, kind: *kind, encoding: *encoding, value }
        }
        fn encoding(&self) -> Encoding {
            self.encoding
        }
        fn heap_mut(&mut self) -> &mut ShardHeap {
            &mut self.heap
        }
        fn heap_and_hasher(&mut self) -> (&mut ShardHeap, &RandomState) {
            (&mut self.heap, &self.hasher)
        }
        fn owner(&self) -> u64 {
            7
        }
        fn splice(&mut self, range: Range<usize>, with: &[u8]) -> Result<(), ArenaFull> {
            self.value.splice(range, with.iter().copied());
            Ok(())
        }
        fn replace(&mut self, encoding: Encoding, value: &[u8]) -> Result<(), ArenaFull> {
            (self.encoding, self.value) = (encoding, value.to_vec());
            Ok(())
        }
        fn set_encoding(&mut self, encoding: Encoding) {
            self.encoding = encoding;
        }
    }
}
