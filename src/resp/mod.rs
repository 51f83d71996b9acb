//! Bytes on the wire: requests in (`decode`, `inline`), replies out (`encode`). No other module
//! knows what RESP looks like.

pub mod decode;
pub mod encode;
pub mod inline;
pub mod pins;

pub use decode::{Decoder, Limits, ProtocolError};
pub use encode::Encoder;
