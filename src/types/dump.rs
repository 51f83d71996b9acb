//! DUMP's payload: a value in Redis's serialisation, then the format's version and a CRC64.
//!
//! ```text
//! type u8 · value · version u16 LE · CRC-64 (Jones) of all before, LE
//! ```
//!
//! Shapes from the RDB format: a string is a length and its bytes, an integer of 1, 2 or 4 bytes, or
//! compressed with LZF.

use crc::{CRC_64_REDIS, Crc, Table};

static CRC64: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// The version that is written: Redis 7.2's, which every later server reads.
const VERSION: u16 = 11;
/// The newest that is read (Redis 8).
const VERSION_MAX: u16 = 12;
const FOOTER: usize = 10;
const TYPE_STRING: u8 = 0;
/// LZF makes at most 264 bytes of 3.
const LZF_RATIO: usize = 88;
/// Strings up to this length are not worth compressing; longer ones are compressed if that saves so many bytes.
const COMPRESSED_MIN: usize = 20;
const SAVED_MIN: usize = 4;

/// Why a payload is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DumpError {
    VersionOrChecksum,
    Format,
}

/// The payload of a string; `compress` as `rdbcompression` says.
pub fn dump_string(value: &[u8], compress: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 9 + FOOTER + 1);
    out.push(TYPE_STRING);
    match crate::util::number::parse_i64(value).filter(|_| value.len() <= 11) {
        Some(n) if i8::try_from(n).is_ok() => out.extend([0xC0, n as u8]),
        Some(n) if i16::try_from(n).is_ok() => {
            out.push(0xC1);
            out.extend((n as i16).to_le_bytes());
        }
        Some(n) if i32::try_from(n).is_ok() => {
            out.push(0xC2);
            out.extend((n as i32).to_le_bytes());
        }
        _ => match Some(value).filter(|_| compress).and_then(compressed) {
            Some(compressed) => {
                out.push(0xC3);
                put_length(&mut out, compressed.len());
                put_length(&mut out, value.len());
                out.extend_from_slice(&compressed);
            }
            None => {
                put_length(&mut out, value.len());
                out.extend_from_slice(value);
            }
        },
    }
    out.extend(VERSION.to_le_bytes());
    let crc = CRC64.checksum(&out);
    out.extend(crc.to_le_bytes());
    out
}

fn compressed(value: &[u8]) -> Option<Vec<u8>> {
    if value.len() <= COMPRESSED_MIN { None } else { super::lzf::compress(value, value.len() - SAVED_MIN) }
}

fn put_length(out: &mut Vec<u8>, len: usize) {
    match len {
        0..0x40 => out.push(len as u8),
        0x40..0x4000 => out.extend([0x40 | (len >> 8) as u8, len as u8]),
        _ => match u32::try_from(len) {
            Ok(len) => {
                out.push(0x80);
                out.extend(len.to_be_bytes());
            }
            Err(_) => {
                out.push(0x81);
                out.extend((len as u64).to_be_bytes());
            }
        },
    }
}

