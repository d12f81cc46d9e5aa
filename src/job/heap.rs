//! Jobs in [blocks] of their own. `unsafe` as all of `job`.

use super::{Counts, Header, JobRef, ScopeHeader, ScopeJobRef, blocks};
use crate::primitive::count_latch::CountLatch;
use std::ptr::NonNull;

/// A job in a box of its own.
#[repr(C)]
pub struct HeapJob<C, F> {
    header: Header<C>,
    work: F,
}

impl<C, F> HeapJob<C, F>
where
    F: FnOnce(&C) + Send,
{
    /// Boxes the work, which may unwind.
    ///
    /// # Safety
    /// The job is run while what the work borrows is alive.
    pub unsafe fn boxed(work: F) -> JobRef<C> {
        JobRef(blocks::put(Self { header: Header { run: Self::run }, work }).cast())
    }

    unsafe fn run(header: NonNull<Header<C>>, context: &C) {
        // SAFETY: made by `boxed`, run once.
        let job = unsafe { blocks::take(header.cast::<Self>()) };
        (job.work)(context);
    }
}

/// A job of a scope, in a box of its own.
#[repr(C)]
pub struct ScopeJob<C, F> {
    header: ScopeHeader<C>,
    work: F,
}

impl<C, F> ScopeJob<C, F>
where
    C: Counts,
    F: FnOnce(&C) + Send,
{
    /// Boxes the work for a queue, where the scope has counted it as spawned. It counts as
    /// started when it runs, and as done when it has returned or unwound and is dropped.
    ///
    /// # Safety
    /// The scope waits for the job, and outlives what the work borrows.
    pub unsafe fn boxed(scope: *const CountLatch, work: F) -> ScopeJobRef<C> {
        ScopeJobRef(Self::leaked(scope, work, Self::run_queued))
    }

    /// As [`boxed`](Self::boxed), for a job that counts as started already.
    ///
    /// # Safety
    /// As there.
    pub unsafe fn boxed_started(scope: *const CountLatch, work: F) -> JobRef<C> {
        JobRef(Self::leaked(scope, work, Self::run).cast())
    }

    fn leaked(
        scope: *const CountLatch,
        work: F,
        run: unsafe fn(NonNull<Header<C>>, &C),
    ) -> NonNull<ScopeHeader<C>> {
        let header = ScopeHeader::new(run, scope);
        blocks::put(Self { header, work }).cast()
    }

    unsafe fn run_queued(header: NonNull<Header<C>>, context: &C) {
        // SAFETY: the job counts in its scope, which so lives.
        context.started(unsafe { &*header.cast::<ScopeHeader<C>>().as_ref().scope.get() });
        // SAFETY: as for this function.
        unsafe { Self::run(header, context) }
    }

    unsafe fn run(header: NonNull<Header<C>>, context: &C) {
        // SAFETY: made by `leaked`, run once.
        let Self { header, work } = unsafe { blocks::take(header.cast::<Self>()) };
        // Dropped when the work is gone, and every reference to the scope with it: from
        // then on the scope may be freed.
        let _done = Done(context, header.scope.get());
        work(context);
    }
}

/// Ends a job of a scope, however it ended.
struct Done<'c, C: Counts>(&'c C, *const CountLatch);

impl<C: Counts> Drop for Done<'_, C> {
    fn drop(&mut self) {
        // SAFETY: the job counts, and is over.
        unsafe { self.0.done(self.1) }
    }
}
