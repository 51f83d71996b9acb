//! Whether a keyspace is in order, for tests and fuzzing: every item has one key's slot, every node one parent, and
//! nothing else takes memory.

use super::{Keyspace, item, shard::Shard};
use crate::{
    arena::Offset,
    index::Index,
    types::{self, tree},
};

impl Keyspace {
    /// Reads everything, one shard at a time.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<(), String> {
        for (number, shard) in self.shards.iter().enumerate() {
            let mut shard = shard.0.lock();
            shard.enter(self.arena.epoch());
            shard.check().map_err(|wrong| format!("shard {number}: {wrong}"))?;
        }
        Ok(())
    }
}

impl Shard {
    fn check(&mut self) -> Result<(), String> {
        // What is being freed is nobody's.
        while self.free_some() {}
        let mut found = self.survey();
        let keys: u64 = self.indexes.iter().map(Index::len).sum();
        if keys != found.items.len() as u64 {
            return Err(format!("{keys} keys, but {} items", found.items.len()));
        }
        let mut nodes = Vec::new();
        for at in &found.items {
            self.check_item(*at, &mut nodes)?;
        }
        nodes.sort_unstable();
        found.nodes.sort_unstable();
        if nodes != found.nodes {
            return Err(format!("values have {} nodes, the pages {}", nodes.len(), found.nodes.len()));
        }
        Ok(())
    }

    fn check_item(&self, at: Offset, nodes: &mut Vec<Offset>) -> Result<(), String> {
        let key = item::key_of(self.heap.chunk(at)).ok_or_else(|| format!("{at:?} has no key"))?;
        let wrong = |what: &str| format!("{at:?}, key {}: {what}", key.escape_ascii());
        let hash = self.hasher().hash_one(key);
        let found = |db: &usize| self.find_any(*db, hash, key).is_some_and(|found| found.at() == at);
        if (0..self.indexes.len()).filter(found).count() != 1 {
            return Err(wrong("not in the index of one database"));
        }
        let view = self.view_at(at).ok_or_else(|| wrong("no value"))?;
        for root in types::roots(view.encoding, view.value) {
            tree::check(&self.heap, root, &mut |_| Ok(())).map_err(|what| wrong(&what))?;
            tree::nodes(&self.heap, root.node, nodes);
        }
        Ok(())
    }
}
