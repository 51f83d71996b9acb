//! The thread that accepts clients, and moves to other addresses when CONFIG SET says so.

use crate::{
    command::Shared,
    config::{SetError, Settings},
    net::{self, BindError, Listener, Speech, Workers},
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
        workers.tls().load(&shared.config.current()).map_err(io::Error::other)?;
        let serving = Arc::clone(&workers);
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
        follow(shared, serving, moves);
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

/// Moves when CONFIG SET changes `bind`, `port` or `tls-port`, and takes up what it says of TLS.
fn follow(shared: &Shared, workers: Arc<Workers>, moves: UnboundedSender<Move>) {
    let workers = Arc::downgrade(&workers);
    shared.config.on_change(Box::new(move |before, after| {
        let Some(workers) = workers.upgrade() else { return Ok(()) };
        let tls = workers.tls();
        let old = tls.acceptor();
        if (before.tls_port, &before.tls) != (after.tls_port, &after.tls)
            && let Err(error) = tls.load(after)
        {
            tracing::warn!("{error}");
            let argument = if before.tls == after.tls { "tls-port" } else { after.tls.touched.1 };
            return Err(SetError::failed(argument, "Unable to update TLS configuration. Check server logs."));
        }
        if (before.port, before.tls_port, &before.bind) == (after.port, after.tls_port, &after.bind) {
            return Ok(());
        }
        move_to(&moves, before, after).inspect_err(|_| tls.put(old))
    }));
}

/// Has the accepting thread listen as `after` says.
fn move_to(moves: &UnboundedSender<Move>, before: &Settings, after: &Settings) -> Result<(), SetError> {
    let failed = || {
        if before.port != after.port {
            SetError::failed("port", "Unable to listen on this port. Check server logs.")
        } else if before.tls_port != after.tls_port {
            SetError::failed("tls-port", "Unable to listen on this port. Check server logs.")
        } else {
            SetError::failed("bind", "Failed to bind to specified addresses.")
        }
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
}

/// Accepts on every listener, each in a task of its own that owns it.
async fn accept(listeners: Vec<Listener>, workers: Arc<Workers>, mut requests: UnboundedReceiver<Move>) {
    let serve = |listener: Listener| -> task::JoinHandle<()> {
        let workers = Arc::clone(&workers);
        tokio::spawn(async move {
            if let Err(error) = listener.accept(&workers).await {
                tracing::error!(address = listener.name(), %error, "no longer accepting clients");
            }
        })
    };
    // Those of each port, and in the end those of the Unix socket, which stay.
    let mut serving: Vec<_> = Speech::ALL.map(|speech| (Some(speech), Vec::new())).into();
    serving.push((None, Vec::new()));
    for listener in listeners {
        if let Some((_, tasks)) = serving.iter_mut().find(|(speech, _)| *speech == listener.speech()) {
            tasks.push(serve(listener));
        }
    }
    while let Some(Move { from, to, moved }) = requests.recv().await {
        let moves = |speech: Speech| (speech.port(&from), &from.bind) != (speech.port(&to), &to.bind);
        // The old sockets go first: the new addresses may be among theirs.
        for (_, tasks) in serving.iter_mut().filter(|(speech, _)| speech.is_some_and(moves)) {
            for task in tasks.drain(..) {
                task.abort();
                let _ = task.await;
            }
        }
        let bind = |settings: &Settings| -> Result<Vec<Listener>, BindError> {
            let moving = Speech::ALL.into_iter().filter(|speech| moves(*speech));
            let bound: Result<Vec<_>, _> = moving.map(|speech| net::bind_tcp(settings, speech)).collect();
            bound.map(|bound| bound.into_iter().flatten().collect())
        };
        let (outcome, listeners) = match bind(&to) {
            Ok(listeners) => (Ok(()), listeners),
            Err(error) => match bind(&from) {
                Ok(listeners) => (Err(error), listeners),
                Err(lost) => {
                    tracing::error!("cannot listen where it did before either: {lost}");
                    (Err(error), Vec::new())
                }
            },
        };
        for listener in listeners {
            tracing::info!("listening on {}", listener.name());
            if let Some((_, tasks)) = serving.iter_mut().find(|(speech, _)| *speech == listener.speech()) {
                tasks.push(serve(listener));
            }
        }
        // The one who asked may have given up.
        let _ = moved.send(outcome);
    }
    // Nobody can ask for a move any more; serve on.
    std::future::pending().await
}
