//! The process: from a configuration to the exit code.

use super::{
    Server, logging, oom,
    persistence::{self, Opened},
    supervise,
};
use crate::{
    command::{
        Shared,
        redis_file::load_libraries,
        script::{self, functions::RestorePolicy},
        shutdown::shut_down_on_signal,
        table,
    },
    config::{Config, Loaded, PubsubDefault, Settings},
    net,
    resp::Encoder,
    snapshot,
    util::clock::Clock,
};
use std::{error::Error, fs, io, net::SocketAddr, path::Path, process::ExitCode, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};

/// Serves until told to end.
pub fn run(loaded: Loaded) -> ExitCode {
    match serve(loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            eprintln!("flagstone: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(loaded: Loaded) -> Result<(), Box<dyn Error>> {
    let config = Config::new(loaded);
    let settings = config.current();
    logging::start(&settings)?.follow(&config);
    oom::follow(&config);
    table::rename(config.renames())?;
    let pid = std::process::id();
    tracing::info!("Flagstone {} starting, PID: {pid}", env!("CARGO_PKG_VERSION"));
    for note in config.notes() {
        tracing::info!("{note}");
    }
    let Opened { keyspace, log, libraries } =
        persistence::open_keyspace(&settings, settings.maxmemory, Clock::Wall.now())?;
    tracing::info!(
        address_space_bytes = keyspace.arena().capacity(),
        maxmemory_bytes = settings.maxmemory,
        shards = keyspace.shards(),
        "arena reserved"
    );
    let shared = Arc::new(Shared::new(config, keyspace, Encoder::boxed, Clock::Wall));
    let keys = (0..settings.databases as usize).map(|database| shared.keyspace.db_stats(database).keys);
    shared.stats.loaded_keys.add(keys.sum());
    load_users(&shared)?;
    load_libraries(&shared, &libraries)?;
    persistence::open_log(&shared, log)?;
    load_functions(&shared)?;
    allow_descriptors(&settings);
    let listeners = net::bind(&settings)?;
    if listeners.is_empty() {
        tracing::warn!("listening nowhere: 'port' is 0 and no 'unixsocket' is given");
    }
    for listener in &listeners {
        tracing::info!("listening on {}", listener.name());
    }
    let _pid_file = PidFile::write(&settings.pidfile, pid);
    tracing::info!(threads = settings.threads(), "PID: {pid}, Server initialized");
    let signals = Signals::new()?;
    let server = Server::start(Arc::clone(&shared), listeners)?;
    tracing::info!("Ready to accept connections");
    if is_open_to_all(&shared, server.addresses()) {
        tracing::warn!(
            "anyone who reaches this machine may use this server: it asks for no password ('requirepass', 'aclfile'), and \
             'protected-mode' is off"
        );
    }
    supervise::ready(&settings);
    signals.watch(&shared)?;
    shared.lifecycle.wait();
    drop(server);
    if let Err(error) = shared.keyspace.log().close() {
        tracing::error!(%error, "the last changes could not be written to the append-only file");
    }
    tracing::info!("Flagstone is now ready to exit, bye bye...");
    Ok(())
}

/// Whether clients from elsewhere are served without a password.
fn is_open_to_all(shared: &Shared, addresses: &[SocketAddr]) -> bool {
    let user = shared.users.default_user();
    let asks = !user.on || !user.no_password;
    !asks && !shared.config.current().protected_mode && addresses.iter().any(|address| !address.ip().is_loopback())
}

/// Loads the function libraries that were kept.
pub(super) fn load_functions(shared: &Shared) -> Result<(), Box<dyn Error>> {
    let path = shared.config.current().functions_path();
    let payload = match fs::read(&path) {
        Ok(payload) => payload,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("function libraries in {}: {error}", path.display()).into()),
    };
    let loaded = script::library_file::read(&payload)
        .and_then(|codes| codes.iter().map(|code| script::load_library(code)).collect::<Result<_, _>>())
        .and_then(|libraries| shared.functions.restore(libraries, RestorePolicy::Flush));
    loaded.map_err(|error| {
        format!("function libraries in {}: {}", path.display(), String::from_utf8_lossy(&error.0)).into()
    })
}

/// Takes the users of the configuration or of the file that it names.
fn load_users(shared: &Shared) -> Result<(), Box<dyn Error>> {
    let settings = shared.config.current();
    let all_channels = settings.acl_pubsub_default == PubsubDefault::All;
    if settings.acl_file.is_empty() {
        return Ok(shared.users.configure(shared.config.users(), all_channels)?);
    }
    if !shared.config.users().is_empty() {
        return Err("'user' lines and 'aclfile' exclude each other: choose one place for the users".into());
    }
    let text = fs::read(settings.resolve(Path::new(&settings.acl_file)))
        .map_err(|error| format!("Error loading ACLs, opening file '{}': {error}", settings.acl_file))?;
    Ok(shared.users.load(&settings.acl_file, &text, all_channels)?)
}

/// Descriptors the server needs besides those of its clients.
const OWN_DESCRIPTORS: u64 = 32;

/// Raises the limit of open files so that `maxclients` can be served.
fn allow_descriptors(settings: &Settings) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = u64::from(settings.maxclients) + OWN_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    let possible = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum: limit.maximum });
    if let Err(error) = raised {
        tracing::warn!(%error, "could not raise the limit of open files");
    } else if possible < needed {
        tracing::warn!(
            maxclients = settings.maxclients,
            "the limit of open files allows {} clients at most",
            possible.saturating_sub(OWN_DESCRIPTORS)
        );
    }
}

