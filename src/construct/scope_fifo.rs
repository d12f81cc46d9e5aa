//! `scope_fifo`: a scope whose tasks run in the order of their spawning, as far as each
//! worker is concerned.
//!
//! This file is `unsafe` because tasks hold a pointer to the scope.

use crate::construct::broadcast::BroadcastContext;
use crate::construct::cancel::CancelToken;
use crate::construct::install::on_worker;
use crate::construct::scope::current_pool;
use crate::construct::scope_core::{CancelledBy, Core};
use crate::job::Lent;
use crate::pool::thread_pool::ThreadPool;
use crate::queue::fifo::ScopeFifo as Queue;
use crate::worker::local::Local;
use crate::worker::shared::Shared;
use std::fmt;
use std::sync::Arc;

/// A scope with first-in-first-out order; see [`scope_fifo`].
pub struct ScopeFifo<'scope> {
    /// One a worker. Made when the scope is in place: tickets point to it, and it to the
    /// scope's latch.
    queues: Box<[Queue<Local>]>,
    core: Box<Core<'scope>>,
}

/// As [`scope`](crate::scope()), but tasks that one worker spawns are run in the order of
/// their spawning. Allocates a queue for each worker of the pool.
///
/// # Panics
/// As [`scope`](crate::scope()).
///
/// # Examples
///
/// ```
/// use std::sync::Mutex;
///
/// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
/// let order = Mutex::new(Vec::new());
/// pool.scope_fifo(|scope| {
///     for i in 0..3 {
///         let order = &order;
///         scope.spawn_fifo(move |_| order.lock().unwrap().push(i));
///     }
/// });
/// assert_eq!(order.into_inner().unwrap(), [0, 1, 2]);
/// # Ok::<(), filch::Error>(())
/// ```
#[track_caller]
pub fn scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
    R: Send,
{
    on_worker(|local, _| ScopeFifo::run(&local.shared, CancelledBy::default(), op))
}

/// As [`in_place_scope`](crate::in_place_scope), with the order of [`scope_fifo`].
///
/// # Panics
/// As [`in_place_scope`](crate::in_place_scope).
///
/// # Examples
///
/// ```
/// let mut sum = 0;
/// filch::in_place_scope_fifo(|scope| scope.spawn_fifo(|_| sum = 1 + 2));
/// assert_eq!(sum, 3);
/// ```
#[track_caller]
pub fn in_place_scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R,
{
    ScopeFifo::run(&current_pool(), CancelledBy::default(), op)
}

impl ThreadPool {
    /// [`scope_fifo`] in this pool.
    ///
    /// # Panics
    /// As [`scope_fifo`], and if the pool has been shut down.
    #[track_caller]
    pub fn scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
        R: Send,
    {
        self.install(|| scope_fifo(op))
    }

    /// [`in_place_scope_fifo`], with tasks that run in this pool.
    ///
    /// # Panics
    /// As [`in_place_scope_fifo`].
    #[track_caller]
    pub fn in_place_scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R,
    {
        ScopeFifo::run(self.shared(), CancelledBy::default(), op)
    }
}

impl<'scope> ScopeFifo<'scope> {
    pub(crate) fn run<R>(
        shared: &Arc<Shared>,
        cancelled_by: CancelledBy<'_>,
        op: impl FnOnce(&Self) -> R,
    ) -> R {
        // Boxed, so that the queues can point to its latch before both are in place.
        let core = Box::new(Core::new(shared, cancelled_by));
        let queues = shared.regulars.iter().map(|_| Queue::new(core.latch())).collect();
        let scope = Self { queues, core };
        scope.core.complete(|| op(&scope))
    }

    /// Starts a task in the scope, to be run after those that this worker spawned before.
    ///
    /// # Panics
    /// As [`Scope::spawn`](crate::Scope::spawn).
    #[track_caller]
    pub fn spawn_fifo<BODY>(&self, body: BODY)
    where
        BODY: FnOnce(&ScopeFifo<'scope>) + Send + 'scope,
    {
        self.spawn_with(None, body);
    }

    /// As [`spawn_fifo`](Self::spawn_fifo), for a task with a label: see
    /// [`TaskBuilder::label`](crate::TaskBuilder::label).
    ///
    /// # Panics
    /// As [`spawn_fifo`](Self::spawn_fifo).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
    /// pool.scope_fifo(|scope| scope.spawn_fifo_named("decode", |_| ()));
    /// # Ok::<(), filch::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_fifo_named<BODY>(&self, label: &'static str, body: BODY)
    where
        BODY: FnOnce(&ScopeFifo<'scope>) + Send + 'scope,
    {
        self.spawn_with(Some(label), body);
    }

    #[track_caller]
    fn spawn_with<BODY>(&self, label: Option<&'static str>, body: BODY)
    where
        BODY: FnOnce(&ScopeFifo<'scope>) + Send + 'scope,
    {
        let scope = Lent(self);
        self.core.spawn(
            label,
            move |local, noted| {
                let scope = scope.get();
                // SAFETY: the scope waits for this task.
                let scope = unsafe { &*scope };
                scope.core.begin(local, noted, || body(scope));
            },
            |local, task| {
                // SAFETY: the queue is in place until the scope ends, and so until the task
                // that the ticket stands for is done.
                let ticket = unsafe { self.queues[local.index % self.queues.len()].push(task) };
                local.push_scoped(ticket);
            },
        );
    }

    /// Runs `body` once on every worker of the pool, within the scope.
    ///
    /// # Panics
    /// As [`Scope::spawn`](crate::Scope::spawn).
    #[track_caller]
    pub fn spawn_broadcast<BODY>(&self, body: BODY)
    where
        BODY: Fn(&ScopeFifo<'scope>, BroadcastContext<'_>) + Send + Sync + 'scope,
    {
        let scope = Lent(self);
        self.core.spawn_broadcast(move |local, context| {
            let scope = scope.get();
            // SAFETY: the scope waits for this task.
            let scope = unsafe { &*scope };
            scope.core.begin(local, None, || body(scope, context));
        });
    }

    /// Cancels the scope; see [`Scope::cancel`](crate::Scope::cancel).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
    /// let last = std::sync::Mutex::new(0);
    /// pool.scope_fifo(|scope| {
    ///     for number in 1..1000 {
    ///         let last = &last;
    ///         scope.spawn_fifo(move |scope| {
    ///             *last.lock().unwrap() = number;
    ///             if number == 42 {
    ///                 scope.cancel();
    ///             }
    ///         });
    ///     }
    /// });
    /// assert_eq!(last.into_inner().unwrap(), 42);
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn cancel(&self) {
        self.token().cancel();
    }

    /// Whether the scope has been cancelled; see [`Scope::is_cancelled`](crate::Scope::is_cancelled).
    pub fn is_cancelled(&self) -> bool {
        self.core.is_cancelled()
    }

    /// The scope's token; see [`Scope::token`](crate::Scope::token).
    pub fn token(&self) -> &CancelToken {
        self.core.token()
    }
}

impl fmt::Debug for ScopeFifo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeFifo").field("pool", &self.core.shared().id).finish_non_exhaustive()
    }
}
