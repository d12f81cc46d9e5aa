//! How a pool is to be, and its construction.

use crate::error::{Error, Kind};
use crate::job::Payload;
use crate::monitor::cgroup;
use crate::pool::affinity::{self, Pinning, Placement};
use crate::pool::size;
use crate::pool::spawner::{CustomSpawn, DefaultSpawn, ThreadSpawn};
use crate::pool::thread::{Seat, ThreadBuilder};
use crate::pool::thread_pool::ThreadPool;
use crate::sync::fence;
use crate::sync::{self, Ordering};
use crate::worker::handlers::Handlers;
use crate::worker::local::{Deques, Local};
use crate::worker::shared::Shared;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

type ThreadName = dyn FnMut(usize) -> String;

/// Configures and builds a [`ThreadPool`], or the global one.
///
/// Everything has a default that is right for a program that has the machine, or its
/// container, to itself.
///
/// # Examples
///
/// ```
/// let pool = filch::ThreadPoolBuilder::new()
///     .num_threads(2)
///     .thread_name(|index| format!("worker-{index}"))
///     .build()?;
/// let (a, b) = pool.join(|| 1 + 1, || 2 + 2);
/// assert_eq!((a, b), (2, 4));
/// # Ok::<(), filch::Error>(())
/// ```
pub struct ThreadPoolBuilder<S = DefaultSpawn> {
    num_threads: usize,
    use_current_thread: bool,
    pinning: Option<Pinning>,
    stack_size: Option<usize>,
    thread_name: Option<Box<ThreadName>>,
    handlers: Handlers,
    spawn: S,
}

impl Default for ThreadPoolBuilder {
    fn default() -> Self {
        Self {
            num_threads: 0,
            use_current_thread: false,
            pinning: None,
            stack_size: None,
            thread_name: None,
            handlers: Handlers::default(),
            spawn: DefaultSpawn,
        }
    }
}

impl ThreadPoolBuilder {
    /// A builder with every default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Builds a pool whose threads may borrow from the caller: each thread calls
    /// `wrapper`, which is to call [`ThreadBuilder::run`]; `with_pool` uses the pool. All
    /// threads have ended when this returns.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    ///
    /// # Panics
    /// If `with_pool` or a `wrapper` panics.
    ///
    /// # Examples
    ///
    /// ```
    /// let greeting = String::from("hello");
    /// let length = filch::ThreadPoolBuilder::new().num_threads(2).build_scoped(
    ///     |thread| {
    ///         assert_eq!(greeting, "hello"); // borrowed by the worker's thread
    ///         thread.run()
    ///     },
    ///     |pool| pool.install(|| greeting.len()),
    /// )?;
    /// assert_eq!(length, 5);
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn build_scoped<W, F, R>(self, wrapper: W, with_pool: F) -> Result<R, Error>
    where
        W: Fn(ThreadBuilder) + Sync,
        F: FnOnce(&ThreadPool) -> R,
    {
        sync::thread_scope(|scope| {
            let wrapper = &wrapper;
            let pool = self
                .spawn_handler(|thread| {
                    let mut spawner = sync::ThreadSpawner::new();
                    if let Some(name) = thread.name() {
                        spawner = spawner.name(name.to_owned());
                    }
                    if let Some(size) = thread.stack_size() {
                        spawner = spawner.stack_size(size);
                    }
                    affinity::unpinned(|| spawner.spawn_scoped(scope, move || wrapper(thread)))?;
                    Ok(())
                })
                .build()?;
            Ok(with_pool(&pool))
        })
    }
}

impl<S: ThreadSpawn> ThreadPoolBuilder<S> {
    /// Builds the pool; its threads have started, start handlers included.
    ///
    /// # Errors
    /// If a thread can't be started (those that were are stopped and joined), if the
    /// number of threads is above [`max_num_threads`](crate::max_num_threads), if `FILCH_NUM_THREADS` is consulted
    /// and isn't a number, if [`Pinning::Explicit`] names a CPU that the process may not
    /// use, or if [`use_current_thread`](Self::use_current_thread) is asked for on a
    /// worker of another pool.
    pub fn build(mut self) -> Result<ThreadPool, Error> {
        fence::prepare();
        // Miri would spend longer on these files than on the pool.
        let quota = if cfg!(miri) { None } else { cgroup::cpu_quota(Path::new("/")) };
        let workers = size::num_threads(self.num_threads, quota)?;
        if self.use_current_thread && Local::with_current(|current| current.is_some()) {
            return Err(Error::new(Kind::CurrentThreadInPool));
        }
        let fractional = quota.is_some_and(|quota| quota.is_fractional());
        let placement = Placement::new(self.pinning.take(), workers, fractional)?;
        let deques: Vec<_> = (0..workers).map(|_| Deques::default()).collect();
        let handlers = std::mem::take(&mut self.handlers);
        let shared = Arc::new(Shared::new(&deques, handlers));
        let mut pool = ThreadPool::new(Arc::clone(&shared), placement);
        let mut guest = None;
        for (index, deques) in deques.into_iter().enumerate() {
            if index == 0 && self.use_current_thread {
                guest = Some(Local::new(Arc::clone(&shared), index, deques, true));
                continue;
            }
            let thread = ThreadBuilder {
                seat: Seat::new(&shared, index),
                deques,
                name: self.thread_name.as_mut().map(|name| name(index)),
                stack_size: self.stack_size,
                cpu: pool.cpu_of(index),
            };
            match self.spawn.start(thread) {
                Ok(handle) => pool.add_worker(index, handle),
                // Dropping the pool stops those that have started.
                Err(cause) => {
                    return Err(Error::new(Kind::Spawn { worker: index, of: workers, cause }));
                }
            }
        }
        pool.wait_until_started();
        if shared.vacant.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::NeverRun));
        }
        if let Some(guest) = guest {
            pool.adopt(guest);
        }
        Ok(pool)
    }
}

