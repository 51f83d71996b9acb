//! Values in Redis's serialisation (the RDB format): DUMP's payloads, and the values in a file.
//!
//! ```text
//! payload: type u8 · value · version u16 LE · CRC-64 (Jones) of all before, LE
//! ```
//!
//! Every encoding since version 6 of the format is read. What is written is the plainest of each type, which every server since
//! version 4 reads; only streams, arrays, and a hash whose fields expire need a newer one.

mod array;
pub mod file;
mod input;
mod packs;
mod stream;
mod value;

pub use array::RestoredArray;
pub use input::{Input, put_length, put_string};
pub use stream::{RestoredConsumer, RestoredGroup, RestoredMemory, RestoredStream};
pub use value::{Form, Restored, code_in, put_value, read_value, type_of};

use crc::{CRC_64_REDIS, Crc, Digest, Table};

/// A checksum as it is made bit by bit.
pub type Checksum = Digest<'static, u64, Table<16>>;

static CRC64: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// The version of files, and of most payloads: Redis 7.0's, which every later server reads.
const VERSION: u16 = 10;
/// The server that writes such files.
const WRITTEN_AS: &str = "7.0.15";
/// That of streams which tell when consumers were active: Redis 7.2's.
const VERSION_WITH_ACTIVITY: u16 = 11;
/// That of a hash whose fields expire: Redis 7.4's.
const VERSION_WITH_FIELD_EXPIRY: u16 = 12;
/// The newest that is read (Redis 8).
const VERSION_MAX: u16 = 14;
const FOOTER: usize = 10;

/// The bytes are not what they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// Why a payload is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DumpError {
    VersionOrChecksum,
    Format,
}

impl From<Malformed> for DumpError {
    fn from(_: Malformed) -> DumpError {
        DumpError::Format
    }
}

/// The checksum that ends payloads and files, as it is made bit by bit.
pub fn checksum() -> Checksum {
    CRC64.digest()
}

/// Ends a payload that holds a type and its value.
pub fn seal(mut body: Vec<u8>) -> Vec<u8> {
    let version = body.first().map_or(VERSION, |code| version_for(*code));
    body.extend(version.to_le_bytes());
    let crc = CRC64.checksum(&body);
    body.extend(crc.to_le_bytes());
    body
}

/// The version that a value of this code needs.
fn version_for(code: u8) -> u16 {
    match code {
        stream::STREAM_3 => VERSION_WITH_ACTIVITY,
        value::HASH_METADATA => VERSION_WITH_FIELD_EXPIRY,
        stream::STREAM_4 | stream::STREAM_5 | array::ARRAY => VERSION_MAX,
        _ => VERSION,
    }
}

/// The value in a payload; no string of it is longer than `max`. `any_version` reads payloads of versions unknown yet
/// (`rdb-version-check relaxed`).
///
/// # Errors
/// When anything in it is not as it should be.
pub fn restore(payload: &[u8], max: usize, any_version: bool) -> Result<Restored, DumpError> {
    let body = unseal(payload, any_version)?;
    let version = payload[body.len()..].first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes));
    let mut input = Input::new(body, max);
    let code = code_in(version.into(), input.byte()?);
    let restored = read_value(code, &mut input)?;
    if input.is_empty() && !restored.lacks_elements() { Ok(restored) } else { Err(DumpError::Format) }
}

/// What a payload holds before its version and checksum, which must be right, or absent.
pub fn unseal(payload: &[u8], any_version: bool) -> Result<&[u8], DumpError> {
    let body_len = payload.len().checked_sub(FOOTER).ok_or(DumpError::VersionOrChecksum)?;
    let (body, footer) = payload.split_at(body_len);
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let crc = footer[2..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    // Who makes payloads without a checksum writes 0, as at the end of a file.
    let is_whole = crc == 0 || crc == CRC64.checksum(&payload[..body_len + 2]);
    if version > VERSION_MAX && !any_version || !is_whole {
        return Err(DumpError::VersionOrChecksum);
    }
    Ok(body)
}

#[cfg(test)]
mod tests;
