//! The watch over workers that block without saying so: when it is on duty.
//!
//! A thread of its own (pool/watcher.rs) looks at the workers every few milliseconds, but
//! only while it may have something to do: *armed* by whoever makes work, finds every
//! worker busy, and can start no spare. Invariant: if work waits and every worker is busy,
//! the watch is armed, or hunger is raised, so that the next push arms it, or somebody
//! searches, who sees to it when it finds something. Like a sleeper's, its last look
//! comes after it has said that it sleeps:
//!
//! | publisher                        | the watch, off duty                           |
//! |----------------------------------|-----------------------------------------------|
//! | 1. publish the work              | 1. armed = false; hunger in every lane        |
//! | 2. light_fence                   | 2. heavy_fence                                |
//! | 3. not armed: arm, wake it       | 3. work waits: armed again; else park         |

use crate::sync::{AtomicBool, Ordering, Thread, current_thread};
use std::sync::OnceLock;
use std::time::Duration;

#[derive(Debug)]
pub struct Watch {
    /// How long a worker must have slept in a task to count as blocked. None: there is no
    /// watch, and it always counts as armed, so that nobody tries to wake it.
    pub after: Option<Duration>,
    armed: AtomicBool,
    /// Set by the watch itself, first of all: before that, it has not been off duty.
    thread: OnceLock<Thread>,
}

impl Watch {
    pub fn new(after: Option<Duration>) -> Self {
        Self { after, armed: AtomicBool::new(after.is_none()), thread: OnceLock::new() }
    }

    #[inline]
    pub fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed)
    }

    /// Puts the watch on duty; it is then to be woken. Returns false if it was already.
    pub fn arm(&self) -> bool {
        !self.armed.swap(true, Ordering::Relaxed)
    }

    /// For the watch itself: this thread is to be woken.
    pub fn begin(&self) {
        let _ = self.thread.set(current_thread());
    }

    /// Has it look up. Returns false if it has no thread yet.
    pub fn wake(&self) -> bool {
        self.thread.get().map(Thread::unpark).is_some()
    }

    /// For the watch itself. Hunger, a heavy_fence and a last look follow.
    pub fn disarm(&self) {
        self.armed.store(false, Ordering::Relaxed);
    }
}
