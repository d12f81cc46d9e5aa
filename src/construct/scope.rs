//! `scope`: tasks that may borrow from the stack, since the scope waits for them all.
//!
//! This file is `unsafe` because tasks hold a pointer to the scope.

use crate::construct::broadcast::{BroadcastContext, address_all};
use crate::construct::install::{SHUT_DOWN, on_worker};
use crate::construct::spawn::push;
use crate::job::{Lent, Payload, ScopeJob, ScopeJobRef};
use crate::pool::global;
use crate::pool::thread_pool::ThreadPool;
use crate::primitive::count_latch::CountLatch;
use crate::worker::local::Local;
use crate::worker::shared::{Blocked, Job, Shared};
use crate::worker::wait::wait_outside;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// A scope that tasks can be spawned into; see [`scope()`].
pub struct Scope<'scope> {
    core: Core<'scope>,
}

/// What both kinds of scope are made of.
pub struct Core<'scope> {
    shared: Arc<Shared>,
    /// The worker of this pool that waits for the scope, if one does.
    owner: Option<usize>,
    latch: CountLatch,
    /// The first panic of the body or a task.
    panic: Mutex<Option<Payload>>,
    /// Invariant in `'scope`: a task may hand things of that lifetime to the scope.
    lifetime: PhantomData<Body<'scope>>,
}

/// What a scope takes in; Sync, so that the scope is, too.
type Body<'scope> = dyn Fn(&Scope<'scope>) + Send + Sync + 'scope;

/// Calls `op` with a scope, and returns when `op` and all tasks spawned into the scope have
/// ended. Tasks may borrow whatever outlives the call.
///
/// From outside every pool, `op` moves to a worker of the global pool; see
/// [`in_place_scope`] for one that stays. A task costs one allocation.
///
/// # Panics
/// If `op` or a task panics, after all have ended, with the payload of the first. Further
/// panics are counted in [`Counters::panics`](crate::Counters::panics).
///
/// # Examples
///
/// ```
/// let mut numbers = vec![1, 2, 3, 4];
/// filch::scope(|scope| {
///     for number in &mut numbers {
///         scope.spawn(move |_| *number *= 10);
///     }
/// });
/// assert_eq!(numbers, [10, 20, 30, 40]);
/// ```
pub fn scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R + Send,
    R: Send,
{
    on_worker(|local, _| Scope::run(&local.shared, op))
}

/// As [`scope()`], but `op` runs on this thread, wherever that is; so it needs not be `Send`.
/// Tasks run in the current pool, or from outside in the global one.
///
/// # Panics
/// As [`scope()`], and in `spawn` if the pool is shut down meanwhile.
///
/// # Examples
///
/// ```
/// let id = std::thread::current().id();
/// let mut sum = 0;
/// filch::in_place_scope(|scope| {
///     assert_eq!(std::thread::current().id(), id);
///     scope.spawn(|_| sum = 1 + 2);
/// });
/// assert_eq!(sum, 3);
/// ```
pub fn in_place_scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R,
{
    Scope::run(&current_pool(), op)
}

/// The pool of this worker, or the global one.
pub fn current_pool() -> Arc<Shared> {
    Local::with_current(|current| match current {
        Some(local) => Arc::clone(&local.shared),
        None => Arc::clone(global::get().shared()),
    })
}

impl ThreadPool {
    /// [`scope()`] in this pool.
    ///
    /// # Panics
    /// As [`scope()`], and if the pool has been shut down.
    pub fn scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R + Send,
        R: Send,
    {
        self.install(|| scope(op))
    }

    /// [`in_place_scope`], with tasks that run in this pool.
    ///
    /// # Panics
    /// As [`in_place_scope`].
    pub fn in_place_scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R,
    {
        Scope::run(self.shared(), op)
    }
}

impl<'scope> Scope<'scope> {
    fn run<R>(shared: &Arc<Shared>, op: impl FnOnce(&Self) -> R) -> R {
        let scope = Self { core: Core::new(shared) };
        scope.core.complete(|| op(&scope))
    }

