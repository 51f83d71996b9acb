//! What snapshots and the append-only file ask of the disk: few and plain operations, so that tests can take the disk's
//! place, have each of them fail, and lose power at each of them.

use rustix::fs::{self, Advice, FallocateFlags, FlockOperation, OFlags, RenameFlags};
use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io,
    num::NonZeroU64,
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::Path,
    sync::{Arc, OnceLock},
};

pub trait DiskFile: Send + Sync {
    /// Writes the first of these bytes, as many as it answers.
    fn write_some(&self, bytes: &[u8], at: u64) -> io::Result<usize>;
    /// The same for much that nobody reads soon: past the system's memory, where that is possible and the bytes lie at
    /// multiples of [`UNIT`]. It is on the disk then, but not yet sure to survive a loss of power.
    fn write_some_through(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        self.write_some(bytes, at)
    }
    /// Reads some bytes, as many as it answers; 0 at the end.
    fn read_some(&self, into: &mut [u8], at: u64) -> io::Result<usize>;
    fn size(&self) -> io::Result<u64>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// What was written until now survives a loss of power. After an error nobody knows what did: it is not tried
    /// again.
    fn sync(&self) -> io::Result<()>;
    /// The system need not keep these bytes in memory; no length: any from there on.
    fn forget(&self, _at: u64, _len: u64) {}
    /// These bytes will be read next.
    fn expect(&self, _at: u64, _len: u64) {}
    /// From now on what is read is no sign of what will be: nothing more is read with it.
    fn scatter(&self) {}
    /// Gives the room of a range back, where that is possible.
    fn punch(&self, _at: u64, _len: u64) {}
    /// False when someone else reads or writes the file.
    fn lock(&self) -> bool {
        true
    }
    /// Whoever reads a file says so: it is not written over meanwhile.
    fn lock_for_reading(&self) {}
}

impl dyn DiskFile + '_ {
    /// Writes all of it.
    pub fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        write_all(bytes, at, |bytes, at| self.write_some(bytes, at))
    }

    /// Writes all of it, as [`DiskFile::write_some_through`] does.
    pub fn write_through_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        write_all(bytes, at, |bytes, at| self.write_some_through(bytes, at))
    }

    /// Fills `into`.
    pub fn read_at(&self, mut into: &mut [u8], mut at: u64) -> io::Result<()> {
        while !into.is_empty() {
            match self.read_some(into, at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => (into, at) = (&mut into[count..], at + count as u64),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn write_all(mut bytes: &[u8], mut at: u64, some: impl Fn(&[u8], u64) -> io::Result<usize>) -> io::Result<()> {
    while !bytes.is_empty() {
        match some(bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => (bytes, at) = (&bytes[count.min(bytes.len())..], at + count as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub trait Disk: Send + Sync {
    /// For reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    fn open_to_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// A file of this name must not be there.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Gives the file `new` the name `path`; a file of that name is called `new` then, or lost where the file system
    /// cannot exchange names.
    fn exchange(&self, new: &Path, path: &Path) -> io::Result<()>;
    /// Names that were changed in a directory stay so after a loss of power.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
    /// In one that is there; it may be there itself.
    fn create_directory(&self, directory: &Path) -> io::Result<()>;
    /// The names in a directory.
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>>;
}

/// The directory in which a file is.
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The real one.
pub struct System;

impl Disk for System {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(SystemFile::new(OpenOptions::new().read(true).write(true).open(path)?)))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(SystemFile::new(File::open(path)?)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(SystemFile::new(OpenOptions::new().read(true).write(true).create_new(true).open(path)?)))
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

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        match std::fs::create_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name())).collect()
    }
}

/// What memory and place must be multiples of to be written past the system's memory. (open(2), O_DIRECT: that of the
/// device, which is hardly ever more.)
pub const UNIT: usize = 4096;

struct SystemFile {
    file: File,
    /// The same file, for what is written past the system's memory; none where the file system knows no such thing.
    direct: OnceLock<Option<File>>,
}

impl SystemFile {
    fn new(file: File) -> SystemFile {
        SystemFile { file, direct: OnceLock::new() }
    }

    /// Opened by way of the file itself: by its name there may be another one by now.
    fn direct(&self) -> Option<&File> {
        let open = || {
            let direct = i32::try_from(OFlags::DIRECT.bits()).ok()?;
            let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            OpenOptions::new().write(true).custom_flags(direct).open(path).ok()
        };
        self.direct.get_or_init(open).as_ref()
    }
}

impl DiskFile for SystemFile {
    fn write_some(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        self.file.write_at(bytes, at)
    }

    fn write_some_through(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        let fits = (bytes.as_ptr() as usize | bytes.len() | at as usize).is_multiple_of(UNIT);
        if let Some(direct) = self.direct().filter(|_| fits) {
            match direct.write_at(bytes, at) {
                // A device of larger units.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                done => return done,
            }
        }
        self.write_some(bytes, at)
    }

    fn read_some(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.file.read_at(into, at)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn forget(&self, at: u64, len: u64) {
        let _ = fs::fadvise(&self.file, at, NonZeroU64::new(len), Advice::DontNeed);
    }

    fn scatter(&self) {
        let _ = fs::fadvise(&self.file, 0, None, Advice::Random);
    }

    fn expect(&self, at: u64, len: u64) {
        let _ = fs::fadvise(&self.file, at, NonZeroU64::new(len), Advice::WillNeed);
    }

    fn punch(&self, at: u64, len: u64) {
        let _ = fs::fallocate(&self.file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at, len);
    }

    fn lock(&self) -> bool {
        // Where there are no locks, nobody can hold one.
        fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive) != Err(rustix::io::Errno::WOULDBLOCK)
    }

    fn lock_for_reading(&self) {
        let _ = fs::flock(&self.file, FlockOperation::LockShared);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_past_the_memory_is_read_like_the_rest() {
        let path = std::env::temp_dir().join(format!("flagstone-disk-{}", std::process::id()));
        let _ = System.remove(&path);
        let file = System.create(&path).unwrap();
        let bytes: Vec<u8> = (0..5 * UNIT).map(|n| (n / 7) as u8).collect();
        let aligned = bytes.as_ptr().align_offset(UNIT);
        // Memory, length and place are whole units; then one of each is not.
        for (from, len, at) in
            [(aligned, 3 * UNIT, UNIT), (aligned + 1, UNIT, 0), (aligned, 100, UNIT), (aligned, UNIT, 77)]
        {
            let written = &bytes[from..from + len];
            file.write_through_at(written, at as u64).unwrap();
            let mut read = vec![0; len];
            file.read_at(&mut read, at as u64).unwrap();
            assert!(read == written, "{len} bytes at {at}");
        }
        assert_eq!(file.size().unwrap(), 4 * UNIT as u64);
        System.remove(&path).unwrap();
    }
}
