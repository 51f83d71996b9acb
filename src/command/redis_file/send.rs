//! Sending a client the dataset as a Redis file: what `redis-cli --rdb` asks for with SYNC.
//!
//! A snapshot is written aside and a file made of it, by a thread of its own: commands go on, and the file is one moment's.

use super::{Wanted, export};
use crate::{
    command::{ClientHandle, Shared},
    keyspace::{Keyspace, Options},
    snapshot::{self, Image},
    util::clock::UnixMillis,
};
use std::{
    error::Error,
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

/// So much is handed to the connection at once, and no more while it has as much to send.
const CHUNK: usize = 256 << 10;
/// How often a connection that is busy sending is looked at again.
const PAUSE: Duration = Duration::from_millis(1);

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Contents {
    #[default]
    All,
    Functions,
    /// A file without anything in it.
    Nothing,
}

/// Begins to send; the client's connection is closed if it fails.
///
/// # Errors
/// When there is no thread for it.
pub fn send(shared: Arc<Shared>, client: Arc<ClientHandle>, contents: Contents) -> std::io::Result<()> {
    std::thread::Builder::new().name("redis-file".to_owned()).spawn(move || {
        if let Err(error) = run(&shared, &client, contents) {
            tracing::warn!(client = client.peer, %error, "could not send the client a Redis file");
            client.kill();
        }
    })?;
    Ok(())
}

/// A file that is gone when this is dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may never have been there.
        let _ = fs::remove_file(&self.0);
    }
}

fn run(shared: &Shared, client: &ClientHandle, contents: Contents) -> Result<(), Box<dyn Error>> {
    let settings = shared.config.current();
    let now = shared.clock.now();
    let beside = |what: &str| Temporary(settings.dir.join(format!("temp-{}-{}.{what}", std::process::id(), client.id)));
    let (image, path) = (beside("image"), beside("rdb"));
    let options = Options::new(settings.databases as usize, settings.threads(), 0, settings.maxmemory_policy);
    let keyspace = match contents {
        Contents::All => copy(shared, &image.0, &options, now)?,
        Contents::Functions | Contents::Nothing => Keyspace::new(&options)?,
    };
    // It stays for as long as it is mapped.
    drop(image);
    let libraries = shared.functions.all();
    let libraries = match contents {
        Contents::All | Contents::Functions => libraries.values().map(|library| &library.code[..]).collect(),
        Contents::Nothing => Vec::new(),
    };
    let wanted = Wanted { compress: settings.rdb_compression, libraries, now };
    let exported = export(keyspace, &path.0, &wanted)?;
    deliver(client, &path)?;
    tracing::info!(client = client.peer, keys = exported.keys, bytes = exported.bytes, "Redis file sent");
    Ok(())
}

/// A keyspace of this moment.
fn copy(shared: &Shared, path: &Path, options: &Options, now: UnixMillis) -> Result<Keyspace, Box<dyn Error>> {
    shared.saver.while_idle(|| snapshot::save_aside(&shared.keyspace, path, now))?;
    let image = Image::open(path)?.ok_or("the snapshot is gone")?;
    Ok(image.into_keyspace(options, now)?)
}

fn deliver(client: &ClientHandle, path: &Temporary) -> Result<(), Box<dyn Error>> {
    let mut file = File::open(&path.0)?;
    let mut chunk = Vec::new();
    // Its length, then the file as it is: not a reply of the protocol, though it begins as one.
    write!(chunk, "${}\r\n", file.metadata()?.len())?;
    loop {
        let read = (&mut file).take(CHUNK as u64).read_to_end(&mut chunk)?;
        if !client.deliver(&std::mem::take(&mut chunk).into()) {
            return Err("the client is gone".into());
        }
        if read == 0 {
            return Ok(());
        }
        while client.has_mail() || client.output_bytes.load(Relaxed) as usize >= CHUNK {
            if client.is_killed() {
                return Err("the client is gone".into());
            }
            std::thread::sleep(PAUSE);
        }
    }
}
