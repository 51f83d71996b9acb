//! Read and write buffers that the connections of a thread share.
//!
//! An idle connection holds no buffer: it borrows the thread's when something arrives and gives it
//! back when all of it is parsed and answered. Only a request that has arrived in part, or a reply
//! that the socket has not taken, keeps one. Ten thousand idle clients so cost no buffers, and the
//! few in use stay in the cache.

use std::cell::RefCell;

/// Room for one read.
pub const READ_SIZE: usize = 64 * 1024;
/// What a connection keeps for itself while a request has arrived in part.
pub const PRIVATE_SIZE: usize = 16 * 1024;
/// Larger buffers go back to the allocator instead of the pool.
const KEEP_MAX: usize = 128 * 1024;
/// Buffers kept per thread: as many as connections of it wait for memory at a time (see `warming`). More are in use
/// only while that many requests are in part.
const POOL_MAX: usize = 64;

#[derive(Default)]
struct Pool {
    input: Vec<Vec<u8>>,
    output: Vec<Vec<u8>>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

pub fn take_input() -> Vec<u8> {
    POOL.with_borrow_mut(|pool| pool.input.pop()).unwrap_or_else(|| Vec::with_capacity(READ_SIZE))
}

pub fn give_input(mut buffer: Vec<u8>) {
    buffer.clear();
    if (READ_SIZE..=KEEP_MAX).contains(&buffer.capacity()) {
        POOL.with_borrow_mut(|pool| {
            if pool.input.len() < POOL_MAX {
                pool.input.push(buffer);
            }
        });
    }
}

pub fn take_output() -> Vec<u8> {
    POOL.with_borrow_mut(|pool| pool.output.pop()).unwrap_or_default()
}

/// `buffer` is empty.
pub fn give_output(buffer: Vec<u8>) {
    if (1..=KEEP_MAX).contains(&buffer.capacity()) {
        POOL.with_borrow_mut(|pool| {
            if pool.output.len() < POOL_MAX {
                pool.output.push(buffer);
            }
        });
    }
}
