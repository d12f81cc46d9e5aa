//! Tasks from outside, on their way to a worker.
//!
//! Whoever takes them one by one writes the lines that those write who queue them, and both wait
//! for each other. So a worker *fetches* several at once, if they are short: as many as it is
//! likely to run before it reads the clock again. They lie in a queue of their own, so that nothing
//! it spawns meanwhile comes before them; and in plain sight, so that others may steal them. A
//! thread that is put aside in the midst of queueing a task delays those fetched with it:
//! crossbeam's queue waits for it.
//!
//! Model: loom-tests/tests/wake.rs.
//! Tests: tests/spawn.rs.

use crate::job::JobRef;
use crate::worker::blocked::concerns_guests;
use crate::worker::local::Local;
use crate::worker::shared::Job;

/// The most it fetches: then a fetch is cheap beside the shortest tasks.
const BATCH: u32 = 32;
/// One look in so many begins with what others have fetched: or tasks behind one that takes
/// surprisingly long would wait for all that come after them.
const OTHERS_FIRST: u32 = 8;

impl Local {
    /// A task from outside that it has fetched with others.
    pub(super) fn pop_arrival(&self) -> Option<Job> {
        self.deques.arrivals.pop().map(Job::Task)
    }

    /// A task from outside.
    pub(super) fn take_arrival(&self) -> Option<JobRef<Self>> {
        self.deques.arrivals.pop().or_else(|| {
            let (fetched, stolen) = (|| self.fetch(), || self.steal_arrival());
            let look = self.looks_outside.get().wrapping_add(1);
            self.looks_outside.set(look);
            if look.is_multiple_of(OTHERS_FIRST) {
                stolen().or_else(fetched)
            } else {
                fetched().or_else(stolen)
            }
        })
    }

    fn fetch(&self) -> Option<JobRef<Self>> {
        // In the midst of a job, or of what a guest does, it may be long before it looks again.
        let looks_again = self.nesting.get() == 0 && !self.is_guest();
        let batch = if looks_again { self.turn.searches_left().clamp(1, BATCH) } else { 1 };
        let task = self.shared.injected.steal_batch(batch as usize, &self.deques.arrivals)?;
        if !self.deques.arrivals.is_empty() {
            // On their way they were nowhere to be seen.
            self.shared.notify(concerns_guests);
        }
        Some(task)
    }

    fn steal_arrival(&self) -> Option<JobRef<Self>> {
        let stolen = self.steal_by(|victim| victim.arrivals.steal())?;
        self.counters().steals.bump();
        Some(stolen)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::job::HeapJob;
    use crate::worker::bare::{task, workers};
    use crate::worker::local::{Local, Origin};
    use crate::worker::shared::Job;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;

    /// Runs all tasks that come, and returns after how many it fetched others with one.
    fn fetches(local: &Local) -> usize {
        let mut fetched = 0;
        while let Some(task) = local.take_arrival() {
            fetched += usize::from(!local.deques.arrivals.is_empty());
            // SAFETY: it is in no queue any more.
            unsafe { task.run(local) };
        }
        fetched
    }

    #[test]
    #[cfg_attr(miri, ignore = "a search takes longer there than a turn")]
    fn only_who_looks_again_soon_fetches_several() {
        let [mut local] = workers(1, None);
        while local.turn.searches_left() < 10 {
            local.turn.is_outsiders();
        }
        let queue = |local: &Local| {
            (0..5).for_each(|_| local.shared.injected.push(task()));
        };
        queue(&local);
        assert_ne!(fetches(&local), 0);
        local.nesting.set(1);
        queue(&local);
        assert_eq!(fetches(&local), 0, "it is in the midst of a job");
        local.nesting.set(0);
        local.origin = Origin::Guest;
        queue(&local);
        assert_eq!(fetches(&local), 0, "a guest may be about something else for long");
    }

    #[test]
    fn what_it_has_fetched_comes_before_what_others_have() {
        let [local, other] = workers(2, None);
        let last = Arc::new(AtomicUsize::new(0));
        let task = |id| {
            let last = Arc::clone(&last);
            // SAFETY: it borrows nothing.
            unsafe { HeapJob::boxed(move |_| last.store(id, Relaxed)) }
        };
        other.deques.detached.push(task(2));
        local.deques.arrivals.push(task(1));
        for id in [1, 2] {
            let Some(Job::Task(found)) = local.find() else { panic!("no task") };
            // SAFETY: as above.
            unsafe { found.run(&local) };
            assert_eq!(last.load(Relaxed), id);
        }
        assert!(local.find().is_none());
    }
}
