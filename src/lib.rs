//! A work-stealing thread pool with rayon's verbs, cheap joins and no idle cost.
//!
//! # The verbs
//!
//! [`join`] runs two closures, perhaps at the same time, and is what divide-and-conquer
//! algorithms are made of. It allocates nothing and costs a few nanoseconds as long as no
//! other worker wants the work:
//!
//! ```
//! fn sort<T: Ord + Send>(items: &mut [T]) {
//!     if items.len() <= 1 {
//!         return;
//!     }
//!     let (mut end, last) = (0, items.len() - 1);
//!     for i in 0..last {
//!         if items[i] <= items[last] {
//!             items.swap(i, end);
//!             end += 1;
//!         }
//!     }
//!     items.swap(end, last);
//!     let (low, high) = items.split_at_mut(end);
//!     filch::join(|| sort(low), || sort(&mut high[1..]));
//! }
//!
//! let mut items = [3, 1, 4, 1, 5, 9, 2, 6];
//! sort(&mut items);
//! assert_eq!(items, [1, 1, 2, 3, 4, 5, 6, 9]);
//! ```
//!
//! [`scope()`] starts any number of tasks that may borrow from the stack, and waits for them.
//! [`spawn()`] starts a task that nobody waits for, [`spawn_handle`] one whose result can be
//! joined or awaited, or which can be cancelled. [`broadcast`] runs a closure on every worker.
//! Each has a first-in-first-out or in-place variant where that makes a difference.
//!
//! # Pools
//!
//! The free functions use the pool that the current thread is a worker of, or else the global
//! one, which the first use builds. [`ThreadPoolBuilder`] configures either, and others beside
//! it; [`ThreadPool::install`] makes a closure, and all it calls, use a certain pool.
//!
//! # What a wait may run
//!
//! A worker that waits for a `join` or a scope runs only work that is part of what it waits
//! for. So a lock that a task holds across a `join` isn't taken again by an unrelated task on
//! the same stack. The exceptions are what nobody else could run, or what the caller asks for:
//!
//! * In every wait, the worker's own part of a [`broadcast`], and a task that was
//!   [placed](ThreadPool::spawn_placed) there.
//! * While it waits for another pool ([`ThreadPool::install`] and the other verbs of a pool that
//!   it isn't part of), calls from outside, and tasks of scopes that somebody outside waits for.
//! * While a thread that was made a worker by
//!   [`use_current_thread`](ThreadPoolBuilder::use_current_thread) waits in
//!   [`JoinHandle::join`], detached tasks and calls.
//! * As a last resort, if every worker waits or blocks and no spare can be had
//!   ([`max_threads`](ThreadPoolBuilder::max_threads)), anything: counted in
//!   [`Counters::last_resorts`].
//! * In [`yield_now`] and [`yield_local`], which volunteer for it, anything; and under
//!   [`WaitPolicy::Any`] in every wait.
//!
//! A lock that such work takes must not be held across the wait in question.
//!
//! # Cancellation and deadlines
//!
//! Every task that was accepted runs, unless it is said that it need not: by [`JoinHandle::cancel`], a
//! [`CancelToken`] or a deadline ([`TaskBuilder`]), or [`Scope::cancel`]. A task that has not begun is then dropped
//! instead, and counted; one that runs goes on, and may ask. Tokens are a tree: a scope that is made by
//! [`ScopeBuilder`] can be cancelled with what it is a part of, or by its first panic.
//!
//! # Blocking
//!
//! A worker that sleeps in a wait gives up its seat, and a *spare* takes it if there is work; so
//! does one inside [`blocking`], and, on Linux, one that is found asleep in the kernel in the midst
//! of a task ([`detect_blocking`](ThreadPoolBuilder::detect_blocking)). When it is back, a spare
//! retires after its task. So as many workers run as were asked for, and tasks may wait for one
//! another, up to [`max_threads`](ThreadPoolBuilder::max_threads). Spares have indices of their own:
//! [`max_thread_index`] is the bound.
//!
//! # How many workers
//!
//! A pool for which [`num_threads`](ThreadPoolBuilder::num_threads) was asked has so many. Any other has as many as there
//! are CPUs to use, which it looks at every second, and fewer while the kernel shows that they are too many: while its
//! container is throttled, say ([`ScalingPolicy`]). Workers that have long had nothing to do leave, and come back when there is
//! work. [`ThreadPool::num_threads`] is how many there are, [`ThreadPool::resize`] changes the bounds.
//!
//! # Panics
//!
//! A worker survives every panic. One in a closure of `install`, `join`, `scope` or `broadcast`
//! comes out of that call once everything it started has ended; one in a task with a handle comes
//! out of the handle, or is only counted ([`Counters::panics`]) if that has been dropped; one in
//! any other task goes to the pool's [`panic_handler`](ThreadPoolBuilder::panic_handler), or
//! aborts with a message.
//!
//! The verbs themselves panic after the end of the pool ([`ThreadPool::shutdown`],
//! [`shutdown_global`]), except on its own workers, and the free functions, from outside every
//! pool, also if the global pool has to be built and can't be: `FILCH_NUM_THREADS` is garbled, or
//! the system gives no thread. To have an error instead, use [`ThreadPool::try_spawn`], and
//! [`ThreadPoolBuilder::build_global`] at the start of `main`.
//!
//! # Fork
//!
//! A process that is forked (`fork`, on Linux) has a copy of its parent's pools, and of their threads at most the one that
//! forked. So the child's verbs panic, or return an error if they have one, where they'd need such a pool, the global one
//! above all; so do [`JoinHandle::join`] of a task of the parent's, and [`ThreadPool::shutdown`]. Dropping the pool does nothing, and
//! drops no task that the parent runs. A wait for its threads that has begun before, by a scope, aborts with a message. Pools that
//! the child builds work. Its other uses of the parent's show what was so at the time of the fork, and may hang if another thread held a
//! lock then.
//!
//! In a task, `exec` or `_exit` in the child. It runs its joins and scopes alone, but is aborted when it needs another thread of
//! the pool, or comes to the end of the task: what is queued is the parent's. `std::process::Command` does nothing of this.
//! A child of a bare `clone` system call isn't noticed.
//!
//! # More than it can do
//!
//! A pool takes every task, unless [`max_queued`](ThreadPoolBuilder::max_queued) says how many may wait: then
//! [`ThreadPool::try_spawn`] gives the next one from outside back, [`spawn()`] waits for room, and so does the future of
//! [`ThreadPool::spawn_async`]. An [`AdmissionPolicy`] may shed tasks that would wait for too long.
//!
//! # What it says of itself
//!
//! [`ThreadPool::snapshot`] is what is known of a pool, its workers and the machine at one time, for
//! programs and, printed, for people:
//!
//! ```
//! let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
//! pool.spawn_named("answer", || assert_eq!(6 * 7, 42));
//! let snapshot = pool.snapshot();
//! println!("{} tasks wait", snapshot.pool.now.queued?);
//! println!("99 % of tasks began within {:?}", snapshot.latency.all.queue_wait.p99);
//! println!("{snapshot}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A thread reads the machine every 5 to 30 seconds, and one task in 64 is timed; [`Monitoring`] says
//! otherwise, or turns that off. [`ThreadPool::history`] has past readings, and
//! [`ThreadPool::histogram`] all lengths of time. A number that can't be had says why: [`Unavailable`].
//!
//! # The end
//!
//! Every accepted task runs, or is dropped if it is cancelled, too late or, with a handle, [`Shed`]. Dropping a pool waits
//! for that and joins the threads, as does [`ThreadPool::shutdown`]; [`ThreadPool::detach`] lets the rest finish alone. The global
//! pool ends with [`shutdown_global`]; without that call, its unfinished tasks end with the
//! process, as those of any thread that `main` doesn't wait for.

