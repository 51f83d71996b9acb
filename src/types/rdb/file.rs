//! Whole files: what stands around the values.
//!
//! ```text
//! "REDIS" or "VALKEY" · version in digits, nine bytes together
//! parts: notes, databases, libraries of functions, keys with what is known of them
//! 0xFF · CRC-64 of all before, LE; 0: none was made; absent before version 5
//! ```

use super::{
    Input, Malformed, Restored, VERSION, VERSION_MAX, VERSION_WITH_FIELD_EXPIRY, WRITTEN_AS, code_in, put_length,
    put_string, read_value, type_of, value::VALKEY_VERSION, version_for,
};
use crate::util::clock::UnixMillis;

/// Bytes before the first part.
pub const HEADER: usize = 9;
/// From this version on a checksum ends the file.
pub const VERSION_WITH_CHECKSUM: u32 = 5;
/// Versions that count on from Valkey's own beginning.
const VALKEY_VERSIONS: std::ops::RangeInclusive<u32> = VALKEY_VERSION..=999;

const SLOT_INFO: u8 = 244;
const FUNCTION: u8 = 245;
const MODULE_AUX: u8 = 247;
const IDLE: u8 = 248;
const FREQUENCY: u8 = 249;
const AUX: u8 = 250;
const RESIZE: u8 = 251;
const EXPIRY_MS: u8 = 252;
const EXPIRY_SECONDS: u8 = 253;
const SELECT: u8 = 254;
const END: u8 = 255;

/// What modules write is a sequence of these, up to `MODULE_END`.
const MODULE_END: u64 = 0;
const MODULE_INTEGERS: std::ops::RangeInclusive<u64> = 1..=2;
const MODULE_FLOAT: u64 = 3;
const MODULE_DOUBLE: u64 = 4;
const MODULE_STRING: u64 = 5;

/// One part of a file.
#[derive(Debug)]
pub enum Part {
    /// The keys that follow are of this database.
    Select(u64),
    /// So many keys follow in this database, and so many of them expire.
    Resize(u64, u64),
    Key(Record),
    /// A collection without elements, which old servers wrote now and then. It is as if it were not there.
    Empty,
    /// The code of a library of functions.
    Function(Vec<u8>),
    /// Notes about the writer, and hints that are of no use here.
    Note,
    End,
}

/// A key with everything that is told of it.
#[derive(Debug)]
pub struct Record {
    pub key: Vec<u8>,
    pub value: Restored,
    pub expiry: Option<UnixMillis>,
    pub idle_seconds: Option<u64>,
    pub frequency: Option<u8>,
}

/// A part is not what it should be.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PartError {
    /// The key whose value that is, if it is a value.
    pub key: Option<Vec<u8>>,
    /// A kind of value that is not known.
    pub unknown: Option<u8>,
}

impl From<Malformed> for PartError {
    fn from(_: Malformed) -> PartError {
        PartError::default()
    }
}

/// The version that the header tells; `None` when it is not one of Redis's or Valkey's files.
pub fn version(header: &[u8]) -> Option<u32> {
    let header = header.get(..HEADER)?;
    let digits = header.strip_prefix(b"REDIS").or_else(|| header.strip_prefix(b"VALKEY"))?;
    let version = std::str::from_utf8(digits).ok()?.parse().ok()?;
    digits.iter().all(u8::is_ascii_digit).then_some(version)
}

/// Whether files of this version are read.
pub fn is_known(version: u32) -> bool {
    (1..=u32::from(VERSION_MAX)).contains(&version) || VALKEY_VERSIONS.contains(&version)
}

/// Reads the next part of a file of this version.
///
/// # Errors
/// When it is not as it should be, or not all of it is there: see [`Input::lacks`].
pub fn read_part(version: u32, input: &mut Input<'_>) -> Result<Part, PartError> {
    let (mut expiry, mut idle_seconds, mut frequency) = (None, None, None);
    loop {
        match input.byte()? {
            EXPIRY_MS => expiry = Some(input.int64()?),
            EXPIRY_SECONDS => expiry = Some(UnixMillis::from(i32::from_le_bytes(input.array()?)) * 1000),
            IDLE => idle_seconds = Some(input.length()?),
            FREQUENCY => frequency = Some(input.byte()?),
            SELECT => return Ok(Part::Select(input.length()?)),
            RESIZE => return Ok(Part::Resize(input.length()?, input.length()?)),
            AUX => {
                input.string()?;
                input.string()?;
                return Ok(Part::Note);
            }
            SLOT_INFO => {
                for _ in 0..3 {
                    input.length()?;
                }
                return Ok(Part::Note);
            }
            FUNCTION => return Ok(Part::Function(input.string()?)),
            MODULE_AUX => {
                input.length()?;
                pass_over_module(input)?;
                return Ok(Part::Note);
            }
            END => return Ok(Part::End),
            code => {
                let key = input.string()?;
                let code = code_in(version, code);
                let unknown = type_of(code).is_none().then_some(code);
                let value = match read_value(code, input) {
                    Ok(value) if value.lacks_elements() => return Ok(Part::Empty),
                    Ok(value) => value,
                    Err(Malformed) => return Err(PartError { key: Some(key), unknown }),
                };
                return Ok(Part::Key(Record { key, value, expiry, idle_seconds, frequency }));
            }
        }
    }
}

