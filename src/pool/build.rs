//! How a pool is put together.

use crate::error::{Error, Kind};
use crate::governor::Governor;
use crate::job;
use crate::monitor::endowment::endowment;
use crate::monitor::kernel::possible_cpus;
use crate::monitor::monitoring::Monitoring;
use crate::monitor::quota;
use crate::policy::scaling::ScalingPolicy;
use crate::pool::affinity::{self, Placement};
use crate::pool::builder::ThreadPoolBuilder;
use crate::pool::crew::Crew;
use crate::pool::size;
use crate::pool::spawner::ThreadSpawn;
use crate::pool::thread::{Seat, ThreadBuilder};
use crate::pool::thread_pool::ThreadPool;
use crate::resources::purse::Plan;
use crate::sync::{self, Ordering, fence, fork};
use crate::telemetry::allocator;
use crate::telemetry::readings::Readings;
use crate::telemetry::unavailable::{Fact, Unavailable};
use crate::worker::local::{Deques, Local, Origin};
use crate::worker::shared::{Insight, Shared};
use crate::worker::watch::Watch;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Whether there is anything to read.
const MONITORED: bool = cfg!(all(target_os = "linux", not(miri)));

/// Makes what the process has once, behind a lock: were a pool's thread in the midst of that when another forks, the
/// child would wait for it for ever.
fn make_statics() {
    #[cfg(not(loom))]
    crossbeam_epoch::default_collector();
    job::prepare();
    allocator::is_installed();
}

fn usable_cpus() -> usize {
    affinity::process_cpus().len().max(1)
}

impl<S: ThreadSpawn> ThreadPoolBuilder<S> {
    fn readings(&self, governed: bool, max: usize) -> Result<Fact<Readings>, Error> {
        if let Some(fault) = self.monitoring.fault() {
            return Err(Error::new(Kind::BadMonitoring { fault }));
        }
        if !governed {
            return Ok(Err(Unavailable::Off));
        }
        let Monitoring { mounts, .. } = &self.monitoring;
        Ok(Ok(Readings::new(self.monitoring.lengths(), possible_cpus(), max, mounts.clone())))
    }

    fn name_of(&mut self, worker: usize) -> Result<Option<String>, Error> {
        let name = self.thread_name.as_mut().map(|name| name(worker));
        match name {
            // The standard library would panic.
            Some(name) if name.contains('\0') => Err(Error::new(Kind::BadName { worker, name })),
            name => Ok(name),
        }
    }

