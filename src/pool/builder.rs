//! How a pool is to be. How many workers it has: elastic.rs; what is to be known of it: facts.rs and
//! trace.rs; its construction: build.rs.

use crate::job::Payload;
use crate::monitor::monitoring::Monitoring;
use crate::policy::scaling::ScalingPolicy;
use crate::policy::victim::VictimPolicy;
use crate::policy::wait::WaitPolicy;
use crate::pool::affinity::Pinning;
use crate::pool::spawner::{CustomSpawn, DefaultSpawn};
use crate::pool::thread::ThreadBuilder;
use crate::resources::admission::AdmissionConfig;
use crate::resources::config::BudgetConfig;
use crate::worker::handlers::Handlers;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Long enough that a task which waits now and then for a page of a file isn't taken for
/// one that has blocked; short enough that people who wait for the others don't notice.
const DETECT_BLOCKING: Duration = Duration::from_millis(10);

/// What the frames of a worker and of a small task need, with plenty to spare: without
/// optimisation an idle worker needs up to 24 kB.
const MIN_STACK_SIZE: usize = 64 << 10;

type ThreadName = dyn FnMut(usize) -> String;

/// Configures and builds a [`ThreadPool`](crate::ThreadPool), or the global one.
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
    pub(super) num_threads: usize,
    pub(super) max_threads: Option<usize>,
    pub(super) min_threads: Option<usize>,
    pub(super) scaling: Option<ScalingPolicy>,
    pub(super) idle_timeout: Duration,
    pub(super) max_queued_per_worker: usize,
    pub(super) wait_policy: WaitPolicy,
    pub(super) victim_policy: VictimPolicy,
    pub(super) detect_blocking: Option<Duration>,
    pub(super) use_current_thread: bool,
    pub(super) wait_until_started: bool,
    pub(super) pinning: Option<Pinning>,
    pub(super) stack_size: Option<usize>,
    pub(super) thread_name: Option<Box<ThreadName>>,
    pub(super) handlers: Handlers,
    pub(super) monitoring: Monitoring,
    pub(super) budget: BudgetConfig,
    pub(super) admission: AdmissionConfig,
    pub(super) flight_recorder: Option<usize>,
    pub(super) trace_on_panic: Option<PathBuf>,
    pub(super) spawn: S,
}

impl Default for ThreadPoolBuilder {
    fn default() -> Self {
        Self {
            num_threads: 0,
            max_threads: None,
            min_threads: None,
            scaling: None,
            idle_timeout: Duration::from_secs(300),
            max_queued_per_worker: 100,
            wait_policy: WaitPolicy::default(),
            victim_policy: VictimPolicy::default(),
            detect_blocking: Some(DETECT_BLOCKING),
            use_current_thread: false,
            wait_until_started: true,
            pinning: None,
            stack_size: None,
            thread_name: None,
            handlers: Handlers::default(),
            monitoring: Monitoring::default(),
            budget: BudgetConfig::default(),
            admission: AdmissionConfig::default(),
            flight_recorder: None,
            trace_on_panic: None,
            spawn: DefaultSpawn,
        }
    }
}

impl ThreadPoolBuilder {
    /// A builder with every default.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> ThreadPoolBuilder<S> {
    /// How many workers the pool has that run at a time. The threads may be more, and their
    /// indices higher: see [`max_threads`](Self::max_threads). 0, the default, stands for
    /// the variable `FILCH_NUM_THREADS` if that is set and not 0, else for the number of
    /// CPUs in the process's affinity mask (on Linux: its main thread's, when the first pool
    /// is built), or its cgroup's CPU quota (v1 or v2, rounded up) if that is less; then the pool
    /// [adapts](Self::scaling) to what changes.
    pub fn num_threads(mut self, num_threads: usize) -> Self {
        self.num_threads = num_threads;
        self
    }

    /// What a worker may run while it waits. Default: [`WaitPolicy::Descendants`].
    pub fn wait_policy(mut self, policy: WaitPolicy) -> Self {
        self.wait_policy = policy;
        self
    }

