//! What a pool says of itself and of its machine.

use crate::monitor::monitoring::Monitoring;
use crate::monitor::work;
use crate::pool::builder::ThreadPoolBuilder;
use crate::pool::thread_pool::ThreadPool;
use crate::telemetry::counters::Counters;
use crate::telemetry::history::Taken;
use crate::telemetry::labels::Class;
use crate::telemetry::latency::{self, Latency, LatencySnapshot, TaskLatency};
use crate::telemetry::readings::Reading;
use crate::telemetry::snapshot::{self, Snapshot, Source};
use crate::telemetry::workers::{PoolSnapshot, WorkerSnapshot};
use crate::worker::remote::Remote;
use hdrhistogram::Histogram;

impl<S> ThreadPoolBuilder<S> {
    /// What the pool reads of its machine, and how often, for
    /// [`ThreadPool::snapshot`](crate::ThreadPool::snapshot). Default: [`Monitoring::new`], on a
    /// thread of its own. Not in a pool with a [`spawn_handler`](Self::spawn_handler) or of
    /// [`build_scoped`](Self::build_scoped), which can't start that, and on Linux only; tasks are timed in all pools.
    pub fn monitoring(mut self, monitoring: Monitoring) -> Self {
        self.monitoring = monitoring;
        self
    }
}

impl ThreadPool {
    /// What the pool's workers have done so far. Costs a few loads a worker.
    pub fn counters(&self) -> Counters {
        self.shared().counters()
    }

    /// What is known of the pool and its machine: what the pool counts, as it is now, and the last
    /// readings of its [monitors](crate::Monitoring). Copies all readings that are kept, which takes some
    /// tens of microseconds. Never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
    /// println!("{}", pool.snapshot());
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        let shared = self.shared();
        let pool = PoolSnapshot {
            num_threads: shared.num_threads(),
            seats: shared.seats.count(),
            strain: shared.strain(),
            ..PoolSnapshot::new(self.counters(), work::now(shared))
        };
        let now = shared.clock.elapsed();
        let tick = shared.clock.nanoseconds_per_tick();
        let worker = |(index, remote): (usize, &Remote)| WorkerSnapshot {
            counters: remote.counted(),
            steals_from: remote.thefts.read(),
            queued: remote.queued(),
            memory: remote.memory(),
            tid: remote.tid.get(),
            task: remote.current.read(&shared.labels, shared.clock.ticks(), tick),
            latency: TaskLatency::new(&[&remote.latencies], None, tick),
            pinned_to: self.cpu_of(index),
            ..WorkerSnapshot::new(index, remote.seen(now), now)
        };
        let workers = shared.roster().map(worker).collect();
        let latencies: Vec<_> = shared.workers().map(|worker| &worker.latencies).collect();
        let latency = LatencySnapshot::new(shared.one_in, &latencies, &shared.labels, tick);
        let mut snapshot = Snapshot::new(pool, workers, latency, self.readings());
        snapshot.leases = shared.purse.seen();
        snapshot.alerts.clone_from(&shared.alarm.alerts().firing);
        for worker in &mut snapshot.workers {
            worker.reasons = shared.rules.reasons(&worker.health).collect();
        }
        snapshot
    }

    /// How long tasks took that were timed, in nanoseconds, since the pool was built; or workers to
    /// wake. To see what came of a time, subtract the histogram of its beginning.
    ///
    /// Exact to 4 %. Takes 43 kB and a few microseconds.
    ///
    /// # Examples
    ///
    /// ```
    /// use filch::Latency;
    ///
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
    /// pool.spawn_handle(|| ()).join().unwrap();
    /// let waits = pool.histogram(Latency::QueueWait);
    /// println!("{} of {} tasks waited longer than 1 ms", waits.len() - waits.count_between(0, 1_000_000), waits.len());
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn histogram(&self, latency: Latency) -> Histogram<u64> {
        self.histogram_of_class(latency, None)
    }

    /// As [`histogram`](Self::histogram), of the tasks with this label only; `None` if there has been
    /// none.
    pub fn histogram_of(&self, label: &str, latency: Latency) -> Option<Histogram<u64>> {
        let class = self.shared().labels.find(label)?;
        Some(self.histogram_of_class(latency, Some(class)))
    }

    fn histogram_of_class(&self, latency: Latency, class: Option<Class>) -> Histogram<u64> {
        let shared = self.shared();
        let latencies: Vec<_> = shared.workers().map(|worker| &worker.latencies).collect();
        let tick = shared.clock.nanoseconds_per_tick();
        latency::tally(&latencies, latency, class).histogram(tick)
    }

    fn readings(&self) -> Source<'_> {
        self.shared().readings.as_ref().map_err(|&why| why)
    }

    /// The readings of one kind that are kept, the oldest first: how many, [`Monitoring`] says.
    ///
    /// [`Monitoring`]: crate::Monitoring
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
    /// for taken in pool.history::<filch::Memory>() {
    ///     println!("{:?} ago: {:?}", taken.age, taken.reading.available);
    /// }
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn history<T: Reading>(&self) -> Vec<Taken<T>> {
        snapshot::history(self.readings())
    }
}