    /// Starts a task in the scope. Where it goes: see [`spawn`](crate::spawn()).
    ///
    /// # Panics
    /// If the pool has been shut down and this isn't one of its workers.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// let count = AtomicU32::new(0);
    /// filch::scope(|scope| {
    ///     scope.spawn(|scope| {
    ///         count.fetch_add(1, Ordering::Relaxed);
    ///         scope.spawn(|_| {
    ///             count.fetch_add(1, Ordering::Relaxed);
    ///         });
    ///     });
    /// });
    /// assert_eq!(count.into_inner(), 2);
    /// ```
    pub fn spawn<BODY>(&self, body: BODY)
    where
        BODY: FnOnce(&Scope<'scope>) + Send + 'scope,
    {
        let scope = Lent(self);
        self.core.spawn(
            move || {
                let scope = scope.get();
                // SAFETY: the scope waits for this task.
                let scope = unsafe { &*scope };
                scope.core.catch(|| body(scope));
            },
            |local, task| local.deques.scoped.push(task),
        );
    }

    /// Runs `body` once on every worker of the pool, within the scope.
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
    /// let count = AtomicUsize::new(0);
    /// pool.scope(|scope| {
    ///     scope.spawn_broadcast(|_, context| {
    ///         count.fetch_add(1 + context.index(), Ordering::Relaxed);
    ///     });
    /// });
    /// assert_eq!(count.into_inner(), 1 + 2);
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn spawn_broadcast<BODY>(&self, body: BODY)
    where
        BODY: Fn(&Scope<'scope>, BroadcastContext<'_>) + Send + Sync + 'scope,
    {
        let scope = Lent(self);
        self.core.spawn_broadcast(move |context| {
            let scope = scope.get();
            // SAFETY: the scope waits for this task.
            let scope = unsafe { &*scope };
            scope.core.catch(|| body(scope, context));
        });
    }
}

impl<'scope> Core<'scope> {
    pub fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            owner: Local::current_in(shared).map(|local| local.index),
            // The body counts as a task that has started.
            latch: CountLatch::new(1),
            panic: Mutex::new(None),
            lifetime: PhantomData,
        }
    }

    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    pub fn latch(&self) -> *const CountLatch {
        &self.latch
    }

    /// Runs the body and waits for all tasks.
    pub fn complete<R>(&self, body: impl FnOnce() -> R) -> R {
        let result = self.catch(body);
        // SAFETY: the body counts, and is over; we keep the scope alive.
        unsafe { CountLatch::done(&self.latch) };
        let latch = self.latch.latch();
        Local::with_current(|current| match current {
            Some(local) if self.owner.is_some() => local.wait_for_scope(&self.latch),
            Some(local) => local.wait_for_other_pool(latch),
            None => wait_outside(latch),
        });
        let panic = self.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (panic, result) {
            (Some(payload), _) => resume_unwind(payload),
            (None, Some(result)) => result,
            (None, None) => unreachable!("filch: a scope's body neither returned nor panicked"),
        }
    }

    /// Runs the body or a task, and keeps its panic for the end of the scope.
    pub fn catch<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        catch_unwind(AssertUnwindSafe(f)).map_err(|payload| self.panicked(payload)).ok()
    }

    #[cold]
    fn panicked(&self, payload: Payload) {
        let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_none() {
            *first = Some(payload);
            return;
        }
        drop(first);
        match Local::current_in(&self.shared) {
            Some(local) => local.counters().panics.bump(),
            None => self.shared.outside.panics.bump_shared(),
        }
    }

    /// Queues `work`, which [`catch`](Self::catch)es its panics, as a task of the scope.
    pub fn spawn<W>(&self, work: W, push_own: impl FnOnce(&Local, ScopeJobRef<Local>))
    where
        W: FnOnce() + Send + 'scope,
    {
        let into_job = |work: W| {
            self.latch.spawned();
            // SAFETY: the scope waits for it, and so does what it borrows.
            unsafe { ScopeJob::boxed(&self.latch, move |_: &Local| work()) }
        };
        let shared = &*self.shared;
        let push_outside = |task| match self.owner {
            // Where workers that wait look for tasks of their scopes.
            Some(_) => shared.misfits.push(Job::Scoped(task)),
            None => shared.calls.push(Job::Scoped(task)),
        };
        match push(shared, work, into_job, push_own, push_outside) {
            Ok(true) => {}
            Ok(false) => shared.nudge(|index, why| match self.owner {
                Some(owner) => index == owner && why == Blocked::Latch,
                None => matches!(why, Blocked::Call | Blocked::Guest),
            }),
            Err(_) => panic!("{SHUT_DOWN}"),
        }
    }

    /// Queues `work`, which [`catch`](Self::catch)es its panics, on every worker.
    pub fn spawn_broadcast(&self, work: impl Fn(BroadcastContext<'_>) + Send + Sync + 'scope) {
        let work = Arc::new(work);
        let part = || {
            // Not to be found by digging through queues: it counts as started at once.
            self.latch.spawned();
            self.latch.started();
            let work = Arc::clone(&work);
            let part = move |local: &Local| work(BroadcastContext::new(local));
            // SAFETY: as in `spawn`. Its share in `work` goes before it counts as done.
            unsafe { ScopeJob::boxed_started(&self.latch, part) }
        };
        address_all(&self.shared, part).unwrap_or_else(|_| panic!("{SHUT_DOWN}"));
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("pool", &self.core.shared.id).finish_non_exhaustive()
    }
}
