//! How a pool comes to its end: its gate is closed, and who falls asleep last, or leaves the last seat, finds
//! that nothing is left to do and that nobody can submit more.
//!
//! Model: loom-tests/tests/wake.rs.

use crate::sync::Ordering;
use crate::sync::fence::{full_fence, heavy_fence};
use crate::worker::remote::Remote;
use crate::worker::shared::Shared;

impl Shared {
    /// One worker less that must sleep before the pool ends.
    pub fn unstaff(&self) {
        self.staffed.fetch_sub(1, Ordering::Relaxed);
        // A sleeper that misses this change has fenced before us. Then either we see the
        // gate sealed, or whoever seals it fences after us, and so sees that sleeper. Not a
        // light_fence: the watch comes here, too, which is no worker.
        full_fence();
        if self.gate.is_sealed() {
            self.wake_for_the_end();
        }
    }

    /// Wakes some worker, so that it looks whether the pool has come to its end. If none
    /// sleeps yet, the last to fall asleep looks anyway; if none has a seat, nobody else would.
    pub fn wake_for_the_end(&self) {
        full_fence();
        if let Some(worker) = self.idle.wake_one() {
            self.unpark(worker);
        } else if self.num_threads() == 0 && !self.end_if_last() && self.has_work() {
            self.start_spare();
        }
    }

    /// Ends the pool if it is shutting down, nobody can submit any more, every worker sleeps and no work is
    /// left. Who falls asleep last, or leaves the last seat, finds this to be so.
    pub fn end_if_last(&self) -> bool {
        let nothing_left = || {
            heavy_fence();
            let is_addressed =
                |worker: &Remote| !worker.inbox.is_empty() && !worker.presence.is_gone();
            !self.has_work() && !self.workers().any(is_addressed) || self.is_abandoned()
        };
        // The number of workers last: it may have changed before the gate was closed.
        let ended = self.gate.is_sealed() && self.idle.end(self.num_threads(), nothing_left);
        if ended {
            self.wake_all();
        }
        ended
    }

    /// Whether nobody is there who could run anything, nor ever will be: all were guests, or their threads
    /// came to nothing.
    fn is_abandoned(&self) -> bool {
        let is_missing = |worker: &Remote| worker.stopped.is_set() || worker.presence.is_gone();
        let hires = self.hire.get().is_some() && self.max_workers() > 1;
        !hires && self.workers().all(is_missing)
    }

    /// Whether the pool has come to its end. It stays so.
    pub fn is_over(&self) -> bool {
        self.idle.has_ended()
    }

    /// Wakes every thread there is, at the end.
    pub fn wake_all(&self) {
        self.roster().for_each(|(worker, _)| self.unpark(worker));
        self.watch.wake();
        // Set before the pool could end: when it was built.
        self.governor.get().inspect(|governor| governor.unpark());
    }
}
