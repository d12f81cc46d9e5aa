//! What a unit of work is. A *task* is what a user submits; a *job* is its erased form:
//! one pointer to a header whose first word says how to run it. Jobs are generic over
//! the context `C` they run in, so nothing here knows of workers.
//!
//! | kind        | lives                      | freed by                           |
//! |-------------|----------------------------|------------------------------------|
//! | `StackJob`  | in the frame of a join or  | its owner, once its latch is set   |
//! |             | of a call from outside     | or it has run the job itself       |
//! | `HeapJob`   | in a box                   | running it                         |
//! | `ScopeJob`  | in a box, with the latch   | running it                         |
//! |             | of the scope it belongs to |                                    |
//!
//! This file is `unsafe` because it erases types and lifetimes: whoever makes a
//! reference to a job promises that it is run exactly once and outlives its frame.

use crate::primitive::count_latch::CountLatch;
use crate::primitive::latch::Latch;
use crate::sync::cell::UnsafeCell;
use std::any::Any;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// What a panic carries.
pub type Payload = Box<dyn Any + Send>;

/// A reference that fits one atomic word.
pub trait Pointer: Copy {
    fn into_raw(self) -> *mut ();

    /// # Safety
    /// `raw` comes from [`into_raw`](Self::into_raw) of the same type.
    unsafe fn from_raw(raw: *mut ()) -> Self;
}

/// The first word of every job.
#[repr(C)]
#[derive(Debug)]
pub struct Header<C> {
    run: unsafe fn(NonNull<Header<C>>, &C),
}

impl<C> Header<C> {
    pub fn new(run: unsafe fn(NonNull<Header<C>>, &C)) -> Self {
        Self { run }
    }
}

/// A job of any kind, to be run exactly once.
#[derive(Debug)]
pub struct JobRef<C>(NonNull<Header<C>>);

/// A join's second half (or a call from outside): a job with a latch.
#[derive(Debug)]
pub struct FrameRef<C>(NonNull<Frame<C>>);

/// A job that belongs to a scope.
#[derive(Debug)]
pub struct ScopeJobRef<C>(NonNull<ScopeHeader<C>>);

/// Field invariant of all three: it points to a job that lives until it has been run,
/// which is `Send`. Whoever made the reference has promised it.
macro_rules! reference {
    ($name:ident, $target:ident) => {
        // SAFETY: the field invariant.
        unsafe impl<C> Send for $name<C> {}

        impl<C> Clone for $name<C> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<C> Copy for $name<C> {}

        impl<C> PartialEq for $name<C> {
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0
            }
        }

        impl<C> Pointer for $name<C> {
            fn into_raw(self) -> *mut () {
                self.0.as_ptr().cast()
            }

            unsafe fn from_raw(raw: *mut ()) -> Self {
                // SAFETY: into_raw never gives null.
                Self(unsafe { NonNull::new_unchecked(raw.cast::<$target<C>>()) })
            }
        }

        impl<C> $name<C> {
            /// Runs the job.
            ///
            /// # Safety
            /// Nobody else runs it, before or after. What the reference points to may be
            /// gone when this returns.
            pub unsafe fn run(self, context: &C) {
                let header = self.0.cast::<Header<C>>();
                // SAFETY: every kind of job begins with a header, which is alive.
                unsafe { (header.as_ref().run)(header, context) }
            }
        }
    };
}

reference!(JobRef, Header);
reference!(FrameRef, Frame);
reference!(ScopeJobRef, ScopeHeader);

/// The part of a frame that doesn't depend on its closure.
#[repr(C)]
#[derive(Debug)]
pub struct Frame<C> {
    header: Header<C>,
    latch: Latch,
}

impl<C> JobRef<C> {
    /// # Safety
    /// The header begins a job that lives until it has been run, and is `Send`.
    pub unsafe fn new(header: NonNull<Header<C>>) -> Self {
        Self(header)
    }
}

impl<C> ScopeJobRef<C> {
    /// # Safety
    /// As for [`JobRef::new`]; the job counts in the scope's latch as spawned.
    pub unsafe fn new(header: NonNull<ScopeHeader<C>>) -> Self {
        Self(header)
    }
}

