//! After a restart: a command waits for what it needs from the disk, and the thread's other connections do not.

use crate::{arena::PageId, command::Shared};
use std::{future::Future, pin::Pin, sync::Arc, task::Context};
use tokio::task::{JoinHandle, spawn_blocking};

/// What the next command needs, on its way.
#[derive(Default)]
pub struct Bringing(Option<JoinHandle<()>>);

impl Bringing {
    pub fn begin(shared: &Arc<Shared>, pages: Vec<PageId>) -> Bringing {
        let shared = Arc::clone(shared);
        Bringing(Some(spawn_blocking(move || shared.keyspace.bring(&pages))))
    }

    pub fn is_under_way(&self) -> bool {
        self.0.is_some()
    }

    /// Whether it is still to be waited for; the connection is called then.
    pub fn waits(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(work) = &mut self.0 {
            if Pin::new(work).poll(cx).is_pending() {
                return true;
            }
            self.0 = None;
        }
        false
    }
}
