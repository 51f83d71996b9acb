//! The bytes of an append-only file. docs/format.md has them in full.
//!
//! A record is what one operation changed, as the commands that change it again: one command, or all of a
//! transaction. It is read back as a whole or not at all.

use crate::util::{
    clock::UnixMillis,
    disk::{Disk, DiskFile},
};
use std::{io, path::Path, sync::Arc};

const MAGIC: [u8; 8] = *b"FLAGSLOG";
/// Version 1 had no marks: there, whole records behind a damaged one show that it was there once.
const VERSION: u32 = 2;
/// Bytes of a file's header.
pub const HEADER: usize = 32;
/// Bytes before a record's body: its length 8, its checksum 4, the checksum of these twelve 4.
const FRAME: usize = 16;
/// Bytes of a body before its commands: epoch 4, time 8.
const STAMP: usize = 12;

/// In the place of an epoch: this is no record but a mark, which has an offset in the place of a time. Up to there the
/// file was on the disk when the mark was made.
const MARK: u32 = u32::MAX;

/// What a file begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The files' order.
    pub sequence: u64,
    /// Records of earlier epochs are in the image that names this file.
    pub epoch: u32,
    /// Whether it goes on from an image, or from the file before it. One that was begun while the server ran has
    /// nothing to stand on until the next image.
    pub anchored: bool,
    /// Whether marks say what was on the disk.
    pub has_marks: bool,
}

impl Header {
    pub fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&if self.has_marks { VERSION } else { 1 }.to_le_bytes());
        bytes[12..16].copy_from_slice(&u32::from(self.anchored).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.epoch.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; HEADER]) -> Result<Header, String> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if bytes[..8] != MAGIC {
            return Err("it does not begin as an append-only file of ours".into());
        }
        if !(1..=VERSION).contains(&word(8)) {
            return Err(format!("version: found {}, expected at most {VERSION}", word(8)));
        }
        let sum = crc32c::crc32c(&bytes[..28]);
        if word(28) != sum {
            return Err(format!("header checksum: found {:08x}, expected {sum:08x}", word(28)));
        }
        let sequence = u64::from(word(16)) | u64::from(word(20)) << 32;
        Ok(Header { sequence, epoch: word(24), anchored: word(12) == 1, has_marks: word(8) > 1 })
    }
}

/// The commands of one record, while they are gathered.
#[derive(Default, Debug)]
pub struct Commands(Vec<u8>);

impl Commands {
    pub fn push(&mut self, db: usize, words: &[&[u8]]) {
        encode_command(&mut self.0, db, words);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn clear(&mut self) {
        // One large command is no reason to hold on to its memory.
        if self.0.capacity() > 64 * 1024 {
            self.0 = Vec::new();
        }
        self.0.clear();
    }
}

/// Appends a mark: what lies before this offset is on the disk.
pub fn encode_mark(into: &mut Vec<u8>, synced: u64) {
    encode(into, MARK, synced as UnixMillis, |_| ());
}

/// Appends a record of several commands.
pub fn encode_all(into: &mut Vec<u8>, epoch: u32, now: UnixMillis, commands: &Commands) {
    encode(into, epoch, now, |into| into.extend_from_slice(&commands.0));
}

/// Appends a record of one, which is copied this once.
pub fn encode_one(into: &mut Vec<u8>, epoch: u32, now: UnixMillis, db: usize, words: &[&[u8]]) {
    into.reserve(words.iter().map(|word| word.len() + 4).sum::<usize>() + FRAME + STAMP + 8);
    encode(into, epoch, now, |into| encode_command(into, db, words));
}

fn encode_command(into: &mut Vec<u8>, db: usize, words: &[&[u8]]) {
    into.extend((db as u32).to_le_bytes());
    into.extend((words.len() as u32).to_le_bytes());
    for word in words {
        into.extend((word.len() as u32).to_le_bytes());
        into.extend_from_slice(word);
    }
}

fn encode(into: &mut Vec<u8>, epoch: u32, now: UnixMillis, body: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.resize(start + FRAME, 0);
    into.extend(epoch.to_le_bytes());
    into.extend(now.to_le_bytes());
    body(into);
    let len = (into.len() - start - FRAME) as u64;
    let sum = crc32c::crc32c(&into[start + FRAME..]);
    let frame = &mut into[start..start + FRAME];
    frame[..8].copy_from_slice(&len.to_le_bytes());
    frame[8..12].copy_from_slice(&sum.to_le_bytes());
    let sum = crc32c::crc32c(&frame[..12]);
    frame[12..].copy_from_slice(&sum.to_le_bytes());
}

/// A record as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub epoch: u32,
    pub now: UnixMillis,
    commands: Vec<u8>,
}

