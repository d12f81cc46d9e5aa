//! `spawn`: tasks that nobody waits for.
//!
//! This file is `unsafe` where it looks up the current worker without a closure, and for its queue of tasks in their order.

use crate::construct::admit::{Patience, admit, try_admit};
use crate::construct::detached::detached;
use crate::construct::install::refused;
use crate::construct::push::{Order, push};
use crate::job::JobRef;
use crate::pool::global;
use crate::pool::thread_pool::ThreadPool;
use crate::resources::admission::{Admission, Place};
use crate::resources::rejected::Rejected;
use crate::worker::blocked::concerns_guests;
use crate::worker::local::Local;
use crate::worker::shared::Shared;
use std::sync::Arc;

/// Starts a task and doesn't wait for it.
///
/// On a worker it goes to that worker's own deque, where the youngest task runs first, or
/// another worker steals the oldest; from outside every pool to the global one, where they are begun
/// in the order of their arrival, or nearly so if there are several workers. Costs at most one
/// allocation: memory of tasks that have run is used again.
///
/// In a pool with a bound ([`max_queued`](crate::ThreadPoolBuilder::max_queued)) a thread that is none of its workers waits
/// for room.
///
/// A panic in the task goes to the pool's
/// [`panic_handler`](crate::ThreadPoolBuilder::panic_handler), or aborts. A task that hasn't
/// ended when `main` returns is lost, unless `main` calls
/// [`shutdown_global`](crate::shutdown_global) before.
///
/// # Panics
/// If the pool has been shut down, or is while this waits for room, and this isn't one of its workers; and, as
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
    accepted(in_current_pool(|shared| {
        spawn_in(shared, Order::Lifo, None, Patience::Endless, task)
    }));
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
    accepted(in_current_pool(|shared| {
        spawn_in(shared, Order::Fifo, None, Patience::Endless, task)
    }));
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
        accepted(spawn_in(self.shared(), Order::Lifo, None, Patience::Endless, task));
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
        accepted(spawn_in(self.shared(), Order::Fifo, None, Patience::Endless, task));
    }

    /// As [`spawn`](Self::spawn), but never waits, and gives the task back if the pool doesn't accept it.
    ///
    /// # Errors
    /// The task, not run, and [why](crate::Rejection): the pool has been shut down, there is no room for it by
    /// [`max_queued`](crate::ThreadPoolBuilder::max_queued), or an [`AdmissionPolicy`](crate::AdmissionPolicy) sheds it.
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
        spawn_in(self.shared(), Order::Lifo, None, Patience::None, task)
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
        Err(rejected) => refused(rejected.reason),
    }
}

#[inline]
pub fn spawn_in<F>(
    shared: &Shared,
    order: Order,
    label: Option<&'static str>,
    patience: Patience,
    task: F,
) -> Result<(), Rejected<F>>
where
    F: FnOnce() + Send + 'static,
{
    if let Some(local) = Local::current_in(shared)
        && local.spawns_freely
    {
        // As in push.rs.
        push_own(local, order, detached(shared, Some(local), label, task));
        shared.notify(concerns_guests);
        return Ok(());
    }
    match shared.admission.get() {
        None => spawn_freely(shared, order, label, task),
        Some(admission) => spawn_with_bound(shared, admission, order, label, patience, task),
    }
}

/// Apart, so that the usual case is compiled as if it were the only one.
#[cold]
#[inline(never)]
fn spawn_with_bound<F>(
    shared: &Shared,
    admission: &Arc<Admission>,
    order: Order,
    label: Option<&'static str>,
    patience: Patience,
    task: F,
) -> Result<(), Rejected<F>>
where
    F: FnOnce() + Send + 'static,
{
    let place = match patience {
        Patience::None => try_admit(shared, admission),
        Patience::Endless => Ok(admit(shared, admission)),
    };
    match place {
        Ok(place) => spawn_admitted(shared, order, label, place, task),
        Err(reason) => Err(Rejected { task, reason }),
    }
}

#[inline]
pub fn spawn_freely<F>(
    shared: &Shared,
    order: Order,
    label: Option<&'static str>,
    task: F,
) -> Result<(), Rejected<F>>
where
    F: FnOnce() + Send + 'static,
{
    let into_job = |task, local: Option<&Local>| detached(shared, local, label, task);
    push_detached(shared, order, task, into_job)
}

pub fn spawn_admitted<F>(
    shared: &Shared,
    order: Order,
    label: Option<&'static str>,
    place: Place,
    task: F,
) -> Result<(), Rejected<F>>
where
    F: FnOnce() + Send + 'static,
{
    let into_job = |(place, task): (Place, F), local: Option<&Local>| {
        let run = move || {
            place.begin();
            task();
        };
        detached(shared, local, label, run)
    };
    push_detached(shared, order, (place, task), into_job)
        .map_err(|rejected| rejected.map(|both| both.1))
}

/// [`push`], for what no scope waits for.
#[inline]
pub fn push_detached<T>(
    shared: &Shared,
    order: Order,
    task: T,
    into_job: impl FnOnce(T, Option<&Local>) -> JobRef<Local>,
) -> Result<(), Rejected<T>> {
    let push_own = |local: &Local, job| push_own(local, order, job);
    let push_outside = |job| shared.injected.push(job);
    push(shared, task, into_job, push_own, push_outside, concerns_guests)
}

#[inline]
fn push_own(local: &Local, order: Order, job: JobRef<Local>) {
    let job = match order {
        Order::Lifo => job,
        // SAFETY: the queue is the worker's, and the pool keeps it as long as any job.
        Order::Fifo => unsafe { local.remote().fifo.push(job) },
    };
    local.deques.detached.push(job);
}
