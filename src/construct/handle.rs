//! `spawn_handle`: a task that hands back its result.
//!
//! This file is `unsafe` because whoever claims the task first, a worker, its waiter or its
//! canceller, takes the closure out of memory that all of them share.

use crate::construct::install::{SHUT_DOWN, call};
use crate::construct::spawn::{concerns_guests, in_current_pool, push};
use crate::job::{Header, JobRef};
use crate::pool::thread_pool::ThreadPool;
use crate::primitive::latch::Latch;
use crate::sync::cell::UnsafeCell;
use crate::sync::{AtomicBool, Ordering};
use crate::worker::local::Local;
use crate::worker::shared::Shared;
use crate::worker::wait::wait_outside;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::Result;

/// The payload that [`JoinHandle::join`] returns for a task that was cancelled.
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

/// A task whose result can be had; see [`spawn_handle`].
///
/// It is also a future of the same result. Dropped, it lets the task go on alone; a panic is
/// then but counted, in [`Counters::panics`](crate::Counters::panics).
#[must_use = "dropping the handle of a task loses its result and its panic; use spawn instead"]
pub struct JoinHandle<T> {
    task: Arc<dyn Completion<T>>,
}

/// A task, in an allocation that its handle and the queue share.
#[repr(C)]
struct Task<F, T> {
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
trait Completion<T>: Send + Sync {
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
    F: FnOnce() -> T + Send,
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
            self.complete(catch_unwind(AssertUnwindSafe(work)));
        }
    }

    fn cancel_unclaimed(&self) -> bool {
        let Some(work) = self.claim() else { return false };
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
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
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
            {
                self.pool.common.panics.bump_shared();
            }
        });
    }
}

/// Starts a task and returns a handle for its result. Costs one allocation.
///
/// # Panics
/// If the pool has been shut down and this isn't one of its workers.
///
/// # Examples
///
/// ```
/// let task = filch::spawn_handle(|| 6 * 7);
/// assert_eq!(task.join().unwrap(), 42);
///
/// let task = filch::spawn_handle(|| panic!("oh no"));
/// let payload = task.join().unwrap_err();
/// assert_eq!(payload.downcast_ref(), Some(&"oh no"));
/// ```
pub fn spawn_handle<F, T>(task: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    in_current_pool(|shared| spawn_handle_in(shared, task))
}

impl ThreadPool {
    /// [`spawn_handle`] in this pool.
    ///
    /// # Panics
    /// As [`spawn_handle`].
    pub fn spawn_handle<F, T>(&self, task: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        spawn_handle_in(self.shared(), task)
    }
}

fn spawn_handle_in<F, T>(shared: &Arc<Shared>, work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let task = Arc::new(Task {
        header: Header::new(Task::<F, T>::run),
        claimed: AtomicBool::new(false),
        latch: Latch::new(),
        work: UnsafeCell::new(Some(work)),
        result: UnsafeCell::new(None),
        pool: Arc::clone(shared),
    });
    let handle = JoinHandle { task: Arc::clone(&task) as Arc<dyn Completion<T>> };
    let into_job = |task: Arc<Task<F, T>>| {
        let raw = Arc::into_raw(task).cast_mut();
        // SAFETY: an Arc's pointer isn't null; the task begins with its header, and lives
        // until `run` has taken the reference back.
        unsafe { JobRef::new(NonNull::new_unchecked(raw).cast()) }
    };
    let push_own = |local: &Local, job| local.deques.detached.push(job);
    let push_outside = |job| shared.injected.push(job);
    if push(shared, task, into_job, push_own, push_outside, concerns_guests).is_err() {
        panic!("{SHUT_DOWN}");
    }
    handle
}

impl<T> JoinHandle<T> {
    /// Waits for the task and returns its result.
    ///
    /// On a worker of the same pool, a task that hasn't started is run right here; one that
    /// has is waited for, running nothing else meanwhile but parts of broadcasts. A worker
    /// of another pool calls for the task, as by [`install`](ThreadPool::install).
    ///
    /// # Errors
    /// The payload, if the task panicked, or [`Cancelled`].
    pub fn join(self) -> Result<T> {
        let (latch, pool) = (self.task.latch(), self.task.pool());
        Local::with_current(|current| match current {
            Some(local) if ptr::eq(&*local.shared, pool) => {
                self.task.run_unclaimed();
                local.wait_for_task(latch);
            }
            Some(local) => {
                // Not just a wait: that pool's workers may all wait for ours, and then run
                // nothing but calls. Refused only by a pool about to end, which runs it.
                let run = |_: &Local, _| self.task.run_unclaimed();
                let _ = call(pool, run, |latch| local.wait_for_other_pool(latch));
                local.wait_for_other_pool(latch);
            }
            None => wait_outside(latch),
        });
        self.task.take_result().expect(TAKEN)
    }

    /// Whether the task has ended or was cancelled.
    pub fn is_finished(&self) -> bool {
        self.task.latch().is_set()
    }

    /// Drops the task if it hasn't started, here and now. Returns whether it did; then
    /// [`join`](Self::join) returns [`Cancelled`]. A task that has started goes on.
    ///
    /// # Panics
    /// If dropping the task's closure panics.
    pub fn cancel(&self) -> bool {
        self.task.cancel_unclaimed()
    }
}

const TAKEN: &str = "filch: the result of this task has been taken already";

impl<T> Future for JoinHandle<T> {
    type Output = Result<T>;

    /// # Panics
    /// If polled again after it was ready.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let latch = self.task.latch();
        if latch.is_set() || !latch.register_waker(context.waker().clone()) {
            return Poll::Ready(self.task.take_result().expect(TAKEN));
        }
        Poll::Pending
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish()
    }
}