    /// Builds the pool; its threads have started, start handlers included, unless told
    /// [otherwise](Self::wait_until_started).
    ///
    /// # Errors
    /// If a thread can't be started (those that were are stopped and joined), if the
    /// number of threads is above [`max_num_threads`](crate::max_num_threads), if
    /// [`max_threads`](Self::max_threads) is below the number of threads or asks for spares
    /// that the pool can't have, if `FILCH_NUM_THREADS` is consulted and isn't a number, if
    /// [`Pinning::Explicit`](crate::Pinning::Explicit) is empty or names a CPU that the process
    /// may not use, if [`monitoring`](Self::monitoring), [`flight_recorder`](Self::flight_recorder) or
    /// [`trace_on_panic`](Self::trace_on_panic), [`max_queued`](Self::max_queued) or
    /// [`admission`](Self::admission) makes no sense, if [`thread_name`](Self::thread_name) returns a name with a NUL byte, or if
    /// [`use_current_thread`](Self::use_current_thread) is asked for on a worker of another
    /// pool.
    ///
    /// # Panics
    /// If the closure given to [`thread_name`](Self::thread_name) or
    /// [`spawn_handler`](Self::spawn_handler) panics.
    pub fn build(mut self) -> Result<ThreadPool, Error> {
        fence::prepare();
        fork::prepare(Local::forked);
        make_statics();
        // Miri would spend longer on these files than on the pool.
        let quota = if cfg!(miri) { None } else { quota::cpu_quota(Path::new("/")) };
        let (workers, explicit) = size::num_threads(self.num_threads, quota)?;
        let most = self.max_threads.filter(|&max| max > 0 && !explicit);
        let workers = workers.min(most.unwrap_or(usize::MAX));
        if self.use_current_thread && Local::with_current(|current| current.is_some()) {
            return Err(Error::new(Kind::CurrentThreadInPool));
        }
        let max = size::max_threads(self.max_threads, workers, S::MAY_HIRE)?;
        let elasticity = self.elasticity(workers, max, explicit)?;
        let fractional = quota.is_some_and(|quota| quota.is_fractional());
        let placement = Placement::new(self.pinning.take(), workers, fractional)?;
        let deques: Vec<_> = (0..workers).map(|_| Deques::default()).collect();
        let handlers = std::mem::take(&mut self.handlers);
        let governed = self.monitoring.on && S::MAY_HIRE && MONITORED;
        let insight = Insight {
            readings: self.readings(governed, max)?,
            one_in: self.monitoring.latency,
            rules: self.monitoring.health.clone(),
            victims: std::mem::take(&mut self.victim_policy),
        };
        // Of no use where nobody can take the place of whom it finds, or more are tried anyway.
        let climbs = governed && elasticity.policy == ScalingPolicy::HillClimb;
        let watch = Watch::new(self.detect_blocking.filter(|_| max > workers && !climbs));
        let shared = Shared::new(&deques, max, self.wait_policy, watch, handlers, insight);
        if governed {
            *shared.elasticity() = elasticity;
        }
        let monitoring = self.monitoring.clone();
        let look = move |resource| {
            // Files, once more.
            if cfg!(miri) {
                return Err(Unavailable::Missing);
            }
            endowment(&monitoring, usable_cpus(), resource)
        };
        let shared = Arc::new(shared);
        let weak = Arc::downgrade(&shared);
        let call = move || {
            let pool = weak.upgrade();
            pool.iter().flat_map(|pool| pool.governor.get()).for_each(|governor| governor.unpark());
        };
        let (config, look, call) = (self.budget, Box::new(look), Arc::new(call));
        shared.purse.plan(Plan { config, look, call });
        self.record(&shared)?;
        self.admit(&shared)?;
        let crew = Arc::new(Crew::new(self.stack_size));
        if S::MAY_HIRE {
            let (crew, weak) = (Arc::clone(&crew), Arc::downgrade(&shared));
            let hire = move |post| match weak.upgrade() {
                Some(shared) => crew.hire(shared, post),
                None => Err(io::ErrorKind::NotFound.into()),
            };
            let _ = shared.hire.set(Box::new(hire));
        }
        let mut pool = ThreadPool::new(Arc::clone(&shared), placement, crew);
        let mut guest = None;
        let mut regulars = Vec::with_capacity(workers);
        for (index, deques) in deques.into_iter().enumerate() {
            if index == 0 && self.use_current_thread {
                // Before the governor can think that it may leave.
                let _ = shared.guest.set(index);
                guest = Some(Local::new(Arc::clone(&shared), index, deques, Origin::Guest));
                regulars.push((None, None));
                continue;
            }
            // One after the other, as they are started: it may panic, and then those end that have been.
            let (name, cpu) = (self.name_of(index)?, pool.cpu_of(index));
            regulars.push((name.clone(), cpu));
            let thread = ThreadBuilder {
                seat: Seat::new(&shared, index),
                deques,
                name,
                stack_size: self.stack_size,
                cpu,
            };
            match self.spawn.start(thread) {
                Ok(handle) => pool.add_worker(index, handle),
                // Dropping the pool stops those that have started.
                Err(cause) => {
                    let (worker, of, stack_size) = (index, workers, self.stack_size);
                    return Err(Error::new(Kind::Spawn { worker, of, stack_size, cause }));
                }
            }
        }
        pool.crew().know(regulars);
        if self.wait_until_started {
            pool.wait_until_started();
            if shared.vacant.load(Ordering::Relaxed) {
                return Err(Error::new(Kind::NeverRun));
            }
        }
        // Now that there is somebody to end the pool, and so the governor.
        if governed {
            let governor = Governor::new(&self.monitoring, usable_cpus());
            let started = pool.crew().govern(Arc::clone(&shared), governor);
            started.map_err(|cause| Error::new(Kind::NoGovernor { cause }))?;
        }
        if let Some(guest) = guest {
            pool.adopt(guest);
        }
        Ok(pool)
    }
}

impl ThreadPoolBuilder {
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
