//! Floor 10: the verbs. Each file has a verb's free function, which means the pool that
//! the current thread belongs to or else the global one, and the method of `ThreadPool`.

pub mod acquire;
mod admit;
pub mod blocking;
pub mod broadcast;
pub mod handle;
pub mod install;
pub mod join;
pub mod labelled;
mod placed;
mod push;
pub mod scope;
pub mod scope_core;
pub mod scope_fifo;
pub mod spawn;
pub mod spawn_async;
mod spawn_with;
pub mod task;
pub mod this_thread;
