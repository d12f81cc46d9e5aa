//! A pool's way to the `metrics` facade.

use crate::export::publisher::MetricsPublisher;
use crate::pool::thread_pool::ThreadPool;
use crate::telemetry::latency;

impl MetricsPublisher {
    /// Publishes what is known of the pool, to the recorder that is installed, if there is one.
    ///
    /// What isn't there is left out; a gauge that was there the last time becomes NaN: of a worker, a network
    /// interface or a file system that is gone, too. Of latencies, what has been measured since the last
    /// time is recorded.
    ///
    /// The first call describes the metrics, so a recorder is to be installed before: one that comes later gets no
    /// descriptions, nor the latencies that were measured until then.
    ///
    /// Costs a [`snapshot`](ThreadPool::snapshot), and a look into the recorder's registry for each number: more than
    /// a hundred, and some forty for each worker. That is 60 microseconds with 2 workers and 220 with 32
    /// (`cargo bench --features metrics --bench monitoring`), and up to half as much again for what
    /// `metrics-exporter-prometheus` does with them. A recorder that keeps the times of tasks one by one, as that does,
    /// takes 30 nanoseconds more for each that has been measured.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
    /// let mut publisher = filch::MetricsPublisher::new();
    /// publisher.publish(&pool);
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn publish(&mut self, pool: &ThreadPool) {
        let shared = pool.shared();
        let latencies: Vec<_> = shared.workers().map(|worker| &worker.latencies).collect();
        let tallies = |latency| latency::tallies(&latencies, latency, &shared.labels);
        self.put(&pool.snapshot(), tallies, 1e-9 * shared.clock.nanoseconds_per_tick());
    }
}
