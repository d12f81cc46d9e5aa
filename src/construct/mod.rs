//! Floor 10: the verbs. Each file has a verb's free function, which means the pool that
//! the current thread belongs to or else the global one, and the method of `ThreadPool`.

pub mod acquire;
mod admit;
pub mod blocking;
mod bounded;
pub mod broadcast;
pub mod cancel;
pub mod detached;
pub mod fn_context;
pub mod handle;
pub mod install;
pub mod join;
pub mod labelled;
mod limits;
mod placed;
mod push;
pub mod scope;
pub mod scope_builder;
pub mod scope_core;
pub mod scope_fifo;
pub mod spawn;
pub mod spawn_async;
mod spawn_with;
mod take;
pub mod task;
pub mod this_thread;
