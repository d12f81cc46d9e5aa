//! A worker that runs a lessee: something that has leases, or is part of what has some. Joins tell their parts, by the slow
//! way; what it runs in the midst of that is none of it, unless it says so.
//!
//! Tests: tests/lessees.rs.

use crate::resources::lessee::{Lessee, Outer};
use crate::worker::local::Local;
use crate::worker::shared::Job;

impl Local {
    /// To be called when what it runs has become a lessee, or is none any more.
    pub fn mind_leases(&self) {
        let plain = Lessee::current().is_nobody();
        self.runs_lessee.set(!plain);
        self.joins_plainly(plain);
    }

    /// Runs what is part of `whole`, which waits for it and may have leases.
    pub fn run_part_of<R>(&self, whole: Lessee, part: impl FnOnce() -> R) -> R {
        /// On drop, as the part may panic.
        struct Resume<'l>(&'l Local, Option<Outer>);

        impl Drop for Resume<'_> {
            fn drop(&mut self) {
                if let Some(outer) = self.1.take() {
                    outer.resume();
                }
                self.0.mind_leases();
            }
        }

        let _resume = Resume(self, Some(Outer::leave_for_part_of(whole)));
        self.mind_leases();
        part()
    }

    /// As that, on whichever worker this is. Apart, so that the usual case is compiled as if it were the only one.
    #[cold]
    #[inline(never)]
    pub fn run_as_part_of<R>(whole: Lessee, part: impl FnOnce() -> R) -> R {
        let on_worker = |local: Option<&Self>| {
            local.expect("filch: a part ran on no worker").run_part_of(whole, part)
        };
        Self::with_current(on_worker)
    }

    /// A job has taken leases, and is over.
    #[cold]
    pub(super) fn end_lessee(&self) {
        Outer::NOBODY.resume();
        self.mind_leases();
    }

    /// Runs a job in the midst of a lessee.
    #[cold]
    pub(super) fn execute_amid_lessee(&self, job: Job) {
        let outer = Outer::leave();
        self.mind_leases();
        self.execute_plainly(job);
        outer.resume();
        self.mind_leases();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::resources::lessee::{Lessee, Outer};
    use crate::worker::bare::workers;
    use crate::worker::local::Local;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_worker_is_about_a_part_of_a_lessee_until_the_part_has_ended_or_panicked() {
        let [local] = workers(1, None);
        let whole = Lessee::take_one();
        let outer = Outer::leave();
        for panics in [false, true] {
            let part = || {
                let part = Lessee::current();
                assert!(part.has_any() && part != whole && local.runs_lessee.get());
                assert!(!panics);
            };
            let ended = catch_unwind(AssertUnwindSafe(|| local.run_part_of(whole, part)));
            assert_eq!(ended.is_err(), panics);
            assert!(Lessee::current().is_nobody() && !local.runs_lessee.get());
        }
        outer.resume();
        // Or joins of this thread would find its lane.
        Local::leave();
    }

    #[test]
    fn a_job_that_has_taken_leases_is_a_lessee_no_longer_than_it_runs() {
        let [local] = workers(1, None);
        assert!(!Lessee::take_one().is_nobody() && !local.runs_lessee.get());
        local.mind_leases();
        assert!(local.runs_lessee.get());
        local.end_lessee();
        assert!(Lessee::current().is_nobody() && !local.runs_lessee.get());
        // Or joins of this thread would find its lane.
        Local::leave();
    }
}
