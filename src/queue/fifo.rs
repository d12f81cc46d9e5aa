//! First-in-first-out order on a last-in-first-out deque: the job goes into a queue of
//! its own, and a *ticket* for "the oldest one in there" into the deque. A ticket is a
//! reference to the queue itself, so it costs no allocation.
//!
//! This file is `unsafe` because a ticket erases the queue's type and lifetime.

use crate::job::{Header, JobRef, ScopeHeader, ScopeJobRef};
use crate::primitive::count_latch::CountLatch;
use crate::queue::injector::Injector;
use std::ptr::NonNull;

/// The queue of a worker's detached tasks.
#[repr(C)]
pub struct Fifo<C> {
    header: Header<C>,
    jobs: Injector<JobRef<C>>,
}

/// The queue of a scope's tasks, one a worker.
#[repr(C)]
pub struct ScopeFifo<C> {
    header: ScopeHeader<C>,
    jobs: Injector<ScopeJobRef<C>>,
}

/// Field invariant of both: a ticket exists for every job in the queue, and only tickets
/// take jobs out, so a ticket that runs finds one.
const MISSING: &str = "filch: a ticket without a job";

impl<C> Fifo<C> {
    pub fn new() -> Self {
        Self { header: Header::new(Self::run_oldest), jobs: Injector::new() }
    }

    /// Queues the job; the ticket is to be pushed to a deque.
    ///
    /// # Safety
    /// The queue stays in place until the ticket has been run.
    #[must_use]
    pub unsafe fn push(&self, job: JobRef<C>) -> JobRef<C> {
        self.jobs.push(job);
        // SAFETY: in place until run, by the caller's promise; `Sync`, as its queue is.
        unsafe { JobRef::new(NonNull::from(self).cast()) }
    }

    unsafe fn run_oldest(header: NonNull<Header<C>>, context: &C) {
        // SAFETY: made by `push`, in place until this ticket has been run.
        let this = unsafe { header.cast::<Self>().as_ref() };
        let job = this.jobs.steal().expect(MISSING);
        // SAFETY: taken out of the queue, so by nobody else.
        unsafe { job.run(context) }
    }
}

impl<C> Default for Fifo<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> ScopeFifo<C> {
    pub fn new(scope: *const CountLatch) -> Self {
        Self { header: ScopeHeader::new(Self::run_oldest, scope), jobs: Injector::new() }
    }

    /// As [`Fifo::push`].
    ///
    /// # Safety
    /// As there.
    #[must_use]
    pub unsafe fn push(&self, job: ScopeJobRef<C>) -> ScopeJobRef<C> {
        self.jobs.push(job);
        // SAFETY: as in Fifo::push; the job that the ticket stands for counts in the scope.
        unsafe { ScopeJobRef::new(NonNull::from(self).cast()) }
    }

    unsafe fn run_oldest(header: NonNull<Header<C>>, context: &C) {
        // SAFETY: as in Fifo::run_oldest.
        let this = unsafe { header.cast::<Self>().as_ref() };
        let job = this.jobs.steal().expect(MISSING);
        // SAFETY: as there.
        unsafe { job.run(context) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Fifo, ScopeFifo};
    use crate::job::{Counts, HeapJob, ScopeJob};
    use crate::primitive::count_latch::CountLatch;
    use std::cell::RefCell;

    /// What has happened.
    #[derive(Default)]
    struct Log(RefCell<String>);

    impl Log {
        fn write(&self, event: &str) {
            self.0.borrow_mut().push_str(event);
        }
    }

    impl Counts for Log {
        fn started(&self, _: &CountLatch) {
            self.write("(");
        }

        unsafe fn done(&self, _: *const CountLatch) {
            self.write(")");
        }
    }

    #[test]
    fn whatever_ticket_runs_first_runs_the_oldest_job() {
        let (fifo, log) = (Fifo::default(), Log::default());
        let tickets = ["1", "2", "3"].map(|name| {
            // SAFETY: it borrows nothing that goes.
            let job = unsafe { HeapJob::boxed(move |log: &Log| log.write(name)) };
            // SAFETY: in place until the end of this test.
            unsafe { fifo.push(job) }
        });
        for ticket in tickets.into_iter().rev() {
            // SAFETY: once each.
            unsafe { ticket.run(&log) };
        }
        assert_eq!(log.0.into_inner(), "123");
    }

    #[test]
    fn so_does_a_scopes_and_each_job_starts_and_ends() {
        let (scope, log) = (CountLatch::new(0), Log::default());
        let fifo = ScopeFifo::new(&scope);
        let tickets = ["1", "2", "3"].map(|name| {
            // SAFETY: the scope outlives it.
            let job = unsafe { ScopeJob::boxed(&scope, move |log: &Log| log.write(name)) };
            // SAFETY: in place until the end of this test.
            unsafe { fifo.push(job) }
        });
        for ticket in tickets.into_iter().rev() {
            // SAFETY: once each.
            unsafe { ticket.run(&log) };
        }
        assert_eq!(log.0.into_inner(), "(1)(2)(3)");
    }
}
