//! The smallest parts of the format: lengths, strings, numbers. Every byte is checked, and nothing is allocated beyond
//! what the input really holds.

use super::Malformed;
use crate::types::lzf;

/// LZF makes at most 264 bytes of 3.
const LZF_RATIO: usize = 88;

/// What is left to be read.
pub struct Input<'a> {
    bytes: &'a [u8],
    /// The longest string.
    max: usize,
    /// How much more there would have to be, when something was cut off.
    lacks: usize,
}

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8], max: usize) -> Input<'a> {
        Input { bytes, max, lacks: 0 }
    }

    /// Bytes that are left.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// After an error: how many bytes more would have been needed at least; 0 when they were not what was wrong.
    pub fn lacks(&self) -> usize {
        self.lacks
    }

    pub fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(*self.bytes(N)?.first_chunk().ok_or(Malformed)?)
    }

    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let Some((bytes, rest)) = self.bytes.split_at_checked(len) else {
            self.lacks = len - self.bytes.len();
            return Err(Malformed);
        };
        self.bytes = rest;
        Ok(bytes)
    }

    /// A length that is not an encoding of its own.
    pub fn length(&mut self) -> Result<u64, Malformed> {
        let first = self.byte()?;
        self.length_after(first)
    }

    fn length_after(&mut self, first: u8) -> Result<u64, Malformed> {
        match (first >> 6, first) {
            (0, _) => Ok((first & 0x3F).into()),
            (1, _) => Ok(u64::from(first & 0x3F) << 8 | u64::from(self.byte()?)),
            (2, 0x80) => Ok(u32::from_be_bytes(self.array()?).into()),
            (2, 0x81) => Ok(u64::from_be_bytes(self.array()?)),
            _ => Err(Malformed),
        }
    }

    fn size(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.length()?).map_err(|_| Malformed)
    }

    pub fn string(&mut self) -> Result<Vec<u8>, Malformed> {
        let text = |n: i64| n.to_string().into_bytes();
        match self.byte()? {
            0xC0 => Ok(text(i8::from_le_bytes(self.array()?).into())),
            0xC1 => Ok(text(i16::from_le_bytes(self.array()?).into())),
            0xC2 => Ok(text(i32::from_le_bytes(self.array()?).into())),
            0xC3 => {
                let (compressed, len) = (self.size()?, self.size()?);
                let compressed = self.bytes(compressed)?;
                if len > self.max || len > compressed.len().saturating_mul(LZF_RATIO) {
                    return Err(Malformed);
                }
                lzf::decompress(compressed, len).ok_or(Malformed)
            }
            first => {
                let len = usize::try_from(self.length_after(first)?).map_err(|_| Malformed)?;
                if len > self.max { Err(Malformed) } else { Ok(self.bytes(len)?.to_vec()) }
            }
        }
    }

    /// A double of eight bytes.
    pub fn double(&mut self) -> Result<f64, Malformed> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// A double as text, as it was stored before version 8 of the format.
    pub fn double_text(&mut self) -> Result<f64, Malformed> {
        match self.byte()? {
            253 => Ok(f64::NAN),
            254 => Ok(f64::INFINITY),
            255 => Ok(f64::NEG_INFINITY),
            len => {
                let text = self.bytes(len.into())?;
                crate::util::number::parse_f64(text).ok_or(Malformed)
            }
        }
    }

    /// A time in milliseconds, or any other integer of eight bytes.
    pub fn int64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_le_bytes(self.array()?))
    }
}

/// Strings up to this length are not worth compressing; longer ones are compressed if that saves so many bytes.
const COMPRESSED_MIN: usize = 20;
const SAVED_MIN: usize = 4;

pub fn put_length(out: &mut Vec<u8>, len: u64) {
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
                out.extend(len.to_be_bytes());
            }
        },
    }
}

/// A string; a short integer as such, and compressed if that is wanted and pays.
pub fn put_string(out: &mut Vec<u8>, value: &[u8], compress: bool) {
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
                put_length(out, compressed.len() as u64);
                put_length(out, value.len() as u64);
                out.extend_from_slice(&compressed);
            }
            None => {
                put_length(out, value.len() as u64);
                out.extend_from_slice(value);
            }
        },
    }
}

fn compressed(value: &[u8]) -> Option<Vec<u8>> {
    if value.len() <= COMPRESSED_MIN { None } else { lzf::compress(value, value.len() - SAVED_MIN) }
}
