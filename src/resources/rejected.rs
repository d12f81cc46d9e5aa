//! Tasks that a pool doesn't accept, and why.

use std::error::Error;
use std::fmt;

/// A task that a pool did not accept.
pub struct Rejected<F> {
    /// The task, not run.
    pub task: F,
    /// Why.
    pub reason: Rejection,
}

/// Why a pool doesn't accept a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// The pool has been shut down.
    ShutDown,
    /// As many tasks wait already as [`max_queued`](crate::ThreadPoolBuilder::max_queued) says, or others wait to hand in
    /// theirs.
    Saturated,
    /// The task would have to wait for too long: see [`AdmissionPolicy::Adaptive`](crate::AdmissionPolicy::Adaptive).
    Shed,
    /// The process is a fork of the one that built the pool, and has none of its threads.
    Forked,
}

pub(super) const FORKED: &str = "the thread pool is the parent process's: a fork has a copy of it, and none of its threads; build a \
    pool in the child, or fork before there is one";

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShutDown => "the thread pool has been shut down and takes no more tasks",
            Self::Forked => FORKED,
            Self::Saturated => {
                "as many tasks wait as the thread pool's max_queued says; try again later, wait for room by spawn or \
                 spawn_async, or raise it"
            }
            Self::Shed => {
                "the thread pool has more to do than it can, and the task would have to wait for longer than the target \
                 of its AdmissionPolicy; try again later, or do without it"
            }
        })
    }
}

impl Rejected<()> {
    pub(crate) fn without_task(reason: Rejection) -> Self {
        Self { task: (), reason }
    }
}

impl<F> Rejected<F> {
    pub(crate) fn map<G>(self, f: impl FnOnce(F) -> G) -> Rejected<G> {
        Rejected { task: f(self.task), reason: self.reason }
    }
}

impl<F> fmt::Debug for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.reason, f)
    }
}

impl<F> Error for Rejected<F> {}