impl Record {
    /// Each command: its database and its words. Ends at whatever does not fit.
    pub fn for_each(&self, each: &mut dyn FnMut(usize, &[&[u8]])) {
        let mut rest = &self.commands[..];
        let mut words = Vec::new();
        while let (Some(db), Some(count)) = (take_u32(&mut rest), take_u32(&mut rest)) {
            words.clear();
            for _ in 0..count {
                let word = take_u32(&mut rest).and_then(|len| rest.split_at_checked(len as usize));
                let Some((word, after)) = word else { return };
                words.push(word);
                rest = after;
            }
            each(db as usize, &words);
        }
    }
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let (word, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_le_bytes(*word))
}

/// What comes next in a file.
#[derive(Debug)]
pub enum Next {
    Record(Record),
    End,
    /// From this offset on nothing was known to be on the disk, and the record there is not whole: what was being written
    /// when the power went.
    Torn(u64),
    /// The record at this offset is damaged, and it was on the disk.
    Damaged(u64),
}

/// Reads a file from its first record on.
pub struct Reader {
    file: Arc<dyn DiskFile>,
    pub header: Header,
    at: u64,
    len: u64,
    /// What was read ahead, and where in the file that begins.
    window: Vec<u8>,
    window_at: u64,
}

/// What is read at once.
const WINDOW: usize = 1 << 20;

