//! Registers of six bits, one after the other, from the lowest bit of each byte on.

use super::REGISTERS;

pub const LEN: usize = REGISTERS * 6 / 8;

/// The first of the two bytes that hold a register.
pub fn byte_of(index: usize) -> usize {
    index * 6 / 8
}

pub fn get(registers: &[u8], index: usize) -> u8 {
    let at = byte_of(index);
    let pair = u16::from_le_bytes([registers[at], registers.get(at + 1).copied().unwrap_or(0)]);
    (pair >> (index * 6 % 8)) as u8 & 63
}

pub fn set(registers: &mut [u8], index: usize, value: u8) {
    let at = byte_of(index);
    let end = (at + 2).min(registers.len());
    put(&mut registers[at..end], index, value);
}

/// Writes a register into its own bytes (only one for the last).
pub fn put(bytes: &mut [u8], index: usize, value: u8) {
    let shift = index * 6 % 8;
    let [mask, value] = [63u16 << shift, u16::from(value) << shift].map(u16::to_le_bytes);
    for ((byte, mask), value) in bytes.iter_mut().zip(mask).zip(value) {
        *byte = *byte & !mask | value;
    }
}

/// All registers in order, four from each three bytes.
pub fn values(registers: &[u8]) -> impl Iterator<Item = u8> {
    registers.as_chunks::<3>().0.iter().flat_map(|&[a, b, c]| {
        let bits = u32::from_le_bytes([a, b, c, 0]);
        [0, 6, 12, 18].map(|shift| (bits >> shift) as u8 & 63)
    })
}
