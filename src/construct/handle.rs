//! `spawn_handle`: a task that hands back its result.

use crate::construct::admit::admit;
use crate::construct::install::{call, refused};
use crate::construct::limits::Limits;
use crate::construct::push::Order;
use crate::construct::spawn::{accepted, in_current_pool, push_detached};
use crate::construct::task::{Completion, Task};
use crate::pool::thread_pool::ThreadPool;
use crate::resources::rejected::{Rejected, Rejection};
use crate::worker::local::Local;
use crate::worker::outside::wait_outside;
use crate::worker::shared::Shared;
use crate::worker::stamp::Submission;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::result;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::Result;

/// A task whose result can be had; see [`spawn_handle`].
///
/// It is also a future of the same result. On a worker, use [`join`](Self::join) and don't block
/// on the future, as the `block_on` of an executor does: a thread that blocks there runs nothing
/// for its pool, and if all of them do, or the pool has but one, and no spare steps in
/// ([`max_threads`](crate::ThreadPoolBuilder::max_threads)), then the task never starts and the
/// wait never ends. Where it can't be avoided, do it inside [`blocking`](crate::blocking()).
///
/// Dropped, it lets the task go on alone; a panic is then but counted, in
/// [`Counters::panics`](crate::Counters::panics).
#[must_use = "dropping the handle of a task loses its result and its panic; use spawn instead"]
pub struct JoinHandle<T> {
    task: Arc<dyn Completion<T>>,
}

/// Starts a task and returns a handle for its result. Costs one allocation. Waits for room where
/// [`spawn`](crate::spawn()) does.
///
/// # Panics
/// As [`spawn`](crate::spawn()).
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
#[track_caller]
pub fn spawn_handle<F, T>(task: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    accepted(in_current_pool(|shared| spawn_handle_in(shared, None, task)))
}

/// As [`spawn_handle`], for a task that may fail: an error that it returns counts as a failure
/// ([`Counters::failures`](crate::Counters::failures)), as a panic does.
///
/// # Panics
/// As [`spawn_handle`].
///
/// # Examples
///
/// ```
/// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
/// let task = pool.try_spawn_handle(|| "forty-two".parse::<u32>());
/// assert!(task.join().unwrap().is_err());
/// assert_eq!(pool.counters().failures, 1);
/// # Ok::<(), filch::Error>(())
/// ```
#[track_caller]
pub fn try_spawn_handle<F, T, E>(task: F) -> JoinHandle<result::Result<T, E>>
where
    F: FnOnce() -> result::Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    spawn_handle(counting_errors(task))
}

pub fn counting_errors<T, E>(
    task: impl FnOnce() -> result::Result<T, E>,
) -> impl FnOnce() -> result::Result<T, E> {
    || {
        let result = task();
        if result.is_err() {
            Local::with_current(|current| {
                current.inspect(|local| local.shared.task_failed());
            });
        }
        result
    }
}

impl ThreadPool {
    /// [`try_spawn_handle`] in this pool.
    ///
    /// # Panics
    /// As [`spawn_handle`].
    #[track_caller]
    pub fn try_spawn_handle<F, T, E>(&self, task: F) -> JoinHandle<result::Result<T, E>>
    where
        F: FnOnce() -> result::Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.spawn_handle(counting_errors(task))
    }

    /// [`spawn_handle`] in this pool.
    ///
    /// # Panics
    /// As [`spawn_handle`].
    #[track_caller]
    pub fn spawn_handle<F, T>(&self, task: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        accepted(spawn_handle_in(self.shared(), None, task))
    }
}

pub fn spawn_handle_in<F, T>(
    shared: &Arc<Shared>,
    label: Option<&'static str>,
    work: F,
) -> result::Result<JoinHandle<T>, Rejected<()>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn_handle_within(None, shared, label, work)
}

/// As [`spawn_handle_in`], for a task that may not begin.
pub fn spawn_handle_within<F, T>(
    limits: Option<Limits>,
    shared: &Arc<Shared>,
    label: Option<&'static str>,
    work: F,
) -> result::Result<JoinHandle<T>, Rejected<()>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let place = shared.admission.get().map(|admission| admit(shared, admission));
    match (Limits::and_place(limits, place), submission(shared, label)) {
        (None, None) => queue(shared, |_| Ok(work())),
        (None, Some(noted)) => queue(shared, |_| Ok(timed(noted, work))),
        (Some(limits), None) => queue(shared, |pool| limits.begin(pool, work)),
        (Some(limits), Some(noted)) => {
            queue(shared, |pool| limits.begin(pool, || timed(noted, work)))
        }
    }
}

