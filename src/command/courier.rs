//! Requests to another server (MIGRATE). Whoever knows sockets carries them; here is what is to be carried.

use std::time::Duration;

/// Requests for the server at an address, and how long each step may take.
pub struct Parcel<'a> {
    pub host: &'a str,
    pub port: u16,
    pub timeout: Duration,
    /// As whom it is carried: a connection is not shared with those who come as somebody else.
    pub login: &'a [&'a [u8]],
    /// Each is answered with a status or an error.
    pub requests: &'a [Vec<&'a [u8]>],
}

/// What came back.
pub struct Delivery {
    /// Of the first requests, whether they were carried out; an error has the other server's text.
    pub replies: Vec<Result<(), Vec<u8>>>,
    /// Why there are fewer replies than requests.
    pub failure: Option<Failure>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    Connecting,
    Writing,
    Reading,
}

/// Who carries parcels, and keeps connections for the next ones.
pub trait Courier: Send + Sync {
    /// Carries a parcel, and waits for the replies: no shard may be locked.
    fn carry(&self, parcel: &Parcel<'_>) -> Delivery;
    /// How many connections are kept.
    fn kept(&self) -> usize;
    /// Closes those that nobody has used for a while.
    fn close_idle(&self);
}

/// Where nothing can be carried.
pub struct Nowhere;

impl Courier for Nowhere {
    fn carry(&self, _: &Parcel<'_>) -> Delivery {
        Delivery { replies: Vec::new(), failure: Some(Failure::Connecting) }
    }

    fn kept(&self) -> usize {
        0
    }

    fn close_idle(&self) {}
}
