//! What a unit of work is. A *task* is what a user submits; a *job* is its erased form:
//! one pointer to a header whose first word says how to run it. Jobs are generic over
//! the context `C` they run in, so nothing here knows of workers.
//!
//! | kind        | lives                      | freed by                           |
//! |-------------|----------------------------|------------------------------------|
//! | `StackJob`  | in the frame of a join or  | its owner, once its latch is set   |
//! |             | of a call from outside     | or it has run the job itself       |
//! | `HeapJob`   | in a block of its own      | running it                         |
//! | `ScopeJob`  | in a block, with the latch | running it                         |
//! |             | of the scope it belongs to |                                    |
//!
//! This file is `unsafe` because it erases types and lifetimes: whoever makes a
//! reference to a job promises that it is run exactly once and outlives its frame.

mod blocks;
mod frame;
mod heap;
mod stack;

pub use blocks::{give_back, prepare};
pub use frame::Frame;
pub use heap::{HeapJob, ScopeJob};
pub use stack::StackJob;

use crate::primitive::count_latch::CountLatch;
use std::any::Any;
use std::ptr::NonNull;

/// What a panic carries.
pub type Payload = Box<dyn Any + Send>;

/// A reference that fits one atomic word, as a model's deque keeps it.
#[cfg_attr(not(loom), allow(dead_code, reason = "crossbeam's deque keeps any value"))]
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

impl<C> JobRef<C> {
    /// # Safety
    /// The header begins a job that lives until it has been run, and is `Send`.
    pub unsafe fn new(header: NonNull<Header<C>>) -> Self {
        Self(header)
    }
}

fn nothing<C>(_: NonNull<Header<C>>, _: &C) {}

impl<C> JobRef<C> {
    /// One that does nothing, and may be run more than once.
    pub fn nothing() -> Self {
        Self(NonNull::from(const { &Header { run: nothing::<C> } }))
    }
}

impl<C> ScopeJobRef<C> {
    /// One that does nothing for no scope, and may be run more than once.
    pub fn nothing() -> Self {
        Self(NonNull::from(const { &ScopeHeader::new(nothing::<C>, std::ptr::null()) }))
    }
}

/// Its scope forgotten: for a queue in which nobody looks for it.
impl<C> From<ScopeJobRef<C>> for JobRef<C> {
    fn from(job: ScopeJobRef<C>) -> Self {
        Self(job.0.cast())
    }
}

impl<C> ScopeJobRef<C> {
    /// # Safety
    /// As for [`JobRef::new`]; the job counts in the scope's latch as spawned.
    pub unsafe fn new(header: NonNull<ScopeHeader<C>>) -> Self {
        Self(header)
    }
}

/// Whoever runs jobs of scopes counts them.
pub trait Counts {
    /// A queued job starts.
    fn started(&self, scope: &CountLatch);

    /// A job ends.
    ///
    /// # Safety
    /// As for [`CountLatch::done`].
    unsafe fn done(&self, scope: *const CountLatch);
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
    pub const fn new(run: unsafe fn(NonNull<Header<C>>, &C), scope: *const CountLatch) -> Self {
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