/// What modules keep beside their keys means nothing here.
fn pass_over_module(input: &mut Input<'_>) -> Result<(), Malformed> {
    loop {
        match input.length()? {
            MODULE_END => return Ok(()),
            kind if MODULE_INTEGERS.contains(&kind) => drop(input.length()?),
            MODULE_FLOAT => drop(input.array::<4>()?),
            MODULE_DOUBLE => drop(input.array::<8>()?),
            MODULE_STRING => drop(input.string()?),
            _ => return Err(Malformed),
        }
    }
}

/// The versions that are written, each for those values that the ones before lack.
pub const WRITTEN: [u16; 3] = [VERSION, VERSION_WITH_FIELD_EXPIRY, VERSION_MAX];

/// Which of them a value of this code needs.
pub fn written_for(code: u8) -> usize {
    WRITTEN.iter().position(|version| *version >= version_for(code)).unwrap_or(WRITTEN.len() - 1)
}

/// How a file of a version begins.
pub fn header(version: u16) -> [u8; HEADER] {
    let digit = |worth: u16| b'0' + (version / worth % 10) as u8;
    let [r, e, d, i, s] = *b"REDIS";
    [r, e, d, i, s, digit(1000), digit(100), digit(10), digit(1)]
}

/// What a file tells of its writer.
pub fn put_notes(out: &mut Vec<u8>, now: UnixMillis) {
    let seconds = (now / 1000).to_string();
    for (name, value) in [("redis-ver", WRITTEN_AS), ("redis-bits", "64"), ("ctime", &seconds)] {
        out.push(AUX);
        put_string(out, name.as_bytes(), false);
        put_string(out, value.as_bytes(), false);
    }
}

pub fn put_function(out: &mut Vec<u8>, code: &[u8], compress: bool) {
    out.push(FUNCTION);
    put_string(out, code, compress);
}

/// The keys that follow are of this database.
pub fn put_select(out: &mut Vec<u8>, db: u64) {
    out.push(SELECT);
    put_length(out, db);
}

/// How many keys the database has.
pub fn put_sizes(out: &mut Vec<u8>, keys: u64, expiring: u64) {
    out.push(RESIZE);
    put_length(out, keys);
    put_length(out, expiring);
}

pub fn put_expiry(out: &mut Vec<u8>, at: UnixMillis) {
    out.push(EXPIRY_MS);
    out.extend(at.to_le_bytes());
}

/// Ends the parts; the checksum of everything follows.
pub fn put_end(out: &mut Vec<u8>) {
    out.push(END);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(bytes: &[u8]) -> Result<Vec<Part>, PartError> {
        let mut input = Input::new(bytes, 1000);
        let mut parts = Vec::new();
        while !input.is_empty() {
            parts.push(read_part(VERSION.into(), &mut input)?);
        }
        Ok(parts)
    }

    #[test]
    fn headers() {
        for (header, expected) in [
            (&b"REDIS0006"[..], Some(6)),
            (b"REDIS0010more", Some(10)),
            (b"VALKEY080", Some(80)),
            (b"REDIS+010", None),
            (b"REDIS001", None),
            (b"FLAGSTONE", None),
        ] {
            assert_eq!(version(header), expected, "{}", header.escape_ascii());
        }
        assert!(is_known(1) && is_known(14) && is_known(80) && !is_known(0) && !is_known(15));
    }

    #[test]
    fn what_is_known_of_a_key_stands_before_it() {
        assert!(WRITTEN.iter().all(|one| version(&header(*one)) == Some((*one).into())));
        assert_eq!([0, 24, 28].map(written_for), [0, 1, 2]);
        let mut bytes = Vec::new();
        put_notes(&mut bytes, 5000);
        put_select(&mut bytes, 3);
        put_sizes(&mut bytes, 1, 1);
        put_expiry(&mut bytes, 77);
        bytes.extend(b"\xF8\x07\xF9\x05\x00\x01k\x01v");
        bytes.extend(b"\xFD\x02\x00\x00\x00\x00\x01k\x01v");
        put_end(&mut bytes);
        let parts = parts(&bytes).expect("parts");
        let [
            Part::Note,
            Part::Note,
            Part::Note,
            Part::Select(3),
            Part::Resize(1, 1),
            Part::Key(a),
            Part::Key(b),
            Part::End,
        ] = &parts[..]
        else {
            panic!("{parts:?}")
        };
        assert_eq!((a.expiry, a.idle_seconds, a.frequency), (Some(77), Some(7), Some(5)));
        assert_eq!((&a.key[..], &a.value), (&b"k"[..], &Restored::String(b"v".to_vec())));
        assert_eq!((b.expiry, b.idle_seconds, b.frequency), (Some(2000), None, None));
    }

    #[test]
    fn what_modules_left_is_passed_over() {
        let parts =
            parts(b"\xF7\x01\x02\x01\x05\x02ab\x04........\x03....\x00\xF4\x01\x02\x03\xF5\x03lib").expect("parts");
        assert!(matches!(&parts[..], [Part::Note, Part::Note, Part::Function(code)] if code == b"lib"));
        assert!(super::tests::parts(b"\xF7\x01\x06").is_err());
    }
}
