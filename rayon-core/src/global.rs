//! The free functions: in the pool of the current thread, or else in the global one, which is this
//! crate's own and not filch's.

use crate::builder::ThreadPoolBuilder;
use crate::error::ThreadPoolBuildError;
use crate::spawner::ThreadSpawn;
use crate::thread_pool::ThreadPool;
use crate::{BroadcastContext, FnContext, Scope, ScopeFifo};
use std::sync::{Mutex, OnceLock, PoisonError};

static GLOBAL: OnceLock<ThreadPool> = OnceLock::new();
/// Held while the pool is built, so that it is built once.
static BUILDING: Mutex<()> = Mutex::new(());

pub fn set<S: ThreadSpawn>(builder: ThreadPoolBuilder<S>) -> Result<(), ThreadPoolBuildError> {
    let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    if GLOBAL.get().is_some() {
        return Err(ThreadPoolBuildError::global_pool_exists());
    }
    let pool = builder.build()?;
    GLOBAL.get_or_init(|| pool);
    Ok(())
}

#[cold]
fn global() -> &'static filch::ThreadPool {
    if GLOBAL.get().is_none()
        && let Err(error) = set(ThreadPoolBuilder::new())
    {
        assert!(
            GLOBAL.get().is_some(),
            "The global thread pool has not been initialized.: {error}"
        );
    }
    GLOBAL.get().expect("rayon-core: a global pool that was built is there").filch()
}

/// Whether filch's free functions, too, mean the pool of this thread.
#[inline(always)]
fn is_worker() -> bool {
    filch::current_thread_index().is_some()
}

/// The number of threads of the current pool.
pub fn current_num_threads() -> usize {
    if is_worker() { filch::current_num_threads() } else { global().current_num_threads() }
}

/// Runs both closures, perhaps in parallel, and returns what they return.
///
/// # Panics
/// If one of them does, once both have ended; with the first one's payload if both do.
#[inline(always)]
pub fn join<A, B, RA, RB>(oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    if is_worker() { filch::join(oper_a, oper_b) } else { global().join(oper_a, oper_b) }
}

/// As [`join`], telling each closure whether it has moved to another thread.
///
/// # Panics
/// As [`join`].
#[inline(always)]
pub fn join_context<A, B, RA, RB>(oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA + Send,
    B: FnOnce(FnContext) -> RB + Send,
    RA: Send,
    RB: Send,
{
    if is_worker() {
        filch::join_context(oper_a, oper_b)
    } else {
        global().join_context(oper_a, oper_b)
    }
}

/// Calls `op` with a scope in which it may spawn tasks that borrow from outside it, and waits for
/// all of them.
///
/// # Panics
/// If `op` or a task does, once all have ended.
pub fn scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R + Send,
    R: Send,
{
    if is_worker() { filch::scope(op) } else { global().scope(op) }
}

/// As [`scope`], but tasks that one thread spawns are begun in the order of their spawning.
///
/// # Panics
/// As [`scope`].
pub fn scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
    R: Send,
{
    if is_worker() { filch::scope_fifo(op) } else { global().scope_fifo(op) }
}

/// As [`scope`], but `op` runs on the calling thread, be it in a pool or not.
///
/// # Panics
/// As [`scope`].
pub fn in_place_scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R,
{
    if is_worker() { filch::in_place_scope(op) } else { global().in_place_scope(op) }
}

/// As [`scope_fifo`], but `op` runs on the calling thread, be it in a pool or not.
///
/// # Panics
/// As [`scope`].
pub fn in_place_scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R,
{
    if is_worker() { filch::in_place_scope_fifo(op) } else { global().in_place_scope_fifo(op) }
}

/// Starts a task and doesn't wait for it. Of those that a worker has spawned, it runs the youngest
/// first.
pub fn spawn<F>(func: F)
where
    F: FnOnce() + Send + 'static,
{
    if is_worker() { filch::spawn(func) } else { global().spawn(func) }
}

/// As [`spawn`], but tasks that one worker spawns so are begun in the order of their spawning.
pub fn spawn_fifo<F>(func: F)
where
    F: FnOnce() + Send + 'static,
{
    if is_worker() { filch::spawn_fifo(func) } else { global().spawn_fifo(func) }
}

/// Runs `op` on every thread of the current pool, and returns what it returns, by index.
///
/// # Panics
/// If `op` does.
pub fn broadcast<OP, R>(op: OP) -> Vec<R>
where
    OP: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    if is_worker() { filch::broadcast(op) } else { global().broadcast(op) }
}

/// Runs `op` on every thread of the current pool, and doesn't wait.
pub fn spawn_broadcast<OP>(op: OP)
where
    OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
{
    if is_worker() { filch::spawn_broadcast(op) } else { global().spawn_broadcast(op) }
}
