//! What a thread can ask of, and do for, the pool it belongs to.

use crate::construct::spawn::in_current_pool;
use crate::pool::thread_pool::ThreadPool;
use crate::worker::local::Local;
use crate::worker::shared::Job;

/// What a call of [`yield_now`] or [`yield_local`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yield {
    /// It ran a job.
    Executed,
    /// It found none.
    Idle,
}

/// The index of the current thread in its pool, if it is a worker: below
/// [`max_thread_index`], and no other thread's of that pool.
///
/// # Examples
///
/// ```
/// assert_eq!(filch::current_thread_index(), None);
/// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
/// assert_eq!(pool.install(filch::current_thread_index), Some(0));
/// # Ok::<(), filch::Error>(())
/// ```
#[inline]
pub fn current_thread_index() -> Option<usize> {
    Local::with_current(|current| current.map(|local| local.index))
}

/// The number of workers of the current pool that run at a time, or from outside of the global
/// one, which is built if need be.
///
/// # Panics
/// If the global pool has to be built and can't be.
///
/// # Examples
///
/// ```
/// let pool = filch::ThreadPoolBuilder::new().num_threads(3).build()?;
/// assert_eq!(pool.install(filch::current_num_threads), 3);
/// # Ok::<(), filch::Error>(())
/// ```
#[track_caller]
pub fn current_num_threads() -> usize {
    in_current_pool(|shared| shared.regulars.len())
}

/// The bound for [`current_thread_index`] in the current pool, or from outside in the
/// global one, which is built if need be. More than [`current_num_threads`]: spares, which
/// stand in for workers that block, have indices of their own.
///
/// # Panics
/// If the global pool has to be built and can't be.
///
/// # Examples
///
/// ```
/// let pool = filch::ThreadPoolBuilder::new().num_threads(3).max_threads(5).build()?;
/// assert_eq!(pool.install(filch::max_thread_index), 5);
/// # Ok::<(), filch::Error>(())
/// ```
#[track_caller]
pub fn max_thread_index() -> usize {
    in_current_pool(|shared| shared.max_workers())
}

/// Whether this worker has tasks or open joins of its own that nobody has started; `None` on
/// a thread that is no worker.
///
/// # Examples
///
/// ```
/// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
/// pool.install(|| {
///     assert_eq!(filch::current_thread_has_pending_tasks(), Some(false));
///     filch::spawn(|| ());
///     assert_eq!(filch::current_thread_has_pending_tasks(), Some(true));
/// });
/// # Ok::<(), filch::Error>(())
/// ```
pub fn current_thread_has_pending_tasks() -> Option<bool> {
    Local::with_current(|current| current.map(Local::has_pending))
}

/// Runs one job of the pool, if there is any, be it one of others: it volunteers for any
/// work, so a caller must hold no lock that a task may want. `None` on a thread that is no
/// worker.
///
/// # Examples
///
/// ```
/// use filch::Yield;
///
/// assert_eq!(filch::yield_now(), None);
/// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
/// pool.install(|| {
///     filch::spawn(|| ());
///     assert_eq!(filch::yield_now(), Some(Yield::Executed));
///     assert_eq!(filch::yield_now(), Some(Yield::Idle));
/// });
/// # Ok::<(), filch::Error>(())
/// ```
pub fn yield_now() -> Option<Yield> {
    yield_to(Local::find)
}

/// As [`yield_now`], but only for jobs in this worker's own queues.
///
/// # Examples
///
/// ```
/// assert_eq!(filch::yield_local(), None);
/// ```
pub fn yield_local() -> Option<Yield> {
    yield_to(Local::find_own)
}

impl ThreadPool {
    /// [`yield_now`], if the current thread is a worker of this pool.
    pub fn yield_now(&self) -> Option<Yield> {
        self.current_thread_index().and_then(|_| yield_now())
    }

    /// [`yield_local`], if the current thread is a worker of this pool.
    pub fn yield_local(&self) -> Option<Yield> {
        self.current_thread_index().and_then(|_| yield_local())
    }
}

fn yield_to(find: impl FnOnce(&Local) -> Option<Job>) -> Option<Yield> {
    Local::with_current(|current| {
        let local = current?;
        Some(match find(local) {
            Some(job) => {
                local.execute_foreign(job);
                Yield::Executed
            }
            None => Yield::Idle,
        })
    })
}
