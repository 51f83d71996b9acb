//! After a restart: a command waits for what it needs from the disk, and the thread's other connections do not.

use crate::{command::Shared, keyspace::Lookup};
use std::{future::Future, pin::Pin, sync::Arc, task::Context};
use tokio::task::{JoinHandle, spawn_blocking};

/// Whether what the next command needs is on its way.
#[derive(Default)]
pub enum Bringing {
    #[default]
    Nothing,
    Waits(JoinHandle<()>),
    /// It has come: the command runs, whatever has happened meanwhile.
    Done,
}

impl Bringing {
    pub fn begin(shared: &Arc<Shared>, lookups: Vec<Lookup>) -> Bringing {
        let shared = Arc::clone(shared);
        Bringing::Waits(spawn_blocking(move || lookups.iter().for_each(|lookup| shared.keyspace.bring(lookup))))
    }

    pub fn is_under_way(&self) -> bool {
        matches!(self, Bringing::Waits(_))
    }

    /// Whether the command may run; the one after it is another matter.
    pub fn is_done(&mut self) -> bool {
        matches!(std::mem::take(self), Bringing::Done)
    }

    /// Whether it is still to be waited for; the task is woken then.
    pub fn waits(&mut self, cx: &mut Context<'_>) -> bool {
        if let Bringing::Waits(work) = self {
            if Pin::new(work).poll(cx).is_pending() {
                return true;
            }
            *self = Bringing::Done;
        }
        false
    }
}
