//! Who is connected. Touched when clients come and go and by CLIENT, never by a command on keys.

use super::ClientHandle;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

const PARTS: usize = 16;

#[derive(Default)]
pub struct Clients {
    last_id: AtomicU64,
    count: AtomicUsize,
    parts: [Mutex<HashMap<u64, Arc<ClientHandle>>>; PARTS],
}

impl Clients {
    pub fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn add(&self, handle: Arc<ClientHandle>) {
        if self.part(handle.id).lock().insert(handle.id, handle).is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn remove(&self, id: u64) {
        if self.part(id).lock().remove(&id).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub fn get(&self, id: u64) -> Option<Arc<ClientHandle>> {
        self.part(id).lock().get(&id).cloned()
    }

    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the buffers of all connections take.
    pub fn buffer_bytes(&self) -> u64 {
        let figures = |client: &ClientHandle| {
            [&client.query_bytes, &client.query_free, &client.output_capacity]
                .map(|bytes| bytes.load(Ordering::Relaxed))
        };
        self.all().iter().flat_map(|client| figures(client)).sum()
    }

    /// All that are not about to be closed, the longest connected first.
    pub fn all(&self) -> Vec<Arc<ClientHandle>> {
        let mut all: Vec<_> = self
            .parts
            .iter()
            .flat_map(|part| part.lock().values().filter(|client| !client.is_killed()).cloned().collect::<Vec<_>>())
            .collect();
        all.sort_unstable_by_key(|handle| handle.id);
        all
    }

    fn part(&self, id: u64) -> &Mutex<HashMap<u64, Arc<ClientHandle>>> {
        &self.parts[(id % PARTS as u64) as usize]
    }
}
