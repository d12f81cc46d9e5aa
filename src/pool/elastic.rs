//! How many workers a pool has, and how that changes.

use crate::error::{Error, Kind};
use crate::policy::scaling::{Bounds, Elasticity, Member, ScalingPolicy, rank};
use crate::pool::builder::ThreadPoolBuilder;
use crate::pool::thread_pool::ThreadPool;
use crate::worker::shared::Shared;
use std::ops::RangeInclusive;
use std::time::Duration;

impl<S> ThreadPoolBuilder<S> {
    /// How many threads the pool has at most: its workers and the *spares* that take the
    /// places of workers which block, in a wait or in [`blocking`](crate::blocking). No more
    /// than [`num_threads`](Self::num_threads) run at a time, save that a spare ends its task
    /// when the one it stood in for comes back. A spare gets a thread when it is first
    /// needed, and keeps it until nobody has needed it for [`idle_timeout`](Self::idle_timeout). At
    /// the maximum, workers that block are not replaced; if none runs any more, a waiting one runs
    /// whatever there is ([`Counters::last_resorts`](crate::Counters::last_resorts)).
    ///
    /// Default: 10, or twice `num_threads` if that is more; with a [`spawn_handler`](Self::spawn_handler) and
    /// with [`build_scoped`](Self::build_scoped) `num_threads`, since such pools can't start
    /// threads later. Less than a `num_threads` that was given is an error when the pool is built; if the number is the
    /// machine's, it is no larger than this.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).max_threads(8).build()?;
    /// assert_eq!((pool.current_num_threads(), pool.max_thread_index()), (2, 8));
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn max_threads(mut self, max_threads: usize) -> Self {
        self.max_threads = Some(max_threads);
        self
    }

    /// How many workers a pool that [adapts](Self::scaling) keeps, needed or not. Fewer only if the
    /// process may use fewer CPUs. Default: 2; `num_threads` if that was given, which makes the pool one of fixed
    /// size, unless this says otherwise. 0, or more than a `num_threads` that was given, is an error when the pool is
    /// built.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(4).min_threads(1).build()?;
    /// assert_eq!(pool.num_threads(), 4); // as long as they are needed
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn min_threads(mut self, min_threads: usize) -> Self {
        self.min_threads = Some(min_threads);
        self
    }

    /// How the number of workers that run at a time changes by itself. Default:
    /// [`ScalingPolicy::Adaptive`] unless [`num_threads`](Self::num_threads) was given and
    /// [`min_threads`](Self::min_threads) wasn't. A pool without [monitoring](Self::monitoring) doesn't change
    /// its size.
    pub fn scaling(mut self, policy: ScalingPolicy) -> Self {
        self.scaling = Some(policy);
        self
    }

    /// A worker that has had nothing to do for as long leaves, if the pool adapts and has more than
    /// [`min_threads`](Self::min_threads); and the thread of one that has left, or of a spare, that nobody has
    /// needed for as long ends. It is started again when there is work and no other is idle, which takes
    /// some tens of microseconds. Default: 5 minutes.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// More queued jobs than that for each worker call for another one at once where a pool adapts and has
    /// fewer workers than CPUs, since they were too many a while ago. Default: 100.
    pub fn max_queued_per_worker(mut self, jobs: usize) -> Self {
        self.max_queued_per_worker = jobs;
        self
    }

    /// For a pool of so many workers, and up to `most` threads; `explicit` if somebody asked for that
    /// number of workers.
    pub(super) fn elasticity(
        &self,
        workers: usize,
        most: usize,
        explicit: bool,
    ) -> Result<Elasticity, Error> {
        let fixed = explicit && self.min_threads.is_none();
        let default = if fixed { ScalingPolicy::Fixed } else { ScalingPolicy::Adaptive };
        let policy = self.scaling.unwrap_or(default);
        let min = match policy {
            ScalingPolicy::Fixed => workers,
            _ => self.min_threads.unwrap_or(2.min(workers)),
        };
        if min == 0 || explicit && min > workers {
            return Err(Error::new(Kind::BadMinThreads { min, workers }));
        }
        let min = min.min(workers);
        let max = if policy == ScalingPolicy::HillClimb { most } else { workers };
        Ok(Elasticity {
            policy,
            bounds: Bounds { min, max },
            by_cpus: !explicit,
            idle_timeout: self.idle_timeout,
            max_queued_per_worker: self.max_queued_per_worker,
        })
    }
}

impl ThreadPool {
    /// How many workers there are now: those that run, look for work, sleep until there is some, or block.
    /// Not those that have left, as nobody needs them. Costs a load.
    pub fn num_threads(&self) -> usize {
        self.shared().num_threads()
    }

    /// From now on at least, and at most, so many workers run at a time; no more threads than the
    /// most have anything to do, those that block included. A pool of fixed size has the most; one that
    /// [adapts](ThreadPoolBuilder::scaling) goes on from where it is.
    ///
    /// Workers that are too many leave after their jobs, the least healthy first, and others run what they
    /// leave behind; none is stopped. New ones are started when there is work for them. A
    /// [`broadcast`](Self::broadcast) goes to [`current_num_threads`](Self::current_num_threads)
    /// workers all the same, and brings back those that have left. The thread of
    /// [`use_current_thread`](ThreadPoolBuilder::use_current_thread) counts, and never leaves, as long as it is a worker.
    ///
    /// Takes some microseconds. A pool that is shutting down stays as it is.
    ///
    /// # Errors
    /// If the range is empty, begins with 0 or ends above [`max_thread_index`](Self::max_thread_index).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(4).build()?;
    /// pool.resize(1..=2)?;
    /// assert_eq!(pool.install(|| 6 * 7), 42);
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn resize(&self, threads: RangeInclusive<usize>) -> Result<(), Error> {
        let shared = self.shared();
        let (min, max, limit) = (*threads.start(), *threads.end(), shared.max_workers());
        if threads.is_empty() || min == 0 || max > limit {
            return Err(Error::new(Kind::BadSize { min, max, limit }));
        }
        let Ok(_entered) = shared.enter() else { return Ok(()) };
        let mut elasticity = shared.elasticity();
        elasticity.bounds = Bounds { min, max };
        let fixed = elasticity.policy == ScalingPolicy::Fixed;
        let seats = if fixed { max } else { shared.seats.count().clamp(min, max) };
        shared.seats.limit(max);
        shared.resize(seats, leaving_order(shared));
        Ok(())
    }
}

/// The regular workers, those first who are to leave first.
fn leaving_order(shared: &Shared) -> Vec<usize> {
    let now = shared.clock.elapsed();
    let rows = shared.readings.as_ref().ok().and_then(|readings| readings.health.rows());
    let health = |index: usize| {
        let rows = rows.iter().flat_map(|rows| &rows.1);
        let mut score = rows.filter(|(key, _)| key.as_number() == index).map(|(_, v)| v.score);
        score.next_back().and_then(Result::ok).unwrap_or(1.0)
    };
    let regulars = shared.regulars.iter().enumerate();
    let leaving = regulars.filter(|&(index, _)| shared.guest.get() != Some(&index));
    let mut members: Vec<_> = leaving
        .map(|(index, worker)| Member { index, health: health(index), idle: worker.idle(now) })
        .collect();
    rank(&mut members);
    members.into_iter().map(|member| member.index).collect()
}
