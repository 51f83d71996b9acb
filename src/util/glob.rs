//! util/glob.
