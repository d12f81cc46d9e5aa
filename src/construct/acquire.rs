//! `acquire`: leases of what a pool's tasks share.

use crate::construct::blocking::blocking_unless_last;
use crate::construct::spawn::in_current_pool;
use crate::pool::thread_pool::ThreadPool;
use crate::resources::acquire::{self, Acquire};
use crate::resources::budget::Budget;
use crate::resources::lease::Lease;
use crate::resources::refusal::Refusal;
use crate::resources::request::Request;
use crate::resources::waiter::Expects;
use crate::worker::local::Local;
use crate::worker::shared::Shared;
use std::sync::Arc;
use std::time::Duration;

/// [`ThreadPool::try_acquire`], of the pool that the current thread belongs to, or else the global one.
///
/// # Errors
/// As there.
///
/// # Examples
///
/// ```
/// let lease = filch::try_acquire(&filch::Request::new().memory(1 << 20)).unwrap();
/// # drop(lease);
/// ```
#[track_caller]
pub fn try_acquire(request: &Request) -> Result<Lease, Refusal> {
    let shared = in_current_pool(Arc::clone);
    minded(acquire::try_acquire(budget(&shared)?, request))
}

/// [`ThreadPool::acquire`], of the pool that the current thread belongs to, or else the global one.
///
/// # Errors
/// As there.
///
/// # Examples
///
/// ```
/// let lease = filch::acquire(&filch::Request::new().memory(1 << 20)).unwrap();
/// # drop(lease);
/// ```
#[track_caller]
pub fn acquire(request: &Request) -> Result<Lease, Refusal> {
    let shared = in_current_pool(Arc::clone);
    wait_for(&shared, request, None)
}

/// Lets somebody else run meanwhile, unless this is the last worker of its pool that doesn't wait.
#[track_caller]
fn wait_for(
    shared: &Arc<Shared>,
    request: &Request,
    timeout: Option<Duration>,
) -> Result<Lease, Refusal> {
    let budget = budget(shared)?;
    let expects = || {
        Local::with_current(|current| {
            let shared = Arc::clone(&current?.shared);
            Some(Box::new(move |more| shared.seats.expect(more)) as Expects)
        })
    };
    let blocking = |wait: &dyn Fn() -> bool| blocking_unless_last(wait);
    minded(acquire::acquire(budget, request, timeout, expects, blocking))
}

/// That of this process: a child's copy is of no use to anybody, and a thread of the parent's may have held its locks.
#[inline(always)]
fn budget(shared: &Shared) -> Result<&Arc<Budget>, Refusal> {
    if shared.is_inherited() { Err(Refusal::Forked) } else { Ok(shared.purse.budget()) }
}

/// What runs on this worker may be a lessee now.
#[inline(always)]
fn minded(outcome: Result<Lease, Refusal>) -> Result<Lease, Refusal> {
    Local::with_current(|current| current.map(Local::mind_leases));
    outcome
}

impl ThreadPool {
    /// A part of the pool's [budget](Self::budget), if it is free now and nobody waits for any of it who comes first. Never
    /// waits, and takes no lock unless somebody waits.
    ///
    /// While others ask for and give back several resources at once, it may be refused though there is enough, as each of
    /// them is taken in turn.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if it isn't, and those of [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// use filch::{Refusal, Request, Resource};
    ///
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).budget(Resource::Cpu, 1500).build()?;
    /// let request = Request::new().cpu(1000);
    /// let lease = pool.try_acquire(&request).unwrap();
    /// assert_eq!(pool.try_acquire(&request).unwrap_err(), Refusal::Busy);
    /// lease.release();
    /// assert!(pool.try_acquire(&request).is_ok());
    /// # Ok::<(), filch::Error>(())
    /// ```
    #[track_caller]
    pub fn try_acquire(&self, request: &Request) -> Result<Lease, Refusal> {
        minded(acquire::try_acquire(budget(self.shared())?, request))
    }

    /// A part of the pool's budget; waits until it is there. Who is next of those who wait is up to the
    /// [strategy](crate::ThreadPoolBuilder::allocation). On a worker of a pool it runs nothing else
    /// meanwhile, and another worker takes its place, as in [`blocking`](crate::blocking()).
    ///
    /// A task that holds a lease doesn't wait for another one: it might wait for itself. Nor does a part of it, by
    /// [`join`](crate::join()), [`scope`](crate::scope()) or [`install`](Self::install), on whichever worker that runs. Nor does the
    /// last worker that doesn't wait, if the pool may start no more.
    ///
    /// # Errors
    /// If the request is for more than there is in all, or for nothing, or in the name of a tenant of another pool; and
    /// [`Refusal::WouldDeadlock`] and [`Refusal::Saturated`].
    ///
    /// # Examples
    ///
    /// Four tasks that need much memory, two at a time:
    ///
    /// ```
    /// use filch::{Request, Resource};
    ///
    /// let gib = 1 << 30;
    /// let pool = filch::ThreadPoolBuilder::new()
    ///     .num_threads(4)
    ///     .budget(Resource::Memory, 5 * gib)
    ///     .build()?;
    /// pool.scope(|scope| {
    ///     for _ in 0..4 {
    ///         scope.spawn(|_| {
    ///             let _lease = pool.acquire(&Request::new().memory(2 * gib)).unwrap();
    ///             // ...
    ///         });
    ///     }
    /// });
    /// # Ok::<(), filch::Error>(())
    /// ```
    #[track_caller]
    pub fn acquire(&self, request: &Request) -> Result<Lease, Refusal> {
        wait_for(self.shared(), request, None)
    }

    /// As [`acquire`](Self::acquire), but for no longer than that.
    ///
    /// # Errors
    /// [`Refusal::TimedOut`], and those of [`acquire`](Self::acquire).
    #[track_caller]
    pub fn acquire_timeout(&self, request: &Request, timeout: Duration) -> Result<Lease, Refusal> {
        wait_for(self.shared(), request, Some(timeout))
    }

    /// As [`acquire`](Self::acquire), as a future: whoever drops it waits no more. It waits from now on, polled or not.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire).
    #[track_caller]
    pub fn acquire_async(&self, request: &Request) -> Result<Acquire, Refusal> {
        Acquire::new(budget(self.shared())?, request)
    }
}
