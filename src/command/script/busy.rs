//! Scripts that run for long: who is told BUSY meanwhile, and how they are ended.
//!
//! The interpreter looks at the time now and then. A script that has run for a while is listed here: FUNCTION STATS
//! tells of it, and it can be ended. Beyond `busy-reply-threshold` other commands are refused, but for those that can
//! end it (SCRIPT KILL, FUNCTION KILL, SHUTDOWN).

use crate::command::Error;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

const BUSY_SCRIPT: Error =
    Error::new("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.");
const BUSY_FUNCTION: Error =
    Error::new("BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.");

/// How long a script runs before it is listed.
pub const LISTED_AFTER: Duration = Duration::from_millis(100);

/// A script or function that has been running for a while.
pub struct Running {
    pub name: String,
    /// The command that runs it.
    pub words: Vec<Box<[u8]>>,
    pub is_function: bool,
    pub since: Instant,
    /// It has changed something: it cannot be ended.
    pub wrote: AtomicBool,
    killed: AtomicBool,
    /// It has run beyond the threshold.
    refuses: AtomicBool,
}

impl Running {
    pub fn new(name: String, words: Vec<Box<[u8]>>, is_function: bool, since: Instant, wrote: bool) -> Running {
        let [wrote, killed, refuses] = [wrote, false, false].map(AtomicBool::new);
        Running { name, words, is_function, since, wrote, killed, refuses }
    }

    pub fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    pub fn refuses(&self) -> bool {
        self.refuses.load(Relaxed)
    }

    /// What others are told.
    fn busy(&self) -> Error {
        if self.is_function { BUSY_FUNCTION } else { BUSY_SCRIPT }
    }
}

/// All that have been running for a while.
#[derive(Default)]
pub struct Busy {
    /// How many others are refused for.
    refusing: AtomicUsize,
    all: Mutex<Vec<Arc<Running>>>,
    ending: AtomicBool,
}

impl Busy {
    pub fn add(&self, running: &Arc<Running>) {
        self.all.lock().push(Arc::clone(running));
    }

    /// From here on others are refused for it.
    pub fn refuse(&self, running: &Running) {
        if !running.refuses.swap(true, Relaxed) {
            self.refusing.fetch_add(1, Relaxed);
        }
    }

    pub fn remove(&self, running: &Arc<Running>) {
        self.all.lock().retain(|other| !Arc::ptr_eq(other, running));
        if running.refuses() {
            self.refusing.fetch_sub(1, Relaxed);
        }
    }

    /// The first of them.
    pub fn running(&self) -> Option<Arc<Running>> {
        self.all.lock().first().cloned()
    }

    /// What a command is told that may not run now.
    pub fn refusal(&self) -> Option<Error> {
        if self.refusing.load(Relaxed) == 0 {
            return None;
        }
        self.all.lock().iter().find(|running| running.refuses()).map(|running| running.busy())
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