impl Reader {
    /// `Ok(None)`: the file ends within its header, so that nothing can have been acknowledged in it.
    ///
    /// # Errors
    /// The file system's, or that the file is none of ours.
    pub fn open(disk: &dyn Disk, path: &Path) -> io::Result<Option<Reader>> {
        let file = disk.open_to_read(path)?;
        let len = file.size()?;
        if len < HEADER as u64 {
            return Ok(None);
        }
        let mut bytes = [0; HEADER];
        file.read_at(&mut bytes, 0)?;
        let header = Header::decode(&bytes).map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))?;
        Ok(Some(Reader { file, header, at: HEADER as u64, len, window: Vec::new(), window_at: 0 }))
    }

    /// The offset of the next record.
    pub fn offset(&self) -> u64 {
        self.at
    }

    pub fn read(&mut self) -> io::Result<Next> {
        loop {
            let at = self.at;
            if at >= self.len {
                return Ok(Next::End);
            }
            let Some(body) = self.body_at(at)? else {
                return Ok(if self.was_on_disk(at)? { Next::Damaged(at) } else { Next::Torn(at) });
            };
            self.at = at + (FRAME + body.len()) as u64;
            let epoch = u32::from_le_bytes([body[0], body[1], body[2], body[3]]);
            if epoch == MARK {
                continue;
            }
            let now = body[4..].first_chunk().map_or(0, |now| i64::from_le_bytes(*now));
            return Ok(Next::Record(Record { epoch, now, commands: body[STAMP..].to_vec() }));
        }
    }

    /// Whether a mark from here on says that something of the file was on the disk.
    ///
    /// # Errors
    /// The file system's.
    pub fn has_mark(&mut self) -> io::Result<bool> {
        Ok(self.header.has_marks && self.is_marked(self.at, HEADER as u64)?)
    }

    /// The body of the record at this offset, if that is whole.
    fn body_at(&mut self, at: u64) -> io::Result<Option<Vec<u8>>> {
        let Some((len, sum)) = self.frame_at(at)? else { return Ok(None) };
        if len < STAMP as u64 || at + FRAME as u64 + len > self.len {
            return Ok(None);
        }
        let mut body = vec![0; len as usize];
        self.fill(&mut body, at + FRAME as u64)?;
        Ok((crc32c::crc32c(&body) == sum).then_some(body))
    }

    /// Whether the record at this offset, which is not whole, was once.
    fn was_on_disk(&mut self, at: u64) -> io::Result<bool> {
        if self.header.has_marks {
            return self.is_marked(at + 1, at);
        }
        let Some((len, _)) = self.frame_at(at)? else { return self.is_followed() };
        let behind = at + FRAME as u64 + len;
        Ok(behind < self.len && self.frame_at(behind)?.is_some())
    }

    /// Length and checksum of the body that follows the frame at this offset, if that is one.
    fn frame_at(&mut self, at: u64) -> io::Result<Option<(u64, u32)>> {
        if self.len - at < FRAME as u64 {
            return Ok(None);
        }
        let mut frame = [0; FRAME];
        self.fill(&mut frame, at)?;
        Ok(frame_of(&frame))
    }

    /// Reads what lies at an offset before the end: small things from the window.
    fn fill(&mut self, into: &mut [u8], at: u64) -> io::Result<()> {
        if into.len() > WINDOW / 4 {
            return self.file.read_at(into, at);
        }
        let inside = |reader: &Reader| {
            let start = usize::try_from(at.checked_sub(reader.window_at)?).ok()?;
            (start + into.len() <= reader.window.len()).then_some(start)
        };
        let start = match inside(self) {
            Some(start) => start,
            None => {
                self.window.resize(WINDOW.min((self.len - at) as usize), 0);
                // Not to be taken for what was there before, should it fail.
                self.window_at = u64::MAX;
                self.file.read_at(&mut self.window, at)?;
                self.window_at = at;
                0
            }
        };
        into.copy_from_slice(self.window.get(start..start + into.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    /// Whether the frame of a record stands somewhere behind the one at `at`.
    fn is_followed(&mut self) -> io::Result<bool> {
        self.any_frame(self.at + 1, &mut |_, len, left| (STAMP as u64..=left).contains(&len))
    }

    /// Whether a mark that stands at `from` or behind says of more than `what` bytes that they were on the disk.
    fn is_marked(&mut self, from: u64, what: u64) -> io::Result<bool> {
        let mut marks = Vec::new();
        self.any_frame(from, &mut |at, len, left| {
            if len == STAMP as u64 && len <= left {
                marks.push(at);
            }
            false
        })?;
        for at in marks {
            let body = self.body_at(at)?.unwrap_or_default();
            if body.starts_with(&MARK.to_le_bytes())
                && body[4..].first_chunk().is_some_and(|synced| u64::from_le_bytes(*synced) > what)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether `is` of a frame that stands anywhere from `from` on: of where, the length of its body, and how much is left
    /// of the file behind it.
    fn any_frame(&mut self, mut from: u64, is: &mut dyn FnMut(u64, u64, u64) -> bool) -> io::Result<bool> {
        const STEP: u64 = 1 << 20;
        while from + ((FRAME + STAMP) as u64) <= self.len {
            let mut window = vec![0; (STEP + FRAME as u64).min(self.len - from) as usize];
            self.file.read_at(&mut window, from)?;
            let found = window.windows(FRAME).take(STEP as usize).enumerate().any(|(index, frame)| {
                let at = from + index as u64;
                let frame = frame.first_chunk().and_then(frame_of);
                frame.is_some_and(|(len, _)| is(at, len, self.len - at - FRAME as u64))
            });
            if found {
                return Ok(true);
            }
            from += STEP;
        }
        Ok(false)
    }
}

/// Length and checksum of a body, if these bytes are a frame.
fn frame_of(frame: &[u8; FRAME]) -> Option<(u64, u32)> {
    let len = u64::from_le_bytes(*frame.first_chunk()?);
    let word = |at: usize| u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]);
    (word(12) == crc32c::crc32c(&frame[..12])).then_some((len, word(8)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::disk::System;
    use std::fs;

    fn commands(words: &[&[u8]]) -> Commands {
        let mut commands = Commands::default();
        commands.push(3, words);
        commands
    }

    fn file(records: usize) -> Vec<u8> {
        log_of(records, false, &[])
    }

    /// With a mark before each of the records `marks`, of what came before.
    fn log_of(records: usize, has_marks: bool, marks: &[usize]) -> Vec<u8> {
        let mut bytes = Header { sequence: 7, epoch: 2, anchored: true, has_marks }.encode().to_vec();
        for n in 0..records {
            if marks.contains(&n) {
                let synced = bytes.len() as u64;
                encode_mark(&mut bytes, synced);
            }
            let number = n.to_string();
            let (now, words) = (1000 + n as i64, [&b"set"[..], b"k", number.as_bytes()]);
            match n % 2 {
                0 => encode_all(&mut bytes, 5, now, &commands(&words)),
                _ => encode_one(&mut bytes, 5, now, 3, &words),
            }
        }
        bytes
    }

    /// How many whole records there are, and how it ends.
    fn read(bytes: &[u8]) -> (usize, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, bytes).unwrap();
        let Some(mut reader) = Reader::open(&System, &path).unwrap() else { return (0, "no header".into()) };
        let mut count = 0;
        loop {
            match reader.read().unwrap() {
                Next::Record(record) => {
                    assert_eq!((record.epoch, record.now), (5, 1000 + count as i64));
                    record.for_each(&mut |db, words| {
                        assert_eq!((db, words), (3, &[b"set", &b"k"[..], count.to_string().as_bytes()][..]));
                    });
                    count += 1;
                }
                Next::End => return (count, "end".into()),
                Next::Torn(at) => return (count, format!("torn at {at}")),
                Next::Damaged(at) => return (count, format!("damaged at {at}")),
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(read(&file(20)), (20, "end".into()));
    }

    #[test]
    fn a_file_cut_anywhere_keeps_the_records_before() {
        let (whole, one) = (file(3), (file(1).len() - HEADER));
        for len in 0..whole.len() {
            let (count, how) = read(&whole[..len]);
            assert_eq!(count, len.saturating_sub(HEADER) / one, "{len}");
            let clean = len >= HEADER && (len - HEADER).is_multiple_of(one);
            assert_eq!(how == "end", clean, "{len}: {how}");
        }
    }

    #[test]
    fn damage_before_whole_records_is_no_torn_tail() {
        let (whole, one) = (file(4), (file(1).len() - HEADER));
        for at in HEADER..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            let (count, how) = read(&bytes);
            let record = (at - HEADER) / one;
            let offset = HEADER + record * one;
            assert_eq!(count, record, "{at}");
            let expected = if record == 3 { format!("torn at {offset}") } else { format!("damaged at {offset}") };
            assert_eq!(how, expected, "{at}");
        }
    }

    #[test]
    fn damage_before_a_mark_is_no_torn_tail() {
        let (whole, one) = (log_of(6, true, &[3]), log_of(1, true, &[]).len() - HEADER);
        let mark = HEADER + 3 * one..HEADER + 3 * one + FRAME + STAMP;
        assert_eq!(read(&whole), (6, "end".into()));
        for at in HEADER..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            let (count, how) = read(&bytes);
            if mark.contains(&at) {
                assert_eq!((count, how), (3, format!("torn at {}", mark.start)), "{at}");
            } else if at < mark.start {
                let record = (at - HEADER) / one;
                assert_eq!((count, how), (record, format!("damaged at {}", HEADER + record * one)), "{at}");
            } else {
                // On the disk or not, nobody was told.
                let record = (at - mark.end) / one;
                assert_eq!((count, how), (3 + record, format!("torn at {}", mark.end + record * one)), "{at}");
            }
        }
    }

    #[test]
    fn a_damaged_header_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        for at in 0..HEADER {
            let mut bytes = file(1);
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert!(Reader::open(&System, &path).is_err(), "{at}");
        }
    }
}
