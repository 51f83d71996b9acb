//! What CONFIG SET changes in the keyspace and the saver. Most settings are read where they are used; these
//! live in another layer.

use crate::{
    command::{Shared, client_memory},
    config::{SetError, Settings},
};
use std::sync::Arc;

/// Lets them follow the settings.
pub fn follow(shared: &Arc<Shared>) {
    let delay = |settings: &Settings| u64::try_from(settings.rdb_key_save_delay_us).unwrap_or(0);
    shared.saver.set_delay_per_key(delay(&shared.config.current()));
    shared.saver.set_bandwidth(shared.config.current().snapshot_max_bandwidth);
    // The configuration is part of what is shared: it must not keep it alive.
    let keyspace = Arc::downgrade(shared);
    shared.config.on_change(Box::new(move |before, after| {
        let Some(shared) = keyspace.upgrade() else { return Ok(()) };
        shared.saver.set_delay_per_key(delay(after));
        shared.saver.set_bandwidth(after.snapshot_max_bandwidth);
        if before.maxmemory_policy != after.maxmemory_policy {
            shared.keyspace.set_policy(after.maxmemory_policy);
        }
        if before.maxmemory != after.maxmemory {
            shared.keyspace.set_maxmemory(after.maxmemory);
            let used = shared.keyspace.used_memory();
            if after.maxmemory != 0 && after.maxmemory < used {
                tracing::warn!(
                    "the new maxmemory of {} bytes is less than the {used} in use: keys are evicted or writes refused, \
                     as maxmemory-policy says",
                    after.maxmemory
                );
            }
        }
        let (log, directory) = (shared.keyspace.log(), after.append_directory());
        if before.append_directory() != directory {
            log.move_to(&directory).map_err(|error| {
                tracing::error!(directory = %directory.display(), %error, "the append-only file can't be moved");
                SetError::failed("dir", format!("the append-only file can't be moved: {error}"))
            })?;
            // The cron asks for the image that it needs, once the settings tell where that has to be.
        }
        if before.append_only != after.append_only {
            let result = if after.append_only { log.open(false, 0) } else { log.close() };
            if let Err(error) = result {
                tracing::error!(%error, "appendonly could not be changed");
                return Err(SetError::failed("appendonly", "Unable to turn on AOF. Check server logs."));
            }
            match after.append_only {
                true => drop(shared.saver.request_rewrite()),
                false => shared.saver.hurry_rewrite(),
            }
        }
        if before.maxmemory_clients != after.maxmemory_clients {
            client_memory::evict(&shared, after);
        }
        if before.import_mode != after.import_mode {
            shared.keyspace.set_importing(after.import_mode);
        }
        Ok(())
    }));
}
