//! Time is passed in: everything below `net` takes `now` as an argument.

/// Milliseconds since the Unix epoch, as Redis's commands count them.
pub type UnixMillis = i64;

/// Reads the wall clock. Only `net`, `server` and tests call this.
pub fn unix_millis() -> UnixMillis {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as UnixMillis)
}