impl<S> ThreadPoolBuilder<S> {
    /// How many workers the pool has: its target, and the bound for
    /// [`current_thread_index`](crate::current_thread_index). 0, the default, stands for
    /// the variable `FILCH_NUM_THREADS` if that is set and not 0, else for the number of
    /// CPUs in the process's affinity mask, or its cgroup's CPU quota (v1 or v2, rounded
    /// up) if that is less.
    pub fn num_threads(mut self, num_threads: usize) -> Self {
        self.num_threads = num_threads;
        self
    }

    /// Names each thread, by its index.
    pub fn thread_name<F>(mut self, name: F) -> Self
    where
        F: FnMut(usize) -> String + 'static,
    {
        self.thread_name = Some(Box::new(name));
        self
    }

    /// The size of each thread's stack, in bytes. Default: the standard library's, 2 MiB
    /// unless `RUST_MIN_STACK` says otherwise.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// On which CPUs the workers run. Default: [`Pinning::Cores`] for a pool with as many
    /// workers as the process has CPUs if no other pinned pool lives, else
    /// [`Pinning::None`]. Under a quota of a fraction of a CPU, `Cores` means `None`.
    pub fn pinning(mut self, pinning: Pinning) -> Self {
        self.pinning = Some(pinning);
        self
    }

    /// Called with the payload of each panic that no caller can be told of: in a task of
    /// `spawn` or `spawn_broadcast`, and in a start or exit handler. Default: a message on
    /// standard error, then abort. A panic in the handler itself aborts, too.
    pub fn panic_handler<H>(mut self, handler: H) -> Self
    where
        H: Fn(Payload) + Send + Sync + 'static,
    {
        self.handlers.panic = Some(Box::new(handler));
        self
    }

    /// Called on each thread with its index before it takes work. Not called for the
    /// thread of [`use_current_thread`](Self::use_current_thread).
    pub fn start_handler<H>(mut self, handler: H) -> Self
    where
        H: Fn(usize) + Send + Sync + 'static,
    {
        self.handlers.start = Some(Box::new(handler));
        self
    }

    /// Called on each thread with its index after its last work. Not called for the
    /// thread of [`use_current_thread`](Self::use_current_thread).
    pub fn exit_handler<H>(mut self, handler: H) -> Self
    where
        H: Fn(usize) + Send + Sync + 'static,
    {
        self.handlers.exit = Some(Box::new(handler));
        self
    }

    /// Makes the thread that builds the pool its worker 0, one of the `num_threads`.
    ///
    /// It works for the pool while it waits in one of its verbs; other tasks it runs in
    /// [`yield_now`](crate::yield_now), while it waits for a handle, and in
    /// [`shutdown`](ThreadPool::shutdown), which is to be called on this very thread. It
    /// is never pinned.
    pub fn use_current_thread(mut self) -> Self {
        self.use_current_thread = true;
        self
    }

    /// Starts threads by `spawn`, which sees to it that some thread calls
    /// [`ThreadBuilder::run`] soon: the build waits for it. An error from `spawn`, or a
    /// `ThreadBuilder` that is dropped, makes the build fail.
    pub fn spawn_handler<F>(self, spawn: F) -> ThreadPoolBuilder<CustomSpawn<F>>
    where
        F: FnMut(ThreadBuilder) -> io::Result<()>,
    {
        ThreadPoolBuilder {
            num_threads: self.num_threads,
            use_current_thread: self.use_current_thread,
            pinning: self.pinning,
            stack_size: self.stack_size,
            thread_name: self.thread_name,
            handlers: self.handlers,
            spawn: CustomSpawn(spawn),
        }
    }
}

impl<S> fmt::Debug for ThreadPoolBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("num_threads", &self.num_threads)
            .field("use_current_thread", &self.use_current_thread)
            .field("pinning", &self.pinning)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}
