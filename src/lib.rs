//! A work-stealing thread pool with rayon's verbs, cheap joins and no idle cost.

#![cfg_attr(not(loom), warn(missing_docs))]

mod construct;
mod error;
mod job;
mod monitor;
mod policy;
mod pool;
mod primitive;
mod queue;
mod sync;
mod telemetry;
mod worker;

pub use construct::broadcast::{BroadcastContext, broadcast, spawn_broadcast};
pub use construct::handle::{Cancelled, JoinHandle, spawn_handle};
pub use construct::join::{FnContext, join, join_context};
pub use construct::scope::{Scope, in_place_scope, scope};
pub use construct::scope_fifo::{ScopeFifo, in_place_scope_fifo, scope_fifo};
pub use construct::spawn::{Rejected, spawn, spawn_fifo};
pub use construct::this_thread::{
    Yield, current_num_threads, current_thread_has_pending_tasks, current_thread_index,
    yield_local, yield_now,
};
pub use error::Error;
/// The name that rayon gives its [`Error`].
pub use error::Error as ThreadPoolBuildError;
pub use pool::affinity::{Pinning, unpinned};
pub use pool::builder::ThreadPoolBuilder;
pub use pool::global::shutdown_global;
pub use pool::size::max_num_threads;
pub use pool::spawner::{CustomSpawn, DefaultSpawn, ThreadSpawn};
pub use pool::thread::ThreadBuilder;
pub use pool::thread_pool::ThreadPool;
pub use telemetry::counters::Counters;

/// The protocols themselves, for the models in `loom-tests`.
#[cfg(loom)]
#[doc(hidden)]
pub mod protocols {
    pub use crate::job::*;
    pub use crate::primitive::{count_latch, event_count, gate, latch, parker};
    pub use crate::queue::{deque, injector, lane};
    pub use crate::sync::{cell, fence};
}
