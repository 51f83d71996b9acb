//! What values mean: pure functions over their bytes.

pub mod bitfield;
pub mod bits;
pub mod dump;
pub mod hyperloglog;
pub mod lcs;
pub mod lzf;
