//! `scope`: tasks that may borrow from the stack, since the scope waits for them all.
//!
//! This file is `unsafe` because tasks hold a pointer to the scope.

use crate::construct::broadcast::BroadcastContext;
use crate::construct::cancel::CancelToken;
use crate::construct::install::on_worker;
use crate::construct::scope_core::{CancelledBy, Core};
use crate::construct::spawn::in_current_pool;
use crate::job::Lent;
use crate::pool::thread_pool::ThreadPool;
use crate::worker::local::Local;
use crate::worker::shared::Shared;
use std::fmt;
use std::sync::Arc;

/// A scope that tasks can be spawned into; see [`scope()`].
pub struct Scope<'scope> {
    core: Core<'scope>,
}

/// As in rayon. It doesn't move: nobody but this file ever has more than a shared reference.
impl Unpin for Scope<'_> {}

/// Calls `op` with a scope, and returns when `op` and all tasks spawned into the scope have
/// ended. Tasks may borrow whatever outlives the call.
///
/// From outside every pool, `op` moves to a worker of the global pool; see
/// [`in_place_scope`] for one that stays. A task costs at most one allocation.
///
/// # Panics
/// If `op` or a task panics, after all have ended, with the payload of the first. Further
/// panics are counted in [`Counters::panics`](crate::Counters::panics). And, as
/// [every verb](crate#panics), outside every pool if the global one has been shut down or can't be
/// built.
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
#[track_caller]
pub fn scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R + Send,
    R: Send,
{
    on_worker(|local, _| Scope::run(&local.shared, CancelledBy::default(), op))
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
#[track_caller]
pub fn in_place_scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R,
{
    Scope::run(&current_pool(), CancelledBy::default(), op)
}

/// The pool of this worker, or the global one.
#[track_caller]
pub fn current_pool() -> Arc<Shared> {
    in_current_pool(Arc::clone)
}

impl ThreadPool {
    /// [`scope()`] in this pool.
    ///
    /// # Panics
    /// As [`scope()`], and if the pool has been shut down.
    #[track_caller]
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
    #[track_caller]
    pub fn in_place_scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R,
    {
        Scope::run(self.shared(), CancelledBy::default(), op)
    }
}

impl<'scope> Scope<'scope> {
    pub(crate) fn run<R>(
        shared: &Arc<Shared>,
        cancelled_by: CancelledBy<'_>,
        op: impl FnOnce(&Self) -> R,
    ) -> R {
        let scope = Self { core: Core::new(shared, cancelled_by) };
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
    #[track_caller]
    pub fn spawn<BODY>(&self, body: BODY)
    where
        BODY: FnOnce(&Scope<'scope>) + Send + 'scope,
    {
        self.spawn_with(None, body);
    }

    /// As [`spawn`](Self::spawn), for a task with a label: see
    /// [`TaskBuilder::label`](crate::TaskBuilder::label).
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
    /// pool.scope(|scope| scope.spawn_named("decode", |_| ()));
    /// # Ok::<(), filch::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_named<BODY>(&self, label: &'static str, body: BODY)
    where
        BODY: FnOnce(&Scope<'scope>) + Send + 'scope,
    {
        self.spawn_with(Some(label), body);
    }

    #[track_caller]
    fn spawn_with<BODY>(&self, label: Option<&'static str>, body: BODY)
    where
        BODY: FnOnce(&Scope<'scope>) + Send + 'scope,
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
            Local::push_scoped,
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
    #[track_caller]
    pub fn spawn_broadcast<BODY>(&self, body: BODY)
    where
        BODY: Fn(&Scope<'scope>, BroadcastContext<'_>) + Send + Sync + 'scope,
    {
        let scope = Lent(self);
        self.core.spawn_broadcast(move |local, context| {
            let scope = scope.get();
            // SAFETY: the scope waits for this task.
            let scope = unsafe { &*scope };
            scope.core.begin(local, None, || body(scope, context));
        });
    }

    /// Cancels the scope: its tasks that have not begun are dropped instead of run, those that are spawned
    /// from now on included. Each is dropped by the worker that takes it from its queue, and
    /// counted in [`Counters::cancelled`](crate::Counters::cancelled); if its destructor panics, that is
    /// the task's panic. Tasks that have begun go on, and may [ask](Self::is_cancelled).
    ///
    /// The scope waits for all of them as ever, and returns what its body does: a cancellation is no
    /// panic. Costs an allocation if the scope has no [`token`](Self::token) yet.
    ///
    /// # Examples
    ///
    /// The first to find it stops the search:
    ///
    /// ```
    /// use std::sync::OnceLock;
    ///
    /// let found = OnceLock::new();
    /// filch::scope(|scope| {
    ///     for number in 1..1000 {
    ///         let found = &found;
    ///         scope.spawn(move |scope| {
    ///             if number * number == 1764 {
    ///                 found.set(number).unwrap();
    ///                 scope.cancel();
    ///             }
    ///         });
    ///     }
    /// });
    /// assert_eq!(found.get(), Some(&42));
    /// ```
    pub fn cancel(&self) {
        self.token().cancel();
    }

    /// Whether the scope has been cancelled, by itself or by a token that it is under
    /// ([`ScopeBuilder::token`](crate::ScopeBuilder::token)). For tasks that run for long. Costs a load,
    /// and one for each token up the tree.
    pub fn is_cancelled(&self) -> bool {
        self.core.is_cancelled()
    }

    /// The token that cancels the scope, and is cancelled when the scope is: to be handed to what has no
    /// reference to the scope, or to be the parent of others. The first call costs an allocation if the
    /// scope was given no parent.
    ///
    /// # Examples
    ///
    /// ```
    /// filch::scope(|outer| {
    ///     let inner = filch::ScopeBuilder::new().token(outer.token());
    ///     outer.cancel();
    ///     inner.scope(|inner| inner.spawn(|_| unreachable!()));
    /// });
    /// ```
    pub fn token(&self) -> &CancelToken {
        self.core.token()
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("pool", &self.core.shared().id).finish_non_exhaustive()
    }
}
