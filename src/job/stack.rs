//! Jobs in the frame of the function that waits for them. `unsafe` as all of `job`.

use super::{Frame, FrameRef, Header, Payload};
use crate::primitive::latch::Latch;
use crate::sync::cell::UnsafeCell;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// A job in the frame of the function that waits for it.
#[repr(C)]
pub struct StackJob<C, F, R> {
    frame: Frame<C>,
    work: UnsafeCell<ManuallyDrop<F>>,
    // A place of its own: memory that nobody writes costs a join nothing.
    result: UnsafeCell<MaybeUninit<Result<R, Payload>>>,
}

impl<C, F, R> StackJob<C, F, R>
where
    F: FnOnce(bool) -> R,
{
    /// A job whose frame is to lie on `below`, or on no lane.
    #[inline(always)]
    pub fn new(work: F, below: *mut Frame<C>) -> Self {
        Self {
            frame: Frame::new(Header { run: Self::run_taken }, below),
            work: UnsafeCell::new(ManuallyDrop::new(work)),
            result: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// What its frame lies on.
    #[inline(always)]
    pub fn below(&self) -> *mut Frame<C> {
        // SAFETY: alive.
        unsafe { Frame::below(&self.frame) }
    }

    /// The latch that is set when somebody else has run the job.
    ///
    /// # Safety
    /// The frame has been [armed](FrameRef::arm), and this thread knows.
    pub unsafe fn latch(&self) -> &Latch {
        // SAFETY: made, by the caller's promise.
        self.frame.latch.with(|latch| unsafe { (*latch).assume_init_ref() })
    }

    /// # Safety
    /// The job stays where it is until it has been run: by [`run_here`](Self::run_here),
    /// or by somebody else, in which case the latch is set.
    #[inline(always)]
    pub unsafe fn as_frame(&self) -> FrameRef<C> {
        FrameRef(NonNull::from(self).cast())
    }

    /// Runs the job in the frame it lies in.
    ///
    /// # Safety
    /// Nobody else has run it or will; this is called once.
    #[inline(always)]
    pub unsafe fn run_here(&self, moved: bool) -> R {
        // SAFETY: taken once, by the caller's promise.
        let work = self.work.with_mut(|work| unsafe { ManuallyDrop::take(&mut *work) });
        work(moved)
    }

    /// Drops the work, which nobody is to do.
    ///
    /// # Safety
    /// As for [`run_here`](Self::run_here), in whose place it is called.
    pub unsafe fn discard(&self) {
        // SAFETY: dropped once, by the caller's promise.
        self.work.with_mut(|work| unsafe { ManuallyDrop::drop(&mut *work) });
    }

    /// The result of a job that somebody else has run.
    ///
    /// # Safety
    /// The latch is set, and this is called once.
    pub unsafe fn take_result(&self) -> Result<R, Payload> {
        // SAFETY: whoever set the latch wrote the result before and is done with it.
        self.result.with_mut(|result| unsafe { (*result).assume_init_read() })
    }

    unsafe fn run_taken(header: NonNull<Header<C>>, _: &C) {
        let this = header.cast::<Self>().as_ptr();
        // SAFETY: the frame lives until its latch is set, below, and nobody but us
        // touches `work` and `result` until then.
        let (work, result) = unsafe { (&(*this).work, &(*this).result) };
        // SAFETY: run once, by the promise of JobRef::run.
        let work = work.with_mut(|work| unsafe { ManuallyDrop::take(&mut *work) });
        let outcome = catch_unwind(AssertUnwindSafe(|| work(true)));
        // SAFETY: as above: ours alone until the latch is set.
        result.with_mut(|result| unsafe { (*result).write(outcome) });
        // SAFETY: alive.
        let latch = unsafe { &(*this).frame.latch }.with(|latch| latch.cast());
        // SAFETY: armed before it could be taken, and set only here.
        unsafe { Latch::set(latch) }
    }
}
