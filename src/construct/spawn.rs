//! `spawn`: tasks that nobody waits for.
//!
//! This file is `unsafe` because a job erases its task's type, and where it looks up the current
//! worker without a closure.

use crate::construct::install::SHUT_DOWN;
use crate::job::{HeapJob, JobRef};
use crate::pool::global;
use crate::pool::thread_pool::ThreadPool;
use crate::worker::blocked::{Blocked, concerns_guests};
use crate::worker::local::Local;
use crate::worker::shared::Shared;
use crate::worker::stamp::Submission;
use std::fmt;
use std::sync::Arc;

/// A task that a pool did not accept because it has been shut down.
pub struct Rejected<F> {
    /// The task.
    pub task: F,
}

impl<F> fmt::Debug for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected").finish_non_exhaustive()
    }
}

impl<F> fmt::Display for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the thread pool has been shut down and takes no more tasks")
    }
}

impl<F> std::error::Error for Rejected<F> {}

/// Starts a task and doesn't wait for it.
///
/// On a worker it goes to that worker's own deque, where the youngest task runs first, or
/// another worker steals the oldest; from outside every pool to the global one, where they are begun
/// in the order of their arrival, or nearly so if there are several workers. Costs at most one
/// allocation: memory of tasks that have run is used again.
///
/// A panic in the task goes to the pool's
/// [`panic_handler`](crate::ThreadPoolBuilder::panic_handler), or aborts. A task that hasn't
/// ended when `main` returns is lost, unless `main` calls
/// [`shutdown_global`](crate::shutdown_global) before.
///
/// # Panics
/// If the pool has been shut down and this isn't one of its workers; and, as
/// [every verb](crate#panics), if the global pool has to be built and can't be.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = std::sync::mpsc::channel();
/// filch::spawn(move || sender.send(6 * 7).unwrap());
/// assert_eq!(receiver.recv(), Ok(42));
/// ```
#[track_caller]
pub fn spawn<F>(task: F)
where
    F: FnOnce() + Send + 'static,
{
    accepted(in_current_pool(|shared| try_spawn_in(shared, None, task)));
}

/// As [`spawn`], but tasks that one worker spawns so are run in the order of their
/// spawning.
///
/// # Panics
/// As [`spawn`].
///
/// # Examples
///
/// ```
/// let (sender, receiver) = std::sync::mpsc::channel();
/// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
/// pool.install(move || {
///     for i in 0..3 {
///         let sender = sender.clone();
///         filch::spawn_fifo(move || sender.send(i).unwrap());
///     }
/// });
/// assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2]);
/// # Ok::<(), filch::Error>(())
/// ```
#[track_caller]
pub fn spawn_fifo<F>(task: F)
where
    F: FnOnce() + Send + 'static,
{
    accepted(in_current_pool(|shared| try_spawn_fifo_in(shared, None, task)));
}

impl ThreadPool {
    /// [`spawn`] in this pool.
    ///
    /// # Panics
    /// As [`spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, task: F)
    where
        F: FnOnce() + Send + 'static,
    {
        accepted(try_spawn_in(self.shared(), None, task));
    }

    /// [`spawn_fifo`] in this pool.
    ///
    /// # Panics
    /// As [`spawn`].
    #[track_caller]
    pub fn spawn_fifo<F>(&self, task: F)
    where
        F: FnOnce() + Send + 'static,
    {
        accepted(try_spawn_fifo_in(self.shared(), None, task));
    }

    /// As [`spawn`](Self::spawn), but gives the task back if the pool has been shut down.
    ///
    /// # Errors
    /// The task, not run, if the pool takes no more.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
    /// pool.shutdown()?;
    /// let rejected = pool.try_spawn(|| println!("too late")).unwrap_err();
    /// (rejected.task)();
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn try_spawn<F>(&self, task: F) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        try_spawn_in(self.shared(), None, task)
    }
}

/// Panics, if the global pool can't be built, at the line of the verb's caller. `f` doesn't:
/// it is a closure.
#[track_caller]
pub fn in_current_pool<R>(f: impl FnOnce(&Arc<Shared>) -> R) -> R {
    // SAFETY: used here only.
    match unsafe { Local::current() } {
        Some(local) => f(&local.shared),
        None => f(global::get().shared()),
    }
}

/// What a verb returns that has no error for it: panics at the line of the verb's caller if the
/// pool takes no more.
#[track_caller]
pub fn accepted<R, T>(outcome: Result<R, Rejected<T>>) -> R {
    match outcome {
        Ok(done) => done,
        Err(_) => panic!("{SHUT_DOWN}"),
    }
}

