//! types.

pub mod bitfield;
pub mod bits;
pub mod hyperloglog;
pub mod lcs;
