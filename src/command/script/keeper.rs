//! Keeps function libraries in a file beside the snapshot. The disk is waited for by a thread of its own, which lives
//! while there is something to write; of several contents that came meanwhile it writes the last.

use parking_lot::{Condvar, Mutex};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

#[derive(Default)]
pub struct Keeper(Arc<Queue>);

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Default)]
struct State {
    /// What is to be written next.
    next: Option<Content>,
    is_writing: bool,
}

struct Content {
    path: PathBuf,
    /// `None`: there is to be no file.
    bytes: Option<Vec<u8>>,
}

impl Keeper {
    /// Has the file at `path` be made of these bytes, or removed, soon.
    pub fn keep(&self, path: PathBuf, bytes: Option<Vec<u8>>) {
        let mut state = self.0.state.lock();
        state.next = Some(Content { path, bytes });
        if std::mem::replace(&mut state.is_writing, true) {
            return;
        }
        drop(state);
        let queue = Arc::clone(&self.0);
        if thread::Builder::new().name("functions".into()).spawn(move || queue.write()).is_err() {
            self.0.write();
        }
    }

    /// Waits until all is on the disk.
    pub fn settle(&self) {
        let mut state = self.0.state.lock();
        while state.is_writing {
            self.0.done.wait(&mut state);
        }
    }
}

impl Queue {
    fn write(&self) {
        loop {
            let mut state = self.state.lock();
            let Some(Content { path, bytes }) = state.next.take() else {
                state.is_writing = false;
                self.done.notify_all();
                return;
            };
            drop(state);
            if let Err(error) = replace(&path, bytes.as_deref()) {
                let path = path.display();
                tracing::error!(%path, %error, "function libraries cannot be kept: they will not outlive the server");
            }
        }
    }
}

/// Makes the file have these bytes. If that fails, it is as it was.
fn replace(path: &Path, bytes: Option<&[u8]>) -> io::Result<()> {
    let Some(bytes) = bytes else {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    let unfinished = path.with_extension("unfinished");
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "files")]
    fn the_last_content_is_what_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("functions");
        let keeper = Keeper::default();
        for n in 0..200 {
            keeper.keep(path.clone(), Some(format!("content {n}").into_bytes()));
        }
        keeper.settle();
        assert_eq!(fs::read(&path).expect("a file"), b"content 199");
        keeper.keep(path.clone(), None);
        keeper.keep(path.clone(), None);
        keeper.settle();
        assert!(!path.exists());
        assert_eq!(fs::read_dir(dir.path()).expect("the folder").count(), 0);
    }
}
