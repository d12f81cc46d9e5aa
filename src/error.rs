//! What can go wrong: one opaque type with a private kind.

use std::fmt;
use std::io;

/// Why a pool could not be built or shut down.
///
/// The message names the cause and what to do about it. `Debug` prints it, too, since that is
/// what a `main` that returns an error shows.
///
/// # Examples
///
/// ```
/// let error = filch::ThreadPoolBuilder::new().num_threads(1_000_000).build().unwrap_err();
/// assert!(error.to_string().contains("max_num_threads"));
/// ```
pub struct Error {
    kind: Kind,
}

pub(crate) enum Kind {
    GlobalPoolExists,
    CurrentThreadInPool,
    TooManyThreads { asker: &'static str, asked: usize, limit: usize },
    MaxBelowThreads { max: usize, workers: usize },
    NoSpares { max: usize, workers: usize },
    BadMinThreads { min: usize, workers: usize },
    BadSize { min: usize, max: usize, limit: usize },
    BadVariable { name: &'static str, value: String },
    BadPin { cpu: usize, allowed: Vec<usize> },
    NoPins,
    BadName { worker: usize, name: String },
    Spawn { worker: usize, of: usize, stack_size: Option<usize>, cause: io::Error },
    NoGovernor { cause: io::Error },
    BadMonitoring { fault: String },
    BadRecorder { fault: String },
    BadConfig { fault: String },
    BadAdmission { fault: String },
    NeverRun,
    ShutdownFromInside,
    ShutdownFromOtherThread,
    ShutdownInFork,
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind }
    }

    pub(crate) fn is_global_pool_exists(&self) -> bool {
        matches!(self.kind, Kind::GlobalPoolExists)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::GlobalPoolExists => f.write_str(
                "the global thread pool has already been initialized; call build_global before \
                 anything uses it, and once",
            ),
            Kind::CurrentThreadInPool => f.write_str(
                "the current thread is already part of another thread pool; use_current_thread \
                 needs a thread that is in none",
            ),
            Kind::TooManyThreads { asker, asked, limit } => write!(
                f,
                "{asker} is {asked}, but a pool has at most max_num_threads() = {limit} threads; \
                 lower it, or leave it unset for the default"
            ),
            Kind::MaxBelowThreads { max, workers } => write!(
                f,
                "max_threads is {max}, less than the {workers} threads that the pool is to have; \
                 raise it or lower num_threads"
            ),
            Kind::NoSpares { max, workers } => write!(
                f,
                "max_threads is {max} for {workers} threads, but a pool with a spawn handler, or \
                 of build_scoped, can't start threads later; leave max_threads out"
            ),
            Kind::BadMinThreads { min, workers } => write!(
                f,
                "min_threads is {min}; give 1 to {workers}, the number of workers that the pool has at most"
            ),
            Kind::BadSize { min, max, limit } => write!(
                f,
                "a pool can't be resized to {min}..={max} threads; give at least 1, and at most the {limit} of max_threads"
            ),
            Kind::BadVariable { name, value } => write!(
                f,
                "the environment variable {name} is {value:?}; set it to a number of threads, \
                 to 0 for the default, or not at all"
            ),
            Kind::BadPin { cpu, allowed } => write!(
                f,
                "Pinning::Explicit names CPU {cpu}, but this process may run on {allowed:?} only; \
                 name some of those, or let it run on more (taskset, the container's cpuset)"
            ),
            Kind::NoPins => f.write_str(
                "Pinning::Explicit names no CPU; use Pinning::None for workers that float",
            ),
            Kind::BadName { worker, name } => write!(
                f,
                "thread_name names worker {worker} {name:?}, but the name of a thread can't \
                 contain a NUL byte"
            ),
            Kind::Spawn { worker, of, stack_size, cause } => {
                write!(f, "could not start worker {worker} of {of}: {cause}; look at ")?;
                // Whoever chose a size has the likeliest cause in hand.
                if let Some(bytes) = stack_size {
                    write!(f, "its ThreadPoolBuilder::stack_size, {bytes} bytes, first, then at ")?;
                }
                f.write_str(
                    "`ulimit -u`, the cgroup's pids.max, kernel.threads-max, and memory for its \
                     stack",
                )
            }
            Kind::NoGovernor { cause } => write!(
                f,
                "could not start the thread that reads the machine: {cause}; look at `ulimit -u`, \
                 the cgroup's pids.max and kernel.threads-max, or do without it by \
                 Monitoring::off()"
            ),
            Kind::BadMonitoring { fault } => write!(f, "Monitoring {fault}"),
            Kind::BadRecorder { fault } | Kind::BadAdmission { fault } => f.write_str(fault),
            Kind::BadConfig { fault } => write!(f, "the configuration makes no sense: {fault}"),
            Kind::NeverRun => f.write_str(
                "a ThreadBuilder was dropped without a call of run(); the spawn handler, or the \
                 wrapper of build_scoped, must call it on the new thread",
            ),
            Kind::ShutdownFromInside => f.write_str(
                "shutdown was called by one of the pool's own workers, which would wait for \
                 itself; call it from outside, or drop the pool to begin a shutdown",
            ),
            Kind::ShutdownInFork => f.write_str(
                "the thread pool is the parent process's: a fork has a copy of it, and none of its threads; \
                 shut it down in the parent, and just drop it, or leave it, in the child",
            ),
            Kind::ShutdownFromOtherThread => f.write_str(
                "the pool was built with use_current_thread, so one of its workers is the thread \
                 that built it; call shutdown there",
            ),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            Kind::Spawn { cause, .. } | Kind::NoGovernor { cause } => Some(cause),
            _ => None,
        }
    }
}