    /// After how long a worker that sleeps in the kernel in the midst of a task, in a system
    /// call or for a lock, say, counts as blocked, so that a spare takes its place, as if the
    /// task had called [`blocking`](crate::blocking). `None` switches that off. A worker is
    /// found out within twice this time. Default: 10 ms.
    ///
    /// A thread of its own looks into `/proc` that often, but only while work waits and all
    /// workers are busy; else it sleeps. So this works on Linux only.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = filch::ThreadPoolBuilder::new()
    ///     .num_threads(1)
    ///     .detect_blocking(Some(Duration::from_millis(5)))
    ///     .build()?;
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// # if cfg!(target_os = "linux") {
    /// // Without a second thread, neither would end.
    /// let received = pool.spawn_handle(move || receiver.recv().unwrap());
    /// pool.spawn(move || sender.send(42).unwrap());
    /// assert_eq!(received.join().unwrap(), 42);
    /// # }
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn detect_blocking(mut self, after: Option<Duration>) -> Self {
        self.detect_blocking = after;
        self
    }

    /// Names each thread, by its index. Spares are named `filch-spare-` and their index. A
    /// name with a NUL byte in it is an error when the pool is built.
    pub fn thread_name<F>(mut self, name: F) -> Self
    where
        F: FnMut(usize) -> String + 'static,
    {
        self.thread_name = Some(Box::new(name));
        self
    }

    /// The size of each thread's stack, in bytes, spares' included. Default: the standard
    /// library's, 2 MiB unless `RUST_MIN_STACK` says otherwise.
    ///
    /// Less than 64 KiB counts as 64 KiB: the pool itself must have room. A size that the
    /// system can't provide is an error when the pool is built.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes.max(MIN_STACK_SIZE));
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
    ///
    /// Not for a task of `spawn_handle`: its handle returns the panic. Whoever drops the
    /// handle says that the outcome doesn't matter, so a panic is then only counted
    /// ([`Counters::panics`](crate::Counters::panics)), as are the second and later panics of
    /// one join, scope or broadcast.
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
    /// It works for the pool while it waits in one of its verbs; other tasks it runs in [`yield_now`](crate::yield_now),
    /// while it waits for a handle, and in [`shutdown`](crate::ThreadPool::shutdown), which is to be called on this very
    /// thread. It is never pinned. When it ends, others run what is for it. If there are none, nor may be, it runs all there
    /// is first; what comes later isn't run, as stderr says when the pool ends.
    pub fn use_current_thread(mut self) -> Self {
        self.use_current_thread = true;
        self
    }

    /// Whether the build waits until every thread has begun, start handlers included. Default:
    /// true. If not, start handlers may wait for the thread that builds the pool, and a
    /// [`spawn_handler`](Self::spawn_handler) may put off its threads; but a `ThreadBuilder` that
    /// it drops is no error then: the pool has a worker less.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, Barrier};
    ///
    /// let all = Arc::new(Barrier::new(3));
    /// let theirs = Arc::clone(&all);
    /// let pool = filch::ThreadPoolBuilder::new()
    ///     .num_threads(2)
    ///     .start_handler(move |_| _ = theirs.wait())
    ///     .wait_until_started(false)
    ///     .build()?;
    /// all.wait();
    /// # pool.shutdown()?;
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn wait_until_started(mut self, wait: bool) -> Self {
        self.wait_until_started = wait;
        self
    }

    /// Starts threads by `spawn`, which sees to it that some thread calls
    /// [`ThreadBuilder::run`] soon: the build waits for it, unless told
    /// [otherwise](Self::wait_until_started). An error from `spawn`, or a `ThreadBuilder` that is
    /// dropped meanwhile, makes the build fail.
    pub fn spawn_handler<F>(self, spawn: F) -> ThreadPoolBuilder<CustomSpawn<F>>
    where
        F: FnMut(ThreadBuilder) -> io::Result<()>,
    {
        ThreadPoolBuilder {
            num_threads: self.num_threads,
            max_threads: self.max_threads,
            min_threads: self.min_threads,
            scaling: self.scaling,
            idle_timeout: self.idle_timeout,
            max_queued_per_worker: self.max_queued_per_worker,
            wait_policy: self.wait_policy,
            victim_policy: self.victim_policy,
            detect_blocking: self.detect_blocking,
            use_current_thread: self.use_current_thread,
            wait_until_started: self.wait_until_started,
            pinning: self.pinning,
            stack_size: self.stack_size,
            thread_name: self.thread_name,
            handlers: self.handlers,
            monitoring: self.monitoring,
            budget: self.budget,
            admission: self.admission,
            flight_recorder: self.flight_recorder,
            trace_on_panic: self.trace_on_panic,
            spawn: CustomSpawn(spawn),
        }
    }
}

impl<S> fmt::Debug for ThreadPoolBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("num_threads", &self.num_threads)
            .field("max_threads", &self.max_threads)
            .field("wait_policy", &self.wait_policy)
            .field("use_current_thread", &self.use_current_thread)
            .field("pinning", &self.pinning)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}
