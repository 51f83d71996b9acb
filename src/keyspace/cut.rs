//! What a snapshot does with the shards: it makes a cut, takes their pages as they were then, and gives them back at the next
//! start.

use super::{AtCut, Keyspace};
use crate::arena::{CutSink, Kind, PageId, SavedPage, Take};
use std::sync::Arc;

impl Keyspace {
    /// Makes the cut, and waits until every operation from before it is over. One that still ran while
    /// pages are taken could put what belongs to the image where the sweep has been already.
    pub fn begin_cut(&self, sink: Arc<dyn CutSink>) -> u32 {
        let epoch = self.arena.begin_cut(sink);
        self.shards.iter().for_each(|shard| shard.0.lock().enter(epoch));
        epoch
    }

    /// Takes a page of whichever shard owns it, as it was at the cut. Each
    /// block is handed to `each`. `None` when the page held nothing then or is gone since.
    pub fn take_page(&self, page: PageId, each: Take) -> Option<SavedPage> {
        loop {
            let owner = self.arena.page(page);
            if owner.kind() == Kind::Free {
                return None;
            }
            let mut shard = self.shards.get(owner.shard() as usize)?.0.lock();
            let now = self.arena.page(page);
            if now.kind() != Kind::Free && now.shard() == owner.shard() {
                let epoch = self.arena.epoch();
                shard.enter(epoch);
                return shard.heap.take_page(page, each);
            }
        }
    }

    /// Takes some of what need not wait for the sweep. Answers whether there may be more.
    pub fn take_early(&self, shard: usize, copies: bool, pages: &mut Vec<SavedPage>, each: Take) -> bool {
        let mut shard = self.shards[shard].0.lock();
        let epoch = self.arena.epoch();
        shard.enter(epoch);
        shard.heap.take_early(copies, pages, each)
    }

    /// After all pages: takes some of what the shard gave back since the cut; when that was the last, its
    /// indexes' roots and counters as they were.
    pub fn take_rest(&self, shard: usize, pages: &mut Vec<SavedPage>, each: Take) -> Option<AtCut> {
        let mut shard = self.shards[shard].0.lock();
        let epoch = self.arena.epoch();
        shard.enter(epoch);
        if shard.heap.take_gone(pages, each) {
            return None;
        }
        let at_cut = shard.at_cut.take().unwrap_or_default();
        shard.heap.leave_cut();
        Some(at_cut)
    }

    /// After a restart: the indexes' roots of each shard, as an image kept them.
    pub fn adopt_roots(&self, shard: usize, roots: &[[u64; 4]]) -> bool {
        self.shards.get(shard).is_some_and(|place| place.0.lock().adopt_roots(roots))
    }
}
