//! How a pool is to be.

use crate::error::ThreadPoolBuildError;
use crate::global;
use crate::size;
use crate::spawner::{CustomSpawn, DefaultSpawn, ThreadBuilder, ThreadSpawn};
use crate::thread_pool::ThreadPool;
use filch::WaitPolicy;
use std::any::Any;
use std::env;
use std::fmt;
use std::io;
use std::thread;

/// Configures and builds a [`ThreadPool`], or the global one.
///
/// Threads float, as rayon's do; the variable `FILCH_PINNING=cores` gives each a CPU of its own, as
/// filch does by default.
///
/// # Examples
///
/// ```
/// # use rayon_core as rayon;
/// let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build()?;
/// assert_eq!(pool.install(rayon::current_num_threads), 8);
/// # Ok::<(), rayon::ThreadPoolBuildError>(())
/// ```
pub struct ThreadPoolBuilder<S = DefaultSpawn> {
    pool: filch::ThreadPoolBuilder,
    num_threads: usize,
    use_current_thread: bool,
    stack_size: Option<usize>,
    spawn: S,
}

impl Default for ThreadPoolBuilder {
    fn default() -> Self {
        // Rayon's threads float, and there are never more of them than were asked for: people index
        // arrays by the thread.
        let pinning = match env::var("FILCH_PINNING").as_deref() {
            Ok("cores") => filch::Pinning::Cores,
            _ => filch::Pinning::None,
        };
        let pool = filch::ThreadPoolBuilder::new()
            .pinning(pinning)
            .wait_until_started(false)
            .monitoring(filch::Monitoring::off());
        Self {
            pool,
            num_threads: 0,
            use_current_thread: false,
            stack_size: None,
            spawn: DefaultSpawn,
        }
    }
}

impl ThreadPoolBuilder {
    /// A builder with every default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Builds a pool whose threads may borrow from the caller: each thread calls `wrapper`, which is
    /// to call [`ThreadBuilder::run`]; `with_pool` uses the pool. All threads have ended when
    /// this returns.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_scoped<W, F, R>(self, wrapper: W, with_pool: F) -> Result<R, ThreadPoolBuildError>
    where
        W: Fn(ThreadBuilder) + Sync,
        F: FnOnce(&ThreadPool) -> R,
    {
        thread::scope(|scope| {
            let wrapper = &wrapper;
            let pool = self
                .spawn_handler(|thread| {
                    let mut builder = thread::Builder::new();
                    if let Some(name) = thread.name() {
                        builder = builder.name(name.to_owned());
                    }
                    if let Some(size) = thread.stack_size() {
                        builder = builder.stack_size(size);
                    }
                    // Not on the CPU of whoever builds the pool, should that be a pinned worker.
                    filch::unpinned(|| builder.spawn_scoped(scope, move || wrapper(thread)))?;
                    Ok(())
                })
                .build()?;
            Ok(with_pool(&pool))
        })
    }
}

impl<S: ThreadSpawn> ThreadPoolBuilder<S> {
    /// Builds the pool. Its threads may not have begun when this returns.
    ///
    /// # Errors
    /// If a thread can't be started (those that were are stopped), or if
    /// [`use_current_thread`](Self::use_current_thread) is asked for on a worker of another pool.
    pub fn build(self) -> Result<ThreadPool, ThreadPoolBuildError> {
        let threads = size::num_threads(self.num_threads);
        // On one thread all tasks have a definite order under rayon, in waits, too.
        let waits = if threads == 1 { WaitPolicy::Any } else { WaitPolicy::Descendants };
        let pool = self.pool.num_threads(threads).max_threads(threads).wait_policy(waits);
        Ok(ThreadPool::of(self.spawn.build(pool, self.stack_size)?))
    }

    /// Builds the global pool, which the free functions use. Without this call, the first use
    /// builds it with every default.
    ///
    /// # Errors
    /// As [`build`](Self::build), and if there is a global pool already.
    pub fn build_global(self) -> Result<(), ThreadPoolBuildError> {
        global::set(self)
    }
}

impl<S> ThreadPoolBuilder<S> {
    /// Starts threads by `spawn`, which sees to it that some thread calls [`ThreadBuilder::run`]. An
    /// error from `spawn` makes the build fail.
    pub fn spawn_handler<F>(self, spawn: F) -> ThreadPoolBuilder<CustomSpawn<F>>
    where
        F: FnMut(ThreadBuilder) -> io::Result<()>,
    {
        let Self { pool, num_threads, use_current_thread, stack_size, spawn: _ } = self;
        let spawn = CustomSpawn(spawn);
        ThreadPoolBuilder { pool, num_threads, use_current_thread, stack_size, spawn }
    }

    /// Names each thread, by its index.
    pub fn thread_name<F>(mut self, closure: F) -> Self
    where
        F: FnMut(usize) -> String + 'static,
    {
        self.pool = self.pool.thread_name(closure);
        self
    }

    /// How many threads the pool has. 0, the default, stands for the variable `RAYON_NUM_THREADS` if
    /// that is set and not 0, else for the number of CPUs that the process may use.
    pub fn num_threads(mut self, num_threads: usize) -> Self {
        self.num_threads = num_threads;
        self
    }

    /// Makes the thread that builds the pool its worker 0, one of the
    /// [`num_threads`](Self::num_threads). It works for the pool while it waits in one of its verbs,
    /// and in [`yield_now`](crate::yield_now).
    pub fn use_current_thread(mut self) -> Self {
        self.pool = self.pool.use_current_thread();
        self.use_current_thread = true;
        self
    }

    /// Called with the payload of each panic that no caller can be told of. Default: abort.
    pub fn panic_handler<H>(mut self, panic_handler: H) -> Self
    where
        H: Fn(Box<dyn Any + Send>) + Send + Sync + 'static,
    {
        self.pool = self.pool.panic_handler(panic_handler);
        self
    }

    /// The size of each thread's stack, in bytes; at least 64 KiB, whatever is asked for.
    pub fn stack_size(mut self, stack_size: usize) -> Self {
        self.pool = self.pool.stack_size(stack_size);
        self.stack_size = Some(stack_size);
        self
    }

    /// Without effect.
    #[deprecated(note = "use `scope_fifo` and `spawn_fifo` for similar effect")]
    pub fn breadth_first(self) -> Self {
        self
    }

    /// Called on each thread with its index before it takes work.
    pub fn start_handler<H>(mut self, start_handler: H) -> Self
    where
        H: Fn(usize) + Send + Sync + 'static,
    {
        self.pool = self.pool.start_handler(start_handler);
        self
    }

    /// Called on each thread with its index after its last work.
    pub fn exit_handler<H>(mut self, exit_handler: H) -> Self
    where
        H: Fn(usize) + Send + Sync + 'static,
    {
        self.pool = self.pool.exit_handler(exit_handler);
        self
    }
}

impl<S> fmt::Debug for ThreadPoolBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("num_threads", &self.num_threads)
            .field("use_current_thread", &self.use_current_thread)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}
