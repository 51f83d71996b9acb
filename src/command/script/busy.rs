//! Scripts that run for long: who is told BUSY meanwhile, and how they are ended.
//!
//! The interpreter looks at the time now and then. A script that has run beyond `busy-reply-threshold` is listed here;
//! from then on other commands are refused, but for those that can end it (SCRIPT KILL, FUNCTION KILL, SHUTDOWN).

use crate::command::Error;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

const BUSY_SCRIPT: Error =
    Error::new("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.");
const BUSY_FUNCTION: Error =
    Error::new("BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.");

/// A script or function that has been running for long.
pub struct Running {
    pub name: String,
    /// The command that runs it.
    pub words: Vec<Box<[u8]>>,
    pub is_function: bool,
    pub since: Instant,
    /// It has changed something: it cannot be ended.
    pub wrote: AtomicBool,
    killed: AtomicBool,
}

impl Running {
    pub fn new(name: String, words: Vec<Box<[u8]>>, is_function: bool, since: Instant, wrote: bool) -> Running {
        Running { name, words, is_function, since, wrote: AtomicBool::new(wrote), killed: AtomicBool::new(false) }
    }

    pub fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    /// What others are told.
    fn busy(&self) -> Error {
        if self.is_function { BUSY_FUNCTION } else { BUSY_SCRIPT }
    }
}

/// All that have been running for long.
#[derive(Default)]
pub struct Busy {
    count: AtomicUsize,
    all: Mutex<Vec<Arc<Running>>>,
    ending: AtomicBool,
}

impl Busy {
    pub fn add(&self, running: &Arc<Running>) {
        let mut all = self.all.lock();
        all.push(Arc::clone(running));
        self.count.store(all.len(), Relaxed);
    }

    pub fn remove(&self, running: &Arc<Running>) {
        let mut all = self.all.lock();
        all.retain(|other| !Arc::ptr_eq(other, running));
        self.count.store(all.len(), Relaxed);
    }

    /// The first of them.
    pub fn running(&self) -> Option<Arc<Running>> {
        if self.count.load(Relaxed) == 0 {
            return None;
        }
        self.all.lock().first().cloned()
    }

    /// What a command is told that may not run now.
    pub fn refusal(&self) -> Option<Error> {
        self.running().map(|running| running.busy())
    }

    /// SCRIPT KILL, FUNCTION KILL.
    ///
    /// # Errors
    /// When there is none of the kind, or it has written.
    pub fn kill(&self, function: bool) -> Result<(), Error> {
        let running = self.running().ok_or(Error::new("NOTBUSY No scripts in execution right now."))?;
        if running.is_function != function {
            return Err(running.busy());
        }
        if running.wrote.load(Relaxed) {
            return Err(Error::new(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait \
                 the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
            ));
        }
        running.killed.store(true, Relaxed);
        Ok(())
    }

    /// The server ends: all scripts have to, whatever they have done.
    pub fn end_all(&self) {
        self.ending.store(true, Relaxed);
    }

    pub fn is_ending(&self) -> bool {
        self.ending.load(Relaxed)
    }
}
