//! Memory that a worker keeps for later, given back when the machine has none left: the buffers of its
//! deques, as large as they ever had to be, what it has replaced and others may still have looked at,
//! and the blocks of jobs that are done.
//!
//! Each does so itself, when it has nothing else to do.
//!
//! Tests: tests/tidy.rs.

use crate::job::{self, JobRef, ScopeJobRef};
use crate::sync::statistic::Ordering;
use crate::worker::local::Local;
use crate::worker::shared::Shared;

impl Local {
    /// For one that is about to sleep.
    #[inline]
    pub(super) fn tidy_if_asked(&self) {
        let asked = self.shared.tidy.load(Ordering::Relaxed);
        if self.tidied.replace(asked) != asked {
            self.tidy();
        }
    }

    #[cold]
    fn tidy(&self) {
        self.deques.scoped.shrink(ScopeJobRef::nothing());
        self.deques.detached.shrink(JobRef::nothing());
        // Three epochs on nobody has anything left to look at, unless others lag behind: then it goes the
        // next time.
        #[cfg(not(loom))]
        (0..3).for_each(|_| crossbeam_epoch::pin().flush());
        job::give_back();
    }
}

impl Shared {
    /// Has every worker tidy up, sooner or later; those that sleep now.
    pub fn ask_to_tidy(&self) {
        self.tidy.fetch_add(1, Ordering::Relaxed);
        self.roster().for_each(|(worker, _)| self.unpark(worker));
    }
}
