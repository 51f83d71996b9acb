//! What a segment's chunk says by itself, when the directory that led to it may be gone.

use super::{
    HEADER, Slot, TAG_SEGMENT, prefix_mask,
    segment::{SIZES, slots_of},
};

/// A segment as it lies in its chunk.
pub struct Salvaged {
    pub database: u8,
    pub slots: Vec<Slot>,
    prefix: u64,
    depth: u8,
    is_largest: bool,
}

impl Salvaged {
    /// `None` when the chunk holds no segment.
    pub fn read(chunk: &[u8]) -> Option<Salvaged> {
        let [tag, size, depth, database] = *chunk.first_chunk()?;
        let (_, lines) = *SIZES.get(size as usize)?;
        if tag != TAG_SEGMENT || depth > 64 {
            return None;
        }
        let prefix = u64::from_le_bytes(*chunk.get(16..)?.first_chunk()?);
        let slots = slots_of(chunk.get(HEADER..lines * 64)?).filter(|slot| !slot.is_empty()).collect();
        Some(Salvaged { database, slots, prefix, depth, is_largest: size as usize + 1 == SIZES.len() })
    }

    /// The first and the last position of which it holds all slots there are; `None` when it may be one of several in a
    /// chain, of which others are gone.
    pub fn range(&self) -> Option<(u64, u64)> {
        let first = self.prefix & prefix_mask(self.depth);
        (!self.is_largest).then_some((first, first | !prefix_mask(self.depth)))
    }
}
