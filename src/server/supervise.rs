//! `daemonize` and `supervised`: how the server is started by others.

use crate::config::{Settings, Supervised};
use std::{
    env,
    io::{self, Write},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process::{Command, Stdio},
};

/// Marks the process in the background. Not one of the variables that set directives.
const DETACHED: &str = "_FLAGSTONE_DETACHED";

/// `daemonize yes`: starts this program anew in the background, with the same standard input. `true`: this is the process
/// in front, which has nothing more to do.
pub fn detach(stdin: &[u8]) -> io::Result<bool> {
    if env::var_os(DETACHED).is_some() {
        // A session of its own, so that closing the terminal does not reach it.
        rustix::process::setsid()?;
        return Ok(false);
    }
    let mut background = Command::new(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(DETACHED, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut to) = background.stdin.take()
        && let Err(error) = to.write_all(stdin)
    {
        // It does not start with half of its configuration.
        background.kill()?;
        return Err(error);
    }
    Ok(true)
}

/// Tells the supervisor that clients are served now.
pub fn ready(settings: &Settings) {
    let socket = env::var("NOTIFY_SOCKET").ok();
    let result = match (settings.supervised, socket) {
        (Supervised::No, _) => return,
        (Supervised::Systemd | Supervised::Auto, Some(socket)) => notify(&socket, b"STATUS=Ready\nREADY=1\n"),
        (Supervised::Systemd, None) => {
            tracing::warn!("supervised by systemd, but NOTIFY_SOCKET is not set");
            return;
        }
        (Supervised::Upstart, _) => stop_until_continued(),
        (Supervised::Auto, None) if env::var_os("UPSTART_JOB").is_some() => stop_until_continued(),
        (Supervised::Auto, None) => return,
    };
    if let Err(error) = result {
        tracing::warn!(%error, "could not tell the supervisor that the server is ready");
    }
}

/// A path, or with `@` in front a name in the abstract namespace.
fn notify(socket: &str, message: &[u8]) -> io::Result<()> {
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message, &address).map(drop)
}

fn stop_until_continued() -> io::Result<()> {
    Ok(rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_supervisor_gets_its_message() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let supervisor = UnixDatagram::bind(&path).unwrap();
        notify(path.to_str().unwrap(), b"READY=1").unwrap();
        let mut message = [0; 16];
        let len = supervisor.recv(&mut message).unwrap();
        assert_eq!(&message[..len], b"READY=1");
    }
}
