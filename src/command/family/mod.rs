//! One file per family: rows and handlers.
