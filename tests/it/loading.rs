//! While a snapshot is loaded: who needs what is not there yet waits for the disk, and nobody else does.

use crate::instance::{START, Server, options};
use flagstone::{
    command::Protocol,
    keyspace::{Keyspace, Lookup},
    snapshot::{self, Image},
    util::disk::{Disk, DiskFile, System},
};
use std::{
    ffi::OsString,
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex},
};

/// The real disk, of which nothing is read while it is shut.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

struct Gated(Arc<dyn DiskFile>, Gate);

impl Gate {
    fn set(&self, is_shut: bool) {
        *self.0.0.lock().unwrap() = is_shut;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |is_shut| *is_shut).unwrap());
    }
}

/// Opens it whatever happens, so that the server can end.
impl Drop for Shut<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

struct Shut<'g>(&'g Gate);

impl Disk for Gate {
    fn open_to_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(Gated(System.open_to_read(path)?, self.clone())))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        System.open(path)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        System.create(path)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        System.remove(path)
    }
    fn exchange(&self, new: &Path, path: &Path) -> io::Result<()> {
        System.exchange(new, path)
    }
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        System.sync_directory(directory)
    }
    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        System.create_directory(directory)
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        System.list(directory)
    }
}

impl DiskFile for Gated {
    fn read_some(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.1.pass();
        self.0.read_some(into, at)
    }
    fn write_some(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        self.0.write_some(bytes, at)
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

const KEYS: usize = 2000;

/// A snapshot of many strings, a large value, and a large collection of each type, loaded from a disk with a gate.
fn loading(gate: &Gate) -> Keyspace {
    let server = Server::of(Keyspace::new(&options()).unwrap());
    let mut client = server.connect(Protocol::Resp2);
    for i in 0..KEYS {
        client.call(&["SET", &format!("key:{i}"), &"v".repeat(1000)]);
        client.call(&["SADD", "set", &format!("member:{i}:{}", "m".repeat(100))]);
        client.call(&["HSET", "hash", &format!("field:{i}"), &"v".repeat(100)]);
        client.call(&["ZADD", "zset", &i.to_string(), &format!("member:{i}:{}", "m".repeat(100))]);
        client.call(&["RPUSH", "list", &format!("element:{i}:{}", "e".repeat(100))]);
    }
    client.call(&["SET", "large", &"v".repeat(1_000_000)]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loading.flag");
    snapshot::save(&server.shared().keyspace, &path, START).unwrap();
    Image::open_on(gate, &path).unwrap().unwrap().into_keyspace(&options(), START).unwrap()
}

fn lookup(keyspace: &Keyspace, key: &str, elements: &[&str]) -> Lookup {
    let elements = elements.iter().map(|element| element.as_bytes().into()).collect();
    Lookup { db: 0, hash: keyspace.hash(key.as_bytes()), elements }
}

#[test]
fn what_is_brought_need_not_be_read_again() {
    let gate = Gate::default();
    let keyspace = loading(&gate);
    let wanted =
        [("key:7", ""), ("large", ""), ("set", "member:7"), ("hash", "field:77"), ("zset", "member:3"), ("list", "")];
    let wanted: Vec<_> = wanted.iter().map(|(key, element)| lookup(&keyspace, key, &[element])).collect();
    assert!(keyspace.absent(&wanted[0]).is_some(), "nothing has been read yet");
    for lookup in &wanted {
        keyspace.bring(lookup);
        assert_eq!(keyspace.absent(lookup), None);
    }
    let (pages, left) = keyspace.arena().progress();
    assert!(left > pages / 2, "{left} of {pages} pages are left");
    let server = Server::of(keyspace);
    let mut client = server.connect(Protocol::Resp2);
    for (line, reply) in [
        ("STRLEN key:7", "(integer) 1000"),
        ("STRLEN large", "(integer) 1000000"),
        ("SISMEMBER set nobody", "(integer) 0"),
        ("HSTRLEN hash field:77", "(integer) 100"),
        ("LLEN list", "(integer) 2000"),
    ] {
        assert_eq!(client.line(line).to_string(), reply, "{line}");
    }
}

#[test]
fn only_who_needs_the_disk_waits_for_it() {
    let gate = Gate::default();
    let keyspace = loading(&gate);
    for key in ["key:0", "key:1", "key:2", "key:3", "absent"] {
        keyspace.bring(&lookup(&keyspace, key, &[]));
    }
    let cold: Vec<_> = (0..KEYS)
        .map(|i| format!("key:{i}"))
        .filter(|key| keyspace.absent(&lookup(&keyspace, key, &[])).is_some())
        .collect();
    assert!(cold.len() > KEYS / 2);
    gate.set(true);
    let server = Server::of(keyspace);
    let shut = Shut(&gate);
    // More than there are threads, in all shards; and behind what each waits for, something else.
    let mut waiting: Vec<_> = cold.iter().take(32).map(|key| (server.connect(Protocol::Resp2), key)).collect();
    for (client, key) in &mut waiting {
        client.send(&["GET", "key:0"]);
        client.send(&["STRLEN", key]);
        client.send(&["ECHO", "behind"]);
        assert!(client.receive().to_string().starts_with("\"vvv"), "what was before it is answered");
    }
    for _ in 0..4 {
        let mut client = server.connect(Protocol::Resp2);
        for i in 0..4 {
            assert_eq!(client.line(&format!("STRLEN key:{i}")).to_string(), "(integer) 1000");
            assert_eq!(client.line(&format!("SET key:{i} w")).to_string(), "OK");
            assert_eq!(client.line(&format!("SET key:{i} {}", "v".repeat(1000))).to_string(), "OK");
        }
        assert_eq!(client.line("GET absent").to_string(), "(nil)");
    }
    drop(shut);
    for (client, _) in &mut waiting {
        assert_eq!(client.receive().to_string(), "(integer) 1000");
        assert_eq!(client.receive().to_string(), "\"behind\"");
    }
}
