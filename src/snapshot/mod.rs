//! Snapshots: the arena written to a file as it was at one moment, and mapped again at the start.
//!
//! A snapshot begins with a cut (one atomic increment, see [`crate::arena`]) and needs no fork: the
//! sweep takes page after page under its shard's lock, and changes meanwhile copy the old block
//! first. Two files alternate, and only blocks that have changed since the older one was written are written to it
//! (see `save`), and in between both are looked at for bit rot (see `scrub`). On start the newer file's tables are checked and the server serves; a page comes into the arena at its first touch, its checksums verified then.
//!
//! `docs/format.md` describes the bytes.

mod base;
mod format;
mod image;
mod pool;
mod save;
mod saver;
mod scrub;
mod writer;

pub use image::{Image, LoadError};
pub use save::{Pace, Report, Unpaced, discard_unfinished, older_of, save, save_aside, save_on};
pub use saver::{Cancelled, Saver, SaverStatus, step_back};
pub use scrub::{Scrub, Scrubbed};

#[cfg(test)]
mod tests;