fn submission(shared: &Shared, label: Option<&'static str>) -> Option<Submission> {
    let current = Local::current_in(shared);
    let notable = shared.is_notable(current, label);
    notable.then(|| shared.submission(current, label, false)).flatten()
}

/// Runs a task, on whatever worker this is.
pub fn timed<R>(submission: Submission, work: impl FnOnce() -> R) -> R {
    Local::with_current(|current| match current {
        Some(local) => local.time(submission, work),
        None => work(),
    })
}

fn queue<F, T>(shared: &Arc<Shared>, work: F) -> result::Result<JoinHandle<T>, Rejected<()>>
where
    F: FnOnce(&Shared) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    let task = Task::new(shared, work);
    let handle = JoinHandle { task: Arc::clone(&task) as Arc<dyn Completion<T>> };
    let into_job = |task: Arc<Task<_, _>>, _: Option<&Local>| task.into_job();
    match push_detached(shared, Order::Lifo, task, into_job) {
        Ok(()) => Ok(handle),
        Err(rejected) => Err(rejected.map(drop)),
    }
}

impl<T> JoinHandle<T> {
    /// Waits for the task and returns its result.
    ///
    /// On a worker of the same pool, a task that hasn't started is run right here; one that
    /// has is waited for, running nothing else meanwhile but parts of broadcasts. A worker
    /// of another pool calls for the task, as by [`install`](ThreadPool::install), and runs
    /// meanwhile what it runs there.
    ///
    /// The thread of [`use_current_thread`](crate::ThreadPoolBuilder::use_current_thread), unless
    /// it is in the midst of a task or a join, runs detached tasks and calls from
    /// outside while it waits, since there may be nobody else to run them. So it must hold no
    /// lock that those may want.
    ///
    /// # Errors
    /// The payload, if the task panicked, or [`Cancelled`](crate::Cancelled), [`Expired`](crate::Expired) or
    /// [`Shed`](crate::Shed) if it was dropped instead of run.
    ///
    /// # Panics
    /// In a fork of the process in which the task was spawned, unless it had ended by then.
    #[track_caller]
    pub fn join(self) -> Result<T> {
        let (latch, pool) = (self.task.latch(), self.task.pool());
        if pool.is_inherited() && !latch.is_set() && Local::current_in(pool).is_none() {
            refused(Rejection::Forked);
        }
        Local::with_current(|current| match current {
            Some(local) if ptr::eq(&*local.shared, pool) => {
                self.task.run_unclaimed();
                local.wait_for_task(latch);
            }
            Some(local) => {
                // Not just a wait: that pool's workers may all wait for ours, and then run
                // nothing but calls. Refused only by a pool about to end, which runs it.
                let run = |_: &Local, _| self.task.run_unclaimed();
                let _ = call(pool, run, |latch| local.wait_for_other_pool(pool, latch));
                local.wait_for_other_pool(pool, latch);
            }
            None => wait_outside(pool, latch),
        });
        self.task.take_result().expect(TAKEN)
    }

    /// Whether the task has ended or was cancelled.
    pub fn is_finished(&self) -> bool {
        self.task.latch().is_set()
    }

    /// Drops the task if it hasn't started, here and now. Returns whether it did; then
    /// [`join`](Self::join) returns [`Cancelled`](crate::Cancelled). A task that has
    /// started goes on. See [`TaskBuilder::token`](crate::TaskBuilder::token) for many at a time.
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
    /// If polled again after it was ready; and as [`join`](Self::join).
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let latch = self.task.latch();
        if latch.is_set() || !latch.register_waker(context.waker().clone()) {
            return Poll::Ready(self.task.take_result().expect(TAKEN));
        }
        if self.task.pool().is_inherited() {
            refused(Rejection::Forked);
        }
        Poll::Pending
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish()
    }
}
