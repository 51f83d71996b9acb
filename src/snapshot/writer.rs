//! How the pages of a snapshot come to its file: one thread gathers them, another writes what was gathered.
//!
//! Who gathers holds the lock of a shard, for as long as copying a page takes, and does nothing else. Sums, system calls and
//! waits for the disk are the other's, which may be less urgent than the threads that serve clients. A thread of less urgency
//! that is put off while it holds a lock holds up all who want that, for as long as anybody else has something to do.
//!
//! Two batches go back and forth between them: one is filled while the other is written.

use super::{format::BlockRow, save::Pace};
use crate::{
    arena::{BLOCK, PAGE, Taken},
    util::disk::{DiskFile, UNIT},
};
use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
};

/// How much is gathered before it is written.
const GATHER: usize = 1 << 20;
/// How many bytes are copied or written before others may have the processor: whoever is to serve a client on it
/// waits for no more than this. The system alone would let them wait for a time slice, which is some milliseconds.
const TURN: usize = 128 << 10;
/// How many of them at once.
const PART: usize = 64 << 10;
/// A run of so many bytes is written past the system's memory: that costs no copying, the system need not find out later
/// what to write, and nobody else's files lose their place there. For less, one would wait for the disk too often.
const THROUGH: usize = 128 << 10;
/// How much is written otherwise before it is synced, so that the last sync is no longer than the others and the system need not
/// keep the image in memory.
const BEHIND: usize = 16 << 20;

/// Blocks that were gathered, and what there is to say of them.
struct Batch {
    buffer: Vec<u8>,
    /// Where in the buffer the blocks begin: at a multiple of the disk's unit.
    begin: usize,
    /// Runs of neighbours in the buffer: the first block of each, and where it begins.
    runs: Vec<(u64, usize)>,
    rows: Vec<BlockRow>,
}

impl Batch {
    fn new() -> Batch {
        let buffer = Vec::with_capacity(UNIT + GATHER + PAGE);
        let mut batch = Batch { buffer, begin: 0, runs: Vec::new(), rows: Vec::new() };
        batch.empty();
        batch
    }

    fn empty(&mut self) {
        self.runs.clear();
        self.rows.clear();
        self.buffer.clear();
        self.begin = self.buffer.as_ptr().align_offset(UNIT).min(UNIT);
        self.buffer.resize(self.begin, 0);
    }

    /// Bytes of blocks.
    fn len(&self) -> usize {
        self.buffer.len() - self.begin
    }

    fn put(&mut self, block: u64, written: u32, bytes: &[u8]) {
        let next = self.runs.last().map(|(first, at)| first + ((self.buffer.len() - at) / BLOCK) as u64);
        if next != Some(block) {
            self.runs.push((block, self.buffer.len()));
        }
        self.rows.push(BlockRow { block: block as u32, crc: 0, written });
        self.buffer.extend_from_slice(bytes);
    }
}

/// So much work has been done in a row.
#[derive(Default)]
struct Turn(usize);

impl Turn {
    /// So many bytes more, with no lock held now.
    fn worked(&mut self, pace: &dyn Pace, bytes: usize) {
        self.0 += bytes;
        if self.0 >= TURN {
            self.0 = 0;
            pace.rest();
        }
    }
}

/// The side that takes blocks while their shard is locked.
pub struct Gatherer<'a> {
    pace: &'a dyn Pace,
    batch: Batch,
    full: Sender<Batch>,
    empty: Receiver<Batch>,
    turn: Turn,
    /// Blocks that the file holds already.
    held: Vec<u32>,
    /// The other side has ended, since it could not write.
    pub is_alone: bool,
}

/// The side that writes them, with no lock held.
pub struct Writer<'a> {
    file: Arc<dyn DiskFile>,
    pace: &'a dyn Pace,
    full: Receiver<Batch>,
    empty: Sender<Batch>,
    turn: Turn,
    /// Bytes in the system's memory that were written since the last sync.
    unsynced: usize,
}

/// The two sides of a file.
pub fn sides<'a>(file: Arc<dyn DiskFile>, pace: &'a dyn Pace) -> (Gatherer<'a>, Writer<'a>) {
    let (full, written) = channel();
    let (emptied, empty) = channel();
    // It is there to receive it.
    let _ = emptied.send(Batch::new());
    let (held, turn) = (Vec::new(), Turn::default());
    let gatherer = Gatherer { pace, batch: Batch::new(), full, empty, turn, held, is_alone: false };
    (gatherer, Writer { file, pace, full: written, empty: emptied, turn: Turn::default(), unsynced: 0 })
}

impl Gatherer<'_> {
    pub fn put(&mut self, block: u64, taken: Taken<'_>) {
        match taken {
            Taken::Held => self.held.push(block as u32),
            Taken::Bytes(written, bytes) => self.batch.put(block, written, bytes),
        }
    }

    /// So many bytes have been looked at.
    pub fn worked(&mut self, bytes: usize) {
        self.turn.worked(self.pace, bytes);
    }

    /// Whether there is enough to be written.
    pub fn is_full(&self) -> bool {
        self.batch.len() >= GATHER
    }

    /// Hands over what was gathered, and waits until what was before it has been written. Called with no lock held.
    pub fn flush(&mut self) {
        let bytes = self.batch.len();
        if bytes == 0 {
            return;
        }
        let next = self.empty.recv();
        self.is_alone = match next {
            Ok(next) => self.full.send(std::mem::replace(&mut self.batch, next)).is_err(),
            Err(_) => true,
        };
        if self.is_alone {
            self.batch.empty();
        }
        self.pace.wrote(bytes as u64);
    }

    /// All has been taken: the writer ends when it has written what it has. Answers the blocks that the file held already.
    pub fn end(self) -> Vec<u32> {
        self.held
    }
}

impl Writer<'_> {
    /// Writes until there is no more; answers what was written.
    ///
    /// # Errors
    /// The file system's.
    pub fn run(mut self) -> io::Result<Vec<BlockRow>> {
        self.pace.step_back();
        let mut rows = Vec::new();
        while let Ok(mut batch) = self.full.recv() {
            self.sum(&mut batch);
            self.write(&batch)?;
            rows.append(&mut batch.rows);
            batch.empty();
            // The last one is not wanted any more.
            let _ = self.empty.send(batch);
        }
        Ok(rows)
    }

    fn sum(&mut self, batch: &mut Batch) {
        let parts = batch.buffer[batch.begin..].chunks(PART);
        for (rows, bytes) in batch.rows.chunks_mut(PART / BLOCK).zip(parts) {
            for (row, bytes) in rows.iter_mut().zip(bytes.chunks_exact(BLOCK)) {
                row.crc = crc32c::crc32c(bytes);
            }
            // A sum takes a quarter of the time of a copy.
            self.turn.worked(self.pace, bytes.len() / 4);
        }
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        let ends = batch.runs.iter().skip(1).map(|(_, at)| *at).chain([batch.buffer.len()]);
        for ((first, at), end) in batch.runs.iter().zip(ends) {
            let (run, mut place) = (&batch.buffer[*at..end], first * BLOCK as u64);
            if run.len() >= THROUGH {
                self.file.write_through_at(run, place)?;
                continue;
            }
            for part in run.chunks(PART) {
                self.file.write_at(part, place)?;
                place += part.len() as u64;
                // A small write is more than its bytes.
                self.turn.worked(self.pace, part.len() + PART / 8);
            }
            self.unsynced += run.len();
        }
        if self.unsynced >= BEHIND {
            self.file.sync()?;
            self.file.forget(0, 0);
            self.unsynced = 0;
        }
        Ok(())
    }
}
