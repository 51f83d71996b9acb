//! types.

pub mod bitfield;
pub mod bits;
pub mod lcs;
