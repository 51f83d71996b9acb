//! The thread that runs scripts nobody has seen run yet.

use crate::command::{Shared, blocking};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
};

/// The thread; dropping it ends it, and whatever script it runs.
pub struct ScriptRunner {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl ScriptRunner {
    pub fn start(shared: &Arc<Shared>) -> io::Result<ScriptRunner> {
        shared.scripts.queue.open();
        let own = Arc::clone(shared);
        let thread = std::thread::Builder::new().name("scripts".to_owned()).spawn(move || {
            while let Some(ticket) = own.scripts.queue.pop() {
                let run = AssertUnwindSafe(|| blocking::run_handed_over(&own, own.script_worker(), ticket));
                // A defect that shows in a command ends the connection that sent it; other scripts are run.
                if catch_unwind(run).is_err() {
                    blocking::end_connection(&own, ticket);
                }
            }
        })?;
        Ok(ScriptRunner { shared: Arc::clone(shared), thread: Some(thread) })
    }
}

impl Drop for ScriptRunner {
    fn drop(&mut self) {
        self.shared.scripts.queue.close();
        self.shared.scripts.busy.end_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread for scripts panicked");
        }
    }
}
