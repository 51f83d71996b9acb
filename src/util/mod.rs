//! Small things every layer may use: time, the disk, glob patterns, numbers as text.

pub mod clock;
pub mod disk;
pub mod double;
pub mod ere;
pub mod glob;
pub mod graph;
pub mod long_double;
pub mod number;
pub mod words;
