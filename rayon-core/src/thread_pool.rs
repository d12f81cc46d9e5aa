//! A pool.

#[allow(deprecated)]
use crate::Configuration;
use crate::{BroadcastContext, Scope, ScopeFifo, Yield};
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

/// A pool of threads. Dropping it doesn't wait: what it was given is still run, then its threads
/// end.
pub struct ThreadPool {
    /// Taken by the drop alone.
    pool: Option<filch::ThreadPool>,
    /// No more unwind-safe than rayon's.
    _as_rayon: PhantomData<Box<dyn Fn() + Send + Sync>>,
}

impl ThreadPool {
    pub(crate) fn of(pool: filch::ThreadPool) -> Self {
        Self { pool: Some(pool), _as_rayon: PhantomData }
    }

    /// [`Configuration::build`].
    ///
    /// # Errors
    /// As there.
    #[deprecated(note = "use `ThreadPoolBuilder::build`")]
    #[allow(deprecated)]
    pub fn new(configuration: Configuration) -> Result<Self, Box<dyn Error>> {
        configuration.build()
    }

    pub(crate) fn filch(&self) -> &filch::ThreadPool {
        self.pool.as_ref().expect("rayon-core: a pool that is being dropped")
    }

    /// Runs `op` in the pool, and waits for it.
    ///
    /// # Panics
    /// If `op` does.
    pub fn install<OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce() -> R + Send,
        R: Send,
    {
        self.filch().install(op)
    }

    /// Runs `op` on every thread of the pool, and returns what it returns, by index.
    ///
    /// # Panics
    /// If `op` does.
    pub fn broadcast<OP, R>(&self, op: OP) -> Vec<R>
    where
        OP: Fn(BroadcastContext<'_>) -> R + Sync,
        R: Send,
    {
        self.filch().broadcast(op)
    }

    /// The number of threads.
    #[inline]
    pub fn current_num_threads(&self) -> usize {
        self.filch().current_num_threads()
    }

    /// The index of the current thread in this pool, if it is one of its workers.
    #[inline]
    pub fn current_thread_index(&self) -> Option<usize> {
        self.filch().current_thread_index()
    }

    /// Whether the current thread has tasks that nobody has started, if it is one of this pool's.
    #[inline]
    pub fn current_thread_has_pending_tasks(&self) -> Option<bool> {
        self.filch().current_thread_has_pending_tasks()
    }

    /// [`join`](crate::join) in this pool.
    ///
    /// # Panics
    /// As there.
    pub fn join<A, B, RA, RB>(&self, oper_a: A, oper_b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        self.filch().join(oper_a, oper_b)
    }

    /// [`scope`](crate::scope) in this pool.
    ///
    /// # Panics
    /// As there.
    pub fn scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R + Send,
        R: Send,
    {
        self.filch().scope(op)
    }

    /// [`scope_fifo`](crate::scope_fifo) in this pool.
    ///
    /// # Panics
    /// As there.
    pub fn scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
        R: Send,
    {
        self.filch().scope_fifo(op)
    }

    /// [`in_place_scope`](crate::in_place_scope) with tasks in this pool.
    ///
    /// # Panics
    /// As there.
    pub fn in_place_scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R,
    {
        self.filch().in_place_scope(op)
    }

    /// [`in_place_scope_fifo`](crate::in_place_scope_fifo) with tasks in this pool.
    ///
    /// # Panics
    /// As there.
    pub fn in_place_scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R,
    {
        self.filch().in_place_scope_fifo(op)
    }

    /// [`spawn`](crate::spawn) in this pool.
    pub fn spawn<OP>(&self, op: OP)
    where
        OP: FnOnce() + Send + 'static,
    {
        self.filch().spawn(op);
    }

    /// [`spawn_fifo`](crate::spawn_fifo) in this pool.
    pub fn spawn_fifo<OP>(&self, op: OP)
    where
        OP: FnOnce() + Send + 'static,
    {
        self.filch().spawn_fifo(op);
    }

    /// Runs `op` on every thread of the pool, and doesn't wait.
    pub fn spawn_broadcast<OP>(&self, op: OP)
    where
        OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
    {
        self.filch().spawn_broadcast(op);
    }

    /// [`yield_now`](crate::yield_now), if the current thread is one of this pool's.
    pub fn yield_now(&self) -> Option<Yield> {
        self.filch().yield_now()
    }

    /// [`yield_local`](crate::yield_local), if the current thread is one of this pool's.
    pub fn yield_local(&self) -> Option<Yield> {
        self.filch().yield_local()
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.detach();
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("num_threads", &self.current_num_threads())
            .finish_non_exhaustive()
    }
}
