//! rayon-core's interface, run by [filch].
//!
//! For programs that use rayon and are to run on filch without a change. All scheduling is filch's;
//! here are only the names, rayon's global pool, its environment variables, and those of its habits
//! that filch doesn't share: a pool has exactly as many threads as it was asked for, they float, and
//! dropping the pool doesn't wait for them.

#![warn(missing_docs)]

mod builder;
mod configuration;
mod error;
mod global;
mod size;
mod spawner;
mod thread_pool;

pub use builder::ThreadPoolBuilder;
#[allow(deprecated)]
pub use configuration::{Configuration, initialize};
pub use error::ThreadPoolBuildError;
pub use filch::{
    BroadcastContext, FnContext, Scope, ScopeFifo, Yield, current_thread_has_pending_tasks,
    current_thread_index, yield_local, yield_now,
};
pub use global::{
    broadcast, current_num_threads, in_place_scope, in_place_scope_fifo, join, join_context, scope,
    scope_fifo, spawn, spawn_broadcast, spawn_fifo,
};
pub use size::max_num_threads;
pub use spawner::ThreadBuilder;
pub use thread_pool::ThreadPool;
