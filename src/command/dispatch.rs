//! The one way from a request to its handler.
