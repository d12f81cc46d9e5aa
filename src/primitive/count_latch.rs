//! A latch that is set when a count of jobs has come down to zero, and that knows how
//! many of them nobody has started yet.
//!
//! One word, `unstarted << 32 | pending`: a job counts in both from its spawn, leaves
//! `unstarted` when it starts and `pending` when it is done. Invariant: whoever counts
//! in `pending` keeps the latch alive and unset. The body of a scope counts as one
//! job that starts at once.
//!
//! A waiter that sees no `unstarted` knows that no queue anywhere holds a job of its
//! own, so it may sleep without digging through foreign jobs.
//!
//! Model: loom-tests/tests/count_latch.rs. This file is `unsafe` because a latch may be freed as
//! soon as it is set, while its setter is still in here.

use crate::primitive::latch::Latch;
use crate::sync::{AtomicU64, Ordering};

const PENDING: u64 = 1;
const UNSTARTED: u64 = 1 << 32;

#[derive(Debug)]
pub struct CountLatch {
    counts: AtomicU64,
    latch: Latch,
}

impl CountLatch {
    /// A latch over `started` jobs that count as started.
    pub fn new(started: usize) -> Self {
        Self { counts: AtomicU64::new(started as u64 * PENDING), latch: Latch::new() }
    }

    /// What the waiter waits on.
    pub fn latch(&self) -> &Latch {
        &self.latch
    }

    /// Counts jobs that are about to be queued. The caller counts in `pending` itself.
    ///
    /// # Panics
    /// With 2^31 jobs pending: they would be about to run into the other half.
    pub fn spawned(&self, unstarted: u32, pending: u32) {
        let more = u64::from(unstarted) * UNSTARTED + u64::from(pending) * PENDING;
        // Relaxed: the job that the caller is part of keeps the count above zero, and
        // the queue publishes the new job.
        let before = self.counts.fetch_add(more, Ordering::Relaxed);
        if before as u32 > u32::MAX / 2 {
            // The scope still ends, and passes the panic on.
            self.counts.fetch_sub(more, Ordering::Relaxed);
            panic!("filch: more than 2^31 tasks pending in one scope");
        }
    }

    /// Says that queued jobs have been taken and start now.
    pub fn started(&self, jobs: u32) {
        // Relaxed: a hint, but for whoever took it out of a queue just now.
        self.counts.fetch_sub(u64::from(jobs) * UNSTARTED, Ordering::Relaxed);
    }

    /// How many jobs of this latch queues may hold.
    pub fn unstarted(&self) -> u32 {
        (self.counts.load(Ordering::Relaxed) / UNSTARTED) as u32
    }

    /// Ends `pending` jobs, of which `unstarted` start only now; the last one sets the latch.
    ///
    /// # Safety
    /// The caller counts in `pending` as often, and ends. `this` may be gone when this returns.
    pub unsafe fn done(this: *const Self, unstarted: u32, pending: u32) {
        // SAFETY: alive, since the caller still counts.
        let counts = unsafe { &(*this).counts };
        // ORDERING: AcqRel; pairs with itself: the last job to end has seen the results
        // of all others and hands them on through the latch.
        let less = u64::from(unstarted) * UNSTARTED + u64::from(pending) * PENDING;
        debug_assert!(counts.load(Ordering::Relaxed) as u32 >= pending && pending > 0);
        if counts.fetch_sub(less, Ordering::AcqRel) as u32 == pending {
            // SAFETY: nobody but us counts any more, so nobody else sets or frees it.
            unsafe { Latch::set(&raw const (*this).latch) }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::CountLatch;
    use std::panic::catch_unwind;

    #[test]
    fn the_unstarted_are_told_from_the_pending() {
        let latch = CountLatch::new(3);
        latch.spawned(2, 4);
        assert_eq!(latch.unstarted(), 2);
        latch.started(1);
        assert_eq!(latch.unstarted(), 1);
    }

    #[test]
    fn too_many_are_refused_and_do_not_count() {
        let most = u32::MAX / 2;
        for (pending, fits) in [(most, true), (most + 1, false), (most + 5, false)] {
            let spawned = || {
                let latch = CountLatch::new(pending as usize);
                latch.spawned(1, 1);
                latch.unstarted()
            };
            assert_eq!(catch_unwind(spawned).ok(), fits.then_some(1), "{pending} pending");
        }
    }
}
