//! util/number.
