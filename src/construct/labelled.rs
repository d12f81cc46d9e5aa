//! Tasks with labels, by which their latencies are told apart.

use crate::construct::admit::Patience;
use crate::construct::handle::{JoinHandle, counting_errors, spawn_handle_in};
use crate::construct::push::Order;
use crate::construct::spawn::{accepted, in_current_pool, spawn_in};
use crate::pool::thread_pool::ThreadPool;
use crate::worker::shared::Shared;
use std::sync::Arc;

/// [`spawn`](crate::spawn()) with a label: see [`TaskBuilder::label`].
///
/// # Panics
/// As [`spawn`](crate::spawn()).
///
/// # Examples
///
/// ```
/// let (sender, receiver) = std::sync::mpsc::channel();
/// filch::spawn_named("answer", move || sender.send(42).unwrap());
/// assert_eq!(receiver.recv(), Ok(42));
/// ```
#[track_caller]
pub fn spawn_named<F>(label: &'static str, task: F)
where
    F: FnOnce() + Send + 'static,
{
    accepted(in_current_pool(|shared| {
        spawn_in(shared, Order::Lifo, Some(label), Patience::Endless, task)
    }));
}

/// How a task is to be started.
///
/// # Examples
///
/// ```
/// let pool = filch::ThreadPoolBuilder::new()
///     .num_threads(1)
///     .monitoring(filch::Monitoring::new().latency(1)) // time every task
///     .build()?;
/// let task = filch::TaskBuilder::new().label("decode").pool(&pool);
/// task.spawn_handle(|| 6 * 7).join().unwrap();
/// let latency = pool.snapshot().latency;
/// assert_eq!((latency.labelled[0].0, latency.labelled[0].1.run_time.count), ("decode", 1));
/// # Ok::<(), filch::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskBuilder<'p> {
    pool: Option<&'p ThreadPool>,
    label: Option<&'static str>,
}

impl<'p> TaskBuilder<'p> {
    /// For a task without a label in the current pool, as [`spawn`](crate::spawn()) starts it.
    pub fn new() -> Self {
        Self::default()
    }

    /// In this pool.
    pub fn pool(self, pool: &'p ThreadPool) -> Self {
        Self { pool: Some(pool), ..self }
    }

    /// Of a class of its own. [`LatencySnapshot::labelled`](crate::LatencySnapshot::labelled) has
    /// the latencies of those of its tasks that are timed, and
    /// [`WorkerSnapshot::task`](crate::WorkerSnapshot::task) says where one runs. Costs tens
    /// of nanoseconds a task: the more, the more labels the pool has seen before this one.
    ///
    /// A pool tells the first 30 labels apart, and all others from those: they share the label
    /// `others`.
    pub fn label(self, label: &'static str) -> Self {
        Self { label: Some(label), ..self }
    }

    #[track_caller]
    fn in_pool<R>(&self, start: impl FnOnce(&Arc<Shared>) -> R) -> R {
        match self.pool {
            Some(pool) => start(pool.shared()),
            None => in_current_pool(start),
        }
    }

    /// As [`spawn`](crate::spawn()).
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn spawn<F>(&self, task: F)
    where
        F: FnOnce() + Send + 'static,
    {
        accepted(
            self.in_pool(|shared| {
                spawn_in(shared, Order::Lifo, self.label, Patience::Endless, task)
            }),
        );
    }

    /// As [`spawn_fifo`](crate::spawn_fifo).
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn spawn_fifo<F>(&self, task: F)
    where
        F: FnOnce() + Send + 'static,
    {
        accepted(
            self.in_pool(|shared| {
                spawn_in(shared, Order::Fifo, self.label, Patience::Endless, task)
            }),
        );
    }

    /// As [`spawn_handle`](crate::spawn_handle).
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn spawn_handle<F, T>(&self, task: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        accepted(self.in_pool(|shared| spawn_handle_in(shared, self.label, task)))
    }

    /// As [`try_spawn_handle`](crate::try_spawn_handle).
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn try_spawn_handle<F, T, E>(&self, task: F) -> JoinHandle<Result<T, E>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.spawn_handle(counting_errors(task))
    }
}

impl ThreadPool {
    /// [`spawn_named`] in this pool.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn spawn_named<F>(&self, label: &'static str, task: F)
    where
        F: FnOnce() + Send + 'static,
    {
        accepted(spawn_in(self.shared(), Order::Lifo, Some(label), Patience::Endless, task));
    }
}
