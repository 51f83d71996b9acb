//! Values in Redis's serialisation (the RDB format): DUMP's payloads, and the values in a file.
//!
//! ```text
//! payload: type u8 · value · version u16 LE · CRC-64 (Jones) of all before, LE
//! ```
//!
//! Every encoding since version 6 of the format is read. What is written is the plainest of each type, which every server since
//! version 4 reads; only a hash whose fields expire needs a newer one.

mod input;
mod packs;
mod stream;
mod value;

pub use input::{Input, put_length, put_string};
pub use stream::{RestoredConsumer, RestoredGroup, RestoredStream};
pub use value::{Restored, put_value, read_value, type_of};

use crc::{CRC_64_REDIS, Crc, Table};

static CRC64: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// The version that is written: Redis 7.2's, which every later server reads.
const VERSION: u16 = 11;
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

/// The checksum that ends payloads and files.
pub fn checksum(bytes: &[u8]) -> u64 {
    CRC64.checksum(bytes)
}

/// Ends a payload that holds a type and its value.
pub fn seal(mut body: Vec<u8>) -> Vec<u8> {
    let has_expiry = body.first().is_some_and(|code| *code == value::HASH_METADATA);
    body.extend(if has_expiry { VERSION_WITH_FIELD_EXPIRY } else { VERSION }.to_le_bytes());
    let crc = CRC64.checksum(&body);
    body.extend(crc.to_le_bytes());
    body
}

/// The value in a payload; no string of it is longer than `max`. `any_version` reads payloads of versions unknown yet
/// (`rdb-version-check relaxed`).
///
/// # Errors
/// When anything in it is not as it should be.
pub fn restore(payload: &[u8], max: usize, any_version: bool) -> Result<Restored, DumpError> {
    let mut input = Input::new(unseal(payload, any_version)?, max);
    let code = input.byte()?;
    let restored = read_value(code, &mut input)?;
    if input.is_empty() { Ok(restored) } else { Err(DumpError::Format) }
}

/// What a payload holds before its version and checksum, which must be right.
pub fn unseal(payload: &[u8], any_version: bool) -> Result<&[u8], DumpError> {
    let body_len = payload.len().checked_sub(FOOTER).ok_or(DumpError::VersionOrChecksum)?;
    let (body, footer) = payload.split_at(body_len);
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let crc = footer[2..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    if version > VERSION_MAX && !any_version || crc != CRC64.checksum(&payload[..body_len + 2]) {
        return Err(DumpError::VersionOrChecksum);
    }
    Ok(body)
}

#[cfg(test)]
mod tests;
