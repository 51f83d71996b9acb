//! The thread that keeps the function libraries in their file.

use crate::command::Shared;
use std::{io, sync::Arc, thread::JoinHandle};

/// The thread; dropping it ends it when all has been written.
pub struct LibraryKeeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl LibraryKeeper {
    pub fn start(shared: &Arc<Shared>) -> io::Result<LibraryKeeper> {
        shared.functions.keeping.open();
        let own = Arc::clone(shared);
        let thread = std::thread::Builder::new().name("libraries".to_owned()).spawn(move || {
            let functions = &own.functions;
            while functions.keeping.wait() {
                let generation = functions.generation();
                functions.keep(&own.config.current());
                functions.keeping.done(generation);
            }
        })?;
        Ok(LibraryKeeper { shared: Arc::clone(shared), thread: Some(thread) })
    }
}

impl Drop for LibraryKeeper {
    fn drop(&mut self) {
        self.shared.functions.keeping.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread for function libraries panicked");
        }
    }
}