impl<C> FrameRef<C> {
    /// The latch that is set when the frame has run.
    pub fn latch(&self) -> *const Latch {
        // SAFETY: alive until run. No reference is made to the rest of the frame.
        unsafe { &raw const (*self.0.as_ptr()).latch }
    }
}

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
    F: FnOnce(&C, bool) -> R,
{
    #[inline(always)]
    pub fn new(work: F) -> Self {
        Self {
            frame: Frame { header: Header { run: Self::run_taken }, latch: Latch::new() },
            work: UnsafeCell::new(ManuallyDrop::new(work)),
            result: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    #[inline(always)]
    pub fn latch(&self) -> &Latch {
        &self.frame.latch
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
    pub unsafe fn run_here(&self, context: &C, moved: bool) -> R {
        // SAFETY: taken once, by the caller's promise.
        let work = self.work.with_mut(|work| unsafe { ManuallyDrop::take(&mut *work) });
        work(context, moved)
    }

    /// The result of a job that somebody else has run.
    ///
    /// # Safety
    /// The latch is set, and this is called once.
    pub unsafe fn take_result(&self) -> Result<R, Payload> {
        // SAFETY: whoever set the latch wrote the result before and is done with it.
        self.result.with_mut(|result| unsafe { (*result).assume_init_read() })
    }

    unsafe fn run_taken(header: NonNull<Header<C>>, context: &C) {
        let this = header.cast::<Self>().as_ptr();
        // SAFETY: the frame lives until its latch is set, below, and nobody but us
        // touches `work` and `result` until then.
        let (work, result) = unsafe { (&(*this).work, &(*this).result) };
        // SAFETY: run once, by the promise of JobRef::run.
        let work = work.with_mut(|work| unsafe { ManuallyDrop::take(&mut *work) });
        let outcome = catch_unwind(AssertUnwindSafe(|| work(context, true)));
        // SAFETY: as above: ours alone until the latch is set.
        result.with_mut(|result| unsafe { (*result).write(outcome) });
        // SAFETY: alive, and set only here.
        unsafe { Latch::set(&raw const (*this).frame.latch) }
    }
}

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
        let job = Box::new(Self { header: Header { run: Self::run }, work });
        JobRef(NonNull::from(Box::leak(job)).cast())
    }

    unsafe fn run(header: NonNull<Header<C>>, context: &C) {
        // SAFETY: made by `boxed`, run once.
        let job = unsafe { Box::from_raw(header.cast::<Self>().as_ptr()) };
        (job.work)(context);
    }
}

/// A pointer that a job may take along, to what outlives it: the frame that waits for it.
#[derive(Debug)]
pub struct Lent<T>(pub *const T);

// SAFETY: what it points to is Sync, and alive until the job is done.
unsafe impl<T: Sync> Send for Lent<T> {}

// SAFETY: as above.
unsafe impl<T: Sync> Sync for Lent<T> {}

impl<T> Lent<T> {
    /// A method, so that closures capture the whole and not the bare pointer.
    pub fn get(&self) -> *const T {
        self.0
    }
}

/// The part of a scope's job that doesn't depend on its closure.
#[repr(C)]
#[derive(Debug)]
pub struct ScopeHeader<C> {
    header: Header<C>,
    scope: Lent<CountLatch>,
}

impl<C> ScopeHeader<C> {
    pub fn new(run: unsafe fn(NonNull<Header<C>>, &C), scope: *const CountLatch) -> Self {
        Self { header: Header { run }, scope: Lent(scope) }
    }
}

impl<C> ScopeJobRef<C> {
    /// The latch of the scope it belongs to, which lives at least as long as the job.
    pub fn scope(&self) -> *const CountLatch {
        // SAFETY: alive until run.
        unsafe { self.0.as_ref() }.scope.get()
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
        NonNull::from(Box::leak(Box::new(Self { header, work }))).cast()
    }

    unsafe fn run_queued(header: NonNull<Header<C>>, context: &C) {
        // SAFETY: the job counts in its scope, which so lives.
        unsafe { (*header.cast::<ScopeHeader<C>>().as_ref().scope.get()).started() };
        // SAFETY: as for this function.
        unsafe { Self::run(header, context) }
    }

    unsafe fn run(header: NonNull<Header<C>>, context: &C) {
        // SAFETY: made by `leaked`, run once.
        let job = unsafe { Box::from_raw(header.cast::<Self>().as_ptr()) };
        let Self { header, work } = *job;
        // Dropped when the work is gone, and every reference to the scope with it: from
        // then on the scope may be freed.
        let _done = Done(header.scope.get());
        work(context);
    }
}

/// Ends a job of a scope, however it ended.
struct Done(*const CountLatch);

impl Drop for Done {
    fn drop(&mut self) {
        // SAFETY: the job counts, and is over.
        unsafe { CountLatch::done(self.0) }
    }
}
