//! types.

pub mod lcs;
