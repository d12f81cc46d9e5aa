//! Credits: a worker's own stock of counts of one count latch, so that most of its tasks are
//! counted without touching the latch.
//!
//! Invariant: what the latch counts is what is true and what all have in stock, together. So it
//! counts too much at times and never too little: it isn't set while somebody has credits, and says
//! that jobs are unstarted as long as there may be. A job that is spawned takes a credit of both
//! kinds out of the stock; one that starts brings the one back, one that is done the other.
//!
//! Whoever has credits must [`give_back`](Credits::give_back) them when it runs out of jobs, before
//! it runs another scope's, and before it sleeps. As long as it has any of the pending kind, the
//! latch is alive.
//!
//! Model: loom-tests/tests/count_latch.rs. This file is `unsafe` because a latch may be freed as
//! soon as nothing counts in it any more.

use crate::primitive::count_latch::CountLatch;
use std::cell::Cell;
use std::ptr;

/// How many are bought at once: enough to make a read-modify-write of a line that others write,
/// too, cheap for each.
const BATCH: u32 = if cfg!(loom) { 2 } else { 32 };
/// Fewer of the unstarted: as long as somebody has them, others look for jobs that aren't there.
const UNSTARTED_BATCH: u32 = if cfg!(loom) { 2 } else { 8 };

#[derive(Debug)]
pub struct Credits {
    /// Whose they are; may be gone if there are none.
    latch: Cell<*const CountLatch>,
    unstarted: Cell<u32>,
    pending: Cell<u32>,
}

impl Credits {
    pub fn new() -> Self {
        Self { latch: Cell::new(ptr::null()), unstarted: Cell::new(0), pending: Cell::new(0) }
    }

    /// Counts a job that is about to be queued. The caller counts as pending itself.
    ///
    /// # Panics
    /// As [`CountLatch::spawned`].
    #[inline]
    pub fn spawned(&self, latch: &CountLatch) {
        // One of the pending stays, so that the latch does.
        if !ptr::eq(self.latch.get(), latch) || self.unstarted.get() < 1 || self.pending.get() < 2 {
            self.buy(latch);
        }
        self.unstarted.set(self.unstarted.get() - 1);
        self.pending.set(self.pending.get() - 1);
    }

    #[cold]
    fn buy(&self, latch: &CountLatch) {
        if !ptr::eq(self.latch.get(), latch) {
            self.give_back();
        }
        // Not more than needed, or the latch's count would grow with each task of a chain.
        let unstarted = if self.unstarted.get() < 1 { UNSTARTED_BATCH } else { 0 };
        let pending = if self.pending.get() < 2 { BATCH } else { 0 };
        latch.spawned(unstarted, pending);
        self.latch.set(latch);
        self.unstarted.set(self.unstarted.get() + unstarted);
        self.pending.set(self.pending.get() + pending);
    }

    /// A queued job has been taken and starts now.
    #[inline]
    pub fn started(&self, latch: &CountLatch) {
        if ptr::eq(self.latch.get(), latch) {
            self.unstarted.set(self.unstarted.get() + 1);
        } else {
            latch.started(1);
        }
    }

    /// Ends one job; the last one sets the latch.
    ///
    /// # Safety
    /// As [`CountLatch::done`].
    #[inline]
    pub unsafe fn done(&self, latch: *const CountLatch) {
        if self.latch.get() == latch {
            self.pending.set(self.pending.get() + 1);
        } else {
            // SAFETY: by the caller's promise.
            unsafe { CountLatch::done(latch, 0, 1) }
        }
    }

    /// For a worker that has just taken its last job: whoever waits needs not look for others.
    #[inline]
    pub fn give_back_unstarted(&self) {
        let unstarted = self.unstarted.take();
        if unstarted > 0 {
            // SAFETY: as long as there are credits the latch is alive.
            unsafe { (*self.latch.get()).started(unstarted) }
        }
    }

    /// How many of those that the latch counts as unstarted are credits of this worker.
    pub fn unstarted_of(&self, latch: *const CountLatch) -> u32 {
        if self.latch.get() == latch { self.unstarted.get() } else { 0 }
    }

    pub fn are_none(&self) -> bool {
        self.latch.get().is_null()
    }

    /// Whether there are credits, but not of this latch.
    #[inline]
    pub fn are_of_another(&self, latch: *const CountLatch) -> bool {
        !self.latch.get().is_null() && self.latch.get() != latch
    }

    /// Gives all back. That may set the latch.
    #[inline]
    pub fn give_back(&self) {
        let latch = self.latch.get();
        if !latch.is_null() {
            self.latch.set(ptr::null());
            // SAFETY: credits count like jobs, and these end here.
            unsafe { CountLatch::done(latch, self.unstarted.take(), self.pending.take()) }
        }
    }
}

impl Default for Credits {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{CountLatch, Credits};
    use std::cell::Cell;
    use std::ptr;

    fn credits(latch: &CountLatch, unstarted: u32, pending: u32) -> Credits {
        latch.spawned(unstarted, pending);
        let [unstarted, pending] = [unstarted, pending].map(Cell::new);
        Credits { latch: Cell::new(latch), unstarted, pending }
    }

    #[test]
    fn what_is_lacking_is_bought_and_no_more() {
        for (had, has) in [
            ((2, 3), (1, 2)),
            ((1, 2), (0, 1)),
            ((0, 2), (7, 1)),
            ((1, 1), (0, 32)),
            ((1, 0), (0, 31)),
            ((2, 1), (1, 32)),
            ((0, 0), (7, 31)),
        ] {
            let latch = CountLatch::new(1);
            let credits = credits(&latch, had.0, had.1);
            credits.spawned(&latch);
            assert_eq!((credits.unstarted.get(), credits.pending.get()), has, "from {had:?}");
            assert_eq!(latch.unstarted(), has.0 + 1);
        }
    }

    #[test]
    fn who_runs_another_scopes_jobs_gives_back_all_it_has() {
        let [latch, other] = [(); 2].map(|()| CountLatch::new(1));
        let credits = Credits::new();
        assert!(credits.are_none() && !credits.are_of_another(&latch));
        credits.spawned(&latch);
        assert!(!credits.are_none() && !credits.are_of_another(&latch));
        assert!(credits.are_of_another(&other));
        assert_eq!((credits.unstarted_of(&latch), credits.unstarted_of(&other)), (7, 0));
        credits.spawned(&other);
        assert_eq!((latch.unstarted(), other.unstarted()), (1, 8));
        credits.started(&latch);
        // SAFETY: the job and the body count, and end here.
        (0..2).for_each(|_| unsafe { credits.done(&latch) });
        assert!(latch.latch().is_set() && !other.latch().is_set());
    }

    #[test]
    fn when_no_job_is_left_nobody_is_told_to_look_for_one() {
        let latch = CountLatch::new(1);
        let credits = Credits::new();
        credits.spawned(&latch);
        credits.started(&latch);
        assert_eq!((latch.unstarted(), credits.unstarted_of(&latch)), (8, 8));
        credits.give_back_unstarted();
        assert_eq!((latch.unstarted(), credits.unstarted_of(&latch)), (0, 0));
        // SAFETY: the job counts, and ends here.
        unsafe { credits.done(&latch) };
        credits.give_back();
        assert!(credits.are_none() && !latch.latch().is_set());
        // SAFETY: so does the body.
        unsafe { credits.done(ptr::from_ref(&latch)) };
        assert!(latch.latch().is_set());
    }
}
