//! The thread that accepts clients, and moves to other addresses when CONFIG SET says so.

use crate::{
    command::Shared,
    config::{SetError, Settings},
    net::{self, BindError, Listener, Workers},
};
use std::{
    io,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};
use tokio::{
    sync::{mpsc::UnboundedReceiver, mpsc::UnboundedSender, mpsc::unbounded_channel, oneshot},
    task,
};

/// Dropping it closes the listening sockets.
pub struct Acceptor {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Listen as `to` says; if that fails, as `from` did.
struct Move {
    from: Settings,
    to: Settings,
    moved: mpsc::Sender<Result<(), BindError>>,
}

impl Acceptor {
    pub fn start(shared: &Arc<Shared>, listeners: Vec<Listener>, workers: Arc<Workers>) -> io::Result<Acceptor> {
        let (stop, stopped) = oneshot::channel();
        let (moves, requests) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let thread = std::thread::Builder::new().name("acceptor".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // The sender is dropped, never used.
                    _ = stopped => {}
                    () = accept(listeners, workers, requests) => {}
                }
            });
        })?;
        follow(shared, moves);
        Ok(Acceptor { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the accepting thread panicked");
        }
    }
}

/// Moves when CONFIG SET changes `bind` or `port`.
fn follow(shared: &Shared, moves: UnboundedSender<Move>) {
    shared.config.on_change(Box::new(move |before, after| {
        if (before.port, &before.bind) == (after.port, &after.bind) {
            return Ok(());
        }
        let failed = || match before.port == after.port {
            true => SetError::failed("bind", "Failed to bind to specified addresses."),
            false => SetError::failed("port", "Unable to listen on this port. Check server logs."),
        };
        let (moved, outcome) = mpsc::channel();
        moves.send(Move { from: before.clone(), to: after.clone(), moved }).map_err(|_| failed())?;
        match outcome.recv() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!("{error}");
                Err(failed())
            }
            Err(_) => Err(failed()),
        }
    }));
}

/// Accepts on every listener, each in a task of its own that owns it.
async fn accept(listeners: Vec<Listener>, workers: Arc<Workers>, mut moves: UnboundedReceiver<Move>) {
    let serve = |listeners: Vec<Listener>| -> Vec<task::JoinHandle<()>> {
        let serving = listeners.into_iter().map(|listener| {
            let workers = Arc::clone(&workers);
            tokio::spawn(async move {
                if let Err(error) = listener.accept(&workers).await {
                    tracing::error!(address = listener.name(), %error, "no longer accepting clients");
                }
            })
        });
        serving.collect()
    };
    let (tcp, unix): (Vec<_>, Vec<_>) = listeners.into_iter().partition(Listener::is_tcp);
    let _unix = serve(unix);
    let mut tcp = serve(tcp);
    while let Some(request) = moves.recv().await {
        // The old sockets go first: the new addresses may be among theirs.
        for task in tcp.drain(..) {
            task.abort();
            let _ = task.await;
        }
        let moved = net::bind_tcp(&request.to);
        let listeners = match &moved {
            Ok(_) => Ok(Vec::new()),
            Err(_) => net::bind_tcp(&request.from),
        };
        let (moved, listeners) = match (moved, listeners) {
            (Ok(listeners), _) => (Ok(()), listeners),
            (Err(error), Ok(listeners)) => (Err(error), listeners),
            (Err(error), Err(lost)) => {
                tracing::error!("cannot listen where it did before either: {lost}");
                (Err(error), Vec::new())
            }
        };
        for listener in &listeners {
            tracing::info!("listening on {}", listener.name());
        }
        tcp = serve(listeners);
        // The one who asked may have given up.
        let _ = request.moved.send(moved);
    }
    // Nobody can ask for a move any more; serve on.
    std::future::pending().await
}
