//! What a snapshot asks of the disk: few and plain operations, so that tests can take the disk's place and
//! lose power at each of them.

use rustix::fs::{self, Advice, FallocateFlags, FlockOperation, RenameFlags};
use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

pub(super) trait DiskFile: Send + Sync {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// What was written until now survives a loss of power.
    fn sync(&self) -> io::Result<()>;
    /// The system need not keep the file's bytes in memory.
    fn forget(&self) {}
    /// Gives the room of a range back, where that is possible.
    fn punch(&self, _at: u64, _len: u64) {}
    /// False when someone else reads or writes the file.
    fn lock(&self) -> bool {
        true
    }
}

pub(super) trait Disk: Send + Sync {
    /// For reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Replaces whatever has that name.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Gives the file `new` the name `path`; a file of that name is called `new` then, or lost where the file system
    /// cannot exchange names.
    fn exchange(&self, new: &Path, path: &Path) -> io::Result<()>;
    /// Names that were changed stay so after a loss of power.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
}

/// The real one.
pub(super) struct System;

impl Disk for System {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        // A new file even where one has the name: that one may be read by someone, or have failed to be synced.
        let _ = std::fs::remove_file(path);
        Ok(Arc::new(OpenOptions::new().read(true).write(true).create_new(true).open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn exchange(&self, new: &Path, path: &Path) -> io::Result<()> {
        // Only of files: a folder of that name is in the way.
        let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
        if is_file && fs::renameat_with(fs::CWD, new, fs::CWD, path, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
        std::fs::rename(new, path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(directory)?.sync_all()
    }
}

impl DiskFile for File {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        self.read_exact_at(into, at)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn forget(&self) {
        let _ = fs::fadvise(self, 0, None, Advice::DontNeed);
    }

    fn punch(&self, at: u64, len: u64) {
        let _ = fs::fallocate(self, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at, len);
    }

    fn lock(&self) -> bool {
        // Where there are no locks, nobody can hold one.
        fs::flock(self, FlockOperation::NonBlockingLockExclusive) != Err(rustix::io::Errno::WOULDBLOCK)
    }
}

/// Whoever reads a file says so: it is not written over meanwhile.
pub(super) fn lock_for_reading(file: &File) {
    let _ = fs::flock(file, FlockOperation::LockShared);
}
