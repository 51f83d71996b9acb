//! MONITOR: clients that are shown every command.

use super::{Args, ClientHandle, handle::State};
use crate::util::clock::UnixMillis;
use bytes::Bytes;
use parking_lot::Mutex;
use std::io::Write;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

#[derive(Default)]
pub struct Monitors {
    /// Looked at by every command; written only when a monitor comes or goes.
    count: AtomicUsize,
    clients: Mutex<Vec<Arc<ClientHandle>>>,
}

impl Monitors {
    pub fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    pub fn add(&self, client: &Arc<ClientHandle>) {
        let mut clients = self.clients.lock();
        if !clients.iter().any(|known| known.id == client.id) {
            clients.push(Arc::clone(client));
        }
        self.count.store(clients.len(), Ordering::Relaxed);
    }

    pub fn remove(&self, id: u64) {
        let mut clients = self.clients.lock();
        clients.retain(|client| client.id != id);
        self.count.store(clients.len(), Ordering::Relaxed);
    }

    /// Shows a command of `client` to all monitors. A monitor's stream is lines, in any protocol.
    pub fn feed(&self, client: &ClientHandle, in_script: bool, args: &Args<'_>, redacted: &[usize], now: UnixMillis) {
        let mut line = Vec::with_capacity(64);
        let (kind, from) = match (in_script, client.state().contains(State::UNIX_SOCKET)) {
            (true, _) => ("lua", ""),
            (false, true) => ("unix:", &*client.local),
            (false, false) => ("", &*client.peer),
        };
        let db = client.db.load(Ordering::Relaxed);
        let (seconds, millis) = (now.div_euclid(1000), now.rem_euclid(1000));
        // Writing to a vector cannot fail.
        let _ = write!(line, "+{seconds}.{millis:03}000 [{db} {kind}{from}]");
        for (at, arg) in args.iter().enumerate() {
            line.push(b' ');
            quote(&mut line, if redacted.contains(&at) { b"(redacted)" } else { arg });
        }
        line.extend_from_slice(b"\r\n");
        let line = Bytes::from(line);
        for monitor in self.clients.lock().iter() {
            monitor.deliver(&line);
        }
    }
}

/// Appends bytes in quotes, with everything that is not printable escaped, as redis-cli reads it.
pub fn quote(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_on_one_line() {
        let (watcher, mut client) = (Arc::new(ClientHandle::new(1)), ClientHandle::new(2));
        client.peer = "127.0.0.1:5".into();
        let monitors = Monitors::default();
        monitors.add(&watcher);
        monitors.feed(&client, false, &[b"set", b"a\"\r\n\0", b"secret"], &[2], 1_700_000_000_042);
        monitors.feed(&client, true, &[b"get", b"a"], &[], 1_700_000_000_042);
        let mut mail = Vec::new();
        watcher.take_mail(|part| mail.extend_from_slice(part.bytes()));
        let expected = "+1700000000.042000 [0 127.0.0.1:5] \"set\" \"a\\\"\\r\\n\\x00\" \"(redacted)\"\r\n\
                        +1700000000.042000 [0 lua] \"get\" \"a\"\r\n";
        assert_eq!(String::from_utf8_lossy(&mail), expected);
        monitors.remove(1);
        assert!(!monitors.any());
    }
}
