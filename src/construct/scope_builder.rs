//! Scopes with more to them than a body: what cancels them.

use crate::construct::cancel::CancelToken;
use crate::construct::install::{on_worker, on_worker_of};
use crate::construct::scope::{Scope, current_pool};
use crate::construct::scope_core::CancelledBy;
use crate::construct::scope_fifo::ScopeFifo;
use crate::pool::thread_pool::ThreadPool;
use crate::worker::local::Local;

/// How a scope is to be made.
///
/// # Examples
///
/// ```
/// let token = filch::CancelToken::new();
/// filch::ScopeBuilder::new().token(&token).scope(|scope| {
///     scope.spawn(|scope| while !scope.is_cancelled() { /* a step of some search */ });
///     token.cancel();
///     scope.spawn(|_| unreachable!());
/// });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeBuilder<'a> {
    pool: Option<&'a ThreadPool>,
    cancelled_by: CancelledBy<'a>,
}

impl<'a> ScopeBuilder<'a> {
    /// For a scope in the current pool, as [`scope`](crate::scope()) makes it.
    pub fn new() -> Self {
        Self::default()
    }

    /// In this pool.
    pub fn pool(self, pool: &'a ThreadPool) -> Self {
        Self { pool: Some(pool), ..self }
    }

    /// Cancelled with this token: the scope's [own](Scope::token) is a child of it. That of another
    /// scope makes this one a part of that. Costs an allocation for the scope.
    ///
    /// If it has been cancelled already, the body runs all the same, as what it returns is wanted; its
    /// tasks don't.
    pub fn token(mut self, parent: &'a CancelToken) -> Self {
        self.cancelled_by.token = Some(parent);
        self
    }

    /// Whether the first panic in its body or a task cancels the scope, so that those of its tasks that
    /// have not begun don't; by default they run before the panic goes on. Not the scope's parent:
    /// what comes of the panic there is up to whoever catches it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::catch_unwind;
    ///
    /// let panic = catch_unwind(|| {
    ///     filch::ScopeBuilder::new().cancel_on_panic(true).scope(|scope| {
    ///         scope.spawn(|scope| {
    ///             while !scope.is_cancelled() { /* ... */ }
    ///         });
    ///         panic!("no use to go on");
    ///     })
    /// });
    /// assert!(panic.is_err());
    /// ```
    pub fn cancel_on_panic(mut self, yes: bool) -> Self {
        self.cancelled_by.panic = yes;
        self
    }

    /// As [`scope`](crate::scope()).
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn scope<'scope, OP, R>(self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R + Send,
        R: Send,
    {
        self.on_worker(|local| Scope::run(&local.shared, self.cancelled_by, op))
    }

    /// As [`scope_fifo`](crate::scope_fifo).
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn scope_fifo<'scope, OP, R>(self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
        R: Send,
    {
        self.on_worker(|local| ScopeFifo::run(&local.shared, self.cancelled_by, op))
    }

    /// As [`in_place_scope`](crate::in_place_scope).
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn in_place_scope<'scope, OP, R>(self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R,
    {
        match self.pool {
            Some(pool) => Scope::run(pool.shared(), self.cancelled_by, op),
            None => Scope::run(&current_pool(), self.cancelled_by, op),
        }
    }

    /// As [`in_place_scope_fifo`](crate::in_place_scope_fifo).
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn in_place_scope_fifo<'scope, OP, R>(self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R,
    {
        match self.pool {
            Some(pool) => ScopeFifo::run(pool.shared(), self.cancelled_by, op),
            None => ScopeFifo::run(&current_pool(), self.cancelled_by, op),
        }
    }

    #[track_caller]
    fn on_worker<R: Send>(&self, op: impl FnOnce(&Local) -> R + Send) -> R {
        match self.pool {
            Some(pool) => on_worker_of(pool.shared(), |local, _| op(local)),
            None => on_worker(|local, _| op(local)),
        }
    }
}
