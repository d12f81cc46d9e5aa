//! A task with room for its result.
//!
//! This file is `unsafe` because whoever claims the task first, a worker, its waiter or its
//! canceller, takes the closure out of memory that all of them share.

use crate::job::{Header, JobRef};
use crate::policy::admission::Shed;
use crate::primitive::latch::Latch;
use crate::sync::cell::UnsafeCell;
use crate::sync::{AtomicBool, Ordering};
use crate::worker::local::Local;
use crate::worker::shared::Shared;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;
use std::thread::Result;

/// The payload that [`JoinHandle::join`](crate::JoinHandle::join) returns for a task that was
/// cancelled.
///
/// # Examples
///
/// ```
/// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
/// pool.install(|| {
///     let task = filch::spawn_handle(|| unreachable!()); // the only worker is busy with us
///     assert!(task.cancel());
///     assert!(task.join().unwrap_err().is::<filch::Cancelled>());
/// });
/// # Ok::<(), filch::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was cancelled before it started")
    }
}

impl std::error::Error for Cancelled {}

/// The payload that [`JoinHandle::join`](crate::JoinHandle::join) returns for a task whose
/// [deadline](crate::TaskBuilder::deadline) had passed when its turn came.
///
/// # Examples
///
/// ```
/// use std::time::Instant;
///
/// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
/// let late = filch::TaskBuilder::new().pool(&pool).deadline(Instant::now());
/// let payload = late.spawn_handle(|| unreachable!()).join().unwrap_err();
/// assert!(payload.is::<filch::Expired>());
/// assert_eq!(pool.counters().expired, 1);
/// # Ok::<(), filch::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired;

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task's deadline had passed before it started")
    }
}

impl std::error::Error for Expired {}

/// A task, in an allocation that its handle and the queue share. Its closure returns an error, which is no panic, if it
/// hasn't begun.
#[repr(C)]
pub struct Task<F, T> {
    header: Header<Local>,
    /// Whether somebody has taken `work`: to run it or to drop it.
    claimed: AtomicBool,
    latch: Latch,
    work: UnsafeCell<Option<F>>,
    result: UnsafeCell<Option<Result<T>>>,
    /// Whose workers may run it.
    pool: Arc<Shared>,
}

// SAFETY: `work` belongs to whoever sets `claimed` first, `result` to that thread until the
// latch is set and to the one handle after; both travel between threads, so are Send.
unsafe impl<F: Send, T: Send> Sync for Task<F, T> {}

// SAFETY: both are Send, and so is the rest.
unsafe impl<F: Send, T: Send> Send for Task<F, T> {}

/// A task without its closure's type.
pub trait Completion<T>: Send + Sync {
    fn pool(&self) -> &Shared;
    fn latch(&self) -> &Latch;
    /// Runs the task here if nobody has claimed it.
    fn run_unclaimed(&self);
    fn cancel_unclaimed(&self) -> bool;
    /// The result, once the latch is set; for the handle, once.
    fn take_result(&self) -> Option<Result<T>>;
}

impl<F, T> Task<F, T> {
    /// The closure, for the one who comes first.
    fn claim(&self) -> Option<F> {
        // Relaxed: the closure was published with the pointer to the task.
        if self.claimed.swap(true, Ordering::Relaxed) {
            return None;
        }
        // SAFETY: the swap made it ours.
        self.work.with_mut(|work| unsafe { (*work).take() })
    }

    fn complete(&self, result: Result<T>) {
        // SAFETY: ours from the claim to the latch.
        self.result.with_mut(|place| unsafe { *place = Some(result) });
        // SAFETY: `self` is borrowed from an Arc that lives longer, and set here only.
        unsafe { Latch::set(&self.latch) }
    }
}

impl<F, T> Completion<T> for Task<F, T>
where
    F: FnOnce(&Shared) -> Result<T> + Send,
    T: Send,
{
    fn pool(&self) -> &Shared {
        &self.pool
    }

    fn latch(&self) -> &Latch {
        &self.latch
    }

    fn run_unclaimed(&self) {
        if let Some(work) = self.claim() {
            let result = catch_unwind(AssertUnwindSafe(|| work(&self.pool)));
            self.complete(result.unwrap_or_else(|payload| {
                self.pool.task_panicked(&payload);
                Err(payload)
            }));
        }
    }

    fn cancel_unclaimed(&self) -> bool {
        let Some(work) = self.claim() else { return false };
        self.pool.task_cancelled();
        self.complete(Err(Box::new(Cancelled)));
        drop(work);
        true
    }

    fn take_result(&self) -> Option<Result<T>> {
        if !self.latch.is_set() {
            return None;
        }
        // SAFETY: the latch is set, and a task has one handle.
        self.result.with_mut(|result| unsafe { (*result).take() })
    }
}

impl<F, T> Task<F, T>
where
    F: FnOnce(&Shared) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    /// Of work that returns an error, which is no panic, if it hasn't begun.
    pub fn new(pool: &Arc<Shared>, work: F) -> Arc<Self> {
        Arc::new(Self {
            header: Header::new(Self::run),
            claimed: AtomicBool::new(false),
            latch: Latch::new(),
            work: UnsafeCell::new(Some(work)),
            result: UnsafeCell::new(None),
            pool: Arc::clone(pool),
        })
    }

    /// For a queue.
    pub fn into_job(self: Arc<Self>) -> JobRef<Local> {
        let raw = Arc::into_raw(self).cast_mut();
        // SAFETY: an Arc's pointer isn't null; the task begins with its header, and lives
        // until `run` has taken the reference back.
        unsafe { JobRef::new(NonNull::new_unchecked(raw).cast()) }
    }

    unsafe fn run(header: NonNull<Header<Local>>, _: &Local) {
        // SAFETY: the header begins a task, whose queue's reference this is.
        let task = unsafe { Arc::from_raw(header.cast::<Self>().as_ptr()) };
        task.run_unclaimed();
    }
}

impl<F, T> Drop for Task<F, T> {
    /// Counts a panic that no handle has handed on, so that it isn't lost without a trace.
    fn drop(&mut self) {
        self.result.with_mut(|result| {
            // SAFETY: nobody else has the task any more.
            let result = unsafe { &*result };
            if let Some(Err(payload)) = result
                && !payload.is::<Cancelled>()
                && !payload.is::<Expired>()
                && !payload.is::<Shed>()
            {
                self.pool.common.panics.bump_shared();
            }
        });
    }
}
