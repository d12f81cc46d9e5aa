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
