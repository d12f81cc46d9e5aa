//! Why a lease isn't granted.

use crate::policy::amounts::Resource;
use crate::resources::rejected::FORKED;
use std::error::Error;
use std::fmt;

/// Why a [`Lease`](crate::Lease) isn't granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There isn't enough now, or somebody waits for it who comes first.
    Busy,
    /// There wasn't enough in time.
    TimedOut,
    /// There isn't enough now, and the task that asks holds a lease, or one does that waits for it: it may wait for itself,
    /// or for others that wait for what it holds.
    WouldDeadlock,
    /// There isn't enough now, all other workers of the pool wait, and it may start no more: whoever is to give something
    /// back may be waiting for a worker.
    Saturated,
    /// There is less than that in all: it would never be granted.
    TooMuch {
        /// Of which.
        resource: Resource,
        /// What was asked for.
        asked: u64,
        /// What there is.
        total: u64,
    },
    /// The request is for nothing.
    Nothing,
    /// The tenant is one of another pool.
    Stranger,
    /// The pool has been shut down.
    ShutDown,
    /// The process is a fork of the one that built the pool, and has none of its threads.
    Forked,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str(
                "there isn't enough free now, or others wait for it; wait for it by acquire or acquire_timeout",
            ),
            Self::TimedOut => f.write_str(
                "there wasn't enough free in time; wait for longer, ask for less, or have others hold less",
            ),
            Self::WouldDeadlock => f.write_str(
                "there isn't enough free now, and this task, or one that waits for it, holds a lease that others may wait \
                 for; ask for all at once, give it back before, or use try_acquire",
            ),
            Self::Saturated => f.write_str(
                "there isn't enough free now, and this is the last worker that doesn't wait; raise \
                 ThreadPoolBuilder::max_threads, or use spawn_with, which holds no worker while it waits",
            ),
            Self::TooMuch { resource, asked, total } => {
                let unit = resource.unit();
                write!(
                    f,
                    "{asked} {unit} of {resource} were asked for, and the budget is {total}; ask for less, or raise it \
                     by ThreadPool::set_budget"
                )
            }
            Self::Nothing => f.write_str("a request for nothing; name some resource"),
            Self::ShutDown => f.write_str("the thread pool has been shut down and takes no more tasks"),
            Self::Forked => f.write_str(FORKED),
            Self::Stranger => {
                f.write_str("the tenant belongs to another pool; make one by ThreadPool::tenant of this one")
            }
        }
    }
}

impl Error for Refusal {}