/// SIGTERM and SIGINT, caught from before the first client is served.
struct Signals {
    runtime: tokio::runtime::Runtime,
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let guard = runtime.enter();
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        // A terminal that closes does not end a server, as with Redis; and a file that may not grow (RLIMIT_FSIZE) is an
        // error of the write.
        drop(signal(SignalKind::hangup())?);
        drop(signal(SignalKind::from_raw(libc::SIGXFSZ))?);
        drop(guard);
        Ok(Signals { runtime, terminate, interrupt })
    }

    /// The first signal ends the server in order, the second at once.
    fn watch(self, shared: &Arc<Shared>) -> std::io::Result<()> {
        let Signals { runtime, mut terminate, mut interrupt } = self;
        let shared = Arc::clone(shared);
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut ending: Option<std::thread::JoinHandle<bool>> = None;
                loop {
                    let name = tokio::select! {
                        _ = terminate.recv() => "SIGTERM",
                        _ = interrupt.recv() => "SIGINT",
                    };
                    // A shutdown that failed to save has ended, and another may be tried.
                    if ending.as_ref().is_some_and(|ending| !ending.is_finished()) {
                        tracing::warn!("a second signal: exiting now");
                        snapshot::discard_unfinished(&shared.config.current().snapshot_path());
                        std::process::exit(1);
                    }
                    tracing::info!("Received {name}, shutting down");
                    let settings = shared.config.current();
                    let how =
                        if name == "SIGTERM" { settings.shutdown_on_sigterm } else { settings.shutdown_on_sigint };
                    let shared = Arc::clone(&shared);
                    ending = Some(std::thread::spawn(move || shut_down_on_signal(&shared, how).is_ok()));
                }
            });
        })?;
        Ok(())
    }
}

/// The file that holds the process's id while it runs.
struct PidFile(String);

impl PidFile {
    fn write(path: &str, pid: u32) -> Option<PidFile> {
        if path.is_empty() {
            return None;
        }
        match fs::write(Path::new(path), format!("{pid}\n")) {
            Ok(()) => Some(PidFile(path.to_owned())),
            Err(error) => {
                tracing::warn!(path, %error, "could not write the pid file");
                None
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(path = self.0, %error, "could not remove the pid file");
        }
    }
}