#![cfg_attr(not(any(loom, fuzzing)), deny(missing_docs, missing_debug_implementations))]

#[cfg(doctest)]
mod compile_fail;
mod construct;
mod error;
mod export;
mod governor;
mod job;
mod monitor;
mod policy;
mod pool;
mod primitive;
mod queue;
mod resources;
mod sync;
mod telemetry;
mod worker;

pub use construct::acquire::{acquire, try_acquire};
pub use construct::blocking::blocking;
pub use construct::broadcast::{BroadcastContext, broadcast, spawn_broadcast};
pub use construct::cancel::CancelToken;
pub use construct::fn_context::FnContext;
pub use construct::handle::{JoinHandle, spawn_handle, try_spawn_handle};
pub use construct::join::{join, join_context};
pub use construct::labelled::{TaskBuilder, spawn_named};
pub use construct::scope::{Scope, in_place_scope, scope};
pub use construct::scope_builder::ScopeBuilder;
pub use construct::scope_fifo::{ScopeFifo, in_place_scope_fifo, scope_fifo};
pub use construct::spawn::{spawn, spawn_fifo};
pub use construct::spawn_async::SpawnAsync;
pub use construct::task::{Cancelled, Expired};
pub use construct::this_thread::{
    Yield, current_num_threads, current_thread_has_pending_tasks, current_thread_index,
    max_thread_index, yield_local, yield_now,
};
pub use error::Error;
/// The name that rayon gives its [`Error`].
pub use error::Error as ThreadPoolBuildError;
#[cfg(feature = "metrics")]
pub use export::publisher::MetricsPublisher;
#[doc(no_inline)]
pub use hdrhistogram::Histogram;
pub use monitor::monitoring::Monitoring;
pub use policy::admission::{AdmissionPolicy, Shed};
pub use policy::alert_rules::{AlertAction, AlertRules};
pub use policy::amounts::Resource;
pub use policy::fairness::AllocationStrategy;
pub use policy::health::HealthRules;
pub use policy::scaling::ScalingPolicy;
pub use policy::shortage::MemoryPressure;
pub use policy::victim::{Candidate, ChooseVictim, VictimPolicy};
pub use policy::wait::WaitPolicy;
pub use pool::affinity::{Pinning, unpinned};
pub use pool::builder::ThreadPoolBuilder;
pub use pool::config::{AlertConfig, Config, ResourceConfig};
pub use pool::global::shutdown_global;
pub use pool::size::max_num_threads;
pub use pool::spawner::{CustomSpawn, DefaultSpawn, ThreadSpawn};
pub use pool::thread::ThreadBuilder;
pub use pool::thread_pool::ThreadPool;
pub use resources::acquire::Acquire;
pub use resources::lease::Lease;
pub use resources::ledger::LeaseInfo;
pub use resources::refusal::Refusal;
pub use resources::rejected::{Rejected, Rejection};
pub use resources::request::Request;
pub use resources::tenant::Tenant;
pub use telemetry::activity::{Status, Times};
pub use telemetry::alert::{Alert, AlertKind, Severity};
pub use telemetry::allocator::CountingAlloc;
pub use telemetry::buckets::Distribution;
pub use telemetry::counters::Counters;
pub use telemetry::health::{Sign, Vitals};
pub use telemetry::history::Taken;
pub use telemetry::latency::{CurrentTask, Latency, LatencySnapshot, TaskLatency};
pub use telemetry::leases::{Leases, ResourceBudget};
pub use telemetry::machine::{Core, Cpu, Disk, Memory, Mount, Network};
pub use telemetry::readings::Reading;
pub use telemetry::record::{Field, Record, Unit};
pub use telemetry::snapshot::{Section, Snapshot};
pub use telemetry::strain::Strain;
pub use telemetry::thefts::StealsFrom;
pub use telemetry::unavailable::Unavailable;
pub use telemetry::work::{Thread, Work};
pub use telemetry::workers::{Lately, PoolSnapshot, WorkerSnapshot};

/// What is in no interface, for the targets in `fuzz`.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzed {
    pub use crate::export::trace;
    pub use crate::governor::watched::play;
    pub use crate::job::*;
    pub use crate::pool::size;
    pub use crate::queue::{deque, fifo, injector, lane, misfits};
    pub use crate::telemetry::event;
}

/// The protocols themselves, for the models in `loom-tests`.
#[cfg(loom)]
#[doc(hidden)]
pub mod protocols {
    pub use crate::job::*;
    pub use crate::policy::{alert, ladder, wait};
    pub use crate::primitive::{
        account, count_latch, credits, epoch_cell, event_count, gate, latch, loan, parker, pile,
        ring, seats, slots, tenure,
    };
    pub use crate::queue::{deque, injector, lane};
    pub use crate::sync::{cell, fence};
    pub use crate::telemetry::alert::{Alert, AlertKind};
    pub use crate::worker::{alarm, bare, blocked, local, shared};
}
