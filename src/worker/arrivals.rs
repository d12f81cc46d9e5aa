//! Tasks from outside, on their way to a worker.
//!
//! Whoever takes them one by one writes the lines that those write who queue them, and both wait
//! for each other. So a worker *fetches* several at once, if they are short: as many as it is likely to
//! run before it reads the clock again. They lie in a queue of their own, so that nothing it spawns
//! meanwhile comes before them; and in plain sight, so that others may steal them.

use crate::job::JobRef;
use crate::worker::blocked::concerns_guests;
use crate::worker::local::Local;
use crate::worker::shared::Job;

/// The most it fetches: then a fetch is cheap beside the shortest tasks.
const BATCH: u32 = 32;
/// One fetch in so many looks first at what others have fetched: or tasks behind one that takes
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
            if self.fetches.get().is_multiple_of(OTHERS_FIRST) {
                stolen().or_else(fetched)
            } else {
                fetched().or_else(stolen)
            }
        })
    }

    fn fetch(&self) -> Option<JobRef<Self>> {
        let batch = self.turn.searches_left().clamp(1, BATCH) as usize;
        let task = self.shared.injected.steal_batch(batch, &self.deques.arrivals)?;
        self.fetches.set(self.fetches.get().wrapping_add(1));
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