pub fn try_spawn_in<F>(
    shared: &Shared,
    label: Option<&'static str>,
    task: F,
) -> Result<(), Rejected<F>>
where
    F: FnOnce() + Send + 'static,
{
    let into_job = |task, local: Option<&Local>| detached(shared, local, label, task);
    push_detached(shared, task, into_job, youngest_first)
}

pub fn try_spawn_fifo_in<F>(
    shared: &Shared,
    label: Option<&'static str>,
    task: F,
) -> Result<(), Rejected<F>>
where
    F: FnOnce() + Send + 'static,
{
    let into_job = |task, local: Option<&Local>| detached(shared, local, label, task);
    push_detached(shared, task, into_job, oldest_first)
}

#[inline]
pub fn youngest_first(local: &Local, job: JobRef<Local>) {
    local.deques.detached.push(job);
}

#[inline]
pub fn oldest_first(local: &Local, job: JobRef<Local>) {
    // SAFETY: the queue is the worker's, and the pool keeps it as long as any job.
    let ticket = unsafe { local.remote().fifo.push(job) };
    local.deques.detached.push(ticket);
}

/// [`push`], for what no scope waits for.
#[inline]
pub fn push_detached<T>(
    shared: &Shared,
    task: T,
    into_job: impl FnOnce(T, Option<&Local>) -> JobRef<Local>,
    push_own: impl FnOnce(&Local, JobRef<Local>),
) -> Result<(), Rejected<T>> {
    let push_outside = |job| shared.injected.push(job);
    push(shared, task, into_job, push_own, push_outside, concerns_guests)
}

/// Makes a job of `task` and queues it: by `push_own` on a worker of this pool, by
/// `push_outside` elsewhere, unless the pool takes no more. Those who wait and are
/// `concerned` may run it, too.
#[inline]
pub fn push<T, J>(
    shared: &Shared,
    task: T,
    into_job: impl FnOnce(T, Option<&Local>) -> J,
    push_own: impl FnOnce(&Local, J),
    push_outside: impl FnOnce(J),
    concerned: impl Fn(usize, Blocked) -> bool,
) -> Result<(), Rejected<T>> {
    let current = Local::current_in(shared);
    if let Some(local) = current
        && local.returns()
    {
        // It is awake, so the pool can't end before this one is seen.
        push_own(local, into_job(task, current));
        shared.notify(concerned);
        return Ok(());
    }
    let Some(_entered) = shared.enter() else { return Err(Rejected { task }) };
    let job = into_job(task, current);
    match current {
        Some(guest) => push_own(guest, job),
        None => push_outside(job),
    }
    shared.notify_from_outside(concerned);
    Ok(())
}

pub fn detached<F>(
    shared: &Shared,
    current: Option<&Local>,
    label: Option<&'static str>,
    task: F,
) -> JobRef<Local>
where
    F: FnOnce() + Send + 'static,
{
    if shared.is_notable(current, label) {
        let work = |local: &Local, noted| local.run_noted(noted, task);
        return detached_and_noted(shared, current, label, work);
    }
    // Not by `detached_work`: that takes 3 instructions more (`scripts/instructions`).
    // SAFETY: it borrows nothing.
    unsafe { HeapJob::boxed(move |_: &Local| task()) }
}

/// As [`detached`], of work that runs its task itself, by [`run_noted`](Local::run_noted), or doesn't.
#[inline]
pub fn detached_work<W>(
    shared: &Shared,
    current: Option<&Local>,
    label: Option<&'static str>,
    work: W,
) -> JobRef<Local>
where
    W: FnOnce(&Local, Option<Submission>) + Send + 'static,
{
    if shared.is_notable(current, label) {
        return detached_and_noted(shared, current, label, work);
    }
    // SAFETY: it borrows nothing.
    unsafe { HeapJob::boxed(move |local: &Local| work(local, None)) }
}

/// Apart, so that the usual case is compiled as if it were the only one.
#[cold]
#[inline(never)]
fn detached_and_noted<W>(
    shared: &Shared,
    current: Option<&Local>,
    label: Option<&'static str>,
    work: W,
) -> JobRef<Local>
where
    W: FnOnce(&Local, Option<Submission>) + Send + 'static,
{
    match shared.submission(current, label, false) {
        // SAFETY: it borrows nothing.
        None => unsafe { HeapJob::boxed(move |local: &Local| work(local, None)) },
        // SAFETY: as above.
        Some(submission) => unsafe {
            HeapJob::boxed(move |local: &Local| work(local, Some(submission)))
        },
    }
}
