//! `maxmemory-clients`: when all clients together hold more than that, those that hold most are closed.

use super::{ClientHandle, Shared, handle::State};
use crate::config::Settings;
use std::{cmp::Reverse, sync::Arc};

/// A client looks at the sum when it has grown by this part of the limit; what grows more slowly, the cron finds.
const STEP: u64 = 64;

/// Whether a client that holds `memory`, and held `judged` when it last asked, should look at the sum.
pub fn is_due(settings: &Settings, memory: u64, judged: u64) -> bool {
    let limit = settings.maxmemory_clients.limit(settings.maxmemory);
    limit.is_some_and(|limit| memory > judged.saturating_add(limit / STEP))
}

/// Closes the largest clients until the others hold no more than the limit. `CLIENT NO-EVICT` spares a client, but what it holds
/// counts.
pub fn evict(shared: &Shared, settings: &Settings) {
    let Some(limit) = settings.maxmemory_clients.limit(settings.maxmemory) else { return };
    let mut clients: Vec<(u64, Arc<ClientHandle>)> = Vec::new();
    for handle in shared.clients.all().into_iter().filter(|handle| !handle.is_killed()) {
        clients.push((handle.memory(), handle));
    }
    let mut held: u64 = clients.iter().map(|(memory, _)| memory).sum();
    if held <= limit {
        return;
    }
    clients.retain(|(_, handle)| !handle.state().contains(State::NO_EVICT));
    clients.sort_by_key(|(memory, _)| Reverse(*memory));
    for (memory, handle) in clients {
        if held <= limit {
            break;
        }
        tracing::info!(client = handle.id, bytes = memory, "closing a client for 'maxmemory-clients'");
        shared.stats.evicted_clients.add(1);
        handle.kill();
        held = held.saturating_sub(memory);
    }
}
