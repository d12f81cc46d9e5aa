//! Tasks with more to them than a closure: labels, by which their latencies are told apart, and limits.

use crate::construct::admit::{Patience, admit};
use crate::construct::cancel::CancelToken;
use crate::construct::detached::detached_work;
use crate::construct::handle::{JoinHandle, counting_errors, spawn_handle_within};
use crate::construct::limits::Limits;
use crate::construct::push::Order;
use crate::construct::spawn::{accepted, in_current_pool, push_detached, spawn_in};
use crate::pool::thread_pool::ThreadPool;
use crate::resources::admission::Place;
use crate::worker::local::Local;
use crate::worker::shared::Shared;
use std::sync::Arc;
use std::time::Instant;

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
    token: Option<&'p CancelToken>,
    deadline: Option<Instant>,
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

    /// Not to be begun once the token has been cancelled: the worker whose turn it is to run the task
    /// then drops it, and counts it in [`Counters::cancelled`](crate::Counters::cancelled); its handle
    /// returns [`Cancelled`](crate::Cancelled).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
    /// let token = filch::CancelToken::new();
    /// pool.install(|| {
    ///     let task = filch::TaskBuilder::new().token(&token).spawn_handle(|| unreachable!());
    ///     token.cancel(); // the only worker is busy with us
    ///     assert!(task.join().unwrap_err().is::<filch::Cancelled>());
    /// });
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn token(self, token: &'p CancelToken) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Not to be begun from this time on: if it has come when it is the task's turn, the worker drops the
    /// task, and counts it in [`Counters::expired`](crate::Counters::expired); its handle returns
    /// [`Expired`](crate::Expired). A task that has begun is left alone, and nobody is told at the time
    /// itself: who waits for the task waits until its turn. Costs a look at the clock.
    ///
    /// It is a time and not a duration so that all the tasks of a request can have the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let soon = Instant::now() + Duration::from_secs(60);
    /// let task = filch::TaskBuilder::new().deadline(soon).spawn_handle(|| 6 * 7);
    /// assert_eq!(task.join().unwrap(), 42);
    /// ```
    pub fn deadline(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    #[track_caller]
    fn in_pool<R>(&self, start: impl FnOnce(&Arc<Shared>) -> R) -> R {
        match self.pool {
            Some(pool) => start(pool.shared()),
            None => in_current_pool(start),
        }
    }

    #[track_caller]
    fn push<F>(&self, task: F, order: Order)
    where
        F: FnOnce() + Send + 'static,
    {
        accepted(self.in_pool(|shared| {
            let Some(limits) = Limits::new(self.token, self.deadline) else {
                return spawn_in(shared, order, self.label, Patience::Endless, task);
            };
            let place = shared.admission.get().map(|admission| admit(shared, admission));
            let into_job = |task: F, local: Option<&Local>| {
                detached_work(shared, local, self.label, move |local, noted| {
                    // Nobody else is told of it, so it is not to be shed.
                    place.into_iter().for_each(Place::begin);
                    // No handle wants to know.
                    drop(limits.begin(&local.shared, || local.run_noted(noted, task)));
                })
            };
            push_detached(shared, order, task, into_job)
        }));
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
        self.push(task, Order::Lifo);
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
        self.push(task, Order::Fifo);
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
        let limits = Limits::new(self.token, self.deadline);
        accepted(self.in_pool(|shared| spawn_handle_within(limits, shared, self.label, task)))
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