/// The string in a payload of at most `max` bytes. Every byte is checked; nothing is allocated
/// beyond what the payload really holds. `any_version` reads payloads of versions unknown yet
/// (`rdb-version-check relaxed`).
pub fn restore_string(payload: &[u8], max: usize, any_version: bool) -> Result<Vec<u8>, DumpError> {
    let body_len = payload.len().checked_sub(FOOTER).ok_or(DumpError::VersionOrChecksum)?;
    let (body, footer) = payload.split_at(body_len);
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let crc = footer[2..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    if version > VERSION_MAX && !any_version || crc != CRC64.checksum(&payload[..body_len + 2]) {
        return Err(DumpError::VersionOrChecksum);
    }
    let mut input = Input(body);
    if input.byte()? != TYPE_STRING {
        return Err(DumpError::Format);
    }
    let value = input.string(max)?;
    if input.0.is_empty() { Ok(value) } else { Err(DumpError::Format) }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Result<u8, DumpError> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DumpError> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(DumpError::Format)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], DumpError> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(DumpError::Format)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A length that is not an encoding of its own.
    fn length(&mut self) -> Result<usize, DumpError> {
        let first = self.byte()?;
        self.length_after(first)
    }

    fn length_after(&mut self, first: u8) -> Result<usize, DumpError> {
        match (first >> 6, first) {
            (0, _) => Ok((first & 0x3F) as usize),
            (1, _) => Ok(((first & 0x3F) as usize) << 8 | self.byte()? as usize),
            (2, 0x80) => Ok(u32::from_be_bytes(self.array()?) as usize),
            (2, 0x81) => usize::try_from(u64::from_be_bytes(self.array()?)).map_err(|_| DumpError::Format),
            _ => Err(DumpError::Format),
        }
    }

    fn string(&mut self, max: usize) -> Result<Vec<u8>, DumpError> {
        let text = |n: i64| n.to_string().into_bytes();
        match self.byte()? {
            0xC0 => Ok(text(i8::from_le_bytes(self.array()?).into())),
            0xC1 => Ok(text(i16::from_le_bytes(self.array()?).into())),
            0xC2 => Ok(text(i32::from_le_bytes(self.array()?).into())),
            0xC3 => {
                let (compressed, len) = (self.length()?, self.length()?);
                let compressed = self.bytes(compressed)?;
                if len > max || len > compressed.len().saturating_mul(LZF_RATIO) {
                    return Err(DumpError::Format);
                }
                super::lzf::decompress(compressed, len).ok_or(DumpError::Format)
            }
            first => {
                let len = self.length_after(first)?;
                if len > max { Err(DumpError::Format) } else { Ok(self.bytes(len)?.to_vec()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_every_shape_come_back() {
        for value in [
            &b""[..],
            b"a",
            b"12",
            b"-129",
            b"70000",
            b"2147483648",
            b"007",
            &[7; 63],
            &[8; 64],
            &[9; 16384],
            &[1; 70000],
        ] {
            assert_eq!(restore_string(&dump_string(value, true), 1 << 20, false).as_deref(), Ok(value));
            assert_eq!(restore_string(&dump_string(value, false), 1 << 20, false).as_deref(), Ok(value));
        }
    }

    /// What DUMP of Redis 7.0.15 answered for `SET k 10` but for the version.
    #[test]
    fn the_checksum_is_redis_s() {
        let payload = [0x00, 0xC0, 0x0A, 0x0A, 0x00];
        let mut whole = payload.to_vec();
        whole.extend(CRC64.checksum(&payload).to_le_bytes());
        assert_eq!(restore_string(&whole, 100, false).as_deref(), Ok(&b"10"[..]));
        assert_eq!(CRC64.checksum(b"123456789"), 0xe9c6d914c4b8d9ca);
    }

    #[test]
    fn what_repeats_is_compressed_if_it_saves_enough() {
        assert_eq!(dump_string(&[b'a'; 20], true)[1], 20);
        let payload = dump_string(&[b'a'; 100], true);
        assert_eq!((payload[1], payload.len() < 30), (0xC3, true));
        assert_eq!(dump_string(&[b'a'; 100], false)[1..3], [0x40, 100]);
        let unlike: Vec<u8> = (0..100).collect();
        assert_eq!(dump_string(&unlike, true)[1..3], [0x40, 100]);
    }

    #[test]
    fn a_version_to_come_is_read_if_wanted() {
        let mut payload = vec![TYPE_STRING, 1, b'x', 222, 0];
        payload.extend(CRC64.checksum(&payload).to_le_bytes());
        assert_eq!(restore_string(&payload, 100, false), Err(DumpError::VersionOrChecksum));
        assert_eq!(restore_string(&payload, 100, true).as_deref(), Ok(&b"x"[..]));
    }

    #[test]
    fn damage_of_any_byte_is_refused() {
        let good = dump_string(b"some value of some length", true);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(restore_string(&bad, 100, false).is_err(), "byte {at}");
        }
        for len in 0..good.len() {
            assert!(restore_string(&good[..len], 100, false).is_err());
        }
    }

    #[test]
    fn lying_lengths_are_refused() {
        for body in [
            &[0u8, 0x80, 0xFF, 0xFF, 0xFF, 0xFF][..],
            &[0, 0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0, 0xC3, 0x02, 0x80, 0x10, 0, 0, 0, 0, 0],
            &[0, 0xC4],
            &[0, 0x01, 0x41, 0x41],
            &[1, 0x00],
        ] {
            let mut payload = body.to_vec();
            payload.extend(VERSION.to_le_bytes());
            payload.extend(CRC64.checksum(&payload).to_le_bytes());
            assert_eq!(restore_string(&payload, 1 << 29, false), Err(DumpError::Format));
        }
    }
}
